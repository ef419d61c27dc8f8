"""The reserve question over the small study of ``lake_tables``, and over histories made by hand."""

import statistics

import duckdb
import pytest
from support.lake_tables import SESSIONS, add_scenario, insert

EXACT = 1e-12

# Where an outcome starts and how much it rises from each of 21 histories to the next: a step is 5 % of the way, so the
# 5th percentile is the second history, the median the eleventh, and the 95th percentile the twentieth.
DRAWN = {
    "final_value": (900.0, 10.0),
    "twr": (-0.1, 0.01),
    "xirr": (-0.05, 0.02),
    "sharpe": (-1.0, 0.1),
    "sortino": (-2.0, 0.2),
    "max_drawdown": (-0.8, 0.03),
    "income_per_year": (5.0, 2.0),
    "income_volatility": (1.0, 0.5),
    "months_without_income": (0.0, 0.04),
    "coverage_gross": (0.2, 0.07),
    "coverage_net": (-0.3, 0.05),
    "skipped_buys": (0.0, 3.0),
    "mean_cash_share": (0.06, 0.001),
    "low_cash_share": (0.1, 0.002),
}
WITH_MEDIAN = {"final_value", "sharpe", "max_drawdown"}


def report(con: duckdb.DuckDBPyConnection, strategy: str, reserve: float) -> dict[str, object]:
    [found] = (
        con.sql(f"from report_reserve where strategy = '{strategy}' and reserve = {reserve}")
        .to_arrow_table()
        .to_pylist()
    )
    return found


@pytest.fixture
def monthly(small: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The small study with its second session in February and its third in March."""
    for session, later in ((SESSIONS[1], "2024-02-01"), (SESSIONS[2], "2024-03-01")):
        for table in ("sessions", "rates", "prices", "simulation_daily", "simulation_ledger"):
            small.execute(f"update lake.{table} set session = '{later}' where session = '{session}'")
    small.execute("update lake.simulation_lots set opened = '2024-03-01'")
    return small


def test_income_varies_in_money_and_relative_to_the_value_a_month_before(monthly, build_all):
    build_all(monthly)
    found = report(monthly, "sd8", 0.1)
    # Nothing in January; interest of 0.5 and a sale for 107; a dividend of 10 less a purchase for 96.
    income = [0.0, 107.5, -86.0]
    before = [1000.0, 998.0, 1045.5]  # the capital, and the values at the ends of January and February
    expected = {
        "income_volatility": statistics.stdev(income),
        "income_variability": statistics.stdev(one / value for one, value in zip(income, before, strict=True)),
        "months_without_income": 2 / 3,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)


def test_income_on_a_value_that_stays_varies_as_in_money_over_that_value(monthly, build_all):
    monthly.execute("update lake.simulation_partition set capital = 2000 where strategy = 'sd8'")
    monthly.execute("update lake.simulation_daily set value = 2000 where strategy = 'sd8'")
    build_all(monthly)
    found = report(monthly, "sd8", 0.1)
    assert found["income_volatility"] == pytest.approx(statistics.stdev([0, 107.5, -86]), rel=EXACT)
    assert found["income_variability"] == pytest.approx(statistics.stdev([0, 107.5, -86]) / 2000, rel=EXACT)


def test_single_month_has_no_variability(small, build_all):
    build_all(small)
    found = report(small, "sd8", 0.1)
    assert (found["income_volatility"], found["income_variability"]) == (None, None)
    assert found["months_without_income"] == 0


def test_low_cash_is_a_share_of_the_sessions(small, build_all):
    # Under 5 % of 1000 on one session of three; at 50 exactly it is not under.
    add_scenario(small, "spending", 0.1, bank=(100.0, 50.0, 49.0), value=(1000.0,) * 3)
    build_all(small)
    assert report(small, "spending", 0.1)["low_cash_share"] == pytest.approx(1 / 3, rel=EXACT)
    assert report(small, "sd8", 0.1)["low_cash_share"] == 0
    assert report(small, "buy_and_hold", 0.0)["low_cash_share"] == 1


def test_every_interval_is_of_the_outcome_it_is_named_after(small, build_all):
    for history in range(21):
        drawn = {name: start + history * step for name, (start, step) in DRAWN.items()}
        names = {"strategy": "sd8", "reserve": 0.1, "history": history + 1}
        settings = {"withdrawals": 0.0, "block_length": 10.0, "years": 30.0}
        insert(small, "reserve_bootstrap", names | settings | drawn)
    build_all(small)
    found = report(small, "sd8", 0.1)
    expected = {}
    for name, (start, step) in DRAWN.items():
        expected |= {f"{name}_low": start + step, f"{name}_high": start + 19 * step}
        if name in WITH_MEDIAN:
            expected[f"{name}_median"] = start + 10 * step
    assert {name for name in found if name.endswith(("_low", "_median", "_high"))} == expected.keys()
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)
    assert (found["histories"], found["years"]) == (21, 30)


def test_coverage_by_net_harvest_is_beside_that_by_gross(small, build_all):
    booking = {"strategy": "sd8", "reserve": 0.1, "seq": 100, "session": SESSIONS[2], "leg": 4, "kind": "WITHDRAWAL"}
    insert(small, "simulation_ledger", {**booking, "fee": 0.0, "amount": -50.0})
    build_all(small)
    found = report(small, "sd8", 0.1)
    # A sale at 108, and 107 for it less 96 for a purchase.
    assert found["coverage_gross"] == pytest.approx(108 / 50, rel=EXACT)
    assert found["coverage_net"] == pytest.approx(11 / 50, rel=EXACT)
