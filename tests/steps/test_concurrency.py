"""Readers beside a run, two runs at once, and runs that are interrupted or killed: the published file stays whole."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from support.lab import Lab
from support.steps import publish, refresh
from support.wholeness import assert_lake_readable, assert_whole

PATIENCE = 120
MOMENTS = 6

# Processes of their own that need not import everything again: they are forked from one that does nothing else.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["support.lab", "support.steps", "pipelines.cli.run", "sd_core.market.sources.csv_files"])

READER = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
for _ in range(2):
    print(connection.execute("select count(distinct strategy) from simulation_daily").fetchall()[0][0], flush=True)
    sys.stdin.readline()
"""


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Read a run's progress up to a line that begins as given."""
    assert process.stderr is not None
    for written in process.stderr:
        if written.strip().startswith(line):
            return
    pytest.fail(f"the run ended without the line {line}")


def test_open_reader_keeps_its_version_while_the_next_is_published(
    changed_study: Callable[..., Lab], processes: list[subprocess.Popen[str]]
) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}})
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(lab.published)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    processes.append(reader)
    assert reader.stdin is not None
    assert reader.stdout is not None
    assert reader.stdout.readline() == "3\n"
    publish(lab.home)
    assert set(lab.table("simulation_daily")["strategy"]) == {"buy_and_hold"}
    reader.stdin.write("again\n")
    reader.stdin.flush()
    assert reader.stdout.readline() == "3\n"


def run_and_exit(lab: Lab) -> None:
    sys.exit(lab.sdlab("run", "--fresh").code)


def test_two_runs_at_once_both_end_well(finished: Lab, fresh_lab: Lab) -> None:
    runs = [FORKS.Process(target=run_and_exit, args=(fresh_lab,)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(PATIENCE)
    assert [run.exitcode for run in runs] == [0, 0]
    assert_whole(fresh_lab)
    assert_lake_readable(fresh_lab)
    assert fresh_lab.rows() == finished.rows()


@pytest.mark.parametrize("moment", ["prices fetched", "simulations"])
def test_interrupted_run_ends_with_130_and_leaves_the_published_file(
    lab: Lab, processes: list[subprocess.Popen[str]], moment: str
) -> None:
    digest = lab.digest()
    process = lab.start("run", "--fresh")
    processes.append(process)
    wait_for(process, moment)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "interrupted; the published warehouse is whole" in err
    assert "Traceback" not in err
    assert lab.digest() == digest
    assert_lake_readable(lab)


def run_until(lab: Lab, renames: Any, fatal: int | None, delay: float) -> None:
    """Run, counting in ``renames`` what makes something visible, and die before one of them or some time after it.

    Without a delay it is the steps alone that run, with one the command, of which Dagster keeps records. Every version,
    every pointer and the published file appear by being renamed.
    """

    def watch(event: str, _: tuple[Any, ...]) -> None:
        if event == "os.rename":
            renames.value += 1
            if renames.value == fatal:
                if not delay:
                    os.kill(os.getpid(), signal.SIGKILL)
                threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()

    sys.addaudithook(watch)
    if delay:
        run_and_exit(lab)
    refresh(lab.home, fresh=True)


def test_killed_runs_leave_a_whole_warehouse_and_the_next_run_succeeds(lab: Lab) -> None:
    def run(fatal: int | None, delay: float = 0.0) -> tuple[int | None, int]:
        renames = FORKS.Value("i", 0)
        process = FORKS.Process(target=run_until, args=(lab, renames, fatal, delay))
        process.start()
        process.join(PATIENCE)
        return process.exitcode, renames.value

    code, steps = run(fatal=None)
    assert code == 0
    spread = [(1 + (steps - 1) * moment // (MOMENTS - 1), 0.0) for moment in range(MOMENTS)]
    # Between the last two steps lies the rebuild, which renames nothing.
    for fatal, delay in [*spread, (steps - 1, 0.3)]:
        code, _ = run(fatal, delay)
        assert code == -signal.SIGKILL or delay
        assert_whole(lab)
        assert_lake_readable(lab)
    outcome = lab.sdlab("run", "--fresh")
    assert outcome.code == 0, outcome.err
    assert_whole(lab)
    # What the killed ones left lies about no longer, and none of them counts as still running.
    assert not list((lab.root / "warehouse").rglob("*draft*"))
    with dg.DagsterInstance.from_config(str(lab.home.dagster_home)) as instance:
        assert not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
