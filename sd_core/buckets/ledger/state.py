"""What a book holds now, read inside one transaction: balances, reservations, lots, owners, settings and values.

Nothing here changes anything; rows are added by ``draft``.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

from sqlalchemy import Connection, text

from sd_core.broker.registry import NO_BROKER
from sd_core.buckets.ledger.quanta import Unit
from sd_core.buckets.ledger.tables import OPEN, RESERVING, asked_together
from sd_core.errors import InputError
from sd_core.study.satellites import CORE, LIVE, OUTSIDE
from sd_core.wording import did_you_mean

_ORDERS = """
    select o.*, s.step, s.status, s.filled, s.reserved as left
    from "order" o join order_step s on s.client_id = o.client_id
"""
_LAST_STEP = "(select max(step) from order_step l where l.client_id = o.client_id)"
# A query is looked at once.
_text = cache(text)
# Causes of locks: losses in a row, of a satellite; a person, of the account.
BREAKER, HALT = "losses", "halt"
# Settings that hold where none was written, by name.
DEFAULTS: dict[str, Any] = {
    "budget": "0",
    "target": "0",
    "min_pct": "0.02",
    "dividends": "accumulate_cash",
    "broker": NO_BROKER,
    "apply": "propose",
    "tilt": "none",
}


@dataclass(frozen=True)
class OpenLot:
    """What is left of a purchase.

    Attributes:
        lot: its number.
        opened: the date of the purchase, in ISO.
        quanta: shares left.
        cost: their part of the cost, in quanta of the quote currency.
        bought, used: shares and cost of the whole lot, and shares of it that are gone; parts are cut from these, so
            that they add up.
    """

    lot: int
    opened: str
    quanta: int
    cost: int
    bought: tuple[int, int]
    used: int

    def part(self, quanta: int) -> "OpenLot":
        """Return a part of it with its part of the cost; all parts of a lot add up to the cost."""
        shares, cost = self.bought
        taken = cost * (self.used + quanta) // shares - cost * self.used // shares
        return OpenLot(self.lot, self.opened, quanta, taken, self.bought, self.used)


@dataclass(frozen=True)
class Bucket:
    """A bucket with its status; the core's is ``core``."""

    bucket: str
    kind: str
    name: str
    status: str


_FRAME = {
    "end": "select entry, digest from seal order by entry desc limit 1",
    "units": "select unit, kind, scale, minor_digits, quote_currency from unit",
    "accounts": "select owner, unit, account, quanta, reserved from balance where book = :book order by 1, 2",
    "buckets": """
        select b.bucket, b.kind, b.name, coalesce((select status from state s where s.subject = b.bucket
        and s.entry = (select max(entry) from state where subject = b.bucket)), 'core') as status
        from bucket b order by b.entry, b.bucket
    """,
}


class State:
    """One book as it is at the beginning of an entry."""

    def __init__(self, connection: Connection, book: str = LIVE) -> None:
        self.connection = connection
        self.book = book

    def _rows(self, query: str, **values: Any) -> Iterator[Any]:
        return iter(self.connection.execute(_text(query), {"book": self.book, **values}))

    def rows(self, query: str, **values: Any) -> Iterator[Any]:
        """Return the rows of a query, in which ``:book`` is the book's name."""
        return self._rows(query, **values)

    def _one(self, query: str, **values: Any) -> Any:
        return self.connection.execute(_text(query), {"book": self.book, **values}).scalar()

    @cached_property
    def _frame(self) -> Mapping[str, Sequence[Any]]:
        """Return what almost every entry needs, asked together."""
        return asked_together(self.connection, _FRAME, {"book": self.book})

    # The end of the ledger

    @cached_property
    def _end(self) -> tuple[int, str]:
        rows = self._frame["end"]
        return (rows[0].entry, rows[0].digest) if rows else (0, "")

    @property
    def last_entry(self) -> int:
        """The number of the last entry, 0 before the first."""
        return self._end[0]

    @property
    def last_digest(self) -> str:
        """The digest of the last entry, empty before the first."""
        return self._end[1]

    @cached_property
    def last_account(self) -> int:
        """The number of the last account."""
        return int(self._one("select coalesce(max(account), 0) from account"))

    @cached_property
    def last_lot(self) -> int:
        """The number of the last lot."""
        return int(self._one("select coalesce(max(lot), 0) from lot"))

    # Units, buckets, accounts

    @cached_property
    def units(self) -> dict[str, Unit]:
        """Every unit by its name."""
        return {row.unit: Unit(*row) for row in self._frame["units"]}

    @cached_property
    def base(self) -> Unit:
        """The book's base currency."""
        return self.units[self._one("select base_currency from book where book = :book")]

    @cached_property
    def buckets(self) -> dict[str, Bucket]:
        """Every bucket by its name, the core first, in the order in which they were made."""
        return {row.bucket: Bucket(*row) for row in self._frame["buckets"]}

    def bucket(self, name: str, place: str) -> Bucket:
        """Return a bucket in use.

        Raises:
            InputError: there is none of this name, or it is retired.
        """
        found = self.buckets.get(name)
        if found is None:
            known = ", ".join(self.buckets)
            raise InputError(f"{place}: {name!r}: expected one of {known}{did_you_mean(name, self.buckets)}")
        if found.status == "retired":
            raise InputError(f"{name}: retired on {self.since(name)}: expected a bucket in use")
        return found

    def satellite(self, name: str, place: str) -> Bucket:
        """Return a satellite in use.

        Raises:
            InputError: there is none of this name, it is retired, or it is the core.
        """
        if name == CORE:
            raise InputError("core: expected a satellite; `halt` stops the account")
        return self.bucket(name, place)

    def since(self, bucket: str) -> str | None:
        """Return the date from which a satellite has its status."""
        query = """
            select e.effective from state s join entry e on e.number = s.entry
            where s.subject = :bucket order by s.entry desc limit 1
        """
        found: str | None = self._one(query, bucket=bucket)
        return found

    def statuses(self, bucket: str) -> list[tuple[str, str, str | None]]:
        """Return a satellite's statuses in their order, each with the date from which it held, and its cause."""
        query = """
            select s.status, e.effective, s.cause from state s join entry e on e.number = s.entry
            where s.subject = :bucket order by s.entry
        """
        return [(row.status, row.effective, row.cause) for row in self._rows(query, bucket=bucket)]

    def account(self, owner: str, unit: str) -> int | None:
        """Return an owner's account in a unit, where there is one."""
        found = self._accounts.get((owner, unit))
        return None if found is None else found.account

    @cached_property
    def _accounts(self) -> dict[tuple[str, str], Any]:
        """Every account by owner and unit, with what it has and what is reserved of it."""
        return {(row.owner, row.unit): row for row in self._frame["accounts"]}

    # Money and shares

    def balance(self, owner: str, unit: str) -> int:
        """Return what an owner has of a unit, in quanta."""
        found = self._accounts.get((owner, unit))
        return 0 if found is None else found.quanta

    @cached_property
    def balances(self) -> dict[tuple[str, str], int]:
        """What the buckets have, by owner and unit, without what is 0."""
        balances = self._accounts.items()
        return {key: row.quanta for key, row in balances if row.quanta and row.owner != OUTSIDE}

    def reserved(self, owner: str, unit: str) -> int:
        """Return what open orders and requests reserve of an owner's unit."""
        found = self._accounts.get((owner, unit))
        return 0 if found is None else found.reserved

    def free(self, owner: str, unit: str) -> int:
        """Return the balance less what is reserved."""
        return self.balance(owner, unit) - self.reserved(owner, unit)

    def positions(self, owner: str) -> dict[str, int]:
        """Return an owner's instruments with what it has of each."""
        held = {unit: quanta for (one, unit), quanta in self.balances.items() if one == owner}
        return {unit: quanta for unit, quanta in held.items() if self.units[unit].kind == "instrument"}

    def cash(self, owner: str) -> dict[str, int]:
        """Return an owner's currencies with what it has of each."""
        held = {unit: quanta for (one, unit), quanta in self.balances.items() if one == owner}
        return {unit: quanta for unit, quanta in held.items() if self.units[unit].kind == "currency"}

    def lots(self, bucket: str, unit: str) -> list[OpenLot]:
        """Return open lots, the oldest first.

        Lots are used first in, first out, so that those still open are mostly the newest: they are read from there, as
        far as the position goes, and not all that ever were.
        """
        query = """
            select l.lot, l.opened, l.quanta, l.cost,
            coalesce((select sum(u.quanta) from lot_use u where u.lot = l.lot), 0) as used
            from lot l where l.book = :book and l.bucket = :bucket and l.unit = :unit
            order by l.opened desc, l.lot desc limit :most offset :read
        """
        lots: list[OpenLot] = []
        left, read, most = self.balance(bucket, unit), 0, 16
        while left > 0:
            rows = list(self._rows(query, bucket=bucket, unit=unit, most=most, read=read))
            for row in rows:
                used = int(row.used)
                if used < row.quanta and left > 0:
                    whole = OpenLot(row.lot, row.opened, row.quanta, row.cost, (row.quanta, row.cost), used)
                    lots.append(whole.part(row.quanta - used))
                    left -= row.quanta - used
            if len(rows) < most:
                break
            read, most = read + most, 4 * most
        return lots[::-1]

    def open_orders(self, bucket: str, unit: str | None = None) -> list[str]:
        """Return the ids of a bucket's orders and requests that may still be filled, and reserve what that takes."""
        return [one.client_id for one in self.orders(RESERVING) if one.bucket == bucket and unit in {None, one.unit}]

    def orders(self, statuses: Collection[str] = OPEN, session: str | None = None) -> list[Any]:
        """Return orders and requests with their latest step, in the order in which they were put on record.

        Those that are open are as many as they are, those that are done grow with the ledger.

        Args:
            statuses: of the step.
            session: the close that they were ordered at; None: any, and none.
        """
        open_ones = "join open_order n on n.client_id = o.client_id" if set(statuses) <= set(OPEN) else ""
        named = ", ".join(f"'{one}'" for one in statuses)
        query = f"""
            {_ORDERS} {open_ones} where o.book = :book and s.step = {_LAST_STEP} and s.status in ({named})
            {"and o.session = :session" if session else ""} order by o.entry, o.client_id
        """
        return list(self._rows(query, session=session))

    def decision(self, client_id: str) -> dict[str, Any]:
        """Return what ordered an order: factor, conviction and what else its proposal or exit says; empty: a person."""
        query = """
            select e.numbers from "order" o join event e on e.entry = o.entry
            where o.book = :book and o.client_id = :client_id
        """
        found = self._one(query, client_id=client_id)
        return {} if found is None else dict(json.loads(found).get("decision", {}))

    def held(self) -> list[str]:
        """Return the references of activities that are stored and not booked."""
        query = """
            select distinct a.effective, h.ref from held h join activity a on a.book = h.book and a.ref = h.ref
            where h.book = :book order by 1, 2
        """
        return [row.ref for row in self._rows(query)]

    def bookable(self, added: Collection[str]) -> list[str]:
        """Return held activities that may be booked after something was added: an instrument, or another activity.

        Those are left out that take more shares than all buckets have.
        """
        if not added:
            return []
        names = {f"one_{place}": one for place, one in enumerate(sorted(added))}
        query = f"""
            select h.ref, a.effective, l.unit, l.quanta from held h
            join activity a on a.book = h.book and a.ref = h.ref
            join activity_leg l on l.book = h.book and l.ref = h.ref
            where h.book = :book and h.waits_for in ({", ".join(f":{name}" for name in names)})
        """
        rows = list(self._rows(query, **names))
        beyond = {row.ref for row in rows if row.quanta < 0 and self._is_beyond(row.unit, -row.quanta)}
        return [ref for _, ref in sorted({(row.effective, row.ref) for row in rows if row.ref not in beyond})]

    def _is_beyond(self, unit: str, quanta: int) -> bool:
        """Return whether a quantity is of an instrument, and more than all buckets have."""
        if unit in self.units and self.units[unit].kind == "currency":
            return False
        return quanta > sum(held for (_, of), held in self.balances.items() if of == unit)

    def stated(self, ref: str) -> str | None:
        """Return a stored activity as it was stated, as JSON; None where there is none."""
        found: str | None = self._one("select raw from activity where book = :book and ref = :ref", ref=ref)
        return found

    def is_held(self, ref: str) -> bool:
        """Return whether an activity is held."""
        return self._one("select 1 from held where book = :book and ref = :ref", ref=ref) is not None

    def order(self, client_id: str) -> Any:
        """Return an order with its latest step; None where there is none.

        Its columns are those of the order, and ``step``, ``status``, ``filled`` and ``left``, what is still reserved.
        """
        query = f"{_ORDERS} where o.book = :book and o.client_id = :client_id order by s.step desc limit 1"
        return next(self._rows(query, client_id=client_id), None)

    # One entry

    def legs(self, number: int) -> list[Any]:
        """Return the legs of an entry: source, target, unit, quanta, cause."""
        query = """
            select s.owner as source, t.owner as target, p.unit, p.quanta, p.cause from posting p
            join account s on s.account = p.source join account t on t.account = p.target
            where p.entry = :number order by p.leg
        """
        return list(self._rows(query, number=number))

    def lots_of(self, number: int) -> list[Any]:
        """Return the lots that an entry opened, with what is left of each."""
        query = """
            select l.lot, l.unit, l.quanta, l.cost,
            l.quanta - coalesce((select sum(u.quanta) from lot_use u where u.lot = l.lot), 0) as left
            from lot l where l.entry = :number order by l.lot
        """
        return list(self._rows(query, number=number))

    def uses_of(self, number: int) -> list[Any]:
        """Return what an entry took from lots."""
        query = """
            select l.lot, l.bucket, l.unit, l.opened, u.quanta, u.cost from lot_use u join lot l on l.lot = u.lot
            where u.entry = :number order by l.lot
        """
        return list(self._rows(query, number=number))

    def assigned_by(self, number: int) -> list[str]:
        """Return the instruments that an entry gave to a bucket."""
        rows = self._rows("select subject from universe where entry = :number order by subject", number=number)
        return [row.subject for row in rows]

    def owner_before(self, unit: str, number: int) -> str | None:
        """Return the bucket that an instrument belonged to before an entry."""
        query = "select owner from universe where subject = :unit and entry < :number order by entry desc limit 1"
        found: str | None = self._one(query, unit=unit, number=number)
        return found

    def subject_of(self, number: int) -> str:
        """Return what the event of an entry is about."""
        return str(self._one("select subject from event where entry = :number", number=number))

    def entry(self, number: int) -> Any:
        """Return an entry of this book; None where there is none."""
        return next(self._rows("select * from entry where book = :book and number = :number", number=number), None)

    def entry_of(self, ref: str) -> Any:
        """Return the entry that books an activity; None where there is none."""
        return next(self._rows("select * from entry where book = :book and activity = :ref", ref=ref), None)

    def first_of(self, kind: str) -> int | None:
        """Return the first entry of a kind."""
        found: int | None = self._one("select min(number) from entry where book = :book and kind = :kind", kind=kind)
        return found

    @property
    def has_facts(self) -> bool:
        """Whether the book has any fact, as an opening or a deposit is."""
        return self._one("select 1 from activity where book = :book limit 1") is not None

    @property
    def opening(self) -> tuple[dt.datetime, frozenset[str]] | None:
        """When the broker's account was opened in the book, with what it had listed until then; None: it was not."""
        found = next(self._rows("select at, raw from activity where book = :book and kind = 'opening'"), None)
        listed = None if found is None else json.loads(found.raw)["details"].get("listed")
        return None if found is None or listed is None else (dt.datetime.fromisoformat(found.at), frozenset(listed))

    @property
    def last_reading(self) -> dt.datetime | None:
        """The moment at which the broker was read last."""
        query = """
            select max(recorded_at) from entry where book = :book and kind = 'reconciliation' and actor = 'broker'
        """
        found = self._one(query)
        return None if found is None else dt.datetime.fromisoformat(found)

    def request_for(self, unit: str, quanta: int) -> str | None:
        """Return the oldest open request for a withdrawal of so much; None where there is none."""
        query = """
            select o.client_id from open_order n join "order" o on o.client_id = n.client_id
            join order_step s on s.client_id = o.client_id
            where o.book = :book and o.side = 'withdraw' and o.unit = :unit and o.quanta = :quanta
            and s.step = (select max(step) from order_step l where l.client_id = o.client_id) and s.status = 'open'
            order by o.entry limit 1
        """
        found: str | None = self._one(query, unit=unit, quanta=quanta)
        return found

    def reversed_by(self, number: int) -> int | None:
        """Return the entry that reverses one."""
        found: int | None = self._one("select number from entry where reverses = :number", number=number)
        return found

    def held_of(self, bucket: str) -> list[str]:
        """Return the references of held activities that move an instrument of a bucket."""
        query = "select distinct unit from activity_leg where book = :book and ref = :ref"
        return [
            ref
            for ref in self.held()
            if any(self.owner(row.unit) == bucket for row in list(self._rows(query, ref=ref)))
        ]

    def held_legs(self) -> dict[str, int]:
        """Return what held activities add together, in quanta by unit."""
        query = """
            select l.unit, sum(l.quanta) as quanta from activity_leg l
            join (select distinct book, ref from held) h on h.book = l.book and h.ref = l.ref where l.book = :book
            group by l.unit
        """
        return {row.unit: int(row.quanta) for row in self._rows(query)}

    def corrected_since(self, today: str, days: int) -> Decimal:
        """Return what reconciliation corrected in so many days, in the base currency, without signs."""
        first = (dt.date.fromisoformat(today) - dt.timedelta(days=days)).isoformat()
        query = """
            select l.unit, abs(l.quanta) as quanta from entry e
            join activity_leg l on l.book = e.book and l.ref = e.activity
            where e.book = :book and e.kind = 'correction' and e.actor = 'rule' and e.effective > :first
        """
        rows = list(self._rows(query, first=first))
        return sum((self.base.decimal(self.in_base(row.unit, row.quanta)) for row in rows), Decimal(0))

    def lacking(self, unit: str) -> int:
        """Return what the broker had less than was booked, in quanta, by the last reconciliation and corrections since.

        It is 0 without a reconciliation, and negative where the broker had more.
        """
        query = """
            select r.entry, r.difference from reconciliation r where r.book = :book and r.unit = :unit
            order by r.entry desc limit 1
        """
        found = next(self._rows(query, unit=unit), None)
        if found is None:
            return 0
        query = """
            select coalesce(sum(l.quanta), 0) from entry e join activity_leg l on l.book = e.book and l.ref = e.activity
            where e.book = :book and e.kind = 'correction' and e.number > :entry and l.unit = :unit
        """
        return int(self._one(query, unit=unit, entry=found.entry)) - int(found.difference)

    def last_of(self, unit: str, most: int = 5) -> list[str]:
        """Return the last entries that moved a unit across the border of the book, the newest first."""
        query = """
            select e.number, e.effective, v.text from entry e join event v on v.entry = e.number
            join activity_leg l on l.book = e.book and l.ref = e.activity
            where e.book = :book and l.unit = :unit order by e.number desc limit :most
        """
        return [f"entry {row.number}, {row.effective}: {row.text}" for row in self._rows(query, unit=unit, most=most)]

    # Owners, settings, locks

    def owner(self, unit: str, before: str | None = None) -> str | None:
        """Return the bucket that an instrument belongs to; None where none was named.

        Args:
            unit: the instrument.
            before: at the close before this date; None: now.
        """
        query = """
            select u.owner from universe u join entry e on e.number = u.entry
            where u.subject = :unit {} order by u.entry desc limit 1
        """
        found: str | None = self._one(
            query.format("and e.effective < :before" if before else ""), unit=unit, before=before
        )
        return found

    def universe(self, bucket: str) -> list[str]:
        """Return the instruments that belong to a bucket by name."""
        query = """
            select u.subject from universe u where u.owner = :bucket
            and u.entry = (select max(entry) from universe l where l.subject = u.subject) order by u.subject
        """
        return [row.subject for row in self._rows(query, bucket=bucket)]

    def note(self, bucket: str) -> str | None:
        """Return a bucket's note."""
        query = "select text from note where subject = :bucket order by entry desc limit 1"
        found: str | None = self._one(query, bucket=bucket)
        return found

    def setting(self, subject: str, name: str) -> Any:
        """Return a setting of a bucket, or of the account (``live``), or its default."""
        query = "select value from setting where subject = :subject and name = :name order by entry desc limit 1"
        found = self._one(query, subject=subject, name=name)
        return DEFAULTS.get(name) if found is None else json.loads(found)

    def fraction(self, subject: str, name: str) -> Decimal:
        """Return a setting that is a fraction."""
        return Decimal(self.setting(subject, name))

    def locks(self, subject: str, today: str) -> dict[str, str | None]:
        """Return what locks a bucket or the account today, with the date until which it does; None: until lifted."""
        query = """
            select l.cause, l.until from lock l where l.subject = :subject and l.entry =
            (select max(entry) from lock o where o.subject = l.subject and o.cause = l.cause)
        """
        rows = self._rows(query, subject=subject)
        return {row.cause: row.until for row in rows if row.until is None or row.until > today}

    # Values

    @cached_property
    def prices(self) -> dict[str, tuple[str, Decimal]]:
        """The last marked price of each instrument, with its session."""
        query = """
            select m.unit, m.session, m.price from unit u
            join mark_position m on m.book = :book and m.unit = u.unit and m.entry =
            (select max(entry) from mark_position l where l.book = :book and l.unit = u.unit)
        """
        return {row.unit: (row.session, Decimal(row.price)) for row in self._rows(query)}

    @cached_property
    def rates(self) -> dict[str, tuple[str, Decimal]]:
        """The last rate of each currency in the base currency, with its session."""
        query = """
            select r.currency, r.session, r.rate from unit u
            join fx_rate r on r.book = :book and r.currency = u.unit and r.entry =
            (select max(entry) from fx_rate l where l.book = :book and l.currency = u.unit)
        """
        return {row.currency: (row.session, Decimal(row.rate)) for row in self._rows(query)}

    @cached_property
    def last_mark(self) -> str | None:
        """The session of the last mark."""
        found: str | None = self._one("select max(session) from mark where book = :book")
        return found

    def in_base(self, currency: str, quanta: int) -> int:
        """Return money in quanta of the base currency, at the last rate.

        Raises:
            InputError: no rate of the currency was marked.
        """
        if currency == self.base.unit:
            return quanta
        if currency not in self.rates:
            raise InputError(f"{currency}: expected a rate in {self.base.unit}: mark one")
        return int(quanta * self.rates[currency][1])

    @property
    def without_rate(self) -> list[str]:
        """The foreign currencies that buckets have, or their instruments are quoted in, and no mark has a rate of."""
        used = (self.units[unit].quote_currency or unit for _, unit in self.balances)
        return sorted({code for code in used if code != self.base.unit and code not in self.rates})

    def worth(self, unit: str, quanta: int, owner: str) -> int:
        """Return what an owner's shares or money are worth, in quanta of the base currency.

        Shares count at the last marked price; before the first mark at their cost.
        """
        of = self.units[unit]
        if of.kind == "currency":
            return self.in_base(unit, quanta)
        assert of.quote_currency is not None
        if unit in self.prices:
            quoted = self.units[of.quote_currency]
            money = of.decimal(quanta) * self.prices[unit][1]
            return self.in_base(quoted.unit, int(money.scaleb(quoted.scale)))
        return self.in_base(of.quote_currency, sum(lot.cost for lot in self.lots(owner, unit)))

    @cached_property
    def values(self) -> dict[str, int]:
        """What each bucket is worth at the last marked prices, in quanta of the base currency.

        What is in a currency without a rate counts as nothing; see :attr:`without_rate`.
        """
        values = dict.fromkeys(self.buckets, 0)
        unknown = self.without_rate
        for (owner, unit), quanta in self.balances.items():
            if (self.units[unit].quote_currency or unit) not in unknown:
                values[owner] += self.worth(unit, quanta, owner)
        return values

    @property
    def total(self) -> int:
        """What all buckets are worth, in quanta of the base currency."""
        return sum(self.values.values())

    @property
    def sessions(self) -> int:
        """How many sessions were marked."""
        return int(self._one("select count(distinct session) from mark where book = :book"))

    def revision(self, session: str) -> int:
        """Return the number of the next mark of a session: 1, or one more than its last."""
        query = "select coalesce(max(revision), 0) + 1 from mark where book = :book and session = :session"
        return int(self._one(query, session=session))

    @cached_property
    def marked_cash(self) -> dict[str, int]:
        """The cash of each bucket at the last mark, in quanta of the base currency; empty before the first."""
        query = """
            select bucket, cash from mark m where book = :book and session = :session
            and revision = (select max(revision) from mark l where l.book = m.book and l.session = m.session)
        """
        return {row.bucket: row.cash for row in self._rows(query, session=self.last_mark)}

    def sales(self, day: str, money: str) -> dict[str, int]:
        """Return what each bucket got for its sales of a day, in quanta of a currency."""
        query = """
            select s.owner, sum(p.quanta) as quanta from posting p join entry e on e.number = p.entry
            join account s on s.account = p.target
            where e.book = :book and e.kind = 'fill' and e.effective = :day and p.unit = :money and p.cause = 'sale'
            group by s.owner order by s.owner
        """
        return {row.owner: int(row.quanta) for row in self._rows(query, day=day, money=money)}

    def without_price(self, bucket: str) -> list[str]:
        """Return a bucket's instruments that no mark has priced yet, so that they count at cost."""
        return [unit for unit in self.positions(bucket) if unit not in self.prices]
