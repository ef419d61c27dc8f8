"""A cluster on this machine, without containers: a head and workers of Ray and an object store, on the loopback alone.

`deploy/up` and `deploy/down` run it with the environment of the checkout, which has Ray; they need nothing else of the
project. All that it writes lies below deploy/.run: the token, the process ids, logs, and `env`, which a shell reads.
"""

import argparse
import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Seconds that a node has to start in, and to be gone in once it is killed.
STARTS_IN, ENDS_IN = 90.0, 10.0
# What Ray says then.
STARTED = b"Ray runtime started"
# Where the lake lies in the object store that is started here.
BUCKET = "lab"
# Ray's store of objects: what chunks share is small. The least that Ray takes is 75 MB.
OBJECT_STORE = 80_000_000
# Seconds of silence after which Ray gives a node up, in looks of so many milliseconds.
LOOKS = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "2000"}


class NotStartedError(Exception):
    """A process ended before it was ready; the message is the end of its log."""


class Cluster:
    """The processes of one folder: `head`, `worker-1`, `worker-2` and so on, and `s3` where no lake is named.

    Args:
        run: the folder.
        port: of the head; the three after it are of the cluster too.
        lake: the bucket that the shell names already; None starts an object store, which forgets all when it ends.
    """

    def __init__(self, run: Path, port: int, lake: str | None) -> None:
        self.run = run
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._lake = lake

    def up(self, workers: int, cores: int) -> Iterator[str]:
        """Start what does not run of a head and so many workers, and yield a line about each process."""
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "head" not in self.alive():
            self._end([name for name in self.alive() if name != "s3"])  # workers without their head
        alive = self.alive()
        self._write_settings()
        first = [*([] if self._lake else ["s3"]), "head"]
        after = [f"worker-{number}" for number in range(1, workers + 1)]
        yield from (f"{name}: runs already, process {alive[name]}" for name in (*first, *after) if name in alive)
        for together in (first, after):  # workers look for the others
            started = {name: self._start(name, cores) for name in together if name not in alive}
            yield from (self._ready(name, process) for name, process in started.items())

    def down(self) -> Iterator[str]:
        """End every process that was started, whatever it does, and remove the folder; yield a line about each."""
        alive = list(self.alive())
        self._end(alive)
        if self.link.is_symlink():
            self.link.unlink()
        shutil.rmtree(self.run, ignore_errors=True)
        yield from (f"{name}: ended" for name in alive)

    def alive(self) -> dict[str, int]:
        """Return the groups of processes that run, by name; a group has the number of its first process."""
        listed = subprocess.run(
            ["ps", "-eww", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout
        # A number may be another group's by now; ours is known by the folder that Ray is started with.
        ours = {
            int(group)
            for group, state, command in (line.split(maxsplit=2) for line in listed.splitlines())
            if not state.startswith("Z") and f"{self.link}/" in command
        }
        noted = {file.stem: int(file.read_text(encoding="utf-8")) for file in sorted(self.run.glob("*.pid"))}
        return {name: group for name, group in noted.items() if group in ours}

    def _end(self, names: Sequence[str]) -> None:
        # Asked to end, Ray would take ten seconds; what is computed lies in the lake, and none of it half.
        for group in (group for name, group in self.alive().items() if name in names):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        _wait_until(lambda: not self.alive().keys() & set(names), ENDS_IN)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to have the cluster work for it."""
        return {
            "SD_WORKERS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.run / "token"),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            **({} if self._lake else {"SD_LAKE": f"s3://{BUCKET}", **self._store}),
        }

    @property
    def _store(self) -> dict[str, str]:
        """What a process needs to use the object store that is started here, which checks no key."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port + 3}",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "us-east-1",
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
        command = self._store_command() if name == "s3" else self._node_command(name, cores)
        with (self.run / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.run,
                env={**os.environ, **self.environment, **LOOKS, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.run / f"{name}.pid").write_text(str(process.pid), encoding="utf-8")
        return process

    def _node_command(self, name: str, cores: int) -> list[str]:
        of_head = [
            "--head",
            f"--port={self._port}",
            f"--ray-client-server-port={self._port + 1}",
            f"--dashboard-port={self._port + 2}",
            "--include-dashboard=false",
            "--num-cpus=0",
        ]
        of_worker = [f"--address={self.address}", f"--num-cpus={cores}"]
        return [
            *(str(HERE / "node.py"), "start", "--block", "--node-ip-address=127.0.0.1"),
            *(of_head if name == "head" else of_worker),
            f"--temp-dir={self.link / name}",
            f"--object-store-memory={OBJECT_STORE}",
            "--include-log-monitor=false",
            "--disable-usage-stats",
        ]

    def _store_command(self) -> list[str]:
        # The comment is what the process is known by.
        serve = f"from moto.server import main; main()  # {self.link / 's3'}"
        return ["-c", serve, "--host", "127.0.0.1", "--port", str(self._port + 3)]

    def _ready(self, name: str, process: "subprocess.Popen[bytes]") -> str:
        log = self.run / f"{name}.log"
        is_ready = self._has_bucket if name == "s3" else lambda: STARTED in log.read_bytes()
        _wait_until(lambda: is_ready() or process.poll() is not None, STARTS_IN)
        if not is_ready():
            said = log.read_text(encoding="utf-8").strip().splitlines() or ["nothing was said"]
            raise NotStartedError(f"{name}: not started: {said[-1]}")
        return f"{name}: started, process {process.pid}"

    def _has_bucket(self) -> bool:
        """Make the bucket where it is not there yet; return whether the object store answers."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port + 3, timeout=10)) as connection:
            try:
                connection.request("PUT", f"/{BUCKET}")
                return connection.getresponse().status == http.client.OK
            except OSError:
                return False


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
    up.add_argument("--port", type=int, default=6402, help="of the head, with the three after it; by default 6402")
    actions.add_parser("down", help="end all of it")
    asked = parser.parse_args()
    cluster = Cluster(asked.run.resolve(), getattr(asked, "port", 0), os.environ.get("SD_LAKE"))
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
