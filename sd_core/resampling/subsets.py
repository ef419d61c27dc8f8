"""Portfolios of some of the assets: does income become steadier when they move less together?

The slope that is fitted through them belongs in ``sql``.
"""

import dataclasses
import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import last_known
from sd_core.market.panel import Panel
from sd_core.metrics.income import income_variability
from sd_core.simulation.engine import simulate
from sd_core.simulation.layout import lay_out_part
from sd_core.simulation.rules import Rules

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
        seed: of the sample; the same seed gives the same portfolios.

    Returns:
        Portfolios of half the assets, at least 2 and at most 5, at most 500 of them; none where there are fewer than
        four assets, since then there is nothing to choose.
    """
    weighted = np.flatnonzero(rules.targets.in_force(panel.sessions[0]) > 0)
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
                income_variability=income_variability(result.daily, result.ledger, part.sessions, rules.capital),
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
    prices = {
        name: getattr(panel, name).take(members, axis=1) for name in ("open", "high", "low", "close", "dividends")
    }
    edges = None if rules.band_edges is None else rules.band_edges[members]
    by_asset = {name: getattr(rules, name)[members] for name in ("brackets", "profit_shares", "lot_sizes")}
    part = dataclasses.replace(panel, tickers=tuple(panel.tickers[member] for member in members), **prices)
    lay_out_part(part, panel, members)
    return (
        part,
        dataclasses.replace(rules, targets=rules.targets.of(members), band_edges=edges, candidates=(), **by_asset),
    )
