"""How sure a difference between two portfolios is: their sessions resampled together, in blocks.

It answers how much of a difference the order of this history could have made: which of its stretches came, and how
often. It is no forecast. Both portfolios keep the returns that they had in each session, so they are not simulated
again.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.market.arrays import DAYS_PER_CALENDAR_YEAR, Floats, Integers
from sd_core.metrics.measures import Calendar
from sd_core.metrics.ratios import NO_SPREAD

SAMPLES = 2_000
SEED = 1
# Of the samples, the share outside the interval on each side.
TAIL = 0.025
# A difference of no more than this is rounding.
NO_DIFFERENCE = 1e-12


class Certainty(NamedTuple):
    """How sure the differences of the CAGR, a fraction per year, and of the Sharpe ratio are.

    ``low`` and ``high`` are the ends of the interval that holds 95 % of the samples' differences, ``p_value`` is that
    of no difference, two-sided. All are NaN where a ratio cannot be computed.
    """

    cagr_low: float
    cagr_high: float
    cagr_p_value: float
    sharpe_low: float
    sharpe_high: float
    sharpe_p_value: float


class Blocks(NamedTuple):
    """Samples made of blocks: where each begins and how long it is, and where the blocks of each sample begin."""

    begins: Integers
    lengths: Integers
    samples: Integers


def mean_block(returns: int) -> float:
    """Return the mean length of blocks, in sessions: the square root of how many returns there are.

    As many blocks as sessions in each: both grow with the history, as the stationary bootstrap asks for.
    """
    return float(np.sqrt(returns))


@lru_cache(maxsize=2)
def draw_blocks(returns: int) -> Blocks:
    """Return samples by the stationary bootstrap, the same for the same number of returns.

    Blocks begin anywhere, have geometrically distributed lengths and go on from the beginning after the end (Politis
    and Romano 1994).
    """
    generator = np.random.default_rng(SEED)
    begins, lengths, samples = [], [], [0]
    for _ in range(SAMPLES):
        ends = generator.random(returns) < 1.0 / mean_block(returns)
        ends[0] = True
        places = np.flatnonzero(ends)
        begins.append(generator.integers(returns, size=len(places)))
        lengths.append(np.diff(places, append=returns))
        samples.append(samples[-1] + len(places))
    return Blocks(np.concatenate(begins), np.concatenate(lengths), np.array(samples))


def paired_certainty(own: Floats, rivals: list[Floats], calendar: Calendar) -> Iterator[Certainty]:
    """Yield how sure a portfolio's differences from each of its rivals are.

    The p-value is that of Student's t with the history's difference over the samples' standard deviation, and with one
    degree of freedom less than there are blocks: the deviation is estimated from so many. Unlike a count of samples it
    has no least value, so it can be corrected for any number of verdicts.

    Args:
        own: return of the portfolio by session, fractions above -1, shape (sessions,). The first session, at whose
            close everything is bought, stays the first of every sample.
        rivals: the same of others.
        calendar: of these sessions.
    """
    own_cagr, own_sharpe = _resampled(own, calendar)
    blocks = len(own) / mean_block(len(own))
    for cagr, sharpe in (_resampled(returns, calendar) for returns in rivals):
        yield Certainty(*_certainty(own_cagr - cagr, blocks), *_certainty(own_sharpe - sharpe, blocks))


def _resampled(returns: Floats, calendar: Calendar) -> tuple[Floats, Floats]:
    """Return CAGR and Sharpe ratio of a portfolio in the history and then in every sample.

    The ratio is NaN where returns have no spread.
    """
    blocks = draw_blocks(len(returns) - 1)
    excess = returns - calendar.risk_free_return
    terms = np.column_stack([np.log1p(returns), excess, excess**2])
    later = terms[1:]
    # Sums up to each session of the history written twice: a block is the difference of two of them.
    running = np.concatenate([np.zeros((1, 3)), np.cumsum(np.concatenate([later, later]), axis=0)])
    sums = np.concatenate([later.sum(axis=0)[None, :], _sums(running, *blocks)])
    growth, total, squares = (terms[0] + sums).T
    count = len(returns)
    spread = np.sqrt(np.maximum(squares - total**2 / count, 0.0) / (count - 1))
    sharpe = np.full(len(sums), np.nan)
    np.divide(total / count * np.sqrt(calendar.periods_per_year), spread, out=sharpe, where=spread > NO_SPREAD)
    return np.expm1(growth * DAYS_PER_CALENDAR_YEAR / calendar.days), sharpe


@njit(cache=True, nogil=True)
def _sums(running, begins, lengths, samples):  # type: ignore[no-untyped-def]
    """Return the sum of every sample's blocks, shape (samples, columns)."""
    columns = running.shape[1]
    sums = np.zeros((len(samples) - 1, columns))
    for sample in range(len(samples) - 1):
        for block in range(samples[sample], samples[sample + 1]):
            for column in range(columns):
                first = begins[block]
                sums[sample, column] += running[first + lengths[block], column] - running[first, column]
    return sums


def _certainty(differences: Floats, blocks: float) -> tuple[float, float, float]:
    """Return the interval of a difference and its p-value, of the history's difference and then the samples'."""
    # With all of scipy's statistics it would take a second to import.
    from scipy.special import stdtr

    actual, samples = float(differences[0]), differences[1:]
    low, high = np.quantile(samples, [TAIL, 1.0 - TAIL])
    spread = float(np.std(samples, ddof=1))
    if abs(actual) <= NO_DIFFERENCE:
        p_value = 1.0
    else:
        p_value = float(2.0 * stdtr(blocks - 1.0, -abs(actual) / spread)) if spread > 0.0 else 0.0
    return float(low), float(high), p_value if np.isfinite(low) else np.nan
