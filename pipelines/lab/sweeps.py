"""What the lake holds of sweeps: the scenarios of a study that keep their metrics alone.

They lie in segments, many to a file. Of the rows of a scenario the newest counts: one that answers what the study asks
now before any other, so that a clock that was wrong hides nothing, then that of the last segment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lab.fingerprints import strategy_fingerprint
from sd_core import versions
from sd_core.lake import Lake, Version
from sd_core.schemas.sweeps import SEGMENT, SWEEPS
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# Up to as many scenarios that keep metrics alone are compared with the same cash without the rule.
MOST_COMPARED = 1_000
# Of what computes the metrics of sweeps.
METRICS_VERSION = f"digest {versions.DIGEST}"
# What says which question a scenario's numbers answer, in segments and in what is noted of partitions.
ANSWERING = ("prices_version", "study_hash", "engine_version", "metrics_version")
# What is read to know which rows count, without the numbers.
NAMING = ("strategy", "reserve", *ANSWERING)
# With what the sums of a row were taken, and from which sessions on.
COMPARED = ("against", "compared_from")
# More segments than this are merged.
MOST_SEGMENTS = 50


@dataclass(frozen=True)
class Sweeps:
    """The scenarios of a study that keep metrics alone, and what the lake holds of them.

    Attributes:
        scenarios: all of them, in the study's order.
        rows: of those that the lake holds, the columns asked for, in the study's order.
        places: of each row, the place of its scenario.
        is_current: of each row, whether it answers what the study asks now.
    """

    scenarios: Sequence[Scenario]
    rows: pa.Table
    places: npt.NDArray[np.int64]
    is_current: npt.NDArray[np.bool_]

    @property
    def missing(self) -> list[Scenario]:
        """The scenarios that the lake does not hold."""
        held = set(self.places.tolist())
        return [one for place, one in enumerate(self.scenarios) if place not in held]

    @property
    def outdated(self) -> list[Scenario]:
        """The scenarios that the lake holds as the study does not ask for them now."""
        return [self.scenarios[place] for place in self.places[~self.is_current]]

    @property
    def to_do(self) -> list[Scenario]:
        """The scenarios that are missing or outdated, in the study's order."""
        current = set(self.places[self.is_current].tolist())
        return [one for place, one in enumerate(self.scenarios) if place not in current]

    def digest(self) -> str:
        """Return a hash of which scenarios are current and what their rows answer, whichever segments they lie in.

        The numbers follow from that. ``rows`` has the columns of ``NAMING`` and ``COMPARED``.
        """
        rows, digest = self.rows.filter(pa.array(self.is_current)), hashlib.sha256()
        digest.update(self.places[self.is_current].tobytes())
        for name in (*ANSWERING, "against"):
            coded = rows[name].combine_chunks().dictionary_encode()
            digest.update(json.dumps(coded.dictionary.to_pylist()).encode())
            digest.update(pc.fill_null(coded.indices, -1).to_numpy().tobytes())
        firsts = rows["compared_from"].combine_chunks()
        digest.update(pc.fill_null(firsts.value_lengths(), -1).to_numpy().tobytes())
        digest.update(firsts.flatten().to_numpy().tobytes())
        return digest.hexdigest()[:16]


def swept(study: Study) -> list[Scenario]:
    """Return the scenarios that keep metrics alone, in the study's order."""
    return [one for one in study.scenarios if study.strategies[one.strategy].keep == "metrics"]


def are_compared(study: Study) -> bool:
    """Return whether the scenarios of sweeps are compared with the same cash without the rule."""
    return len(swept(study)) <= MOST_COMPARED


def study_hashes(study: Study) -> dict[str, str]:
    """Return the fingerprint of each strategy that keeps metrics alone."""
    compared = are_compared(study)
    names = dict.fromkeys(one.strategy for one in swept(study))
    return {name: strategy_fingerprint(study, name, compared=compared) for name in names}


def held_sweeps(
    study: Study,
    lake: Lake,
    market: Version,
    columns: Sequence[str] = NAMING,
) -> Sweeps:
    """Return what the lake holds of a study's sweeps, with some columns of its segments.

    Args:
        study: that knows what its mixes have decided.
        lake: of the study.
        market: of the lake.
        columns: of a segment, those of ``NAMING`` among them.

    Raises:
        DamagedError: a segment is not the one that was written.
    """
    scenarios = swept(study)
    nothing = pa.Table.from_batches([], pa.schema([SEGMENT.field(name) for name in columns]))
    if not scenarios:
        # Arrow imports pandas to look at the simplest list, which takes as long as all else that a status needs.
        return Sweeps((), nothing, np.empty(0, dtype=np.int64), np.empty(0, dtype=bool))
    read = lake.read_segments(SWEEPS, columns).values()
    table = pa.concat_tables([nothing, *(one.select(list(columns)) for one in read)])
    hashes = study_hashes(study)
    names, levels = list(hashes), study.reserve_levels
    strategy = _place_in(table["strategy"], pa.array(names, pa.string()))
    reserve = _place_in(table["reserve"], pa.array(levels, pa.float64()))
    known = np.flatnonzero((strategy >= 0) & (reserve >= 0))
    places = (strategy * len(levels) + reserve)[known]
    current = np.ones(len(known), dtype=bool)
    if len(known):
        expected = np.array([hashes[name] for name in names], dtype=object)[strategy[known]]
        current = table["study_hash"].to_numpy()[known] == expected
        for name, value in {
            "prices_version": market.facts["prices_version"],
            "engine_version": versions.ENGINE,
            "metrics_version": METRICS_VERSION,
        }.items():
            current &= pc.equal(table[name], value).to_numpy()[known]
    # Of the rows of a place the last counts: current ones come after others, later segments after earlier ones.
    order = np.lexsort((np.arange(len(known)), current))
    newest = np.full(len(scenarios), -1)
    newest[places[order]] = order
    chosen = newest[newest >= 0]
    return Sweeps(scenarios, table.take(known[chosen]), places[chosen], current[chosen])


def _place_in(column: pa.ChunkedArray, values: pa.Array) -> npt.NDArray[np.int64]:
    """Return the place of each value of a column among others, -1 for none."""
    return np.asarray(pc.fill_null(pc.index_in(column, values), -1).to_numpy(), dtype=np.int64)


def prune_segments(lake: Lake, kept: Sweeps) -> None:
    """Remove segments of which no row counts any more, and merge those that are left where there are many.

    A scenario that the study does not name any more keeps its last row.
    """
    found = lake.read_segments(SWEEPS, NAMING)
    names, tables = list(found), list(found.values())
    if not tables:
        return
    sizes = np.array([table.num_rows for table in tables])
    if len(names) <= MOST_SEGMENTS and sizes.sum() == kept.rows.num_rows:
        return
    of_segment = np.repeat(np.arange(len(names)), sizes)
    rows = pa.concat_tables(tables)
    counting = np.zeros(len(of_segment), dtype=bool)
    # The last row of every scenario, and the one that answers the study although a later one does not.
    counting[_last_places(rows, ("strategy", "reserve"))] = True
    counting[_last_places(rows, NAMING, of=kept.rows)] = True
    needed = np.unique(of_segment[counting])
    superseded = [name for number, name in enumerate(names) if number not in needed]
    if len(needed) <= MOST_SEGMENTS:
        lake.remove_segments(SWEEPS, superseded)
        return
    whole = pa.concat_tables([lake.read_segment(SWEEPS, name) for name in names])
    merged = whole.filter(pa.array(counting))
    head = names[-1].rsplit("-", 1)[0]
    written = lake.append(SWEEPS, f"{head}-merged", merged)
    lake.remove_segments(SWEEPS, [name for name in names if name != written])


def _last_places(rows: pa.Table, names: Sequence[str], of: pa.Table | None = None) -> npt.NDArray[np.int64]:
    """Return the place of the last row by the values of some columns; of those values alone that other rows have."""
    wanted = rows if of is None else of
    keys = pa.concat_tables([rows.select(list(names)), wanted.select(list(names))])
    place = pa.array([*range(rows.num_rows), *[None] * wanted.num_rows], pa.int64())
    is_wanted = pa.array(np.arange(keys.num_rows) >= rows.num_rows)
    found = (
        keys.append_column("place", place)
        .append_column("is_wanted", is_wanted)
        .group_by(list(names), use_threads=False)
        .aggregate([("place", "max"), ("is_wanted", "max")])
    )
    return np.asarray(found.filter(found["is_wanted_max"])["place_max"].to_numpy(), dtype=np.int64)
