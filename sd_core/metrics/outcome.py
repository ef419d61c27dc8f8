"""The outcome of a scenario, in a few numbers, for more simulations than can be stored.

The formulas are those of ``sql/macros.sql``, once more: a bootstrap asks for tens of thousands of simulations, whose
days are gone as soon as they are counted. The tests hold both to the same numbers.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.market.arrays import DAYS_PER_CALENDAR_YEAR, Dates, Floats, Integers, days_between, month_numbers
from sd_core.market.panel import Panel, risk_free_returns
from sd_core.metrics.money_weighted import money_weighted_return
from sd_core.metrics.ratios import deviation, sharpe, sortino
from sd_core.metrics.returns import NO_MONEY, Rows, session_return
from sd_core.schemas.kinds import Kind

# Share of the value below which the bank counts as low.
LOW_CASH = 0.05

BUY, SELL = Kind.BUY.value, Kind.SELL.value
WITHDRAWAL, SKIP_WITHDRAWAL = Kind.WITHDRAWAL.value, Kind.SKIP_WITHDRAWAL.value
NAN = np.nan


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


class Calendar(NamedTuple):
    """What the outcomes of a history need to know of its sessions.

    Attributes:
        risk_free_return: what cash earned since the session before, shape (sessions,).
        month: number of each session's calendar month, from 0, shape (sessions,).
        days: from the first session to the last.
        periods_per_year: that ratios are annualised with.
    """

    risk_free_return: Floats
    month: Integers
    days: float
    periods_per_year: float

    @classmethod
    def of(cls, panel: Panel) -> "Calendar":
        """Return the calendar of a panel."""
        month = month_numbers(panel.sessions)
        return cls(
            risk_free_return=risk_free_returns(panel.sessions, panel.rates),
            month=month - month[0],
            days=float(days_between(panel.sessions[[0, -1]])[0]),
            periods_per_year=panel.periods_per_year,
        )


def outcome(daily: Rows, ledger: Rows, calendar: Calendar, sessions: Dates, capital: float) -> Outcome:
    """Return the outcome of one scenario, from the records of its days and its ledger."""
    xirr = money_weighted_return(daily, sessions, capital).rate
    numbers = _outcome(daily, ledger, calendar, capital)
    return Outcome(*numbers)._replace(xirr=NAN if xirr is None else xirr)


@njit(cache=True, nogil=True, error_model="numpy")
def _outcome(daily, ledger, calendar, capital):  # type: ignore[no-untyped-def]
    """Return the numbers of an :class:`Outcome` in order, xirr left open."""
    sessions = len(daily)
    growth, highest, max_drawdown = 1.0, 1.0, 0.0
    excess = np.empty(sessions)
    observed, skipped_buys, low_cash, cash_share, valued, previous = 0, 0, 0, 0.0, 0, capital
    income = np.zeros(calendar.month[-1] + 1)
    withdrawals = 0.0
    for session in range(sessions):
        day = daily[session]
        invested_before = previous + day.deposits
        if invested_before > NO_MONEY:
            simple_return = session_return(invested_before, day.value, day.withdrawals)
            growth *= max(1.0 + simple_return, 0.0)
            excess[observed] = simple_return - calendar.risk_free_return[session]
            observed += 1
        highest = max(highest, growth)
        max_drawdown = min(max_drawdown, growth / highest - 1.0)
        if day.value > NO_MONEY:
            cash_share += day.bank / day.value
            valued += 1
        low_cash += day.bank < LOW_CASH * day.value
        skipped_buys += day.skipped_buys
        withdrawals += day.withdrawals
        income[calendar.month[session]] += day.income
        previous = day.value
    harvest_gross, harvest_net, scheduled = 0.0, 0.0, 0.0
    for number in range(len(ledger)):
        row = ledger[number]
        if row.kind == SELL or row.kind == BUY:
            harvest_net += row.amount
            income[calendar.month[row.session]] += row.amount
            if row.kind == SELL:
                harvest_gross -= row.quantity * row.price
        elif row.kind == WITHDRAWAL or row.kind == SKIP_WITHDRAWAL:
            scheduled -= row.amount
            if not np.isnan(row.skipped_quantity):
                scheduled += row.skipped_quantity
    excess = excess[:observed]
    return (
        daily[sessions - 1].value,
        growth - 1.0,
        NAN,
        sharpe(excess, calendar.periods_per_year),
        sortino(excess, calendar.periods_per_year),
        max_drawdown,
        income.sum() * DAYS_PER_CALENDAR_YEAR / calendar.days if calendar.days > 0.0 else NAN,
        deviation(income),
        np.mean(income <= 0.0),
        withdrawals,
        harvest_gross / scheduled if scheduled > 0.0 else NAN,
        harvest_net / scheduled if scheduled > 0.0 else NAN,
        float(skipped_buys),
        cash_share / valued if valued else NAN,
        low_cash / sessions,
    )
