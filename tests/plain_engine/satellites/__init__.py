"""A core and its satellites over the history of prices, in plain Python: the reference for the compiled engine.

Clarity is its only aim. It is written from docs/buckets.md alone. A session goes through its parts in order:

- cash arrives: evaluation and moves, harvest, deposits (``money``, ``evaluation``), then each satellite's dividends and
  interest (``satellite``);
- the core advances, with what came to it;
- each satellite trades (``trading``, ``position``);
- each is marked, and its rules look at the close (``rules``, ``lifecycle``); orders for the next open are made.

Checking input does not belong here. What it takes and gives is declared in ``sd_core.buckets.history.contract``.
"""

import math

import numpy as np

from plain_engine.satellites import money
from plain_engine.satellites.books import Books, records
from plain_engine.satellites.evaluation import Evaluation
from plain_engine.satellites.money import Receiver
from plain_engine.satellites.satellite import Satellite
from plain_engine.satellites.trading import Trading
from sd_core.buckets.history import contract
from sd_core.buckets.history.contract import CORE, OUTSIDE, Core, History, Plan, Signals
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind, Transfer


class Account:
    """The core and the satellites of one plan, from session to session."""

    def __init__(self, plan: Plan, panel: Panel, signals: Signals, deposits: Floats, core: Core) -> None:
        self.plan = plan
        self.panel = panel
        self.deposits = deposits
        self.core = core
        self.books = Books([day.item() for day in panel.sessions.astype("datetime64[D]")])
        self.satellites = [
            Satellite(plan, number, panel, signals, self.books) for number in range(len(plan.satellites))
        ]
        self.trading = [Trading(satellite) for satellite in self.satellites]
        self.evaluation = Evaluation(plan, panel, self.satellites, self.books)
        # What came to the core today, and by session: that, its value, cash and withdrawals.
        self.to_core = 0.0
        self.core_rows: list[tuple[float, float, float, float]] = []

    def run_session(self, session: int) -> None:
        self.books.session = session
        self.to_core = 0.0
        for satellite in self.satellites:
            satellite.begin()
        if session == 0:
            self.open_accounts()
        else:
            self.receive()
        self.core.advance(session, self.to_core)
        self.core_rows.append((self.core.value, self.core.bank, self.core.withdrawn, self.to_core))
        if session > 0:
            for trading in self.trading:
                trading.trade()
        for satellite in self.satellites:
            satellite.mark()
        for satellite, trading in zip(self.satellites, self.trading, strict=True):
            satellite.review(self.total())
            trading.make_orders()

    def total(self) -> float:
        """Return what all buckets are worth at the last close that each has marked."""
        total = self.core.value
        for satellite in self.satellites:
            total += satellite.value
        return total

    def open_accounts(self) -> None:
        for satellite, amount in zip(self.satellites, self.plan.openings, strict=True):
            if amount > 0:
                satellite.take(Transfer.OPENING, amount, OUTSIDE)

    def receive(self) -> None:
        """Move cash as the calendar asks, each step seeing what the ones before left."""
        if self.books.begins_a("quarter"):
            self.to_core += self.evaluation.evaluate(self.total())
        if self.books.begins_a("month"):
            self.harvest()
        self.deposit()
        for satellite in self.satellites:
            self.to_core += satellite.receive()

    def value_now(self, satellite: Satellite) -> float:
        """Return a satellite's value at the close before, with what has come to it since."""
        return satellite.value + satellite.open_flows

    def harvest(self) -> None:
        for satellite in self.satellites:
            if not satellite.parameters.harvest:
                continue
            line = satellite.settings.harvest_line
            line = satellite.target if line is None else line
            amount = money.harvest(self.value_now(satellite), satellite.free_cash, self.total(), line, self.plan.minor)
            if amount > 0:
                satellite.take(Transfer.HARVEST, -amount, CORE)
                self.to_core += amount

    def deposit(self) -> None:
        deposit = float(self.deposits[self.books.session])
        if deposit <= 0:
            return
        close = self.books.days[self.books.session - 1]
        receivers = [
            Receiver(self.value_now(satellite), satellite.target, satellite.takes_deposits(close))
            for satellite in self.satellites
        ]
        parts = money.split_deposit(deposit, self.total(), self.plan.budget, receivers, self.plan.minor)
        for satellite, part in zip(self.satellites, parts, strict=True):
            if part > 0:
                satellite.take(Kind.DEPOSIT, part, OUTSIDE)
        self.to_core += deposit - math.fsum(parts)

    def history(self) -> History:
        values, cash, withdrawals, flows = np.array(self.core_rows).T
        trades = [position.row(one.number) for one in self.satellites for position in one.entries]
        return History(
            ledger=records(self.books.ledger, contract.LEDGER),
            daily=records(self.books.daily, contract.DAILY),
            trades=records(trades, contract.TRADES),
            events=records(self.books.events, contract.EVENTS),
            evaluations=records(self.books.evaluations, contract.EVALUATIONS),
            core_values=values,
            core_cash=cash,
            core_withdrawals=withdrawals,
            core_flows=flows,
        )


def simulate(plan: Plan, panel: Panel, signals: Signals, deposits: Floats, core: Core) -> History:
    """Return the history of a plan, whose core starts with ``plan.core_capital`` and knows no satellites."""
    account = Account(plan, panel, signals, deposits, core)
    for session in range(len(panel.sessions)):
        account.run_session(session)
    return account.history()
