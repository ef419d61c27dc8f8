"""What a scenario has more than buy-and-hold, session by session, and the sums that tests need of it.

Sums of blocks of sessions are small enough to be kept of scenarios whose days are not.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.market.arrays import Floats, Integers
from sd_core.metrics.ratios import NO_SPREAD, deviation

# Blocks of sessions, in order and as long as each other but for one session.
BLOCKS = 16
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


class Sums(NamedTuple):
    """What is known of a series of differences once its sessions are gone.

    Attributes:
        totals, squares: of the differences, and of their squares, by block, shape (blocks,).
        skewness, kurtosis: of the differences; 0 and 3 of equal ones, as of a normal distribution.
    """

    totals: Floats
    squares: Floats
    skewness: float
    kurtosis: float


class Moments(NamedTuple):
    """Mean and deviation (ddof 1) of a session's difference, their ratio, and its shape; see :class:`Sums`."""

    mean: float
    deviation: float
    ratio: float
    skewness: float
    kurtosis: float


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


def sums_of(series: Floats) -> Sums:
    """Return the sums of a series of at least :data:`FEWEST_SESSIONS` differences."""
    packed = np.empty(2 * BLOCKS + 2)
    _sum_up(series, block_lengths(len(series)), packed)
    return _unpacked_one(packed)


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
    """Return the sums of many scenarios at once, for keeping: by measure totals, squares, skewness and kurtosis.

    Args:
        returns: of the scenarios, shape (scenarios, sessions); else as :func:`differences` takes them.

    Returns:
        Shape (scenarios, numbers), for :func:`unpacked`; NaN where a scenario cannot be compared.
    """
    packed = np.full((len(returns), len(MEASURES) * (2 * BLOCKS + 2)), np.nan)
    if (holding > -1.0).all():  # NaN compares false
        with np.errstate(invalid="ignore", divide="ignore"):
            growth = np.log1p(returns)
        growth -= np.log1p(holding)
        _pack(returns, growth, holding - cash, cash, block_lengths(returns.shape[1]), packed)
    return packed


@njit(cache=True, nogil=True, error_model="numpy")
def _pack(returns, growth, of_holding, cash, lengths, packed):  # type: ignore[no-untyped-def]
    """Fill in the sums of scenarios that can be compared, from their returns and their differences in growth."""
    spread_of_holding, numbers = deviation(of_holding), packed.shape[1] // 2
    for scenario in range(len(returns)):
        excess = returns[scenario] - cash
        spread = deviation(excess)
        if not (returns[scenario] > -1.0).all() or not spread > NO_SPREAD:
            continue
        _sum_up(growth[scenario], lengths, packed[scenario, :numbers])
        _sum_up(excess * (spread_of_holding / spread) - of_holding, lengths, packed[scenario, numbers:])


def unpacked(packed: Floats) -> list[Sums] | None:
    """Return the sums of one scenario by measure; None where it could not be compared."""
    if np.isnan(packed).any():
        return None
    return list(map(_unpacked_one, np.split(packed, len(MEASURES))))


def _unpacked_one(packed: Floats) -> Sums:
    return Sums(packed[:BLOCKS], packed[BLOCKS : 2 * BLOCKS], float(packed[-2]), float(packed[-1]))


def moments_of(sums: Sums, sessions: int) -> Moments:
    """Return the moments of the sessions that sums were taken of."""
    mean = float(sums.totals.sum()) / sessions
    spread = max(float(sums.squares.sum()) - sessions * mean**2, 0.0) ** 0.5 / (sessions - 1) ** 0.5
    ratio = mean / spread if spread > NO_SPREAD else 0.0
    return Moments(mean, spread, ratio, sums.skewness, sums.kurtosis)
