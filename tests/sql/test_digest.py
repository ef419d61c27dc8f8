"""The compiled digest of a scenario beside SQL on the same rows: the same metrics, and the same laws found broken."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pandera.errors
import pytest
from support.generators import Case, random_case
from support.lake_tables import SQL, ask_for_taxes, build_only, connect
from support.simulated_lake import add_scenario_rows, fill_from_simulation

from pipelines.warehouse.audit import DECLARED, read_identities
from pipelines.warehouse.lake_views import ROWS
from pipelines.warehouse.reduction import AUDITED, judged_identities
from sd_core.metrics.measures import METRICS
from sd_core.metrics.money_weighted import money_weighted_return
from sd_core.schemas import TABLES
from sd_core.simulation.digest import LAWS, Record, digest
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Rules, TaxRates
from sd_core.simulation.tax_digest import Taxation, digest_taxes, judge_taxes, owed_for_years
from sd_core.simulation.taxes.lots import tax_lots
from sd_core.simulation.taxes.years import TAX_YEARS

# Those that are broken in studies with taxes alone.
OF_TAXES = frozenset(
    {
        "harvested_losses_are_not_replaced",
        "tax_lot_gains_add_up",
        "tax_lots_follow_ledger",
        "tax_years_settle_gains",
        "taxes_cover_tax_lots",
        "wash_sales_only_defer",
    }
)
SEEDS = range(20)
CORRUPTED = (3, 11, 17, 24)
CORRUPTIONS = 40
# Seeds of cases that harvest losses, defer some, and hold shares for longer than a year.
TAXED = (8, 20, 98, 107)
# The rates that the tests' lake asks for.
RATES = TaxRates(short_term=0.4, long_term=0.2, dividends=0.1, interest=0.3)
AFTER_TAXES = METRICS[METRICS.index("taxes") :]
# Sums of amounts of both signs are known to the rounding of what was added up.
SUMS = ("harvest_net", "income", "income_per_year", "interest_income", "coverage_net")


def digested(panel, rules: Rules, result: SimulationResult) -> tuple[dict[str, float], set[str]]:
    """Return the metrics by name, and the laws that are broken."""
    metrics, broken = np.empty(len(METRICS)), np.empty(len(LAWS), dtype=np.int64)
    digest(result, Record.of(panel), rules.capital, metrics, broken)
    return dict(zip(METRICS, metrics.tolist(), strict=True)), {
        law for law, rows in zip(LAWS, broken, strict=True) if rows
    }


def by_sql(
    con: duckdb.DuckDBPyConnection, owed: Mapping[str, Rows] | None = None
) -> tuple[pd.DataFrame, dict[str, set[str]]]:
    """Return the metrics by strategy, and by strategy the laws that SQL finds broken.

    ``owed`` are years of strategies that replace those of ``simulation_taxes``.
    """
    build_only(con, "simulation_metrics", *AUDITED)
    for strategy, years in (owed or {}).items():
        replace_years(con, strategy, years)
    broken: dict[str, set[str]] = {}
    for identity in read_identities(SQL / "audit"):
        if identity.name in LAWS:
            for strategy in con.sql(identity.sql).to_df()["strategy"].unique():
                broken.setdefault(strategy, set()).add(identity.name)
    for strategy in undeclared(con):
        broken.setdefault(strategy, set()).add(DECLARED)
    return con.sql("from simulation_metrics").to_df().set_index("strategy"), broken


def replace_years(con: duckdb.DuckDBPyConnection, strategy: str, years: Rows) -> None:
    """Put years in the place of those of a strategy in ``simulation_taxes``."""
    names = years.dtype.names or ()
    updates = ", ".join(f"{name} = given.{name}" for name in names)
    (first,) = con.execute("select min(year) from simulation_taxes where strategy = ?", [strategy]).fetchall()[0]
    given = pd.DataFrame({name: years[name] for name in names}).assign(year=first + np.arange(len(years)))
    nulls = ", ".join(f"case when isnan({name}) then null else {name} end as {name}" for name in names)
    con.register("arriving", given)
    con.execute(
        f"update simulation_taxes set {updates} from (select year, {nulls} from arriving) as given "
        "where simulation_taxes.strategy = ? and simulation_taxes.year = given.year",
        [strategy],
    )
    con.unregister("arriving")


def undeclared(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield strategies some of whose values are not as the tables' declarations say."""
    for name in (
        *(f"simulation_{rows}" for rows in ROWS),
        "simulation_returns",
        "simulation_taxes",
        "simulation_metrics",
    ):
        table = TABLES.get(name)
        if table is None or not table.stored:
            continue
        for strategy, rows in con.sql(f"from {name}").to_df().groupby("strategy"):
            try:
                table.schema.validate(rows, lazy=True)
            except pandera.errors.SchemaErrors:
                yield strategy


def scale_of(metrics: Mapping[str, float], result: SimulationResult, name: str) -> float:
    """Return the size of what a metric was computed from, at least 1: it is known to the rounding of that."""
    size = max(abs(metrics[name]), 1.0)
    if name in SUMS:
        return max(size, float(np.abs(result.ledger["amount"]).sum()) * (10.0 if name == "income_per_year" else 1.0))
    return size / abs(metrics["max_drawdown"]) if name == "calmar" else size


def test_laws_are_the_identities_about_a_scenarios_own_rows() -> None:
    about_rows = {identity.name for identity in judged_identities()}
    assert set(LAWS) - {DECLARED} == about_rows
    assert about_rows >= OF_TAXES


def test_metrics_are_those_of_the_table() -> None:
    own = {"strategy", "reserve", "first_session", "last_session", "is_of_a_year", "xirr_missing"}
    assert set(METRICS) == {*TABLES["simulation_metrics"].types} - own


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_of_random_cases_are_those_of_sql(seed: int) -> None:
    case = random_case(seed)
    con = connect()
    results = fill_from_simulation(con, case.panel, {"case": case.rules})
    found, broken = digested(case.panel, case.rules, results["case"])
    table, by_law = by_sql(con)
    assert not broken
    assert not by_law
    for name, value in found.items():
        if name == "xirr":
            continue
        expected = table.loc["case", name]
        if pd.isna(expected):
            assert np.isnan(value), name
        else:
            assert abs(value - expected) <= 1e-13 * scale_of(found, results["case"], name), name
    money_weighted = money_weighted_return(results["case"].daily, case.panel.sessions, case.rules.capital)
    if money_weighted.rate is None:
        assert np.isnan(found["xirr"])
    else:
        assert found["xirr"] == pytest.approx(money_weighted.rate, rel=1e-12, abs=1e-12)


def test_corrupted_rows_break_the_same_laws_as_in_sql() -> None:
    """Each value is turned into another one, in a scenario of its own; most break a law, and each law is hit."""
    hit: Counter[str] = Counter()
    for seed in CORRUPTED:
        case = random_case(seed)
        con = connect()
        (result,) = simulate(case.panel, [case.rules], workers=1)
        rng = np.random.default_rng(seed)
        corrupted = {f"c{number}": corrupt(result, rng) for number in range(CORRUPTIONS)}
        fill_from_simulation(con, case.panel, {"whole": case.rules})
        for name, wrong in corrupted.items():
            add_scenario_rows(con, case.panel, name, case.rules, wrong)
        _, by_law = by_sql(con)
        assert "whole" not in by_law
        for name, wrong in corrupted.items():
            _, broken = digested(case.panel, case.rules, wrong)
            assert broken == by_law.get(name, set()), (seed, name)
            hit.update(broken)
    assert set(hit) >= set(LAWS) - OF_TAXES - {"scenarios_are_complete"}


def corrupt(result: SimulationResult, rng: np.random.Generator) -> SimulationResult:
    """Return a copy of a result in which one value is another."""
    kind = rng.choice(["ledger", "ledger", "daily", "lots"])
    rows: Rows = getattr(result, kind)
    if not len(rows):
        return corrupt(result, rng)
    return result._replace(**{kind: with_another_value(rows, rng)})


def with_another_value(rows: Rows, rng: np.random.Generator) -> Rows:
    """Return a copy of rows in which one value is another."""
    rows = rows.copy()
    place = rng.integers(len(rows))
    name = rng.choice([name for name in rows.dtype.names or () if name != "sale_limit"])
    old = rows[name][place]
    if rows.dtype[name] == np.bool_:
        rows[name][place] = not old
    elif np.issubdtype(rows.dtype[name], np.integer):
        others = np.setdiff1d(np.unique(rows[name]), [old])
        rows[name][place] = rng.choice(others) if len(others) else old
    else:
        rows[name][place] = rng.choice([old * 1.5, -old, np.nan, old + 1.0, 0.0])
    return rows


# --- taxes ------------------------------------------------------------------------------------------------------------


class Taxed(NamedTuple):
    """A scenario with its tax lots and what it owes for each year."""

    result: SimulationResult
    lots: Rows
    owed: Rows


def taxed(case: Case) -> Taxed:
    (result,) = simulate(case.panel, [case.rules], workers=1)
    lots = tax_lots(result.ledger, case.panel.sessions, case.rules.lot_order, len(case.panel.tickers))
    return Taxed(result, lots, owed_of(case, result, lots))


def owed_of(case: Case, result: SimulationResult, lots: Rows) -> Rows:
    return owed_for_years(lots, result.ledger, Record.of(case.panel), Taxation.of(RATES, case.panel))


def over_years(case: Case, days: int) -> Case:
    """Return a case whose sessions are so many days apart."""
    sessions = case.panel.sessions[0] + days * np.arange(len(case.panel.sessions))
    return replace(case, panel=replace(case.panel, sessions=sessions))


def test_years_have_the_numbers_of_the_table() -> None:
    assert {*(TAX_YEARS.names or ())} == {*TABLES["simulation_taxes"].types} - {"strategy", "reserve", "year"}


@pytest.mark.parametrize(("seed", "days"), [*((seed, 0) for seed in TAXED), (12, 30), (20, 60), (79, 45), (101, 500)])
def test_metrics_after_taxes_are_those_of_sql(seed: int, days: int) -> None:
    """Over some months and over years, of which some have losses alone, and some no session."""
    case = over_years(random_case(seed), days) if days else random_case(seed)
    one, record = taxed(case), Record.of(case.panel)
    metrics, broken = np.empty(len(METRICS)), np.empty(len(LAWS), dtype=np.int64)
    digest(one.result, record, case.rules.capital, metrics, broken)
    digest_taxes(one.result, case.rules.lot_order, record, Taxation.of(RATES, case.panel), metrics, broken)
    found = dict(zip(METRICS, metrics.tolist(), strict=True))
    con = lake_with(case, {"case": one})
    table, by_law = by_sql(con)
    assert not broken.any()
    assert not by_law
    # Gains are small differences of large amounts: they are known to the rounding of these.
    rounding = 1e-14 * float(np.abs(one.result.ledger["amount"]).sum())
    for name in AFTER_TAXES:
        expected = table.loc["case", name]
        unit = case.rules.capital if name.endswith("cagr") else 1.0
        assert found[name] == pytest.approx(expected, rel=1e-13, abs=rounding / unit, nan_ok=True), name
    years = con.sql("from simulation_taxes order by year").to_df()
    for name in TAX_YEARS.names or ():
        np.testing.assert_allclose(one.owed[name], years[name], rtol=1e-13, atol=rounding, err_msg=name)


def lake_with(case: Case, scenarios: Mapping[str, Taxed]) -> duckdb.DuckDBPyConnection:
    """Return a lake with scenarios of a panel, by name."""
    con = connect()
    fill_from_simulation(con, case.panel, {"untaxed": case.rules})
    ask_for_taxes(con)
    for name, one in scenarios.items():
        add_scenario_rows(con, case.panel, name, case.rules, one.result, one.lots)
    return con


def test_corrupted_taxes_break_the_same_laws_as_in_sql() -> None:
    """Each value of a ledger, of tax lots or of what is owed is turned into another one, in a scenario of its own."""
    hit: Counter[str] = Counter()
    for seed in TAXED:
        case, rng = random_case(seed), np.random.default_rng(seed)
        whole = taxed(case)
        corrupted = {f"c{number}": corrupt_taxed(case, whole, rng) for number in range(CORRUPTIONS)}
        con = lake_with(case, {"whole": whole} | corrupted)
        _, by_law = by_sql(con, {name: one.owed for name, one in corrupted.items() if is_owed_alone(one, whole)})
        assert "whole" not in by_law
        for name, wrong in corrupted.items():
            broken = laws_broken(case, wrong)
            assert broken == by_law.get(name, set()), (seed, name)
            hit.update(broken)
    assert set(hit) >= OF_TAXES


def corrupt_taxed(case: Case, whole: Taxed, rng: np.random.Generator) -> Taxed:
    """Return a scenario with taxes in which one value is another; what is owed follows from tax lots and ledger."""
    match rng.choice(["ledger", "lots", "owed"], p=[0.3, 0.5, 0.2]):
        case "ledger":
            result = whole.result._replace(ledger=with_another_value(whole.result.ledger, rng))
            return Taxed(result, whole.lots, owed_of(case, result, whole.lots))
        case "lots":
            lots = with_another_value(whole.lots, rng)
            return Taxed(whole.result, lots, owed_of(case, whole.result, lots))
    return whole._replace(owed=with_another_value(whole.owed, rng))


def is_owed_alone(one: Taxed, whole: Taxed) -> bool:
    """Return whether what is owed is all that was corrupted."""
    return one.result is whole.result and one.lots is whole.lots


def laws_broken(case: Case, one: Taxed) -> set[str]:
    """Return the laws that a scenario with taxes breaks, whatever was found of it before."""
    record = Record.of(case.panel)
    metrics, broken = np.empty(len(METRICS)), np.empty(len(LAWS), dtype=np.int64)
    digest(one.result, record, case.rules.capital, metrics, broken)
    judge_taxes(one.result.ledger, one.lots, one.owed, record, broken)
    return {law for law, rows in zip(LAWS, broken, strict=True) if rows}
