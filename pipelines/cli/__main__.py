"""The command line as a program of its own: ``sdlab``, or ``python -m pipelines.cli``."""

import contextlib
import gc
import os
import sys
import threading

from pipelines.cli.endings import end_at_interrupts, hold_standard_streams, raising_interrupts
from pipelines.cli.exit_code import ExitCode
from pipelines.warehouse.interruption import ASKING
from sd_core.processes import collect_seldom


def program() -> ExitCode:
    """Run one command and return its exit code, in a process that ends with it."""
    end_at_interrupts()
    hold_standard_streams()
    collect_seldom()
    from pipelines.cli.main import main

    with raising_interrupts():
        code = main()
    if code is ExitCode.INTERRUPTED or any(one.daemon or one.name == ASKING for one in threading.enumerate()):
        # Python would wait for threads that are still at work, or end them in the middle of a library that then aborts
        # the process; what they store is whole or absent, whenever they end.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    # The process gives its memory back by ending; looking through it for garbage before takes more than a second.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(program())
