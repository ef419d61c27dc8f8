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
# Scenarios whose sums of subsets fit into the cache of a core.
TOGETHER = 32


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
    scenarios = totals.shape[1]
    halves = _halves(np.asarray(lengths))
    ranks, inside, outside = _ranks(halves, np.ascontiguousarray(totals), np.ascontiguousarray(squares))
    ranks /= scenarios + 1
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    return Overfitting(
        ranks=ranks,
        probability=float(np.mean(ranks <= 0.5)),
        loss_probability=float(np.mean(outside < 0.0)),
        slope=float(centred @ outside) / spread if spread > NO_DIFFERENCE else None,
    )


class _Halves(NamedTuple):
    """Every choice of half of the blocks, as a subset of the earlier blocks and one of the later ones.

    Subsets of as many blocks as there are earlier ones are in the order of their sizes, then of their bits: what a
    subset leaves is as far from the end as it is from the beginning. A half is a subset of the earlier blocks and one
    of the later ones of the size that is left, which lie side by side.

    Attributes:
        without, added: of each subset but the first, the one without its lowest block, and that block.
        sizes: how many blocks each subset has.
        begins: place of the first subset of each size, and of the end.
        sessions: of each subset of the earlier blocks, and of the later ones.
        at: of each half, in the order of combinations, its place by subset of the earlier blocks, then of the later.
    """

    without: Integers
    added: Integers
    sizes: Integers
    begins: Integers
    sessions: Floats
    at: Integers


def _halves(lengths: Integers) -> _Halves:
    """Return the halves of blocks of so many sessions."""
    blocks, half = len(lengths), len(lengths) // 2
    ordered = np.array(sorted(range(2**half), key=lambda bits: (bits.bit_count(), bits)))
    place = np.argsort(ordered)
    sizes = np.array([int(bits).bit_count() for bits in ordered])
    begins = np.searchsorted(sizes, np.arange(half + 2))
    has = (ordered[:, None] >> np.arange(half)) & 1
    chosen = np.array(list(combinations(range(blocks), half)))
    earlier, later = (
        place[np.where(mine, 1 << np.where(mine, chosen - first, 0), 0).sum(axis=1)]
        for mine, first in ((chosen < half, 0), (chosen >= half, half))
    )
    return _Halves(
        without=place[ordered & (ordered - 1)],
        added=has.argmax(axis=1),
        sizes=sizes,
        begins=begins,
        sessions=np.stack([has @ lengths[:half], has @ lengths[half:]]).astype(np.float64),
        at=np.argsort(np.lexsort((later, earlier))),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _ranks(halves, totals, squares):  # type: ignore[no-untyped-def]
    """Return of each split the mean rank of the best of the half in the other half, and its ratio in both.

    Sums of subsets are taken once per scenario, so that a half of 16 blocks is one addition and not eight; a few
    scenarios at a time, so that they stay near the processor.
    """
    splits, scenarios = len(halves.at), totals.shape[1]
    best, chosen = np.full(splits, -np.inf), np.zeros(splits, dtype=np.int64)
    sums = np.empty((TOGETHER, 2, 2, len(halves.sizes)))
    for first in range(0, scenarios, TOGETHER):
        count = min(TOGETHER, scenarios - first)
        _sum_subsets(halves, totals, squares, first, count, sums)
        _choose(halves, sums, first, count, best, chosen)
    inside, outside = np.empty(splits), np.empty(splits)
    bounds = np.empty((2, splits))
    for split in range(splits):
        inside[split] = _ratio_of(halves, totals, squares, chosen[split], split)
        outside[split] = _ratio_of(halves, totals, squares, chosen[split], splits - 1 - split)
        # What is ranked lies in the other half, so that its bounds are kept in the place of that half.
        for side in range(2):
            bound = outside[split] + (NO_DIFFERENCE if side else -NO_DIFFERENCE)
            bounds[side, splits - 1 - split] = bound * abs(bound)
    below = np.zeros((2, splits), dtype=np.int64)
    for first in range(0, scenarios, TOGETHER):
        count = min(TOGETHER, scenarios - first)
        _sum_subsets(halves, totals, squares, first, count, sums)
        _count(halves, sums, count, bounds, below)
    # Those that are worse, and half of those that are the same, the chosen one among them.
    ranks = (below[0] + below[1] + 1)[::-1] / 2.0
    return ranks[halves.at], inside[halves.at], outside[halves.at]


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_subsets(halves, totals, squares, first, count, sums):  # type: ignore[no-untyped-def]
    """Fill in the sums of every subset of blocks, shape (scenarios, earlier and later, totals and squares, subsets)."""
    half = len(totals) // 2
    for number in range(count):
        for side in range(2):
            of = sums[number, side]
            of[:, 0] = 0.0
            for subset in range(1, len(halves.sizes)):
                block, before = side * half + halves.added[subset], halves.without[subset]
                of[0, subset] = of[0, before] + totals[block, first + number]
                of[1, subset] = of[1, before] + squares[block, first + number]


@njit(cache=True, nogil=True, error_model="numpy")
def _choose(halves, sums, first, count, best, chosen):  # type: ignore[no-untyped-def]
    """Note in which halves scenarios are better than the best so far: by the ratio's square, with its sign."""
    split = 0
    for subset in range(len(halves.sizes)):
        rest = len(halves.begins) - 2 - halves.sizes[subset]
        begin, end = halves.begins[rest], halves.begins[rest + 1]
        sessions = halves.sessions[0, subset] + halves.sessions[1, begin:end]
        best_here, chosen_here = best[split : split + end - begin], chosen[split : split + end - begin]
        for number in range(count):
            total, square = sums[number, 0, 0, subset], sums[number, 0, 1, subset]
            totals, squares = sums[number, 1, 0, begin:end], sums[number, 1, 1, begin:end]
            for place in range(end - begin):
                gained, spread = _squares(total + totals[place], square + squares[place], sessions[place])
                ratio = gained / spread
                is_better = ratio > best_here[place]
                best_here[place] = ratio if is_better else best_here[place]
                chosen_here[place] = first + number if is_better else chosen_here[place]
        split += end - begin


@njit(cache=True, nogil=True, error_model="numpy")
def _count(halves, sums, count, bounds, below):  # type: ignore[no-untyped-def]
    """Count the scenarios whose ratio is below the lower bound of each half, and up to the upper one."""
    split = 0
    for subset in range(len(halves.sizes)):
        rest = len(halves.begins) - 2 - halves.sizes[subset]
        begin, end = halves.begins[rest], halves.begins[rest + 1]
        sessions = halves.sessions[0, subset] + halves.sessions[1, begin:end]
        lower, upper = bounds[0, split : split + end - begin], bounds[1, split : split + end - begin]
        worse, no_better = below[0, split : split + end - begin], below[1, split : split + end - begin]
        for number in range(count):
            total, square = sums[number, 0, 0, subset], sums[number, 0, 1, subset]
            totals, squares = sums[number, 1, 0, begin:end], sums[number, 1, 1, begin:end]
            for place in range(end - begin):
                gained, spread = _squares(total + totals[place], square + squares[place], sessions[place])
                worse[place] += 1 if gained < lower[place] * spread else 0
                no_better[place] += 1 if gained <= upper[place] * spread else 0
        split += end - begin


@njit(cache=True, nogil=True, error_model="numpy")
def _squares(total, square, sessions):  # type: ignore[no-untyped-def]
    """Return the square of a mean with its sign, and of the deviation, both times those of the sessions.

    Their quotient grows as the ratio does, and takes no root. Where nothing varies it is 0.
    """
    spread = square * sessions - total * total
    least = sessions * NO_SPREAD
    varies = spread > least * least
    return (total * abs(total) if varies else 0.0), (spread if varies else 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio_of(halves, totals, squares, scenario, split):  # type: ignore[no-untyped-def]
    """Return mean over deviation of a scenario in a half; 0 where nothing varies."""
    subset, later = _subsets_of(halves, split)
    total, square = 0.0, 0.0
    half = len(totals) // 2
    for side, taken in enumerate((subset, later)):
        left = taken
        while left > 0:
            block = side * half + halves.added[left]
            total += totals[block, scenario]
            square += squares[block, scenario]
            left = halves.without[left]
    sessions = halves.sessions[0, subset] + halves.sessions[1, later]
    mean = total / sessions
    spread = math.sqrt(max(square / sessions - mean * mean, 0.0))
    return mean / spread if spread > NO_SPREAD else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _subsets_of(halves, split):  # type: ignore[no-untyped-def]
    """Return the subsets of the earlier and of the later blocks that a half is made of."""
    for subset in range(len(halves.sizes)):
        rest = len(halves.begins) - 2 - halves.sizes[subset]
        count = halves.begins[rest + 1] - halves.begins[rest]
        if split < count:
            return subset, halves.begins[rest] + split
        split -= count
    return 0, 0
