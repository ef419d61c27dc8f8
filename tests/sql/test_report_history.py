"""Calendar years, months, rolling returns and drawdowns: against pandas, empyrical-reloaded, and worked by hand.

What is asked of pandas starts from the days that the engine gave: value, deposits and withdrawals by session.
"""

import datetime as dt
import math

import duckdb
import empyrical
import numpy as np
import pandas as pd
import pytest
from support import lake_tables
from support.generators import panel_of, rules_of
from support.lake_tables import SESSIONS, add_taxes, build_all, build_only
from support.simulated_lake import fill_from_simulation

from pipelines.lab.home import SQL
from pipelines.warehouse.models import read_macros
from sd_core.simulation.rules import Every, Shortfall, Variant

EXACT = 1e-12
CAPITAL = 100_000.0
DAYS = pd.bdate_range("2018-11-13", "2022-04-29")


@pytest.fixture(scope="module")
def history():
    """Return the tables of a rule that takes deposits and pays withdrawals, under inflation; and its days."""
    rng = np.random.default_rng(11)
    prices = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.013, (len(DAYS), 2)), axis=0))
    index = 1.02 ** (np.arange(len(DAYS)) / 252)
    panel = panel_of(*prices.T.tolist(), sessions=DAYS.to_numpy().astype("datetime64[D]"), price_index=index)
    rules = rules_of(
        assets=2,
        capital=CAPITAL,
        reserve=0.1,
        variant=Variant.FULL,
        deposit=700.0,
        deposit_every=Every.MONTH,
        withdrawal=2_500.0,
        withdrawal_every=Every.QUARTER,
        shortfall=Shortfall.PRO_RATA,
    )
    with lake_tables.connect() as con:
        result = fill_from_simulation(con, panel, {"living": rules})["living"]
        build_all(con)
        days = pd.DataFrame(result.daily)[["value", "withdrawals", "deposits", "income"]].set_index(DAYS)
        days["index"] = index
        before = days["value"].shift(fill_value=CAPITAL)
        days["returns"] = (days["value"] + days["withdrawals"]) / (before + days["deposits"]) - 1
        yield con, days


def table(con: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    return con.sql(query).df()


@pytest.mark.parametrize(
    ("query", "period", "empyricals"),
    [("report_month", "M", "monthly"), ("report_calendar_year", "Y", "yearly")],
)
def test_periods_compound_as_empyrical_aggregates_the_returns(history, query, period, empyricals):
    con, days = history
    found = table(con, f"from {query} order by first_session")
    groups = days.groupby(days.index.to_period(period))
    assert found["twr"].to_numpy() == pytest.approx(
        empyrical.aggregate_returns(days["returns"], empyricals).to_numpy(), rel=1e-9
    )
    assert found["sessions"].tolist() == groups.size().tolist()
    assert found["end_value"].to_numpy() == pytest.approx(groups["value"].last().to_numpy(), rel=EXACT)
    assert found["start_value"].tolist() == [CAPITAL, *found["end_value"].tolist()[:-1]]
    for flow in ("deposits", "withdrawals"):
        assert found[flow].to_numpy() == pytest.approx(groups[flow].sum().to_numpy(), rel=EXACT)
        assert found[flow].sum() > 0
    received = groups["income"].sum().to_numpy()
    assert (found["dividends"] + found["interest"]).to_numpy() == pytest.approx(received, abs=1e-6)


@pytest.mark.parametrize(("query", "period"), [("report_month", "M"), ("report_calendar_year", "Y")])
def test_real_columns_leave_out_how_far_prices_rose(history, query, period):
    con, days = history
    found = table(con, f"from {query} order by first_session")
    groups = days.groupby(days.index.to_period(period))
    rose = groups["index"].last().to_numpy() / groups["index"].last().shift(fill_value=1.0).to_numpy()
    assert found["real_twr"].to_numpy() == pytest.approx((1 + found["twr"].to_numpy()) / rose - 1, rel=1e-9)
    worth = (groups["value"].last() / groups["index"].last()).to_numpy()
    assert found["real_end_value"].to_numpy() == pytest.approx(worth, rel=EXACT)
    paid = (days["withdrawals"] / days["index"]).groupby(days.index.to_period(period)).sum().to_numpy()
    assert found["real_withdrawals"].to_numpy() == pytest.approx(paid, rel=EXACT)


def test_drawdown_of_a_year_begins_at_its_own_start(history):
    con, days = history
    found = table(con, "from report_calendar_year order by year")
    deepest = days["returns"].groupby(days.index.year).apply(empyrical.max_drawdown)
    assert found["max_drawdown"].to_numpy() == pytest.approx(deepest.to_numpy(), rel=1e-9)


def test_first_period_is_never_whole_and_the_last_one_only_where_none_may_follow(history):
    con, _ = history
    whole = "select list(is_whole order by first_session) from"
    assert con.execute(f"{whole} report_calendar_year").fetchall() == [([False, True, True, True, False],)]
    [(months,)] = con.execute(f"{whole} report_month").fetchall()
    assert months == [False, *[True] * (len(months) - 2), False]


@pytest.mark.parametrize(
    ("next_session", "whole"),
    [("2022-05-02", [False, True]), ("2022-04-30", [False, False]), ("2023-01-03", [True, True])],
)
def test_last_period_is_whole_where_the_next_session_is_in_another(small, next_session, whole):
    # The sessions of the small study moved: three of 2021 before, and one on 29 April 2022.
    old = {"2024-01-02": "2021-11-30", "2024-01-03": "2021-12-31", "2024-01-04": "2022-04-29"}
    for name in ("sessions", "rates", "prices", "simulation_daily", "simulation_ledger"):
        for one, other in old.items():
            small.execute(f"update lake.{name} set session = '{other}' where session = '{one}'")
    small.execute(f"update lake.study set next_session = '{next_session}'")
    build_only(small, "report_calendar_year", "report_month")
    query = "select is_whole from {} where strategy = 'sd8' and {} = (select max({}) from {})"
    found = [
        small.execute(query.format(name, key, key, name)).fetchall()[0][0]
        for name, key in (("report_calendar_year", "year"), ("report_month", "month"))
    ]
    assert found == whole


@pytest.mark.parametrize("months", [12, 36])
def test_rolling_returns_are_those_between_month_ends_of_whole_months(history, months):
    con, days = history
    found = table(con, f"from report_rolling_return where months = {months} order by month")
    by_month = (1 + days["returns"]).groupby(days.index.to_period("M")).prod()
    rolling = by_month.rolling(months).apply(np.prod, raw=True) - 1
    # Neither November 2018, which begins within it, nor April 2022, which may have another session.
    expected = rolling.loc[pd.Period("2018-12", "M") + months - 1 : "2022-03"]
    assert found["month"].dt.to_period("M").tolist() == expected.index.tolist()
    assert found["twr"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)
    assert found["cagr"].to_numpy() == pytest.approx((1 + expected.to_numpy()) ** (12 / months) - 1, rel=1e-9)
    last = {period: max(group) for period, group in days.index.to_series().groupby(days.index.to_period("M"))}
    assert found["last_session"].tolist() == [last[period] for period in expected.index]
    assert found["start_session"].tolist() == [last[period - months] for period in expected.index]
    rose = days["index"].loc[found["last_session"]].to_numpy() / days["index"].loc[found["start_session"]].to_numpy()
    assert found["real_twr"].to_numpy() == pytest.approx((1 + expected.to_numpy()) / rose - 1, rel=1e-9)


def episodes(returns: pd.Series) -> list[tuple[object, ...]]:
    """Walk through returns and return every drawdown: peak, trough, recovery, depth, sessions; deepest first."""
    found: list[tuple[object, ...]] = []
    growth = highest = 1.0
    peak, fall = returns.index[0], None
    for session, one in returns.items():
        growth *= 1 + one
        if growth >= highest * (1 - 1e-12):
            if fall:
                found.append((peak, fall[0], session, fall[1], fall[2]))
            highest, peak, fall = max(highest, growth), session, None
        else:
            depth = growth / highest - 1
            deepest = fall[:2] if fall and fall[1] <= depth else (session, depth)
            fall = (*deepest, (fall[2] if fall else 0) + 1)
    if fall:
        found.append((peak, fall[0], None, fall[1], fall[2]))
    return sorted(found, key=lambda one: one[3])


def test_drawdowns_are_those_met_when_walking_through_the_returns(history):
    con, days = history
    found = table(con, "from report_drawdown order by depth_rank")
    expected = episodes(days["returns"])
    assert len(expected) > 20
    longest = max(expected, key=lambda one: ((one[2] or DAYS[-1]) - one[0], -one[0].toordinal()))
    shown = [*expected[:10], *([longest] if longest not in expected[:10] else [])]
    for (_, row), (peak, trough, recovery, depth, sessions) in zip(found.iterrows(), shown, strict=True):
        assert (row["peak_session"], row["trough_session"], row["sessions"]) == (peak, trough, sessions)
        assert row["depth"] == pytest.approx(depth, rel=1e-9)
        assert pd.isna(row["recovery_session"]) if recovery is None else row["recovery_session"] == recovery
        assert row["days"] == ((recovery or DAYS[-1]) - peak).days
        assert row["days_down"] == (trough - peak).days
    [of_longest] = found.loc[found["length_rank"] == 1, "peak_session"]
    assert of_longest == longest[0]


def drawdowns(returns: list[float]) -> list[tuple[object, ...]]:
    """Return report_drawdown of a scenario with some returns, one a day from 1 January 2021."""
    growth = np.cumprod(1 + np.array(returns))
    with duckdb.connect() as con:
        con.execute(read_macros(SQL))
        con.execute(
            "create table simulation_partition as select 'a' as strategy, 0.0::double as reserve, true as is_current"
        )
        con.execute("create table simulation_returns (strategy text, reserve double, session date, drawdown double)")
        for place, (one, highest) in enumerate(zip(growth, np.maximum.accumulate(growth), strict=True)):
            day = dt.date(2021, 1, 1) + dt.timedelta(days=place)
            con.execute("insert into simulation_returns values ('a', 0, ?, drawdown(?, ?))", [day, one, highest])
        con.execute(f"create table report as {(SQL / 'reports' / 'report_drawdown.sql').read_text(encoding='utf-8')}")
        columns = "depth_rank, length_rank, day(peak_session), day(trough_session), day(recovery_session)"
        return con.execute(f"select {columns}, depth, sessions, days, days_down, days_up from report").fetchall()


def test_drawdown_has_its_peak_trough_and_recovery():
    # 1, 1.2, 0.9, 0.96, 1.2 again, 1.5, 1.35: down a quarter and back, then down a tenth.
    found = drawdowns([0.0, 0.2, -0.25, 0.96 / 0.9 - 1, 1.2 / 0.96 - 1, 0.25, -0.1])
    assert found == [
        (1, 1, 2, 3, 5, pytest.approx(-0.25, rel=EXACT), 2, 3, 1, 2),
        (2, 2, 6, 7, None, pytest.approx(-0.1, rel=EXACT), 1, 1, 1, None),
    ]


def test_fall_from_the_start_has_the_first_session_as_its_peak():
    assert drawdowns([-0.01, 0.0, 0.02]) == [(1, 1, 1, 1, 3, pytest.approx(-0.01, rel=EXACT), 2, 2, 0, 2)]


def test_growth_that_never_falls_has_no_drawdown():
    assert drawdowns([0.0, 0.1, 0.0, 0.05]) == []


def test_total_loss_is_never_recovered():
    assert drawdowns([0.0, -1.0, 0.5]) == [(1, 1, 1, 2, None, -1.0, 2, 2, 1, None)]


def test_longest_drawdown_is_listed_beside_the_ten_deepest():
    # Eleven falls of 2 to 12 percent, each made up for the next day, then three days a hundredth under water.
    falls = [move for depth in range(2, 13) for move in (-depth / 100, 1 / (1 - depth / 100) - 1)]
    found = drawdowns([0.0, *falls, -0.01, 0.0, 0.0])
    assert [row[0] for row in found] == [*range(1, 11), 12]
    assert found[-1][1] == 1
    assert [row[5] for row in found[:10]] == pytest.approx([-depth / 100 for depth in range(12, 2, -1)], rel=1e-9)


def test_year_of_the_small_study_is_worked_by_hand(small):
    add_taxes(small)
    build_only(small, "report_calendar_year")
    [year] = table(small, "from report_calendar_year where strategy = 'sd8'").to_dict("records")
    # 1000 became 998, 1045.5 and 1069.5; owed are 0.4 of 6.8 gained, 0.1 of 10 in dividends, 0.3 of 0.5 in interest.
    expected = {
        "year": 2024,
        "sessions": 3,
        "start_value": 1000.0,
        "end_value": 1069.5,
        "twr": 0.0695,
        "max_drawdown": -0.002,
        "dividends": 10.0,
        "interest": 0.5,
        "harvest_net": 11.0,
        "tax": 3.87,
    }
    assert {name: year[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert all(math.isnan(year[name]) for name in ("real_twr", "real_withdrawals", "real_end_value"))


def test_scenario_without_a_ledger_has_returns_and_unknown_sources_of_income(small):
    small.execute("update lake.simulation_partition set keep = 'daily'")
    build_only(small, "report_month")
    [month] = table(small, "from report_month where strategy = 'sd8'").to_dict("records")
    assert month["twr"] == pytest.approx(0.0695, rel=1e-9)
    assert all(math.isnan(month[name]) for name in ("dividends", "interest", "harvest_net"))


def test_outdated_scenarios_are_left_out(small):
    small.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(small, "report_calendar_year", "report_drawdown", "report_month")
    for name in ("report_month", "report_calendar_year", "report_drawdown"):
        assert table(small, f"select distinct strategy from {name}")["strategy"].tolist() == ["buy_and_hold"]


def test_scenario_worth_nothing_has_no_return_in_the_years_after(small):
    small.execute("update lake.simulation_daily set value = 0, bank = 0, invested = 0 where session >= '2024-01-03'")
    for name in ("sessions", "rates", "prices", "simulation_daily", "simulation_ledger"):
        small.execute(f"update lake.{name} set session = '2025-01-02' where session = '{SESSIONS[2]}'")
    build_only(small, "report_calendar_year")
    found = table(small, "from report_calendar_year where strategy = 'sd8' order by year")
    assert found["twr"].tolist() == pytest.approx([-1.0, math.nan], nan_ok=True)
    assert found["end_value"].tolist() == [0.0, 0.0]
