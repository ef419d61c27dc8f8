"""What waits to be rebalanced until its price no longer runs away, or until its deadline."""

from dataclasses import dataclass
from enum import Enum

from plain_engine.portfolio import Portfolio
from plain_engine.position import Position

# How far a close may be beyond the mean that is waited for; a share of the mean.
SAME_CLOSE = 1e-12


class Side(Enum):
    """What an asset waits for: to be sold or to be bought."""

    SALE = "sale"
    PURCHASE = "purchase"


@dataclass(frozen=True)
class Pending:
    """An asset that waits, and the session from which on it waits no longer."""

    side: Side
    deadline: int


class Patience:
    """The assets that wait, by their place in the universe."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.sessions = portfolio.rules.patience
        self.window = portfolio.rules.patience_mean
        self.pending: dict[int, Pending] = {}

    def look_at(self, position: Position, side: Side | None, triggered: bool) -> None:
        """End the wait of an asset that no longer needs its trade; begin one where a trigger asks for it."""
        waiting = self.pending.get(position.asset)
        if waiting and waiting.side is not side:
            del self.pending[position.asset]
        if triggered and side and position.asset not in self.pending:
            self.pending[position.asset] = Pending(side, self.portfolio.session + self.sessions)

    def is_due(self, position: Position, side: Side) -> bool:
        waiting = self.pending.get(position.asset)
        return (
            waiting is not None and waiting.side is side and (self.is_late(waiting) or self.has_turned(position, side))
        )

    def is_late(self, waiting: Pending) -> bool:
        return self.portfolio.session >= waiting.deadline

    def has_turned(self, position: Position, side: Side) -> bool:
        """Return whether the last close before today is back at its mean, or beyond; never known from too few."""
        before = [closes[position.asset] for closes in self.portfolio.closes]
        if len(before) < self.window:
            return False
        mean = sum(before[-self.window :]) / self.window
        above = before[-1] - mean
        return (above if side is Side.SALE else -above) <= SAME_CLOSE * mean

    def end(self, position: Position, *, done: bool) -> None:
        """Let an asset wait no longer once it has traded, or was late anyway."""
        if done or self.is_late(self.pending[position.asset]):
            del self.pending[position.asset]
