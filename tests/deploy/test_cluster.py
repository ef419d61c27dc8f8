"""A cluster of two nodes works as one machine does, bit for bit, whatever is killed meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from cluster import Cluster
from ruamel.yaml import YAML
from support.chunks import GO, begun, held
from support.lab import PROJECT, Lab, Outcome, small_study, write_prices, write_study

from pipelines import workers
from pipelines.lab.current import SIMULATIONS
from pipelines.workers import Ray
from sd_core.errors import NotReadyError
from sd_core.schemas.sweeps import SWEEPS

# 20 x 20 combinations at 5 reserves, that keep metrics alone, and two strategies with ledgers.
SWEPT, KEPT = 2_000, 10
SWEEP = {
    "reserves": [0.0, 0.05, 0.1, 0.15, 0.2],
    "strategies": {
        "buy_and_hold": {},
        "sd8": {"rule": {}},
        "sd": {
            "rule": {
                "sd_n": [4 + step for step in range(20)],
                "profit_share": [round(0.2 + 0.03 * step, 2) for step in range(20)],
            },
            "keep": "metrics",
        },
    },
}
# Seconds that anything here may take; a machine that does nothing else needs a thirtieth.
PATIENCE = 600.0


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return what this machine makes of the study by itself."""
    folder = tmp_path_factory.mktemp("local")
    file = write_study(folder / "small.yaml", small_study(write_prices(folder / "prices")) | SWEEP)
    lab = Lab(file, folder / "home")
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    return lab


@pytest.fixture
def asking(two_nodes: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ray]:
    """Return the cluster as a process of a run sees it; it is the same process for all tests."""
    monkeypatch.setenv(workers.SD_WORKERS, two_nodes.address)
    crew = workers.workers()
    assert isinstance(crew, Ray)
    until(lambda: crew._cores_now() == 2)
    return crew


def run(lab: Lab, cluster: Cluster, *arguments: str) -> Outcome:
    """Run a command here for which the cluster works; the lake lies in a folder unless the environment says where.

    So its workers are those of the test before, which need not start and import again.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(workers.SD_WORKERS, cluster.address)
        return lab.sdlab(*arguments)


def start(lab: Lab, cluster: Cluster, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start such a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=lab.root.parent,
        env=os.environ | {"SD_WORKERS": cluster.address} | lab.environment | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def beside(local: Lab, folder: Path) -> Lab:
    """Return a lab of the same study in which nothing was ever run."""
    return Lab(local.study_file, folder / "home")


@pytest.fixture
def lake(two_nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an empty lake in the cluster's object store, for this process and those that it starts."""
    address = f"{two_nodes.environment['SD_LAKE']}/{tmp_path.name}"
    monkeypatch.setenv("SD_LAKE", address)
    return address


def test_a_cluster_publishes_the_tables_of_one_machine(local, two_nodes, lake, tmp_path):
    lab = beside(local, tmp_path)
    done = run(lab, two_nodes, "run")
    assert done.code == 0, done.err
    assert len(lab.table("report_strategy")) == SWEPT + KEPT
    assert lab.rows() == local.rows()
    assert not (lab.root / "warehouse" / "small" / SWEEPS).exists()
    assert lab.home.lake.segments(SWEEPS)


def test_sweeps_with_taxes_and_bootstrap_samples_are_those_of_one_machine(changed_study, two_nodes, tmp_path):
    here = changed_study(
        taxes={"short_term": 0.32, "long_term": 0.15},
        strategies={"buy_and_hold": {}, "sd": {"rule": {"sd_n": [6, 8, 10]}, "keep": "metrics"}},
        bootstrap={"histories": 40, "withdrawal_rates": [0.04]},
    )
    there = here.copy_to(tmp_path / "there" / "home")
    for asked in (["run"], ["run", "--select", "reserve_bootstrap"]):
        assert here.sdlab(*asked).code == 0
        done = run(there, two_nodes, *asked)
        assert done.code == 0, done.err
    assert len(there.table("reserve_bootstrap")) == 40 * 8
    assert there.table("simulation_metrics")["taxes"].notna().all()
    assert there.rows() == here.rows()


def test_two_runs_at_once_share_a_cluster_and_a_lake(local, two_nodes, lake, tmp_path):
    labs = [beside(local, tmp_path / name) for name in ("one", "other")]
    for lab in labs:
        lab.root.parent.mkdir()
    started = [start(lab, two_nodes, "run") for lab in labs]
    ended = [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    metrics = [lab.table("simulation_metrics") for lab in (*labs, local)]
    assert metrics[0].equals(metrics[2])
    assert metrics[1].equals(metrics[2])


def test_a_run_that_was_killed_in_a_sweep_is_made_good_by_the_next(local, two_nodes, lake, tmp_path):
    lab = beside(local, tmp_path)
    killed = start(lab, two_nodes, "run")
    until(lambda: bool(lab.home.lake.segments(SWEEPS)) or killed.poll() is not None)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not lab.published.exists()
    done = run(lab, two_nodes, "run")
    assert done.code == 0, done.err
    metrics = lab.table("simulation_metrics")
    assert metrics.equals(local.table("simulation_metrics"))


@pytest.fixture
def holding(asking: Ray, tmp_path: Path) -> Iterator["Future[list[int]]"]:
    """Return the answers of six chunks to come, both nodes having begun one that they do not end yet."""
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(lambda: list(asking.map(held, tmp_path, range(6))))
        try:
            until(lambda: len(begun(tmp_path)) == 2 or answers.done())
            yield answers
        finally:
            (tmp_path / GO).touch()


def test_both_nodes_work_and_answers_come_in_order(holding, tmp_path):
    assert len({process for _, process in begun(tmp_path)}) == 2
    (tmp_path / GO).touch()
    assert holding.result(PATIENCE) == list(range(6))


def test_a_chunk_whose_worker_was_killed_is_done_by_another(holding, tmp_path):
    [(chunk, process), _] = begun(tmp_path)
    os.kill(process, signal.SIGKILL)
    (tmp_path / GO).touch()
    assert holding.result(PATIENCE) == list(range(6))
    assert len({by for one, by in begun(tmp_path) if one == chunk}) == 2


def test_a_node_that_was_killed_loses_no_chunk_and_joins_again(holding, asking, two_nodes, tmp_path):
    kill(two_nodes, "worker-1")
    until(lambda: asking._cores_now() == 1)
    assert "worker-1: started" in "\n".join(two_nodes.up(workers=2, cores=1))
    # What had begun on the node is begun again.
    until(lambda: asking._cores_now() == 2 and len(begun(tmp_path)) >= 3)
    (tmp_path / GO).touch()
    assert holding.result(PATIENCE) == list(range(6))


def test_a_run_waits_for_a_worker_where_all_are_lost(holding, two_nodes, tmp_path, caplog):
    kill(two_nodes, "worker-1", "worker-2")
    until(lambda: "no worker is left: for 60 s the run waits for one to join" in caplog.text)
    list(two_nodes.up(workers=2, cores=1))
    until(lambda: "a worker has joined: the run goes on" in caplog.text)
    (tmp_path / GO).touch()
    assert holding.result(PATIENCE) == list(range(6))


def test_a_run_ends_where_all_workers_are_lost_for_long(holding, two_nodes, monkeypatch, capfd):
    monkeypatch.setattr(workers, "GIVEN_UP_AFTER", 1.0)
    kill(two_nodes, "worker-1", "worker-2")
    error = holding.exception(PATIENCE)
    assert isinstance(error, NotReadyError)
    assert str(error) == f"{workers.SD_WORKERS}={two_nodes.address}: no worker is left: add one, and run again"
    # What Ray says of it, and would print among results.
    assert not capfd.readouterr().out


def test_a_run_whose_head_is_lost_ends_in_one_line_and_the_next_is_well(local, two_nodes, tmp_path):
    disconnect()
    lab = beside(local, tmp_path)
    lab.root.parent.mkdir(exist_ok=True)
    asking = start(lab, two_nodes, "run")
    until(lambda: bool(lab.home.lake.keys(SIMULATIONS)) or asking.poll() is not None)
    # Nothing of the sweep that comes next is done, however late the head is killed.
    for name in ("worker-1", "worker-2"):
        os.killpg(two_nodes.alive()[name], signal.SIGSTOP)
    kill(two_nodes, "head")
    _, err = asking.communicate(timeout=PATIENCE)
    assert asking.returncode == 1, err
    said = [line for line in err.splitlines() if workers.SD_WORKERS in line]
    assert len(said) == 1, err
    assert f"{two_nodes.address}: {workers.HEAD_LOST}" in said[0]
    assert "Traceback" not in err
    assert not lab.published.exists()
    kill(two_nodes, "worker-1", "worker-2")
    list(two_nodes.up(workers=2, cores=1))
    done = run(lab, two_nodes, "run")
    assert done.code == 0, done.err
    assert lab.table("simulation_metrics").equals(local.table("simulation_metrics"))


def disconnect() -> None:
    """Leave the cluster: Ray ends a process whose head is lost."""
    import ray

    ray.shutdown()
    workers._connected.cache_clear()


def kill(cluster: Cluster, *names: str) -> None:
    alive = cluster.alive()
    for name in names:
        os.killpg(alive[name], signal.SIGKILL)


def test_a_wrong_token_is_refused_in_one_line(fresh_lab, two_nodes, tmp_path):
    (tmp_path / "token").write_text("0" * 64, encoding="utf-8")
    asking = start(fresh_lab, two_nodes, "run", RAY_AUTH_TOKEN_PATH=str(tmp_path / "token"))
    _, err = asking.communicate(timeout=PATIENCE)
    assert asking.returncode == 2
    said = [line for line in err.splitlines() if "SD_WORKERS" in line]
    assert len(said) == 1
    assert "the token is refused" in said[0]
    assert "Unauthenticated" not in err


def test_a_worker_with_other_code_refuses(fresh_lab, two_nodes, tmp_path, monkeypatch):
    shutil.copytree(PROJECT / "sd_core", tmp_path / "other" / "sd_core")
    shutil.copytree(PROJECT / "pipelines", tmp_path / "other" / "pipelines", symlinks=True)
    (tmp_path / "other" / "sql").symlink_to(PROJECT / "sql")
    (tmp_path / "other" / "studies").symlink_to(PROJECT / "studies")
    (tmp_path / "other" / "sd_core" / "versions.py").open("a").write("# another\n")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "other"))
        list(two_nodes.up(workers=3, cores=1))
    try:
        # From a folder without code: workers look for theirs first where the process that asks was started.
        asking = start(fresh_lab, two_nodes, "run")
        _, err = asking.communicate(timeout=PATIENCE)
        assert asking.returncode == 2, err
        assert "install the same SD Lab on every machine" in err
    finally:
        kill(two_nodes, "worker-3")


def test_starting_it_twice_says_what_runs_and_the_token_is_private(two_nodes):
    said = list(two_nodes.up(workers=2, cores=1))
    assert [line.partition(",")[0] for line in said] == [
        f"{name}: runs already" for name in ("s3", "head", "worker-1", "worker-2")
    ]
    assert (two_nodes.run / "token").stat().st_mode & 0o777 == 0o600
    assert f"export SD_WORKERS='{two_nodes.address}'" in (two_nodes.run / "env").read_text(encoding="utf-8")


def test_the_health_check_of_containers_finds_a_head_healthy(two_nodes):
    head = YAML(typ="safe", pure=True).load(PROJECT / "deploy" / "compose.yaml")["services"]["head"]
    kind, program, *arguments, address = head["healthcheck"]["test"]
    assert (kind, address) == ("CMD", head["environment"]["SD_WORKERS"])
    command = [Path(sys.executable).with_name(program), *arguments, two_nodes.address]
    assert subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE).returncode == 0


def test_nothing_listens_beyond_the_loopback(two_nodes):
    groups = set(two_nodes.alive().values())
    ours = {str(one.pid) for one in psutil.process_iter() if os.getpgid(one.pid) in groups}
    assert len(ours) >= 6
    assert listening(ours) == {"127.0.0.1"}


def listening(processes: set[str]) -> set[str]:
    """Return the addresses at which processes take connections."""
    sockets = set()
    for process in processes:
        for handle in Path("/proc", process, "fd").glob("*"):
            if handle.is_symlink() and (name := str(handle.readlink())).startswith("socket:["):
                sockets.add(name[8:-1])
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                address = fields[1].partition(":")[0][-8:]
                found.add(".".join(str(int(address[place : place + 2], 16)) for place in (6, 4, 2, 0)))
    return found
