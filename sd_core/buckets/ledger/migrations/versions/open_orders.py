"""Which orders are open, and which activities are held now: both as few as they are, however long the ledger is."""

import sqlalchemy as sa
from alembic import op

from sd_core.buckets.ledger.tables import DONE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = """open_order (
    client_id text not null primary key references "order" (client_id)
)"""
_FILL = f"""
insert into open_order (client_id) select s.client_id from order_step s where s.status not in {DONE}
and s.step = (select max(l.step) from order_step l where l.client_id = s.client_id)
"""
_BOOKED = "delete from held where exists (select 1 from entry e where e.book = held.book and e.activity = held.ref)"


def upgrade() -> None:
    """Create the table, fill it from the orders, and leave of what was held what still is."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (
        f"create table {_OPEN}{' strict' if is_sqlite else ''}",
        'create index order_of_session on "order" (session)',
        _FILL,
        _BOOKED,
    ):
        op.execute(sa.text(statement))
