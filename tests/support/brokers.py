"""A customer of the simulated broker: random orders over days, with the patience that its faults ask for."""

import contextlib
import datetime as dt
import random
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from sd_core.broker.protocol import Activity, Order, OrderState, RefusedError, ThrottledError, UnreachableError
from sd_core.broker.sending import send
from sd_core.broker.simulated import Events, Faults, Simulated

T = TypeVar("T")
BEGIN = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
PRICES = {"NVDA": Decimal(120), "KO": Decimal(60), "SPY": Decimal(500)}
ROUGH = Faults(
    partial=0.4,
    late=0.2,
    busted=0.1,
    missing=0.1,
    duplicate=0.2,
    disordered=0.7,
    lost_answer=0.2,
    unreachable=0.1,
    throttled=0.1,
    split=0.02,
    restart=0.1,
)
BUSY = Events(deposit=0.05, withdrawal=0.03, dividend=0.1, interest=0.05, fee=0.1, fx=0.03)


class Clock:
    """A clock that moves only when it is set."""

    def __init__(self, now: dt.datetime = BEGIN) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        """Move on."""
        self.now += dt.timedelta(seconds=seconds)


def patiently(clock: Clock, ask: Callable[[], T]) -> T:
    """Return an answer to a question that changes nothing, however often it must be asked."""
    while True:
        try:
            return ask()
        except (UnreachableError, ThrottledError):
            clock.wait(60)


class Customer:
    """Who sends random orders: a few a day, at prices that wander, while other things happen to the account."""

    def __init__(self, seed: int, faults: Faults = ROUGH, events: Events = BUSY) -> None:
        self.clock = Clock()
        self.broker = Simulated(seed, self.clock, faults, fee=Decimal("0.001"), events=events)
        self.chance = random.Random(f"customer-{seed}")
        self.prices = dict(PRICES)
        self.sent: dict[str, Order] = {}
        self.refused: set[str] = set()
        self.broker.deposit(Decimal(20_000))
        self.broker.trade(self.prices)

    def day(self) -> None:
        """Send orders, end one now and then, and trade."""
        for _ in range(self.chance.randrange(4)):
            self.send(self.random_order())
        if self.sent and self.chance.random() < 0.3:
            self.cancel(self.chance.choice(list(self.sent)))
        self.trade()

    def trade(self) -> None:
        """Let prices wander and the market trade, until the next day."""
        for unit, price in self.prices.items():
            self.prices[unit] = (price * Decimal(self.chance.randrange(960, 1042)) / 1000).quantize(Decimal("0.01"))
        self.broker.trade(self.prices)
        tomorrow = (self.clock.now + dt.timedelta(days=1)).date()
        self.clock.now = dt.datetime.combine(tomorrow, BEGIN.timetz())

    def random_order(self) -> Order:
        """Return an order that the account can mostly pay."""
        unit = self.chance.choice(list(PRICES))
        side, kind = (
            self.chance.choice(["buy", "buy", "sell"]),
            self.chance.choice(["market", "market", "limit", "stop"]),
        )
        held = self.broker.balances.get(unit, Decimal(0))
        if side == "sell" and held:
            quantity = (held * self.chance.randrange(10, 101) / 100).quantize(Decimal("1e-9"), "ROUND_DOWN")
        else:
            quantity = Decimal(self.chance.randrange(10**8, 10**10)).scaleb(-9)
        near = (self.prices[unit] * Decimal(self.chance.randrange(970, 1031)) / 1000).quantize(Decimal("0.01"))
        limit, stop = (near if kind == name else None for name in ("limit", "stop"))
        return Order(f"order-{self.chance.getrandbits(64):x}", unit, side, quantity, kind, limit, stop)

    def send(self, order: Order) -> None:
        """Send an order, which is remembered unless it was refused; one of unknown outcome is remembered."""
        self.sent[order.client_id] = order
        try:
            with contextlib.suppress(UnreachableError):
                send(self.broker, order, self.clock.wait)
        except (RefusedError, ThrottledError):
            del self.sent[order.client_id]
            self.refused.add(order.client_id)

    def cancel(self, client_id: str) -> None:
        """End an order, whether it is open or not; without an answer it is not asked again."""
        with contextlib.suppress(RefusedError, ThrottledError, UnreachableError):
            self.broker.cancel(client_id)

    def order(self, client_id: str) -> OrderState | None:
        """Return an order, however often it must be asked for."""
        return patiently(self.clock, lambda: self.broker.order(client_id))

    def listed(self, after: dt.datetime) -> list[Activity]:
        """Return a listing, however often it must be asked for."""
        return patiently(self.clock, lambda: self.broker.activities(after))
