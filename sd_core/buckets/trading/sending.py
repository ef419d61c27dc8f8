"""Orders on record, sent to the broker and called off there: each once, whatever answers are lost.

An order is on record, with what it reserves, before it is sent. What is to be ordered belongs in ``proposals`` and
``exits``, how one order survives a lost answer in ``sd_core.broker.sending``.
"""

import contextlib
import datetime as dt
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sd_core.broker import protocol
from sd_core.broker.protocol import Broker, RefusedError, ThrottledError, UnreachableError
from sd_core.broker.reading import ask
from sd_core.broker.sending import look_up, send
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.orders import order_of
from sd_core.buckets.ledger.requests import unmet_at_opening
from sd_core.buckets.ledger.tables import APPROVED, PARTIAL, PROPOSED, RESERVING, SENT
from sd_core.calendars import ACCOUNT_ZONE, ONE_DAY, calendar_sessions
from sd_core.errors import InputError

Wait = Callable[[float], None]
ENDED = ("cancelled", "expired", "refused")
# An order that is called off may take seconds to end: so often, and so many seconds apart, it is asked for.
TRIES, PAUSE = 5, 2.0
UNKNOWN = "unknown"
# When a session ends in New York; what is sent later would wait for the next open.
CLOSE = dt.time(16)


@dataclass(frozen=True)
class Sent:
    """The outcome of sending an order, or of calling it off.

    Attributes:
        client_id: ours.
        status: on record now; ``unknown`` where the broker may or may not have it.
        says: why it is not sent, in words.
    """

    client_id: str
    status: str
    says: str = ""


def approve(
    ledger: Ledger,
    broker: Broker,
    client_ids: Sequence[str],
    *,
    key: str | None = None,
    calendar: str = "XNYS",
    wait: Wait = time.sleep,
) -> list[Sent]:
    """Approve proposed orders and send them, one after the other.

    One that is refused stays proposed. What rests to sell the same instrument is called off first, as brokers refuse
    opposite orders; it is placed again by the next look at exits.

    Args:
        client_ids: of the proposals.
        key: of the request; approved under it once, an order is not sent again.
        calendar: whose sessions have opens; a proposal is for the one after its close.
        wait: pauses for so many seconds.
    """
    done = []
    for client_id in client_ids:
        try:
            _refuse_late(ledger, client_id, calendar)
            _call_off_sales(ledger, broker, client_id, wait)
            receipt = ledger.approve(client_id, key=_key_of(key, client_id))
        except (InputError, UnreachableError) as error:
            done.append(Sent(client_id, _status(ledger, client_id), str(error)))
            continue
        if receipt.is_new:
            done.append(send_order(ledger, broker, client_id, wait=wait))
        else:
            done.append(Sent(client_id, _status(ledger, client_id)))
    return done


def approve_by_hand(
    ledger: Ledger,
    client_ids: Sequence[str],
    *,
    key: str | None = None,
    dry_run: bool = False,
    calendar: str = "XNYS",
) -> list[Sent]:
    """Approve proposed orders that a person places; nothing is sent. Arguments are as of :func:`approve`."""
    done = []
    for client_id in client_ids:
        try:
            _refuse_late(ledger, client_id, calendar)
            ledger.approve(client_id, key=_key_of(key, client_id), dry_run=dry_run)
        except InputError as error:
            done.append(Sent(client_id, _status(ledger, client_id), str(error)))
        else:
            done.append(Sent(client_id, APPROVED if dry_run else _status(ledger, client_id)))
    return done


def _key_of(key: str | None, client_id: str) -> str | None:
    return None if key is None else f"{key}:{client_id}"


def _refuse_late(ledger: Ledger, client_id: str, calendar: str) -> None:
    """Refuse a proposal whose session has passed.

    Raises:
        InputError: a session has ended since its close.
    """
    with ledger.state() as state:
        row = state.order(client_id)
    if row is None or row.session is None:
        return
    there = ledger.clock().astimezone(ACCOUNT_ZONE)
    first = dt.date.fromisoformat(row.session) + ONE_DAY
    last = ledger.today if there.time() >= CLOSE else ledger.today - ONE_DAY
    if first <= last and len(passed := calendar_sessions(calendar, first, last)):
        raise InputError(f"approve {client_id}: expected an order for a session to come, it was for {passed[0]}")


def _call_off_sales(ledger: Ledger, broker: Broker, client_id: str, wait: Wait) -> None:
    """End what rests to sell the instrument that an order buys.

    Raises:
        InputError: the instrument is being sold.
        UnreachableError: no answer came.
    """
    with ledger.state() as state:
        row = state.order(client_id)
        sales = [] if row is None else [one for one in state.orders(RESERVING) if one.unit == row.unit]
    for sale in sales:
        if sale.side == "sell" and (sale.type == "market" or not cancel(ledger, broker, sale.client_id, wait=wait)):
            raise InputError(f"approve {client_id}: expected no sale under way, {sale.client_id} is")


def send_order(
    ledger: Ledger, broker: Broker, client_id: str, *, is_uncertain: bool = False, wait: Wait = time.sleep
) -> Sent:
    """Send an approved order, and note what the broker made of it.

    Args:
        is_uncertain: whether it may have been sent before; then it is asked for first.
        wait: pauses for so many seconds.
    """
    order = protocol_order(ledger, client_id)
    try:
        found = send(broker, order, wait, is_uncertain=is_uncertain)
    except RefusedError as error:
        ledger.close(client_id, "refused", actor="broker", note=str(error))
        return Sent(client_id, "refused", str(error))
    except (UnreachableError, ThrottledError) as error:
        return Sent(client_id, UNKNOWN, str(error))
    ledger.sent(client_id)
    if found.status in ENDED:
        ledger.close(client_id, found.status, actor="broker")
    return Sent(client_id, _status(ledger, client_id))


def resume(ledger: Ledger, broker: Broker, *, wait: Wait = time.sleep) -> list[Sent]:
    """Ask for orders that were approved and not seen to arrive, and send those that did not.

    Purchases that may not be opened any more are called off instead.
    """
    done = []
    with ledger.state() as state:
        today = ledger.today.isoformat()
        left = [(one.client_id, unmet_at_opening(state, order_of(one), today)) for one in state.orders((APPROVED,))]
    for client_id, unmet in left:
        if unmet:
            is_ended = cancel(ledger, broker, client_id, wait=wait)
            done.append(Sent(client_id, "cancelled" if is_ended else UNKNOWN, "; ".join(unmet)))
        else:
            done.append(send_order(ledger, broker, client_id, is_uncertain=True, wait=wait))
    return done


def cancel_openings(
    ledger: Ledger, broker: Broker, bucket: str | None = None, *, wait: Wait = time.sleep
) -> list[Sent]:
    """Call off every purchase of a bucket, or of all: proposals on record, others at the broker."""
    with ledger.state() as state:
        open_ones = [
            one
            for one in state.orders((PROPOSED, APPROVED, SENT, PARTIAL))
            if one.side == "buy" and bucket in {None, one.bucket}
        ]
    done = []
    for one in open_ones:
        if one.status == PROPOSED:
            ledger.close(one.client_id)
            done.append(Sent(one.client_id, "cancelled"))
            continue
        try:
            is_ended = cancel(ledger, broker, one.client_id, wait=wait)
        except UnreachableError as error:
            done.append(Sent(one.client_id, UNKNOWN, str(error)))
        else:
            status = _status(ledger, one.client_id)
            done.append(Sent(one.client_id, status, "" if is_ended else "the broker has not ended it"))
    return done


def cancel(ledger: Ledger, broker: Broker, client_id: str, *, wait: Wait = time.sleep) -> bool:
    """End an order at the broker, and then on record; return whether it is ended.

    An order is not where it was filled meanwhile, which the feed will book, or where the broker takes its time.

    Raises:
        UnreachableError: no answer came.
    """
    if _status(ledger, client_id) == APPROVED:
        if look_up(broker, client_id, wait) is None:
            ledger.close(client_id, actor="rule")
            return True
        ledger.sent(client_id)
    with contextlib.suppress(RefusedError):
        ask(functools.partial(broker.cancel, client_id), wait)
    for place in range(TRIES):
        if place:
            wait(PAUSE)
        found = ask(functools.partial(broker.order, client_id), wait)
        if found is not None and found.status in ENDED:
            ledger.close(client_id, found.status, actor="broker")
            return True
        if found is None or found.status == "filled":
            return False
    return False


def protocol_order(ledger: Ledger, client_id: str) -> protocol.Order:
    """Return an order on record as a broker takes it."""
    with ledger.state() as state:
        row = state.order(client_id)
        quantity = state.units[row.unit].decimal(row.quanta)
    limit, stop = (None if price is None else Decimal(price) for price in (row.limit_price, row.stop_price))
    side: Any = row.side
    return protocol.Order(client_id, row.unit, side, quantity, row.type, limit, stop, row.time_in_force or "day")


def _status(ledger: Ledger, client_id: str) -> str:
    with ledger.state() as state:
        found = state.order(client_id)
    return UNKNOWN if found is None else str(found.status)
