"""Scores of assets, and what is in proportion to them: weights, budgets of risk, and which assets may be held."""

import numpy as np

from sd_core.construction.history import Window
from sd_core.market.arrays import Floats

# The part of a budget of risk that all assets share alike, whatever their scores.
SHARED = 0.5


def shrunk_sharpe(window: Window, periods_per_year: float) -> Floats:
    """Return the yearly Sharpe ratio of each asset that may be held, shrunk towards their mean, shape (assets,).

    ``s̄ + k (sᵢ - s̄)`` with ``k = max(0, 1 - (1/years) / var(s))``: the ratio of a few years is known to about
    1/√years (Lo 2002), and where the assets differ by no more than that it does not distinguish them (James and Stein
    1961).
    """
    deviations = window.returns.std(axis=0, ddof=1)
    ratios = (window.returns.mean(axis=0) - window.cash) / deviations * np.sqrt(periods_per_year)
    mean = ratios.mean()
    if len(ratios) < 2 or not (spread := ratios.var(ddof=1)) > 0.0:
        return np.full(len(ratios), mean)
    years = len(window.returns) / periods_per_year
    return np.asarray(mean + max(0.0, 1.0 - 1.0 / years / spread) * (ratios - mean))


def proportional(scores: Floats) -> Floats:
    """Return weights in proportion to scores above 0, which sum to 1; all 0 where no score is. NaN is no score.

    >>> proportional(np.array([3.0, -2.0, 1.0, np.nan])).tolist()
    [0.75, 0.0, 0.25, 0.0]
    """
    positive = np.where(scores > 0.0, scores, 0.0)
    total = positive.sum()
    return positive / total if total > 0.0 else positive


def budgets_by_score(scores: Floats) -> Floats:
    """Return shares of risk, half of them alike and half in proportion to scores; alike where no score is above 0.

    >>> budgets_by_score(np.array([3.0, -2.0, 1.0, 0.0])).tolist()
    [0.5, 0.125, 0.25, 0.125]
    """
    alike = np.full(len(scores), 1.0 / len(scores))
    follow = proportional(scores)
    return SHARED * alike + (1.0 - SHARED) * follow if follow.any() else alike
