"""A session of all satellites: what the engine calls, before and after the core."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

import sd_core.buckets.compiled  # noqa: F401  the rules are compiled only after this import
from sd_core.buckets.history.kernel.book import ARRIVAL, NAN, NO_ASSET, NO_BUCKET, THE_CORE, free_cash, write
from sd_core.buckets.history.kernel.close import judge, worth
from sd_core.buckets.history.kernel.positions import trade
from sd_core.schemas.kinds import Dividends, Kind, Transfer
from sd_core.simulation.kernel.book import DUST, STRICT, compiled, number

DIVIDEND, INTEREST, DIVIDEND_SENT = number(Kind.DIVIDEND), number(Kind.INTEREST), number(Transfer.DIVIDEND_SENT)
REINVEST_SAME, SEND_TO_CORE = number(Dividends.REINVEST_SAME), number(Dividends.SEND_TO_CORE)


@compiled
def receive(market, books, session):
    """Book dividends, with what of them goes on to the core, and interest; return what goes on."""
    sent = 0.0
    for place in range(len(books.satellites)):
        satellite = books.satellites[place]
        if market.pays[session] and satellite.held > 0:
            for turn in range(satellite.first, satellite.last):
                sent += receive_dividend(market, books, place, market.tickers[turn], session)
        amount = satellite.cash_before * market.interest[session]
        if abs(amount) >= DUST:
            write(books, session, ARRIVAL, place, NO_BUCKET, NO_ASSET, INTEREST, NAN, NAN, 0.0, amount)
    return sent


@compiled
def receive_dividend(market, books, place, asset, session):
    """Book the dividend of a position; return what of it goes on to the core."""
    satellite = books.satellites[place]
    position = books.positions[asset]
    per_share = market.dividends[session, asset]
    if position.quantity <= 0.0 or per_share == 0.0:
        return 0.0
    amount = position.quantity * per_share
    write(books, session, ARRIVAL, place, NO_BUCKET, asset, DIVIDEND, NAN, per_share, 0.0, amount)
    books.trades[position.trade].dividends += amount
    if satellite.dividends == REINVEST_SAME:
        position.dividend = amount
    if satellite.dividends != SEND_TO_CORE:
        return 0.0
    sent = min(amount, free_cash(satellite))
    if sent > DUST:
        write(books, session, ARRIVAL, place, THE_CORE, asset, DIVIDEND_SENT, NAN, NAN, 0.0, -sent)
        satellite.close_flows -= sent
        return sent
    return 0.0


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
        *(root / "simulation" / "kernel" / name for name in ("book.py", "trades.py")),
    ]
    return int.from_bytes(hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()[:7])


arrive, go_on = _compile(_digest())
