"""The efficient frontier at the end of every year, and the outcome of its portfolios in the year after.

What mixes decide belongs in ``decisions``.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from sd_core.construction.hashes import library_versions
from sd_core.construction.history import History, Window, look_back
from sd_core.construction.rounding import WHOLE, basis_points
from sd_core.market.arrays import Floats
from sd_core.study.mixes import DEFAULT_WINDOW, Mix

# How many portfolios of a frontier, from the least volatility to the highest expected return.
POINTS = 10
# Returns and covariance are estimated as a mix estimates them by default.
BELIEVED = Mix(method="mean_risk", objective="max_ratio")


class Year(NamedTuple):
    """A frontier: the position of the session at whose close it is drawn, what it sees, and the year after.

    Attributes:
        place: of the session.
        end: position of the last session of the year after; None while that is to come.
        window: of returns.
        after: returns of all assets from the session after the next one on, shape (sessions, assets).
    """

    place: int
    end: int | None
    window: Window
    after: Floats

    @property
    def window_hash(self) -> str:
        """A hash of all that its rows are made from."""
        parts = hashlib.sha256(str(library_versions()).encode())
        for array in (self.window.assets, self.window.returns, np.array([self.window.cash]), self.after):
            parts.update(np.ascontiguousarray(array).tobytes())
        return parts.hexdigest()[:16]


def frontier_rows(history: History, known: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``mix_frontier``, year by year.

    Args:
        history: the past.
        known: rows of before by their ``window_hash``, which are taken over where nothing of them has changed.
    """
    for year in _years(history):
        stored = known.get(year.window_hash)
        yield from _drawn(history, year) if stored is None else stored


def _years(history: History) -> Iterator[Year]:
    ends = [place for place in history.decision_places("year") if place >= DEFAULT_WINDOW]
    ended: list[int | None] = [*ends[1:], None]
    for place, end in zip(ends, ended, strict=False):
        window = look_back(history, place, DEFAULT_WINDOW)
        if window.has_rows and len(window.assets) > 1:
            # Bought at the close after the decision, as a strategy would.
            yield Year(place, end, window, history.returns[place + 2 : (place if end is None else end) + 1])


def _drawn(history: History, year: Year) -> Iterator[dict[str, Any]]:
    from sd_core.construction.estimates import estimate
    from sd_core.construction.optimisers import efficient_portfolios

    date = history.sessions[year.place].item()
    estimates = estimate(BELIEVED, history, year.window, date)
    periods = history.periods_per_year
    for point, weights in enumerate(efficient_portfolios(estimates, year.window, POINTS), start=1):
        held = basis_points(weights, invested=True) / WHOLE
        realised = None if year.end is None else _held(held, year.after[:, year.window.assets])
        yield {
            "decided_session": date,
            "point": point,
            "expected_return": float(held @ estimates.expected) * periods,
            "expected_volatility": float(np.sqrt(held @ estimates.covariance @ held * periods)),
            "realised_session": None if year.end is None else history.sessions[year.end].item(),
            "realised_return": None if realised is None else float(realised.mean()) * periods,
            "realised_volatility": None if realised is None else float(realised.std(ddof=1) * np.sqrt(periods)),
            "assets": int((held > 0).sum()),
            "largest_weight": float(held.max()),
            "window_hash": year.window_hash,
        }


def _held(weights: Floats, returns: Floats) -> Floats:
    """Return the returns of a portfolio that is bought once; an asset without a bar stays as it is until the next."""
    values = np.cumprod(1.0 + np.nan_to_num(returns), axis=0) @ weights
    return np.asarray(values / np.append(1.0, values[:-1]) - 1.0)
