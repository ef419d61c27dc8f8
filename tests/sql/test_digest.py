"""The compiled digest of a scenario beside SQL on the same rows: the same metrics, and the same laws found broken."""

from collections import Counter
from collections.abc import Iterator, Mapping

import duckdb
import numpy as np
import pandas as pd
import pandera.errors
import pytest
from support.generators import random_case
from support.lake_tables import SQL, build_only, connect
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
from sd_core.simulation.rules import Rules

# Of which SQL finds nothing in studies without taxes.
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
# Sums of amounts of both signs are known to the rounding of what was added up.
SUMS = ("harvest_net", "income", "income_per_year", "interest_income", "coverage_net")


def digested(panel, rules: Rules, result: SimulationResult) -> tuple[dict[str, float], set[str]]:
    """Return the metrics by name, and the laws that are broken."""
    metrics, broken = np.empty(len(METRICS)), np.empty(len(LAWS), dtype=np.int64)
    digest(result, Record.of(panel), rules.capital, metrics, broken)
    return dict(zip(METRICS, metrics.tolist(), strict=True)), {
        law for law, rows in zip(LAWS, broken, strict=True) if rows
    }


def by_sql(con: duckdb.DuckDBPyConnection) -> tuple[pd.DataFrame, dict[str, set[str]]]:
    """Return the metrics by strategy, and by strategy the laws that SQL finds broken."""
    build_only(con, "simulation_metrics", *AUDITED)
    broken: dict[str, set[str]] = {}
    for identity in read_identities(SQL / "audit"):
        if identity.name in LAWS:
            for strategy in con.sql(identity.sql).to_df()["strategy"].unique():
                broken.setdefault(strategy, set()).add(identity.name)
    for strategy in undeclared(con):
        broken.setdefault(strategy, set()).add(DECLARED)
    return con.sql("from simulation_metrics").to_df().set_index("strategy"), broken


def undeclared(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield strategies some of whose values are not as the tables' declarations say."""
    for name in (*(f"simulation_{rows}" for rows in ROWS), "simulation_returns", "simulation_metrics"):
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
    assert set(LAWS) - {DECLARED} == about_rows - OF_TAXES
    assert about_rows >= OF_TAXES


def test_metrics_are_those_of_the_table() -> None:
    own = {"strategy", "reserve", "first_session", "last_session", "is_of_a_year", "xirr_missing"}
    columns = {name for name in TABLES["simulation_metrics"].types if "tax" not in name}
    assert set(METRICS) == columns - own


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
    assert set(hit) >= set(LAWS) - {"scenarios_are_complete"}


def corrupt(result: SimulationResult, rng: np.random.Generator) -> SimulationResult:
    """Return a copy of a result in which one value is another."""
    kind = rng.choice(["ledger", "ledger", "daily", "lots"])
    rows: Rows = getattr(result, kind).copy()
    if not len(rows):
        return corrupt(result, rng)
    place = rng.integers(len(rows))
    names = [name for name in rows.dtype.names or () if name != "sale_limit"]
    name = rng.choice(names)
    old = rows[name][place]
    if np.issubdtype(rows.dtype[name], np.integer):
        others = np.setdiff1d(np.unique(rows[name]), [old])
        rows[name][place] = rng.choice(others) if len(others) else old
    else:
        rows[name][place] = rng.choice([old * 1.5, -old, np.nan, old + 1.0, 0.0])
    return result._replace(**{kind: rows})
