"""Other start dates: what scenarios come to from the first session of each year, or month, to the end of the history.

What a scenario does from its start belongs in ``sd_core.simulation``; what the starts say together in ``sql``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import Dates, month_numbers
from sd_core.market.panel import DAYS_PER_YEAR, Panel
from sd_core.metrics.measures import Calendar
from sd_core.metrics.outcome import outcome
from sd_core.metrics.returns import Rows, session_returns
from sd_core.resampling.histories import anniversary_of
from sd_core.schemas.stress import YEARS
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import LumpSums, Rules
from sd_core.study.model import StartDates

MONTHS = {"year": 12, "month": 1}


class StartOutcome(NamedTuple):
    """A scenario from one start to the end of the history; NaN where a number does not apply.

    Attributes:
        final_value: bank and holdings at the last close, money.
        twr: time-weighted return, a fraction.
        xirr: money-weighted return, a fraction per year.
        sharpe: of the excess over the risk-free return, per year.
        max_drawdown: of the time-weighted index, a fraction, 0 or negative.
        withdrawals_scheduled, withdrawals: what fell due and what was paid, money.
        after: what :func:`after_years` returns.
    """

    final_value: float
    twr: float
    xirr: float
    sharpe: float
    max_drawdown: float
    withdrawals_scheduled: float
    withdrawals: float
    after: Mapping[str, float]


def after_years(daily: Rows, sessions: Dates, capital: float) -> dict[str, float]:
    """Return what a scenario came to 1, 3 and 5 years after its start, at the last session up to then.

    By the name of the column in ``start_date_outcome``: value and gain, money; time-weighted return and deepest
    drawdown, fractions. NaN where the history ends before.
    """
    returns = session_returns(daily, capital)
    growth = np.cumprod(np.maximum(1.0 + np.nan_to_num(returns), 0.0))
    drawdown = np.minimum.accumulate(growth / np.maximum(np.maximum.accumulate(growth), 1.0) - 1.0)
    gain = daily["value"] - capital + np.cumsum(daily["withdrawals"] - daily["deposits"])
    found = {}
    for years in YEARS:
        date = anniversary_of(sessions[0], years)
        place = int(np.searchsorted(sessions, date, side="right")) - 1
        for name, numbers in (("value", daily["value"]), ("gain", gain), ("twr", growth - 1.0), ("drawdown", drawdown)):
            found[f"{name}_{years}y"] = float(numbers[place]) if date <= sessions[-1] else np.nan
    return found


def start_places(panel: Panel, every: StartDates) -> list[int]:
    """Return the positions of the starts in a panel, ascending.

    A start is the first session of a calendar year or month on which every asset has a bar. The panel's first session
    is one too. Starts with fewer than 365 days to the last session are left out.
    """
    complete = np.flatnonzero(np.isfinite(panel.close).all(axis=1))
    periods = month_numbers(panel.sessions[complete]) // MONTHS[every]
    places = complete[np.flatnonzero(np.diff(periods, prepend=periods[0] - 1))]
    latest = panel.sessions[-1] - np.timedelta64(DAYS_PER_YEAR, "D")
    return [int(place) for place in places if panel.sessions[place] <= latest]


def from_session(panel: Panel, place: int) -> Panel:
    """Return a panel from the session at a position on."""
    return replace(
        panel,
        sessions=panel.sessions[place:],
        open=panel.open[place:],
        high=panel.high[place:],
        low=panel.low[place:],
        close=panel.close[place:],
        dividends=panel.dividends[place:],
        rates=panel.rates[place:],
        price_index=None if panel.price_index is None else panel.price_index[place:],
    )


def _from_date(rules: Rules, date: str) -> Rules:
    """Return rules whose lump sums up to a date have gone by, as for a study that starts with it."""

    def later(amounts: LumpSums) -> LumpSums:
        return tuple(one for one in amounts if one[0] > date)

    return replace(rules, deposits_on=later(rules.deposits_on), withdrawals_on=later(rules.withdrawals_on))


def start_outcomes(panel: Panel, rules: Sequence[Rules], places: Sequence[int]) -> Iterator[list[StartOutcome]]:
    """Simulate scenarios from each of some starts, as many starts at once as there are cores.

    Yields:
        A list per start, in order, with an outcome per scenario.
    """

    def from_one(place: int) -> list[StartOutcome]:
        history = from_session(panel, place)
        calendar = Calendar.of(history)
        # The first start is that of the study itself, all of whose lump sums are still to come.
        asked = [_from_date(one, str(history.sessions[0])) for one in rules] if place else rules
        found = []
        for result, one in zip(simulate(history, asked, workers=1, ledger=False), asked, strict=True):
            counted = outcome(result.daily, result.ledger, calendar, one.capital)
            found.append(
                StartOutcome(
                    final_value=counted.final_value,
                    twr=counted.twr,
                    xirr=counted.xirr,
                    sharpe=counted.sharpe,
                    max_drawdown=counted.max_drawdown,
                    withdrawals_scheduled=result.withdrawals_scheduled,
                    withdrawals=counted.withdrawals,
                    after=after_years(result.daily, history.sessions, one.capital),
                )
            )
        return found

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(from_one, places)
