"""What moves between buckets before a session trades: evaluation and its moves, harvest, deposits, in this order.

They are few, so this is not compiled. Dividends and interest belong in ``kernel``, what is decided in ``allocator`` and
``deposits``.
"""

import math

import numpy as np
import numpy.typing as npt

from sd_core.buckets import allocator, rules
from sd_core.buckets.allocator import LONG_WINDOW, RECENT_WINDOW
from sd_core.buckets.deposits import harvest_of, split_deposit
from sd_core.buckets.history.contract import CORE, EVALUATIONS, NO_TICKER, NOT_YET, OUTSIDE, Plan, Rows
from sd_core.buckets.history.kernel.book import EVENT_ROWS, LEDGER_ROWS, TRADE_ROWS, Books, Market
from sd_core.buckets.measures import measures_of
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import LEG_ARRIVAL, BucketEvent, Kind, Probation, Sleep, Status, Transfer

_MEASURES = ("sharpe", "sortino", "profit_factor", "win_rate", "calmar")


class Arrivals:
    """The money and the targets of a plan's satellites that change before a session trades.

    Attributes:
        probations: how far the probation of each satellite is.
        evaluations: the rows of all evaluations so far.
    """

    def __init__(self, plan: Plan, market: Market, periods_per_year: int) -> None:
        self.plan = plan
        self.market = market
        self.periods_per_year = periods_per_year
        self.probations = [Probation.PENDING.value] * len(plan.satellites)
        self.evaluations: list[Rows] = []

    def open(self, books: Books) -> None:
        """Book what each satellite starts with."""
        for place, amount in enumerate(self.plan.openings):
            if amount > 0.0:
                _move(books, 0, place, OUTSIDE, Transfer.OPENING, amount)

    def harvest(self, books: Books, session: int, total: float) -> float:
        """Hand to the core what satellites have above their lines; return it."""
        handed = 0.0
        for place, one in enumerate(self.plan.satellites):
            if one.parameters.harvest:
                satellite = books.satellites[place]
                line = float(satellite["target"]) if one.harvest_line is None else one.harvest_line
                amount = harvest_of(_value(satellite), total, line, float(satellite["cash"]), self.plan.minor)
                if amount > 0.0:
                    _move(books, session, place, CORE, Transfer.HARVEST, -amount)
                    handed += amount
        return handed

    def deposit(self, books: Books, session: int, deposit: float, total: float) -> float:
        """Split a deposit; return what of it is the core's."""
        satellites = books.satellites
        parts = split_deposit(
            deposit,
            total,
            self.plan.budget,
            satellites["value"] + satellites["open_flows"],
            satellites["target"].copy(),
            self._is_fed(books, session),
            self.plan.minor,
        )
        for place, part in enumerate(parts.tolist()):
            if part > 0.0:
                _move(books, session, place, OUTSIDE, Kind.DEPOSIT, part)
        return deposit - math.fsum(parts)

    def _is_fed(self, books: Books, session: int) -> npt.NDArray[np.bool_]:
        """Return which satellites deposits reach: all but those that sleep for another reason than their share."""
        day = int(self.market.days[session - 1])
        fed = np.ones(len(books.satellites), dtype=np.bool_)
        for place, satellite in enumerate(books.satellites):
            if satellite["status"] == Status.HIBERNATING:
                mark = books.daily[session - 1, place]
                floor = rules.floor_of(float(satellite["target"]), float(satellite["min_pct"]))
                fed[place] = rules.sleeps_for_share(
                    float(mark["drawdown"]), float(mark["share"]), floor, int(satellite["failed_on"]), day
                )
        return fed

    def evaluate(self, books: Books, session: int, total: float) -> float:
        """Set targets by what satellites did up to the close before, and move their cash; return what the core gets."""
        rows = np.zeros(len(books.satellites), dtype=EVALUATIONS)
        returns = np.array([self._measure(books, session, place, rows[place]) for place in range(len(rows))])
        for place in range(len(rows)):
            self._judge_probation(books, session, place, rows[place])
        members = np.flatnonzero(rows["is_member"])
        rows["weight"] = rows["clamped"] = np.nan
        rows["is_told_apart"] = -1
        moved = np.zeros((0, 1))
        if len(members) > 0:
            satellites = books.satellites
            pool = max(self.plan.budget - float(satellites["target"][~rows["is_member"]].sum()), 0.0)
            weights = allocator.weights_of(rows["score"][members], np.ones(len(members)))
            most = np.full(len(members), self.plan.max_pct)
            clamped, too_small = allocator.clamped_shares(weights, satellites["min_pct"][members], most, pool)
            satellites["target"][members] = allocator.damped(satellites["target"][members], clamped)
            rows["weight"][members], rows["clamped"][members] = weights, clamped
            rows["is_budget_too_small"] = too_small
            apart = allocator.distinction(rows["sharpe"][members], returns[members], self.periods_per_year)
            if not math.isnan(apart):
                rows["is_told_apart"] = allocator.is_distinguished(apart)
            moved = allocator.moves_of(
                (satellites["value"] + satellites["open_flows"])[members],
                satellites["cash"][members],
                satellites["target"][members],
                total,
                self.plan.minor,
            )
        rows["target"] = books.satellites["target"]
        to_core = self._reallocate(books, session, members.tolist(), moved, rows)
        self.evaluations.append(rows)
        return to_core

    def _measure(self, books: Books, session: int, place: int, row: np.void) -> int:
        """Measure a satellite up to the close before; return how many returns the long window has."""
        satellite = books.satellites[place]
        row["session"], row["bucket"] = session, place
        row["target_before"], row["value"], row["cash"] = satellite["target"], satellite["value"], satellite["cash"]
        scores = []
        for suffix, window in (("_recent", RECENT_WINDOW), ("", LONG_WINDOW)):
            returns, measures, trades = self._window(books, session, place, window)
            for name, measure in zip(_MEASURES, measures, strict=True):
                row[name + suffix] = measure if math.isfinite(measure) else math.nan
            scores.append(allocator.score_of(*measures))
        row["score"] = allocator.blended(scores[1], scores[0])
        row["trades"] = trades
        return returns

    def _window(
        self, books: Books, session: int, place: int, window: int
    ) -> tuple[int, tuple[float, float, float, float, float], int]:
        """Return the number of returns in a window, its measures, and the number of round trips closed in it."""
        active_since = int(books.satellites[place]["active_since"])
        first = max(session - window, active_since + 1, 1)
        if active_since == NOT_YET or first >= session:
            return 0, measures_of(np.zeros(0), np.zeros(0), np.zeros(0), 0.0, 1.0), 0
        returns = books.daily["simple_return"][first:session, place]
        returns = np.where(np.isnan(returns), 0.0, returns)
        trades = books.trades[: books.counts[TRADE_ROWS]]
        closed = trades[(trades["bucket"] == place) & (trades["closed"] >= first) & (trades["closed"] < session)]
        # Cash alone has no excess return, though what is paid in on a session earns nothing in it.
        positions = books.daily["positions"][first - 1 : session, place]
        has_held = (positions[:-1] > 0) | (positions[1:] > 0)
        has_held[closed["closed"] - first] = True
        measures = measures_of(
            returns,
            np.where(has_held, returns - self.market.interest[first:session], 0.0),
            closed["proceeds"] + closed["dividends"] - closed["cost"],
            float(self.market.days[session - 1] - self.market.days[first - 1]),
            float(self.periods_per_year),
        )
        return len(returns), measures, len(closed)

    def _judge_probation(self, books: Books, session: int, place: int, row: np.void) -> None:
        """Let a satellite pass its probation, go on with it, or fall asleep."""
        satellite = books.satellites[place]
        day, before = int(self.market.days[session]), self.probations[place]
        score, trades = float(row["score"]), int(row["trades"])
        days_active = day - int(satellite["activated_on"])
        after = allocator.probation_after(before, int(satellite["status"]), days_active, trades, score)
        if after == Probation.FAILED:
            satellite["status"], satellite["failed_on"] = Status.HIBERNATING, day
            until = day + rules.PROBATION_SLEEPS_DAYS
            _note(books, session, place, BucketEvent.HIBERNATED, Sleep.PROBATION, score, until)
        elif after == Probation.PASSED != before:
            _note(books, session, place, BucketEvent.PROBATION_PASSED, Sleep.NONE, score, NOT_YET)
        elif after == Probation.EXTENDED:
            _note(books, session, place, BucketEvent.PROBATION_EXTENDED, Sleep.NONE, trades, NOT_YET)
        self.probations[place] = after
        row["probation"], row["status"] = after, satellite["status"]
        row["is_member"] = allocator.is_member(int(satellite["status"]), after, trades)

    @staticmethod
    def _reallocate(books: Books, session: int, members: list[int], moved: Floats, rows: Rows) -> float:
        """Book what members give to each other and to the core; return what the core gets."""
        for giver, place in enumerate(members):
            for taker, amount in enumerate(moved[giver].tolist()):
                if amount > 0.0:
                    to = members[taker] if taker < len(members) else CORE
                    _move(books, session, place, to, Transfer.REALLOCATION, -amount)
                    rows["moved"][place] -= amount
                    if to != CORE:
                        _move(books, session, to, place, Transfer.REALLOCATION, amount)
                        rows["moved"][to] += amount
        return math.fsum(moved[:, -1])


def _value(satellite: np.void) -> float:
    """Return the value of a satellite: that of the close before, and what has moved since."""
    return float(satellite["value"] + satellite["open_flows"])


def _move(books: Books, session: int, place: int, counterparty: int, kind: Kind | Transfer, amount: float) -> None:
    """Book cash that a satellite gets before anything trades, or hands over where it is negative."""
    satellite = books.satellites[place]
    satellite["cash"] += amount
    satellite["open_flows"] += amount
    nothing = math.nan
    books.ledger[books.counts[LEDGER_ROWS]] = (
        *(session, LEG_ARRIVAL, place, counterparty, NO_TICKER, kind),
        *(nothing, nothing, 0.0, amount, satellite["cash"]),
    )
    books.counts[LEDGER_ROWS] += 1


def _note(books: Books, session: int, place: int, event: BucketEvent, cause: Sleep, value: float, until: int) -> None:
    """Note what the rules changed about a satellite."""
    books.events[books.counts[EVENT_ROWS]] = (session, place, event, cause, value, until)
    books.counts[EVENT_ROWS] += 1
