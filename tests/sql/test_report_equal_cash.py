"""Scenarios beside the same cash, and their ranks: rows made by hand, and simulations by both sets of formulas."""

from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pytest
from support.generators import panel_of, rules_of
from support.lake_tables import add_scenario, build_only, insert
from support.simulated_lake import fill_from_simulation

from pipelines.steps.equal_cash import comparisons
from sd_core.simulation.engine import simulate
from sd_core.simulation.equal_cash import at_cash, without_rule
from sd_core.simulation.rules import Every

# sd8 of the small study at a reserve of 0.1 ends at 1069.5 and has paid nothing, as nothing was due.
BESIDE = {
    "strategy": "sd8",
    "reserve": 0.1,
    "comparison": "cash_path",
    "cash_share": None,
    "final_value": 1000.0,
    "cagr": 0.5,
    "volatility": 0.1,
    "sharpe": 1.0,
    "max_drawdown": -0.25,
    "mean_cash_share": 0.125,
    "withdrawals": 0.0,
    "withdrawals_scheduled": 0.0,
    "cagr_difference_low": 0.5,
    "cagr_difference_high": 9.0,
    "cagr_difference_p_value": 0.01,
    "sharpe_difference_low": -1.0,
    "sharpe_difference_high": 1.0,
    "sharpe_difference_p_value": 0.5,
    "samples": 2000,
    "block_length": 9.0,
}


def compared(con: duckdb.DuckDBPyConnection, judge_by: str = "cagr", **other: Any) -> dict[str, Any]:
    insert(con, "simulation_equal_cash", BESIDE | other)
    con.execute("update lake.study set judge_by = ?, smallest_difference_wealth = 0.001", [judge_by])
    build_only(con, "report_equal_cash")
    [found] = con.sql("from report_equal_cash").to_arrow_table().to_pylist()
    return found


def test_differences_are_those_of_the_scenario_less_the_same_cash(small: duckdb.DuckDBPyConnection) -> None:
    found = compared(small)
    # The mean of 98 / 998, 205.5 / 1045.5 and 119.5 / 1069.5.
    share = (98 / 998 + 205.5 / 1045.5 + 119.5 / 1069.5) / 3
    assert found["mean_cash_share"] == pytest.approx(share, rel=1e-12)
    assert found["mean_cash_share_difference"] == pytest.approx(share - 0.125, rel=1e-12)
    assert found["final_value_difference"] == pytest.approx(69.5, rel=1e-12)
    # Two days, from 1000 to 1069.5.
    assert found["cagr_difference"] == pytest.approx(1.0695 ** (365.25 / 2) - 1 - 0.5, rel=1e-9)
    assert (found["comparison_sharpe"], found["cash_share"], found["samples"]) == (1.0, None, 2000)


@pytest.mark.parametrize(
    ("judge_by", "other", "outcome", "verdict"),
    [
        ("cagr", {}, "better", "better"),
        ("cagr", {"cagr_difference_p_value": 0.041}, "better", "not significant"),
        ("cagr", {"cagr": 1e6}, "worse", "worse"),
        ("cagr", {"cagr_difference_p_value": None}, "better", None),
        ("sharpe", {"sharpe": 1e3}, "worse", "not significant"),
        ("sharpe", {"sharpe": 1e3, "sharpe_difference_p_value": 0.04}, "worse", "worse"),
        # A thousandth a year is the least that matters, of growth; two days grew 1.0695-fold.
        ("cagr", {"cagr": 1.0695 ** (365.25 / 2) - 1 - 0.0009}, "better", "too small"),
        # Not significant, and within a thousandth either way.
        (
            "cagr",
            {"cagr_difference_p_value": 0.5, "cagr_difference_low": -0.0009, "cagr_difference_high": 0.0008},
            "better",
            "too small",
        ),
        # More money at the end, by slower growth.
        ("ending_value", {"cagr": 1e6}, "better", None),
        ("sharpe", {"sharpe": None}, None, None),
        ("ending_value", {}, "better", "better"),
        ("ending_value", {"final_value": 1069.5}, "the same", "the same"),
        ("withdrawals", {"withdrawals": 9.0, "withdrawals_scheduled": 9.0}, "worse", None),
        # The same cash did not pay all of what was due, however much it grew.
        ("cagr", {"cagr": 1e6, "withdrawals": 8.0, "withdrawals_scheduled": 9.0}, "better", None),
    ],
)
def test_verdict_goes_by_payment_then_by_the_measure_and_its_interval(
    small: duckdb.DuckDBPyConnection, judge_by: str, other: dict[str, Any], outcome: str | None, verdict: str | None
) -> None:
    found = compared(small, judge_by, **other)
    assert (found["outcome"], found["verdict"]) == (outcome, verdict)


@pytest.mark.parametrize(
    ("p_values", "corrected", "verdicts"),
    [
        # 3 x 0.012 and 2 x 0.02; 1 x 0.03 would be below the one before, so it is that one.
        ([0.012, 0.03, 0.02], [0.036, 0.04, 0.04], ["better", "better", "better"]),
        ([0.012, 0.03, 0.021], [0.036, 0.042, 0.042], ["better", "not significant", "not significant"]),
        ([0.5, 0.02, None], [0.5, 0.04, None], ["not significant", "better", None]),
    ],
)
def test_p_values_are_corrected_for_all_verdicts_of_the_table_by_holm(
    small: duckdb.DuckDBPyConnection,
    p_values: list[float | None],
    corrected: list[float | None],
    verdicts: list[str | None],
) -> None:
    reserves = [0.1, 0.2, 0.3]
    for reserve, p_value in zip(reserves, p_values, strict=True):
        if reserve != BESIDE["reserve"]:
            add_scenario(small, "sd8", reserve, bank=(98.0, 205.5, 119.5), value=(998.0, 1045.5, 1069.5))
        insert(small, "simulation_equal_cash", BESIDE | {"reserve": reserve, "cagr_difference_p_value": p_value})
    build_only(small, "report_equal_cash")
    columns = "reserve, p_value, p_value_holm, verdict, verdicts"
    found = {name: rest for name, *rest in small.execute(f"select {columns} from report_equal_cash").fetchall()}
    assert [found[name][0] for name in reserves] == p_values
    assert [found[name][1] for name in reserves] == [one and pytest.approx(one, rel=1e-12) for one in corrected]
    assert [found[name][2] for name in reserves] == verdicts
    assert {counted for *_, counted in found.values()} == {sum(one is not None for one in p_values)}


@pytest.mark.parametrize("comparison", ["rebalanced", "buy_and_hold"])
def test_share_of_cash_known_only_afterwards_has_sizes_and_no_verdict(
    small: duckdb.DuckDBPyConnection, comparison: str
) -> None:
    found = compared(small, comparison=comparison, cash_share=0.2)
    assert (found["outcome"], found["verdict"], found["p_value"], found["verdicts"]) == ("better", None, None, 0)
    assert "known only afterwards" in found["verdict_missing"]
    assert (found["cagr_difference_low"], found["cagr_difference_high"]) == (0.5, 9.0)


def test_outdated_scenarios_are_not_compared(small: duckdb.DuckDBPyConnection) -> None:
    insert(small, "simulation_equal_cash", BESIDE)
    small.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(small, "report_equal_cash")
    assert small.sql("from report_equal_cash").fetchall() == []
    assert small.sql("select rank from report_strategy where strategy = 'sd8'").fetchall() == [(None,)]


# Values: sd8 1069.5, buy-and-hold 1050 at a reserve of 0 and 1045 at 0.1.
@pytest.mark.parametrize(
    ("judge_by", "unpaid", "expected"),
    [
        ("cagr", None, ["sd8 0.1", "buy_and_hold 0.0", "buy_and_hold 0.1"]),
        ("ending_value", None, ["sd8 0.1", "buy_and_hold 0.0", "buy_and_hold 0.1"]),
        ("cagr", "sd8", ["buy_and_hold 0.0", "buy_and_hold 0.1", "sd8 0.1"]),
    ],
)
def test_rank_is_by_what_was_paid_then_by_the_measure(
    small: duckdb.DuckDBPyConnection, judge_by: str, unpaid: str | None, expected: list[str]
) -> None:
    small.execute("update lake.study set judge_by = ?", [judge_by])
    if unpaid:
        row = {"strategy": unpaid, "reserve": 0.1, "seq": 99, "session": "2024-01-04", "leg": 4, "fee": 0.0}
        insert(
            small,
            "simulation_ledger",
            {**row, "kind": "SKIP_WITHDRAWAL", "skipped_quantity": 5.0, "amount": 0.0, "bank_after": 119.5},
        )
    build_only(small, "report_equal_cash")
    ranked = small.sql("select strategy || ' ' || reserve, rank, paid_in_full from report_strategy order by rank")
    names, ranks, paid = zip(*ranked.fetchall(), strict=True)
    assert list(names) == expected
    assert ranks == (1, 2, 3)
    assert paid == tuple(name.split()[0] != unpaid for name in names)


def test_numbers_of_the_same_cash_are_those_of_the_metrics_in_sql(con: duckdb.DuckDBPyConnection) -> None:
    draws = np.random.default_rng(0)
    prices = np.exp(np.cumsum(draws.normal(0.0005, 0.02, (2, 400)), axis=1)) * 100
    panel = panel_of(*prices.tolist(), rates=0.02)
    rules = rules_of(
        assets=2, reserve=0.2, withdrawal=2_000.0, withdrawal_every=Every.MONTH, deposit=500.0,
        deposit_every=Every.QUARTER, fee_rate=0.001,
    )  # fmt: skip
    (own,) = simulate(panel, [rules], workers=1)
    rows = {row["comparison"]: row for row in comparisons(panel, rules, own.daily)}
    plain = without_rule(rules)
    held = at_cash(plain, rows["buy_and_hold"]["cash_share"])
    yearly = replace(
        at_cash(plain, rows["rebalanced"]["cash_share"]), rebalance_every=Every.YEAR, rebalance_on_change=True
    )
    fill_from_simulation(con, panel, {"buy_and_hold": held, "rebalanced": yearly})
    build_only(con, "report_equal_cash")
    found = {row["strategy"]: row for row in con.sql("from simulation_metrics").to_arrow_table().to_pylist()}
    for name in ("buy_and_hold", "rebalanced"):
        for measure in (
            *("final_value", "cagr", "volatility", "sharpe", "max_drawdown", "mean_cash_share"),
            *("withdrawals", "withdrawals_scheduled"),
        ):
            assert rows[name][measure] == pytest.approx(found[name][measure], rel=1e-9), (name, measure)
        assert rows[name]["withdrawals"] > 0
        assert rows[name]["interval_missing"] is None


@pytest.mark.parametrize(
    ("prices", "others", "reason"),
    [
        ([100.0] * 365, {}, "no more than a year of sessions"),
        # On credit, until nothing is left.
        ([100.0, 50, 25, 12, 6, 3, 1, 0.5] + [0.01] * 600, {"margin_limit": 1.0}, "one of the two had nothing left"),
    ],
)
def test_where_no_interval_can_be_said_there_is_a_reason(
    prices: list[float], others: dict[str, Any], reason: str
) -> None:
    panel, rules = panel_of(prices), rules_of(**others)
    (own,) = simulate(panel, [rules], workers=1)
    for row in comparisons(panel, rules, own.daily):
        assert row["interval_missing"] == reason
        ends = ("cagr_difference_low", "sharpe_difference_high", "samples", "block_length")
        assert [row[name] for name in ends] == [None] * 4
