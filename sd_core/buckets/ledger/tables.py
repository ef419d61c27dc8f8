"""The tables whose rows an entry adds, with their columns and keys, in the order in which they are written.

The database's own declarations are made by the migrations; a test compares the two. How rows are read belongs in
``state``, how they are written in ``draft``.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import sqlalchemy as sa

# Entries that move money or shares have postings; the others have none.
MONEY = (
    "opening",
    "deposit",
    "withdrawal",
    "fill",
    "dividend",
    "fee",
    "interest",
    "fx",
    "transfer",
    "harvest",
    "reallocation",
    "correction",
    "reversal",
    "reassignment",
    "split",
    "rename",
    "merger",
    "spin_off",
)
OTHER = (
    "book",
    "create",
    "start",
    "abandon",
    "pause",
    "resume",
    "retire",
    "boost",
    "unlock",
    "rebase",
    "halt",
    "lift",
    "set",
    "note",
    "assign",
    "order",
    "order_step",
    "mark",
    "evaluation",
    "reconciliation",
)

# Statuses of an order that is not done. A request for a withdrawal is open; an order is approved before it is sent.
REQUESTED, PROPOSED, APPROVED, SENT, PARTIAL = "open", "proposed", "approved", "sent", "partial"
# Those that may still be filled, and reserve what that takes.
RESERVING = (REQUESTED, APPROVED, SENT, PARTIAL)
OPEN = (PROPOSED, *RESERVING)
DONE = ("filled", "cancelled", "refused", "expired")
STATUSES = (*OPEN, *DONE)
# Rows that one statement adds at most: databases bound how many values it may have.
_AT_ONCE = 50


@dataclass(frozen=True)
class LedgerTable:
    """One table: its name, the columns of its key, and the others."""

    name: str
    key: tuple[str, ...]
    others: tuple[str, ...]
    # The column that holds the entry's number; activities have none, since one may be held before it is booked.
    entry: str = "entry"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return self.key + self.others

    @cached_property
    def clause(self) -> sa.TableClause:
        """The table as SQLAlchemy writes it."""
        return sa.table(self.name, *(sa.column(name) for name in self.columns))

    def add(self, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows, many by one statement: a batch takes PostgreSQL longer. What a row leaves out is NULL."""
        names = tuple(name for name in self.columns if any(name in row for row in rows))
        for first in range(0, len(rows), _AT_ONCE):
            some = rows[first : first + _AT_ONCE]
            values = {f"{name}_{place}": row.get(name) for place, row in enumerate(some) for name in names}
            connection.execute(_insert(self.name, names, len(some)), values)

    def remove(self, connection: sa.Connection, **where: Any) -> None:
        """Remove the rows of derived content that have these values."""
        found = " and ".join(f"{name} = :{name}" for name in where)
        connection.execute(sa.text(f'delete from "{self.name}" where {found}'), where)


@contextlib.contextmanager
def sent_together(connection: sa.Connection) -> Iterator[None]:
    """Send statements that return nothing without waiting for each to be done; PostgreSQL works meanwhile.

    Raises:
        DBAPIError: one of them is refused, as SQLAlchemy raises it for a single one.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    with _pipeline(connection):
        yield


def asked_together(
    connection: sa.Connection, queries: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, Sequence[Any]]:
    """Return the rows of several queries by name, without waiting for each answer before the next is asked.

    Raises:
        DBAPIError: one of them fails.
    """
    if connection.dialect.name == "sqlite":
        return {name: connection.execute(_query(query), values).all() for name, query in queries.items()}
    from psycopg.rows import namedtuple_row

    with _pipeline(connection) as driver:
        cursors = {name: driver.cursor(row_factory=namedtuple_row) for name in queries}
        for name, cursor in cursors.items():
            cursor.execute(_in_dialect(queries[name], connection.dialect), values)
        return {name: cursor.fetchall() for name, cursor in cursors.items()}


@contextlib.contextmanager
def _pipeline(connection: sa.Connection) -> Iterator[Any]:
    driver: Any = connection.connection.driver_connection
    raised = connection.dialect.loaded_dbapi.Error
    try:
        with driver.pipeline():
            yield driver
    except raised as error:
        raise sa.exc.DBAPIError.instance(None, None, error, raised, dialect=connection.dialect) from error


_query = cache(sa.text)


@cache
def _in_dialect(query: str, dialect: sa.Dialect) -> str:
    return str(_query(query).compile(dialect=dialect))


@cache
def _insert(table: str, names: tuple[str, ...], rows: int) -> sa.TextClause:
    values = ", ".join(f"({', '.join(f':{name}_{place}' for name in names)})" for place in range(rows))
    return sa.text(f'insert into "{table}" ({", ".join(names)}) values {values}')


def _table(name: str, key: str, others: str = "", entry: str = "entry") -> LedgerTable:
    return LedgerTable(name, tuple(key.split()), tuple(others.split()), entry)


ACTIVITY = _table("activity", "book ref", "kind at effective previous raw", entry="")
ACTIVITY_LEG = _table("activity_leg", "book ref unit", "quanta", entry="")
ENTRY = _table(
    "entry", "number", "book key request kind effective recorded_at actor activity reverses note", entry="number"
)
SEAL = _table("seal", "entry", "legs digest")
# What follows from other rows, written with them so that nothing need be added up again; no digest covers it, as
# ``verification`` recomputes it. What each account that an entry touches has after it, what activities wait for that
# are not booked yet, and which orders are open: rows of these two go when that is over.
BALANCE_AFTER = _table("balance_after", "account entry", "quanta reserved")
HELD = _table("held", "book waits_for ref", "reason", entry="")
OPEN_ORDER = _table("open_order", "client_id", entry="")

# In the order in which an entry writes them: what others refer to comes first.
ROWS = (
    ENTRY,
    _table("unit", "unit", "entry kind scale minor_digits quote_currency"),
    _table("book", "book", "entry base_currency"),
    _table("bucket", "bucket", "entry kind name"),
    _table("account", "account", "entry book owner unit"),
    _table("posting", "entry leg", "book source target unit quanta cause"),
    _table("lot", "lot", "entry book bucket unit opened quanta cost parent"),
    _table("lot_use", "lot entry", "quanta cost proceeds"),
    _table("universe", "subject entry", "owner"),
    _table("state", "subject entry", "status cause"),
    _table("setting", "subject name entry", "value"),
    _table("note", "subject entry", "text"),
    _table("lock", "subject cause entry", "until"),
    _table(
        "order",
        "client_id",
        "entry book bucket unit side type limit_price stop_price quanta reserved_unit reserved"
        " time_in_force session reason",
    ),
    _table("order_step", "client_id step", "entry status filled reserved"),
    _table("mark", "book bucket session revision", "entry cash value"),
    _table("mark_position", "book bucket session revision unit", "entry quanta price value"),
    _table(
        "mark_state",
        "book bucket session revision",
        "entry given simple_return twr_index peak drawdown share share_level drawdown_level cooldown reawakening"
        " regime_factor factor reasons status losses stage lock_ends cooldown_ends is_test awake_since sessions_below"
        " failed_on quiet_since activated_on probation trades cash_return",
    ),
    _table(
        "mark_trade",
        "book bucket session revision trade",
        "entry unit opened closed held quantity cost proceeds dividends entry_price exit_price stop highest is_armed"
        " is_test exit_reason ex_date reinvest outcome trade_return conviction factor premium regime is_on_strategy"
        " is_counted",
    ),
    _table("mark_event", "book bucket session revision place", "entry event cause value until"),
    _table("fx_rate", "book session revision currency", "entry rate"),
    _table("evaluation", "entry", "book session content digest"),
    _table("reconciliation", "entry unit", "book actual booked held difference action"),
    _table("event", "entry", "subject kind numbers text"),
)

EVERY = (*ROWS, SEAL, BALANCE_AFTER, ACTIVITY, ACTIVITY_LEG, HELD, OPEN_ORDER)
