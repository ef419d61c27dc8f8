"""One evaluation of the satellites of an account: what it was given, what it decided, and a row that proves it.

The row holds everything that the decision depends on, so that anyone may compute it again and compare the bytes. The
steps themselves belong in ``allocator``.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sd_core.buckets import allocator
from sd_core.buckets.deposits import total_of
from sd_core.schemas.kinds import Probation, Status
from sd_core.study.satellites import CORE


@dataclass(frozen=True)
class Window:
    """The measures of a satellite over some sessions, NaN for none; ``measures.measures_of`` returns them in order."""

    sharpe: float
    sortino: float
    profit_factor: float
    win_rate: float
    calmar: float

    @property
    def score(self) -> float:
        """Their score."""
        return allocator.score_of(self.sharpe, self.sortino, self.profit_factor, self.win_rate, self.calmar)


@dataclass(frozen=True)
class InRegime:
    """What a satellite returned while the regime was the present one.

    Attributes:
        mean: of its returns by session, a fraction.
        sessions, episodes: how many of them there were, and how many times the regime came.
    """

    mean: float
    sessions: int
    episodes: int


@dataclass(frozen=True)
class Record:
    """A satellite in use as an evaluation finds it, at the close before.

    Attributes:
        name: of the satellite.
        status, probation: before the evaluation.
        days_active: since it first became active.
        trades: round trips closed in the long window.
        returns: how many returns the long window has.
        long, recent: its measures over the two windows.
        target, least, most: its target before, and the bounds of a new one, fractions of the account.
        value, cash: money; of its cash, what no order reserves.
        in_regime: its record in the present regime, where the account tilts weights by it; None where it does not.
    """

    name: str
    status: Status
    probation: Probation
    days_active: int
    trades: int
    returns: int
    long: Window
    recent: Window
    target: float
    least: float
    most: float
    value: float
    cash: float
    in_regime: InRegime | None = None

    @property
    def score(self) -> float:
        """The blended score of the two windows."""
        return allocator.blended(self.long.score, self.recent.score)


@dataclass(frozen=True)
class Account:
    """What an evaluation is given.

    Attributes:
        session: on which it is made, as ISO writes it.
        total, budget: value of the account, money, and the share of it for all satellites.
        minor: minor units to a unit of the currency.
        periods_per_year: that ratios are annualised with.
        records: of the satellites in use, in the plan's order.
    """

    session: str
    total: float
    budget: float
    minor: float
    periods_per_year: float
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Verdict:
    """What an evaluation made of a satellite.

    Attributes:
        name: of the satellite.
        probation: from now on; one that failed hibernates.
        score: the blended one.
        weight, clamped: what it enters with, and its share of the pool within bounds; None where it is no member.
        target: from now on; that of before where it is no member.
    """

    name: str
    probation: Probation
    score: float
    weight: float | None
    clamped: float | None
    target: float


@dataclass(frozen=True)
class Move:
    """Cash that goes from one bucket to another, money in whole minor units."""

    source: str
    target: str
    amount: float


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation decided.

    Attributes:
        verdicts: by satellite, in the plan's order.
        moves: between members, and from members to the core.
        errors_apart: standard errors between the members' best and worst Sharpe ratios; None for fewer than two.
        is_told_apart: whether that is more than chance, at 95 %; None where it is unknown.
        is_budget_too_small: whether the least targets of all members exceed the pool.
    """

    verdicts: tuple[Verdict, ...]
    moves: tuple[Move, ...]
    errors_apart: float | None
    is_told_apart: bool | None
    is_budget_too_small: bool


def evaluate(account: Account) -> Evaluation:
    """Return what an evaluation makes of the satellites of an account."""
    probations = [
        Probation(
            allocator.probation_after(
                record.probation.value, record.status.value, record.days_active, record.trades, record.score
            )
        )
        for record in account.records
    ]
    members = [
        place
        for place, (record, probation) in enumerate(zip(account.records, probations, strict=True))
        if allocator.is_member(record.status.value, probation.value, record.trades)
    ]
    chosen = [account.records[place] for place in members]
    weights, clamped, targets, is_too_small = _shares(account, chosen)
    own = {place: number for number, place in enumerate(members)}
    verdicts = tuple(
        Verdict(record.name, probation, record.score, None, None, record.target)
        if place not in own
        else Verdict(
            record.name, probation, record.score, *(float(one[own[place]]) for one in (weights, clamped, targets))
        )
        for place, (record, probation) in enumerate(zip(account.records, probations, strict=True))
    )
    errors = allocator.distinction(
        np.array([record.long.sharpe for record in chosen]),
        np.array([record.returns for record in chosen]),
        account.periods_per_year,
    )
    is_known = not math.isnan(errors)
    return Evaluation(
        verdicts=verdicts,
        moves=_moves(account, chosen, targets),
        errors_apart=errors if is_known else None,
        is_told_apart=allocator.is_distinguished(errors) if is_known else None,
        is_budget_too_small=is_too_small,
    )


def row_of(account: Account) -> str:
    """Return an evaluation as it is stored: JSON of what it was given and decided, and a SHA-256 of that.

    Keys are in order, without spaces; a measure that there is not is null, a profit factor without a loss "no loss".
    """
    row = {"account": _plain(asdict(account)), "evaluation": _plain(asdict(evaluate(account)))}
    return _canonical(row | {"digest": hashlib.sha256(_canonical(row).encode()).hexdigest()})


def recomputed(row: str) -> str:
    """Return the row of what a stored row was given; the same bytes, or the row was changed since."""
    given = json.loads(row)["account"]
    records = tuple(
        Record(
            **record
            | {
                "status": Status[record["status"].upper()],
                "probation": Probation[record["probation"].upper()],
                "long": _window(record["long"]),
                "recent": _window(record["recent"]),
                "in_regime": InRegime(**record["in_regime"]) if record["in_regime"] else None,
            }
        )
        for record in given["records"]
    )
    return row_of(Account(**given | {"records": records}))


def _shares(account: Account, members: Sequence[Record]) -> tuple[Any, Any, Any, bool]:
    """Return weights, clamped shares and new targets of the members, and whether their least shares exceed the pool."""
    if not members:
        return (), (), (), False
    of_others = [record.target for record in account.records if record not in members]
    pool = max(account.budget - total_of(np.array(of_others)), 0.0)
    tilts = np.array(
        [
            1.0 if one is None else allocator.tilt_of(one.mean, one.sessions, one.episodes)
            for one in (record.in_regime for record in members)
        ]
    )
    weights = allocator.weights_of(np.array([record.score for record in members]), tilts)
    least, most, current = (
        np.array([getattr(record, name) for record in members]) for name in ("least", "most", "target")
    )
    clamped, is_too_small = allocator.clamped_shares(weights, least, most, pool)
    return weights, clamped, allocator.damped(current, clamped), is_too_small


def _moves(account: Account, members: Sequence[Record], targets: Any) -> tuple[Move, ...]:
    """Return what is moved: of each giver in order, to each taker in order, the rest to the core."""
    moved = allocator.moves_of(
        np.array([record.value for record in members]),
        np.array([record.cash for record in members]),
        np.array(targets),
        account.total,
        account.minor,
    )
    takers = [*(record.name for record in members), CORE]
    return tuple(
        Move(record.name, taker, float(amount))
        for record, amounts in zip(members, moved, strict=True)
        for taker, amount in zip(takers, amounts, strict=True)
        if amount > 0.0
    )


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    match value:
        case Status() | Probation():
            return value.name.lower()
        case float() if math.isnan(value):
            return None
        case float() if math.isinf(value):
            return "no loss"
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value


def _window(stored: dict[str, Any]) -> Window:
    return Window(
        **{
            name: math.nan if measure is None else math.inf if measure == "no loss" else measure
            for name, measure in stored.items()
        }
    )
