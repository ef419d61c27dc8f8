"""The metrics of a scenario after taxes, compiled, from what is owed for each calendar year.

The formulas are those of ``sql/analytics/simulation_metrics.sql``; the tests hold both to the same numbers. What is
owed for a year belongs in ``sd_core.simulation.taxes``.
"""

import numpy as np
from numba import njit

from sd_core.market.arrays import DAYS_PER_CALENDAR_YEAR
from sd_core.metrics.measures import (
    AFTER_TAX_CAGR,
    AFTER_TAX_LIQUIDATION_CAGR,
    AFTER_TAX_LIQUIDATION_VALUE,
    AFTER_TAX_VALUE,
    CAGR,
    FINAL_VALUE,
    NAN,
    TAXES,
)


@njit(cache=True, nogil=True, error_model="numpy")
def measure_after_taxes(owed, daily, years, days, metrics):  # type: ignore[no-untyped-def]
    """Fill in the metrics after taxes.

    Args:
        owed: a record by calendar year, of which ``tax`` and ``liquidation_tax`` are read.
        daily: records of the scenario's days.
        years: calendar year of each session.
        days: from the first session to the last.
        metrics: has those before taxes, shape (metrics,).
    """
    ends = np.full(len(owed), NAN)
    for session in range(min(len(daily), len(years))):
        if not np.isnan(daily[session].value):
            ends[years[session] - years[0]] = daily[session].value
    taxes, liquidation_tax, left, left_of_sales = 0.0, 0.0, 1.0, 1.0
    for year in range(len(owed)):
        tax, of_sales = owed[year].tax, owed[year].liquidation_tax
        if np.isnan(of_sales):
            of_sales = 0.0
        taxes += tax
        liquidation_tax += of_sales
        left *= _left_after_tax(tax, ends[year])
        left_of_sales *= _left_after_tax(tax + of_sales, ends[year])
    metrics[TAXES] = taxes
    metrics[AFTER_TAX_VALUE] = metrics[FINAL_VALUE] - taxes
    metrics[AFTER_TAX_LIQUIDATION_VALUE] = metrics[FINAL_VALUE] - taxes - liquidation_tax
    metrics[AFTER_TAX_CAGR] = _slowed(metrics[CAGR], left, days)
    metrics[AFTER_TAX_LIQUIDATION_CAGR] = _slowed(metrics[CAGR], left_of_sales, days)


@njit(cache=True, nogil=True, error_model="numpy")
def _left_after_tax(tax, value):  # type: ignore[no-untyped-def]
    """Return the share of a value that is left after a tax; a year without sessions, which has no value, has all."""
    if tax == 0.0 or np.isnan(value):
        return 1.0
    return 1.0 - tax / value if tax < value else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _slowed(cagr, left, days):  # type: ignore[no-untyped-def]
    """Return the growth per year of which a share is left over so many days; NaN where less than nothing is."""
    return (1.0 + cagr) * left ** (DAYS_PER_CALENDAR_YEAR / days) - 1.0 if days > 0.0 and left >= 0.0 else NAN
