"""The process behind ``sdlab ui``: Dagster's webserver behind the guard, its daemon, and one code server for both.

It does what ``dagster dev`` does, whose webserver takes no guard. ``ui`` starts it, and holds the lock and the log.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import uvicorn

# Not Dagster's public interface; what `dagster dev` and `dagster-webserver` are made of (dagster/_cli/dev.py and
# dagster_webserver/cli.py). All of it is named here. A Dagster without one of these does not start, rather than
# serving without the guard.
from dagster._cli.proxy_server_manager import ProxyServerManager  # one code server, restarted where it dies
from dagster._core.workspace.context import WorkspaceProcessContext  # the definitions as the webserver sees them
from dagster._core.workspace.load_target import WorkspaceFileTarget  # reads a workspace.yaml
from dagster._utils.log import configure_loggers  # the log's format
from dagster_webserver.app import create_app_from_workspace_process_context  # the application to be guarded
from dagster_webserver.version import __version__ as webserver_version

from pipelines.guard import HOST, Guard
from pipelines.home import PROJECT

# How often an open page asks what is new; `dagster dev` has the same.
POLL_MILLISECONDS = 2_000
# How long what is under way may take to end after Ctrl-C.
PATIENCE_SECONDS = 60
REQUESTS_PATIENCE_SECONDS = 5


def main(port: int, lock: int) -> int:
    """Serve on a port until interrupted, and return 0, or 1 where the daemon ended by itself.

    Args:
        port: the port on 127.0.0.1.
        lock: the file descriptor of the study's lock, which the daemon goes on holding should this process be killed.
    """
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    # As `dagster dev` sets them for all that it starts: errors without the inner stacks, runs of this machine only.
    os.environ |= {"DAGSTER_IS_DEV_CLI": "1", "DAGSTER_verbose": ""}
    configure_loggers(log_level="INFO")
    try:
        with (
            dg.DagsterInstance.get() as instance,
            _code_server(instance) as workspace,
            _daemon(workspace, lock) as daemon,
        ):
            return _serve(instance, workspace, daemon, port)
    except KeyboardInterrupt:
        return 0


@contextlib.contextmanager
def _code_server(instance: dg.DagsterInstance) -> Iterator[Path]:
    """Keep the study's definitions loaded in a process of their own, and give the workspace file that leads there."""
    target = WorkspaceFileTarget([str(PROJECT / "workspace.yaml")])
    with ProxyServerManager(instance, target, "WARNING") as servers, tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace.yaml"
        # JSON is YAML.
        workspace.write_text(json.dumps({"load_from": servers.get_code_server_specs()}), encoding="utf-8")
        yield workspace


@contextlib.contextmanager
def _daemon(workspace: Path, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dagster's daemon: the schedule, the sensor and the queue."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
    daemon = subprocess.Popen(command, pass_fds=[lock])
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()


def _serve(instance: dg.DagsterInstance, workspace: Path, daemon: subprocess.Popen[bytes], port: int) -> int:
    target = WorkspaceFileTarget([str(workspace)])
    with WorkspaceProcessContext(instance, target, version=webserver_version) as context:
        app = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL_MILLISECONDS)
        server = uvicorn.Server(
            uvicorn.Config(
                Guard(app, port),
                host=HOST,
                port=port,
                log_level="warning",
                timeout_graceful_shutdown=REQUESTS_PATIENCE_SECONDS,
            )
        )
        # A page without its daemon would look alive and run nothing.
        threading.Thread(target=_end_with, args=(daemon, server), daemon=True).start()
        server.run()
    print(f"the daemon ended by itself with code {daemon.poll()}", file=sys.stderr)
    return 1


def _end_with(daemon: subprocess.Popen[bytes], server: uvicorn.Server) -> None:
    daemon.wait()
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
