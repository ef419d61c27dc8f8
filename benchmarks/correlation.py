"""Correlation of every pair of assets: SD Lab beside pandas and Polars, on the same drawn prices.

pandas and Polars compute every session or nothing, so where month ends of many assets are wanted, which would take them
more memory than a small machine has, SD Lab runs alone.

    python -m benchmarks.correlation [--json FILE]
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import report
from benchmarks.engines import best_seconds
from benchmarks.environments import ROOM, NotInstalledError, python_of
from benchmarks.processes import FailedError, run
from sd_core.analytics.correlation import rolling

WINDOW = 63
SESSIONS_PER_MONTH = 21
# Correlations agree when they differ by less than this.
AGREE = 1e-9

COLUMNS = ("tool", "outcome", "assets", "sessions", "wanted", "seconds")


@dataclass(frozen=True)
class Size:
    """A market, and whether every session is wanted or month ends only."""

    assets: int
    sessions: int
    every_session: bool

    @property
    def rows(self) -> np.ndarray:
        """The sessions that are wanted."""
        return np.arange(WINDOW, self.sessions, 1 if self.every_session else SESSIONS_PER_MONTH)

    @property
    def wanted(self) -> str:
        """The same in words."""
        return "every session" if self.every_session else "month ends"


SIZES = (Size(20, 8_300, every_session=True), Size(500, 2_500, every_session=False))


@dataclass(frozen=True)
class Figure:
    """What one tool took.

    Attributes:
        tool: who.
        size: what was asked for.
        outcome: whether the correlations of the last session are SD Lab's, or why there are none.
        seconds: the fastest of several runs; None where nothing could be measured.
    """

    tool: str
    size: Size
    outcome: str = ""
    seconds: float | None = None


def draw_closes(assets: int, sessions: int) -> np.ndarray:
    """Return closes of random walks that share half of their variance, of shape (sessions, assets)."""
    random = np.random.default_rng(1)
    moves = random.normal(0.0, 0.01, (sessions, 1)) + random.normal(0.0, 0.01, (sessions, assets))
    return np.asarray(100.0 * np.exp(np.cumsum(moves, axis=0)))


def measure(sizes: Sequence[Size] = SIZES) -> list[Figure]:
    """Measure every tool on every size that it can do."""
    return [figure for size in sizes for figure in _measure(size)]


def _measure(size: Size) -> list[Figure]:
    closes = draw_closes(size.assets, size.sessions)
    own = Figure("SD Lab", size, seconds=best_seconds(lambda: rolling(closes, size.rows, WINDOW)))
    if not size.every_session:
        return [own]
    last = rolling(closes, np.array([size.sessions - 1]), WINDOW).correlation
    return [own, _pandas(size, closes, last), _polars(size, closes, last)]


def _pandas(size: Size, closes: np.ndarray, expected: np.ndarray) -> Figure:
    returns = pd.DataFrame(np.log(closes)).diff()
    seconds = best_seconds(lambda: returns.rolling(WINDOW).corr())
    found = returns.tail(WINDOW).corr().to_numpy()[np.triu_indices(size.assets, 1)]
    return Figure(f"pandas {pd.__version__}", size, _difference(expected, found), seconds)


def _polars(size: Size, closes: np.ndarray, expected: np.ndarray) -> Figure:
    """Measure Polars in its environment, or say why that was not possible."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "closes.npz"
        np.savez(file, closes=closes, window=WINDOW)
        try:
            said = json.loads(
                run([str(python_of("polars")), str(ROOM / "alternatives" / "run_polars.py"), str(file)]).last
            )
        except (NotInstalledError, FailedError) as error:
            return Figure("Polars", size, f"not measured: {error}")
    outcome = _difference(expected, np.array(said["last"]))
    return Figure(f"Polars {said['version']}", size, outcome, said["seconds"])


def _difference(expected: np.ndarray, found: np.ndarray) -> str:
    worst = float(np.abs(expected - found).max())
    return "agrees" if worst < AGREE else f"off by {worst:.1g}"


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    rows = [
        [
            figure.tool,
            figure.outcome,
            *(f"{number:,}".replace(",", " ") for number in (figure.size.assets, figure.size.sessions)),
            figure.size.wanted,
            "" if figure.seconds is None else f"{figure.seconds:.2f}",
        ]
        for figure in figures
    ]
    report.print_table(COLUMNS, rows, texts=2)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"correlation": [asdict(figure) for figure in figures]}


if __name__ == "__main__":
    report.run(f"Correlate every pair of assets over {WINDOW} sessions.", main)
