"""How commands end: every error that a person can act on as one line and an exit code, whatever the outputs take.

What a command does belongs in its own module; which one was asked for in ``main``.
"""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from pipelines.cli.exit_code import ExitCode
from pipelines.warehouse.interruption import QUERY_INTERRUPTED
from sd_core.errors import InputError, StoreError
from sd_core.wording import unsteered

INTERRUPTED = "\ninterrupted; the published warehouse is whole"
# What an output says that takes nothing more, without the name of a file.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)
STANDARD_STREAMS = (0, 1, 2)


def ended(command: Callable[[], ExitCode], *, reads: bool) -> ExitCode:
    """Run a command and return its exit code, after saying on standard error why it did not end well.

    Args:
        command: what is run.
        reads: whether it only reads, so that it has done its work for a reader who closes its output, as `head` does.
    """
    try:
        code = command()
        sys.stdout.flush()
        return code
    except InputError as error:
        return _say(f"refused:\n{error}", ExitCode.REFUSED)
    except StoreError as error:
        return _say(f"failed:\n{error}", ExitCode.FAILED)
    except KeyboardInterrupt:
        return _say(INTERRUPTED, ExitCode.INTERRUPTED)
    except RuntimeError as error:
        if QUERY_INTERRUPTED not in str(error):
            raise
        return _say(INTERRUPTED, ExitCode.INTERRUPTED)
    except OSError as error:
        return _unwritten(error, reads=reads)


def _unwritten(error: OSError, *, reads: bool) -> ExitCode:
    closed = isinstance(error, BrokenPipeError)
    if error.filename is None and not closed and error.errno not in NO_ROOM:
        raise error
    if error.filename is None:
        _let_go(sys.stdout)
    if closed and reads:
        return ExitCode.DONE
    return _say(f"failed:\n{error.filename2 or error.filename or 'output'}: {error.strerror}", ExitCode.FAILED)


def _say(why: str, code: ExitCode) -> ExitCode:
    say(why)
    return code


def say(line: str) -> None:
    """Print lines on standard error; that they cannot be printed changes nothing about what a command did.

    Names of files and what others sent are in them, of which nothing steers a terminal.
    """
    try:
        print("\n".join(map(unsteered, line.split("\n"))), file=sys.stderr, flush=True)
    except OSError:
        _let_go(sys.stderr)


def _let_go(stream: object) -> None:
    """Have what is left in a stream go nowhere: Python would try once more as it ends, and end with its own code."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # a stream of a test is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
        os.close(nowhere)


def hold_standard_streams() -> None:
    """Put something in the place of standard streams that were closed before this process started.

    A database that is opened would take that place, and what is printed would go into it. What is printed to a closed
    output fails, as it should.
    """
    for number in STANDARD_STREAMS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def end_at_interrupts() -> None:
    """End the process at Ctrl-C without a trace, as it starts and as it ends; in the background of a shell never."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


@contextlib.contextmanager
def raising_interrupts() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt for a while, so that what is at work can put its things in order."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    end_at_interrupts()


def _end(_: int, __: FrameType | None) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(ExitCode.INTERRUPTED)
