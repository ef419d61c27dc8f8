"""Rebuild, audit, publish: the only way to a published warehouse.

The warehouse is built whole from the lake in a file of its own, judged there, and renamed over the published one when
every blocking check passes. Readers keep the version that they opened; a run that dies leaves the published one alone.
"""

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.lab.current import TAX_LOTS, WHOLE_RUN_FIRST, current_market, current_scenarios, stored_scenarios
from pipelines.lab.home import SQL, Published
from pipelines.lab.publication import inputs_of, note
from pipelines.report.file import draft_of, write_draft
from pipelines.steps.datasets import decided
from pipelines.steps.derived import Derived, lake_keys, missed, register_all
from pipelines.warehouse.audit import Identity, Verdict, checks
from pipelines.warehouse.lake_views import (
    ROWS,
    partition_row,
    register_market,
    register_rows,
    register_table,
)
from pipelines.warehouse.models import Built, Model, build_and, read_macros
from pipelines.warehouse.quoting import quoted
from pipelines.warehouse.reduction import METRICS, metrics_table, metrics_version
from sd_core.errors import NotReadyError
from sd_core.lake import Lake, Version
from sd_core.locks import locked
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
        verdicts: what every check found.
        seconds: how long both took; less than their times together, since several are at work at once.
        missing: scenarios of the study that the lake does not hold.
        outdated: scenarios computed on other prices or settings than the present ones.
        outdated_derived: derived datasets that are missing or of other prices or settings, and so in no table.
    """

    built: Mapping[str, Built]
    verdicts: Sequence[Verdict]
    seconds: float
    missing: Sequence[Scenario]
    outdated: Sequence[Scenario]
    outdated_derived: Sequence[str]

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
) -> Rebuild:
    """Build the warehouse from the lake, audit it, and publish it if it is sound.

    Waits for a rebuild under way elsewhere.

    Raises:
        NotReadyError: the lake has no market for the study, or none of its scenarios.
        DamagedError: a file of the lake is not the one that was written.
    """
    with locked(lake.root / ".rebuild.lock"):
        draft = lake.root / "draft.duckdb"
        _remove(draft)
        with lake.shared():
            inputs = inputs_of(study, lake, lake_keys(derived, study, lake))
            market = current_market(study, lake)
            study = decided(study, lake, market)
            stored = stored_scenarios(study, lake, metrics_version)
            if not stored:
                raise NotReadyError(f"no scenario of the study was simulated yet: {WHOLE_RUN_FIRST}")
            with contextlib.closing(duckdb.connect()) as connection:
                connection.execute(f"attach {quoted(draft)} as warehouse (storage_version '{STORAGE_VERSION}')")
                current = current_scenarios(study, stored, market)
                register_market(connection, study, market)
                register_scenarios(connection, stored, current)
                register_all(connection, derived, study, lake, market)
                connection.execute("use warehouse")
                began = time.perf_counter()
                judging = checks(identities)
                made = build_and(connection, models, read_macros(SQL), judging)
                seconds = time.perf_counter() - began
                connection.execute("use memory")
                connection.execute("detach warehouse")
            result = Rebuild(
                {model.name: made[model.name] for model in models},
                [made[check.name] for check in judging],
                seconds,
                missing=[scenario for scenario in study.scenarios if scenario not in stored],
                outdated=[scenario for scenario in stored if scenario not in current],
                outdated_derived=missed(derived, study, lake, market),
            )
        if result.sound:
            # Written before the warehouse is renamed and renamed right after: every publication has its own report, and
            # one that cannot be drawn stops it.
            draft_report = write_draft(draft)
            # A log of the file before would be played into the new one, and make it unreadable.
            published.log.unlink(missing_ok=True)
            draft.replace(published.warehouse)
            draft_report.replace(published.report)
            note(lake, published, inputs)
        _remove(draft)
        lake.prune()
        return result


def _remove(draft: Path) -> None:
    for file in (draft, draft.with_name(draft.name + ".wal"), draft_of(draft)):
        file.unlink(missing_ok=True)


def register_scenarios(
    connection: duckdb.DuckDBPyConnection, stored: Mapping[Scenario, Version], current: Collection[Scenario]
) -> None:
    """Show the rows, the partitions and the metrics of stored scenarios, of which some are current.

    Raises:
        DamagedError: a file is not the one that was written.
    """
    for version in stored.values():
        version.verify()
    for name in ROWS:
        register_rows(connection, name, [version.file(name) for version in stored.values() if name in version.rows])
    register_table(connection, "simulation_partition", _partitions(stored, current))
    metrics = [version.facts["metrics"] for version in stored.values() if "metrics" in version.facts]
    register_table(connection, METRICS.name, metrics_table(metrics))
    for declared in (SIMULATION_PATH_BAND, SIMULATION_EQUAL_CASH, SIMULATION_MIX_RIVAL):
        register_table(connection, declared.name, _noted(declared, stored))


def _noted(declared: LakeTable, stored: Mapping[Scenario, Version]) -> pa.Table:
    """Return the rows of a table that are noted of scenarios, under its name without ``simulation_``."""
    rows = [
        {**scenario.model_dump(), **row}
        for scenario, version in stored.items()
        for row in version.facts.get(declared.name.removeprefix("simulation_"), ())
    ]
    return pa.Table.from_pylist(rows, declared.arrow_schema)


def _partitions(stored: Mapping[Scenario, Version], current: Collection[Scenario]) -> pa.Table:
    """Return one row per stored scenario: its prices, and whether they and its rules are the present ones."""
    rows = [
        partition_row(scenario, version.facts, has_tax_lots=TAX_LOTS in version.rows, is_current=scenario in current)
        for scenario, version in stored.items()
    ]
    return pa.Table.from_pylist(rows, SIMULATION_PARTITION.arrow_schema)
