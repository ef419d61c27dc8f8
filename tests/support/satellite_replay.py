"""The state of satellites, computed again from what was written of them at each close, and not from their trading.

A mark of a close is cash, value, flows and the number of positions; round trips and evaluations are rows as well. If
the rules need nothing else, what they make of these marks is what was written.
"""

import numpy as np
from plain_engine.satellites.books import Books, records
from plain_engine.satellites.position import Position
from plain_engine.satellites.satellite import Satellite

from sd_core.buckets.history.contract import DAILY, History
from sd_core.schemas.kinds import Kind, Outcome, Probation, Sleep
from support.satellite_plans import PlanCase


class Replay:
    """One satellite, which reads its marks instead of trading."""

    def __init__(self, case: PlanCase, history: History, number: int, books: Books) -> None:
        self.books = books
        self.satellite = Satellite(case.plan, number, case.panel, case.signals, books)
        self.days = history.daily[history.daily["bucket"] == number]
        self.evaluations = {row["session"]: row for row in history.evaluations if row["bucket"] == number}
        self.trades = [row for row in history.trades if row["bucket"] == number]
        sales = history.ledger[(history.ledger["bucket"] == number) & (history.ledger["kind"] == Kind.SELL)]
        # By session, the assets sold in the order booked.
        self.sold = {
            session: list(sales["asset"][sales["session"] == session]) for session in np.unique(sales["session"])
        }
        self.locked_on = []

    def read_mark(self) -> None:
        satellite, session = self.satellite, self.books.session
        day = self.days[session]
        satellite.begin()
        if session in self.evaluations:
            self.read_evaluation(self.evaluations[session])
        satellite.cash = float(day["cash"])
        satellite.open_flows = float(day["open_flows"])
        satellite.close_flows = float(day["close_flows"])
        satellite.positions = [None] * int(day["positions"])
        satellite.closed_today = [self.closed(asset) for asset in self.sold.get(session, [])]
        satellite.grow(float(day["value"]))

    def read_evaluation(self, row: np.void) -> None:
        satellite = self.satellite
        satellite.target = float(row["target"])
        if row["probation"] == Probation.FAILED:
            satellite.life.sleep(self.books.today, Sleep.PROBATION)
        satellite.life.passed_probation = row["probation"] == Probation.PASSED

    def closed(self, asset: int) -> Position:
        """Return what the rules look at of the round trip in an asset that ended today."""
        session = self.books.session
        (row,) = (row for row in self.trades if row["asset"] == asset and row["closed"] == session)
        opened = int(row["opened"])
        position = Position.__new__(Position)
        position.opened = opened
        position.outcome = Outcome(int(row["outcome"]))
        position.tested_lock = self.locked_on[opened - 1] if row["is_test"] else None
        return position

    def review(self, total: float) -> None:
        self.satellite.review(total)
        self.locked_on.append(self.satellite.breaker.locked_on)


def replayed_days(case: PlanCase, history: History) -> np.ndarray:
    """Return the days of a history, with all that rules make of them computed again."""
    books = Books([day.item() for day in case.panel.sessions.astype("datetime64[D]")])
    replays = [Replay(case, history, number, books) for number in range(len(case.plan.satellites))]
    for session, core_value in enumerate(history.core_values):
        books.session = session
        for replay in replays:
            replay.read_mark()
        total = float(core_value)
        for replay in replays:
            total += replay.satellite.value
        for replay in replays:
            replay.review(total)
    return records(books.daily, DAILY)
