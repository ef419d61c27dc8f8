"""One scenario, simulated in plain Python: the reference against which the compiled engine is held.

Clarity is its only aim. ``simulate`` at the end goes through the sessions; above it stand, in the order of a
session, the cash that arrives, the path of a bar, sales and their lots, purchases and refusals, the first purchase,
withdrawals and the sales that fund them, and the mark. Checking input does not belong here: rules and panels are valid.

All money is in the study's currency, all quantities are shares, brackets and premiums are fractions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sd_core.market.panel import Panel
from sd_core.simulation.results import (
    DAILY,
    LEDGER,
    LEG_ARRIVAL,
    LEG_CLOSE,
    LOTS,
    Kind,
    SimulationResult,
)
from sd_core.simulation.rules import (
    Anchor,
    Coordination,
    Every,
    LotOrder,
    Path,
    Proceeds,
    Rules,
    Shortfall,
    Sizing,
    Variant,
)

NOT_APPLICABLE = math.nan
OPEN = -1
PORTFOLIO = -1

# A price computed along another way may miss a limit by rounding alone; it touches all the same.
TOUCH = 1e-12
LOT_ROUNDING = 1e-9
# How much more than there is a purchase may cost by rounding, and what is too little to book or to raise; in currency.
NEGLIGIBLE_CASH = 1e-9
SAME_QUANTITY = 1e-9

MONTHS = {Every.YEAR: 12, Every.QUARTER: 3, Every.MONTH: 1}


@dataclass
class Lot:
    """Shares that one BUY brought; later sales of the same asset take them before they touch what was there before."""

    number: int
    opened: int
    quantity: float
    price: float
    premium: float


@dataclass
class Position:
    """One asset: what the rules say about it, and where it stands."""

    asset: int
    weight: float
    bracket: float
    profit_share: float
    lot_size: float
    holdings: float = 0.0
    anchor: float = NOT_APPLICABLE
    nav: float = 0.0
    last_close: float = NOT_APPLICABLE
    lots: list[Lot] = field(default_factory=list)
    refusal_booked: bool = False

    @property
    def sell_limit(self) -> float:
        return self.anchor * (1 + self.bracket)

    @property
    def buy_limit(self) -> float:
        return self.anchor / (1 + self.bracket)

    @property
    def worth(self) -> float:
        return self.holdings * self.last_close

    def rounded(self, quantity: float) -> float:
        """Round a quantity down to whole lots; a lot size of 0 trades fractions."""
        if self.lot_size == 0:
            return quantity
        return math.floor(quantity / self.lot_size + LOT_ROUNDING) * self.lot_size

    def premium(self, price: float) -> float:
        """How far a price stands above the highest close of the sessions before."""
        return price / self.nav - 1

    def sale_quantity(self, sizing: Sizing) -> float:
        """What a sale at the next rung up sells: 0 where that rounds down to nothing."""
        if sizing is Sizing.SYMMETRIC and self.lots:
            wanted = self.lots[-1].quantity
        else:
            wanted = self.bracket * self.holdings * self.profit_share / (1 + self.bracket)
        return min(self.rounded(wanted), self.holdings)

    def purchase_quantity(self) -> float:
        """What a purchase at the next rung down buys: 0 where that rounds down to nothing."""
        return self.rounded(self.bracket * self.holdings * self.profit_share)

    def move_anchor(self, level: float) -> None:
        self.anchor = level
        self.refusal_booked = False


@dataclass(frozen=True)
class Leg:
    """One stretch of an asset's path within a session: from one price straight to another.

    Nobody trades on the jump to the first price of the day: whatever that price has reached fills there. On the later
    legs the price passes through every limit between its ends, and each fills at its own level.
    """

    number: int
    position: Position
    start: float
    end: float

    @property
    def is_jump(self) -> bool:
        return self.number == 0

    def fills_sale(self, limit: float) -> bool:
        return touches_from_below(self.end, limit) and (self.is_jump or not touches_from_below(self.start, limit))

    def fills_purchase(self, limit: float) -> bool:
        return touches_from_above(self.end, limit) and (self.is_jump or not touches_from_above(self.start, limit))

    def fill_price(self, limit: float) -> float:
        return self.end if self.is_jump else limit

    @property
    def end_premium(self) -> float:
        return self.position.premium(self.end)


def touches_from_below(price: float, limit: float) -> bool:
    return price >= limit * (1 - TOUCH)


def touches_from_above(price: float, limit: float) -> bool:
    return price <= limit * (1 + TOUCH)


@dataclass(frozen=True)
class Bar:
    """One asset's prices in one session."""

    open: float
    high: float
    low: float
    close: float

    def stops(self, path: Path) -> list[float]:
        """Return the prices that the session visits, in order."""
        if path is Path.CLOSE_ONLY:
            return [self.close]
        low_is_nearer = self.open - self.low <= self.high - self.open
        if path is Path.LOW_FIRST or (path is Path.NEAREST and low_is_nearer):
            return [self.open, self.low, self.high, self.close]
        return [self.open, self.high, self.low, self.close]


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


class Scenario:
    """One portfolio under one set of rules, from session to session."""

    def __init__(self, panel: Panel, rules: Rules) -> None:
        self.panel = panel
        self.rules = rules
        self.bank = rules.capital
        self.value_at_last_close = rules.capital
        self.positions = [
            Position(
                asset=asset,
                weight=float(rules.weights[asset]),
                bracket=float(rules.brackets[asset]),
                profit_share=float(rules.profit_shares[asset]),
                lot_size=float(rules.lot_sizes[asset]),
            )
            for asset in range(len(panel.tickers))
        ]
        self.session = 0
        self.day = Day()
        self.lots_bought = 0
        self.withdrawals_scheduled = 0.0
        # Rows in the order of the columns of LEDGER, DAILY and LOTS.
        self.ledger: list[tuple[float, ...]] = []
        self.daily: list[tuple[float, ...]] = []
        self.closed_lots: list[tuple[float, ...]] = []

    def run_session(self, session: int) -> None:
        self.session = session
        self.day = Day()
        bars = self.bars_of_the_session()
        if session == 0:
            self.first_purchase(bars)
        else:
            kept_overnight = self.bank
            self.receive_dividends()
            self.receive_interest(kept_overnight)
            self.receive_deposit()
            self.walk_the_path(bars)
        self.read_closes(bars)
        self.withdraw(bars)
        self.mark(bars)

    def bars_of_the_session(self) -> dict[int, Bar]:
        """Return the bars by asset; an asset that did not trade has none."""
        panel, session = self.panel, self.session
        columns = zip(
            *(prices[session].tolist() for prices in (panel.open, panel.high, panel.low, panel.close)),
            strict=True,
        )
        bars = {asset: Bar(*prices) for asset, prices in enumerate(columns)}
        return {asset: bar for asset, bar in bars.items() if not math.isnan(bar.close)}

    def begins_a(self, period: Every) -> bool:
        """Say whether this session lies in another period than the one before; the very first begins none."""
        if self.session == 0 or period is Every.NEVER:
            return False
        months = self.panel.sessions[self.session - 1 : self.session + 1].astype("datetime64[M]").astype(int)
        before, now = months // MONTHS[period]
        return bool(now != before)

    # Cash that arrives before anything trades.

    def receive_dividends(self) -> None:
        for position in self.positions:
            dividend = float(self.panel.dividends[self.session, position.asset])
            if position.holdings > 0 and dividend != 0:
                amount = position.holdings * dividend
                self.day.income += amount
                self.book(LEG_ARRIVAL, Kind.DIVIDEND, position.asset, price=dividend, amount=amount)

    def receive_interest(self, kept_overnight: float) -> None:
        """Book what the bank earned since the previous close, at the rate known then, or what being overdrawn cost."""
        overdrawn = kept_overnight < 0
        rate = self.rules.margin_rate if overdrawn else float(self.panel.rates[self.session - 1])
        days = int((self.panel.sessions[self.session] - self.panel.sessions[self.session - 1]).astype(int))
        amount = kept_overnight * rate * days / 365
        if abs(amount) >= NEGLIGIBLE_CASH:
            self.day.income += amount
            self.book(LEG_ARRIVAL, Kind.INTEREST, PORTFOLIO, price=NOT_APPLICABLE, amount=amount)

    def receive_deposit(self) -> None:
        if self.begins_a(self.rules.deposit_every):
            self.day.deposits += self.rules.deposit
            self.book(LEG_ARRIVAL, Kind.DEPOSIT, PORTFOLIO, price=NOT_APPLICABLE, amount=self.rules.deposit)

    # The path of the day's bars.

    def walk_the_path(self, bars: dict[int, Bar]) -> None:
        """Let the rule trade: leg by leg, all assets together, every sale before any purchase."""
        if self.rules.variant is Variant.BUY_AND_HOLD:
            return
        paths = {asset: [self.positions[asset].last_close, *bar.stops(self.rules.path)] for asset, bar in bars.items()}
        for number in range(1 if self.rules.path is Path.CLOSE_ONLY else 4):
            legs = [
                Leg(number, self.positions[asset], stops[number], stops[number + 1]) for asset, stops in paths.items()
            ]
            for leg in self.selling_order(legs):
                self.sell_rungs(leg)
            if self.rules.variant is not Variant.ATH_ONLY:
                for leg in self.buying_order(legs):
                    self.buy_rungs(leg)

    def selling_order(self, legs: list[Leg]) -> list[Leg]:
        """Return the dearest first where coordinated, else the universe's order; sorting keeps ties in it."""
        if self.rules.coordination is Coordination.NAV_OPPORTUNISTIC:
            return sorted(legs, key=lambda leg: -leg.end_premium)
        return legs

    def buying_order(self, legs: list[Leg]) -> list[Leg]:
        """Return the cheapest first where coordinated, else the universe's order; sorting keeps ties in it."""
        if self.rules.coordination is Coordination.NAV_OPPORTUNISTIC:
            return sorted(legs, key=lambda leg: leg.end_premium)
        return legs

    # Sales.

    def sell_rungs(self, leg: Leg) -> None:
        """Fill or pass every sell rung that the leg reaches."""
        position = leg.position
        for _ in range(self.rules.max_rungs):
            limit = position.sell_limit
            if not leg.fills_sale(limit):
                return
            price = leg.fill_price(limit)
            quantity = position.sale_quantity(self.rules.sizing)
            if self.is_worthless(quantity, price) or self.holds_out_for_more(position, limit):
                self.day.passed_rungs += 1
            else:
                self.sell(leg.number, Kind.SELL, position, quantity, price)
            self.leave_rung(position, limit, price)

    def is_worthless(self, quantity: float, price: float) -> bool:
        """Say whether a sale is of nothing, or brings no more than its fee."""
        return quantity <= 0 or quantity * price <= self.fee(quantity, price)

    def holds_out_for_more(self, position: Position, limit: float) -> bool:
        """Say whether the variant keeps its shares at a rung because the asset has closed higher before."""
        return self.rules.variant is Variant.ATH_SELL and limit * (1 + TOUCH) < position.nav

    def sell(self, leg: int, kind: Kind, position: Position, quantity: float, price: float) -> float:
        """Sell, and return what comes in after the fee."""
        fee = self.fee(quantity, price)
        amount = quantity * price - fee
        position.holdings -= quantity
        self.day.sells += amount
        self.book(
            leg,
            kind,
            position.asset,
            quantity=-quantity,
            price=price,
            fee=fee,
            amount=amount,
            premium=position.premium(price),
            buyback_gain=self.take_from_lots(position, quantity, price),
        )
        return amount

    def take_from_lots(self, position: Position, quantity: float, price: float) -> float:
        """Sell lots in the rules' order and return the gain on them; what they do not hold comes from the core."""
        next_in_line = 0 if self.rules.lot_order is LotOrder.FIFO else -1
        remaining = quantity
        gain = 0.0
        while position.lots and remaining > 0:
            lot = position.lots[next_in_line]
            if abs(remaining - lot.quantity) <= SAME_QUANTITY * quantity:
                # Otherwise rounding would leave a lot, or a sale, of next to nothing.
                remaining = lot.quantity
            part = min(remaining, lot.quantity)
            gain += part * (price - lot.price)
            self.closed_lots.append(lot_row(lot, position.asset, self.session, part, price))
            remaining -= part
            lot.quantity -= part
            if lot.quantity == 0:
                position.lots.pop(next_in_line)
        return gain

    # Purchases.

    def buy_rungs(self, leg: Leg) -> None:
        """Fill or pass every buy rung that the leg reaches, until bank and credit do not cover one."""
        position = leg.position
        for _ in range(self.rules.max_rungs):
            limit = position.buy_limit
            if not leg.fills_purchase(limit):
                return
            price = leg.fill_price(limit)
            quantity = position.purchase_quantity()
            if quantity <= 0:
                self.day.passed_rungs += 1
            elif self.covers(quantity, price):
                self.buy(leg, quantity, price)
            else:
                self.refuse(leg, quantity, price)
                return
            self.leave_rung(position, limit, price)

    def covers(self, quantity: float, price: float) -> bool:
        """Say whether the bank, overdrawn as far as the credit on the last close goes, pays for a purchase."""
        credit = self.rules.margin_limit * self.value_at_last_close
        return quantity * price + self.fee(quantity, price) <= self.bank + credit + NEGLIGIBLE_CASH

    def buy(self, leg: Leg, quantity: float, price: float) -> None:
        position = leg.position
        premium = position.premium(price)
        self.lots_bought += 1
        position.lots.append(Lot(self.lots_bought, self.session, quantity, price, premium))
        self.purchase(leg.number, Kind.BUY, position, quantity, price, premium)

    def refuse(self, leg: Leg, quantity: float, price: float) -> None:
        """Book that a purchase is not covered, once while the reason lasts; nothing else changes."""
        position = leg.position
        if position.refusal_booked:
            return
        position.refusal_booked = True
        self.day.skipped_buys += 1
        self.book(
            leg.number,
            Kind.SKIP_BUY,
            position.asset,
            skipped_quantity=quantity,
            price=price,
            amount=0.0,
            premium=position.premium(price),
        )

    def purchase(self, leg: int, kind: Kind, position: Position, quantity: float, price: float, premium: float) -> None:
        fee = self.fee(quantity, price)
        cost = quantity * price + fee
        position.holdings += quantity
        self.day.buys += cost
        self.book(leg, kind, position.asset, quantity=quantity, price=price, fee=fee, amount=-cost, premium=premium)

    def leave_rung(self, position: Position, limit: float, price: float) -> None:
        """Move the anchor after a fill, and after a pass as if it had been one."""
        position.move_anchor(limit if self.rules.anchor is Anchor.LADDER else price)

    def fee(self, quantity: float, price: float) -> float:
        return self.rules.fee_fixed + self.rules.fee_rate * quantity * price

    # The first close.

    def first_purchase(self, bars: dict[int, Bar]) -> None:
        """Buy every asset for its share of the capital; what rounds down to nothing stays in the bank for good."""
        for position in self.positions:
            price = bars[position.asset].close
            position.move_anchor(price)
            budget = min(self.rules.capital * (1 - self.rules.reserve) * position.weight, self.bank)
            quantity = position.rounded((budget - self.rules.fee_fixed) / (price * (1 + self.rules.fee_rate)))
            if quantity > 0:
                self.purchase(LEG_CLOSE, Kind.INITIAL_BUY, position, quantity, price, premium=0.0)

    # Withdrawals, and what is sold for them; the rule's anchors know nothing of it.

    def withdraw(self, bars: dict[int, Bar]) -> None:
        """Pay what a new period asks for: all, nothing where coverage is too low, else what can be raised."""
        if not self.begins_a(self.rules.withdrawal_every):
            return
        due = self.rules.withdrawal + self.rules.withdrawal_share * (self.bank + self.invested())
        if due <= NEGLIGIBLE_CASH:
            return
        self.withdrawals_scheduled += due
        if not self.is_covered():
            self.skip_withdrawal(due)
            return
        if due > self.bank + NEGLIGIBLE_CASH:
            self.raise_cash(due - self.bank, bars)
        paid = min(due, max(self.bank, 0.0))
        if paid > NEGLIGIBLE_CASH:
            self.pay(due, paid)
        else:
            self.skip_withdrawal(due)

    def is_covered(self) -> bool:
        """Say whether the rule has brought enough of all that was to be paid so far, today's withdrawal included."""
        minimum = self.rules.coverage_min
        return minimum == 0 or self.proceeds() >= minimum * self.withdrawals_scheduled

    def proceeds(self) -> float:
        """Return what the rule's trades have brought: its sales before fees, or sales less purchases after them."""
        booked = rows(self.ledger, LEDGER)
        sold, bought = (booked[booked["kind"] == kind] for kind in (Kind.SELL, Kind.BUY))
        if self.rules.coverage_of is Proceeds.GROSS:
            return float(-(sold["quantity"] * sold["price"]).sum())
        return float(sold["amount"].sum() + bought["amount"].sum())

    def pay(self, due: float, paid: float) -> None:
        self.day.withdrawals += paid
        cut = due - paid
        self.book(
            LEG_CLOSE,
            Kind.WITHDRAWAL,
            PORTFOLIO,
            skipped_quantity=cut if cut > NEGLIGIBLE_CASH else NOT_APPLICABLE,
            price=NOT_APPLICABLE,
            amount=-paid,
        )

    def skip_withdrawal(self, due: float) -> None:
        self.book(LEG_CLOSE, Kind.SKIP_WITHDRAWAL, PORTFOLIO, skipped_quantity=due, price=NOT_APPLICABLE, amount=0.0)

    def raise_cash(self, need: float, bars: dict[int, Bar]) -> None:
        """Sell at the close, as the policy says, among the assets that trade today."""
        if self.rules.shortfall is Shortfall.NONE:
            return
        trading = [self.positions[asset] for asset in bars]
        if self.rules.shortfall is Shortfall.OVERWEIGHT:
            need = self.sell_overweight(need, trading)
        if need > NEGLIGIBLE_CASH:
            self.sell_pro_rata(need, trading)

    def sell_overweight(self, need: float, trading: list[Position]) -> float:
        """Sell what is above its target, the largest excess first, and return the need that is left."""
        value = self.bank + self.invested()
        excesses = [
            (position.worth - position.weight * (1 - self.rules.reserve) * value, position) for position in trading
        ]
        # Sorting keeps ties in the universe's order.
        for excess, position in sorted(excesses, key=lambda pair: -pair[0]):
            if excess <= 0 or need <= NEGLIGIBLE_CASH:
                break
            price = position.last_close
            enough = (need + self.rules.fee_fixed) / (price * (1 - self.rules.fee_rate))
            need -= self.sell_for_cash(position, min(excess / price, enough))
        return need

    def sell_pro_rata(self, need: float, trading: list[Position]) -> None:
        """Sell the same share of every holding."""
        held = [position for position in trading if position.holdings > 0]
        if not held:
            return
        before_fees = need + len(held) * self.rules.fee_fixed
        worth = sum(position.worth for position in held)
        share = min(1.0, before_fees / (worth * (1 - self.rules.fee_rate)))
        for position in held:
            self.sell_for_cash(position, share * position.holdings)

    def sell_for_cash(self, position: Position, wanted: float) -> float:
        """Sell at the close and return what it brings: nothing where that would not pay the fee."""
        quantity = min(position.rounded(wanted), position.holdings)
        if self.is_worthless(quantity, position.last_close):
            return 0.0
        return self.sell(LEG_CLOSE, Kind.FUNDING_SELL, position, quantity, position.last_close)

    # The mark.

    def read_closes(self, bars: dict[int, Bar]) -> None:
        for asset, bar in bars.items():
            self.positions[asset].last_close = bar.close

    def invested(self) -> float:
        return sum(position.worth for position in self.positions)

    def mark(self, bars: dict[int, Bar]) -> None:
        """Value the portfolio at the last closes and write the day."""
        for asset, bar in bars.items():
            position = self.positions[asset]
            position.nav = max(position.nav, bar.close)
            if not touches_from_above(bar.close, position.buy_limit):
                # The price has come back: a later refusal at the same limit is news again.
                position.refusal_booked = False
        invested = self.invested()
        nav_value = sum(position.holdings * position.nav for position in self.positions)
        self.value_at_last_close = self.bank + invested
        day = self.day
        self.daily.append(
            (
                self.bank,
                invested,
                self.value_at_last_close,
                nav_value,
                day.income,
                day.sells,
                day.buys,
                day.withdrawals,
                day.deposits,
                day.skipped_buys,
                day.passed_rungs,
            )
        )

    # Rows.

    def book(
        self,
        leg: int,
        kind: Kind,
        asset: int,
        *,
        price: float,
        amount: float,
        quantity: float = NOT_APPLICABLE,
        skipped_quantity: float = NOT_APPLICABLE,
        fee: float = 0.0,
        premium: float = NOT_APPLICABLE,
        buyback_gain: float = NOT_APPLICABLE,
    ) -> None:
        """Move the bank by an amount, and write the ledger row that says why."""
        self.bank += amount
        self.ledger.append(
            (
                self.session,
                leg,
                kind,
                asset,
                quantity,
                skipped_quantity,
                price,
                fee,
                amount,
                self.bank,
                premium,
                buyback_gain,
            )
        )

    def result(self) -> SimulationResult:
        still_open = sorted(
            lot_row(lot, position.asset, OPEN, lot.quantity, NOT_APPLICABLE)
            for position in self.positions
            for lot in position.lots
        )
        return SimulationResult(
            ledger=rows(self.ledger, LEDGER),
            daily=rows(self.daily, DAILY),
            lots=rows(self.closed_lots + still_open, LOTS),
        )


def lot_row(lot: Lot, asset: int, closed: int, quantity: float, sale_price: float) -> tuple[float, ...]:
    """Return a row of LOTS for a part of a lot: what a sale took of it, or what is left at the end."""
    return (lot.number, asset, lot.opened, closed, quantity, lot.price, sale_price, lot.premium)


def rows(tuples: Sequence[tuple[float, ...]], dtype: np.dtype) -> np.ndarray:
    return np.array(tuples, dtype=dtype)


def simulate(panel: Panel, rules: Rules) -> SimulationResult:
    """Return the ledger, days and lots of one scenario on one panel."""
    scenario = Scenario(panel, rules)
    for session in range(len(panel.sessions)):
        scenario.run_session(session)
    return scenario.result()
