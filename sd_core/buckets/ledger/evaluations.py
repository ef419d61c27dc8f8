"""The evaluation of an account's satellites each quarter: what marks say of them, stored as a proof, and its moves.

What is decided belongs in ``sd_core.buckets.evaluation``. An evaluation proposes: targets and cash change when it is
applied, by a person, or at once where the account is set so.
"""

import datetime as dt
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sd_core.buckets.allocator import LONG_WINDOW, RECENT_WINDOW
from sd_core.buckets.evaluation import Account, InRegime, Record, Window, row_of
from sd_core.buckets.ledger.draft import Draft, canonical
from sd_core.buckets.ledger.marked import IN_USE, Mark, close_of, day_of_date, last_mark, memory_of
from sd_core.buckets.ledger.state import State
from sd_core.buckets.presets import rails
from sd_core.buckets.rules import NEVER
from sd_core.errors import InputError
from sd_core.market.panel import daily_periods_per_year
from sd_core.schemas.kinds import Probation, Regime, Status
from sd_core.study.satellites import CORE, LIVE, MAX_PCT

PROPOSE, AUTO = "propose", "auto"
# The setting by which weights follow what satellites did in the present regime.
BY_REGIME = "regime"


@dataclass(frozen=True)
class _Past:
    """The marks of a satellite since it first became active, the one at which it did included.

    Attributes:
        days: of the sessions.
        returns, cash_returns: of the index and of cash, since the mark before; 0 where there is none.
        positions: held at each close.
        gains: money that each round trip gained, by the place of the mark that counted it.
    """

    days: np.ndarray
    returns: np.ndarray
    cash_returns: np.ndarray
    positions: np.ndarray
    gains: Sequence[tuple[int, float]]


def evaluate(draft: Draft, session: dt.date) -> None:
    """Evaluate the satellites on the first session of a quarter, by the marks before it, and store what came of it.

    Verdicts on probations hold at once: one that fails puts its satellite to sleep.

    Raises:
        InputError: a mark of the quarter is there already, or none before it, the quarter was evaluated, the session is
            to come, or no satellite is in use; each is named.
    """
    state, day = draft.state, session.isoformat()
    before = last_mark(state, day)
    if unmet := _unmet(draft, session, before):
        raise InputError("\n".join(f"evaluate: {one}" for one in unmet))
    base = state.base
    values = _values(state, before)
    account = Account(
        session=day,
        total=float(base.decimal(sum(value for _, value in values.values()))),
        budget=float(state.fraction(LIVE, "budget")),
        minor=10.0**base.minor_digits,
        periods_per_year=daily_periods_per_year(_sessions(state, day)),
        records=tuple(_record(state, bucket, session, before, *values[bucket]) for bucket in _satellites(state)),
    )
    content = row_of(account)
    found = json.loads(content)
    draft.add("evaluation", book=state.book, session=day, content=content, digest=found["digest"])
    decided = found["evaluation"]
    failed = [one["name"] for one in decided["verdicts"] if one["probation"] == "failed"]
    for bucket in failed:
        draft.add("state", subject=bucket, status="hibernating", cause="probation")
    numbers = {
        "session": day,
        "targets": {one["name"]: one["target"] for one in decided["verdicts"] if one["weight"] is not None},
        "moves": [[one["source"], one["target"], one["amount"]] for one in decided["moves"]],
        "is_told_apart": decided["is_told_apart"],
    }
    draft.event(CORE, numbers, f"evaluate: {day}: {_in_words(decided, failed)}")


def apply(draft: Draft, evaluation: int) -> None:
    """Set the targets of an evaluation and move the cash that it proposed, of each giver no more than it has free.

    Raises:
        InputError: it is not the last evaluation, it was applied, a target or a status is another one since, or the new
            targets leave the rails; each is named.
    """
    state = draft.state
    last, content = _last(state)
    if last != evaluation:
        raise InputError(f"apply: {evaluation}: expected the last evaluation, {last or 'of which there is none'}")
    account, decided = content["account"], content["evaluation"]
    targets = {
        verdict["name"]: (record["target"], verdict["target"])
        for record, verdict in zip(account["records"], decided["verdicts"], strict=True)
        if verdict["weight"] is not None
    }
    if unmet := _unmet_of_apply(state, evaluation, targets):
        raise InputError("\n".join(f"apply: {one}" for one in unmet))
    for bucket, (_, target) in targets.items():
        draft.add("setting", subject=bucket, name="target", value=canonical(repr(target)))
    base = state.base
    free = {one["source"]: state.free(one["source"], base.unit) for one in decided["moves"]}
    moved, short = [], 0
    for one in decided["moves"]:
        asked = round(one["amount"] * 10**base.minor_digits) * base.minor
        quanta = min(asked, max(free[one["source"]], 0) // base.minor * base.minor)
        free[one["source"]] -= quanta
        short += asked - quanta
        draft.post(one["source"], one["target"], base.unit, quanta, "reallocation")
        moved.append([one["source"], one["target"], base.number(quanta)])
    numbers = {"evaluation": evaluation, "targets": {name: new for name, (_, new) in targets.items()}, "moves": moved}
    says = f"apply: evaluation {evaluation}: {len(targets)} targets, {len(draft.legs)} moves"
    if short:
        says += f"; {base.shown(short)} less than proposed, as it is no longer free"
    draft.event(CORE, numbers | {"short": base.number(short)}, says)


def rebase(draft: Draft, bucket: str, reason: str) -> None:
    """Let a satellite's peak be its index from the next mark on, so that its drawdown begins again.

    Raises:
        InputError: no mark has looked at it, it is at its peak, it lost all, or no person asks with a reason; each is
            named.
    """
    state = draft.state
    state.satellite(bucket, "rebase")
    mark = last_mark(state)
    row = next(
        state.rows(
            "select * from mark_state where book = :book and bucket = :bucket and entry = :entry",
            bucket=bucket,
            entry=mark.entry,
        ),
        None,
    )
    drawdown, index = (0.0, 0.0) if row is None else (float(row.drawdown), float(row.twr_index))
    unmet = []
    if row is None:
        unmet.append("no mark: expected one since its start")
    elif drawdown <= 0.0:
        unmet.append("at its peak: expected a drawdown")
    elif index <= 0.0:
        unmet.append("an index of 0: expected something that is left")
    if not reason.strip():
        unmet.append("no reason: expected one")
    if draft.head.actor != "person":
        unmet.append(f"rebase by a {draft.head.actor}: expected a person")
    if unmet:
        raise InputError("\n".join(f"rebase: {bucket}: {one}" for one in unmet))
    numbers = {"reason": reason, "drawdown": drawdown, "index": index}
    draft.event(bucket, numbers, f"rebase: {bucket}: a drawdown of {drawdown:.2%} is given up: {reason}")


def last_evaluation(state: State) -> int | None:
    """Return the entry of a book's last evaluation; None before the first."""
    return _last(state)[0]


def _last(state: State) -> tuple[int | None, Any]:
    query = "select entry, content from evaluation where book = :book order by entry desc limit 1"
    row = next(state.rows(query), None)
    return (None, None) if row is None else (row.entry, json.loads(row.content))


# What is unmet


def _unmet(draft: Draft, session: dt.date, before: Mark) -> list[str]:
    state, day = draft.state, session.isoformat()
    first = dt.date(session.year, (session.month - 1) // 3 * 3 + 1, 1).isoformat()
    unmet = []
    if day > draft.head.effective:
        unmet.append(f"{day}: expected {draft.head.effective}, today, or a session before")
    if not before.entry:
        unmet.append(f"{day}: expected a mark before it")
    elif before.session >= first:
        unmet.append(f"{day}: expected the first session of a quarter: {before.session} is a session of it")
    query = "select entry from evaluation where book = :book and session >= :first order by entry limit 1"
    if (done := next(state.rows(query, first=first), None)) is not None:
        unmet.append(f"{day}: expected a quarter without an evaluation: entry {done.entry} is one")
    if not _satellites(state):
        unmet.append("expected a satellite in use")
    return unmet


def _unmet_of_apply(state: State, evaluation: int, targets: dict[str, tuple[float, float]]) -> list[str]:
    unmet = []
    query = "select number from entry where book = :book and note = :note"
    if (done := next(state.rows(query, note=note_of(evaluation)), None)) is not None:
        unmet.append(f"{evaluation}: expected an evaluation that is not applied: entry {done.number} applies it")
    for bucket, (target, _) in targets.items():
        now = float(state.fraction(bucket, "target"))
        status = state.buckets[bucket].status
        if now != target:
            unmet.append(f"{bucket}: a target of {now:g}: expected {target:g}, as when it was evaluated")
        if status not in IN_USE:
            unmet.append(f"{bucket}: {status}: expected a satellite in use")
    others = [one for one in _satellites(state) if one not in targets]
    new = {one: float(state.fraction(one, "target")) for one in others} | {one: two[1] for one, two in targets.items()}
    least = {one: float(state.fraction(one, "min_pct")) for one in new}
    return unmet + rails(float(state.fraction(LIVE, "budget")), new, least)


def note_of(evaluation: int) -> str:
    """Return the note of the entry that applies an evaluation."""
    return f"evaluation {evaluation}"


def moves_of(state: State, evaluation: int) -> list[Any]:
    """Return what an evaluation moves; nothing where the account's last one is another."""
    last, content = _last(state)
    return list(content["evaluation"]["moves"]) if last == evaluation else []


# What is read


def _satellites(state: State) -> list[str]:
    return [one.bucket for one in state.buckets.values() if one.status in IN_USE]


def _values(state: State, mark: Mark) -> dict[str, tuple[int, int]]:
    """Return cash and value of each bucket at a mark, in quanta of the base currency."""
    rows = state.rows("select bucket, cash, value from mark where book = :book and entry = :entry", entry=mark.entry)
    return {row.bucket: (row.cash, row.value) for row in rows}


def _sessions(state: State, before: str) -> np.ndarray:
    rows = state.rows("select distinct session from mark where book = :book and session < :before", before=before)
    return np.array(sorted(row.session for row in rows), dtype="datetime64[D]")


def _record(state: State, bucket: str, session: dt.date, before: Mark, cash: int, value: int) -> Record:
    """Return what an evaluation looks at of a satellite, at the last mark before it."""
    base, day = state.base, day_of_date(session.isoformat())
    rows = _states(state, bucket, session.isoformat())
    memory = memory_of(rows[-1], 0.0) if rows and rows[-1].entry == before.entry else None
    activated_on = NEVER if memory is None else memory.activated_on
    past = _past(state, bucket, rows, activated_on)
    returns, long, trades = _window(past, LONG_WINDOW, daily_periods_per_year(_sessions(state, session.isoformat())))
    _, recent, _ = _window(past, RECENT_WINDOW, daily_periods_per_year(_sessions(state, session.isoformat())))
    free = min(cash, state.free(bucket, base.unit))
    return Record(
        name=bucket,
        status=Status[state.buckets[bucket].status.upper()],
        probation=Probation.PENDING if memory is None else memory.probation,
        days_active=day - activated_on,
        trades=trades,
        returns=returns,
        long=Window(*long),
        recent=Window(*recent),
        target=float(state.fraction(bucket, "target")),
        least=float(state.fraction(bucket, "min_pct")),
        most=MAX_PCT,
        value=float(base.decimal(value)),
        cash=float(base.decimal(free)),
        in_regime=_in_regime(rows, activated_on) if state.setting(LIVE, "tilt") == BY_REGIME else None,
    )


def _in_regime(rows: Sequence[Any], activated_on: int) -> InRegime | None:
    """Return what a satellite returned since it first became active in sessions that began in the present regime.

    That is the one of the last close; None where it is unknown.

    Args:
        rows: of its states, by session.
    """
    regimes = [close_of(row.given).regime for row in rows]
    if not rows or regimes[-1] is Regime.UNKNOWN:
        return None
    returns, episodes, was_in = [], 0, False
    for row, regime in zip(rows[1:], regimes, strict=False):
        is_in = regime is regimes[-1] and activated_on != NEVER and day_of_date(row.session) > activated_on
        if is_in:
            returns.append(0.0 if row.simple_return is None else float(row.simple_return))
        episodes += is_in and not was_in
        was_in = is_in
    return InRegime(math.fsum(returns) / len(returns) if returns else 0.0, len(returns), episodes)


def _states(state: State, bucket: str, before: str) -> list[Any]:
    """Return the states of a satellite at the last revisions of the sessions before a day."""
    query = """
        select m.* from mark_state m where m.book = :book and m.bucket = :bucket and m.session < :before
        and m.revision = (select max(l.revision) from mark l where l.book = m.book and l.session = m.session)
        order by m.session
    """
    return list(state.rows(query, bucket=bucket, before=before))


def _past(state: State, bucket: str, rows: Sequence[Any], activated_on: int) -> _Past:
    since = [row for row in rows if activated_on != NEVER and day_of_date(row.session) >= activated_on]
    place = {row.entry: number for number, row in enumerate(since)}
    query = """
        select t.entry, t.unit, t.cost, t.proceeds, (
            select l.dividends from mark_trade l where l.book = t.book and l.bucket = t.bucket and l.trade = t.trade
            and l.entry <= :last order by l.entry desc limit 1
        ) as dividends
        from mark_trade t where t.book = :book and t.bucket = :bucket
        and t.is_counted = 1 and t.outcome is not null order by t.entry, t.trade
    """
    gains = []
    for trade in state.rows(query, bucket=bucket, last=max(place, default=0)):
        if trade.entry in place:
            money = state.units[str(state.units[trade.unit].quote_currency)]
            gains.append((place[trade.entry], float(money.decimal(trade.proceeds + trade.dividends - trade.cost))))
    return _Past(
        days=np.array([day_of_date(row.session) for row in since], dtype=np.int64),
        returns=np.array([0.0 if row.simple_return is None else float(row.simple_return) for row in since]),
        cash_returns=np.array([float(row.cash_return) for row in since]),
        positions=np.array([len(close_of(row.given).held) for row in since], dtype=np.int64),
        gains=gains,
    )


def _window(past: _Past, window: int, periods: float) -> tuple[int, tuple[float, float, float, float, float], int]:
    """Return the number of returns in a window, its measures, and the number of round trips closed in it."""
    # Imported here: numba, which it is compiled with elsewhere, takes a second that other commands do not need.
    from sd_core.buckets.measures import measures_of

    count = len(past.days)
    first = max(count - window, 1)
    if first >= count:
        nothing = np.zeros(0)
        return 0, measures_of(nothing, nothing, nothing, 0.0, 1.0), 0
    closed = [(place, gain) for place, gain in past.gains if place >= first]
    # Cash alone has no excess return, though what is paid in on a session earns nothing in it.
    has_held = (past.positions[first - 1 : -1] > 0) | (past.positions[first:] > 0)
    has_held[[place - first for place, _ in closed]] = True
    returns = past.returns[first:]
    measures = measures_of(
        returns,
        np.where(has_held, returns - past.cash_returns[first:], 0.0),
        np.array([gain for _, gain in closed]),
        float(past.days[-1] - past.days[first - 1]),
        float(periods),
    )
    return len(returns), measures, len(closed)


def _in_words(decided: Any, failed: Sequence[str]) -> str:
    members = [one["name"] for one in decided["verdicts"] if one["weight"] is not None]
    said = [f"{len(members)} of {len(decided['verdicts'])} satellites take part"]
    moved = math.fsum(one["amount"] for one in decided["moves"])
    said.append(f"{moved:.2f} to be moved")
    if failed:
        said.append(f"{', '.join(failed)} failed and sleeps")
    if members:
        words = {None: "cannot say", False: "cannot say", True: "yes"}
        said.append(f"best and worst distinguished: {words[decided['is_told_apart']]}")
    if decided["is_budget_too_small"]:
        said.append("the budget is below the least targets of all")
    return "; ".join(said)
