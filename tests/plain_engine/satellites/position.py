"""One position of a satellite: its shares and its money, the orders that rest on it, and when it has to go."""

import datetime as dt
from dataclasses import dataclass

from plain_engine.satellites.books import Row
from plain_engine.satellites.rules import NO_MONEY, above, outcome_of
from sd_core.schemas.kinds import ExitReason, Outcome

TOUCH = 1e-12
ARMED_ABOVE = 0.15


@dataclass
class Position:
    """Shares of one ticker from the purchase that opened them to the sale of all.

    Attributes:
        asset: place of the ticker in the panel.
        number: place among the satellite's entries, from 1.
        opened: session of the entry.
        entry: its price, from which stop, take-profit and holding days count; later purchases leave it.
        conviction, factor, regime: of the close before the entry.
        premium: of the entry price over the highest earlier close.
        projected: the ex-date that was expected when the order was made; None where none was.
        tested_lock: day of the lock that this position tests, None where it is no test.
        stop: price of the resting stop order.
        take: price of the resting take-profit, None while stops trail.
        cost: money paid, fees included.
        dividends: money received, also where it went on to the core.
        highest: highest close since the entry.
        armed: whether a close has been far enough above the entry for the stop to trail.
        exit_reason: why it is sold at the next open with a bar, None where it is not.
        closed, exit_price, proceeds, outcome, closed_by: how it ended.
    """

    asset: int
    number: int
    opened: int
    opened_on: dt.date
    entry: float
    conviction: float
    factor: float
    regime: int
    premium: float
    projected: dt.date | None
    tested_lock: dt.date | None
    stop: float
    take: float | None
    quantity: float = 0.0
    cost: float = 0.0
    dividends: float = 0.0
    highest: float = 0.0
    armed: bool = False
    exit_reason: ExitReason | None = None
    closed: int | None = None
    exit_price: float | None = None
    proceeds: float | None = None
    outcome: Outcome = Outcome.NEUTRAL
    closed_by: ExitReason | None = None

    @property
    def gain(self) -> float:
        """Money that a closed position has made."""
        assert self.proceeds is not None
        return self.proceeds + self.dividends - self.cost

    @property
    def trade_return(self) -> float | None:
        return None if self.proceeds is None else (self.proceeds + self.dividends) / self.cost - 1

    def close(self, session: int, price: float, proceeds: float, reason: ExitReason) -> None:
        self.closed, self.exit_price, self.proceeds, self.closed_by = session, price, proceeds, reason
        if self.cost > NO_MONEY:
            self.outcome = outcome_of((proceeds + self.dividends) / self.cost - 1)

    def row(self, bucket: int) -> Row:
        return {
            "bucket": bucket,
            "trade": self.number,
            "asset": self.asset,
            "opened": self.opened,
            "closed": self.closed,
            "entry_price": self.entry,
            "exit_price": self.exit_price,
            "quantity": self.quantity,
            "cost": self.cost,
            "proceeds": self.proceeds,
            "dividends": self.dividends,
            "trade_return": self.trade_return,
            "outcome": self.outcome,
            "exit_reason": self.closed_by,
            "conviction": self.conviction,
            "factor": self.factor,
            "premium": self.premium,
            "regime": self.regime,
            "is_on_strategy": True,
            "is_test": self.tested_lock is not None,
        }

    def trail(self, close: float, trail: float) -> None:
        """Raise the stop after a close, once one has been far enough above the entry."""
        self.highest = max(self.highest, close)
        self.armed = self.armed or above(close / self.entry - 1, ARMED_ABOVE)
        if self.armed:
            self.stop = max(self.stop, self.highest * (1 - trail))

    def stop_fill(self, opening: float | None, low: float) -> float | None:
        """Return the price at which the stop fills in a bar; ``opening`` is None on the day of the entry."""
        if opening is not None and opening <= self.stop * (1 + TOUCH):
            return opening
        return self.stop if low <= self.stop * (1 + TOUCH) else None

    def opens_beyond_take(self, opening: float | None) -> bool:
        return self.take is not None and opening is not None and opening >= self.take * (1 - TOUCH)

    def take_fill(self, opening: float | None, high: float) -> float | None:
        """Return the price at which the take-profit fills in a bar."""
        if self.opens_beyond_take(opening):
            return opening
        return self.take if self.take is not None and high >= self.take * (1 - TOUCH) else None
