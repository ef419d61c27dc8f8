"""What a satellite trades: orders made at one close and filled at the next open, and those that rest within the bar."""

import datetime as dt
import math
from dataclasses import dataclass, field

from plain_engine.satellites import rules
from plain_engine.satellites.books import OPEN, WITHIN
from plain_engine.satellites.position import Position
from plain_engine.satellites.satellite import Satellite
from sd_core.schemas.kinds import Dividends, ExitReason, Kind, Signal

WHOLE_LOTS = 1e-9
LATE_EX_DATE = dt.timedelta(days=10)

# The first of these that holds is why a position is sold.
EXITS = (ExitReason.EX_DATE, ExitReason.TREND, ExitReason.HELD)


@dataclass(frozen=True)
class Entry:
    """An order to open a position, for no more than its budget, fees included."""

    asset: int
    budget: float
    conviction: float
    factor: float
    regime: int
    projected: dt.date | None
    tested_lock: dt.date | None


@dataclass
class Orders:
    """What is to be done at the next open, made at a close; exits are noted at the positions.

    Attributes:
        reinvest: money by asset, from dividends of the day.
        entries: the best first.
        most_openings: how many of them may be filled.
    """

    reinvest: dict[int, float] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    most_openings: float = math.inf


class Trading:
    """The trades of one satellite."""

    def __init__(self, satellite: Satellite) -> None:
        self.satellite = satellite
        self.parameters = satellite.parameters
        self.orders = Orders()

    # Fills.

    def trade(self) -> None:
        """Fill what was ordered at the close before, and then what rests within the bars."""
        self.exit()
        self.reinvest()
        self.enter()
        self.stop_out()
        self.take_profits()

    def exit(self) -> None:
        for position in self.satellite.held():
            bar = self.satellite.bar(position.asset)
            if position.exit_reason is not None and bar:
                self.close(position, OPEN, bar[0], position.exit_reason)

    def reinvest(self) -> None:
        for position in self.satellite.held():
            money = self.orders.reinvest.get(position.asset, 0.0)
            bar = self.satellite.bar(position.asset)
            if bar and money > 0:
                quantity = self.affordable(position.asset, money, bar[0])
                if quantity > 0:
                    self.buy(Kind.DIVIDEND_BUY, position, quantity, bar[0])

    def enter(self) -> None:
        opened = 0
        for order in self.orders.entries:
            bar = self.satellite.bar(order.asset)
            is_room = len(self.satellite.positions) < self.parameters.positions and opened < self.orders.most_openings
            if bar and is_room:
                opened += self.open(order, bar[0])

    def open(self, order: Entry, price: float) -> bool:
        """Buy what was ordered, and return whether that was anything."""
        satellite, parameters = self.satellite, self.parameters
        quantity = self.affordable(order.asset, order.budget, price)
        if quantity <= 0:
            return False
        position = Position(
            asset=order.asset,
            number=len(satellite.entries) + 1,
            opened=satellite.books.session,
            opened_on=satellite.books.today,
            entry=price,
            conviction=order.conviction,
            factor=order.factor,
            regime=order.regime,
            premium=price / satellite.highest_closes[order.asset] - 1,
            projected=order.projected,
            tested_lock=order.tested_lock,
            stop=price * (1 - parameters.stop),
            take=None if parameters.trailing else price * (1 + parameters.take),
        )
        satellite.positions.append(position)
        satellite.entries.append(position)
        self.buy(Kind.BUY, position, quantity, price)
        return True

    def stop_out(self) -> None:
        """Fill the stops that today's bars reach; an open beyond a take-profit is left to that."""
        for position in self.satellite.held():
            bar = self.satellite.bar(position.asset)
            if bar is None:
                continue
            opening = self.opening(position, bar[0])
            fill = position.stop_fill(opening, bar[2])
            if fill is not None and not position.opens_beyond_take(opening):
                reason = ExitReason.TRAILING if position.armed else ExitReason.STOP
                self.close(position, OPEN if fill == opening else WITHIN, fill, reason)

    def take_profits(self) -> None:
        for position in self.satellite.held():
            bar = self.satellite.bar(position.asset)
            if bar is None:
                continue
            opening = self.opening(position, bar[0])
            fill = position.take_fill(opening, bar[1])
            if fill is not None:
                self.close(position, OPEN if fill == opening else WITHIN, fill, ExitReason.TAKE)

    def opening(self, position: Position, price: float) -> float | None:
        """Return the open where resting orders were there to meet it: not on the day of the entry."""
        return price if position.opened < self.satellite.books.session else None

    # Quantities and cash.

    def fee(self, quantity: float, price: float) -> float:
        return self.satellite.plan.fee_fixed + self.satellite.plan.fee_rate * quantity * price

    def affordable(self, asset: int, budget: float, price: float) -> float:
        """Return how much a sum buys, fees included, or the free cash if that is less."""
        plan = self.satellite.plan
        money = min(budget, self.satellite.free_cash)
        quantity = (money - plan.fee_fixed) / (price * (1 + plan.fee_rate))
        lot = plan.lot_sizes[asset]
        return quantity if lot == 0 else math.floor(quantity / lot + WHOLE_LOTS) * lot

    def buy(self, kind: Kind, position: Position, quantity: float, price: float) -> None:
        fee = self.fee(quantity, price)
        paid = quantity * price + fee
        position.quantity += quantity
        position.cost += paid
        self.satellite.book(OPEN, kind, -paid, asset=position.asset, quantity=quantity, price=price, fee=fee)

    def close(self, position: Position, leg: int, price: float, reason: ExitReason) -> None:
        satellite, quantity = self.satellite, position.quantity
        fee = self.fee(quantity, price)
        proceeds = quantity * price - fee
        satellite.book(leg, Kind.SELL, proceeds, asset=position.asset, quantity=-quantity, price=price, fee=fee)
        position.close(satellite.books.session, price, proceeds, reason)
        satellite.positions.remove(position)
        satellite.closed_today.append(position)

    # Orders.

    def make_orders(self) -> None:
        """Look at the close, which the rules have judged, and decide what the next open trades."""
        for position in self.satellite.held():
            self.rest(position)
            if position.exit_reason is None:
                position.exit_reason = self.exit_reason(position)
        self.orders = Orders(reinvest=self.reinvestments(), entries=self.wanted(), most_openings=self.most_openings())

    def rest(self, position: Position) -> None:
        bar = self.satellite.bar(position.asset)
        if bar and self.parameters.trailing:
            position.trail(bar[3], self.parameters.trail)

    def exit_reason(self, position: Position) -> ExitReason | None:
        """Return why a position is to be sold at the next open with a bar, if it is."""
        satellite = self.satellite
        today, session = satellite.books.today, satellite.books.session
        late = position.projected is not None and today > position.projected + LATE_EX_DATE
        holds = {
            ExitReason.EX_DATE: satellite.signal is Signal.EX_DIVIDEND and late,
            ExitReason.TREND: bool(satellite.signals.is_exit[session, position.asset]),
            ExitReason.HELD: (today - position.opened_on).days >= self.parameters.days,
        }
        return next((reason for reason in EXITS if holds[reason]), None)

    def reinvestments(self) -> dict[int, float]:
        wants = self.parameters.dividends == Dividends.REINVEST_SAME and self.satellite.restraints.factor > 0
        return dict(self.satellite.dividends_paid) if wants else {}

    def wanted(self) -> list[Entry]:
        """Return an order for every ticker that is not held and that the signal is sure enough about."""
        satellite, restraints = self.satellite, self.satellite.restraints
        if restraints.factor <= 0:
            return []
        session, signals = satellite.books.session, satellite.signals
        held = {position.asset for position in satellite.positions}
        needed = rules.conviction_needed(restraints.level)
        assets = [
            asset
            for asset in satellite.settings.tickers
            if signals.is_entry[session, asset]
            and asset not in held
            and rules.at_least(float(signals.conviction[session, asset]), needed)
        ]
        return [self.order(asset) for asset in sorted(assets, key=self.rank)]

    def rank(self, asset: int) -> tuple[float, bool, float]:
        """Return what orders are sorted by, those without an order last; sorting keeps ties in the study's order."""
        session, signals = self.satellite.books.session, self.satellite.signals
        order = float(signals.order[session, asset])
        return -float(signals.conviction[session, asset]), math.isnan(order), 0.0 if math.isnan(order) else order

    def order(self, asset: int) -> Entry:
        satellite, parameters = self.satellite, self.parameters
        session, signals = satellite.books.session, satellite.signals
        conviction = float(signals.conviction[session, asset])
        equal_part = 1 / parameters.positions
        extra = max(parameters.size - equal_part, 0.0)
        fraction = equal_part + extra * conviction if extra > 0 else parameters.size
        projected = int(signals.next_ex_date[session, asset])
        breaker, factor = satellite.breaker, satellite.restraints.factor
        return Entry(
            asset=asset,
            budget=satellite.value * factor * fraction,
            conviction=conviction,
            factor=factor,
            regime=int(satellite.regime),
            projected=dt.date(1970, 1, 1) + dt.timedelta(days=projected) if projected >= 0 else None,
            tested_lock=breaker.locked_on if breaker.is_testing(satellite.books.today) else None,
        )

    def most_openings(self) -> float:
        """Return how many positions the next open may add: none beside a test, one as a test or at a low level."""
        breaker, restraints = self.satellite.breaker, self.satellite.restraints
        if restraints.testing:
            testing = any(position.tested_lock == breaker.locked_on for position in self.satellite.positions)
            return 0 if testing else 1
        return 1 if rules.one_new_position_only(restraints.level) else math.inf
