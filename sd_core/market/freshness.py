"""Whether the prices of a ticker reach the last session of its calendar.

Only what is quick to import is used here, as long as prices are fresh: the library of calendars is asked where weekdays
alone say that a session may be missing. Gaps before the last bar belong in ``quality``.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from sd_core.calendars import calendar_sessions
from sd_core.errors import InputError
from sd_core.market.sources.states import last_final
from sd_core.study.fields import OWN_DATES
from sd_core.study.model import Study
from sd_core.wording import counted

ROUND_THE_CLOCK, WEEKDAYS = "24/7", "24/5"
# Sessions that may be missing: funds publish a day later, and a calendar may lack a holiday.
TOLERATED = 1


@dataclass(frozen=True)
class Overdue:
    """A ticker whose last sessions are missing.

    Attributes:
        ticker: the ticker.
        last: the date of its last bar.
        due: the last day that was over.
        missing: how many sessions of its calendar lie between, the last included.
        calendar: its calendar.
    """

    ticker: str
    last: dt.date
    due: dt.date
    missing: int
    calendar: str

    @property
    def detail(self) -> str:
        """The finding in a sentence."""
        missing = counted(self.missing, "session")
        return (
            f"{self.ticker} has its last bar on {self.last}: {missing} of {self.calendar} up to {self.due} are missing."
        )


def overdue(study: Study, ticker: str, last: dt.date, calendar: str | None, now: dt.datetime) -> Overdue | None:
    """Return what is missing of a ticker where it is more than a session; None where prices are fresh, or do not grow.

    Args:
        study: its source, its end and its sessions.
        ticker: one that it fetches.
        last: the date of its last bar.
        calendar: that of its exchange, as exchange_calendars names it; None where the source did not say.
        now: with a time zone.
    """
    if study.source.kind != "yahoo":
        return None
    known = calendar or (WEEKDAYS if study.sessions in OWN_DATES else study.sessions)
    due = min(last_final(now), study.end or dt.date.max)
    missing = sessions_between(known, last, due)
    return Overdue(ticker, last, due, missing, known) if missing > TOLERATED else None


def sessions_between(calendar: str, after: dt.date, until: dt.date) -> int:
    """Return how many sessions a calendar has after a day, up to another one, which counts.

    >>> sessions_between("24/7", dt.date(2024, 5, 31), dt.date(2024, 6, 3))
    3
    >>> sessions_between("24/5", dt.date(2024, 5, 31), dt.date(2024, 6, 3))
    1
    """
    first = after + dt.timedelta(days=1)
    if until < first:
        return 0
    if calendar == ROUND_THE_CLOCK:
        return (until - after).days
    weekdays = int(np.busday_count(first, until + dt.timedelta(days=1)))
    if weekdays == 0 or calendar == WEEKDAYS:
        return weekdays
    try:
        return len(calendar_sessions(calendar, first, until))
    except InputError:  # a source may name an exchange whose calendar the library cannot give
        return weekdays
