"""The stationary bootstrap: the same block lengths and the same samples as arch."""

from itertools import islice

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length

from sd_core.resampling.blocks import optimal_block, stationary_draws


def series(length: int, memory: float) -> np.ndarray:
    """Return an autoregression of one lag."""
    noise = np.random.default_rng(length).normal(size=length)
    values = np.zeros(length)
    for place in range(1, length):
        values[place] = memory * values[place - 1] + noise[place]
    return values


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("length", [8, 13, 30, 260, 5_000])
@pytest.mark.parametrize("power", [1, 2])
def test_block_length_is_that_of_arch(length: int, memory: float, power: int) -> None:
    values = series(length, memory) ** power
    assert optimal_block(values) == pytest.approx(optimal_block_length(values)["stationary"].iloc[0], rel=1e-9)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_shortest_series_have_a_block_length_too(length: int) -> None:
    # arch gives none: a lag that would be looked at is as long as the series.
    assert 0.0 <= optimal_block(series(length, 0.0)) <= np.ceil(length / 3)


@pytest.mark.parametrize("block", [1.0, 7.3, 200.0])
def test_samples_are_those_of_arch_with_the_same_seed(block: float) -> None:
    bootstrap = StationaryBootstrap(block, np.arange(300), seed=np.random.default_rng(5))
    expected = [drawn for (drawn,), _ in bootstrap.bootstrap(20)]
    found = list(islice(stationary_draws(300, block, np.random.default_rng(5)), 20))
    np.testing.assert_array_equal(found, expected)
