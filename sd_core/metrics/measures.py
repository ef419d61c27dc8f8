"""The metrics of a scenario in one compiled pass over its days and its ledger.

The formulas are those of ``sql/macros.sql``, once more: of scenarios that are simulated by the ten thousand, days are
gone as soon as they are counted. The tests hold both to the same numbers.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sd_core.market.arrays import (
    DAYS_PER_CALENDAR_YEAR,
    Floats,
    Integers,
    day_numbers,
    days_between,
    month_numbers,
)
from sd_core.market.panel import Panel, risk_free_returns
from sd_core.metrics.money_weighted import DAYS_PER_YEAR, MoneyWeighted, money_weighted_return, only_rate
from sd_core.metrics.ratios import deviation, sharpe, sortino
from sd_core.metrics.returns import NO_MONEY, Rows, session_return
from sd_core.schemas.kinds import Kind

# Columns of ``simulation_metrics``, by their place among the numbers of a digest. NaN is NULL.
METRICS = (
    "final_value",
    "total_return",
    "twr",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "calmar",
    "value_at_risk",
    "conditional_value_at_risk",
    "dividend_income",
    "interest_income",
    "harvest_gross",
    "harvest_net",
    "income",
    "income_per_year",
    "fees",
    "trades",
    "skipped_buys",
    "passed_rungs",
    "mean_cash_share",
    "deposits",
    "withdrawals",
    "withdrawals_scheduled",
    "coverage_gross",
    "coverage_net",
    "xirr",
    # Of studies with taxes, by ``after_taxes``.
    "taxes",
    "after_tax_value",
    "after_tax_liquidation_value",
    "after_tax_cagr",
    "after_tax_liquidation_cagr",
)
(
    FINAL_VALUE,
    TOTAL_RETURN,
    TWR,
    CAGR,
    VOLATILITY,
    SHARPE,
    SORTINO,
    MAX_DRAWDOWN,
    CALMAR,
    VALUE_AT_RISK,
    CONDITIONAL_VALUE_AT_RISK,
    DIVIDEND_INCOME,
    INTEREST_INCOME,
    HARVEST_GROSS,
    HARVEST_NET,
    INCOME,
    INCOME_PER_YEAR,
    FEES,
    TRADES,
    SKIPPED_BUYS,
    PASSED_RUNGS,
    MEAN_CASH_SHARE,
    DEPOSITS,
    WITHDRAWALS,
    WITHDRAWALS_SCHEDULED,
    COVERAGE_GROSS,
    COVERAGE_NET,
    XIRR,
    TAXES,
    AFTER_TAX_VALUE,
    AFTER_TAX_LIQUIDATION_VALUE,
    AFTER_TAX_CAGR,
    AFTER_TAX_LIQUIDATION_CAGR,
) = range(len(METRICS))

# No drawdown is shallower.
NO_DRAWDOWN = 1e-12
# Of the value at risk.
TAIL = 0.05


INITIAL_BUY, BUY, SELL = Kind.INITIAL_BUY.value, Kind.BUY.value, Kind.SELL.value
DIVIDEND, INTEREST, DEPOSIT = Kind.DIVIDEND.value, Kind.INTEREST.value, Kind.DEPOSIT.value
WITHDRAWAL, SKIP_WITHDRAWAL = Kind.WITHDRAWAL.value, Kind.SKIP_WITHDRAWAL.value
NAN = np.nan

Numbers = npt.NDArray[np.float64]


class Calendar(NamedTuple):
    """What metrics need to know of the sessions of a history.

    Attributes:
        risk_free_return: what cash earned since the session before, shape (sessions,).
        day: number of each session's day, shape (sessions,).
        month: number of each session's calendar month, from 0, shape (sessions,).
        days: from the first session to the last.
        periods_per_year: that ratios are annualised with.
    """

    risk_free_return: Floats
    day: Integers
    month: Integers
    days: float
    periods_per_year: float

    @classmethod
    def of(cls, panel: Panel) -> "Calendar":
        """Return the calendar of a panel."""
        month = month_numbers(panel.sessions)
        return cls(
            risk_free_return=risk_free_returns(panel.sessions, panel.rates),
            day=day_numbers(panel.sessions),
            month=month - month[0],
            days=float(days_between(panel.sessions[[0, -1]])[0]),
            periods_per_year=panel.periods_per_year,
        )


@njit(cache=True, nogil=True, error_model="numpy")
def measure(ledger, daily, calendar, capital, metrics):  # type: ignore[no-untyped-def]
    """Compute a scenario's metrics, those before taxes.

    Args:
        ledger, daily: records of its rows.
        calendar: of its sessions.
        capital: money at the start.
        metrics: receives the :data:`METRICS`, shape (metrics,); NaN where they are after taxes.

    Returns:
        Whether the money-weighted return is among them; where it is not, it takes :func:`solve`.
    """
    metrics[:] = NAN
    _measure_days(daily, calendar, capital, metrics)
    _measure_ledger(ledger, calendar, metrics)
    _measure_transfers(ledger, metrics)
    return _measure_flows(daily, calendar, capital, metrics)


def solve(daily: Rows, calendar: Calendar, capital: float, metrics: Numbers) -> MoneyWeighted:
    """Return the money-weighted return where flows change their direction more than once, or there is none.

    ``metrics`` receives it; NaN where there is none.
    """
    sessions = calendar.day.astype("datetime64[D]")
    solved = money_weighted_return(daily, sessions[: len(daily)], capital)
    metrics[XIRR] = NAN if solved.rate is None else solved.rate
    return solved


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_days(daily, calendar, capital, metrics):  # type: ignore[no-untyped-def]
    """Fill in what follows from the days: :data:`METRICS` up to the values at risk, and shares of cash."""
    sessions = min(len(daily), len(calendar.day))
    returns, excess = np.empty(sessions), np.empty(sessions)
    growth, highest, deepest = 1.0, 1.0, 0.0
    observed, valued, previous = 0, 0, capital
    cash_share, skipped, passed = 0.0, 0, 0
    for session in range(sessions):
        day = daily[session]
        invested = previous + day.deposits
        if invested > NO_MONEY:
            returns[observed] = session_return(invested, day.value, day.withdrawals)
            excess[observed] = returns[observed] - calendar.risk_free_return[session]
            growth *= max(1.0 + returns[observed], 0.0)
            highest = max(highest, growth)
            deepest = min(deepest, growth / highest - 1.0)
            observed += 1
        if day.value > NO_MONEY:
            cash_share += day.bank / day.value
            valued += 1
        skipped += day.skipped_buys
        passed += day.passed_rungs
        previous = day.value
    returns, excess = returns[:observed], excess[:observed]
    metrics[FINAL_VALUE] = previous
    metrics[TOTAL_RETURN] = previous / capital - 1.0
    if observed > 0:
        metrics[TWR] = growth - 1.0
        metrics[MAX_DRAWDOWN] = deepest
    if observed > 0 and calendar.days > 0.0:
        metrics[CAGR] = growth ** (DAYS_PER_CALENDAR_YEAR / calendar.days) - 1.0
    metrics[VOLATILITY] = deviation(returns) * np.sqrt(calendar.periods_per_year)
    metrics[SHARPE] = sharpe(excess, calendar.periods_per_year) if observed > 0 else NAN
    metrics[SORTINO] = sortino(excess, calendar.periods_per_year)
    if deepest < -NO_DRAWDOWN:
        metrics[CALMAR] = metrics[CAGR] / -deepest
    metrics[VALUE_AT_RISK], metrics[CONDITIONAL_VALUE_AT_RISK] = _at_risk(returns)
    metrics[SKIPPED_BUYS], metrics[PASSED_RUNGS] = skipped, passed
    metrics[MEAN_CASH_SHARE] = cash_share / valued if valued > 0 else NAN


@njit(cache=True, nogil=True, error_model="numpy")
def _at_risk(returns):  # type: ignore[no-untyped-def]
    """Return the 5th percentile of returns, linearly interpolated, and the mean of those at or below it."""
    if len(returns) < 2:
        return NAN, NAN
    place = (len(returns) - 1) * TAIL
    below = int(place)
    parted = np.partition(returns, below + 1)
    # What comes before the place of the next larger one is no larger; the largest of it is the one before.
    low = parted[: below + 1].max()
    at_risk = low + (parted[below + 1] - low) * (place - below)
    total, count = 0.0, 0
    for value in returns:
        if value <= at_risk:
            total += value
            count += 1
    return at_risk, total / count


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_ledger(ledger, calendar, metrics):  # type: ignore[no-untyped-def]
    """Fill in income, costs and trades."""
    dividends, interest, gross, net, fees, trades = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for number in range(len(ledger)):
        row = ledger[number]
        fees += row.fee
        if not np.isnan(row.quantity) and row.kind != INITIAL_BUY:
            trades += 1
        if row.kind == SELL or row.kind == BUY:
            net += row.amount
            if row.kind == SELL and not np.isnan(row.quantity * row.price):  # a sum leaves NULL out
                gross += -row.quantity * row.price
        elif row.kind == DIVIDEND:
            dividends += row.amount
        elif row.kind == INTEREST:
            interest += row.amount
    income = dividends + interest + net
    metrics[DIVIDEND_INCOME], metrics[INTEREST_INCOME] = dividends, interest
    metrics[HARVEST_GROSS], metrics[HARVEST_NET], metrics[INCOME] = gross, net, income
    metrics[INCOME_PER_YEAR] = income * DAYS_PER_CALENDAR_YEAR / calendar.days if calendar.days > 0.0 else NAN
    metrics[FEES], metrics[TRADES] = fees, trades


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_transfers(ledger, metrics):  # type: ignore[no-untyped-def]
    """Fill in what was put in and taken out, and how the harvest covers it."""
    deposits, withdrawals, scheduled = 0.0, 0.0, 0.0
    for number in range(len(ledger)):
        row = ledger[number]
        if row.kind == DEPOSIT:
            deposits += row.amount
        elif row.kind == WITHDRAWAL or row.kind == SKIP_WITHDRAWAL:
            if row.kind == WITHDRAWAL:
                withdrawals -= row.amount
            scheduled -= row.amount
            # The unpaid part of a withdrawal is in the column that has the quantity of a skipped order.
            if not np.isnan(row.skipped_quantity):
                scheduled += row.skipped_quantity
    metrics[DEPOSITS], metrics[WITHDRAWALS], metrics[WITHDRAWALS_SCHEDULED] = deposits, withdrawals, scheduled
    metrics[COVERAGE_GROSS] = metrics[HARVEST_GROSS] / scheduled if scheduled != 0.0 else NAN
    metrics[COVERAGE_NET] = metrics[HARVEST_NET] / scheduled if scheduled != 0.0 else NAN


@njit(cache=True, nogil=True, error_model="numpy")
def _measure_flows(daily, calendar, capital, metrics):  # type: ignore[no-untyped-def]
    """Fill in the money-weighted return where flows change their direction once; return whether they do."""
    sessions = min(len(daily), len(calendar.day))
    years, flows, count = np.empty(sessions), np.empty(sessions), 0
    for session in range(sessions):
        flow = daily[session].withdrawals - daily[session].deposits
        if session == 0:
            flow -= capital
        if session == sessions - 1:
            flow += daily[session].value
        if flow != 0.0:
            years[count] = (calendar.day[session] - calendar.day[0]) / DAYS_PER_YEAR
            flows[count] = flow
            count += 1
    metrics[XIRR] = only_rate(years[:count], flows[:count])
    return np.isfinite(metrics[XIRR])
