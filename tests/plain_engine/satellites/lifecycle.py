"""When a satellite on history starts, sleeps and wakes: what its share and its drawdown make of its status."""

import datetime as dt
from dataclasses import dataclass

from plain_engine.satellites.rules import above, at_least, below, floor_of
from sd_core.schemas.kinds import BucketEvent, Probation, Sleep, Status

SLEEP_DRAWDOWN = 0.35
WAKE_DRAWDOWN = 0.25
WAKE_SHARE = 1.1
CLOSES_BELOW_FLOOR = 21
SLEEP_AFTER_PROBATION = dt.timedelta(days=90)
FLAT_UNTIL_REBASED = dt.timedelta(days=180)
PROBATION = dt.timedelta(days=182)
ENOUGH_TRADES = 5


@dataclass
class Index:
    """The time-weighted index of a satellite, and the peak that its drawdown is measured from.

    What has lost all, or more, has an index of 0 for good.
    """

    level: float = 1.0
    peak: float = 1.0

    @property
    def drawdown(self) -> float:
        return 1 - self.level / self.peak

    def grow(self, simple_return: float | None) -> None:
        if simple_return is not None:
            self.level *= max(0.0, 1 + simple_return)
        self.peak = max(self.peak, self.level)

    def rebase(self) -> None:
        self.peak = self.level


@dataclass
class Life:
    """Status of a satellite, and what it hangs on.

    Attributes:
        cause: why it sleeps.
        slept_on: day on which it fell asleep.
        closes_below_floor: how many in a row while it is active.
        stranded_since: day of the first close in a row at which it sleeps, holds nothing and is far below its peak.
        started_on: day on which it became active for the first time.
        passed_probation: whether an evaluation has let it into the pool.
    """

    status: Status = Status.ACCUMULATING
    cause: Sleep = Sleep.NONE
    slept_on: dt.date = dt.date.min
    closes_below_floor: int = 0
    stranded_since: dt.date | None = None
    started_on: dt.date = dt.date.max
    passed_probation: bool = False

    def takes_deposits(self, day: dt.date, share: float, target: float, min_pct: float, drawdown: float) -> bool:
        """Return whether a deposit may help: not where it sleeps for more than its share of the total."""
        if self.status is not Status.HIBERNATING:
            return True
        low = below(share, WAKE_SHARE * floor_of(target, min_pct))
        return low and below(drawdown, WAKE_DRAWDOWN) and self.has_rested(day)

    def has_rested(self, day: dt.date) -> bool:
        return self.cause is not Sleep.PROBATION or day - self.slept_on >= SLEEP_AFTER_PROBATION

    def is_stranded(self, day: dt.date, positions: int, drawdown: float) -> bool:
        """Look at a close, and return whether the old peak is given up, since there is no way back to it.

        What has lost all has none even so.
        """
        if self.status is not Status.HIBERNATING or positions or below(drawdown, WAKE_DRAWDOWN) or drawdown == 1:
            self.stranded_since = None
        elif self.stranded_since is None:
            self.stranded_since = day
        return self.stranded_since is not None and day - self.stranded_since >= FLAT_UNTIL_REBASED

    def review(self, day: dt.date, share: float, target: float, min_pct: float, drawdown: float) -> BucketEvent | None:
        """Look at a close and return what it changes."""
        floor = floor_of(target, min_pct)
        match self.status:
            case Status.ACCUMULATING:
                if at_least(share, floor):
                    self.status = Status.ACTIVE
                    self.closes_below_floor = 0
                    self.started_on = day
                    return BucketEvent.ACTIVATED
            case Status.ACTIVE:
                self.closes_below_floor = self.closes_below_floor + 1 if below(share, floor) else 0
                if at_least(drawdown, SLEEP_DRAWDOWN):
                    return self.sleep(day, Sleep.DRAWDOWN)
                if self.closes_below_floor >= CLOSES_BELOW_FLOOR:
                    return self.sleep(day, Sleep.SHARE)
            case Status.HIBERNATING:
                if self.has_rested(day) and below(drawdown, WAKE_DRAWDOWN) and at_least(share, WAKE_SHARE * floor):
                    return self.wake()
        return None

    def sleep(self, day: dt.date, cause: Sleep) -> BucketEvent:
        self.status = Status.HIBERNATING
        self.cause = cause
        self.slept_on = day
        return BucketEvent.HIBERNATED

    def wake(self) -> BucketEvent:
        self.status = Status.ACTIVE
        self.cause = Sleep.NONE
        self.closes_below_floor = 0
        return BucketEvent.WOKEN

    def is_due_for_probation(self, day: dt.date) -> bool:
        return self.status is Status.ACTIVE and not self.passed_probation and day - self.started_on >= PROBATION

    def end_probation(self, day: dt.date, trades: int, score: float) -> Probation:
        """Judge the probation, which goes on where there were too few trades to say."""
        if trades < ENOUGH_TRADES:
            return Probation.EXTENDED
        if above(score, 0.0):
            self.passed_probation = True
            return Probation.PASSED
        self.sleep(day, Sleep.PROBATION)
        return Probation.FAILED

    @property
    def is_in_the_pool(self) -> bool:
        return self.status in (Status.ACTIVE, Status.HIBERNATING) and self.passed_probation
