"""A PostgreSQL server of a test's own: its files in a temporary folder, a socket there, and no network."""

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# Where Debian puts what is not on the PATH.
DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"


def programs() -> Path:
    """Return the folder of initdb and postgres; the test is skipped where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(DEBIAN.glob("*/bin"), reverse=True)
    if not folders:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    return folders[0]


@contextlib.contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """Start a server and yield its address for SQLAlchemy; it ends with the test.

    Args:
        durable: whether commits wait for the disk, as they do in earnest.
    """
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed (pip install 'sdlab[postgresql]')")
    bin_folder = programs()
    # Root may not run a server; Debian's package makes a user for it.
    is_root = getpass.getuser() == "root"
    if is_root and USER not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip(f"root cannot run PostgreSQL, and there is no user {USER}")
    user = {"user": USER} if is_root else {}
    folder = Path(tempfile.mkdtemp(prefix="sdlab-pg-"))
    if is_root:
        shutil.chown(folder, USER)
    settings = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=20"]
    settings += [] if durable else ["fsync=off", "synchronous_commit=off"]
    options = [part for setting in settings for part in ("-c", setting)]
    quiet = {
        "cwd": folder,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": os.environ | {"LC_ALL": "C"},
    }
    data = folder / "data"
    initdb = [bin_folder / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, **quiet, **user)
    process = subprocess.Popen([bin_folder / "postgres", "-D", data, *options], **quiet, **user)
    try:
        _wait(bin_folder, folder, process)
        yield f"postgresql+psycopg://{USER}@/{USER}?host={folder}"
    finally:
        # A fast shutdown: it does not wait for connections that are open.
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(bin_folder: Path, folder: Path, process: subprocess.Popen[bytes]) -> None:
    ready = [bin_folder / "pg_isready", "-q", "-h", folder, "-t", "1"]
    for _ in range(300):
        if subprocess.run(ready, check=False, stdout=subprocess.DEVNULL).returncode == 0:
            return
        assert process.poll() is None, "PostgreSQL ended while it started"
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start within 30 seconds")
