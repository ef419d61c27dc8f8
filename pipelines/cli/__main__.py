"""The command line as a program of its own: ``sdlab``, or ``python -m pipelines.cli``."""

import contextlib
import gc
import os
import sys
import threading

from pipelines.cli.endings import end_at_interrupts, hold_standard_streams, raising_interrupts
from pipelines.cli.exit_code import ExitCode
from pipelines.warehouse.interruption import ASKING

# How many objects are made before garbage is looked for: thousands of classes and functions are imported, and Python's
# own 700 would have all of them looked at again and again, a tenth of a command's time.
NEW_OBJECTS = 100_000


def collect_seldom() -> None:
    """Let Python look for garbage once in a while."""
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])


def program() -> ExitCode:
    """Run one command and return its exit code, in a process that ends with it."""
    end_at_interrupts()
    hold_standard_streams()
    collect_seldom()
    from pipelines.cli.main import main

    with raising_interrupts():
        code = main()
    if code is ExitCode.INTERRUPTED or any(thread.name == ASKING for thread in threading.enumerate()):
        # Python would wait for threads that are still at work; what they store is whole or absent, whenever they end.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    # The process gives its memory back by ending; looking through it for garbage before takes more than a second.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(program())
