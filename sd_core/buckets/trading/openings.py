"""What a satellite buys at the next open: which instruments, in which order, and how much of each.

The rank, the room and the size are those of histories; only the price is another one, the last close, as the open is
not known when orders are made. Nothing here knows a ledger or a broker.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from sd_core.buckets import rules
from sd_core.buckets.history.kernel.positions import bought_for, rank
from sd_core.buckets.presets import Parameters

# An order reserves so much more than the last close, as the open may be above it.
AHEAD = 1.05
# Money in the base currency below which brokers take no order.
LEAST = 1.0
NONE_CLOSED = -1


@dataclass(frozen=True)
class Asked:
    """What the signal of a satellite says of an instrument at a close.

    Attributes:
        close: the last known one, a price.
        peak: the highest close so far.
        is_entry: whether it asks for a purchase.
        conviction: share of the confirmations that hold, 0 to 1.
        order: what purchases of the same conviction are made by, ascending; NaN comes last.
        next_ex_date: in ISO; None where none is projected.
        lot_size: smallest quantity that trades; 0 is fractional.
    """

    close: float
    peak: float
    is_entry: bool = False
    conviction: float = 0.0
    order: float = math.nan
    next_ex_date: str | None = None
    lot_size: float = 0.0


@dataclass(frozen=True)
class Costs:
    """What a trade costs: money per trade, and a fraction of its worth."""

    fee_fixed: float = 0.0
    fee_rate: float = 0.0

    def reserved(self, quantity: float, close: float) -> float:
        """Return the most that a purchase at the next open is expected to take."""
        return quantity * close * AHEAD * (1.0 + self.fee_rate) + self.fee_fixed

    def most_for(self, money: float) -> float:
        """Return how much of some money may be spent at the last close, so that what is reserved is covered."""
        return (money - self.fee_fixed) / AHEAD + self.fee_fixed


@dataclass(frozen=True)
class Buyer:
    """A satellite after a close.

    Attributes:
        parameters: of its settings.
        value: at the close.
        factor, level: of what it opens.
        is_test: whether it may open one test position alone.
        tests: test positions that it holds.
        positions: how many it will hold after the exits at the open.
        held: instruments that it holds or has on order.
        free: cash that nothing reserves.
    """

    parameters: Parameters
    value: float
    factor: float
    level: float
    is_test: bool
    tests: int
    positions: int
    held: frozenset[str]
    free: float


@dataclass(frozen=True)
class Opening:
    """A purchase at the next open.

    Attributes:
        unit: the instrument.
        quantity: shares.
        reserved: the most money that it is expected to take.
    """

    unit: str
    quantity: float
    reserved: float


def openings(buyer: Buyer, asked: Mapping[str, Asked], costs: Costs) -> list[Opening]:
    """Return what a satellite opens at the next open.

    Args:
        asked: what its signal says of its instruments, in the order of the study.
    """
    if buyer.factor <= 0.0:
        return []
    room = rules.most_openings(buyer.level, buyer.is_test, buyer.tests, buyer.parameters.positions - buyer.positions)
    made: list[Opening] = []
    free = buyer.free
    for unit in _ranked(buyer, asked):
        if len(made) >= room:
            break
        share = rules.position_share(buyer.parameters.size, buyer.parameters.positions, asked[unit].conviction)
        opening = bought(unit, asked[unit], min(buyer.value * buyer.factor * share, costs.most_for(free)), costs)
        if opening is not None:
            made.append(opening)
            free -= opening.reserved
    return made


def bought(unit: str, of: Asked, money: float, costs: Costs) -> Opening | None:
    """Return what some money buys of an instrument at its last close, costs included; None where it is too little."""
    quantity = float(bought_for(costs, of, of.close, money))
    if quantity * of.close < LEAST:
        return None
    return Opening(unit, quantity, costs.reserved(quantity, of.close))


def _ranked(buyer: Buyer, asked: Mapping[str, Asked]) -> Iterator[str]:
    """Yield what may be bought, as histories rank it."""
    units: Sequence[str] = list(asked)
    places = range(len(units))
    signals = {(0, place): asked[unit] for place, unit in enumerate(units)}
    market = SimpleNamespace(
        tickers=places,
        is_entry={key: one.is_entry for key, one in signals.items()},
        conviction={key: one.conviction for key, one in signals.items()},
        order={key: np.float64(one.order) for key, one in signals.items()},
    )
    satellite = SimpleNamespace(level=buyer.level, first=0, last=len(units))
    positions = [SimpleNamespace(quantity=float(unit in buyer.held), closed=NONE_CLOSED) for unit in units]
    books = SimpleNamespace(satellites=[satellite], positions=positions, turns=[0] * len(units))
    for turn in range(rank(market, books, 0, 1)):
        yield units[books.turns[turn]]
