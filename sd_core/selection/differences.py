"""What a scenario has more than buy-and-hold, session by session, and the sums that tests need of it.

Sums of blocks of sessions are small enough to be kept of scenarios whose days are not.
"""

import math
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numba import njit

from sd_core.market.arrays import Floats, Integers
from sd_core.metrics.ratios import NO_SPREAD, deviation

# Blocks of sessions, in order and as long as each other but for one session.
BLOCKS = 16
# What is kept of a series: a total and a total of squares by block, skewness and kurtosis.
NUMBERS = 2 * BLOCKS + 2
# Fewer sessions in a block have no spread.
FEWEST_SESSIONS = 2 * BLOCKS


class Differences(NamedTuple):
    """Differences to buy-and-hold by session, each shape (sessions,).

    Attributes:
        growth: of log returns.
        sharpe: of excess returns over cash, those of the scenario scaled to the volatility of buy-and-hold: their mean
            is the difference of the Sharpe ratios times that volatility.
    """

    growth: Floats
    sharpe: Floats


MEASURES = Differences._fields


# A number of one series, or of several, an array of them.
Number = TypeVar("Number", float, Floats)


class Moments(NamedTuple, Generic[Number]):
    """Mean and deviation (ddof 1) of a session's difference, their ratio, and its skewness and kurtosis.

    Skewness and kurtosis of equal differences are 0 and 3, as of a normal distribution.
    """

    mean: Number
    deviation: Number
    ratio: Number
    skewness: Number
    kurtosis: Number


def differences(returns: Floats, holding: Floats, cash: Floats) -> Differences | None:
    """Return what a scenario has more than buy-and-hold; None where one of them cannot be compared.

    Args:
        returns: of the scenario by session, fractions, NaN where there is none.
        holding: those of buy-and-hold.
        cash: what cash returned in these sessions.
    """
    if not (np.minimum(returns, holding) > -1.0).all():  # NaN compares false
        return None
    excess, of_holding = returns - cash, holding - cash
    spread = deviation(excess)
    if not spread > NO_SPREAD:
        return None
    return Differences(np.log1p(returns) - np.log1p(holding), excess * (deviation(of_holding) / spread) - of_holding)


def block_lengths(sessions: int) -> Integers:
    """Return how many sessions each block has, the longer ones first.

    >>> block_lengths(34).tolist()
    [3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    return np.full(BLOCKS, sessions // BLOCKS) + (np.arange(BLOCKS) < sessions % BLOCKS)


def sums_of(series: Floats) -> Floats:
    """Return what is kept of a series of at least :data:`FEWEST_SESSIONS` differences, shape (:data:`NUMBERS`,).

    These are the totals of the blocks, those of the squares, skewness and kurtosis.
    """
    sums = np.empty(NUMBERS)
    _sum_up(series, block_lengths(len(series)), sums)
    return sums


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_up(series, lengths, packed):  # type: ignore[no-untyped-def]
    """Fill in what is kept of a series: totals by block, squares by block, skewness and kurtosis."""
    blocks, begin, total = len(lengths), 0, 0.0
    packed[:] = 0.0
    for block in range(blocks):
        for session in range(begin, begin + lengths[block]):
            packed[block] += series[session]
            packed[blocks + block] += series[session] * series[session]
        begin += lengths[block]
        total += packed[block]
    mean = total / len(series)
    second, third, fourth = 0.0, 0.0, 0.0
    for value in series:
        square = (value - mean) * (value - mean)
        second += square
        third += square * (value - mean)
        fourth += square * square
    variance = second / len(series)
    varies = math.sqrt(variance) > NO_SPREAD
    packed[2 * blocks] = third / len(series) / (variance * math.sqrt(variance)) if varies else 0.0
    packed[2 * blocks + 1] = fourth / len(series) / (variance * variance) if varies else 3.0


def packed_sums(returns: Floats, holding: Floats, cash: Floats) -> Floats:
    """Return the sums of many scenarios at once, for keeping.

    Args:
        returns: of the scenarios, shape (scenarios, sessions); else as :func:`differences` takes them.

    Returns:
        As :func:`sums_of` by measure, shape (scenarios, measures, numbers); NaN where a scenario cannot be compared.
    """
    packed = np.full((len(returns), len(MEASURES), NUMBERS), np.nan)
    if (holding > -1.0).all():  # NaN compares false
        with np.errstate(invalid="ignore", divide="ignore"):
            growth = np.log1p(returns)
        growth -= np.log1p(holding)
        _pack(returns, growth, holding - cash, cash, block_lengths(returns.shape[1]), packed)
    return packed


@njit(cache=True, nogil=True, error_model="numpy")
def _pack(returns, growth, of_holding, cash, lengths, packed):  # type: ignore[no-untyped-def]
    """Fill in the sums of scenarios that can be compared, from their returns and their differences in growth."""
    spread_of_holding = deviation(of_holding)
    for scenario in range(len(returns)):
        excess = returns[scenario] - cash
        spread = deviation(excess)
        if not (returns[scenario] > -1.0).all() or not spread > NO_SPREAD:
            continue
        _sum_up(growth[scenario], lengths, packed[scenario, 0])
        _sum_up(excess * (spread_of_holding / spread) - of_holding, lengths, packed[scenario, 1])


def moments_of(sums: Floats, sessions: int) -> Moments[Floats]:
    """Return the moments of series of so many sessions, from their sums, shape (…, numbers)."""
    mean = sums[..., :BLOCKS].sum(axis=-1) / sessions
    squares = sums[..., BLOCKS : 2 * BLOCKS].sum(axis=-1)
    spread = np.sqrt(np.maximum(squares - sessions * mean**2, 0.0)) / (sessions - 1) ** 0.5
    ratio = np.divide(mean, spread, out=np.zeros_like(mean), where=spread > NO_SPREAD)
    return Moments(mean, spread, ratio, sums[..., -2], sums[..., -1])
