"""How money is divided between the core and its satellites: deposits, harvests, targets and moves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plain_engine.satellites.rules import NO_MONEY, above, at_least, below, share_of

SAME_UNITS = 1e-6
LEAST_HARVEST = 1.0
DAMPENING = 0.5


def cut(amount: float, minor: float) -> float:
    """Return an amount cut to whole minor units, of which the currency's unit has so many."""
    return math.floor(amount * minor + SAME_UNITS) / minor


@dataclass(frozen=True)
class Receiver:
    """A satellite when a deposit comes: what it is worth, and the share of the total that it should be."""

    value: float
    target: float
    is_eligible: bool = True


def split_deposit(
    deposit: float, total: float, budget: float, receivers: Sequence[Receiver], minor: float
) -> list[float]:
    """Return what each satellite gets of a deposit; the rest is the core's."""
    deficits = [
        receiver.target * (total + deposit) - receiver.value
        if receiver.is_eligible and (total <= NO_MONEY or below(share_of(receiver.value, total), receiver.target))
        else 0.0
        for receiver in receivers
    ]
    missing = sum(deficits)
    if missing <= 0:
        return [0.0 for _ in receivers]
    share = min(1.0, budget * deposit / missing)
    return [cut(deficit * share, minor) for deficit in deficits]


def harvest(value: float, cash: float, total: float, line: float, minor: float) -> float:
    """Return what goes to the core of a satellite above its line; nothing where that is less than one unit."""
    amount = cut(max(0.0, min(cash, value - line * total)), minor)
    return amount if at_least(amount, LEAST_HARVEST) else 0.0


# Targets.


def clamped(weights: Sequence[float], least: Sequence[float], most: Sequence[float], pool: float) -> list[float]:
    """Return shares in proportion to weights, none below its least or above its most, that sum to the pool.

    Where they cannot, they come as near to it as the limits allow. The factor of proportion is found by bisection.
    """

    def shares(factor: float) -> list[float]:
        return [min(max(factor * w, low), high) for w, low, high in zip(weights, least, most, strict=True)]

    positive = [(w, high) for w, high in zip(weights, most, strict=True) if w > 0]
    low, high = 0.0, max((high / w for w, high in positive), default=0.0)
    if sum(shares(high)) <= pool:
        return shares(high)
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return shares(middle)
        if sum(shares(middle)) < pool:
            low = middle
        else:
            high = middle


@dataclass(frozen=True)
class Targets:
    """What an evaluation makes of the members' targets."""

    weights: list[float]
    clamped: list[float]
    new: list[float]
    budget_too_small: bool


def new_targets(
    current: Sequence[float],
    scores: Sequence[float],
    pool: float,
    least: Sequence[float],
    most: Sequence[float],
    tilts: Sequence[float] | None = None,
) -> Targets:
    """Return targets half the way from the current ones to those that the scores ask for.

    ``tilts`` multiply the weights, where regimes do.
    """
    weights = [score if above(score, 0.0) else 0.0 for score in scores]
    if not any(weights):
        weights = [1.0 for _ in scores]
    if tilts is not None:
        weights = [weight * tilt for weight, tilt in zip(weights, tilts, strict=True)]
    too_small = bool(weights) and below(pool, sum(least))
    wanted = [pool / len(weights) for _ in weights] if too_small else clamped(weights, least, most, pool)
    new = [now + DAMPENING * (then - now) for now, then in zip(current, wanted, strict=True)]
    return Targets(weights=weights, clamped=wanted, new=new, budget_too_small=too_small)


@dataclass(frozen=True)
class Move:
    """Cash from one member to another, or to the core, which is None."""

    source: int
    target: int | None
    amount: float


def moves(
    values: Sequence[float], cash: Sequence[float], total: float, targets: Sequence[float], minor: float
) -> list[Move]:
    """Return what members above their new targets give to those below, and the rest to the core."""
    excess = [value - target * total for value, target in zip(values, targets, strict=True)]
    gives = [cut(max(0.0, min(free, more)), minor) for free, more in zip(cash, excess, strict=True)]
    needs = [max(0.0, -more) for more in excess]
    served = min(1.0, sum(gives) / sum(needs)) if sum(needs) > 0 else 0.0
    rows: list[Move] = []
    for source, give in enumerate(gives):
        left = give
        for target, need in enumerate(needs):
            part = cut(need * served * give / sum(gives), minor) if give > 0 else 0.0
            if part > 0:
                rows.append(Move(source, target, part))
                left -= part
        if (rest := cut(left, minor)) > 0:
            rows.append(Move(source, None, rest))
    return rows
