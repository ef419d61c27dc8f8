"""The tripwire: what is taken from Dagster's internals is there, and is of the kind that it is taken for."""

import importlib
import inspect
import sys

import dagster as dg
import pytest
from dagster._core.instance import types
from dagster._core.instance.methods import event_methods

from pipelines.orchestration import private
from pipelines.orchestration.execution import ASIDES, without_asides


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


def test_asides_of_dagster_are_those_that_it_writes_past_its_loggers() -> None:
    written = inspect.getsource(types) + inspect.getsource(event_methods)
    assert all(aside in written for aside in ASIDES)


def test_asides_are_kept_from_standard_error_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with without_asides():
        sys.stderr.write(f"{ASIDES[0]}: disk full\n")
        print("what a step says", file=sys.stderr)
        assert not sys.stderr.isatty()
    assert capsys.readouterr().err == "what a step says\n"
