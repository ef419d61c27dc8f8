"""Superior predictive ability and the confidence set: the p-values of arch, from the same samples."""

from itertools import islice

import numpy as np
import pytest
from arch.bootstrap import MCS, SPA

from sd_core.resampling.blocks import stationary_draws
from sd_core.selection.superiority import (
    confidence_p_values,
    draw_counts,
    long_run_variance,
    resampled_means,
    superiority,
)

SESSIONS, SEED, SAMPLES = 300, 3, 400


def differences(seed: int, scenarios: int = 6) -> np.ndarray:
    """Return series that move together, with means and deviations of their own, and some memory."""
    draws = np.random.default_rng(seed)
    common = draws.normal(0.0, 0.4, (SESSIONS, 1))
    noise = draws.normal(0.0, draws.uniform(0.5, 2.0, scenarios), (SESSIONS + 1, scenarios))
    return common + noise[1:] + 0.3 * noise[:-1] + draws.normal(0.0, 0.1, scenarios)


def resampled(columns: np.ndarray, block: float) -> np.ndarray:
    draws = islice(stationary_draws(len(columns), block, np.random.default_rng(SEED)), SAMPLES)
    return resampled_means(columns, draw_counts(len(columns), draws))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("block", [1.0, 8.5])
def test_p_values_are_those_of_arch(seed: int, block: float) -> None:
    columns = differences(seed)
    # arch takes losses.
    arch = SPA(np.zeros(SESSIONS), -columns, block_size=block, reps=SAMPLES, seed=SEED)
    arch.compute()
    variances = long_run_variance(columns, block)
    np.testing.assert_allclose(variances, arch._loss_diff_var, rtol=1e-9)
    found = superiority(columns.mean(axis=0), resampled(columns, block), variances, SESSIONS)
    np.testing.assert_allclose(found, arch.pvalues)
    assert found.lower <= found.consistent <= found.upper


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scenarios", [2, 6, 15])
def test_p_values_of_the_confidence_set_are_those_of_arch(seed: int, scenarios: int) -> None:
    columns = differences(seed, scenarios)
    arch = MCS(-columns, 0.1, reps=SAMPLES, block_size=8.5, method="R", seed=SEED)
    arch.compute()
    p_values = confidence_p_values(columns.mean(axis=0), resampled(columns, 8.5))
    np.testing.assert_allclose(p_values, arch.pvalues.Pvalue.sort_index())


def test_single_scenario_is_its_own_confidence_set() -> None:
    columns = differences(1, scenarios=1)
    assert confidence_p_values(columns.mean(axis=0), resampled(columns, 5.0)).tolist() == [1.0]


def test_scenarios_that_differ_by_rounding_share_a_p_value() -> None:
    columns = differences(3)
    nearly = np.column_stack([columns, columns[:, 2] * (1.0 + 1e-14)])
    with np.errstate(all="raise"):
        p_values = confidence_p_values(nearly.mean(axis=0), resampled(nearly, 5.0))
    np.testing.assert_allclose(p_values[:-1], confidence_p_values(columns.mean(axis=0), resampled(columns, 5.0)))
    assert p_values[-1] == p_values[2]


def test_two_that_differ_by_rounding_may_both_be_the_best() -> None:
    columns = differences(2)
    columns[:, 4] += 1.0
    nearly = np.column_stack([columns, columns[:, 4] * (1.0 + 1e-15)])
    p_values = confidence_p_values(nearly.mean(axis=0), resampled(nearly, 5.0))
    assert np.flatnonzero(p_values > 0.1).tolist() == [4, 6]


def test_clear_winner_is_superior_and_alone_in_the_set() -> None:
    columns = differences(2)
    columns[:, 4] += 1.0
    means, samples = columns.mean(axis=0), resampled(columns, 5.0)
    assert superiority(means, samples, long_run_variance(columns, 5.0), SESSIONS).upper == 0.0
    assert np.flatnonzero(confidence_p_values(means, samples) > 0.1).tolist() == [4]


def test_clear_loser_counts_for_the_upper_p_value_alone() -> None:
    columns = differences(5)
    columns[:, 0] = columns[:, 0] * 20.0 - 8.0
    variances, samples = long_run_variance(columns, 5.0), resampled(columns, 5.0)
    found = superiority(columns.mean(axis=0), samples, variances, SESSIONS)
    rest = superiority(columns[:, 1:].mean(axis=0), samples[:, 1:], variances[1:], SESSIONS)
    assert found.consistent == rest.consistent
    assert found.upper > rest.upper
