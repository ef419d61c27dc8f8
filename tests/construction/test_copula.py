"""A vine copula asked what happens when one asset falls: against the closed form of normal returns."""

import numpy as np

from sd_core.construction.copula import returns_given_fall


def test_normal_returns_follow_a_fall_as_their_covariance_says():
    """E[Y | X = x] = ρ σ_y/σ_x x of normal returns, and their spread is σ_y √(1 - ρ²)."""
    correlations, spreads = np.array([1.0, 0.6, 0.0]), np.array([0.02, 0.03, 0.01])
    covariance = np.diag([1.0, 1.0, 1.0])
    covariance[0, :] = covariance[:, 0] = correlations
    returns = np.random.default_rng(1).multivariate_normal(np.zeros(3), covariance, 4_000) * spreads
    found = returns_given_fall(returns, 0, -0.04)
    assert (found[:, 0] == -0.04).all()
    # Expected -0.036 and 0; that of the first would be 0 without the fall.
    assert abs(found[:, 1].mean() + 0.036) < 0.003
    assert abs(found[:, 2].mean()) < 0.001
    assert abs(found[:, 1].std() - 0.03 * 0.8) < 0.002


def test_pair_of_assets_falls_as_its_covariance_says():
    """Beside nothing else: E[Y | X = -0.04] = 0.6 x 0.03/0.02 x -0.04."""
    covariance = np.array([[0.0004, 0.00036], [0.00036, 0.0009]])
    returns = np.random.default_rng(3).multivariate_normal(np.zeros(2), covariance, 4_000)
    found = returns_given_fall(returns, 0, -0.04)
    assert found.shape[1] == 2
    assert abs(found[:, 1].mean() + 0.036) < 0.003


def test_same_returns_give_the_same_samples():
    returns = np.random.default_rng(2).normal(0, 0.02, (200, 2))
    assert np.array_equal(returns_given_fall(returns, 1, -0.05), returns_given_fall(returns, 1, -0.05))
