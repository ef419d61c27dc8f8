"""How money that comes in is split between the core and its satellites, and how much of a satellite goes back.

Both are decisions in whole minor units of the currency, cents of a dollar: they are computed in double precision and
cut, and the core takes what is left over. A caller that keeps exact money converts each part by
``round(part * minor)``. Booking what was decided belongs in the ledger or the engine of histories.
"""

import math

import numpy as np
import numpy.typing as npt

from sd_core.buckets.rules import below, share_of
from sd_core.market.arrays import Floats

# A part of a minor unit that is missed by less than this is there: sums of doubles around a billion miss by less.
ROUNDING = 1e-6
# Money of which less is not harvested, in the account's currency.
LEAST_HARVEST = 1.0


def whole_units(amount: float, minor: float) -> float:
    """Return money cut to whole minor units, of which ``minor`` make a unit of the currency; 0 for a negative amount.

    >>> whole_units(135.789, 100)
    135.78
    """
    return math.floor(max(amount, 0.0) * minor + ROUNDING) / minor


def total_of(numbers: Floats) -> float:
    """Return a sum, added up in order, so that compiled code gets the same bits."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def split_deposit(
    deposit: float,
    total: float,
    budget: float,
    values: Floats,
    targets: Floats,
    is_fed: npt.NDArray[np.bool_],
    minor: float,
) -> Floats:
    """Return what each satellite gets of a deposit, money, shape (satellites,); the rest of it is the core's.

    Those below their target get what lifts them to it after the deposit, together no more than the budget's share of
    the deposit; where that is less they get it in proportion.

    Args:
        deposit: what comes in.
        total: value of the account before.
        budget: share of the account for all satellites together, a fraction.
        values: of the satellites before, shape (satellites,).
        targets: shares of the account that they are meant to have, fractions, shape (satellites,).
        is_fed: whether deposits reach them: those that accumulate, are active, or sleep for their share alone.
        minor: minor units to a unit of the currency, 100 cents to the dollar.
    """
    parts = np.zeros(len(values))
    for each in range(len(values)):
        if is_fed[each] and below(share_of(values[each], total), targets[each]):
            parts[each] = max(targets[each] * (total + deposit) - values[each], 0.0)
    wanted = total_of(parts)
    for each in range(len(values)):
        if parts[each] > 0.0:
            parts[each] = whole_units(parts[each] * min(1.0, budget * deposit / wanted), minor)
    return parts


def harvest_of(value: float, total: float, line: float, cash: float, minor: float) -> float:
    """Return what a satellite above its line hands to the core, money: of its free cash, and nothing below 1.

    Args:
        value: of the satellite.
        total: value of the account.
        line: share of the account above which it is harvested, a fraction.
        cash: of the satellite that no order reserves.
        minor: minor units to a unit of the currency.
    """
    amount = whole_units(min(cash, value - line * total), minor)
    return amount if amount >= LEAST_HARVEST else 0.0
