"""Where a ledger is kept: its tables as declared, migrations that are whole or absent, backups, and what is refused."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from sd_core.buckets.ledger import export, store
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.migrations.versions import first_ledger
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.tables import EVERY
from sd_core.buckets.ledger.triggers import drop_triggers, missing_triggers
from sd_core.buckets.ledger.verification import verify
from sd_core.errors import InputError, NotReadyError

D = Decimal


def test_the_database_has_the_tables_columns_and_triggers_that_are_declared(either: Ledger) -> None:
    either.deposit(D(1))
    with either.store.reading() as connection:
        inspector = sa.inspect(connection)
        found = {
            name: {column["name"] for column in inspector.get_columns(name)} for name in inspector.get_table_names()
        }
        keys = {name: tuple(inspector.get_pk_constraint(name)["constrained_columns"]) for name in found}
        assert missing_triggers(connection) == []
    assert found == {table.name: set(table.columns) for table in EVERY} | {"alembic_version": {"version_num"}}
    assert {table.name: table.key for table in EVERY} == {table.name: keys[table.name] for table in EVERY}


def test_sqlite_waits_for_the_disk_and_checks_types(ledger: Ledger) -> None:
    ledger.deposit(D(1))
    names = ("journal_mode", "synchronous", "foreign_keys")
    with ledger.store.reading() as connection:
        settings = {name: connection.exec_driver_sql(f"pragma {name}").scalar() for name in names}
        tables = [row for row in connection.exec_driver_sql("pragma table_list") if row.type == "table"]
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    loose = {row.name for row in tables if row.schema == "main" and not row.strict}
    assert loose == {"alembic_version", "sqlite_schema"}


def test_the_migrations_are_a_line_that_ends_where_the_code_says() -> None:
    script = store._script()
    assert script.get_heads() == [store.HEAD]
    assert all(not revision.is_branch_point for revision in script.walk_revisions())


def test_a_migration_that_fails_leaves_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a full disk")

    monkeypatch.setattr(store, "create_triggers", fail)
    with pytest.raises(RuntimeError, match="a full disk"):
        ledger.deposit(D(1))
    monkeypatch.undo()
    with pytest.raises(NotReadyError, match="begins one"), ledger.state():
        pass
    assert ledger.deposit(D(1)).entry == 2


def test_a_ledger_of_an_older_release_is_saved_before_it_is_migrated(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.deposit(D(1))
    newer, saved_as = Store("main", tmp_path), f"main-{store.HEAD}.db"
    monkeypatch.setattr(store, "HEAD", "0999")
    renumber = "update alembic_version set version_num = '0999'"
    monkeypatch.setattr(store, "_migrate", lambda connection: connection.exec_driver_sql(renumber))
    with pytest.raises(NotReadyError, match="an older release made it"), newer.reading():
        pass
    assert newer.prepared == tmp_path / "backups" / saved_as
    monkeypatch.undo()
    saved = Store("main_saved", tmp_path / "backups")
    (tmp_path / "backups" / saved_as).rename(saved.file)
    with saved.reading() as connection:
        assert verify(connection).entries == 2


def test_what_accounts_have_is_filled_in_from_what_an_older_release_wrote(
    either: Ledger, fill_in: Callable[[Ledger], None]
) -> None:
    fill_in(either)
    columns = {
        "balance_after": "account, entry, quanta, reserved",
        "held": "book, ref, waits_for",
        "open_order": "client_id",
    }

    def content() -> dict[str, list[tuple[object, ...]]]:
        with either.store.reading() as connection:
            queries = {name: sa.text(f"select {some} from {name} order by {some}") for name, some in columns.items()}
            return {name: [tuple(row) for row in connection.execute(query)] for name, query in queries.items()}

    before = content()
    assert len(before["balance_after"]) == 19
    assert before["held"] == [("live", "early", "KO")]
    assert before["open_order"] == [("withdrawal-19",)]
    with either.store.writing() as connection:
        as_first_released(connection)
    again = replace(either, store=replace(either.store))
    again.note("hunter", "the first command of the release")
    again.store.close()
    assert content() == before
    with either.store.reading() as connection:
        assert verify(connection).findings == []


def as_first_released(connection: sa.Connection) -> None:
    """Take from a database what migrations after the first have added."""
    drop_triggers(connection)
    tables = ("drop view balance", "drop table balance_after", "drop table held", "drop table open_order")
    for statement in (
        *tables,
        *(f"drop table {one}" for one in ("mark_event", "mark_trade", "mark_state")),
        *(f"drop index {one}" for one in INDEXES),
        *(f'alter table "order" drop column {one}' for one in ("time_in_force", "session", "reason")),
        *(f"create view {view}" for view in first_ledger._VIEWS),
    ):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("create index lot_of_position on lot (book, bucket, unit)")
    connection.exec_driver_sql("update alembic_version set version_num = '0001'")


INDEXES = (
    "entry_of_day",
    "mark_of_session",
    "rate_of_currency",
    "order_step_of_entry",
    "lot_of_position",
    "order_of_session",
)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: b"no database" * 500, id="another file"),
        pytest.param(lambda file: file[: len(file) // 2], id="truncated"),
        pytest.param(lambda file: file[:4096] + b"\xff" * 20_000 + file[24_096:], id="overwritten"),
    ],
)
def test_a_damaged_file_is_said_and_left_as_it_is(
    ledger: Ledger, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    ledger.deposit(D(1))
    whole = ledger.store.backup(tmp_path / "damaged")
    whole.write_bytes(damage(whole.read_bytes()))
    damaged, before = replace(ledger, store=Store("damaged", tmp_path)), whole.read_bytes()
    with pytest.raises(NotReadyError, match=r"expected a ledger: docs/ledger\.md says how to restore"), damaged.state():
        pass
    with pytest.raises(NotReadyError, match=r"expected a ledger: docs/ledger\.md says how to restore"):
        damaged.deposit(D(1))
    assert whole.read_bytes() == before


def test_a_ledger_of_a_newer_release_is_left_as_it_is(ledger: Ledger, tmp_path: Path) -> None:
    ledger.deposit(D(1))
    with ledger.store.writing() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '0999'")
    again = replace(ledger, store=Store("main", tmp_path))
    with pytest.raises(NotReadyError, match="a newer release made it: install that release"), again.state():
        pass
    with pytest.raises(NotReadyError, match="a newer release made it: install that release"):
        again.deposit(D(1))
    assert not (tmp_path / "backups").exists()


def test_a_ledger_that_another_program_keeps_says_when_to_come_back(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.deposit(D(1))
    monkeypatch.setattr(store, "PATIENCE", 0)
    again = replace(ledger, store=Store("main", tmp_path))
    with ledger.store.writing(), pytest.raises(NotReadyError, match="locked by another program, for 0 seconds"):
        again.deposit(D(1))


def test_a_backup_holds_what_was_there(either: Ledger, fill_in: Callable[[Ledger], None], tmp_path: Path) -> None:
    fill_in(either)
    written = either.store.backup(tmp_path / "saved")
    assert written.stat().st_size > 10_000
    with pytest.raises(InputError, match="expected a file that does not exist yet"):
        either.store.backup(tmp_path / "saved")
    if either.store.url is None:
        with either.store.reading() as connection:
            digest = verify(connection).digest
        with Store("saved", tmp_path).reading() as connection:
            assert (verify(connection).digest, verify(connection).findings) == (digest, [])
    else:
        assert written.read_bytes()[:5] == b"PGDMP"


def test_another_programs_database_is_left_as_it_is(ledger: Ledger) -> None:
    with sqlite3.connect(ledger.store.file) as other:
        other.execute("create table recipe (name text)")
    other.close()
    before = ledger.store.file.read_bytes()
    found = r"main\.db: expected a ledger, found a database with the tables recipe: move it, or name another ledger"
    with pytest.raises(NotReadyError, match=found), ledger.state():
        pass
    with pytest.raises(NotReadyError, match=found):
        ledger.deposit(D(1))
    assert ledger.store.file.read_bytes() == before


def test_another_programs_schema_is_left_as_it_is(postgresql: str, tmp_path: Path) -> None:
    store = Store("theirs", tmp_path, postgresql)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("create schema theirs")
        connection.exec_driver_sql("create table theirs.alembic_version (version_num text)")
    with pytest.raises(NotReadyError, match="found a database with the tables alembic_version: move it"):
        Ledger(store).deposit(D(1))
    store.close()


def test_an_empty_file_is_no_ledger(ledger: Ledger) -> None:
    ledger.store.file.touch()
    found = "expected a ledger, found an empty file: restore a backup, or remove it to begin a new ledger"
    with pytest.raises(NotReadyError, match=found), ledger.state():
        pass
    with pytest.raises(NotReadyError, match=found):
        ledger.deposit(D(1))
    assert ledger.store.file.stat().st_size == 0


def test_reading_makes_no_schema(postgresql: str, tmp_path: Path) -> None:
    store = Store("nowhere", tmp_path, postgresql)
    with pytest.raises(NotReadyError, match="begins one"), store.reading():
        pass
    with store._engine.connect() as connection:
        assert "nowhere" not in sa.inspect(connection).get_schema_names()
    store.close()


def test_one_reading_sees_one_state(either: Ledger) -> None:
    either.deposit(D(1))
    other = replace(either, store=replace(either.store))
    with either.state() as state:
        assert state.last_entry == 2
        other.deposit(D(1))
        assert state.balance("core", "USD") == 10**4
    other.store.close()
    with either.state() as state:
        assert state.balance("core", "USD") == 2 * 10**4


@pytest.mark.parametrize("name", ["pg_catalog", "pg_mine", "information_schema"])
def test_a_name_of_postgresqls_own_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected a name that PostgreSQL does not keep for itself"):
        Store(name, tmp_path)


def test_a_backup_has_the_ending_of_its_kind(ledger: Ledger, tmp_path: Path) -> None:
    ledger.deposit(D(1))
    with pytest.raises(InputError, match=r"x\.py: expected a name that ends in \.db, or in nothing"):
        ledger.store.backup(tmp_path / "x.py")
    assert ledger.store.backup(tmp_path / "x.db") == tmp_path / "x.db"


@pytest.mark.parametrize("name", ["Main", "1st", "a-b", "", "x" * 41, "../x"])
def test_a_name_that_no_file_or_schema_should_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected small letters, digits and _, at most 40"):
        Store(name, tmp_path)


def test_an_address_of_another_database_is_refused(tmp_path: Path) -> None:
    for url in ("sqlite:///x.db", "nonsense", "mysql://x", "postgresql+psycopg://me@x:port/y"):
        with pytest.raises(InputError, match="SD_LEDGER: expected postgresql"):
            Store("main", tmp_path, url)


def test_a_server_that_does_not_answer_is_said_without_a_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    away = Store("main", tmp_path, f"postgresql+psycopg://me:secret@/x?host={tmp_path}")
    with pytest.raises(NotReadyError, match="ledger main: postgresql") as caught, away.reading():
        pass
    assert "secret" not in str(caught.value)


def test_an_export_has_every_leg_and_balances(either: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(either)
    with either.store.reading() as connection:
        rows = export.as_csv(connection).splitlines()
        legs = connection.execute(sa.text("select count(*) from posting where book = 'live'")).scalar()
        beancount = export.as_beancount(connection)
        with pytest.raises(InputError, match="export: paper:nil: expected one of live, paper:hunter, "):
            export.as_csv(connection, "paper:nil")
    assert len(rows) == legs + 1
    total: dict[str, Decimal] = {}
    for line in beancount.splitlines():
        if line.startswith("  ") and not line.startswith("  entry"):
            _, amount, unit = line.split()
            total[unit] = total.get(unit, D(0)) + D(amount)
    assert total == {"USD": 0, "NVDA": 0}
