"""Rebuild, audit, publish: the only way to a published warehouse.

The warehouse is built whole from the lake in a file of its own, judged there, and renamed over the published one when
every blocking check passes. Readers keep the version that they opened; a run that dies leaves the published one alone.
"""

import contextlib
import errno
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lab.current import (
    TAX_LOTS,
    WHOLE_RUN_FIRST,
)
from pipelines.lab.home import SQL, Published
from pipelines.lab.publication import code_of_tables, note, noted_fingerprints
from pipelines.lab.sweeps import Sweeps
from pipelines.report.file import write_draft
from pipelines.steps.derived import Derived, register_all
from pipelines.steps.paper import register_paper
from pipelines.steps.stored import NOTHING, Promised, read_stored
from pipelines.warehouse.audit import Identity, Verdict, checks, passed_before
from pipelines.warehouse.lake_views import (
    ROWS,
    partition_row,
    register_market,
    register_rows,
    register_table,
)
from pipelines.warehouse.models import Built, Model, build_and, read_macros
from pipelines.warehouse.quoting import quoted
from pipelines.warehouse.reduction import METRICS, metrics_table
from pipelines.warehouse.side_by_side import Task
from pipelines.warehouse.unchanged import copied, fingerprints, keep_only, kept_table
from sd_core.errors import InputError, NotReadyError
from sd_core.files.whole import put_in_place, sync
from sd_core.lake import Lake, Version
from sd_core.locks import locked
from sd_core.schemas.harvest import SIMULATION_HARVEST_TWIN
from sd_core.schemas.lake import SIMULATION_EQUAL_CASH, SIMULATION_PARTITION, SIMULATION_PATH_BAND
from sd_core.schemas.mixes import SIMULATION_MIX_RIVAL
from sd_core.schemas.table import LakeTable
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# What DuckDB 1.5 can still open: other people's shells may be older than ours.
STORAGE_VERSION = "v1.5.0"


@dataclass(frozen=True)
class Rebuild:
    """What a rebuild made and found.

    Attributes:
        built: row count and time by table.
        unchanged: names of tables and checks that were taken over as they were published.
        verdicts: what every check found.
        seconds: how long both took; less than their times together, since several are at work at once.
        missing: scenarios of the study that the lake does not hold.
        outdated: scenarios computed on other prices or settings than the present ones.
        outdated_derived: derived datasets that are missing or of other prices or settings, and so in no table.
        again: what of the promised other processes had changed meanwhile, so that it was made again.
    """

    built: Mapping[str, Built]
    unchanged: frozenset[str]
    verdicts: Sequence[Verdict]
    seconds: float
    missing: Sequence[Scenario]
    outdated: Sequence[Scenario]
    outdated_derived: Sequence[str]
    again: Sequence[str]

    @property
    def sound(self) -> bool:
        """Whether every check passed, and so the warehouse was published."""
        return all(verdict.passed for verdict in self.verdicts)


def rebuild(
    study: Study,
    lake: Lake,
    published: Published,
    models: Sequence[Model],
    identities: Sequence[Identity],
    derived: Sequence[Derived],
    *,
    whole: bool = False,
    promised: Promised = NOTHING,
) -> Rebuild:
    """Build the warehouse from the lake, audit it, and publish it if it is sound.

    Tables of which nothing has changed that they come from are taken over from the published file, and not checked
    again; none where the whole is asked for. Waits for a rebuild under way elsewhere. What is ``promised`` answers the
    study in them, whatever other processes store meanwhile.

    Raises:
        NotReadyError: the lake has no market for the study, or none of its scenarios.
        DamagedError: a file of the lake is not the one that was written.
        InputError: a folder lies where a file is to be published.
        StoreError: other processes change the lake as often as it is read.
    """
    for file in (published.warehouse, published.report):
        if file.is_dir():
            raise InputError(f"{file}: a folder: expected the published file, or none: move the folder away")
    draft = published.draft
    with locked(lake.root / ".rebuild.lock"), _room_of(published):
        with lake.shared():
            stored, again = read_stored(study, lake, derived, promised)
            if not stored.scenarios and not stored.sweeps.rows.num_rows:
                raise NotReadyError(f"no scenario of the study was simulated yet: {WHOLE_RUN_FIRST}")
            with contextlib.closing(duckdb.connect()) as connection:
                register_market(connection, stored.study, stored.market)
                register_scenarios(connection, stored.scenarios, stored.current, stored.sweeps)
                register_all(connection, stored.derived)
                register_paper(connection, stored.lake)
                judging = checks(identities)
                found = fingerprints(connection, lake.files.root, models, judging, code_of_tables())
                same = frozenset() if whole else _unchanged(lake, published, models, found)
                began = time.perf_counter()
                with _attached(connection, draft):
                    made = _made(connection, models, judging, same)
                seconds = time.perf_counter() - began
            result = Rebuild(
                {model.name: made[model.name] for model in models},
                same,
                [made[check.name] for check in judging],
                seconds,
                stored.missing,
                stored.outdated,
                stored.missed,
                again,
            )
        if result.sound:
            # Written before the warehouse is renamed and renamed right after: every publication has its own report, and
            # one that cannot be drawn stops it.
            with ThreadPoolExecutor(1) as beside:
                handed_over = beside.submit(_handed_over, draft)
                write_draft(draft, published.draft_report)
                digest = handed_over.result()
            # A log of the file before would be played into the new one, and make it unreadable.
            published.log.unlink(missing_ok=True)
            put_in_place(draft, published.warehouse)
            put_in_place(published.draft_report, published.report)
            note(lake, published, stored.inputs, digest, found)
        lake.prune()
        return result


def _handed_over(draft: Path) -> str:
    """Wait until the disk holds a draft, and return the SHA-256 of its bytes."""
    sync(draft)
    with draft.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def _room_of(published: Published) -> Iterator[None]:
    """Leave nothing of drafts, of this rebuild or of one that was killed, whatever happens to it.

    Raises:
        OSError: the disk is full or may not be written, which DuckDB says in an error of its own.
    """
    _remove_drafts(published)
    try:
        yield
    except duckdb.Error as error:
        for number in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            if os.strerror(number) in str(error):
                raise OSError(number, os.strerror(number), str(published.draft)) from None
        raise
    finally:
        _remove_drafts(published)


@contextlib.contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, draft: Path) -> Iterator[None]:
    """Make the draft the current database for a while."""
    connection.execute(f"attach {quoted(draft)} as warehouse (storage_version '{STORAGE_VERSION}')")
    connection.execute("use warehouse")
    yield
    connection.execute("use memory")
    connection.execute("detach warehouse")


def _made(
    connection: duckdb.DuckDBPyConnection, models: Sequence[Model], judging: Sequence[Task], same: frozenset[str]
) -> dict[str, Any]:
    """Build and check what is not the same as before; return what was built by table, and the verdict by check."""
    kept: dict[str, Any] = {}
    if same:
        keep_only(connection, same)
        kept = {model.name: kept_table(connection, model) for model in models if model.name in same}
        kept |= {check.name: passed_before(check) for check in judging if check.name in same}
    return kept | build_and(
        connection,
        [model for model in models if model.name not in same],
        # Those that a copy has are these.
        "" if same else read_macros(SQL),
        [check for check in judging if check.name not in same],
    )


def _unchanged(lake: Lake, published: Published, models: Sequence[Model], found: Mapping[str, str]) -> frozenset[str]:
    """Return the names of published tables, and of checks of them, that would be made again as they are.

    Where there are any, the draft is a copy of the published file.
    """
    noted, digest = noted_fingerprints(lake, published)
    views = {model.name for model in models if not model.table.stored}
    same = frozenset(name for name, fingerprint in found.items() if noted.get(name) == fingerprint) - views
    if same and not copied(published.warehouse, digest, published.draft):
        # What is damaged is not taken over.
        _remove_drafts(published)
        return frozenset()
    return same


def _remove_drafts(published: Published) -> None:
    draft = published.draft
    for file in (draft, draft.with_name(draft.name + ".wal"), published.draft_report):
        file.unlink(missing_ok=True)


def register_scenarios(
    connection: duckdb.DuckDBPyConnection,
    stored: Mapping[Scenario, Version],
    current: Collection[Scenario],
    sweeps: Sweeps,
) -> None:
    """Show the rows, the partitions and the metrics of stored scenarios, of which some are current, and of sweeps.

    Raises:
        DamagedError: a file is not the one that was written.
    """
    for version in stored.values():
        version.verify()
    for name in ROWS:
        register_rows(connection, name, [version.file(name) for version in stored.values() if name in version.rows])
    partitions = [_partitions(stored, current), _swept_partitions(sweeps)]
    register_table(connection, "simulation_partition", pa.concat_tables(partitions))
    metrics = metrics_table([version.facts["metrics"] for version in stored.values() if "metrics" in version.facts])
    swept = sweeps.rows.select(METRICS.arrow_schema.names)
    register_table(connection, METRICS.name, pa.concat_tables([metrics, swept]))
    beside = dict(_beside(stored, sweeps))
    for declared in (SIMULATION_PATH_BAND, SIMULATION_EQUAL_CASH, SIMULATION_MIX_RIVAL, SIMULATION_HARVEST_TWIN):
        register_table(connection, declared.name, _noted(declared, beside))


def _beside(stored: Mapping[Scenario, Version], sweeps: Sweeps) -> Iterator[tuple[Scenario, Mapping[str, Any]]]:
    """Yield what is noted of each scenario of which something is."""
    yield from ((scenario, version.facts) for scenario, version in stored.items())
    for place, noted in zip(sweeps.places, sweeps.rows["beside"].to_pylist(), strict=True):
        if noted is not None:
            yield sweeps.scenarios[place], json.loads(noted)


def _noted(declared: LakeTable, beside: Mapping[Scenario, Mapping[str, Any]]) -> pa.Table:
    """Return the rows of a table that are noted of scenarios, under its name without ``simulation_``."""
    rows = [
        {**scenario._asdict(), **row}
        for scenario, noted in beside.items()
        for row in noted.get(declared.name.removeprefix("simulation_"), ())
    ]
    return pa.Table.from_pylist(rows, declared.arrow_schema)


def _swept_partitions(sweeps: Sweeps) -> pa.Table:
    """Return the rows of :func:`_partitions` of sweeps."""
    rows, count = sweeps.rows, sweeps.rows.num_rows
    columns = {
        name: rows[name] for name in ("strategy", "reserve", "capital", "xirr", "xirr_missing", "prices_version")
    }
    columns |= {
        "keep": pa.array(["metrics"] * count, pa.string()),
        "has_tax_lots": pc.is_valid(rows["taxes"]),
        "is_current": pa.array(sweeps.is_current),
    }
    schema = SIMULATION_PARTITION.arrow_schema
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _partitions(stored: Mapping[Scenario, Version], current: Collection[Scenario]) -> pa.Table:
    """Return one row per stored scenario: its prices, and whether they and its rules are the present ones."""
    rows = [
        partition_row(scenario, version.facts, has_tax_lots=TAX_LOTS in version.rows, is_current=scenario in current)
        for scenario, version in stored.items()
    ]
    return pa.Table.from_pylist(rows, SIMULATION_PARTITION.arrow_schema)
