"""All that is taken from Dagster's own internals, each with the reason why nothing public will do.

A release of Dagster may take any of it away; ``tests/orchestration/test_private.py`` says so first.
"""

from types import SimpleNamespace

# The type that `define_asset_job` returns, for annotations; it is not exported.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# Which events are stored across runs too: about assets, about their checks, and about the state of a run.
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS

# The event log on SQLite, to be made faster, and the tables that it writes.
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

# How long a database may be locked by another process.
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

# What dagster.yaml hands to a class that it names.
from dagster._serdes import ConfigurableClassData

RUN_STATUS_EVENTS = frozenset(EVENT_TYPE_TO_PIPELINE_RUN_STATUS)

__all__ = [
    "ASSET_CHECK_EVENTS",
    "ASSET_EVENTS",
    "RUN_STATUS_EVENTS",
    "SQLITE_BUSY_TIMEOUT_SECONDS",
    "AssetCheckExecutionsTable",
    "ConfigurableClassData",
    "SqlEventLogStorageTable",
    "SqliteEventLogStorage",
    "UnresolvedAssetJobDefinition",
    "webserver_parts",
]

# Named in dagster.yaml: the log manager that catches nothing of what steps print.
NO_COMPUTE_LOGS = ("dagster._core.storage.noop_compute_log_manager", "NoOpComputeLogManager")


def webserver_parts() -> SimpleNamespace:
    """Return what ``dagster dev`` and ``dagster-webserver`` are made of, since neither takes a guard.

    They are in dagster/_cli/dev.py and dagster_webserver/cli.py. Imported here, as a run has no need of them. Where one
    is missing nothing is served, rather than served without the guard.
    """
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._utils.log import configure_loggers
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    return SimpleNamespace(
        code_servers=ProxyServerManager,  # one code server, restarted where it dies
        workspace_context=WorkspaceProcessContext,  # the definitions as the webserver sees them
        workspace_file=WorkspaceFileTarget,  # reads a workspace.yaml
        configure_loggers=configure_loggers,  # the log's format
        create_app=create_app_from_workspace_process_context,  # the application to be guarded
        version=__version__,
    )
