"""What may be done to a bucket in each of its statuses, what it becomes, and every condition that is unmet.

The closes that move a satellite on by themselves belong in ``rules``, what an action books in the ledger.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from sd_core.buckets.presets import PRESETS
from sd_core.errors import InputError
from sd_core.schemas.kinds import Status
from sd_core.study.satellites import CORE, NO_SATELLITES
from sd_core.wording import did_you_mean

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Sessions of its book on paper after which a satellite may start without a reason.
PAPER_SESSIONS = 63
BOOST_DAYS = (7, 30)

IN_USE = (Status.ACCUMULATING, Status.ACTIVE, Status.HIBERNATING)


class Action(Enum):
    """What a person does to a satellite."""

    START = "start"
    ABANDON = "abandon"
    PAUSE = "pause"
    RESUME = "resume"
    RETIRE = "retire"
    BOOST = "boost"


# From which statuses, and to which; None is the one that it has or had before.
MOVES: dict[Action, tuple[tuple[Status, ...], Status | None]] = {
    Action.START: ((Status.RESEARCH,), Status.ACCUMULATING),
    Action.ABANDON: ((Status.RESEARCH,), Status.RETIRED),
    Action.PAUSE: (IN_USE, Status.PAUSED),
    Action.RESUME: ((Status.PAUSED,), None),
    Action.RETIRE: ((Status.PAUSED,), Status.RETIRED),
    Action.BOOST: ((Status.ACTIVE,), None),
}


@dataclass(frozen=True)
class Bucket:
    """A bucket as an action finds it.

    Attributes:
        name: ``core`` for the core.
        status: of a satellite; what the core has is not looked at.
        since: the date, as ISO writes it, from which it has the status.
        before: the status before a pause.
    """

    name: str
    status: Status
    since: str
    before: Status | None = None


@dataclass(frozen=True)
class Facts:
    """What an action is judged by; each action looks at its own.

    Attributes:
        actor: who asks for it.
        outside_rails: what of the plan with this satellite leaves the rails (``presets.rails``), for a start.
        paper_sessions: sessions of its book on paper, for a start.
        reason: why it starts before it has enough of them; None for no reason.
        orders: open orders by their ids, for a retirement.
        fills: fills that are not settled, by their ids, for a retirement.
        positions: what it holds, as "10 AAPL", for a retirement.
        cash: what it has in each currency but nothing, as "12.00 USD", for a retirement.
        activities: activities of its instruments that are held, by their ids, for a retirement.
        days: how long a boost lasts.
    """

    actor: Literal["person", "rule", "broker"] = "person"
    outside_rails: Sequence[str] = ()
    paper_sessions: int = 0
    reason: str | None = None
    orders: Sequence[str] = ()
    fills: Sequence[str] = ()
    positions: Sequence[str] = ()
    cash: Sequence[str] = ()
    activities: Sequence[str] = ()
    days: int = 0


def unmet(action: Action, bucket: Bucket, facts: Facts) -> list[str]:
    """Return every condition of an action that is unmet, one line each: what is found, and what is expected.

    A bucket for which no action would do has one line: the core, and a satellite that is retired.

    >>> unmet(Action.PAUSE, Bucket("hunter", Status.RETIRED, "2026-03-02"), Facts())
    ['hunter: retired on 2026-03-02: expected a bucket in use']
    """
    if found := _not_in_use(bucket):
        return found
    origins, _ = MOVES[action]
    found = []
    if bucket.status not in origins:
        *others, last = (one.name.lower() for one in origins)
        found.append(f"{_shown(bucket)}: expected {', '.join(others) + ' or ' if others else ''}{last}")
    if facts.actor != "person":
        found.append(f"{bucket.name}: {action.value} by a {facts.actor}: expected a person")
    match action:
        case Action.START:
            found += _unmet_at_start(bucket.name, facts)
        case Action.RETIRE:
            found += _unmet_at_retirement(bucket.name, facts)
        case Action.BOOST if facts.days not in BOOST_DAYS:
            found.append(f"{bucket.name}: a boost of {facts.days} days: expected 7 or 30")
    return found


def status_after_action(action: Action, bucket: Bucket, facts: Facts) -> Status:
    """Return the status of a bucket after an action.

    Raises:
        InputError: a condition is unmet; the message names each.
    """
    if lines := unmet(action, bucket, facts):
        raise InputError("\n".join(lines))
    if action == Action.RESUME and bucket.before is not None:
        return bucket.before
    return MOVES[action][1] or bucket.status


def unmet_at_creation(
    name: str, preset: str, names: Sequence[str], instruments: Sequence[str], taken: dict[str, str]
) -> list[str]:
    """Return every condition of a new satellite that is unmet, one line each.

    Args:
        name: that it is to have.
        preset: that its settings begin as.
        names: of the buckets that there are or were.
        instruments: that it is to trade.
        taken: the bucket of each instrument that belongs to a satellite in use, or that any bucket holds.
    """
    found = []
    if not NAME.fullmatch(name):
        found.append(f"{name}: expected a name of small letters, digits and _, from a letter, of at most 40")
    elif name in {*NO_SATELLITES, *names}:
        found.append(f"{name}: expected a name that is free")
    if preset not in PRESETS:
        found.append(f"{name}: preset {preset}: expected one of {', '.join(PRESETS)}{did_you_mean(preset, PRESETS)}")
    if not instruments:
        found.append(f"{name}: no instrument: expected at least one that is free")
    found += [
        f"{name}: {instrument} belongs to {taken[instrument]}: expected an instrument that is free"
        for instrument in instruments
        if instrument in taken
    ]
    return found


def _not_in_use(bucket: Bucket) -> list[str]:
    """Return why nothing may be done to a bucket, as one line; none for a satellite that is not retired."""
    if bucket.name == CORE:
        return ["core: expected a satellite; `halt` stops the account"]
    if bucket.status == Status.RETIRED:
        return [f"{_shown(bucket)}: expected a bucket in use"]
    return []


def _shown(bucket: Bucket) -> str:
    """Return a bucket with its status."""
    from_when = "on" if bucket.status == Status.RETIRED else "since"
    return f"{bucket.name}: {bucket.status.name.lower()} {from_when} {bucket.since}"


def _unmet_at_start(name: str, facts: Facts) -> list[str]:
    """Return what keeps a satellite in research."""
    found = [*facts.outside_rails]
    if facts.paper_sessions < PAPER_SESSIONS and not facts.reason:
        sessions = f"{facts.paper_sessions} sessions on paper"
        found.append(f"{name}: {sessions}: expected at least {PAPER_SESSIONS}, or a reason to start early")
    return found


def _unmet_at_retirement(name: str, facts: Facts) -> list[str]:
    """Return what a satellite still has."""
    return [
        *(f"{name}: order {order} is open: expected none" for order in facts.orders),
        *(f"{name}: fill {fill} is not settled: expected none" for fill in facts.fills),
        *(f"{name}: {position}: expected no position" for position in facts.positions),
        *(f"{name}: {cash}: expected no cash" for cash in facts.cash),
        *(f"{name}: activity {activity} is held: expected none" for activity in facts.activities),
    ]
