"""The ledger of trials: every rule ever simulated on a study, and how it did when it was first judged.

The best of many looks better than it is, however few of the many are left in the study. So a rule is noted before it is
simulated, and nothing that is noted is ever changed or removed: each append is a partition of its own. Any number of
processes may append at once; what two of them note twice counts once.
"""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lab.fingerprints import rule_fingerprints
from sd_core.lake import Lake, Version
from sd_core.market.arrays import Floats
from sd_core.schemas.selection import TRIAL, TRIAL_BLOCK, TRIAL_MEASURE
from sd_core.selection.differences import BLOCKS, NUMBERS
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

TRIALS = "trials"
# Partitions of rules, and of how they did, by the beginning of their keys.
RULES, MEASURES = "rules", "measures"


class Measured(NamedTuple):
    """How trials did when they were first judged.

    Attributes:
        rows: of ``trial_measure``.
        sums: of the differences of each, shape (rows, numbers).
    """

    rows: pa.Table
    sums: Floats

    def by(self, measure: str) -> "Measured":
        """Return those of one measure."""
        return self.take(np.flatnonzero(pc.equal(self.rows["measure"], measure).to_numpy()))

    def take(self, places: Sequence[int] | np.ndarray) -> "Measured":
        """Return some of them."""
        return Measured(self.rows.take(pa.array(places, pa.int64())), self.sums[places])


def note_rules(study: Study, lake: Lake, scenarios: Iterable[Scenario]) -> None:
    """Append the rules of scenarios that are about to be simulated and were never before.

    Args:
        study: that knows what its mixes have decided.
        lake: of the study.
        scenarios: those that could be chosen; buy-and-hold, with which they are compared, is no trial.
    """
    rivals = frozenset(study.rivals)
    tried = [one for one in scenarios if one in rivals]
    strategies, reserves = zip(*tried, strict=True) if tried else ((), ())
    columns = [pa.array([*rule_fingerprints(study, tried)], pa.string()), pa.array(strategies), pa.array(reserves)]
    rules = _last(pa.table(columns, schema=TRIAL.arrow_schema), "rule")
    is_known = pc.is_in(rules["rule"], noted_rules(lake)["rule"].combine_chunks())
    _append(lake, RULES, {TRIAL.name: rules.filter(pc.invert(is_known))})


def note_measures(lake: Lake, measures: pa.Table, sums: Floats) -> None:
    """Append how trials did that were judged for the first time: rows of ``trial_measure``, and the sums of each."""
    _append(lake, MEASURES, {TRIAL_MEASURE.name: measures, TRIAL_BLOCK.name: _blocks(measures, sums)})


def _blocks(measures: pa.Table, sums: Floats) -> pa.Table:
    """Return the rows of ``trial_block``: one per block of each measure, in the same order."""
    of = pa.array(np.repeat(np.arange(len(measures)), BLOCKS))
    columns = {
        "rule": measures["rule"].take(of),
        "measure": measures["measure"].take(of),
        "block": np.tile(np.arange(1, BLOCKS + 1), len(measures)),
        "total": sums[:, :BLOCKS].ravel(),
        "squares": sums[:, BLOCKS : 2 * BLOCKS].ravel(),
    }
    return pa.table(columns, schema=TRIAL_BLOCK.arrow_schema)


def noted_rules(lake: Lake) -> pa.Table:
    """Return every rule that was ever simulated once, as rows of ``trial``, by the order of their keys."""
    found = (version.read(TRIAL.name) for version in _partitions(lake, RULES))
    return _last(pa.concat_tables([TRIAL.arrow_schema.empty_table(), *found]), "rule")


def noted_measures(lake: Lake) -> Measured:
    """Return how each trial did by each measure when it was first judged."""
    rows, sums = [TRIAL_MEASURE.arrow_schema.empty_table()], [np.empty((0, NUMBERS))]
    for version in _partitions(lake, MEASURES):
        of = version.read(TRIAL_MEASURE.name)
        blocks = version.read(TRIAL_BLOCK.name)  # those of each row together, in the order of the rows
        totals, squares = (blocks[name].to_numpy().reshape(-1, BLOCKS) for name in ("total", "squares"))
        shapes = (of[name].to_numpy()[:, None] for name in ("skewness", "kurtosis"))
        rows.append(of)
        sums.append(np.concatenate([totals, squares, *shapes], axis=1))
    found = Measured(pa.concat_tables(rows), np.concatenate(sums))
    key = pc.binary_join_element_wise(found.rows["rule"], found.rows["measure"], " ")
    # Backwards, so that the first one is the last.
    backwards = np.arange(len(key))[::-1]
    return found.take(np.sort(backwards[_last_places(key.take(pa.array(backwards)))]))


def _last(rows: pa.Table, column: str) -> pa.Table:
    """Return the last row of each value of a column, in the order of the first ones."""
    return rows.take(pa.array(_last_places(rows[column])))


def _last_places(values: pa.ChunkedArray) -> np.ndarray:
    """Return the place of the last of each value, in the order of the first ones."""
    codes = values.combine_chunks().dictionary_encode()
    places = np.empty(len(codes.dictionary), dtype=np.int64)
    places[codes.indices.to_numpy()] = np.arange(len(codes))
    return places


def _partitions(lake: Lake, kind: str) -> Iterable[Version]:
    stored = (lake.current(TRIALS, key) for key in lake.keys(TRIALS) if key.startswith(kind))
    return (version for version in stored if version is not None)


def _append(lake: Lake, kind: str, tables: Mapping[str, pa.Table]) -> None:
    if any(table.num_rows for table in tables.values()):
        lake.write(TRIALS, f"{kind}-{time.time_ns():020d}-{secrets.token_hex(4)}", tables, {})
