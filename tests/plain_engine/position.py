"""One asset of the portfolio: its shares, lots and limits, and what its target has to say about it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from sd_core.schemas.kinds import Kind
from sd_core.simulation.rules import LotOrder, Rules, Sizing, Width

NOT_APPLICABLE = math.nan

# A price computed along another way may miss a limit by rounding alone; it touches all the same.
TOUCH = 1e-12
LOT_ROUNDING = 1e-9
SAME_QUANTITY = 1e-9
# How far a weight may be beyond a bound by rounding; a share of what is to be invested.
SAME_WEIGHT = 1e-12
# By how much sums of money may differ by rounding, as a share of the portfolio's value; less is no trade and no excess.
SAME_MONEY = 1e-9


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


@dataclass
class Lot:
    """Shares of one BUY; later sales of the same asset take them before they touch the core."""

    number: int
    opened: int
    quantity: float
    price: float
    premium: float


@dataclass(eq=False)
class Position:
    """One asset: what the rules say about it, and its state."""

    asset: int
    # The asset whose targets it has: its own, until a harvested loss swaps it with its substitute.
    stands_for: int
    # Its share in the row of targets that is in force.
    weight: float
    bracket: float
    profit_share: float
    lot_size: float
    holdings: float = 0.0
    # What was paid for the holdings, fees included.
    cost: float = 0.0
    anchor: float = NOT_APPLICABLE
    # The highest close of the sessions before.
    nav: float = 0.0
    last_close: float = NOT_APPLICABLE
    # What it paid in dividends today.
    dividends: float = 0.0
    # Today's prices; None where the asset does not trade.
    bar: Bar | None = None
    lots: list[Lot] = field(default_factory=list)
    # The last day, since 1970, on which nothing may trade it at the close.
    blocked_until: float = -math.inf
    # Which refusals were booked and are no news while their reason lasts: SKIP_BUY, SKIP_SELL.
    refusals_booked: set[Kind] = field(default_factory=set)

    @property
    def sell_limit(self) -> float:
        return self.anchor * (1 + self.bracket)

    @property
    def buy_limit(self) -> float:
        return self.anchor / (1 + self.bracket)

    @property
    def worth(self) -> float:
        return self.holdings * self.last_close

    @property
    def average_cost(self) -> float:
        """What was paid per share that is held, fees included."""
        return self.cost / self.holdings

    @property
    def gain(self) -> float:
        """The gain of selling at the last close over the average cost, as a fraction of that close."""
        return (self.last_close - self.average_cost) / self.last_close

    def premium(self, price: float) -> float:
        """How far a price is above the highest close of the sessions before."""
        return price / self.nav - 1

    def rounded(self, quantity: float) -> float:
        """Round a quantity down to whole lots; a lot size of 0 trades fractions."""
        if self.lot_size == 0:
            return quantity
        return math.floor(quantity / self.lot_size + LOT_ROUNDING) * self.lot_size

    def sellable(self, wanted: float) -> float:
        """Return what can be sold of a quantity: whole lots, or all where no more than rounding would be left."""
        quantity = self.rounded(wanted)
        return self.holdings if quantity >= self.holdings * (1 - SAME_QUANTITY) else quantity

    def lots_covering(self, wanted: float) -> float:
        """Return what is sold to raise money: whole lots, rounded up, or all that there is."""
        lots_up = wanted if self.lot_size == 0 else math.ceil(wanted / self.lot_size - LOT_ROUNDING) * self.lot_size
        return self.holdings if lots_up >= self.holdings * (1 - SAME_QUANTITY) else lots_up

    def rung_of_gain(self) -> float:
        """What a sale at the next rung up sells of the gain, before rounding."""
        return self.bracket * self.holdings * self.profit_share / (1 + self.bracket)

    def sale_quantity(self, sizing: Sizing) -> float:
        """What a sale at the next rung up sells: 0 where that rounds down to nothing."""
        if sizing is Sizing.SYMMETRIC and self.lots:
            return self.sellable(self.lots[-1].quantity)
        return self.sellable(self.rung_of_gain())

    def purchase_quantity(self, share: float) -> float:
        """What a share of a purchase at the next rung down buys: 0 where that rounds down to nothing."""
        return self.rounded(share * self.bracket * self.holdings * self.profit_share)

    def move_anchor(self, level: float) -> None:
        self.anchor = level
        self.refusals_booked.clear()

    def add(self, quantity: float, cost: float) -> None:
        self.holdings += quantity
        self.cost += cost

    def remove(self, quantity: float) -> None:
        self.cost *= 1 - quantity / self.holdings
        self.holdings -= quantity

    def take_from_lots(self, quantity: float, order: LotOrder) -> list[tuple[Lot, float]]:
        """Take a sale out of the lots, in the rules' order, and return each lot with the quantity that it gave.

        What the lots do not hold comes from the core.
        """
        next_in_line = 0 if order is LotOrder.FIFO else -1
        parts = []
        remaining = quantity
        while self.lots and remaining > 0:
            lot = self.lots[next_in_line]
            if abs(remaining - lot.quantity) <= SAME_QUANTITY * quantity:
                # Otherwise rounding would leave a lot, or a sale, of next to nothing.
                remaining = lot.quantity
            part = min(remaining, lot.quantity)
            parts.append((lot, part))
            remaining -= part
            lot.quantity -= part
            if lot.quantity == 0:
                self.lots.pop(next_in_line)
        return parts


@dataclass(frozen=True)
class Band:
    """The weights between which an asset may lie."""

    lower: float
    upper: float

    def is_below(self, weight: float) -> bool:
        """Return whether a weight lies outside, on the lower side."""
        return weight < self.lower - SAME_WEIGHT

    def is_above(self, weight: float) -> bool:
        """Return whether a weight lies outside, on the upper side."""
        return weight > self.upper + SAME_WEIGHT

    def excludes(self, weight: float) -> bool:
        return self.is_below(weight) or self.is_above(weight)


def band_around(target: float, width: float, kind: Width) -> Band:
    """Return the band of a width in weight, or in shares of the target."""
    reach = width * target if kind is Width.RELATIVE else width
    return Band(lower=max(target - reach, 0.0), upper=target + reach)


# Of an asset without a band: no weight lies outside, not even that of what a portfolio worth nothing holds.
NO_BAND = Band(lower=0.0, upper=math.inf)


def band_of(position: Position, rules: Rules) -> Band:
    """Return the band of an asset's own, which stays where it is, or else the one that moves with its target."""
    if rules.band_edges is not None:
        lower, upper = rules.band_edges[position.asset].tolist()
        if not math.isnan(lower):
            return Band(lower, upper)
    if math.isinf(rules.band):
        return NO_BAND
    return band_around(position.weight, rules.band, rules.band_width)


def weight_at(rules: Rules, worth: float, value: float) -> float:
    """Return what a worth weighs in what is to be invested of a value; a portfolio worth nothing has room for none."""
    return worth / ((1 - rules.reserve) * value) if value > 0 else math.inf


def largest_first(amounts: list[tuple[float, Position]], tolerance: float) -> Iterator[tuple[float, Position]]:
    """Yield assets with their amounts, the largest first; those that differ by rounding keep the universe's order."""
    remaining = list(amounts)
    while remaining:
        largest = max(amount for amount, _ in remaining)
        first = next(pair for pair in remaining if pair[0] >= largest - tolerance)
        yield first
        remaining.remove(first)
