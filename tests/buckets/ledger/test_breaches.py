"""Breaches through a raw connection: the database itself refuses each, and nothing of it stays."""

import re
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sd_core.buckets.ledger.draft import Draft
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.tables import EVERY
from sd_core.buckets.ledger.verification import verify

D = Decimal
HASH = "f" * 64
# What each account has after an entry, from its legs and the orders it adds; and no row that is there already.
BALANCES = """
insert into balance_after (account, entry, quanta, reserved)
select a.account, {entry}, a.quanta + sum(moved.quanta), a.reserved + sum(moved.reserved) from (
    select target as account, quanta, 0 as reserved from posting where entry = {entry}
    union all
    select source, -quanta, 0 from posting where entry = {entry}
    union all
    select r.account, 0, s.reserved - coalesce((
        select l.reserved from order_step l where l.client_id = s.client_id and l.step = s.step - 1
    ), 0) from order_step s join "order" o on o.client_id = s.client_id
    join account r on r.book = o.book and r.owner = o.bucket and r.unit = o.reserved_unit where s.entry = {entry}
) moved join balance a on a.account = moved.account
where not exists (select 1 from balance_after s where s.account = a.account and s.entry = {entry})
group by a.account, a.quanta, a.reserved
"""


class Forger:
    """Writes SQL past the program: numbers and accounts are looked up, statements are made by hand."""

    def __init__(self, ledger: Ledger) -> None:
        with ledger.store.reading() as connection:
            self.next = connection.execute(sa.text("select max(number) + 1 from entry")).scalar()
            rows = connection.execute(sa.text("select book, owner, unit, account from account"))
            self.accounts = {(row.book, row.owner, row.unit): row.account for row in rows}
            kinds = connection.execute(sa.text("select kind, max(number) as number from entry group by kind"))
            self.last = {row.kind: row.number for row in kinds}
            balances = connection.execute(sa.text("select account, quanta from balance"))
            self.balances = {row.account: row.quanta for row in balances}
            self.request = connection.execute(
                sa.text("select client_id from \"order\" where side = 'withdraw'")
            ).scalar()

    def account(self, owner: str, unit: str = "USD", book: str = "live") -> int:
        return self.accounts[book, owner, unit]

    def balance(self, owner: str, unit: str = "USD") -> int:
        return self.balances[self.account(owner, unit)]

    def held(self, ref: str) -> str:
        return f"insert into held (book, waits_for, ref, reason) values ('live', 'NVDA', '{ref}', 'forged')"

    def entry(self, kind: str, *, number: int | None = None, actor: str = "person", **more: Any) -> str:
        row = {"book": "live", "key": f"forged-{kind}-{number}", "activity": None, "reverses": None} | more
        shown = {name: "null" if value is None else f"'{value}'" for name, value in row.items()}
        shown["reverses"] = "null" if row["reverses"] is None else str(row["reverses"])
        return (
            "insert into entry (number, book, key, request, kind, effective, recorded_at, actor, activity, reverses)"
            f" values ({number or self.next}, {shown['book']}, {shown['key']}, '{HASH}', '{kind}',"
            f" '2026-03-02', '2026-03-02', '{actor}', {shown['activity']}, {shown['reverses']})"
        )

    def leg(
        self, source: int, target: int, quanta: object, unit: str = "USD", *, leg: int = 1, book: str = "live"
    ) -> str:
        return (
            "insert into posting (entry, leg, book, source, target, unit, quanta, cause) values"
            f" ({self.next}, {leg}, '{book}', {source}, {target}, '{unit}', {quanta}, 'forged')"
        )

    def seal(self, legs: int, entry: int | None = None) -> str:
        """Seal an entry, after writing what each account has after it as it should be."""
        return f"{BALANCES.format(entry=entry or self.next)};\n{self.seal_alone(legs, entry)}"

    def seal_alone(self, legs: int, entry: int | None = None) -> str:
        return f"insert into seal (entry, legs, digest) values ({entry or self.next}, {legs}, '{'e' * 64}')"

    def activity(self, *legs: tuple[str, int], ref: str = "forged") -> list[str]:
        columns = "(book, ref, kind, at, effective, raw)"
        return [
            f"insert into activity {columns} values ('live', '{ref}', 'fill', '2026-03-02', '2026-03-02', '{{}}')",
            *(
                f"insert into activity_leg (book, ref, unit, quanta) values ('live', '{ref}', '{unit}', {quanta})"
                for unit, quanta in legs
            ),
        ]

    def transfer(self, *legs: str, kind: str = "transfer") -> list[str]:
        moves = [statement for statement in legs if statement.startswith("insert into posting")]
        return [self.entry(kind), *legs, self.seal(len(moves))]

    def fact(self, *legs: str, states: list[tuple[str, int]], rows: tuple[str, ...] = ()) -> list[str]:
        return [*self.activity(*states), self.entry("fill", activity="forged"), *legs, *rows, self.seal(len(legs))]

    def has(self, owner: str, quanta: int, reserved: int = 0, *, entry: int | None = None) -> str:
        """Write what an account has after an entry, as if it had nothing before."""
        return (
            "insert into balance_after (account, entry, quanta, reserved) values"
            f" ({self.account(owner)}, {entry or self.next}, {quanta}, {reserved})"
        )

    def order(self, reserved: int, *, unit: str = "USD") -> list[str]:
        return [
            (
                'insert into "order" (client_id, entry, book, bucket, unit, side, type, quanta, reserved_unit,'
                f" reserved) values ('o-1', {self.next}, 'live', 'eddy', 'KO', 'buy', '', 1, '{unit}', {reserved})"
            ),
            self.step("o-1", 1, reserved),
        ]

    def step(self, order: str, step: int, reserved: int) -> str:
        return (
            "insert into order_step (client_id, step, entry, status, filled, reserved) values"
            f" ('{order}', {step}, {self.next}, 'open', 0, {reserved})"
        )

    def setting(self, statement: str, *, actor: str = "person", kind: str = "set") -> list[str]:
        return [self.entry(kind, actor=actor), statement, self.seal(0)]


Breach = Callable[[Forger], list[str]]
# What the database says, by the first words of it, and of which breaches.
REASONS = {
    "posting: expected two accounts": [
        "a leg from an account to itself",
        "a leg to an account that is not there",
        "a leg to an account of another unit",
        "a leg to an account of another book",
        "a leg in another book than its entry",
    ],
    "account: expected": ["an account of an owner that is not there"],
    "seal: not all legs": [
        "a seal that counts a leg too many",
        "legs with a gap",
        "a transfer without legs",
        "a setting with legs",
    ],
    "seal: expected an entry without": ["a second seal", "a seal without an entry", "a seal replaced"],
    "posting: expected an entry without": ["a leg after the seal", "a leg replaced"],
    "setting: expected an entry without": ["a setting of a sealed entry"],
    "entry: the one before|entry: expected the number": [
        "an entry without a seal",
        "a number left out",
        "a number used before",
    ],
    "seal: what crosses the border": [
        "money from nowhere",
        "more than the broker states",
        "a unit that the broker states and no leg moves",
    ],
    "entry: expected an activity": ["a statement booked twice"],
    "activity_leg: its activity is booked": ["a leg added to a statement that is booked"],
    "seal: an account that is drawn on": [
        "a transfer beyond the balance",
        "a transfer of what is reserved",
        "an order that reserves what is not there",
        "a request that reserves more than before",
    ],
    "seal: a position would": [
        "a position below 0",
        "shares without a lot",
        "a lot without shares",
        "a lot used beyond its size",
    ],
    "rows are never changed|rows of a sealed entry stay": [
        "a statement changed",
        "a statement removed",
        "an entry changed",
        "an entry removed",
        "a leg changed",
        "a leg removed",
        "a seal changed",
        "a seal removed",
        "a lot's cost changed",
        "a setting changed",
        "a balance changed",
        "a balance removed",
        "a held activity changed",
        "an open order changed",
        "a leg replaced while it is changed",
    ],
    "universe: only a person": ["an instrument given to the core by a rule"],
    "universe: expected": ["an instrument given to a retired bucket", "a currency as an instrument"],
    "state: expected a satellite": ["a status of the core", "a retired bucket back in use"],
    "seal: a retired bucket": ["money for a retired bucket"],
    "entry: expected to reverse": [
        "a second reversal",
        "a statement reversed by hand",
        "an entry of another book reversed",
    ],
    "activity: stored before": ["an activity replaced"],
    "seal: expected for each account": [
        "a balance that its legs do not come to",
        "a balance left out",
        "a balance of an account that nothing moves",
        "a reservation forgotten",
    ],
    "balance_after: expected an entry without": ["a balance of a sealed entry", "a balance replaced"],
    "order_step: expected the step": ["a step left out", "a step of an order that is not there"],
    "order_step: expected an account": ["an order that reserves from an account that is not there"],
    "held: expected": [
        "an activity held that is booked",
        "an activity held that is not there",
        "a held activity forgotten",
    ],
    "open_order: expected": ["an open order forgotten", "an order open that is not there"],
    "constraint": [
        "a leg of nothing",
        "a negative leg",
        "a key used before",
        "a statement of nothing",
        "a second core",
        "a bucket called outside",
        "a bucket with other letters",
    ],
    "INTEGER|bigint": ["a leg of text"],
}
REASON = {name: reason for reason, names in REASONS.items() for name in names}

BREACHES: dict[str, Breach] = {
    # Legs
    "a leg from an account to itself": lambda f: f.transfer(f.leg(f.account("core"), f.account("core"), 10)),
    "a leg of nothing": lambda f: f.transfer(f.leg(f.account("core"), f.account("hunter"), 0)),
    "a negative leg": lambda f: f.transfer(f.leg(f.account("core"), f.account("hunter"), -10)),
    "a leg of text": lambda f: f.transfer(f.leg(f.account("core"), f.account("hunter"), "'ten'")),
    "a leg to an account that is not there": lambda f: f.transfer(f.leg(f.account("core"), 999, 10)),
    "a leg to an account of another unit": lambda f: f.transfer(
        f.leg(f.account("core"), f.account("hunter", "NVDA"), 10)
    ),
    "a leg to an account of another book": lambda f: f.transfer(
        f.leg(f.account("core"), f.account("hunter", book="paper:hunter"), 10)
    ),
    "a leg in another book than its entry": lambda f: f.transfer(
        f.leg(
            f.account("outside", book="paper:hunter"), f.account("hunter", book="paper:hunter"), 10, book="paper:hunter"
        )
    ),
    "an account of an owner that is not there": lambda f: f.setting(
        f"insert into account (account, entry, book, owner, unit) values (999, {f.next}, 'live', 'nil', 'USD')"
    ),
    # Seals
    "an entry without a seal": lambda f: [f.entry("set"), f.entry("set", number=f.next + 1), f.seal(0, f.next + 1)],
    "a seal that counts a leg too many": lambda f: [
        f.entry("transfer"),
        f.leg(f.account("core"), f.account("hunter"), 10),
        f.seal(2),
    ],
    "legs with a gap": lambda f: [
        f.entry("transfer"),
        f.leg(f.account("core"), f.account("hunter"), 10, leg=2),
        f.seal(1),
    ],
    "a transfer without legs": lambda f: [f.entry("transfer"), f.seal(0)],
    "a setting with legs": lambda f: f.transfer(f.leg(f.account("core"), f.account("hunter"), 10), kind="set"),
    "a second seal": lambda f: [f.seal(0, 1)],
    "a seal without an entry": lambda f: [f.seal(0, 999)],
    "a leg after the seal": lambda f: [
        *f.transfer(f.leg(f.account("core"), f.account("hunter"), 10)),
        f.leg(f.account("core"), f.account("hunter"), 10, leg=2),
    ],
    "a setting of a sealed entry": lambda f: [
        "insert into setting (subject, name, entry, value) values ('hunter', 'target', 1, '1')"
    ],
    # Numbers and keys
    "a number left out": lambda f: [f.entry("set", number=f.next + 1), f.seal(0, f.next + 1)],
    "a number used before": lambda f: [f.entry("set", number=1), f.seal(0, 1)],
    "a key used before": lambda f: [f.entry("set", key="move"), f.seal(0)],
    # What the broker states
    "money from nowhere": lambda f: f.transfer(f.leg(f.account("outside"), f.account("core"), 10)),
    "more than the broker states": lambda f: f.fact(
        f.leg(f.account("outside"), f.account("core"), 11), states=[("USD", 10)]
    ),
    "a unit that the broker states and no leg moves": lambda f: f.fact(
        f.leg(f.account("outside"), f.account("core"), 10), states=[("USD", 10), ("NVDA", 5)]
    ),
    "a statement booked twice": lambda f: [
        f.entry("fill", activity="buy-1"),
        f.leg(f.account("outside"), f.account("hunter", "NVDA"), 2 * 10**9, "NVDA"),
        f.seal(1),
    ],
    "a leg added to a statement that is booked": lambda f: [
        "insert into activity_leg (book, ref, unit, quanta) values ('live', 'buy-1', 'KO', 5)"
    ],
    "a statement of nothing": lambda f: f.activity(("USD", 0)),
    "a statement changed": lambda f: ["update activity_leg set quanta = 7 where ref = 'buy-1' and unit = 'USD'"],
    "a statement removed": lambda f: ["delete from activity_leg where ref = 'buy-1'"],
    # Money and shares that are not there
    "a transfer beyond the balance": lambda f: f.transfer(f.leg(f.account("hunter"), f.account("core"), 10**9)),
    "a transfer of what is reserved": lambda f: f.transfer(
        f.leg(f.account("core"), f.account("hunter"), 8_950 * 10**4)
    ),
    "an order that reserves what is not there": lambda f: [f.entry("order"), *f.order(10), f.seal(0)],
    "an order that reserves from an account that is not there": lambda f: [
        f.entry("order"),
        *f.order(10, unit="NVDA"),
        f.seal(0),
    ],
    "a request that reserves more than before": lambda f: [
        f.entry("order_step"),
        f.step(f.request, 2, 10**10),
        f.seal(0),
    ],
    "a step left out": lambda f: [f.entry("order_step"), f.step(f.request, 3, 0), f.seal(0)],
    "a step of an order that is not there": lambda f: [f.entry("order_step"), f.step("nil", 1, 0), f.seal(0)],
    # What accounts have after an entry
    "a balance that its legs do not come to": lambda f: f.transfer(
        f.leg(f.account("core"), f.account("hunter"), 10), f.has("hunter", 10)
    ),
    "a balance left out": lambda f: [
        f.entry("transfer"),
        f.leg(f.account("core"), f.account("hunter"), 10),
        f.seal_alone(1),
    ],
    "a balance of an account that nothing moves": lambda f: f.transfer(
        f.leg(f.account("core"), f.account("hunter"), 10), f.has("eddy", 10)
    ),
    "a reservation forgotten": lambda f: f.transfer(
        f.leg(f.account("core"), f.account("hunter"), 10), f.has("core", f.balance("core") - 10)
    ),
    "a balance of a sealed entry": lambda f: [f.has("eddy", 10, entry=2)],
    "a balance changed": lambda f: ["update balance_after set quanta = quanta + 1"],
    "a balance removed": lambda f: ["delete from balance_after where entry = 2"],
    # What is held
    "an activity held that is booked": lambda f: [f.held("buy-1")],
    "an activity held that is not there": lambda f: [f.held("nil")],
    "a held activity changed": lambda f: ["update held set waits_for = 'USD'"],
    "a held activity forgotten": lambda f: ["delete from held"],
    # Which orders are open
    "an open order forgotten": lambda f: ["delete from open_order"],
    "an open order changed": lambda f: ["update open_order set client_id = client_id"],
    "an order open that is not there": lambda f: ["insert into open_order (client_id) values ('nil')"],
    "a position below 0": lambda f: f.fact(
        f.leg(f.account("hunter", "NVDA"), f.account("outside", "NVDA"), 3 * 10**9, "NVDA"),
        states=[("NVDA", -3 * 10**9)],
    ),
    "shares without a lot": lambda f: f.fact(
        f.leg(f.account("outside", "NVDA"), f.account("hunter", "NVDA"), 10, "NVDA"), states=[("NVDA", 10)]
    ),
    "a lot without shares": lambda f: f.setting(
        "insert into lot (lot, entry, book, bucket, unit, opened, quanta, cost) values"
        f" (99, {f.next}, 'live', 'hunter', 'NVDA', '2026-03-02', 10, 1)"
    ),
    "a lot used beyond its size": lambda f: f.setting(
        f"insert into lot_use (lot, entry, quanta, cost) values (1, {f.next}, {3 * 10**9}, 1)"
    ),
    # What stays
    "an entry changed": lambda f: ["update entry set note = 'other' where number = 2"],
    "an entry removed": lambda f: ["delete from entry where number = 2"],
    "a leg changed": lambda f: ["update posting set quanta = quanta + 1"],
    "a leg removed": lambda f: ["delete from posting"],
    "a seal changed": lambda f: [f"update seal set digest = '{HASH}' where entry = 2"],
    "a seal removed": lambda f: ["delete from seal where entry = 2"],
    "a lot's cost changed": lambda f: ["update lot set cost = 1"],
    "a setting changed": lambda f: ["update setting set value = '1'"],
    # Buckets
    "a second core": lambda f: f.setting(
        f"insert into bucket (bucket, entry, kind, name) values ('core2', {f.next}, 'core', 'Core')"
    ),
    "a bucket called outside": lambda f: f.setting(
        f"insert into bucket (bucket, entry, kind, name) values ('outside', {f.next}, 'satellite', 'Outside')"
    ),
    "a bucket with other letters": lambda f: f.setting(
        f"insert into bucket (bucket, entry, kind, name) values ('Hunter!', {f.next}, 'satellite', 'Hunter')"
    ),
    "an instrument given to the core by a rule": lambda f: f.setting(
        f"insert into universe (subject, entry, owner) values ('NVDA', {f.next}, 'core')", actor="rule", kind="assign"
    ),
    "an instrument given to a retired bucket": lambda f: f.setting(
        f"insert into universe (subject, entry, owner) values ('NVDA', {f.next}, 'gone')", kind="assign"
    ),
    "a currency as an instrument": lambda f: f.setting(
        f"insert into universe (subject, entry, owner) values ('USD', {f.next}, 'hunter')", kind="assign"
    ),
    "a status of the core": lambda f: f.setting(
        f"insert into state (subject, entry, status) values ('core', {f.next}, 'paused')", kind="pause"
    ),
    "a retired bucket back in use": lambda f: f.setting(
        f"insert into state (subject, entry, status) values ('gone', {f.next}, 'active')", kind="resume"
    ),
    "money for a retired bucket": lambda f: [
        f.entry("transfer"),
        f"insert into account (account, entry, book, owner, unit) values (999, {f.next}, 'live', 'gone', 'USD')",
        f.leg(f.account("core"), 999, 10),
        f.seal(1),
    ],
    # Reversals
    "a second reversal": lambda f: [f.entry("reversal", reverses=f.last["reversal"] - 1), f.seal(0)],
    "a statement reversed by hand": lambda f: [f.entry("reversal", reverses=f.last["fill"]), f.seal(0)],
    "an entry of another book reversed": lambda f: [
        f.entry("reversal", book="paper:hunter", reverses=f.last["transfer"]),
        f.seal(0),
    ],
}

# What is written in another way in SQLite alone.
REPLACING = {
    "a balance replaced": lambda f: [
        "insert or replace into balance_after select account, entry, 7, 0 from balance_after"
    ],
    "a leg replaced": lambda f: [
        (
            "insert or replace into posting (entry, leg, book, source, target, unit, quanta, cause)"
            " select entry, leg, book, source, target, unit, quanta + 1, cause from posting where entry = 2"
        )
    ],
    "a seal replaced": lambda f: [f"insert or replace into seal (entry, legs, digest) values (2, 1, '{HASH}')"],
    "a leg replaced while it is changed": lambda f: ["update or replace posting set quanta = quanta + 1"],
    "an activity replaced": lambda f: [
        (
            "insert or replace into activity (book, ref, kind, at, effective, raw)"
            " values ('live', 'buy-1', 'fx', '', '', '')"
        )
    ],
}


def content(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of a ledger."""
    with ledger.store.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table.clause))), key=repr) for table in EVERY
        }


def run_raw(ledger: Ledger, statements: list[str], *, foreign_keys: bool = True) -> None:
    """Run statements in one transaction of a connection that the program does not know."""
    if ledger.store.url is None:
        connection = sqlite3.connect(ledger.store.file)
        connection.execute(f"pragma foreign_keys = {'on' if foreign_keys else 'off'}")
    else:
        import psycopg

        address = sa.make_url(ledger.store.url)
        connection = psycopg.connect(host=address.query["host"], user=address.username, dbname=address.database)
        connection.execute(f'set search_path to "{ledger.store.name}"')
    try:
        for statement in ";\n".join(statements).split(";\n"):
            connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def refuse(ledger: Ledger, breach: Breach, reason: str, **how: bool) -> None:
    before = content(ledger)
    with pytest.raises(Exception, match=reason) as caught:
        run_raw(ledger, breach(Forger(ledger)), **how)
    assert type(caught.value).__module__.split(".")[0] in {"sqlite3", "psycopg"}, caught.value
    assert content(ledger) == before
    with ledger.store.reading() as connection:
        assert verify(connection).findings == []


def test_each_breach_is_refused_by_the_database(either: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(either)
    for name, breach in BREACHES.items():
        refuse(either, breach, REASON[name])
    assert len(BREACHES) >= 65


def test_each_breach_is_refused_with_foreign_keys_off(ledger: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(ledger)
    for name, breach in (BREACHES | REPLACING).items():
        refuse(ledger, breach, REASON[name], foreign_keys=False)


def test_what_is_not_a_breach_is_taken(either: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    """The forger's SQL is refused for what is wrong with it, not for how it is written."""
    fill_in(either)
    forger = Forger(either)
    run_raw(either, forger.transfer(forger.leg(forger.account("core"), forger.account("hunter"), 10)))
    with either.state() as state:
        assert state.balance("hunter", "USD") == (1000 - 401) * 10**4 + 10
    # What it cannot forge is the digest.
    with either.store.reading() as connection:
        assert verify(connection).findings == [f"entry {forger.next}: its rows are not those that were sealed"]


def test_an_unsealed_entry_is_refused_at_commit(either: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(either)
    legs = lambda f: [f.entry("transfer"), f.leg(f.account("core"), f.account("hunter"), 10)]  # noqa: E731
    refuse(either, legs, "FOREIGN KEY|foreign key")


def test_without_foreign_keys_an_unsealed_entry_counts_for_nothing_and_blocks(
    ledger: Ledger, fill_in: Callable[[Ledger], None]
) -> None:
    fill_in(ledger)
    forger = Forger(ledger)
    statements = [forger.entry("transfer"), forger.leg(forger.account("core"), forger.account("hunter"), 10)]
    with ledger.state() as state:
        before = state.balances
    run_raw(ledger, statements, foreign_keys=False)
    with ledger.state() as state:
        assert state.balances == before
    with pytest.raises(sa.exc.IntegrityError):
        ledger.note("hunter", "next")
    with ledger.store.reading() as connection:
        findings = verify(connection).findings
    assert f"entry {forger.next}: has no seal, so it counts for nothing and blocks what follows" in findings
    # It was never sealed, so it may be removed.
    run_raw(ledger, ["delete from posting where cause = 'forged'", f"delete from entry where number = {forger.next}"])
    assert ledger.note("hunter", "next").entry == forger.next


def test_postgresql_empties_no_table(postgresql: str, tmp_path: Path, fill_in: Callable[[Ledger], None]) -> None:
    ledger = Ledger(Store("truncated", tmp_path, postgresql))
    fill_in(ledger)
    for table in EVERY:
        refuse(ledger, lambda _, name=table.name: [f'truncate "{name}" cascade'], "rows are never removed")
    ledger.store.close()


def test_a_trigger_that_was_removed_is_found(ledger: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(ledger)
    run_raw(ledger, ["drop trigger posting_is_never_changed", "update posting set quanta = 10000 where entry = 2"])
    with ledger.store.reading() as connection:
        findings = verify(connection).findings
    assert findings[0] == "trigger posting_is_never_changed: missing, switched off or changed"
    assert "entry 2: its rows are not those that were sealed" in findings
    assert any(finding.startswith("live: USD: the broker stated") for finding in findings)


def test_a_balance_that_was_written_over_is_found(ledger: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(ledger)
    change = "update balance_after set quanta = 7 where entry = 2"
    run_raw(ledger, ["drop trigger balance_after_is_never_changed", change])
    with ledger.store.reading() as connection:
        findings = verify(connection).findings
    # Entry 2 is the deposit of 10,000.00.
    assert "live, core: USD: rows up to entry 2 add up to 100000000 quanta, 0 reserved, not 7 quanta, 0 reserved" in (
        findings
    )


def test_an_activity_that_nothing_would_ever_book_is_found(ledger: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(ledger)
    run_raw(ledger, Forger(ledger).activity(("USD", 10)))
    with ledger.store.reading() as connection:
        assert verify(connection).findings == ["live: activity forged: neither booked nor held"]


def test_an_order_that_no_one_would_look_after_is_found(ledger: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(ledger)
    forger = Forger(ledger)
    run_raw(ledger, [forger.entry("order"), *forger.order(0), forger.seal(0)])
    with ledger.store.reading() as connection:
        findings = verify(connection).findings
    assert any(re.fullmatch(r"order \S+: open, and not among those that are open", one) for one in findings)


def test_what_the_seal_refuses_is_raised_alike_in_both_databases(
    either: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    either.deposit(D(1))
    monkeypatch.setattr(Draft, "_balances_after", lambda _: [])
    with pytest.raises(sa.exc.DBAPIError, match="expected for each account touched"):
        either.deposit(D(2))
    monkeypatch.undo()
    assert either.deposit(D(2)).entry == 3
