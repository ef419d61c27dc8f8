"""The assets of the lake: raw prices as fetched, the market made from them, and the simulated scenarios.

Each leaves a version of a dataset in the lake and reports to Dagster what it holds; how belongs in ``steps``, which are
imported when their turn comes, since a run that needs only some of them should begin at once. The
datasets derived from them belong in ``derived_assets``, the tables of the warehouse in ``warehouse_assets``.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from pipelines.lab.current import OUTCOME, current_market, is_prepared, outdated_tickers, overdue_tickers, partitions_of
from pipelines.lab.home import StudyHome
from pipelines.lab.sweeps import swept
from pipelines.orchestration.failures import as_failures
from pipelines.orchestration.keys import DERIVED_KEYS, MARKET_KEYS, RAW_PRICES_KEY, SIMULATIONS_KEY, SWEEPS_KEY
from pipelines.orchestration.leaving import ALL, FRESH_TAG, computes_all, leave_alone
from pipelines.orchestration.partitions import partition_key, scenarios_of, simulation_grid
from pipelines.orchestration.progress import report_progress
from pipelines.steps.ahead import Ahead
from pipelines.steps.datasets import FACTORS, MIXES
from pipelines.steps.plan import outdated_scenarios
from sd_core import versions
from sd_core.lake import Version
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario
from sd_core.wording import counted

# Findings of these rules describe prices that may well be right: they are to be read, and nothing is amiss.
DESCRIBING = frozenset({"jump", "no_intraday_range", "hundredths", "illustration", "hindsight"})
# Beyond this many partitions Dagster does not learn what each holds: it would take longer than to simulate them.
DESCRIBED_PARTITIONS = 500
# As many failures of a sweep are named.
NAMED_FAILURES = 20

OWNERS = ["team:sd-lab"]
PRICES_COMPLETE = "prices_are_complete"


class FetchConfig(dg.Config):
    """What to fetch."""

    tickers: list[str] | None = None


class SweepConfig(dg.Config):
    """Of what to sweep: some strategies, some reserves, or all."""

    strategies: list[str] | None = None
    reserves: list[float] | None = None


def lake_assets(home: StudyHome, ahead: Ahead | None = None) -> list[dg.AssetsDefinition]:
    """Return the lake's assets for one study.

    Args:
        home: the study.
        ahead: the process that makes derived datasets while this one simulates, where there is one.
    """
    simulations = [_simulations(home, ahead)] if partitions_of(home.study) else []
    return [_raw_prices(home), _market(home), *simulations, _sweeps(home)]


def _raw_prices(home: StudyHome) -> dg.AssetsDefinition:
    @dg.asset(
        key=RAW_PRICES_KEY,
        group_name="ingest",
        kinds={"parquet", home.study.source.kind},
        owners=OWNERS,
        description=(
            f"Prices of the study {home.study.name} as the source published them, one version per ticker and fetch. A "
            "past that a later fetch changes is kept beside the new one and reported."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                "every_ticker_fetched", asset=RAW_PRICES_KEY, description="The source delivered every ticker."
            ),
            dg.AssetCheckSpec(
                "prices_are_fresh",
                asset=RAW_PRICES_KEY,
                description="The last bar of each ticker is of the last session of its calendar, or of the one before.",
            ),
            dg.AssetCheckSpec("past_unchanged", asset=RAW_PRICES_KEY, description="No fetch changed the past."),
        ],
    )
    def raw_prices(context: dg.AssetExecutionContext, config: FetchConfig):  # type: ignore[no-untyped-def]
        from pipelines.steps.fetch import fetch_prices

        with as_failures():
            _refuse_broken_factors(context, home.study)
        asked = config.tickers
        if asked is None and not computes_all(context):
            asked = list(outdated_tickers(home.study, home.lake))
            current = [ticker for ticker in home.study.fetched_tickers if ticker not in asked]
            if current:
                why = f"the source has nothing newer of {', '.join(current)}"
                leave_alone(context, RAW_PRICES_KEY, why)
        with as_failures():
            fetched = fetch_prices(
                home.study, home.lake, asked, partial(report_progress, context), whole=computes_all(context)
            )
        for sentence in fetched.restated:
            context.log.info(sentence)
        yield _judgement("every_ticker_fetched", list(fetched.failures.values()))
        yield _judgement("prices_are_fresh", [one.detail for one in overdue_tickers(home.study, home.lake)])
        yield _judgement("past_unchanged", list(fetched.changes))
        yield dg.MaterializeResult(
            metadata={
                "tickers": len(fetched.histories),
                "bars": sum(len(history.bars) for history in fetched.histories),
            }
        )

    return raw_prices


def _refuse_broken_factors(context: dg.AssetExecutionContext, study: Study) -> None:
    """Refuse a broken file of factors where a run that comes to it begins: its turn is after the simulations."""
    chosen = context.run.asset_selection  # none: the whole job
    if study.factors is not None and (not chosen or DERIVED_KEYS[FACTORS.name] in chosen):
        from sd_core.market.factors import read_factors

        read_factors(study.factors)


def _judgement(
    check: str, findings: list[str], asset_key: dg.AssetKey = RAW_PRICES_KEY, *, passed: bool | None = None
) -> dg.AssetCheckResult:
    """Return the result of a check that warns and does not block; by default it passes without findings."""
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=check,
        passed=not findings if passed is None else passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"findings": dg.MetadataValue.text("\n".join(findings) or "none")},
    )


def _market(home: StudyHome) -> dg.AssetsDefinition:
    texts = {
        "sessions": "The study's sessions, from the first on which every asset has a bar.",
        "prices": "Prices and dividends per session and ticker, bars at other times merged into the next session.",
        "satellite_prices": "Prices and dividends of the tickers of satellites, per session and ticker.",
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
                PRICES_COMPLETE,
                asset=MARKET_KEYS["prices"],
                description=(
                    "Nothing is missing or was left out. All findings are listed and published as report_data_quality; "
                    "jumps and what the source is like are to be read and fail nothing."
                ),
            )
        ],
    )
    def market(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        from pipelines.steps.prepare import prepare_market

        left: dict[str, str] = {}
        with as_failures():
            if is_prepared(home.study, home.lake) and not computes_all(context):
                stored = current_market(home.study, home.lake)
                for key in MARKET_KEYS.values():
                    left = leave_alone(context, key, "prepared from the same fetches for the same settings")
            else:
                stored = prepare_market(home.study, home.lake, home.study_file)
        findings = stored.read("price_findings").to_pylist()
        if findings:
            context.log.info(f"{counted(len(findings), 'finding')} about the prices, in the table report_data_quality")
        yield _judgement(
            PRICES_COMPLETE,
            [finding["detail"] for finding in findings],
            MARKET_KEYS["prices"],
            passed=all(finding["rule"] in DESCRIBING for finding in findings),
        )
        for name, key in MARKET_KEYS.items():
            yield dg.MaterializeResult(
                key,
                metadata={
                    "dagster/row_count": stored.rows[name],
                    "prices_version": stored.facts["prices_version"],
                    **left,
                },
            )

    return market


def _simulations(home: StudyHome, ahead: Ahead | None) -> dg.AssetsDefinition:
    study = home.study

    @dg.asset(
        key=SIMULATIONS_KEY,
        deps=[MARKET_KEYS["prices"], MARKET_KEYS["rates"], MARKET_KEYS["sessions"], DERIVED_KEYS[MIXES.name]],
        partitions_def=simulation_grid(study),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="simulation",
        kinds={"numba", "parquet"},
        owners=OWNERS,
        code_version=versions.ENGINE,
        description=(
            f"What each scenario of the study {study.name} keeps of ledger, days, lots and tax lots: one strategy at "
            "one cash reserve. The metadata of a partition has what it came to."
        ),
    )
    def simulations(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        if ahead:
            ahead.begin(study, home.lake, fresh=context.run.tags.get(FRESH_TAG) == ALL)
        scenarios = scenarios_of(study, context.partition_keys)
        if not computes_all(context):
            with as_failures():
                outdated = outdated_scenarios(study, home.lake)
            current = len(scenarios)
            scenarios = [scenario for scenario in scenarios if scenario in outdated]
            if current := current - len(scenarios):
                leave_alone(
                    context, SIMULATIONS_KEY, f"{counted(current, 'scenario')}: of the same prices, rules and engine"
                )
        with as_failures():
            stored_facts, failures = _simulated(context, home, scenarios)
        if failures:
            for key, facts in stored_facts.items():
                context.log_event(dg.AssetMaterialization(SIMULATIONS_KEY, partition=key, metadata=facts))
            raise dg.Failure("\n".join(f"partition {key}: {reason}" for key, reason in failures.items()))
        if len(stored_facts) <= DESCRIBED_PARTITIONS:
            for key, facts in stored_facts.items():
                context.add_asset_metadata(facts, partition_key=key)
        return dg.MaterializeResult()

    return simulations


def _simulated(
    context: dg.AssetExecutionContext, home: StudyHome, scenarios: Sequence[Scenario]
) -> tuple[dict[dg.MultiPartitionKey, dict[str, Any]], dict[str, str]]:
    """Simulate scenarios; return by partition what was stored of it, and why others were not."""
    from pipelines.steps.simulate import simulate_into_lake

    stored_facts: dict[dg.MultiPartitionKey, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    for done, (scenario, outcome) in enumerate(simulate_into_lake(home.study, home.lake, scenarios), start=1):
        key = partition_key(scenario)
        if isinstance(outcome, Exception):
            failures[str(key)] = _reason(outcome)
        else:
            stored_facts[key] = _facts(outcome)
        report_progress(context, "scenarios simulated", done, len(scenarios))
    return stored_facts, failures


def _reason(failure: Exception) -> str:
    """Return why one scenario failed; raise what none can be stored for, as a full disk."""
    if isinstance(failure, OSError):
        raise failure
    return f"{type(failure).__name__}: {failure}"


def _sweeps(home: StudyHome) -> dg.AssetsDefinition:
    study = home.study

    @dg.asset(
        key=SWEEPS_KEY,
        deps=[MARKET_KEYS["prices"], MARKET_KEYS["rates"], MARKET_KEYS["sessions"], DERIVED_KEYS[MIXES.name]],
        group_name="simulation",
        kinds={"numba", "parquet"},
        owners=OWNERS,
        code_version=f"{versions.ENGINE}.{versions.DIGEST}",
        description=(
            f"Metrics of the scenarios of the study {study.name} that keep nothing else, in segments. Its "
            "run config `strategies` and `reserves` simulates some only."
        ),
    )
    def sweeps(context: dg.AssetExecutionContext, config: SweepConfig):  # type: ignore[no-untyped-def]
        from pipelines.steps.sweep import sweep_into_lake

        scenarios = _asked(study, config)
        left: dict[str, str] = {}
        if not computes_all(context):
            with as_failures():
                outdated = frozenset(outdated_scenarios(study, home.lake))
            current = len(scenarios)
            scenarios = [scenario for scenario in scenarios if scenario in outdated]
            if current := current - len(scenarios):
                left = leave_alone(
                    context, SWEEPS_KEY, f"{counted(current, 'scenario')}: of the same prices, rules and engine"
                )
        done, failures = 0, dict[Scenario, str]()
        if scenarios:
            with as_failures():
                done, failures = sweep_into_lake(study, home.lake, scenarios, partial(report_progress, context))
        if failures:
            named = [f"{partition_key(scenario)}: {reason}" for scenario, reason in failures.items()]
            more = [f"and {len(named) - NAMED_FAILURES} more"] if len(named) > NAMED_FAILURES else []
            raise dg.Failure("\n".join([*named[:NAMED_FAILURES], *more]))
        return dg.MaterializeResult(metadata={"scenarios": done, **left})

    return sweeps


def _asked(study: Study, config: SweepConfig) -> list[Scenario]:
    """Return the scenarios of sweeps that a run asks for."""
    return [
        one
        for one in swept(study)
        if (config.strategies is None or one.strategy in config.strategies)
        and (config.reserves is None or one.reserve in config.reserves)
    ]


def _facts(stored: Version) -> dict[str, Any]:
    """Return the metadata of a partition: first what its scenario came to, as fractions and money."""
    elsewhere = ("metrics", "path_band", "equal_cash", "mix_rival", "harvest_twin", OUTCOME)
    noted = {name: value for name, value in stored.facts.items() if name not in elsewhere}
    known = {name: value for name, value in stored.facts[OUTCOME].items() if value is not None}
    return known | {f"{name}_rows": count for name, count in stored.rows.items()} | noted
