"""Returns of factors from a CSV file of the form that Kenneth French's data library has.

Text above the header and below the rows is skipped. What is regressed on them belongs in ``analytics``.
"""

import csv
import datetime as dt
import io
import re
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from sd_core.errors import InputError
from sd_core.market.arrays import Dates, Floats, month_numbers
from sd_core.market.sources.csv_table import read_text
from sd_core.market.sources.validation import shortened
from sd_core.study.factors import Factors

Frequency = Literal["daily", "monthly"]

# What the library writes where a factor has no return, in percent or not.
MISSING = (-99.99, -999.0)
# The column of the risk-free rate, which the study has its own for.
RISK_FREE = "RF"
_DATES = {r"\d{8}": "%Y%m%d", r"\d{6}": "%Y%m", r"\d{4}-\d{2}-\d{2}": "%Y-%m-%d", r"\d{4}-\d{2}": "%Y-%m"}
FORMS = "expected a date such as 20240131, 202401 or 2024-01-31"
# A gap from here on, in days, in the median, is that of months.
MONTHLY_GAP = 20
# Beyond 100 % as a fraction, or within half a percent over 60 rows, the unit is the other one.
LARGEST_FRACTION, SMALLEST_PERCENT, ENOUGH_ROWS = 1.0, 0.5, 60


class FactorReturns(NamedTuple):
    """Returns of factors over days or months.

    Attributes:
        names: of the factors, in the order of the file.
        frequency: what a return covers.
        dates: ascending; of months the first day.
        returns: fractions, shape (dates, factors); NaN where one is missing.
    """

    names: tuple[str, ...]
    frequency: Frequency
    dates: Dates
    returns: Floats


Line = tuple[int, list[str]]


def read_factors(asked: Factors) -> FactorReturns:
    """Return the factors of a file.

    The header is the line before the first row that begins with a date; the table ends with the last row that does.

    Raises:
        InputError: the file is broken; the message names file and line, value, and what was expected.
    """
    path = Path(asked.file)
    header, rows = _table(path, _lines(path))
    names, places = _factors(path, header)
    dates, is_of_months = _parsed_dates(path, rows)
    numbers = _numbers(path, rows, names, places)
    _refuse_other_unit(path, asked.unit, names, rows, numbers)
    returns = numbers / 100.0 if asked.unit == "percent" else numbers
    if is_of_months:
        dates = dates.astype("datetime64[M]").astype("datetime64[D]")
    return FactorReturns(names, "monthly" if is_of_months else "daily", dates, returns)


def _lines(path: Path) -> list[Line]:
    """Return the stripped cells of every line that has any, with its number."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        found = [(reader.line_num, [cell.strip() for cell in record]) for record in reader]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: expected CSV, but: {error}") from None
    return [(line, cells) for line, cells in found if any(cells)]


def _form(text: str) -> str | None:
    """Return the pattern of the dates that a text looks like, None where it looks like none."""
    return next((pattern for pattern in _DATES if re.fullmatch(pattern, text)), None)


def _table(path: Path, lines: list[Line]) -> tuple[Line, list[Line]]:
    """Return the header and the rows of the first table that has dates; what lies around it is text."""
    first = next((place for place, (_, cells) in enumerate(lines) if _form(cells[0])), None)
    if first is None:
        raise InputError(f"{path}: no row begins with a date: {FORMS}, then a number per factor")
    if first == 0 or len(lines[first - 1][1]) < 2:
        raise InputError(f"{path}: line {lines[first][0]}: expected a header with the names of the factors before it")
    form = _form(lines[first][1][0])
    after = next((place for place in range(first, len(lines)) if _form(lines[place][1][0]) != form), len(lines))
    for line, cells in lines[after:]:
        if _form(cells[0]) is not None or re.fullmatch(r"\d[\d/.-]{4,}", cells[0]):
            what = "another table" if _form(cells[0]) == form else "a date of another form, or none"
            raise InputError(f"{path}: line {line}: {cells[0]!r}: {what}: expected one table of dates of one form")
    return lines[first - 1], lines[first:after]


def _factors(path: Path, header: Line) -> tuple[tuple[str, ...], list[int]]:
    """Return the names of the factors and the places of their columns."""
    line, cells = header
    found = [(name, place) for place, name in enumerate(cells) if place and name.upper() != RISK_FREE]
    while found and not found[-1][0]:  # a comma at the end of the line
        found.pop()
    names = [name for name, _ in found]
    if not names:
        raise InputError(f"{path}: line {line}: expected a factor besides {RISK_FREE}")
    for name in names:
        if not re.search(r"[A-Za-z]", name):
            raise InputError(f"{path}: line {line}: {name!r}: expected the name of a factor, in a header")
        if names.count(name) > 1:
            raise InputError(f"{path}: line {line}: {name!r}: expected every factor once")
    return tuple(names), [place for _, place in found]


def _parsed_dates(path: Path, rows: list[Line]) -> tuple[Dates, bool]:
    """Return the dates of rows, and whether each is that of a month."""
    pattern = str(_form(rows[0][1][0]))
    misfits, dates = [], []
    for line, cells in rows:
        try:
            dates.append(dt.datetime.strptime(cells[0], _DATES[pattern]).date())  # noqa: DTZ007  a date has no zone
        except ValueError:
            misfits.append(f"{path}: line {line}: {cells[0]!r}: expected a day that the calendar has")
            continue
        if len(dates) > 1 and dates[-1] <= dates[-2]:
            misfits.append(f"{path}: line {line}: {cells[0]!r}: expected a date after the one before, {dates[-2]}")
    if misfits:
        raise InputError(shortened(misfits, str(path)))
    found = np.array(dates, dtype="datetime64[D]")
    days = np.diff(found).astype(int)
    is_of_months = "%d" not in _DATES[pattern] or bool(len(days) and np.median(days) >= MONTHLY_GAP)
    if is_of_months and (np.diff(month_numbers(found)) == 0).any():
        raise InputError(f"{path}: {rows[0][1][0]} to {rows[-1][1][0]}: expected a row of each month, or of each day")
    return found, is_of_months


def _numbers(path: Path, rows: list[Line], names: tuple[str, ...], places: list[int]) -> Floats:
    """Return the numbers of rows, NaN for what the library marks as missing."""
    misfits, numbers = [], np.empty((len(rows), len(names)))
    for row, (line, cells) in enumerate(rows):
        if len(cells) <= places[-1]:
            misfits.append(f"{path}: line {line}: {len(cells)} fields: expected {places[-1] + 1}, as in the header")
            continue
        for column, (name, place) in enumerate(zip(names, places, strict=True)):
            try:
                numbers[row, column] = float(cells[place])
                sound = bool(np.isfinite(numbers[row, column])) and "_" not in cells[place]
            except ValueError:
                sound = False
            if not sound:
                misfits.append(f"{path}: line {line}: {name}: {cells[place]!r}: expected a finite number")
    if misfits:
        raise InputError(shortened(misfits, str(path)))
    return np.where(np.isin(numbers, MISSING), np.nan, numbers)


def _refuse_other_unit(path: Path, unit: str, names: tuple[str, ...], rows: list[Line], numbers: Floats) -> None:
    """Refuse numbers that cannot be of a unit."""
    sizes = np.nan_to_num(np.abs(numbers))
    row, column = np.unravel_index(int(sizes.argmax()), sizes.shape)
    line, name = rows[row][0], names[column]
    if unit == "fraction" and sizes.max() > LARGEST_FRACTION:
        raise InputError(
            f"{path}: line {line}: {name}: a return of {sizes.max() * 100:.0f} % in a fraction: expected unit: percent"
        )
    if unit == "percent" and len(rows) >= ENOUGH_ROWS and 0 < sizes.max() < SMALLEST_PERCENT:
        raise InputError(
            f"{path}: line {line}: {name}: the largest return of {len(rows)} rows is {sizes.max():.2g} %: expected "
            "unit: fraction"
        )
