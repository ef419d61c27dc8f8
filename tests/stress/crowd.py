"""Many runs, readers and Dagster's own launches on one study at once, for some time."""

import contextlib
import http.client
import json
import logging
import multiprocessing
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import dagster as dg
from support.lab import Lab
from support.wholeness import assert_whole

from pipelines.cli.exit_code import ExitCode
from pipelines.orchestration.instance import FINISHED
from pipelines.orchestration.names import PROCESS_TAG
from stress.found import Found

RUNS, READERS = 10, 20
LAUNCHED_EVERY = 10.0
PATIENCE = 300
# What an error of locks says, in DuckDB, in SQLite and in our own words.
LOCKED = ("lock on file", "database is locked", "Conflicting lock")

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["support.lab", "pipelines.cli.run", "pipelines.orchestration.execution"])
LAUNCH = """mutation {{ launchRun(executionParams: {{ mode: "default", selector: {{
  repositoryLocationName: "{study}", repositoryName: "__repository__", jobName: "refresh" }} }}) {{
  __typename ... on PythonError {{ message }} }} }}"""


def crowd(lab: Lab, minutes: float) -> Found:
    """Let ten processes run everything, twenty read what is published, and a served page launch its job, all at once.

    The time counts from when the page is served, since that takes long beside the others.
    """
    with _served(lab) as port:
        until = time.time() + 60 * minutes
        words: Any = FORKS.Queue()
        each = [partial(_runs, lab)] * RUNS + [partial(_reads, lab)] * READERS + [partial(_launches, lab, port)]
        processes = [FORKS.Process(target=_repeat, args=(one, until, words)) for one in each]
        for process in processes:
            process.start()
        found = Found()
        for _ in each:
            found.add(words.get(timeout=60 * minutes + PATIENCE))
        for process in processes:
            process.join(PATIENCE)
        _look_at_launched(lab, found)
    found.look(lab, "afterwards")
    return found


@contextlib.contextmanager
def _served(lab: Lab) -> Iterator[int]:
    """Serve a study's page for a while, and yield its port once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    served = lab.start("ui", "--port", str(port))
    try:
        _until_answered(port, "{ version }")
        yield port
    finally:
        served.send_signal(signal.SIGINT)
        _, err = served.communicate(timeout=PATIENCE)
        if served.returncode != ExitCode.INTERRUPTED:
            print(err[-300:], file=sys.stderr)


def _repeat(one: Callable[[Found, float], None], until: float, words: Any) -> None:
    found = Found()
    try:
        one(found, until)
    except Exception:
        found.faults.append(traceback.format_exc())
    words.put(found)


def _runs(lab: Lab, found: Found, until: float) -> None:
    while time.time() < until:
        outcome = lab.sdlab("run", "--fresh")
        found.counts["whole runs"] += 1
        if outcome.code != 0 or any(word in outcome.err for word in (*LOCKED, "Traceback")):
            found.faults.append(f"a run ended with {outcome.code}: {outcome.err[-2000:]}")


def _reads(lab: Lab, found: Found, until: float) -> None:
    while time.time() < until:
        assert_whole(lab)
        found.counts["readings"] += 1
        time.sleep(0.05)


def _launches(lab: Lab, port: int, found: Found, until: float) -> None:
    """Have the page launch the whole refresh again and again, as its schedule does in the evening."""
    while time.time() < until:
        answer = _until_answered(port, LAUNCH.format(study=lab.home.study.name))
        if answer["data"]["launchRun"]["__typename"] != "LaunchRunSuccess":
            found.faults.append(f"a launch was answered by {answer}")
        found.counts["launches"] += 1
        time.sleep(LAUNCHED_EVERY)


def _look_at_launched(lab: Lab, found: Found) -> None:
    """Wait for the runs that Dagster has launched by itself, and note how they ended."""
    deadline = time.monotonic() + PATIENCE
    with dg.DagsterInstance.from_config(str(lab.home.dagster_home)) as instance:
        while any(run.status not in FINISHED for run in _launched(instance)) and time.monotonic() < deadline:
            time.sleep(1)
        for run in _launched(instance):
            found.counts[f"launched runs {run.status.value}"] += 1
            if run.status is not dg.DagsterRunStatus.SUCCESS:
                why = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.level >= logging.ERROR]
                found.faults.append(f"a launched run of {run.job_name} is {run.status.value}: {why}")


def _launched(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return [run for run in instance.get_runs() if PROCESS_TAG not in run.tags]


def _until_answered(port: int, query: str) -> Any:
    """Return the answer to a query, which is sent again while nothing is served."""
    deadline = time.monotonic() + PATIENCE
    while (answer := _asked(port, query)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer in {PATIENCE} s")
        time.sleep(1)
    return answer


def _asked(port: int, query: str) -> Any:
    """Return the answer to a query, or None while nothing is served yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(
            "POST",
            "/graphql",
            json.dumps({"query": query}),
            {"host": f"localhost:{port}", "content-type": "application/json"},
        )
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return None
    finally:
        connection.close()
