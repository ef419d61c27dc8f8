"""Where commands print for people."""

import sys

from rich.console import Console

# The width of a page where no terminal states one; lines of text on a wider terminal would be hard to follow.
WIDTH = 80


def open_console() -> Console:
    """Return a console on standard output, as wide as a page, or narrower where the terminal is."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    console.width = min(console.width, WIDTH)
    return console
