"""A broker in memory with the faults of a real one, each drawn from a seed; its own books are exact.

Prices are given: :meth:`Simulated.trade` lets the market trade once at them.
"""

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import Literal

from sd_core.broker.protocol import (
    Account,
    Activity,
    Order,
    OrderState,
    RefusedError,
    Status,
    ThrottledError,
    UnreachableError,
)

SHARE, MONEY = Decimal("1e-9"), Decimal("1e-4")
# The least worth of an order, and of a part of one that is executed while more is left.
LEAST = Decimal(1)
# An order without a limit reserves the last price and so much more of it.
RESERVE = Decimal("1.05")
# For how long, at most, an accepted order is unknown, a fill is under way, the broker restarts; then the days within
# which a fill is taken back, or a missing activity is listed.
UNKNOWN_SECONDS, UNDER_WAY_MINUTES, RESTART_MINUTES = 59, 2880, 30
BUST_DAYS, MISSING_DAYS = 3, 5
# Days after which a dividend is paid, and the money of one event at most.
PAYS_WITHIN_DAYS, MOST_PAID = 10, 1000
# What prices each type of an order has.
PRICES_OF: dict[str, set[str]] = {"market": set(), "limit": {"limit"}, "stop": {"stop"}, "oco": {"limit", "stop"}}
FOREIGN, FOREIGN_RATE = "EUR", Decimal("1.08")
RATIOS = (Fraction(2), Fraction(3), Fraction(3, 2), Fraction(1, 2), Fraction(1, 10))


@dataclass(frozen=True)
class Faults:
    """How often each fault occurs, from 0 to 1.

    Attributes:
        partial: an execution takes a part of what is left of its order.
        late: an execution is booked later, up to two days, even where its order was cancelled meanwhile.
        busted: a fill is taken back within days.
        missing: an activity is listed days later only, though the account has it.
        duplicate: a listing states an activity twice.
        disordered: a listing is in no order.
        lost_answer: an order or a cancellation is carried out, and no answer comes; such an order is unknown for up to
            a minute.
        unreachable: a request is lost.
        throttled: a request is refused for too many.
        split: an instrument that is held splits as a session begins, which cancels its orders.
        restart: the broker answers nothing for minutes as a session begins.
    """

    partial: float = 0.0
    late: float = 0.0
    busted: float = 0.0
    missing: float = 0.0
    duplicate: float = 0.0
    disordered: float = 0.0
    lost_answer: float = 0.0
    unreachable: float = 0.0
    throttled: float = 0.0
    split: float = 0.0
    restart: float = 0.0


@dataclass(frozen=True)
class Events:
    """How often something happens to the account by itself as a session begins, from 0 to 1.

    Attributes:
        deposit, withdrawal: the owner pays money in or out.
        dividend: an instrument that is held goes ex, and pays within days.
        interest: cash above 0 earns some.
        fee: the broker charges a little, of an instrument that is held or of the account.
        fx: money is changed into the foreign currency, or back.
    """

    deposit: float = 0.0
    withdrawal: float = 0.0
    dividend: float = 0.0
    interest: float = 0.0
    fee: float = 0.0
    fx: float = 0.0


@dataclass
class _Kept:
    """An accepted order, with when it becomes known."""

    order: Order
    known_from: dt.datetime
    status: Status = "open"
    filled: Decimal = Decimal(0)

    @property
    def is_open(self) -> bool:
        return self.status in {"open", "partial"}

    @property
    def state(self) -> OrderState:
        return OrderState(self.order, self.status, self.filled)


@dataclass(frozen=True)
class _Fill:
    """An execution, with when it is booked."""

    due: dt.datetime
    kept: _Kept
    quantity: Decimal
    price: Decimal


class Simulated:
    """A broker with one account, which begins empty.

    Args:
        seed: what every fault is drawn from.
        clock: the moment; nothing happens by itself, only as the clock is found advanced.
        faults: how often each occurs; none by default.
        currency: of the account and of all prices.
        fee: the part of an execution's worth that is charged.
        events: how often each happens; none by default.
    """

    def __init__(
        self,
        seed: int,
        clock: Callable[[], dt.datetime],
        faults: Faults | None = None,
        currency: str = "USD",
        fee: Decimal = Decimal(0),
        events: Events | None = None,
    ) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        # Faults are the same with and without events.
        self._events, self._luck = events or Events(), random.Random(f"events-{seed}")  # noqa: S311
        self._clock = clock
        self._faults = faults or Faults()
        self._currency, self._fee = currency, fee
        self._balances: dict[str, Decimal] = {}
        self._costs: dict[str, Decimal] = {}
        self._prices: dict[str, Decimal] = {}
        self._orders: dict[str, _Kept] = {}
        self._under_way: list[_Fill] = []
        self._busts: list[tuple[dt.datetime, Activity]] = []
        # Dividends to be paid: when, of what, how much, and the ex-date.
        self._unpaid: list[tuple[dt.datetime, str, Decimal, dt.date]] = []
        # Each with the moment from which it is listed.
        self._activities: list[tuple[dt.datetime, Activity]] = []
        self._down_until = clock()

    # As every broker

    def account(self) -> Account:
        """Return what the account has now."""
        self._enter()
        has = self.balances
        cash = {unit: amount for unit, amount in has.items() if unit in {self._currency, FOREIGN}}
        shares = {unit: amount for unit, amount in has.items() if unit not in cash}
        costs = {unit: self._costs[unit].quantize(MONEY) for unit in shares}
        return Account(self._clock(), cash, shares, costs, self._currency)

    def activities(self, after: dt.datetime) -> list[Activity]:
        """Return what moved the account after a moment, with the faults of a listing."""
        self._enter()
        now = self._clock()
        stated: list[Activity] = []
        for listed_from, activity in self._activities:
            if listed_from <= now and activity.at > after:
                stated += [activity] * (2 if self._draw(self._faults.duplicate) else 1)
        if self._draw(self._faults.disordered):
            self._chance.shuffle(stated)
        return stated

    def submit(self, order: Order) -> OrderState:
        """Accept an order.

        Raises:
            RefusedError: its client id was used, it is worth less than 1 or more than there is, or its prices do not
                fit its type.
            UnreachableError: no answer comes, whether it was accepted or not.
        """
        self._enter()
        self._refuse(order)
        kept = self._orders[order.client_id] = _Kept(order, self._clock())
        if self._draw(self._faults.lost_answer):
            kept.known_from += dt.timedelta(seconds=self._chance.randint(0, UNKNOWN_SECONDS))
            raise UnreachableError(f"order {order.client_id}: no answer")
        return kept.state

    def order(self, client_id: str) -> OrderState | None:
        """Return an order; None where it is unknown, or not known yet."""
        self._enter()
        kept = self._orders.get(client_id)
        return kept.state if kept is not None and kept.known_from <= self._clock() else None

    def open_orders(self) -> list[OrderState]:
        """Return the orders that may still trade."""
        self._enter()
        now = self._clock()
        return [kept.state for kept in self._orders.values() if kept.is_open and kept.known_from <= now]

    def cancel(self, client_id: str) -> OrderState:
        """End an order; an execution that is under way is booked all the same.

        Raises:
            RefusedError: there is no open order of this id.
            UnreachableError: no answer comes, whether it was ended or not.
        """
        self._enter()
        kept = self._orders.get(client_id)
        if kept is None or not kept.is_open:
            raise RefusedError(f"cancel {client_id}: expected an open order, was {kept.status if kept else 'unknown'}")
        kept.status = "cancelled"
        if self._draw(self._faults.lost_answer):
            raise UnreachableError(f"cancel {client_id}: no answer")
        return kept.state

    # As the world moves it, without faults

    @property
    def balances(self) -> dict[str, Decimal]:
        """What the account has, without what is 0, whether or not the broker would answer."""
        self._arrive()
        return {unit: amount for unit, amount in self._balances.items() if amount}

    def deposit(self, amount: Decimal) -> None:
        """Pay money in."""
        self._arrive()
        self._book(Activity(self._ref("deposit"), "deposit", self._clock(), {self._currency: amount}))

    def pay_dividend(self, unit: str, per_share: Decimal, days: int = 0) -> None:
        """Let an instrument go ex today; what is held of it now is paid for after some days."""
        self._arrive()
        amount = (self._balances.get(unit, Decimal(0)) * per_share).quantize(MONEY)
        if amount:
            now = self._clock()
            self._unpaid.append((now + dt.timedelta(days=days), unit, amount, now.date()))
            self._arrive()

    def split(self, unit: str, ratio: Fraction) -> None:
        """Split an instrument, after executions under way and with its orders cancelled; fractions are rounded down."""
        for fill in [fill for fill in self._under_way if fill.kept.order.unit == unit]:
            self._book_fill(fill)
        for kept in self._orders.values():
            if kept.order.unit == unit and kept.is_open:
                kept.status = "cancelled"
        # Fills before a split are not taken back any more.
        self._busts = [(due, fill) for due, fill in self._busts if unit not in fill.legs]
        held = self._balances.get(unit, Decimal(0))
        change = (held * ratio.numerator / ratio.denominator).quantize(SHARE, ROUND_DOWN) - held
        if change:
            legs = {unit: change}
            self._book(Activity(self._ref("split"), "split", self._clock(), legs, unit=unit, ratio=str(ratio)))

    def trade(self, prices: Mapping[str, Decimal]) -> None:
        """Let the market trade once.

        Args:
            prices: of instruments, after any split of this session; others keep their last.
        """
        self._arrive()
        if self._draw(self._faults.restart):
            self._down_until = self._clock() + dt.timedelta(minutes=self._chance.randint(1, RESTART_MINUTES))
        held = [unit for unit in self.balances if unit not in {self._currency, FOREIGN}]
        if held and self._draw(self._faults.split):
            self.split(self._chance.choice(held), self._chance.choice(RATIOS))
        self._happen(sorted(held))
        self._prices.update(prices)
        for kept in [kept for kept in self._orders.values() if kept.is_open]:
            self._execute(kept)

    # How it is done

    def _draw(self, rate: float) -> bool:
        return self._chance.random() < rate

    def _ref(self, kind: str) -> str:
        return f"{kind}-{len(self._activities) + 1:06}"

    def _enter(self) -> None:
        """Begin a request, or fail before it does anything."""
        self._arrive()
        if self._clock() < self._down_until:
            raise UnreachableError("the broker restarts")
        if self._draw(self._faults.throttled):
            raise ThrottledError("too many requests")
        if self._draw(self._faults.unreachable):
            raise UnreachableError("no connection")

    def _arrive(self) -> None:
        """Book what has become due."""
        now = self._clock()
        for fill in [fill for fill in self._under_way if fill.due <= now]:
            self._book_fill(fill)
        due = [stated for moment, stated in self._busts if moment <= now]
        self._busts = [(moment, stated) for moment, stated in self._busts if moment > now]
        for stated in due:
            self._bust(stated)
        paid = [one for one in self._unpaid if one[0] <= now]
        self._unpaid = [one for one in self._unpaid if one[0] > now]
        for _, unit, amount, ex_date in paid:
            ref = self._ref("dividend")
            self._book(Activity(ref, "dividend", self._clock(), {self._currency: amount}, unit=unit, ex_date=ex_date))

    def _happen(self, held: Sequence[str]) -> None:
        """Let what happens by itself happen as a session begins."""
        luck, events = self._luck, self._events
        if held and luck.random() < events.dividend:
            unit = luck.choice(held)
            per_share = (self._prices[unit] * luck.randint(1, 100) / 10_000).quantize(MONEY)
            self.pay_dividend(unit, per_share, luck.randint(0, PAYS_WITHIN_DAYS))
        cash = self._balances.get(self._currency, Decimal(0))
        if luck.random() < events.deposit:
            self.deposit(Decimal(luck.randint(1, MOST_PAID)))
        if luck.random() < events.withdrawal and cash > MOST_PAID:
            self._move("withdrawal", -self._cents(MOST_PAID))
        if luck.random() < events.interest and cash > 0:
            self._move("interest", self._cents(9))
        if luck.random() < events.fee:
            self._move("fee", -self._cents(3), luck.choice([None, *held]))
        if luck.random() < events.fx:
            self._change_money()

    def _cents(self, most: int) -> Decimal:
        return Decimal(self._luck.randint(1, 100 * most)).scaleb(-2)

    def _move(self, kind: Literal["withdrawal", "interest", "fee"], amount: Decimal, unit: str | None = None) -> None:
        self._book(Activity(self._ref(kind), kind, self._clock(), {self._currency: amount}, unit=unit))

    def _change_money(self) -> None:
        """Change money into the foreign currency; what there is of it back."""
        amount = -self._balances.get(FOREIGN, Decimal(0)) or self._cents(MOST_PAID // 10)
        legs = {FOREIGN: amount, self._currency: (-amount * FOREIGN_RATE).quantize(MONEY)}
        self._book(Activity(self._ref("fx"), "fx", self._clock(), legs))

    def _refuse(self, order: Order) -> None:
        place = f"order {order.client_id}"
        if order.client_id in self._orders:
            raise RefusedError(f"{place}: expected a client id that was not used before")
        if order.quantity <= 0 or order.quantity != order.quantity.quantize(SHARE):
            raise RefusedError(f"{place}: {order.quantity}: expected more than 0, of at most 9 decimal digits")
        stated = {name for name in ("limit", "stop") if getattr(order, f"{name}_price") is not None}
        if stated != PRICES_OF[order.type]:
            raise RefusedError(f"{place}: {order.type}: expected its own price, and no other")
        if order.unit not in self._prices:
            raise RefusedError(f"{place}: {order.unit}: expected an instrument with a price")
        if order.quantity * self._prices[order.unit] < LEAST:
            raise RefusedError(f"{place}: expected a worth of at least {LEAST}")
        self._refuse_beyond(order, place)

    def _refuse_beyond(self, order: Order, place: str) -> None:
        """Refuse an order beyond the money, or the shares, that other orders leave."""
        # Those that are cancelled, too, as far as something is under way.
        under_way = {fill.kept.order.client_id for fill in self._under_way}
        kept = [one for one in self._orders.values() if one.is_open or one.order.client_id in under_way]
        others = [(one.order, one.order.quantity - one.filled) for one in kept if one.order.side == order.side]
        if order.side == "buy":
            needed = self._reserved(order, order.quantity)
            free = self._balances.get(self._currency, Decimal(0)) - sum(self._reserved(*one) for one in others)
        else:
            needed = order.quantity
            sold = sum((rest for one, rest in others if one.unit == order.unit), Decimal(0))
            free = self._balances.get(order.unit, Decimal(0)) - sold
        if needed > free:
            raise RefusedError(f"{place}: {needed}: expected at most {free}, what is free")

    def _reserved(self, order: Order, rest: Decimal) -> Decimal:
        return rest * (order.limit_price or RESERVE * (order.stop_price or self._prices[order.unit]))

    def _execute(self, kept: _Kept) -> None:
        """Execute an order at the price of its instrument, whole or in part, now or later."""
        order, price = kept.order, self._prices[kept.order.unit]
        rest = order.quantity - kept.filled - self._waiting(lambda one: one is kept)
        if order.side == "sell":
            sold = self._waiting(lambda one: one.order.side == "sell" and one.order.unit == order.unit)
            rest = min(rest, self._balances.get(order.unit, Decimal(0)) - sold)
        # What is worth nothing is not traded.
        if rest * price < MONEY or not _is_reached(order, price):
            return
        quantity = rest
        if self._draw(self._faults.partial):
            part = (rest * self._chance.randint(10, 90) / 100).quantize(SHARE, ROUND_DOWN)
            quantity = part if part * price >= LEAST else rest
        minutes = self._chance.randint(1, UNDER_WAY_MINUTES) if self._draw(self._faults.late) else 0
        fill = _Fill(self._clock() + dt.timedelta(minutes=minutes), kept, quantity, price)
        self._under_way.append(fill)
        if not minutes:
            self._book_fill(fill)

    def _waiting(self, of: Callable[[_Kept], bool]) -> Decimal:
        """Return the quantity under way for some orders."""
        return sum((fill.quantity for fill in self._under_way if of(fill.kept)), Decimal(0))

    def _book_fill(self, fill: _Fill) -> None:
        self._under_way.remove(fill)
        kept, order = fill.kept, fill.kept.order
        kept.filled += fill.quantity
        if kept.filled == order.quantity:
            kept.status = "filled"
        elif kept.is_open:
            kept.status = "partial"
        sign = 1 if order.side == "buy" else -1
        worth = (fill.quantity * fill.price).quantize(MONEY)
        fee = (worth * self._fee).quantize(MONEY)
        legs = {order.unit: sign * fill.quantity, self._currency: -sign * worth - fee}
        ref = self._ref("fill")
        stated = Activity(ref, "fill", self._clock(), legs, unit=order.unit, order=order.client_id, fee=fee)
        self._book(stated)
        if self._draw(self._faults.busted):
            days = self._chance.randint(1, BUST_DAYS)
            self._busts.append((self._clock() + dt.timedelta(days=days), stated))

    def _bust(self, fill: Activity) -> None:
        """Take a fill back, unless its shares are no longer there."""
        unit = str(fill.unit)
        sold = self._waiting(lambda one: one.order.side == "sell" and one.order.unit == unit)
        if self._balances.get(unit, Decimal(0)) - sold >= fill.legs[unit]:
            legs = {name: -amount for name, amount in fill.legs.items()}
            ref = self._ref("bust")
            self._book(Activity(ref, "bust", self._clock(), legs, unit=unit, order=fill.order, previous=fill.ref))

    def _book(self, activity: Activity) -> None:
        for unit, amount in activity.legs.items():
            before = self._balances.get(unit, Decimal(0))
            self._balances[unit] = before + amount
            if unit == activity.unit and activity.kind != "split":
                # Purchases add what they cost, sales take a part of it.
                cost = self._costs.get(unit, Decimal(0))
                paid = -activity.legs.get(self._currency, Decimal(0))
                self._costs[unit] = cost + paid if amount > 0 else cost * (before + amount) / before
        days = self._chance.randint(1, MISSING_DAYS) if self._draw(self._faults.missing) else 0
        self._activities.append((activity.at + dt.timedelta(days=days), activity))


def _is_reached(order: Order, price: Decimal) -> bool:
    """Return whether an order trades at a price."""
    sign = 1 if order.side == "buy" else -1
    is_limited = order.limit_price is not None and sign * price <= sign * order.limit_price
    is_stopped = order.stop_price is not None and sign * price >= sign * order.stop_price
    return order.type == "market" or is_limited or is_stopped
