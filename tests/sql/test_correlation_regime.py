"""Terciles of the average correlation, worked by hand, and the switches that follow."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from support.lake_tables import build_only, connect, insert

FEWEST = 252


def regimes(con: duckdb.DuckDBPyConnection, averages: list[float | None]) -> pd.DataFrame:
    """Put averages of consecutive days into the lake and return correlation_regime."""
    days = pd.date_range("2001-01-01", periods=len(averages))
    rows = [[str(day.date()), 2, average] for day, average in zip(days, averages, strict=True)]
    con.executemany(
        "insert into lake.correlation_summary (session, assets, average_correlation) values (?, ?, ?)", rows
    )
    build_only(con, "correlation_regime")
    return con.sql("from correlation_regime").df()


def rising(count: int) -> list[float | None]:
    """Return 0.001, 0.002, ..."""
    return [place / 1000 for place in range(1, count + 1)]


def test_terciles_are_interpolated_among_the_averages_so_far(con):
    found = regimes(con, rising(FEWEST + 1))
    # Of 1 .. 252 a third of the way lies at 1 + 251 / 3, and two thirds at 1 + 2 x 251 / 3.
    assert found["lower_tercile"][FEWEST - 1] == pytest.approx((1 + 251 / 3) / 1000)
    assert found["upper_tercile"][FEWEST - 1] == pytest.approx((1 + 2 * 251 / 3) / 1000)
    assert found["lower_tercile"][FEWEST] == pytest.approx((1 + 252 / 3) / 1000)


def test_regime_is_null_before_a_year_of_averages(con):
    found = regimes(con, [None, *rising(FEWEST)])
    assert found["regime"][:FEWEST].isna().all()
    assert found["lower_tercile"][:FEWEST].isna().all()
    assert found["regime"][FEWEST] == "high"


def test_average_is_low_normal_or_high_by_the_tercile_that_it_lies_in(con):
    # Each of these leaves the terciles near 0.085 and 0.168.
    found = regimes(con, [*rising(FEWEST), 0.05, 0.05, 0.12, 0.2, None, 0.2, 0.05])
    assert found["regime"][FEWEST:].fillna("none").tolist() == ["low", "low", "normal", "high", "none", "high", "low"]
    switches = [True, False, True, True, False, False, True]
    assert found["is_switch"][FEWEST:].tolist() == switches
    # The first regime that is known is no switch.
    assert not found["is_switch"][:FEWEST].any()


def test_averages_that_are_all_alike_are_normal(con):
    assert regimes(con, [0.3] * 300)["regime"][FEWEST:].eq("normal").all()


def test_probability_is_beside_the_session_that_it_is_of(con):
    insert(con, "correlation_state", {"session": "2001-01-02", "high_correlation_probability": 0.7})
    found = regimes(con, rising(3))["high_correlation_probability"]
    assert found.isna().tolist() == [True, False, True]
    assert found[1] == 0.7


def test_later_averages_change_no_earlier_row(con):
    averages = np.random.default_rng(4).normal(0.3, 0.1, 800).clip(-1, 1).tolist()
    whole = regimes(con, averages)
    with connect() as other:
        cut = regimes(other, averages[:-FEWEST])
    pd.testing.assert_frame_equal(whole[:-FEWEST], cut, check_exact=True)
