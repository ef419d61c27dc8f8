"""How good the best of many trials looks by luck alone, and how likely one is better than that."""

import math

from sd_core.selection.differences import Moments

# One-sided, at 95 %.
QUANTILE = 1.645
EULER = 0.5772156649015329


def expected_best(trials: float, variance: float) -> float:
    """Return the ratio that the best of independent trials is expected to have where none is better than 0.

    √V ((1 - γ) Φ⁻¹(1 - 1/N) + γ Φ⁻¹(1 - 1/(N e))), with γ the constant of Euler and Mascheroni (Bailey and López de
    Prado 2014).

    Args:
        trials: N; a single one is no choice, so that 0 is expected.
        variance: V, of the ratios among the trials.

    >>> round(expected_best(100, 0.5 / 250), 6)
    0.113172
    """
    # With all of scipy's statistics it would take a second to import.
    from scipy.special import ndtri

    if trials <= 1:
        return 0.0
    best = (1.0 - EULER) * ndtri(1.0 - 1.0 / trials) + EULER * ndtri(1.0 - 1.0 / (trials * math.e))
    return float(math.sqrt(variance) * best)


def deflated(found: Moments[float], sessions: int, benchmark: float) -> float:
    """Return the probability that a true ratio is above a benchmark: the deflated, or probabilistic, Sharpe ratio.

    Φ[(S - S₀) √(T - 1) / √(1 - γ₃ S + (γ₄ - 1) S² / 4)] (Bailey and López de Prado 2012, 2014).

    Args:
        found: moments of a series; its ratio is S, of a session and not of a year.
        sessions: T.
        benchmark: S₀, such as the :func:`expected_best` of all trials.

    >>> year = Moments(0.0, 0.0, 2.5 / math.sqrt(250), -3.0, 10.0)
    >>> round(deflated(year, 1_250, expected_best(100, 0.5 / 250)), 6)
    0.900397
    """
    from scipy.special import ndtr

    above = (found.ratio - benchmark) * math.sqrt(sessions - 1)
    return float(ndtr(above / math.sqrt(_spread(found))))


def sessions_needed(found: Moments[float]) -> float | None:
    """Return how many sessions a ratio takes to be above 0 at 95 %: the minimum track record; None of one that is not.

    1 + (1 - γ₃ S + (γ₄ - 1) S² / 4) (1.645 / S)² (Bailey and López de Prado 2012).
    """
    return 1.0 + _spread(found) * (QUANTILE / found.ratio) ** 2 if found.ratio > 0.0 else None


def effective_trials(trials: int, correlation: float) -> float:
    """Return how many independent trials as many trials with a mean correlation come to: ρ + (1 - ρ) N.

    >>> effective_trials(100, 0.9)
    10.9
    """
    return round(correlation + (1.0 - correlation) * trials, 9)


def _spread(found: Moments[float]) -> float:
    """Return the variance of an estimated ratio, times the sessions less 1; never negative for real moments."""
    return 1.0 - found.skewness * found.ratio + (found.kurtosis - 1.0) / 4.0 * found.ratio**2
