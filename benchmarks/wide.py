"""``sdlab run`` on a wide study: many assets over ten years, 48 scenarios that all keep their ledger.

The command runs in a process of its own on prices that are drawn here and read from CSV files, start of Python and
Dagster included. Its seconds, its seconds of CPU and the most memory that it had at once are what the system counted.

    python -m benchmarks.wide [--json FILE]
"""

import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from ruamel.yaml import YAML

from benchmarks import report
from benchmarks.market import CAPITAL, make_panel
from benchmarks.runs import spent
from pipelines.lab.home import StudyHome
from sd_core.market.panel import Panel
from sd_core.study.loading import load_study

ASSETS = 500
SESSIONS = 2_520
RESERVES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
STRATEGIES: dict[str, Any] = {
    "buy_and_hold": {},
    "rebalanced": {"rebalance": {"every": "quarter"}},
    **{f"sd{distance}": {"rule": {"sd_n": distance, "profit_share": 0.5}} for distance in (6, 8, 12, 16)},
}
COLUMNS = ("assets", "sessions", "ledgers", "seconds", "seconds of CPU", "peak, GB", "warehouse, GB", "million rows")


@dataclass(frozen=True)
class Figure:
    """What a run took.

    Attributes:
        assets, sessions, ledgers: size of the study; ledgers are its scenarios.
        seconds, computed: of the whole command, and of all cores together.
        peak_gb: the most memory of its largest process.
        warehouse_gb: size of the published file.
        rows: of its tables, by name.
    """

    assets: int
    sessions: int
    ledgers: int
    seconds: float
    computed: float
    peak_gb: float
    warehouse_gb: float
    rows: dict[str, int]


def measure(
    assets: int = ASSETS, sessions: int = SESSIONS, reserves: Sequence[float] = RESERVES, **strategies: Any
) -> Figure:
    """Run a study of so many assets and sessions from nothing, of the strategies above where none are given."""
    strategies = strategies or STRATEGIES
    with tempfile.TemporaryDirectory() as folder:
        file = write_study(Path(folder), make_panel(assets, sessions), reserves, strategies)
        command = [sys.executable, "-m", "pipelines.cli", "run", "--study", str(file)]
        took = spent(command, {"SD_HOME": folder})
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        published = StudyHome(file, load_study(file), Path(folder)).published.warehouse
        return Figure(
            assets,
            sessions,
            len(reserves) * len(strategies),
            took.seconds,
            took.computed,
            peak * (1 if sys.platform == "darwin" else 1024) / 1e9,
            published.stat().st_size / 1e9,
            rows_of(published),
        )


def write_study(folder: Path, panel: Panel, reserves: Sequence[float], strategies: dict[str, Any]) -> Path:
    """Write a panel as CSV files, and a study of it in equal weights; return the study's file."""
    prices = folder / "prices"
    prices.mkdir()
    for place, ticker in enumerate(panel.tickers):
        names = ("open", "high", "low", "close")
        bars = pd.DataFrame({name.title(): getattr(panel, name)[:, place] for name in names})
        bars.insert(0, "Date", panel.sessions)
        bars.to_csv(prices / f"{ticker}.csv", index=False)
    study = {
        "name": "wide",
        "source": {"kind": "csv", "folder": "prices"},
        "start": str(panel.sessions[0]),
        "capital": CAPITAL,
        "universe": {ticker: {"weight": 1.0} for ticker in panel.tickers},
        "reserves": list(reserves),
        "strategies": strategies,
    }
    file = folder / "wide.yaml"
    YAML().dump(study, file)
    return file


def rows_of(warehouse: Path) -> dict[str, int]:
    """Return the number of rows of every table of a published file."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute("select table_name, estimated_size from duckdb_tables()").fetchall()
    return dict(sorted(found, key=lambda one: -one[1]))


def show(figures: Sequence[Figure]) -> None:
    """Print the table, and the largest tables of the last run."""
    rows = [
        [
            *(f"{number:,}".replace(",", " ") for number in (one.assets, one.sessions, one.ledgers)),
            *(f"{number:.0f}" for number in (one.seconds, one.computed)),
            *(f"{number:.2f}" for number in (one.peak_gb, one.warehouse_gb, sum(one.rows.values()) / 1e6)),
        ]
        for one in figures
    ]
    report.print_table(COLUMNS, rows, texts=0)
    largest = list(figures[-1].rows.items())[:8]
    print(
        "\nLargest tables, in million rows: " + ", ".join(f"{name} {rows / 1e6:.2f}" for name, rows in largest) + "\n"
    )


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = [measure()]
    show(figures)
    return {"wide": [asdict(one) for one in figures]}


if __name__ == "__main__":
    report.run("Run a wide study.", main)
