"""``sdlab run`` on sweeps: thousands of scenarios of which the metrics alone are kept, from prices to the report.

Each size runs without taxes and with them.
Each run is a command in a process of its own, in a temporary folder, after one of few scenarios that fills caches.

    python -m benchmarks.sweeps [--json FILE]
"""

import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from benchmarks import report
from benchmarks.market import make_panel
from benchmarks.runs import spent
from sd_core.schemas.sweeps import SWEEPS

ASSETS, SESSIONS = 5, 1_001
# By number of scenarios, those of buy-and-hold counted: values of each key of the rule, and reserves.
SIZES = {1_000: (10, 20, 5), 10_000: (20, 20, 25), 100_000: (49, 51, 40)}
WARMING = (2, 2, 2)
TAXES = {"short_term": 0.32, "long_term": 0.15}


@dataclass(frozen=True)
class Run:
    """Seconds, seconds of CPU and the peak of memory in GB of a run, and what it leaves in the lake."""

    scenarios: int
    taxed: bool
    seconds: float
    computed: float
    peak: float
    segments: int
    megabytes: float


def measure(sizes: Sequence[int] = tuple(SIZES)) -> list[Run]:
    """Run sweeps of some sizes, the smallest first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(folder / "warming", *WARMING, taxed=True)
        return [
            _run(folder / f"{size}-{taxed}", *SIZES[size], taxed=taxed)
            for size in sorted(sizes)
            for taxed in (False, True)
        ]


def _run(folder: Path, rungs: int, shares: int, reserves: int, *, taxed: bool) -> Run:
    study, home = write(folder, rungs, shares, reserves, taxed=taxed), folder / "home"
    command = [sys.executable, "-m", "pipelines.cli", "run", "--study", str(study)]
    used = spent(command, {"SD_HOME": str(home)})
    files = [*(home / "warehouse" / "sweep" / SWEEPS).glob("*.parquet")]
    return Run(
        rungs * shares * reserves,
        taxed,
        used.seconds,
        used.computed,
        # Of all processes so far, in kilobytes; runs grow.
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6,
        len(files),
        sum(file.stat().st_size for file in files) / 1e6,
    )


def write(folder: Path, rungs: int, shares: int, reserves: int, *, taxed: bool = False) -> Path:
    """Write prices and a study of so many combinations, with taxes or without; return the study's file."""
    panel, prices = make_panel(ASSETS, SESSIONS), folder / "prices"
    prices.mkdir(parents=True)
    for place, ticker in enumerate(panel.tickers):
        columns = {name: getattr(panel, name.lower())[:, place] for name in ("Open", "High", "Low", "Close")}
        pd.DataFrame({"Date": panel.sessions.astype(str), **columns}).to_csv(prices / f"{ticker}.csv", index=False)
    study = {
        "name": "sweep",
        "source": {"kind": "csv", "folder": "prices"},
        "start": str(panel.sessions[0]),
        "sessions": "intersection",
        "capital": 100_000,
        "universe": {ticker: {"weight": 1, "asset_class": "stocks"} for ticker in panel.tickers},
        "reserves": np.linspace(0.0, 0.3, reserves).round(4).tolist(),
        "costs": {"bps": 5},
        "strategies": {
            "buy_and_hold": {"keep": "metrics"},
            "sd": {
                "rule": {
                    "sd_n": np.linspace(4, 24, rungs).round(2).tolist(),
                    "profit_share": np.linspace(0.2, 0.8, shares).round(3).tolist(),
                },
                "keep": "metrics",
            },
        },
    }
    if taxed:
        study["taxes"] = TAXES
    file = folder / "sweep.yaml"
    YAML().dump(study, file)
    return file


def show(runs: Sequence[Run]) -> None:
    """Print the table."""
    rows = [
        [
            f"{one.scenarios:,}",
            "with" if one.taxed else "without",
            f"{one.seconds:.1f}",
            f"{one.computed:.1f}",
            f"{one.peak:.1f}",
            str(one.segments),
            f"{one.megabytes:.1f}",
        ]
        for one in runs
    ]
    report.print_table(
        ("scenarios", "taxes", "seconds", "seconds of CPU", "peak, GB", "segments", "segments, MB"), rows
    )
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    found = measure()
    show(found)
    return {"sweeps": [asdict(one) for one in found]}


if __name__ == "__main__":
    report.run("Time sweeps.", main)
