"""The ledger's tables.

Numbers of money and shares are whole quanta; dates and times are ISO text, so that both databases store the same bytes.
"""

from alembic import op

from sd_core.buckets.ledger.tables import MONEY, OTHER

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KINDS = (*MONEY, *OTHER)
_STATUSES = ("research", "accumulating", "active", "hibernating", "paused", "retired")
_LATER = "deferrable initially deferred"

# {int}: a whole number of 64 bits; {strict}: SQLite's types that are enforced; {name}: what a bucket may be called.
_TABLES = (
    """activity (
    book text not null,
    ref text not null,
    kind text not null,
    at text not null,
    effective text not null,
    previous text,
    raw text not null,
    primary key (book, ref)
)""",
    """activity_leg (
    book text not null,
    ref text not null,
    unit text not null,
    quanta {int} not null check (quanta <> 0),
    primary key (book, ref, unit),
    foreign key (book, ref) references activity (book, ref)
)""",
    """entry (
    number {int} primary key check (number >= 1),
    book text not null,
    key text not null unique,
    request text not null check (length(request) = 64),
    kind text not null check (kind in {kinds}),
    effective text not null,
    recorded_at text not null,
    actor text not null check (actor in ('person', 'rule', 'broker')),
    activity text,
    reverses {int} unique references entry (number),
    note text,
    unique (number, book),
    unique (book, activity),
    foreign key (book, activity) references activity (book, ref)
    {later}
)""",
    """seal (
    entry {int} primary key references entry (number),
    legs {int} not null check (legs >= 0),
    digest text not null unique check (length(digest) = 64)
)""",
    """unit (
    unit text primary key check (length(unit) between 1 and 40),
    entry {int} not null references entry (number),
    kind text not null check (kind in ('currency', 'instrument')),
    scale {int} not null check (scale between 0 and 12),
    minor_digits {int} not null check (minor_digits between 0 and scale),
    quote_currency text references unit (unit),
    check ((kind = 'instrument') = (quote_currency is not null))
)""",
    """book (
    book text primary key check (book = 'live' or book like 'paper:%'),
    entry {int} not null references entry (number),
    base_currency text not null references unit (unit)
)""",
    """bucket (
    bucket text primary key check ({name} and bucket <> 'outside'),
    entry {int} not null references entry (number),
    kind text not null check (kind in ('core', 'satellite')),
    name text not null
)""",
    """account (
    account {int} primary key,
    entry {int} not null references entry (number),
    book text not null references book (book),
    owner text not null,
    unit text not null references unit (unit),
    unique (book, owner, unit),
    unique (account, book, unit)
)""",
    """posting (
    entry {int} not null,
    leg {int} not null check (leg >= 1),
    book text not null,
    source {int} not null,
    target {int} not null,
    unit text not null,
    quanta {int} not null check (quanta > 0),
    cause text not null,
    primary key (entry, leg),
    check (source <> target),
    foreign key (entry, book) references entry (number, book),
    foreign key (source, book, unit) references account (account, book, unit),
    foreign key (target, book, unit) references account (account, book, unit)
)""",
    """lot (
    lot {int} primary key,
    entry {int} not null references entry (number),
    book text not null,
    bucket text not null references bucket (bucket),
    unit text not null,
    opened text not null,
    quanta {int} not null check (quanta > 0),
    cost {int} not null check (cost >= 0),
    parent {int} references lot (lot),
    foreign key (book, bucket, unit) references account (book, owner, unit)
)""",
    """lot_use (
    lot {int} not null references lot (lot),
    entry {int} not null references entry (number),
    quanta {int} not null check (quanta > 0),
    cost {int} not null check (cost >= 0),
    proceeds {int},
    primary key (lot, entry)
)""",
    """universe (
    subject text not null references unit (unit),
    entry {int} not null references entry (number),
    owner text not null references bucket (bucket),
    primary key (subject, entry)
)""",
    """state (
    subject text not null references bucket (bucket),
    entry {int} not null references entry (number),
    status text not null check (status in {statuses}),
    cause text,
    primary key (subject, entry)
)""",
    """setting (
    subject text not null,
    name text not null,
    entry {int} not null references entry (number),
    value text not null,
    primary key (subject, name, entry)
)""",
    """note (
    subject text not null references bucket (bucket),
    entry {int} not null references entry (number),
    text text not null,
    primary key (subject, entry)
)""",
    """lock (
    subject text not null,
    cause text not null,
    entry {int} not null references entry (number),
    until text,
    primary key (subject, cause, entry)
)""",
    """"order" (
    client_id text primary key,
    entry {int} not null references entry (number),
    book text not null references book (book),
    bucket text not null references bucket (bucket),
    unit text not null references unit (unit),
    side text not null check (side in ('buy', 'sell', 'withdraw')),
    type text not null,
    limit_price text,
    stop_price text,
    quanta {int} not null check (quanta > 0),
    reserved_unit text not null references unit (unit),
    reserved {int} not null check (reserved >= 0)
)""",
    """order_step (
    client_id text not null references "order" (client_id),
    step {int} not null check (step >= 1),
    entry {int} not null references entry (number),
    status text not null check (status in ('open', 'partial', 'filled', 'cancelled', 'refused', 'expired')),
    filled {int} not null check (filled >= 0),
    reserved {int} not null check (reserved >= 0),
    primary key (client_id, step)
)""",
    """mark (
    book text not null references book (book),
    bucket text not null references bucket (bucket),
    session text not null,
    revision {int} not null,
    entry {int} not null references entry (number),
    cash {int} not null,
    value {int} not null,
    primary key (book, bucket, session, revision)
)""",
    """mark_position (
    book text not null references book (book),
    bucket text not null references bucket (bucket),
    session text not null,
    revision {int} not null,
    unit text not null references unit (unit),
    entry {int} not null references entry (number),
    quanta {int} not null,
    price text not null,
    value {int} not null,
    primary key (book, bucket, session, revision, unit)
)""",
    """fx_rate (
    book text not null references book (book),
    session text not null,
    revision {int} not null,
    currency text not null references unit (unit),
    entry {int} not null references entry (number),
    rate text not null,
    primary key (book, session, revision, currency)
)""",
    """evaluation (
    entry {int} primary key references entry (number),
    book text not null references book (book),
    session text not null,
    content text not null,
    digest text not null check (length(digest) = 64)
)""",
    """reconciliation (
    entry {int} not null references entry (number),
    unit text not null references unit (unit),
    book text not null references book (book),
    actual {int} not null,
    booked {int} not null,
    held {int} not null,
    difference {int} not null,
    action text not null check (action in ('none', 'corrected', 'blocked')),
    primary key (entry, unit)
)""",
    """event (
    entry {int} primary key references entry (number),
    subject text not null,
    kind text not null,
    numbers text not null,
    text text not null
)""",
)

_INDEXES = (
    "create unique index one_core on bucket (kind) where kind = 'core'",
    "create index posting_source on posting (source, entry, quanta)",
    "create index posting_target on posting (target, entry, quanta)",
    "create index lot_of_position on lot (book, bucket, unit)",
    "create index lot_of_entry on lot (entry)",
    "create index lot_use_of_entry on lot_use (entry)",
    "create index mark_of_unit on mark_position (book, unit, entry)",
    'create index order_of_bucket on "order" (book, bucket, reserved_unit)',
    'create index order_of_entry on "order" (entry)',
)

_VIEWS = (
    # The latest step of an order says how much of the reservation is left.
    """reservation as
select o.client_id, o.book, o.bucket, o.reserved_unit as unit, s.reserved as quanta
from "order" o join order_step s on s.client_id = o.client_id
where s.reserved > 0 and s.step = (select max(l.step) from order_step l where l.client_id = o.client_id)""",
    # Only the last entry can be without a seal; balances do not count it.
    """balance as
select a.account, a.book, a.owner, a.unit, cast(
    (select coalesce(sum(p.quanta), 0) from posting p
     where p.target = a.account and p.entry <= (select max(entry) from seal))
    - (select coalesce(sum(p.quanta), 0) from posting p
       where p.source = a.account and p.entry <= (select max(entry) from seal))
as bigint) as quanta
from account a""",
)


def upgrade() -> None:
    """Create tables, indexes and views."""
    is_sqlite = op.get_context().dialect.name == "sqlite"
    seal = f"foreign key (number) references seal (entry) {_LATER}"
    book = f"foreign key (book) references book (book) {_LATER}"
    words = {
        "int": "integer" if is_sqlite else "bigint",
        "name": "bucket glob '[a-z]*' and not bucket glob '*[^a-z0-9_]*' and length(bucket) <= 40"
        if is_sqlite
        else "bucket ~ '^[a-z][a-z0-9_]{0,39}$'",
        "kinds": _KINDS,
        "statuses": _STATUSES,
        "later": f", {seal}, {book}" if is_sqlite else "",
    }
    for table in _TABLES:
        op.execute(f"create table {table.format_map(words)}{' strict' if is_sqlite else ''}")
    # SQLite takes references to tables that are made later, and cannot add one to a table that is there.
    later = () if is_sqlite else (f"alter table entry add {seal}", f"alter table entry add {book}")
    for statement in (*later, *_INDEXES, *(f"create view {view}" for view in _VIEWS)):
        op.execute(statement)
