"""What a mix decides at the last session of every period, and between them: target weights, and what answered.

A decision depends on prices up to the close of its session, on the mix, and through the weights before it on the
decisions before it. What a mix comes to by itself belongs in ``answers``, what is stored of decisions in ``tables``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sd_core.construction.answers import (
    Before,
    answer,
    answer_instead,
    condition,
    contributions,
    expected_return,
)
from sd_core.construction.asked import Asked, blended, first_points
from sd_core.construction.hashes import Hashes
from sd_core.construction.history import History
from sd_core.construction.rounding import WHOLE, Points, basis_points
from sd_core.construction.scaling import volatility_scale
from sd_core.construction.switches import Occasion, changes, followed_mixes, shares_held
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import FitStatus, Trigger
from sd_core.study.mixes import PREVIOUS, Mix

# What answered before the first whole window, and where one has too few rows.
UNTIL_FITTED = "until_fitted"


@dataclass(frozen=True, eq=False)
class Decision:
    """Target weights of all assets, and how they were reached.

    Attributes:
        place: position of the session at whose close it was made.
        trigger: the end of a period, or a switch between such.
        unscaled: target weights before they are scaled, in whole basis points, shape (assets,).
        scale: share of them that is held, as the volatility target and the defence have it.
        points: target weights in whole basis points, same shape.
        drifted: weights just before, fractions, same shape.
        status: how the mix's own fit ended.
        answered_by: the mix, another mix, ``previous``, ``equal`` or ``until_fitted``.
        follows: the mix that a mix of regimes follows; None for other methods.
        detail: why the mix's own fit did not answer; None where it did.
        rows, assets: of the window that the mix's own fit saw.
        excluded: why assets could not be held, by ticker.
        contributions: of each asset to the yearly volatility, shape (assets,); None where no covariance covers them.
        expected_return: yearly; None where no expected returns were estimated.
        condition: of the covariance: its largest over its smallest eigenvalue; None where there is none.
        window_hash: of all that it was made from.
    """

    place: int
    trigger: str
    unscaled: Points
    scale: float
    points: Points
    drifted: Floats
    status: str
    answered_by: str
    window_hash: str
    follows: str | None = None
    detail: str | None = None
    rows: int = 0
    assets: int = 0
    excluded: Mapping[str, str] = field(default_factory=dict)
    contributions: Floats | None = None
    expected_return: float | None = None
    condition: float | None = None

    @property
    def turnover(self) -> float:
        """Half the sum of the changes of weights."""
        return min(1.0, 0.5 * float(np.abs(self.points / WHOLE - self.drifted).sum()))


def occasions(history: History, asked: Asked) -> Iterator[Occasion]:
    """Yield when a mix decides: at the ends of periods, and where its regime, its defence or a part of it switches."""
    mix = asked.mix
    ends = frozenset(history.decision_places(mix.every))
    held = None if mix.defence is None else shares_held(mix.defence, asked.market.high_variance)
    follows = None if mix.method != "regime" else followed_mixes(mix, asked.market.regimes)
    switches = {
        *(() if held is None else changes(held, 1.0)),
        *(() if follows is None else changes(follows, mix.followed(None))),
    }
    for name in mix.parts:
        of_part = np.searchsorted(history.sessions, asked.parts[name].sessions)
        switches |= {place for place in of_part.tolist() if follows is None or follows[place] == name}
    for place in sorted(ends | switches):
        trigger = Trigger.PERIOD if place in ends else Trigger.SWITCH
        share = 1.0 if held is None else float(held[place])
        yield Occasion(place, trigger, share, None if follows is None else follows[place])


def decide(history: History, asked: Asked, known: Mapping[str, Decision] | None = None) -> Iterator[Decision]:
    """Yield what a mix decides, in order.

    Limits and fallbacks look at target weights before they are scaled, as if they had been held: what is held of them
    is another matter.

    Args:
        history: the past.
        asked: the mix.
        known: earlier decisions by their ``window_hash``, which are taken over where nothing of them has changed.
    """
    last, hashes = None, Hashes(history, asked)
    points = unscaled = first_points(history.weights, asked.name, asked.mixes)
    since, unscaled_since = 0, 0
    for occasion in occasions(history, asked):
        place = occasion.place
        before = Before(unscaled, history.drifted(unscaled / WHOLE, unscaled_since, place))
        drifted = before.drifted
        if since != unscaled_since or points is not unscaled:
            drifted = history.drifted(points / WHOLE, since, place)
        decision = _decision(hashes, occasion, before, last, known or {})
        if occasion.trigger == Trigger.SWITCH and np.array_equal(decision.points, points):
            continue
        last = replace(decision, drifted=drifted)
        yield last
        points, since = decision.points, place + 1
        if occasion.trigger == Trigger.PERIOD or asked.mix.is_composite:
            unscaled, unscaled_since = decision.unscaled, place + 1


def _decision(
    hashes: Hashes, occasion: Occasion, before: Before, last: Decision | None, known: Mapping[str, Decision]
) -> Decision:
    """Return a decision; what its assets have drifted from is the caller's to fill in."""
    history, asked = hashes.history, hashes.asked
    if asked.mix.is_composite:
        return _composed(hashes, occasion, before)
    if occasion.place < asked.mix.window_or_default:
        points = first_points(history.weights, asked.name, asked.mixes)
        detail = f"{occasion.place} of {asked.mix.window_or_default} returns"
        return _plain(hashes, occasion, before, points, FitStatus.NO_WINDOW, UNTIL_FITTED, detail)
    if occasion.trigger == Trigger.SWITCH:
        answered_by = UNTIL_FITTED if last is None else last.answered_by
        return _plain(hashes, occasion, before, before.points, FitStatus.KEPT, answered_by)
    return _fitted(hashes, occasion, before, known)


def begins_as_known(history: History, asked: Asked, known: Mapping[str, Decision]) -> bool:
    """Return whether the first fit of a mix is known, so that only fits of later prices are to be made."""
    points = first_points(history.weights, asked.name, asked.mixes)
    since, hashes = 0, Hashes(history, asked)
    for occasion in occasions(history, asked):
        before = Before(points, history.drifted(points / WHOLE, since, occasion.place))
        if occasion.trigger == Trigger.PERIOD and occasion.place >= asked.mix.window_or_default:
            return hashes.of_fit(occasion, before) in known
        if occasion.trigger == Trigger.PERIOD:
            since = occasion.place + 1
    return True


def _plain(
    hashes: Hashes,
    occasion: Occasion,
    before: Before,
    unscaled: Points,
    status: str,
    answered_by: str,
    detail: str | None = None,
) -> Decision:
    """Return a decision for which nothing is fitted."""
    scale = _scale(hashes.history, hashes.asked.mix, occasion, unscaled)
    return Decision(
        occasion.place,
        occasion.trigger,
        unscaled,
        scale,
        _scaled(unscaled, scale),
        before.drifted,
        status,
        answered_by,
        hashes.of(occasion, unscaled),
        occasion.follows,
        detail,
    )


def _composed(hashes: Hashes, occasion: Occasion, before: Before) -> Decision:
    """Return the target weights that are in force of the parts of a mix, combined."""
    history, asked = hashes.history, hashes.asked
    mix, date = asked.mix, history.sessions[occasion.place]
    names = mix.parts if occasion.follows is None else (occasion.follows,)
    places = {name: int(np.searchsorted(asked.parts[name].sessions, date, side="right")) - 1 for name in names}
    parts = {
        name: asked.parts[name].points[place] if place >= 0 else first_points(history.weights, name, asked.mixes)
        for name, place in places.items()
    }
    unscaled = parts[names[0]] if occasion.follows is not None else blended(parts, mix.shares)
    answers = any(place >= 0 and asked.parts[name].answers[place] for name, place in places.items())
    status, answered_by = (FitStatus.COMPOSED, asked.name) if answers else (FitStatus.NO_WINDOW, UNTIL_FITTED)
    detail = None if answers else "no whole window of a part"
    return _plain(hashes, occasion, before, unscaled, status, answered_by, detail)


def _fitted(hashes: Hashes, occasion: Occasion, before: Before, known: Mapping[str, Decision]) -> Decision:
    history, asked, place = hashes.history, hashes.asked, occasion.place
    mix, window_hash = asked.mix, hashes.of_fit(occasion, before)
    if (stored := known.get(window_hash)) is not None:
        return replace(stored, place=place)
    window = asked.window_at(history, place)
    own = answer(history, asked, place, before, window)
    answered_by, unscaled = asked.name, own.points
    if own.status == FitStatus.FEW_ROWS:
        answered_by, unscaled = UNTIL_FITTED, first_points(history.weights, asked.name, asked.mixes)
    for entry in (*mix.fallback, PREVIOUS):
        if unscaled is not None:
            break
        answered_by, unscaled = entry, answer_instead(history, asked, entry, place, before, window)
    assert unscaled is not None
    scale = _scale(history, mix, occasion, unscaled)
    points = _scaled(unscaled, scale)
    return Decision(
        place,
        occasion.trigger,
        unscaled,
        scale,
        points,
        before.drifted,
        own.status,
        answered_by,
        window_hash,
        None,
        own.detail,
        len(window.returns),
        len(window.assets),
        window.excluded,
        contributions(history, points, own),
        expected_return(history, points, own),
        condition(own.covariance),
    )


def _scale(history: History, mix: Mix, occasion: Occasion, unscaled: Points) -> float:
    """Return the share of target weights that is held."""
    window = mix.window_or_default
    if mix.volatility_target is None or occasion.place < window:
        return occasion.held
    length = occasion.place if mix.expanding else window
    # Digits beyond these differ from machine to machine, and change no basis point.
    scale = round(volatility_scale(history, unscaled, occasion.place, length, mix.volatility_target), 12)
    return scale * occasion.held


def _scaled(unscaled: Points, scale: float) -> Points:
    return unscaled if scale == 1.0 else basis_points(unscaled / WHOLE * scale, invested=False)


def dates_of(history: History, decisions: Sequence[Decision]) -> list[tuple[dt.date, dt.date | None]]:
    """Return of each decision its session and the one that it is in force from, None where that is to come."""
    return [(history.sessions[one.place].item(), history.session_after(one.place)) for one in decisions]
