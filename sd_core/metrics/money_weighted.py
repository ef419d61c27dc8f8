"""The money-weighted return of a scenario: the one number that SQL cannot compute, since it solves an equation.

Time-weighted returns and every other metric belong in ``sql``.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.market.arrays import Dates, Floats
from sd_core.metrics.returns import Rows
from sd_core.metrics.roots import root

DAYS_PER_YEAR = 365
# Rates that differ by less are one rate: rounding.
SAME_RATE = 1e-9
# Newton's method ends with a step of no more than this, beside 1 or the logarithm of 1 + the rate.
LEAST_STEP = 1e-15
MOST_STEPS = 200


class MoneyWeighted(NamedTuple):
    """A yearly rate as a fraction, or why there is none; one of the two is None."""

    rate: float | None
    missing: str | None


def xirr(dates: Dates, flows: Floats) -> MoneyWeighted:
    """Return the yearly rate r at which the flows are worth nothing: sum of flow / (1 + r) ** (days / 365) = 0.

    Every rate above a total loss is found, however long or short the time: the equation is solved for ln(1 + r), in
    which nothing overflows. Where the flows change their direction more than once, several rates may solve it, and
    none of them is the return.

    Args:
        dates: of the flows, datetime64[D], ascending.
        flows: money, negative where it goes in, positive where it comes out.

    >>> days = ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"]
    >>> round(xirr(np.array(days, "datetime64[D]"), np.array([-10000.0, 2750, 4250, 3250, 2750])).rate, 6)
    0.373363
    """
    if not np.isfinite(flows).all():
        return MoneyWeighted(None, "a flow of money is no finite number")
    moved = flows != 0
    days, which = np.unique(dates[moved], return_inverse=True)
    amounts = np.bincount(which, weights=flows[moved])
    years = (days[amounts != 0] - dates[0]).astype(np.float64) / DAYS_PER_YEAR
    amounts = amounts[amounts != 0]
    if len(amounts) == 0 or amounts.min() > 0 or amounts.max() < 0:
        return MoneyWeighted(None, "all money goes the same way")
    with np.errstate(over="ignore"):
        rates = np.expm1(_log_rates(years, amounts))
    if len(rates) == 0:
        return MoneyWeighted(None, "no rate solves the equation")
    if len(rates) > 1:
        return MoneyWeighted(None, f"several rates solve the equation: {', '.join(f'{rate:.2%}' for rate in rates)}")
    if not math.isfinite(rates[0]):
        return MoneyWeighted(None, "the rate is too high for a number")
    return MoneyWeighted(float(rates[0]), None)


def money_weighted_return(daily: Rows, sessions: Dates, capital: float) -> MoneyWeighted:
    """Return the :func:`xirr` of a scenario: capital and deposits go in, withdrawals and the final value come out."""
    flows = daily["withdrawals"] - daily["deposits"]
    flows[0] -= capital
    flows[-1] += daily["value"][-1]
    return xirr(sessions, flows)


@njit(cache=True, nogil=True, error_model="numpy")
def only_rate(years, flows):  # type: ignore[no-untyped-def]
    """Return the :func:`xirr` of flows that change their direction once, for compiled code; NaN where they do not.

    Such flows have one rate at most, which Newton's method finds between two bounds, in a fraction of the time.

    Args:
        years: from the first session to each flow, ascending.
        flows: money, none of it 0, shape (years,).
    """
    changes = 0
    for number in range(1, len(flows)):
        changes += (flows[number] > 0.0) != (flows[number - 1] > 0.0)
    if changes != 1 or not np.isfinite(flows).all():
        return math.nan
    sizes = np.abs(flows)
    low = -math.log(1.0 + sizes[:-1].sum() / sizes[-1]) / (years[-1] - years[-2])
    high = math.log(1.0 + sizes[1:].sum() / sizes[0]) / (years[1] - years[0])
    rises = flows[-1] < 0.0  # what comes in last counts for less, the higher the rate
    place = (low + high) / 2.0
    for _ in range(MOST_STEPS):
        worth, slope = _worth_and_slope(place, years, flows)
        if worth == 0.0:
            break
        if (worth > 0.0) == rises:
            high = place
        else:
            low = place
        following = place - worth / slope
        if not low < following < high:
            following = (low + high) / 2.0
        step = abs(following - place)
        place = following
        if step <= LEAST_STEP * max(1.0, abs(place)):
            break
    return math.expm1(place)


@njit(cache=True, nogil=True, error_model="numpy")
def _worth_and_slope(place, years, flows):  # type: ignore[no-untyped-def]
    """Return sum of flow * exp(-place * years) and its derivative, both over the largest of the factors."""
    largest = max(-place * years[0], -place * years[-1])
    worth, slope = 0.0, 0.0
    for number in range(len(flows)):
        term = flows[number] * math.exp(-place * years[number] - largest)
        worth += term
        slope -= years[number] * term
    return worth, slope


def _log_rates(years: Floats, flows: Floats) -> Floats:
    """Return every x with sum of flow * exp(-x * years) = 0, ascending; no flow is 0, and not all have one sign.

    Such a sum has no more zeros than its coefficients change sign (the rule of Descartes for exponentials). Between two
    zeros lies one of its derivative, once it is multiplied by exp(x * pivot), which moves no zero. With the pivot
    between two flows of opposite signs, the derivative changes sign once less: so down to one zero, and back.
    """
    sums = [flows]
    while len(changes := np.flatnonzero(np.diff(np.sign(sums[-1])))) > 1:
        pivot = (years[changes[0]] + years[changes[0] + 1]) / 2
        derivative = sums[-1] * (pivot - years)
        sums.append(derivative / np.abs(derivative).max())
    zeros = np.empty(0)
    for coefficients in reversed(sums):
        ends = _bounds(years, coefficients)
        places = np.concatenate([ends[:1], zeros[(zeros > ends[0]) & (zeros < ends[1])], ends[1:]])
        worths = np.array([_worth(place, years, coefficients) for place in places])
        crossed = np.flatnonzero(np.sign(worths[:-1]) * np.sign(worths[1:]) < 0)
        found = [
            root(partial(_worth, years=years, flows=coefficients), places[at], places[at + 1], xtol=1e-15, rtol=1e-15)
            for at in crossed
        ]
        zeros = np.array(sorted({*found, *places[worths == 0]}))
    return zeros[np.diff(zeros, prepend=-np.inf) > SAME_RATE]


def _bounds(years: Floats, flows: Floats) -> Floats:
    """Return two places beyond which the last flow, and the first, outweigh all others together: no zero lies there."""
    sizes = np.abs(flows)
    low = -math.log(1 + sizes[:-1].sum() / sizes[-1]) / (years[-1] - years[-2])
    high = math.log(1 + sizes[1:].sum() / sizes[0]) / (years[1] - years[0])
    return np.array([low, high])


def _worth(place: float, years: Floats, flows: Floats) -> float:
    """Return sum of flow * exp(-place * years) over the largest of the factors, which keeps its sign."""
    powers = -place * years
    return float(np.sum(flows * np.exp(powers - powers.max())))
