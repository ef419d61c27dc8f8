"""How long mixes take to decide: cold, one month later, and when nothing is new. CPU seconds of this process.

It is no part of ``make bench``: solving some thousands of optimisations takes a minute.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from skfolio.datasets import load_sp500_dataset

from benchmarks.report import print_table
from sd_core.construction.decisions import Asked, Decision, decide
from sd_core.construction.history import History
from sd_core.construction.tables import known_decisions, to_tables
from sd_core.study.mixes import Mix

MIXES = {
    "equal": Mix(),
    "inverse_volatility": Mix(method="inverse_volatility"),
    "minimum variance": Mix(method="mean_risk", max_weight=0.25, max_turnover=0.3),
    "maximum ratio": Mix(method="mean_risk", objective="max_ratio"),
    "cvar": Mix(method="mean_risk", risk="cvar"),
    "equal risk": Mix(method="risk_budget"),
    "diversification": Mix(method="max_diversification"),
    "hrp": Mix(method="hrp"),
    "kelly": Mix(method="kelly", fraction=0.5, max_weight=0.25),
}


def history() -> History:
    """Return the sample: 20 assets over 33 years."""
    prices = load_sp500_dataset()
    count = prices.shape[1]
    return History(
        tickers=tuple(prices.columns),
        classes=("shares",) * count,
        weights=np.full(count, 1.0 / count),
        sessions=prices.index.to_numpy().astype("datetime64[D]"),
        returns=prices.pct_change().to_numpy(),
        has_bar=prices.notna().to_numpy(),
        cash=np.full(len(prices), 0.0001),
        next_session=None,
        periods_per_year=252,
    )


def decided(past: History, name: str, known: dict[str, Decision]) -> tuple[list[Decision], float]:
    """Return what a mix decides and the CPU seconds that it takes."""
    began = time.process_time()
    decisions = list(decide(past, Asked(name, MIXES), known))
    return decisions, time.process_time() - began


def rows() -> list[Sequence[str]]:
    """Return a row per mix: decisions, seconds cold, seconds for a new month, seconds where nothing is new."""
    whole = history()
    # A month less, so that one is new.
    last = len(whole.sessions) - 25
    cut = replace(
        whole,
        sessions=whole.sessions[:last],
        returns=whole.returns[:last],
        has_bar=whole.has_bar[:last],
        cash=whole.cash[:last],
    )
    found = []
    for name in MIXES:
        before, cold = decided(cut, name, {})
        known = known_decisions(cut, to_tables(cut, name, before))
        after, month = decided(whole, name, known)
        nothing = decided(whole, name, known_decisions(whole, to_tables(whole, name, after)))[1]
        found.append([name, str(len(after)), f"{cold:.2f}", f"{month:.2f}", f"{nothing:.2f}"])
    return found


if __name__ == "__main__":
    from sd_core.construction import optimisers

    began = time.process_time()
    print(f"{len(MIXES)} mixes by {optimisers.__name__}, 20 assets, a decision a month, CPU seconds")
    print_table(["mix", "decisions", "cold", "one new month", "nothing new"], rows())
    print(f"together {time.process_time() - began:.1f} s")
