"""The best of one half in the other half: R's package pbo, a case by hand, and scenarios that are all noise."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import linregress, rankdata

from sd_core.selection.overfitting import overfitting


def sums(returns: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    parts = np.array_split(returns, blocks)
    totals = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([(part**2).sum(axis=0) for part in parts])
    return totals, squares, np.array([len(part) for part in parts])


def test_case_by_hand_is_a_third() -> None:
    rows = [(1, 2, -1), (2, -1, 3), (0, 1, 2), (1, 3, -2), (-1, 2, 1), (3, 0, 0), (2, 1, -3), (0, -2, 4)]
    found = overfitting(*sums(np.array(rows) / 100, 4))
    # Of six splits the chosen scenario has rank 3 of 3 in four, 2 and 1 in one each, over 4.
    assert sorted(found.ranks) == [0.25, 0.5, 0.75, 0.75, 0.75, 0.75]
    assert found.probability == pytest.approx(1 / 3)
    assert found.loss_probability == 0.0


def test_columns_of_equal_mean_and_deviation_are_overfit_for_certain() -> None:
    # The vignette of R's pbo (Barry 2015): what one half has more, the other has less, so p_bo = 1 and p_loss = 1.
    returns = np.random.default_rng(765).normal(size=(2_400, 100))
    returns = (returns - returns.mean(axis=0)) / returns.std(axis=0, ddof=1) / np.sqrt(252)
    found = overfitting(*sums(returns, 8))
    assert (len(found.ranks), found.probability, found.loss_probability) == (70, 1.0, 1.0)


def plainly(returns: np.ndarray, blocks: int) -> tuple[list[float], float]:
    """Return ranks and slope split by split, from the returns themselves."""
    parts = np.array_split(returns, blocks)
    ranks, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        one = np.concatenate([parts[place] for place in chosen])
        other = np.concatenate([parts[place] for place in range(blocks) if place not in chosen])
        within, without = (half.mean(axis=0) / half.std(axis=0) for half in (one, other))
        best = int(np.argmax(within))
        ranks.append(rankdata(without)[best] / (returns.shape[1] + 1))
        inside.append(within[best])
        outside.append(without[best])
    return ranks, linregress(inside, outside).slope


@pytest.mark.parametrize("seed", range(4))
def test_ranks_are_those_of_halves_put_together_from_returns(seed: int) -> None:
    draws = np.random.default_rng(seed)
    returns = draws.normal(draws.normal(0.0, 0.1, 7), 1.0, (103, 7))
    ranks, slope = plainly(returns, 6)
    found = overfitting(*sums(returns, 6))
    np.testing.assert_allclose(found.ranks, ranks)
    assert found.slope == pytest.approx(slope)


def test_scenarios_that_are_the_same_share_the_mean_rank() -> None:
    returns = np.random.default_rng(1).normal(size=(64, 1)).repeat(3, axis=1)
    found = overfitting(*sums(returns, 16))
    # The mean of the ranks 1, 2 and 3, over 4.
    np.testing.assert_allclose(found.ranks, 0.5)
    assert len(found.ranks) == 12_870


def test_what_equals_buy_and_hold_has_a_ratio_of_zero() -> None:
    returns = np.column_stack([np.zeros(64), np.full(64, -1.0) + np.random.default_rng(1).normal(0, 0.1, 64)])
    found = overfitting(*sums(returns, 4))
    np.testing.assert_allclose(found.ranks, 2 / 3)
    assert found.slope is None
    assert found.loss_probability == 0.0
