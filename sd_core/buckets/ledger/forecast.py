"""When satellites reach the share at which they trade, and their target, by deposits alone.

Prices are taken to stay as they are: the answer says what the rules for deposits can do, not what the market will.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from sd_core.buckets.deposits import split_deposit
from sd_core.buckets.ledger.splits import is_fed
from sd_core.buckets.ledger.state import State
from sd_core.buckets.rules import at_least, floor_of, share_of
from sd_core.study.satellites import LIVE

# Fifty years of months.
MOST_DEPOSITS = 600
# Cents are cut from every part, so a target counts as reached from a hundredth of a percent below it.
CUT = 1e-4


@dataclass(frozen=True)
class Forecast:
    """What deposits do for one satellite.

    Attributes:
        bucket: the satellite.
        share: its share of the account today, a fraction; 0 of an empty account.
        floor, target: shares, fractions.
        deposits_to_floor, deposits_to_target: how many deposits until it has them; 0: it has; None: never, within
            :data:`MOST_DEPOSITS`.
        final_share: its share after all of them, a fraction.
    """

    bucket: str
    share: float
    floor: float
    target: float
    deposits_to_floor: int | None
    deposits_to_target: int | None
    final_share: float


def forecast(state: State, deposit: Decimal) -> list[Forecast]:
    """Repeat a deposit and return what each satellite in use, or in research, comes to.

    A satellite in research counts as if it had started.

    Args:
        state: the account now.
        deposit: of each period, in the base currency.
    """
    base = state.base
    satellites = [
        one.bucket
        for one in state.buckets.values()
        if one.kind == "satellite" and (one.status == "research" or is_fed(state, one.bucket))
    ]
    if not satellites:
        return []
    targets = np.array([float(state.fraction(name, "target")) for name in satellites])
    least = [float(state.fraction(name, "min_pct")) for name in satellites]
    floors = [floor_of(target, min_pct) for target, min_pct in zip(targets, least, strict=True)]
    values = np.array([float(base.decimal(state.values[name])) for name in satellites])
    total, amount = float(base.decimal(state.total)), float(deposit)
    budget, minor = float(state.fraction(LIVE, "budget")), 10**base.minor_digits
    fed = np.ones(len(satellites), dtype=bool)
    shares = [np.array([share_of(value, total) for value in values])]
    for _ in range(MOST_DEPOSITS):
        values = values + split_deposit(amount, total, budget, values, targets, fed, minor)
        total += amount
        shares.append(np.array([share_of(value, total) for value in values]))
    return [
        Forecast(
            name,
            float(shares[0][each]),
            floors[each],
            float(targets[each]),
            _first([row[each] for row in shares], floors[each]),
            _first([row[each] for row in shares], targets[each] - CUT),
            float(shares[-1][each]),
        )
        for each, name in enumerate(satellites)
    ]


def _first(shares: list[float], bound: float) -> int | None:
    return next((deposits for deposits, share in enumerate(shares) if at_least(share, bound)), None)
