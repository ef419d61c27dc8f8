"""Simulate what did not happen: bootstrap samples for the reserve question, portfolios of some of the assets.

How either is sampled belongs in ``sd_core.resampling``; what is concluded from them in ``sql``; what
depends on what in ``datasets``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.lab.current import read_panel
from pipelines.steps.progress import Progress
from pipelines.workers import workers
from sd_core.lake import Version
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.metrics.outcome import Outcome
from sd_core.resampling import subsets
from sd_core.resampling.drift import draw_samples
from sd_core.resampling.histories import Drawn, Relatives, block_length
from sd_core.resampling.outcomes import outcomes
from sd_core.schemas.lake import INCOME_SUBSET, RESERVE_BOOTSTRAP
from sd_core.simulation.rules import resolve, targets_of
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# A bootstrap sample takes a tenth of a second; progress is reported this often.
REPORTED_EVERY = 10


def draw_from(study: Study, panel: Panel) -> tuple[Relatives, Iterator[Drawn], float]:
    """Return what bootstrap samples of a panel are made of: relatives, what is drawn, and the mean block length."""
    asked = study.bootstrap
    weights, block = _weights(study, panel), mean_block(study, panel)
    relatives = Relatives.of(panel, asked.years)
    drawn = draw_samples(
        relatives,
        block,
        asked.histories,
        asked.seed,
        centred_at=None if asked.centre is None else weights,
        parameter_uncertainty=asked.parameter_uncertainty,
    )
    return relatives, drawn, block


def mean_block(study: Study, panel: Panel) -> float:
    """Return the mean length of the blocks of bootstrap samples: the study's, or the one that the panel needs."""
    return study.bootstrap.block or block_length(panel, _weights(study, panel))


def _weights(study: Study, panel: Panel) -> Floats:
    return np.asarray(targets_of(study, study.resampled[0].strategy).in_force(panel.sessions[0]))


def draw_histories(study: Study, market: Version, progress: Progress) -> Mapping[str, pa.Table]:
    """Return the outcome of every scenario in each bootstrap sample of the market, those of mixes apart."""
    if not study.resampled:
        return {"reserve_bootstrap": RESERVE_BOOTSTRAP.arrow_schema.empty_table()}
    panel = read_panel(study, market)
    rules = [resolve(study, scenario) for scenario in study.resampled]
    relatives, drawn, block = draw_from(study, panel)
    wanted = study.bootstrap.histories
    histories = []
    for done, history in enumerate(outcomes(relatives, rules, drawn, workers().map), start=1):
        histories.append(history)
        if done % REPORTED_EVERY == 0 or done == wanted:
            progress("bootstrap samples simulated", done, wanted)
    drawn_from = {"block_length": block, "years": relatives.years}
    return {"reserve_bootstrap": _bootstrap_table(study.resampled, histories, drawn_from)}


def _bootstrap_table(
    scenarios: Sequence[Scenario],
    histories: Sequence[Sequence[Sequence[float]]],
    drawn_from: Mapping[str, float],
) -> pa.Table:
    """Return one row per scenario and bootstrap sample, scenarios in the study's order; NaN becomes null.

    ``drawn_from`` has the columns that are the same in all rows.
    """
    rows = len(scenarios) * len(histories)
    columns: dict[str, pa.Array] = {
        "strategy": pa.array([scenario.strategy for scenario in scenarios for _ in histories]),
        "reserve": pa.array([scenario.reserve for scenario in scenarios for _ in histories]),
        "history": pa.array([number for _ in scenarios for number in range(1, len(histories) + 1)]),
    }
    for position, name in enumerate(Outcome._fields):
        values = [history[place][position] for place in range(len(scenarios)) for history in histories]
        columns[name] = pa.array(values, pa.float64(), from_pandas=True)
    columns |= {name: pa.repeat(pa.scalar(value), rows) for name, value in drawn_from.items()}
    return pa.table(columns, schema=RESERVE_BOOTSTRAP.arrow_schema)


def simulate_subsets(study: Study, scenario: Scenario | None, market: Version) -> Mapping[str, pa.Table]:
    """Return correlation, volatility and variability of a scenario's income in portfolios of some of the assets.

    There are none where there is no scenario.
    """
    panel = read_panel(study, market)
    found = subsets.subset_outcomes(panel, resolve(study, scenario), study.bootstrap.seed) if scenario else []
    rows: list[Mapping[str, Any]] = [
        {"subset": number, "strategy": scenario.strategy, "reserve": scenario.reserve, **subset._asdict()}
        for number, subset in enumerate(found, start=1)
        if scenario
    ]
    return {"income_subset": pa.Table.from_pylist(rows, INCOME_SUBSET.arrow_schema)}
