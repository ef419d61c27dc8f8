"""The money-weighted return of a scenario: the one number that SQL cannot compute, since it solves an equation.

Time-weighted returns and every other metric belong in ``sql``.
"""

import numpy as np

from sd_core.market.arrays import Dates, Floats
from sd_core.metrics.returns import Rows

DAYS_PER_YEAR = 365
# Yearly returns between which a solution is looked for: total loss, and ten thousand times the money in a year.
LOWEST, HIGHEST = -1 + 1e-9, 1e4


def xirr(dates: Dates, flows: Floats) -> float | None:
    """Return the yearly rate r at which the flows are worth nothing: sum of flow / (1 + r) ** (days / 365) = 0.

    Args:
        dates: of the flows, datetime64[D], ascending.
        flows: money, negative where it goes in, positive where it comes out.

    Returns:
        A fraction per year, or None where no rate between total loss and ten thousandfold solves the equation, as where
        nothing comes out, or where all dates are the same.

    >>> days = ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"]
    >>> round(xirr(np.array(days, "datetime64[D]"), np.array([-10000.0, 2750, 4250, 3250, 2750])), 6)
    0.373363
    """
    # Takes a third of a second to import, and only simulations have need of it.
    from scipy.optimize import brentq

    years = (dates - dates[0]).astype(np.float64) / DAYS_PER_YEAR

    def worth(rate: float) -> float:
        return float(np.sum(flows * (1 + rate) ** -years))

    low, high = worth(LOWEST), worth(HIGHEST)
    if years[-1] == 0 or not np.isfinite(low) or low * high >= 0:
        return None
    return float(brentq(worth, LOWEST, HIGHEST, xtol=1e-13, rtol=1e-13))


def money_weighted_return(daily: Rows, sessions: Dates, capital: float) -> float | None:
    """Return the :func:`xirr` of a scenario: capital and deposits go in, withdrawals and the final value come out."""
    flows = daily["withdrawals"] - daily["deposits"]
    flows[0] -= capital
    flows[-1] += daily["value"][-1]
    moved = flows != 0
    moved[0] = True
    return xirr(sessions[moved], flows[moved])
