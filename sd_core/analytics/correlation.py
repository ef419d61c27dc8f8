"""Correlations of many pairs of assets at many sessions, compiled, each pair over the closes that both have.

The returns of a pair are the log returns between the sessions on which both closed: where one did not trade, the move
over the gap is one return of both, so that they always cover the same days. Those of weeks and months run from the last
such session of one to that of the next. Numbers only; which windows are computed when, and how they become tables,
belongs in ``correlation_tables``.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# A standard deviation below this is the rounding of equal numbers, as in the macros of the warehouse.
NO_SPREAD = 1e-12
# Running sums are recomputed where less than this is left of their largest, since its rounding is still in them.
LEFT_OF_PEAK = 1e-3


class Pairs(NamedTuple):
    """What is known of every pair at every place asked for; both arrays have a row per place and a column per pair.

    Attributes:
        correlation: NaN where too few observations or no spread allow none.
        observations: returns that it rests on.
    """

    correlation: Floats
    observations: Integers


class _Sums(NamedTuple):
    """Running sums over a window of returns, taken from about their mean so that little is lost to rounding.

    Attributes:
        moves: returns that came or went since the sums were last recomputed.
        about_x, about_y: what is taken off the returns.
        x, y, xx, yy, xy: the sums.
        peak_xx, peak_yy: the largest since then.
    """

    moves: int
    about_x: float
    about_y: float
    x: float
    y: float
    xx: float
    yy: float
    xy: float
    peak_xx: float
    peak_yy: float


def pair_places(assets: int) -> tuple[Integers, Integers]:
    """Return the places of the first and second asset of every pair, first before second, in order."""
    first, second = np.triu_indices(assets, 1)
    return first.astype(np.int64), second.astype(np.int64)


def fewest_observations(window: int) -> int:
    """Return how many observations a window needs: half of it, rounded up."""
    return (window + 1) // 2


def rolling(closes: Floats, rows: Integers, window: int, periods: Integers | None = None) -> Pairs:
    """Return Pearson's correlation of every pair over the last ``window`` periods at some periods.

    Args:
        closes: a row per session, a column per asset; NaN where there is none.
        rows: the periods at which to compute, ascending; each at least ``window`` and over within the closes.
        window: length in periods; a return belongs to the period in which it ends.
        periods: the period of each session, such as its week, ascending; None: each is one of its own.
    """
    return _by_pair(_rolling, closes, rows, window, periods=periods)


def exponentially_weighted(closes: Floats, rows: Integers, decay: float, recent: int) -> Pairs:
    """Return the exponentially weighted correlation of every pair at some rows.

    Weights fall by ``decay`` with every return of the pair and add up to one, means are taken off: pandas'
    ``ewm(alpha=1 - decay, adjust=True).corr()`` on the pair's returns.

    Args:
        closes, rows: as in :func:`rolling`.
        decay: lambda of RiskMetrics, 0.94 there for days.
        recent: there must be as many returns in all, and half as many in the last ``recent`` rows.
    """
    return _by_pair(_exponentially_weighted, closes, rows, recent, decay)


def _by_pair(
    kernel: Callable[..., None],
    closes: Floats,
    rows: Integers,
    window: int,
    *terms: float,
    periods: Integers | None = None,
) -> Pairs:
    """Run a kernel on chunks of pairs, each on its own thread; a pair's numbers depend on its closes alone."""
    log_closes = np.ascontiguousarray(np.log(closes).T)
    periods = np.arange(len(closes)) if periods is None else periods
    first, second = pair_places(len(log_closes))
    correlation = np.empty((len(first), len(rows)))
    observations = np.empty((len(first), len(rows)), dtype=np.int64)
    threads = os.cpu_count() or 1
    chunks = [chunk for chunk in np.array_split(np.arange(len(first)), 8 * threads) if len(chunk)]

    def run(chunk: Integers) -> None:
        part = slice(int(chunk[0]), int(chunk[-1]) + 1)
        kernel(
            log_closes,
            periods,
            first[part],
            second[part],
            rows,
            window,
            fewest_observations(window),
            *terms,
            correlation[part],
            observations[part],
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, chunks))
    return Pairs(np.ascontiguousarray(correlation.T), np.ascontiguousarray(observations.T))


compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def _common_returns(one: Floats, other: Floats, periods: Integers, x: Floats, y: Floats, ends: Integers) -> int:
    """Fill in the returns of both assets between common closes, the last of each period, and the periods they end in.

    Returns how many there are. That of a period that goes on is among them, up to its last common close so far.
    """
    count = 0
    previous = newest = -1
    for t in range(len(one)):
        if np.isnan(one[t]) or np.isnan(other[t]):
            continue
        if newest >= 0 and periods[t] != periods[newest]:
            previous = newest
            count += 1
        newest = t
        if previous >= 0:
            x[count - 1] = one[t] - one[previous]
            y[count - 1] = other[t] - other[previous]
            ends[count - 1] = periods[t]
    return count


@compiled
def _rolling(
    log_closes: Floats,
    periods: Integers,
    first: Integers,
    second: Integers,
    rows: Integers,
    window: int,
    fewest: int,
    correlation: Floats,
    observations: Integers,
) -> None:
    sessions = log_closes.shape[1]
    x, y = np.empty(sessions), np.empty(sessions)
    ends = np.empty(sessions, dtype=np.int64)
    for pair in range(len(first)):
        returns = _common_returns(log_closes[first[pair]], log_closes[second[pair]], periods, x, y, ends)
        low = high = 0
        sums = _Sums(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for place in range(len(rows)):
            while high < returns and ends[high] <= rows[place]:
                sums = _moved(sums, x[high], y[high], 1.0)
                high += 1
            while low < high and ends[low] <= rows[place] - window:
                sums = _moved(sums, x[low], y[low], -1.0)
                low += 1
            count = high - low
            observations[pair, place] = count
            correlation[pair, place] = np.nan
            if count < fewest:
                continue
            if _is_worn(sums, count, window):
                sums = _summed(x[low:high], y[low:high])
            correlation[pair, place] = _correlation(*_moments(sums, count))


@compiled
def _moved(sums: _Sums, x: float, y: float, sign: float) -> _Sums:
    """Return the sums with a return more, or with one less."""
    from_x, from_y = x - sums.about_x, y - sums.about_y
    xx, yy = sums.xx + sign * from_x * from_x, sums.yy + sign * from_y * from_y
    return _Sums(
        sums.moves + 1,
        sums.about_x,
        sums.about_y,
        sums.x + sign * from_x,
        sums.y + sign * from_y,
        xx,
        yy,
        sums.xy + sign * from_x * from_y,
        max(sums.peak_xx, xx),
        max(sums.peak_yy, yy),
    )


@compiled
def _summed(x: Floats, y: Floats) -> _Sums:
    """Return the recomputed sums of a window."""
    about_x, about_y = x.mean(), y.mean()
    sums = _Sums(0, about_x, about_y, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for t in range(len(x)):
        sums = _moved(sums, x[t], y[t], 1.0)
    return _Sums(0, about_x, about_y, sums.x, sums.y, sums.xx, sums.yy, sums.xy, sums.xx, sums.yy)


@compiled
def _is_worn(sums: _Sums, count: int, window: int) -> bool:
    """Return whether rounding may have reached the digits that count: after many moves, or after a large one left."""
    var_x, var_y, _ = _moments(sums, count)
    return (
        sums.moves >= 2 * window
        or var_x * count < LEFT_OF_PEAK * sums.peak_xx
        or var_y * count < LEFT_OF_PEAK * sums.peak_yy
    )


@compiled
def _moments(sums: _Sums, count: int) -> tuple[float, float, float]:
    """Return variances and covariance, over the number of returns."""
    mean_x, mean_y = sums.x / count, sums.y / count
    return sums.xx / count - mean_x * mean_x, sums.yy / count - mean_y * mean_y, sums.xy / count - mean_x * mean_y


@compiled
def _exponentially_weighted(
    log_closes: Floats,
    periods: Integers,
    first: Integers,
    second: Integers,
    rows: Integers,
    recent: int,
    fewest: int,
    decay: float,
    correlation: Floats,
    observations: Integers,
) -> None:
    sessions = log_closes.shape[1]
    x, y = np.empty(sessions), np.empty(sessions)
    ends = np.empty(sessions, dtype=np.int64)
    for pair in range(len(first)):
        returns = _common_returns(log_closes[first[pair]], log_closes[second[pair]], periods, x, y, ends)
        low = high = 0
        weights = mean_x = mean_y = var_x = var_y = covariance = 0.0
        for place in range(len(rows)):
            while high < returns and ends[high] <= rows[place]:
                # Welford's update, with weights: the newest return has the share 1 / weights of the whole.
                weights = decay * weights + 1.0
                share = 1.0 / weights
                from_x, from_y = x[high] - mean_x, y[high] - mean_y
                mean_x += share * from_x
                mean_y += share * from_y
                var_x = (1.0 - share) * (var_x + share * from_x * from_x)
                var_y = (1.0 - share) * (var_y + share * from_y * from_y)
                covariance = (1.0 - share) * (covariance + share * from_x * from_y)
                high += 1
            while low < high and ends[low] <= rows[place] - recent:
                low += 1
            observations[pair, place] = high
            correlation[pair, place] = np.nan
            if high >= recent and high - low >= fewest:
                correlation[pair, place] = _correlation(var_x, var_y, covariance)


@compiled
def _correlation(var_x: float, var_y: float, covariance: float) -> float:
    if var_x <= NO_SPREAD * NO_SPREAD or var_y <= NO_SPREAD * NO_SPREAD:
        return np.nan
    # Rounding may carry perfect correlation past one.
    return min(1.0, max(-1.0, covariance / np.sqrt(var_x * var_y)))
