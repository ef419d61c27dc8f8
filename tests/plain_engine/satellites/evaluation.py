"""The evaluation of each quarter: how satellites have done, who stays on probation, and which targets follow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plain_engine.satellites import money
from plain_engine.satellites.books import Books, Row
from plain_engine.satellites.lifecycle import ENOUGH_TRADES, SLEEP_AFTER_PROBATION
from plain_engine.satellites.money import Targets
from plain_engine.satellites.satellite import Satellite
from sd_core.buckets.history.contract import CORE, Plan
from sd_core.market.panel import Panel, daily_periods_per_year, risk_free_returns
from sd_core.schemas.kinds import BucketEvent, Outcome, Probation, Sleep, Transfer

YEAR = 252
QUARTER = 63
WEIGHT_OF_THE_YEAR = 0.75
DAYS_PER_YEAR = 365.25

NO_DEVIATION = 1e-12
NO_LOSS = 2.0
# Standard errors that ratios lie apart where chance does not explain it.
DISTINGUISHED = 1.96


def bounded(number: float | None, low: float, high: float) -> float:
    """Return a number within its bounds, 0 for none."""
    return 0.0 if number is None else min(max(number, low), high)


@dataclass(frozen=True)
class Window:
    """What a score looks at.

    Attributes:
        returns: of each session, oldest first; a session without a return has 0.
        excess: the same less what cash earned; 0 in a session in which nothing was held, as cash alone has none.
        days: calendar days from the close before the first of them to the last.
        gains: in money, of each round trip closed in them.
        wins: how many of these were wins.
        periods_per_year: sessions that make a year.
    """

    returns: Sequence[float]
    excess: Sequence[float]
    days: int
    gains: Sequence[float]
    wins: int
    periods_per_year: float

    @property
    def is_too_short(self) -> bool:
        """Whether there is no measure of any kind."""
        return len(self.returns) < 2

    @property
    def sharpe(self) -> float | None:
        if self.is_too_short:
            return None
        count = len(self.excess)
        mean = math.fsum(self.excess) / count
        deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in self.excess) / (count - 1))
        return None if deviation < NO_DEVIATION else mean / deviation * math.sqrt(self.periods_per_year)

    @property
    def squared_error(self) -> float:
        """Variance of the Sharpe ratio (Lo 2002)."""
        assert self.sharpe is not None
        yearly = self.periods_per_year
        return (1 + self.sharpe**2 / (2 * yearly)) * yearly / len(self.returns)

    @property
    def sortino(self) -> float | None:
        if self.is_too_short:
            return None
        count = len(self.excess)
        downside = math.sqrt(math.fsum(min(one, 0.0) ** 2 for one in self.excess) / count)
        if downside < NO_DEVIATION:
            return None
        return math.fsum(self.excess) / count / downside * math.sqrt(self.periods_per_year)

    @property
    def profit_factor(self) -> float | None:
        """Gains over losses; None without a loss."""
        if self.is_too_short:
            return None
        lost = -math.fsum(min(gain, 0.0) for gain in self.gains)
        return math.fsum(max(gain, 0.0) for gain in self.gains) / lost if lost > 0 else None

    @property
    def win_rate(self) -> float | None:
        return self.wins / len(self.gains) if self.gains and not self.is_too_short else None

    @property
    def calmar(self) -> float | None:
        level, peak, deepest = 1.0, 1.0, 0.0
        for earned in self.returns:
            level *= max(0.0, 1 + earned)
            peak = max(peak, level)
            deepest = max(deepest, 1 - level / peak)
        if self.is_too_short or deepest < NO_DEVIATION:
            return None
        return (level ** (DAYS_PER_YEAR / self.days) - 1) / deepest

    @property
    def score(self) -> float:
        profit = NO_LOSS if self.gains and not self.is_too_short else None
        if self.profit_factor is not None:
            profit = self.profit_factor - 1
        return (
            0.3 * bounded(self.sharpe, -3, 3)
            + 0.3 * bounded(self.sortino, -4, 4)
            + 0.2 * bounded(profit, -1, 2)
            + 0.1 * bounded(self.win_rate, 0, 1)
            + 0.1 * bounded(self.calmar, -3, 3)
        )


@dataclass(frozen=True)
class Measured:
    """A satellite at the close before an evaluation: over a year, or since it started, and over a quarter."""

    year: Window
    quarter: Window

    @property
    def score(self) -> float:
        return WEIGHT_OF_THE_YEAR * self.year.score + (1 - WEIGHT_OF_THE_YEAR) * self.quarter.score

    @property
    def trades(self) -> int:
        return len(self.year.gains)

    def row(self) -> Row:
        named = {"": self.year, "_recent": self.quarter}
        return {
            f"{measure}{suffix}": getattr(window, measure)
            for suffix, window in named.items()
            for measure in ("sharpe", "sortino", "profit_factor", "win_rate", "calmar")
        }


def are_distinguished(windows: Sequence[Window]) -> bool | None:
    """Return whether the best Sharpe ratio exceeds the worst by more than chance (Lo 2002); None of fewer than two."""
    known = [window for window in windows if window.sharpe is not None]
    if len(known) < 2:
        return None
    best, worst = max(known, key=lambda window: window.sharpe), min(known, key=lambda window: window.sharpe)
    error = math.sqrt(best.squared_error + worst.squared_error)
    return best.sharpe - worst.sharpe >= DISTINGUISHED * error


class Evaluation:
    """The evaluations of a plan."""

    def __init__(self, plan: Plan, panel: Panel, satellites: Sequence[Satellite], books: Books) -> None:
        self.plan = plan
        self.satellites = satellites
        self.books = books
        self.risk_free = [float(earned) for earned in risk_free_returns(panel.sessions, panel.rates)]
        self.periods_per_year = daily_periods_per_year(panel.sessions)

    def evaluate(self, total: float) -> float:
        """Judge probations, set targets and move cash; return what comes to the core."""
        measured = [self.measure(satellite) for satellite in self.satellites]
        probations = [self.judge(one, seen) for one, seen in zip(self.satellites, measured, strict=True)]
        members = [
            number
            for number, satellite in enumerate(self.satellites)
            if satellite.life.is_in_the_pool and measured[number].trades >= ENOUGH_TRADES
        ]
        before = [satellite.target for satellite in self.satellites]
        targets = self.set_targets(members, [measured[number].score for number in members])
        moved, to_core = self.move(members, total)
        apart = are_distinguished([measured[number].year for number in members])
        for number, satellite in enumerate(self.satellites):
            place = members.index(number) if number in members else None
            self.books.evaluations.append(
                {
                    "session": self.books.session,
                    "bucket": number,
                    "status": satellite.life.status,
                    "probation": probations[number],
                    "trades": measured[number].trades,
                    **measured[number].row(),
                    "score": measured[number].score,
                    "is_member": place is not None,
                    "weight": None if place is None else targets.weights[place],
                    "target_before": before[number],
                    "clamped": None if place is None else targets.clamped[place],
                    "target": satellite.target,
                    "value": satellite.value,
                    "cash": satellite.cash_at_close,
                    "moved": moved[number],
                    "is_told_apart": apart,
                    "is_budget_too_small": targets.budget_too_small,
                }
            )
        return to_core

    # What is measured.

    def measure(self, satellite: Satellite) -> Measured:
        return Measured(self.window(satellite, YEAR), self.window(satellite, QUARTER))

    def window(self, satellite: Satellite, length: int) -> Window:
        """Return the last sessions up to the close before, none of before the satellite started."""
        days = self.books.days
        since = [number for number in range(self.books.session) if days[number] > satellite.life.started_on][-length:]
        closed = [position for position in satellite.entries if position.closed in since]
        returns = [satellite.returns[number] for number in since]
        return Window(
            returns=returns,
            excess=[
                earned - self.risk_free[number] if satellite.held_something(number) else 0.0
                for number, earned in zip(since, returns, strict=True)
            ],
            days=(days[since[-1]] - days[since[0] - 1]).days if since else 0,
            gains=[position.gain for position in closed],
            wins=sum(position.outcome is Outcome.WIN for position in closed),
            periods_per_year=self.periods_per_year,
        )

    def judge(self, satellite: Satellite, measured: Measured) -> Probation:
        """Judge a probation that is due."""
        life, today = satellite.life, self.books.today
        if not life.is_due_for_probation(today):
            return Probation.PASSED if life.passed_probation else Probation.PENDING
        verdict = life.end_probation(today, measured.trades, measured.score)
        number = satellite.number
        match verdict:
            case Probation.PASSED:
                self.books.note(number, BucketEvent.PROBATION_PASSED, measured.score)
            case Probation.EXTENDED:
                self.books.note(number, BucketEvent.PROBATION_EXTENDED, measured.trades)
            case Probation.FAILED:
                until = today + SLEEP_AFTER_PROBATION
                self.books.note(number, BucketEvent.HIBERNATED, measured.score, cause=Sleep.PROBATION, until=until)
        return verdict

    # What follows from it.

    def set_targets(self, members: Sequence[int], scores: Sequence[float]) -> Targets:
        others = [one.target for number, one in enumerate(self.satellites) if number not in members]
        those = [self.satellites[number] for number in members]
        targets = money.new_targets(
            current=[satellite.target for satellite in those],
            scores=scores,
            pool=self.plan.budget - math.fsum(others),
            least=[satellite.settings.min_pct for satellite in those],
            most=[self.plan.max_pct for _ in those],
        )
        for satellite, target in zip(those, targets.new, strict=True):
            satellite.target = target
        return targets

    def move(self, members: Sequence[int], total: float) -> tuple[list[float], float]:
        """Move cash between members, and return what came to each satellite and to the core."""
        those = [self.satellites[number] for number in members]
        moved, to_core = [0.0 for _ in self.satellites], 0.0
        for move in money.moves(
            [satellite.value for satellite in those],
            [satellite.free_cash for satellite in those],
            total,
            [satellite.target for satellite in those],
            self.plan.minor,
        ):
            source = members[move.source]
            target = CORE if move.target is None else members[move.target]
            self.satellites[source].take(Transfer.REALLOCATION, -move.amount, target)
            moved[source] -= move.amount
            if target == CORE:
                to_core += move.amount
            else:
                self.satellites[target].take(Transfer.REALLOCATION, move.amount, source)
                moved[target] += move.amount
        return moved, to_core
