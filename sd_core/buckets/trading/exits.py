"""What a position needs at the broker: an exit at the next open, or an order that rests until a price is reached.

Why a position is left, and where its stop is, is decided at each close by the rules of histories. Some things are
otherwise at a broker. An ex-date is known once it has come, so what was bought for it is left one open later. Shares
are promised to one order at a time, so a stop and a take-profit rest as one order, of which the first that is reached
trades. That is not taken of fractions, so only their stop rests, and the take-profit is an exit at the open after a
close that reaches it. Fractions rest for a day, whole shares until they are called off.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sd_core.broker.protocol import OrderType, TimeInForce
from sd_core.buckets import rules
from sd_core.buckets.presets import Parameters
from sd_core.simulation.amounts import TOUCH

# Prices from 1 on have two digits at exchanges of the United States, those below it four.
CENT, FINE = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True)
class Position:
    """A position after a close.

    Attributes:
        quantity: shares.
        entry_price: of its first purchase.
        stop: a price.
        is_armed: whether the stop trails.
        close: the last known one.
        exit_reason: why it is sold at the next open; None: it is not.
    """

    quantity: Decimal
    entry_price: float
    stop: float
    close: float
    is_armed: bool = False
    exit_reason: str | None = None


@dataclass(frozen=True)
class Needed:
    """The sale that a position needs.

    Attributes:
        type, limit_price, stop_price, time_in_force: as a broker takes them.
        reason: why; of an order that rests, that of its stop.
    """

    type: OrderType
    reason: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = "day"

    @property
    def rests(self) -> bool:
        """Whether it waits for a price."""
        return self.type != "market"


def needed(position: Position, parameters: Parameters) -> Needed:
    """Return the sale that a position needs now."""
    if position.exit_reason is not None:
        return Needed("market", position.exit_reason)
    stop = _tick(position.stop)
    reason: Literal["stop", "trailing"] = "trailing" if position.is_armed else "stop"
    is_whole = position.quantity == position.quantity.to_integral_value()
    until: TimeInForce = "gtc" if is_whole else "day"
    if parameters.trailing:
        return Needed("stop", reason, None, stop, until)
    take = rules.take_price(position.entry_price, parameters.take)
    if is_whole:
        return Needed("oco", reason, _tick(take), stop, until)
    if position.close >= take * (1.0 - TOUCH):
        return Needed("market", "take")
    return Needed("stop", reason, None, stop, until)


def _tick(price: float) -> Decimal:
    """Return a price with the digits that exchanges take."""
    exact = Decimal(repr(price))
    return exact.quantize(CENT if exact >= 1 else FINE)
