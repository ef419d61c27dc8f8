"""How close amounts and prices must be to count as equal, and how a trade is cut to lots and charged.

Plain Python, so that what never compiles need not wait for numba; ``kernel.book`` registers the functions with it.
"""

from typing import Protocol

import numpy as np

# A price touches a limit that it misses by less than this share: rungs are products of many factors.
TOUCH = 1e-12
# Money. What the bank lacks by less than this, it covers; interest and payments below it are not booked, nor invested.
DUST = 1e-9
# Lots count as whole when they miss a multiple by less than this.
WHOLE_LOT = 1e-9


class Fees(Protocol):
    """What a trade is charged: an amount, and a fraction of what is traded."""

    fee_fixed: float
    fee_rate: float


def number(constant: int) -> np.int64:
    """Return a constant that functions are called with: for each of Python's own a function is compiled again."""
    return np.int64(constant)


def fee_of(terms: Fees, traded: float) -> float:
    """Return the fee of a trade that is worth so much."""
    return terms.fee_fixed + terms.fee_rate * traded


def whole_lots(quantity: float, lot_size: float) -> float:
    """Round a quantity down to whole lots; a lot size of 0 leaves it fractional."""
    if lot_size == 0.0:
        return quantity
    lots: float = np.floor(quantity / lot_size + WHOLE_LOT) * lot_size
    return lots
