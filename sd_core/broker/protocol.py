"""The vocabulary of brokers: the protocol that each implements, what it takes and states, and how it fails.

Quantities and money are exact decimals: 9 digits of an instrument, 4 of a currency.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "oco"]
TimeInForce = Literal["day", "gtc"]
Status = Literal["open", "partial", "filled", "cancelled", "expired", "refused"]
Kind = Literal[
    "deposit",
    "withdrawal",
    "fill",
    "bust",
    "dividend",
    "fee",
    "interest",
    "fx",
    "split",
    "rename",
    "adjustment",
    "other",
]


class UnreachableError(Exception):
    """No answer came: whether the request was carried out is unknown."""


class RefusedError(Exception):
    """The broker refused a request, which changed nothing."""


class ThrottledError(Exception):
    """Too many requests: this one changed nothing, and may be made again later."""


@dataclass(frozen=True)
class Order:
    """What the broker is asked to trade.

    Attributes:
        client_id: ours; a broker accepts one order under it.
        unit: the instrument.
        quantity: how much of it, above 0.
        type: ``oco`` is a limit and a stop at once, of which the first that is reached trades.
        limit_price: the worst price of a ``limit`` order.
        stop_price: the price from which a ``stop`` order trades.
        time_in_force: until the end of the ``day``, or until it is cancelled.
    """

    client_id: str
    unit: str
    side: Side
    quantity: Decimal
    type: OrderType = "market"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = "day"


@dataclass(frozen=True)
class OrderState:
    """An accepted order as it is now.

    Attributes:
        filled: what was executed of it; a bust does not lower it. It may still grow after ``cancelled``, by a fill that
            was under way.
    """

    order: Order
    status: Status
    filled: Decimal


@dataclass(frozen=True)
class Account:
    """What an account has at a moment, without what is 0.

    Attributes:
        cash: by currency.
        shares: by instrument.
        costs: what the broker counts as the cost of the shares, by instrument.
        currency: what shares are quoted in.
    """

    at: dt.datetime
    cash: Mapping[str, Decimal]
    shares: Mapping[str, Decimal]
    costs: Mapping[str, Decimal]
    currency: str = "USD"

    @property
    def balances(self) -> dict[str, Decimal]:
        """Cash and shares by unit."""
        return {**self.cash, **self.shares}


@dataclass(frozen=True)
class Activity:
    """One movement of the account.

    Attributes:
        ref: the broker's reference, unique; the same activity always has the same.
        kind: a ``bust`` takes a fill back, an ``adjustment`` is money that the broker gives or takes with no other
            reason, and ``other`` is what only a person can read.
        at: when it moved the account, which may be days before it is listed.
        legs: what it adds (positive) or takes (negative), by unit; money after fees and taxes.
        day: the date from which it counts, where that is another than ``at`` has in UTC.
        unit: the instrument that it is about; units of the legs that are neither this nor ``old`` are currencies.
        old: the instrument that a rename ends.
        order: the client id of a fill's order.
        fee: what of a fill's money is fees.
        ratio: new shares per old one of a split, such as ``2`` or ``3/2``.
        ex_date: of a dividend, where the broker states it.
        previous: the reference of the fill that a bust takes back.
        says: the broker's own words.
    """

    ref: str
    kind: Kind
    at: dt.datetime
    legs: Mapping[str, Decimal]
    day: dt.date | None = None
    unit: str | None = None
    old: str | None = None
    order: str | None = None
    fee: Decimal = Decimal(0)
    ratio: str | None = None
    ex_date: dt.date | None = None
    previous: str | None = None
    says: str | None = None

    @property
    def effective(self) -> dt.date:
        """The date from which it counts."""
        return self.day or self.at.date()


class Broker(Protocol):
    """One account at a broker. Every method may raise :class:`UnreachableError` and :class:`ThrottledError`."""

    def account(self) -> Account:
        """Return what the account has now."""

    def activities(self, after: dt.datetime) -> Sequence[Activity]:
        """Return what moved the account after a moment: each at least once, in any order, some only days later."""

    def submit(self, order: Order) -> OrderState:
        """Send an order.

        Raises:
            RefusedError: it is not accepted, as where its client id was used before.
        """

    def order(self, client_id: str) -> OrderState | None:
        """Return an order; None where none of this id is known, which holds for certain 60 s after it was sent."""

    def open_orders(self) -> Sequence[OrderState]:
        """Return the orders that may still trade."""

    def cancel(self, client_id: str) -> OrderState:
        """End an order; what is under way may still be executed.

        Raises:
            RefusedError: there is no open order of this id.
        """
