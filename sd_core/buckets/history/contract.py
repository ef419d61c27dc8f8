"""What a plan is simulated on, and what comes out: a core and its satellites over the history of prices.

Signals and regimes come from SQL, the core from ``simulation``; what the rows mean is declared in ``schemas.buckets``.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sd_core.buckets.presets import Parameters
from sd_core.market.arrays import Floats, Integers
from sd_core.market.panel import Panel
from sd_core.schemas import buckets
from sd_core.schemas.table import LakeTable
from sd_core.study.satellites import MAX_PCT

Rows = npt.NDArray[np.void]

# Money that misses a whole minor unit by less than this share of one is whole.
WHOLE_MINOR = 1e-6

# Where a place among a plan's satellites is meant: the core, or none of the plan's buckets.
CORE, OUTSIDE = -1, -2
# Where a ticker is meant: none.
NO_TICKER = -1
# Where a session, or a day, is meant: it has not come.
NOT_YET = -1


# Columns that hold more than the numbers of an enumeration: bits of ``Reason``, and a flag that may be missing.
_WIDER = {"reasons": np.int16, "is_told_apart": np.int8}


def _rows(table: LakeTable, *without: str) -> np.dtype:
    kinds = table.row_dtype(without=("book", *without))
    return np.dtype([(name, _WIDER.get(name, kinds[name])) for name in kinds.names or ()])


# Records of the rows. ``session``, ``opened`` and ``closed`` are positions in the panel's sessions, ``asset`` one among
# its tickers (-1: none), ``bucket`` and ``counterparty`` places in the plan; ``locked_until``, ``cooldown_until`` and
# ``until`` are days since 1970-01-01, -1 for none. Texts are the numbers of their enumerations in ``schemas.kinds``;
# ``exit_reason`` is -1 and ``outcome`` 0 while a position is open. NaN is NULL, and so is an ``is_told_apart`` of -1.
LEDGER = _rows(buckets.BUCKET_LEDGER, "seq", "effective")
DAILY = _rows(buckets.BUCKET_DAILY)
TRADES = _rows(buckets.BUCKET_TRADE)
EVENTS = _rows(buckets.BUCKET_EVENT, "seq")
EVALUATIONS = _rows(buckets.BUCKET_EVALUATION)


class Core(Protocol):
    """The core as the satellites see it: a portfolio that goes on session by session."""

    @property
    def value(self) -> float:
        """What it is worth at the last close."""
        ...

    @property
    def bank(self) -> float:
        """Its cash at the last close."""
        ...

    @property
    def withdrawn(self) -> float:
        """What it paid out in the last session."""
        ...

    def advance(self, session: int, flow: float) -> float:
        """Simulate a session in which so much money comes from the satellites and from deposits, before it trades."""
        ...


@dataclass(frozen=True, eq=False)
class SatellitePanel(Panel):
    """Prices of the satellites' tickers, on the core's sessions; a ticker may have its first bar later than they do."""

    def __post_init__(self) -> None:
        self.check_shapes()


@dataclass(frozen=True)
class Satellite:
    """One satellite.

    Attributes:
        name: of the bucket.
        tickers: its assets, as places in the panel, ascending; no other satellite has any of them.
        target: share of all buckets that it is to have, a fraction.
        parameters: what its settings come to.
        min_pct: share below which it does not trade, a fraction.
        harvest_line: share above which the harvest takes, a fraction; None is its target at the time.
    """

    name: str
    tickers: tuple[int, ...]
    target: float
    parameters: Parameters
    min_pct: float = 0.02
    harvest_line: float | None = None


@dataclass(frozen=True)
class Plan:
    """A core and its satellites.

    Attributes:
        name: of the plan.
        capital: money at the start, the core's and the satellites', in the study's currency.
        budget: share of all buckets that all satellites together are to have, a fraction.
        satellites: in the plan's order.
        starts_at_target: whether every satellite has its target of the capital from the start; else it has nothing.
        fee_fixed: fee per trade, money.
        fee_rate: fee per traded value, a fraction.
        lot_sizes: smallest quantity that trades, by ticker of the panel; 0 is fractional.
        max_pct: most that a target may be, a fraction.
        minor: minor units that the currency's unit has.
    """

    name: str
    capital: float
    budget: float
    satellites: tuple[Satellite, ...]
    starts_at_target: bool
    lot_sizes: tuple[float, ...]
    fee_fixed: float = 0.0
    fee_rate: float = 0.0
    max_pct: float = MAX_PCT
    minor: float = 100.0

    @property
    def openings(self) -> tuple[float, ...]:
        """What each satellite starts with: its target of the capital, cut to whole minor units, or nothing."""
        return tuple(
            math.floor(one.target * self.capital * self.minor + WHOLE_MINOR) / self.minor
            if self.starts_at_target
            else 0.0
            for one in self.satellites
        )

    @property
    def core_capital(self) -> float:
        """What the core starts with: the rest."""
        return self.capital - math.fsum(self.openings)


@dataclass(frozen=True)
class Signals:
    """What is known at the close of each session and asked at the next open.

    All but ``regime`` have the shape (sessions, tickers), each ticker judged by the signal of its satellite.

    Attributes:
        is_entry: whether the signal asks for a purchase; false without a bar.
        conviction: share of the confirmations that hold, 0 to 1.
        order: what purchases of the same conviction are made by, ascending; NaN comes last.
        is_exit: whether the trend that the position was bought for is lost.
        next_ex_date: day since 1970-01-01 of the projected next dividend; -1 for none.
        regime: of the market, the numbers of ``Regime``, shape (sessions,).
    """

    is_entry: npt.NDArray[np.bool_]
    conviction: Floats
    order: Floats
    is_exit: npt.NDArray[np.bool_]
    next_ex_date: Integers
    regime: npt.NDArray[np.int8]


@dataclass(frozen=True)
class History:
    """The outcome of a plan.

    Attributes:
        ledger: movements of the satellites' cash, in the order booked; one with the core has no row of the core here.
        daily: session by session the satellites in their order.
        trades: by satellite, in the order of entries; what is open at the end included.
        events: in the order they happened.
        evaluations: evaluation by evaluation the satellites in their order.
        core_values, core_cash, core_withdrawals: of the core at each close, shape (sessions,).
        core_flows: what came to the core from satellites and deposits, by session.
    """

    ledger: Rows
    daily: Rows
    trades: Rows
    events: Rows
    evaluations: Rows
    core_values: Floats
    core_cash: Floats
    core_withdrawals: Floats
    core_flows: Floats
