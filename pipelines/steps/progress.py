"""How a step tells how far it is; who listens is the caller's to say."""

from collections.abc import Callable

# Called with what is counted, how many are done, and how many there are.
Progress = Callable[[str, int, int], None]


def unheard(_what: str, _done: int, _total: int) -> None:
    """Report to nobody."""
