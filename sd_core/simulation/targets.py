"""Target weights that change by session, and from when on they are in force.

What acts on targets belongs in ``kernel``; where they come from in the study, and in whatever decides on them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Dates, Floats

# Weights that sum to more than 1 by no more than this do so by rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Targets:
    """Rows of target weights, each in force from the close of its session on.

    Attributes:
        sessions: of each row, datetime64[D], strictly ascending. One between two sessions of a panel counts on the
            later one. The first row is in force from the start where no other is dated by then.
        weights: shape (rows, assets), 0 or more; a row sums to at most 1, and what is missing stays in the bank.
    """

    sessions: Dates
    weights: Floats

    def __post_init__(self) -> None:
        rows = len(self.sessions)
        if rows == 0 or self.weights.ndim != 2 or len(self.weights) != rows:
            raise ValueError(f"weights: expected one row per session, {rows} and at least 1, was {self.weights.shape}")
        if not (np.diff(self.sessions) > np.timedelta64(0, "D")).all():
            raise ValueError("sessions: expected strictly ascending dates")
        if not (np.isfinite(self.weights).all() and (self.weights >= 0).all()):
            raise ValueError("weights: expected finite numbers of at least 0")
        if (heaviest := self.weights.sum(axis=1).max()) > 1 + ROUNDING:
            raise ValueError(f"weights: expected rows that sum to at most 1, was {heaviest}")

    @classmethod
    def constant(cls, weights: Floats) -> "Targets":
        """Return targets that never change, of shape (assets,)."""
        return cls(np.array(["1970-01-01"], "datetime64[D]"), np.asarray(weights, dtype=np.float64)[None, :])

    def in_force(self, date: np.datetime64) -> Floats:
        """Return the weights in force after the close of a date, shape (assets,)."""
        row = 0 if len(self.sessions) == 1 else self.rows_by_session(np.array([date]))[0]
        return np.asarray(self.weights[row])

    def rows_by_session(self, sessions: Dates) -> npt.NDArray[np.int64]:
        """Return which row is in force from the close of each session of a panel on, shape (sessions,)."""
        return np.maximum(np.searchsorted(self.sessions, sessions, side="right") - 1, 0)

    def of(self, assets: npt.NDArray[np.intp]) -> "Targets":
        """Return the targets of some assets alone, each row scaled to sum to 1 where it has anything."""
        weights = self.weights[:, assets]
        sums = weights.sum(axis=1, keepdims=True)
        return Targets(self.sessions, np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0))
