"""How many sessions are missing of a ticker: by its exchange's calendar, which knows holidays, as of an evening."""

import datetime as dt
from typing import Any

import pytest

from sd_core.market.freshness import overdue, sessions_between
from sd_core.study.model import Study

# 21:30 in New York, summer time: bars of that day are final.
EVENING = dt.timedelta(days=1, hours=1, minutes=30)


def study(**keys: Any) -> Study:
    return Study.model_validate(
        {
            "name": "fresh",
            "source": {"kind": "yahoo"},
            "start": dt.date(2020, 1, 1),
            "capital": 1000.0,
            "universe": {"AAA": {"weight": 1.0}},
            "reserves": [0.0],
            "strategies": {"buy_and_hold": {}},
            **keys,
        }
    )


def evening(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC) + EVENING


# Monday, 27 May 2024 was Memorial Day in New York and the spring bank holiday in London; Tokyo traded.
FRIDAY, TUESDAY, WEDNESDAY = (dt.date(2024, 5, day) for day in (24, 28, 29))


@pytest.mark.parametrize(
    ("calendar", "missing"),
    [("XNYS", 2), ("XLON", 2), ("XTKS", 3), ("24/5", 3), ("24/7", 5), ("XXXX", 3)],
)
def test_sessions_are_counted_by_the_calendar(calendar: str, missing: int) -> None:
    assert sessions_between(calendar, FRIDAY, WEDNESDAY) == missing


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (evening(FRIDAY), None),
        # Tuesday is missing, which may be a matter of hours.
        (evening(TUESDAY), None),
        (evening(WEDNESDAY), 2),
        # Before 21:00 in New York, Wednesday is not due.
        (evening(WEDNESDAY) - dt.timedelta(hours=1), None),
    ],
)
def test_ticker_is_overdue_from_the_second_missing_session(asked: dt.datetime, expected: int | None) -> None:
    found = overdue(study(), "AAA", FRIDAY, "XNYS", asked)
    assert (found.missing if found else None) == expected


def test_overdue_ticker_is_said_with_days_and_calendar() -> None:
    found = overdue(study(), "AAA", FRIDAY, None, evening(WEDNESDAY))
    assert found is not None
    assert found.detail == ("AAA has its last bar on 2024-05-24: 2 sessions of XNYS up to 2024-05-29 are missing.")


def test_study_without_a_calendar_counts_weekdays() -> None:
    found = overdue(study(sessions="union"), "AAA", FRIDAY, None, evening(WEDNESDAY))
    assert found is not None
    assert (found.missing, found.calendar) == (3, "24/5")


def test_nothing_is_due_after_the_end_of_a_study() -> None:
    assert overdue(study(end=TUESDAY), "AAA", FRIDAY, "XNYS", evening(WEDNESDAY)) is None


def test_files_are_never_overdue() -> None:
    files = study(source={"kind": "csv", "folder": "/nowhere"})
    assert overdue(files, "AAA", dt.date(2020, 1, 6), "XNYS", evening(WEDNESDAY)) is None
