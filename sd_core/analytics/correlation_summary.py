"""Summaries of a whole correlation matrix, session by session: averages, diversification and absorption.

A session's assets are those that have moved in its window, with at least half of its returns. Where all of them closed
on every session of the window, everything follows from the returns themselves; elsewhere the matrix is put together
from its pairs. Sums add up in an order of their own, so that a session's numbers are the same to the last bit whatever
is computed beside them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from sd_core.analytics.correlation import NO_SPREAD, Floats, Integers, fewest_observations, pair_places, rolling

Flags = npt.NDArray[np.bool_]

# Of the principal components, the part that absorption counts: Kritzman, Li, Page and Rigobon (2011).
COMPONENTS_COUNTED = 5
# Numbers in the arrays of one step: memory stays small whatever the size of the market, and is used again by the next
# step, where larger arrays would be given back and have to be cleared by the system each time.
STEP = 1_000_000


class Summary(NamedTuple):
    """One entry per session asked for; NaN where a number cannot be computed.

    Attributes:
        assets: assets of the session.
        average: mean correlation over their pairs.
        within_marked, within_others: the same over pairs of marked assets, and over pairs of the others.
        across: the same over pairs of a marked asset and another.
        diversification_ratio: weighted mean of volatilities over the volatility of the weighted portfolio; Choueifaty
            and Coignard (2008).
        absorption_ratio: share of the total variance in the first fifth of the principal components of the covariance
            matrix, their number rounded up.
    """

    assets: Integers
    average: Floats
    within_marked: Floats
    within_others: Floats
    across: Floats
    diversification_ratio: Floats
    absorption_ratio: Floats


def summarise(closes: Floats, rows: Integers, window: int, weights: Floats, marked: Flags) -> Summary:
    """Return the summary of the last ``window`` rows at some rows.

    Args:
        closes: a row per session, a column per asset; NaN where there is none.
        rows: where to compute, ascending; each at least ``window``.
        window: length in rows.
        weights: of the assets in the portfolio whose diversification is measured, on any scale, 0 or more.
        marked: the assets that make a group of their own, such as cryptocurrencies.
    """
    numbers = len(Summary._fields) - 1
    found = Summary(np.zeros(len(rows), dtype=np.int64), *(np.full(len(rows), np.nan) for _ in range(numbers)))
    returns = _own_returns(closes)
    closed = np.isfinite(closes)

    def fill_in(step: slice) -> None:
        windows: Floats = _windows(returns, rows[step], window)
        used, squares = _usable(windows, window)
        found.assets[step] = used.sum(axis=1)
        whole = np.all(_windows(closed, rows[step], window + 1), axis=2)
        complete = np.all(whole | ~used, axis=1)
        for members, places in _alike(used, complete):
            if members.sum() < 2:
                continue
            at = np.arange(len(rows))[step][places]
            mine = _Group(weights[members], marked[members])
            if complete[places[0]]:
                computed = _from_returns(np.ascontiguousarray(windows[places][:, members]), mine)
            else:
                spread = np.sqrt(squares[places][:, members])
                computed = _from_pairs(rolling(closes[:, members], rows[at], window).correlation, spread, mine)
            for into, column in zip(found[1:], computed, strict=True):
                into[at] = column

    # Matrices this small make threads of the library wait for each other longer than they compute.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill_in, _steps(len(rows), closes.shape[1] * window)))
    return found


class _Group(NamedTuple):
    weights: Floats
    marked: Flags


def _own_returns(closes: Floats) -> Floats:
    """Return log returns since an asset's own last close; NaN where it has no close or none before."""
    logs = np.log(closes)
    last = np.where(np.isfinite(logs), np.arange(len(logs))[:, None], -1)
    before = np.maximum.accumulate(np.vstack([np.full((1, logs.shape[1]), -1), last[:-1]]), axis=0)
    known = np.take_along_axis(logs, np.maximum(before, 0), axis=0)
    return np.where(before >= 0, logs - known, np.nan)


def _steps(rows: int, numbers: int) -> Iterator[slice]:
    size = max(1, STEP // max(1, numbers))
    return (slice(begin, min(begin + size, rows)) for begin in range(0, rows, size))


def _windows(values: npt.NDArray[Any], rows: Integers, window: int) -> npt.NDArray[Any]:
    """Return the last ``window`` values at some rows: place, asset, value."""
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=0)[rows - window + 1]


def _usable(windows: Floats, window: int) -> tuple[Flags, Floats]:
    """Return which assets take part, and their sums of squares: enough returns, and not all the same."""
    known = np.isfinite(windows)
    count = known.sum(axis=2)
    filled = np.where(known, windows, 0.0)
    mean = _total(filled) / np.maximum(count, 1)
    squares = _total(np.where(known, filled - mean[:, :, None], 0.0) ** 2)
    return (count >= fewest_observations(window)) & (squares > count * NO_SPREAD**2), squares


def _alike(used: Flags, complete: Flags) -> Iterator[tuple[Flags, Integers]]:
    """Yield the sets of assets that occur with the places where they do, complete windows apart from others."""
    kinds, which = np.unique(np.column_stack([used, complete]), axis=0, return_inverse=True)
    for kind in range(len(kinds)):
        yield kinds[kind, :-1], np.flatnonzero(which.ravel() == kind)


def _from_returns(windows: Floats, group: _Group) -> tuple[Floats, ...]:
    """Compute the numbers of complete windows without any pair: sums of pairs are squares of sums."""
    moves = windows - (_total(windows) / windows.shape[2])[:, :, None]
    spread = np.sqrt(_total(moves**2))
    standard = moves / spread[:, :, None]
    marked, others = _combined(standard, group.marked), _combined(standard, ~group.marked)
    count_marked, count_others = int(group.marked.sum()), int((~group.marked).sum())
    portfolio = _combined(moves, group.weights)
    transposed = moves.transpose(0, 2, 1)
    # Both products have the same eigenvalues above 0.
    small = moves @ transposed if moves.shape[1] <= moves.shape[2] else transposed @ moves
    return (
        _mean_of_pairs(marked + others, count_marked + count_others),
        _mean_of_pairs(marked, count_marked),
        _mean_of_pairs(others, count_others),
        _total(marked * others) / (count_marked * count_others or np.nan),
        _diversification(spread, _total(portfolio**2), group.weights),
        _absorption(small, moves.shape[1]),
    )


def _mean_of_pairs(standard_sums: Floats, count: int) -> Floats:
    """Return the mean correlation of standardised series from their sum: |sum|^2 = count + 2 x sum over pairs."""
    means: Floats = (_total(standard_sums**2) - count) / (count * (count - 1) or np.nan)
    return means


def _from_pairs(correlation: Floats, spread: Floats, group: _Group) -> tuple[Floats, ...]:
    """Compute the numbers from all pairs' correlations; what needs the whole matrix is NaN where one is missing."""
    first, second = pair_places(len(group.weights))
    both, neither = group.marked[first] & group.marked[second], ~group.marked[first] & ~group.marked[second]
    matrix = np.zeros((len(spread), len(group.weights), len(group.weights)))
    matrix[:, first, second] = correlation
    matrix += matrix.transpose(0, 2, 1) + np.eye(len(group.weights))
    covariance = matrix * spread[:, :, None] * spread[:, None, :]
    variance = _total(_total(covariance * group.weights) * group.weights)
    return (
        _known_mean(correlation),
        _known_mean(correlation[:, both]),
        _known_mean(correlation[:, neither]),
        _known_mean(correlation[:, ~both & ~neither]),
        _diversification(spread, variance, group.weights),
        _absorption(covariance, len(group.weights)),
    )


def _known_mean(correlation: Floats) -> Floats:
    known = np.isfinite(correlation)
    count = known.sum(axis=1)
    return np.where(count > 0, _total(np.where(known, correlation, 0.0)) / np.maximum(count, 1), np.nan)


def _diversification(spread: Floats, variance: Floats, weights: Floats) -> Floats:
    risk = np.sqrt(np.maximum(variance, 0.0))
    return np.where(risk > NO_SPREAD, _total(spread * weights) / np.where(risk > NO_SPREAD, risk, 1.0), np.nan)


def _absorption(covariance: Floats, assets: int) -> Floats:
    counted = -(-assets // COMPONENTS_COUNTED)
    share = np.full(len(covariance), np.nan)
    whole = np.isfinite(covariance).all(axis=(1, 2))
    if whole.any():
        values = np.linalg.eigvalsh(covariance[whole])
        # A matrix of pairs that cover different days may have eigenvalues a little below 0.
        share[whole] = np.minimum(1.0, _total(values[:, -counted:]) / _total(values))
    return share


def _total(values: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return the sums along the last axis, added up from the first number to the last.

    The order of ``sum`` and of a product of matrices depends on how many rows there are, and with it the last bit.
    """
    return np.cumsum(values, axis=-1)[..., -1] if values.shape[-1] else np.zeros(values.shape[:-1])


def _combined(windows: Floats, weights: Floats | Flags) -> Floats:
    """Return the weighted sum of all assets, place by place, added up from the first asset to the last."""
    total = np.zeros((len(windows), windows.shape[2]))
    for asset, weight in enumerate(weights):
        total += weight * windows[:, asset]
    return total
