"""The root of a function between two places, without waiting for the library that has more than that.

The same steps as scipy's ``brentq``, to the last bit: tests hold it to that. Importing ``scipy.optimize`` takes a third
of a second, which every run of simulations would wait for.
"""

import math
import sys
from collections.abc import Callable

MOST_STEPS = 100
# The rounding of a place, as scipy has it.
ROUNDING = 4 * sys.float_info.epsilon


def root(function: Callable[[float], float], low: float, high: float, *, xtol: float, rtol: float = ROUNDING) -> float:
    """Return a place between two at which a function is 0, by Brent's method.

    Each step takes the secant or the inverse parabola through the last places where that closes in fast enough, and
    half of the bracket elsewhere: Brent (1973), "Algorithms for Minimization without Derivatives", chapter 4.

    Args:
        function: continuous.
        low, high: where its signs differ, or where it is 0.
        xtol, rtol: the place is as close to a root as ``xtol + rtol * abs(place)``.

    Raises:
        ValueError: the signs do not differ.
        RuntimeError: it is not that close after 100 steps.

    >>> root(lambda x: x * x - 2.0, 0.0, 2.0, xtol=1e-15, rtol=1e-15)
    1.414213562373095
    """
    before, place = float(low), float(high)  # numpy's own numbers take longer
    at_before, at_place = function(before), function(place)
    if at_before == 0.0:
        return before
    if at_place == 0.0:
        return place
    if (at_before < 0.0) == (at_place < 0.0):
        raise ValueError(f"expected different signs at {low} and {high}, was {at_before} and {at_place}")
    # The other end of the bracket, and the last two steps.
    other, at_other = before, at_before
    step_before = step = place - before
    for _ in range(MOST_STEPS):
        if at_before != 0.0 and at_place != 0.0 and (at_before < 0.0) != (at_place < 0.0):
            other, at_other = before, at_before
            step_before = step = place - before
        if abs(at_other) < abs(at_place):
            before, place, other = place, other, place
            at_before, at_place, at_other = at_place, at_other, at_place
        close = (xtol + rtol * abs(place)) / 2.0
        half = (other - place) / 2.0
        if at_place == 0.0 or abs(half) < close:
            return place
        tried = math.inf
        if abs(step_before) > close and abs(at_place) < abs(at_before):
            tried = _interpolated((before, at_before), (place, at_place), (other, at_other))
        if 2.0 * abs(tried) < min(abs(step_before), 3.0 * abs(half) - close):
            step_before, step = step, tried
        else:
            step_before = step = half
        before, at_before = place, at_place
        place += step if abs(step) > close else math.copysign(close, half)
        at_place = function(place)
    raise RuntimeError(f"no root between {low} and {high} after {MOST_STEPS} steps: expected a continuous function")


Point = tuple[float, float]


def _interpolated(before: Point, now: Point, other: Point) -> float:
    """Return the step from a point to where a line, or a parabola through a third point, is 0; infinity: nowhere."""
    (x0, y0), (x1, y1), (x2, y2) = before, now, other
    if x0 == x2:
        return -y1 * (x1 - x0) / (y1 - y0)
    slope_0, slope_2 = (y0 - y1) / (x0 - x1), (y2 - y1) / (x2 - x1)
    below = slope_2 * slope_0 * (y2 - y0)
    return -y1 * (y2 * slope_2 - y0 * slope_0) / below if below != 0.0 else math.inf
