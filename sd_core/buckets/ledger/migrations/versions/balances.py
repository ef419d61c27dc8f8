"""What an account has after each entry that touches it, and what held activities wait for: nothing is added up again.

Of a ledger that is there already they are filled from its legs, its orders and its activities.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    """balance_after (
    account {int} not null references account (account),
    entry {int} not null references entry (number),
    quanta {int} not null,
    reserved {int} not null check (reserved >= 0),
    primary key (account, entry)
)""",
    """held (
    book text not null,
    ref text not null,
    waits_for text not null,
    reason text not null,
    primary key (book, waits_for, ref),
    foreign key (book, ref) references activity (book, ref)
)""",
)

# Columns that select most come first: without statistics, PostgreSQL takes any index that begins with the book.
_INDEXES = (
    "create index balance_of_entry on balance_after (entry)",
    "create index held_of_activity on held (ref)",
    "create index entry_of_day on entry (kind, effective)",
    "create index mark_of_session on mark (session, book, revision)",
    "create index rate_of_currency on fx_rate (currency, book, entry)",
    "create index order_step_of_entry on order_step (entry)",
    "drop index lot_of_position",
    "create index lot_of_position on lot (book, bucket, unit, opened, lot)",
)

# Only the last entry can be without a seal; what it would add does not count.
_BALANCE = """balance as
select a.account, a.book, a.owner, a.unit, coalesce(s.quanta, 0) as quanta, coalesce(s.reserved, 0) as reserved
from account a left join balance_after s on s.account = a.account and s.entry = (
    select max(l.entry) from balance_after l where l.account = a.account and l.entry <= (select max(entry) from seal)
)"""

_BALANCES_AFTER = """
insert into balance_after (account, entry, quanta, reserved)
select account, entry, sum(quanta) over (partition by account order by entry),
    sum(reserved) over (partition by account order by entry)
from (
    select account, entry, sum(quanta) as quanta, sum(reserved) as reserved from (
        select target as account, entry, quanta, 0 as reserved from posting
        union all
        select source, entry, -quanta, 0 from posting
        union all
        select a.account, s.entry, 0, s.reserved - coalesce((
            select l.reserved from order_step l where l.client_id = s.client_id and l.step = s.step - 1
        ), 0)
        from order_step s join "order" o on o.client_id = s.client_id
        join account a on a.book = o.book and a.owner = o.bucket and a.unit = o.reserved_unit and a.entry <= s.entry
    ) moved group by account, entry
) moved_by
"""

_NOT_BOOKED = """
select a.book, a.ref, a.previous, a.raw from activity a
where not exists (select 1 from entry e where e.book = a.book and e.activity = a.ref)
"""


def upgrade() -> None:
    """Create the tables, fill them, and read balances from them."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    words = {"int": "integer" if is_sqlite else "bigint"}
    for table in _TABLES:
        op.execute(f"create table {table.format_map(words)}{' strict' if is_sqlite else ''}")
    op.execute(_BALANCES_AFTER)
    currencies = set(connection.execute(sa.text("select unit from unit where kind = 'currency'")).scalars())
    for book, ref, previous, raw in connection.execute(sa.text(_NOT_BOOKED)).all():
        stated = json.loads(raw)
        waited_for = {*stated["legs"], previous, stated["details"].get("of")} - currencies - {None}
        rows = [{"book": book, "ref": ref, "waits_for": one} for one in sorted(waited_for)]
        insert = "insert into held (book, ref, waits_for, reason) values (:book, :ref, :waits_for, 'not bookable yet')"
        connection.execute(sa.text(insert), rows)
    for statement in ("drop view balance", "drop view reservation", *_INDEXES, f"create view {_BALANCE}"):
        op.execute(statement)
