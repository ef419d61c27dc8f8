"""The state of every bucket at a mark: read as it was stored, followed up to now, and written.

What the rules make of a close belongs in ``closing``, how positions are followed in ``round_trips``.
"""

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

from sd_core.buckets import rules
from sd_core.buckets.ledger.closing import Close, Day, Happened, Held, Memory, Outcome, RoundTrip, close
from sd_core.buckets.ledger.draft import Draft, canonical
from sd_core.buckets.ledger.flows import flows_since
from sd_core.buckets.ledger.round_trips import Place, Trip, Trips
from sd_core.buckets.ledger.state import BREAKER, HALT, State
from sd_core.buckets.presets import Parameters, settings
from sd_core.buckets.rules import NEVER
from sd_core.errors import InputError
from sd_core.schemas.kinds import BucketEvent, Dividends, ExitReason, Probation, Reason, Regime, Sleep, Status
from sd_core.study.satellites import CORE, LIVE

IN_USE = ("accumulating", "active", "hibernating", "paused")
_FLOATS = (
    *("entry_price", "exit_price", "stop", "highest", "reinvest", "trade_return"),
    *("conviction", "factor", "premium"),
)
_FLAGS = ("is_armed", "is_test", "is_on_strategy", "is_counted")
_OF_A_TRIP = tuple(one.name for one in fields(Trip) if one.name not in {"paid", "bought", "peak"})


@dataclass(frozen=True)
class MarketDay:
    """What is known of a session besides prices.

    Attributes:
        regime: of the market at the close.
        cash_return: what cash earned since the session before, a fraction.
        trend_lost: instruments whose trend is lost at this close, for satellites that buy a steady trend.
    """

    regime: Regime = Regime.UNKNOWN
    cash_return: float = 0.0
    trend_lost: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a return that cannot be.

        Raises:
            InputError: cash earned what is no number, or lost all.
        """
        if not (math.isfinite(self.cash_return) and self.cash_return > -1.0):
            raise InputError(f"mark: a return of cash of {self.cash_return}: expected a fraction above -1")


@dataclass(frozen=True)
class Mark:
    """One mark of a book: its session, its revision, and its entry; entry 0 before the first one."""

    session: str = ""
    revision: int = 0
    entry: int = 0


@dataclass(frozen=True)
class AtMark:
    """How a satellite is after the last mark.

    Attributes:
        session: of the mark.
        value: at its close.
        memory: what the rules remember.
        day: what they made of the close.
        regime: of the market at the close.
        positions: by instrument, with stops and with what is ordered for the next open.
    """

    session: str
    value: float
    memory: Memory
    day: Day
    regime: Regime
    positions: Mapping[str, Held] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """Where it is in its life."""
        return self.memory.status

    @property
    def factor(self) -> float:
        """Factor of what is opened at the next open."""
        return self.day.factor

    @property
    def reasons(self) -> Reason:
        """What moves the factor away from 1."""
        return Reason(self.day.reasons)

    @property
    def level(self) -> float:
        """The lower of the two levels."""
        return self.day.level

    @property
    def is_test(self) -> bool:
        """Whether only a test position may be opened."""
        return self.day.is_test


def at_last_mark(state: State, bucket: str) -> AtMark | None:
    """Return how a satellite of a book is after the last mark; None where no mark has looked at it."""
    last = last_mark(state)
    row = _row(state, bucket, last)
    if row is None or row.status is None:
        return None
    at = close_of(row.given)
    trips = {trip.unit: trip for trip in open_trips(state, bucket, last)}
    held = {one.unit: _as_left(one, trips[one.unit]) for one in at.held}
    return AtMark(last.session, at.value, memory_of(row, at.value), day_of(row), at.regime, held)


def _as_left(one: Held, trip: Trip) -> Held:
    """Return a position as the close left it."""
    return replace(
        one,
        stop=trip.stop,
        highest=trip.highest,
        is_armed=trip.is_armed,
        exit=_exit(trip.exit_reason),
        reinvest=trip.reinvest,
    )


def _exit(reason: str | None) -> int:
    return NEVER if reason is None else ExitReason[reason.upper()].value


def is_broken(state: State, bucket: str) -> bool:
    """Return whether losses in a row lock a satellite, or let it open tests alone, and no one has unlocked it since."""
    mark = last_mark(state)
    row = _row(state, bucket, mark)
    query = """
        select 1 from entry e join event v on v.entry = e.number where e.book = :book and e.number > :since
        and e.kind = 'unlock' and v.subject = :bucket
    """
    is_unlocked = next(state.rows(query, since=mark.entry, bucket=bucket), None) is not None
    return row is not None and row.lock_ends is not None and not is_unlocked


def last_mark(state: State, before: str | None = None) -> Mark:
    """Return the last mark of a book, or the last of a session before one."""
    query = """
        select session, revision, entry from mark where book = :book and session < :before
        order by session desc, revision desc limit 1
    """
    row = next(state.rows(query, before=before or "9999-12-31"), None)
    return Mark() if row is None else Mark(row.session, row.revision, row.entry)


def mark_buckets(draft: Draft, session: str, market: MarketDay) -> list[str]:
    """Write the state of every bucket in use at a mark whose values are known; return what changed, in words.

    Args:
        session: that is marked; its own earlier revisions count for nothing.
        market: what is known of the session besides.
    """
    state = draft.state
    before = last_mark(state, session)
    revision = state.revision(session)
    trips = _trips(state, before)
    trips.follow(before.entry)
    flows = flows_since(state, before.entry)
    changed: list[str] = []
    for bucket in _judged(state):
        memory, decided = _memory(state, bucket, before, trips)
        at = _close(state, bucket, session, draft.head.effective, market, trips, flows.get(bucket, (0, 0)))
        if starts := memory.status is Status.ACTIVE and memory.activated_on == NEVER:
            # A transfer made it active: it starts at this close.
            memory = replace(memory, stage=0, awake_since=at.day, activated_on=at.day)
        memory = replace(memory, trades=trips.counts[bucket])
        past = [] if bucket == CORE else _past(state, bucket, at.day)
        outcome = close(memory, at, past)
        if starts:
            decided = (*decided, Happened(BucketEvent.ACTIVATED, Sleep.NONE, outcome.day.share, NEVER))
        outcome = replace(outcome, events=(*decided, *outcome.events))
        key = {"book": state.book, "bucket": bucket, "session": session, "revision": revision}
        row = columns_of(outcome, market.cash_return, is_satellite=bucket != CORE)
        draft.add("mark_state", **key, given=given_of(memory, at), **row)
        _write_trips(draft, key, outcome, trips)
        for place, one in enumerate(outcome.events, start=1):
            event = one.event.name.lower()
            cause = None if one.cause is Sleep.NONE else one.cause.name.lower()
            row = {"event": event, "cause": cause, "value": repr(one.value), "until": date_of(one.until)}
            draft.add("mark_event", **key, place=place, **row)
            changed.append(f"{bucket} {event.replace('_', ' ')}")
        if state.book == LIVE and bucket != CORE:
            _act(draft, bucket, outcome)
    return changed


def _judged(state: State) -> list[str]:
    """Return the buckets that a mark judges: those in use, or the one of a book on paper."""
    if state.book != LIVE:
        return [state.book.removeprefix("paper:")]
    return [one.bucket for one in state.buckets.values() if one.kind == "core" or one.status in IN_USE]


# What is read


def _row(state: State, bucket: str, mark: Mark) -> Any:
    query = """
        select * from mark_state where book = :book and bucket = :bucket and session = :session
        and revision = :revision
    """
    return next(state.rows(query, bucket=bucket, session=mark.session, revision=mark.revision), None)


def _memory(state: State, bucket: str, before: Mark, trips: Trips) -> tuple[Memory, tuple[Happened, ...]]:
    """Return what the rules remember of a bucket, with what was decided since the mark, and those decisions."""
    row = _row(state, bucket, before)
    query = """
        select value from mark where book = :book and bucket = :bucket and session = :session
        and revision = :revision
    """
    worth = next(state.rows(query, bucket=bucket, session=before.session, revision=before.revision), None)
    value = float(state.base.decimal(worth.value)) if worth is not None else 0.0
    memory = Memory(value=value) if row is None else memory_of(row, value)
    if bucket == CORE:
        return memory, ()
    memory, by_dividends = _by_late_dividends(state, bucket, before, memory, trips)
    memory, by_people = _by_people(state, bucket, before, memory)
    memory, by_evaluations = _by_evaluations(state, bucket, before, memory)
    if state.book == LIVE:
        memory = _with_status(state, bucket, before, memory)
    return memory, (*by_dividends, *by_people, *by_evaluations)


def _by_late_dividends(
    state: State, bucket: str, before: Mark, memory: Memory, trips: Trips
) -> tuple[Memory, list[Happened]]:
    """Return a memory after dividends that were paid on positions which had counted without them.

    Losses in a row and the stage are counted again with what each round trip has come to; too few losses end a lock.
    A dividend makes no outcome worse, so neither gets worse by it.
    """
    late = {trip.trade: trip for owner, was, trip in trips.paid_late if owner == bucket and trip.outcome != was}
    if not late:
        return memory, []
    losses = stage = 0
    for one in sorted(_counted(state, bucket, before)):
        now = late[one.trade].outcome if one.trade in late else one.outcome
        losses = losses + 1 if now == rules.LOSS else 0 if now in {rules.WIN, None} else losses
        if now is not None and day_of_date(one.opened) > memory.awake_since:
            stage = rules.stage_after(stage, now)
    is_freed = memory.lock_ends != NEVER and losses < rules.LOSSES_THAT_LOCK
    events = [Happened(BucketEvent.UNLOCKED, Sleep.NONE, float(memory.losses), NEVER)] if is_freed else []
    return replace(memory, losses=losses, stage=stage, lock_ends=NEVER if is_freed else memory.lock_ends), events


class Counted(NamedTuple):
    """A round trip that was counted, or an unlock, which has no outcome; they are ordered as they were counted."""

    entry: int
    closed: str
    trade: int
    opened: str
    outcome: int | None


def _counted(state: State, bucket: str, before: Mark) -> Iterator[Counted]:
    """Yield each round trip that was counted up to a mark, as what it has come to, and each unlock."""
    query = """
        select t.entry, t.closed, t.trade, t.opened, (
            select l.outcome from mark_trade l where l.book = t.book and l.bucket = t.bucket and l.trade = t.trade
            and l.entry <= :entry order by l.entry desc limit 1
        ) as outcome
        from mark_trade t where t.book = :book and t.bucket = :bucket and t.entry <= :entry and t.is_counted = 1
        and t.revision = (select max(m.revision) from mark m where m.book = t.book and m.bucket = t.bucket
        and m.session = t.session and m.entry <= :entry)
    """
    for row in state.rows(query, bucket=bucket, entry=before.entry):
        if row.outcome is not None:
            yield Counted(row.entry, row.closed, row.trade, row.opened, row.outcome)
    query = """
        select e.number from entry e join event v on v.entry = e.number
        where e.book = :book and e.kind = 'unlock' and v.subject = :bucket and e.number <= :entry
    """
    for row in state.rows(query, bucket=bucket, entry=before.entry):
        yield Counted(row.number, "", NEVER, "", None)


def _by_people(state: State, bucket: str, before: Mark, memory: Memory) -> tuple[Memory, list[Happened]]:
    """Return a memory after locks were lifted and peaks rebased by a person since a mark."""
    query = """
        select e.kind from entry e join event v on v.entry = e.number where e.book = :book and e.number > :since
        and v.subject = :bucket and e.kind in ('unlock', 'rebase') order by e.number
    """
    events = []
    for row in state.rows(query, since=before.entry, bucket=bucket):
        if row.kind == "unlock":
            events.append(Happened(BucketEvent.UNLOCKED, Sleep.NONE, float(memory.losses), NEVER))
            memory = replace(memory, losses=0, lock_ends=NEVER)
        else:
            drawdown = rules.drawdown_of(memory.twr_index, memory.peak)
            events.append(Happened(BucketEvent.REBASED, Sleep.NONE, drawdown, NEVER))
            memory = replace(memory, peak=memory.twr_index, quiet_since=NEVER)
    return memory, events


def _by_evaluations(state: State, bucket: str, before: Mark, memory: Memory) -> tuple[Memory, list[Happened]]:
    """Return a memory after what evaluations since a mark made of a satellite's probation."""
    events = []
    query = "select session, content from evaluation where book = :book and entry > :since order by entry"
    for row in state.rows(query, since=before.entry):
        content = json.loads(row.content)
        for record, verdict in zip(content["account"]["records"], content["evaluation"]["verdicts"], strict=True):
            if record["name"] == bucket:
                after = Probation[verdict["probation"].upper()]
                events += _of_probation(memory.probation, after, record, verdict, day_of_date(row.session))
                failed_on = day_of_date(row.session) if after is Probation.FAILED else memory.failed_on
                memory = replace(memory, probation=after, failed_on=failed_on)
    return memory, events


def _of_probation(
    before: Probation, after: Probation, record: Mapping[str, Any], verdict: Mapping[str, Any], day: int
) -> list[Happened]:
    """Return what an evaluation made of a probation, as an event."""
    if after is Probation.FAILED:
        until = day + rules.PROBATION_SLEEPS_DAYS
        return [Happened(BucketEvent.HIBERNATED, Sleep.PROBATION, float(verdict["score"]), until)]
    if after is Probation.PASSED and before is not Probation.PASSED:
        return [Happened(BucketEvent.PROBATION_PASSED, Sleep.NONE, float(verdict["score"]), NEVER)]
    if after is Probation.EXTENDED:
        return [Happened(BucketEvent.PROBATION_EXTENDED, Sleep.NONE, float(record["trades"]), NEVER)]
    return []


def _with_status(state: State, bucket: str, before: Mark, memory: Memory) -> Memory:
    """Return a memory with the status that a satellite has, but for what earlier marks of the session made of it."""
    query = """
        select s.status from state s join entry e on e.number = s.entry
        where s.subject = :bucket and not (e.kind = 'mark' and e.number > :since) order by s.entry desc limit 1
    """
    row = next(state.rows(query, bucket=bucket, since=before.entry))
    return replace(memory, status=Status[row.status.upper()])


def _past(state: State, bucket: str, day: int) -> list[tuple[int, float]]:
    """Return day and index of the marks of a bucket before a day, from the last one 30 days before on."""
    query = """
        select session, twr_index from mark_state m where book = :book and bucket = :bucket and session < :day
        and session >= coalesce((select max(session) from mark_state where book = :book and bucket = :bucket
        and session <= :month_ago), '') and revision = (select max(revision) from mark_state l
        where l.book = m.book and l.bucket = m.bucket and l.session = m.session) order by session
    """
    rows = state.rows(query, bucket=bucket, day=date_of(day), month_ago=date_of(day - rules.COOLDOWN_DAYS))
    return [(day_of_date(row.session), float(row.twr_index)) for row in rows]


def open_trips(state: State, bucket: str, mark: Mark) -> list[Trip]:
    """Return the positions that a satellite had at a mark."""
    query = """
        select * from mark_trade where book = :book and bucket = :bucket and session = :session
        and revision = :revision and closed is null order by trade
    """
    rows = state.rows(query, bucket=bucket, session=mark.session, revision=mark.revision)
    return [trip_of(row) for row in rows]


def open_now(state: State) -> Mapping[Place, Trip]:
    """Return the positions of a book's satellites as the last mark left them, with what was booked since."""
    last = last_mark(state)
    trips = _trips(state, last)
    trips.follow(last.entry)
    return trips.open


def _trips(state: State, before: Mark) -> Trips:
    """Return the positions of a book's satellites as they were at a mark."""
    satellites = [bucket for bucket in _judged(state) if bucket != CORE]
    open_then: dict[Place, Trip] = {
        (bucket, trip.unit): trip for bucket in satellites for trip in open_trips(state, bucket, before)
    }
    rows = {bucket: _row(state, bucket, before) for bucket in satellites}
    counts = {bucket: 0 if row is None else row.trades for bucket, row in rows.items()}

    def latest(bucket: str, unit: str, opened_before: str | None) -> Trip | None:
        query = """
            select * from mark_trade where book = :book and bucket = :bucket and unit = :unit and entry <= :entry
            and opened < :before order by trade desc, entry desc limit 1
        """
        values = {"unit": unit, "entry": before.entry, "before": opened_before or "9999-12-31"}
        row = next(state.rows(query, bucket=bucket, **values), None)
        return None if row is None else trip_of(row)

    return Trips(state, lambda bucket: bucket in satellites, open_then, counts, latest)


def _close(
    state: State,
    bucket: str,
    session: str,
    today: str,
    market: MarketDay,
    trips: Trips,
    flows: tuple[int, int],
) -> Close:
    """Return a bucket's close as the ledger has it."""
    base = state.base
    cash = sum(state.in_base(code, quanta) for code, quanta in state.cash(bucket).items())
    value = float(base.decimal(state.values[bucket]))
    at = Close(
        day=day_of_date(session),
        value=value,
        cash=float(base.decimal(cash)),
        total=_total(state, bucket, value),
        open_flows=float(base.decimal(flows[0])),
        close_flows=float(base.decimal(flows[1])),
        target=0.0,
        regime=market.regime,
    )
    if bucket == CORE:
        others = [one for one in _judged(state) if one != CORE]
        return replace(at, target=1.0 - math.fsum(float(state.fraction(one, "target")) for one in others))
    # What stops the account now stops the next openings, whichever session is marked.
    locks = state.locks(LIVE, today) if state.book == LIVE else {}
    boost = state.locks(bucket, session).get("boost") if state.book == LIVE else None
    parameters = parameters_of(state, bucket)
    return replace(
        at,
        target=float(state.fraction(bucket, "target")),
        min_pct=float(state.fraction(bucket, "min_pct")),
        parameters=parameters,
        is_halted=HALT in locks,
        is_blocked=any(cause != HALT for cause in locks),
        boost_ends=NEVER if boost is None else day_of_date(boost),
        closed=tuple(
            RoundTrip(day_of_date(trip.opened), int(trip.outcome), trip.is_test)
            for owner, trip in trips.done
            if owner == bucket and trip.is_counted and trip.outcome is not None
        ),
        held=tuple(
            _held(state, trip, parameters, market)
            for (owner, _), trip in sorted(trips.open.items(), key=lambda one: one[1].trade)
            if owner == bucket
        ),
    )


def _total(state: State, bucket: str, value: float) -> float:
    """Return the value of the account; of a book on paper, that of an account in which its money is the target's."""
    if state.book == LIVE:
        return float(state.base.decimal(state.total))
    share = max(float(state.fraction(bucket, "target")), float(state.fraction(bucket, "min_pct")))
    query = """
        select sum(p.quanta) as quanta from posting p
        where p.book = :book and p.unit = :unit and p.cause in ('opening', 'deposit')
    """
    paid_in = float(state.base.decimal(int(next(state.rows(query, unit=state.base.unit)).quanta or 0)))
    sent = float(state.base.decimal(state.values.get(CORE, 0)))
    return value + sent + paid_in * (1.0 / share - 1.0)


def _held(state: State, trip: Trip, parameters: Parameters, market: MarketDay) -> Held:
    unit = state.units[trip.unit]
    quoted = state.units[str(unit.quote_currency)]
    reinvests = parameters.dividends == Dividends.REINVEST_SAME
    return Held(
        unit=trip.unit,
        trade=trip.trade,
        opened=day_of_date(trip.opened),
        quantity=float(unit.decimal(trip.held)),
        entry_price=trip.entry_price,
        price=float(state.prices[trip.unit][1]),
        stop=trip.stop,
        highest=trip.highest,
        is_armed=trip.is_armed,
        is_test=trip.is_test,
        ex_date=NEVER if trip.ex_date is None else day_of_date(trip.ex_date),
        exit=_exit(trip.exit_reason),
        dividend=float(quoted.decimal(trip.paid)) if reinvests else 0.0,
        is_trend_lost=trip.unit in market.trend_lost,
    )


def parameters_of(state: State, bucket: str) -> Parameters:
    """Return what the settings of a satellite come to."""
    names = ("preset", "sliders", "toggles", "dividends")
    return settings(*(state.setting(bucket, name) for name in names)).parameters


# What is written


def columns_of(outcome: Outcome, cash_return: float, *, is_satellite: bool) -> dict[str, Any]:
    """Return the columns of a state; those of rules are NULL for the core."""
    day, memory = outcome.day, outcome.memory
    row: dict[str, Any] = {name: _text(getattr(day, name)) for name in ("simple_return", "drawdown", "share")}
    row |= {"twr_index": repr(memory.twr_index), "peak": repr(memory.peak), "cash_return": repr(cash_return)}
    row["trades"] = memory.trades
    if not is_satellite:
        return row
    names = ("share_level", "drawdown_level", "cooldown", "reawakening", "regime_factor", "factor")
    row |= {name: _text(getattr(day, name)) for name in names}
    row |= {name: date_of(getattr(memory, name)) for name in _DAYS}
    row |= {name: getattr(memory, name) for name in ("losses", "stage", "sessions_below")}
    return row | {
        "status": memory.status.name.lower(),
        "probation": memory.probation.name.lower(),
        "reasons": day.reasons,
        "is_test": int(day.is_test),
    }


_DAYS = ("lock_ends", "cooldown_ends", "awake_since", "failed_on", "quiet_since", "activated_on")


def _write_trips(draft: Draft, key: Mapping[str, Any], outcome: Outcome, trips: Trips) -> None:
    """Write the positions of a satellite: those that are open as the close left them, and those that ended."""
    held = {one.unit: one for one in outcome.held}
    for (owner, unit), trip in trips.open.items():
        if owner == key["bucket"]:
            after = held[unit]
            trip.stop, trip.highest, trip.is_armed = after.stop, after.highest, after.is_armed
            trip.exit_reason = None if after.exit == NEVER else ExitReason(after.exit).name.lower()
            trip.reinvest = after.reinvest
            draft.add("mark_trade", **key, **_trip_row(trip))
    written: dict[int, Trip] = {trip.trade: trip for owner, trip in trips.done if owner == key["bucket"]}
    for trip in written.values():
        draft.add("mark_trade", **key, **_trip_row(trip))


def _trip_row(trip: Trip) -> dict[str, Any]:
    row = {name: getattr(trip, name) for name in _OF_A_TRIP}
    row |= {name: _text(row[name]) for name in _FLOATS}
    return row | {name: int(row[name]) for name in _FLAGS}


def _act(draft: Draft, bucket: str, outcome: Outcome) -> None:
    """Write what a close changes about the account: a satellite's status, and the lock of its breaker."""
    after = outcome.memory
    status = after.status.name.lower()
    if draft.state.buckets[bucket].status != status:
        causes = [one.cause for one in outcome.events if one.cause is not Sleep.NONE]
        cause = causes[0].name.lower() if causes else "share"
        draft.add("state", subject=bucket, status=status, cause=cause)
    until = draft.state.locks(bucket, "").get(BREAKER)
    if after.lock_ends == NEVER:
        if until is not None and until > draft.head.effective:
            draft.add("lock", subject=bucket, cause=BREAKER, until=draft.head.effective)
    elif until != date_of(after.lock_ends):
        draft.add("lock", subject=bucket, cause=BREAKER, until=date_of(after.lock_ends))


# As text, and back


def given_of(memory: Memory, at: Close) -> str:
    """Return a memory and a close as JSON, from which a state follows; numbers are as exact as they are."""
    content = asdict(at) | {"memory": asdict(memory)}
    if at.parameters is not None:
        content["parameters"] = at.parameters._asdict()
    return canonical(content)


def memory_given(given: str) -> Memory:
    """Return the memory of its JSON."""
    content = json.loads(given)["memory"]
    kinds = {"status": Status(content["status"]), "probation": Probation(content["probation"])}
    return Memory(**content | kinds)


def close_of(given: str) -> Close:
    """Return a close of its JSON."""
    content = json.loads(given)
    del content["memory"]
    content["regime"] = Regime(content["regime"])
    content["closed"] = tuple(RoundTrip(**one) for one in content["closed"])
    content["held"] = tuple(Held(**one) for one in content["held"])
    if content["parameters"] is not None:
        content["parameters"] = Parameters(**content["parameters"])
    return Close(**content)


def memory_of(row: Any, value: float) -> Memory:
    """Return what the rules remember, of a stored state."""
    memory = Memory(value=value, twr_index=float(row.twr_index), peak=float(row.peak), trades=row.trades)
    if row.status is None:
        return memory
    return replace(
        memory,
        status=Status[row.status.upper()],
        probation=Probation[row.probation.upper()],
        **{name: getattr(row, name) for name in ("losses", "stage", "sessions_below")},
        **{name: NEVER if (day := getattr(row, name)) is None else day_of_date(day) for name in _DAYS},
    )


def day_of(row: Any) -> Day:
    """Return what a close came to, of a stored state."""
    names = [one.name for one in fields(Day) if one.name not in {"reasons", "is_test"}]
    numbers = {name: math.nan if (text := getattr(row, name)) is None else float(text) for name in names}
    return Day(**numbers, reasons=row.reasons or 0, is_test=bool(row.is_test))


def trip_of(row: Any) -> Trip:
    """Return a position of its stored row."""
    values = {name: getattr(row, name) for name in _OF_A_TRIP}
    values |= {name: None if values[name] is None else float(values[name]) for name in _FLOATS}
    return Trip(**values | {name: bool(values[name]) for name in _FLAGS})


def _text(number: float | None) -> str | None:
    return None if number is None or math.isnan(number) else repr(float(number))


def day_of_date(date: str) -> int:
    """Return a date of ISO as days since 1970-01-01."""
    return dt.date.fromisoformat(date).toordinal() - _EPOCH


def date_of(day: int) -> str | None:
    """Return days since 1970-01-01 as a date of ISO; None for ``NEVER``."""
    return None if day == NEVER else dt.date.fromordinal(day + _EPOCH).isoformat()


_EPOCH = dt.date(1970, 1, 1).toordinal()
