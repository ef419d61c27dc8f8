"""Assets that simulate what was not: resampled histories for the reserve question, portfolios of some of the assets.

The histories take about a minute, so they are no part of the refresh. How either is drawn belongs in
``sd_core.resampling``; what is concluded from them in ``sql``.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from pipelines.lab.home import StudyHome
from pipelines.lab.study_tables import scenario_fingerprint
from pipelines.orchestration.jobs import BOOTSTRAP_KEY, MODELS_GROUP, WHEN_LAKE_MOVED
from pipelines.orchestration.lake_assets import MARKET_KEYS, OWNERS, load_panel
from pipelines.orchestration.progress import report_progress
from pipelines.warehouse.lake_views import register_files, register_table
from sd_core.lake import Version
from sd_core.resampling import subsets
from sd_core.resampling.histories import block_length, draw_sessions
from sd_core.resampling.outcomes import Outcome, outcomes
from sd_core.simulation.engine import ENGINE_VERSION
from sd_core.simulation.rules import resolve
from sd_core.study.model import Scenario, Study

BOOTSTRAP, SUBSETS = BOOTSTRAP_KEY.path[-1], "income_subset"
SUBSETS_KEY = dg.AssetKey(["lake", SUBSETS])

# A history takes a tenth of a second; progress is reported this often.
REPORTED_EVERY = 10

BOOTSTRAP_SCHEMA = pa.schema(
    [
        ("strategy", pa.string()),
        ("reserve", pa.float64()),
        ("history", pa.int64()),
        *((name, pa.float64()) for name in Outcome._fields),
        ("block_length", pa.float64()),
    ]
)
SUBSETS_SCHEMA = pa.schema(
    [
        ("subset", pa.int64()),
        ("strategy", pa.string()),
        ("reserve", pa.float64()),
        ("tickers", pa.list_(pa.string())),
        ("average_correlation", pa.float64()),
        ("mean_volatility", pa.float64()),
        ("income_variability", pa.float64()),
    ]
)

# By name, which is the table's too.
DATASETS = {BOOTSTRAP: BOOTSTRAP_SCHEMA, SUBSETS: SUBSETS_SCHEMA}


def resampling_assets(home: StudyHome) -> list[dg.AssetsDefinition]:
    """Return the assets of one study."""
    return [_reserve_bootstrap(home), _income_subset(home)]


def resampling_key(table: str) -> dg.AssetKey | None:
    """Return the asset that leaves a lake table, or None where none of these does."""
    return dg.AssetKey(["lake", table]) if table in DATASETS else None


def register_resampling(connection: duckdb.DuckDBPyConnection, home: StudyHome, market: Version) -> list[str]:
    """Show the datasets to SQL models; return the names of those that are outdated.

    An outdated or a missing one is shown empty: other prices say nothing about the present ones.
    """
    outdated = []
    for name, schema in DATASETS.items():
        stored = home.lake.current(name)
        if stored is not None and stored.facts == _facts(home.study, name, market.facts["prices_version"]):
            register_files(connection, name, [stored.file(name)])
            continue
        if stored is not None:
            outdated.append(name)
        register_table(connection, name, schema.empty_table())
    return outdated


def _facts(study: Study, name: str, prices_version: str) -> dict[str, Any]:
    """Return what a dataset answers: the same facts for the present study and prices mean that it still does."""
    scenarios = study.scenarios if name == BOOTSTRAP else filter(None, [smoothed_scenario(study)])
    return {
        "prices_version": prices_version,
        "engine_version": ENGINE_VERSION,
        **({"model_version": subsets.VERSION} if name == SUBSETS else {}),
        # Portfolios are drawn with the seed; how many histories there are is nothing to them.
        "bootstrap": study.bootstrap.model_dump(mode="json", include=None if name == BOOTSTRAP else {"seed"}),
        "scenarios": {
            f"{scenario.strategy}/{scenario.reserve_key}": scenario_fingerprint(study, scenario)
            for scenario in scenarios
        },
    }


def _reserve_bootstrap(home: StudyHome) -> dg.AssetsDefinition:
    study = home.study

    @dg.asset(
        key=BOOTSTRAP_KEY,
        deps=[MARKET_KEYS["prices"], MARKET_KEYS["rates"], MARKET_KEYS["sessions"]],
        group_name="simulation",
        kinds={"numba", "parquet"},
        owners=OWNERS,
        code_version=ENGINE_VERSION,
        description="What became of each scenario in each resampled history, the same histories for all.",
    )
    def reserve_bootstrap(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        panel, prices_version = load_panel(home)
        rules = [resolve(study, scenario) for scenario in study.scenarios]
        asked = study.bootstrap
        block = asked.block or block_length(panel, rules[0].weights)
        drawn = draw_sessions(len(panel.sessions), block, asked.histories, asked.seed)
        histories = []
        for done, history in enumerate(outcomes(panel, rules, drawn, os.cpu_count() or 1), start=1):
            histories.append(history)
            if done % REPORTED_EVERY == 0 or done == asked.histories:
                report_progress(context, "histories simulated", done, asked.histories)
        table = _bootstrap_table(study.scenarios, histories, block)
        home.lake.write(BOOTSTRAP, "", {BOOTSTRAP: table}, _facts(study, BOOTSTRAP, prices_version))
        return dg.MaterializeResult(metadata={"histories": asked.histories, "block_length": round(block, 1)})

    return reserve_bootstrap


def _bootstrap_table(
    scenarios: Sequence[Scenario], histories: Sequence[Sequence[Sequence[float]]], block: float
) -> pa.Table:
    """Return one row per scenario and history, scenarios in the study's order; NaN becomes null."""
    rows = len(scenarios) * len(histories)
    columns: dict[str, pa.Array] = {
        "strategy": pa.array([scenario.strategy for scenario in scenarios for _ in histories]),
        "reserve": pa.array([scenario.reserve for scenario in scenarios for _ in histories]),
        "history": pa.array([number for _ in scenarios for number in range(1, len(histories) + 1)]),
    }
    for position, name in enumerate(Outcome._fields):
        values = [history[place][position] for place in range(len(scenarios)) for history in histories]
        columns[name] = pa.array(values, pa.float64(), from_pandas=True)
    return pa.table({**columns, "block_length": pa.repeat(pa.scalar(block), rows)}, schema=BOOTSTRAP_SCHEMA)


def smoothed_scenario(study: Study) -> Scenario | None:
    """Return the scenario whose income is looked at: the first strategy that buys and sells, at the middle reserve."""
    trading = [name for name, rules in study.strategies.items() if rules.variant == "full" and not rules.is_passive]
    levels = study.reserve_levels
    return Scenario(strategy=trading[0], reserve=levels[len(levels) // 2]) if trading else None


def _income_subset(home: StudyHome) -> dg.AssetsDefinition:
    study = home.study

    @dg.asset(
        key=SUBSETS_KEY,
        deps=[MARKET_KEYS["prices"], MARKET_KEYS["rates"], MARKET_KEYS["sessions"]],
        group_name=MODELS_GROUP,
        kinds={"numba", "parquet"},
        owners=OWNERS,
        code_version=f"{ENGINE_VERSION}.{subsets.VERSION}",
        automation_condition=WHEN_LAKE_MOVED,
        description="Correlation, volatility and variability of income in portfolios of some of the assets.",
    )
    def income_subset(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        panel, prices_version = load_panel(home)
        facts = _facts(study, SUBSETS, prices_version)
        stored = home.lake.current(SUBSETS)
        if stored is None or stored.facts != facts:
            scenario = smoothed_scenario(study)
            seed = study.bootstrap.seed
            found = subsets.subset_outcomes(panel, resolve(study, scenario), seed) if scenario else []
            rows: list[Mapping[str, Any]] = [
                {"subset": number, "strategy": scenario.strategy, "reserve": scenario.reserve, **subset._asdict()}
                for number, subset in enumerate(found, start=1)
                if scenario
            ]
            stored = home.lake.write(SUBSETS, "", {SUBSETS: pa.Table.from_pylist(rows, SUBSETS_SCHEMA)}, facts)
        else:
            context.log.info(f"{SUBSETS}: the last portfolios are of the same prices and settings and stay")
        return dg.MaterializeResult(metadata={"portfolios": stored.rows[SUBSETS]})

    return income_subset
