"""A ledger for people and other programs: entries in words, all legs as CSV, the whole as a beancount file."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from sd_core.buckets.ledger.quanta import Unit
from sd_core.buckets.ledger.state import State
from sd_core.errors import InputError
from sd_core.study.satellites import LIVE, OUTSIDE

COLUMNS = ("entry", "effective", "kind", "source", "target", "unit", "quantity", "cause", "text")
_LEGS = """
    select e.number, e.effective, e.kind, s.owner as source, t.owner as target, p.unit, p.quanta, p.cause, v.text
    from posting p join entry e on e.number = p.entry join seal on seal.entry = e.number
    join account s on s.account = p.source join account t on t.account = p.target
    join event v on v.entry = e.number
    where e.book = :book order by p.entry, p.leg
"""


def events(connection: Connection, after: int = 0, bucket: str | None = None) -> list[dict[str, Any]]:
    """Return what was booked after an entry, one event each, in order: who asked for it, when, and its numbers.

    Args:
        connection: to the ledger, all of whose books are in one order.
        after: number of an entry; 0: from the first one on.
        bucket: whose events alone, and what moved to or from it, on paper too; ``live``: those of the account itself;
            None: all.
    """
    query = """
        select e.number as entry, e.book, e.kind, e.effective, e.recorded_at, e.actor, v.subject, v.text, v.numbers
        from entry e join seal s on s.entry = e.number join event v on v.entry = e.number
        where e.number > :after and (v.subject = coalesce(:bucket, v.subject) or exists (
            select 1 from posting p join account a on a.account in (p.source, p.target)
            where p.entry = e.number and a.owner = :bucket
        )) order by e.number
    """
    found = connection.execute(text(query), {"after": after, "bucket": bucket}).mappings()
    return [{**row, "numbers": json.loads(row["numbers"])} for row in found]


def explain(connection: Connection, number: int) -> dict[str, Any]:
    """Return everything that an entry says: who asked for it, when, its numbers, legs and lots, and its digest.

    Raises:
        InputError: there is no such entry.
    """
    query = """
        select e.*, s.digest, v.subject, v.text, v.numbers, r.number as reversed_by
        from entry e join seal s on s.entry = e.number join event v on v.entry = e.number
        left join entry r on r.reverses = e.number where e.number = :number
    """
    found = connection.execute(text(query), {"number": number}).mappings().first()
    if found is None:
        last = State(connection).last_entry
        raise InputError(f"why: {number}: expected an entry from 1 to {last}")
    state = State(connection, found["book"])
    stated = {name: value for name, value in found.items() if value is not None}
    stated["legs"] = [
        {
            "source": leg.source,
            "target": leg.target,
            "amount": state.units[leg.unit].shown(leg.quanta),
            "cause": leg.cause,
        }
        for leg in state.legs(number)
    ]
    stated["lots_opened"] = [_lot(state.units, lot) for lot in state.lots_of(number)]
    stated["lots_used"] = [_lot(state.units, use) for use in state.uses_of(number)]
    return stated


def _lot(units: dict[str, Unit], lot: Any) -> dict[str, Any]:
    unit = units[lot.unit]
    cost = units[str(unit.quote_currency)].shown(lot.cost)
    return {"lot": lot.lot, "quantity": unit.shown(lot.quanta), "cost": cost}


def as_csv(connection: Connection, book: str = LIVE) -> str:
    """Return every leg of a book as CSV, one row each.

    Raises:
        InputError: there is no such book.
    """
    state = _book(connection, book)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for leg in connection.execute(text(_LEGS), {"book": book}):
        quantity = state.units[leg.unit].number(leg.quanta)
        writer.writerow([*leg[:5], leg.unit, quantity, leg.cause, leg.text])
    return out.getvalue()


def as_beancount(connection: Connection, book: str = LIVE) -> str:
    """Return a book as beancount reads it: an account per bucket, and ``Equity:Outside`` for the world beyond.

    Each unit balances by itself; lots and prices are not exported.

    Raises:
        InputError: there is no such book.
    """
    return "\n".join(_beancount(connection, _book(connection, book))) + "\n"


def _book(connection: Connection, book: str) -> State:
    books = connection.execute(text("select book from book order by entry")).scalars().all()
    if book not in books:
        raise InputError(f"export: {book}: expected one of {', '.join(books)}")
    return State(connection, book)


def _beancount(connection: Connection, state: State) -> Iterator[str]:
    legs = connection.execute(text(_LEGS), {"book": state.book}).all()
    if not legs:
        return
    yield f'option "operating_currency" "{state.base.unit}"'
    owners = dict.fromkeys(owner for leg in legs for owner in (leg.source, leg.target))
    first = min(leg.effective for leg in legs)
    yield from (f"{first} open {_account(owner)}" for owner in owners)
    number = 0
    for leg in legs:
        if leg.number != number:
            number = leg.number
            said = leg.text.replace('"', "'")
            yield f'\n{leg.effective} * "{leg.kind}" "{said}"\n  entry: {number}'
        amount, unit = state.units[leg.unit].number(leg.quanta), _commodity(leg.unit)
        yield f"  {_account(leg.source)}  -{amount} {unit}"
        yield f"  {_account(leg.target)}  {amount} {unit}"


def _account(owner: str) -> str:
    return "Equity:Outside" if owner == OUTSIDE else f"Assets:{owner.replace('_', '-').capitalize()}"


def _commodity(unit: str) -> str:
    """Return a unit in the letters that beancount takes."""
    name = re.sub(r"[^A-Z0-9'._-]", "-", unit.upper()).strip("'._-")
    return name if name[:1].isalpha() else f"X{name}"
