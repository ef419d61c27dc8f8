"""Where commands print for people."""

import sys

from rich.console import Console

# Wide enough for the headline where no terminal states its width.
PLAIN_WIDTH = 132


def open_console() -> Console:
    """Return a console on standard output, as wide as the terminal, or wide enough where there is none."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, markup=False)
