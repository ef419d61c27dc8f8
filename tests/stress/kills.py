"""Runs that are killed at random moments, each followed by a look at what is published and stored."""

import multiprocessing
import os
import random
import sys
import time

import dagster as dg
from support.lab import Lab

from stress.found import Found

# How often a run is let through to its end between the kills.
HEALED_EVERY = 20
PATIENCE = 300
UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]

# Forked from a process that has imported everything: a run of its own begins at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["support.lab", "pipelines.cli.run", "pipelines.orchestration.execution"])


def run_and_exit(lab: Lab) -> None:
    """Run everything in this process and end it with the command's exit code."""
    os.setpgrp()
    sys.exit(lab.sdlab("run", "--fresh").code)


def kills(lab: Lab, times: int, seed: int) -> Found:
    """Kill so many runs of a small study that has been published, each some time after its start."""
    found = Found()
    began = time.monotonic()
    _let_through(lab, found, "before the first kill")
    lasts = time.monotonic() - began
    for number in range(1, times + 1):
        moment = random.Random(f"{seed}-{number}").uniform(0, lasts)
        run = FORKS.Process(target=run_and_exit, args=(lab,))
        run.start()
        run.join(moment)
        ended = run.exitcode is not None
        run.kill()
        run.join(PATIENCE)
        found.counts["ended before its kill" if ended else "killed"] += 1
        found.look(lab, f"kill {number} of seed {seed}, after {moment:.2f} s")
        if number % HEALED_EVERY == 0 or number == times:
            _let_through(lab, found, f"after kill {number} of seed {seed}")
            _look_for_leavings(lab, found, f"after kill {number} of seed {seed}")
    return found


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
