"""What weights would have returned under stress: pure arithmetic on returns.

Which stress there is, and how its outcomes are stored, belongs in ``pipelines``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Floats
from sd_core.metrics.regression import regress


class Replay(NamedTuple):
    """A stretch of the past again: return from its first close to its last, and deepest fall below its highest."""

    total: float
    max_drawdown: float


def replayed(returns: Floats, cash: Floats, weights: Floats) -> Replay:
    """Hold weights, bought at the close before some sessions, through them without trading.

    Args:
        returns: with dividends, shape (sessions, assets).
        cash: what cash earned, shape (sessions,); what is not invested earns it.
        weights: summing to at most 1, shape (assets,).
    """
    value = np.concatenate(
        [[1.0], np.cumprod(1.0 + returns, axis=0) @ weights + _bank(weights) * np.cumprod(1.0 + cash)]
    )
    return Replay(float(value[-1] - 1.0), float((value / np.maximum.accumulate(value) - 1.0).min()))


def outcomes_of_draws(returns: Floats, cash: Floats, weights: Floats, drawn: npt.NDArray[np.int64]) -> Floats:
    """Return what weights return over each of many stretches of sessions.

    Args:
        returns, cash, weights: as :func:`replayed` takes them.
        drawn: positions in ``returns``, shape (stretches, sessions of each).
    """
    growth = np.prod(1.0 + returns[drawn], axis=1) @ weights
    return np.asarray(growth + _bank(weights) * np.prod(1.0 + cash[drawn], axis=1) - 1.0)


class Volatility(NamedTuple):
    """Standard deviation of a portfolio's returns: as it was, and with every correlation half-way to 1."""

    now: float
    stressed: float


def with_higher_correlations(returns: Floats, weights: Floats) -> Volatility:
    """Return the volatility of weights per session, and with correlations of ½R + ½J, J all ones.

    Both R and J are positive semi-definite, so that their mean is one too. What is not invested has no volatility.

    Args:
        returns: shape (sessions, assets).
        weights: shape (assets,).
    """
    covariance = np.cov(returns, rowvar=False, ddof=1).reshape(len(weights), len(weights))
    spread = np.sqrt(np.diag(covariance)) * weights
    variance = weights @ covariance @ weights
    return Volatility(float(np.sqrt(variance)), float(np.sqrt(0.5 * variance + 0.5 * spread.sum() ** 2)))


class Exposure(NamedTuple):
    """How far a portfolio moves with the benchmark, and half the width of the 95 % interval of that."""

    beta: float
    margin: float


def exposure_to(benchmark: Floats, cash: Floats, portfolio: Floats) -> Exposure | None:
    """Return the slope of a portfolio's excess returns on those of the benchmark.

    Args:
        benchmark, cash, portfolio: returns over the same stretches, without NaN.

    Returns:
        None where the benchmark does not move, or there are too few of them.
    """
    found = regress(portfolio - cash, (benchmark - cash)[:, None])
    return None if found is None else Exposure(float(found.coefficients[1]), float(found.margins[1]))


def gathered(returns: Floats, weights: Floats, most: int) -> tuple[Floats, Floats]:
    """Return assets from the first so many on as one, held in proportion to their weights, where there are more.

    Args:
        returns: shape (sessions, assets).
        weights: above 0, shape (assets,), the heaviest first.
        most: assets that stay by themselves.
    """
    rest = weights[most:]
    if not len(rest):
        return returns, weights
    together = returns[:, most:] @ rest / rest.sum()
    return np.column_stack([returns[:, :most], together]), np.append(weights[:most], rest.sum())


def _bank(weights: Floats) -> float:
    return max(0.0, 1.0 - float(weights.sum()))
