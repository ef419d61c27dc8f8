"""Runs that fail, as they are announced and as they are read from Dagster's records without Dagster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from support.lab import Lab, small_study, write_prices, write_study
from support.mail_server import Webhook

from pipelines.lab.notices import MAIL, WEBHOOK
from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.failures import step_failure
from pipelines.orchestration.instance import open_instance
from pipelines.orchestration.keys import RAW_PRICES_KEY
from pipelines.orchestration.last_run import FAILED, KILLED, RUNNING, is_served, last_run, schedules
from pipelines.orchestration.names import PROCESS_TAG, REFRESH, RUN_FAILED
from pipelines.orchestration.partitions import range_tags
from sd_core.locks import locked

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    server = Webhook()
    monkeypatch.setenv(WEBHOOK, server.url)
    monkeypatch.delenv(MAIL, raising=False)
    yield server
    server.stop()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Return the lab of a study one of whose files is missing."""
    prices = write_prices(tmp_path / "prices")
    (prices / "AAA.csv").unlink()
    return Lab(write_study(tmp_path / "small.yaml", small_study(prices)), tmp_path / "home")


def dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def begun(instance: dg.DagsterInstance, process: int) -> str:
    """Record a run of a process as one that is under way, and return its id."""
    job = dg.GraphDefinition(name=REFRESH).to_job()
    run = instance.create_run_for_job(job_def=job, tags={PROCESS_TAG: str(process)})
    instance.report_engine_event("it begins", run, run_id=run.run_id)
    return run.run_id


def test_command_that_fails_announces_why_and_leaves_it_in_the_records(lab: Lab, webhook: Webhook) -> None:
    assert lab.sdlab("run").code == 2
    [post] = webhook.posts
    reason = f"{lab.home.study.source.folder}: no file AAA.csv: expected it in this folder"
    assert (post["study"], post["run"], post["reason"]) == (str(lab.study_file), "sdlab run", reason)
    found = last_run(lab.home)
    assert found is not None
    assert (found.job, found.status, found.reason) == (REFRESH, FAILED, reason)
    assert found.began is not None
    assert found.ended is not None
    # What Dagster itself has of it.
    with open_instance(lab.home) as instance:
        [run] = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.FAILURE
    assert len(webhook.posts) == 1


def test_study_that_is_refused_is_announced_too(lab: Lab, webhook: Webhook) -> None:
    lab.study_file.write_text("name: [", encoding="utf-8")
    assert lab.sdlab("run").code == 2
    [post] = webhook.posts
    assert str(lab.study_file) in post["reason"]


def test_run_that_was_killed_is_announced_by_the_next_one(lab: Lab, webhook: Webhook) -> None:
    with open_instance(lab.home) as instance:
        run_id = begun(instance, dead_process())
    found = last_run(lab.home)
    assert found is not None
    assert found.status == KILLED
    with open_instance(lab.home) as instance:
        assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE
    [post] = webhook.posts
    assert post["reason"] == f"its process ended before the run did (run {run_id[:8]})"
    found = last_run(lab.home)
    assert found is not None
    assert (found.status, found.reason) == (FAILED, "its process ended before the run did")
    with open_instance(lab.home):
        assert len(webhook.posts) == 1


def test_run_whose_process_is_alive_is_running(lab: Lab, webhook: Webhook) -> None:
    with open_instance(lab.home) as instance:
        begun(instance, os.getpid())
    found = last_run(lab.home)
    assert found is not None
    assert (found.status, webhook.posts) == (RUNNING, [])


def test_sensor_announces_runs_that_failed_by_themselves(lab: Lab, webhook: Webhook) -> None:
    definitions = build_definitions(lab.home)
    sensor = definitions.resolve_sensor_def(RUN_FAILED)
    job = definitions.resolve_job_def(REFRESH)
    with open_instance(lab.home) as instance:
        for tags in ({}, {PROCESS_TAG: "1"}):
            result = job.execute_in_process(
                instance=instance, tags={**range_tags(lab.home.study.scenarios), **tags}, raise_on_error=False
            )
            context = dg.build_run_status_sensor_context(
                RUN_FAILED,
                dagster_event=result.get_run_failure_event(),
                dagster_instance=instance,
                dagster_run=result.dagster_run,
            ).for_run_failure()
            sensor(context)
    [post] = webhook.posts
    assert post["run"] == REFRESH
    assert post["reason"].endswith("no file AAA.csv: expected it in this folder")


def test_job_refuses_a_broken_file_of_factors_before_it_fetches_anything(tmp_path: Path) -> None:
    (tmp_path / "ff.csv").write_text(",Mkt-RF,SMB,RF\n20230103,0.5,high,0.01\n")
    asked = small_study(write_prices(tmp_path / "prices")) | {"factors": {"file": "ff.csv", "unit": "percent"}}
    lab = Lab(write_study(tmp_path / "small.yaml", asked), tmp_path / "home")
    definitions = build_definitions(lab.home)
    job = definitions.resolve_job_def(REFRESH)
    with open_instance(lab.home) as instance:
        result = job.execute_in_process(
            instance=instance, tags=range_tags(lab.home.study.scenarios), raise_on_error=False
        )
        [failed] = result.get_step_failure_events()
        found = step_failure(failed.step_failure_data)
        assert (failed.step_key, found.refused) == ("lake__raw_prices", True)
        assert found.message.endswith("ff.csv: line 2: SMB: 'high': expected a finite number")
        assert not result.get_asset_materialization_events()
    assert not (lab.home.lake.root / "raw_prices").exists()
    # Prices alone need no factors.
    with open_instance(lab.home) as instance:
        assert job.execute_in_process(
            instance=instance, tags=range_tags(lab.home.study.scenarios), asset_selection=[RAW_PRICES_KEY]
        ).success


def test_study_that_never_ran_has_no_last_run(lab: Lab) -> None:
    assert last_run(lab.home) is None
    assert not is_served(lab.home)
    assert not any(schedules(lab.home).values())


def test_study_is_served_while_the_lock_of_its_page_is_held(lab: Lab) -> None:
    with locked(lab.home.dagster_home / ".ui.lock"):
        assert is_served(lab.home)
    assert not is_served(lab.home)


def test_schedule_that_someone_switched_on_is_on(lab: Lab) -> None:
    definitions = build_definitions(lab.home)
    repository = definitions.get_repository_def()
    schedule = definitions.resolve_schedule_def("mark_account_daily")
    with open_instance(lab.home) as instance:
        assert repository.has_schedule_def(schedule.name)
        origin = LoadableTargetOrigin(executable_path=sys.executable, module_name="pipelines.definitions")
        with in_process_test_workspace(instance, origin) as workspace:
            (location,) = workspace.code_locations
            (known,) = location.get_repositories().values()
            instance.start_schedule(known.get_schedule(schedule.name))
    assert [name for name, on in schedules(lab.home).items() if on] == [schedule.name]
