"""What explains the returns of a portfolio: a regression of its excess returns on those of factors.

How factors are read belongs in ``market``, what follows from many regressions in ``sql``.
"""

from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import Dates, Floats, month_numbers
from sd_core.market.factors import FactorReturns
from sd_core.metrics.regression import Regression, regress

FEWEST_ROWS = 60
MONTHS_PER_YEAR = 12
# Between two common dates no more days than a long holiday has; beyond, the file has a hole.
MOST_DAYS = 10


class Rows(NamedTuple):
    """Stretches over which a portfolio and all factors have a return.

    Attributes:
        first, last: positions in the sessions from whose close to whose close each runs, shape (rows,).
        factors: returns, fractions, shape (rows, factors).
    """

    first: np.ndarray
    last: np.ndarray
    factors: Floats


class Explained(NamedTuple):
    """What factors explain of a portfolio; ``regression`` is None where ``missing`` says why."""

    rows: int
    factor_means: Floats
    mean_excess: float
    regression: Regression | None
    missing: str | None


def rows_of(factors: FactorReturns, sessions: Dates, has_month_ended: bool) -> Rows:
    """Return the stretches of sessions that factors cover.

    Of daily factors they run from each session that the file has to the next such one, over which the factors of all
    dates between are compounded. Of monthly factors they are whole months: from the last session of one to that of the
    next.

    Args:
        factors: by date.
        sessions: ascending.
        has_month_ended: whether no session of the last one's month is to come.
    """
    if factors.frequency == "monthly":
        return _months(factors, sessions, has_month_ended)
    common, first, last = np.intersect1d(sessions, factors.dates, assume_unique=True, return_indices=True)
    grown = np.cumprod(1.0 + np.nan_to_num(factors.returns), axis=0)
    gaps = np.cumsum(np.isnan(factors.returns).any(axis=1))
    returns = grown[last[1:]] / grown[last[:-1]] - 1.0
    sound = (np.diff(common).astype(int) <= MOST_DAYS) & (gaps[last[1:]] == gaps[last[:-1]])
    return Rows(first[:-1][sound], first[1:][sound], returns[sound])


def _months(factors: FactorReturns, sessions: Dates, has_month_ended: bool) -> Rows:
    months = month_numbers(sessions)
    ends = np.flatnonzero(np.diff(months, append=months[-1] + has_month_ended))
    begins, ends = ends[:-1], ends[1:]
    follows = months[ends] == months[begins] + 1
    begins, ends = begins[follows], ends[follows]
    places = np.searchsorted(month_numbers(factors.dates), months[ends])
    known = places < len(factors.dates)
    known[known] = month_numbers(factors.dates)[places[known]] == months[ends][known]
    begins, ends, returns = begins[known], ends[known], factors.returns[places[known]]
    sound = np.isfinite(returns).all(axis=1)
    return Rows(begins[sound], ends[sound], returns[sound])


def explain(rows: Rows, growth: Floats, cash: Floats) -> Explained:
    """Regress a portfolio's excess returns over stretches on those of factors.

    Args:
        rows: the stretches.
        growth: of 1 in the portfolio, by session; 0 once all was lost.
        cash: of 1 in cash, by session.
    """
    alive = growth[rows.first] > 0.0
    first, last, factors = rows.first[alive], rows.last[alive], rows.factors[alive]
    excess = growth[last] / growth[first] - cash[last] / cash[first]
    count = len(excess)
    if count < FEWEST_ROWS:
        return Explained(count, np.full(factors.shape[1], np.nan), np.nan, None, f"fewer than {FEWEST_ROWS} rows")
    found = regress(excess, factors)
    missing = None if found is not None else "a factor does not move, or follows from the others"
    return Explained(count, factors.mean(axis=0), float(excess.mean()), found, missing)
