"""Is the best of one half of the time among the better ones in the other half?

Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu 2017): the sessions are cut into
blocks, and every choice of half of the blocks is one split. The best scenario of that half is ranked in the other one.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import Floats, Integers
from sd_core.metrics.ratios import NO_SPREAD

# Ratios at once, so that memory stays bounded.
AT_ONCE = 4_000_000
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
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen_blocks = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen_blocks, halves, 1.0, axis=1)
    ranks, inside, outside = (np.empty(len(halves)) for _ in range(3))
    step = max(1, AT_ONCE // scenarios)
    for first in range(0, len(halves), step):
        part = slice(first, first + step)
        within = _ratios(chosen_blocks[part], totals, squares, lengths)
        without = _ratios(1.0 - chosen_blocks[part], totals, squares, lengths)
        best = within.argmax(axis=1)[:, None]
        found = np.take_along_axis(without, best, axis=1)
        worse = (without < found - NO_DIFFERENCE).sum(axis=1)
        same = (np.abs(without - found) <= NO_DIFFERENCE).sum(axis=1)
        ranks[part] = (worse + (same + 1) / 2) / (scenarios + 1)
        inside[part], outside[part] = np.take_along_axis(within, best, axis=1)[:, 0], found[:, 0]
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    return Overfitting(
        ranks=ranks,
        probability=float(np.mean(ranks <= 0.5)),
        loss_probability=float(np.mean(outside < 0.0)),
        slope=float(centred @ outside) / spread if spread > NO_DIFFERENCE else None,
    )


def _ratios(taken: Floats, totals: Floats, squares: Floats, lengths: Integers) -> Floats:
    """Return mean over deviation in some blocks, shape (splits, scenarios); 0 where nothing varies."""
    count = (taken @ lengths)[:, None]
    mean = taken @ totals / count
    spread = np.sqrt(np.maximum(taken @ squares / count - mean**2, 0.0))
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > NO_SPREAD)
