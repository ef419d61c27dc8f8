"""The ledger of trials: every rule ever simulated on a study, and how it did when it was first judged.

The best of many looks better than it is, however few of the many are left in the study. So a rule is noted before it is
simulated, and nothing that is noted is ever changed or removed: each append is a partition of its own. Any number of
processes may append at once; what two of them note twice counts once.
"""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.lab.fingerprints import rule_fingerprint
from sd_core.lake import Lake, Version
from sd_core.schemas.selection import TRIAL, TRIAL_BLOCK, TRIAL_MEASURE
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

TRIALS = "trials"
# Partitions of rules, and of how they did, by the beginning of their keys.
RULES, MEASURES = "rules", "measures"

Rows = Sequence[Mapping[str, Any]]


def note_rules(study: Study, lake: Lake, scenarios: Iterable[Scenario]) -> None:
    """Append the rules of scenarios that are about to be simulated and were never before.

    Args:
        study: that knows what its mixes have decided.
        lake: of the study.
        scenarios: those that could be chosen; buy-and-hold, with which they are compared, is no trial.
    """
    rivals = frozenset(study.rivals)
    rules = {rule_fingerprint(study, one): one for one in scenarios if one in rivals}
    if rules:
        known = {row["rule"] for row in noted_rules(lake)}
        new = [{"rule": rule, **one.model_dump()} for rule, one in rules.items() if rule not in known]
        _append(lake, RULES, {TRIAL.name: pa.Table.from_pylist(new, TRIAL.arrow_schema)})


def note_measures(lake: Lake, measures: Rows, blocks: Rows) -> None:
    """Append how trials did that were judged for the first time: rows of ``trial_measure`` and ``trial_block``."""
    tables = {
        TRIAL_MEASURE.name: pa.Table.from_pylist(list(measures), TRIAL_MEASURE.arrow_schema),
        TRIAL_BLOCK.name: pa.Table.from_pylist(list(blocks), TRIAL_BLOCK.arrow_schema),
    }
    _append(lake, MEASURES, tables)


def noted_rules(lake: Lake) -> Rows:
    """Return every rule that was ever simulated once, as a row of ``trial``, by the order of their keys."""
    rows = (row for version in _partitions(lake, RULES) for row in version.read(TRIAL.name).to_pylist())
    return list({row["rule"]: row for row in rows}.values())


def noted_measures(lake: Lake) -> dict[tuple[str, str], dict[str, Any]]:
    """Return by rule and measure how each trial did: a row of ``trial_measure``, with ``totals`` and ``squares``."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for version in _partitions(lake, MEASURES):
        new = {(row["rule"], row["measure"]): row for row in version.read(TRIAL_MEASURE.name).to_pylist()}
        for row in new.values():
            row |= {"totals": [], "squares": []}
        for row in version.read(TRIAL_BLOCK.name).sort_by("block").to_pylist():
            of = new[row["rule"], row["measure"]]
            of["totals"].append(row["total"])
            of["squares"].append(row["squares"])
        found = new | found
    return found


def _partitions(lake: Lake, kind: str) -> Iterable[Version]:
    stored = (lake.current(TRIALS, key) for key in lake.keys(TRIALS) if key.startswith(kind))
    return (version for version in stored if version is not None)


def _append(lake: Lake, kind: str, tables: Mapping[str, pa.Table]) -> None:
    if any(table.num_rows for table in tables.values()):
        lake.write(TRIALS, f"{kind}-{time.time_ns():020d}-{secrets.token_hex(4)}", tables, {})
