"""Dagster's event log on SQLite, which takes thousands of partitions at once.

Dagster's own opens and commits two databases per event: minutes where a run covers thousands of scenarios. Everything
else about its records belongs in ``instance``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from pipelines.orchestration.private import (
    ASSET_EVENTS,
    ConfigurableClassData,
    SqlEventLogStorageTable,
    SqliteEventLogStorage,
)

# Events that are stored at once; Dagster hands a run's over in batches where the environment says so.
BATCH_VARIABLE, BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE", 1000


class EventLog(SqliteEventLogStorage):
    """The event log of a study: events about assets that come together are stored in one transaction per database."""

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
