"""How long mixes take to decide: one by one in CPU seconds, and all of them side by side in seconds of the clock.

It is no part of ``make bench``: solving some thousands of optimisations takes minutes. Seconds depend on what else the
machine does, so they are also given in passes of numpy over the same matrices.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from skfolio.datasets import load_sp500_dataset

from benchmarks.report import print_table
from sd_core.construction.asked import Asked
from sd_core.construction.decisions import Decision, decide
from sd_core.construction.history import History
from sd_core.construction.side_by_side import Task, decide_all
from sd_core.construction.tables import known_decisions, to_tables
from sd_core.study.mixes import Mix

# Products of matrices of this size, as many as take about a second of one core.
SIZE, PRODUCTS = 400, 120
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


def decided(past: History, name: str, known: Mapping[str, Decision]) -> tuple[list[Decision], float]:
    """Return what a mix decides and the CPU seconds that it takes."""
    began = time.process_time()
    decisions = list(decide(past, Asked(name, MIXES), known))
    return decisions, time.process_time() - began


def rows(whole: History) -> list[Sequence[str]]:
    """Return a row per mix: decisions, seconds cold, seconds for a new month, seconds where nothing is new."""
    cut = until(whole, len(whole.sessions) - 25)
    found = []
    for name in MIXES:
        before, cold = decided(cut, name, {})
        after, month = decided(whole, name, known_decisions(cut, to_tables(cut, name, before)))
        nothing = decided(whole, name, known_decisions(whole, to_tables(whole, name, after)))[1]
        found.append([name, str(len(after)), f"{cold:.2f}", f"{month:.2f}", f"{nothing:.2f}"])
    return found


def side_by_side(whole: History) -> list[Sequence[str]]:
    """Return seconds for all mixes, of the clock and of all processors: cold, one new month, nothing new."""
    cut = until(whole, len(whole.sessions) - 25)
    known: dict[str, dict[str, Decision]] = {name: {} for name in MIXES}
    found: list[Sequence[str]] = []
    for what, past in (("cold", cut), ("one new month", whole), ("nothing new", whole)):
        began, used = time.perf_counter(), cpu_seconds()
        tasks = [Task(past, Asked(name, MIXES), known[name]) for name in MIXES]
        tables = dict(decide_all(tasks, lambda *_: None))
        taken, used = time.perf_counter() - began, cpu_seconds() - used
        known = {name: known_decisions(past, tables[name]) for name in MIXES}
        found.append([what, f"{taken:.1f}", f"{taken / pass_of_numpy():.1f}", f"{used:.1f}"])
    return found


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it has started, once they have ended."""
    while multiprocessing.active_children():
        time.sleep(0.05)
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def pass_of_numpy() -> float:
    """Return the seconds of a fixed amount of work, which say how fast the machine is at the moment."""
    matrix = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    began = time.perf_counter()
    for _ in range(PRODUCTS):
        matrix @ matrix
    return time.perf_counter() - began


if __name__ == "__main__":
    from sd_core.construction import optimisers

    many = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print(f"{len(MIXES)} mixes by {optimisers.__name__}, {many} assets, a decision a month, seconds of the clock")
    print_table(["all mixes", "seconds", "passes of numpy", "CPU seconds"], side_by_side(history(many)))
    if many == 20:
        print("each alone, CPU seconds")
        print_table(["mix", "decisions", "cold", "one new month", "nothing new"], rows(history()))
