"""One satellite: its cash, its positions, how it does at each close, and what its rules make of that.

What it trades belongs in ``trading``, the session of all satellites together in the package.
"""

import datetime as dt
import math
from typing import Any

from plain_engine.satellites import rules
from plain_engine.satellites.books import ARRIVAL, Books
from plain_engine.satellites.lifecycle import Index, Life
from plain_engine.satellites.position import Position
from plain_engine.satellites.rules import Breaker, Cooldown, Reawakening, Restraints
from sd_core.buckets.history.contract import CORE, NO_TICKER, OUTSIDE, Plan, Signals
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import (
    BucketEvent,
    Dividends,
    ExitReason,
    Kind,
    Reason,
    Regime,
    Signal,
    Sleep,
    Status,
    Transfer,
)

NEGLIGIBLE_INTEREST = 1e-9
LEAST_DIVISOR = 1e-6

Bar = tuple[float, float, float, float]


class Satellite:
    """A bucket from session to session."""

    def __init__(self, plan: Plan, number: int, panel: Panel, signals: Signals, books: Books) -> None:
        self.plan = plan
        self.number = number
        self.settings = plan.satellites[number]
        self.parameters = self.settings.parameters
        self.signal = Signal(self.parameters.signal)
        self.panel = panel
        self.signals = signals
        self.books = books
        self.target = self.settings.target
        # What it has, and what it has had.
        self.cash = 0.0
        self.positions: list[Position] = []
        self.entries: list[Position] = []
        self.last_closes: dict[int, float] = {}
        self.highest_closes: dict[int, float] = {}
        # By session so far; a session without a return has 0.
        self.index = Index()
        self.levels: list[float] = []
        self.returns: list[float] = []
        # At the last close.
        self.value = 0.0
        self.cash_at_close = 0.0
        self.share = 0.0
        # What restrains it.
        self.life = Life()
        self.breaker = Breaker()
        self.reawakening = Reawakening()
        self.cooldown = Cooldown()
        self.restraints = Restraints(Reason.STATUS, share_level=0.0, drawdown_level=1.0)
        # Of the session under way.
        self.open_flows = 0.0
        self.close_flows = 0.0
        self.dividends_paid: dict[int, float] = {}
        self.closed_today: list[Position] = []

    def begin(self) -> None:
        self.open_flows = self.close_flows = 0.0
        self.dividends_paid = {}
        self.closed_today = []

    # Prices.

    def bar(self, asset: int) -> Bar | None:
        """Return open, high, low and close of today, None without a bar."""
        panel, session = self.panel, self.books.session
        bar = tuple(float(side[session, asset]) for side in (panel.open, panel.high, panel.low, panel.close))
        return None if math.isnan(bar[3]) else bar  # type: ignore[return-value]

    def held(self) -> list[Position]:
        """Return the positions in the study's order of tickers."""
        return sorted(self.positions, key=lambda position: position.asset)

    def held_something(self, session: int) -> bool:
        """Return whether it had a position in a session, at the close before, at its own or between."""
        return any(one.opened <= session and (one.closed is None or one.closed >= session) for one in self.entries)

    # Cash.

    @property
    def free_cash(self) -> float:
        return self.cash if self.cash > rules.NO_MONEY else 0.0

    def worth(self) -> float:
        """Return cash and positions, at the last close that was read."""
        return self.cash + math.fsum(held.quantity * self.last_closes[held.asset] for held in self.positions)

    def book(
        self, leg: int, kind: int, amount: float, *, counterparty: int = OUTSIDE, asset: int = NO_TICKER, **others: Any
    ) -> None:
        """Change the cash, and write the row that says so."""
        self.cash += amount
        self.books.ledger.append(
            {
                "session": self.books.session,
                "leg": leg,
                "bucket": self.number,
                "counterparty": counterparty,
                "asset": asset,
                "kind": kind,
                "fee": 0.0,
                **others,
                "amount": amount,
                "cash_after": self.cash,
            }
        )

    # What arrives before anything trades.

    def take(self, kind: int, amount: float, counterparty: int) -> None:
        """Receive cash from another bucket or from outside; give it where the amount is negative."""
        self.open_flows += amount
        self.book(ARRIVAL, kind, amount, counterparty=counterparty)

    def receive(self) -> float:
        """Book dividends, then interest, and return what goes on to the core."""
        sent = 0.0
        for position in self.held():
            dividend = float(self.panel.dividends[self.books.session, position.asset])
            if dividend != 0:
                sent += self.receive_dividend(position, dividend)
        self.receive_interest()
        return sent

    def receive_dividend(self, position: Position, dividend: float) -> float:
        """Book a dividend on what was held at the close before, and return what of it goes on to the core."""
        amount = position.quantity * dividend
        position.dividends += amount
        self.dividends_paid[position.asset] = amount
        self.book(ARRIVAL, Kind.DIVIDEND, amount, asset=position.asset, price=dividend)
        if self.signal is Signal.EX_DIVIDEND:
            position.exit_reason = ExitReason.EX_DATE
        sent = min(amount, self.free_cash) if self.parameters.dividends == Dividends.SEND_TO_CORE else 0.0
        if sent > 0:
            self.close_flows -= sent
            self.book(ARRIVAL, Transfer.DIVIDEND_SENT, -sent, counterparty=CORE, asset=position.asset)
        return sent

    def receive_interest(self) -> None:
        rate = float(self.panel.rates[self.books.session - 1])
        amount = self.cash_at_close * rate * self.books.days_since_last_session / 365
        if abs(amount) >= NEGLIGIBLE_INTEREST:
            self.book(ARRIVAL, Kind.INTEREST, amount)

    # The close.

    def mark(self) -> None:
        """Read the closes, and value what is held at them."""
        for asset in self.settings.tickers:
            if bar := self.bar(asset):
                self.last_closes[asset] = bar[3]
                self.highest_closes[asset] = max(bar[3], self.highest_closes.get(asset, 0.0))
        self.grow(self.worth())

    def grow(self, value: float) -> None:
        """Grow the index by what the day has earned."""
        divisor = self.value + self.open_flows
        self.value = value
        self.cash_at_close = self.cash
        self.earned = (self.value - self.close_flows) / divisor - 1 if divisor > LEAST_DIVISOR else None
        self.index.grow(self.earned)
        self.levels.append(self.index.level)
        self.returns.append(self.earned or 0.0)

    def review(self, total: float) -> None:
        """Let the rules look at the close; what they decide binds from the next session on."""
        self.share = rules.share_of(self.value, total)
        self.note_round_trips()
        self.note_life()
        self.note_gain()
        self.weigh()
        self.write_day()

    def note_round_trips(self) -> None:
        today = self.books.today
        for position in self.closed_today:
            losses, was_on = self.breaker.losses, self.breaker.locked_on
            self.breaker.note(position.outcome, today, position.tested_lock)
            self.reawakening.note(position.outcome, position.opened)
            now_on = self.breaker.locked_on
            if was_on and not now_on:
                self.books.note(self.number, BucketEvent.UNLOCKED, losses)
            elif now_on != was_on:
                until = today + rules.LOCK
                self.books.note(self.number, BucketEvent.LOCKED, self.breaker.losses, until=until)

    def note_life(self) -> None:
        today, index = self.books.today, self.index
        if self.life.is_stranded(today, len(self.positions), index.drawdown):
            self.books.note(self.number, BucketEvent.REBASED, index.drawdown)
            index.rebase()
            self.life.stranded_since = None
        event = self.life.review(today, self.share, self.target, self.settings.min_pct, index.drawdown)
        if event is None:
            return
        looked_at = index.drawdown if self.life.cause is Sleep.DRAWDOWN else self.share
        self.books.note(self.number, event, looked_at, cause=self.life.cause)
        if self.life.status is Status.ACTIVE:
            self.reawakening = Reawakening(since=self.books.session)

    def note_gain(self) -> None:
        days = self.books.days[: self.books.session + 1]
        gain = self.cooldown.watch(days, self.levels)
        if gain is not None:
            self.books.note(self.number, BucketEvent.COOLED_DOWN, gain, until=self.cooldown.until)

    @property
    def regime(self) -> Regime:
        return Regime(int(self.signals.regime[self.books.session]))

    def weigh(self) -> None:
        """Put together what restrains the next session."""
        today, parameters = self.books.today, self.parameters
        stops = {
            Reason.STATUS: self.life.status is not Status.ACTIVE,
            Reason.OVERDRAWN: self.cash < -rules.NO_MONEY,
            Reason.LOCK: self.breaker.is_locked(today),
            Reason.HIGH_VOLATILITY: parameters.high_volatility and self.regime is Regime.HIGH_VOLATILITY,
        }
        self.restraints = Restraints(
            stops=Reason(sum(reason for reason, holds in stops.items() if holds)),
            share_level=rules.level_by_share(self.share, self.target, self.settings.min_pct),
            drawdown_level=rules.level_by_drawdown(self.index.drawdown),
            cooldown=rules.COOLDOWN_FACTOR if self.cooldown.is_on(today) else 1.0,
            stage=self.reawakening.factor,
            regime=rules.regime_factor(self.signal, self.regime) if parameters.regime else 1.0,
            testing=self.breaker.is_testing(today),
        )

    def write_day(self) -> None:
        restraints, index, locked_on = self.restraints, self.index, self.breaker.locked_on
        self.books.daily.append(
            {
                "bucket": self.number,
                "session": self.books.session,
                "cash": self.cash,
                "value": self.value,
                "open_flows": self.open_flows,
                "close_flows": self.close_flows,
                "simple_return": self.earned,
                "twr_index": index.level,
                "peak": index.peak,
                "drawdown": index.drawdown,
                "share": self.share,
                "target": self.target,
                "positions": len(self.positions),
                "status": self.life.status,
                "share_level": restraints.share_level,
                "drawdown_level": restraints.drawdown_level,
                "cooldown": restraints.cooldown,
                "reawakening": restraints.stage,
                "regime_factor": restraints.regime,
                "factor": restraints.factor,
                "reasons": restraints.reasons,
                "losses": self.breaker.losses,
                "stage": self.reawakening.stage,
                "locked_until": locked_on + rules.LOCK if locked_on else None,
                "cooldown_until": self.cooldown.until,
            }
        )

    def takes_deposits(self, close: dt.date) -> bool:
        """Return whether a deposit may come here, by the close before."""
        return self.life.takes_deposits(close, self.share, self.target, self.settings.min_pct, self.index.drawdown)
