"""The assets of the lake: raw prices as fetched, the market made from them, and the simulated scenarios.

Each leaves a version of a dataset in the lake and reports to Dagster what it holds. The tables of the warehouse
belong in ``warehouse_assets``.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from pipelines.lab.study_tables import market_fingerprint, scenario_fingerprint
from pipelines.orchestration.partitions import partition_key, scenarios_of, simulation_grid
from pipelines.orchestration.progress import report_progress
from pipelines.warehouse.lake_views import MARKET_TABLES
from pipelines.warehouse.reduction import Reduction
from sd_core.errors import FetchError, InputError
from sd_core.lake import Lake, Version
from sd_core.market import raw
from sd_core.market.build import Market, build_market, to_panel, version
from sd_core.market.panel import Panel
from sd_core.market.quality import Finding, fetch_failed, history_changed, to_table
from sd_core.market.sources.base import PriceHistory, fetch, open_source
from sd_core.market.sources.csv_files import read_price_index
from sd_core.metrics.money_weighted import money_weighted_return
from sd_core.simulation.engine import ENGINE_VERSION, simulate
from sd_core.simulation.path_band import path_outcome
from sd_core.simulation.results import SimulationResult, to_tables
from sd_core.simulation.rules import LotOrder, Rules, resolve
from sd_core.simulation.rules import Path as BarPath
from sd_core.simulation.taxes.matching import tax_lot_table, tax_lots
from sd_core.study.model import Scenario, Study

FETCHES = "fetches"
FINDINGS = "findings"
MARKET = "market"
SIMULATIONS = "simulations"
TAX_LOTS = "tax_lots"

RAW_PRICES_KEY = dg.AssetKey(["lake", "raw_prices"])
MARKET_KEYS = {name: dg.AssetKey(["lake", name]) for name in MARKET_TABLES}
SIMULATIONS_KEY = dg.AssetKey(["lake", "simulations"])

# Days of all assets of the scenarios whose metrics are computed at once: ledgers grow with both.
ASSET_DAYS_AT_ONCE = 500_000
# Beyond this many partitions Dagster does not learn what each holds: it would take longer than to simulate them.
DESCRIBED_PARTITIONS = 500
# Files of a partition, by what its strategy keeps.
KEPT_TABLES = {"ledger": ("ledger", "daily", "lots", TAX_LOTS), "daily": ("daily",), "metrics": ()}

OWNERS = ["team:sd-lab"]

WHOLE_RUN_FIRST = "first run the whole study, with `sdlab run` or the job refresh in Dagster"
FETCH_FIRST = "first fetch them, with `sdlab run --select raw_prices` or the asset raw_prices in Dagster"
OTHER_SETTINGS = (
    "the prices in the lake were prepared for other settings of this study (source, dates, sessions, tickers, "
    "currency, risk-free rate or price index)"
)


class FetchConfig(dg.Config):
    """What to fetch."""

    tickers: list[str] | None = None


def refusal(error: InputError) -> dg.Failure:
    """Return the failure of a step whose input is refused; the command line reads its exit code from it."""
    return dg.Failure(str(error), metadata={"exit_code": int(ExitCode.REFUSED)}, allow_retries=False)


def lake_assets(home: StudyHome) -> list[dg.AssetsDefinition]:
    """Return the lake's assets for one study."""
    return [_raw_prices(home), _market(home), _simulations(home)]


def _raw_prices(home: StudyHome) -> dg.AssetsDefinition:
    study, lake = home.study, home.lake

    @dg.asset(
        key=RAW_PRICES_KEY,
        group_name="ingest",
        kinds={"parquet", study.source.kind},
        owners=OWNERS,
        description=(
            "Prices as the source published them, one version per ticker and fetch. A past that a later fetch brings "
            "differently is kept beside the new one and reported."
        ),
        check_specs=[
            dg.AssetCheckSpec("every_ticker_fetched", asset=RAW_PRICES_KEY, description="No ticker is stale."),
            dg.AssetCheckSpec("past_unchanged", asset=RAW_PRICES_KEY, description="No fetch brought another past."),
        ],
    )
    def raw_prices(context: dg.AssetExecutionContext, config: FetchConfig):  # type: ignore[no-untyped-def]
        wanted = _wanted_tickers(home, config.tickers)
        histories, failures = _fetch(context, home, wanted)
        changes = [change for history in histories if (change := raw.store(lake, history)).count]
        missing = [ticker for ticker in failures if lake.current(raw.DATASET, ticker) is None]
        if missing:
            raise dg.Failure("\n".join(failures[ticker] for ticker in missing))
        _note_failures(lake, wanted, failures)
        yield _judgement("every_ticker_fetched", list(failures.values()))
        yield _judgement("past_unchanged", [history_changed(change).detail for change in changes])
        yield dg.MaterializeResult(
            metadata={"tickers": len(histories), "bars": sum(len(history.bars) for history in histories)}
        )

    return raw_prices


def _note_failures(lake: Lake, asked: list[str], failures: Mapping[str, str]) -> None:
    """Store what the fetches met: this one's failures, and those that others met with tickers not asked for now."""
    earlier = lake.current(FETCHES)
    others = (
        [] if earlier is None else [row for row in earlier.read(FINDINGS).to_pylist() if row["ticker"] not in asked]
    )
    findings = [
        fetch_failed(stored, reason)
        for ticker, reason in failures.items()
        if (stored := raw.load(lake, ticker)) is not None
    ]
    lake.write(FETCHES, "", {FINDINGS: to_table([*(Finding(**row) for row in others), *findings])}, {})


def _judgement(check: str, findings: list[str], asset_key: dg.AssetKey = RAW_PRICES_KEY) -> dg.AssetCheckResult:
    """Return the result of a check that warns and does not block."""
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=check,
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"findings": dg.MetadataValue.md("\n".join(f"- {finding}" for finding in findings) or "none")},
    )


def _wanted_tickers(home: StudyHome, asked: list[str] | None) -> list[str]:
    known = list(home.study.fetched_tickers)
    if unknown := [ticker for ticker in asked or [] if ticker not in known]:
        raise refusal(InputError(f"tickers: {', '.join(unknown)}: expected some of {', '.join(known)}"))
    return asked or known


def _fetch(
    context: dg.AssetExecutionContext, home: StudyHome, tickers: list[str]
) -> tuple[list[PriceHistory], dict[str, str]]:
    """Fetch tickers; return the histories that came and, by ticker, why the others did not.

    Refused input stops the step before anything is stored, with every file's findings at once.
    """
    source = open_source(home.study)
    histories: list[PriceHistory] = []
    failures: dict[str, str] = {}
    refused: list[str] = []
    for done, ticker in enumerate(tickers, start=1):
        try:
            histories.append(fetch(source, home.study, ticker))
        except FetchError as error:
            failures[ticker] = str(error)
        except InputError as error:
            refused.append(str(error))
        report_progress(context, "prices fetched", done, len(tickers))
    if refused:
        raise refusal(InputError("\n".join(refused)))
    return histories, failures


def _market(home: StudyHome) -> dg.AssetsDefinition:
    texts = {
        "sessions": "The study's sessions, from the first on which every asset has a bar.",
        "prices": "Prices and dividends per session and ticker, bars at other times merged into the next session.",
        "rates": "The risk-free rate known at each session and what cash earned on it.",
        "price_findings": "What the quality rules say about the prices.",
    }

    @dg.multi_asset(
        name="market",
        specs=[
            dg.AssetSpec(
                key,
                deps=[RAW_PRICES_KEY],
                group_name="ingest",
                kinds={"parquet"},
                owners=OWNERS,
                description=texts[name],
            )
            for name, key in MARKET_KEYS.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "prices_look_right",
                asset=MARKET_KEYS["prices"],
                description="Holes, jumps, stale or incomplete series: findings warn and are published as a table.",
            )
        ],
    )
    def market(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        built, prices_version = _build_market(home)
        tables = vars(built)
        facts = {"prices_version": prices_version, "market_hash": market_fingerprint(home.study)}
        home.lake.write(MARKET, "", tables, facts)
        findings = built.price_findings.to_pylist()
        if findings:
            context.log.info(f"{len(findings)} findings about the prices, in the table report_data_quality")
        yield _judgement("prices_look_right", [row["detail"] for row in findings], MARKET_KEYS["prices"])
        for name, key in MARKET_KEYS.items():
            yield dg.MaterializeResult(
                key, metadata={"dagster/row_count": tables[name].num_rows, "prices_version": prices_version}
            )

    return market


def _build_market(home: StudyHome) -> tuple[Market, str]:
    """Build the market from what the lake holds; return it with every finding, and the version of its prices."""
    study, lake = home.study, home.lake
    histories = {ticker: raw.load(lake, ticker) for ticker in study.price_tickers}
    rate = raw.load(lake, study.rate_ticker) if study.rate_ticker else None
    missing = [ticker for ticker, history in histories.items() if history is None]
    if study.rate_ticker and rate is None:
        missing.append(study.rate_ticker)
    if missing:
        raise dg.Failure(f"{', '.join(missing)}: no prices in the lake yet: {FETCH_FIRST}")
    try:
        price_index = read_price_index(Path(study.price_index)) if study.price_index else None
        built = build_market(study, {ticker: h for ticker, h in histories.items() if h is not None}, rate, price_index)
    except InputError as error:
        raise refusal(InputError(f"{home.study_file}: {error}")) from None
    changed = [history_changed(change) for ticker in study.fetched_tickers for change in raw.changes(lake, ticker)]
    return Market(built.sessions, built.prices, built.rates, _all_findings(home, built, changed)), version(built)


def _all_findings(home: StudyHome, built: Market, changed: list[Finding]) -> pa.Table:
    """Join what the rules say about the prices with what the fetches met."""
    fetches = home.lake.current(FETCHES)
    tables = [built.price_findings, to_table(changed)]
    return pa.concat_tables([*tables, *([fetches.read(FINDINGS)] if fetches else [])])


def _simulations(home: StudyHome) -> dg.AssetsDefinition:
    study = home.study

    @dg.asset(
        key=SIMULATIONS_KEY,
        deps=[MARKET_KEYS["prices"], MARKET_KEYS["rates"], MARKET_KEYS["sessions"]],
        partitions_def=simulation_grid(study),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="simulation",
        kinds={"numba", "parquet"},
        owners=OWNERS,
        code_version=ENGINE_VERSION,
        description="What each scenario keeps of ledger, days, lots and tax lots: one strategy at one cash reserve.",
    )
    def simulations(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        scenarios = scenarios_of(study, context.partition_keys)
        stored_facts: dict[dg.MultiPartitionKey, dict[str, Any]] = {}
        failures: dict[str, str] = {}
        for done, (scenario, outcome) in enumerate(simulate_into_lake(home, scenarios), start=1):
            key = partition_key(scenario)
            if isinstance(outcome, Exception):
                failures[str(key)] = f"{type(outcome).__name__}: {outcome}"
            else:
                stored_facts[key] = _facts(outcome)
            report_progress(context, "scenarios simulated", done, len(scenarios))
        if failures:
            for key, facts in stored_facts.items():
                context.log_event(dg.AssetMaterialization(SIMULATIONS_KEY, partition=key, metadata=facts))
            raise dg.Failure("\n".join(f"partition {key}: {reason}" for key, reason in failures.items()))
        if len(stored_facts) <= DESCRIBED_PARTITIONS:
            for key, facts in stored_facts.items():
                context.add_asset_metadata(facts, partition_key=key)
        return dg.MaterializeResult()

    return simulations


def simulate_into_lake(
    home: StudyHome, scenarios: Sequence[Scenario]
) -> Iterator[tuple[Scenario, Version | Exception]]:
    """Simulate scenarios on the prices in the lake, and store what each keeps.

    Compressing and computing metrics take longer than simulating, so every core stores.

    Yields:
        Each scenario, in order, with what was stored of it, or with the error that kept it from being simulated or
        stored; one scenario's trouble must not cost the others. Two batches per core wait at most, so memory stays
        bounded.
    """
    with home.lake.shared():  # the market's files stay while they are read
        market = current_market(home)
        panel = _panel(home, market)
        reduction = Reduction(home, market)
        threads = os.cpu_count() or 1
        waiting: deque[Future[list[tuple[Scenario, Version | Exception]]]] = deque()
        rules = [resolve(home.study, scenario) for scenario in scenarios]
        simulated = _results(panel, rules)
        bands = _path_bands(home.study, rules, panel)
        with ThreadPoolExecutor(threads) as pool:
            for batch in _batches(home.study, scenarios, panel):
                outcomes = [(scenario, next(simulated), next(bands)) for scenario in batch]
                waiting.append(pool.submit(_store, home, market, panel, reduction, outcomes))
                if len(waiting) >= 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()


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
) -> Iterator[dict[BarPath, SimulationResult | Exception]]:
    """Yield every scenario's results on the paths that are not its own; none where the study has no path band."""
    others = [[path for path in BarPath if study.path_band and path != chosen.path] for chosen in rules]
    results = _results(
        panel,
        [replace(chosen, path=path) for chosen, paths in zip(rules, others, strict=True) for path in paths],
        ledger=False,
    )
    for paths in others:
        yield {path: next(results) for path in paths}


def _results(panel: Panel, rules: Sequence[Rules], *, ledger: bool = True) -> Iterator[SimulationResult | Exception]:
    """Yield every scenario's result in order, or the error that it meets also by itself."""
    results = simulate(panel, rules, ledger=ledger)
    for place in range(len(rules)):
        try:
            yield next(results)
        except Exception:  # of this scenario, or of one that ran beside it
            yield _result_alone(panel, rules[place], ledger)
            results = simulate(panel, rules[place + 1 :], ledger=ledger)


def _result_alone(panel: Panel, rules: Rules, ledger: bool) -> SimulationResult | Exception:
    try:
        (result,) = simulate(panel, [rules], ledger=ledger)
    except Exception as error:
        return error
    return result


Simulated = tuple[Scenario, SimulationResult | Exception, dict[BarPath, SimulationResult | Exception]]


def _store(
    home: StudyHome, market: Version, panel: Panel, reduction: Reduction, outcomes: Sequence[Simulated]
) -> list[tuple[Scenario, Version | Exception]]:
    """Store a batch of scenarios that keep alike, each by itself."""
    stored: dict[Scenario, Version | Exception] = {}
    rows: dict[Scenario, dict[str, pa.Table]] = {}
    facts: dict[Scenario, dict[str, Any]] = {}
    for scenario, result, others in outcomes:
        try:
            if isinstance(result, Exception):
                raise result
            facts[scenario] = _facts_of(home, market, panel, scenario, result, others)
            rows[scenario] = to_tables(result, scenario, panel) | _tax_lots(home.study, result, scenario, panel)
        except Exception as error:
            stored[scenario] = error
    reduced = [scenario for scenario in rows if _kept(home.study, scenario) != "ledger"]
    try:
        if reduced:
            partitions = [
                {
                    **scenario.model_dump(),
                    **facts[scenario],
                    "has_tax_lots": TAX_LOTS in rows[scenario],
                    "is_current": True,
                }
                for scenario in reduced
            ]
            metrics = reduction.metrics([rows[scenario] for scenario in reduced], partitions)
            for scenario in reduced:
                facts[scenario] |= {"metrics": metrics[scenario], "metrics_version": reduction.version}
    except Exception as error:
        stored |= dict.fromkeys(reduced, error)
    for scenario in rows.keys() - stored.keys():
        try:
            names = KEPT_TABLES[_kept(home.study, scenario)]
            kept = {name: table for name, table in rows[scenario].items() if name in names}
            stored[scenario] = home.lake.write(SIMULATIONS, lake_key(scenario), kept, facts[scenario])
        except Exception as error:
            stored[scenario] = error
    return [(scenario, stored[scenario]) for scenario, *_ in outcomes]


def _facts_of(
    home: StudyHome,
    market: Version,
    panel: Panel,
    scenario: Scenario,
    result: SimulationResult,
    others: Mapping[BarPath, SimulationResult | Exception],
) -> dict[str, Any]:
    """Return what is noted of a scenario beside its rows."""
    study = home.study
    facts = {
        "keep": _kept(study, scenario),
        "capital": study.capital,
        "xirr": money_weighted_return(result, panel.sessions, study.capital),
        "prices_version": market.facts["prices_version"],
        "study_hash": scenario_fingerprint(study, scenario),
        "engine_version": ENGINE_VERSION,
    }
    if study.path_band:
        results = {BarPath[study.strategies[scenario.strategy].path.upper()]: result, **others}
        facts["path_band"] = [
            {**path_outcome(path, results[path], study.capital), "is_chosen": path not in others} for path in BarPath
        ]
    return facts


def _kept(study: Study, scenario: Scenario) -> str:
    return study.strategies[scenario.strategy].keep


def _tax_lots(study: Study, result: SimulationResult, scenario: Scenario, panel: Panel) -> dict[str, pa.Table]:
    """Return a scenario's table of tax lots where the study has taxes."""
    if study.taxes is None:
        return {}
    lot_order = LotOrder[study.strategies[scenario.strategy].lot_order.upper()]
    lots = tax_lots(result.ledger, panel.sessions, lot_order, len(panel.tickers))
    return {TAX_LOTS: tax_lot_table(lots, scenario, panel)}


def lake_key(scenario: Scenario) -> str:
    """Return a scenario's partition of the lake's dataset of simulations."""
    return f"{scenario.strategy}/{scenario.reserve_key}"


def load_panel(home: StudyHome) -> tuple[Panel, str]:
    """Return the panel that the lake holds and the version of its prices."""
    with home.lake.shared():
        market = current_market(home)
        return _panel(home, market), market.facts["prices_version"]


def _panel(home: StudyHome, market: Version) -> Panel:
    return to_panel(home.study, *(market.read(name) for name in ("sessions", "prices", "rates")))


def current_market(home: StudyHome) -> Version:
    """Return the market in the lake; fail where there is none, or one for other settings of the study."""
    market = home.lake.current(MARKET)
    if market is None:
        raise dg.Failure(f"no prices in the lake yet: {WHOLE_RUN_FIRST}")
    if not answers(market, home.study):
        raise dg.Failure(f"{OTHER_SETTINGS}: {WHOLE_RUN_FIRST}")
    return market


def answers(market: Version, study: Study) -> bool:
    """Tell whether a market of the lake was prepared for the present settings of a study."""
    return bool(market.facts["market_hash"] == market_fingerprint(study))


def _facts(stored: Version) -> dict[str, Any]:
    noted = {name: value for name, value in stored.facts.items() if name not in ("metrics", "path_band")}
    return {f"{name}_rows": count for name, count in stored.rows.items()} | noted
