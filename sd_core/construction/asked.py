"""What is asked of a mix, and what it needs besides prices.

What is made of it belongs in ``answers`` and ``decisions``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.construction.history import History, Ranked, Window, look_back
from sd_core.construction.rounding import WHOLE, Points, basis_points
from sd_core.construction.signals import Signals
from sd_core.construction.switches import Market
from sd_core.market.arrays import Dates, Floats
from sd_core.study.mixes import Mix


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


class PartDecisions(NamedTuple):
    """What a mix that another one combines has decided, as far as it is known.

    Attributes:
        sessions: at whose closes it decided, ascending.
        points: target weights in basis points from each of them on, shape (decisions, assets).
        answers: whether it had a whole window by then, so that they are its own.
    """

    sessions: Dates
    points: Points
    answers: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Asked:
    """A mix to decide on: its name, all mixes of the study, and what they need besides prices.

    Attributes:
        name: of the mix.
        mixes: of the study; others may answer in its place.
        scores: by name of a mix that has any.
        signals: of the study; None where no mix reads one.
        market: what is known of it, as far as a mix asks for it.
        parts: what each mix has decided that this one combines, by name.
    """

    name: str
    mixes: Mapping[str, Mix]
    scores: Mapping[str, Scored] = field(default_factory=dict)
    signals: Signals | None = None
    market: Market = field(default_factory=Market)
    parts: Mapping[str, PartDecisions] = field(default_factory=dict)

    @property
    def mix(self) -> Mix:
        """The mix itself."""
        return self.mixes[self.name]

    def of(self, name: str) -> "Asked":
        """Return the same of another mix."""
        return replace(self, name=name)

    def scores_at(self, history: History, place: int) -> Floats | None:
        """Return the scores of all assets that are known at a position, None where the mix has none."""
        scored = self.scores.get(self.name)
        return None if scored is None else scored.known_at(history.sessions[place])

    def window_at(self, history: History, place: int) -> Window:
        """Return what a fit at a position may see."""
        ranked = None
        if (select := self.mix.select) is not None:
            ranked = Ranked(
                self.signals_or_none(history).at(select.signal, history.sessions[place].item()).value, select.top
            )
        length = place if self.mix.expanding else self.mix.window_or_default
        return look_back(history, place, length, self.scores_at(history, place), ranked)

    def signals_or_none(self, history: History) -> Signals:
        """Return the study's signals; without any, those that have no value."""
        return self.signals or Signals(history.tickers)


def first_points(weights: Floats, name: str, mixes: Mapping[str, Mix]) -> Points:
    """Return the target weights before anything was decided, in basis points, from those of the study.

    A blend begins with the mean of its parts, a mix of regimes as the one that it follows where there is no regime.
    """
    mix = mixes[name]
    if mix.method == "blend":
        return blended({part: first_points(weights, part, mixes) for part in mix.parts}, mix.shares)
    if mix.method == "regime":
        return first_points(weights, mix.followed(None), mixes)
    equal = np.full(len(weights), 1.0 / len(weights))
    return basis_points(weights if mix.until_fitted == "universe" else equal, invested=True)


def blended(parts: Mapping[str, Points], shares: Mapping[str, float]) -> Points:
    """Return the mean of target weights by shares that sum to 1, in whole basis points."""
    mean = sum(shares[name] * points.astype(np.float64) for name, points in parts.items()) / WHOLE
    return basis_points(np.asarray(mean), invested=all(points.sum() == WHOLE for points in parts.values()))
