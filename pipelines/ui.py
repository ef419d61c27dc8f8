"""Dagster's web page and daemon for one study, on this machine only, with its home inside the project."""

import fcntl
import os
import signal
import socket
import subprocess
import sys

from pipelines.home import PROJECT, StudyHome
from sd_core.errors import InputError

HOST = "127.0.0.1"


def serve(home: StudyHome, port: int) -> int:
    """Serve until interrupted and return the exit code.

    Raises:
        InputError: the port is taken, or the study is already being served: two daemons on one home corrupt it.
    """
    home.prepare_dagster()
    with open(home.dagster_home / ".ui.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{home.study.name}: already being served: expected one `sdlab ui` per study") from None
        _refuse_taken_port(port)
        print(f"{home.study.name}: http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
        command = [
            *(sys.executable, "-m", "dagster", "dev"),
            *("--workspace", str(PROJECT / "workspace.yaml")),
            *("--host", HOST, "--port", str(port)),
            *("--log-level", "warning"),
        ]
        server = subprocess.Popen(command, cwd=PROJECT, env=os.environ | {"PYTHONWARNINGS": "ignore"})
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.send_signal(signal.SIGINT))
        server.wait()
    return 0


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise InputError(f"--port {port}: taken by another program: expected a free port on {HOST}") from None
