"""Is the best of one half of the time among the better ones in the other half?

Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu 2017): the sessions are cut into
blocks, and every choice of half of the blocks is one split. The best scenario of that half is ranked in the other one.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.market.arrays import Floats, Integers
from sd_core.metrics.ratios import NO_SPREAD

# Ratios that differ by less are the same but for rounding.
NO_DIFFERENCE = 1e-12


class Overfitting(NamedTuple):
    """How the best of one half did in the other.

    Attributes:
        ranks: of each split, the mean rank of the chosen one in the other half over the number of scenarios plus 1:
            near 1 is the best, shape (splits,).
        probability: of overfitting: share of the splits in which that is at most 0.5.
        loss_probability: share of the splits in which the chosen one did worse than buy-and-hold in the other half.
        slope: of the ratio in the other half on the one that it was chosen for; None where that does not vary.
    """

    ranks: Floats
    probability: float
    loss_probability: float
    slope: float | None


def overfitting(totals: Floats, squares: Floats, lengths: Integers) -> Overfitting:
    """Return how the best of each half of the blocks did in the other half.

    Ties in the half that is chosen by go to the first one, those in the other half share their mean rank.

    Args:
        totals, squares: sums of differences and of their squares, shape (blocks, scenarios), at least two scenarios.
        lengths: sessions of each block, shape (blocks,); an even number of blocks.
    """
    blocks, scenarios = totals.shape
    # A half and the other half of the blocks are a split either way: of each pair, the one with the first block.
    halves = np.array([half for half in combinations(range(blocks), blocks // 2) if half[0] == 0])
    others = np.array([np.setdiff1d(np.arange(blocks), half) for half in halves])
    ranks, inside, outside = _ranks(halves, others, totals, squares, np.asarray(lengths, dtype=np.float64))
    ranks /= scenarios + 1
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    return Overfitting(
        ranks=ranks,
        probability=float(np.mean(ranks <= 0.5)),
        loss_probability=float(np.mean(outside < 0.0)),
        slope=float(centred @ outside) / spread if spread > NO_DIFFERENCE else None,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _ranks(halves, others, totals, squares, lengths):  # type: ignore[no-untyped-def]
    """Return of each split the mean rank of the best of the half in the other half, and its ratio in both.

    Each half serves twice, to choose by and to rank in. The splits are in the order of combinations: that of the other
    half is as far from the end as that of a half from the beginning.
    """
    pairs, scenarios = len(halves), totals.shape[1]
    ranks, inside, outside = np.empty(2 * pairs), np.empty(2 * pairs), np.empty(2 * pairs)
    ratios = np.empty((2, scenarios))
    sums = np.empty((2, scenarios))
    for pair in range(pairs):
        _ratios(halves[pair], totals, squares, lengths, sums, ratios[0])
        _ratios(others[pair], totals, squares, lengths, sums, ratios[1])
        for way in range(2):
            within, without = ratios[way], ratios[1 - way]
            best = within.argmax()
            found, worse, same = without[best], 0, 0
            for number in range(scenarios):
                worse += without[number] < found - NO_DIFFERENCE
                same += abs(without[number] - found) <= NO_DIFFERENCE
            split = pair if way == 0 else 2 * pairs - 1 - pair
            ranks[split] = worse + (same + 1) / 2
            inside[split], outside[split] = within[best], found
    return ranks, inside, outside


@njit(cache=True, nogil=True, error_model="numpy")
def _ratios(taken, totals, squares, lengths, sums, ratios):  # type: ignore[no-untyped-def]
    """Fill in mean over deviation in the blocks that are taken, by scenario; 0 where nothing varies."""
    sums[:] = 0.0
    count = 0.0
    for block in taken:
        count += lengths[block]
        sums[0] += totals[block]
        sums[1] += squares[block]
    for number in range(len(ratios)):
        mean = sums[0, number] / count
        spread = math.sqrt(max(sums[1, number] / count - mean * mean, 0.0))
        ratios[number] = mean / spread if spread > NO_SPREAD else 0.0
