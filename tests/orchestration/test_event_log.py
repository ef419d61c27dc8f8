"""The event log that takes events by the thousand, against Dagster's own."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection

from pipelines.orchestration.event_log import BATCH_SIZE, BATCH_VARIABLE, KEPT_OPEN, EventLog
from pipelines.orchestration.private import SqliteEventLogStorage

GRID = dg.MultiPartitionsDefinition(
    {
        "reserve": dg.StaticPartitionsDefinition([f"r{level}" for level in range(4)]),
        "strategy": dg.StaticPartitionsDefinition(["one", "two", "three"]),
    }
)


@dg.asset(
    partitions_def=GRID,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("sound", asset="scenarios")],
)
def scenarios(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
    for key in context.partition_keys:
        context.add_asset_metadata({"name": key}, partition_key=key)
    yield dg.AssetCheckResult(passed=True, check_name="sound")
    yield dg.MaterializeResult()


@dg.asset(deps=[scenarios])
def report() -> None:
    """Return nothing, as the tables that follow the scenarios do."""


def records(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Run both assets over the whole grid and return what the instance then knows of them."""
    job = dg.Definitions(
        assets=[scenarios, report], jobs=[dg.define_asset_job("all", "*")], executor=dg.in_process_executor
    ).resolve_job_def("all")
    tags = {"dagster/asset_partition_range_start": "r0|one", "dagster/asset_partition_range_end": "r3|three"}
    run = job.execute_in_process(instance=instance, tags=tags)
    for key in (scenarios.key, report.key):
        latest = instance.get_latest_materialization_event(key)
        assert latest is not None
        assert latest.run_id == instance.get_asset_records([key])[0].asset_entry.last_run_id == run.run_id
    fetched = instance.fetch_materializations(scenarios.key, limit=100).records
    materialisations = [record.asset_materialization for record in fetched if record.asset_materialization]
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id) if entry.is_dagster_event]
    check = dg.AssetCheckKey(scenarios.key, "sound")
    history = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    return {
        "partitions": instance.get_materialized_partitions(scenarios.key),
        # Data versions are drawn from the run, so only that they are there can be compared.
        "materialisations": [(made.partition, made.metadata, sorted(made.tags or {})) for made in materialisations],
        "events": Counter((event.event_type, str(event.asset_key), event.partition) for event in events),
        "checks": [record.status for record in history],
    }


def test_what_is_known_after_a_run_is_what_dagsters_own_log_would_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, ours = tmp_path / "own", tmp_path / "ours"
    for folder in (own, ours):
        folder.mkdir()
        (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(own)) as instance:
        expected = records(instance)
    monkeypatch.setenv(BATCH_VARIABLE, str(BATCH_SIZE))
    (ours / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "event_log_storage: {module: pipelines.orchestration.event_log, class: EventLog, "
        f"config: {{base_dir: {ours}/runs}}}}\n"
    )
    with dg.DagsterInstance.from_config(str(ours)) as instance:
        found = records(instance)
    # That the check was planned is left out: its evaluation says so too.
    left_out = (dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, "None", None)
    assert expected["events"].pop(left_out, 0) == 1
    # A run's own log has one event for all partitions; what is known across runs is the same.
    for kind in (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION):
        of_all = {key: expected["events"].pop((kind, str(scenarios.key), key)) for key in GRID.get_partition_keys()}
        assert set(of_all.values()) == {1}
        ones = [event for event in found["events"] if event[:2] == (kind, str(scenarios.key))]
        assert [found["events"].pop(event) for event in ones] == [1]
    assert found == expected
    assert len(expected["partitions"]) == 12


def attempts(instance: dg.DagsterInstance) -> list[Any]:
    """Fail in a run of all partitions, then in one of a single one; return each time which were attempted and not made.

    With each goes the number of the run.
    """

    @dg.asset(name="scenarios", partitions_def=GRID, backfill_policy=dg.BackfillPolicy.single_run())
    def failing(context: dg.AssetExecutionContext) -> None:
        for key in context.partition_keys[:5]:
            context.log_event(dg.AssetMaterialization("scenarios", partition=key))
        if len(context.partition_keys) == 1:
            context.log_event(dg.AssetMaterialization("scenarios", partition="r0|two"))
        raise dg.Failure("no space left")

    job = dg.Definitions(assets=[failing], jobs=[dg.define_asset_job("all", "*")]).resolve_job_def("all")
    whole = {"dagster/asset_partition_range_start": "r0|one", "dagster/asset_partition_range_end": "r3|three"}
    runs: list[str] = []
    found = []
    for tags in (whole, {"dagster/partition": "r3|two"}, whole):
        runs.append(job.execute_in_process(instance=instance, tags=tags, raise_on_error=False).run_id)
        log = instance.event_log_storage
        latest = log.get_latest_asset_partition_materialization_attempts_without_materializations(scenarios.key)
        found.append({key: runs.index(run) for key, (run, _) in latest.items()})
    return found


def test_partitions_that_a_run_has_not_made_are_those_of_dagsters_own_log(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(own)) as dagsters:
        expected = attempts(dagsters)
    assert [len(failed) for failed in expected] == [7, 6, 7]
    assert attempts(instance) == expected


def test_run_over_more_partitions_records_no_more_events(instance: dg.DagsterInstance) -> None:
    recorded = {}
    for size in (2, 200):
        keys = [str(number) for number in range(size)]
        parts = dg.StaticPartitionsDefinition(keys)

        @dg.asset(name=f"of_{size}", partitions_def=parts, backfill_policy=dg.BackfillPolicy.single_run())
        def made() -> None:
            """Materialise all of its partitions at once."""

        job = dg.Definitions(assets=[made], jobs=[dg.define_asset_job("all", "*")]).resolve_job_def("all")
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        run = job.execute_in_process(instance=instance, tags=tags)
        assert instance.get_materialized_partitions(made.key) == set(keys)
        recorded[size] = len(instance.all_logs(run.run_id))
    assert recorded[2] == recorded[200]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Return an instance whose event log is ours."""
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "event_log_storage: {module: pipelines.orchestration.event_log, class: EventLog, "
        f"config: {{base_dir: {tmp_path}/runs}}}}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened


def two_outputs(between: Callable[[dg.DagsterInstance], None]) -> dg.JobDefinition:
    """Return a job of one step with two assets, which calls a function between them."""

    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")])
    def both(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        yield dg.MaterializeResult("one")
        between(context.instance)
        yield dg.MaterializeResult("two")

    return dg.Definitions(assets=[both], jobs=[dg.define_asset_job("all", "*")]).resolve_job_def("all")


def test_what_waits_is_found_by_who_reads_in_the_meantime(instance: dg.DagsterInstance) -> None:
    found: list[dg.AssetKey] = []

    def read(own: dg.DagsterInstance) -> None:
        assert own.event_log_storage._waiting
        found.extend(key for key in own.all_asset_keys() if own.get_latest_materialization_event(key))

    assert two_outputs(read).execute_in_process(instance=instance).success
    assert found == [dg.AssetKey("one")]


def test_records_of_what_a_step_has_made_are_read_together(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [f"first_{number}" for number in range(5)]
    second = [f"second_{number}" for number in range(5)]

    @dg.multi_asset(
        specs=[*map(dg.AssetSpec, first), *(dg.AssetSpec(name, deps=first) for name in second)],
    )
    def layers() -> Iterator[dg.MaterializeResult]:
        for name in (*first, *second):
            yield dg.MaterializeResult(name)

    asked: list[Sequence[dg.AssetKey] | None] = []
    read = SqliteEventLogStorage.get_asset_records

    def listen(log: EventLog, keys: Sequence[dg.AssetKey] | None = None) -> Sequence[Any]:
        asked.append(keys)
        return read(log, keys)

    monkeypatch.setattr(SqliteEventLogStorage, "get_asset_records", listen)
    job = dg.Definitions(assets=[layers], jobs=[dg.define_asset_job("all", "*")]).resolve_job_def("all")
    for _ in range(2):
        asked.clear()
        run = job.execute_in_process(instance=instance)
        assert {len(keys) for keys in asked if keys} == {5}
        # Of each table that one comes from, what this run has made of it.
        made = {name: instance.get_latest_materialization_event(dg.AssetKey(name)) for name in (*first, *second)}
        assert {event.run_id for event in made.values() if event} == {run.run_id}
        tags = made["second_4"].asset_materialization.tags
        assert [tags[f"dagster/input_event_pointer/{name}"] for name in first] == [
            str(instance.get_asset_records([dg.AssetKey(name)])[0].asset_entry.last_materialization_storage_id)
            for name in first
        ]


def test_nothing_is_read_ahead_of_what_no_step_has_made(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization("one"))
    log = instance.event_log_storage
    assert isinstance(log, EventLog)
    assert [record.asset_entry.asset_key for record in log.get_asset_records([dg.AssetKey("one")])] == [
        dg.AssetKey("one")
    ]
    assert not log._made
    assert not log._ahead


def test_outputs_before_a_failure_are_stored(instance: dg.DagsterInstance) -> None:
    def fail(_: dg.DagsterInstance) -> None:
        raise dg.Failure("between the two")

    run = two_outputs(fail).execute_in_process(instance=instance, raise_on_error=False)
    assert not run.success
    with dg.DagsterInstance.from_config(instance.root_directory) as reading:
        kinds = [entry.get_dagster_event().event_type_value for entry in reading.all_logs(run.run_id)]
        assert kinds.index("ASSET_MATERIALIZATION") < kinds.index("STEP_FAILURE")
        assert reading.get_latest_materialization_event(dg.AssetKey("one")) is not None


def test_databases_stay_open_and_another_reader_sees_what_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_database = EventLog._open

    def counting(log: EventLog, shard: str) -> Connection:
        opened.append(shard)
        return open_database(log, shard)

    monkeypatch.setattr(EventLog, "_open", counting)
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "event_log_storage: {module: pipelines.orchestration.event_log, class: EventLog, "
        f"config: {{base_dir: {tmp_path}/runs}}}}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as writing:
        stored = records(writing)
        # The index, the run, and runless events: however many events there were.
        assert len(opened) <= 3
        with dg.DagsterInstance.from_config(str(tmp_path)) as reading:
            made = reading.fetch_materializations(dg.AssetKey("scenarios"), limit=100).records
            assert len(made) == len(stored["materialisations"])


def test_no_more_databases_stay_open_than_are_at_work(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path))
    for number in range(2 * KEPT_OPEN):
        with log.run_connection(f"run_{number}"):
            pass
    assert len(log._kept) == KEPT_OPEN
    log.dispose()
    assert not log._kept
