"""What moves between buckets before a session trades: evaluation and its moves, harvest, deposits, in this order.

They are few, so this is not compiled. Dividends and interest belong in ``kernel``, what is decided in ``deposits`` and
``evaluation``.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sd_core.buckets import rules
from sd_core.buckets.allocator import LONG_WINDOW, RECENT_WINDOW
from sd_core.buckets.deposits import harvest_of, split_deposit
from sd_core.buckets.evaluation import Account, Move, Record, Verdict, Window, evaluate
from sd_core.buckets.history.contract import CORE, EVALUATIONS, NO_TICKER, NOT_YET, OUTSIDE, Plan, Rows
from sd_core.buckets.history.kernel.book import EVENT_ROWS, LEDGER_ROWS, TRADE_ROWS, Books, Market
from sd_core.buckets.measures import measures_of
from sd_core.schemas.kinds import LEG_ARRIVAL, BucketEvent, Kind, Probation, Sleep, Status, Transfer


class Arrivals:
    """The money and the targets of a plan's satellites that change before a session trades.

    Attributes:
        probations: how far the probation of each satellite is.
        evaluations: the rows of all evaluations so far.
    """

    def __init__(self, plan: Plan, market: Market, periods_per_year: float) -> None:
        self.plan = plan
        self.market = market
        self.periods_per_year = periods_per_year
        self.probations = [Probation.PENDING.value] * len(plan.satellites)
        self.evaluations: list[Rows] = []

    def open(self, books: Books) -> None:
        """Book what each satellite starts with."""
        for place, amount in enumerate(self.plan.openings):
            if amount > 0.0:
                book_move(books, 0, place, OUTSIDE, Transfer.OPENING, amount)

    def harvest(self, books: Books, session: int, total: float) -> float:
        """Hand to the core what satellites have above their lines; return it."""
        handed = 0.0
        for place, one in enumerate(self.plan.satellites):
            if one.parameters.harvest:
                satellite = books.satellites[place]
                line = float(satellite["target"]) if one.harvest_line is None else one.harvest_line
                amount = harvest_of(_value(satellite), total, line, float(satellite["cash"]), self.plan.minor)
                if amount > 0.0:
                    book_move(books, session, place, CORE, Transfer.HARVEST, -amount)
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
                book_move(books, session, place, OUTSIDE, Kind.DEPOSIT, part)
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
        records = tuple(self._record(books, session, place) for place in range(len(self.plan.satellites)))
        day = str(np.datetime64(int(self.market.days[session]), "D"))
        found = evaluate(Account(day, total, self.plan.budget, self.plan.minor, self.periods_per_year, records))
        rows = np.zeros(len(records), dtype=EVALUATIONS)
        rows["session"], rows["bucket"] = session, np.arange(len(records))
        rows["value"] = books.satellites["value"]
        rows["is_told_apart"] = -1 if found.is_told_apart is None else found.is_told_apart
        rows["is_budget_too_small"] = found.is_budget_too_small
        for place, (record, verdict) in enumerate(zip(records, found.verdicts, strict=True)):
            self._note_probation(books, session, place, record, verdict)
            _fill(rows[place], record, verdict)
            books.satellites[place]["target"] = verdict.target
        rows["status"] = books.satellites["status"]
        self.evaluations.append(rows)
        return self._reallocate(books, session, found.moves, rows)

    def _record(self, books: Books, session: int, place: int) -> Record:
        """Return what an evaluation looks at of a satellite, up to the close before."""
        satellite = books.satellites[place]
        returns, long, trades = self._window(books, session, place, LONG_WINDOW)
        _, recent, _ = self._window(books, session, place, RECENT_WINDOW)
        return Record(
            name=self.plan.satellites[place].name,
            status=Status(int(satellite["status"])),
            probation=Probation(self.probations[place]),
            days_active=int(self.market.days[session]) - int(satellite["activated_on"]),
            trades=trades,
            returns=returns,
            long=Window(*long),
            recent=Window(*recent),
            target=float(satellite["target"]),
            least=float(satellite["min_pct"]),
            most=self.plan.max_pct,
            value=_value(satellite),
            cash=float(satellite["cash"]),
        )

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

    def _note_probation(self, books: Books, session: int, place: int, record: Record, verdict: Verdict) -> None:
        """Note what an evaluation made of a probation, and put to sleep a satellite that failed it."""
        after = verdict.probation
        if after == Probation.FAILED:
            day = int(self.market.days[session])
            satellite = books.satellites[place]
            satellite["status"], satellite["failed_on"] = Status.HIBERNATING, day
            until = day + rules.PROBATION_SLEEPS_DAYS
            note(books, session, place, BucketEvent.HIBERNATED, Sleep.PROBATION, verdict.score, until)
        elif after == Probation.PASSED != record.probation:
            note(books, session, place, BucketEvent.PROBATION_PASSED, Sleep.NONE, verdict.score, NOT_YET)
        elif after == Probation.EXTENDED:
            note(books, session, place, BucketEvent.PROBATION_EXTENDED, Sleep.NONE, record.trades, NOT_YET)
        self.probations[place] = after.value

    def _reallocate(self, books: Books, session: int, moves: Sequence[Move], rows: Rows) -> float:
        """Book what members give to each other and to the core; return what the core gets."""
        places = {one.name: place for place, one in enumerate(self.plan.satellites)}
        for move in moves:
            giver, taker = places[move.source], places.get(move.target, CORE)
            book_move(books, session, giver, taker, Transfer.REALLOCATION, -move.amount)
            rows["moved"][giver] -= move.amount
            if taker != CORE:
                book_move(books, session, taker, giver, Transfer.REALLOCATION, move.amount)
                rows["moved"][taker] += move.amount
        return math.fsum(move.amount for move in moves if move.target not in places)


def _fill(row: np.void, record: Record, verdict: Verdict) -> None:
    """Write what was measured of a satellite and what it came to; a profit factor without a loss is NULL."""
    for suffix, window in (("", record.long), ("_recent", record.recent)):
        for name, measure in vars(window).items():
            row[name + suffix] = measure if math.isfinite(measure) else math.nan
    row["probation"], row["trades"], row["score"] = verdict.probation, record.trades, verdict.score
    row["is_member"] = verdict.weight is not None
    row["weight"] = math.nan if verdict.weight is None else verdict.weight
    row["clamped"] = math.nan if verdict.clamped is None else verdict.clamped
    row["target_before"], row["target"], row["cash"] = record.target, verdict.target, record.cash


def _value(satellite: np.void) -> float:
    """Return the value of a satellite: that of the close before, and what has moved since."""
    return float(satellite["value"] + satellite["open_flows"])


def book_move(books: Books, session: int, place: int, counterparty: int, kind: Kind | Transfer, amount: float) -> None:
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


def note(books: Books, session: int, place: int, event: BucketEvent, cause: Sleep, value: float, until: int) -> None:
    """Note what the rules changed about a satellite."""
    books.events[books.counts[EVENT_ROWS]] = (session, place, event, cause, value, until)
    books.counts[EVENT_ROWS] += 1
