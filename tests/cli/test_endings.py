"""How commands end whose output takes nothing, or that are interrupted: one line, the right exit code, no traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.lab import PROJECT, Lab

FULL = Path("/dev/full")
COMMANDS = {
    "query": ["query", "from simulation_ledger"],
    "check": ["check"],
    "run": ["run"],
    "help": ["--help"],
    "version": ["--version"],
}


def ended(lab: Lab, arguments: list[str], **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.run(
        command, text=True, cwd=PROJECT, env=os.environ | lab.environment, check=False, timeout=120, **given
    )


def close_output() -> None:
    os.close(1)


def closed_pipe() -> int:
    """Return the writing end of a pipe that is read no more."""
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.skipif(not FULL.exists(), reason="expected a device that is always full")
@pytest.mark.parametrize("name", COMMANDS)
def test_output_that_is_full_is_said_in_one_line_with_1(finished: Lab, name: str) -> None:
    with FULL.open("w") as full:
        outcome = ended(finished, COMMANDS[name], stdout=full)
    assert (outcome.returncode, outcome.stderr) == (1, "failed:\noutput: No space left on device\n")


@pytest.mark.parametrize("name", ["query", "check"])
def test_output_that_was_closed_from_the_start_is_said_in_one_line_with_1(finished: Lab, name: str) -> None:
    outcome = ended(finished, COMMANDS[name], stdout=None, preexec_fn=close_output)
    assert (outcome.returncode, outcome.stderr) == (1, "failed:\noutput: Bad file descriptor\n")


@pytest.mark.parametrize("name", ["query", "check", "help"])
def test_command_that_reads_is_done_where_its_reader_has_enough(finished: Lab, name: str) -> None:
    pipe = closed_pipe()
    outcome = ended(finished, COMMANDS[name], stdout=pipe)
    os.close(pipe)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_run_whose_reader_has_closed_is_not_done(finished: Lab) -> None:
    pipe = closed_pipe()
    outcome = ended(finished, ["run"], stdout=pipe)
    os.close(pipe)
    assert (outcome.returncode, outcome.stderr) == (1, "failed:\noutput: Broken pipe\n")


@pytest.mark.skipif(not FULL.exists(), reason="expected a device that is always full")
def test_refusal_that_cannot_be_printed_keeps_its_exit_code(finished: Lab) -> None:
    with FULL.open("w") as full:
        assert ended(finished, ["query", "select"], stderr=full).returncode == 2
        assert ended(finished, ["run", "--select", "none"], stderr=full).returncode == 2
        assert ended(finished, ["bucket", "show"], stderr=full).returncode == 2


# Presses Ctrl-C where it is called.
PRESS = """
import os, signal, time
def press(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""


def pressed(lab: Lab, code: str, sql: str, interrupts: signal.Handlers) -> subprocess.CompletedProcess[str]:
    """Run a query in a program of Python, which begins with interrupts taken or ignored."""
    return subprocess.run(
        [sys.executable, "-c", code, "query", sql],
        cwd=PROJECT,
        env=os.environ | lab.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        preexec_fn=lambda: signal.signal(signal.SIGINT, interrupts),
    )


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("import importlib.metadata; importlib.metadata.version = press", id="as it starts"),
        pytest.param("import argparse; argparse.ArgumentParser.parse_args = press", id="as it parses"),
        pytest.param("import pipelines.lab.home as home; home.open_home = press", id="as the command begins"),
        pytest.param("import pipelines.cli.query as query; query.query = press", id="as it reads"),
        pytest.param("import gc; gc.freeze = press", id="as it ends"),
        pytest.param("import gc; gc.set_threshold = press", id="before its modules are imported"),
    ],
)
def test_interrupt_ends_with_130_and_one_line_whenever_it_comes(finished: Lab, moment: str) -> None:
    code = f"{PRESS}\n{moment}\nimport sys\nfrom pipelines.cli.__main__ import program\nsys.exit(program())"
    # As Python starts, whatever the tests were started by.
    outcome = pressed(finished, code, "select 1", signal.SIG_DFL)
    assert outcome.returncode == 130
    assert outcome.stderr.splitlines() == ["", "interrupted; the published warehouse is whole"]


def test_interrupt_is_ignored_where_the_shell_said_so(finished: Lab) -> None:
    code = f"{PRESS}\nimport gc, sys, time\ntime.sleep = int\ngc.set_threshold = press\n"
    code += "from pipelines.cli.__main__ import program\nsys.exit(program())"
    outcome = pressed(finished, code, "select 1 as one", signal.SIG_IGN)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "one\n1\n", "")


def test_thread_that_is_left_at_work_is_not_waited_for_as_the_command_ends(finished: Lab) -> None:
    # Python ends such a thread when it comes back from a library, which may abort the process.
    code = "import atexit, threading, time\natexit.register(print, 'Python ended')\n"
    code += "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    code += "import sys\nfrom pipelines.cli.__main__ import program\nsys.exit(program())"
    outcome = pressed(finished, code, "select 1 as one", signal.SIG_DFL)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "one\n1\n", "")
