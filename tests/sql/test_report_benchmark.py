"""Scenarios beside the benchmark: the small study of ``lake_tables`` by hand, and simulations against numpy."""

import duckdb
import numpy as np
import pytest
from support.generators import panel_of, rules_of
from support.lake_tables import SESSIONS, add_scenario, bar, build_only, insert
from support.simulated_lake import fill_from_simulation, risk_free_returns

from sd_core.simulation.rules import Variant


def benchmark(con: duckdb.DuckDBPyConnection, closes: tuple[float | None, ...], dividend: float = 0.0) -> None:
    """Make SPY the benchmark of the small study, with a dividend on the last session."""
    paid = (0.0, 0.0, dividend)
    insert(
        con,
        "prices",
        *(bar(day, "SPY", *one) for day, one in zip(SESSIONS, zip(closes, paid, strict=True), strict=True)),
    )
    con.execute("update lake.study set benchmark = 'SPY'")


def compared(con: duckdb.DuckDBPyConnection, strategy: str, reserve: float) -> dict[str, object]:
    build_only(con, "report_benchmark")
    [found] = (
        con.sql(f"from report_benchmark where strategy = '{strategy}' and reserve = {reserve}")
        .to_arrow_table()
        .to_pylist()
    )
    return found


def period(found: dict[str, object]) -> tuple[str, str]:
    return str(found["first_session"]), str(found["last_session"])


def measures(returns: np.ndarray, benchmark_returns: np.ndarray, cash: np.ndarray, periods: int) -> dict[str, float]:
    """Return what numpy finds: a least-squares line through excess returns, and the spread of differences."""
    excess, benchmark_excess = returns - cash, benchmark_returns - cash
    line = np.column_stack([np.ones_like(excess), benchmark_excess])
    (alpha, beta), *_ = np.linalg.lstsq(line, excess, rcond=None)
    active = returns - benchmark_returns
    return {
        "portfolio_return": np.prod(1 + returns) - 1,
        "benchmark_return": np.prod(1 + benchmark_returns) - 1,
        "excess_over_benchmark": np.prod(1 + returns) - np.prod(1 + benchmark_returns),
        "beta": beta,
        "alpha": alpha * periods,
        "tracking_error": active.std(ddof=1) * np.sqrt(periods),
        "information_ratio": active.mean() / active.std(ddof=1) * np.sqrt(periods),
        "correlation": np.corrcoef(returns, benchmark_returns)[0, 1],
    }


def test_benchmark_is_bought_at_the_first_close_and_reinvests_its_dividends(small):
    benchmark(small, (10.0, 11.0, 9.9), dividend=0.55)
    found = compared(small, "sd8", 0.1)
    # The fees of the first session count: 1000 became 998.
    returns = np.array([998 / 1000, 1045.5 / 998, 1069.5 / 1045.5]) - 1
    expected = measures(returns, np.array([0.0, 0.1, -0.05]), np.array([0.0, 0.0001, 0.0002]), 252)
    assert (found["benchmark"], found["sessions"]) == ("SPY", 3)
    # Two days lie between the first close and the last; a year has 365.25.
    assert (period(found), found["is_of_a_year"]) == ((SESSIONS[0], SESSIONS[2]), False)
    per_year = {"portfolio_cagr": 1.0695 ** (365.25 / 2) - 1, "benchmark_cagr": 1.045 ** (365.25 / 2) - 1}
    assert {name: found[name] for name in per_year} == pytest.approx(per_year, rel=1e-9)
    assert (found["portfolio_return"], found["benchmark_return"]) == pytest.approx((0.0695, 0.045), rel=1e-10)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_sessions_before_the_first_price_of_the_benchmark_are_left_out_of_both(small):
    benchmark(small, (None, 11.0, 9.9))
    found = compared(small, "sd8", 0.1)
    # What the scenario did until the benchmark could be bought does not count.
    assert (found["sessions"], found["beta"], found["tracking_error"]) == (1, None, None)
    assert period(found) == (SESSIONS[1], SESSIONS[2])
    assert (found["portfolio_return"], found["benchmark_return"]) == pytest.approx(
        (1069.5 / 1045.5 - 1, -0.1), rel=1e-10
    )


def test_sessions_after_the_last_price_of_the_benchmark_are_left_out_of_both(small):
    benchmark(small, (10.0, 11.0, None))
    found = compared(small, "sd8", 0.1)
    assert found["sessions"] == 2
    assert found["portfolio_return"] == pytest.approx(1045.5 / 1000 - 1, rel=1e-12)
    assert found["benchmark_return"] == pytest.approx(0.1, rel=1e-12)


def test_session_without_a_price_of_the_benchmark_joins_the_next_one(small):
    # From 10 to 9.9 in two sessions, of which the first is a holiday where the benchmark trades.
    benchmark(small, (10.0, None, 9.9))
    found = compared(small, "sd8", 0.1)
    returns, market = np.array([998 / 1000, 1069.5 / 998]) - 1, np.array([0.0, -0.01])
    cash = np.array([0.0, 0.0001 + 0.0002])
    expected = measures(returns, market, cash, 252)
    assert found["sessions"] == 2
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_study_without_a_price_of_its_benchmark_compares_nothing(small):
    small.execute("update lake.study set benchmark = 'SPY'")
    build_only(small, "report_benchmark")
    assert small.execute("from report_benchmark").fetchall() == []


def test_outdated_scenarios_and_those_without_days_are_not_compared(small):
    small.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    small.execute("update lake.simulation_partition set keep = 'metrics' where reserve = 0")
    small.execute("delete from lake.simulation_daily where reserve = 0")
    build_only(small, "report_benchmark")
    assert small.execute("select strategy, reserve from report_benchmark").fetchall() == [("buy_and_hold", 0.1)]


def test_scenario_that_lost_everything_has_a_return_of_minus_one(small):
    add_scenario(small, "ruined", 0.0, bank=(0.0,) * 3, value=(1000.0, 0.0, 0.0))
    benchmark(small, (10.0, 11.0, 9.9))
    found = compared(small, "ruined", 0.0)
    # The last session has no return, since there was nothing to earn one.
    assert (found["sessions"], found["portfolio_return"], found["benchmark_return"]) == (2, -1, pytest.approx(0.1))


def test_holding_the_benchmark_is_the_benchmark(con):
    panel = panel_of([100, 120, 90, 130], [50, 40, 45, 60])
    fill_from_simulation(con, panel, {"held": rules_of(assets=2, variant=Variant.NO_RULE)})
    found = compared(con, "held", 0.0)
    assert (found["benchmark"], found["sessions"]) == ("universe", 4)
    assert found["portfolio_return"] == pytest.approx((1.3 + 1.2) / 2 - 1, rel=1e-12)
    same = {"excess_over_benchmark": 0, "beta": 1, "alpha": 0, "tracking_error": 0, "correlation": 1}
    assert {name: found[name] for name in same} == pytest.approx(same, abs=1e-12)
    assert found["information_ratio"] is None


def test_random_portfolios_are_measured_as_numpy_does(con):
    draws = np.random.default_rng(11)
    closes = 50 * np.exp(np.cumsum(draws.normal(0.001, 0.02, (3, 300)), axis=1))
    panel = panel_of(*closes.tolist(), rates=0.04)
    rules = rules_of(assets=3, reserve=0.3, weights=(0.6, 0.3, 0.1), fee_rate=0.001)
    results = fill_from_simulation(con, panel, {"sd8": rules})
    found = compared(con, "sd8", 0.3)
    value = np.asarray(results["sd8"].daily["value"])
    returns = value / np.concatenate([[rules.capital], value[:-1]]) - 1
    held = (closes / closes[:, :1]).mean(axis=0)
    expected = measures(
        returns, np.concatenate([[0.0], held[1:] / held[:-1] - 1]), risk_free_returns(panel), panel.periods_per_year
    )
    assert found["sessions"] == 300
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-8)
