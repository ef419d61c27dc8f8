"""The ledger of trials: every rule ever simulated on a study, and how it did when it was first judged.

The best of many looks better than it is, however few of the many are left in the study. So a rule is noted before it is
simulated, and nothing that is noted is ever changed or removed: each append is a partition of its own. Any number of
processes may append at once; what two of them note twice counts once.
"""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.lab.fingerprints import rule_fingerprints
from sd_core.lake import Lake, Version
from sd_core.schemas.selection import TRIAL, TRIAL_BLOCK, TRIAL_MEASURE
from sd_core.selection.differences import Sums
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
    tried = [one for one in scenarios if one in rivals]
    rules = dict(zip(rule_fingerprints(study, tried), tried, strict=True))
    if rules:
        known = {row["rule"] for row in noted_rules(lake)}
        new = [{"rule": rule, **one._asdict()} for rule, one in rules.items() if rule not in known]
        _append(lake, RULES, {TRIAL.name: pa.Table.from_pylist(new, TRIAL.arrow_schema)})


def note_measures(lake: Lake, measures: Rows, sums: Sequence[Sums]) -> None:
    """Append how trials did that were judged for the first time: rows of ``trial_measure``, and the sums of each."""
    tables = {
        TRIAL_MEASURE.name: pa.Table.from_pylist(list(measures), TRIAL_MEASURE.arrow_schema),
        TRIAL_BLOCK.name: _blocks(measures, sums),
    }
    _append(lake, MEASURES, tables)


def _blocks(measures: Rows, sums: Sequence[Sums]) -> pa.Table:
    """Return the rows of ``trial_block``: one per block of each measure."""
    counts = [len(one.totals) for one in sums]
    columns = {
        "rule": np.repeat(np.array([row["rule"] for row in measures], dtype=object), counts),
        "measure": np.repeat(np.array([row["measure"] for row in measures], dtype=object), counts),
        "block": np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(1, count + 1) for count in counts)]),
        "total": np.concatenate([np.zeros(0), *(one.totals for one in sums)]),
        "squares": np.concatenate([np.zeros(0), *(one.squares for one in sums)]),
    }
    schema = TRIAL_BLOCK.arrow_schema
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def noted_rules(lake: Lake) -> Rows:
    """Return every rule that was ever simulated once, as a row of ``trial``, by the order of their keys."""
    rows = (row for version in _partitions(lake, RULES) for row in version.read(TRIAL.name).to_pylist())
    return list({row["rule"]: row for row in rows}.values())


def noted_measures(lake: Lake) -> dict[tuple[str, str], dict[str, Any]]:
    """Return by rule and measure how each trial did: a row of ``trial_measure``, with ``totals`` and ``squares``."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for version in _partitions(lake, MEASURES):
        new = {(row["rule"], row["measure"]): row for row in version.read(TRIAL_MEASURE.name).to_pylist()}
        blocks = version.read(TRIAL_BLOCK.name)
        blocks = blocks.sort_by([(name, "ascending") for name in ("rule", "measure", "block")])
        # The first block of each trial is where its numbers begin.
        begins = np.flatnonzero(blocks["block"].to_numpy() == 1)
        heads = blocks.select(["rule", "measure"]).take(begins).to_pylist()
        totals, squares = (np.split(blocks[name].to_numpy(), begins[1:]) for name in ("total", "squares"))
        for head, total, square in zip(heads, totals, squares, strict=bool(heads)):
            new[head["rule"], head["measure"]] |= {"totals": total, "squares": square}
        found = new | found
    return found


def _partitions(lake: Lake, kind: str) -> Iterable[Version]:
    stored = (lake.current(TRIALS, key) for key in lake.keys(TRIALS) if key.startswith(kind))
    return (version for version in stored if version is not None)


def _append(lake: Lake, kind: str, tables: Mapping[str, pa.Table]) -> None:
    if any(table.num_rows for table in tables.values()):
        lake.write(TRIALS, f"{kind}-{time.time_ns():020d}-{secrets.token_hex(4)}", tables, {})
