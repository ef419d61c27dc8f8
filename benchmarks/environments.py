"""Environments of the alternatives: each its own, so that their pins and SD Lab's never meet.

They are in ``.benchmarks/``, which git ignores, and are rebuilt when their pins or the Python change. What runs in
them lies in ``alternatives/``.
"""

from pathlib import Path

from benchmarks.installation import NotInstalledError, install

ROOM = Path(__file__).resolve().parent
PROJECT = ROOM.parent
CACHE = PROJECT / ".benchmarks"

__all__ = ["CACHE", "PROJECT", "ROOM", "NotInstalledError", "python_of"]


def python_of(alternative: str) -> Path:
    """Return the interpreter in which an alternative is installed, after installing it where that is still to be done.

    Raises:
        NotInstalledError: pip could not.
    """
    home, pins = CACHE / alternative, ROOM / f"requirements-{alternative}.txt"
    install(home, home / "stamp.txt", [pins], "-r", str(pins))
    return home / "bin" / "python"
