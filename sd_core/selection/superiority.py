"""Does any of several scenarios do better than buy-and-hold, and which of them may be the best?

Hansen's test of superior predictive ability (2005) and the model confidence set of Hansen, Lunde and Nason (2011), both
from the same bootstrap samples. arch gives the same p-values, which the tests hold; here one product of matrices
resamples all scenarios at once, which takes a twentieth of the time.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Floats, Integers

SAMPLES = 1_000
# Variances of a difference that are no larger than this, beside those of its two sides, are rounding.
ROUNDING = 1e-12
# Samples that are summed up at once.
TOGETHER = 100

Counts = npt.NDArray[np.uint16]


class Superiority(NamedTuple):
    """p-values of no scenario being better than buy-and-hold.

    ``consistent`` leaves out, from what luck could have done, scenarios that are clearly worse; ``lower`` leaves out
    all that are worse, ``upper`` none.
    """

    lower: float
    consistent: float
    upper: float


def draw_counts(sessions: int, draws: Iterable[Integers]) -> Counts:
    """Return how often each sample repeats each session, shape (samples, sessions).

    Args:
        sessions: how many there are.
        draws: which sessions each sample repeats, each shape (sessions,).
    """
    return np.stack([np.bincount(drawn, minlength=sessions).astype(np.uint16) for drawn in draws])


def resampled_means(columns: Floats, counts: Counts) -> Floats:
    """Return the mean of every column in every sample, shape (samples, columns).

    Args:
        columns: differences, shape (sessions, columns).
        counts: how often each sample repeats each session, shape (samples, sessions).
    """
    parts = (counts[first : first + TOGETHER] for first in range(0, len(counts), TOGETHER))
    return np.concatenate([part.astype(np.float64) @ columns for part in parts]) / len(columns)


def long_run_variance(columns: Floats, block: float) -> Floats:
    """Return the variance of the root of the sessions times the mean of a column under the stationary bootstrap.

    γ₀ + 2 Σ κ γ with κ(i) = (1 - i/T) (1 - p)^i + (i/T) (1 - p)^(T - i) and p = 1 / block (Politis and Romano 1994).

    Args:
        columns: differences, shape (sessions, columns).
        block: mean length of the blocks, in sessions.
    """
    sessions = len(columns)
    lags = np.arange(1, sessions)
    stay = 1.0 - 1.0 / block
    kernel = (1.0 - lags / sessions) * stay**lags + lags / sessions * stay ** (sessions - lags)
    centred = columns - columns.mean(axis=0)
    # All autocovariances at once, of the series with as many zeros after it, or more: powers of 2 are the quickest.
    padded = 1 << (2 * sessions - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, n=padded, axis=0)) ** 2
    covariances = np.fft.irfft(spectrum, n=padded, axis=0)[:sessions] / sessions
    return np.asarray(covariances[0] + 2.0 * kernel @ covariances[1:])


def superiority(means: Floats, samples: Floats, variances: Floats, sessions: int) -> Superiority:
    """Return the p-values of the best difference, were there none in truth.

    A sample's means are centred on those of the history. Of scenarios that are worse, by √(V/T · 2 ln ln T) or more for
    the consistent p-value, they are not, so that these stay as bad as they were. Differences are not divided by their
    deviations, as in arch.

    Args:
        means: of the differences, shape (scenarios,).
        samples: their :func:`resampled_means`, shape (samples, scenarios).
        variances: their :func:`long_run_variance`, shape (scenarios,).
        sessions: T.
    """
    best = means.max()
    threshold = -np.sqrt(variances / sessions * 2.0 * np.log(np.log(sessions)))
    centres = (np.maximum(means, 0.0), np.where(means >= threshold, means, 0.0), means)
    return Superiority(*(float(np.mean((samples - centre).max(axis=1) > best)) for centre in centres))


def confidence_p_values(means: Floats, samples: Floats) -> Floats:
    """Return the p-value of each scenario in the model confidence set, shape (scenarios,).

    One of those with a p-value above 10 % is the best with 90 % confidence. Of the pair that differs most, over the
    deviation of its difference among the samples, the worse is eliminated (the statistic T_R), until one is left. Which
    is next does not depend on the samples. So what luck does to those that are left, the largest such ratio in each
    sample, is found backwards, from the one that is left to all.

    Args:
        means, samples: as :func:`superiority` takes them.
    """
    errors = samples - means
    products = errors.T @ errors / len(errors)
    sums = np.diag(products)[:, None] + np.diag(products)
    variances = sums - 2.0 * products
    # What differs by rounding alone does not differ.
    differs = variances > ROUNDING * sums
    precision = np.divide(1.0, np.sqrt(np.maximum(variances, 0.0)), out=np.zeros_like(variances), where=differs)
    ratios = (means - means[:, None]) * precision
    order, statistics = [], []
    left = np.arange(len(means))
    while len(left) > 1:
        of_left = ratios[np.ix_(left, left)]
        worst = int(of_left.argmax()) // len(left)
        statistics.append(of_left[worst].max())
        order.append(left[worst])
        left = np.delete(left, worst)
    p_values = np.ones(len(means))
    by_luck, kept = np.zeros(len(errors)), left.tolist()
    for one, statistic in zip(reversed(order), reversed(statistics), strict=True):
        distances = np.abs(errors[:, kept] - errors[:, [one]]) * precision[one, kept]
        by_luck = np.maximum(by_luck, distances.max(axis=1))
        p_values[one] = np.mean(statistic < by_luck) if statistic > 0.0 else 1.0
        kept.append(one)
    # None is less sure to be eliminated than those before it.
    p_values[order] = np.maximum.accumulate(p_values[order])
    return p_values
