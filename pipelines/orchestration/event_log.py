"""Dagster's event log on SQLite, which takes events by the thousand at once and keeps its databases open.

Dagster's own opens two databases per event and waits for the disk each time: minutes where a run covers thousands of
scenarios, seconds in any. Everything else about its records belongs in ``instance``.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import dagster as dg
from sqlalchemy import Connection, NullPool, create_engine

from pipelines.orchestration.names import WAREHOUSE_STEP
from pipelines.orchestration.private import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    RUN_STATUS_EVENTS,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    AssetCheckExecutionsTable,
    ConfigurableClassData,
    SqlEventLogStorageTable,
    SqliteEventLogStorage,
)

# Databases that stay open: the index, and those of the runs at work.
KEPT_OPEN = 4
# Events that are stored at once; Dagster hands a run's over in batches where the environment says so.
BATCH_VARIABLE, BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE", 1000
# What a step says of each of its outputs. Another event of the step always follows, its end at the latest.
FOLLOWED = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.HANDLED_OUTPUT,
    dg.DagsterEventType.STEP_OUTPUT,
}
# The file of a run, with what SQLite leaves beside it.
RUN_FILE = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})\.db(-wal|-shm|-journal)?$")


class EventLog(SqliteEventLogStorage):
    """The event log of a study: events that come together are stored in one transaction per database.

    What another event says as well is left out: that a check is planned, since its evaluation follows or its step
    fails, and that the warehouse has an output, since that was materialised or evaluated and no other step reads it.
    However many partitions a run makes, one event says that they are planned, and the run's own log has one that says
    that they were made; the index, from which Dagster knows what is there, has one for each.
    What a step says of an output waits for the event after it, or until something is read. A database that was opened
    stays open, since opening takes longer than storing an event. Commits do not wait for the disk: a killed process
    loses what was waiting, a loss of power at most the last events as well, and never the databases.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._kept: OrderedDict[str, Connection] = OrderedDict()
        self._tables: set[str] = set()
        self._indexes: set[str] = set()
        self._waiting: list[dg.EventLogEntry] = []
        # Of assets that the step at work has made: whose records were not asked for yet, and those read ahead.
        self._made: set[dg.AssetKey] = set()
        self._ahead: dict[dg.AssetKey, Any] = {}
        # Runs whose own log has a materialisation of a partition of an asset.
        self._listed: set[tuple[str, dg.AssetKey]] = set()
        self._lock = RLock()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._lock:
            self._store_waiting()
            if shard not in self._kept:
                self._kept[shard] = self._open(shard)
            self._kept.move_to_end(shard)
            while len(self._kept) > KEPT_OPEN:
                self._close(next(iter(self._kept)))
            connection = self._kept[shard]
            if connection.in_transaction():
                # Within the transaction of what is stored together.
                yield connection
            else:
                with connection.begin():
                    yield connection

    def _open(self, shard: str) -> Connection:
        # Threads take turns, by the lock.
        arguments = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
        engine = create_engine(self.conn_string_for_shard(shard), poolclass=NullPool, connect_args=arguments)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        connection = engine.connect()
        connection.exec_driver_sql("pragma synchronous = normal")
        connection.commit()
        return connection

    def _close(self, shard: str) -> None:
        connection = self._kept.pop(shard)
        connection.close()
        connection.engine.dispose()

    def has_table(self, table_name: str) -> bool:
        """Return whether a table is there; Dagster asks with every event, and one that was there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def has_secondary_index(self, name: str) -> bool:
        """Return whether an index of an earlier Dagster's records was filled; it asks twice with every output."""
        if name not in self._indexes and super().has_secondary_index(name):
            self._indexes.add(name)
        return name in self._indexes

    def _has_asset_key_col_on_connection(self, _: Connection, __: str) -> bool:
        """Return that the table of assets has the columns of today's Dagster, which made it; it asks at each event."""
        return True

    def dispose(self) -> None:
        """Store what waits, and close the databases."""
        with self._lock:
            self._store_waiting()
            for shard in list(self._kept):
                self._close(shard)
        super().dispose()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> "EventLog":
        """Return the event log in the folder that the settings name."""
        return cls(inst_data=inst_data, **config_value)

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[Any]:
        """Return what is known of assets.

        Before a step makes a table Dagster asks for each table that it comes from, one by one. Those that the step has
        made by then are read together; of what this process does not make itself, nothing is read ahead.
        """
        with self._lock:
            if asset_keys is None or not self._made | self._ahead.keys():
                return super().get_asset_records(asset_keys)
            if not self._ahead.keys() >= set(asset_keys):
                asked, self._made = self._made.union(asset_keys), set()
                self._ahead |= {record.asset_entry.asset_key: record for record in super().get_asset_records([*asked])}
            return [self._ahead.pop(key) for key in asset_keys if key in self._ahead]

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Return that one event may say which partitions of an asset a run is about to make."""
        return True

    def get_latest_asset_partition_materialization_attempts_without_materializations(
        self, asset_key: dg.AssetKey, after_storage_id: int | None = None
    ) -> Mapping[str, tuple[str, int]]:
        """Return run and event of the latest attempt at each partition that it has not made: at work, or failed.

        Dagster's own log looks for an event per planned partition, which earlier releases have left.
        """
        own = super().get_latest_asset_partition_materialization_attempts_without_materializations
        attempts = dict(own(asset_key, after_storage_id))
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        asked = dg.EventRecordsFilter(kind, asset_key=asset_key, after_cursor=after_storage_id)
        for record in self.get_event_records(asked, ascending=True):
            planned = record.event_log_entry.get_dagster_event().partitions_subset
            for key in planned.get_partition_keys() if planned else ():
                attempts[key] = max(attempts.get(key, ("", 0)), (record.run_id, record.storage_id), key=_event_of)
        made = self.get_latest_storage_id_by_partition(asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        return {key: attempt for key, attempt in attempts.items() if made.get(key, 0) < _event_of(attempt)}

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event, at the latest with the next of its step."""
        if not _is_kept(event):
            return
        with self._lock:
            self._waiting.append(event)
            self._follow(event)
            if _type_of(event) not in FOLLOWED or len(self._waiting) >= BATCH_SIZE:
                self._store_waiting()

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events; what is found of them afterwards is the same as if each had been stored by itself."""
        with self._lock:
            self._waiting += filter(_is_kept, events)
            self._store_waiting()

    def delete_events(self, run_id: str) -> None:
        """Forget what a run has recorded; Dagster leaves what its checks have found, and the file of the run."""
        super().delete_events(run_id)
        checks = AssetCheckExecutionsTable
        with self.index_connection() as index:
            index.execute(checks.delete().where(checks.c.run_id == run_id))

    def remove_files_except(self, run_ids: Callable[[], Collection[str]]) -> None:
        """Remove the files of runs that are not known any more.

        Args:
            run_ids: is called for the known ones once the files are listed, as a run is known before it has a file.
        """
        files = [(file, found[1]) for file in Path(self._base_dir).iterdir() if (found := RUN_FILE.match(file.name))]
        known = set(run_ids())
        for file, run_id in files:
            if run_id not in known:
                with self._lock:
                    if run_id in self._kept:
                        self._close(run_id)
                    self._initialized_dbs.discard(run_id)
                file.unlink(missing_ok=True)

    def _follow(self, event: dg.EventLogEntry) -> None:
        """Note which asset a step has made, and forget what was read ahead of it; at the end of the step, of all."""
        kind = _type_of(event)
        if kind == dg.DagsterEventType.ASSET_MATERIALIZATION and event.step_key is not None:
            key = event.get_dagster_event().asset_key
            assert key is not None
            self._made.add(key)
            self._ahead.pop(key, None)
        elif kind is not None and kind not in FOLLOWED:
            self._made, self._ahead = set(), {}

    def _repeats(self, event: dg.EventLogEntry) -> bool:
        """Return whether its run's own log says already that partitions of its asset were made."""
        made = event.get_dagster_event() if event.is_dagster_event else None
        if made is None or made.event_type != dg.DagsterEventType.ASSET_MATERIALIZATION or made.partition is None:
            return False
        assert made.asset_key is not None
        if (said := (event.run_id, made.asset_key)) in self._listed:
            return True
        self._listed.add(said)
        return False

    def _store_waiting(self) -> None:
        events, self._waiting = self._waiting, []
        for run_id in dict.fromkeys(event.run_id for event in events):
            self._store_together(run_id, [event for event in events if event.run_id == run_id])

    def _store_together(self, run_id: str, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events of a run with the run, and those that are looked up across runs in the index as well."""
        insert = SqlEventLogStorageTable.insert()
        rows = [self._event_to_row(event) for event in events]
        own = [row for event, row in zip(events, rows, strict=True) if not self._repeats(event)]
        ids: dict[int, int] = {}
        with self.run_connection(run_id) as connection, self.index_connection() as index:
            if own:
                connection.execute(insert, own)
            for place, (event, row) in enumerate(zip(events, rows, strict=True)):
                if _type_of(event) in ASSET_EVENTS | ASSET_CHECK_EVENTS | RUN_STATUS_EVENTS:
                    key = index.execute(insert, row).inserted_primary_key
                    assert key is not None
                    ids[place] = key[0]
                if _type_of(event) in ASSET_CHECK_EVENTS:
                    self.store_asset_check_event(event, ids[place])
            about_assets = [place for place, event in enumerate(events) if _type_of(event) in ASSET_EVENTS]
            self._store_asset_event_tags(
                index, [events[place] for place in about_assets], [ids[place] for place in about_assets]
            )
            # Of each asset the log keeps which event was the last.
            last = {events[place].get_dagster_event().asset_key: place for place in about_assets}
            for place in last.values():
                self._store_asset_event(index, events[place], ids[place])


def remove_files_of_forgotten_runs(instance: dg.DagsterInstance) -> None:
    """Remove the files in which the events of runs were that are forgotten."""
    log = instance.event_log_storage
    assert isinstance(log, EventLog)
    log.remove_files_except(instance.get_run_ids)


def _is_kept(event: dg.EventLogEntry) -> bool:
    kind = _type_of(event)
    if kind == dg.DagsterEventType.STEP_OUTPUT:
        return event.step_key != WAREHOUSE_STEP
    return kind != dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED


def _event_of(attempt: tuple[str, int]) -> int:
    return attempt[1]


def _type_of(event: dg.EventLogEntry) -> dg.DagsterEventType | None:
    """Return what an event is about, None where it is but a message."""
    return event.get_dagster_event().event_type if event.is_dagster_event else None
