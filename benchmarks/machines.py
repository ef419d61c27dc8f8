"""A sweep by the cores of this machine, and by as many nodes of a cluster of one core each, on the same machine.

What a cluster costs shows in the difference: there are no more cores than without it. Cold is the first sweep of a
process, warm the median of those after it; the machine has compiled everything before. The lake lies in a folder. At
last a node is killed in mid-sweep. About four minutes on two cores.

    python -m benchmarks.machines [--json FILE]
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import report
from benchmarks.sweeps import WARMING, write
from deploy.cluster import Cluster
from pipelines.lab.home import StudyHome, open_home
from pipelines.lab.sweeps import swept
from pipelines.steps.fetch import fetch_prices
from pipelines.steps.prepare import prepare_market
from sd_core.schemas.sweeps import SWEEPS

# Values of each key of the rule, and reserves: 2,000 scenarios and 99,960, those of buy-and-hold aside.
SIZES = ((20, 20, 5), (49, 51, 40))
# Sweeps of a process: a cold one, and warm ones.
TIMES = 4
# Ray keeps 10002 to 19999 for its workers.
PORT = 26_402
# Seconds that the sweeps of a process may take; idle it is a tenth.
AT_MOST = 600.0
CORES = "this machine's cores"


@dataclass(frozen=True)
class Swept:
    """Sweeps of a process.

    Attributes:
        scenarios: how many.
        by: whose cores did it.
        cold, warm: seconds of the first sweep, and of the later ones; the latter is None where there is none.
        computed: seconds of CPU of all of them, workers' and the process's start included.
        gap: the longest time between two segments of the last sweep, in seconds.
    """

    scenarios: int
    by: str
    cold: float
    warm: float | None
    computed: float
    gap: float


def measure() -> list[Swept]:
    """Sweep studies of both sizes by this machine's cores and by a cluster, of which at last a node is killed."""
    with _lab() as (folder, cluster, nodes):
        of_nodes = f"{nodes} nodes of one core"
        crews = {CORES: {}, of_nodes: cluster.environment}
        warming, *homes = (_prepared(folder / str(place), values) for place, values in enumerate((WARMING, *SIZES)))
        for environment in crews.values():
            _sweep(warming, "", environment, cluster, 1)
        found = [_sweep(home, by, environment, cluster) for home in homes for by, environment in crews.items()]
        return [*found, _with_a_node_killed(homes[-1], of_nodes, cluster)]


@contextmanager
def _lab() -> Iterator[tuple[Path, Cluster, int]]:
    """Give a folder for studies and their lake, and a running cluster with as many nodes as this machine has cores."""
    nodes = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        cluster = Cluster(Path(name, "run"), PORT, lake=name)
        try:
            list(cluster.up(workers=nodes, cores=1))
            yield Path(name), cluster, nodes
        finally:
            list(cluster.down())


def _prepared(folder: Path, values: tuple[int, int, int]) -> StudyHome:
    """Return a study of so many combinations, whose prices are in the lake."""
    os.environ["SD_HOME"] = str(folder / "home")  # studies of one name would share a lake
    home = open_home(str(write(folder, *values)))
    fetch_prices(home.study, home.lake, None)
    prepare_market(home.study, home.lake, home.study_file)
    return home


def _sweep(home: StudyHome, by: str, environment: Mapping[str, str], cluster: Cluster, times: int = TIMES) -> Swept:
    before = _computed(cluster)
    with _sweeping(home, environment, times) as process:
        (cold, _), *warm = _answer(process)
    return Swept(
        len(swept(home.study)),
        by,
        cold,
        statistics.median(seconds for seconds, _ in warm) if warm else None,
        _computed(cluster) - before,
        warm[-1][1] if warm else 0.0,
    )


def _with_a_node_killed(home: StudyHome, by: str, cluster: Cluster) -> Swept:
    """Sweep once, and kill a node as soon as the first segment is there."""
    segments = home.lake.root / SWEEPS
    for file in segments.glob("*"):
        file.unlink()
    with _sweeping(home, cluster.environment, 1) as process:
        while not any(segments.glob("*.parquet")) and process.poll() is None:
            time.sleep(0.05)
        os.killpg(cluster.alive()["worker-1"], signal.SIGKILL)
        [(seconds, gap)] = _answer(process)
    return Swept(len(swept(home.study)), f"{by}, of which one is killed", seconds, None, 0.0, gap)


@contextmanager
def _sweeping(home: StudyHome, environment: Mapping[str, str], times: int) -> Iterator["subprocess.Popen[str]"]:
    """Give a process that sweeps a study so many times; it does not outlive the context."""
    command = [sys.executable, "-m", "benchmarks.machines_point", str(home.study_file), str(times)]
    given = os.environ | {"SD_HOME": str(home.root)} | dict(environment)
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _answer(process: "subprocess.Popen[str]") -> list[tuple[float, float]]:
    """Return what a process printed; it ended well, having stored every scenario."""
    out, _ = process.communicate(timeout=AT_MOST)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return [(seconds, gap) for seconds, gap in json.loads(out)]


def _computed(cluster: Cluster) -> float:
    """Return the seconds of CPU of all processes that have ended below this one, and of the nodes with theirs."""
    ended = psutil.Process().cpu_times()
    found = ended.children_user + ended.children_system
    for group in cluster.alive().values():
        for process in (psutil.Process(group), *psutil.Process(group).children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # ended meanwhile: its parent has its seconds
                times = process.cpu_times()
                found += times.user + times.system + times.children_user + times.children_system
    return found


def show(found: Sequence[Swept]) -> None:
    """Print the table, and what is asked of a cluster beside what it does."""
    rows = [
        [
            f"{one.scenarios:,}",
            one.by,
            f"{one.cold:.1f}",
            "" if one.warm is None else f"{one.warm:.1f}",
            f"{one.computed:.1f}" if one.computed else "",
            f"{one.gap:.1f}",
        ]
        for one in found
    ]
    columns = (
        "scenarios",
        "swept by",
        "cold, seconds",
        "warm, seconds",
        "all, CPU seconds",
        "longest wait, seconds",
    )
    report.print_table(columns, rows, texts=2)
    print()
    report.print_table(("asked of a cluster", "at most", "found"), _asked(found), texts=1)
    print()


def _asked(found: Sequence[Swept]) -> Iterator[list[str]]:
    """Yield rows that say how a cluster compares with what the design of it promises."""
    *compared, killed = found
    for here, there in zip(compared[::2], compared[1::2], strict=True):
        assert here.warm
        assert there.warm
        of = f"{here.scenarios:,} scenarios"
        yield [f"{of}, warm: more time than {CORES}", "10 %", f"{100 * (there.warm / here.warm - 1):.0f} %"]
        yield [f"{of}, cold: more time than {CORES}", "5 s", f"{there.cold - here.cold:.1f} s"]
    yield [f"{killed.scenarios:,} scenarios, a node killed: longest wait for a segment", "15 s", f"{killed.gap:.1f} s"]
    # A process that stored fewer has failed.
    yield [f"{killed.scenarios:,} scenarios, a node killed: scenarios lost", "0", "0"]


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    found = measure()
    show(found)
    return {"machines": [asdict(one) for one in found]}


if __name__ == "__main__":
    report.run("Time sweeps by a cluster.", main)
