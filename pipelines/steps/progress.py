"""How a step reports its progress; the caller decides where to."""

from collections.abc import Callable

# Called with what is counted, how many are done, and how many there are.
Progress = Callable[[str, int, int], None]


def unheard(_what: str, _done: int, _total: int) -> None:
    """Discard every report."""
