"""What a mix decides at the last session of every period: target weights, how they were reached, and what answered.

A decision depends on prices up to the close of its session, on the mix, and through the weights before it on the
decisions before it. Methods belong in ``optimisers``, what is stored of decisions in ``tables``.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core import versions
from sd_core.construction.history import MONTHS, History, Window, look_back
from sd_core.construction.limits import limits_of
from sd_core.construction.rounding import WHOLE, basis_points
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import FitStatus
from sd_core.study.mixes import EQUAL, PREVIOUS, Mix

Points = npt.NDArray[np.int64]

# What answered before the first whole window.
UNTIL_FITTED = "until_fitted"


@dataclass(frozen=True, eq=False)
class Decision:
    """Target weights of all assets, and how they were reached.

    Attributes:
        place: position of the session at whose close it was made.
        points: target weights in whole basis points, shape (assets,).
        drifted: weights just before, fractions, same shape.
        status: how the mix's own fit ended.
        answered_by: the mix, another mix, ``previous``, ``equal`` or ``until_fitted``.
        detail: why the mix's own fit did not answer; None where it did.
        rows, assets: of the window that the mix's own fit saw.
        excluded: why assets could not be held, by ticker.
        contributions: of each asset to the yearly volatility, shape (assets,); None where no covariance covers them.
        expected_return: yearly; None where no expected returns were estimated.
        condition: of the covariance: its largest over its smallest eigenvalue; None where there is none.
        window_hash: of everything that it was made from.
    """

    place: int
    points: Points
    drifted: Floats
    status: str
    answered_by: str
    detail: str | None
    rows: int
    assets: int
    excluded: Mapping[str, str]
    contributions: Floats | None
    expected_return: float | None
    condition: float | None
    window_hash: str

    @property
    def turnover(self) -> float:
        """Half the sum of the changes of weights."""
        return min(1.0, 0.5 * float(np.abs(self.points / WHOLE - self.drifted).sum()))


class Scored(NamedTuple):
    """Scores of assets: the dates from which they are known, ascending, and a row of all assets each, NaN for none."""

    dates: npt.NDArray[np.datetime64]
    values: Floats

    def known_at(self, date: np.datetime64) -> Floats:
        """Return the last score of every asset that is known at a date."""
        known = self.values[: np.searchsorted(self.dates, date, side="right")]
        found = np.full(self.values.shape[1], np.nan)
        for row in known:
            found = np.where(np.isnan(row), found, row)
        return found


@dataclass(frozen=True, eq=False)
class Asked:
    """A mix to decide on: its name, all mixes of the study, and what they need besides prices.

    Attributes:
        name: of the mix.
        mixes: of the study; others may answer in its place.
        scores: by name of a mix that has any.
    """

    name: str
    mixes: Mapping[str, Mix]
    scores: Mapping[str, Scored] = field(default_factory=dict)

    @property
    def mix(self) -> Mix:
        """The mix itself."""
        return self.mixes[self.name]


def decide(history: History, asked: Asked, known: Mapping[str, Decision] | None = None) -> Iterator[Decision]:
    """Yield what a mix decides, in order.

    Args:
        history: the past.
        asked: the mix.
        known: earlier decisions by their ``window_hash``, which are taken over where nothing of them has changed.
    """
    points, since = first_points(history.weights, asked.mix), 0
    for place in history.decision_places(asked.mix.every):
        before = Before(points, history.drifted(points / WHOLE, since, place))
        decision = _decision(history, asked, place, before, known or {})
        yield decision
        points, since = decision.points, place + 1


def first_points(weights: Floats, mix: Mix) -> Points:
    """Return the target weights before anything was fitted, in basis points, from those of the study."""
    equal = np.full(len(weights), 1.0 / len(weights))
    return basis_points(weights if mix.until_fitted == "universe" else equal, invested=True)


class Before(NamedTuple):
    """The target weights before a decision, in basis points, and what prices have made of them since."""

    points: Points
    drifted: Floats


class Answer(NamedTuple):
    """Weights that a mix came to by itself, in basis points of all assets, or why it came to none."""

    points: Points | None
    status: str
    detail: str | None
    window: Window | None
    expected: Floats | None
    covariance: Floats | None


def _decision(history: History, asked: Asked, place: int, before: Before, known: Mapping[str, Decision]) -> Decision:
    mix = asked.mix
    if place < mix.window_or_default:
        return Decision(
            place,
            first_points(history.weights, mix),
            before.drifted,
            FitStatus.NO_WINDOW,
            UNTIL_FITTED,
            f"{place} of {mix.window_or_default} returns",
            rows=0,
            assets=0,
            excluded={},
            contributions=None,
            expected_return=None,
            condition=None,
            window_hash=_hash(history, asked, place, before, None),
        )
    window = _window(history, asked, place)
    window_hash = _hash(history, asked, place, before, window)
    if (stored := known.get(window_hash)) is not None:
        return replace(stored, place=place, drifted=before.drifted)
    own = _answer(history, asked, place, before, window)
    answered_by, points = asked.name, own.points
    for entry in (*mix.fallback, PREVIOUS):
        if points is not None:
            break
        answered_by, points = entry, _instead(history, asked, entry, place, before, window)
    assert points is not None
    return Decision(
        place,
        points,
        before.drifted,
        own.status,
        answered_by,
        own.detail,
        rows=len(window.returns),
        assets=len(window.assets),
        excluded=window.excluded,
        contributions=_contributions(history, points, own),
        expected_return=_expected_return(history, points, own),
        condition=None if own.covariance is None else _condition(own.covariance),
        window_hash=window_hash,
    )


def _window(history: History, asked: Asked, place: int) -> Window:
    window = place if asked.mix.expanding else asked.mix.window_or_default
    return look_back(history, place, window, _scores(asked, history, place))


def _scores(asked: Asked, history: History, place: int) -> Floats | None:
    scored = asked.scores.get(asked.name)
    return None if scored is None else scored.known_at(history.sessions[place])


def _instead(history: History, asked: Asked, entry: str, place: int, before: Before, window: Window) -> Points | None:
    """Return what answers in a mix's place, None where it has no answer either."""
    if entry == PREVIOUS:
        return before.points
    if entry == EQUAL:
        return None if not len(window.assets) else _spread(np.full(len(window.assets), 1.0), window, len(before.points))
    other = replace(asked, name=entry)
    if place < other.mix.window_or_default:
        return None
    return _answer(history, other, place, before, _window(history, other, place)).points


def _spread(weights: Floats, window: Window, count: int, *, invested: bool = True) -> Points:
    """Return weights of the assets that may be held as basis points of all assets."""
    whole = np.zeros(count)
    whole[window.assets] = weights
    return basis_points(whole, invested=invested)


def _answer(history: History, asked: Asked, place: int, before: Before, window: Window) -> Answer:
    """Return what a mix comes to by itself."""
    # Solvers take long to import, and what is taken over needs none.
    from sd_core.construction.estimates import estimate
    from sd_core.construction.optimisers import Case, Unsolvable, fit

    mix = asked.mix
    if not len(window.assets):
        return Answer(None, FitStatus.NO_ASSETS, "no asset may be held", window, None, None)
    if not window.has_rows:
        return Answer(None, FitStatus.FEW_ROWS, f"{len(window.returns)} rows of {window.wanted}", window, None, None)
    limits = limits_of(mix, history, window, before.drifted, _scores(asked, history, place))
    try:
        estimates = estimate(mix, history, window, history.sessions[place].item())
    except ValueError as error:
        return Answer(None, FitStatus.FAILED, str(error), window, None, None)
    expected = estimates.expected if mix.uses_expected else None
    try:
        found = fit(Case(mix, window, estimates, limits, budgets_of(mix, history, window), _cost(mix, history)))
    except Unsolvable as error:
        status = FitStatus.INFEASIBLE if error.infeasible else FitStatus.FAILED
        return Answer(None, status, str(error), window, expected, estimates.covariance)
    points = _spread(limits.held * found.weights, window, len(before.points), invested=limits.whole)
    status = FitStatus.FITTED if found.accurate else FitStatus.INACCURATE
    return Answer(points, status, None, window, expected, estimates.covariance)


def _cost(mix: Mix, history: History) -> float:
    """Return what a trade costs over each session until the next decision."""
    sessions = history.periods_per_year * MONTHS[mix.every] / 12
    return history.fee_rate / sessions if mix.cost_aware else 0.0


def budgets_of(mix: Mix, history: History, window: Window) -> Floats:
    """Return the share of risk of each asset that may be held: its own, or its part of that of its class."""
    budget = mix.budget or {}
    by_class = [at for at in window.assets if history.tickers[at] not in budget]
    members = {group: sum(history.classes[at] == group for at in by_class) for group in history.classes}
    shares = np.array(
        [
            budget.get(history.tickers[at], budget.get(history.classes[at], 1.0) / max(1, members[history.classes[at]]))
            if budget
            else 1.0
            for at in window.assets
        ]
    )
    return np.asarray(shares / shares.sum())


def _contributions(history: History, points: Points, answer: Answer) -> Floats | None:
    """Return what each asset adds to the yearly volatility: ``wᵢ (Σw)ᵢ / √(w'Σw) · √periods``."""
    if answer.covariance is None or answer.window is None or _held_elsewhere(points, answer.window):
        return None
    weights = points[answer.window.assets] / WHOLE
    marginal = answer.covariance @ weights
    contributions = np.zeros(len(points))
    if (variance := float(weights @ marginal)) > 0.0:
        contributions[answer.window.assets] = weights * marginal / np.sqrt(variance) * np.sqrt(history.periods_per_year)
    return contributions


def _expected_return(history: History, points: Points, answer: Answer) -> float | None:
    if answer.expected is None or answer.window is None or _held_elsewhere(points, answer.window):
        return None
    weights = points[answer.window.assets] / WHOLE
    in_bank = (1.0 - weights.sum()) * answer.window.cash
    return float(weights @ answer.expected + in_bank) * history.periods_per_year


def _held_elsewhere(points: Points, window: Window) -> bool:
    """Return whether something is held that the window does not cover."""
    return bool(np.delete(points, window.assets).any())


def _condition(covariance: Floats) -> float | None:
    values = np.linalg.eigvalsh(covariance)
    return float(values[-1] / values[0]) if values[0] > 0 else None


def _hash(history: History, asked: Asked, place: int, before: Before, window: Window | None) -> str:
    """Return a hash of all that a decision depends on."""
    parts = hashlib.sha256()
    parts.update(_settings(asked, history, place).encode())
    parts.update(before.points.tobytes())
    if window is not None:
        others = (replace(asked, name=name) for name in asked.mix.other_mixes)
        windows = [_window(history, one, place) for one in others if place >= one.mix.window_or_default]
        for seen in (window, *windows):
            for array in (seen.assets, seen.returns, np.array([seen.cash]), before.drifted):
                parts.update(np.ascontiguousarray(array).tobytes())
    return parts.hexdigest()[:16]


def _settings(asked: Asked, history: History, place: int) -> str:
    """Return what decisions depend on besides returns, as JSON."""
    names: Sequence[str] = (asked.name, *asked.mix.other_mixes)
    scores: dict[str, Any] = {}
    for name in names:
        if (found := _scores(replace(asked, name=name), history, place)) is not None:
            scores[name] = [None if np.isnan(score) else score for score in found.tolist()]
    parts = {
        "mixes": [settings_of(asked.mixes[name]) for name in names],
        "names": names,
        "scores": scores,
        "views": [[view.since <= history.sessions[place].item() for view in asked.mixes[name].views] for name in names],
        "assets": [history.tickers, history.classes, history.weights.tolist()],
        "fee_rate": history.fee_rate if any(asked.mixes[name].cost_aware for name in names) else None,
        "periods_per_year": history.periods_per_year,
        "versions": library_versions(),
    }
    return json.dumps(parts, sort_keys=True)


def settings_of(mix: Mix) -> dict[str, Any]:
    """Return a mix as JSON can hold it; where its scores lie makes no difference."""
    return mix.model_dump(mode="json", by_alias=True, exclude={"scores": {"file"}})


def library_versions() -> dict[str, str]:
    """Return the versions of what computes weights, ours among them."""
    return {"construction": versions.MIXES, **_library_versions()}


@cache
def _library_versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("clarabel", "cvxpy-base", "numpy", "scikit-learn", "scipy", "skfolio")}


def dates_of(history: History, decisions: Sequence[Decision]) -> list[tuple[dt.date, dt.date | None]]:
    """Return of each decision its session and the one that it is in force from, None where that is to come."""
    return [(history.sessions[one.place].item(), history.session_after(one.place)) for one in decisions]
