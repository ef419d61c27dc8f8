"""What the compiled engine reads and writes: prices laid out for it, rules as numbers, and one scenario's books.

Scalars are in records and assets in arrays of records, so that a call between compiled functions hands over a few
pointers. What is done with them belongs in the modules beside this.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable

from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import LEG_ARRIVAL, LEG_CLOSE
from sd_core.simulation.amounts import fee_of, number, whole_lots
from sd_core.simulation.results import Rows
from sd_core.simulation.rules import Every, Rules

NAN = np.nan

# Nothing here allocates, so the arrays need no reference counts: counting them took twenty times as long as trading.
# The numpy error model leaves out the checks for division by zero. Only the engine's entry is called from Python; the
# wrappers that would let Python call the others take longer to compile than they do.
STRICT = {"error_model": "numpy", "_nrt": False}
compiled = njit(**STRICT, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# A call copies every field of the tuples below, which takes longer than what most functions do.
inlined = njit(**STRICT, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)
for _function in (fee_of, whole_lots):
    register_jitable(**STRICT, forceinline=True)(_function)


FIRST_SESSION, NONE_YET = number(0), number(0)
# Where no asset, or no session, is meant.
PORTFOLIO, NO_ASSET, OPEN = number(-1), number(-1), number(-1)
ARRIVAL, CLOSE = number(LEG_ARRIVAL), number(LEG_CLOSE)


def _record(floats: str, integers: str = "") -> np.dtype:
    """Return the type of a record of doubles and 64-bit integers, by their names."""
    return np.dtype([(name, np.float64) for name in floats.split()] + [(name, np.int64) for name in integers.split()])


# What every session looks at in every asset: the bar but its close, NaN where there is none; the last close, and the
# highest one so far. It is close together in memory, since loading distant prices takes longer than using them.
HIGH, LOW, OPEN_PRICE, LAST, PEAK = range(5)
PRICES = 5

# A session of the calendar: years since the session before; what cash earned since then; prices over those of the first
# session; whether an asset pays a dividend; its day since 1970; how many periods of each ``Every`` have begun since the
# session before.
DATE = np.dtype([*_record("years interest prices", "pays day").descr, ("begun", np.int64, len(Every))])

# The rules that are single numbers, under their names in ``Rules``.
TERMS = _record(" ".join(Rules.scalars(float)), " ".join(("banded", *Rules.scalars(int))))

# An asset: its rules, then its state. Its dividend is that of the session that goes on; a lot is a position in
# ``Book.lots``, -1 for none; a refusal that is booked is 1 until its episode ends.
POSITION = _record("weight bracket share lot_size anchor average_cost dividend", "newest_lot oldest_lot sale_refused")

# The portfolio: its bank, its value at the last close, what covers withdrawals and what fell due so far; the
# time-weighted index, its peak and its lowest point since; the factor of rule purchases, whether they are halted, and
# whether a premium spread has had its attempt; lots ever bought and assets with a booked refusal; then the sums of the
# session that is going on, and how much of the buffers is in use.
STATE = _record(
    "bank value proceeds scheduled index peak trough eagerness income sells buys withdrawals deposits",
    "halted spread_tried lots_bought refusals skipped_buys passed_rungs rows sold slots",
)

# A buyback lot in its asset's chain; what is sold has a quantity of 0.
LOT = _record("quantity price premium", "number asset session older newer")

# What harvesting knows of an asset: the proceeds that wait to buy it back; its substitute, NO_ASSET for none; the asset
# whose targets it has; the last day, since 1970, on which nothing may buy it.
HARVEST = _record("waiting", "substitute role blocked_until")

# An asset that trades today: which legs reach its limits, a bit per leg, and the prices that the legs run between.
LEGS = 4
PATH = np.dtype(
    [("asset", np.int64), ("sale_legs", np.int64), ("purchase_legs", np.int64), ("stops", np.float64, LEGS + 1)]
)

# An asset that waits for its turn on a leg or at the close.
TURN = _record("urgency", "entry")

ALL_LEGS = (1 << LEGS) - 1


class Market(NamedTuple):
    """What scenarios read of a panel.

    ``prices`` holds rows as named above, filled up to whole lanes, (sessions, 5, lanes); ``closes``, NaN where an asset
    has no bar, and ``dividends`` per share are of shape (sessions, assets); ``dates`` has a record by session.
    ``periods_per_year`` is how many sessions a year has.
    """

    prices: Floats
    closes: Floats
    dividends: Floats
    dates: Rows
    periods_per_year: float


class Book(NamedTuple):
    """A scenario's state, its output and scratch.

    ``sell_at`` and ``buy_at`` are the prices that touch the limits: infinity and 0 where the variant has no such rung.
    ``needs`` is 0 where no refusal of a purchase is booked, else what it costs at least per unit of its price, or
    below 0 where that may change. These and ``holdings`` are by asset, filled up to whole lanes with what never
    touches. Lots form a chain per asset, from the newest by ``older`` and back by ``newer``.
    """

    state: np.void
    positions: Rows
    holdings: Floats
    needs: Floats
    sell_at: Floats
    buy_at: Floats
    lots: Rows
    # Output: rows of LEDGER, LOTS and DAILY; the first two have no length where they are not asked for.
    ledger: Rows
    sold: Rows
    daily: Rows
    # Scratch: the paths of assets that trade today, and who is next on a leg.
    paths: Rows
    turns: Rows


class Books(NamedTuple):
    """The books of scenarios that run side by side: the fields of ``Book`` with a first axis by scenario.

    Scratch is used by one scenario after the other.
    """

    state: Rows
    positions: Rows
    holdings: Floats
    needs: Floats
    sell_at: Floats
    buy_at: Floats
    lots: Rows
    ledger: Rows
    sold: Rows
    daily: Rows
    paths: Rows
    turns: Rows


class Policy(NamedTuple):
    """What a scenario has beyond the plain rule; scenarios without any of it get a kernel that knows none of it.

    ``candidates`` are assets; ``targets`` are rows of weights, (rows, assets), and ``row_from`` says which of them
    comes into force at the close of each session, -1 for none; ``deposits`` and ``withdrawals`` are the lump sums of
    each session; ``transfers`` is what comes from elsewhere in it, or goes there where it is below 0; ``edges`` are
    those of bands that do not move, (assets, 2), NaN where an asset has none of its own; ``returns`` are those of the
    last sessions, as many as the volatility trigger asks for; ``deadlines`` are those of assets that wait to be
    rebalanced, above 0 to be sold and below 0 to be bought; ``harvests`` has a record by asset; ``gaps`` whether an
    asset's open crossed a rung, (sessions, assets), for as many as the adaptive bracket asks for. Of returns and gaps,
    session n is at n modulo the length. ``closes`` is scratch: the closes of a session at which assets trade.
    """

    candidates: np.ndarray
    targets: Floats
    row_from: np.ndarray
    deposits: Floats
    withdrawals: Floats
    transfers: Floats
    edges: Floats
    returns: Floats
    deadlines: np.ndarray
    harvests: Rows
    gaps: np.ndarray
    closes: Floats
