"""Many runs, readers and Dagster's own launches on one study at once, for some time."""

import http.client
import json
import multiprocessing
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from support.lab import Lab
from support.wholeness import assert_whole

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
    """Let ten processes run everything, twenty read what is published, and Dagster launch its job, all at once."""
    until = time.time() + 60 * minutes
    words: Any = FORKS.Queue()
    each = [partial(_runs, lab)] * RUNS + [partial(_reads, lab)] * READERS + [partial(_launches, lab)]
    processes = [FORKS.Process(target=_repeat, args=(one, until, words)) for one in each]
    for process in processes:
        process.start()
    found = Found()
    for _ in each:
        found.add(words.get(timeout=60 * minutes + PATIENCE))
    for process in processes:
        process.join(PATIENCE)
    found.look(lab, "afterwards")
    return found


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


def _launches(lab: Lab, found: Found, until: float) -> None:
    """Have a served page's daemon launch the whole refresh again and again, as its schedule does in the evening."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = lab.start("ui", "--port", str(port))
    try:
        while time.time() < until:
            answer = _asked(port, LAUNCH.format(study=lab.home.study.name))
            if answer is None:
                time.sleep(1)
                continue
            if answer["data"]["launchRun"]["__typename"] != "LaunchRunSuccess":
                found.faults.append(f"a launch was answered by {answer}")
            found.counts["launches"] += 1
            time.sleep(LAUNCHED_EVERY)
        if not found.counts["launches"]:
            found.faults.append("the page was never served")
    finally:
        served.send_signal(signal.SIGINT)
        _, err = served.communicate(timeout=PATIENCE)
        print(err[-300:], file=sys.stderr) if served.returncode else None


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
