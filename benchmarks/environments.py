"""Environments of the alternatives: each its own, so that their pins and SD Lab's never meet.

They are in ``.benchmarks/``, which git ignores, and are rebuilt when their pins or the Python change. What runs in
them lies in ``alternatives/``.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOM = Path(__file__).resolve().parent
PROJECT = ROOM.parent
CACHE = PROJECT / ".benchmarks"


class NotInstalledError(Exception):
    """An alternative could not be installed; the message is the last line that pip said."""


def python_of(alternative: str) -> Path:
    """Return the interpreter in which an alternative is installed, after installing it where that is still to be done.

    Raises:
        NotInstalledError: pip could not.
    """
    home = CACHE / alternative
    python, stamp = home / "bin" / "python", home / "stamp.txt"
    pins = ROOM / f"requirements-{alternative}.txt"
    wanted = f"{sys.version}\n{pins.read_text(encoding='utf-8')}"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(pins))
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NotInstalledError(said[-1])
