"""Simulate scenarios on the prices in the lake, and store what each keeps.

What happens within a session belongs in ``sd_core.simulation``, the metrics of scenarios that keep no ledger in
``pipelines.warehouse.reduction``.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from pipelines.lab.current import OUTCOME, SIMULATIONS, TAX_LOTS, current_market, lake_key, read_panel
from pipelines.lab.fingerprints import scenario_fingerprint
from pipelines.lab.trials import note_rules
from pipelines.steps.datasets import decided
from pipelines.steps.equal_cash import comparisons
from pipelines.steps.mix_rivals import mix_comparisons
from pipelines.warehouse.lake_views import partition_row
from pipelines.warehouse.reduction import Reduction
from pipelines.workers import CHUNKS_PER_CORE, workers
from sd_core import versions
from sd_core.lake import Lake, Version
from sd_core.market.panel import Panel
from sd_core.market.sessions import session_after
from sd_core.market.stored import StoredPanel
from sd_core.metrics.measures import Calendar
from sd_core.metrics.money_weighted import money_weighted_return
from sd_core.metrics.performance import performance
from sd_core.metrics.returns import session_returns
from sd_core.simulation.engine import ASSETS_SIDE_BY_SIDE, SIDE_BY_SIDE, simulate
from sd_core.simulation.orders import next_orders, order_table
from sd_core.simulation.path_band import path_outcome
from sd_core.simulation.results import Rows, SimulationResult, to_tables
from sd_core.simulation.rules import LotOrder, Path, Rules, Variant, resolve
from sd_core.simulation.taxes.lots import tax_lot_table, tax_lots
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario
from sd_core.sweep import each_result, judge_of

# Days of all assets of the scenarios whose metrics are computed at once: ledgers grow with both.
ASSET_DAYS_AT_ONCE = 500_000
# Files of a partition, by what its strategy keeps.
KEPT_TABLES = {"ledger": ("ledger", "daily", "lots", "orders", TAX_LOTS), "daily": ("daily",)}


def simulate_into_lake(
    study: Study, lake: Lake, scenarios: Sequence[Scenario]
) -> Iterator[tuple[Scenario, Version | Exception]]:
    """Simulate scenarios on the prices in the lake, and store what each keeps.

    Compressing and computing metrics take longer than simulating, so a batch is stored where it is simulated.

    Yields:
        Each scenario, in order, with what was stored of it, or with the error that kept it from being simulated or
        stored; one scenario's trouble must not cost the others. A few batches per core wait at most, so memory stays
        bounded.
    """
    crew = workers()
    with lake.shared():  # the market's files stay while they are read
        market = current_market(study, lake)
        study = decided(study, lake, market)
        note_rules(study, lake, scenarios)
        prices = StoredPanel(study, market)
        shared = _Shared(lake, prices, Reduction(study, market))
        for outcomes in crew.map(_simulate_and_store, shared, _batches(study, scenarios, prices.panel, crew.cores)):
            yield from outcomes


Outcomes = list[tuple[Scenario, Version | Exception]]


class _Shared(NamedTuple):
    """What all batches share."""

    lake: Lake
    prices: StoredPanel
    reduction: Reduction


def _simulate_and_store(shared: _Shared, batch: Sequence[Scenario]) -> Outcomes:
    study, panel = shared.prices.study, shared.prices.panel
    rules = [resolve(study, scenario) for scenario in batch]
    simulated = zip(batch, each_result(panel, rules), _path_bands(study, rules, panel), strict=True)
    return _store(study, shared.lake, shared.prices.market, panel, shared.reduction, list(simulated))


@contextlib.contextmanager
def simulated_alone(study: Study, lake: Lake, scenario: Scenario) -> Iterator[duckdb.DuckDBPyConnection]:
    """Simulate a scenario on the prices in the lake, store nothing, and open its tables and metrics in memory.

    The tables are those of the published warehouse that need no other scenario, of this scenario alone.

    Args:
        study: with the scenario's strategy; the reserve need not be one of the study's.
        lake: the study's lake, which is read only.
        scenario: what is simulated.

    Raises:
        NotReadyError: the lake has no market for the study.
    """
    with lake.shared():
        market = current_market(study, lake)
        study = decided(study, lake, market)
        panel = read_panel(study, market)
        (result,) = simulate(panel, [resolve(study, scenario)])
        rows = rows_of(study, panel, scenario, result)
        facts = facts_of(study, market, panel, scenario, result)
        partition = partition_row(scenario, facts, has_tax_lots=TAX_LOTS in rows, is_current=True)
        with Reduction(study, market).built([rows], [partition]) as connection:
            yield connection


def _batches(study: Study, scenarios: Sequence[Scenario], panel: Panel, cores: int) -> Iterator[list[Scenario]]:
    """Put neighbours together that keep alike.

    Those that keep their ledger run side by side, as many as the engine takes and every core has some of. Of others
    the metrics are computed together, which is cheaper.
    """
    together = max(1, ASSET_DAYS_AT_ONCE // (len(panel.sessions) * len(panel.tickers)))
    beside = min(SIDE_BY_SIDE, ASSETS_SIDE_BY_SIDE // len(panel.tickers), len(scenarios) // (CHUNKS_PER_CORE * cores))
    for reduced, neighbours in groupby(
        scenarios, lambda scenario: study.strategies[scenario.strategy].keep != "ledger"
    ):
        alike, size = list(neighbours), together if reduced else max(1, beside)
        yield from (alike[first : first + size] for first in range(0, len(alike), size))


def _path_bands(
    study: Study, rules: Sequence[Rules], panel: Panel
) -> Iterator[dict[Path, SimulationResult | Exception]]:
    """Yield every scenario's results on the paths that are not its own; none where the study has no path band."""
    others = [[path for path in Path if study.path_band and path != chosen.path] for chosen in rules]
    results = each_result(
        panel,
        [replace(chosen, path=path) for chosen, paths in zip(rules, others, strict=True) for path in paths],
        ledger=False,
    )
    for paths in others:
        yield {path: next(results) for path in paths}


Simulated = tuple[Scenario, SimulationResult | Exception, dict[Path, SimulationResult | Exception]]


def _store(
    study: Study,
    lake: Lake,
    market: Version,
    panel: Panel,
    reduction: Reduction,
    outcomes: Sequence[Simulated],
) -> Outcomes:
    """Store a batch of scenarios that keep alike, each by itself."""
    stored: dict[Scenario, Version | Exception] = {}
    rows: dict[Scenario, dict[str, pa.Table]] = {}
    facts: dict[Scenario, dict[str, Any]] = {}
    for scenario, result, others in outcomes:
        try:
            if isinstance(result, Exception):
                raise result
            facts[scenario] = facts_of(study, market, panel, scenario, result)
            facts[scenario] |= _beside(study, panel, scenario, result, others)
            facts[scenario] |= harvest_twins(study, panel, scenario, result)
            rows[scenario] = rows_of(study, panel, scenario, result)
        except Exception as error:
            stored[scenario] = error
    reduced = [scenario for scenario in rows if _kept(study, scenario) != "ledger"]
    try:
        if reduced:
            partitions = [
                partition_row(scenario, facts[scenario], has_tax_lots=TAX_LOTS in rows[scenario], is_current=True)
                for scenario in reduced
            ]
            metrics = reduction.metrics([rows[scenario] for scenario in reduced], partitions)
            for scenario in reduced:
                facts[scenario] |= {"metrics": metrics[scenario], "metrics_version": reduction.version}
    except Exception as error:
        stored |= dict.fromkeys(reduced, error)
    for scenario in rows.keys() - stored.keys():
        try:
            names = KEPT_TABLES[_kept(study, scenario)]
            kept = {name: table for name, table in rows[scenario].items() if name in names}
            stored[scenario] = lake.write(SIMULATIONS, lake_key(scenario), kept, facts[scenario])
        except Exception as error:
            stored[scenario] = error
    return [(scenario, stored[scenario]) for scenario, *_ in outcomes]


def rows_of(study: Study, panel: Panel, scenario: Scenario, result: SimulationResult) -> dict[str, pa.Table]:
    """Return all tables of a scenario, by the name of their file."""
    return (
        to_tables(result, scenario, panel)
        | _orders(study, result, scenario, panel)
        | _tax_lots(study, result, scenario, panel)
    )


def facts_of(
    study: Study, market: Version, panel: Panel, scenario: Scenario, result: SimulationResult
) -> dict[str, Any]:
    """Return what is noted of a scenario beside its rows."""
    money_weighted = money_weighted_return(result.daily, panel.sessions, study.capital)
    return {
        "keep": _kept(study, scenario),
        "capital": study.capital,
        "xirr": money_weighted.rate,
        "xirr_missing": money_weighted.missing,
        "prices_version": market.facts["prices_version"],
        "study_hash": scenario_fingerprint(study, scenario),
        "engine_version": versions.ENGINE,
        OUTCOME: _outcome_of(study, panel, result),
    }


def _outcome_of(study: Study, panel: Panel, result: SimulationResult) -> dict[str, float | None]:
    """Return what a scenario came to, for those who look at its partition; None where there is no such number."""
    found = performance(session_returns(result.daily, study.capital), Calendar.of(panel))
    return {
        "value": float(result.daily["value"][-1]),
        "cagr": found.cagr,
        "sharpe": found.sharpe,
        "max_drawdown": found.max_drawdown,
    }


def rivals_beside(
    study: Study, panel: Panel, scenario: Scenario, rules: Rules, result: SimulationResult
) -> dict[str, list[dict[str, Any]]]:
    """Return rows of the same cash without a scenario's rule, and of the scenario without its mix."""
    found = {}
    if rules.variant is not Variant.NO_RULE:
        found["equal_cash"] = comparisons(panel, rules, result.daily)
    if (mix := study.strategies[scenario.strategy].mix) is not None:
        found["mix_rival"] = mix_comparisons(study, mix, panel, rules, result.daily)
    return found


def _beside(
    study: Study,
    panel: Panel,
    scenario: Scenario,
    result: SimulationResult,
    others: Mapping[Path, SimulationResult | Exception],
) -> dict[str, list[dict[str, Any]]]:
    """Return what is simulated beside a scenario: each path, the same cash without its rule, and without its mix."""
    rules = resolve(study, scenario)
    found = rivals_beside(study, panel, scenario, rules, result)
    if study.path_band:
        results = {rules.path: result, **others}
        found["path_band"] = [
            {**path_outcome(path, results[path], study.capital), "is_chosen": path not in others} for path in Path
        ]
    return found


def harvest_twins(
    study: Study, panel: Panel, scenario: Scenario, result: SimulationResult
) -> dict[str, list[dict[str, Any]]]:
    """Return what a scenario harvested beside the same without harvesting, where it harvests losses."""
    if study.strategies[scenario.strategy].harvest is None:
        return {}
    lots = _lots_of(study, result, scenario, panel)
    return {"harvest_twin": [judge_of(study, panel).harvest_twin(resolve(study, scenario), result, lots)]}


def _kept(study: Study, scenario: Scenario) -> str:
    return study.strategies[scenario.strategy].keep


def _orders(study: Study, result: SimulationResult, scenario: Scenario, panel: Panel) -> dict[str, pa.Table]:
    """Return the table of the orders that a scenario's rule has open after its last session."""
    assert result.state is not None
    following = session_after(study.sessions, panel.sessions)
    orders = next_orders(result.state, resolve(study, scenario), panel, following)
    return {"orders": order_table(orders, result.state, scenario, panel)}


def _tax_lots(study: Study, result: SimulationResult, scenario: Scenario, panel: Panel) -> dict[str, pa.Table]:
    """Return a scenario's table of tax lots where the study has taxes."""
    if study.taxes is None:
        return {}
    return {TAX_LOTS: tax_lot_table(_lots_of(study, result, scenario, panel), scenario, panel)}


def _lots_of(study: Study, result: SimulationResult, scenario: Scenario, panel: Panel) -> Rows:
    lot_order = LotOrder[study.strategies[scenario.strategy].lot_order.upper()]
    return tax_lots(result.ledger, panel.sessions, lot_order, len(panel.tickers))
