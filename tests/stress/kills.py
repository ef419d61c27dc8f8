"""Runs that are killed at random or chosen moments, each followed by a look at what is published and stored."""

import multiprocessing
import os
import random
import signal
import sys
import time
from typing import Any

import dagster as dg
from support.lab import Lab

from stress.found import Found

# How often a run is let through to its end between the kills.
HEALED_EVERY = 20
PATIENCE = 300
UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
AT_ANY_TIME = "at any time"
BEFORE_A_RENAME = "before a rename"
BETWEEN_WAREHOUSE_AND_REPORT = "between warehouse and report"
WHILE_PRUNING = "while pruning"
MOMENTS = (AT_ANY_TIME, BEFORE_A_RENAME, BETWEEN_WAREHOUSE_AND_REPORT, WHILE_PRUNING)
# Before which of Python's audit events.
STEPS = {
    BEFORE_A_RENAME: ("os.rename",),
    BETWEEN_WAREHOUSE_AND_REPORT: ("os.rename",),
    WHILE_PRUNING: ("os.remove", "os.rmdir"),
}
# Renames of a run, and removals by its pruning, up to which one is drawn; a run that has fewer ends by itself.
RENAMES, REMOVALS = 60, 40

# Forked from a process that has imported everything: a run of its own begins at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["support.lab", "pipelines.cli.run", "pipelines.orchestration.execution"])


class _Fatal:
    """Kills its process before a certain step of a run."""

    def __init__(self, moment: str, count: int) -> None:
        self._events = STEPS[moment]
        self._counts = moment == BEFORE_A_RENAME
        self._left = count

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._counts and event in self._events:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        # The others count from when the warehouse is in its place.
        self._counts |= event == "os.rename" and str(arguments[1]).endswith(".duckdb")


def run_and_exit(lab: Lab, moment: str = AT_ANY_TIME, count: int = 0) -> None:
    """Run everything in this process and end it with the command's exit code, if it is not killed before."""
    os.setpgrp()
    if moment != AT_ANY_TIME:
        sys.addaudithook(_Fatal(moment, count))
    sys.exit(lab.sdlab("run", "--fresh").code)


def kills(lab: Lab, times: int, seed: int) -> Found:
    """Kill so many runs of a small study that has been published; one that ends before its kill does not count."""
    found = Found()
    began = time.monotonic()
    _let_through(lab, found, "before the first kill")
    lasts = time.monotonic() - began
    number = killed = 0
    while killed < times:
        number += 1
        moment = MOMENTS[number % len(MOMENTS)]
        when = f"case {number} of seed {seed}, {moment}"
        code = _killed(lab, moment, random.Random(f"{seed}-{number}"), lasts)
        if code == -signal.SIGKILL:
            killed += 1
            found.counts[f"killed {moment}"] += 1
        else:
            found.counts["ended before its kill"] += 1
            if code:
                found.faults.append(f"{when}: a run that was not killed ended with {code}")
        found.look(lab, when)
        if number % HEALED_EVERY == 0 or killed == times:
            _let_through(lab, found, f"after {when}")
            _look_for_leavings(lab, found, f"after {when}")
            print(f"so far: {found}", file=sys.stderr, flush=True)
    return found


def _killed(lab: Lab, moment: str, chance: random.Random, lasts: float) -> int | None:
    """Begin a run that is to be killed, and return how its process ended."""
    count = {BEFORE_A_RENAME: chance.randrange(RENAMES), WHILE_PRUNING: chance.randrange(REMOVALS)}.get(moment, 0)
    run = FORKS.Process(target=run_and_exit, args=(lab, moment, count))
    run.start()
    run.join(chance.uniform(0, lasts) if moment == AT_ANY_TIME else PATIENCE)
    if run.exitcode is None:
        run.kill()
        run.join(PATIENCE)
    return run.exitcode


def _let_through(lab: Lab, found: Found, when: str) -> None:
    run = FORKS.Process(target=run_and_exit, args=(lab,))
    run.start()
    run.join(PATIENCE)
    found.counts["let through"] += 1
    if run.exitcode != 0:
        found.faults.append(f"{when}: a whole run ended with {run.exitcode}")
        run.kill()


def _look_for_leavings(lab: Lab, found: Found, when: str) -> None:
    if drafts := sorted(str(path.relative_to(lab.root)) for path in lab.root.rglob("*draft*")):
        found.faults.append(f"{when}: left behind: {', '.join(drafts)}")
    with dg.DagsterInstance.from_config(str(lab.home.dagster_home)) as instance:
        if unfinished := instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
            found.faults.append(f"{when}: {len(unfinished)} runs count as unfinished")
