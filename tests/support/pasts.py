"""Pasts that mixes decide from, drawn from a seed, and cases of their methods that need no past."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sd_core.construction.decisions import Asked, Decision, decide
from sd_core.construction.history import History, Window
from sd_core.construction.limits import limits_of
from sd_core.construction.optimisers import Case, Estimates
from sd_core.study.mixes import Mix

TICKERS = ("AAA", "BBB", "CCC", "DDD", "EEE")
CLASSES = ("bonds", "bonds", "shares", "shares", "gold")


def past(sessions: int = 500, assets: int = 5, seed: int = 1, drift: float = 0.0, **others: Any) -> History:
    """Return a past of weekdays from 2015 on: returns with one common factor, volatilities and drifts of their own."""
    draw = np.random.default_rng(seed)
    common = draw.standard_normal((sessions, 1))
    own = draw.standard_normal((sessions, assets))
    returns = (
        drift + np.linspace(0.0004, 0.0001, assets) + np.linspace(0.012, 0.004, assets) * (0.6 * common + 0.8 * own)
    )
    dates = np.arange(np.datetime64("2015-01-01"), np.datetime64("2015-01-01") + 2 * sessions)
    return History(
        **{
            "tickers": TICKERS[:assets],
            "classes": CLASSES[:assets],
            "weights": np.full(assets, 1.0 / assets),
            "sessions": dates[np.is_busday(dates)][:sessions],
            "returns": returns,
            "has_bar": np.ones((sessions, assets), dtype=bool),
            "cash": np.full(sessions, 0.00005),
            "next_session": None,
            "periods_per_year": 252,
            "fee_rate": 0.001,
            **others,
        }
    )


def decided(history: History, known: Mapping[str, Decision] | None = None, **mix: Any) -> list[Decision]:
    """Return what one mix decides on a past, with a window of 60 returns unless it says otherwise."""
    return list(decide(history, Asked("own", {"own": Mix(**{"window": 60, **mix})}), known))


def case_of(matrix: np.ndarray, returns: np.ndarray | None = None, means: Any = 0.0, **mix: Any) -> Case:
    """Return the case of a mix for a covariance, and for the returns of a window where the method looks at them."""
    count = len(matrix)
    seen = np.zeros((3, count)) if returns is None else returns
    window = Window(np.arange(count), {}, seen, 0.0, len(seen))
    tickers = tuple(f"T{at}" for at in range(count))
    history = past(2, count, tickers=tickers, classes=tickers)
    chosen = Mix(**mix)
    budgets = np.array(list((chosen.budget or dict.fromkeys(tickers, 1.0)).values()))
    return Case(
        chosen,
        window,
        Estimates(np.zeros(count) + means, matrix),
        limits_of(chosen, history, window, np.full(count, 1.0 / count), None),
        budgets / budgets.sum(),
        0.0,
    )
