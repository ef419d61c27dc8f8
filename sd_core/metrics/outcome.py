"""The outcome of a scenario, in a few numbers, for more simulations than can be stored.

Its metrics belong in ``measures``; what a bootstrap asks for besides is computed here.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.metrics.measures import BUY, METRICS, SELL, Calendar, measure, solve
from sd_core.metrics.ratios import deviation
from sd_core.metrics.returns import Rows

# Share of the value below which the bank counts as low.
LOW_CASH = 0.05


class Outcome(NamedTuple):
    """A scenario over one history; NaN where there are not enough observations.

    Attributes:
        final_value: bank and holdings at the last close, money.
        twr: time-weighted return, a fraction.
        xirr: money-weighted return, a fraction per year.
        sharpe, sortino: of the excess over the risk-free return, per year.
        max_drawdown: of the time-weighted index, a fraction, 0 or negative.
        income_per_year: dividends, interest and net harvest, money.
        income_volatility: standard deviation (ddof 1) of the income of calendar months, money.
        months_without_income: share of the months whose income was not positive.
        withdrawals: paid, money.
        coverage_gross, coverage_net: harvest over withdrawals scheduled.
        skipped_buys: purchases refused, for want of cash or, under hybrid, by the band, one per episode.
        mean_cash_share: mean of the bank over the value.
        low_cash_share: share of the sessions that end with the bank under 5 % of the value.
    """

    final_value: float
    twr: float
    xirr: float
    sharpe: float
    sortino: float
    max_drawdown: float
    income_per_year: float
    income_volatility: float
    months_without_income: float
    withdrawals: float
    coverage_gross: float
    coverage_net: float
    skipped_buys: float
    mean_cash_share: float
    low_cash_share: float


def outcome(daily: Rows, ledger: Rows, calendar: Calendar, capital: float) -> Outcome:
    """Return the outcome of one scenario, from the records of its days and its ledger."""
    metrics = np.empty(len(METRICS))
    if not measure(ledger, daily, calendar, capital, metrics):
        solve(daily, calendar, capital, metrics)
    found = dict(zip(METRICS, metrics.tolist(), strict=True))
    volatility, without_income, low_cash = _by_month(daily, ledger, calendar.month)
    return Outcome(
        **{name: found[name] for name in Outcome._fields if name in found and name != "withdrawals"},
        withdrawals=float(daily["withdrawals"].sum()),  # also where no ledger was kept
        income_volatility=volatility,
        months_without_income=without_income,
        low_cash_share=low_cash,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _by_month(daily, ledger, month):  # type: ignore[no-untyped-def]
    """Return the volatility of the income of months, the share of months without any, and that of low cash."""
    income, low_cash = np.zeros(month[-1] + 1), 0
    for session in range(len(daily)):
        income[month[session]] += daily[session].income
        low_cash += daily[session].bank < LOW_CASH * daily[session].value
    for number in range(len(ledger)):
        row = ledger[number]
        if row.kind == SELL or row.kind == BUY:
            income[month[row.session]] += row.amount
    return deviation(income), np.mean(income <= 0.0), low_cash / len(daily)
