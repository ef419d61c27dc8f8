"""Hashes of all that decisions are made from: one whose hash is known is taken over, and nothing of it computed.

A window counts by all rows of the past that it may see, the same for every mix, so that it need not be looked up.
"""

import hashlib
import json
from functools import cache
from typing import Any

import numpy as np

from sd_core import versions
from sd_core.construction.answers import Before, read_signals
from sd_core.construction.asked import Asked
from sd_core.construction.history import History
from sd_core.construction.rounding import Points
from sd_core.construction.switches import Occasion
from sd_core.study.mixes import Mix


class Hashes:
    """The hashes of a mix's decisions.

    Attributes:
        history: the past.
        asked: the mix.
    """

    def __init__(self, history: History, asked: Asked) -> None:
        self.history = history
        self.asked = asked
        # The mix itself, and those that may answer in its place: what others combine has hashes of its own.
        self._asked = [asked, *(() if asked.mix.is_composite else map(asked.of, asked.mix.other_mixes))]
        self._reading = [one for one in self._asked if one.mix.signals]
        self._settings = hashlib.sha256(self._fixed().encode())

    def of(self, occasion: Occasion, unscaled: Points) -> str:
        """Return the hash of a decision for which nothing is fitted, from its weights before they are scaled."""
        mix, place = self.asked.mix, occasion.place
        scales = mix.volatility_target is not None and place >= mix.window_or_default
        return self._hash(occasion, unscaled.tobytes(), *([self._rows(self.asked, place)] if scales else []))

    def of_fit(self, occasion: Occasion, before: Before) -> str:
        """Return the hash of a fit, and of what may answer in its place, from the weights before it."""
        windows = [
            self._rows(asked, occasion.place) for asked in self._asked if occasion.place >= asked.mix.window_or_default
        ]
        return self._hash(occasion, before.points.tobytes(), before.drifted.tobytes(), *windows)

    def _hash(self, occasion: Occasion, *parts: bytes) -> str:
        found = self._settings.copy()
        found.update(self._changing(occasion).encode())
        for part in parts:
            found.update(part)
        return found.hexdigest()[:16]

    def _rows(self, asked: Asked, place: int) -> bytes:
        """Return the digests of the rows that a window at a position may see."""
        first = 0 if asked.mix.expanding else place - asked.mix.window_or_default
        return self.history.row_digests[first : place + 1].tobytes()

    def _fixed(self) -> str:
        """Return what all decisions of the mix depend on, as JSON."""
        history, mixes = self.history, [asked.mix for asked in self._asked]
        parts = {
            "mixes": [[asked.name, settings_of(asked.mix)] for asked in self._asked],
            "assets": [history.tickers, history.classes, history.weights.tolist()],
            "fee_rate": history.fee_rate if any(mix.cost_aware for mix in mixes) else None,
            "periods_per_year": history.periods_per_year,
            "versions": library_versions(),
        }
        return json.dumps(parts, sort_keys=True)

    def _changing(self, occasion: Occasion) -> str:
        """Return what a decision depends on besides prices, as JSON."""
        history, place = self.history, occasion.place
        date = history.sessions[place].item()
        scores = [asked.scores_at(history, place) for asked in self._asked]
        parts: list[Any] = [
            occasion.held,
            occasion.follows,
            [None if row is None else [None if np.isnan(score) else score for score in row.tolist()] for row in scores],
            [read_signals(asked, history, place) for asked in self._reading],
            [[view.since <= date for view in asked.mix.views] for asked in self._asked],
        ]
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
