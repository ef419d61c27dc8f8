"""Every digest and every balance again, from the rows alone: whether a ledger is still what was written.

The database refuses breaches as they happen; this finds what was done around it, to the file or to its triggers.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, text

from sd_core.buckets.ledger.draft import Row, digest_of
from sd_core.buckets.ledger.tables import ACTIVITY, ACTIVITY_LEG, ROWS, SEAL
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
    """Compare the balances of each book, added up here, with the view and with what the broker stated."""
    owners = {row.account: (row.book, row.owner, row.unit) for row in connection.execute(text("select * from account"))}
    kinds = {row.unit: row.kind for row in connection.execute(text("select unit, kind from unit"))}
    held: dict[tuple[str, str, str], int] = defaultdict(int)
    query = "select source, target, quanta from posting join seal on seal.entry = posting.entry"
    for row in connection.execute(text(query)):
        held[owners[row.source]] -= row.quanta
        held[owners[row.target]] += row.quanta
    for row in connection.execute(text("select book, owner, unit, quanta from balance")):
        added = held[row.book, row.owner, row.unit]
        if row.quanta != added:
            yield f"{row.book}, {row.owner}: {row.unit}: postings add up to {added}, not {row.quanta}"
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
        said, have = stated[book, unit], of_buckets[book, unit]
        if said != have:
            yield f"{book}: {unit}: the broker stated {said} quanta, buckets have {have}"


def _lots(connection: Connection) -> Iterator[str]:
    query = """
        select a.book, a.owner, a.unit, b.quanta,
        (select coalesce(sum(l.quanta), 0) from lot l where l.book = a.book and l.bucket = a.owner and l.unit = a.unit)
        - (select coalesce(sum(u.quanta), 0) from lot_use u join lot l on l.lot = u.lot
           where l.book = a.book and l.bucket = a.owner and l.unit = a.unit) as lots
        from account a join unit on unit.unit = a.unit and unit.kind = 'instrument'
        join balance b on b.account = a.account where a.owner <> :outside
    """
    for row in connection.execute(text(query), {"outside": OUTSIDE}):
        if row.quanta != row.lots:
            yield f"{row.book}, {row.owner}: {row.unit}: open lots of {row.lots} quanta, a position of {row.quanta}"


def _damage(connection: Connection) -> Iterator[str]:
    """Ask SQLite whether its file is whole; PostgreSQL looks after its own."""
    if connection.dialect.name != "sqlite":
        return
    for row in connection.exec_driver_sql("pragma integrity_check"):
        if row[0] != "ok":
            yield f"file: {row[0]}"
    for row in connection.exec_driver_sql("pragma foreign_key_check"):
        yield f"{row[0]}: row {row[1]}: refers to nothing in {row[2]}"
