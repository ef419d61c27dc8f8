"""Dagster's web page and daemon for one study, on this machine only."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pipelines.cli.endings import say
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import CODE, StudyHome
from pipelines.orchestration.instance import environment_of, open_instance
from pipelines.web.guard import HOST
from sd_core.errors import InputError
from sd_core.locks import locked

POLL_SECONDS = 0.25
LOG_TAIL = 2_000


def serve(home: StudyHome, port: int) -> ExitCode:
    """Serve until interrupted; return DONE, or FAILED where the server ended by itself.

    Raises:
        InputError: the port is taken, or the study is already being served: two daemons on one home corrupt it.
    """
    with open_instance(home):
        pass  # its databases are there before the server's processes meet them
    log = home.dagster_home / "ui.log"
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(locked(home.dagster_home / ".ui.lock", wait=False))
        if lock is None:
            raise InputError(f"{home.study.name}: already being served: expected one `sdlab ui` per study")
        _refuse_taken_port(port)
        print(f"{home.study.name}: starting, its log is {log}", flush=True)
        # Set before the server starts: a shell that started us in the background has us ignore interrupts, and a
        # server that inherits this would never end.
        interrupted = stack.enter_context(_interrupts())
        server = _start(home, port, log, lock)
        announced = False
        while server.poll() is None and not interrupted.wait(POLL_SECONDS):
            if not announced and _answers(port):
                print(f"{home.study.name}: http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
                announced = True
        if not interrupted.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGINT)  # its daemon holds the lock, and would go on without it
            say(f"failed: the server ended by itself:\n{log.read_text()[-LOG_TAIL:]}")
            return ExitCode.FAILED
        server.send_signal(signal.SIGINT)
        server.wait()
    return ExitCode.DONE


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and a request to end set, and that is all they do."""
    interrupted = threading.Event()
    before = {number: signal.signal(number, lambda *_: interrupted.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(home: StudyHome, port: int, log: Path, lock: TextIO) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipelines.orchestration.webserver", str(port), str(lock.fileno())]
    with log.open("w", encoding="utf-8") as output:
        return subprocess.Popen(
            command,
            cwd=CODE,
            env=os.environ | environment_of(home) | {"PYTHONWARNINGS": "ignore"},
            stdout=output,
            stderr=subprocess.STDOUT,
            # Only we pass signals on, once; and if we are killed, the server keeps the lock.
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            raise InputError(f"--port {port}: expected a free port on {HOST}, 1 to 65535") from None
