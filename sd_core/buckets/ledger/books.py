"""The books of a ledger as rows of the tables that plans have: what moved, and how satellites are set; and balances.

Nothing is written here. Marked days, positions and events belong in ``book_rows``; what the columns mean is declared in
``schemas.buckets``.
"""

import datetime as dt
import json
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, text

from sd_core.buckets import presets
from sd_core.buckets.ledger.state import State
from sd_core.schemas.kinds import LEG_ARRIVAL, Booking, Kind, Transfer
from sd_core.study.satellites import CORE, LIVE, OUTSIDE

Row = dict[str, Any]

# Satellites with a share of the account that they are to have.
IN_USE = {"accumulating", "active", "hibernating", "paused"}


@dataclass(frozen=True)
class Mark:
    """The last revision of a marked session.

    Attributes:
        session: in ISO.
        entry: which wrote it; what was booked before is in it.
        values: cash and value of each bucket, in quanta of the base currency.
        rates: the last known ones of foreign currencies, in the base currency.
    """

    session: str
    entry: int
    values: Mapping[str, tuple[int, int]]
    rates: Mapping[str, Decimal]


@dataclass(frozen=True)
class Movement:
    """What a bucket gets of an entry's leg, or of all legs of a fill, negative where it gives.

    Attributes:
        window: the place of the mark that it is in, one beyond the last where none followed.
        kind: as ``bucket_ledger`` writes it.
        amount, fee: money, in the base currency; gross of a fill is without its fee.
        quantity: of shares; 0 where none moved.
    """

    entry: int
    window: int
    effective: str
    kind: str
    bucket: str
    counterparty: str
    ticker: str | None
    quantity: Decimal
    amount: Decimal
    fee: Decimal

    @property
    def price(self) -> float | None:
        """The price of a fill, in the base currency."""
        gross = abs(self.amount + self.fee)
        is_fill = self.kind in {Kind.BUY.name, Kind.SELL.name}
        return float(gross / abs(self.quantity)) if is_fill and self.quantity and gross else None


@dataclass(frozen=True)
class Living:
    """A satellite of the account as it is set now.

    Attributes:
        settings: its sliders, toggles and what dividends do.
        min_pct: share of the account below which it does not trade.
        tickers: what it trades.
        changed: the date on which one of these was last changed.
        since: the first session marked after that at which it was worth anything; None: there is none.
    """

    bucket: str
    settings: presets.Settings
    min_pct: float
    tickers: tuple[str, ...]
    changed: str
    since: str | None


# Marks of an earlier release say no more than values.
_MARKS = """
    select m.* from mark m join mark_state s on s.book = m.book and s.bucket = m.bucket and s.session = m.session
    and s.revision = m.revision where m.book = :book order by m.session, m.revision, m.bucket
"""


class Book:
    """One book, read whole."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name
        self.state = State(connection, name)
        self.units, self.base = self.state.units, self.state.base

    def all(self, query: str) -> list[Any]:
        """Return the rows of a query about the book."""
        return list(self._connection.execute(text(query), {"book": self.name}))

    @cached_property
    def buckets(self) -> list[str]:
        """The buckets whose book it is: all of the account, or the one on paper."""
        return list(self.state.buckets) if self.name == LIVE else [self.name.removeprefix("paper:")]

    @cached_property
    def marks(self) -> list[Mark]:
        """The marked sessions, in order."""
        last: dict[str, list[Any]] = {}
        for row in self.all(_MARKS):
            of_session = last.setdefault(row.session, [])
            if of_session and of_session[0].revision < row.revision:
                of_session.clear()
            of_session.append(row)
        rated = self._by_entry("fx_rate")
        rates: dict[str, Decimal] = {}
        marks = []
        for session, rows in last.items():
            entry = rows[0].entry
            rates |= {row.currency: Decimal(row.rate) for row in rated[entry]}
            values = {row.bucket: (row.cash, row.value) for row in rows if row.bucket in self.buckets}
            marks.append(Mark(session, entry, values, dict(rates)))
        return marks

    def _by_entry(self, table: str) -> dict[int, list[Any]]:
        found = defaultdict(list)
        for row in self.all(f"select * from {table} where book = :book"):
            found[row.entry].append(row)
        return found

    def window_of(self, entry: int) -> int:
        """Return the place of the first mark that an entry is in, one beyond the last where none followed."""
        return bisect_left([mark.entry for mark in self.marks], entry)

    def in_base(self, unit: str, quanta: int, window: int) -> Decimal:
        """Return money in the base currency, at the rates of a mark, or the last ones; 0 where none is known."""
        if unit == self.base.unit:
            return self.base.decimal(quanta)
        if not self.marks:
            return Decimal(0)
        rate = self.marks[min(window, len(self.marks) - 1)].rates.get(unit, Decimal(0))
        return self.base.decimal(int(quanta * rate))

    # What moved

    @cached_property
    def movements(self) -> list[Movement]:
        """Everything that moved, in the order of its entries; the giver of a leg comes first."""
        found = [*self._revaluations()]
        for entry, legs in self._legs.items():
            head = self.entries[entry]
            found += self._fill(head, legs) if head.kind == "fill" else self._plain(head, legs)
        return sorted(found, key=lambda one: (one.window, one.entry))

    @cached_property
    def entries(self) -> dict[int, Any]:
        """Entries of the book by number: kind, date, and the numbers of the event."""
        rows = self.all(
            "select e.number, e.kind, e.effective, v.numbers from entry e join seal on seal.entry = e.number"
            " join event v on v.entry = e.number where e.book = :book order by e.number"
        )
        return {row.number: row for row in rows}

    @cached_property
    def _legs(self) -> dict[int, list[Any]]:
        rows = self.all(
            "select p.entry, s.owner as source, t.owner as target, p.unit, p.quanta, p.cause from posting p"
            " join seal on seal.entry = p.entry join account s on s.account = p.source"
            " join account t on t.account = p.target where p.book = :book order by p.entry, p.leg"
        )
        legs = defaultdict(list)
        for row in rows:
            legs[row.entry].append(row)
        return legs

    def _fill(self, head: Any, legs: list[Any]) -> Iterator[Movement]:
        """Yield a fill's one movement: shares, and money with its fee."""
        window = self.window_of(head.number)
        (shares,) = (leg for leg in legs if self.units[leg.unit].kind == "instrument")
        bucket = shares.source if shares.target == OUTSIDE else shares.target
        money = [(leg, leg.quanta if leg.target == bucket else -leg.quanta) for leg in legs if leg is not shares]
        amount = sum((self.in_base(leg.unit, quanta, window) for leg, quanta in money), Decimal(0))
        fee = -sum((self.in_base(leg.unit, quanta, window) for leg, quanta in money if leg.cause == "fee"), Decimal(0))
        bought = shares.target == bucket
        yield Movement(
            head.number,
            window,
            head.effective,
            (Kind.BUY if bought else Kind.SELL).name,
            bucket,
            OUTSIDE,
            shares.unit,
            self.units[shares.unit].decimal(shares.quanta if bought else -shares.quanta),
            amount,
            fee,
        )

    def _plain(self, head: Any, legs: list[Any]) -> Iterator[Movement]:
        """Yield what each leg is to the buckets at its ends."""
        window = self.window_of(head.number)
        about = json.loads(head.numbers).get("unit")
        for leg in legs:
            kind = _KINDS.get(leg.cause, head.kind.upper())
            of = self.units[leg.unit]
            is_money = of.kind == "currency"
            for bucket, other, sign in ((leg.source, leg.target, -1), (leg.target, leg.source, 1)):
                if bucket != OUTSIDE:
                    yield Movement(
                        head.number,
                        window,
                        head.effective,
                        kind,
                        bucket,
                        other,
                        about if is_money else leg.unit,
                        Decimal(0) if is_money else of.decimal(sign * leg.quanta),
                        self.in_base(leg.unit, sign * leg.quanta, window) if is_money else Decimal(0),
                        Decimal(0),
                    )

    def _revaluations(self) -> Iterator[Movement]:
        """Yield what foreign cash gained in the base currency by the rates of each mark, or lost where negative."""
        moved: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        counted: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
        for entry, legs in self._legs.items():
            window = self.window_of(entry)
            for leg in legs:
                if self.units[leg.unit].kind == "currency" and leg.unit != self.base.unit:
                    for bucket, quanta in ((leg.source, -leg.quanta), (leg.target, leg.quanta)):
                        moved[window, bucket][leg.unit] += quanta
                        counted[window, bucket] += self.in_base(leg.unit, quanta, window)
        for bucket in sorted({bucket for _, bucket in moved} - {OUTSIDE}):
            held: dict[str, int] = defaultdict(int)
            before = Decimal(0)
            for window, mark in enumerate(self.marks):
                for unit, quanta in moved[window, bucket].items():
                    held[unit] += quanta
                now = sum((self.in_base(unit, quanta, window) for unit, quanta in held.items()), Decimal(0))
                gained = now - before - counted[window, bucket]
                before = now
                if gained:
                    yield _money_alone(mark, window, bucket, gained)

    # Rows

    def ledger(self) -> Iterator[Row]:
        """Yield the rows of ``bucket_ledger``."""
        cash: dict[str, Decimal] = defaultdict(Decimal)
        for seq, one in enumerate(self.movements, start=1):
            cash[one.bucket] += one.amount
            yield {
                "book": self.name,
                "seq": seq,
                "session": day(self.marks[one.window].session) if one.window < len(self.marks) else None,
                "effective": day(one.effective),
                "leg": 0 if one.quantity else LEG_ARRIVAL,
                "bucket": one.bucket,
                "counterparty": one.counterparty,
                "ticker": one.ticker,
                "kind": one.kind,
                "quantity": float(one.quantity) if one.quantity else None,
                "price": one.price,
                # A rebate is no fee below 0; the amount has it.
                "fee": max(float(one.fee), 0.0),
                "amount": float(one.amount),
                "cash_after": float(cash[one.bucket]),
            }

    # Satellites as they are set

    def settings(self) -> Iterator[Row]:
        """Yield the rows of ``study_bucket``: the core, and satellites as they are set now, but those in research."""
        state = self.state
        satellites = [
            bucket
            for bucket in self.buckets
            if bucket != CORE and (self.name != LIVE or state.buckets[bucket].status != "research")
        ]
        book = {"plan": self.name, "budget": float(state.fraction(LIVE, "budget")) if self.name == LIVE else 1.0}
        targets = {bucket: float(state.fraction(bucket, "target")) for bucket in satellites}
        if self.name == LIVE:
            in_use = [target for bucket, target in targets.items() if state.buckets[bucket].status in IN_USE]
            yield {**book, "position": 0, "bucket": CORE, "target": 1.0 - math.fsum(in_use), "tickers": []}
        for position, bucket in enumerate(satellites, start=1):
            yield {
                **book,
                "position": position,
                "bucket": bucket,
                "target": targets[bucket],
                "min_pct": float(state.fraction(bucket, "min_pct")),
                "tickers": state.universe(bucket),
                **settings_of(state, bucket).columns,
            }

    def living(self) -> Iterator[Living]:
        """Yield the satellites of the account, but those in research."""
        state = self.state
        for bucket in self.buckets:
            if bucket != CORE and state.buckets[bucket].status != "research":
                changed = max(self._changes(bucket))
                since = [mark for mark in self.marks if mark.entry > changed and mark.values.get(bucket, (0, 0))[1] > 0]
                yield Living(
                    bucket,
                    settings_of(state, bucket),
                    float(state.fraction(bucket, "min_pct")),
                    tuple(state.universe(bucket)),
                    self.entries[changed].effective,
                    since[0].session if since else None,
                )

    def _changes(self, bucket: str) -> Iterator[int]:
        """Yield the entries that set how a satellite trades, or what."""
        for row in self.all("select subject, name, entry from setting"):
            if row.subject == bucket and row.name in {"preset", "sliders", "toggles", "dividends", "min_pct"}:
                yield row.entry
        owners: dict[str, str] = {}
        for row in self.all("select subject, owner, entry from universe order by entry"):
            if bucket in {row.owner, owners.get(row.subject)} and row.owner != owners.get(row.subject):
                yield row.entry
            owners[row.subject] = row.owner

    def balances(self) -> Iterator[Row]:
        """Yield the rows of ``bucket_balance``: what buckets have, and what activities state, with its sign turned."""
        stated = self.all(
            "select l.unit, sum(l.quanta) as quanta from activity_leg l join entry e on e.book = l.book"
            " and e.activity = l.ref join seal on seal.entry = e.number where l.book = :book group by l.unit"
        )
        held = [*self.state.balances.items(), *(((OUTSIDE, row.unit), -int(row.quanta)) for row in stated)]
        for (owner, unit), quanta in held:
            of = self.units[unit]
            session, price = self.state.prices.get(unit, (None, None))
            yield {
                "book": self.name,
                "unit": unit,
                "bucket": owner,
                "is_currency": of.kind == "currency",
                "quanta": quanta,
                "amount": float(of.decimal(quanta)),
                "price": None if price is None else float(price),
                "marked": None if session is None else day(session),
            }

    def reconciliations(self) -> Iterator[Row]:
        """Yield the rows of ``bucket_reconciliation``."""
        query = "select r.*, e.effective from reconciliation r join entry e on e.number = r.entry where r.book = :book"
        for row in self.all(query):
            of = self.units[row.unit]
            yield {
                "book": self.name,
                "entry": row.entry,
                "effective": day(row.effective),
                "unit": row.unit,
                **{name: float(of.decimal(getattr(row, name))) for name in ("actual", "booked", "held", "difference")},
                "action": row.action,
            }


def settings_of(state: State, bucket: str) -> presets.Settings:
    """Return a satellite's settings as they are now."""
    values = {name: state.setting(bucket, name) for name in ("preset", "sliders", "toggles", "dividends")}
    return presets.settings(values["preset"], values["sliders"], values["toggles"], values["dividends"])


def _money_alone(mark: Mark, window: int, bucket: str, amount: Decimal) -> Movement:
    nothing = Decimal(0)
    kind = Booking.REVALUATION.name
    return Movement(mark.entry, window, mark.session, kind, bucket, OUTSIDE, None, nothing, amount, nothing)


def day(iso: str) -> dt.date:
    """Return a date that ISO writes."""
    return dt.date.fromisoformat(iso)


# Kinds of a leg that are other than its entry's, by its cause.
_KINDS = {"send_to_core": Transfer.DIVIDEND_SENT.name}
