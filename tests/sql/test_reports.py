"""The models over the small study of ``lake_tables``: every expected number is worked out from its table of trades."""

import datetime as dt
import math
import statistics

import duckdb
import pytest
from support.lake_tables import (
    SESSIONS,
    SQL,
    add_scenario,
    asset,
    bar,
    build_all,
    build_only,
    connect,
    fill_small_study,
    insert,
    strategy,
)

from sd_core.schemas import TABLES

EXACT = 1e-12
PER_YEAR = ("withdrawals_per_year", "dividends_and_interest_per_year", "harvest_net_per_year")


def row(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, object]:
    [found] = con.sql(query).to_arrow_table().to_pylist()
    return found


def report(con: duckdb.DuckDBPyConnection, strategy: str, reserve: float) -> dict[str, object]:
    return row(con, f"from report_strategy where strategy = '{strategy}' and reserve = {reserve}")


def column(con: duckdb.DuckDBPyConnection, query: str) -> list[object]:
    return [value for (value,) in con.execute(query).fetchall()]


def test_report_has_wealth_and_income_of_the_trades_made(small):
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["first_session"] == dt.date(2024, 1, 2)
    assert found["last_session"] == dt.date(2024, 1, 4)
    expected = {
        "final_value": 1069.5,
        "total_return": 0.0695,
        "dividend_income": 10.0,
        "interest_income": 0.5,
        "harvest_gross": 108.0,  # one share at 108
        "harvest_net": 11.0,  # 107 after the fee, less 96 with the fee
        "withdrawals_per_year": 0.0,
        "dividends_and_interest_per_year": 10.5 / 2 * 365.25,
        "harvest_net_per_year": 11 / 2 * 365.25,
        "fees": 4.0,
        "mean_cash_share": (98 / 998 + 205.5 / 1045.5 + 119.5 / 1069.5) / 3,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)
    assert (found["trades"], found["skipped_buys"], found["passed_rungs"]) == (2, 1, 3)


def test_report_has_flows_and_how_far_proceeds_covered_what_was_scheduled(small):
    # Scheduled: 40 paid, 27 paid of 30, and 20 skipped: 90. Rule sales raised 108 before fees, 11 net.
    for seq, (kind, amount, unpaid) in enumerate(
        [
            ("DEPOSIT", 15.0, None),
            ("WITHDRAWAL", -40.0, None),
            ("WITHDRAWAL", -27.0, 3.0),
            ("SKIP_WITHDRAWAL", 0.0, 20.0),
        ]
    ):
        booking = {"strategy": "sd8", "reserve": 0.1, "seq": 100 + seq, "session": SESSIONS[2], "leg": 4, "kind": kind}
        insert(small, "simulation_ledger", {**booking, "skipped_quantity": unpaid, "fee": 0.0, "amount": amount})
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    expected = {
        "deposits": 15.0,
        "withdrawals": 67.0,
        "withdrawals_per_year": 67 / 2 * 365.25,
        # What is paid out changes neither what is earned nor what the rule sells.
        "dividends_and_interest_per_year": 10.5 / 2 * 365.25,
        "harvest_net_per_year": 11 / 2 * 365.25,
        "coverage_gross": 108 / 90,
        "coverage_net": 11 / 90,
        "xirr": 0.05,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)


def test_coverage_is_null_where_nothing_was_scheduled(small):
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert (found["withdrawals"], found["coverage_gross"], found["coverage_net"]) == (0.0, None, None)


def test_report_has_performance_of_the_returns_earned(small):
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    # The capital of 1000 comes before the first value; cash earned nothing, then 1 and 2 basis points.
    returns = [998 / 1000 - 1, 1045.5 / 998 - 1, 1069.5 / 1045.5 - 1]
    excess = [value - cash for value, cash in zip(returns, (0.0, 0.0001, 0.0002), strict=True)]
    cagr = 1.0695 ** (365.25 / 2) - 1
    expected = {
        "twr": 0.0695,
        "cagr": cagr,
        "volatility": statistics.stdev(returns) * math.sqrt(252),
        "sharpe": statistics.mean(excess) / statistics.stdev(excess) * math.sqrt(252),
        # The only loss is that of the first session.
        "sortino": statistics.mean(excess) / math.sqrt(0.002**2 / 3) * math.sqrt(252),
        "max_drawdown": -0.002,  # below the capital, which counts as the first peak
        "calmar": cagr / 0.002,
        # A tenth of the way from the first return, the worst, to the third; only the worst lies below.
        "value_at_risk": returns[0] + 0.1 * (returns[2] - returns[0]),
        "conditional_value_at_risk": -0.002,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-10)


def test_excess_is_the_difference_to_buy_and_hold_without_and_with_the_reserve(small):
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["excess_over_buy_and_hold"] == pytest.approx(0.0695 - 0.05, rel=1e-10)
    assert found["excess_over_same_reserve"] == pytest.approx(0.0695 - 0.045, rel=1e-10)
    held = report(small, "buy_and_hold", 0.1)
    assert held["excess_over_buy_and_hold"] == pytest.approx(-0.005, rel=1e-10)
    assert held["excess_over_same_reserve"] == 0


def test_study_without_buy_and_hold_has_no_excess(small):
    small.execute("delete from lake.study_strategy where is_buy_and_hold")
    small.execute("delete from lake.simulation_partition where strategy = 'buy_and_hold'")
    small.execute("delete from lake.simulation_daily where strategy = 'buy_and_hold'")
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["excess_over_buy_and_hold"] is None
    assert found["excess_over_same_reserve"] is None
    assert found["twr"] == pytest.approx(0.0695, rel=EXACT)


def test_study_without_reserve_0_still_compares_at_the_same_reserve(small):
    small.execute("delete from lake.simulation_partition where reserve = 0")
    small.execute("delete from lake.simulation_daily where reserve = 0")
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["excess_over_buy_and_hold"] is None
    assert found["excess_over_same_reserve"] == pytest.approx(0.0245, rel=1e-10)


def test_first_buy_and_hold_of_the_study_is_the_one_compared_with(small):
    small.execute("update lake.study_strategy set is_buy_and_hold = true, position = 3 where strategy = 'sd8'")
    build_only(small, "report_strategy")
    assert report(small, "sd8", 0.1)["excess_over_same_reserve"] == pytest.approx(0.0245, rel=1e-10)


def add_ath_only(con: duckdb.DuckDBPyConnection, **keys: object) -> None:
    """Add to the small study what sd8 does without ever buying, from 1000 to 1040 at a reserve of 0.1."""
    insert(con, "study_strategy", strategy(3, "ath_only", "ath_only") | keys)
    add_scenario(con, "ath_only", 0.1, bank=(100.0,) * 3, value=(999.0, 1030.0, 1040.0))


def test_volatility_alpha_is_the_difference_to_the_same_rule_that_never_buys(small):
    add_ath_only(small, sweep="others", keep="metrics")
    add_scenario(small, "ath_only", 0.0, bank=(0.0,) * 3, value=(1000.0, 1100.0, 1200.0))
    # Another one like it, but later in the study.
    insert(small, "study_strategy", strategy(4, "again", "ath_only"))
    add_scenario(small, "again", 0.1, bank=(100.0,) * 3, value=(1000.0, 1000.0, 1000.0))
    build_only(small, "report_strategy")
    assert report(small, "sd8", 0.1)["volatility_alpha"] == pytest.approx(0.0695 - 0.04, rel=1e-10)
    with_alpha = column(small, "select strategy from report_strategy where volatility_alpha is not null")
    assert with_alpha == ["sd8"]
    assert column(small, "select count(*) from report_strategy") == [6]


def test_volatility_alpha_is_not_smaller_for_money_taken_out(small):
    add_ath_only(small)
    small.execute("update lake.simulation_daily set withdrawals = 30 where strategy = 'sd8' and session = '2024-01-03'")
    build_only(small, "report_strategy")
    time_weighted = (998.0 / 1000) * ((1045.5 + 30) / 998.0) * (1069.5 / 1045.5) - 1
    assert report(small, "sd8", 0.1)["volatility_alpha"] == pytest.approx(time_weighted - 0.04, rel=1e-10)


KEYS = [name for name in TABLES["study_strategy"].types if name not in ("position", "strategy", "sweep", "keep")]


@pytest.fixture(scope="module")
def twins():
    """Return what is built of the small study with a twin of sd8 that never buys."""
    with connect() as con:
        fill_small_study(con)
        add_ath_only(con)
        build_only(con, "report_strategy")
        assert report(con, "sd8", 0.1)["volatility_alpha"] is not None
        yield con


@pytest.mark.parametrize("key", KEYS)
def test_strategy_that_differs_in_a_key_is_no_twin(twins, key):
    other = {"VARCHAR": "'other'", "BOOLEAN": "true"}.get(TABLES["study_strategy"].types[key], "0.75")
    query = (SQL / "reports" / "report_strategy.sql").read_text(encoding="utf-8")
    twins.begin()
    try:
        twins.execute(f"update study_strategy set {key} = {other} where strategy = 'ath_only'")
        # The query alone is asked again: of what it reads nothing else depends on the keys of a strategy.
        assert row(twins, f"from ({query}) where strategy = 'sd8' and reserve = 0.1")["volatility_alpha"] is None
    finally:
        twins.rollback()


@pytest.mark.parametrize("of", ["sd8", "ath_only"])
@pytest.mark.parametrize("change", ["is_current = false", "prices_version = 'p0'", "reserve = 0.2"])
def test_volatility_alpha_compares_current_scenarios_of_the_same_prices_and_reserve(small, of, change):
    add_ath_only(small)
    small.execute(f"update lake.simulation_partition set {change} where strategy = '{of}'")
    if "reserve" in change:
        for table in ("daily", "ledger"):
            small.execute(f"update lake.simulation_{table} set {change} where strategy = '{of}'")
    build_only(small, "report_strategy")
    assert column(small, "select count(*) from report_strategy where volatility_alpha is not null") == [0]
    assert column(small, "select count(*) from report_strategy") == [4]


def test_outdated_scenario_keeps_its_row_without_differences(small):
    small.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["is_current"] is False
    assert found["twr"] == pytest.approx(0.0695, rel=EXACT)
    assert found["excess_over_buy_and_hold"] is None
    assert found["excess_over_same_reserve"] is None


def test_nothing_is_compared_with_an_outdated_buy_and_hold(small):
    small.execute("update lake.simulation_partition set is_current = false where reserve = 0")
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["excess_over_buy_and_hold"] is None
    assert found["excess_over_same_reserve"] == pytest.approx(0.0245, rel=1e-10)


def test_scenarios_on_different_prices_are_not_compared(small):
    small.execute("update lake.simulation_partition set prices_version = 'p0' where reserve = 0")
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["prices_version"] == "p1"
    assert found["excess_over_buy_and_hold"] is None
    assert found["excess_over_same_reserve"] == pytest.approx(0.0245, rel=1e-10)


def test_single_session_has_figures_but_no_rates(small):
    small.execute(f"delete from lake.simulation_daily where session > '{SESSIONS[0]}'")
    build_only(small, "report_strategy")
    found = report(small, "sd8", 0.1)
    assert found["twr"] == pytest.approx(-0.002, rel=1e-10)
    rates = ["cagr", "volatility", "sharpe", "sortino", "calmar", *PER_YEAR]
    rates += ["value_at_risk", "conditional_value_at_risk"]
    assert [found[name] for name in rates] == [None] * len(rates)


def test_portfolio_that_never_moves_has_zeros_and_no_ratios(small):
    small.execute("update lake.rates set risk_free_return = 0")
    add_scenario(small, "idle", 0.2, bank=(1000.0,) * 3, value=(1000.0,) * 3)
    build_only(small, "report_strategy")
    found = report(small, "idle", 0.2)
    zeros = ["twr", "cagr", "volatility", "max_drawdown", *PER_YEAR, "fees", "trades"]
    assert [found[name] for name in zeros] == [0] * len(zeros)
    assert [found[name] for name in ("sharpe", "sortino", "calmar")] == [None] * 3
    assert found["mean_cash_share"] == 1


def test_no_published_number_is_nan(small):
    add_scenario(small, "ruined", 0.0, bank=(0.0,) * 3, value=(1000.0, 0.0, 0.0))
    add_scenario(small, "idle", 0.0, bank=(1000.0,) * 3, value=(1000.0,) * 3)
    build_all(small)
    doubles = small.execute("""
        select table_name, column_name from duckdb_columns()
        where database_name = 'warehouse' and data_type = 'DOUBLE'
    """).fetchall()
    assert len(doubles) > 50
    for table, name in doubles:
        assert column(small, f"select count(*) from {table} where not isfinite({name})") == [0], (table, name)


def test_flows_are_no_return_and_no_drawdown(small):
    # 500 taken out after nothing was lost, then 100 put in before a gain of 10 %.
    add_scenario(
        small,
        "flows",
        0.0,
        bank=(0.0,) * 3,
        value=(1000.0, 500.0, 660.0),
        withdrawals=(0.0, 500.0, 0.0),
        deposits=(0.0, 0.0, 100.0),
    )
    build_only(small, "report_strategy")
    returns = column(small, "select simple_return from simulation_returns where strategy = 'flows' order by session")
    assert returns == pytest.approx([0, 0, 0.1], abs=EXACT)
    assert report(small, "flows", 0.0)["max_drawdown"] == 0


def test_growth_and_drawdown_follow_the_returns(small):
    build_only(small, "simulation_returns")
    where = "from simulation_returns where strategy = 'buy_and_hold' and reserve = 0 order by session"
    assert column(small, f"select twr_index {where}") == pytest.approx([1, 1.1, 1.05], rel=EXACT)
    assert column(small, f"select drawdown {where}") == pytest.approx([0, 0, 1.05 / 1.1 - 1], abs=EXACT)
    assert column(small, f"select excess_return {where}") == pytest.approx(
        [0, 0.1 - 0.0001, 1.05 / 1.1 - 1 - 0.0002], abs=EXACT
    )


def test_holdings_follow_the_trades_at_last_closes(small):
    build_only(small, "simulation_holdings")
    where = "from simulation_holdings where strategy = 'sd8' and reserve = 0.1 order by ticker, session"
    assert column(small, f"select holdings {where}") == pytest.approx([5, 4, 5, 20, 20, 20], rel=EXACT)
    assert column(small, f"select price {where}") == [100, 110, 90, 20, 20, 25]
    assert column(small, f"select nav {where}") == [100, 110, 110, 20, 20, 25]
    premiums = column(small, f"select premium {where}")
    assert (premiums[0], premiums[3]) == (None, None)
    assert premiums[1:3] + premiums[4:] == pytest.approx([0.1, 90 / 110 - 1, 0.0, 0.25], rel=EXACT)
    assert column(small, f"select weight {where}") == pytest.approx(
        [500 / 998, 440 / 1045.5, 450 / 1069.5, 400 / 998, 400 / 1045.5, 500 / 1069.5], rel=EXACT
    )


def test_intervals_of_holdings_reach_from_trade_to_trade(small):
    build_only(small, "holding_interval")
    where = "from holding_interval where strategy = 'sd8' and reserve = 0.1 order by ticker, first_session"
    first, second, third = SESSIONS
    assert small.execute(f"select ticker, first_session::text, last_session::text, holdings {where}").fetchall() == [
        ("AAA", first, first, 5),
        ("AAA", second, second, 4),
        ("AAA", third, third, 5),
        ("BBB", first, third, 20),
    ]


def test_assets_return_prices_and_dividends_and_keep_their_price_without_a_bar(small):
    build_only(small, "asset_returns")
    found = small.execute(
        "select price, previous_price, dividend, simple_return from asset_returns where ticker = 'BBB' order by session"
    ).fetchall()
    assert found == [(20, None, 0, None), (20, 20, 0, 0), (25, 20, 0.5, pytest.approx(25.5 / 20 - 1, rel=EXACT))]


def test_returns_are_earned_on_the_value_before_and_what_was_put_in(small):
    add_scenario(small, "fed", 0.0, bank=(0.0,) * 3, value=(990.0, 1095.0, 1100.0), deposits=(0.0, 100.0, 0.0))
    build_only(small, "simulation_returns")
    where = "from simulation_returns where strategy = 'fed' order by session"
    assert column(small, f"select opening_value {where}") == [1000, 1090, 1095]


def test_bank_and_holdings_make_the_value(small):
    build_only(small, "simulation_daily", "simulation_holdings")
    broken = small.execute("""
        select daily.session, daily.value, daily.bank + sum(holdings.market_value) as expected_value
        from simulation_daily as daily
        inner join simulation_holdings as holdings using (strategy, reserve, session)
        where daily.strategy = 'sd8'
        group by daily.session, daily.value, daily.bank
        having abs(daily.value - expected_value) > 1e-9
    """).fetchall()
    assert broken == []


def test_holdings_leave_out_the_benchmark_and_keep_what_was_never_bought(small):
    insert(small, "study_asset", asset(3, "CCC"))
    for session in SESSIONS:
        insert(small, "prices", bar(session, "CCC", 7.0), bar(session, "SPY", 400.0))
    build_only(small, "simulation_holdings")
    held = small.execute(
        "select ticker, max(holdings) from simulation_holdings where strategy = 'sd8' group by ticker order by ticker"
    ).fetchall()
    assert held == [("AAA", 5.0), ("BBB", 20.0), ("CCC", 0.0)]


def test_parts_of_a_lot_are_numbered_as_they_were_sold(small):
    lot = {"strategy": "sd8", "reserve": 0.1, "lot": 2, "ticker": "AAA", "opened": SESSIONS[0], "price": 95.0}
    insert(
        small,
        "simulation_lots",
        {**lot, "quantity": 3.0},
        {**lot, "quantity": 2.0, "closed": SESSIONS[2], "sale_price": 104.0},
        {**lot, "quantity": 1.0, "closed": SESSIONS[1], "sale_price": 104.0},
    )
    build_only(small, "simulation_lots")
    parts = small.execute("select part, quantity from simulation_lots where lot = 2").fetchall()
    assert parts == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_findings_are_listed_with_those_of_the_study_first(small):
    dates = {"first_session": SESSIONS[0], "last_session": SESSIONS[1], "sessions": 2}
    insert(
        small,
        "price_findings",
        {"ticker": "BBB", "rule": "hole", "detail": "BBB has no bar.", **dates},
        {"rule": "illustration", "detail": "Survivors only.", **dates},
    )
    build_only(small, "report_data_quality")
    assert small.execute("select ticker, rule from report_data_quality").fetchall() == [
        (None, "illustration"),
        ("BBB", "hole"),
    ]
