"""A satellite of a real account, simulated: by its rules alone, with the money that came to it, beside the real rest.

What the rules do in a session belongs in ``kernel``; what a real account did, in its ledger.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sd_core.buckets import rules
from sd_core.buckets.history.arrivals import book_move, note
from sd_core.buckets.history.contract import OUTSIDE, Plan, Rows, SatellitePanel, Signals
from sd_core.buckets.history.engine import lay_out, most_rows, open_books, with_room
from sd_core.buckets.history.kernel.book import EVENT_ROWS, LEDGER_ROWS, TRADE_ROWS
from sd_core.buckets.history.kernel.sessions import go_on
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import BucketEvent, Kind, Sleep, Status, Transfer


@dataclass(frozen=True)
class Recorded:
    """What a twin takes over from the account, by session of the panel; money in the study's currency.

    Attributes:
        flows: what came to the satellite before the session traded, or went where negative; first, what it begins with.
        rest: value of all other buckets at the close.
        targets: share of all buckets that it was to have at the close, a fraction.
        failed: whether an evaluation before the session found that it failed its probation.
    """

    flows: Floats
    rest: Floats
    targets: Floats
    failed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Twin:
    """What came of it, as the tables of the same names have it.

    Attributes:
        ledger: movements of its cash; whatever did not pay a dividend or trade is outside of its book.
        daily: its row at each close.
        trades: its positions, in the order of entries.
        events: what the rules changed about it.
    """

    ledger: Rows
    daily: Rows
    trades: Rows
    events: Rows


def simulate_twin(plan: Plan, panel: SatellitePanel, signals: Signals, recorded: Recorded) -> Twin:
    """Simulate the one satellite of a plan over a panel, from cash alone.

    Evaluations and harvests are among the flows, and so is money that a person moved. What goes out is taken as far as
    there is cash.
    """
    market, sessions = lay_out(plan, panel, signals), len(panel.sessions)
    books = open_books(plan, sessions)
    most = most_rows(books)
    for session in range(sessions):
        books = with_room(books, most)
        satellite = books.satellites[0]
        satellite["target"] = recorded.targets[session]
        if recorded.failed[session] and satellite["status"] == Status.ACTIVE:
            day = int(market.days[session])
            satellite["status"], satellite["failed_on"] = Status.HIBERNATING, day
            # The score that it failed by is the account's.
            until = day + rules.PROBATION_SLEEPS_DAYS
            note(books, session, 0, BucketEvent.HIBERNATED, Sleep.PROBATION, math.nan, until)
        amount = max(float(recorded.flows[session]), -max(float(satellite["cash"]), 0.0))
        if amount:
            book_move(books, session, 0, OUTSIDE, _kind(session, amount), amount)
        go_on(market, books, session, float(recorded.rest[session]), True)
    ledger = books.ledger[: books.counts[LEDGER_ROWS]].copy()
    # The core that a dividend is sent to is the account's, and has no row here.
    ledger["counterparty"] = OUTSIDE
    return Twin(
        ledger,
        books.daily.reshape(-1),
        books.trades[: books.counts[TRADE_ROWS]].copy(),
        books.events[: books.counts[EVENT_ROWS]].copy(),
    )


def _kind(session: int, amount: float) -> Kind | Transfer:
    if session == 0:
        return Transfer.OPENING
    return Kind.DEPOSIT if amount > 0.0 else Kind.WITHDRAWAL
