"""Dagster's event log on SQLite, which takes thousands of partitions at once and keeps its databases open.

Dagster's own opens two databases per event and waits for the disk each time: minutes where a run covers thousands of
scenarios, seconds in any. Everything else about its records belongs in ``instance``.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from sqlalchemy import Connection, NullPool, create_engine

from pipelines.orchestration.private import (
    ASSET_EVENTS,
    SQLITE_BUSY_TIMEOUT_SECONDS,
    ConfigurableClassData,
    SqlEventLogStorageTable,
    SqliteEventLogStorage,
)

# Databases that stay open: the index, and those of the runs at work.
KEPT_OPEN = 4
# Events that are stored at once; Dagster hands a run's over in batches where the environment says so.
BATCH_VARIABLE, BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE", 1000


class EventLog(SqliteEventLogStorage):
    """The event log of a study: events about assets that come together are stored in one transaction per database.

    A database that was opened stays open, since opening takes longer than storing an event. Commits do not wait for the
    disk: a killed process loses nothing, a loss of power at most the last events, and never the databases.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._kept: OrderedDict[str, Connection] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._kept:
                self._kept[shard] = self._open(shard)
            self._kept.move_to_end(shard)
            while len(self._kept) > KEPT_OPEN:
                self._close(next(iter(self._kept)))
            with self._kept[shard].begin():
                yield self._kept[shard]

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

    def dispose(self) -> None:
        """Close the databases."""
        with self._db_lock:
            for shard in list(self._kept):
                self._close(shard)
        super().dispose()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> "EventLog":
        """Return the event log in the folder that the settings name."""
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events; what is found of them afterwards is the same as if each had been stored by itself."""
        about_assets = [event for event in events if event.get_dagster_event().event_type in ASSET_EVENTS]
        for event in events:
            if event.get_dagster_event().event_type not in ASSET_EVENTS:
                self.store_event(event)
        for run_id in dict.fromkeys(event.run_id for event in about_assets):
            self._store_together(run_id, [event for event in about_assets if event.run_id == run_id])

    def _store_together(self, run_id: str, events: Sequence[dg.EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        insert = SqlEventLogStorageTable.insert()
        ids: list[int] = []
        last: dict[dg.AssetKey | None, tuple[dg.EventLogEntry, int]] = {}
        with self.index_transaction() as connection:
            for event, row in zip(events, rows, strict=True):
                ids += connection.execute(insert.values(**row)).inserted_primary_key or ()
                last[event.get_dagster_event().asset_key] = event, ids[-1]
            self._store_asset_event_tags(connection, events, ids)
            # Of each asset the log keeps which event was the last.
            for event, number in last.values():
                self._store_asset_event(connection, event, number)
