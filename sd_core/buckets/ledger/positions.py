"""The positions of satellites in a book, from their lots: what was sold on a day is one, and what is open of a ticker.

What moved belongs in ``books``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sd_core.buckets import rules
from sd_core.buckets.ledger.books import Book, Movement, Row, day
from sd_core.schemas.kinds import Kind, Outcome, Regime
from sd_core.study.satellites import CORE

LOTS = "select * from lot where book = :book order by lot"
# What a sale took from lots; one that the broker took back since has opened others.
SALES = """
    select u.*, l.bucket, l.unit, e.effective from lot_use u join lot l on l.lot = u.lot
    join entry e on e.number = u.entry left join entry r on r.reverses = e.number
    where l.book = :book and e.kind = 'fill' and r.number is null order by u.entry, u.lot
"""
USED = "select u.lot, sum(u.quanta) as quanta, sum(u.cost) as cost from lot_use u group by u.lot"


@dataclass
class Trip:
    """Lots that were sold on one day, or are open.

    Attributes:
        closed: the day; None: open.
        lots: the purchases that it consists of.
        shares, cost, proceeds, gross: what of them, in units and in the base currency.
        dividends: what they earned, in the base currency.
    """

    bucket: str
    ticker: str
    closed: str | None
    lots: list[Any] = field(default_factory=list)
    shares: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    proceeds: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    dividends: Decimal = Decimal(0)

    @property
    def opened(self) -> str:
        """The date of the first purchase."""
        return min(str(lot.opened) for lot in self.lots)

    def was_held_before(self, day: str) -> bool:
        """Return whether it was there at the close before a day."""
        return self.opened < day and (self.closed is None or self.closed >= day)


def trips_of(book: Book) -> list[Trip]:
    """Return the positions of a book's satellites, by bucket in the order of their entries."""
    trips = [*_sold(book), *_open(book)]
    trips.sort(key=lambda trip: (book.buckets.index(trip.bucket), trip.opened, trip.closed or "9", trip.ticker))
    _add_dividends(book, trips)
    return trips


def trade_rows(book: Book) -> Iterator[Row]:
    """Yield the rows of ``bucket_trade``; what signals and prices say of them is left out, and the regime unknown."""
    fills = {one.entry: one for one in book.movements if one.price is not None}
    lots = {lot.lot: lot for lot in book.all(LOTS)}
    numbers: dict[str, int] = defaultdict(int)
    for trip in trips_of(book):
        numbers[trip.bucket] += 1
        cost, proceeds, dividends = map(float, (trip.cost, trip.proceeds, trip.dividends))
        is_open = trip.closed is None
        earned = rules.round_trip_return(proceeds, dividends, cost)
        yield {
            "book": book.name,
            "bucket": trip.bucket,
            "trade": numbers[trip.bucket],
            "ticker": trip.ticker,
            "opened": day(trip.opened),
            "closed": None if trip.closed is None else day(trip.closed),
            "entry_price": _entry_price(book, trip, fills, lots),
            "exit_price": None if is_open else float(trip.gross / trip.shares) or None,
            "quantity": float(trip.shares),
            "cost": cost,
            "proceeds": None if is_open else proceeds,
            "dividends": max(dividends, 0.0),
            "trade_return": None if is_open else earned,
            "outcome": None if is_open else Outcome(rules.outcome_of(earned)).name.lower(),
            "regime": Regime.UNKNOWN.name.lower(),
        }


def _sold(book: Book) -> Iterator[Trip]:
    fills = {one.entry: one for one in book.movements if one.kind == Kind.SELL.name}
    lots = {lot.lot: lot for lot in book.all(LOTS)}
    trips: dict[tuple[str, str, str], Trip] = {}
    for use in book.all(SALES):
        if use.bucket == CORE:
            continue
        key = (use.bucket, use.unit, use.effective)
        trip = trips.setdefault(key, Trip(*key))
        shares = book.units[use.unit].decimal(use.quanta)
        fill = fills[use.entry]
        trip.lots.append(lots[use.lot])
        trip.shares += shares
        trip.cost += _cost(book, use.unit, use.cost)
        trip.proceeds += fill.amount * shares / -fill.quantity
        trip.gross += (fill.amount + fill.fee) * shares / -fill.quantity
    yield from trips.values()


def _open(book: Book) -> Iterator[Trip]:
    used = {row.lot: row for row in book.all(USED)}
    trips: dict[tuple[str, str], Trip] = {}
    for lot in book.all(LOTS):
        gone = used.get(lot.lot)
        left = lot.quanta - int(gone.quanta if gone else 0)
        if left and lot.bucket != CORE:
            trip = trips.setdefault((lot.bucket, lot.unit), Trip(lot.bucket, lot.unit, None))
            trip.lots.append(lot)
            trip.shares += book.units[lot.unit].decimal(left)
            trip.cost += _cost(book, lot.unit, lot.cost - int(gone.cost if gone else 0))
    yield from trips.values()


def _cost(book: Book, unit: str, quanta: int) -> Decimal:
    """Return a cost in the base currency, at the last rate."""
    return book.in_base(str(book.units[unit].quote_currency), quanta, len(book.marks))


def _entry_price(book: Book, trip: Trip, fills: Mapping[int, Movement], lots: Mapping[int, Any]) -> float | None:
    """Return the price of the first purchase: its lot's cost per share, without the fee of its fill."""
    first = min(trip.lots, key=lambda lot: (lot.opened, lot.lot))
    per_share = _cost(book, first.unit, first.cost) / book.units[first.unit].decimal(first.quanta)
    root = first
    while root.parent is not None:
        root = lots[root.parent]
    fill = fills.get(root.entry)
    without_fee = 1 - fill.fee / -fill.amount if fill is not None and fill.amount else Decimal(1)
    return float(per_share * without_fee) or None


def _add_dividends(book: Book, trips: list[Trip]) -> None:
    """Give each dividend to what was held at the close before it, by shares; else to the latest position before it."""
    for one in book.movements:
        if one.counts_as != Kind.DIVIDEND.name or one.bucket == CORE:
            continue
        own = [trip for trip in trips if (trip.bucket, trip.ticker) == (one.bucket, one.ticker)]
        held = [trip for trip in own if trip.was_held_before(one.effective)] or own[-1:]
        shares = sum((trip.shares for trip in held), Decimal(0))
        for trip in held:
            trip.dividends += one.amount * trip.shares / shares
