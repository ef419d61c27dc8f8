"""A plan that is simulated, and booked session by session into a ledger, comes to the same at every close.

The history is the compiled engine's; the ledger gets its fills, dividends and deposits as facts, and does the rest
itself. Prices are whole numbers and lots whole, so that no amount needs more digits than a ledger keeps.
"""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from support.satellites_in_a_ledger import Drawn, assert_rows_agree, drawn, money, rows_of, satellite_of, tables_of

from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.closing import close
from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.marked import MarketDay, close_of, columns_of, memory_given
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.verification import verify
from sd_core.market.arrays import last_known
from sd_core.schemas.kinds import ExitReason, Kind, Regime, Transfer

# What evaluations, purchases and starts change between two closes, and what a position takes from one to the next.
DECIDED = ("status", "probation", "failed_on", "trades", "awake_since", "activated_on", "stage")
CARRIED = ("stop", "highest", "is_armed", "exit")


class Booking:
    """A ledger that is given what happened in a history, session by session."""

    def __init__(self, drawn: Drawn, ledger: Ledger, clock, *, is_automatic: bool) -> None:
        self.is_automatic = is_automatic
        self.drawn, self.ledger, self.clock = drawn, ledger, clock
        self.plan, self.panel = drawn.case.plan, drawn.case.panel
        self.tickers = [f"T{place}" for place in range(len(self.plan.lot_sizes))]
        self.last = last_known(self.panel.close)
        self.refs = 0

    def name(self, bucket: int) -> str:
        return self.plan.satellites[bucket].name

    def open(self) -> None:
        self.clock.day = self.panel.sessions[0].item()
        self.ledger.deposit(money(self.plan.capital))
        self.ledger.set("live", {"budget": "0.3", "apply": "auto" if self.is_automatic else "propose"})
        for place, (one, opening) in enumerate(zip(self.plan.satellites, self.plan.openings, strict=True)):
            self.ledger.create(satellite_of(self.drawn, place))
            self.ledger.start(one.name, early="a test")
            if one.harvest_line is not None:
                self.ledger.set(one.name, {"harvest_line": str(one.harvest_line)})
            if opening:
                self.ledger.transfer("core", one.name, money(opening))

    def session(self, session: int) -> None:
        self.clock.day = self.panel.sessions[session].item()
        rows = self.drawn.history.ledger
        today = rows[rows["session"] == session]
        if session in self.drawn.history.evaluations["session"]:
            self.ledger.evaluate(self.clock.day, actor="rule")
            if not self.is_automatic:
                self.ledger.apply()
        for row in today[today["kind"] == Transfer.HARVEST]:
            self.ledger.harvest(self.name(row["bucket"]), actor="rule")
        if (deposit := self.drawn.case.deposits[session]) > 0:
            self.ledger.deposit(money(deposit))
        for row in today:
            if row["kind"] == Kind.DIVIDEND:
                self.fact("dividend", {"USD": money(row["amount"])}, unit=self.tickers[row["asset"]])
            elif row["kind"] in {Kind.BUY, Kind.SELL, Kind.DIVIDEND_BUY}:
                self.fill(session, row)
        self.mark(session)

    def fill(self, session: int, row: np.void) -> None:
        trades = self.drawn.history.trades
        mine = trades[(trades["bucket"] == row["bucket"]) & (trades["asset"] == row["asset"])]
        decision = {}
        if row["kind"] == Kind.BUY:
            trade = mine[mine["opened"] == session][0]
            decision = {name: float(trade[name]) for name in ("conviction", "factor", "premium")}
            decision["is_test"] = bool(trade["is_test"])
            decision["regime"] = Regime(int(trade["regime"])).name.lower()
            due = int(self.drawn.case.signals.next_ex_date[session - 1, row["asset"]])
            if due >= 0:
                decision["ex_date"] = str(np.datetime64(due, "D"))
        elif row["kind"] == Kind.SELL:
            trade = mine[mine["closed"] == session][0]
            decision = {"reason": ExitReason(int(trade["exit_reason"])).name.lower()}
        legs = {self.tickers[row["asset"]]: money(row["quantity"]), "USD": money(row["amount"])}
        more = {"decision": decision} if decision else {}
        self.fact("fill", legs, fee=str(row["fee"]), **more)

    def fact(self, kind: str, legs: dict[str, Decimal], **details: object) -> None:
        self.refs += 1
        self.ledger.record(Activity(f"{kind}-{self.refs}", kind, self.clock.day, legs, details=details))

    def mark(self, session: int) -> None:
        signals = self.drawn.case.signals
        prices = {
            ticker: Decimal(repr(float(price)))
            for ticker, price in zip(self.tickers, self.last[session], strict=True)
            if price > 0
        }
        lost = frozenset(np.array(self.tickers)[signals.is_exit[session]].tolist())
        market = MarketDay(Regime(int(signals.regime[session])), 0.0, lost)
        self.ledger.mark(self.clock.day, prices, market=market)


@pytest.mark.parametrize("seed", [1, 2, 4, 7])
def test_a_ledger_comes_to_what_the_history_came_to(ledger: Ledger, clock, seed: int) -> None:
    plan = drawn(seed)
    # What a person applies at once is what the account applies by itself.
    booking = Booking(plan, ledger, clock, is_automatic=seed < 4)
    booking.open()
    for session in range(len(plan.case.panel.sessions)):
        booking.session(session)
    expected = tables_of(plan)
    live = {"book"}
    days = [row for row in rows_of(ledger, book_rows.daily_rows, "live") if row["bucket"] != "core"]
    assert_rows_agree(days, [row for row in expected["bucket_daily"] if row["bucket"] != "core"], live)
    assert_rows_agree(rows_of(ledger, book_rows.trade_rows, "live"), expected["bucket_trade"], live)
    assert_rows_agree(rows_of(ledger, book_rows.event_rows, "live"), expected["bucket_event"], {*live, "seq"})
    evaluations = rows_of(ledger, book_rows.evaluation_rows, "live")
    assert_rows_agree(evaluations, expected["bucket_evaluation"], live)
    with ledger.store.reading() as connection:
        assert verify(connection).findings == []
        assert_the_marks_alone_give_the_same_bytes(State(connection), [one.name for one in plan.case.plan.satellites])


def assert_the_marks_alone_give_the_same_bytes(state: State, satellites: list[str]) -> None:
    """Go through the marks with the closes that they were given, and never look at what they came to."""
    for bucket in satellites:
        rows = list(state.rows("select * from mark_state where bucket = :bucket order by session", bucket=bucket))
        after, held, past = None, {}, []
        for row in rows:
            memory, at = memory_given(row.given), close_of(row.given)
            if after is not None:
                assert replace(memory, **{name: getattr(after, name) for name in DECIDED}) == after
            for one in at.held:
                assert one.trade not in held or all(getattr(one, x) == getattr(held[one.trade], x) for x in CARRIED)
            outcome = close(memory, at, past)
            assert columns_of(outcome, 0.0, is_satellite=True).items() <= dict(row._mapping).items()
            after, held = outcome.memory, {one.trade: one for one in outcome.held}
            past.append((at.day, after.twr_index))
