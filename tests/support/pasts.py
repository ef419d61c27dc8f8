"""Pasts that mixes decide from, drawn from a seed, and cases of their methods that need no past."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sd_core.construction.asked import Asked
from sd_core.construction.decisions import Decision, decide
from sd_core.construction.history import History, Window
from sd_core.construction.limits import limits_of
from sd_core.construction.optimisers import Case, Estimates
from sd_core.construction.signals import Coefficients, Signals
from sd_core.construction.switches import Market
from sd_core.construction.tables import part_decisions, to_tables
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


def cut_off(history: History, place: int) -> History:
    """Return a past that ends with a session, of which the calendar knows the next one."""
    return replace(
        history,
        sessions=history.sessions[: place + 1],
        returns=history.returns[: place + 1],
        has_bar=history.has_bar[: place + 1],
        cash=history.cash[: place + 1],
        next_session=history.sessions[place + 1].item(),
    )


def signals_of(history: History, *names: str, seed: int = 5) -> Signals:
    """Return signals drawn for the last sessions of months, and coefficients of every horizon, most of them above 0.

    What is drawn of a session depends on nothing after it. Of the first asset every fifth value is missing.
    """
    places = history.decision_places("month")
    sessions = history.sessions[places]
    drawn = {name: np.random.default_rng([seed, at]).normal(size=(400, 5)) for at, name in enumerate(names)}
    values = {name: grid[: len(places), : len(history.tickers)].copy() for name, grid in drawn.items()}
    for grid in values.values():
        grid[::5, 0] = np.nan
    ended = [
        (horizon, [place for place in places if place + horizon + 1 < len(history.sessions)]) for horizon in (21, 63)
    ]
    coefficients = {
        (name, horizon): Coefficients(
            history.sessions[np.array(found, dtype=int) + horizon + 1],
            0.1 + 0.01 * drawn[name][: len(found), 0],
        )
        for name in names
        for horizon, found in ended
    }
    return Signals(history.tickers, sessions, values, {name: grid / 2 for name, grid in values.items()}, coefficients)


def market_of(history: History, seed: int = 6) -> Market:
    """Return regimes of some weeks each, unknown at first, and a probability of high variance, drawn by session."""
    draw = np.random.default_rng(seed)
    names = np.array(["bull", "bear", "sideways", "high_volatility"])[draw.integers(0, 4, 200)].repeat(
        draw.integers(3, 30, 200)
    )
    regimes = [None] * 30 + names.tolist()
    likely = np.repeat(draw.uniform(size=400), 9)
    likely[:40] = np.nan
    return Market(regimes[: len(history.sessions)], likely[: len(history.sessions)])


def decided_among(history: History, mixes: Mapping[str, Any], name: str) -> list[Decision]:
    """Return what one of several mixes decides, those that it combines first; windows are of 60 returns."""
    known = {one: Mix(**({} if "of" in keys else {"window": 60}) | keys) for one, keys in mixes.items()}
    signals = signals_of(history, "one", "two")
    asked = Asked(name, known, signals=signals, market=market_of(history))
    parts = {
        part: part_decisions(to_tables(history, part, decided_among(history, mixes, part)), len(history.tickers))
        for part in known[name].parts
    }
    return list(decide(history, replace(asked, parts=parts)))


def decided(history: History, known: Mapping[str, Decision] | None = None, **mix: Any) -> list[Decision]:
    """Return what one mix decides on a past, with a window of 60 returns unless it says otherwise."""
    return list(decide(history, Asked("own", {"own": Mix(**{"window": 60, **mix})}, market=market_of(history)), known))


def case_of(matrix: np.ndarray, returns: np.ndarray | None = None, means: Any = 0.0, **mix: Any) -> Case:
    """Return the case of a mix for a covariance, and for the returns of a window where the method looks at them."""
    count = len(matrix)
    seen = np.zeros((3, count)) if returns is None else returns
    window = Window(np.arange(count), {}, seen, 0.0, len(seen))
    tickers = tuple(f"T{at}" for at in range(count))
    history = past(2, count, tickers=tickers, classes=tickers)
    chosen = Mix(**mix)
    budgets = np.array(
        list((chosen.budget if isinstance(chosen.budget, dict) else dict.fromkeys(tickers, 1.0)).values())
    )
    return Case(
        chosen,
        window,
        Estimates(np.zeros(count) + means, matrix),
        limits_of(chosen, history, window, np.full(count, 1.0 / count), None),
        budgets / budgets.sum(),
        0.0,
    )
