"""Bootstrap samples: what they keep of the market, and how their sessions are drawn."""

import dataclasses

import numpy as np
import pytest
from support.generators import panel_of, random_case

from sd_core.market.arrays import last_known
from sd_core.market.panel import Panel
from sd_core.resampling.histories import Relatives, block_length, draw_sessions

COLUMNS = ("open", "high", "low", "close", "dividends")
SEEDS = range(40)


def drawn_for(panel: Panel, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, len(panel.sessions), size=len(panel.sessions) - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_sessions_drawn_in_their_own_order_give_the_panel_back(seed):
    panel = random_case(seed).panel
    history = Relatives.of(panel).history(np.arange(1, len(panel.sessions)))
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(history, name), getattr(panel, name), rtol=1e-11, err_msg=name)
    np.testing.assert_array_equal(history.rates, panel.rates)
    np.testing.assert_array_equal(history.sessions, panel.sessions)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_session_repeats_another_one_of_all_assets_relative_to_the_close_before(seed):
    panel = random_case(seed).panel
    drawn = drawn_for(panel, seed)
    history = Relatives.of(panel).history(drawn)
    was, now = last_known(panel.close), last_known(history.close)
    for name in COLUMNS:
        for session, source in enumerate(drawn, start=1):
            expected = getattr(panel, name)[source] / was[source - 1]
            found = getattr(history, name)[session] / now[session - 1]
            np.testing.assert_allclose(found, expected, rtol=1e-11, err_msg=name)
    # What a session earns is the rate known before it.
    np.testing.assert_array_equal(history.rates[:-1], panel.rates[drawn - 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_bars_stay_bars(seed):
    panel = random_case(seed).panel
    history = Relatives.of(panel).history(drawn_for(panel, seed))
    traded = ~np.isnan(history.close)
    assert (history.low[traded] <= np.minimum(history.open, history.close)[traded]).all()
    assert (history.high[traded] >= np.maximum(history.open, history.close)[traded]).all()


def test_price_index_rises_as_in_the_sessions_drawn():
    panel = dataclasses.replace(panel_of([1, 1, 1, 1]), price_index=np.array([100.0, 110, 110, 99]))
    history = Relatives.of(panel).history(np.array([3, 1, 1]))
    # -10 %, then +10 % twice.
    np.testing.assert_allclose(history.price_index, [100, 90, 99, 108.9])


def test_blocks_run_on_and_begin_again_after_the_last_session():
    (drawn,) = draw_sessions(1_001, block=50.0, histories=1, seed=3)
    assert drawn.shape == (1_000,)
    assert set(drawn) <= set(range(1, 1_001))
    follows = np.diff(drawn)
    runs_on = (follows == 1) | ((drawn[:-1] == 1_000) & (drawn[1:] == 1))
    # A block ends with probability 1/50 at each of 999 steps: 20 ends, with a standard deviation of 4.4.
    assert 5 <= (~runs_on).sum() <= 38


def test_same_seed_draws_the_same_histories_however_many_follow():
    few, many, other = (list(draw_sessions(100, 5.0, count, seed)) for count, seed in ((3, 1), (9, 1), (3, 2)))
    np.testing.assert_array_equal(few, many[:3])
    assert not np.array_equal(few, other)
    assert not np.array_equal(many[0], many[1])


def test_block_is_one_session_where_nothing_moves():
    assert block_length(panel_of([5.0] * 30, [7.0] * 30), np.array([0.5, 0.5])) == 1.0


def test_block_is_longer_where_storms_last():
    draws = np.random.default_rng(0).standard_normal(4_000)
    calm = np.repeat([0.002, 0.03], 100)
    clustered = 100 * np.exp(np.cumsum(draws * np.tile(calm, 20)))
    independent = 100 * np.exp(np.cumsum(draws * 0.02))
    # Storms of a hundred sessions against none.
    assert block_length(panel_of(clustered), np.ones(1)) > 30
    assert block_length(panel_of(independent), np.ones(1)) < 15
