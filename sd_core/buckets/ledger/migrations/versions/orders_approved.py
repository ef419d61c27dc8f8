"""Orders that are proposed, approved and sent, with the close and the reason that they were ordered by."""

from alembic import op

from sd_core.buckets.ledger.tables import APPROVED, DONE, PARTIAL, PROPOSED, REQUESTED, SENT

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATUSES = (REQUESTED, PROPOSED, APPROVED, SENT, PARTIAL, *DONE)
_COLUMNS = ("time_in_force", "session", "reason")
_STEPS = f"""order_step (
    client_id text not null references "order" (client_id),
    step integer not null check (step >= 1),
    entry integer not null references entry (number),
    status text not null check (status in {_STATUSES}),
    filled integer not null check (filled >= 0),
    reserved integer not null check (reserved >= 0),
    primary key (client_id, step)
) strict"""


def upgrade() -> None:
    """Add the columns, and let a step have the new statuses; SQLite changes a check by a new table alone."""
    for column in _COLUMNS:
        op.execute(f'alter table "order" add column {column} text')
    if op.get_context().dialect.name == "sqlite":
        for statement in (
            "alter table order_step rename to order_step_before",
            f"create table {_STEPS}",
            "insert into order_step select * from order_step_before",
            "drop table order_step_before",
            "create index order_step_of_entry on order_step (entry)",
        ):
            op.execute(statement)
    else:
        op.execute("alter table order_step drop constraint order_step_status_check")
        op.execute(f"alter table order_step add check (status in {_STATUSES})")
