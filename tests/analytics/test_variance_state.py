"""The benchmark's state of higher variance: where it is known, and that later data do not change it."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sd_core.analytics.variance_state import variance_state
from sd_core.schemas.lake import VARIANCE_STATE


def returns(count: int = 900) -> np.ndarray:
    """Return a market that is calm and wild by turns of 120 sessions."""
    wild = np.arange(count) // 120 % 2 == 1
    return np.random.default_rng(6).normal(0.0004, np.where(wild, 0.025, 0.007))


def benchmark(moves: np.ndarray, freq: str = "B") -> pa.Table:
    days = pd.date_range("2010-01-04", periods=len(moves) + 1, freq=freq).date
    return pa.table({"session": pa.array(days), "simple_return": pa.array([None, *moves.tolist()])})


def known(table: pa.Table) -> pd.Series:
    found = variance_state(table)
    assert found.schema == VARIANCE_STATE.arrow_schema
    return found.to_pandas().set_index("session")["high_variance_probability"]


def test_probability_begins_with_the_first_month_after_two_years_of_returns():
    found = known(benchmark(returns()))
    # The 505th session, with the 504th return, is 2011-12-09: the model is first fitted for January.
    assert str(found.index[0]) == "2012-01-02"
    assert len(found) == 901 - 520


def test_wild_stretch_is_found_while_it_lasts():
    found = known(benchmark(returns()))
    place = np.arange(520, 901) - 1
    wild = place // 120 % 2 == 1
    settled = place % 120 > 20
    assert found[wild & settled].mean() > 0.9
    assert found[~wild & settled].mean() < 0.1


def test_weekends_without_a_bar_have_no_state_of_their_own():
    moves = returns()
    weekly = benchmark(moves)
    days = weekly["session"].to_pandas()
    daily = pd.Series([None, *moves], index=pd.to_datetime(days)).asfreq("D")
    filled = daily.fillna(0.0).where(daily.index > daily.index[0])
    with_weekends = pa.table(
        {"session": pa.array(filled.index.date), "simple_return": pa.array(filled.to_list(), from_pandas=True)}
    )
    expected, found = known(weekly), known(with_weekends)
    pd.testing.assert_series_equal(found[expected.index], expected, check_exact=True)
    friday = expected[pd.to_datetime(expected.index).day_of_week == 4].index[0]
    assert found[friday + pd.Timedelta(days=1)] == found[friday + pd.Timedelta(days=2)] == expected[friday]


def test_later_sessions_change_no_earlier_probability():
    whole, cut = known(benchmark(returns())), known(benchmark(returns()[:-252]))
    pd.testing.assert_series_equal(whole[cut.index], cut, check_exact=True)
    assert len(cut) > 100


def test_benchmark_without_a_price_or_that_never_moves_has_no_state():
    nothing = pa.table({"session": pa.array([], pa.date32()), "simple_return": pa.array([], pa.float64())})
    assert variance_state(nothing).num_rows == 0
    assert variance_state(benchmark(np.zeros(900))).num_rows == 0
