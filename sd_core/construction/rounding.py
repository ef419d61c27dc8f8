"""Weights as whole basis points, in which they are published, simulated and compared."""

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Floats

Points = npt.NDArray[np.int64]

WHOLE = 10_000
# Decimals of a basis point that count: what solvers leave beyond them differs from machine to machine.
DECIMALS = 5


def basis_points(weights: Floats, *, invested: bool) -> Points:
    """Return weights as whole basis points by largest remainder, of equal ones that of the first asset.

    Args:
        weights: fractions, 0 or more but for rounding, that sum to at most 1.
        invested: whether they are to sum to the whole, as they do but for rounding.

    >>> basis_points(np.array([1 / 3, 1 / 3, 1 / 3]), invested=True).tolist()
    [3334, 3333, 3333]
    >>> basis_points(np.array([0.12345, 0.2]), invested=False).tolist()
    [1235, 2000]
    """
    exact = np.clip(weights, 0.0, None)
    if invested:
        exact = exact / exact.sum()
    exact = np.round(exact * WHOLE, DECIMALS)
    points = np.floor(exact).astype(np.int64)
    total = WHOLE if invested else min(WHOLE, int(np.floor(exact.sum() + 0.5)))
    largest = np.argsort(points - exact, kind="stable")[: total - points.sum()]
    points[largest] += 1
    return points
