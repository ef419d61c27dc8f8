"""``sdlab run`` as a person waits for it: everything, what one strategy's change makes outdated, and nothing.

Each run is a command in a process of its own, on copies of the demo in a temporary folder. Other work on the machine
makes its seconds longer; the seconds that its processes spent computing, much less.

    python -m benchmarks.runs [--json FILE]
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import report
from pipelines.lab.home import STUDIES

ROUNDS = 3
STRATEGY, OTHER_DISTANCE = "sd8", 12


@dataclass(frozen=True)
class Spent:
    """Seconds that a command took, and seconds of all cores that it and its processes computed."""

    seconds: float
    computed: float


def measure(rounds: int = ROUNDS) -> dict[str, Spent]:
    """Return what each kind of run took, the least of some rounds after one that fills caches."""
    with tempfile.TemporaryDirectory() as folder:
        asked, changed = _studies(Path(folder))
        found = [_round(asked, changed, Path(folder) / "home") for _ in range(rounds + 1)][1:]
    return {
        name: Spent(min(one[name].seconds for one in found), min(one[name].computed for one in found))
        for name in found[0]
    }


def _round(asked: Path, changed: Path, home: Path) -> dict[str, Spent]:
    run = [sys.executable, "-m", "pipelines.cli", "run", "--study"]
    environment = {"SD_HOME": str(home)}
    return {
        "everything (`--fresh`)": spent([*run, str(asked), "--fresh"], environment),
        "after a change of one strategy": spent([*run, str(changed)], environment),
        "with nothing outdated": spent([*run, str(changed)], environment),
    }


def spent(command: Sequence[str], environment: Mapping[str, str]) -> Spent:
    """Run a command and return what it took.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    before, began = _computed(), time.perf_counter()
    subprocess.run(command, env=os.environ | dict(environment), check=True, capture_output=True)
    return Spent(time.perf_counter() - began, _computed() - before)


def _computed() -> float:
    """Return the seconds of CPU of all processes that have ended below this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _studies(folder: Path) -> tuple[Path, Path]:
    """Write the demo, and the demo with another distance of rungs in one strategy."""
    yaml = YAML()
    demo = yaml.load(STUDIES / "demo.yaml")
    files = folder / "asked.yaml", folder / "changed.yaml"
    yaml.dump(demo, files[0])
    demo["strategies"][STRATEGY]["rule"]["sd_n"] = OTHER_DISTANCE
    yaml.dump(demo, files[1])
    return files


def show(found: Mapping[str, Spent]) -> None:
    """Print the table."""
    rows = [[name, f"{one.seconds:.1f}", f"{one.computed:.1f}"] for name, one in found.items()]
    report.print_table(("run of the demo", "seconds", "seconds of CPU"), rows)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    found = measure()
    show(found)
    return {"runs": {name: asdict(one) for name, one in found.items()}}


if __name__ == "__main__":
    report.run("Time the runs of the demo.", main)
