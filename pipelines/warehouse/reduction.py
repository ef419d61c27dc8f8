"""Scenarios that keep less than their ledger: their metrics, computed and audited while all of their rows are at hand.

The SQL is the warehouse's own, built in memory from the rows of some scenarios at a time, so that each formula is
written once and memory stays bounded. What is written of a scenario belongs in ``steps.simulate``.
"""

import contextlib
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.lab.home import SQL
from pipelines.warehouse.audit import Identity, audit, read_identities
from pipelines.warehouse.lake_views import ROWS, no_rows, register_market, register_table
from pipelines.warehouse.models import Model, build, needed_for, own_models, read_macros, tables_read
from sd_core.lake import Version
from sd_core.schemas import TABLES
from sd_core.schemas.lake import SIMULATION_PARTITION
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

METRICS = TABLES["simulation_metrics"]
# Tables that are built in addition, for the audit.
AUDITED = (
    *(f"simulation_{name}" for name in ROWS),
    "holding_interval",
    "simulation_partition",
    "sessions",
    "prices",
    "study_asset",
)


class UnsoundError(Exception):
    """Rows that break an identity, before they were discarded."""


class Reduction:
    """Computes the metrics of scenarios from their rows."""

    def __init__(self, study: Study, market: Version) -> None:
        self._study = study
        self._market = market
        self._models, self._identities = _judged_models()
        self._tables = [model.table for model in self._models if model.table.stored]
        self.version = metrics_version()

    def __reduce__(self) -> tuple[type["Reduction"], tuple[Study, Version]]:
        return Reduction, (self._study, self._market)  # another process parses the SQL for itself

    @contextlib.contextmanager
    def built(
        self, rows: Sequence[Mapping[str, pa.Table]], partitions: Sequence[Mapping[str, Any]]
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a database in memory with the metrics of scenarios and all tables that they are computed from, audited.

        Args:
            rows: of each scenario, its tables, as a simulation leaves them.
            partitions: of each scenario, its row of ``lake.simulation_partition``.

        Raises:
            UnsoundError: the rows break an identity of the audit.
        """
        with contextlib.closing(duckdb.connect()) as connection:
            connection.execute("set threads = 1")  # other scenarios have the other cores
            register_market(connection, self._study, self._market)
            for name in ROWS:
                left = [tables[name] for tables in rows if name in tables]
                register_table(connection, f"simulation_{name}", pa.concat_tables(left) if left else no_rows(name))
            # Every row is here, whatever is kept of them.
            stored = pa.Table.from_pylist(
                [{**row, "keep": "ledger"} for row in partitions], SIMULATION_PARTITION.arrow_schema
            )
            register_table(connection, "simulation_partition", stored)
            register_table(connection, METRICS.name, METRICS.arrow_schema.empty_table())
            build(connection, self._models, read_macros(SQL))
            broken = [verdict for verdict in audit(connection, self._identities, self._tables) if not verdict.passed]
            if broken:
                raise UnsoundError("\n".join(f"{found.table}: {found.check}\n{found.examples}" for found in broken))
            yield connection

    def metrics(
        self, rows: Sequence[Mapping[str, pa.Table]], partitions: Sequence[Mapping[str, Any]]
    ) -> dict[Scenario, dict[str, Any]]:
        """Return the row of ``simulation_metrics`` of every scenario, as JSON can hold it; see :meth:`built`."""
        with self.built(rows, partitions) as connection:
            computed = connection.sql(f"from {METRICS.name}").to_arrow_table().to_pylist()
        return {Scenario(strategy=row["strategy"], reserve=row["reserve"]): _as_json(row) for row in computed}


@cache
def _judged_models() -> tuple[Sequence[Model], Sequence[Identity]]:
    """Return the models that metrics are computed by, and the identities that read no other; parsed once."""
    models = needed_for(own_models(), [METRICS.name, *AUDITED])
    names = {model.name for model in models}
    identities = [
        identity
        for identity in read_identities(SQL / "audit")
        if tables_read(Path(identity.name), identity.sql)[0] <= names
    ]
    return models, identities


def judged_identities() -> Sequence[Identity]:
    """Return the identities that read nothing but a scenario's own rows, which are judged before they are discarded."""
    return _judged_models()[1]


@cache
def metrics_version() -> str:
    """Return a hash of all SQL that metrics are computed by; metrics of other SQL are of no use any more."""
    models = needed_for(own_models(), [METRICS.name])
    text = "".join([read_macros(SQL), *(model.sql for model in models)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def metrics_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of metrics, as :meth:`Reduction.metrics` gives them, as a table."""
    dates = [field.name for field in METRICS.arrow_schema if pa.types.is_date(field.type)]
    read = [{**row, **{name: dt.date.fromisoformat(row[name]) for name in dates}} for row in rows]
    return pa.Table.from_pylist(read, METRICS.arrow_schema)


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in row.items()}
