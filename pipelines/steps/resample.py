"""Simulate what was not: resampled histories for the reserve question, portfolios of some of the assets.

How either is drawn belongs in ``sd_core.resampling``; what is concluded from them in ``sql``.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.lab.current import read_panel
from pipelines.lab.fingerprints import scenario_fingerprint
from pipelines.steps.derived import Derived, Tables
from pipelines.steps.progress import Progress
from sd_core.lake import Version
from sd_core.resampling import subsets
from sd_core.resampling.histories import block_length, draw_sessions
from sd_core.resampling.outcomes import Outcome, outcomes
from sd_core.simulation.engine import ENGINE_VERSION
from sd_core.simulation.rules import resolve
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

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


def _fingerprints(study: Study, scenarios: Sequence[Scenario]) -> dict[str, str]:
    return {
        f"{scenario.strategy}/{scenario.reserve_key}": scenario_fingerprint(study, scenario) for scenario in scenarios
    }


def _bootstrap_settings(study: Study) -> dict[str, Any]:
    return {
        "bootstrap": study.bootstrap.model_dump(mode="json"),
        "scenarios": _fingerprints(study, study.scenarios),
    }


def _bootstrap(study: Study, market: Version, progress: Progress) -> Tables:
    panel = read_panel(study, market)
    rules = [resolve(study, scenario) for scenario in study.scenarios]
    asked = study.bootstrap
    block = asked.block or block_length(panel, rules[0].weights)
    drawn = draw_sessions(len(panel.sessions), block, asked.histories, asked.seed)
    histories = []
    for done, history in enumerate(outcomes(panel, rules, drawn, os.cpu_count() or 1), start=1):
        histories.append(history)
        if done % REPORTED_EVERY == 0 or done == asked.histories:
            progress("histories simulated", done, asked.histories)
    return {"reserve_bootstrap": _bootstrap_table(study.scenarios, histories, block)}


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


def _subset_settings(study: Study) -> dict[str, Any]:
    scenario = smoothed_scenario(study)
    # Portfolios are drawn with the seed; how many histories there are is nothing to them.
    return {"seed": study.bootstrap.seed, "scenarios": _fingerprints(study, [scenario] if scenario else [])}


def _subsets(study: Study, market: Version, _: Progress) -> Tables:
    scenario = smoothed_scenario(study)
    panel = read_panel(study, market)
    found = subsets.subset_outcomes(panel, resolve(study, scenario), study.bootstrap.seed) if scenario else []
    rows: list[Mapping[str, Any]] = [
        {"subset": number, "strategy": scenario.strategy, "reserve": scenario.reserve, **subset._asdict()}
        for number, subset in enumerate(found, start=1)
        if scenario
    ]
    return {"income_subset": pa.Table.from_pylist(rows, SUBSETS_SCHEMA)}


# The histories take about a minute, so they are no part of the refresh.
RESERVE_BOOTSTRAP = Derived(
    name="reserve_bootstrap",
    description="What became of each scenario in each resampled history, the same histories for all.",
    version=ENGINE_VERSION,
    inputs=("sessions", "prices", "rates"),
    tables={"reserve_bootstrap": BOOTSTRAP_SCHEMA},
    settings=_bootstrap_settings,
    compute=_bootstrap,
    refreshed=False,
)
INCOME_SUBSET = Derived(
    name="income_subset",
    description="Correlation, volatility and variability of income in portfolios of some of the assets.",
    version=f"{ENGINE_VERSION}.{subsets.VERSION}",
    inputs=("sessions", "prices", "rates"),
    tables={"income_subset": SUBSETS_SCHEMA},
    settings=_subset_settings,
    compute=_subsets,
)
