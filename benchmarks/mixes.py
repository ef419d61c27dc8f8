"""How long mixes take to decide, side by side as in a run: cold, with one new month, and with nothing new.

Seconds depend on what else the machine does. So CPU seconds are given too, also in passes of numpy: a fixed amount
of work on matrices, timed on one core beside each.

    python -m benchmarks.mixes [--json FILE]
"""

import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from skfolio.datasets import load_sp500_dataset
from threadpoolctl import threadpool_limits

from benchmarks import report
from sd_core.construction.asked import Asked
from sd_core.construction.decisions import Decision
from sd_core.construction.history import History
from sd_core.construction.side_by_side import Task, decide_all
from sd_core.construction.tables import known_decisions
from sd_core.study.mixes import Mix

# Products of matrices of this size that make a pass.
SIZE, PRODUCTS = 400, 120
SIZES = (20, 100)
NEW_SESSIONS = 25
COLUMNS = ("what", "mixes", "assets", "decisions of each", "seconds", "CPU seconds", "passes of numpy")
MIXES = {
    "inverse_volatility": Mix(method="inverse_volatility"),
    "minimum variance": Mix(method="mean_risk", max_weight=0.25, max_turnover=0.3),
    "maximum ratio": Mix(method="mean_risk", objective="max_ratio"),
    "cvar": Mix(method="mean_risk", risk="cvar"),
    "equal risk": Mix(method="risk_budget"),
    "diversification": Mix(method="max_diversification"),
    "hrp": Mix(method="hrp"),
    "kelly": Mix(method="kelly", fraction=0.5, max_weight=0.25),
}


def history(assets: int = 20) -> History:
    """Return the sample, 20 assets over 33 years; further assets are those again with noise of their own."""
    prices = load_sp500_dataset()
    draw = np.random.default_rng(1)
    returns = prices.pct_change().to_numpy()
    copies = [returns, *(returns + draw.normal(0, 0.01, returns.shape) for _ in range(assets // 20 - 1))]
    returns = np.hstack(copies)
    count = returns.shape[1]
    return History(
        tickers=tuple(f"T{place}" for place in range(count)),
        classes=("shares",) * count,
        weights=np.full(count, 1.0 / count),
        sessions=prices.index.to_numpy().astype("datetime64[D]"),
        returns=returns,
        has_bar=np.ones(returns.shape, dtype=bool),
        cash=np.full(len(prices), 0.0001),
        next_session=None,
        periods_per_year=252,
    )


def until(whole: History, last: int) -> History:
    """Return a past that ends earlier."""
    return replace(
        whole,
        sessions=whole.sessions[:last],
        returns=whole.returns[:last],
        has_bar=whole.has_bar[:last],
        cash=whole.cash[:last],
    )


@dataclass(frozen=True)
class Figure:
    """What all mixes took.

    Attributes:
        mixes: how many.
        assets: how many.
        decisions: of each mix.
        what: cold, one new month, or nothing new.
        seconds: of the clock.
        cpu_seconds: of all processes, those that have ended too.
        passes: of numpy that take as many CPU seconds.
    """

    mixes: int
    assets: int
    decisions: int
    what: str
    seconds: float
    cpu_seconds: float
    passes: float


def measure(sizes: Sequence[int] = SIZES, sessions: int | None = None) -> list[Figure]:
    """Decide all mixes of each size, on the last sessions alone where their number is given."""
    return [figure for assets in sizes for figure in decided(_last(history(assets), sessions))]


def _last(whole: History, sessions: int | None) -> History:
    return until(whole, len(whole.sessions) if sessions is None else sessions)


def decided(whole: History) -> list[Figure]:
    """Return what all mixes take: cold up to a month before the end, then that month, then nothing new."""
    cut = until(whole, len(whole.sessions) - NEW_SESSIONS)
    known: dict[str, dict[str, Decision]] = {name: {} for name in MIXES}
    found = []
    for what, past in (("cold", cut), ("one new month", whole), ("nothing new", whole)):
        began, used = time.perf_counter(), cpu_seconds()
        tasks = [Task(past, Asked(name, MIXES), known[name]) for name in MIXES]
        tables = dict(decide_all(tasks, lambda *_: None))
        seconds, cpu = time.perf_counter() - began, cpu_seconds() - used
        known = {name: known_decisions(past, tables[name]) for name in MIXES}
        decisions = len(tables["hrp"]["mix_fit"])
        found.append(Figure(len(MIXES), len(whole.tickers), decisions, what, seconds, cpu, cpu / seconds_of_a_pass()))
    return found


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it has started, once they have ended."""
    while multiprocessing.active_children():
        time.sleep(0.05)
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def seconds_of_a_pass() -> float:
    """Return the CPU seconds of a fixed amount of work on one core, which say how fast the machine is at the moment."""
    matrix = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    with threadpool_limits(1):
        began = time.process_time()
        for _ in range(PRODUCTS):
            matrix @ matrix
        return time.process_time() - began


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    rows = [
        [
            one.what,
            *map(str, (one.mixes, one.assets, one.decisions)),
            *(f"{figure:.1f}" for figure in (one.seconds, one.cpu_seconds, one.passes)),
        ]
        for one in figures
    ]
    report.print_table(COLUMNS, rows)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"mixes": [asdict(figure) for figure in figures]}


if __name__ == "__main__":
    report.run("Decide mixes.", main)
