"""Bootstrap samples: what they keep of the market, and how their sessions are drawn."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from support.generators import panel_of, random_case

from sd_core.calendars import calendar_sessions
from sd_core.market.arrays import last_known
from sd_core.market.panel import Panel
from sd_core.market.sessions import calendar_days
from sd_core.resampling.histories import Drawn, Relatives, block_length, draw_sessions, sessions_over

COLUMNS = ("open", "high", "low", "close", "dividends")
SEEDS = range(40)


def drawn_for(panel: Panel, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, len(panel.sessions), size=len(panel.sessions) - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_sessions_drawn_in_their_own_order_give_the_panel_back(seed):
    panel = random_case(seed).panel
    history = Relatives.of(panel).history(Drawn(np.arange(1, len(panel.sessions))))
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(history, name), getattr(panel, name), rtol=1e-11, err_msg=name)
    np.testing.assert_array_equal(history.rates, panel.rates)
    np.testing.assert_array_equal(history.sessions, panel.sessions)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_session_repeats_another_one_of_all_assets_relative_to_the_close_before(seed):
    panel = random_case(seed).panel
    drawn = drawn_for(panel, seed)
    history = Relatives.of(panel).history(Drawn(drawn))
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
    history = Relatives.of(panel).history(Drawn(drawn_for(panel, seed)))
    traded = ~np.isnan(history.close)
    assert (history.low[traded] <= np.minimum(history.open, history.close)[traded]).all()
    assert (history.high[traded] >= np.maximum(history.open, history.close)[traded]).all()


def test_price_index_rises_as_in_the_sessions_drawn():
    panel = dataclasses.replace(panel_of([1, 1, 1, 1]), price_index=np.array([100.0, 110, 110, 99]))
    history = Relatives.of(panel).history(Drawn(np.array([3, 1, 1])))
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


@pytest.mark.parametrize(
    ("history", "years", "expected"),
    [
        # pandas knows the weekdays; the history ends with a Friday, so its pattern goes on without a gap.
        (pd.bdate_range("2023-01-02", "2023-12-29"), 3, pd.bdate_range("2023-01-02", "2026-01-02")),
        (pd.bdate_range("2015-06-01", "2023-12-29"), 2, pd.bdate_range("2015-06-01", "2017-06-01")),
        # Every day of the week, from a Sunday to a Saturday.
        (pd.date_range("2023-01-01", "2023-01-28"), 1, pd.date_range("2023-01-01", "2024-01-01")),
        # The anniversary of a leap day is the first of March.
        (pd.bdate_range("2024-02-29", "2024-12-27"), 1, pd.bdate_range("2024-02-29", "2025-02-28")),
        (
            pd.date_range("2023-01-06", "2024-12-27", freq="W-FRI"),
            3,
            pd.date_range("2023-01-06", "2026-01-02", freq="W-FRI"),
        ),
    ],
)
def test_dates_of_a_sample_go_on_as_the_weekdays_of_the_history(history, years, expected):
    found = sessions_over(calendar_days(history), years)
    if expected[-1] == pd.Timestamp("2025-02-28"):
        # The pattern begins again on the Thursday after the last Friday, for it began with a Thursday.
        expected = expected[~expected.isin(pd.bdate_range("2024-12-28", "2025-01-01"))]
    np.testing.assert_array_equal(found, calendar_days(expected))


def test_dates_of_a_history_with_holidays_have_as_many_sessions_a_year():
    history = calendar_sessions("XNYS", dt.date(1990, 1, 2), dt.date(2022, 12, 28))
    found = sessions_over(history, 60)
    assert found[-1] <= np.datetime64("2050-01-02") < found[-1] + 7
    np.testing.assert_array_equal(found[: len(history)], history)
    assert np.unique(found.astype("datetime64[M]")).size == 60 * 12 + (found[-1] >= np.datetime64("2050-01-01"))
    assert len(found) / 60 == pytest.approx(len(history) / 33, rel=1e-3)


def test_samples_of_another_length_are_drawn_in_blocks_as_well():
    short, as_long, long = (list(draw_sessions(101, 20.0, 400, 3, length=length)) for length in (30, 100, 250))
    np.testing.assert_array_equal(as_long, list(draw_sessions(101, 20.0, 400, 3)))
    np.testing.assert_array_equal(short, [drawn[:30] for drawn in as_long])
    assert {drawn.shape for drawn in long} == {(250,)}
    steps = np.diff(long)
    runs_on = (steps == 1) | (steps == -99)
    # A block ends with probability 1/20 at each of 249 steps, or with the piece at 2 of them; a new one goes on by luck
    # in 1 of 100. Of 99,600 steps the standard error is 0.0007.
    assert 1 - runs_on.mean() == pytest.approx((247 / 20 + 2) / 249 * 0.99, abs=0.003)
    # Every session as often as any other: 1,000 times with a standard deviation of at most 31 times the root of 20.
    assert np.ptp(np.bincount(np.ravel(long), minlength=101)[1:]) < 1_000


def test_sample_longer_than_the_panel_grows_on_and_its_dates_with_it():
    dates = calendar_days(pd.bdate_range("2023-01-02", periods=4))
    panel = dataclasses.replace(
        panel_of([100, 110, 99, 99], sessions=dates), price_index=np.array([1.0, 1, 1.02, 1.02])
    )
    relatives = Relatives.of(panel, years=1)
    # +10 %, then -10 % with a rise of prices by 2 %, over and over.
    history = relatives.history(Drawn(np.resize([1, 2], len(relatives.sessions) - 1)))
    assert len(history.sessions) == len(history.close) == len(history.rates) > 100
    assert relatives.years == pytest.approx(365 / 365.25)
    np.testing.assert_allclose(history.close[::2, 0], 100 * 0.99 ** np.arange(len(history.close[::2])))
    np.testing.assert_allclose(history.price_index[::2], 1.02 ** np.arange(len(history.close[::2])))


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
