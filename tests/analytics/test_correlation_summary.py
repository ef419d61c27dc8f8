"""What correlation matrices come to, against closed forms and numpy, with and without gaps."""

import numpy as np
import pandas as pd
import pytest

from sd_core.analytics.correlation import rolling
from sd_core.analytics.correlation_summary import Summary, summarise

WINDOW = 63


def orthogonal_moves(assets: int) -> np.ndarray:
    """Return moves of one window that have mean 0, variance 1 and no correlation with each other."""
    angle = 2 * np.pi * np.arange(WINDOW)[:, None] / WINDOW
    return np.sqrt(2) * np.cos(angle * np.arange(1, assets + 1))


def closes_of(moves: np.ndarray) -> np.ndarray:
    return np.exp(np.cumsum(np.vstack([np.zeros(moves.shape[1]), 0.01 * moves]), axis=0))


def last(closes: np.ndarray, weights=None, marked=None) -> Summary:
    """Return the summary of the last session."""
    assets = closes.shape[1]
    weights = np.ones(assets) if weights is None else np.asarray(weights, dtype=float)
    marked = np.zeros(assets, dtype=bool) if marked is None else np.asarray(marked)
    return summarise(closes, np.array([len(closes) - 1]), WINDOW, weights, marked)


def market(sessions: int, assets: int, gaps: float = 0.0) -> np.ndarray:
    draws = np.random.default_rng(3)
    moves = draws.normal(0, 0.01, (sessions, 1)) + draws.normal(0, 0.01, (sessions, assets)) * (1 + np.arange(assets))
    closes = 50 * np.exp(np.cumsum(moves, axis=0))
    closes[draws.random(closes.shape) < gaps] = np.nan
    return closes


def test_uncorrelated_assets_diversify_by_the_root_of_their_number():
    found = last(closes_of(orthogonal_moves(4)))
    assert found.assets[0] == 4
    assert found.average[0] == pytest.approx(0, abs=1e-12)
    assert found.diversification_ratio[0] == pytest.approx(2)
    # Every component has the same share, and a fifth of four is rounded up to one.
    assert found.absorption_ratio[0] == pytest.approx(1 / 4)


def test_assets_that_move_as_one_do_not_diversify():
    found = last(closes_of(orthogonal_moves(1) * [1.0, 2.0, 3.0]), weights=[0.2, 0.3, 0.5])
    assert found.average[0] == pytest.approx(1)
    assert found.diversification_ratio[0] == pytest.approx(1)
    assert found.absorption_ratio[0] == pytest.approx(1)


def test_absorption_counts_a_fifth_of_the_components_rounded_up():
    # Six assets without correlation, of variances 1 to 6: the first two of six components have 6 + 5 of 21.
    found = last(closes_of(orthogonal_moves(6) * np.sqrt(np.arange(1, 7))))
    assert found.absorption_ratio[0] == pytest.approx(11 / 21)


def test_weights_count_relative_to_each_other():
    moves = orthogonal_moves(2) * [1.0, 3.0]
    # (3 x 1 + 1 x 3) / sqrt(9 x 1 + 1 x 9)
    assert last(closes_of(moves), weights=[3, 1]).diversification_ratio[0] == pytest.approx(6 / np.sqrt(18))
    assert last(closes_of(moves), weights=[0.3, 0.1]).diversification_ratio[0] == pytest.approx(6 / np.sqrt(18))


def test_groups_have_averages_of_their_own():
    one, other = orthogonal_moves(2).T
    # Two marked assets move as one, two others against each other; 0.6 of the first of these is the marked ones' move.
    moves = np.column_stack([one, 2 * one, 0.6 * one + 0.8 * other, -0.6 * one - 0.8 * other])
    found = last(closes_of(moves), marked=[True, True, False, False])
    assert found.within_marked[0] == pytest.approx(1)
    assert found.within_others[0] == pytest.approx(-1)
    assert found.across[0] == pytest.approx((0.6 + 0.6 - 0.6 - 0.6) / 4, abs=1e-12)
    assert found.average[0] == pytest.approx(0, abs=1e-12)


def test_group_of_one_has_no_average_within():
    found = last(closes_of(orthogonal_moves(3)), marked=[True, False, False])
    assert np.isnan(found.within_marked[0])
    assert np.isfinite(found.within_others[0])
    assert np.isfinite(found.across[0])
    assert np.isnan(last(closes_of(orthogonal_moves(3))).across[0])


@pytest.mark.parametrize("assets", [5, 80])
def test_complete_windows_agree_with_the_matrices_of_pandas(assets):
    closes = market(140, assets)
    rows, marked = np.arange(WINDOW, 140, 20), np.arange(assets) < 2
    weights = np.arange(1.0, assets + 1)
    found = summarise(closes, rows, WINDOW, weights, marked)
    returns = pd.DataFrame(np.log(closes)).diff()
    first, second = np.triu_indices(assets, 1)
    for place, row in enumerate(rows):
        window = returns[row - WINDOW + 1 : row + 1]
        correlation, covariance = window.corr().to_numpy()[first, second], window.cov().to_numpy()
        values = np.linalg.eigvalsh(covariance)
        counted = {5: 1, 80: 16}[assets]
        assert found.average[place] == pytest.approx(correlation.mean(), abs=1e-10)
        across = marked[first] != marked[second]
        assert found.across[place] == pytest.approx(correlation[across].mean(), abs=1e-10)
        assert found.diversification_ratio[place] == pytest.approx(
            weights @ window.std() / np.sqrt(weights @ covariance @ weights), rel=1e-10
        )
        assert found.absorption_ratio[place] == pytest.approx(values[-counted:].sum() / values.sum(), rel=1e-10)


@pytest.mark.parametrize("gaps", [0.0, 0.002, 0.05])
@pytest.mark.parametrize("assets", [3, 20, 70])
def test_sessions_have_the_same_bytes_whatever_comes_after_them(assets, gaps):
    closes, weights, marked = market(300, assets, gaps), np.arange(1.0, assets + 1), np.arange(assets) < 2
    whole = summarise(closes, np.arange(WINDOW, 300), WINDOW, weights, marked)
    for cut in (64, 65, 66, 70, 100, 257):
        found = summarise(closes[:cut], np.arange(WINDOW, cut), WINDOW, weights, marked)
        for one, other in zip(found, whole, strict=True):
            assert one.tobytes() == other[: len(one)].tobytes()


def test_windows_with_gaps_average_what_is_known_of_every_pair():
    closes, rows = market(140, 6, gaps=0.1), np.arange(WINDOW, 140)
    marked = np.array([True, False, True, False, False, False])
    found = summarise(closes, rows, WINDOW, np.ones(6), marked)
    pairs = rolling(closes, rows, WINDOW).correlation
    first, second = np.triu_indices(6, 1)
    np.testing.assert_allclose(found.average, pairs.mean(axis=1), atol=1e-12)
    across = marked[first] != marked[second]
    np.testing.assert_allclose(found.across, pairs[:, across].mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.within_marked, pairs[:, marked[first] & marked[second]][:, 0], atol=1e-12)
    assert np.isfinite(found.diversification_ratio).all()
    assert ((found.absorption_ratio > 1 / 6) & (found.absorption_ratio <= 1)).all()


def test_one_missing_close_hardly_changes_the_numbers():
    whole = market(64, 5)
    gap = whole.copy()
    gap[30, 2] = np.nan
    for one, other in zip(last(whole)[1:], last(gap)[1:], strict=True):
        np.testing.assert_allclose(one, other, atol=0.1)


def test_weekends_of_one_group_leave_its_numbers_as_they_are_on_the_common_days():
    """A market open on all days beside one open on five of seven: their pairs meet on five, weekends in the return."""
    closes = market(200, 4)
    weekend = np.arange(200) % 7 >= 5
    closed = closes.copy()
    closed[np.ix_(weekend, [2, 3])] = np.nan
    found = last(closed, marked=[True, True, False, False])
    five_days = np.log(pd.DataFrame(closes)[~weekend]).diff()
    recent = five_days[five_days.index > 199 - WINDOW].corr().to_numpy()
    assert found.within_others[0] == pytest.approx(recent[2, 3], abs=1e-12)
    assert found.across[0] == pytest.approx(recent[:2, 2:].mean(), abs=1e-12)


def test_asset_that_does_not_move_or_hardly_trades_is_left_out():
    closes = market(64, 5)
    expected = last(closes[:, :3])
    closes[:, 3] = 8.0
    closes[5:50, 4] = np.nan
    found = last(closes)
    assert found.assets[0] == 3
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_two_assets_that_hardly_close_together_leave_matrix_measures_null():
    closes = market(130, 3)
    closes[::2, 0] = np.nan
    closes[np.setdiff1d(np.arange(1, 130, 2), [99, 101, 103]), 1] = np.nan
    found = last(closes)
    assert found.assets[0] == 3
    pairs = rolling(closes, np.array([129]), WINDOW).correlation[0]
    assert np.isnan(pairs).tolist() == [True, False, False]
    assert found.average[0] == pytest.approx(np.nanmean(pairs))
    assert np.isnan([found.diversification_ratio[0], found.absorption_ratio[0]]).all()


def test_fewer_than_two_assets_have_no_summary():
    found = last(closes_of(orthogonal_moves(1)))
    assert found.assets[0] == 1
    assert all(np.isnan(values[0]) for values in found[1:])
