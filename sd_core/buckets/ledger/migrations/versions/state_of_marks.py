"""What the rules make of every mark: the state of each bucket, its positions, and what changed.

Numbers that are no money and no shares are text, in the shortest form that keeps every bit.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEY = """book text not null,
    bucket text not null,
    session text not null,
    revision {int} not null,
    entry {int} not null references entry (number)"""
_OF_A_MARK = """foreign key (book, bucket, session, revision) references mark (book, bucket, session, revision)"""

_TABLES = (
    """mark_state (
    {key},
    given text not null,
    simple_return text,
    twr_index text not null,
    peak text not null,
    drawdown text not null,
    share text not null,
    share_level text,
    drawdown_level text,
    cooldown text,
    reawakening text,
    regime_factor text,
    factor text,
    reasons {int},
    status text,
    losses {int},
    stage {int},
    lock_ends text,
    cooldown_ends text,
    is_test {int},
    awake_since text,
    sessions_below {int},
    failed_on text,
    quiet_since text,
    activated_on text,
    probation text,
    trades {int} not null,
    cash_return text not null,
    {mark},
    primary key (book, bucket, session, revision)
)""",
    """mark_trade (
    {key},
    trade {int} not null check (trade >= 1),
    unit text not null references unit (unit),
    opened text not null,
    closed text,
    held {int} not null check (held >= 0),
    quantity {int} not null check (quantity >= 0),
    cost {int} not null,
    proceeds {int} not null,
    dividends {int} not null,
    entry_price text not null,
    exit_price text,
    stop text not null,
    highest text not null,
    is_armed {int} not null,
    is_test {int} not null,
    exit_reason text,
    ex_date text,
    reinvest text not null,
    outcome {int},
    trade_return text,
    conviction text,
    factor text,
    premium text,
    regime text,
    is_on_strategy {int} not null,
    is_counted {int} not null,
    {mark},
    primary key (book, bucket, session, revision, trade)
)""",
    """mark_event (
    {key},
    place {int} not null check (place >= 1),
    event text not null,
    cause text,
    value text not null,
    until text,
    {mark},
    primary key (book, bucket, session, revision, place)
)""",
)


def upgrade() -> None:
    """Create the tables."""
    is_sqlite = op.get_context().dialect.name == "sqlite"
    whole = "integer" if is_sqlite else "bigint"
    for table in _TABLES:
        filled = table.replace("{key}", _KEY).replace("{mark}", _OF_A_MARK).replace("{int}", whole)
        op.execute(f"create table {filled}{' strict' if is_sqlite else ''}")
    op.execute("create index mark_trade_of_unit on mark_trade (book, bucket, unit, trade)")
