"""What the broker is asked for: orders and requests for withdrawals, with what each reserves until it is filled.

A rule proposes an order, a person approves it, which reserves what it may take; then it is sent. Sending one belongs in
``trading``; here it is only on record.
"""

from dataclasses import dataclass, fields
from typing import Any

from sd_core.buckets.ledger.draft import Draft
from sd_core.buckets.ledger.tables import APPROVED, OPEN, PARTIAL, PROPOSED, REQUESTED, RESERVING, SENT
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
        type, limit_price, stop_price, time_in_force: as the broker takes them; prices as decimals in text, None a day.
        session: the close that it was ordered at, in ISO; None: no rule ordered it.
        reason: why: ``entry``, ``reinvest``, or why a position is left; None: a person's.
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
    time_in_force: str | None = None
    session: str | None = None
    reason: str | None = None


def propose_order(draft: Draft, order: Order) -> None:
    """Put an order on record that waits for a person to approve it, and reserves nothing before.

    Raises:
        InputError: the ledger does not know its unit, or its quantity is not above 0.
    """
    _refuse_unknown(draft, order)
    _write(draft, order, PROPOSED, 0)


def place_order(draft: Draft, order: Order) -> None:
    """Put an order, or a request for a withdrawal, on record with what it reserves.

    Raises:
        InputError: the ledger does not know its unit, its quantity is not above 0, or its bucket does not have what it
            reserves, free.
    """
    _refuse_unknown(draft, order)
    _refuse_beyond_free(draft, order)
    _write(draft, order, REQUESTED if order.side == "withdraw" else APPROVED, order.reserved)


def approve_order(draft: Draft, client_id: str) -> Order:
    """Let a proposed order be sent, and reserve what it may take; return it.

    Raises:
        InputError: there is no such proposal, or its bucket does not have what it reserves, free.
    """
    found = draft.state.order(client_id)
    if found is None or found.status != PROPOSED:
        raise InputError(f"approve {client_id}: expected a proposed order, is {found.status if found else 'unknown'}")
    order = order_of(found)
    _refuse_beyond_free(draft, order)
    _step(draft, found, APPROVED, order.reserved)
    return order


def order_sent(draft: Draft, client_id: str) -> str:
    """Note that the broker has accepted an order; return its bucket.

    Raises:
        InputError: there is none on record that is to be sent.
    """
    found = draft.state.order(client_id)
    if found is None or found.status != APPROVED:
        raise InputError(f"order {client_id}: expected an approved one, is {found.status if found else 'unknown'}")
    _step(draft, found, SENT, found.left)
    return str(found.bucket)


def order_of(row: Any) -> Order:
    """Return an order as it is on record."""
    known = {one.name: getattr(row, one.name) for one in fields(Order)}
    return Order(**{name: value for name, value in known.items() if value is not None})


def _refuse_unknown(draft: Draft, order: Order) -> None:
    state = draft.state
    if order.unit not in state.units:
        raise InputError(f"{order.side} {order.unit}: expected an instrument of the ledger; `assign` adds one")
    if order.quanta <= 0:
        raise InputError(f"{order.side} {order.unit}: {order.quanta} quanta: expected more than 0")
    if state.order(order.client_id) is not None:
        raise InputError(f"order {order.client_id}: expected an id that is not on record")


def _refuse_beyond_free(draft: Draft, order: Order) -> None:
    state = draft.state
    unit = state.units[order.reserved_unit]
    free = state.free(order.bucket, order.reserved_unit)
    if order.reserved > free:
        verb = "withdraw" if order.side == "withdraw" else f"{order.side} {order.unit}"
        raise InputError(
            f"{verb}: {unit.shown(order.reserved)}: expected at most {unit.number(free)}, what {order.bucket} has free"
        )


def _write(draft: Draft, order: Order, status: str, reserved: int) -> None:
    row = {name: value for name, value in vars(order).items() if value is not None}
    draft.add("order", book=draft.state.book, **row)
    draft.add("order_step", client_id=order.client_id, step=1, status=status, filled=0, reserved=reserved)


def _step(draft: Draft, found: Any, status: str, reserved: int) -> None:
    row = {"status": status, "filled": found.filled, "reserved": reserved}
    draft.add("order_step", client_id=found.client_id, step=found.step + 1, **row)


def close_order(draft: Draft, client_id: str, status: str) -> str:
    """End an order that is open, which frees what it reserves; return its bucket.

    Raises:
        InputError: there is no such order, or it is done.
    """
    found = draft.state.order(client_id)
    if found is None or found.status not in OPEN:
        raise InputError(f"order {client_id}: expected an open one, was {found.status if found else 'unknown'}")
    _step(draft, found, status, 0)
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
    is_open = found.status in RESERVING
    status = ("filled" if is_done else PARTIAL) if is_open else found.status
    left = 0 if is_done or not is_open else found.reserved * (found.quanta - filled) // found.quanta
    draft.add("order_step", client_id=client_id, step=found.step + 1, status=status, filled=filled, reserved=left)
    return str(found.bucket)
