"""One entry while it is written: its rows, its legs and lots, and the seal that closes it.

What an operation means belongs in ``facts`` and the modules beside it. Nothing is written before :meth:`Draft.seal`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection

from sd_core.buckets.ledger.quanta import Unit, currency, shares
from sd_core.buckets.ledger.state import OpenLot, State
from sd_core.buckets.ledger.tables import (
    ACTIVITY,
    ACTIVITY_LEG,
    BALANCE_AFTER,
    HELD,
    OPEN,
    OPEN_ORDER,
    ROWS,
    SEAL,
    sent_together,
)

Row = dict[str, Any]


class HeldError(Exception):
    """A fact that cannot be booked yet: it would make a position negative."""


@dataclass(frozen=True)
class Head:
    """What an entry says of itself.

    Attributes:
        key: the idempotency key; None: the entry's number makes one.
        request: SHA-256 of what was asked for.
        actor: person, rule or broker.
        effective: the date from which it counts.
        recorded_at: the moment of writing, UTC.
    """

    book: str
    kind: str
    key: str
    request: str
    actor: Literal["person", "rule", "broker"]
    effective: str
    recorded_at: str
    activity: str | None = None
    reverses: int | None = None
    note: str | None = None


@dataclass
class Draft:
    """An entry to be written: rows per table, in the order in which they were added."""

    connection: Connection
    head: Head
    state: State
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the next number."""
        self.number = self.state.last_entry + 1
        self._new_accounts: dict[tuple[str, str], int] = {}
        self._new_lots = 0
        self.legs: list[tuple[str, str, str, int]] = []
        head = {name: value for name, value in vars(self.head).items() if value is not None}
        self.rows["entry"] = [{"number": self.number, **head}]

    def add(self, table: str, **row: Any) -> None:
        """Add one row; the entry's number is filled in."""
        self.rows.setdefault(table, []).append({"entry": self.number, **row})

    def introduce(self, unit: Unit) -> Unit:
        """Return a unit that the ledger knows, after adding it where it does not."""
        if unit.quote_currency is not None:
            self.introduce(currency(unit.quote_currency))
        known = self.state.units.get(unit.unit)
        if known is None:
            self.add("unit", **vars(unit))
            self.state.units[unit.unit] = known = unit
        return known

    def account(self, owner: str, unit: str) -> int:
        """Return the account of an owner in a unit, after adding it where there is none."""
        found = self.state.account(owner, unit) or self._new_accounts.get((owner, unit))
        if found is None:
            found = self.state.last_account + len(self._new_accounts) + 1
            self._new_accounts[owner, unit] = found
            self.add("account", account=found, book=self.head.book, owner=owner, unit=unit)
        return found

    def post(self, source: str, target: str, unit: str, quanta: int, cause: str) -> None:
        """Add a leg from one owner to another; a negative one runs the other way, and none is added for 0."""
        if quanta < 0:
            source, target, quanta = target, source, -quanta
        if quanta:
            self.legs.append((source, target, unit, quanta))
            self.add(
                "posting",
                leg=len(self.legs),
                book=self.head.book,
                source=self.account(source, unit),
                target=self.account(target, unit),
                unit=unit,
                quanta=quanta,
                cause=cause,
            )

    def open_lot(self, bucket: str, unit: str, opened: str, quanta: int, cost: int, parent: int | None = None) -> None:
        """Add a lot of a bucket, which the posting of its shares must match."""
        self._new_lots += 1
        row = {"parent": parent} if parent is not None else {}
        self.add(
            "lot",
            lot=self.state.last_lot + self._new_lots,
            book=self.head.book,
            bucket=bucket,
            unit=unit,
            opened=opened,
            quanta=quanta,
            cost=cost,
            **row,
        )

    def use_lots(
        self, bucket: str, unit: str, quanta: int, proceeds: int | None, *, newest_first: bool = False
    ) -> list[OpenLot]:
        """Take shares from a bucket's lots, the oldest first, and return what was taken with its part of the cost.

        Args:
            quanta: how many.
            proceeds: their proceeds, divided in proportion; None where they only move.
            newest_first: whether the newest lots are used first.

        Raises:
            HeldError: the bucket has fewer.
        """
        taken: list[OpenLot] = []
        left = quanta
        lots = self.state.lots(bucket, unit)
        for lot in reversed(lots) if newest_first else lots:
            if left:
                taken.append(lot.part(min(lot.quanta, left)))
                left -= taken[-1].quanta
        if left:
            of = self.state.units[unit]
            raise HeldError(f"{bucket} has {of.number(quanta - left)} of {of.shown(quanta)}")
        parts = [None] * len(taken) if proceeds is None else shares(proceeds, [lot.quanta for lot in taken])
        for lot, part in zip(taken, parts, strict=True):
            row = {} if part is None else {"proceeds": part}
            self.add("lot_use", lot=lot.lot, quanta=lot.quanta, cost=lot.cost, **row)
        return taken

    def event(self, subject: str, numbers: Mapping[str, Any], text: str) -> None:
        """Say in one event what the entry does."""
        self.add("event", subject=subject, kind=self.head.kind, numbers=canonical(numbers), text=text)

    def seal(self, activity: Mapping[str, list[Row]] | None = None) -> str:
        """Write the rows and the seal; return the digest.

        Args:
            activity: the rows of the activity that the entry books, by table.
        """
        balances = self._balances_after()
        digest = digest_of(self.state.last_digest, {**self.rows, **(activity or {})})
        seal = {"entry": self.number, "legs": len(self.legs), "digest": digest}
        with sent_together(self.connection):
            for table in ROWS:
                if rows := self.rows.get(table.name):
                    table.add(self.connection, rows)
            if balances:
                BALANCE_AFTER.add(self.connection, balances)
            self._note_open_orders()
            if self.head.activity is not None:
                HELD.remove(self.connection, book=self.head.book, ref=self.head.activity)
            SEAL.add(self.connection, [seal])
        return digest

    def _note_open_orders(self) -> None:
        """Add orders that are open from now on, and remove those that are done."""
        placed = {row["client_id"] for row in self.rows.get("order", [])}
        last = {row["client_id"]: row["status"] for row in self.rows.get("order_step", [])}
        if opened := sorted(one for one in placed if last[one] in OPEN):
            OPEN_ORDER.add(self.connection, [{"client_id": one} for one in opened])
        for one in sorted(one for one, status in last.items() if status not in OPEN and one not in placed):
            OPEN_ORDER.remove(self.connection, client_id=one)

    def _balances_after(self) -> list[Row]:
        """Return what each account that the entry touches has after it."""
        quanta: Counter[tuple[str, str]] = Counter()
        reserved: Counter[tuple[str, str]] = Counter()
        for source, target, unit, moved in self.legs:
            quanta[source, unit] -= moved
            quanta[target, unit] += moved
        steps: dict[str, int] = {}
        placed = {row["client_id"]: row for row in self.rows.get("order", [])}
        for step in self.rows.get("order_step", []):
            client_id = step["client_id"]
            if (order := placed.get(client_id)) is not None:
                key, before = (order["bucket"], order["reserved_unit"]), 0
            else:
                found = self.state.order(client_id)
                key, before = (found.bucket, found.reserved_unit), found.left
            reserved[key] += step["reserved"] - steps.get(client_id, before)
            steps[client_id] = step["reserved"]
        return [
            {
                "account": account,
                "entry": self.number,
                "quanta": self.state.balance(*key) + quanta[key],
                "reserved": self.state.reserved(*key) + reserved[key],
            }
            for key in sorted({*quanta, *reserved})
            if (account := self.state.account(*key) or self._new_accounts.get(key)) is not None
        ]

    @property
    def adds(self) -> set[str]:
        """What held activities may wait for: instruments that the entry moves or orders, and the activity it books."""
        moved = {unit for _, _, unit, _ in self.legs if self.state.units[unit].kind == "instrument"}
        moved |= {row["unit"] for row in self.rows.get("order", [])}
        return moved | ({self.head.activity} if self.head.activity else set())


def canonical(content: Any) -> str:
    """Return JSON in its one form: keys in order, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def request_of(operation: str, book: str, arguments: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what was asked for."""
    return hashlib.sha256(canonical([operation, book, arguments]).encode()).hexdigest()


def digest_of(previous: str, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> str:
    """Return SHA-256(previous digest, canonical JSON of an entry's rows): by table, by key, without what is NULL."""
    keys = {table.name: table.key for table in (*ROWS, ACTIVITY, ACTIVITY_LEG)}
    content = {
        name: sorted(
            ({column: value for column, value in row.items() if value is not None} for row in of_table),
            key=lambda row, key=keys[name]: [row[column] for column in key],  # type: ignore[misc]
        )
        for name, of_table in rows.items()
    }
    content = {name: of_table for name, of_table in content.items() if of_table}
    return hashlib.sha256((previous + canonical(content)).encode()).hexdigest()
