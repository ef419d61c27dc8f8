"""Arithmetic over several assets at once gives what numpy gives, and sums in the order that is promised."""

import numpy as np
import pytest
from numba import njit

from sd_core.simulation.kernel import lanes
from sd_core.simulation.kernel.lanes import LANES

COMPARISONS = {
    lanes.lanes_at_least: np.greater_equal,
    lanes.lanes_at_most: np.less_equal,
    lanes.lanes_above: np.greater,
    lanes.lanes_other_than: lambda left, right: (left < right) | (left > right),
}
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, np.nextafter(1.0, 2.0)]


@pytest.mark.parametrize("comparison", COMPARISONS, ids=["at_least", "at_most", "above", "other_than"])
def test_comparisons_give_a_bit_per_lane_as_numpy_does_and_none_for_nan(comparison):
    compare = njit(lambda left, right, start: comparison(left, right, start))
    rng = np.random.default_rng(1)
    for _ in range(200):
        left, right = rng.choice(SPECIAL, size=(2, 3 * LANES))
        for start in range(0, len(left), LANES):
            expected = COMPARISONS[comparison](left, right)[start : start + LANES]
            assert compare(left, right, start) == np.sum(expected << np.arange(LANES))
            against_one = COMPARISONS[comparison](left, 1.0)[start : start + LANES]
            assert compare(left, 1.0, start) == np.sum(against_one << np.arange(LANES))


def test_products_are_compared_with_a_number():
    above = njit(lambda left, right, bound, start: lanes.lanes_of_product_above(left, right, bound, start))
    left, right = np.random.default_rng(2).normal(size=(2, 2 * LANES))
    for start in (0, LANES):
        expected = (left * right > 0.25)[start : start + LANES]
        assert above(left, right, 0.25, start) == np.sum(expected << np.arange(LANES))


def test_lowest_lane_is_the_position_of_the_lowest_bit():
    lowest = njit(lambda bits: lanes.lowest_lane(bits))
    assert [lowest(bits) for bits in (1, 2, 12, 1 << 40)] == [0, 1, 2, 40]


@pytest.mark.parametrize("groups", [1, 2, 5, 50])
def test_products_are_summed_lane_by_lane_then_in_halves(groups):
    total = njit(lambda left, right: lanes.sum_of_products(left, right))
    left, right = np.random.default_rng(groups).normal(size=(2, groups * LANES))
    by_lane = [0.0] * LANES
    for place, (one, other) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        by_lane[place % LANES] += one * other
    while len(by_lane) > 1:
        half = len(by_lane) // 2
        by_lane = [one + other for one, other in zip(by_lane[:half], by_lane[half:], strict=True)]
    assert total(left, right) == by_lane[0]
