"""Simulate scenarios on the prices in the lake, and store what each keeps.

What happens within a session belongs in ``sd_core.simulation``, the metrics of scenarios that keep no ledger in
``pipelines.warehouse.reduction``.
"""

import contextlib
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import Any

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
from sd_core import versions
from sd_core.lake import Lake, Version
from sd_core.market.panel import Panel
from sd_core.market.sessions import session_after
from sd_core.metrics.money_weighted import money_weighted_return
from sd_core.metrics.outcome import Calendar
from sd_core.metrics.performance import performance
from sd_core.metrics.returns import session_returns
from sd_core.simulation.engine import simulate
from sd_core.simulation.orders import next_orders, order_table
from sd_core.simulation.path_band import path_outcome
from sd_core.simulation.results import Rows, SimulationResult, to_tables
from sd_core.simulation.rules import Every, LotOrder, Path, Rules, Variant, resolve
from sd_core.simulation.taxes.lots import harvested, tax_lot_table, tax_lots
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario
from sd_core.sweep import each_result

# Days of all assets of the scenarios whose metrics are computed at once: ledgers grow with both.
ASSET_DAYS_AT_ONCE = 500_000
# What is noted of the same scenario without harvesting losses.
AFTER_TAXES = ("final_value", "taxes", "after_tax_value", "after_tax_liquidation_value", "after_tax_liquidation_cagr")
# Files of a partition, by what its strategy keeps.
KEPT_TABLES = {"ledger": ("ledger", "daily", "lots", "orders", TAX_LOTS), "daily": ("daily",)}


def simulate_into_lake(
    study: Study, lake: Lake, scenarios: Sequence[Scenario]
) -> Iterator[tuple[Scenario, Version | Exception]]:
    """Simulate scenarios on the prices in the lake, and store what each keeps.

    Compressing and computing metrics take longer than simulating, so every core stores.

    Yields:
        Each scenario, in order, with what was stored of it, or with the error that kept it from being simulated or
        stored; one scenario's trouble must not cost the others. Two batches per core wait at most, so memory stays
        bounded.
    """
    with lake.shared():  # the market's files stay while they are read
        market = current_market(study, lake)
        study = decided(study, lake, market)
        note_rules(study, lake, scenarios)
        panel = read_panel(study, market)
        reduction = Reduction(study, market)
        threads = os.cpu_count() or 1
        waiting: deque[Future[list[tuple[Scenario, Version | Exception]]]] = deque()
        rules = [resolve(study, scenario) for scenario in scenarios]
        simulated = each_result(panel, rules, workers=None)
        bands = _path_bands(study, rules, panel)
        with ThreadPoolExecutor(threads) as pool:
            for batch in _batches(study, scenarios, panel):
                outcomes = [(scenario, next(simulated), next(bands)) for scenario in batch]
                waiting.append(pool.submit(_store, study, lake, market, panel, reduction, outcomes))
                if len(waiting) >= 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()


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


def _batches(study: Study, scenarios: Sequence[Scenario], panel: Panel) -> Iterator[list[Scenario]]:
    """Put neighbours together that keep less than their ledger, since computing metrics of many at once is cheaper."""
    most = max(1, ASSET_DAYS_AT_ONCE // (len(panel.sessions) * len(panel.tickers)))
    for reduced, neighbours in groupby(
        scenarios, lambda scenario: study.strategies[scenario.strategy].keep != "ledger"
    ):
        together = list(neighbours)
        size = most if reduced else 1
        yield from (together[first : first + size] for first in range(0, len(together), size))


def _path_bands(
    study: Study, rules: Sequence[Rules], panel: Panel
) -> Iterator[dict[Path, SimulationResult | Exception]]:
    """Yield every scenario's results on the paths that are not its own; none where the study has no path band."""
    others = [[path for path in Path if study.path_band and path != chosen.path] for chosen in rules]
    results = each_result(
        panel,
        [replace(chosen, path=path) for chosen, paths in zip(rules, others, strict=True) for path in paths],
        ledger=False,
        workers=None,
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
) -> list[tuple[Scenario, Version | Exception]]:
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
            facts[scenario] |= harvest_twins(study, market, panel, reduction, scenario, result)
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
    study: Study, market: Version, panel: Panel, reduction: Reduction, scenario: Scenario, result: SimulationResult
) -> dict[str, list[dict[str, Any]]]:
    """Return what a scenario harvested beside the same without harvesting, where it harvests losses."""
    if study.strategies[scenario.strategy].harvest is None:
        return {}
    realised = harvested(result.ledger, _lots_of(study, result, scenario, panel))
    return {"harvest_twin": [{**realised, **_without_harvest(study, market, panel, reduction, scenario)}]}


def _without_harvest(
    study: Study, market: Version, panel: Panel, reduction: Reduction, scenario: Scenario
) -> dict[str, Any]:
    """Simulate a scenario without harvesting losses; return what it came to after taxes."""
    (twin,) = simulate(panel, [replace(resolve(study, scenario), harvest_every=Every.NEVER)], workers=1)
    facts = facts_of(study, market, panel, scenario, twin)
    partition = partition_row(scenario, facts, has_tax_lots=True, is_current=True)
    metrics = reduction.metrics([rows_of(study, panel, scenario, twin)], [partition])[scenario]
    return {name: metrics[name] for name in AFTER_TAXES}


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
