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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from ruamel.yaml import YAML

from pipelines.lab.home import WORKSPACE, StudyHome, open_home
from pipelines.orchestration.lifeline import PATIENCE_SECONDS, end_with
from pipelines.orchestration.private import webserver_parts
from pipelines.web.results import Results
from pipelines.web.server import serve

# How often an open page asks what is new; `dagster dev` has the same.
POLL_MILLISECONDS = 2_000


def main(port: int, lock: int, lifeline: int) -> int:
    """Serve on a port until interrupted, and return 0, or 1 where the daemon ended by itself.

    Args:
        port: the port on 127.0.0.1.
        lock: the file descriptor of the study's lock, which the daemon holds too, until it has ended.
        lifeline: the reading end of a pipe that is closed when the process that started this one ends.
    """
    # Longer than the daemon may take, which it waits for.
    end_with(lifeline, 2 * PATIENCE_SECONDS)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    # As `dagster dev` sets them for all that it starts: errors without the inner stacks, runs of this machine only.
    os.environ |= {"DAGSTER_IS_DEV_CLI": "1", "DAGSTER_verbose": ""}
    webserver_parts().configure_loggers(log_level="INFO")
    home = open_home()
    try:
        with (
            dg.DagsterInstance.get() as instance,
            _code_server(instance, home.study.name) as workspace,
            _daemon(workspace, lock) as daemon,
        ):
            return _serve(instance, workspace, daemon, home, port)
    except KeyboardInterrupt:
        return 0


@contextlib.contextmanager
def _code_server(instance: dg.DagsterInstance, study: str) -> Iterator[Path]:
    """Keep the study's definitions loaded in a process of their own, and give the workspace file that leads there.

    Pages show the study's name as that of the code location.
    """
    parts = webserver_parts()
    (location,) = YAML(typ="safe").load(WORKSPACE)["load_from"]
    named = {"python_module": {"module_name": location["python_module"], "location_name": study}}
    with tempfile.TemporaryDirectory() as folder:
        target = parts.workspace_file([str(_workspace(Path(folder, "named.yaml"), [named]))])
        with parts.code_servers(instance, target, "WARNING") as servers:
            yield _workspace(Path(folder, "workspace.yaml"), servers.get_code_server_specs())


def _workspace(file: Path, locations: Sequence[Any]) -> Path:
    # JSON is YAML.
    file.write_text(json.dumps({"load_from": locations}), encoding="utf-8")
    return file


@contextlib.contextmanager
def _daemon(workspace: Path, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dagster's daemon: the schedule, the sensor and the queue."""
    pipe, held = os.pipe()
    program = ["pipelines.orchestration.lifeline", str(pipe), "dagster._daemon"]
    command = [sys.executable, "-m", *program, "run", "--workspace", str(workspace)]
    daemon = subprocess.Popen(command, pass_fds=[lock, pipe])
    os.close(pipe)
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
        os.close(held)


def _serve(
    instance: dg.DagsterInstance, workspace: Path, daemon: subprocess.Popen[bytes], home: StudyHome, port: int
) -> int:
    parts = webserver_parts()
    target = parts.workspace_file([str(workspace)])
    with parts.workspace_context(instance, target, version=parts.version) as context:
        app = parts.create_app(context, live_data_poll_rate=POLL_MILLISECONDS)
        # A page without its daemon would look alive and run nothing.
        serve(Results(app, home), port, until=daemon.wait)
    print(f"the daemon ended by itself with code {daemon.poll()}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
