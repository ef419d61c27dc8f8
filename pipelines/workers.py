"""Who does work that comes in chunks: the cores of this machine, or those of a cluster of Ray.

What a chunk is and what is done with it belongs in ``steps``. Ray is imported where a cluster is asked for, so that it
need not be installed anywhere else.
"""

import contextlib
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from platform import node, python_version
from typing import Any, NamedTuple, Protocol, TypeVar

from sd_core.errors import InputError, NotReadyError

Shared = TypeVar("Shared")
Chunk = TypeVar("Chunk")
Done = TypeVar("Done")

# The cluster whose cores are used: HOST:PORT of its head.
SD_WORKERS = "SD_WORKERS"
# Chunks per core, and the least and most scenarios of one.
CHUNKS_PER_CORE = 4
FEWEST, MOST = 256, 16_384
# How often a chunk is tried again whose worker or machine was lost.
RETRIES = 5
# Seconds that a head has to answer; between looks at what is left of the cluster while a chunk is waited for; until a
# head that answers no more is given up; and until no worker is waited for any more.
ANSWERS_IN, LOOKS_EVERY, HEAD_GIVEN_UP_AFTER, GIVEN_UP_AFTER = 5.0, 2.0, 10.0, 60.0
# A cluster without a token would do what anyone on its network asks. Seconds to connect in; and those after which Ray
# ends the process whose head is lost, if that has not ended by itself.
RAY_SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_gcs_server_port_wait_time_s": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "30",
}
HEAD_LOST = "the head of the cluster is lost: start the cluster again, then the run"
# Libraries that numbers depend on.
LIBRARIES = ("numba", "llvmlite", "numpy", "pyarrow", "duckdb")
_LOG = logging.getLogger(__name__)


class Workers(Protocol):
    """Cores, wherever they are.

    Attributes:
        cores: how many there are.
    """

    cores: int

    def map(self, work: Callable[[Shared, Chunk], Done], shared: Shared, chunks: Iterable[Chunk]) -> Iterator[Done]:
        """Yield what a function makes of each chunk, in their order; a few wait at most.

        Args:
            work: a function of a module, or a method of what can be pickled.
            shared: what all chunks need. It is small when pickled, and read only.
            chunks: small too.

        Raises:
            Exception: what the function raised of a chunk, in its turn.
        """
        ...


def workers() -> Workers:
    """Return the cores of the cluster that ``SD_WORKERS`` names, else those of this machine.

    Raises:
        InputError: the name is none, the cluster refuses the token, or Ray is not installed.
        NotReadyError: no cluster answers there, or it has no worker.
    """
    address = os.environ.get(SD_WORKERS)
    return Ray(address) if address else Threads()


class Threads:
    """The cores of this machine, a thread each: compiled code holds no interpreter lock."""

    def __init__(self, cores: int | None = None) -> None:
        self.cores = cores or os.cpu_count() or 1

    def map(self, work: Callable[[Shared, Chunk], Done], shared: Shared, chunks: Iterable[Chunk]) -> Iterator[Done]:
        """Yield what a function makes of each chunk, in their order."""
        waiting: deque[Future[Done]] = deque()
        with ThreadPoolExecutor(self.cores) as pool:
            for chunk in chunks:
                waiting.append(pool.submit(work, shared, chunk))
                if len(waiting) >= CHUNKS_PER_CORE * self.cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


class Ray:
    """The cores of a cluster: a task per chunk, which is done again elsewhere where a worker or a machine is lost.

    A chunk that is done twice must leave the same. Processes of the workers live as long as this one is connected, so
    none has old code; one whose code, libraries or kind of CPU are others refuses, since its numbers could be too.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._ray = _connected(address)
        # When they were first missed, by the monotonic clock.
        self._head_lost_at: float | None = None
        self._workers_lost_at: float | None = None
        if not _answers(address):  # Ray, once connected, would be silent, and end this process
            raise self._gone(HEAD_LOST)
        self.cores = self._cores_now()
        if not self.cores:
            raise self._gone("expected a cluster with workers, found none: add one")

    def map(self, work: Callable[[Shared, Chunk], Done], shared: Shared, chunks: Iterable[Chunk]) -> Iterator[Done]:
        """Yield what a function makes of each chunk, in their order."""
        task = self._ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(_in_worker)
        # In a list, so that a worker looks at its own code before it reads what may not fit to it.
        job, build = [self._ray.put((work, shared))], Build.here()
        waiting: deque[Any] = deque()
        try:
            for chunk in chunks:
                waiting.append(task.remote(build, job, chunk))
                if len(waiting) >= CHUNKS_PER_CORE * self.cores:
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            if waiting and not self._head_lost_at:  # a head that is lost would be waited for
                for one in waiting:
                    self._ray.cancel(one)

    def _result(self, task: Any) -> Any:
        """Wait for a task, as long as there is a cluster that could do it."""
        while not self._ray.wait([task], timeout=LOOKS_EVERY)[0]:
            self._look()
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            said = str(error).strip().splitlines()
            raise self._gone(said[0]) from None

    def _look(self) -> None:
        """Say what is lost of the cluster and what has come back; raise a NotReadyError where that takes too long."""
        now = time.monotonic()
        if not _answers(self._address):
            self._head_lost_at = self._head_lost_at or now
            if now - self._head_lost_at >= HEAD_GIVEN_UP_AFTER:
                raise self._gone(HEAD_LOST)
            return
        self._head_lost_at = None
        if self._cores_now():
            if self._workers_lost_at:
                _LOG.warning("%s=%s: a worker has joined: the run goes on", SD_WORKERS, self._address)
            self._workers_lost_at = None
        elif self._workers_lost_at is None:
            self._workers_lost_at = now
            _LOG.warning(
                "%s=%s: no worker is left: for %.0f s the run waits for one to join",
                *(SD_WORKERS, self._address, GIVEN_UP_AFTER),
            )
        elif now - self._workers_lost_at >= GIVEN_UP_AFTER:
            raise self._gone("no worker is left: add one, and run again")

    def _gone(self, what: str) -> NotReadyError:
        return NotReadyError(f"{SD_WORKERS}={self._address}: {what}")

    def _cores_now(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))


class Build(NamedTuple):
    """What decides every bit of a number.

    Attributes:
        code: hash of SD Lab's code and SQL.
        libraries: Python and the libraries that compute, with their versions.
        processor: the kind of CPU that numba compiles for, with its features.
    """

    code: str
    libraries: str
    processor: str

    @staticmethod
    @cache
    def here() -> "Build":
        """Return that of this process."""
        from llvmlite import binding
        from numba.core import config

        named = config.CPU_NAME or binding.get_host_cpu_name()
        features = binding.get_host_cpu_features().flatten() if config.CPU_FEATURES is None else config.CPU_FEATURES
        return Build(
            _code(),
            " ".join([f"python {python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)]),
            f"{named} {features}".strip(),
        )

    def refuse_another(self, here: "Build") -> None:
        """Raise an InputError where a worker is built otherwise than the process that asks it."""
        on = f"the worker on {node()}"
        if here.code != self.code:
            raise InputError(f"{on}: code {here.code}: expected {self.code}: install the same SD Lab on every machine")
        if here.libraries != self.libraries:
            raise InputError(f"{on}: {here.libraries}: expected {self.libraries}")
        if here.processor != self.processor:
            raise InputError(
                f"{on}: another kind of CPU, {here.processor.split()[0]}: expected {self.processor.split()[0]}, with "
                "the same features, or NUMBA_CPU_NAME=generic on every machine, before they start"
            )


def _code() -> str:
    digest = sha256()
    package = Path(__file__).parent
    # The SQL is behind a link, which is not followed within.
    for folder in (package.parent / "sd_core", package, (package / "files" / "sql").resolve()):
        for file in sorted([*folder.rglob("*.py"), *folder.rglob("*.sql")]):
            digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _in_worker(build: Build, job: list[Any], chunk: Any) -> Any:
    """Do a chunk; runs in a worker's process."""
    build.refuse_another(Build.here())
    work, shared = _job(job[0])
    return work(shared, chunk)


@lru_cache(maxsize=1)
def _job(reference: Any) -> Any:
    """Return what a worker is to do and what its chunks share, read once."""
    import ray

    return ray.get(reference)


def _answers(address: str) -> bool:
    """Return whether something takes connections at an address."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWERS_IN).close()
    except OSError:
        return False
    return True


@cache
def _connected(address: str) -> Any:
    """Return Ray, connected to a cluster for as long as this process lives."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"{SD_WORKERS}={address}: expected HOST:PORT of the head of a cluster of Ray")
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)  # which Ray reads as it is imported
    try:
        import ray
        from ray._private import worker
    except ModuleNotFoundError:
        raise InputError(f"{SD_WORKERS}={address}: expected Ray: pip install 'sdlab[cluster]'") from None
    # Ray would print on standard output, among a command's results, what it does again by itself.
    worker.print_to_stdstream = lambda data, **_: _LOG.debug("%s", data["lines"])
    try:
        socket.create_connection((host, int(port)), ANSWERS_IN).close()
        with _silenced(2):
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (OSError, RuntimeError, ray.exceptions.RayError) as error:
        if ray.exceptions.AuthenticationError.__name__ in f"{error!r} {error.__cause__!r}":
            raise InputError(
                f"{SD_WORKERS}={address}: the token is refused: expected that of the cluster, in the file that "
                "RAY_AUTH_TOKEN_PATH names"
            ) from None
        raise NotReadyError(f"{SD_WORKERS}={address}: no cluster of Ray answers: {error}") from None
    return ray


@contextlib.contextmanager
def _silenced(stream: int) -> Iterator[None]:
    """Let nothing pass a stream for a while: compiled code writes there what is said in one line afterwards."""
    kept, nowhere = os.dup(stream), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    try:
        yield
    finally:
        os.dup2(kept, stream)
        os.close(kept)
        os.close(nowhere)


def chunks_of(rows: int, cores: int) -> list[range]:
    """Return the chunks of so many rows: four per core, of 256 to 16,384 rows.

    >>> chunks_of(1000, 2)
    [range(0, 256), range(256, 512), range(512, 768), range(768, 1000)]
    """
    size = min(max(-(-rows // (CHUNKS_PER_CORE * cores)), FEWEST), MOST)
    return [range(first, min(first + size, rows)) for first in range(0, rows, size)]
