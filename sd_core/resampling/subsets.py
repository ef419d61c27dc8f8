"""Portfolios of some of the assets: does income become steadier when they move less together?

The slope that is fitted through them belongs in ``sql``.
"""

import dataclasses
import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import last_known, month_numbers
from sd_core.market.panel import Panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Kind, SimulationResult
from sd_core.simulation.rules import Rules

VERSION = "1"

# Enough to see a slope, few enough for a second or two.
MOST_SUBSETS = 500
MOST_ASSETS = 5
FEWEST_ASSETS = 2


class Subset(NamedTuple):
    """One portfolio of some of the assets.

    Attributes:
        tickers: its assets, in the study's order.
        average_correlation: mean over its pairs of the correlation of daily log returns, whole period.
        mean_volatility: mean over its assets of the standard deviation (ddof 1) of the same returns, a fraction per
            year of :func:`sd_core.market.panel.periods_per_year` sessions.
        income_variability: standard deviation (ddof 1) of the income of calendar months over the value at the end of
            the month before, a fraction per month; None for fewer than two months.
    """

    tickers: tuple[str, ...]
    average_correlation: float
    mean_volatility: float
    income_variability: float | None


def subset_outcomes(panel: Panel, rules: Rules, seed: int) -> list[Subset]:
    """Simulate a scenario for portfolios of a few of its assets: all of one size, or a sample of them.

    Args:
        panel: the market.
        rules: of the scenario. Weights are scaled to sum to 1 in each portfolio; assets of weight 0 stay out.
        seed: of the sample; the same seed draws the same portfolios.

    Returns:
        Portfolios of half the assets, at least 2 and at most 5, at most 500 of them; none where there are fewer than
        four assets, since then there is nothing to choose.
    """
    weighted = np.flatnonzero(rules.weights > 0)
    size = min(MOST_ASSETS, len(weighted) // 2)
    if size < FEWEST_ASSETS:
        return []
    chosen = _choices(len(weighted), size, seed)
    logs = np.diff(np.log(last_known(panel.close[:, weighted])), axis=0)
    volatility = np.std(logs, axis=0, ddof=1) * math.sqrt(panel.periods_per_year)
    with np.errstate(invalid="ignore", divide="ignore"):  # an asset that never moves correlates with nothing
        correlation = np.corrcoef(logs, rowvar=False)
    found = []
    for members in chosen:
        part, part_rules = _part(panel, rules, weighted[list(members)])
        (result,) = simulate(part, [part_rules], workers=1)
        pairs = [correlation[one, other] for one, other in combinations(members, 2)]
        found.append(
            Subset(
                part.tickers,
                average_correlation=float(np.mean(pairs)),
                mean_volatility=float(np.mean(volatility[list(members)])),
                income_variability=income_variability(result, panel, rules.capital),
            )
        )
    return [subset for subset in found if not math.isnan(subset.average_correlation)]


def _choices(assets: int, size: int, seed: int) -> Sequence[tuple[int, ...]]:
    """Return every choice of so many assets, or a sample of them in ascending order."""
    if math.comb(assets, size) <= MOST_SUBSETS:
        return list(combinations(range(assets), size))
    generator = np.random.default_rng(seed)
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) < MOST_SUBSETS:
        chosen.add(tuple(sorted(generator.choice(assets, size, replace=False).tolist())))
    return sorted(chosen)


def _part(panel: Panel, rules: Rules, members: np.ndarray) -> tuple[Panel, Rules]:
    """Return the market and the rules of some assets alone."""
    prices = {name: getattr(panel, name)[:, members] for name in ("open", "high", "low", "close", "dividends")}
    weights = rules.weights[members]
    by_asset = {name: getattr(rules, name)[members] for name in ("brackets", "profit_shares", "lot_sizes")}
    return (
        dataclasses.replace(panel, tickers=tuple(panel.tickers[member] for member in members), **prices),
        dataclasses.replace(rules, weights=weights / weights.sum(), candidates=(), **by_asset),
    )


def income_variability(result: SimulationResult, panel: Panel, capital: float) -> float | None:
    """Return the standard deviation (ddof 1) of monthly income over the value before; None for fewer than two months.

    Income is dividends, interest and net harvest.
    """
    months = month_numbers(panel.sessions)
    months -= months[0]
    count = int(months[-1]) + 1
    if count < 2:
        return None
    booked = result.ledger[np.isin(result.ledger["kind"], [Kind.SELL, Kind.BUY])]
    income = np.bincount(months, weights=result.daily["income"], minlength=count) + np.bincount(
        months[booked["session"]], weights=booked["amount"], minlength=count
    )
    # The last value of each month; a month without a session keeps the one before.
    last = np.searchsorted(months, np.arange(count), side="right") - 1
    before = np.append(capital, result.daily["value"][last[:-1]])
    return float(np.std(income / before, ddof=1))
