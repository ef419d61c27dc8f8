"""What weights must keep to: bounds, groups, scores and turnover, as arrays for solvers and as a check afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sd_core.construction.history import History, Window
from sd_core.market.arrays import Floats
from sd_core.study.mixes import Mix

# By how much weights may miss a limit that they are meant to keep.
TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits of the weights w of the assets that may be held.

    Attributes:
        lower, upper: bounds, shape (assets,).
        rows, ends: shape (limits, assets) and (limits,); every ``rows @ w`` is at most its end.
        names: of those limits.
        drifted: weights before the decision, shape (assets,).
        sold: weights before the decision of assets that may no longer be held, which are sold.
        turnover: most that half the sum of changes may be; None: anything.
        whole: whether the weights sum to 1; else to at most 1.
        held: share of the weights that is held in the end; the rest stays in the bank.
    """

    lower: Floats
    upper: Floats
    rows: Floats
    ends: Floats
    names: tuple[str, ...]
    drifted: Floats
    sold: float
    turnover: float | None
    whole: bool
    held: float = 1.0

    def broken(self, weights: Floats) -> str | None:
        """Return which limit weights do not keep to, in words; None where they keep to all."""
        return next(self._broken(weights), None)

    def _broken(self, weights: Floats) -> Iterator[str]:
        total = float(weights.sum())
        if not np.isfinite(weights).all():
            yield "the weights are no numbers"
        elif total > 1 + TOLERANCE or (self.whole and total < 1 - TOLERANCE):
            yield f"the weights sum to {total:.7g}"
        if (weights < self.lower - TOLERANCE).any() or (weights > self.upper + TOLERANCE).any():
            yield "a weight is beyond its bounds"
        for name, row, end in zip(self.names, self.rows, self.ends, strict=True):
            if float(row @ weights) > end + TOLERANCE * max(1.0, float(np.abs(row).max())):
                yield f"{name} is not kept"
        if self.turnover is not None and self.turnover_of(weights) > self.turnover + TOLERANCE:
            yield f"the turnover is {self.turnover_of(weights):.7g}"

    def turnover_of(self, weights: Floats) -> float:
        """Return half the sum of the changes from the weights before the decision, over all assets."""
        return 0.5 * (float(np.abs(self.held * weights - self.drifted).sum()) + self.sold)

    @property
    def are_free(self) -> bool:
        """Whether nothing but the sum limits the weights."""
        return not len(self.rows) and self.turnover is None and not self.lower.any() and bool((self.upper == 1.0).all())


def limits_of(mix: Mix, history: History, window: Window, drifted: Floats, scores: Floats | None) -> Limits:
    """Return the limits of a mix at a decision.

    Args:
        mix: whose limits.
        history: the assets and their classes.
        window: which of them may be held.
        drifted: weights of all assets before the decision, shape (assets,).
        scores: of all assets, as known then; None where the mix has none.
    """
    lower = np.full(len(window.assets), mix.min_weight or 0.0)
    upper = np.full(len(window.assets), 1.0 if mix.max_weight is None else mix.max_weight)
    for at, asset in enumerate(window.assets):
        if (own := (mix.weights or {}).get(history.tickers[asset])) is not None:
            lower[at], upper[at] = own
    rows, ends, names = [], [], []
    for group, (low, high) in (mix.groups or {}).items():
        member = np.array([history.classes[asset] == group for asset in window.assets], dtype=np.float64)
        if low > 0:
            rows.append(-member)
            ends.append(-low)
            names.append(f"the lowest weight of {group}")
        if high < 1:
            rows.append(member)
            ends.append(high)
            names.append(f"the highest weight of {group}")
    if mix.scores is not None and scores is not None:
        rows.append(mix.scores.min - scores[window.assets])
        ends.append(0.0)
        names.append("the lowest mean score")
    held = np.isin(np.arange(len(drifted)), window.assets)
    return Limits(
        lower,
        upper,
        np.array(rows).reshape(len(rows), len(window.assets)),
        np.array(ends, dtype=np.float64),
        tuple(names),
        np.ascontiguousarray(drifted[held]),
        float(drifted[~held].sum()),
        mix.max_turnover,
        # Kelly may bet on less, and where no score is above 0 nothing is in proportion to it.
        whole=mix.method not in ("kelly", "proportional"),
        held=mix.fraction_or_default,
    )
