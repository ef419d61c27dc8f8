"""What Dagster is given: definitions, schedule, the sensor that rebuilds, and which partitions are materialised."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from support.lab import Lab

from pipelines.lab.home import StudyHome, open_home
from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.jobs import REFRESH, nightly_refresh
from pipelines.orchestration.keys import DERIVED_KEYS, MARKET_KEYS, RAW_PRICES_KEY, SIMULATIONS_KEY
from pipelines.orchestration.lake_assets import PRICES_COMPLETE
from pipelines.orchestration.partitions import partition_key, range_tags, simulation_grid
from pipelines.steps import simulate
from pipelines.steps.datasets import FITS, RESERVE_BOOTSTRAP
from sd_core.schemas import TABLES
from sd_core.simulation import engine
from sd_core.simulation.rules import Variant
from sd_core.study.scenario import Scenario

FIT_KEYS = [DERIVED_KEYS[fit.name] for fit in FITS]

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(params=["demo", "sweep", "vision"])
def shipped(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyHome:
    """Return the home of each study that ships with the project."""
    monkeypatch.setenv("SD_HOME", str(tmp_path))
    return open_home(request.param)


# Definitions


def test_definitions_of_the_shipped_studies_load(shipped: StudyHome) -> None:
    dg.Definitions.validate_loadable(build_definitions(shipped))


def test_every_asset_says_what_it_is_whose_and_of_which_kind(shipped: StudyHome) -> None:
    specs = {spec.key: spec for spec in build_definitions(shipped).resolve_all_asset_specs()}
    assert {dg.AssetKey(name) for name in TABLES} < specs.keys()
    for key, spec in specs.items():
        assert spec.description, key
        assert spec.owners, key
        assert spec.kinds, key
        assert spec.group_name in GROUPS, key


GROUPS = {"ingest", "models", "simulation", "staging", "analytics", "signals", "reports", "account"}


def test_tables_are_in_the_group_of_their_layer_with_their_columns(shipped: StudyHome) -> None:
    specs = {spec.key: spec for spec in build_definitions(shipped).resolve_all_asset_specs()}
    for name, table in TABLES.items():
        spec = specs[dg.AssetKey(name)]
        assert spec.group_name == table.layer
        columns = spec.metadata["dagster/column_schema"].columns
        assert {column.name: column.type for column in columns} == table.types
        assert all(column.description for column in columns)


def test_grid_has_a_partition_for_every_strategy_at_every_reserve(shipped: StudyHome) -> None:
    keys = simulation_grid(shipped.study).get_partition_keys()
    # Those of sweeps are none.
    strategies = [one for one in shipped.study.strategies.values() if one.keep != "metrics"]
    assert len(keys) == len(strategies) * len(shipped.study.reserves)
    assert {"r0|buy_and_hold", "r10|buy_and_hold"} <= set(map(str, keys))


# Schedule


def tick(home: StudyHome, day: dt.date) -> dg.RunRequest | dg.SkipReason:
    [schedule] = nightly_refresh(home.study)
    evening = dt.datetime.combine(day, dt.time(21), NEW_YORK)
    context = dg.build_schedule_context(scheduled_execution_time=evening)
    answer = schedule(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


@pytest.fixture
def vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyHome:
    monkeypatch.setenv("SD_HOME", str(tmp_path))
    return open_home("vision")


def test_yahoo_study_has_a_schedule_that_is_on_at_nine_in_the_evening_in_new_york(vision: StudyHome) -> None:
    schedule = build_definitions(vision).resolve_schedule_def("nightly_refresh")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.execution_timezone == "America/New_York"
    assert isinstance(schedule.cron_schedule, str)
    minute, hour, *_ = schedule.cron_schedule.split()
    assert (minute, hour) == ("0", "21")


@pytest.mark.parametrize("study", ["demo", "csv"])
def test_study_whose_prices_do_not_grow_has_no_schedule(study: str, finished: Lab) -> None:
    home = finished.home if study == "csv" else open_home("demo")
    names = {one.name for one in build_definitions(home).schedules or []}
    assert "nightly_refresh" not in names


@pytest.mark.parametrize("day", [dt.date(2024, 12, 25), dt.date(2025, 1, 9)], ids=["Christmas", "day of mourning"])
def test_schedule_skips_a_weekday_without_trading(vision: StudyHome, day: dt.date) -> None:
    answer = tick(vision, day)
    assert isinstance(answer, dg.SkipReason)
    assert str(day) in str(answer.skip_message)


def test_schedule_asks_for_the_whole_grid_on_a_session(vision: StudyHome) -> None:
    answer = tick(vision, dt.date(2024, 12, 24))
    assert isinstance(answer, dg.RunRequest)
    grid = simulation_grid(vision.study)
    asked = grid.get_partition_keys_in_range(
        dg.PartitionKeyRange(
            answer.tags["dagster/asset_partition_range_start"], answer.tags["dagster/asset_partition_range_end"]
        )
    )
    assert set(asked) == set(grid.get_partition_keys())


# The sensor


def test_rebuild_sensor_is_on(finished: Lab) -> None:
    definitions = build_definitions(finished.home)
    sensor = definitions.resolve_sensor_def("rebuild_warehouse")
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


@dataclass(frozen=True)
class Refreshed:
    """A whole refresh by Dagster, what automation had asked for before it, and what it asks for afterwards."""

    lab: Lab
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    before: dg.EvaluateAutomationConditionsResult
    after: dg.EvaluateAutomationConditionsResult

    def materialise(self, assets: list[dg.AssetKey], scenarios: Sequence[Scenario]) -> None:
        materialise(self.definitions, self.instance, assets, scenarios)


def materialise(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: list[dg.AssetKey] | None,
    scenarios: Sequence[Scenario],
) -> None:
    job = definitions.resolve_job_def(REFRESH)
    assert job.execute_in_process(instance=instance, asset_selection=assets, tags=range_tags(scenarios)).success


@pytest.fixture(scope="module")
def refreshed(finished: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refreshed]:
    lab = finished.copy_to(tmp_path_factory.mktemp("refreshed") / "home")
    definitions = build_definitions(lab.home)
    with dg.DagsterInstance.ephemeral() as instance:
        before = dg.evaluate_automation_conditions(definitions, instance)
        materialise(definitions, instance, None, lab.home.study.scenarios)
        after = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
        yield Refreshed(lab, definitions, instance, before, after)


def test_partition_materialised_alone_requests_the_warehouse_once(refreshed: Refreshed) -> None:
    definitions, instance, scenarios = refreshed.definitions, refreshed.instance, refreshed.lab.home.study.scenarios
    tables = [dg.AssetKey(name) for name in (*TABLES, "report_html")]
    assert (refreshed.before.total_requested, refreshed.after.total_requested) == (0, 0)

    refreshed.materialise([SIMULATIONS_KEY], scenarios[:1])
    evaluation = dg.evaluate_automation_conditions(definitions, instance, cursor=refreshed.after.cursor)
    assert [evaluation.get_num_requested(table) for table in tables] == [1] * len(tables)
    assert evaluation.get_num_requested(SIMULATIONS_KEY) == 0

    refreshed.materialise(tables, scenarios)
    evaluation = dg.evaluate_automation_conditions(definitions, instance, cursor=evaluation.cursor)
    assert evaluation.total_requested == 0


def test_prices_materialised_alone_ask_for_the_fits_and_the_warehouse_in_one_go(lab: Lab) -> None:
    home = lab.home
    definitions = build_definitions(home)
    later = [*FIT_KEYS, *(dg.AssetKey(name) for name in TABLES)]
    with dg.DagsterInstance.ephemeral() as instance:
        evaluation = dg.evaluate_automation_conditions(definitions, instance)
        materialise(definitions, instance, list(MARKET_KEYS.values()), home.study.scenarios)
        evaluation = dg.evaluate_automation_conditions(definitions, instance, cursor=evaluation.cursor)
        assert [evaluation.get_num_requested(key) for key in later] == [1] * len(later)
        assert evaluation.get_num_requested(SIMULATIONS_KEY) == 0


def test_refresh_covers_every_input_and_leaves_bootstrap_samples_as_they_are(refreshed: Refreshed) -> None:
    job = refreshed.definitions.resolve_job_def(REFRESH)
    inputs = {key for node in job.asset_layer.asset_graph.asset_nodes for key in node.parent_keys}
    assert inputs <= job.asset_layer.selected_asset_keys
    event = refreshed.instance.get_latest_materialization_event(DERIVED_KEYS[RESERVE_BOOTSTRAP.name])
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["left_alone"].value == "made by the job reserve_question alone"
    assert refreshed.lab.home.lake.current(RESERVE_BOOTSTRAP.name) is None


# Prices


def test_check_of_prices_passes_with_a_jump_which_it_lists(lab_with_prices: Lab, tmp_path: Path) -> None:
    file = lab_with_prices.study_file.parent / "prices" / "AAA.csv"
    rows = file.read_text(encoding="utf-8").splitlines()
    for number in range(100, len(rows)):
        date, *bar = rows[number].split(",")
        rows[number] = ",".join([date, *(str(1.7 * float(price)) for price in bar)])
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    evaluation = price_check(Lab(lab_with_prices.study_file, tmp_path / "first run"))
    assert evaluation.passed, evaluation.metadata
    assert "no split is recorded" in str(evaluation.metadata["findings"].value)


def test_check_of_prices_warns_of_a_hole(lab_with_prices: Lab, tmp_path: Path) -> None:
    file = lab_with_prices.study_file.parent / "prices" / "AAA.csv"
    rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(rows[:100] + rows[110:]), encoding="utf-8")
    evaluation = price_check(Lab(lab_with_prices.study_file, tmp_path / "first run"))
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "AAA" in str(evaluation.metadata["findings"].value)


def price_check(lab: Lab) -> dg.AssetCheckEvaluation:
    """Fetch and prepare the prices of a study, and return how their check went."""
    with dg.DagsterInstance.ephemeral() as instance:
        prices = [RAW_PRICES_KEY, *MARKET_KEYS.values()]
        materialise(build_definitions(lab.home), instance, prices, lab.home.study.scenarios)
        key = dg.AssetCheckKey(MARKET_KEYS["prices"], PRICES_COMPLETE)
        [record] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert record.event is not None
        assert record.event.dagster_event is not None
        return record.event.dagster_event.asset_check_evaluation_data


# Partitions


def test_partition_has_what_its_scenario_came_to_as_the_tables_say(finished: Lab) -> None:
    table = finished.table("report_strategy").set_index(["strategy", "reserve"])
    with dg.DagsterInstance.from_config(str(finished.home.dagster_home)) as instance:
        for scenario in finished.home.study.scenarios:
            key = str(partition_key(scenario))
            [record] = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=SIMULATIONS_KEY, asset_partitions=[key]), limit=1
            ).records
            assert record.asset_materialization is not None
            noted = {name: one.value for name, one in record.asset_materialization.metadata.items()}
            published = table.loc[(scenario.strategy, scenario.reserve)]
            assert list(noted)[:4] == ["value", "cagr", "sharpe", "max_drawdown"]
            for name, column in (("value", "final_value"), *((name, name) for name in list(noted)[1:4])):
                assert noted[name] == pytest.approx(published[column], rel=1e-9), (key, name)


def fail_for(strategy: str, reserve: float):
    def to_tables(result, scenario, panel):
        if (scenario.strategy, scenario.reserve) == (strategy, reserve):
            raise RuntimeError("no space left on this device")
        return whole(result, scenario, panel)

    whole = simulate.to_tables
    return to_tables


def materialised(lab: Lab) -> set[str]:
    with dg.DagsterInstance.from_config(str(lab.home.dagster_home)) as instance:
        return set(instance.get_materialized_partitions(SIMULATIONS_KEY))


def stored(lab: Lab) -> set[str]:
    names = [name.split("/") for name in lab.pointers() if name.startswith("simulations/")]
    return {f"{reserve}|{strategy}" for _, strategy, reserve in names}


GRID = {f"{reserve}|{strategy}" for reserve in ("r0", "r10") for strategy in ("buy_and_hold", "sd8", "ath_only")}


def test_partition_that_cannot_be_stored_is_named_and_the_others_stay(
    fresh_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "to_tables", fail_for("sd8", 0.1))
    outcome = fresh_lab.sdlab("run")
    assert outcome.code == 1
    named = [line for line in outcome.err.splitlines() if line.startswith("partition ")]
    assert named == ["partition r10|sd8: RuntimeError: no space left on this device"]
    assert stored(fresh_lab) == materialised(fresh_lab) == GRID - {"r10|sd8"}
    assert not fresh_lab.published.exists()


def test_partition_that_cannot_be_simulated_is_named_and_the_others_stay(
    fresh_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_batch = engine._simulate

    def failing(market, batch, *rest):
        if any(rules.reserve == 0.1 and rules.variant is Variant.FULL for rules in batch.rules):
            raise RuntimeError("no memory left")
        return simulate_batch(market, batch, *rest)

    monkeypatch.setattr(engine, "_simulate", failing)
    outcome = fresh_lab.sdlab("run")
    assert outcome.code == 1
    named = [line for line in outcome.err.splitlines() if line.startswith("partition ")]
    assert named == ["partition r10|sd8: RuntimeError: no memory left"]
    assert stored(fresh_lab) == materialised(fresh_lab) == GRID - {"r10|sd8"}


def test_whole_run_materialises_every_partition(finished: Lab) -> None:
    assert materialised(finished) == stored(finished) == GRID
