"""When a mix decides: at the ends of periods, and where the market's regime or its variance calls for a change.

What is decided then belongs in ``decisions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import Floats
from sd_core.study.mixes import Defence, Mix


@dataclass(frozen=True, eq=False)
class Market:
    """What is known of the market at the close of every session.

    Attributes:
        regimes: names of its regime, None where it has none yet; empty where no mix asks for it.
        high_variance: probability of the benchmark's state of higher variance, NaN where it has none yet; likewise.
    """

    regimes: Sequence[str | None] = ()
    high_variance: Floats = field(default_factory=lambda: np.empty(0))


class Occasion(NamedTuple):
    """When a mix decides, and what is known of the market then.

    Attributes:
        place: position of the session.
        trigger: what makes it decide.
        held: share of its weights that its defence lets it hold.
        follows: the mix that a mix of regimes follows.
    """

    place: int
    trigger: str
    held: float
    follows: str | None


def followed_mixes(mix: Mix, regimes: Sequence[str | None]) -> list[str]:
    """Return the mix that a mix of regimes follows after every session.

    It begins with that of no regime, and changes once another one has been called for on as many sessions in a row as
    the mix asks for, the present one included.
    """
    found: list[str] = []
    following, called, times = mix.followed(None), mix.followed(None), 0
    for regime in regimes:
        asked = mix.followed(regime)
        called, times = (called, times + 1) if asked == called else (asked, 1)
        if called != following and times >= mix.confirm_or_default:
            following = called
        found.append(following)
    return found


def shares_held(defence: Defence, high_variance: Floats) -> Floats:
    """Return the share of the weights that is held after every session, shape (sessions,).

    The defence begins at the first close with a probability above ``on``, and ends at the first one below ``off``; a
    session without a probability changes nothing.
    """
    found = np.ones(len(high_variance))
    is_on = False
    for place, probability in enumerate(high_variance):
        if probability > defence.on:
            is_on = True
        elif probability < defence.off:
            is_on = False
        if is_on:
            found[place] = defence.invested
    return found


def changes(states: Sequence[object] | Floats, first: object) -> list[int]:
    """Return the places at which a state differs from the one before, that before the first place given.

    >>> changes(["a", "b", "b", "a"], "a")
    [1, 3]
    """
    before = [first, *states[:-1]]
    return [place for place, (now, then) in enumerate(zip(states, before, strict=True)) if now != then]
