"""What a scenario has more than buy-and-hold, session by session, and the sums that tests need of it.

Sums of blocks of sessions are small enough to be kept of scenarios whose days are not.
"""

from typing import NamedTuple

import numpy as np

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
    begins = np.cumsum(block_lengths(len(series))) - block_lengths(len(series))
    centred = series - series.mean()
    variance = float(np.mean(centred**2))
    spread = variance**0.5 > NO_SPREAD
    return Sums(
        totals=np.add.reduceat(series, begins),
        squares=np.add.reduceat(series**2, begins),
        skewness=float(np.mean(centred**3)) / variance**1.5 if spread else 0.0,
        kurtosis=float(np.mean(centred**4)) / variance**2 if spread else 3.0,
    )


def moments_of(sums: Sums, sessions: int) -> Moments:
    """Return the moments of the sessions that sums were taken of."""
    mean = float(sums.totals.sum()) / sessions
    spread = max(float(sums.squares.sum()) - sessions * mean**2, 0.0) ** 0.5 / (sessions - 1) ** 0.5
    ratio = mean / spread if spread > NO_SPREAD else 0.0
    return Moments(mean, spread, ratio, sums.skewness, sums.kurtosis)
