"""Sweep: simulate scenarios that keep their metrics alone, and append them to the lake in segments.

How a chunk is simulated and digested belongs in ``sd_core.sweep``, which rows of the segments count in
``pipelines.lab.sweeps``.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.lab.current import TAX_LOTS, current_market
from pipelines.lab.sweeps import METRICS_VERSION, are_compared, held_sweeps, prune_segments, study_hashes
from pipelines.lab.trials import note_rules
from pipelines.steps.datasets import decided, fitted_since
from pipelines.steps.holding import Holding
from pipelines.steps.progress import Progress, unheard
from pipelines.steps.simulate import facts_of, rivals_beside, rows_of
from pipelines.warehouse.lake_views import partition_row
from pipelines.warehouse.reduction import Reduction, UnsoundError
from pipelines.workers import Workers, chunks_of, workers
from sd_core.lake import Lake, Version
from sd_core.market.panel import Panel
from sd_core.market.stored import StoredPanel
from sd_core.metrics.measures import METRICS
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Rules
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario
from sd_core.sweep import Compared, Failures, Shared, digests, judge_of, work

# Scenarios of a sweep that SQL audits before it begins, and by how much its numbers may differ from the digest's.
AUDITED, SAME = 8, 1e-9


@dataclass(frozen=True)
class Rivals:
    """What is simulated beside each scenario of a study."""

    study: Study

    def __call__(self, panel: Panel, scenario: Scenario, rules: Rules, result: SimulationResult) -> Mapping[str, Any]:
        """Return rows of other tables by name."""
        return rivals_beside(self.study, panel, scenario, rules, result)


def sweep_into_lake(
    study: Study,
    lake: Lake,
    scenarios: Sequence[Scenario],
    progress: Progress = unheard,
    crew: Workers | None = None,
) -> tuple[int, Failures]:
    """Simulate scenarios on the prices in the lake, and append what is kept of them.

    Args:
        study: the study.
        lake: its lake.
        scenarios: of those that keep metrics alone.
        progress: hears how many are done.
        crew: who does it; by default :func:`pipelines.workers.workers`.

    Returns:
        How many scenarios were stored, and why others were not.

    Raises:
        NotReadyError: the lake has no market for the study.
        UnsoundError: SQL finds other numbers than the digest, or rows that break a law.
    """
    crew = crew or workers()
    with lake.shared():  # the market's files stay while they are read, and no segment is merged meanwhile
        market = current_market(study, lake)
        study = decided(study, lake, market)
        note_rules(study, lake, scenarios)
        shared = _shared(study, lake, market, scenarios)
        audit_digest(study, market, shared.panel, scenarios)
        done, failures = 0, Failures()
        for stored, failed in crew.map(work, shared, chunks_of(len(scenarios), crew.cores)):
            done += stored
            failures |= failed
            progress("scenarios swept", done + len(failures), len(scenarios))
        held = held_sweeps(study, lake, market)
    # Before anything reads the segments, whose names say what it has read.
    prune_segments(lake, held)
    return done, failures


def _shared(study: Study, lake: Lake, market: Version, scenarios: Sequence[Scenario]) -> Shared:
    prices = StoredPanel(study, market)
    holding = Holding.of(study, market, prices.panel, fitted_since(study, lake, market))
    return Shared(
        lake=lake,
        job=f"{time.time_ns():020d}-{secrets.token_hex(4)}",
        study=study,
        prices=prices,
        scenarios=scenarios,
        study_hashes=study_hashes(study),
        metrics_version=METRICS_VERSION,
        compared=None if holding is None else Compared(holding.returns, holding.cash, holding.against, holding.firsts),
        beside=Rivals(study) if are_compared(study) else None,
    )


def audit_digest(study: Study, market: Version, panel: Panel, scenarios: Sequence[Scenario]) -> None:
    """Have SQL compute and audit some scenarios, spread over a sweep, and compare the digest with it.

    Raises:
        UnsoundError: a number differs by more than 1e-9, of itself where it is above 1, or a law is broken.
    """
    spread = np.unique(np.linspace(0, len(scenarios) - 1, AUDITED).astype(int)) if scenarios else ()
    chosen = [scenarios[place] for place in spread]
    failures = Failures()
    found = list(digests(study, panel, judge_of(study, panel), chosen, failures))
    # What breaks a law is not stored, and named; there is nothing to compare.
    if not found:
        return
    rows, partitions = [], []
    for scenario, _, result, _ in found:
        rows.append(rows_of(study, panel, scenario, result))
        facts = facts_of(study, market, panel, scenario, result)
        partitions.append(partition_row(scenario, facts, has_tax_lots=TAX_LOTS in rows[-1], is_current=True))
    computed = Reduction(study, market).metrics(rows, partitions)
    differing = [
        f"{scenario.strategy} at a reserve of {scenario.reserve:g}: {name}: {expected} by SQL, {number} by the digest"
        for scenario, _, _, digested in found
        for name, number in zip(METRICS, digested.metrics.tolist(), strict=True)
        if not _is_same(number, expected := computed[scenario][name])
    ]
    if differing:
        raise UnsoundError("\n".join(["the digest of scenarios differs from SQL, so nothing was swept:", *differing]))


def _is_same(number: float, expected: float | None) -> bool:
    if expected is None:
        return bool(np.isnan(number))
    return bool(abs(number - expected) <= SAME * max(1.0, abs(expected)))
