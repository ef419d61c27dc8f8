"""Performance by the regime of the session before, on returns and regimes written down by hand."""

import math

import duckdb
import numpy as np
import pandas as pd
import pytest

from pipelines.lab.home import SQL
from pipelines.warehouse.models import read_macros

YEAR = 252
COUNT = 90
DAYS = [str(day.date()) for day in pd.bdate_range("2001-01-01", periods=COUNT)]


@pytest.fixture
def returns() -> np.ndarray:
    return np.random.default_rng(8).normal(0.001, 0.01, COUNT)


def report(
    regimes: list[str | None],
    returns: np.ndarray,
    fills: list[tuple[str, str]] = (),
    keep: str = "ledger",
    first: int = 0,
) -> pd.DataFrame:
    """Return report_regime of one scenario, which has returns from a session on; fills are days and kinds."""
    with duckdb.connect() as con:
        con.execute(read_macros(SQL))
        con.execute("create table study as select 252::bigint as periods_per_year")
        con.execute(
            f"create table simulation_partition as select 'sd8' as strategy, 0.1::double as reserve, '{keep}' as keep"
        )
        con.execute("create table market_regime (session date, regime varchar)")
        con.execute(
            "create table simulation_returns (strategy varchar, reserve double, session date, simple_return double, "
            "excess_return double)"
        )
        con.execute(
            "create table simulation_ledger (strategy varchar, reserve double, session date, kind varchar, "
            "quantity double)"
        )
        con.executemany("insert into market_regime values (?, ?)", list(zip(DAYS, regimes, strict=True)))
        rows = [["sd8", 0.1, day, r, r - 0.0001] for day, r in zip(DAYS, returns.tolist(), strict=True)][first:]
        con.executemany("insert into simulation_returns values (?, ?, ?, ?, ?)", rows)
        for day, kind in fills:
            quantity = None if kind.startswith("SKIP") else 1.0
            con.execute("insert into simulation_ledger values ('sd8', 0.1, ?, ?, ?)", [day, kind, quantity])
        episodes = (SQL / "analytics" / "regime_episode.sql").read_text(encoding="utf-8")
        con.execute(f"create view regime_episode as {episodes}")
        con.execute(f"create table report as {(SQL / 'reports' / 'report_regime.sql').read_text(encoding='utf-8')}")
        return con.sql("from report").df().set_index("regime")


def test_return_belongs_to_the_regime_of_the_session_before(returns):
    # The first 40 sessions are bull, so returns 1 .. 40 are earned in it: the last one on the first bearish day.
    found = report(["bull"] * 40 + ["bear"] * 50, returns)
    assert found["sessions"].to_dict() == {"bull": 40, "bear": 49}
    bull, bear = returns[1:41], returns[41:]
    assert found["mean_return"]["bull"] == pytest.approx(bull.mean() * YEAR)
    assert found["volatility"]["bear"] == pytest.approx(bear.std(ddof=1) * math.sqrt(YEAR))
    assert found["sharpe"]["bear"] == pytest.approx((bear.mean() - 0.0001) / bear.std(ddof=1) * math.sqrt(YEAR))
    assert found["win_rate"]["bull"] == pytest.approx((bull > 0).mean())
    assert found["session_share"].to_dict() == pytest.approx({"bull": 40 / 89, "bear": 49 / 89})


def test_sessions_after_one_without_a_regime_are_in_no_row(returns):
    found = report([None] * 30 + ["sideways"] * 60, returns)
    assert found["sessions"].to_dict() == {"sideways": 59}
    assert found["session_share"]["sideways"] == 1


def test_episodes_are_runs_without_another_regime_between_them(returns):
    # Bull three times: at first, after bear, and after a session without a tag. The tag of the last session is no
    # return's, so the 20 sideways ones of the end are 19 returns of one run.
    tags = ["bull"] * 5 + ["bear"] * 10 + ["bull"] * 4 + [None] + ["bull"] * 30 + ["bear"] * 20 + ["sideways"] * 20
    found = report(tags, returns)
    assert found["episodes"].to_dict() == {"bull": 3, "bear": 2, "sideways": 1}
    assert found["sessions"].to_dict() == {"bull": 39, "bear": 30, "sideways": 19}


def test_episode_that_a_scenario_did_not_live_through_does_not_count(returns):
    tags = ["bear"] * 5 + ["bull"] * 5 + ["bear"] * 80
    assert report(tags, returns)["episodes"].to_dict() == {"bear": 2, "bull": 1}
    assert report(tags, returns, first=6)["episodes"].to_dict() == {"bear": 1, "bull": 1}


def test_regime_of_less_than_a_month_is_counted_and_not_judged(returns):
    found = report(["bear"] * 20 + ["bull"] * 21 + ["sideways"] * 49, returns)
    judged = ["mean_return", "volatility", "sharpe", "win_rate"]
    assert found.loc["bear", "sessions"] == 20
    assert found.loc["bear", judged].isna().all()
    assert found.loc["bull", "sessions"] == 21
    assert found.loc["bull", judged].notna().all()


def test_trades_are_counted_where_they_happened_without_first_day_and_refusals(returns):
    fills = [
        (DAYS[1], "INITIAL_BUY"),
        (DAYS[5], "SELL"),
        (DAYS[5], "BUY"),
        (DAYS[6], "SKIP_BUY"),
        # The last day of the bull's returns, tagged bear itself.
        (DAYS[40], "SELL"),
        (DAYS[41], "BUY"),
    ]
    assert report(["bull"] * 40 + ["bear"] * 50, returns, fills)["trades"].to_dict() == {"bull": 3, "bear": 1}


def test_trades_are_unknown_where_no_ledger_is_kept(returns):
    found = report(["bull"] * 40 + ["bear"] * 50, returns, keep="daily")
    assert found["trades"].isna().tolist() == [True, True]
    assert found["sessions"].to_dict() == {"bull": 40, "bear": 49}
