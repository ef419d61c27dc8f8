"""An object store that speaks S3, on loopback: moto's server, in a process of its own that can be stopped for a while.

What it holds is in its memory. It checks no key.
"""

import contextlib
import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

LOOPBACK = "127.0.0.1"
# It ends when its standard input does, which is when the process that started it ends, however that ends.
SERVE = """
import os, sys, threading
from moto.server import main

def watch():
    sys.stdin.read()
    os._exit(1)

threading.Thread(target=watch, daemon=True).start()
main()
"""
# Until it answers first, in seconds: it imports much.
STARTED_WITHIN = 60


@dataclass(frozen=True)
class S3:
    """The server.

    Attributes:
        port: that it listens on.
        process: its own.
        environment: what a process must find in its environment to use it.
    """

    port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def bucket(self) -> str:
        """Make a new bucket and return its address."""
        name = f"lake-{next(_NUMBERS)}"
        assert self._put(f"/{name}") == 200
        return f"s3://{name}"

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the server answer nothing meanwhile; what it is asked waits."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def answers(self) -> bool:
        """Return whether it answers."""
        try:
            return self._put("/moto-api/reset", method="POST") == 200
        except OSError:
            return False

    def _put(self, path: str, method: str = "PUT") -> int:
        with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)) as connection:
            connection.request(method, path)
            return connection.getresponse().status


_NUMBERS = count(1)


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """Serve S3 on a free port; what asks for it is skipped where a package is missing."""
    for package in ("moto", "flask", "obstore"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"no {package}: pip install -e '.[dev]'")
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    arguments = [sys.executable, "-c", SERVE, "--host", LOOPBACK, "--port", str(port)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    ) as process:
        server = S3(
            port,
            process,
            {
                "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
                "AWS_ACCESS_KEY_ID": "a-key",
                "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-key",
                "AWS_REGION": "us-east-1",
            },
        )
        try:
            until = time.monotonic() + STARTED_WITHIN
            while not server.answers():
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.05)
            yield server
        finally:
            process.kill()
