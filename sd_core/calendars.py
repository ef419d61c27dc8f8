"""The sessions of exchanges, from the library exchange_calendars.

How a study's sessions follow from them belongs in ``market.sessions``.
"""

import datetime as dt
import textwrap
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from sd_core.errors import InputError

ONE_DAY = dt.timedelta(days=1)
# The exchange by whose sessions the account of a ledger is kept.
ACCOUNT_CALENDAR = "XNYS"
# Where a day of the account begins and ends.
ACCOUNT_ZONE = ZoneInfo("America/New_York")

# The library's message about a calendar that it cannot give may list every date of it.
MOST_OF_A_REASON = 200


def session_opens(name: str, session: dt.date) -> dt.datetime:
    """Return when a session of an exchange opens, UTC.

    Raises:
        InputError: the library does not know the calendar, or no such session of it.
    """
    import exchange_calendars

    if np.datetime64(session) not in calendar_sessions(name, session, session):
        raise InputError(f"sessions: {name}: expected a session on {session}")
    calendar = exchange_calendars.get_calendar(name, start=str(session), end=str(session + ONE_DAY))
    opens: dt.datetime = calendar.session_open(str(session)).to_pydatetime()
    return opens


def calendar_sessions(name: str, start: dt.date, end: dt.date) -> npt.NDArray[np.datetime64]:
    """Return the sessions of an exchange from start to end, both included, ascending; may be empty.

    ``name`` is a calendar of the library exchange_calendars, such as XNYS.

    Raises:
        InputError: the library does not know the calendar, or not over the whole range.
    """
    # Imported here: a third of a second that a study with sessions of its assets' own does not need.
    import exchange_calendars
    from exchange_calendars.errors import NoSessionsError

    try:
        # Always with both bounds: the library's own move with today's date. It refuses a range of a single day.
        calendar = exchange_calendars.get_calendar(name, start=str(start), end=str(end + ONE_DAY))
    except NoSessionsError:
        return np.empty(0, "datetime64[D]")
    except Exception as error:  # of many kinds: unknown names, dates out of reach, holidays that it cannot compute
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", MOST_OF_A_REASON, placeholder=" …")
        raise InputError(f"sessions: {name}: expected a calendar known from {start} to {end}: {reason}") from None
    days: npt.NDArray[np.datetime64] = calendar.sessions.to_numpy().astype("datetime64[D]")
    return days[days <= np.datetime64(end)]
