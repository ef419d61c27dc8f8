"""What positions need at the broker: exits that are due are sent, and orders that rest are kept at the right price.

Exits need no approval, and run whatever stops openings. What a position needs belongs in ``exits``, how an order is
sent in ``sending``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sd_core.broker.protocol import Broker, UnreachableError
from sd_core.buckets import rules
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.marked import last_mark, open_now, parameters_of
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.round_trips import Trip
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.tables import RESERVING
from sd_core.buckets.presets import Parameters
from sd_core.buckets.trading.exits import Needed, Position, needed
from sd_core.buckets.trading.sending import Sent, cancel, send_order
from sd_core.errors import InputError
from sd_core.schemas.kinds import ExitReason, Signal

Wait = Callable[[float], None]


@dataclass(frozen=True)
class _Place:
    """A position with what it needs, and the orders in its instrument that are not done."""

    bucket: str
    unit: str
    quanta: int
    session: str | None
    needs: Needed
    open_ones: Sequence[Any]


def send_exits(
    ledger: Ledger, broker: Broker, ex_dates: Mapping[str, str] | None = None, *, wait: Wait = time.sleep
) -> list[Sent]:
    """Send the exits that are due, and let a stop rest for every other position of a satellite.

    An order that rests as it should is left alone, so calling this again sends nothing twice. One at another price or
    of another size is called off first, and so is a purchase in the same instrument where the position is to be left;
    otherwise a purchase is waited for, as brokers refuse opposite orders.

    Args:
        ex_dates: the last known ex-date of instruments, in ISO; what was bought for one before is to be left.
        wait: pauses for so many seconds.
    """
    with ledger.state() as state:
        places = _places(state, ex_dates or {})
    done = []
    for place in places:
        try:
            done += _send(ledger, broker, place, wait)
        except (InputError, UnreachableError) as error:
            done.append(Sent(f"{place.bucket}-{place.unit}", "unknown", str(error)))
    return done


@dataclass(frozen=True)
class Due:
    """What a position needs at the broker.

    Attributes:
        bucket, unit: whose position, and in what.
        quantity: shares to be sold.
        type: ``market``, ``stop`` or ``oco``, the stop and a limit above it, of which the first that is reached sells.
        stop_price, limit_price: of the order.
        reason: why it is sold; of an order that rests, that of its stop.
    """

    bucket: str
    unit: str
    quantity: str
    type: str
    stop_price: str | None
    limit_price: str | None
    reason: str


def exits_due(ledger: Ledger, ex_dates: Mapping[str, str] | None = None) -> list[Due]:
    """Return what every position of a satellite needs at the broker; nothing is booked and nothing sent.

    Args:
        ex_dates: as of :func:`send_exits`.
    """
    with ledger.state() as state:
        found = []
        for place in _places(state, ex_dates or {}):
            needs = place.needs
            stop, limit = (None if price is None else f"{price:f}" for price in (needs.stop_price, needs.limit_price))
            quantity = state.units[place.unit].number(place.quanta)
            found.append(Due(place.bucket, place.unit, quantity, needs.type, stop, limit, needs.reason))
        return found


def _places(state: State, ex_dates: Mapping[str, str]) -> list[_Place]:
    open_ones = state.orders(RESERVING)
    found = []
    for (bucket, unit), trip in open_now(state).items():
        mine = [one for one in open_ones if (one.bucket, one.unit) == (bucket, unit)]
        parameters = parameters_of(state, bucket)
        position = _position(state, bucket, unit, trip, parameters)
        if parameters.signal == Signal.EX_DIVIDEND.value and ex_dates.get(unit, "") > trip.opened:
            position = replace(position, exit_reason=ExitReason.EX_DATE.name.lower())
        needs = needed(position, parameters)
        session = last_mark(state).session or None
        found.append(_Place(bucket, unit, state.balance(bucket, unit), session, needs, mine))
    return found


def _position(state: State, bucket: str, unit: str, trip: Trip, parameters: Parameters) -> Position:
    """Return a position as the last mark left it; one opened since has its first stop."""
    quantity = state.units[unit].decimal(state.balance(bucket, unit))
    stop = trip.stop or rules.first_stop(trip.entry_price, parameters.stop)
    close = float(state.prices[unit][1]) if unit in state.prices else trip.entry_price
    return Position(quantity, trip.entry_price, stop, close, trip.is_armed, trip.exit_reason)


def _send(ledger: Ledger, broker: Broker, place: _Place, wait: Wait) -> list[Sent]:
    """Send what a position needs, after calling off what is at the broker in its place."""
    sales = [one for one in place.open_ones if one.side == "sell"]
    buys = [one for one in place.open_ones if one.side == "buy"]
    if any(_is_as_needed(one, place) for one in sales):
        return []
    if buys and place.needs.rests:
        return []
    done: list[Sent] = []
    for one in (*sales, *buys):
        if not cancel(ledger, broker, one.client_id, wait=wait):
            return [*done, Sent(one.client_id, one.status, "the broker has not ended it")]
        done.append(Sent(one.client_id, "cancelled"))
    order = _order(ledger, place)
    ledger.place(order, actor="rule")
    return [*done, send_order(ledger, broker, order.client_id, wait=wait)]


def _is_as_needed(sale: Any, place: _Place) -> bool:
    """Return whether a sale that is not done is the one that a position needs."""
    needs = place.needs
    prices = tuple(None if price is None else Decimal(price) for price in (sale.limit_price, sale.stop_price))
    is_whole = sale.quanta - sale.filled == place.quanta
    return is_whole and (sale.type, *prices) == (needs.type, needs.limit_price, needs.stop_price)


def _order(ledger: Ledger, place: _Place) -> Order:
    """Return the sale of a whole position, under an id that is not on record."""
    needs = place.needs
    stem = f"{place.bucket}-{place.unit}-{needs.reason}-{ledger.today.isoformat()}"
    with ledger.state() as state:
        taken, client_id = 1, stem
        while state.order(client_id) is not None:
            taken += 1
            client_id = f"{stem}-{taken}"
    limit, stop = (None if price is None else f"{price:f}" for price in (needs.limit_price, needs.stop_price))
    what: Mapping[str, Any] = {"time_in_force": needs.time_in_force, "session": place.session, "reason": needs.reason}
    reserved = (place.unit, place.quanta)
    return Order(client_id, place.bucket, "sell", place.unit, place.quanta, *reserved, needs.type, limit, stop, **what)
