"""The benchmark and the tag of its regime, on markets made for each rule, against pandas and by hand."""

import math

import duckdb
import numpy as np
import pandas as pd
import pytest
from support.lake_tables import STUDY, asset, bar, build_only, connect, insert

YEAR = 252


def market(
    con: duckdb.DuckDBPyConnection,
    closes: dict[str, list[float | None]],
    *,
    benchmark: str = "universe",
    dividends: dict[tuple[str, int], float] | None = None,
) -> pd.DataFrame:
    """Put a market on weekdays into the lake, build what concerns the benchmark, and return market_regime."""
    sessions = [str(day.date()) for day in pd.bdate_range("2001-01-01", periods=len(next(iter(closes.values()))))]
    insert(con, "study", {**STUDY, "benchmark": benchmark})
    insert(con, "sessions", *({"session": session} for session in sessions))
    for position, (ticker, series) in enumerate(closes.items(), start=1):
        if ticker != benchmark:
            insert(con, "study_asset", asset(position, ticker))
        paid = {t: amount for (who, t), amount in (dividends or {}).items() if who == ticker}
        bars = [
            bar(session, ticker, close, paid.get(t, 0.0))
            for t, (session, close) in enumerate(zip(sessions, series, strict=True))
            if close is not None or t in paid
        ]
        insert(con, "prices", *bars)
    build_only(con, "market_regime")
    return con.sql("from market_regime").df()


def growth(*legs: tuple[int, float, float]) -> list[float | None]:
    """Return closes that grow at a rate, with alternating shocks, leg by leg: sessions, mean return, size of shocks."""
    close, closes = 100.0, []
    for sessions, mean, shock in legs:
        for t in range(sessions):
            close *= 1 + mean + (shock if t % 2 else -shock)
            closes.append(close)
    return closes


def random_market(sessions: int) -> dict[str, list[float | None]]:
    draws = np.random.default_rng(5)
    scale = np.where(np.arange(sessions) // 150 % 2, 0.02, 0.006)
    return {name: (50 * np.exp(np.cumsum(draws.normal(0.0003, scale)))).tolist() for name in ("AAA", "BBB")}


def test_universe_is_bought_in_equal_parts_and_held(con):
    market(con, {"AAA": [10.0, 11.0, 12.0], "BBB": [5.0, 5.0, 4.0]})
    rows = con.sql("select close, level, simple_return from benchmark_daily").fetchall()
    assert rows[0] == (1.0, 1.0, None)
    assert rows[1] == pytest.approx((1.05, 1.05, 0.05))
    # (1.2 + 0.8) / 2
    assert rows[2] == pytest.approx((1.0, 1.0, 1.0 / 1.05 - 1))


def test_benchmark_reinvests_dividends_and_its_close_leaves_them_out(con):
    market(con, {"AAA": [1.0, 1.0, 1.0], "IDX": [50.0, 49.0, 49.0]}, benchmark="IDX", dividends={("IDX", 1): 1.0})
    assert con.sql("select close, level, simple_return from benchmark_daily").fetchall() == [
        (50.0, 1.0, None),
        (49.0, 1.0, 0.0),
        (49.0, 1.0, 0.0),
    ]


def test_benchmark_without_a_bar_has_its_last_close_and_none_before_its_first(con):
    market(con, {"AAA": [1.0, 1.0, 1.0, 1.0], "IDX": [None, 50.0, None, 55.0]}, benchmark="IDX")
    rows = con.sql("select close, level, simple_return from benchmark_daily").fetchall()
    assert rows[:3] == [(None, None, None), (50.0, 1.0, None), (50.0, 1.0, 0.0)]
    assert rows[3] == pytest.approx((55.0, 1.1, 0.1))


def test_inputs_of_the_rules_are_those_of_pandas(con):
    found = market(con, {"IDX": random_market(1600)["AAA"], "AAA": random_market(1600)["BBB"]}, benchmark="IDX")
    close = found["close"]
    volatility = close.pct_change().rolling(21).std() * math.sqrt(YEAR)
    expected = {
        "mean_close_200": close.rolling(200).mean(),
        "return_63": close.pct_change(63),
        "volatility_21": volatility,
        "volatility_p80": volatility.rolling(5 * YEAR, min_periods=YEAR).quantile(0.8),
    }
    for name, series in expected.items():
        pd.testing.assert_series_equal(found[name], series, check_names=False, rtol=1e-10)
    # Volatility is known from the 22nd session on, and for a year after 251 more.
    assert found["regime"].first_valid_index() == 21 + YEAR - 1
    assert found["regime"][21 + YEAR - 1 :].notna().all()


@pytest.mark.parametrize(
    ("regime", "legs"),
    [
        ("bull", [(300, 0.0, 0.02), (200, 0.003, 0.001)]),
        ("bear", [(300, 0.0, 0.02), (200, -0.003, 0.001)]),
        # Above the mean of a long rise, and lower than a quarter before.
        ("sideways", [(300, 0.0, 0.02), (200, 0.006, 0.001), (70, -0.0005, 0.001)]),
        # A rise as steep as the bull's, with larger shocks than ever before.
        ("high_volatility", [(500, 0.0, 0.002), (40, 0.003, 0.03)]),
    ],
)
def test_market_made_for_a_regime_bears_its_tag_at_the_end(con, regime, legs):
    assert market(con, {"AAA": growth(*legs)})["regime"].iloc[-1] == regime


def test_tag_of_a_short_market_is_null_throughout(con):
    found = market(con, {"AAA": growth((21 + YEAR - 1, 0.001, 0.01))})
    assert found["regime"].isna().all()
    assert found["mean_close_200"].notna().sum() == 21 + YEAR - 1 - 199


def test_later_sessions_change_nothing_of_the_earlier_ones(con):
    closes = random_market(2000)
    whole = market(con, closes)
    with connect() as other:
        cut = market(other, {ticker: series[:-YEAR] for ticker, series in closes.items()})
    pd.testing.assert_frame_equal(whole[:-YEAR], cut, check_exact=True)
