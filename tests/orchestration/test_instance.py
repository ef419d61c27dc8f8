"""Dagster's records of a study: what opening them leaves behind in the process, and how many runs they keep."""

import os
from pathlib import Path

import dagster as dg
import pytest
from support.lab import Lab

from pipelines.orchestration import instance as records
from pipelines.orchestration.instance import environment_of, open_instance, prune_history
from pipelines.orchestration.names import PROCESS_TAG, SERVED_LOCK
from sd_core.errors import InputError
from sd_core.locks import locked

# Larger than any that a kernel gives.
NO_PROCESS = str(2**22 + 1)


def test_environment_is_the_studys_while_its_home_is_open_and_as_before_afterwards(fresh_lab: Lab) -> None:
    before = dict(os.environ)
    with open_instance(fresh_lab.home) as instance:
        assert instance.root_directory == str(fresh_lab.home.dagster_home)
        assert os.environ.items() >= environment_of(fresh_lab.home).items()
    assert dict(os.environ) == before


def test_damaged_databases_are_refused_with_the_folder_to_remove(fresh_lab: Lab) -> None:
    with open_instance(fresh_lab.home):
        pass
    databases = list(fresh_lab.home.dagster_home.rglob("*.db"))
    assert databases
    for file in databases:
        file.write_bytes(b"no database " * 1000)
    expected = f"{fresh_lab.home.dagster_home}: Dagster's records of runs are damaged: .*remove this folder"
    with pytest.raises(InputError, match=expected), open_instance(fresh_lab.home):
        pass


def test_home_may_be_called_anything_that_is_read_literally(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = Lab(fresh_lab.study_file, tmp_path / 'it\'s "1" 😀')
    with open_instance(lab.home) as instance:
        assert not instance.telemetry_enabled
        assert Path(instance.event_log_storage._base_dir).is_relative_to(lab.root)


@dg.op
def something(context: dg.OpExecutionContext):
    context.log_event(dg.AssetMaterialization("thing"))


@dg.job
def work():
    something()


def runs_and_files(instance: dg.DagsterInstance, lab: Lab) -> tuple[set[str], set[str]]:
    """Return the runs that are known, and those that have a file."""
    files = {file.stem for file in (lab.home.dagster_home / "history" / "runs").iterdir()}
    return set(instance.get_run_ids()), files - {"index"}


def test_finished_runs_are_forgotten_with_their_files_but_for_the_newest(
    fresh_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "KEPT_RUNS", 3)
    monkeypatch.setattr(records, "KEPT_AFTER_A_WHOLE_RUN", 2)
    with open_instance(fresh_lab.home) as instance:
        ids = [work.execute_in_process(instance=instance).run_id for _ in range(5)]
        # What an earlier release left of a run that it forgot.
        (fresh_lab.home.dagster_home / "history/runs/00000000-0000-4000-8000-000000000000.db").write_bytes(b"")
        for whole, kept in ((False, 3), (True, 2)):
            prune_history(instance, whole=whole)
            assert runs_and_files(instance, fresh_lab) == (set(ids[-kept:]), set(ids[-kept:]))
        [record] = instance.get_asset_records([dg.AssetKey("thing")])
        assert record.asset_entry.last_materialization.run_id == ids[-1]
        events = instance.fetch_materializations(dg.AssetKey("thing"), limit=10).records
        assert [event.run_id for event in events] == [ids[-1], ids[-2]]
        # The records take new runs as before.
        assert work.execute_in_process(instance=instance).success


def test_number_of_files_is_bounded_whatever_the_number_of_runs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "KEPT_RUNS", 2)
    for _ in range(4):
        assert lab.sdlab("run", "--select", "variance_state").code == 0
    with open_instance(lab.home) as instance:
        known, files = runs_and_files(instance, lab)
    assert (len(known), files) == (2, known)


@pytest.mark.parametrize("served", [False, True], ids=["page ended", "page served"])
def test_runs_whose_process_ended_before_they_did_are_failed(fresh_lab: Lab, served: bool) -> None:
    status = dg.DagsterRunStatus
    made = {
        "killed before it began": (status.NOT_STARTED, {PROCESS_TAG: NO_PROCESS}),
        "killed at work": (status.STARTED, {PROCESS_TAG: NO_PROCESS}),
        "at work": (status.STARTED, {PROCESS_TAG: str(os.getpid())}),
        "of the page, at work": (status.STARTED, {}),
        "of the page, not begun": (status.NOT_STARTED, {}),
    }
    with open_instance(fresh_lab.home) as instance:
        ids = {
            name: instance.create_run_for_job(work, status=how, tags=tags).run_id for name, (how, tags) in made.items()
        }
    lock = fresh_lab.home.dagster_home / SERVED_LOCK
    with locked(lock if served else lock.with_name("other")), open_instance(fresh_lab.home) as instance:
        failed = {name for name, run_id in ids.items() if instance.get_run_by_id(run_id).status is status.FAILURE}
    of_the_page = set() if served else {"of the page, at work", "of the page, not begun"}
    assert failed == {"killed before it began", "killed at work"} | of_the_page
