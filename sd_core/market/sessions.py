"""Sessions: the dates on which a study trades, and how bars of other dates are merged into them.

Everything here is arrays of dates and numbers. Which study asks for which sessions, and where its period begins and
ends, belongs in ``build``; the judgement of missing bars belongs in ``quality``.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache, reduce

import numpy as np
import numpy.typing as npt
import pandas as pd

from sd_core.calendars import ONE_DAY, calendar_sessions
from sd_core.errors import InputError
from sd_core.market.arrays import Dates, Floats
from sd_core.market.panel import periods_per_year
from sd_core.study.fields import OWN_DATES

Positions = npt.NDArray[np.intp]

# Longer than an exchange closes.
LONGEST_CLOSURE = dt.timedelta(days=31)
# How many sessions make a year where no day is left out.
EVERY_DAY = 365


def session_after(name: str, sessions: Dates) -> dt.date | None:
    """Return the session that follows the last one.

    It is that of the exchange's calendar; where the assets' own dates are the sessions, the next day of a market of
    seven days. None for other markets of the assets' own dates, or where the calendar does not reach so far.
    """
    last: dt.date = sessions[-1].item()
    if name in OWN_DATES:
        return last + ONE_DAY if periods_per_year(sessions) == EVERY_DAY else None
    return _session_after(name, last)


@cache
def _session_after(name: str, last: dt.date) -> dt.date | None:
    """Look a session up once in a process: metrics of thousands of scenarios are computed some at a time."""
    try:
        following = calendar_sessions(name, last + ONE_DAY, last + LONGEST_CLOSURE)
    except InputError:
        return None
    return following[0].item() if len(following) else None


def intersection(dates: Sequence[Dates]) -> Dates:
    """Return the dates that all have in common, ascending."""
    return reduce(np.intersect1d, dates)


def union(dates: Sequence[Dates]) -> Dates:
    """Return the dates that any has, ascending and each once."""
    return reduce(np.union1d, dates)


def calendar_days(index: pd.Index) -> Dates:
    """Return a DatetimeIndex without time zone as datetime64[D]."""
    return index.to_numpy().astype("datetime64[D]")


def next_session(dates: Dates, sessions: Dates) -> Positions:
    """Return the position of each date's session: its own, else the next one.

    A date after the last session has the position ``len(sessions)``: its session is still to come.
    """
    return np.searchsorted(sessions, dates, side="left")


def merge_bars(dates: Dates, bars: Floats, sessions: Dates) -> Floats:
    """Merge daily bars into sessions: first open, highest high, lowest low, last close.

    Args:
        dates: of the bars, strictly ascending.
        bars: open, high, low, close, shape (dates, 4).
        sessions: strictly ascending.

    Returns:
        Bars of shape (sessions, 4), NaN on a session without one. Bars after the last session are left out. Those
        before the first all count on it: the caller cuts what lies before its period.
    """
    merged = np.full((len(sessions), 4), np.nan)
    position = next_session(dates, sessions)
    position = position[position < len(sessions)]
    if len(position) == 0:
        return merged
    bars = bars[: len(position)]
    first = np.flatnonzero(np.diff(position, prepend=-1))
    last = np.append(first[1:], len(position)) - 1
    merged[position[first]] = np.column_stack(
        [
            bars[first, 0],
            np.maximum.reduceat(bars[:, 1], first),
            np.minimum.reduceat(bars[:, 2], first),
            bars[last, 3],
        ]
    )
    return merged


def merge_amounts(dates: Dates, amounts: Floats, sessions: Dates) -> Floats:
    """Add dated amounts up by session, shape (sessions,), 0 where there is none.

    An amount dated between two sessions counts on the later one, an amount after the last session on none.
    """
    position = next_session(dates, sessions)
    reached = position < len(sessions)
    summed = np.zeros(len(sessions))
    np.add.at(summed, position[reached], amounts[reached])
    return summed
