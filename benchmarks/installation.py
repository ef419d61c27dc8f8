"""An environment that is whole before it is trusted: made under a lock, looked through file by file, stamped last.

An environment cannot be made beside its place and renamed, since its programs contain its path. So its stamp is removed
before it is made and written once every file that its packages name is there; another process that comes meanwhile
waits. It needs the standard library alone:
``python benchmarks/installation.py [--upon STAMP] FOLDER STAMP PINS… -- ARGUMENTS OF PIP``; with ``--upon`` an
environment that has that stamp gets more packages, and loses it meanwhile: after an interruption all is made again.
"""

import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

# Run by the environment itself, which knows its packages: files that are named and missing, or of another size.
LOOK_THROUGH = """
import importlib.metadata
for package in importlib.metadata.distributions():
    for file in package.files or ():
        place = file.locate()
        if file.suffix != ".pyc" and (not place.is_file() or file.size not in (None, place.stat().st_size)):
            raise SystemExit(f"{package.name} {package.version}: {place}: expected the file that was installed")
"""


class NotInstalledError(Exception):
    """An environment could not be made; the message is the last line that was said."""


def install(home: Path, stamp: Path, pins: Sequence[Path], *arguments: str) -> None:
    """Make an environment where its stamp is not that of these pins and this Python.

    Args:
        home: its folder.
        stamp: the file, in that folder, that says what is installed.
        pins: files with what is to be installed.
        arguments: of ``pip install``.

    Raises:
        NotInstalledError: it could not be made; there is no stamp then.
    """
    with _asked(home, stamp, pins) as wanted:
        if wanted is None:
            return
        stamp.unlink(missing_ok=True)
        _run(sys.executable, "-m", "venv", "--clear", str(home))
        _add(home, arguments)
        stamp.write_text(wanted, encoding="utf-8")


def extend(home: Path, upon: Path, stamp: Path, pins: Sequence[Path], *arguments: str) -> None:
    """Install more into an environment where its stamp of that is not of these pins and this Python.

    Args:
        home: its folder.
        upon: its stamp without that.
        stamp: its stamp with that.
        pins: files with what is to be installed.
        arguments: of ``pip install``.

    Raises:
        NotInstalledError: it could not be done; there is neither stamp then.
    """
    with _asked(home, stamp, pins) as wanted:
        if wanted is None:
            return
        before = upon.read_text(encoding="utf-8")
        upon.unlink()
        stamp.unlink(missing_ok=True)
        _add(home, arguments)
        upon.write_text(before, encoding="utf-8")
        stamp.write_text(wanted, encoding="utf-8")


@contextlib.contextmanager
def _asked(home: Path, stamp: Path, pins: Sequence[Path]) -> Iterator[str | None]:
    """Hold an environment, and give what its stamp is to say; None where it does, which is noted as of now."""
    wanted = "\n".join([sys.version, *(file.read_text(encoding="utf-8") for file in pins)])
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            stamp.touch()
            yield None
        else:
            yield wanted


def _add(home: Path, arguments: Sequence[str]) -> None:
    python = str(home / "bin" / "python")
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)
    _run(python, "-c", LOOK_THROUGH)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NotInstalledError(said[-1])


if __name__ == "__main__":
    options = sys.argv[1:]
    upon = options[1] if options[0] == "--upon" else None
    folder, stamp, *rest = options[2:] if upon else options
    files = rest[: rest.index("--")]
    pinned, arguments = [Path(file) for file in files], rest[len(files) + 1 :]
    try:
        if upon:
            extend(Path(folder), Path(upon), Path(stamp), pinned, *arguments)
        else:
            install(Path(folder), Path(stamp), pinned, *arguments)
    except NotInstalledError as error:
        sys.exit(f"{folder}: not installed: {error}")
