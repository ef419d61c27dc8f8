"""What a row of a ledger may be, and which part of a session it belongs to; what may be with a bucket or a mix."""

from collections.abc import Iterable
from enum import IntEnum, IntFlag, StrEnum


class Kind(IntEnum):
    """Kind of movement or refusal."""

    INITIAL_BUY = 0
    BUY = 1
    SELL = 2
    SKIP_BUY = 3
    DIVIDEND = 4
    INTEREST = 5
    DEPOSIT = 6
    WITHDRAWAL = 7
    SKIP_WITHDRAWAL = 8
    FUNDING_SELL = 9
    SKIP_SELL = 10
    REBALANCE_BUY = 11
    REBALANCE_SELL = 12
    DEPLOY_BUY = 13
    PROFIT_SELL = 14
    DEPOSIT_BUY = 15
    DIVIDEND_BUY = 16
    TRANSFER_IN = 17
    TRANSFER_OUT = 18
    HARVEST_SELL = 19
    HARVEST_BUY = 20


# Legs of a session besides 0 to 3, the four legs of the bar's path.
LEG_ARRIVAL = -1
LEG_CLOSE = 4


class Transfer(IntEnum):
    """Kind of movement that only buckets have; their trades and arrivals are of a ``Kind``."""

    OPENING = 64
    HARVEST = 65
    REALLOCATION = 66
    DIVIDEND_SENT = 67


class Booking(IntEnum):
    """Kind of movement that only the ledger of an account has, beside those of a ``Kind`` and a ``Transfer``."""

    TRANSFER = 0
    REASSIGNMENT = 1
    FEE = 2
    FX = 3
    REVALUATION = 4
    CORRECTION = 5
    REVERSAL = 6
    SPLIT = 7
    RENAME = 8
    MERGER = 9
    SPIN_OFF = 10


class Status(IntEnum):
    """Where a satellite is in its life."""

    RESEARCH = 0
    ACCUMULATING = 1
    ACTIVE = 2
    HIBERNATING = 3
    PAUSED = 4
    RETIRED = 5


class Signal(IntEnum):
    """What a satellite buys on."""

    BREAKOUT = 0
    DIP = 1
    STEADY = 2
    EX_DIVIDEND = 3


class Dividends(IntEnum):
    """What a satellite does with a dividend, net of tax."""

    ACCUMULATE_CASH = 0
    REINVEST_SAME = 1
    SEND_TO_CORE = 2


class Regime(IntEnum):
    """What the market is like; unknown before there is history enough to say."""

    UNKNOWN = 0
    BULL = 1
    SIDEWAYS = 2
    BEAR = 3
    HIGH_VOLATILITY = 4


class Outcome(IntEnum):
    """What a round trip came to."""

    LOSS = -1
    NEUTRAL = 0
    WIN = 1


class ExitReason(IntEnum):
    """Why a position was closed: held for as long as meant, its trend lost, an ex-date, or a resting order."""

    HELD = 0
    TREND = 1
    EX_DATE = 2
    STOP = 3
    TRAILING = 4
    TAKE = 5


class Reason(IntFlag):
    """What moves a factor away from 1, a bit each; each of the first six alone makes it 0."""

    HALT = 1
    BLOCK = 2
    STATUS = 4
    OVERDRAWN = 8
    LOCK = 16
    HIGH_VOLATILITY = 32
    SHARE = 64
    DRAWDOWN = 128
    COOLDOWN = 256
    REAWAKENING = 512
    BOOST = 1024
    REGIME = 2048
    TEST = 4096


class BucketEvent(IntEnum):
    """What rules change about a satellite."""

    ACTIVATED = 0
    HIBERNATED = 1
    WOKEN = 2
    LOCKED = 3
    UNLOCKED = 4
    COOLED_DOWN = 5
    REBASED = 6
    PROBATION_PASSED = 7
    PROBATION_EXTENDED = 8


class Sleep(IntEnum):
    """Which rule put a satellite to sleep; of other events, none."""

    NONE = -1
    DRAWDOWN = 0
    SHARE = 1
    PROBATION = 2


class Probation(IntEnum):
    """How far the probation of a satellite is; failed is for the evaluation at which it failed."""

    PENDING = 0
    PASSED = 1
    EXTENDED = 2
    FAILED = 3


class FitStatus(StrEnum):
    """How a mix's own fit ended, or why it was not begun.

    Without a whole window, with too few rows or no assets nothing is fitted; nor where the weights of other mixes are
    combined, or those of before are kept between the ends of periods.
    """

    FITTED = "fitted"
    INACCURATE = "inaccurate"
    INFEASIBLE = "infeasible"
    FAILED = "failed"
    NO_WINDOW = "no_window"
    FEW_ROWS = "few_rows"
    NO_ASSETS = "no_assets"
    COMPOSED = "composed"
    KEPT = "kept"


class Trigger(StrEnum):
    """What makes a mix decide: the end of a period, or a switch of the market between two of them."""

    PERIOD = "period"
    SWITCH = "switch"


def words(names: Iterable[IntEnum]) -> list[str]:
    """Return the members' names as tables write them, in order."""
    return [name.name.lower() for name in names]
