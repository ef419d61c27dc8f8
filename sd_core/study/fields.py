"""The kinds of values that a study's fields take beyond plain numbers and text, and how each is refused.

Which field is of which kind, and how fields go together, belongs in ``study``.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from sd_core.study.findings import MisfitError, readable, show

# Names and tickers become partition keys, folders and files.
LONGEST_NAME = 40
NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")
TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=&_-]{0,19}")
CURRENCY = re.compile(r"[A-Z]{3}")
# Calendars of exchanges; the library also has some of other kinds, such as 24/7, whose year has more sessions.
CALENDAR = re.compile(r"[A-Z0-9]{3,8}")
# What the usual study has for sessions, known without half a second for the library of calendars.
OWN_DATES = ("intersection", "union")
WITHOUT_A_LIBRARY = ("XNYS", *OWN_DATES)
# What tables call the bank where they list assets or classes; no ticker looks like this.
CASH = "(cash)"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _text(pattern: re.Pattern[str], expected: str) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"expected {expected}")
        return value

    return BeforeValidator(check)


def _calendar_date(value: object) -> object:
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a day that the calendar has") from None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    raise ValueError("expected a date such as 2015-01-31")


def _sessions(value: object) -> object:
    if value in WITHOUT_A_LIBRARY:
        return value
    if isinstance(value, str) and CALENDAR.fullmatch(value):
        import exchange_calendars

        if value in exchange_calendars.get_calendar_names():
            return value
    raise ValueError("expected intersection, union, or the calendar of an exchange such as XNYS")


def _risk_free(value: object) -> str | float:
    match value:
        case str() if TICKER.fullmatch(value):
            return value
        case bool():
            pass
        case int() | float() if -1 < value < 1:
            return float(value)
    raise ValueError("expected the ticker of a rate such as ^IRX, or a yearly rate as a fraction such as 0.03")


def _asset_class(value: str) -> str:
    if value == CASH:
        raise ValueError("expected another word: it is what tables call the bank")
    return value


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError("expected a fraction from 0 to 1")
    return value


def below_one(value: object) -> float:
    """Return a fraction of at least 0 and below 1, and raise a ValueError that says what was expected otherwise."""
    if not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ValueError("expected a fraction of at least 0 and below 1: ten percent is 0.10")
    return float(value)


def _reserve(value: float) -> float:
    in_hundredths_of_a_percent = round(below_one(value) * 10_000)
    if abs(value * 10_000 - in_hundredths_of_a_percent) > 1e-6:
        raise ValueError("expected at most two decimals of a percent, such as 0.025 or 0.1225")
    return in_hundredths_of_a_percent / 10_000


def _distinct_levels(reserves: list[float]) -> list[float]:
    repeated = [str(reserve) for reserve, times in Counter(reserves).items() if times > 1]
    if repeated:
        raise ValueError(f"expected every level once, but {', '.join(repeated)} is repeated")
    return reserves


_RANGE = ("from", "to", "step")


def _reserve_levels(value: object) -> object:
    """Return the levels of a range; a list, and what is neither, is judged afterwards."""
    if not isinstance(value, Mapping):
        return value
    if misfits := list(_range_misfits(value)):
        raise MisfitError(misfits)
    # In hundredths of a percent, so that no rounding adds up.
    first, last, step = (round(value[key] * 10_000) for key in _RANGE)
    return [level / 10_000 for level in range(first, last + 1, step)]


def _range_misfits(written: Mapping[Any, Any]) -> Iterator[str]:
    sound = True
    for key in (*_RANGE, *(key for key in written if key not in _RANGE)):
        try:
            _range_value(key, written)
        except ValueError as error:
            sound = False
            yield f"{readable(key)}: {error}"
    if sound and round(written["step"] * 10_000) == 0:
        yield f"step: {show(written['step'])}: expected a fraction above 0"
    if sound and written["to"] < written["from"]:
        yield f"to: {show(written['to'])}: expected a level from {show(written['from'])} on, where the range begins"


def _range_value(key: object, written: Mapping[Any, Any]) -> None:
    if key not in _RANGE:
        raise ValueError(f"unknown key: expected one of {', '.join(_RANGE)}")
    if key not in written:
        raise ValueError("missing: expected a value")
    value = written[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{show(value)}: expected a number")
    try:
        _reserve(value)
    except ValueError as error:
        raise ValueError(f"{show(value)}: {error}") from None


Name = Annotated[str, _text(NAME, "a name: a small letter, then at most 39 small letters, digits or underscores")]
Ticker = Annotated[
    str,
    _text(
        TICKER,
        "a ticker: 1 to 20 letters, digits or . ^ = & _ - that begin with a letter, a digit or ^ "
        "(in quotes where it reads like a number or like true)",
    ),
]
Currency = Annotated[str, _text(CURRENCY, "a currency: three capital letters such as USD")]
AssetClass = Annotated[str, Field(min_length=1), AfterValidator(_asset_class)]
CalendarDate = Annotated[dt.date, BeforeValidator(_calendar_date)]
Sessions = Annotated[str, BeforeValidator(_sessions)]
RiskFree = Annotated[str | float, PlainValidator(_risk_free)]
Fraction = Annotated[float, AfterValidator(_fraction)]
Reserve = Annotated[float, AfterValidator(_reserve)]
Reserves = Annotated[
    list[Reserve], Field(min_length=1), AfterValidator(_distinct_levels), BeforeValidator(_reserve_levels)
]
