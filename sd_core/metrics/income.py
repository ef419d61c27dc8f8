"""How variable the income of a scenario is, from the records of its days and its ledger."""

import numpy as np

from sd_core.market.arrays import Dates, month_numbers
from sd_core.metrics.returns import NO_MONEY, Rows
from sd_core.schemas.kinds import Kind


def income_variability(daily: Rows, ledger: Rows, sessions: Dates, capital: float) -> float | None:
    """Return the standard deviation (ddof 1) of monthly income over the value before; None for fewer than two months.

    Income is dividends, interest and net harvest. A month that began with no value, or with debt, does not count.
    """
    months = month_numbers(sessions)
    months -= months[0]
    count = int(months[-1]) + 1
    booked = ledger[np.isin(ledger["kind"], [Kind.SELL, Kind.BUY])]
    income = np.bincount(months, weights=daily["income"], minlength=count) + np.bincount(
        months[booked["session"]], weights=booked["amount"], minlength=count
    )
    # The last value of each month; a month without a session keeps the one before.
    last = np.searchsorted(months, np.arange(count), side="right") - 1
    before = np.append(capital, daily["value"][last[:-1]])
    valued = before > NO_MONEY
    return float(np.std(income[valued] / before[valued], ddof=1)) if valued.sum() >= 2 else None
