"""Ratios of returns for Python and for compiled code: both may call these functions of arrays.

The formulas are those of ``sql/macros.sql``; NaN where there are not enough observations.
"""

import math

import numpy as np
from numba.extending import register_jitable

from sd_core.market.arrays import Floats

# A spread below this is the rounding of equal numbers.
NO_SPREAD = 1e-12

for_both = register_jitable(error_model="numpy")


@for_both
def deviation(values: Floats) -> float:
    """Return the standard deviation with ddof 1; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan
    return math.sqrt(np.sum((values - values.mean()) ** 2) / (len(values) - 1))


@for_both
def sharpe(excess: Floats, periods_per_year: float) -> float:
    """Return the mean excess return over its standard deviation (ddof 1), per year; NaN for equal ones."""
    spread = deviation(excess)
    return excess.mean() / spread * math.sqrt(periods_per_year) if spread > NO_SPREAD else math.nan


@for_both
def sortino(excess: Floats, periods_per_year: float) -> float:
    """Return the mean excess return over the root mean square of the negative ones, per year; NaN without any."""
    if len(excess) < 2 or excess.min() >= -NO_SPREAD:
        return math.nan
    downside = math.sqrt(np.mean(np.minimum(excess, 0.0) ** 2))
    return excess.mean() / downside * math.sqrt(periods_per_year)
