"""What is reported of buckets: on a plan of five sessions written down by hand, computed in the head or by numpy."""

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest
from support.bucket_plan import CORE, CORE_RETURNS, DAYS, HUNTER, HUNTER_RETURNS, add_plan, add_trades
from support.lake_tables import SQL, STUDY, build_only, connect, insert

from pipelines.warehouse.models import build, own_models, read_macros

RATE = 0.001


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        insert(connection, "study", {**STUDY, "periods_per_year": 252})
        for day in DAYS:
            insert(connection, "sessions", {"session": day})
            insert(connection, "rates", {"session": day, "rate": 0.1, "risk_free_return": RATE, "price_index": 1.0})
        add_plan(connection)
        build_only(connection, "report_book", "report_bucket", "report_bucket_attribution", "bucket_regime")
        yield connection


def test_only_sessions_without_any_position_have_no_excess_return() -> None:
    with connect() as connection:
        for day in DAYS:
            insert(connection, "rates", {"session": day, "rate": 0.1, "risk_free_return": RATE, "price_index": 1.0})
            row = {"book": "p", "bucket": "hunter", "session": day, "simple_return": 0.0, "twr_index": 1.0}
            insert(connection, "bucket_daily", {**row, "positions": int(day == DAYS[3])})
        insert(connection, "bucket_trade", {"book": "p", "bucket": "hunter", "trade": 1, "opened": DAYS[1]})
        insert(connection, "bucket_trade", {"book": "p", "bucket": "hunter", "trade": 2, "opened": DAYS[3]})
        build_only(connection, "bucket_returns")
        found = connection.sql("select excess_return from bucket_returns order by session").fetchall()
    assert [excess for (excess,) in found] == [0.0, -RATE, 0.0, -RATE, -RATE]


def one(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, object]:
    [row] = con.sql(query).to_arrow_table().to_pylist()
    return row


def test_satellite_has_its_growth_risk_trades_and_state(con: duckdb.DuckDBPyConnection) -> None:
    found = one(con, "from report_bucket where bucket = 'hunter'")
    excess = np.array(HUNTER_RETURNS) - RATE
    expected = {
        "net_flows": 140.0,
        "final_value": 121.55,
        "profit": -18.45,
        "share": 121.55 / 1071.55,
        "target": 0.1,
        "twr": 0.9 * 1.1 * 0.85 - 1,
        "volatility": np.std(HUNTER_RETURNS, ddof=1) * np.sqrt(252),
        "sharpe": excess.mean() / excess.std(ddof=1) * np.sqrt(252),
        "max_drawdown": 0.9 * 1.1 * 0.85 - 1,
        "correlation_with_core": np.corrcoef(HUNTER_RETURNS, CORE_RETURNS)[0, 1],
        "mean_cash_share": 0.5,
        "active_share": 0.8,
        "trades": 3,
        "open_positions": 1,
        "wins": 1,
        "losses": 1,
        "win_rate": 1 / 3,
        "mean_win": 0.3,
        "mean_loss": -0.25,
        "best_trade": 0.3,
        "worst_trade": -0.25,
        "profit_factor": 6 / 5.1,
        "mean_days_of_wins": 2,
        "mean_days_of_losses": 2,
        "adherence": 0.75,
        "drawdown_now": 1 - 0.9 * 1.1 * 0.85,
        "factor": 0.0,
        "losses_in_a_row": 4,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    # The last session has no reasons; those of the sessions before are not its.
    assert (found["status"], found["reasons"], found["is_of_a_year"]) == ("hibernating", None, False)


def test_core_has_no_trades_of_a_satellite(con: duckdb.DuckDBPyConnection) -> None:
    found = one(con, "from report_bucket where bucket = 'core'")
    assert found["twr"] == pytest.approx(np.prod(1 + np.array(CORE_RETURNS)) - 1, rel=1e-12)
    assert found["net_flows"] == 880.0
    empty = ("correlation_with_core", "trades", "wins", "win_rate", "adherence", "status", "factor", "active_share")
    assert [found[name] for name in empty] == [None] * len(empty)


def test_peak_is_of_the_session_at_which_it_was_reached(con: duckdb.DuckDBPyConnection) -> None:
    """The satellite is below where it began; the core is at its highest at the last close."""
    found = dict(con.sql("select bucket, strftime(peak_session, '%Y-%m-%d') from report_bucket").fetchall())
    assert found == {"hunter": DAYS[0], "core": DAYS[4]}


def test_plan_as_a_whole_counts_money_from_outside_alone(con: duckdb.DuckDBPyConnection) -> None:
    found = one(con, "from report_book")
    totals = np.array(CORE) + np.array(HUNTER)
    returns = [0.0, totals[1] / totals[0] - 1, totals[2] / totals[1] - 1, totals[3] / totals[2] - 1]
    returns.append((totals[4] + 10) / (totals[3] + 30) - 1)
    shares = np.array(HUNTER) / totals
    expected = {
        "net_flows": 1020.0,
        "final_value": totals[-1],
        "twr": np.prod(1 + np.array(returns)) - 1,
        "volatility": np.std(returns, ddof=1) * np.sqrt(252),
        "satellite_share": shares[-1],
        "mean_satellite_share": shares.mean(),
        "highest_satellite_share": shares.max(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert (found["core_strategy"], found["core_reserve"]) == ("sd8", 0.1)
    # No such scenario was simulated.
    assert (found["core_cagr"], found["core_max_drawdown"]) == (None, None)


def test_profit_of_tickers_has_what_is_open_at_its_last_close(con: duckdb.DuckDBPyConnection) -> None:
    aaa = one(con, "from report_bucket_attribution where ticker = 'AAA'")
    assert (aaa["trades"], aaa["wins"], aaa["losses"], aaa["open_positions"]) == (2, 1, 1, 0)
    assert [aaa["profit"], aaa["open_profit"], aaa["mean_return"]] == pytest.approx([6 - 5, 0, 0.025])
    bbb = one(con, "from report_bucket_attribution where ticker = 'BBB'")
    # Four shares at 5.50 and a dividend of 0.50, less 20; and 0.10 lost before.
    assert [bbb["profit"], bbb["open_profit"]] == pytest.approx([2.5 - 0.1, 2.5])
    assert (bbb["trades"], bbb["open_positions"], bbb["best_return"], bbb["mean_days_held"]) == (1, 1, -0.005, 5)


def test_returns_belong_to_the_regime_before_and_trades_to_that_of_their_entry() -> None:
    with connect() as connection:
        insert(connection, "study", {**STUDY, "periods_per_year": 252})
        days = [str(day) for day in np.arange("2001-01-01", "2001-04-01", dtype="datetime64[D]")]
        returns = np.random.default_rng(3).normal(0.0, 0.01, len(days))
        for day, earned in zip(days, returns.tolist(), strict=True):
            insert(connection, "rates", {"session": day, "rate": 0.1, "risk_free_return": RATE, "price_index": 1.0})
            row = {
                "book": "p",
                "bucket": "hunter",
                "session": day,
                "simple_return": earned,
                "twr_index": 1.0,
                "positions": 1,
            }
            insert(connection, "bucket_daily", row)
        add_trades(connection)
        connection.execute("create table market_regime (session date, regime varchar)")
        regimes = [None, *["bull"] * 40, *["bear"] * 49]
        connection.executemany("insert into market_regime values (?, ?)", list(zip(days, regimes, strict=True)))
        wanted = {"bucket_daily", "bucket_trade", "rates", "study", "regime_episode", "bucket_returns", "bucket_regime"}
        build(connection, [model for model in own_models() if model.name in wanted], read_macros(SQL))
        found = {row["regime"]: row for row in connection.sql("from bucket_regime").to_arrow_table().to_pylist()}
    assert [(regime, found[regime]["sessions"], found[regime]["episodes"]) for regime in ("bull", "bear")] == [
        ("bull", 40, 1),
        ("bear", 48, 1),
    ]
    assert found["bull"]["mean_return"] == pytest.approx(returns[2:42].mean() * 252, rel=1e-12)
    assert (found["bull"]["trades"], found["bull"]["win_rate"]) == (2, 0.5)
    assert (found["bear"]["trades"], found["bear"]["mean_trade_return"]) == (1, -0.005)
