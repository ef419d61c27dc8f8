"""Taxes through the pipelines: what a study with rates publishes, what a change of rates costs, and laws."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from support.lab import RESERVES, STRATEGIES, Lab, small_study, write_study
from support.lake_tables import add_taxes, build_only, connect, fill_small_study
from support.steps import publish, refresh, simulate_part

from pipelines.lab.home import SQL
from pipelines.warehouse.audit import read_identities
from pipelines.warehouse.models import tables_read

TAXES = {"short_term": 0.35, "long_term": 0.15}
AFTER_TAX = ["taxes", "after_tax_value", "after_tax_liquidation_value", "after_tax_cagr", "after_tax_liquidation_cagr"]
LAWS = {
    identity.name: identity.sql
    for identity in read_identities(SQL / "audit")
    if "tax" in identity.name or "wash" in identity.name
}
READ = {table for name, sql in LAWS.items() for table in tables_read(Path(name), sql)[0]}


@pytest.fixture(scope="module")
def taxed(finished: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab whose study has taxes, after its run; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("taxed")
    study = small_study(finished.study_file.parent / "prices") | {"taxes": TAXES}
    lab = Lab(write_study(folder / "small.yaml", study), finished.copy_to(folder / "home").root)
    refresh(lab.home)
    return lab


@pytest.fixture
def small() -> Iterator[duckdb.DuckDBPyConnection]:
    """The small study with taxes, and of it what the laws read."""
    with connect() as connection:
        fill_small_study(connection)
        add_taxes(connection)
        build_only(connection, *READ)
        yield connection


def test_study_with_taxes_publishes_tax_lots_and_taxes_of_every_scenario(taxed: Lab) -> None:
    report = taxed.table("report_strategy")
    assert report["is_current"].all()
    assert (report["after_tax_value"] == report["final_value"] - report["taxes"]).all()
    years = taxed.table("simulation_taxes")
    assert len(years) == len(STRATEGIES) * len(RESERVES)  # prices of a single year
    assert (years["taxable_short_term"] > 0).any()
    lots = taxed.table("simulation_tax_lots")
    assert lots["sale_seq"].isna().any()
    assert lots["sale_seq"].notna().any()


def test_study_without_taxes_has_empty_tables_and_no_after_tax_columns(finished: Lab) -> None:
    assert len(finished.table("simulation_tax_lots")) == 0
    assert len(finished.table("simulation_taxes")) == 0
    assert finished.table("report_strategy")[AFTER_TAX].isna().all(axis=None)


def test_other_rates_need_no_simulation(taxed: Lab, tmp_path: Path) -> None:
    before = taxed.table("report_strategy")
    twice = {name: 2 * rate for name, rate in TAXES.items()}
    study = small_study(Path(taxed.home.study.source.folder)) | {"taxes": twice}
    lab = Lab(write_study(tmp_path / "small.yaml", study), taxed.copy_to(tmp_path / "home").root)
    publish(lab.home)
    report = lab.table("report_strategy")
    assert report["is_current"].all()
    assert report["taxes"].to_numpy() == pytest.approx(2 * before["taxes"].to_numpy())


def test_taxes_asked_for_later_make_scenarios_outdated_until_they_are_simulated(
    changed_study: Callable[..., Lab],
) -> None:
    lab = changed_study(taxes=TAXES)
    simulate_part(lab.home, "sd8")
    report = lab.table("report_strategy").set_index("strategy")
    assert report.loc["sd8", "is_current"].all()
    assert report.loc["sd8", AFTER_TAX].notna().all(axis=None)
    assert not report.loc["ath_only", "is_current"].any()
    assert report.loc["ath_only", AFTER_TAX].isna().all(axis=None)


@pytest.mark.parametrize("law", LAWS)
def test_law_holds_for_the_small_study(small: duckdb.DuckDBPyConnection, law: str) -> None:
    assert small.execute(LAWS[law]).fetchall() == []


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("tax_lots_follow_ledger", "update simulation_tax_lots set quantity = 4.001 where part = 2"),
        ("tax_lots_follow_ledger", "update simulation_tax_lots set cost = cost + 0.01 where part = 2"),
        ("tax_lots_follow_ledger", "update simulation_tax_lots set proceeds = 106 where part = 1"),
        ("tax_lots_follow_ledger", "update simulation_tax_lots set ticker = 'BBB' where part = 1"),
        ("tax_lots_follow_ledger", "update simulation_tax_lots set sold = '2024-01-04' where part = 1"),
        ("tax_lots_follow_ledger", "delete from simulation_tax_lots where part = 4"),
        ("tax_lots_follow_ledger", "delete from simulation_tax_lots"),
        ("tax_lot_gains_add_up", "update simulation_tax_lots set gain = 7 where part = 1"),
        ("tax_lot_gains_add_up", "update simulation_tax_lots set gain = null where part = 1"),
        ("tax_lot_gains_add_up", "update simulation_tax_lots set wash_sale_disallowed = 1 where part = 1"),
        ("tax_lot_gains_add_up", "update simulation_tax_lots set held_since = '2024-01-03' where part = 1"),
        ("tax_lot_gains_add_up", "update simulation_tax_lots set market_value = null where part = 2"),
        ("wash_sales_only_defer", "update simulation_tax_lots set basis = basis + 1 where part = 2"),
        (
            "wash_sales_only_defer",
            "update simulation_tax_lots set basis = basis + case when part = 2 then 1 else -1 end where part in (2, 4)",
        ),
        ("tax_years_settle_gains", "update simulation_taxes set taxable_short_term = 6"),
        (
            "tax_years_settle_gains",
            "update simulation_taxes set taxable_short_term = 7.8, carried_long_term = -1",
        ),
        ("taxes_cover_tax_lots", "update simulation_taxes set net_short_term = 6"),
        ("taxes_cover_tax_lots", "update simulation_taxes set liquidation_tax = null"),
        ("taxes_cover_tax_lots", "delete from simulation_taxes"),
    ],
)
def test_broken_law_is_found(small: duckdb.DuckDBPyConnection, law: str, change: str) -> None:
    small.execute(change)
    assert len(small.execute(LAWS[law]).fetchall()) > 0
