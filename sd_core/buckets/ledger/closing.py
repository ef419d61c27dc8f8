"""What the rules make of one close of one bucket, from what they remember and what the ledger gives.

The kernel of histories is called as it is, on plain objects: the account and its books on paper follow the same text.
Everything is a value: the same memory and the same close give the same outcome, to the last bit. What is read from the
ledger and written into it belongs in ``marked``.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from sd_core.buckets import rules
from sd_core.buckets.history.contract import NOT_YET
from sd_core.buckets.history.kernel.close import judge
from sd_core.buckets.presets import Parameters
from sd_core.buckets.rules import NEVER
from sd_core.schemas.kinds import BucketEvent, Probation, Regime, Sleep, Status

# A close changes at most so much of a satellite besides its locks, of which each round trip may set or lift one.
EVENTS = 4


@dataclass(frozen=True)
class Memory:
    """What the rules remember of a bucket from one close to the next; days since 1970-01-01, ``NEVER`` for none.

    Attributes:
        value: at the last close.
        twr_index, peak: of the time-weighted return; 1 before the first close.
        status: of a satellite.
        losses, lock_ends, cooldown_ends, stage: of the breaker, the cooldown and the re-awakening.
        awake_since: the close at which it last started or woke.
        sessions_below: closes in a row below the floor.
        failed_on: the evaluation that sent it to sleep.
        quiet_since: the first close of those at which it sleeps without a position, far below its peak.
        activated_on: the close at which it first became active.
        probation: how far it is.
        trades: positions ever opened.
    """

    value: float = 0.0
    twr_index: float = 1.0
    peak: float = 1.0
    status: Status = Status.ACCUMULATING
    losses: int = 0
    lock_ends: int = NEVER
    cooldown_ends: int = NEVER
    stage: int = 0
    awake_since: int = NEVER
    sessions_below: int = 0
    failed_on: int = NEVER
    quiet_since: int = NEVER
    activated_on: int = NEVER
    probation: Probation = Probation.PENDING
    trades: int = 0


@dataclass(frozen=True)
class Held:
    """A position at a close.

    Attributes:
        unit: the instrument.
        trade: its number in the bucket's order of entries.
        opened: day of the entry.
        quantity: shares.
        entry_price: of the purchases of that day.
        price: the last close.
        stop, highest: of the close before; 0 before the first one.
        is_armed, is_test: whether the trailing stop is armed; whether it is the test of a breaker.
        ex_date: day of the dividend that it was bought for; ``NEVER``: none.
        exit: the :class:`ExitReason` for which it is sold at the next open; ``NEVER``: it is not.
        dividend: what it paid since the close before.
        reinvest: what is to buy more of it at the next open.
        is_trend_lost: whether the trend that it was bought for is lost at this close.
    """

    unit: str
    trade: int
    opened: int
    quantity: float
    entry_price: float
    price: float
    stop: float = 0.0
    highest: float = 0.0
    is_armed: bool = False
    is_test: bool = False
    ex_date: int = NEVER
    exit: int = NEVER
    dividend: float = 0.0
    reinvest: float = 0.0
    is_trend_lost: bool = False


@dataclass(frozen=True)
class RoundTrip:
    """A position that was closed since the close before: day of its entry, outcome, and whether it was a test."""

    opened: int
    outcome: int
    is_test: bool


@dataclass(frozen=True)
class Close:
    """A close of a bucket, as the ledger has it.

    Attributes:
        day: of the session.
        value, cash, total: of the bucket, and the value of the account.
        open_flows, close_flows: money that came since the close before; see ``rules.index_return``.
        target, min_pct: shares of the account.
        parameters: of the satellite's settings; None for the core, to which no rule applies.
        regime: of the market.
        is_halted, is_blocked: whether a person halted the account, or reconciliation blocks it.
        boost_ends: day; ``NEVER`` without one.
        closed: round trips since the close before, in the order of their exits.
        held: its positions.
    """

    day: int
    value: float
    cash: float
    total: float
    open_flows: float
    close_flows: float
    target: float
    min_pct: float = 0.0
    parameters: Parameters | None = None
    regime: Regime = Regime.UNKNOWN
    is_halted: bool = False
    is_blocked: bool = False
    boost_ends: int = NEVER
    closed: tuple[RoundTrip, ...] = ()
    held: tuple[Held, ...] = ()


@dataclass(frozen=True)
class Happened:
    """What the rules changed about a satellite; ``until`` is a day, or ``NEVER``."""

    event: BucketEvent
    cause: Sleep
    value: float
    until: int


@dataclass(frozen=True)
class Day:
    """What a close comes to, under the names of ``bucket_daily``; all from ``share_level`` on are a satellite's."""

    simple_return: float
    drawdown: float
    share: float
    share_level: float = math.nan
    drawdown_level: float = math.nan
    cooldown: float = math.nan
    reawakening: float = math.nan
    regime_factor: float = math.nan
    factor: float = math.nan
    reasons: int = 0
    is_test: bool = False

    @property
    def level(self) -> float:
        """The lower of the two levels."""
        return min(self.share_level, self.drawdown_level)


@dataclass(frozen=True)
class Outcome:
    """What the rules make of a close: the day, what they remember, what they changed, and the positions after it."""

    day: Day
    memory: Memory
    events: tuple[Happened, ...] = ()
    held: tuple[Held, ...] = field(default=())


def close(memory: Memory, at: Close, past: Sequence[tuple[int, float]] = ()) -> Outcome:
    """Return what the rules make of a close.

    Args:
        memory: of the close before.
        at: the close.
        past: day and index of earlier closes, ascending: at least those since the last one 30 days before.
    """
    if at.parameters is None:
        return _close_of_the_core(memory, at)
    calendar = _Calendar(memory, at, past)
    satellite = satellite_of(memory, at, calendar)
    row = SimpleNamespace()
    books = _books(satellite, at, calendar, row)
    judge(_market(at, calendar), books, 0, calendar.now, at.value, at.total)  # type: ignore[no-untyped-call]
    return Outcome(
        day=Day(
            float(row.simple_return),
            float(row.drawdown),
            float(row.share),
            float(row.share_level),
            float(row.drawdown_level),
            float(row.cooldown),
            float(row.reawakening),
            float(row.regime_factor),
            float(row.factor),
            int(row.reasons),
            bool(satellite.is_test),
        ),
        memory=replace(
            memory,
            value=at.value,
            twr_index=float(satellite.index),
            peak=float(satellite.peak),
            status=Status(int(satellite.status)),
            losses=int(satellite.losses),
            lock_ends=int(satellite.lock_ends),
            cooldown_ends=int(satellite.cooldown_ends),
            stage=int(satellite.stage),
            awake_since=calendar.day(satellite.awake_since),
            sessions_below=int(satellite.below),
            failed_on=int(satellite.failed_on),
            quiet_since=int(satellite.quiet_since),
            activated_on=int(satellite.activated_on),
        ),
        events=tuple(
            Happened(BucketEvent(int(one.event)), Sleep(int(one.cause)), float(one.value), int(one.until))
            for one in books.events[: books.counts[2]]
        ),
        held=tuple(
            replace(
                one,
                stop=float(after.stop),
                highest=float(after.highest),
                is_armed=bool(after.is_armed),
                exit=int(after.exit),
                reinvest=float(after.reinvest),
            )
            for one, after in zip(at.held, books.positions, strict=True)
        ),
    )


class _Calendar:
    """The days that a close looks at as places in a row, as the kernel counts sessions; ``NOT_YET`` is no day."""

    def __init__(self, memory: Memory, at: Close, past: Sequence[tuple[int, float]]) -> None:
        opened = [*(one.opened for one in at.closed), *(one.opened for one in at.held)]
        others = [memory.awake_since, *opened]
        self.days = sorted({at.day, *(day for day, _ in past), *(day for day in others if day != NEVER)})
        self.now = self.place(at.day)
        known = dict(past)
        self.index: list[float] = []
        for day in self.days:
            self.index.append(known.get(day, self.index[-1] if self.index else math.nan))
        before = [day for day, _ in past if day <= at.day - rules.COOLDOWN_DAYS]
        self.month_ago = self.place(before[-1]) if before else NOT_YET

    def place(self, day: int) -> int:
        """Return the place of a day."""
        return NOT_YET if day == NEVER else bisect_left(self.days, day)

    def day(self, place: int) -> int:
        """Return the day at a place."""
        return NEVER if place == NOT_YET else self.days[place]


def satellite_of(memory: Memory, at: Close, calendar: Any) -> SimpleNamespace:
    """Return a satellite as the kernel knows it, before a close."""
    assert at.parameters is not None
    return SimpleNamespace(
        **at.parameters._asdict(),
        target=at.target,
        min_pct=at.min_pct,
        cash=at.cash,
        cash_before=at.cash,
        value=memory.value,
        index=memory.twr_index,
        peak=memory.peak,
        open_flows=at.open_flows,
        close_flows=at.close_flows,
        level=math.nan,
        factor=math.nan,
        first=0,
        last=len(at.held),
        status=memory.status.value,
        losses=memory.losses,
        lock_ends=memory.lock_ends,
        cooldown_ends=memory.cooldown_ends,
        stage=memory.stage,
        awake_since=calendar.place(memory.awake_since),
        below=memory.sessions_below,
        failed_on=memory.failed_on,
        quiet_since=memory.quiet_since,
        activated_on=memory.activated_on,
        active_since=NOT_YET,
        held=len(at.held),
        tests=0,
        is_test=0,
        trades=memory.trades,
        closed=len(at.closed),
        halted=at.is_halted,
        blocked=at.is_blocked,
        boost_ends=at.boost_ends,
    )


def _books(satellite: SimpleNamespace, at: Close, calendar: _Calendar, row: SimpleNamespace) -> SimpleNamespace:
    """Return the books of one satellite as the kernel knows them; what it makes of the close is written into a row."""
    assert at.parameters is not None
    daily = {(place, 0): SimpleNamespace(twr_index=index) for place, index in enumerate(calendar.index)}
    daily[calendar.now, 0] = row
    return SimpleNamespace(
        satellites=[satellite],
        positions=[
            SimpleNamespace(
                quantity=one.quantity,
                entry=one.entry_price,
                stop=one.stop or one.entry_price * (1.0 - at.parameters.stop),
                highest=one.highest,
                dividend=one.dividend,
                reinvest=0.0,
                opened=calendar.place(one.opened),
                exit=one.exit,
                is_armed=int(one.is_armed),
                is_test=int(one.is_test),
                ex_date=one.ex_date,
            )
            for one in at.held
        ],
        trades=[
            SimpleNamespace(opened=calendar.place(one.opened), outcome=one.outcome, is_test=one.is_test)
            for one in at.closed
        ],
        closed={(0, place): place for place in range(len(at.closed))},
        events=[SimpleNamespace() for _ in range(EVENTS + len(at.closed))],
        counts=[0, 0, 0],
        daily=daily,
    )


def _market(at: Close, calendar: _Calendar) -> SimpleNamespace:
    """Return what the kernel reads of the market at a close."""
    now = calendar.now
    return SimpleNamespace(
        days=calendar.days,
        month_ago={now: calendar.month_ago},
        regime={now: at.regime.value},
        tickers=range(len(at.held)),
        close={(now, place): one.price for place, one in enumerate(at.held)},
        is_exit={(now, place): one.is_trend_lost for place, one in enumerate(at.held)},
    )


def _close_of_the_core(memory: Memory, at: Close) -> Outcome:
    """Return what a close is to the core: its return, index and share."""
    session_return = rules.index_return(at.value, memory.value, at.open_flows, at.close_flows)
    index = rules.index_after(memory.twr_index, session_return)
    peak = max(memory.peak, index)
    share = rules.share_of(at.value, at.total)
    return Outcome(
        Day(session_return, rules.drawdown_of(index, peak), share),
        replace(memory, value=at.value, twr_index=index, peak=peak),
    )
