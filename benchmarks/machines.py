"""A sweep by the cores of this machine, and by as many nodes of a cluster of one core each, on the same machine.

What a cluster costs shows in the difference: there are no more cores than without it. Cold is the first sweep of a
process, warm its second; the machine has compiled everything before. The lake lies in a folder.

    python -m benchmarks.machines [--json FILE]
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import report
from benchmarks.sweeps import WARMING, write
from deploy.cluster import Cluster
from pipelines.lab.home import StudyHome, open_home
from pipelines.steps.fetch import fetch_prices
from pipelines.steps.prepare import prepare_market

# By number of scenarios, those of buy-and-hold aside: values of each key of the rule, and reserves.
SIZES = {2_000: (20, 20, 5), 100_000: (50, 50, 40)}
# Ray keeps 10002 to 19999 for its workers.
PORT = 26_402


@dataclass(frozen=True)
class Swept:
    """Seconds of the first and of the second sweep of a process, and seconds of CPU of both, workers' included."""

    scenarios: int
    by: str
    cold: float
    warm: float
    computed: float


def measure() -> list[Swept]:
    """Sweep studies of both sizes by this machine's cores and by a cluster."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SD_HOME"] = str(folder / "home")
        cluster = Cluster(folder / "run", PORT, lake=str(folder))
        studies = {size: write(folder / str(size), *values) for size, values in SIZES.items()}
        warming = write(folder / "warming", *WARMING)
        nodes = os.cpu_count() or 1
        try:
            list(cluster.up(workers=nodes, cores=1))
            crews = {"this machine's cores": {}, f"{nodes} nodes of one core": cluster.environment}
            for study in (warming, *studies.values()):
                _prepare(open_home(str(study)))
                for by, environment in crews.items():
                    cold, warm, computed = _twice(study, environment, cluster)
                    found += [Swept(size, by, cold, warm, computed) for size, one in studies.items() if one == study]
        finally:
            list(cluster.down())
    return found


def _prepare(home: StudyHome) -> None:
    fetch_prices(home.study, home.lake, None)
    prepare_market(home.study, home.lake, home.study_file)


def _twice(study: Path, environment: Mapping[str, str], cluster: Cluster) -> tuple[float, float, float]:
    before = _computed(cluster)
    command = [sys.executable, "-m", "benchmarks.machines_point", str(study)]
    with subprocess.Popen(command, env=os.environ | dict(environment), stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    cold, warm = json.loads(out)
    return cold, warm, _computed(cluster) - before


def _computed(cluster: Cluster) -> float:
    """Return the seconds of CPU of all processes that have ended below this one, and of the nodes with theirs."""
    ended = psutil.Process().cpu_times()
    found = ended.children_user + ended.children_system
    for group in cluster.alive().values():
        for process in (psutil.Process(group), *psutil.Process(group).children(recursive=True)):
            times = process.cpu_times()
            found += times.user + times.system + times.children_user + times.children_system
    return found


def show(found: Sequence[Swept]) -> None:
    """Print the table."""
    rows = [
        [f"{one.scenarios:,}", one.by, f"{one.cold:.1f}", f"{one.warm:.1f}", f"{one.computed:.1f}"] for one in found
    ]
    columns = ("scenarios", "swept by", "cold, seconds", "warm, seconds", "both, seconds of CPU")
    report.print_table(columns, rows, texts=2)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    found = measure()
    show(found)
    return {"machines": [asdict(one) for one in found]}


if __name__ == "__main__":
    report.run("Time sweeps by a cluster.", main)
