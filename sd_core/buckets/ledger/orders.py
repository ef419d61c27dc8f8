"""What the broker is asked for: orders and requests for withdrawals, with what each reserves until it is filled.

Sending one belongs to the broker; here it is only on record, before it is sent.
"""

from dataclasses import dataclass

from sd_core.buckets.ledger.draft import Draft
from sd_core.errors import InputError


@dataclass(frozen=True)
class Order:
    """An order, or a request for a withdrawal, in quanta.

    Attributes:
        client_id: ours, unique.
        bucket: whose money or shares it moves.
        side: ``buy``, ``sell`` or ``withdraw``.
        unit: the instrument, or the currency that is withdrawn.
        quanta: how much of it.
        reserved_unit, reserved: what it may take, which nothing else may use before it is done.
        type, limit_price, stop_price: as the broker takes them; prices as decimals in text.
    """

    client_id: str
    bucket: str
    side: str
    unit: str
    quanta: int
    reserved_unit: str
    reserved: int
    type: str = "market"
    limit_price: str | None = None
    stop_price: str | None = None


def place_order(draft: Draft, order: Order) -> None:
    """Put an order on record with what it reserves.

    Raises:
        InputError: the ledger does not know its unit, its quantity is not above 0, or its bucket does not have what it
            reserves, free.
    """
    state = draft.state
    if order.unit not in state.units:
        raise InputError(f"{order.side} {order.unit}: expected an instrument of the ledger; `assign` adds one")
    if order.quanta <= 0:
        raise InputError(f"{order.side} {order.unit}: {order.quanta} quanta: expected more than 0")
    unit = state.units[order.reserved_unit]
    free = state.free(order.bucket, order.reserved_unit)
    if order.reserved > free:
        verb = "withdraw" if order.side == "withdraw" else f"{order.side} {order.unit}"
        raise InputError(
            f"{verb}: {unit.shown(order.reserved)}: expected at most {unit.number(free)}, what {order.bucket} has free"
        )
    draft.add("order", book=state.book, **{name: value for name, value in vars(order).items() if value is not None})
    draft.add("order_step", client_id=order.client_id, step=1, status="open", filled=0, reserved=order.reserved)


def close_order(draft: Draft, client_id: str, status: str) -> str:
    """End an order that is open, which frees what it reserves; return its bucket.

    Raises:
        InputError: there is no such order, or it is done.
    """
    found = draft.state.order(client_id)
    if found is None or found.status not in {"open", "partial"}:
        raise InputError(f"order {client_id}: expected an open one, was {found.status if found else 'unknown'}")
    draft.add("order_step", client_id=client_id, step=found.step + 1, status=status, filled=found.filled, reserved=0)
    return str(found.bucket)


def fill_order(draft: Draft, client_id: str, quanta: int) -> str:
    """Add a fill to an order; return its bucket.

    What is reserved shrinks in proportion. A fill that comes after the end of its order is its bucket's all the same.

    Raises:
        InputError: there is no such order.
    """
    found = draft.state.order(client_id)
    if found is None:
        raise InputError(f"order {client_id}: expected one on record")
    filled = found.filled + quanta
    is_done = filled >= found.quanta
    is_open = found.status in {"open", "partial"}
    status = ("filled" if is_done else "partial") if is_open else found.status
    left = 0 if is_done or not is_open else found.whole * (found.quanta - filled) // found.quanta
    draft.add("order_step", client_id=client_id, step=found.step + 1, status=status, filled=filled, reserved=left)
    return str(found.bucket)
