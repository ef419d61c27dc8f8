"""A steady reading of a broker: what the account has, and what moved it, of one moment.

What is booked of it belongs in ``sd_core.buckets.trading``.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sd_core.broker.protocol import Account, Activity, Broker, ThrottledError, UnreachableError

T = TypeVar("T")
# The most tries, and the seconds between two of them.
TRIES, PAUSE = 5, 10.0


@dataclass(frozen=True)
class Reading:
    """What a broker states.

    Attributes:
        account: what it has.
        activities: what moved it, each once, by the date from which it counts, moment and reference.
    """

    account: Account
    activities: Sequence[Activity]


def read(broker: Broker, after: dt.datetime, wait: Callable[[float], None] = time.sleep) -> Reading:
    """Return what a broker states of the time after a moment, with the account unchanged while it was read.

    Args:
        wait: pauses for so many seconds.

    Raises:
        UnreachableError: five tries got no answer, or the account was another one after each.
    """

    def try_once() -> Reading:
        before, listed, account = broker.account(), broker.activities(after), broker.account()
        if before.balances != account.balances:
            raise UnreachableError("the account moves while it is read")
        once = {activity.ref: activity for activity in listed}
        return Reading(account, sorted(once.values(), key=lambda one: (one.effective, one.at, one.ref)))

    return ask(try_once, wait)


def ask(question: Callable[[], T], wait: Callable[[float], None] = time.sleep) -> T:
    """Return the answer to a question that changes nothing, asked up to five times.

    Raises:
        UnreachableError: none was answered.
    """
    said = ""
    for place in range(TRIES):
        if place:
            wait(PAUSE)
        try:
            return question()
        except (UnreachableError, ThrottledError) as error:
            said = str(error)
    raise UnreachableError(f"no answer in {TRIES} tries: {said}")
