"""What Dagster's records say of a study: the last run, why it failed, and which schedules are on.

They are read without Dagster, whose import takes longer than all that ``sdlab status`` says; a test reads them with
both.
"""

import contextlib
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.lab.home import StudyHome
from pipelines.orchestration.names import (
    EVALUATE_ACCOUNT,
    MARK_ACCOUNT,
    NIGHTLY_REFRESH,
    PROCESS_TAG,
    PROPOSE_ORDERS,
    RECONCILE_ACCOUNT,
    SEND_EXITS,
    SERVED_LOCK,
)
from sd_core.locks import locked
from sd_core.wording import printable

ACCOUNT_SCHEDULES = [
    f"{job}_daily" for job in (MARK_ACCOUNT, RECONCILE_ACCOUNT, EVALUATE_ACCOUNT, PROPOSE_ORDERS, SEND_EXITS)
]
SUCCEEDED, FAILED, KILLED, RUNNING, CANCELLED = "succeeded", "failed", "killed", "running", "cancelled"
FINISHED = {"SUCCESS": SUCCEEDED, "FAILURE": FAILED, "CANCELED": CANCELLED}

_NEWEST = "select run_id, pipeline_name, status, start_time, end_time, run_body from runs order by id desc limit 1"
_WHY = """
select event from event_logs where dagster_event_type in ('STEP_FAILURE', 'PIPELINE_FAILURE')
order by dagster_event_type desc, id limit 1
"""
_SWITCHED = "select job_body, status from jobs where job_type = 'SCHEDULE'"


@dataclass(frozen=True)
class LastRun:
    """The newest run of a study.

    Attributes:
        job: the job that ran.
        status: succeeded, failed, killed, running or cancelled.
        began, ended: when, UTC; None where it is not known.
        reason: why it failed, in one line.
    """

    job: str
    status: str
    began: dt.datetime | None
    ended: dt.datetime | None
    reason: str | None


def last_run(home: StudyHome) -> LastRun | None:
    """Return the newest run of a study, from the command line or by schedule; None where none is recorded."""
    history = home.dagster_home / "history"
    found = next(_rows(history / "runs.db", _NEWEST), None)
    if found is None:
        return None
    run_id, job, stored, began, ended, body = found
    status = FINISHED.get(stored) or _unfinished(home, json.loads(body).get("tags") or {})
    reason = None
    if status == FAILED:
        (event,) = next(_rows(history / "runs" / f"{run_id}.db", _WHY), (None,))
        reason = _reason(json.loads(event)) if event else None
    return LastRun(job, status, _moment(began), _moment(ended), reason)


def is_served(home: StudyHome) -> bool:
    """Return whether `sdlab ui` serves a study, and with it the daemon that its schedules need."""
    lock = home.dagster_home / SERVED_LOCK
    if not lock.exists():
        return False
    with locked(lock, shared=True, wait=False) as held:
        return held is None


def schedules(home: StudyHome) -> dict[str, bool]:
    """Return whether each schedule of a study is on: as someone switched it, else as it is by default."""
    by_default = {NIGHTLY_REFRESH: True} if home.study.source.kind == "yahoo" else {}
    known = by_default | dict.fromkeys(ACCOUNT_SCHEDULES, False)
    for body, status in _rows(home.dagster_home / "schedules" / "schedules.db", _SWITCHED):
        name = _named(json.loads(body))
        if name in known and status in ("RUNNING", "STOPPED"):
            known[name] = status == "RUNNING"
    return known


def is_alive(process: int) -> bool:
    """Return whether a process of this machine is there, of any user."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unfinished(home: StudyHome, tags: Mapping[str, str]) -> str:
    alive = is_alive(int(tags[PROCESS_TAG])) if PROCESS_TAG in tags else is_served(home)
    return RUNNING if alive else KILLED


def _rows(file: Path, query: str) -> Iterator[Any]:
    """Yield the rows of a query; none where there is no such database, or it cannot be read."""
    if not file.is_file():
        return
    with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            yield from connection.execute(query)
        except sqlite3.Error:
            return  # what is the matter is said by the next run, which must write there


def _reason(event: Any) -> str:
    """Return the first line of the innermost error of an event."""
    dagster_event = event.get("dagster_event") or {}
    data = dagster_event.get("event_specific_data") or {}
    failure = data.get("user_failure_data") or {}
    message = failure.get("description") or _innermost(data.get("error")) or dagster_event.get("message") or ""
    return printable(next((line for line in message.splitlines() if line.strip()), "no reason is recorded"))


def _innermost(error: Any) -> str:
    if not error:
        return ""
    while error.get("cause"):
        error = error["cause"]
    message: str = error["message"]
    # As Python writes it: the class, a colon, what it says.
    return message.partition(": ")[2] or message


def _named(body: Any) -> str:
    origin = body.get("origin") or {}
    return str(origin.get("instigator_name") or origin.get("job_name") or "")


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
