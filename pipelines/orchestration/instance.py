"""Dagster's own records of a study: its settings, its runs, and keeping both in order.

What a run does belongs in the modules of the assets; where the records lie is ``home``'s to say.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping

import dagster as dg
from sqlalchemy.exc import DatabaseError

from pipelines.lab.home import StudyHome
from pipelines.lab.notices import Notice, announce
from pipelines.orchestration.event_log import BATCH_SIZE, BATCH_VARIABLE, remove_files_of_forgotten_runs
from pipelines.orchestration.last_run import is_alive
from pipelines.orchestration.names import PROCESS_TAG, SERVED_LOCK
from pipelines.orchestration.private import NO_COMPUTE_LOGS
from sd_core.errors import InputError
from sd_core.files.whole import put_whole
from sd_core.locks import locked

# How SQLite says it.
DAMAGED = ("file is not a database", "malformed")
UNWRITABLE = {
    "disk is full": (errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "disk I/O error": (errno.EIO, "the disk is full or damaged"),
    "readonly database": (errno.EACCES, os.strerror(errno.EACCES)),
    "unable to open database file": (errno.EACCES, os.strerror(errno.EACCES)),
}
KILLED = "its process ended before the run did"
# Finished runs whose events are kept, and of how many where the last one has made everything.
KEPT_RUNS, KEPT_AFTER_A_WHOLE_RUN = 60, 20
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
AT_WORK = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)

# Telemetry and the welcome dialog off; more runs than two at once wait their turn.
DAGSTER_SETTINGS = """\
telemetry:
  enabled: false
nux:
  enabled: false
# Partitions by the thousand are recorded at once.
event_log_storage:
  module: pipelines.orchestration.event_log
  class: EventLog
  config: {{base_dir: {history}}}
# Our steps print nothing; catching what they might print takes processes of its own, which an interrupt would wake.
compute_logs:
  module: {compute_log_module}
  class: {compute_log_class}
concurrency:
  runs:
    max_concurrent_runs: 2
retention:
  schedule: {{purge_after_days: 30}}
  sensor: {{purge_after_days: {{skipped: 1, failure: 30, success: 30}}}}
"""


@contextlib.contextmanager
def open_instance(home: StudyHome) -> Iterator[dg.DagsterInstance]:
    """Open a study's Dagster home, made where it is missing.

    Dagster reads the environment of :func:`environment_of` while it runs, so this process has it until the home is
    closed.

    Raises:
        InputError: its databases are damaged.
    """
    home.dagster_home.mkdir(parents=True, exist_ok=True)
    put_whole(home.dagster_home / "dagster.yaml", _settings(home))
    with _records_of(home), _environment(environment_of(home)):
        with locked(home.dagster_home / ".open.lock"):
            # Two processes that make the same databases at once break each other.
            instance = dg.DagsterInstance.get()
            killed = _end_dead_runs(home, instance)
        for run in killed:
            for problem in announce(Notice(home.study.name, run.job_name, f"{KILLED} (run {run.run_id[:8]})")):
                print(problem, file=sys.stderr)
        with instance:
            yield instance


@contextlib.contextmanager
def _records_of(home: StudyHome) -> Iterator[None]:
    """Say of databases that are damaged or cannot be written, which Dagster finds as late as it writes, what is wrong.

    Raises:
        InputError: they are damaged.
        OSError: their disk is full, or they or their folder may not be written.
    """
    try:
        yield
    except DatabaseError as error:
        if any(words in str(error) for words in DAMAGED):
            raise InputError(
                f"{home.dagster_home}: Dagster's records of runs are damaged: expected its databases; remove this "
                "folder, which holds neither prices nor results, and run again"
            ) from None
        for words, why in UNWRITABLE.items():
            if words in str(error):
                raise OSError(*why, str(home.dagster_home)) from None
        raise


def environment_of(home: StudyHome) -> dict[str, str]:
    """Return what a process of Dagster must find in its environment to work on a study."""
    return {
        "DAGSTER_HOME": str(home.dagster_home),
        "SD_STUDY": str(home.study_file),
        BATCH_VARIABLE: str(BATCH_SIZE),
    }


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _settings(home: StudyHome) -> str:
    module, name = NO_COMPUTE_LOGS
    # JSON is YAML, except for the pairs of escapes that it writes for a letter beyond 16 bits.
    history = json.dumps(str(home.dagster_home / "history" / "runs"), ensure_ascii=False)
    return DAGSTER_SETTINGS.format(history=history, compute_log_module=module, compute_log_class=name)


def prune_history(instance: dg.DagsterInstance, *, whole: bool) -> None:
    """Forget finished runs but for the newest: each takes megabytes.

    Args:
        instance: the study's records.
        whole: whether the last run has made everything, and so has replaced what earlier ones say of assets.
    """
    finished = dg.RunsFilter(statuses=list(FINISHED))
    for run in instance.get_runs(finished)[KEPT_AFTER_A_WHOLE_RUN if whole else KEPT_RUNS :]:
        instance.delete_run(run.run_id)
    remove_files_of_forgotten_runs(instance)


def _end_dead_runs(home: StudyHome, instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Mark runs as failed whose process was killed, and return them.

    Nothing else does, and they would block the queue for ever. A run of the page has no process of its own; it is dead
    where the page is not served any more. Those that wait in the queue go on once it is.
    """
    with locked(home.dagster_home / SERVED_LOCK, wait=False) as free:
        dead = [
            run
            for run in instance.get_runs(dg.RunsFilter(statuses=list(AT_WORK)))
            if _is_dead(run.tags.get(PROCESS_TAG), served=free is None)
        ]
    for run in dead:
        instance.report_run_failed(run, KILLED)
    return dead


def _is_dead(process: str | None, *, served: bool) -> bool:
    return not served if process is None else not is_alive(int(process))
