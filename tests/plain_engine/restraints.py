"""What changes the rule from outside, by what is known at the close before: cash, drawdown, gaps."""

from collections import deque

from plain_engine.path import legs_of
from plain_engine.portfolio import Portfolio
from sd_core.simulation.rules import Every

GAP_WINDOW = 90
# Share of sessions with a gap above which brackets have so many steps per doubling; the last is for all others.
STEPS_BY_GAP_SHARE = ((0.15, 12), (0.05, 8), (-1.0, 6))

# A bank that was spent to the last may keep a share of the value by rounding alone.
NO_CASH = 1e-12


def purchase_share(portfolio: Portfolio) -> float:
    """Return how much of a purchase the rule makes today: less than all where cash was low at the close before."""
    threshold = portfolio.rules.cash_low
    if threshold == 0:
        return 1.0
    if portfolio.last_value <= 0:
        return 0.0
    cash = portfolio.last_bank / portfolio.last_value
    if cash <= NO_CASH:
        return 0.0
    return min(cash / threshold, 1.0)


class PortfolioStop:
    """Halts the rule's purchases from a drawdown until half of it is made good."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        self.index = 1.0
        self.peak = 1.0
        self.trough = 1.0
        self.halted = False

    def watch(self) -> None:
        """Look at the close; what it decides holds from the next session on."""
        self.index *= 1 + self.portfolio.returns[-1]
        if self.halted:
            self.trough = min(self.trough, self.index)
            if self.index >= (self.trough + self.peak) / 2:
                self.halted = False
                self.peak = self.index
            return
        self.peak = max(self.peak, self.index)
        if self.index < self.peak * (1 - self.portfolio.rules.stop):
            self.halted = True
            self.trough = self.index


class AdaptiveBrackets:
    """Widens and narrows brackets by how often the first leg of a session jumps over a limit."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.portfolio = portfolio
        # By asset, whether each of the last sessions had a gap.
        self.gaps = [deque[bool](maxlen=GAP_WINDOW) for _ in portfolio.positions]

    def adapt(self) -> None:
        """Set the brackets for a new month, once there are enough sessions to go by."""
        if not self.portfolio.begins_a(Every.MONTH):
            return
        for position, gaps in zip(self.portfolio.positions, self.gaps, strict=True):
            if len(gaps) == GAP_WINDOW:
                share = sum(gaps) / GAP_WINDOW
                steps = next(steps for above, steps in STEPS_BY_GAP_SHARE if share > above)
                position.bracket = 2 ** (1 / steps) - 1

    def watch(self) -> None:
        """Note which assets gap today; their limits are still those of before the trades."""
        for position, gaps in zip(self.portfolio.positions, self.gaps, strict=True):
            if not position.bar:
                gaps.append(False)
                continue
            jump = legs_of(position, position.bar, self.portfolio.rules.path)[0]
            gaps.append(jump.rises_to(position.sell_limit) or jump.falls_to(position.buy_limit))
