"""Where a ledger is kept: a SQLite file, or a schema of a PostgreSQL database; its migrations and its backups.

A transaction that writes begins by queueing: ``BEGIN IMMEDIATE`` in SQLite, an advisory lock in PostgreSQL. What is
written belongs in ``draft``.
"""

import contextlib
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event

from sd_core.buckets.ledger.tables import SEAL
from sd_core.buckets.ledger.triggers import create_triggers, drop_triggers
from sd_core.errors import InputError, NotReadyError
from sd_core.locks import locked

# How long a writer of SQLite waits for others, in milliseconds.
PATIENCE = 30_000
# The newest migration: named here, so that a command need not look through their folder.
HEAD = "0005"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
POSTGRESQL = "postgresql+psycopg"
# Tables of a database that is no ledger, in words.
MOST_NAMED = 5


class AbsentError(NotReadyError):
    """There is no ledger yet."""


@dataclass(frozen=True)
class Store:
    """One ledger's database.

    Attributes:
        name: the ledger's, ``[a-z][a-z0-9_]{0,39}``: the file's, or the schema's.
        folder: where SQLite files and backups lie.
        url: a PostgreSQL database; None: SQLite.
    """

    name: str
    folder: Path
    url: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name or an address that cannot be.

        Raises:
            InputError: the name has other letters, or the address is no PostgreSQL's.
        """
        if not NAME.fullmatch(self.name):
            raise InputError(f"ledger: {self.name!r}: expected small letters, digits and _, at most 40")
        if self.name.startswith("pg_") or self.name == "information_schema":
            raise InputError(f"ledger: {self.name!r}: expected a name that PostgreSQL does not keep for itself")
        if self.url is not None and not _is_address(self.url):
            raise InputError(f"SD_LEDGER: expected {POSTGRESQL}://USER:PASSWORD@HOST:PORT/DATABASE")

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.folder / f"{self.name}.db"

    @property
    def place(self) -> str:
        """Where the ledger is, in words, without a password."""
        return f"{sa.make_url(self.url)!r}, schema {self.name}" if self.url else str(self.file)

    @cached_property
    def _engine(self) -> Engine:
        return _sqlite(self.file) if self.url is None else _postgresql(self.url, self.name)

    @contextlib.contextmanager
    def writing(self, *, keep: bool = True) -> Iterator[Connection]:
        """Open a transaction that writes, after every other writer; it commits at the end, or leaves nothing.

        Args:
            keep: whether to commit.
        """
        with self._answering(), self._engine.connect() as connection, connection.begin() as transaction:
            yield connection
            if not keep:
                transaction.rollback()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads one state, and does not wait for writers.

        Raises:
            AbsentError: there is no such ledger.
            NotReadyError: another release made it, or it cannot be read.
        """
        if not self._is_there():
            raise self._absent()
        with self._answering(), self._engine.connect().execution_options(**_READING) as connection:
            if (revision := self._revision(connection)) != HEAD:
                raise self._absent() if revision is None else self._of_another_release(revision)
            yield connection

    def has_begun(self, connection: Connection) -> bool:
        """Return whether the ledger has an entry; once it has, it is not asked again."""
        begun = self.__dict__
        if not begun.get("_has_begun"):
            begun["_has_begun"] = connection.execute(sa.text("select 1 from entry limit 1")).scalar() is not None
        return bool(begun["_has_begun"])

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Say in our words that a database does not answer, is damaged or is none, or that others keep it locked.

        Raises:
            NotReadyError: it does not.
        """
        try:
            yield
        except sa.exc.DatabaseError as error:
            said = str(error.orig).strip()
            if type(error) is sa.exc.DatabaseError:
                # SQLite says so of a file, not of a statement.
                said += ": expected a ledger: docs/ledger.md says how to restore a backup"
            elif not isinstance(error, sa.exc.OperationalError):
                raise
            elif "locked" in said:
                said += f" by another program, for {PATIENCE // 1000} seconds: try again when it is done"
            raise NotReadyError(f"ledger {self.name}: {self.place}: {said}") from error

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._engine.dispose()

    def _is_there(self) -> bool:
        """Return whether there is something to look into: a server, or a file.

        Raises:
            NotReadyError: the file is empty, as no ledger is.
        """
        if self.url is not None:
            return True
        if not self.file.exists():
            return False
        if not self.file.stat().st_size:
            raise self._other("an empty file: restore a backup, or remove it to begin a new ledger")
        return True

    def _revision(self, connection: Connection) -> str | None:
        """Return which migration a database is at; None where nothing is in it.

        Raises:
            NotReadyError: what is in it is no ledger.
        """
        tables = sorted(sa.inspect(connection).get_table_names())
        if not tables:
            return None
        found = None
        if "alembic_version" in tables:
            found = connection.execute(sa.text("select version_num from alembic_version")).scalar()
        if found is None or SEAL.name not in tables:
            named = ", ".join(tables[:MOST_NAMED]) + (", …" if len(tables) > MOST_NAMED else "")
            raise self._other(f"a database with the tables {named}: move it, or name another ledger")
        return str(found)

    def _other(self, found: str) -> NotReadyError:
        return NotReadyError(f"ledger {self.name}: {self.place}: expected a ledger, found {found}")

    def _absent(self) -> AbsentError:
        return AbsentError(f"ledger {self.name}: expected a ledger at {self.place}: `sdlab bucket deposit` begins one")

    def _of_another_release(self, revision: str) -> NotReadyError:
        if _is_known(revision):
            return NotReadyError(f"ledger {self.name}: an older release made it: any command that writes migrates it")
        return NotReadyError(f"ledger {self.name}: {self.place}: a newer release made it: install that release")

    @cached_property
    def prepared(self) -> Path | None:
        """The ledger, created or migrated by the first look at this; the file of the backup before a migration.

        Raises:
            NotReadyError: a newer release made it, or what is there is no ledger.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / f".{self.name}.lock"), self._answering():
            revision = None
            if self._is_there():
                with self._engine.connect().execution_options(**_READING) as connection:
                    revision = self._revision(connection)
            if revision == HEAD:
                return None
            if revision is not None and not _is_known(revision):
                raise self._of_another_release(revision)
            if self.url is None:
                with self._engine.connect().execution_options(**_PLAIN) as connection:
                    connection.exec_driver_sql("pragma journal_mode = wal")
            saved = None if revision is None else self.backup(self.folder / "backups" / f"{self.name}-{revision}")
            with self.writing() as connection:
                if self.url is not None:
                    connection.exec_driver_sql(f'create schema if not exists "{self.name}"')
                if self._revision(connection) != HEAD:
                    _migrate(connection)
            return saved

    def backup(self, file: Path) -> Path:
        """Write the whole ledger into a new file: SQLite's as it is, PostgreSQL's as ``pg_dump`` writes it.

        Args:
            file: its path; ``.db`` or ``.dump`` is added where it ends in neither.

        Raises:
            InputError: the file exists or ends otherwise, or ``pg_dump`` is not installed.
        """
        ending = ".db" if self.url is None else ".dump"
        if file.suffix not in {"", ending}:
            raise InputError(f"backup: {file}: expected a name that ends in {ending}, or in nothing")
        file = file.with_suffix(ending)
        if file.exists():
            raise InputError(f"backup: {file}: expected a file that does not exist yet")
        file.parent.mkdir(parents=True, exist_ok=True)
        if self.url is None:
            with self._engine.connect().execution_options(**_PLAIN) as connection:
                connection.execute(sa.text("vacuum into :file"), {"file": str(file)})
        else:
            self._dump(self.url, file)
        return file

    def _dump(self, url: str, file: Path) -> None:
        program = shutil.which("pg_dump")
        if program is None:
            raise InputError("backup: expected pg_dump on the PATH (Debian: postgresql-client)")
        address = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        command = [program, "--format=custom", f"--schema={self.name}", f"--file={file}", address]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"backup: pg_dump: {done.stderr.strip()}")


_READING: dict[str, Any] = {"sd_begin": "reading"}
# Statements that SQLite takes outside of a transaction alone.
_PLAIN: dict[str, Any] = {"sd_begin": "none"}


def _sqlite(file: Path) -> Engine:
    engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": PATIENCE / 1000, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        for setting in ("synchronous = full", "foreign_keys = on", f"busy_timeout = {PATIENCE}"):
            connection.execute(f"pragma {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sd_begin")
        if kind != "none":
            connection.exec_driver_sql("begin" if kind == "reading" else "begin immediate")

    return engine


def _postgresql(url: str, schema: str) -> Engine:
    try:
        engine = sa.create_engine(url, isolation_level="READ COMMITTED")
    except ModuleNotFoundError:
        raise InputError("SD_LEDGER: expected PostgreSQL's driver: pip install 'sdlab[postgresql]'") from None
    # One queue per ledger.
    queue = int.from_bytes(hashlib.sha256(schema.encode()).digest()[:8], "big", signed=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.execute(f'set search_path to "{schema}"')
        # Planned once per session, not by each value: planning takes longer than what these queries do.
        connection.execute("set plan_cache_mode = force_generic_plan")
        connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sd_begin")
        if kind is None:
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({queue})")
        elif kind == "reading":
            # All of its statements see one state, as in SQLite.
            connection.exec_driver_sql("set transaction isolation level repeatable read, read only")

    return engine


def _is_address(url: str) -> bool:
    try:
        return sa.make_url(url).drivername == POSTGRESQL
    except (ValueError, sa.exc.ArgumentError):
        return False


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _is_known(revision: str) -> bool:
    """Return whether this release has a migration; one that it has not is of a newer release."""
    return any(one.revision == revision for one in _script().walk_revisions())


def _migrate(connection: Connection) -> None:
    config, script = _config(), _script()
    environment = EnvironmentContext(config, script, fn=lambda revision, _: script._upgrade_revs("head", revision))  # noqa: SLF001
    drop_triggers(connection)
    with environment:
        environment.configure(connection=connection)
        environment.run_migrations()
    create_triggers(connection)
