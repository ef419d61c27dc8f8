"""A cluster of two nodes on the loopback. These tests run where they are asked for: `make test-deploy`."""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab import PROJECT

sys.path.insert(0, str(PROJECT / "deploy"))

from cluster import Cluster

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests out unless they are named: they need Ray, and processes by the dozen."""
    named = (Path(one.partition("::")[0]).resolve() for one in config.args)
    return None if any(one.is_relative_to(HERE) for one in named) else True


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a running cluster, of which nothing is left after the tests."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra `cluster` is not installed: make test-deploy")
    started = Cluster(tmp_path_factory.mktemp("cluster") / "run", free_ports(4), lake=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT / "tests"))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        # Ends the cluster also where this process is killed.
        end = [sys.executable, str(PROJECT / "deploy" / "cluster.py"), "--run", str(started.run), "down"]
        watch = "import subprocess, sys; sys.stdin.read(); subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)"
        watcher = subprocess.Popen([sys.executable, "-c", watch, *end], stdin=subprocess.PIPE, start_new_session=True)
        try:
            list(started.up(workers=2, cores=1))
            for name, value in started.environment.items():
                patch.setenv(name, value)
            # Who works, and where the lake lies, each test says.
            patch.delenv("SD_WORKERS")
            patch.delenv("SD_LAKE")
            yield started
        finally:
            watcher.communicate()
            assert not started.alive()


@pytest.fixture
def two_nodes(cluster: Cluster) -> Cluster:
    """Return the cluster with what an earlier test ended started again."""
    list(cluster.up(workers=2, cores=1))
    return cluster


def free_ports(count: int) -> int:
    """Return the first of some ports in a row that are free."""
    for first in range(20_000 + os.getpid() % 10_000, 32_000, count):
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0
