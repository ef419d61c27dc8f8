"""What first purchases cannot buy: simulated scenarios whose budgets are too small for a lot, or for a fee."""

import dataclasses
from typing import Any

import duckdb
import numpy as np
from support.generators import panel_of, rules_of
from support.lake_tables import build_all
from support.simulated_lake import fill_from_simulation

from pipelines.report.verdicts import read_headline
from sd_core.simulation.rules import Every, Rules, Variant

SESSIONS = np.array(["2024-01-30", "2024-01-31", "2024-02-01", "2024-03-01"], dtype="datetime64[D]")
COLUMNS = "strategy, ticker, first_session::varchar, bought_on::varchar, weight, budget, price, lot_size, lowest_cost"


def unbought(con: duckdb.DuckDBPyConnection, strategies: dict[str, Rules]) -> list[tuple[Any, ...]]:
    """Simulate over one asset of 600 a share and one of 10, and return the table without its reserves."""
    panel = panel_of([600, 600, 600, 600], [10, 10, 11, 12], sessions=SESSIONS)
    fill_from_simulation(con, panel, strategies)
    build_all(con)
    return con.sql(f"select {COLUMNS} from report_unbought").fetchall()


def test_share_that_costs_more_than_its_budget_is_listed_with_both(con):
    # Half of 1000 is less than one share of 600, and half of 1300 is more.
    rules = rules_of(assets=2, capital=1000, lot_size=1.0, variant=Variant.NO_RULE)
    assert unbought(con, {"poor": rules, "rich": dataclasses.replace(rules, capital=1300.0)}) == [
        ("poor", "A0", "2024-01-30", None, 0.5, 500, 600, 1, 600)
    ]
    [notice] = read_headline(con).notices
    assert notice == (
        "A0 could not be bought on 2024-01-30 in 1 scenario: the least that trades, 1 at 600.00, costs 600.00 USD, and "
        "the budget was 500.00 at most. Its share lies in cash (report_unbought)."
    )


def test_reserve_and_fee_make_a_budget_too_small(con):
    # A share is exactly half of 1200. A reserve takes a tenth of it; a fee of 1 comes on top of the price.
    rules = rules_of(assets=2, capital=1200, lot_size=1.0, variant=Variant.NO_RULE)
    strategies = {
        "enough": rules,
        "reserve": dataclasses.replace(rules, reserve=0.1),
        "spread": dataclasses.replace(rules, fee_rate=0.01),
    }
    assert unbought(con, strategies) == [
        ("reserve", "A0", "2024-01-30", None, 0.5, 540, 600, 1, 600),
        ("spread", "A0", "2024-01-30", None, 0.5, 600, 600, 1, 606),
    ]


def test_asset_that_a_deposit_buys_later_has_the_day(con):
    # In February half of a deposit of 1200 buys the share that half of 1000 could not.
    rules = rules_of(assets=2, capital=1000, lot_size=1.0, variant=Variant.NO_RULE)
    fed = dataclasses.replace(rules, deposit=1200.0, deposit_every=Every.MONTH)
    assert [row[:4] for row in unbought(con, {"fed": fed})] == [("fed", "A0", "2024-01-30", "2024-02-01")]
    assert "1 bought it later." in read_headline(con).notices[0]


def test_asset_without_a_weight_is_not_wanted(con):
    rules = rules_of(weights=[0.0, 1.0], capital=1000, lot_size=1.0, variant=Variant.NO_RULE)
    assert unbought(con, {"without": rules}) == []


def test_fixed_fee_above_the_budget_buys_no_fraction(con):
    rules = rules_of(weights=[0.01, 0.99], capital=1000, fee_fixed=20.0, variant=Variant.NO_RULE)
    assert [row[1:] for row in unbought(con, {"fee": rules})] == [("A0", "2024-01-30", None, 0.01, 10, 600, 0, 20)]
