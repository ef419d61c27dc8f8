"""Attribution by hand: published cases, the small study of ``lake_tables``, and made-up trades."""

import dataclasses
import datetime as dt
import math
from decimal import Decimal, getcontext
from typing import Any

import duckdb
import numpy as np
import pytest
from support.generators import panel_of, rules_of
from support.lake_tables import (
    SESSIONS,
    SQL,
    STUDY,
    add_scenario,
    asset,
    bar,
    build_all,
    build_only,
    connect,
    insert,
    strategy,
    targets,
)
from support.simulated_lake import fill_from_simulation

from pipelines.warehouse.audit import read_identities
from pipelines.warehouse.models import own_models, read_macros
from sd_core.market.panel import Panel
from sd_core.schemas import attribution
from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import Anchor, Every, Path, Rules, Variant
from sd_core.simulation.targets import Targets

EXACT = 1e-12
ATTRIBUTION = [table.name for table in attribution.ATTRIBUTION]
MODELS = {model.name: model for model in own_models()}


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, object]]:
    return con.sql(query).to_arrow_table().to_pylist()


def row(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, object]:
    [found] = rows(con, query)
    return found


def columns(found: dict[str, object], *names: str) -> list[object]:
    return [found[name] for name in names]


def scalar(con: duckdb.DuckDBPyConnection, expression: str, *numbers: float) -> float | None:
    return con.execute(f"select {expression}", [float(number) for number in numbers]).fetchall()[0][0]


@pytest.fixture
def macros() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(read_macros(SQL))
    return connection


# Carino's factors


def test_carino_factor_of_ten_percent_is_its_logarithm_over_it(macros):
    assert scalar(macros, "carino(0.1, 0)") == pytest.approx(math.log(1.1) / 0.1, rel=EXACT)
    assert scalar(macros, "carino(0.1, -0.05)") == pytest.approx(math.log(1.1 / 0.95) / 0.15, rel=EXACT)


def test_carino_factor_of_equal_returns_is_the_limit(macros):
    assert scalar(macros, "carino(0, 0)") == 1
    assert scalar(macros, "carino(0.25, 0.25)") == pytest.approx(0.8, rel=EXACT)


@pytest.mark.parametrize("size", [1e-3, 1e-8, 1e-12, -1e-15, 1e-17])
def test_carino_factor_loses_no_digits_where_returns_are_close(macros, size):
    getcontext().prec = 60
    one, other = map(Decimal.from_float, (0.02 + size, 0.02))
    expected = ((1 + one).ln() - (1 + other).ln()) / (one - other) if one != other else 1 / (1 + one)
    assert scalar(macros, "carino(?, ?)", 0.02 + size, 0.02) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("pair", ["-1, 0", "0, -1", "-1.5, 0.1", "null, 0"])
def test_carino_factor_of_a_total_loss_is_null(macros, pair):
    assert scalar(macros, f"carino({pair})") is None


def test_carino_links_two_sessions_of_two_assets(macros):
    # Two assets of equal weight at the start of both sessions: +20 % and 0, then -20 % and +10 %.
    returns = (0.1, -0.05)
    total = 1.1 * 0.95 - 1
    factors = [scalar(macros, "carino(?, 0) / carino(?, 0)", r, total) for r in returns]
    first = 0.1 * factors[0] - 0.1 * factors[1]
    second = 0.05 * factors[1]
    assert first + second == pytest.approx(0.045, rel=EXACT)
    # ln(1.1) = 0.0953101798, ln(0.95) = -0.0512932944, ln(1.045) = 0.0440168854, each to ten digits.
    assert first == pytest.approx((0.0953101798 - 2 * 0.0512932944) * 0.045 / 0.0440168854, rel=1e-8)


# Brinson and Fachler


def test_textbook_case_of_brinson_and_fachler(macros):
    # Bacon, Practical Portfolio Performance Measurement and Attribution, the account of three equity markets:
    # 8.3 % against 6.4 %, allocation 0, -1.04 and -0.16 %. Selection and interaction follow from his definitions.
    macros.execute("""
        create table markets as from (values
            ('UK', 0.4, 0.4, 0.20, 0.10), ('Japan', 0.3, 0.2, -0.05, -0.04), ('US', 0.3, 0.4, 0.06, 0.08)
        ) as t (market, portfolio_weight, policy_weight, portfolio_return, policy_return)
    """)
    found = macros.execute("""
        select
            brinson_allocation(portfolio_weight, policy_weight, policy_return, 0.064) as allocation,
            brinson_selection(policy_weight, portfolio_return, policy_return) as selection,
            brinson_interaction(portfolio_weight, policy_weight, portfolio_return, policy_return) as interaction
        from markets
    """).fetchall()
    expected = [(0, 0.04, 0), (-0.0104, -0.002, -0.001), (-0.0016, -0.008, 0.002)]
    found = np.array(found, dtype=float)
    assert found == pytest.approx(np.array(expected), abs=EXACT)
    assert found.sum() == pytest.approx(0.083 - 0.064, abs=EXACT)


def effects(con: duckdb.DuckDBPyConnection) -> dict[str, list[float]]:
    """Return by class what the four effects add up to over the whole period."""
    return {
        found["asset_class"]: columns(found, "allocation", "selection", "interaction", "trading")
        for found in rows(
            con,
            "select asset_class, sum(linked_allocation) as allocation, sum(linked_selection) as selection, "
            "sum(linked_interaction) as interaction, sum(linked_trading) as trading "
            "from attribution_brinson group by all",
        )
    }


def test_portfolio_that_holds_the_policy_mix_has_no_effects(con):
    # Within a month the mix is left alone, as a portfolio that is bought and held.
    panel = panel_of([100, 120, 90, 130], [50, 40, 45, 60], [7, 8, 8, 9])
    rules = rules_of(assets=3, reserve=0.2, variant=Variant.NO_RULE)
    fill_from_simulation(con, panel, {"held": rules})
    build_only(con, "attribution_brinson")
    assert {name: pytest.approx([0] * 4, abs=1e-12) for name in ("(cash)", "stocks", "metals")} == effects(con)


def test_portfolio_put_back_to_its_targets_each_month_has_no_effects(con):
    draws = np.random.default_rng(8)
    closes = [(100 * np.exp(np.cumsum(draws.normal(0, 0.03, 90)))).tolist() for _ in range(3)]
    panel = panel_of(*closes, rates=0.04)
    rules = rules_of(assets=3, reserve=0.2, variant=Variant.NO_RULE)
    monthly = dataclasses.replace(rules, rebalance_every=Every.MONTH)
    fill_from_simulation(con, panel, {"monthly": monthly})
    build_only(con, "attribution_brinson")
    assert con.execute("select count(*) from lake.simulation_ledger where kind = 'REBALANCE_BUY'").fetchall() != [(0,)]
    assert {name: pytest.approx([0] * 4, abs=1e-12) for name in ("(cash)", "stocks", "metals")} == effects(con)


def test_fees_of_the_first_purchase_are_trading(con):
    panel = panel_of([100, 100, 100], [50, 50, 50])
    fill_from_simulation(con, panel, {"held": rules_of(assets=2, capital=1000, fee_fixed=5, variant=Variant.NO_RULE)})
    build_only(con, "attribution_brinson")
    found = effects(con)
    # 5 of 1000 each. Prices never move, so nothing else can.
    assert found["stocks"] == pytest.approx([0, 0, 0, -0.005], abs=EXACT)
    assert found["metals"] == pytest.approx([0, 0, 0, -0.005], abs=EXACT)


def test_cash_kept_through_a_rise_is_allocation(con):
    # Half in cash and half in an asset that doubles, while the policy would hold the asset alone: the second session.
    panel = panel_of([100, 200], sessions=np.array(["2024-01-30", "2024-01-31"], dtype="datetime64[D]"))
    fill_from_simulation(con, panel, {"half": rules_of(capital=1000, reserve=0.5, variant=Variant.NO_RULE)})
    # The reserve of the scenario is its policy's too: set it to 0 in the tables.
    for table in ("partition", "ledger", "daily", "lots"):
        con.execute(f"update lake.simulation_{table} set reserve = 0")
    build_only(con, "attribution_brinson")
    # Returns 0.5 against 1: cash (0.5 - 0) * (0 - 1), the asset (0.5 - 1) * (1 - 1).
    assert effects(con) == {
        "(cash)": pytest.approx([-0.5, 0, 0, 0], abs=EXACT),
        "stocks": pytest.approx([0, 0, 0, 0], abs=EXACT),
    }


def test_class_that_the_policy_does_not_hold_is_allocation(con):
    # Half in an asset that does not move and half in one that gains a fifth, of which the policy holds nothing.
    panel = panel_of([100, 100], [50, 60], sessions=np.array(["2024-01-30", "2024-01-31"], dtype="datetime64[D]"))
    fill_from_simulation(con, panel, {"half": rules_of(assets=2, capital=1000, variant=Variant.NO_RULE)})
    con.execute("update lake.strategy_target set weight = (ticker = 'A0')::integer")
    build_only(con, "attribution_brinson")
    found = effects(con)
    assert found["metals"] == pytest.approx([0.5 * 0.2, 0, 0, 0], abs=EXACT)
    assert found["stocks"] == pytest.approx([0, 0, 0, 0], abs=EXACT)


def february(con: duckdb.DuckDBPyConnection) -> dict[str, list[float]]:
    """Return the four effects by class of February 2024, of which the panel of two months has one session."""
    return {
        found["asset_class"]: columns(found, "allocation", "selection", "interaction", "trading")
        for found in rows(con, "from attribution_brinson where month = '2024-02-01'")
    }


TURN_OF_THE_MONTH = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")


def test_cash_from_sales_is_allocation_where_the_policy_has_no_cash(con):
    # 10 shares; at 200 the rule sells 2.5, so a quarter of 2000 is cash and earns 0.001, while the policy gains 0.1.
    panel = panel_of([100, 200, 220], sessions=TURN_OF_THE_MONTH, rates=0.365)
    rules = rules_of(capital=1000, bracket=1.0, profit_share=0.5, variant=Variant.ATH_ONLY)
    fill_from_simulation(con, panel, {"sold": rules})
    build_only(con, "attribution_brinson")
    assert february(con) == {
        "(cash)": pytest.approx([0.25 * (0.001 - 0.1), 0, 0, 0], abs=EXACT),
        "stocks": pytest.approx([0, 0, 0, 0], abs=EXACT),
    }


def test_cash_that_earns_less_than_the_rate_is_allocation_where_the_policy_has_none(con):
    # A deposit of 1000 beside 1000 in shares is half of the portfolio and earns nothing on its first day: not to hold
    # shares costs all of their 0.1. The rate of 0.001 is no part of it, since the policy earns it on nothing.
    panel = panel_of([100, 100, 110], sessions=TURN_OF_THE_MONTH, rates=0.365)
    rules = rules_of(capital=1000, deposit=1000, deposit_every=Every.MONTH, deposit_invest=False)
    fill_from_simulation(con, panel, {"paid_in": dataclasses.replace(rules, variant=Variant.NO_RULE)})
    build_only(con, "attribution_brinson")
    assert february(con) == {
        "(cash)": pytest.approx([0.5 * (0 - 0.1), 0, 0, 0], abs=EXACT),
        "stocks": pytest.approx([0, 0, 0, 0], abs=EXACT),
    }


# Policy mixes of strategies with targets of their own, and with others from some session on


JANUARY = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "datetime64[D]")


def held(*rows: list[float], sessions: list[str] | None = None, **changes: Any) -> Rules:
    """Return rules that hold, without cash, rows of targets from sessions on."""
    dates = np.array(sessions or ["2024-01-02"], "datetime64[D]")
    rules = rules_of(assets=len(rows[0]), capital=1000, variant=Variant.NO_RULE)
    return dataclasses.replace(rules, targets=Targets(dates, np.array(rows)), **changes)


def test_policy_mix_is_that_of_each_strategys_own_targets(con):
    panel = panel_of([100, 110, 110, 121], [50, 50, 60, 75], sessions=JANUARY)
    strategies = {"first": held([1.0, 0.0]), "second": held([0.0, 1.0]), "mixed": held([0.75, 0.25], reserve=0.2)}
    fill_from_simulation(con, panel, strategies)
    build_only(con, "attribution_brinson")
    found = {
        (found["strategy"], found["asset_class"]): columns(found, "policy_weight", "policy_return", "portfolio_return")
        for found in rows(con, "from attribution_brinson")
    }
    assert found["first", "stocks"] == pytest.approx([0.75, 0.21, 0.21])
    assert found["first", "metals"] == [0, pytest.approx(0), None]
    assert found["second", "metals"] == pytest.approx([0.75, 0.5, 0.5])
    # All is cash on the first of four sessions; then 0.6 of 1000 grows with stocks, 0.2 with metals.
    stocks, metals = np.array([600, 660, 660]), np.array([200, 200, 240])
    shares = [one / (stocks + metals + 200) for one in (stocks, metals)]
    assert found["mixed", "stocks"] == pytest.approx([shares[0].sum() / 4, 0.21, 0.21])
    assert found["mixed", "metals"] == pytest.approx([shares[1].sum() / 4, 0.5, 0.5])
    # Each holds its targets, so that nothing is to be explained.
    query = "select max(abs(linked_allocation) + abs(linked_selection) + abs(linked_trading)) from attribution_brinson"
    assert con.execute(query).fetchall() == [(pytest.approx(0, abs=EXACT),)]


def test_policy_mix_follows_targets_from_the_close_on_at_which_they_change(con):
    # All in the one until the close of the fourth, and in the other from then on; the portfolio stays where it is.
    panel = panel_of([100, 110, 110, 121], [50, 50, 60, 60], sessions=JANUARY)
    changing = held([1.0, 0.0], [0.0, 1.0], sessions=["2024-01-02", "2024-01-04"])
    fill_from_simulation(con, panel, {"late": changing})
    build_only(con, "attribution_brinson")
    # The mix gained 10 % on the third and missed the 10 % of the fifth, which is all allocation to stocks.
    assert effects(con) == {
        "(cash)": pytest.approx([0] * 4, abs=EXACT),
        "stocks": pytest.approx([0.21 - 0.10, 0, 0, 0], abs=EXACT),
        "metals": pytest.approx([0] * 4, abs=EXACT),
    }
    weights = dict(con.execute("select asset_class, policy_weight from attribution_brinson").fetchall())
    assert weights == pytest.approx({"(cash)": 0.25, "stocks": 0.5, "metals": 0.25})


def two_quarters(seed: int) -> Panel:
    """Return 130 weekdays of three assets, of which two are of one class."""
    draws = np.random.default_rng(seed)
    closes = [(100 * np.exp(np.cumsum(draws.normal(0, 0.03, 130)))).tolist() for _ in range(3)]
    weekdays = np.arange(np.datetime64("2024-01-02"), np.datetime64("2024-08-01"))
    return panel_of(*closes, rates=0.04, sessions=weekdays[np.is_busday(weekdays)][:130])


SCHEDULE = {
    "2024-01-02": [0.6, 0.4, 0.0],
    # On a Saturday, in the middle of a month, and twice within one month; a part of it stays in cash.
    "2024-02-17": [0.2, 0.3, 0.5],
    "2024-05-08": [0.1, 0.4, 0.2],
    "2024-05-22": [0.0, 0.0, 1.0],
}


def test_portfolio_put_back_monthly_and_when_its_targets_change_has_no_effects(con):
    panel = two_quarters(8)
    parts = {"reserve": 0.2, "rebalance_every": Every.MONTH, "rebalance_on_change": True}
    following = held(*SCHEDULE.values(), sessions=list(SCHEDULE), **parts)
    steady = held([0.3, 0.3, 0.4], reserve=0.2, rebalance_every=Every.MONTH)
    fill_from_simulation(con, panel, {"following": following, "steady": steady})
    build_only(con, "attribution_brinson")
    assert {name: pytest.approx([0] * 4, abs=1e-12) for name in ("(cash)", "stocks", "metals")} == effects(con)


def policy_return(panel: Panel, targets: dict[str, list[float]], reserve: float) -> float:
    """Return what a mix earns that is put back at the close of each month's first session and of each change."""
    dates = [np.datetime64(date) for date in targets]
    value, money, cash = 1.0, np.zeros(3), 1.0
    for day, session in enumerate(panel.sessions):
        before = panel.sessions[max(day - 1, 0)]
        if day:
            money = money * panel.close[day] / panel.close[day - 1]
            cash *= 1 + panel.rates[day - 1] * (session - before).astype(int) / 365
        value = money.sum() + cash
        changed = any(before < date <= session for date in dates)
        if day == 0 or changed or session.astype("M8[M]") != before.astype("M8[M]"):
            in_force = [row for date, row in targets.items() if np.datetime64(date) <= session][-1]
            money = value * (1 - reserve) * np.array(in_force)
            cash = value - money.sum()
    return value - 1


def test_effects_add_up_to_the_return_above_the_strategys_own_changing_mix(con):
    panel = two_quarters(9)
    steady = {"2024-01-02": [0.3, 0.3, 0.4]}
    strategies = {
        "stays": held(*SCHEDULE.values(), sessions=list(SCHEDULE), reserve=0.1),
        "follows": held(*SCHEDULE.values(), sessions=list(SCHEDULE), rebalance_on_change=True),
        "steady": held(*steady.values(), reserve=0.1),
    }
    fill_from_simulation(con, panel, strategies)
    build_all(con)
    found = dict(
        con.execute("""
            select strategy, sum(linked_allocation + linked_selection + linked_interaction + linked_trading)
            from attribution_brinson
            group by strategy
        """).fetchall()
    )
    returns = dict(con.execute("select strategy, twr from report_strategy").fetchall())
    policies = {"stays": (SCHEDULE, 0.1), "follows": (SCHEDULE, 0.0), "steady": (steady, 0.1)}
    assert found == pytest.approx(
        {name: returns[name] - policy_return(panel, *policy) for name, policy in policies.items()}, abs=1e-11
    )
    [law] = [one for one in read_identities(SQL / "audit") if one.name == "brinson_effects_link_to_active_return"]
    assert con.execute(law.sql).fetchall() == []
    # The law works the mixes out by itself, and sees one that is not the strategy's.
    con.execute("update strategy_target set weight = 1 / 3 where session = '2024-05-08'")
    assert {broken[0] for broken in con.execute(law.sql).fetchall()} == {"stays", "follows"}


# The small study


def test_profit_is_split_by_asset_into_price_income_and_costs(small):
    build_only(small, "attribution_asset")
    found = {
        row["ticker"]: columns(row, "price_gain", "income", "costs", "profit")
        for row in rows(small, "from attribution_asset where strategy = 'sd8' and month = '2024-01-01'")
    }
    assert found == {
        # 5 x 10 up, 1 sold at 108 of 110, 4 x 20 down, 1 bought at 95 of 90; three fees.
        "AAA": pytest.approx([50 - 2 - 80 - 5, 0, 3, -40]),
        "BBB": pytest.approx([20 * 5, 10, 1, 109]),
        "(cash)": pytest.approx([0, 0.5, 0, 0.5]),
    }


def test_contributions_are_logarithmic_shares_of_the_return(small):
    build_only(small, "attribution_asset", "report_attribution")
    # Profits of AAA, BBB and cash by session, over the value at the opening: 1000, 998, 1045.5.
    profits = [(-1, -1, 0), (50 - 2 - 1, 0, 0.5), (-80 - 5 - 1, 110, 0)]
    factors = [math.log1p(sum(p) / v) / sum(p) for p, v in zip(profits, (1000, 998, 1045.5), strict=True)]
    expected = [
        sum(p[i] * factor for p, factor in zip(profits, factors, strict=True)) * 0.0695 / math.log(1.0695)
        for i in range(3)
    ]
    report = {
        row["ticker"]: row["contribution"] for row in rows(small, "from report_attribution where strategy = 'sd8'")
    }
    assert [report[name] for name in ("AAA", "BBB", "(cash)")] == pytest.approx(expected, rel=1e-10)
    assert sum(expected) == pytest.approx(0.0695, rel=EXACT)
    # All is in one month, so the month's contributions are the same.
    assert small.execute("select max(abs(contribution - linked_contribution)) from attribution_asset").fetchall() == [
        (pytest.approx(0, abs=EXACT),)
    ]


def test_final_value_and_profit_are_split_into_core_harvest_and_lots(small):
    build_only(small, "report_synthetic_dividend")
    found = row(small, "from report_synthetic_dividend where strategy = 'sd8'")
    expected = {
        "final_value": 1069.5,
        "core_value": 4 * 90 + 20 * 25,
        "lots_value": 90,
        "bank": 119.5,
        "profit": 69.5,
        "core_gain": 4 * -10 + 8 + 20 * 5,  # four fell by 10, one was sold for 8 more, and BBB
        "realised_buyback_gain": 0,
        "unrealised_buyback_gain": -5,
        "dividend_income": 10,
        "interest_income": 0.5,
        "costs": 4,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)


def test_positions_are_measured_against_the_same_money_in_the_benchmark(small):
    insert(small, "prices", *(bar(day, "SPY", close) for day, close in zip(SESSIONS, (10, 11, 9.9), strict=True)))
    small.execute("update lake.study set benchmark = 'SPY'")
    build_only(small, "report_opportunity_cost")
    found = {
        row["ticker"]: columns(row, "months", "profit", "benchmark_profit", "opportunity_cost")
        for row in rows(small, "from report_opportunity_cost where strategy = 'sd8'")
    }
    # The benchmark gains 10 % and loses 10 % again. Cash is 98 and 205.5 where a tenth would be 99.8 and 104.55; the
    # tenth earned 1 and 2 basis points, which are not counted.
    cash = (98 - 99.8) * 0.1 - (205.5 - 104.55) * 0.1
    earned = 0.5 - 99.8 * 0.0001 - 104.55 * 0.0002
    assert found == {
        "AAA": pytest.approx([1, -40, 500 * 0.1 - 440 * 0.1, 6 + 40]),
        "BBB": pytest.approx([1, 109, 400 * 0.1 - 400 * 0.1, -109]),
        "(cash)": pytest.approx([1, earned, cash, cash - earned]),
    }


def test_months_that_the_benchmark_does_not_cover_are_left_out(small):
    insert(small, "prices", *(bar(day, "SPY", close) for day, close in zip(SESSIONS, (None, 11, 9.9), strict=True)))
    small.execute("update lake.study set benchmark = 'SPY'")
    build_only(small, "attribution_asset", "report_opportunity_cost")
    assert small.execute("select distinct benchmark_profit from attribution_asset").fetchall() == [(None,)]
    assert small.execute(
        "select distinct months, profit, benchmark_profit, opportunity_cost from report_opportunity_cost"
    ).fetchall() == [(0, None, None, None)]


def test_holding_the_benchmark_costs_no_opportunity(con):
    panel = panel_of([100, 120, 90, 130], [50, 40, 45, 60])
    fill_from_simulation(con, panel, {"held": rules_of(assets=2, variant=Variant.NO_RULE)})
    build_only(con, "report_opportunity_cost")
    costs = con.execute("select ticker, opportunity_cost from report_opportunity_cost").fetchall()
    assert sum(cost for _, cost in costs) == pytest.approx(0, abs=1e-9)
    # One did better than the two together.
    assert sorted(cost > 0 for ticker, cost in costs if ticker != "(cash)") == [False, True]


def test_outdated_scenarios_are_not_attributed(small):
    small.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(small, *ATTRIBUTION)
    for table in ATTRIBUTION:
        assert small.execute(f"select count(reserve) from {table} where strategy = 'sd8'").fetchall() == [(0,)], table


def test_scenario_that_kept_no_ledger_is_not_attributed(small):
    for table in ("ledger", "lots"):
        small.execute(f"delete from lake.simulation_{table} where strategy = 'sd8'")
    small.execute("update lake.simulation_partition set keep = 'daily' where strategy = 'sd8'")
    build_only(small, *ATTRIBUTION)
    for table in ATTRIBUTION:
        assert small.execute(f"select count(reserve) from {table} where strategy = 'sd8'").fetchall() == [(0,)], table


def test_total_loss_leaves_contributions_and_effects_untold(small):
    add_scenario(small, "ruined", 0.0, bank=(0.0,) * 3, value=(1000.0, 0.0, 0.0))
    insert(small, "strategy_target", *targets("ruined"))
    build_only(small, "attribution_brinson", "report_attribution")
    where = "where strategy = 'ruined'"
    assert small.execute(f"select distinct contribution from report_attribution {where}").fetchall() == [(None,)]
    assert small.execute(f"select distinct linked_selection, trading from attribution_brinson {where}").fetchall() == [
        (None, None)
    ]


# Round trips


def lot(number: int, ticker: str, opened: str, closed: str | None, quantity: float, price: float, sold: float | None):
    return {
        "strategy": "sd8",
        "reserve": 0.1,
        "lot": number,
        "ticker": ticker,
        "opened": opened,
        "closed": closed,
        "quantity": quantity,
        "price": price,
        "sale_price": sold,
        "premium": -0.1,
    }


TRIPS = [
    lot(2, "AAA", SESSIONS[0], SESSIONS[1], 2.0, 50.0, 60.0),  # gains 20
    lot(3, "AAA", SESSIONS[0], SESSIONS[2], 1.0, 50.0, 54.0),  # gains 4
    lot(4, "AAA", SESSIONS[1], SESSIONS[2], 3.0, 60.0, 58.0),  # loses 6
    lot(5, "BBB", SESSIONS[1], SESSIONS[2], 1.0, 10.0, 10.0),  # neither
]


def test_round_trips_have_their_gain(small):
    insert(small, "simulation_lots", *TRIPS)
    build_only(small, "attribution_trade")
    found = rows(small, "from attribution_trade order by lot")
    names = ("lot", "holding_days", "gain", "is_winner", "holding_period")
    assert [columns(trade, *names) for trade in found] == [
        [2, 1, 20.0, True, "0 to 7"],
        [3, 2, 4.0, True, "0 to 7"],
        [4, 1, -6.0, False, "0 to 7"],
        [5, 1, 0.0, False, "0 to 7"],
    ]
    assert [trade["trade_return"] for trade in found] == pytest.approx([0.2, 0.08, 58 / 60 - 1, 0])


def test_report_sums_up_winners_and_losers_by_asset(small):
    insert(small, "simulation_lots", *TRIPS)
    build_only(small, "report_attribution")
    found = {row["ticker"]: row for row in rows(small, "from report_attribution where strategy = 'sd8'")}
    expected = {
        "realised_buyback_gain": 18,
        "unrealised_buyback_gain": -5,  # the small study's own lot, at 90 after 95
        "winners": 2,
        "losers": 1,
        "win_rate": 2 / 3,
        "average_win": 12,
        "average_loss": -6,
        "profit_factor": 4,
        "best_trade": 20,
        "worst_trade": -6,
        "mean_holding_days": 4 / 3,
    }
    assert {name: found["AAA"][name] for name in expected} == pytest.approx(expected)
    names = ("winners", "losers", "win_rate", "average_win", "average_loss", "profit_factor", "best_trade")
    assert columns(found["BBB"], *names) == [0, 0, 0.0, None, None, None, 0.0]
    assert columns(found["(cash)"], *names) == [0, 0, None, None, None, None, None]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, "0 to 7"),
        (7, "0 to 7"),
        (8, "8 to 30"),
        (30, "8 to 30"),
        (31, "31 to 90"),
        (90, "31 to 90"),
        (91, "91 to 365"),
        (365, "91 to 365"),
        (366, "over 365"),
    ],
)
def test_round_trips_are_grouped_by_calendar_days(small, days, expected):
    closed = dt.date.fromisoformat(SESSIONS[0]) + dt.timedelta(days)
    insert(small, "simulation_lots", lot(2, "AAA", SESSIONS[0], str(closed), 2.0, 50.0, 60.0))
    build_only(small, "attribution_trade", "report_holding_period")
    assert row(small, "select holding_period from attribution_trade") == {"holding_period": expected}
    assert columns(row(small, "from report_holding_period"), "holding_period", "trades", "gain") == [expected, 1, 20.0]


def test_regime_is_that_of_the_session_before_the_purchase(small):
    insert(small, "simulation_lots", *TRIPS)
    build_only(small, "attribution_trade", "market_regime")
    tags = zip(SESSIONS, ("bull", "bear", "sideways"), strict=True)
    small.executemany("update market_regime set regime = ? where session = ?", [(tag, day) for day, tag in tags])
    found = small.sql(MODELS["attribution_trade"].sql).to_arrow_table().to_pylist()
    assert {trade["lot"]: trade["regime"] for trade in found} == {2: None, 3: None, 4: "bull", 5: "bull"}


# Skipped purchases


def refuse(con: duckdb.DuckDBPyConnection, closes: list[float], at: int = 1, bank: float = 0.0) -> None:
    """Refuse two shares at 80, for a fee of 1, which would have been sold at 100."""
    days = [f"2024-01-{day:02}" for day in range(2, 2 + len(closes))]
    insert(con, "study", STUDY)
    insert(con, "study_asset", asset(1, "AAA"))
    insert(con, "study_strategy", strategy(1, "sd8", "full"))
    scenario = {"strategy": "sd8", "reserve": 0.1}
    for day, close in zip(days, closes, strict=True):
        insert(con, "sessions", {"session": day})
        insert(con, "prices", bar(day, "AAA", close))
        insert(con, "simulation_daily", {**scenario, "session": day, "bank": 0.0, "value": 1000.0})
    insert(con, "simulation_partition", {**scenario, "capital": 1000.0, "prices_version": "p1", "is_current": True})
    refusal = {"session": days[at], "leg": 1, "ticker": "AAA", "kind": "SKIP_BUY", "fee": 0.0, "amount": 0.0}
    wanted = {"skipped_quantity": 2.0, "price": 80.0, "bank_after": bank, "sale_limit": 100.0}
    insert(con, "simulation_ledger", {**scenario, "seq": 1, **refusal, **wanted})
    build_only(con, "skipped_buy_cost")


def skipped(con: duckdb.DuckDBPyConnection, closes: list[float], at: int = 1) -> list[object]:
    """Return the sale that would have followed a refusal, and what the refusal cost."""
    refuse(con, closes, at)
    found = row(con, "from skipped_buy_cost")
    return [found["sale_session"] and str(found["sale_session"]), *columns(found, "sale_limit", "exit_price", "cost")]


def test_skipped_purchase_costs_the_rung_that_its_sale_would_have_earned(con):
    assert skipped(con, [100, 80, 90, 100, 120, 70]) == ["2024-01-05", 100.0, 100.0, 40.0]


def test_skipped_purchase_without_a_sale_is_valued_at_the_last_close(con):
    assert skipped(con, [100, 80, 90, 99, 70]) == [None, 100.0, 70.0, -20.0]


def test_highs_before_the_refusal_and_of_its_own_session_sell_nothing(con):
    assert skipped(con, [100, 100, 90], at=1) == [None, 100.0, 90.0, 20.0]


@pytest.mark.parametrize(("bank", "count"), [(160.5, 1), (161.0, 0)], ids=["too_little", "enough"])
def test_bank_must_cover_a_purchase_and_its_fee(con, bank, count):
    refuse(con, [100, 80, 90], bank=bank)
    assert len(rows(con, "from skipped_buy_cost")) == count


# Ten shares at 100, rungs at 64, 80, 100 and 125; a purchase is a fifth of the holdings (r·s with s = 0.8).
RUNGS = {"bracket": 0.25, "profit_share": 0.8}
SPENT = rules_of(**RUNGS, capital=1_000)
SPENT_AT_80 = rules_of(**RUNGS, capital=1_160, reserve=160 / 1_160)


@pytest.mark.parametrize(
    ("prices", "rules", "expected"),
    [
        # Two shares at an open of 70, below the limit of 80: sold again at 100, or from an anchor at 70 at 87.5.
        ([100, 70, 90, 100], SPENT, [3, 100.0, 60.0]),
        ([100, 70, 90, 100], dataclasses.replace(SPENT, anchor=Anchor.FILL), [2, 87.5, 35.0]),
        # Nothing trades at a high where closes are all of the path.
        (
            [100, (90, 95, 70, 70), (75, 110, 75, 90), 100],
            dataclasses.replace(SPENT, path=Path.CLOSE_ONLY),
            [3, 100.0, 60.0],
        ),
        # 2.4 shares (a fifth of 12) at 64: sold at 80, or where only new highs sell at 100.
        ([100, 80, 64, 80, 100], SPENT_AT_80, [3, 80.0, 2.4 * 16]),
        ([100, 80, 64, 80, 100], dataclasses.replace(SPENT_AT_80, variant=Variant.ATH_SELL), [4, 100.0, 2.4 * 36]),
    ],
    ids=["gap", "gap_fill", "close_only", "full", "ath_sell"],
)
def test_sale_that_would_have_followed_is_the_variants_own(con, prices, rules, expected):
    panel = panel_of(prices)
    fill_from_simulation(con, panel, {"own": rules})
    build_only(con, "skipped_buy_cost")
    session, limit, cost = expected
    found = row(con, "select sale_session, sale_limit, cost from skipped_buy_cost")
    assert found["sale_session"] == panel.sessions[session].astype(dt.date)
    assert columns(found, "sale_limit", "cost") == pytest.approx([limit, cost], rel=EXACT)


@pytest.mark.parametrize(
    ("setting", "costs"),
    [
        ({"reserve": 0.2, "band": 0.09}, []),
        ({"reserve": 0.0, "band": 0.2}, [10]),
        ({"reserve": 0.0, "band": 0.09}, [10]),
        ({"reserve": 0.0, "band": 0.09, "margin_limit": 0.1}, [10]),
        ({"reserve": 0.0, "band": 0.09, "margin_limit": 0.11}, []),
    ],
    ids=["band", "bank", "both", "band_and_too_little_credit", "band_with_credit"],
)
def test_purchase_that_only_a_band_refused_costs_nothing(con, setting, costs):
    # The second halves: 5 · 100 + 5 · 50 are worth 750, and 1 000 with a reserve of 250. One more of the first at 80,
    # which would be sold at 100 and is at 90 in the end, would weigh 6 · 80 / 750 = 0.64, or 480 / 800 = 0.6: above
    # a band of 0.59. A tenth of 750 on credit does not pay for it, 0.11 of it does.
    settings = {"reserve": 0.0, **setting}
    capital = 1_000 / (1 - settings["reserve"])
    rules = rules_of(assets=2, **RUNGS, capital=capital, min_trade=150.0, **settings)
    rules = dataclasses.replace(rules, profit_shares=np.array([0.8, 0.0]))
    results = fill_from_simulation(con, panel_of([100, 100, 80, 90], [100, 50, 50, 50]), {"own": rules})
    assert (results["own"].ledger["kind"] == Kind.SKIP_BUY).sum() == 1
    build_only(con, "skipped_buy_cost")
    assert [found["cost"] for found in rows(con, "from skipped_buy_cost")] == pytest.approx(costs, rel=EXACT)


@pytest.mark.parametrize(
    ("stored", "cost"),
    [("keep = 'ledger'", 20.0), ("keep = 'daily'", None), ("is_current = false", None)],
    ids=["current", "no_ledger", "outdated"],
)
def test_cost_of_refusals_is_unknown_without_a_current_ledger(small, stored, cost):
    # Two shares at 80, which bank 119.5 does not cover, are worth 90 each in the end.
    small.execute("update lake.simulation_ledger set price = 80 where kind = 'SKIP_BUY'")
    build_only(small, "report_reserve")
    small.execute(f"update simulation_partition set {stored} where strategy = 'sd8'")
    found = small.sql(MODELS["report_reserve"].sql).to_arrow_table().to_pylist()
    costs = {(level["strategy"], level["reserve"]): level["skipped_buy_cost"] for level in found}
    assert costs == {("buy_and_hold", 0.0): 0.0, ("buy_and_hold", 0.1): 0.0, ("sd8", 0.1): cost}


# The laws


TAMPERING = [
    ("attribution_adds_up_to_profit", "update attribution_asset set profit = profit + 1e-5 where ticker = '(cash)'"),
    ("attribution_adds_up_to_profit", "delete from attribution_asset"),
    ("contributions_make_the_month", "update attribution_asset set contribution = contribution + 1e-8"),
    ("contributions_make_the_month", "update attribution_asset set contribution = null"),
    (
        "contributions_link_to_the_whole",
        "update attribution_asset set linked_contribution = linked_contribution + 1e-8",
    ),
    ("contributions_link_to_the_whole", "update attribution_asset set linked_contribution = null"),
    ("brinson_effects_link_to_active_return", "update attribution_brinson set linked_trading = linked_trading + 1e-8"),
    ("brinson_effects_link_to_active_return", "delete from attribution_brinson"),
    ("round_trips_gain_what_was_booked", "update attribution_trade set gain = gain + 0.01 where lot = 1"),
    ("round_trips_gain_what_was_booked", "delete from attribution_trade"),
    ("synthetic_dividend_adds_up", "update report_synthetic_dividend set core_value = core_value + 1e-4"),
    ("synthetic_dividend_adds_up", "update report_synthetic_dividend set costs = costs + 1e-4"),
    ("opportunity_costs_add_up", "update report_opportunity_cost set opportunity_cost = opportunity_cost + 1e-4"),
]


@pytest.fixture(scope="module")
def lawful():
    """A simulated lake, built."""
    panel = panel_of([100, (100, 101, 80, 95), (95, 112, 94, 111), 118], [50, 51, 49, 55], rates=0.02)
    with connect() as connection:
        fill_from_simulation(connection, panel, {"sd8": rules_of(assets=2, capital=1000, reserve=0.2, fee_fixed=0.1)})
        build_all(connection)
        yield connection


@pytest.mark.parametrize(("law", "tampering"), TAMPERING)
def test_a_broken_law_is_found(lawful, law, tampering):
    [identity] = [identity for identity in read_identities(SQL / "audit") if identity.name == law]
    lawful.execute("begin")
    try:
        assert lawful.execute(identity.sql).fetchall() == []
        lawful.execute(tampering)
        assert lawful.execute(identity.sql).fetchall() != []
    finally:
        lawful.execute("rollback")
