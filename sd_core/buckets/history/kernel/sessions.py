"""A session of all satellites: what the engine calls, before and after the core."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from sd_core.buckets.compiled import register
from sd_core.buckets.history.kernel import book, close, positions, receipts
from sd_core.buckets.history.kernel.close import judge, worth
from sd_core.buckets.history.kernel.positions import trade
from sd_core.buckets.history.kernel.receipts import receive
from sd_core.simulation.kernel.book import STRICT

register(book, receipts, positions, close, **STRICT)


def _compile(digest: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the compiled entries, from the cache where they stem from sources of the same digest.

    numba looks for changes in the file of the cached function alone; values that a function encloses are a part of the
    key, too.
    """

    @njit(**STRICT, cache=True, nogil=True)
    def arrive(market, books, session):
        """Book what reaches the satellites before the open; return what of it goes on to the core."""
        digest  # noqa: B018
        return receive(market, books, session)

    @njit(**STRICT, cache=True, nogil=True)
    def go_on(market, books, session, core_value, arrives):
        """Let arrive what has not, trade all satellites through a session, and mark and judge them at its close."""
        digest  # noqa: B018
        if arrives:
            receive(market, books, session)
        total = core_value
        for place in range(len(books.satellites)):
            if session > 0:
                trade(market, books, place, session)
        for place in range(len(books.satellites)):
            total += worth(market, books, place, session)
        for place in range(len(books.satellites)):
            judge(market, books, place, session, worth(market, books, place, session), total)

    return arrive, go_on


def _digest() -> int:
    """Return a number that changes with the sources of the kernel and with the rules and kinds that it knows."""
    here = Path(__file__).parent
    root = here.parents[2]
    sources = [
        *sorted(here.glob("*.py")),
        *sorted(here.parents[1].glob("*.py")),
        here.parent / "contract.py",
        *(root / "schemas" / name for name in ("kinds.py", "buckets.py")),
        *(root / "simulation" / name for name in ("amounts.py", "kernel/book.py", "kernel/trades.py")),
    ]
    return int.from_bytes(hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()[:7])


arrive, go_on = _compile(_digest())
