"""The tripwire: what is taken from Dagster's internals is there, and is of the kind that it is taken for."""

import importlib
import inspect

import dagster as dg

from pipelines.orchestration import private


def test_internals_of_dagster_are_where_they_are_taken_from() -> None:
    assert dg.DagsterEventType.ASSET_MATERIALIZATION in private.ASSET_EVENTS
    assert isinstance(dg.define_asset_job("job"), private.UnresolvedAssetJobDefinition)
    taken = (
        "has_secondary_index",
        "_has_asset_key_col_on_connection",
        "store_event",
        "_event_to_row",
        "run_connection",
        "index_transaction",
        "_store_asset_event",
        "_connect",
        "delete_events",
    )
    for method in (*taken, "_initdb", "conn_string_for_shard", "dispose"):
        assert callable(getattr(private.SqliteEventLogStorage, method))
    assert "run_id" in private.AssetCheckExecutionsTable.c
    assert private.SQLITE_BUSY_TIMEOUT_SECONDS > 0
    module, name = private.NO_COMPUTE_LOGS
    assert inspect.isclass(getattr(importlib.import_module(module), name))


def test_parts_of_the_webserver_take_what_they_are_given() -> None:
    parts = private.webserver_parts()
    assert "live_data_poll_rate" in inspect.signature(parts.create_app).parameters
    assert "version" in inspect.signature(parts.workspace_context).parameters
    assert callable(parts.code_servers.get_code_server_specs)
    assert "log_level" in inspect.signature(parts.configure_loggers).parameters
