"""Each asset held alone: the small study of ``lake_tables`` by hand, and portfolios of one asset."""

import datetime as dt
import math
import statistics

import duckdb
import numpy as np
import pytest
from support.generators import panel_of, rules_of
from support.lake_tables import SESSIONS, build_only
from support.simulated_lake import fill_from_simulation

from sd_core.simulation.rules import Variant


def alone(con: duckdb.DuckDBPyConnection, ticker: str) -> dict[str, object]:
    [found] = con.sql(f"from report_single_asset where ticker = '{ticker}'").to_arrow_table().to_pylist()
    return found


@pytest.mark.parametrize(
    ("ticker", "returns", "deepest"),
    [
        ("AAA", [0, 110 / 100 - 1, 90 / 110 - 1], 90 / 110 - 1),
        # No bar on the second session; on the third a dividend of 0.5 on top of 25.
        ("BBB", [0, 0, 25.5 / 20 - 1], 0),
    ],
)
def test_asset_is_bought_at_the_first_close_and_its_dividends_are_reinvested(small, ticker, returns, deepest):
    build_only(small, "report_single_asset", "report_strategy")
    found = alone(small, ticker)
    assert (found["first_session"], found["last_session"]) == (dt.date(2024, 1, 2), dt.date(2024, 1, 4))
    excess = [value - cash for value, cash in zip(returns, (0.0, 0.0001, 0.0002), strict=True)]
    growth = math.prod(1 + value for value in returns)
    expected = {
        "twr": growth - 1,
        "cagr": growth ** (365.25 / 2) - 1,
        "volatility": statistics.stdev(returns) * math.sqrt(252),
        "sharpe": statistics.mean(excess) / statistics.stdev(excess) * math.sqrt(252),
        "max_drawdown": deepest,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_a_portfolio_of_one_asset_without_costs_is_that_asset_alone(con):
    closes = (70 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0005, 0.015, 200)))).tolist()
    held = rules_of(assets=1, variant=Variant.NO_RULE)
    fill_from_simulation(con, panel_of(closes, rates=0.03), {"held": held})
    build_only(con, "report_single_asset", "report_strategy")
    names = "first_session, last_session, twr, cagr, volatility, sharpe, max_drawdown"
    [found] = con.execute(f"select {names} from report_single_asset").fetchall()
    [portfolio] = con.execute(f"select {names} from report_strategy").fetchall()
    assert found[:2] == portfolio[:2]
    assert found[2:] == pytest.approx(portfolio[2:], rel=1e-9)


def test_single_session_has_no_rates_and_no_ratios(small):
    small.execute(f"delete from lake.sessions where session > '{SESSIONS[0]}'")
    small.execute("delete from lake.simulation_daily")
    build_only(small, "report_single_asset", "report_strategy")
    found = alone(small, "AAA")
    assert (found["twr"], found["max_drawdown"]) == (0, 0)
    assert [found[name] for name in ("cagr", "volatility", "sharpe")] == [None] * 3
