"""What the database itself refuses, declared once and written as triggers of SQLite or PostgreSQL.

A refusal is a condition over the row that is about to be written; where it holds, the statement fails.
Keys, foreign keys and simple bounds are in the migrations. Triggers are dropped before a migration and
created after it.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from sd_core.buckets.ledger.tables import (
    ACTIVITY,
    ACTIVITY_LEG,
    BALANCE_AFTER,
    DONE,
    EVERY,
    HELD,
    MONEY,
    OPEN_ORDER,
    ROWS,
    SEAL,
)
from sd_core.study.satellites import OUTSIDE


@dataclass(frozen=True)
class Refusal:
    """A statement that is refused.

    Attributes:
        name: the trigger's.
        table: what the statement writes.
        event: insert, update or delete.
        message: the error.
        condition: where it is refused, in SQL of both databases; NEW or OLD is the row. Empty: always.
    """

    name: str
    table: str
    event: str
    message: str
    condition: str = ""


_SEALED = "exists (select 1 from seal where seal.entry = {row}.{column})"
_UNKNOWN = "not exists (select 1 from entry where entry.number = NEW.{column})"
_BOOKED = "exists (select 1 from entry where entry.book = NEW.book and entry.activity = NEW.ref)"
_IS_OPEN = f"""exists (
    select 1 from order_step s where s.client_id = {{row}}.client_id and s.status not in {DONE}
    and s.step = (select max(l.step) from order_step l where l.client_id = s.client_id)
)"""
_BEFORE = """coalesce((
    select b.{column} from balance_after b where b.account = s.account and b.entry < NEW.entry
    order by b.entry desc limit 1
), 0)"""
_STEPS = """
    select r.account, t.client_id, t.step, t.reserved from order_step t join "order" o on o.client_id = t.client_id
    join account r on r.book = o.book and r.owner = o.bucket and r.unit = o.reserved_unit where t.entry = NEW.entry
"""
# Every account that an entry touches, with what its legs add to it, and what its orders reserve more or less.
_TOUCHED = f"""
    select c.account, sum(c.quanta) as quanta, sum(c.reserved) as reserved from (
        select p.target as account, p.quanta, 0 as reserved from posting p where p.entry = NEW.entry
        union all
        select p.source, -p.quanta, 0 from posting p where p.entry = NEW.entry
        union all
        select t.account, 0, t.reserved - coalesce((
            select l.reserved from order_step l where l.client_id = t.client_id and l.step = t.step - 1
        ), 0) from ({_STEPS}) t
        union all
        select s.account, 0, 0 from balance_after s where s.entry = NEW.entry
    ) c group by c.account
"""
# Shares that an entry moves between buckets, and lots that it opens and uses: together nothing, by account.
_SHARES = f"""
    select m.account, a.owner, m.quanta from (
        select p.target as account, p.quanta from posting p where p.entry = NEW.entry
        union all
        select p.source, -p.quanta from posting p where p.entry = NEW.entry
        union all
        select r.account, -l.quanta from lot l
        join account r on r.book = l.book and r.owner = l.bucket and r.unit = l.unit where l.entry = NEW.entry
        union all
        select r.account, v.quanta from lot_use v join lot l on l.lot = v.lot
        join account r on r.book = l.book and r.owner = l.bucket and r.unit = l.unit where v.entry = NEW.entry
    ) m join account a on a.account = m.account and a.owner <> '{OUTSIDE}'
    join unit u on u.unit = a.unit and u.kind = 'instrument'
"""
_STATUS = """(
    select status from state where state.subject = {bucket}
    and state.entry = (select max(s.entry) from state s where s.subject = {bucket})
)"""


def _of_rows() -> list[Refusal]:
    """Return what holds for every table: an entry adds rows before its seal, and they stay as they are."""
    refusals = []
    for table in (*ROWS, BALANCE_AFTER):
        name, column = table.name, table.entry
        refusals.append(Refusal(f"{name}_is_never_changed", name, "update", f"{name}: rows are never changed"))
        sealed = _SEALED.format(row="OLD", column=column)
        refusals.append(Refusal(f"{name}_stays", name, "delete", f"{name}: rows of a sealed entry stay", sealed))
        if name != "entry":
            closed = f"{_UNKNOWN.format(column=column)} or {_SEALED.format(row='NEW', column=column)}"
            refusals.append(
                Refusal(f"{name}_before_the_seal", name, "insert", f"{name}: expected an entry without a seal", closed)
            )
    for table in (SEAL, ACTIVITY, ACTIVITY_LEG, HELD, OPEN_ORDER):
        message = f"{table.name}: rows are never changed"
        refusals.append(Refusal(f"{table.name}_update", table.name, "update", message))
        if table not in (HELD, OPEN_ORDER):
            refusals.append(Refusal(f"{table.name}_delete", table.name, "delete", message))
    return refusals


_REFUSALS = (
    # Entries
    Refusal(
        "entry_number",
        "entry",
        "insert",
        "entry: expected the number after the last",
        "NEW.number <> (select coalesce(max(number), 0) + 1 from entry)",
    ),
    Refusal(
        "entry_after_a_seal",
        "entry",
        "insert",
        "entry: the one before has no seal",
        "NEW.number > 1 and not exists (select 1 from seal where seal.entry = NEW.number - 1)",
    ),
    Refusal(
        "entry_activity",
        "entry",
        "insert",
        "entry: expected an activity of its book, not booked before",
        "NEW.activity is not null and (not exists (select 1 from activity a where a.book = NEW.book"
        " and a.ref = NEW.activity) or exists (select 1 from entry e where e.book = NEW.book"
        " and e.activity = NEW.activity))",
    ),
    Refusal(
        "entry_reverses",
        "entry",
        "insert",
        "entry: expected to reverse an entry of its book once; a fact by the broker alone",
        "NEW.reverses is not null and (not exists (select 1 from entry r where r.number = NEW.reverses"
        " and r.book = NEW.book and (r.activity is null or NEW.activity is not null))"
        " or exists (select 1 from entry e where e.reverses = NEW.reverses))",
    ),
    # Activities
    Refusal(
        "activity_once",
        "activity",
        "insert",
        "activity: stored before",
        "exists (select 1 from activity a where a.book = NEW.book and a.ref = NEW.ref)",
    ),
    Refusal("activity_leg_before_the_entry", "activity_leg", "insert", "activity_leg: its activity is booked", _BOOKED),
    Refusal(
        "activity_leg_known",
        "activity_leg",
        "insert",
        "activity_leg: expected a known activity, once per unit",
        "not exists (select 1 from activity a where a.book = NEW.book and a.ref = NEW.ref)"
        " or exists (select 1 from activity_leg l where l.book = NEW.book and l.ref = NEW.ref and l.unit = NEW.unit)",
    ),
    Refusal(
        "held_is_not_booked",
        "held",
        "insert",
        "held: expected an activity that is stored and not booked",
        f"{_BOOKED} or not exists (select 1 from activity a where a.book = NEW.book and a.ref = NEW.ref)",
    ),
    Refusal(
        "held_delete",
        "held",
        "delete",
        "held: expected an activity that is booked",
        "not exists (select 1 from entry where entry.book = OLD.book and entry.activity = OLD.ref)",
    ),
    # Accounts and postings, also where foreign keys are off
    Refusal(
        "account_known",
        "account",
        "insert",
        "account: expected a known book and unit, and as owner a bucket or outside",
        "not exists (select 1 from book where book = NEW.book)"
        " or not exists (select 1 from unit where unit = NEW.unit)"
        f" or (NEW.owner <> '{OUTSIDE}' and not exists (select 1 from bucket where bucket = NEW.owner))",
    ),
    Refusal(
        "posting_accounts",
        "posting",
        "insert",
        "posting: expected two accounts of its book and unit",
        "(select count(*) from account a where a.account in (NEW.source, NEW.target)"
        " and a.book = NEW.book and a.unit = NEW.unit) <> 2"
        " or not exists (select 1 from entry e where e.number = NEW.entry and e.book = NEW.book)",
    ),
    Refusal(
        "lot_account",
        "lot",
        "insert",
        "lot: expected an instrument of a bucket that has an account",
        "not exists (select 1 from account a join unit u on u.unit = a.unit where a.book = NEW.book"
        f" and a.owner = NEW.bucket and a.unit = NEW.unit and u.kind = 'instrument' and a.owner <> '{OUTSIDE}')",
    ),
    Refusal(
        "lot_use_known",
        "lot_use",
        "insert",
        "lot_use: unknown lot",
        "not exists (select 1 from lot where lot = NEW.lot)",
    ),
    # Orders
    Refusal(
        "order_step_next",
        "order_step",
        "insert",
        "order_step: expected the step after the last of a known order",
        'not exists (select 1 from "order" o where o.client_id = NEW.client_id) or NEW.step <>'
        " (select coalesce(max(t.step), 0) + 1 from order_step t where t.client_id = NEW.client_id)",
    ),
    Refusal(
        "order_step_account",
        "order_step",
        "insert",
        "order_step: expected an account to reserve from",
        'NEW.reserved > 0 and not exists (select 1 from "order" o join account a on a.book = o.book'
        " and a.owner = o.bucket and a.unit = o.reserved_unit where o.client_id = NEW.client_id)",
    ),
    Refusal(
        "open_order_insert",
        "open_order",
        "insert",
        "open_order: expected an order that may still be filled",
        f"not {_IS_OPEN.format(row='NEW')}",
    ),
    Refusal(
        "open_order_delete",
        "open_order",
        "delete",
        "open_order: expected an order that is done",
        _IS_OPEN.format(row="OLD"),
    ),
    # What buckets own, and their status
    Refusal(
        "universe_of_the_core",
        "universe",
        "insert",
        "universe: only a person adds to the core",
        "exists (select 1 from bucket b where b.bucket = NEW.owner and b.kind = 'core')"
        " and not exists (select 1 from entry e where e.number = NEW.entry and e.actor = 'person')",
    ),
    Refusal(
        "universe_known",
        "universe",
        "insert",
        "universe: expected a known instrument, and a bucket in use",
        "not exists (select 1 from unit u where u.unit = NEW.subject and u.kind = 'instrument')"
        " or not exists (select 1 from bucket b where b.bucket = NEW.owner)"
        f" or coalesce({_STATUS.format(bucket='NEW.owner')}, '') = 'retired'",
    ),
    Refusal(
        "state_of_a_satellite",
        "state",
        "insert",
        "state: expected a satellite in use",
        "not exists (select 1 from bucket b where b.bucket = NEW.subject and b.kind = 'satellite')"
        f" or coalesce({_STATUS.format(bucket='NEW.subject')}, '') = 'retired'",
    ),
    # Seals
    Refusal(
        "seal_once",
        "seal",
        "insert",
        "seal: expected an entry without a seal",
        f"{_UNKNOWN.format(column='entry')} or {_SEALED.format(row='NEW', column='entry')}",
    ),
    Refusal(
        "seal_legs",
        "seal",
        "insert",
        "seal: not all legs are there",
        "NEW.legs <> (select count(*) from posting where entry = NEW.entry)"
        " or NEW.legs <> (select coalesce(max(leg), 0) from posting where entry = NEW.entry)"
        f" or (NEW.legs > 0) <> exists (select 1 from entry where number = NEW.entry and kind in {MONEY})",
    ),
    Refusal(
        "seal_flow",
        "seal",
        "insert",
        "seal: what crosses the border of the book differs from the activity",
        f"""exists (
    select 1 from (
        select p.unit as unit, case when s.owner = '{OUTSIDE}' then p.quanta else 0 end
               - case when t.owner = '{OUTSIDE}' then p.quanta else 0 end as quanta
        from posting p join account s on s.account = p.source join account t on t.account = p.target
        where p.entry = NEW.entry
        union all
        select l.unit, -l.quanta from entry e join activity_leg l on l.book = e.book and l.ref = e.activity
        where e.number = NEW.entry
    ) flow group by flow.unit having sum(flow.quanta) <> 0
)""",
    ),
    Refusal(
        "seal_balances",
        "seal",
        "insert",
        "seal: expected for each account touched what it had before, with what the entry adds",
        f"""exists (
    select 1 from ({_TOUCHED}) c where coalesce((
        select 1 from balance_after s where s.account = c.account and s.entry = NEW.entry
        and s.quanta = c.quanta + {_BEFORE.format(column="quanta")}
        and s.reserved = c.reserved + {_BEFORE.format(column="reserved")}
    ), 0) = 0
)""",
    ),
    Refusal(
        "seal_cover",
        "seal",
        "insert",
        "seal: an account that is drawn on would end below what is reserved of it",
        f"""exists (select 1 from entry e where e.number = NEW.entry and e.activity is null) and exists (
    select 1 from balance_after s join account a on a.account = s.account
    where s.entry = NEW.entry and a.owner <> '{OUTSIDE}' and s.quanta < s.reserved and (
        s.reserved > {_BEFORE.format(column="reserved")}
        or exists (select 1 from posting p where p.entry = NEW.entry and p.source = s.account)
    )
)""",
    ),
    Refusal(
        "seal_lots",
        "seal",
        "insert",
        "seal: a position would end below 0, or differ from its open lots",
        f"""exists (
    select 1 from balance_after s join account a on a.account = s.account and a.owner <> '{OUTSIDE}'
    join unit u on u.unit = a.unit and u.kind = 'instrument' where s.entry = NEW.entry and s.quanta < 0
) or exists (select 1 from ({_SHARES}) m group by m.account having sum(m.quanta) <> 0)
or exists (
    select 1 from lot_use v join lot l on l.lot = v.lot where v.entry = NEW.entry
    and l.quanta < (select sum(o.quanta) from lot_use o where o.lot = l.lot)
)""",
    ),
    Refusal(
        "seal_retired",
        "seal",
        "insert",
        "seal: a retired bucket receives and pays nothing",
        f"""exists (
    select 1 from posting p join account a on a.account in (p.source, p.target)
    where p.entry = NEW.entry and a.book = 'live' and coalesce({_STATUS.format(bucket="a.owner")}, '') = 'retired'
)""",
    ),
)

REFUSALS = (*_of_rows(), *_REFUSALS)


def create_triggers(connection: Connection) -> None:
    """Create all triggers in a database that has none of them."""
    is_sqlite = connection.dialect.name == "sqlite"
    for refusal in REFUSALS:
        for statement in _in_sqlite(refusal) if is_sqlite else _in_postgresql(refusal):
            connection.exec_driver_sql(statement)
    if not is_sqlite:
        connection.exec_driver_sql(_NO_TRUNCATION)
        for table in EVERY:
            connection.exec_driver_sql(
                f'create trigger never_truncated before truncate on "{table.name}" execute function never_truncated()'
            )


def drop_triggers(connection: Connection) -> None:
    """Drop every trigger that the database has."""
    is_sqlite = connection.dialect.name == "sqlite"
    for name, table in _existing(connection):
        on = "" if is_sqlite else f' on "{table}"'
        connection.exec_driver_sql(f'drop trigger "{name}"{on}')


def missing_triggers(connection: Connection) -> list[str]:
    """Return the names of triggers that the database lacks, has switched off, or has with another text."""
    if connection.dialect.name == "sqlite":
        texts = _pairs(connection, _TEXTS)
        return [refusal.name for refusal in REFUSALS if texts.get(refusal.name) != _in_sqlite(refusal)[0]]
    bodies = _pairs(connection, _BODIES)
    return [refusal.name for refusal in REFUSALS if bodies.get(refusal.name) != _body(refusal)]


def _pairs(connection: Connection, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(text(query))}


def _existing(connection: Connection) -> list[tuple[str, str]]:
    if connection.dialect.name == "sqlite":
        query = "select name, tbl_name from sqlite_master where type = 'trigger'"
    else:
        query = (
            "select t.tgname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
            " where not t.tgisinternal and c.relnamespace = current_schema()::regnamespace"
        )
    return [(name, table) for name, table in connection.execute(text(query))]


def _in_sqlite(refusal: Refusal) -> list[str]:
    when = f"when {refusal.condition} " if refusal.condition else ""
    # SQLite keeps the text with these words in capitals.
    head = f'CREATE TRIGGER "{refusal.name}" before {refusal.event} on "{refusal.table}" {when}'
    return [f"{head}begin select raise(abort, '{refusal.message}'); end"]


def _in_postgresql(refusal: Refusal) -> list[str]:
    function = f'"{refusal.name}"()'
    when = f'before {refusal.event} on "{refusal.table}" for each row'
    return [
        f"create or replace function {function} returns trigger language plpgsql as $${_body(refusal)}$$",
        f'create trigger "{refusal.name}" {when} execute function {function}',
    ]


def _body(refusal: Refusal) -> str:
    row = "OLD" if refusal.event == "delete" else "NEW"
    return (
        f"begin if {refusal.condition or 'true'} then raise exception '{refusal.message}'; end if; return {row}; end;"
    )


_TEXTS = "select name, sql from sqlite_master where type = 'trigger'"
_BODIES = """
select p.proname, p.prosrc from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgenabled = 'O' and c.relnamespace = current_schema()::regnamespace
"""
_NO_TRUNCATION = (
    "create or replace function never_truncated() returns trigger language plpgsql as"
    " $$begin raise exception 'rows are never removed'; end;$$"
)
