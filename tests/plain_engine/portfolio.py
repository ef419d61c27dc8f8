"""The portfolio: its bank and positions, every row that changed them, and what it is worth at each close."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from plain_engine.position import NOT_APPLICABLE, Bar, Lot, Position, touches_from_above, touches_from_below
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import DAILY, LEDGER, LOTS, SimulationResult
from sd_core.simulation.rules import Every, LumpSums, Rules

Row = dict[str, float]

OPEN = -1
PORTFOLIO = -1

# How much more than there is a purchase may cost by rounding, and what is too little to book or to raise; in currency.
NEGLIGIBLE_CASH = 1e-9

MONTHS = {Every.YEAR: 12, Every.QUARTER: 3, Every.MONTH: 1}


@dataclass
class Day:
    """What one session adds up to; every sum is positive."""

    income: float = 0.0
    sells: float = 0.0
    buys: float = 0.0
    withdrawals: float = 0.0
    deposits: float = 0.0
    skipped_buys: int = 0
    passed_rungs: int = 0


class Portfolio:
    """One portfolio under one set of rules. The rules' own parts decide what it does; it does it and writes it down."""

    def __init__(self, panel: Panel, rules: Rules) -> None:
        self.panel = panel
        self.rules = rules
        self.bank = rules.capital
        self.positions = [
            Position(
                asset=asset,
                stands_for=asset,
                weight=float(rules.targets.weights[0, asset]),
                bracket=float(rules.brackets[asset]),
                profit_share=float(rules.profit_shares[asset]),
                lot_size=float(rules.lot_sizes[asset]),
            )
            for asset in range(len(panel.tickers))
        ]
        self.session = 0
        self.day = Day()
        # Whether the targets in force since today's close are others than those before.
        self.targets_changed = False
        self.lots_bought = 0
        # The proceeds of the rule's own trades: its sales before fees, and its sales less its purchases after them.
        self.gross_proceeds = 0.0
        self.net_proceeds = 0.0
        # As they were at the close before.
        self.last_bank = rules.capital
        self.last_value = rules.capital
        # The time-weighted return of every session so far.
        self.returns: list[float] = []
        # The last close known at every session so far, by asset.
        self.closes: list[list[float]] = []
        # Rows by the columns of LEDGER, DAILY and LOTS.
        self.ledger: list[Row] = []
        self.daily: list[Row] = []
        self.closed_lots: list[Row] = []

        self._bars = np.stack([panel.open, panel.high, panel.low, panel.close], axis=-1).tolist()
        self._days = panel.sessions.astype("datetime64[D]").astype(int).tolist()
        self._months = panel.sessions.astype("datetime64[M]").astype(int).tolist()
        days_of_targets = rules.targets.sessions.astype("datetime64[D]").astype(int).tolist()
        self._targets = list(zip(days_of_targets, rules.targets.weights.tolist(), strict=True))

    # The session.

    def begin(self, session: int) -> None:
        self.session = session
        self.day = Day()
        for position, prices in zip(self.positions, self._bars[session], strict=True):
            bar = Bar(*prices)
            position.bar = None if math.isnan(bar.close) else bar
            position.dividends = 0.0

    @property
    def trading(self) -> list[Position]:
        """The assets that have a bar today."""
        return [position for position in self.positions if position.bar]

    def may_trade(self, position: Position) -> bool:
        """Return whether an asset can be traded at the close: it has a bar, and no harvested loss forbids it."""
        return position.bar is not None and self._days[self.session] > position.blocked_until

    @property
    def tradable(self) -> list[Position]:
        """The assets that can be traded at the close."""
        return [position for position in self.positions if self.may_trade(position)]

    def block(self, position: Position, days: int) -> None:
        """Let nothing trade an asset at the close, today and for so many days."""
        position.blocked_until = self._days[self.session] + days

    def begins_a(self, period: Every) -> bool:
        """Return whether this session lies in another period than the one before; the very first begins none."""
        return self.periods_begun(period) > 0

    def periods_begun(self, period: Every) -> int:
        """Return how many periods have begun since the session before: more than one where some had no session."""
        if self.session == 0 or period is Every.NEVER:
            return 0
        length = MONTHS[period]
        return int(self._months[self.session] // length - self._months[self.session - 1] // length)

    def lump_sum(self, dated: LumpSums) -> float:
        """Return the sums dated today or since the session before; the second session takes all until then."""
        today, before = self.panel.sessions[self.session], self.panel.sessions[self.session - 1]
        return sum(
            amount
            for date, amount in dated
            if np.datetime64(date) <= today and (self.session == 1 or np.datetime64(date) > before)
        )

    def days_since_last_session(self) -> int:
        return int(self._days[self.session] - self._days[self.session - 1])

    # What it is worth.

    def invested(self) -> float:
        return sum(position.worth for position in self.positions)

    def value(self) -> float:
        return self.bank + self.invested()

    def fee(self, quantity: float, price: float) -> float:
        return self.rules.fee_fixed + self.rules.fee_rate * quantity * price

    def pays_its_fee(self, quantity: float, price: float) -> bool:
        """Return whether a sale is of something, and worth more than its fee."""
        return quantity > 0 and quantity * price > self.fee(quantity, price)

    def affordable(self, money: float, price: float) -> float:
        """Return how many shares cost a sum of money, fee included."""
        return (money - self.rules.fee_fixed) / (price * (1 + self.rules.fee_rate))

    def enough_to_raise(self, money: float, price: float) -> float:
        """Return how many shares raise a sum of money after the fee."""
        return (money + self.rules.fee_fixed) / (price * (1 - self.rules.fee_rate))

    # What it does.

    def sell(self, leg: int, kind: Kind, position: Position, quantity: float, price: float) -> float:
        """Sell, and return what comes in after the fee."""
        fee = self.fee(quantity, price)
        amount = quantity * price - fee
        gain = 0.0
        for lot, part in position.take_from_lots(quantity, self.rules.lot_order):
            gain += part * (price - lot.price)
            self.closed_lots.append(lot_row(lot, position.asset, self.session, part, price))
        position.remove(quantity)
        self.day.sells += amount
        if kind is Kind.SELL:
            self.gross_proceeds += quantity * price
            self.net_proceeds += amount
        self.book(
            leg,
            kind,
            position.asset,
            quantity=-quantity,
            price=price,
            fee=fee,
            amount=amount,
            premium=position.premium(price),
            buyback_gain=gain,
        )
        return amount

    def buy_lot(self, leg: int, position: Position, quantity: float, price: float) -> None:
        """Make a purchase of the rule, which opens a lot."""
        premium = position.premium(price)
        self.lots_bought += 1
        position.lots.append(Lot(self.lots_bought, self.session, quantity, price, premium))
        self.net_proceeds -= self.purchase(leg, Kind.BUY, position, quantity, price, premium)

    def purchase(
        self, leg: int, kind: Kind, position: Position, quantity: float, price: float, premium: float
    ) -> float:
        """Buy, and return what it takes from the bank."""
        fee = self.fee(quantity, price)
        cost = quantity * price + fee
        position.add(quantity, cost)
        self.day.buys += cost
        self.book(leg, kind, position.asset, quantity=quantity, price=price, fee=fee, amount=-cost, premium=premium)
        return cost

    def book(
        self,
        leg: int,
        kind: Kind,
        asset: int,
        *,
        price: float = NOT_APPLICABLE,
        amount: float,
        quantity: float = NOT_APPLICABLE,
        skipped_quantity: float = NOT_APPLICABLE,
        fee: float = 0.0,
        premium: float = NOT_APPLICABLE,
        buyback_gain: float = NOT_APPLICABLE,
        sale_limit: float = NOT_APPLICABLE,
    ) -> None:
        """Move the bank by an amount, and write the ledger row that says why."""
        self.bank += amount
        self.ledger.append(
            {
                "session": self.session,
                "leg": leg,
                "kind": kind,
                "asset": asset,
                "quantity": quantity,
                "skipped_quantity": skipped_quantity,
                "price": price,
                "fee": fee,
                "amount": amount,
                "bank_after": self.bank,
                "premium": premium,
                "buyback_gain": buyback_gain,
                "sale_limit": sale_limit,
            }
        )

    # The close.

    def read_closes(self) -> None:
        for position in self.positions:
            if position.bar:
                position.last_close = position.bar.close

    def put_targets_in_force(self) -> None:
        """Give every asset its share in the last row dated today or before; the first row stays until one comes."""
        today = self._days[self.session]
        _, first = self._targets[0]
        row = [first, *(weights for day, weights in self._targets if day <= today)][-1]
        in_force = [row[position.stands_for] for position in self.positions]
        self.targets_changed = in_force != [position.weight for position in self.positions]
        for position, weight in zip(self.positions, in_force, strict=True):
            position.weight = weight

    def mark(self) -> None:
        """Value the portfolio at the last closes and write the day."""
        for position in self.trading:
            close = position.last_close
            position.nav = max(position.nav, close)
            # Where the price has come back, a later refusal at the same limit is news again.
            if not touches_from_above(close, position.buy_limit):
                position.refusals_booked.discard(Kind.SKIP_BUY)
            if not touches_from_below(close, position.sell_limit):
                position.refusals_booked.discard(Kind.SKIP_SELL)
        invested = self.invested()
        value = self.bank + invested
        nav_value = sum(position.holdings * position.nav for position in self.positions)
        day = self.day
        before = self.last_value + day.deposits
        self.returns.append((value + day.withdrawals) / before - 1 if before > 0 else 0.0)
        self.last_bank, self.last_value = self.bank, value
        self.closes.append([position.last_close for position in self.positions])
        self.daily.append(
            {"bank": self.bank, "invested": invested, "value": value, "nav_value": nav_value, **vars(day)}
        )

    def result(self) -> SimulationResult:
        still_open = [
            lot_row(lot, position.asset, OPEN, lot.quantity, NOT_APPLICABLE)
            for position in self.positions
            for lot in position.lots
        ]
        still_open.sort(key=lambda row: row["lot"])
        return SimulationResult(
            ledger=rows(self.ledger, LEDGER),
            daily=rows(self.daily, DAILY),
            lots=rows(self.closed_lots + still_open, LOTS),
        )


def lot_row(lot: Lot, asset: int, closed: int, quantity: float, sale_price: float) -> Row:
    """Return a row of LOTS for a part of a lot: what a sale took of it, or what is left at the end."""
    return {
        "lot": lot.number,
        "asset": asset,
        "opened": lot.opened,
        "closed": closed,
        "quantity": quantity,
        "price": lot.price,
        "sale_price": sale_price,
        "premium": lot.premium,
    }


def rows(found: Sequence[Row], dtype: np.dtype) -> np.ndarray:
    return np.array([*map(itemgetter(*dtype.names or ()), found)], dtype=dtype)
