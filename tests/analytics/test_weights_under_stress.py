"""Weights under stress: worked by hand, and in closed form."""

import numpy as np
import pytest

from sd_core.analytics.stress import exposure_to, gathered, outcomes_of_draws, replayed, with_higher_correlations


def test_replay_holds_what_was_bought_and_leaves_the_rest_in_cash():
    """Half of A 100, 80, 120, a quarter of B 100, 100, 80, a quarter of cash at 1 % a session."""
    returns = np.array([[-0.2, 0.0], [0.5, -0.2]])
    found = replayed(returns, np.array([0.01, 0.01]), np.array([0.5, 0.25]))
    after = [0.5 * 0.8 + 0.25 + 0.25 * 1.01, 0.5 * 1.2 + 0.25 * 0.8 + 0.25 * 1.0201]
    assert found.total == pytest.approx(after[1] - 1)
    assert found.max_drawdown == pytest.approx(after[0] - 1)


def test_replay_of_cash_alone_earns_what_cash_does():
    found = replayed(np.array([[-0.5], [0.1]]), np.array([0.01, 0.02]), np.array([0.0]))
    assert found.total == pytest.approx(1.01 * 1.02 - 1)
    assert found.max_drawdown == 0


def test_outcome_of_a_stretch_is_that_of_its_replay():
    rng = np.random.default_rng(3)
    returns, cash, weights = rng.normal(0, 0.02, (50, 3)), np.full(50, 1e-4), np.array([0.3, 0.4, 0.2])
    drawn = rng.integers(0, 50, (20, 21))
    outcomes = outcomes_of_draws(returns, cash, weights, drawn)
    assert outcomes == pytest.approx([replayed(returns[one], cash[one], weights).total for one in drawn])


def test_higher_correlations_of_two_assets_in_closed_form():
    """Half each of two uncorrelated assets of volatility s: s √½ before, s √¾ with a correlation of ½."""
    returns = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * 0.01
    spread = 0.01 * np.sqrt(4 / 3)
    found = with_higher_correlations(returns, np.array([0.5, 0.5]))
    assert found.now == pytest.approx(spread * np.sqrt(0.5))
    assert found.stressed == pytest.approx(spread * np.sqrt(0.75))


def test_higher_correlations_are_the_mean_of_both_matrices_and_leave_one_asset_alone():
    rng = np.random.default_rng(4)
    returns = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) * 0.01
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    spread = returns.std(axis=0, ddof=1)
    mean = 0.5 * np.corrcoef(returns, rowvar=False) + 0.5
    assert np.linalg.eigvalsh(mean).min() > 0
    found = with_higher_correlations(returns, weights)
    assert found.stressed == pytest.approx(np.sqrt((weights * spread) @ mean @ (weights * spread)))
    alone = with_higher_correlations(returns[:, :1], np.array([0.8]))
    assert alone.now == alone.stressed == pytest.approx(0.8 * spread[0])


def test_exposure_of_what_moves_one_and_a_half_times_as_far_is_sure():
    rng = np.random.default_rng(5)
    benchmark, cash = rng.normal(0, 0.01, 200), np.full(200, 1e-4)
    found = exposure_to(benchmark, cash, cash + 1.5 * (benchmark - cash))
    assert found.beta == pytest.approx(1.5)
    assert found.margin == pytest.approx(0, abs=1e-12)
    assert exposure_to(cash, cash, benchmark) is None


def test_smaller_holdings_are_gathered_into_one_that_returns_what_they_do():
    """0.5, 0.3, 0.15 and 0.05: from the third on they weigh 0.2, three quarters of it the third."""
    returns = np.array([[0.01, -0.02, 0.04, 0.08], [0.0, 0.01, -0.04, 0.0]])
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    fewer, theirs = gathered(returns, weights, 2)
    assert theirs == pytest.approx([0.5, 0.3, 0.2])
    assert fewer[:, 2] == pytest.approx([0.05, -0.03])
    assert fewer @ theirs == pytest.approx(returns @ weights)
    for most in (4, 20):
        same, unchanged = gathered(returns, weights, most)
        assert (same is returns, unchanged is weights) == (True, True)
