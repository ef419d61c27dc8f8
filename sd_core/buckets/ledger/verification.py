"""Every digest and every balance again, from the rows alone: whether a ledger is still what was written.

The database refuses breaches as they happen; this finds what was done around it, to the file or to its triggers.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, text

from sd_core.buckets.ledger.draft import Row, digest_of
from sd_core.buckets.ledger.tables import ACTIVITY, ACTIVITY_LEG, DONE, ROWS, SEAL
from sd_core.buckets.ledger.triggers import missing_triggers
from sd_core.study.satellites import OUTSIDE


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        entries: how many were read.
        digest: the last one; a copy of it kept elsewhere shows whether anything before was replaced.
        findings: what is wrong, one line each; none for a ledger that holds.
    """

    entries: int
    digest: str
    findings: list[str]


def verify(connection: Connection) -> Verified:
    """Recompute the digest of every entry, every balance and all lots of a ledger."""
    rows = _by_entry(connection)
    seals = {row["entry"]: row for row in _all(connection, SEAL.clause)}
    findings = [
        *(f"trigger {name}: missing, switched off or changed" for name in missing_triggers(connection)),
        *_damage(connection),
        *_chain(rows, seals),
        *_balances(connection),
        *_lots(connection),
        *_held(connection),
        *_open_orders(connection),
    ]
    return Verified(len(seals), seals[max(seals)]["digest"] if seals else "", findings)


def _all(connection: Connection, table: sa.TableClause) -> Iterator[Row]:
    return (dict(row) for row in connection.execute(sa.select(table)).mappings())


def _by_entry(connection: Connection) -> dict[int, dict[str, list[Row]]]:
    """Return all rows by entry and table, with the activity that an entry books."""
    rows: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    booked = {}
    for table in ROWS:
        for row in _all(connection, table.clause):
            rows[row[table.entry]][table.name].append(row)
            if table.name == "entry" and row["activity"] is not None:
                booked[row["book"], row["activity"]] = row["number"]
    for table in (ACTIVITY, ACTIVITY_LEG):
        for row in _all(connection, table.clause):
            if (number := booked.get((row["book"], row["ref"]))) is not None:
                rows[number][table.name].append(row)
    return rows


def _chain(rows: Mapping[int, Mapping[str, list[Row]]], seals: Mapping[int, Row]) -> Iterator[str]:
    previous = ""
    for expected, number in enumerate(sorted(rows), start=1):
        if number != expected:
            yield f"entry {expected}: missing"
            return
        if number not in seals:
            yield f"entry {number}: has no seal, so it counts for nothing and blocks what follows"
            return
        digest = digest_of(previous, rows[number])
        if digest != seals[number]["digest"]:
            yield f"entry {number}: its rows are not those that were sealed"
        previous = seals[number]["digest"]


def _balances(connection: Connection) -> Iterator[str]:
    """Add the balances of each account up again; compare them with what is written and with what the broker stated."""
    owners = {row.account: (row.book, row.owner, row.unit) for row in connection.execute(text("select * from account"))}
    kinds = {row.unit: row.kind for row in connection.execute(text("select unit, kind from unit"))}
    added: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for (account, entry), (moved, written) in sorted(_moves(connection).items()):
        after = added[account] = (added[account][0] + moved[0], added[account][1] + moved[1])
        if written != after:
            of_book, owner, name = owners[account]
            said = f"rows up to entry {entry} add up to {_amounts(after)}, not {_amounts(written)}"
            yield f"{of_book}, {owner}: {name}: {said}"
    held = {owners[account]: quanta for account, (quanta, _) in added.items()}
    stated: dict[tuple[str, str], int] = defaultdict(int)
    query = """
        select l.book, l.unit, l.quanta from activity_leg l join entry e on e.book = l.book and e.activity = l.ref
        join seal on seal.entry = e.number
    """
    for row in connection.execute(text(query)):
        stated[row.book, row.unit] += row.quanta
    of_buckets: dict[tuple[str, str], int] = defaultdict(int)
    for (book, owner, unit), quanta in held.items():
        if owner != OUTSIDE:
            of_buckets[book, unit] += quanta
            if quanta < 0 and kinds[unit] == "instrument":
                yield f"{book}, {owner}: {unit}: a position of {quanta} quanta"
    for book, unit in sorted({*stated, *of_buckets}):
        broker, have = stated[book, unit], of_buckets[book, unit]
        if broker != have:
            yield f"{book}: {unit}: the broker stated {broker} quanta, buckets have {have}"


def _moves(connection: Connection) -> dict[tuple[int, int], tuple[list[int], tuple[int, int] | None]]:
    """Return what each sealed entry adds to each account, in quanta and reserved ones, with what is written."""
    moves: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for row in connection.execute(text(_SEALED.format(table="posting"))):
        moves[row.source, row.entry][0] -= row.quanta
        moves[row.target, row.entry][0] += row.quanta
    accounts = connection.execute(text(_RESERVED_FROM))
    reserved_from = {row.client_id: (row.account, row.entry) for row in accounts}
    left: dict[str, int] = defaultdict(int)
    for row in connection.execute(text(f"{_SEALED.format(table='order_step')} order by client_id, step")):
        account, since = reserved_from.get(row.client_id, (0, row.entry + 1))
        if since <= row.entry:
            moves[account, row.entry][1] += row.reserved - left[row.client_id]
        left[row.client_id] = row.reserved
    written = {
        (row.account, row.entry): (row.quanta, row.reserved)
        for row in connection.execute(text(_SEALED.format(table="balance_after")))
    }
    return {key: (moves[key], written.get(key)) for key in {*moves, *written}}


_SEALED = "select {table}.* from {table} join seal on seal.entry = {table}.entry"
_RESERVED_FROM = """
    select o.client_id, a.account, a.entry from "order" o
    join account a on a.book = o.book and a.owner = o.bucket and a.unit = o.reserved_unit
"""


def _amounts(after: tuple[int, int] | None) -> str:
    return "nothing" if after is None else f"{after[0]} quanta, {after[1]} reserved"


def _lots(connection: Connection) -> Iterator[str]:
    """Compare the open lots of each position with it."""
    query = """
        select a.book, a.owner, a.unit, b.quanta, coalesce(l.quanta, 0) - coalesce(u.quanta, 0) as lots
        from account a join unit on unit.unit = a.unit and unit.kind = 'instrument'
        join balance b on b.account = a.account
        left join (select book, bucket, unit, sum(quanta) as quanta from lot group by book, bucket, unit) l
            on l.book = a.book and l.bucket = a.owner and l.unit = a.unit
        left join (select l.book, l.bucket, l.unit, sum(u.quanta) as quanta from lot_use u join lot l on l.lot = u.lot
            group by l.book, l.bucket, l.unit) u on u.book = a.book and u.bucket = a.owner and u.unit = a.unit
        where a.owner <> :outside
    """
    for row in connection.execute(text(query), {"outside": OUTSIDE}):
        if row.quanta != row.lots:
            yield f"{row.book}, {row.owner}: {row.unit}: open lots of {row.lots} quanta, a position of {row.quanta}"


def _held(connection: Connection) -> Iterator[str]:
    """Return activities that are neither booked nor held, which nothing would ever book, and those that are both."""
    query = """
        select a.book, a.ref, e.number from activity a
        left join entry e on e.book = a.book and e.activity = a.ref
        where (e.number is null) <> exists (select 1 from held h where h.book = a.book and h.ref = a.ref)
        order by a.book, a.ref
    """
    for row in connection.execute(text(query)):
        yield f"{row.book}: activity {row.ref}: {'neither booked nor' if row.number is None else 'booked and'} held"


def _open_orders(connection: Connection) -> Iterator[str]:
    """Compare which orders are said to be open with their last steps."""
    query = f"""
        select o.client_id, n.client_id as said, s.status from "order" o
        join order_step s on s.client_id = o.client_id
        left join open_order n on n.client_id = o.client_id
        where s.step = (select max(l.step) from order_step l where l.client_id = o.client_id)
        and (n.client_id is null) <> (s.status in {DONE}) order by o.client_id
    """
    for row in connection.execute(text(query)):
        yield f"order {row.client_id}: {row.status}, and {'not ' if row.said is None else ''}among those that are open"


def _damage(connection: Connection) -> Iterator[str]:
    """Ask SQLite whether its file is whole; PostgreSQL looks after its own."""
    if connection.dialect.name != "sqlite":
        return
    for row in connection.exec_driver_sql("pragma integrity_check"):
        if row[0] != "ok":
            yield f"file: {row[0]}"
    for row in connection.exec_driver_sql("pragma foreign_key_check"):
        yield f"{row[0]}: row {row[1]}: refers to nothing in {row[2]}"
