"""How much of its weights a mix holds where their volatility is above its target."""

import numpy as np

from sd_core.construction.history import History, between
from sd_core.construction.rounding import WHOLE, Points
from sd_core.market.arrays import Floats

# By how much a return counts less than the one after it (RiskMetrics 1996).
DECAY = 0.94


def expected_volatility(returns: Floats, periods_per_year: float) -> float:
    """Return the yearly volatility of returns by exponential weights, about a mean of 0; shape of returns (rows,).

    ``√(periods · Σ λᵏ r²ₜ₋ₖ / Σ λᵏ)`` with λ = 0.94. Of the returns of a portfolio it is ``√(periods · w'Σ̂w)`` for the
    covariance by the same weights.
    """
    weights = DECAY ** np.arange(len(returns))[::-1]
    return float(np.sqrt(periods_per_year * (weights @ returns**2) / weights.sum()))


def volatility_scale(history: History, points: Points, place: int, window: int, target: float) -> float:
    """Return the share of target weights whose expected volatility is at most a target, at most 1.

    The window's sessions count on which all that is held has a bar; with fewer than two of them nothing is known, and
    all is held.

    Args:
        history: the past.
        points: target weights in basis points, shape (assets,).
        place: the position of the decision, at least ``window``.
        window: how many returns back.
        target: yearly volatility.
    """
    held = np.flatnonzero(points)
    first = place - window
    rows = np.flatnonzero(history.has_bar[first : place + 1][:, held].all(axis=1))
    returns = between(history.returns[first + 1 : place + 1][:, held], rows)
    if not len(held) or len(returns) < 2:
        return 1.0
    volatility = expected_volatility(np.ascontiguousarray(returns) @ (points[held] / WHOLE), history.periods_per_year)
    return min(1.0, target / volatility) if volatility > 0.0 else 1.0
