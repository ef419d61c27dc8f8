"""The stationary bootstrap: how long its blocks should be, and which observations its samples repeat.

arch gives the same numbers, which the tests hold; importing it takes two seconds more than all else here. What is done
with samples belongs in the modules that draw them.
"""

from collections.abc import Iterator

import numpy as np

from sd_core.market.arrays import Floats, Integers

# Autocorrelations below this many standard errors count as none (Politis and White 2004).
INSIGNIFICANT = 2.0


def optimal_block(values: Floats) -> float:
    """Return the mean length of blocks that a stationary bootstrap of a series should have, in observations.

    Politis and White (2004), corrected by Patton, Politis and White (2009): (2 G² / D)^⅓ T^⅓, where G = Σ λ |k| R(k)
    and D = 2 (Σ λ R(k))² of the autocovariances R under a flat-top window λ. The window ends at twice the lag after
    which autocorrelations are insignificant. At most min(3 √T, T / 3), rounded up.

    Args:
        values: at least two, not all equal, shape (observations,).
    """
    count = len(values)
    centred = values - values.mean()
    run = max(5, int(np.log10(count)))
    most = int(np.ceil(np.sqrt(count))) + run
    covariances, correlations = np.zeros(most + 1), np.zeros(most + 1)
    for lag in range(min(most + 1, count - 1)):
        before, after = centred[: count - lag - 1], centred[lag + 1 :]
        product = centred[lag:] @ centred[: count - lag]
        covariances[lag] = product / count
        correlations[lag] = abs(product) / np.sqrt((after @ after) * (before @ before))
    small = correlations < INSIGNIFICANT * np.sqrt(np.log10(count) / count)
    quiet = (lag for lag in range(most + 1 - run) if small[lag : lag + run].all())
    window = min(2 * max(next(quiet, most), 1), most)
    lags = np.arange(1, window + 1)
    weights = 2.0 * np.where(lags / window <= 0.5, 1.0, 2.0 * (1.0 - lags / window)) * covariances[1 : window + 1]
    long_run = covariances[0] + weights.sum()
    longest = float(np.ceil(min(3.0 * np.sqrt(count), count / 3.0)))
    return min(float(((weights @ lags) ** 2 / long_run**2) ** (1 / 3) * count ** (1 / 3)), longest)


def stationary_draws(observations: int, block: float, generator: np.random.Generator) -> Iterator[Integers]:
    """Yield samples without end: which observation each place of a sample repeats, from 0, shape (observations,).

    Blocks start anywhere and have geometrically distributed lengths; past the end they go on from the beginning
    (Politis and Romano 1994).

    Args:
        observations: how many there are, and so how many a sample has.
        block: mean length of the blocks, 1 or more.
        generator: of the samples.
    """
    places = np.arange(observations)
    while True:
        starts = generator.integers(observations, size=observations, dtype=np.int64)
        begins = generator.random(observations) <= 1.0 / block
        begins[0] = True
        block_begins = np.maximum.accumulate(np.where(begins, places, 0))
        yield (starts[block_begins] + places - block_begins) % observations
