"""Correlations of pairs against pandas, and how gaps and constant prices count."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from sd_core.analytics.correlation import exponentially_weighted, fewest_observations, pair_places, rolling

TOLERANCE = 1e-10
DECAY = 0.94


def market(sessions: int = 400, assets: int = 4, gaps: float = 0.0, seed: int = 11) -> np.ndarray:
    """Return closes that move with a common factor, a share of them missing."""
    draws = np.random.default_rng(seed)
    moves = draws.normal(0, 0.01, (sessions, 1)) + draws.normal(0, 0.01, (sessions, assets))
    closes = 100 * np.exp(np.cumsum(moves, axis=0))
    closes[draws.random(closes.shape) < gaps] = np.nan
    return closes


def common_returns(closes: np.ndarray, one: int, other: int) -> pd.DataFrame:
    """Return the log returns of two assets between the sessions on which both closed, by session."""
    return np.log(pd.DataFrame(closes)[[one, other]].dropna()).diff().dropna()


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize("window", [21, 63, 252])
def test_rolling_correlation_is_that_of_pandas_on_the_sessions_that_both_have(gaps, window):
    closes = market(gaps=gaps)
    rows = np.arange(window, len(closes))
    found = rolling(closes, rows, window)
    for pair, (one, other) in enumerate(combinations(range(4), 2)):
        returns = common_returns(closes, one, other).reindex(range(len(closes)))
        expected = returns[one].rolling(window, min_periods=fewest_observations(window)).corr(returns[other])[rows]
        np.testing.assert_allclose(found.correlation[:, pair], expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(found.observations[:, pair], returns[one].rolling(window).count()[rows])


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_weighted_correlation_is_that_of_pandas_with_adjusted_weights(gaps):
    closes = market(gaps=gaps)
    rows = np.arange(63, len(closes))
    found = exponentially_weighted(closes, rows, DECAY, recent=63)
    for pair, (one, other) in enumerate(combinations(range(4), 2)):
        returns = common_returns(closes, one, other)
        weighted = returns[one].ewm(alpha=1 - DECAY, adjust=True).corr(returns[other])
        weighted[np.arange(len(weighted)) < 62] = np.nan
        # A session without a return of the pair still knows the last one, unless most of the last 63 have none.
        recent = returns[one].reindex(range(len(closes))).rolling(63, min_periods=0).count()
        expected = weighted.reindex(range(len(closes))).ffill().where(recent >= 32)[rows]
        assert expected.notna().mean() > 0.5
        np.testing.assert_allclose(found.correlation[:, pair], expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(found.observations[:, pair], np.searchsorted(returns.index, rows, side="right"))


def test_pairs_come_in_the_order_of_their_places():
    first, second = pair_places(4)
    assert list(zip(first, second, strict=True)) == list(combinations(range(4), 2))


def test_asset_that_moves_as_another_or_against_it_correlates_perfectly():
    close = market(assets=1)[:, 0]
    found = rolling(np.column_stack([close, 3 * close, 1 / close]), np.array([100]), 63)
    np.testing.assert_allclose(found.correlation, [[1, -1, -1]], atol=1e-12)
    assert np.abs(found.correlation).max() <= 1


@pytest.mark.parametrize("price", [7.0, 0.1 + 0.2])
def test_price_that_is_constant_or_grows_evenly_has_no_correlation(price):
    closes = market(assets=3)
    closes[:, 1] = price
    closes[:, 2] = price * 1.001 ** np.arange(len(closes))
    for found in (rolling(closes, np.array([100]), 63), exponentially_weighted(closes, np.array([100]), DECAY, 63)):
        assert np.isnan(found.correlation).all()
        assert (found.observations > 0).all()


def test_price_that_stopped_moving_loses_its_correlation_after_a_window():
    closes = market(assets=2)
    closes[200:, 1] = closes[199, 1]
    found = rolling(closes, np.array([261, 262]), 63).correlation[:, 0]
    # Move 199 is the last one; window 263 - 63 .. 262 begins after it.
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_crash_that_left_the_window_leaves_nothing_behind():
    closes = market(sessions=300, assets=2)
    closes[100:] *= [1e-6, 1e9]
    closes[200:, 1] = closes[200, 1] * np.exp(1e-7 * np.sin(np.arange(100)))
    rows = np.arange(63, 300)
    returns = np.diff(np.log(closes), axis=0)
    # The plain formula on every window by itself.
    expected = [np.corrcoef(returns[row - 63 : row].T)[0, 1] for row in rows]
    np.testing.assert_allclose(rolling(closes, rows, 63).correlation[:, 0], expected, rtol=0, atol=TOLERANCE)


def test_half_of_the_window_is_enough_and_less_is_not():
    closes = market(sessions=64, assets=2)
    closes[1:33, 1] = np.nan
    # 31 closes of 64 remain after the first one, and so 31 returns of 63.
    enough = closes.copy()
    enough[32, 1] = 100.0
    assert rolling(closes, np.array([63]), 63).observations == [[31]]
    assert np.isnan(rolling(closes, np.array([63]), 63).correlation).all()
    assert rolling(enough, np.array([63]), 63).observations == [[32]]
    assert np.isfinite(rolling(enough, np.array([63]), 63).correlation).all()


def test_asset_that_no_longer_trades_loses_its_weighted_correlation():
    closes = market(assets=2)
    closes[200:, 1] = np.nan
    found = exponentially_weighted(closes, np.array([199, 230, 231, 399]), DECAY, 63)
    # Of the 63 sessions up to 230 there are 32 with a return, up to 231 only 31.
    assert np.isfinite(found.correlation[:, 0]).tolist() == [True, True, False, False]
    assert found.observations[:, 0].tolist() == [199, 199, 199, 199]


def test_numbers_do_not_depend_on_how_many_cores_there_are(monkeypatch):
    closes, rows = market(assets=9, gaps=0.05), np.arange(63, 400)
    many = rolling(closes, rows, 63)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    one = rolling(closes, rows, 63)
    np.testing.assert_array_equal(many.correlation, one.correlation)


def test_market_of_one_asset_has_no_pairs():
    assert rolling(market(assets=1), np.array([100]), 63).correlation.shape == (1, 0)
