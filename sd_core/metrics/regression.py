"""Least squares whose errors allow for spreads that change and for observations that depend on their neighbours.

Statsmodels gives the same, which the tests hold it to; importing that takes longer than all regressions of a study.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from sd_core.market.arrays import Floats


class Regression(NamedTuple):
    """A line, plane or more through observations.

    Attributes:
        coefficients: the intercept, then one per regressor.
        errors: their standard errors.
        r_squared: share of the outcome's variance that the regressors explain; NaN for an outcome without variance.
        residual_deviation: standard deviation of what they do not explain, ddof the number of coefficients.
        observations: how many there are.
        lag: how many neighbours observations may depend on.
    """

    coefficients: Floats
    errors: Floats
    r_squared: float
    residual_deviation: float
    observations: int
    lag: int

    @property
    def t(self) -> Floats:
        """Each coefficient over its standard error."""
        return np.asarray(self.coefficients / self.errors)

    @property
    def p_values(self) -> Floats:
        """Two-sided p-values of coefficients of 0, by Student's t."""
        return np.asarray(2.0 * stdtr(self._freedom, -np.abs(self.t)))

    @property
    def margins(self) -> Floats:
        """Half the width of the 95 % interval of each coefficient, by Student's t."""
        return np.asarray(stdtrit(self._freedom, 0.975) * self.errors)

    @property
    def _freedom(self) -> int:
        return self.observations - len(self.coefficients)


def hac_lag(observations: int) -> int:
    """Return how many neighbours so many observations may depend on: ⌊4 (T/100)^(2/9)⌋ (Newey and West 1994)."""
    return int(4.0 * (observations / 100.0) ** (2.0 / 9.0))


def regress(outcome: Floats, regressors: Floats) -> Regression | None:
    """Regress an outcome on regressors and a constant by least squares.

    Errors are those of Newey and West (1987) with Bartlett's weights, corrected by T / (T - coefficients).

    Args:
        outcome: shape (observations,), in their order, without NaN.
        regressors: shape (observations, regressors), likewise.

    Returns:
        None where there are no more observations than coefficients, or where a regressor follows from the others.
    """
    count = len(outcome)
    design = np.column_stack([np.ones(count), regressors])
    if count <= design.shape[1] or _is_degenerate(design):
        return None
    coefficients = np.linalg.lstsq(design, outcome, rcond=None)[0]
    residuals = outcome - design @ coefficients
    lag = hac_lag(count)
    scores = design * residuals[:, None]
    spread = scores.T @ scores
    for distance in range(1, lag + 1):
        joint = scores[distance:].T @ scores[:-distance]
        spread += (1.0 - distance / (lag + 1.0)) * (joint + joint.T)
    bread = np.linalg.inv(design.T @ design)
    covariance = count / (count - design.shape[1]) * bread @ spread @ bread
    unexplained, total = residuals @ residuals, np.sum((outcome - outcome.mean()) ** 2)
    return Regression(
        np.asarray(coefficients),
        np.sqrt(np.diag(covariance)),
        float(1.0 - unexplained / total) if total > 0 else np.nan,
        float(np.sqrt(unexplained / (count - design.shape[1]))),
        count,
        lag,
    )


def _is_degenerate(design: Floats) -> bool:
    """Return whether a column follows from the others, whatever their units."""
    sizes = np.linalg.norm(design, axis=0)
    return bool((sizes == 0).any()) or bool(np.linalg.matrix_rank(design / sizes) < design.shape[1])
