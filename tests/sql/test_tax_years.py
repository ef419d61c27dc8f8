"""Taxes by year and after-tax values: worked by hand, and compared with the steps of the US forms in plain Python."""

from itertools import accumulate

import duckdb
import numpy as np
import pytest
from support.lake_tables import SESSIONS, add_taxes, ask_for_taxes, build_only, insert
from support.tax_forms import schedule_d

EXACT = 1e-12

Gains = list[tuple[float, float]]


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, object]]:
    return con.sql(query).to_arrow_table().to_pylist()


@pytest.fixture
def taxed(small: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The small study with taxes."""
    add_taxes(small)
    return small


def give_years(con: duckdb.DuckDBPyConnection, gains: Gains) -> None:
    """Put a scenario into the lake that realises a short- and a long-term gain each year from 2001 on."""
    ask_for_taxes(con)
    partition = {"capital": 1000.0, "prices_version": "p1", "has_tax_lots": True, "is_current": True}
    insert(con, "simulation_partition", {"strategy": "many", "reserve": 0.0, **partition})
    zeros = dict.fromkeys(("bank", "invested", "nav_value", "income", "sells", "buys", "withdrawals", "deposits"), 0.0)
    for number, (short_term, long_term) in enumerate(gains):
        session = f"{2001 + number}-06-01"
        day = {"session": session, "value": 1000.0, "skipped_buys": 0, "passed_rungs": 0}
        insert(con, "simulation_daily", {"strategy": "many", "reserve": 0.0, **zeros, **day})
        for is_long, gain in ((False, short_term), (True, long_term)):
            if gain:
                insert(con, "simulation_tax_lots", sold_lot(session, is_long, gain))


def sold_lot(session: str, long_term: bool, gain: float, disallowed: float = 0.0) -> dict[str, object]:
    return {
        "strategy": "many",
        "reserve": 0.0,
        "part": 1,
        "purchase_seq": 1,
        "sale_seq": 2,
        "ticker": "AAA",
        "acquired": session,
        "held_since": session,
        "sold": session,
        "long_term": long_term,
        "quantity": 1.0,
        "cost": 500.0,
        "basis": 500.0,
        "proceeds": 500 + gain,
        "gain": gain,
        "wash_sale_disallowed": disallowed,
    }


def settled(con: duckdb.DuckDBPyConnection) -> list[tuple[float, ...]]:
    return con.execute("""
        select taxable_short_term, taxable_long_term, carried_short_term, carried_long_term, tax
        from simulation_taxes where strategy = 'many' order by year
    """).fetchall()


def liquidation_by_year(con: duckdb.DuckDBPyConnection) -> list[tuple[int, float | None]]:
    return con.execute(
        "select year, liquidation_tax from simulation_taxes where strategy = 'many' order by year"
    ).fetchall()


def test_year_is_taxed_on_its_gains_dividends_and_interest(taxed):
    build_only(taxed, "simulation_taxes")
    [year] = rows(taxed, "from simulation_taxes")
    expected = {
        "net_short_term": 6.8,
        "net_long_term": 0.0,
        "dividends": 10.0,
        "interest": 0.5,
        "tax": 6.8 * 0.4 + 10 * 0.1 + 0.5 * 0.3,
        # Open are 4 AAA that lost 40.8, 20 BBB that gained 99, and 1 AAA that lost 6.
        "liquidation_tax": 52.2 * 0.4,
    }
    assert {name: year[name] for name in expected} == pytest.approx(expected, rel=EXACT)
    assert year["year"] == 2024


def test_report_takes_taxes_off_the_final_value(taxed):
    build_only(taxed, "report_strategy")
    [found] = rows(taxed, "from report_strategy where strategy = 'sd8'")
    expected = {
        "final_value": 1069.5,
        "taxes": 3.87,
        "after_tax_value": 1065.63,
        "after_tax_liquidation_value": 1044.75,
        # Nothing was paid in or out, so the capital of 1 000 grows to the values.
        "after_tax_cagr": 1.06563 ** (365.25 / 2) - 1,
        "after_tax_liquidation_cagr": 1.04475 ** (365.25 / 2) - 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize(
    "change", ["lake.study set tax_short_term = null", "lake.simulation_partition set has_tax_lots = false"]
)
def test_after_tax_columns_are_null_without_rates_or_without_tax_lots(taxed, change):
    taxed.execute(f"update {change}")
    build_only(taxed, "report_strategy", "simulation_taxes")
    assert rows(taxed, "from simulation_taxes") == []
    [found] = rows(taxed, "from report_strategy where strategy = 'sd8'")
    after_tax = [found[name] for name in found if name == "taxes" or name.startswith("after_tax_")]
    assert after_tax == [None] * 5


def test_growth_after_taxes_loses_the_tax_of_each_year_at_its_end(small):
    # A value of 1 000 that does not grow; a fifth of 100 and of 250 is owed, and nothing of a loss.
    give_years(small, [(0, 100), (0, 250), (0, -40)])
    build_only(small, "simulation_metrics")
    [found] = rows(small, "from simulation_metrics where strategy = 'many'")
    assert found["cagr"] == 0
    days = 730  # 1 June 2001 to 1 June 2003
    assert found["after_tax_cagr"] == pytest.approx((0.98 * 0.95) ** (365.25 / days) - 1, rel=EXACT)
    assert found["after_tax_liquidation_cagr"] == pytest.approx(found["after_tax_cagr"], rel=EXACT)


def test_tax_of_all_that_is_left_leaves_nothing(small):
    give_years(small, [(0, 100), (0, 6_000)])
    build_only(small, "simulation_metrics")
    [found] = rows(small, "from simulation_metrics where strategy = 'many'")
    assert found["after_tax_cagr"] == -1


def test_interest_paid_on_credit_is_not_deducted(taxed):
    charge = {"kind": "INTEREST", "session": SESSIONS[2], "leg": -1, "fee": 0.0, "amount": -5.0, "bank_after": 0.0}
    insert(taxed, "simulation_ledger", {"strategy": "sd8", "reserve": 0.1, "seq": 100, **charge})
    build_only(taxed, "simulation_taxes")
    [year] = rows(taxed, "from simulation_taxes")
    assert year["interest"] == 0.5


def test_disallowed_part_of_a_loss_is_not_deducted(small):
    give_years(small, [(0.0, 0.0)])
    insert(small, "simulation_tax_lots", sold_lot("2001-06-01", False, -50.0, disallowed=30.0))
    build_only(small, "simulation_taxes")
    assert settled(small) == [(0, 0, -20, 0, 0)]


def test_losses_offset_the_other_term_and_are_carried_on_with_their_own(small):
    give_years(small, [(-100, 30), (20, -50), (80, 10), (0, 0), (5, 40)])
    build_only(small, "simulation_taxes")
    assert settled(small) == [
        (0, 0, -70, 0, 0),  # 30 long-term gains are offset by short-term losses
        (0, 0, -50, -50, 0),  # 20 short-term gains use 20 of the 70 carried
        (0, 0, 0, -10, 0),  # 30 short-term after 50 carried, which 30 of the 40 long-term losses offset
        (0, 0, 0, -10, 0),
        (5, 30, 0, 0, 5 * 0.4 + 30 * 0.2),
    ]


def test_years_without_sales_are_rows_too(small):
    give_years(small, [(0, 0), (10, 0), (0, 0)])
    build_only(small, "simulation_taxes")
    assert liquidation_by_year(small) == [(2001, None), (2002, None), (2003, 0)]


def test_selling_all_at_a_loss_saves_no_more_than_the_tax_on_the_last_years_gains(small):
    give_years(small, [(0, 0), (10, 20)])
    open_lot = {**sold_lot("2002-06-01", True, 0.0), "part": 9, "market_value": 100.0}
    sale = dict.fromkeys(("sale_seq", "sold", "proceeds", "gain", "wash_sale_disallowed"))
    insert(small, "simulation_tax_lots", open_lot | sale)  # would lose 400
    build_only(small, "simulation_taxes")
    assert liquidation_by_year(small)[-1] == (2002, pytest.approx(-(10 * 0.4 + 20 * 0.2)))


def test_random_years_settle_as_the_form_nets_them(small):
    rng = np.random.default_rng(1)
    gains = [tuple(year) for year in rng.normal(40, 100, size=(60, 2)).round(2).tolist()]
    give_years(small, gains)
    build_only(small, "simulation_taxes")
    expected = accumulate(
        gains,
        lambda net, year: schedule_d((min(net[0], 0.0), min(net[1], 0.0)), year),
        initial=(0.0, 0.0),
    )
    taxable = [(max(short_term, 0), max(long_term, 0)) for short_term, long_term in expected][1:]
    found = settled(small)
    assert [row[:2] for row in found] == [pytest.approx(pair, abs=1e-9) for pair in taxable]
    owed = [0.4 * short_term + 0.2 * long_term for short_term, long_term in taxable]
    assert [row[4] for row in found] == pytest.approx(owed, abs=1e-9)
    assert sum(pair != (0, 0) for pair in taxable) > 10
