"""Where commands print for people."""

import errno
import os
import sys

from rich.console import Console

# The width of a page where no terminal states one; lines of text on a wider terminal would be hard to follow.
WIDTH = 80


class _Console(Console):
    """A console whose output may be closed by its reader: the command ends as with any other output."""

    def on_broken_pipe(self) -> None:
        """Pass the error on; Rich itself would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_console() -> Console:
    """Return a console on standard output, as wide as a page, or narrower where the terminal is."""
    console = _Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    console.width = min(console.width, WIDTH)
    return console
