"""What the returns of a portfolio come to, for portfolios whose days are not stored.

The formulas are those of ``sql/macros.sql``, once more; the tests hold both to the same numbers.
"""

from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import DAYS_PER_CALENDAR_YEAR, Floats
from sd_core.metrics.measures import Calendar
from sd_core.metrics.ratios import deviation, sharpe


class Performance(NamedTuple):
    """The measures of a portfolio; None where there are not enough observations.

    Attributes:
        cagr: compound annual growth rate, a fraction.
        volatility: standard deviation (ddof 1) of returns, a fraction per year.
        sharpe: mean excess return over its standard deviation (ddof 1), per year.
        max_drawdown: of the growth of 1, a fraction, 0 or negative.
    """

    cagr: float | None
    volatility: float | None
    sharpe: float | None
    max_drawdown: float


def performance(returns: Floats, calendar: Calendar) -> Performance:
    """Return the measures of a portfolio.

    Args:
        returns: by session, fractions; NaN where there is none.
        calendar: of these sessions.
    """
    known = ~np.isnan(returns)
    growth = np.cumprod(np.maximum(1.0 + np.where(known, returns, 0.0), 0.0))
    drawdowns = growth / np.maximum(np.maximum.accumulate(growth), 1.0) - 1.0
    excess = (returns - calendar.risk_free_return)[known]
    return Performance(
        cagr=float(growth[-1] ** (DAYS_PER_CALENDAR_YEAR / calendar.days) - 1.0) if calendar.days > 0 else None,
        volatility=_known(deviation(returns[known]) * np.sqrt(calendar.periods_per_year)),
        sharpe=_known(sharpe(excess, calendar.periods_per_year)),
        max_drawdown=float(drawdowns.min()),
    )


def _known(number: float) -> float | None:
    """Return a number; None for NaN."""
    return None if np.isnan(number) else float(number)
