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
    totals, squares, skewness, kurtosis = _sums(series)
    return Sums(totals, squares, float(skewness), float(kurtosis))


def _sums(series: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the fields of :class:`Sums` of one series or of several, shape (…, sessions)."""
    begins = np.cumsum(block_lengths(series.shape[-1])) - block_lengths(series.shape[-1])
    centred = series - series.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1)
    spreads = variance**0.5 > NO_SPREAD
    divisor = np.where(spreads, variance, 1.0)
    return (
        np.add.reduceat(series, begins, axis=-1),
        np.add.reduceat(series**2, begins, axis=-1),
        np.where(spreads, np.mean(centred**3, axis=-1) / divisor**1.5, 0.0),
        np.where(spreads, np.mean(centred**4, axis=-1) / divisor**2, 3.0),
    )


def packed_sums(returns: Floats, holding: Floats, cash: Floats) -> Floats:
    """Return the sums of many scenarios at once, for keeping: by measure totals, squares, skewness and kurtosis.

    Args:
        returns: of the scenarios, shape (scenarios, sessions); else as :func:`differences` takes them.

    Returns:
        Shape (scenarios, numbers), for :func:`unpacked`; NaN where a scenario cannot be compared.
    """
    excess, of_holding = returns - cash, holding - cash
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.std(excess, axis=-1, ddof=1)
        comparable = (np.minimum(returns, holding) > -1.0).all(axis=-1) & (spread > NO_SPREAD)
        known = np.where(comparable[:, None], returns, 0.0)
        scale = np.where(comparable, deviation(of_holding) / np.where(comparable, spread, 1.0), 0.0)
    both = Differences(np.log1p(known) - np.log1p(holding), excess * scale[:, None] - of_holding)
    packed = [
        np.column_stack([totals, squares, skewness, kurtosis])
        for totals, squares, skewness, kurtosis in map(_sums, both)
    ]
    return np.where(comparable[:, None], np.concatenate(packed, axis=1), np.nan)


def unpacked(packed: Floats) -> list[Sums] | None:
    """Return the sums of one scenario by measure; None where it could not be compared."""
    if np.isnan(packed).any():
        return None
    return [
        Sums(one[:BLOCKS], one[BLOCKS : 2 * BLOCKS], float(one[-2]), float(one[-1]))
        for one in np.split(packed, len(MEASURES))
    ]


def moments_of(sums: Sums, sessions: int) -> Moments:
    """Return the moments of the sessions that sums were taken of."""
    mean = float(sums.totals.sum()) / sessions
    spread = max(float(sums.squares.sum()) - sessions * mean**2, 0.0) ** 0.5 / (sessions - 1) ** 0.5
    ratio = mean / spread if spread > NO_SPREAD else 0.0
    return Moments(mean, spread, ratio, sums.skewness, sums.kurtosis)
