"""What the compiled kernel reads and writes: prices and signals, the satellites' books, and the rows that come out.

What is done with them belongs in the modules beside this.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.buckets import rules
from sd_core.buckets.history.contract import CORE, NOT_YET, OUTSIDE, Rows
from sd_core.market.arrays import Floats, Integers
from sd_core.schemas.kinds import LEG_ARRIVAL
from sd_core.simulation.amounts import number

NAN = np.nan

THE_CORE, NO_BUCKET, NO_SESSION, NO_DAY = number(CORE), number(OUTSIDE), number(NOT_YET), number(NOT_YET)
NO_ASSET, NO_ORDER = number(-1), number(-1)
ARRIVAL, AT_OPEN, WITHIN_BAR = number(LEG_ARRIVAL), number(0), number(1)


def _record(floats: str, integers: str) -> np.dtype:
    """Return the type of a record of doubles and 64-bit integers, by their names."""
    return np.dtype([(name, np.float64) for name in floats.split()] + [(name, np.int64) for name in integers.split()])


# A satellite: its parameters under their names, and which places of ``Market.tickers`` are its own; then its state. Its
# cash now and at the last close; value, index, level and factor of the last close; flows of the session that is going
# on. The breaker and the cooldown end on days; sleep and probation begin on days; it is awake, and active for the first
# time, since a session. Positions open, test positions among them at the last close, and whether only such are opened;
# positions ever opened, and how many were closed in this session. What stops the account, and a boost, which a history
# has none of.
SATELLITE = _record(
    "size stop take trail target min_pct cash cash_before value index peak open_flows close_flows level factor",
    "days positions signal trailing regime high_volatility dividends first last "
    "status losses lock_ends cooldown_ends stage awake_since below failed_on quiet_since activated_on active_since "
    "held tests is_test trades closed halted blocked boost_ends",
)

# A ticker: its lot size, then the position in it, of quantity 0 where there is none. The dividend of this session that
# is to buy more, and what is ordered for at the next open; its row among the trades; sessions of the entry and of the
# last exit; the reason of the exit that is ordered; the projected ex-date that it was bought for.
POSITION = _record(
    "lot_size quantity entry stop highest dividend reinvest",
    "trade opened closed exit is_armed is_test ex_date",
)


class Market(NamedTuple):
    """What the satellites read: prices and signals of shape (sessions, tickers), and the calendar by session.

    ``last`` are the last known closes, ``peak`` the highest so far; ``days`` are days since 1970-01-01, ``interest`` is
    what cash earned since the session before, ``month_ago`` the last session at least 30 days earlier, -1 for none;
    ``tickers`` are those of one satellite after the other.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    last: Floats
    peak: Floats
    dividends: Floats
    is_entry: npt.NDArray[np.bool_]
    conviction: Floats
    order: Floats
    is_exit: npt.NDArray[np.bool_]
    next_ex_date: Integers
    regime: Integers
    days: Integers
    month_ago: Integers
    interest: Floats
    pays: npt.NDArray[np.bool_]
    tickers: Integers
    fee_fixed: float
    fee_rate: float


class Books(NamedTuple):
    """The satellites' state and the rows that come out; ``counts`` says how many of each there are.

    ``daily`` is by session and satellite. Scratch: ``turns`` is what is bought next, ``closed`` the trades that each
    satellite closed in this session.
    """

    satellites: Rows
    positions: Rows
    ledger: Rows
    trades: Rows
    events: Rows
    counts: Integers
    daily: Rows
    turns: Integers
    closed: Integers


LEDGER_ROWS, TRADE_ROWS, EVENT_ROWS = range(3)


def free_cash(satellite):
    """Return what a satellite can spend: its cash, unless that is no more than rounding leaves."""
    return satellite.cash if satellite.cash > rules.NO_MONEY else 0.0


def write(books, session, leg, place, counterparty, asset, kind, quantity, price, fee, amount):
    """Book one movement of a satellite's cash. Nothing else in the kernel changes it."""
    satellite = books.satellites[place]
    cash = satellite.cash + amount
    satellite.cash = cash
    row = books.ledger[books.counts[LEDGER_ROWS]]
    row.session = session
    row.leg = leg
    row.bucket = place
    row.counterparty = counterparty
    row.asset = asset
    row.kind = kind
    row.quantity = quantity
    row.price = price
    row.fee = fee
    row.amount = amount
    row.cash_after = cash
    books.counts[LEDGER_ROWS] += 1


def note(books, session, place, event, cause, value, until):
    """Note what the rules changed about a satellite."""
    row = books.events[books.counts[EVENT_ROWS]]
    row.session = session
    row.bucket = place
    row.event = event
    row.cause = cause
    row.value = value
    row.until = until
    books.counts[EVENT_ROWS] += 1
