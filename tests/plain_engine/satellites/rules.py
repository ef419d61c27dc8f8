"""What restrains a satellite, in plain Python: levels, locks, cooldown, re-awakening, and the factor of all together.

Every rule looks at a close and binds from the next session on. Days are calendar days, levels and factors are
fractions. When a satellite sleeps and wakes belongs in ``lifecycle``, what it trades in ``trading``.
"""

import bisect
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sd_core.schemas.kinds import Outcome, Reason, Regime, Signal

TOLERANCE = 1e-12
# Money that is none: what rounding leaves.
NO_MONEY = 1e-6

# Level by at least this much of the target, and by at least this drawdown; the first that holds counts.
LEVELS_BY_TARGET = ((1.0, 1.0), (0.8, 0.8), (0.6, 0.6))
LOWEST_LEVEL_BY_TARGET = 0.4
LEVELS_BY_DRAWDOWN = ((0.35, 0.0), (0.25, 0.3), (0.15, 0.7))

ONE_NEW_POSITION_LEVEL = 0.4

LOSS_RETURN = -0.01
LOSSES_TO_LOCK = 5
LOCK = dt.timedelta(days=30)
TEST_FACTOR = 0.25

COOLDOWN = dt.timedelta(days=30)
COOLDOWN_GAIN = 0.20
COOLDOWN_FACTOR = 0.75

STAGES = (0.25, 0.5, 0.75, 1.0)

# By signal, what each regime leaves of the factor; an unknown one leaves all.
REGIMES = {
    Signal.BREAKOUT: {Regime.SIDEWAYS: 0.5, Regime.BEAR: 0.0, Regime.HIGH_VOLATILITY: 0.5},
    Signal.DIP: {Regime.BEAR: 0.25, Regime.HIGH_VOLATILITY: 0.5},
    Signal.STEADY: {Regime.BEAR: 0.5, Regime.HIGH_VOLATILITY: 0.5},
    Signal.EX_DIVIDEND: {Regime.BEAR: 0.5, Regime.HIGH_VOLATILITY: 0.5},
}

# Any of these alone forbids to open anything.
STOPS = Reason.HALT | Reason.BLOCK | Reason.STATUS | Reason.OVERDRAWN | Reason.LOCK | Reason.HIGH_VOLATILITY


def at_least(number: float, bound: float) -> bool:
    return number >= bound - TOLERANCE


def above(number: float, bound: float) -> bool:
    return not at_least(bound, number)


def below(number: float, bound: float) -> bool:
    return not at_least(number, bound)


# Levels.


def share_of(value: float, total: float) -> float:
    return value / total if total > NO_MONEY else 0.0


def floor_of(target: float, min_pct: float) -> float:
    """Return the share of the total below which a satellite opens nothing."""
    return max(0.4 * target, min_pct)


def level_by_share(share: float, target: float, min_pct: float) -> float:
    if below(share, floor_of(target, min_pct)):
        return 0.0
    of_target = share / target
    return next((level for least, level in LEVELS_BY_TARGET if at_least(of_target, least)), LOWEST_LEVEL_BY_TARGET)


def level_by_drawdown(drawdown: float) -> float:
    return next((level for least, level in LEVELS_BY_DRAWDOWN if at_least(drawdown, least)), 1.0)


def conviction_needed(level: float) -> float:
    if below(level, 0.6):
        return 0.75
    return 0.5 if below(level, 0.7) else 0.0


def one_new_position_only(level: float) -> bool:
    return at_least(ONE_NEW_POSITION_LEVEL, level)


def regime_factor(signal: Signal, regime: Regime) -> float:
    return REGIMES[signal].get(regime, 1.0)


# Round trips.


def outcome_of(trade_return: float) -> Outcome:
    """Return what a round trip was, by what it paid out over what it cost, less 1."""
    if below(trade_return, LOSS_RETURN):
        return Outcome.LOSS
    return Outcome.WIN if above(trade_return, 0.0) else Outcome.NEUTRAL


@dataclass
class Breaker:
    """Locks a satellite after losses without a win between, then lets it try one small position at a time.

    Attributes:
        losses: how many there have been since the last win.
        locked_on: day of the latest lock, None once a win has cleared it. The lock lasts 30 days; after it, until a
            win, is the time of tests.
    """

    losses: int = 0
    locked_on: dt.date | None = None

    def is_locked(self, day: dt.date) -> bool:
        return self.locked_on is not None and day - self.locked_on < LOCK

    def is_testing(self, day: dt.date) -> bool:
        return self.locked_on is not None and not self.is_locked(day)

    def note(self, outcome: Outcome, day: dt.date, tested_lock: dt.date | None) -> None:
        """Count a closed round trip; ``tested_lock`` is the day of the lock that its position was to test."""
        if outcome is Outcome.WIN:
            self.losses = 0
            self.locked_on = None
            return
        self.losses += outcome is Outcome.LOSS
        failed_test = self.locked_on is not None and tested_lock == self.locked_on
        if failed_test or (self.locked_on is None and self.losses >= LOSSES_TO_LOCK):
            self.locked_on = day


@dataclass
class Reawakening:
    """Starts a satellite with small positions, which grow with its wins.

    Attributes:
        stage: 0 to 2, and 3 once it is over.
        since: session at whose close the satellite started or woke; earlier positions do not count.
    """

    stage: int = 0
    since: int = -1

    @property
    def factor(self) -> float:
        return STAGES[self.stage]

    def note(self, outcome: Outcome, opened: int) -> None:
        if opened <= self.since or self.stage == 3:
            return
        if outcome is Outcome.WIN:
            self.stage += 1
        elif outcome is Outcome.LOSS:
            self.stage = 0


@dataclass
class Cooldown:
    """Takes size off for 30 days after a gain of 20 % in 30.

    Attributes:
        until: first day on which it is over, None before the first one.
    """

    until: dt.date | None = None

    def is_on(self, day: dt.date) -> bool:
        return self.until is not None and day < self.until

    def watch(self, days: Sequence[dt.date], index: Sequence[float]) -> float | None:
        """Look at the last of these closes, and return the gain for which a cooldown begins with it."""
        today = days[-1]
        if self.is_on(today):
            return None
        from_day = today - COOLDOWN
        if self.until is not None:
            from_day = max(from_day, self.until)
        closes_before = bisect.bisect_right(days, from_day)
        if closes_before == 0 or index[closes_before - 1] <= 0:
            return None
        gain = index[-1] / index[closes_before - 1] - 1
        if not at_least(gain, COOLDOWN_GAIN):
            return None
        self.until = today + COOLDOWN
        return gain


# All together.


@dataclass(frozen=True)
class Restraints:
    """What bears on a satellite at a close.

    Attributes:
        stops: those of the reasons in ``STOPS`` that hold.
        share_level, drawdown_level: the lower one counts.
        cooldown, stage, boost, regime: what each leaves, 1 where it does not apply; a boost is more than 1.
        testing: whether the breaker waits for a test.
    """

    stops: Reason
    share_level: float
    drawdown_level: float
    cooldown: float = 1.0
    stage: float = 1.0
    boost: float = 1.0
    regime: float = 1.0
    testing: bool = False

    @property
    def level(self) -> float:
        return min(self.share_level, self.drawdown_level)

    @property
    def factor(self) -> float:
        """Share of the full size that new positions may have; exits run whatever it is."""
        if self.stops:
            return 0.0
        factor = min(1.0, self.level * self.cooldown * self.stage * self.boost) * self.regime
        return min(factor, TEST_FACTOR) if self.testing else factor

    @property
    def reasons(self) -> Reason:
        """All that moves the factor away from 1, each whatever the others are."""
        others = {
            Reason.SHARE: self.share_level != 1,
            Reason.DRAWDOWN: self.drawdown_level != 1,
            Reason.COOLDOWN: self.cooldown != 1,
            Reason.REAWAKENING: self.stage != 1,
            Reason.BOOST: self.boost != 1,
            Reason.REGIME: self.regime != 1,
            Reason.TEST: self.testing,
        }
        reasons = self.stops
        for reason, holds in others.items():
            if holds:
                reasons |= reason
        return reasons
