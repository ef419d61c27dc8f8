"""A cluster on this machine, without containers: a head and workers of Ray as processes, on the loopback alone.

`deploy/up` and `deploy/down` run it with the environment of the checkout, which has Ray; it needs nothing else of the
project. All that it writes lies below deploy/.run: the token, the process ids, logs, and `env`, which a shell reads.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Seconds that a node has to start in, and to end in before it is killed.
STARTS_IN, ENDS_IN = 90.0, 10.0
# What Ray says then.
STARTED = b"Ray runtime started"
# Ray's store of objects: what chunks share is small. The least that Ray takes is 75 MB.
OBJECT_STORE = 80_000_000
# Seconds of silence after which Ray gives a node up, in looks of so many milliseconds.
LOOKS = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "2000"}


class NotStartedError(Exception):
    """A process ended before it was ready; the message is the end of its log."""


class Cluster:
    """The processes of one folder: `head`, `worker-1`, `worker-2` and so on.

    Args:
        run: the folder.
        port: of the head; the two after it are Ray's too.
    """

    def __init__(self, run: Path, port: int) -> None:
        self.run = run
        self.address = f"127.0.0.1:{port}"
        self._port = port

    def up(self, workers: int, cores: int) -> Iterator[str]:
        """Start what does not run of a head and so many workers, and yield a line about each process."""
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "head" not in (alive := self.alive()):
            list(self.down())  # workers without their head
            self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
            alive = {}
        self._write_settings()
        wanted = ["head", *(f"worker-{number}" for number in range(1, workers + 1))]
        yield from (f"{name}: runs already, process {alive[name]}" for name in wanted if name in alive)
        started = {}
        for name in (one for one in wanted if one not in alive):
            started[name] = self._start(name, cores)
            if name == "head":  # which workers look for
                yield self._ready(name, started.pop(name))
        for name, process in started.items():
            yield self._ready(name, process)

    def down(self) -> Iterator[str]:
        """End every process that was started, whatever it does, and remove the folder; yield a line about each."""
        alive = self.alive()
        for how, patience in ((signal.SIGTERM, ENDS_IN), (signal.SIGKILL, ENDS_IN)):
            for process in self.alive().values():
                _signal(process, how)
            _wait_until(lambda: not self.alive(), patience)
        if self.link.is_symlink():
            self.link.unlink()
        shutil.rmtree(self.run, ignore_errors=True)
        yield from (f"{name}: ended" for name in alive)

    def alive(self) -> dict[str, int]:
        """Return the groups of processes that run, by name; a group has the number of its first process."""
        listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
        # A number may be another group's by now; ours is known by the folder that Ray is started with.
        ours = {
            int(group)
            for group, state, command in (line.split(maxsplit=2) for line in listed.splitlines())
            if not state.startswith("Z") and f"{self.link}/" in command
        }
        noted = {file.stem: int(file.read_text(encoding="utf-8")) for file in sorted(self.run.glob("*.pid"))}
        return {name: group for name, group in noted.items() if group in ours}

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to have the cluster work for it."""
        return {
            "SD_WORKERS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.run / "token"),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }

    @property
    def link(self) -> Path:
        """A short name of the folder: sockets lie in it, whose paths may have 107 letters."""
        return Path((self.run / "link").read_text(encoding="utf-8")) if (self.run / "link").exists() else self.run

    def _write_settings(self) -> None:
        if not (self.run / "token").exists():
            _write_private(self.run / "token", secrets.token_hex(32))
            link = Path(tempfile.mkdtemp(prefix="ray-"))
            link.rmdir()
            link.symlink_to(self.run, target_is_directory=True)
            (self.run / "link").write_text(str(link), encoding="utf-8")
        lines = [f"export {name}={value!r}" for name, value in self.environment.items()]
        _write_private(self.run / "env", "\n".join([*lines, ""]))

    def _start(self, name: str, cores: int) -> "subprocess.Popen[bytes]":
        of_head = [
            "--head",
            f"--port={self._port}",
            f"--ray-client-server-port={self._port + 1}",
            f"--dashboard-port={self._port + 2}",
            "--include-dashboard=false",
            "--num-cpus=0",
        ]
        of_worker = [f"--address={self.address}", f"--num-cpus={cores}"]
        command = [
            *(sys.executable, str(HERE / "node.py"), "start", "--block", "--node-ip-address=127.0.0.1"),
            *(of_head if name == "head" else of_worker),
            f"--temp-dir={self.link / name}",
            f"--object-store-memory={OBJECT_STORE}",
            "--include-log-monitor=false",
            "--disable-usage-stats",
        ]
        with (self.run / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.run,
                env={**os.environ, **self.environment, **LOOKS, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.run / f"{name}.pid").write_text(str(process.pid), encoding="utf-8")
        return process

    def _ready(self, name: str, process: "subprocess.Popen[bytes]") -> str:
        log = self.run / f"{name}.log"
        _wait_until(lambda: STARTED in log.read_bytes() or process.poll() is not None, STARTS_IN)
        if STARTED not in log.read_bytes():
            said = log.read_text(encoding="utf-8").strip().splitlines() or ["nothing was said"]
            raise NotStartedError(f"{name}: not started: {said[-1]}")
        return f"{name}: started, process {process.pid}"


def _signal(process: int, how: signal.Signals) -> None:
    """Send a signal to a process and all that it started."""
    try:
        os.killpg(process, how)
    except ProcessLookupError:
        return


def _wait_until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)


def _write_private(file: Path, text: str) -> None:
    """Write a file that no other user may read, from its first moment on."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)


def main() -> int:
    """Start or end the cluster of a folder."""
    parser = argparse.ArgumentParser(prog="deploy", description="A cluster of Ray on this machine.")
    parser.add_argument("--run", type=Path, default=HERE / ".run", help="its folder; by default deploy/.run")
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="start what does not run of it")
    up.add_argument("--workers", type=int, default=2, help="how many nodes work; by default 2")
    up.add_argument("--cores", type=int, default=1, help="what each of them does at once; by default 1")
    up.add_argument("--port", type=int, default=6402, help="of the head, with the two after it; by default 6402")
    actions.add_parser("down", help="end all of it")
    asked = parser.parse_args()
    cluster = Cluster(asked.run.resolve(), getattr(asked, "port", 0))
    if asked.action == "down":
        print("\n".join(cluster.down()) or "nothing runs")
        return 0
    try:
        for line in cluster.up(asked.workers, asked.cores):
            print(line, flush=True)
    except NotStartedError as error:
        print(error, file=sys.stderr)
        list(cluster.down())
        return 1
    print(f"now: . {os.path.relpath(cluster.run / 'env')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
