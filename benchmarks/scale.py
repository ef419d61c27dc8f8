"""Time and memory as assets, sessions and scenarios grow.

Each size runs in a process of its own (``scale_point``), on all cores, with the whole ledger; results are taken one by
one and dropped.

    python -m benchmarks.scale [--json FILE]
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.market import ASSETS, SCENARIOS, SESSIONS, make_panel, write_panel
from benchmarks.processes import run

COLUMNS = ("grows", "assets", "sessions", "scenarios", "seconds", "ns per asset-session", "prices, MB", "peak, MB")


@dataclass(frozen=True)
class Size:
    """A market and a number of reserves, and which of the three numbers it is about."""

    grows: str
    assets: int = ASSETS
    sessions: int = SESSIONS
    scenarios: int = SCENARIOS

    @property
    def asset_sessions(self) -> int:
        """How many asset-sessions all scenarios have together."""
        return self.assets * self.sessions * self.scenarios


SIZES = (
    *(Size("assets", assets=number) for number in (1, 5, 20, 100, 500)),
    *(Size("sessions", sessions=number) for number in (250, 1_000, 2_500, 5_000, 10_000)),
    *(Size("scenarios", scenarios=number) for number in (1, 10, 100, 1_000, 10_000)),
)


@dataclass(frozen=True)
class Growth:
    """What one size took.

    Attributes:
        size: what was simulated.
        seconds: the fastest run.
        prices_mb: memory of the prices alone.
        peak_mb: the most memory beyond that of an engine which has simulated next to nothing, prices included.
    """

    size: Size
    seconds: float
    prices_mb: float
    peak_mb: float

    @property
    def nanoseconds(self) -> float:
        """Time per asset-session."""
        return self.seconds / self.size.asset_sessions * 1e9


def measure(sizes: Iterable[Size] = SIZES) -> list[Growth]:
    """Measure sizes, each in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        return [_measure(size, Path(folder) / "panel.npz") for size in sizes]


def _measure(size: Size, file: Path) -> Growth:
    panel = make_panel(size.assets, size.sessions)
    write_panel(file, panel)
    said = run([sys.executable, "-m", "benchmarks.scale_point", str(file), str(size.scenarios)]).last
    arrays = (panel.open, panel.high, panel.low, panel.close, panel.dividends)
    return Growth(size, prices_mb=sum(array.nbytes for array in arrays) / 1e6, **json.loads(said))


def show(growths: Sequence[Growth]) -> None:
    """Print the table."""
    rows = [
        [
            growth.size.grows,
            *(f"{number:,}".replace(",", " ") for number in (growth.size.assets, growth.size.sessions)),
            f"{growth.size.scenarios:,}".replace(",", " "),
            f"{growth.seconds:.3f}",
            f"{growth.nanoseconds:.2f}",
            f"{growth.prices_mb:.1f}",
            f"{growth.peak_mb:.0f}",
        ]
        for growth in growths
    ]
    report.print_table(COLUMNS, rows)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    growths = measure()
    show(growths)
    return {"scale": [asdict(growth) | {"nanoseconds": growth.nanoseconds} for growth in growths]}


if __name__ == "__main__":
    report.run("Follow time and memory as a study grows.", main)
