"""The path of a session's bars, and what the rule trades on it: sales, purchases, passes and refusals."""

from dataclasses import dataclass

from plain_engine.portfolio import NEGLIGIBLE_CASH, Portfolio
from plain_engine.position import (
    NOT_APPLICABLE,
    TOUCH,
    Bar,
    Position,
    band_of,
    touches_from_above,
    touches_from_below,
    weight_at,
)
from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import Anchor, Order, Path, Variant


@dataclass(frozen=True)
class Leg:
    """One stretch of an asset's path within a session: from one price straight to another.

    No trade is possible on the jump to the first price of the day: whatever that price has reached fills there. On the
    later legs the price passes through every limit between its ends, and each fills at its own level.
    """

    number: int
    position: Position
    start: float
    end: float

    @property
    def is_jump(self) -> bool:
        return self.number == 0

    def rises_to(self, limit: float) -> bool:
        return touches_from_below(self.end, limit) and not touches_from_below(self.start, limit)

    def falls_to(self, limit: float) -> bool:
        return touches_from_above(self.end, limit) and not touches_from_above(self.start, limit)

    def fills_sale(self, limit: float) -> bool:
        return touches_from_below(self.end, limit) if self.is_jump else self.rises_to(limit)

    def fills_purchase(self, limit: float) -> bool:
        return touches_from_above(self.end, limit) if self.is_jump else self.falls_to(limit)

    def fill_price(self, limit: float) -> float:
        return self.end if self.is_jump else limit

    @property
    def end_premium(self) -> float:
        return self.position.premium(self.end)


def stops(bar: Bar, path: Path) -> list[float]:
    """Return the prices that a session visits, in order."""
    if path is Path.CLOSE_ONLY:
        return [bar.close]
    low_is_nearer = bar.open - bar.low <= bar.high - bar.open
    if path is Path.LOW_FIRST or (path is Path.NEAREST and low_is_nearer):
        return [bar.open, bar.low, bar.high, bar.close]
    return [bar.open, bar.high, bar.low, bar.close]


def legs_of(position: Position, bar: Bar, path: Path) -> list[Leg]:
    """Return the way of one asset from yesterday's close through its stops."""
    points = [position.last_close, *stops(bar, path)]
    return [Leg(number, position, points[number], points[number + 1]) for number in range(len(points) - 1)]


class Rule:
    """The rule of every asset, walking the path together with the others."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        rules = portfolio.rules
        self.sells = rules.variant is not Variant.NO_RULE
        self.buys = rules.variant in (Variant.FULL, Variant.ATH_SELL)
        self.by_premium = rules.order is Order.NAV_OPPORTUNISTIC

    def walk(self, *, buys: bool, share: float) -> None:
        """Trade leg by leg, all assets together, every sale before any purchase.

        Args:
            buys: whether purchases are allowed today.
            share: how much of a purchase is made, from 0 to 1.
        """
        if not self.sells:
            return
        portfolio = self.portfolio
        paths = [legs_of(position, position.bar, portfolio.rules.path) for position in portfolio.trading]
        for legs in zip(*paths, strict=True):
            for leg in self.selling_order(legs):
                self.sell_rungs(leg)
            if self.buys and buys:
                for leg in self.buying_order(legs):
                    self.buy_rungs(leg, share)

    def selling_order(self, legs: tuple[Leg, ...]) -> list[Leg]:
        """Return the dearest first where premiums order them, else the universe's order; sorting keeps ties in it."""
        return sorted(legs, key=lambda leg: -leg.end_premium) if self.by_premium else list(legs)

    def buying_order(self, legs: tuple[Leg, ...]) -> list[Leg]:
        """Return the cheapest first where premiums order them, else the universe's order; sorting keeps ties in it."""
        return sorted(legs, key=lambda leg: leg.end_premium) if self.by_premium else list(legs)

    # Sales.

    def sell_rungs(self, leg: Leg) -> None:
        """Fill or pass every sell rung that the leg reaches, until the band forbids one."""
        portfolio, position = self.portfolio, leg.position
        for _ in range(portfolio.rules.max_rungs):
            limit = position.sell_limit
            if not leg.fills_sale(limit):
                return
            price = leg.fill_price(limit)
            quantity = position.sale_quantity(portfolio.rules.sizing)
            if not portfolio.pays_its_fee(quantity, price) or self.holds_out_for_more(position, limit):
                portfolio.day.passed_rungs += 1
            elif self.leaves_too_little(position, quantity, price):
                self.refuse(leg, Kind.SKIP_SELL, quantity, price)
                return
            else:
                portfolio.sell(leg.number, Kind.SELL, position, quantity, price)
            self.leave_rung(position, limit, price)

    def holds_out_for_more(self, position: Position, limit: float) -> bool:
        """Return whether the variant keeps its shares at a rung because the asset has closed higher before."""
        return self.portfolio.rules.variant is Variant.ATH_SELL and limit * (1 + TOUCH) < position.nav

    def leaves_too_little(self, position: Position, quantity: float, price: float) -> bool:
        """Return whether a sale would take an asset below its band."""
        band = band_of(position, self.portfolio.rules)
        return band.is_below(self.weight(position.holdings - quantity, price))

    # Purchases.

    def buy_rungs(self, leg: Leg, share: float) -> None:
        """Fill or pass every buy rung that the leg reaches, until the band or the bank forbids one."""
        portfolio, position = self.portfolio, leg.position
        for _ in range(portfolio.rules.max_rungs):
            limit = position.buy_limit
            if not leg.fills_purchase(limit):
                return
            price = leg.fill_price(limit)
            quantity = position.purchase_quantity(share)
            if quantity <= 0:
                portfolio.day.passed_rungs += 1
            elif self.makes_too_much(position, quantity, price) or not self.is_covered(quantity, price):
                self.refuse(leg, Kind.SKIP_BUY, quantity, price, sale_limit=self.next_sale(position, limit, price))
                return
            else:
                portfolio.buy_lot(leg.number, position, quantity, price)
            self.leave_rung(position, limit, price)

    def makes_too_much(self, position: Position, quantity: float, price: float) -> bool:
        """Return whether a purchase would take an asset above its band."""
        band = band_of(position, self.portfolio.rules)
        return band.is_above(self.weight(position.holdings + quantity, price))

    def is_covered(self, quantity: float, price: float) -> bool:
        """Return whether the bank, overdrawn as far as the credit on the last close goes, pays for a purchase."""
        portfolio = self.portfolio
        credit = portfolio.rules.margin_limit * portfolio.last_value
        return quantity * price + portfolio.fee(quantity, price) <= portfolio.bank + credit + NEGLIGIBLE_CASH

    def next_sale(self, position: Position, limit: float, price: float) -> float:
        """Return the limit of the sale that follows a purchase: the first rung up that the variant does not pass."""
        sale_limit = self.anchor_after(limit, price) * (1 + position.bracket)
        while self.holds_out_for_more(position, sale_limit):
            sale_limit *= 1 + position.bracket
        return sale_limit

    # Both.

    def weight(self, holdings: float, price: float) -> float:
        """Return the weight of so many shares at a price, in a portfolio worth what it was at the last close."""
        return weight_at(self.portfolio.rules, holdings * price, self.portfolio.last_value)

    def refuse(
        self, leg: Leg, kind: Kind, quantity: float, price: float, *, sale_limit: float = NOT_APPLICABLE
    ) -> None:
        """Book that a trade is not made, once while the reason lasts; nothing else changes."""
        position, portfolio = leg.position, self.portfolio
        if kind in position.refusals_booked:
            return
        position.refusals_booked.add(kind)
        if kind is Kind.SKIP_BUY:
            portfolio.day.skipped_buys += 1
        portfolio.book(
            leg.number,
            kind,
            position.asset,
            skipped_quantity=quantity,
            price=price,
            amount=0.0,
            premium=position.premium(price),
            sale_limit=sale_limit,
        )

    def leave_rung(self, position: Position, limit: float, price: float) -> None:
        """Move the anchor after a fill, and after a pass as if it had been one."""
        position.move_anchor(self.anchor_after(limit, price))

    def anchor_after(self, limit: float, price: float) -> float:
        """Return where the anchor lies after a rung: at its limit, or where it was traded."""
        return limit if self.portfolio.rules.anchor is Anchor.LADDER else price
