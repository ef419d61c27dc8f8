"""What the record of a satellite comes to at an evaluation: its returns and round trips as five measures.

What they make of its target belongs in ``allocator``.
"""

import math

import numpy as np
from numba import njit

from sd_core.market.arrays import DAYS_PER_CALENDAR_YEAR, Floats
from sd_core.metrics.ratios import NO_SPREAD, sharpe, sortino


def measures_of(
    returns: Floats, excess: Floats, gains: Floats, days: float, periods_per_year: float
) -> tuple[float, float, float, float, float]:
    """Return Sharpe ratio, Sortino ratio, profit factor, win rate and Calmar ratio of a window; NaN for none.

    Args:
        returns: of the index by session, fractions.
        excess: the same less what cash earned.
        gains: money that each round trip closed in the window gained, after fees, with its dividends.
        days: from the close before the window to its last.
        periods_per_year: that ratios are annualised with.

    Returns:
        The profit factor is infinite where gains meet no loss. All are NaN for fewer than two returns.
    """
    if len(returns) < 2:
        return math.nan, math.nan, math.nan, math.nan, math.nan
    growth, deepest = _growth_and_deepest_fall(returns)
    calmar = math.nan
    if deepest > NO_SPREAD and days > 0.0:
        calmar = (growth ** (DAYS_PER_CALENDAR_YEAR / days) - 1.0) / deepest
    profit_factor, win_rate = math.nan, math.nan
    if len(gains) > 0:
        lost = -np.minimum(gains, 0.0).sum()
        profit_factor = np.maximum(gains, 0.0).sum() / lost if lost > 0.0 else math.inf
        win_rate = (gains > 0.0).sum() / len(gains)
    return sharpe(excess, periods_per_year), sortino(excess, periods_per_year), profit_factor, win_rate, calmar


@njit(cache=True)
def _growth_and_deepest_fall(returns: Floats) -> tuple[float, float]:
    """Return what 1 grows to, and how far it fell at most below what it had grown to before, a fraction."""
    growth, peak, deepest = 1.0, 1.0, 0.0
    for each in returns:
        growth *= max(1.0 + each, 0.0)
        peak = max(peak, growth)
        deepest = max(deepest, 1.0 - growth / peak)
    return growth, deepest
