"""A satellite of a real account, simulated: by its rules alone, with the money that came to it, beside the real rest.

What the rules do in a session belongs in ``kernel``; what a real account did, in its ledger.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sd_core.buckets.history.arrivals import book_move
from sd_core.buckets.history.contract import OUTSIDE, Plan, Rows, SatellitePanel, Signals
from sd_core.buckets.history.engine import lay_out, most_rows, open_books, with_room
from sd_core.buckets.history.kernel.book import TRADE_ROWS
from sd_core.buckets.history.kernel.sessions import go_on
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import Kind, Status, Transfer


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
    """What came of it.

    Attributes:
        daily: its row at each close, as ``bucket_daily`` has them.
        trades: its positions, as ``bucket_trade`` has them.
    """

    daily: Rows
    trades: Rows


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
            satellite["status"], satellite["failed_on"] = Status.HIBERNATING, market.days[session]
        amount = max(float(recorded.flows[session]), -max(float(satellite["cash"]), 0.0))
        if amount:
            kind = Transfer.OPENING if session == 0 else Kind.DEPOSIT
            book_move(books, session, 0, OUTSIDE, kind, amount)
        go_on(market, books, session, float(recorded.rest[session]), True)
    return Twin(books.daily.reshape(-1), books.trades[: books.counts[TRADE_ROWS]].copy())
