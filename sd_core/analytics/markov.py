"""Two-state Markov-switching models, refitted month by month on past data only.

A series follows one of two normal distributions; which one is a hidden Markov chain (Hamilton 1989). The likelihood and
its gradient are those of statsmodels' ``MarkovRegression`` with two regimes and a switching variance, compiled, since
a study of decades needs hundreds of fits. Which series is modelled, and what the states are called, belongs to the
callers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

# The largest gradient of the mean log-likelihood that still counts as an optimum, and the one that is looked for.
CONVERGED, SOUGHT = 1e-6, 1e-7
# A fit takes some ten steps; one that takes many more is on its way to a state without spread.
MOST_STEPS = 200
# A state whose variance is a smaller part of the series' own has shrunk onto a few equal values and describes nothing.
SMALLEST_VARIANCE = 1e-6
# Logarithm of the odds beyond which a state that was never left would round to one that cannot be left.
MOST_ODDS = 30.0
# A standard deviation below this share of the largest observation is the rounding of equal ones.
ROUNDING = 1e-12
# How persistent the states may be where no earlier fit is at hand.
FRESH_PERSISTENCES = (0.8, 0.95, 0.99)
MONTHS_PER_YEAR = 12
NATURAL = 6
NO_MATRIX = np.empty((0, 0))


@dataclass(frozen=True)
class Parameters:
    """A two-state model; state 1 is the one of the higher variance or, where means differ, of the higher mean.

    Attributes:
        means: of both states, in units of the series.
        variances: of both states.
        stay: probability that a state follows itself, of both.
    """

    means: tuple[float, float]
    variances: tuple[float, float]
    stay: tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """Parameters with their log-likelihood, and whether the optimiser arrived at a proper optimum.

    ``inverse_hessian`` is that of the mean loss at the end, as the optimiser knows it; None where it is of no use.
    """

    parameters: Parameters
    log_likelihood: float
    converged: bool
    inverse_hessian: Floats | None = None


def filtered(series: Floats, parameters: Parameters) -> tuple[float, Floats]:
    """Return the log-likelihood, and the probability of state 1 at each observation given those up to it.

    The chain begins in its steady state. Hamilton's filter, Hamilton (1989), "A new approach to the economic analysis
    of nonstationary time series and the business cycle", Econometrica 57.
    """
    log_likelihood, _, probability = _hamilton(series, *_unpack(parameters), NO_MATRIX)
    return log_likelihood, probability


def fit(series: Floats, *, shared_mean: bool, start: Parameters | None = None) -> Fit:
    """Return the maximum-likelihood fit to a series without gaps.

    Args:
        series: observations, at least a few dozen, not all equal.
        shared_mean: one mean for both states, which then differ in variance alone and are ordered by it; otherwise
            means differ too, and the states are ordered by them.
        start: where to begin; None: at each of a few persistences, with the series split in halves, and the best wins.
    """
    starts = [start] if start is not None else _fresh_starts(series, shared_mean)
    return _best(_fit_from(series, begin, shared_mean) for begin in starts)


def refitted_monthly(series: Floats, months: npt.NDArray[np.int64], minimum: int, *, shared_mean: bool) -> Floats:
    """Return the filtered probability of state 1 under parameters that no later observation has touched.

    In each month the model is fitted to everything before the month's first observation. The optimiser begins at the
    parameters and the Hessian of the month before, and each January afresh as well, to escape a lower maximum; the
    likelier fit counts. One that does not converge is not used: the last good parameters stay.

    Args:
        series: observations in order, without gaps.
        months: of the observations, counted from a January.
        minimum: observations that the first fit needs.
        shared_mean: as in :func:`fit`.

    Returns:
        One probability per observation; NaN before the first fit.
    """
    probability = np.full(len(series), np.nan)
    if len(series) <= minimum or _is_still(series[:minimum]):
        return probability
    # A scale that never changes, so that the optimiser's steps mean the same for every series.
    scaled = series / np.std(series[:minimum])
    begins = np.flatnonzero(np.diff(months, prepend=months[0] - 1))
    ends = np.append(begins[1:], len(series))
    good: Fit | None = None
    for begin, end in zip(begins, ends, strict=True):
        if begin < minimum:
            continue
        past = scaled[:begin]
        fits = [] if good is None else [_fit_from(past, good.parameters, shared_mean, good.inverse_hessian)]
        if not fits or months[begin] % MONTHS_PER_YEAR == 0:
            fits += [_fit_from(past, start, shared_mean) for start in _fresh_starts(past, shared_mean)]
        found = _best(fits)
        if found.converged:
            good = found
        if good is not None:
            probability[begin:end] = filtered(scaled[:end], good.parameters)[1][begin:]
    return probability


def _is_still(series: Floats) -> bool:
    """Return whether all observations are the same but for rounding, which their mean has even if they have none."""
    return bool(np.std(series) <= ROUNDING * np.abs(series).max())


def _best(fits: Iterable[Fit]) -> Fit:
    return max(fits, key=lambda one: (one.converged, one.log_likelihood))


def _fresh_starts(series: Floats, shared_mean: bool) -> list[Parameters]:
    """Return starts that take the half of the observations that lies further out, or higher, for state 1."""
    place = np.abs(series - series.mean()) if shared_mean else series
    # By rank, so that neither half is empty where many are alike.
    high = np.zeros(len(series), dtype=bool)
    high[np.argsort(place, kind="stable")[len(series) // 2 :]] = True
    floor = 0.01 * float(np.var(series))
    variances = (max(float(np.var(series[~high])), floor), max(float(np.var(series[high])), floor))
    mean = float(series.mean())
    means = (mean, mean) if shared_mean else (float(series[~high].mean()), float(series[high].mean()))
    return [Parameters(means, variances, (stay, stay)) for stay in FRESH_PERSISTENCES]


def _fit_from(series: Floats, start: Parameters, shared_mean: bool, inverse_hessian: Floats | None = None) -> Fit:
    from scipy.optimize import minimize

    count = len(series)
    # From the parameters that are free to the six that the likelihood knows: one mean may serve for both.
    whole = np.eye(NATURAL)[:, 1 if shared_mean else 0 :]
    whole[0, 0] = 1

    def loss(free: Floats) -> tuple[float, Floats]:
        log_likelihood, gradient, _ = _hamilton(series, *(whole @ free), NO_MATRIX)
        if not math.isfinite(log_likelihood):
            return math.inf, np.zeros_like(free)
        return -log_likelihood / count, -(whole.T @ gradient) / count

    begin = np.array(_unpack(start))[1 if shared_mean else 0 :]
    if inverse_hessian is None:
        inverse_hessian = _inverse_information(series, begin, whole)
    options = {"gtol": SOUGHT, "maxiter": MOST_STEPS, "hess_inv0": inverse_hessian}
    found = minimize(loss, begin, jac=True, method="BFGS", options=options)
    value, gradient = float(found.fun), found.jac
    natural = whole @ found.x
    proper = bool(np.all(np.exp(natural[2:4]) > SMALLEST_VARIANCE * np.var(series)))
    converged = math.isfinite(value) and bool(np.max(np.abs(gradient)) <= CONVERGED) and proper
    # Where the states change places, the matrix would be that of other parameters.
    low, high = natural[2:4] if shared_mean else natural[0:2]
    hessian = _positive_definite(found.hess_inv) if low <= high else None
    return Fit(_ordered(natural, shared_mean), -value * count, converged, hessian)


def _inverse_information(series: Floats, free: Floats, whole: Floats) -> Floats | None:
    """Return the inverse of the information in the scores, from which the optimiser needs few steps; None: singular.

    Berndt, Hall, Hall and Hausman (1974): the mean outer product of the scores approximates the Hessian.
    """
    outer = np.zeros((NATURAL, NATURAL))
    _hamilton(series, *(whole @ free), outer)
    try:
        inverse = np.asarray(np.linalg.inv(whole.T @ outer @ whole / len(series)), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    return _positive_definite(inverse)


def _positive_definite(matrix: Floats) -> Floats | None:
    """Return a matrix without the asymmetry that rounding left; None: the optimiser could not begin with it."""
    matrix = (matrix + matrix.T) / 2
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    return matrix if np.isfinite(matrix).all() else None


def _unpack(parameters: Parameters) -> tuple[float, ...]:
    """Return the parameters without bounds: means, logarithms of variances, log-odds of staying."""
    odds = (math.log(stay / (1 - stay)) for stay in parameters.stay)
    return (*parameters.means, *(math.log(variance) for variance in parameters.variances), *odds)


def _ordered(natural: Floats, shared_mean: bool) -> Parameters:
    stays = 1 / (1 + np.exp(-np.clip(natural[4:6], -MOST_ODDS, MOST_ODDS)))
    pairs = list(zip(natural[0:2], np.exp(natural[2:4]), stays, strict=True))
    low, high = sorted(pairs, key=lambda pair: pair[1] if shared_mean else pair[0])
    means, variances, stay = ((float(one), float(other)) for one, other in zip(low, high, strict=True))
    return Parameters(means, variances, stay)


@njit(cache=True, nogil=True, error_model="numpy")
def _hamilton(
    series: Floats,
    mean_0: float,
    mean_1: float,
    log_var_0: float,
    log_var_1: float,
    odds_0: float,
    odds_1: float,
    outer: Floats,
) -> tuple[float, Floats, Floats]:
    """Return log-likelihood, its gradient in the six parameters, and the filtered probability of state 1.

    ``outer``, unless it is empty, is filled with the sum of the outer products of every observation's gradient.
    """
    stay_0, stay_1 = 1 / (1 + math.exp(-odds_0)), 1 / (1 + math.exp(-odds_1))
    slope_0, slope_1 = stay_0 * (1 - stay_0), stay_1 * (1 - stay_1)
    var_0, var_1 = math.exp(log_var_0), math.exp(log_var_1)
    gradient = np.zeros(NATURAL)
    filtered_1 = np.empty(len(series))
    leave_both = 2 - stay_0 - stay_1
    # The steady state, and how it moves with the last two parameters.
    probability = (1 - stay_0) / leave_both
    slope = np.zeros(NATURAL)
    slope[4] = -slope_0 * (1 - stay_1) / leave_both**2
    slope[5] = slope_1 * (1 - stay_0) / leave_both**2
    step = np.zeros(NATURAL)
    score = np.zeros(NATURAL)
    density_0_step = np.zeros(NATURAL)
    density_1_step = np.zeros(NATURAL)
    log_likelihood = 0.0
    for t in range(len(series)):
        predicted = (1 - probability) * (1 - stay_0) + probability * stay_1
        for k in range(NATURAL):
            step[k] = slope[k] * (stay_0 + stay_1 - 1)
        step[4] -= (1 - probability) * slope_0
        step[5] += probability * slope_1
        from_0, from_1 = series[t] - mean_0, series[t] - mean_1
        far_0, far_1 = from_0 * from_0 / var_0, from_1 * from_1 / var_1
        # Both densities over the higher one, so that neither is lost to rounding far from both means.
        ahead = 0.5 * (log_var_0 - log_var_1 + far_0 - far_1)
        if ahead < 0:
            density_0, density_1 = 1.0, math.exp(ahead)
            highest = -0.5 * (log_var_0 + far_0)
        else:
            density_0, density_1 = math.exp(-ahead), 1.0
            highest = -0.5 * (log_var_1 + far_1)
        density_0_step[0] = density_0 * from_0 / var_0
        density_0_step[2] = density_0 * 0.5 * (far_0 - 1)
        density_1_step[1] = density_1 * from_1 / var_1
        density_1_step[3] = density_1 * 0.5 * (far_1 - 1)
        total = (1 - predicted) * density_0 + predicted * density_1
        log_likelihood += highest + math.log(total)
        over = 1 / total
        probability = predicted * density_1 * over
        for k in range(NATURAL):
            total_step = (
                step[k] * (density_1 - density_0) + (1 - predicted) * density_0_step[k] + predicted * density_1_step[k]
            )
            slope[k] = (step[k] * density_1 + predicted * density_1_step[k] - probability * total_step) * over
            score[k] = total_step * over
            gradient[k] += score[k]
        if outer.size:
            for k in range(NATURAL):
                for other in range(NATURAL):
                    outer[k, other] += score[k] * score[other]
        filtered_1[t] = probability
    return log_likelihood - 0.5 * math.log(2 * math.pi) * len(series), gradient, filtered_1
