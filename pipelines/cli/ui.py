"""Dagster's web page and daemon for one study, on this machine only."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from pipelines.cli.endings import say
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import CODE, StudyHome
from pipelines.orchestration.instance import environment_of, open_instance
from pipelines.orchestration.last_run import is_alive
from pipelines.orchestration.names import SERVED_LOCK
from pipelines.steps.upgrade import upgrade
from pipelines.web.guard import HOST
from sd_core.errors import InputError
from sd_core.locks import locked

POLL_SECONDS = 0.25
LOG_TAIL = 2_000


def serve(home: StudyHome, port: int) -> ExitCode:
    """Serve until interrupted; return DONE, or FAILED where the server ended by itself.

    Args:
        home: the study.
        port: the port on 127.0.0.1; 0 for any that is free.

    Raises:
        InputError: the port is taken, or the study is already being served: two daemons on one home corrupt it.
    """
    upgrade(home.lake)
    with open_instance(home):
        pass  # its databases are there before the server's processes meet them
    log = home.dagster_home / "ui.log"
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(locked(home.dagster_home / SERVED_LOCK, wait=False))
        if lock is None:
            raise InputError(f"{_described(home.dagster_home)}: expected one `sdlab ui` per study")
        port = _free_port(home, port)
        print(f"{home.study.name}: starting, its log is {log}", flush=True)
        # Set before the server starts: a shell that started us in the background has us ignore interrupts, and a
        # server that inherits this would never end.
        interrupted = stack.enter_context(_interrupts())
        server = stack.enter_context(_server(home, port, log, lock))
        _note(lock, Served(os.getpid(), server.pid, port))
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


@dataclass(frozen=True)
class Served:
    """Who serves a study: the process of the command, that of its server, and the port."""

    command: int
    server: int
    port: int


def _note(lock: TextIO, served: Served) -> None:
    """Note in the lock's file who holds it, for those who find it held."""
    lock.truncate(0)
    json.dump(asdict(served), lock)
    lock.flush()


def _noted(dagster_home: Path) -> Served | None:
    """Return who serves a study, None where that is not noted yet."""
    try:
        return Served(**json.loads((dagster_home / SERVED_LOCK).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _described(dagster_home: Path) -> str:
    """Say of a study that is served where that is, and how it is ended."""
    served = _noted(dagster_home)
    if served is None:
        return f"{dagster_home.name}: already being served"
    process = served.command if is_alive(served.command) else served.server
    return (
        f"{dagster_home.name}: already being served at http://{HOST}:{served.port} by process {process}, which "
        f"`kill -INT {process}` ends"
    )


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


@contextlib.contextmanager
def _server(home: StudyHome, port: int, log: Path, lock: TextIO) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server, which ends when this process does, even where it is killed."""
    pipe, held = os.pipe()
    command = [sys.executable, "-m", "pipelines.orchestration.webserver", str(port), str(lock.fileno()), str(pipe)]
    with log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen(
            command,
            cwd=CODE,
            env=os.environ | environment_of(home) | {"PYTHONWARNINGS": "ignore"},
            stdout=output,
            stderr=subprocess.STDOUT,
            # Only we pass signals on, once; and the server keeps the lock until it has ended.
            start_new_session=True,
            pass_fds=[lock.fileno(), pipe],
        )
    os.close(pipe)
    try:
        yield server
    finally:
        os.close(held)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _free_port(home: StudyHome, port: int) -> int:
    """Return the port that is asked for, or one that is free where that is 0.

    Raises:
        InputError: it is taken; the message says by which study of this home, if it is one.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            expected = f"--port {port}: expected a free port on {HOST}, 1 to 65535, or 0 for any that is free"
            raise InputError("; ".join([expected, *_served_at(home, port)])) from None
        free: int = probe.getsockname()[1]
        return free


def _served_at(home: StudyHome, port: int) -> Iterator[str]:
    """Yield which study of this home is served at a port."""
    for file in sorted(home.dagster_home.parent.glob(f"*/{SERVED_LOCK}")):
        noted = _noted(file.parent)
        with locked(file, wait=False) as free:
            if free is None and noted is not None and noted.port == port:
                yield _described(file.parent)
