"""How an order is sent so that it is executed once, whatever answers are lost.

An order whose answer is lost is asked for by its client id, and sent again only when it is unknown twice, 60 s apart.
"""

import contextlib
from collections.abc import Callable

from sd_core.broker.protocol import Broker, Order, OrderState, RefusedError, ThrottledError, UnreachableError

# Seconds between two questions, after which an order that is unknown was not accepted; and the most tries of each kind.
SECONDS = 60.0
TRIES = 10


def send(broker: Broker, order: Order, wait: Callable[[float], None], *, is_uncertain: bool = False) -> OrderState:
    """Send an order and return its state.

    Args:
        broker: where it goes.
        order: what is traded; it must be on record before.
        wait: pauses for so many seconds.
        is_uncertain: whether it may have been sent before, so that it is asked for first.

    Raises:
        RefusedError: the broker does not accept it.
        UnreachableError: whether it was accepted is unknown still; asking again later is safe, sending is not.
        ThrottledError: it was not sent, for too many requests.
    """
    if is_uncertain and (found := look_up(broker, order.client_id, wait)) is not None:
        return found
    for _ in range(TRIES):
        try:
            return broker.submit(order)
        except ThrottledError:
            wait(SECONDS)
        except UnreachableError:
            is_uncertain = True
            if (found := look_up(broker, order.client_id, wait)) is not None:
                return found
        except RefusedError:
            # The id may be taken by our own order, of which no answer came.
            if is_uncertain and (found := look_up(broker, order.client_id, wait)) is not None:
                return found
            raise
    raise ThrottledError(f"order {order.client_id}: not sent after {TRIES} tries")


def look_up(broker: Broker, client_id: str, wait: Callable[[float], None]) -> OrderState | None:
    """Return an order whose answer was lost; None where it was not accepted for certain.

    Raises:
        UnreachableError: too many questions stayed without an answer.
    """
    unknown = 0
    for _ in range(TRIES):
        with contextlib.suppress(UnreachableError, ThrottledError):
            if (found := broker.order(client_id)) is not None:
                return found
            unknown += 1
        if unknown == 2:
            return None
        wait(SECONDS)
    raise UnreachableError(f"order {client_id}: no answer to {TRIES} questions whether it was accepted")
