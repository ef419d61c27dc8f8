"""The sessions of exchanges, against what the exchanges announced themselves."""

import datetime as dt

import exchange_calendars
import pandas as pd
import pytest

from sd_core.calendars import calendar_sessions
from sd_core.errors import InputError


# The counts are the exchange's own: 2001 lost four days in September, 2012 two to a hurricane.
@pytest.mark.parametrize(("year", "count"), [(2001, 248), (2012, 250)])
def test_new_york_has_the_sessions_of_its_history(year, count):
    assert len(calendar_sessions("XNYS", dt.date(year, 1, 1), dt.date(year, 12, 31))) == count


def test_calendar_includes_both_ends_of_the_range():
    # Good Friday 2024 is 29 March; Easter Monday is a session in New York.
    found = calendar_sessions("XNYS", dt.date(2024, 3, 28), dt.date(2024, 4, 1))
    assert found.tolist() == [dt.date(2024, 3, 28), dt.date(2024, 4, 1)]


@pytest.mark.parametrize(("day", "count"), [(dt.date(2024, 1, 5), 1), (dt.date(2024, 1, 6), 0)])
def test_calendar_of_a_single_day_holds_it_only_if_the_exchange_trades(day, count):
    assert len(calendar_sessions("XNYS", day, day)) == count


def test_calendar_of_a_weekend_is_empty():
    assert len(calendar_sessions("XNYS", dt.date(2024, 1, 6), dt.date(2024, 1, 7))) == 0


@pytest.mark.parametrize(
    ("name", "start"), [("XXXX", dt.date(2020, 1, 1)), ("XSHG", dt.date(1980, 1, 1))], ids=["unknown", "too early"]
)
def test_calendar_that_the_library_does_not_know_is_refused_by_name(name, start):
    with pytest.raises(InputError, match=f"sessions: {name}: expected a calendar known from {start}"):
        calendar_sessions(name, start, dt.date(2024, 1, 1))


def test_long_words_of_the_library_are_shortened(monkeypatch):
    # As of Tel Aviv's calendar, whose refusal lists every Sunday that it knows.
    sundays = [f"Timestamp('{day} 13:40:00+0000', tz='UTC')" for day in pd.date_range("2010", "2024", freq="W-SUN")]

    def refuse(*_, **__):
        raise ValueError(f"Special dates [{', '.join(sundays)}]\nare no sessions")

    monkeypatch.setattr(exchange_calendars, "get_calendar", refuse)
    with pytest.raises(InputError) as refused:
        calendar_sessions("XTAE", dt.date(2010, 1, 1), dt.date(2024, 1, 1))
    stated, _, reason = str(refused.value).partition(": ValueError: ")
    assert stated == "sessions: XTAE: expected a calendar known from 2010-01-01 to 2024-01-01"
    assert reason.startswith("Special dates [Timestamp('2010-01-03")
    assert reason.endswith(" …")
    assert len("ValueError: " + reason) <= 200
    assert "\n" not in reason


# Orthodox Good Friday and Easter Monday of 2024, and Epiphany of 2025, a Monday; Tel Aviv traded on Sundays until 2025.
# Mumbai held a session on Saturday 2024-01-20, Moscow on Saturday 2024-04-27, and Seoul on every Saturday until 1998.
@pytest.mark.parametrize(
    ("name", "day", "is_session"),
    [
        ("ASEX", "2024-05-02", True),
        ("ASEX", "2024-05-03", False),
        ("ASEX", "2024-05-06", False),
        ("ASEX", "2025-01-06", False),
        ("ASEX", "2025-01-07", True),
        ("XTAE", "2024-01-07", True),
        ("XTAE", "2024-01-05", False),
        ("XBOM", "2024-01-20", True),
        ("XMOS", "2024-04-27", True),
        ("XKRX", "1997-03-08", True),
    ],
)
def test_exchange_has_the_sessions_that_it_announced(name: str, day: str, is_session: bool) -> None:
    date = dt.date.fromisoformat(day)
    assert len(calendar_sessions(name, date, date)) == is_session


@pytest.mark.parametrize("name", exchange_calendars.get_calendar_names(include_aliases=False))
def test_library_gives_every_calendar(name: str) -> None:
    assert 200 < len(calendar_sessions(name, dt.date(2024, 1, 1), dt.date(2024, 12, 31))) <= 366
