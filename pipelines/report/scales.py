"""Where a value lies on an axis, and where the axis has its ticks. Positions are fractions of the axis, 0 to 1."""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.report.numbers import compact

YEAR = 365.25
# As many labels as a phone has room for side by side.
MOST_DATES = 7
STEPS_OF_YEARS = (1, 2, 5, 10, 20, 50)
STEPS_OF_MONTHS = (1, 2, 3, 6)
STEPS_OF_DAYS = (1, 2, 5, 10, 20)


@dataclass(frozen=True)
class Scale:
    """An axis from one value to another.

    Attributes:
        low, high: values at its two ends, low < high.
        ticks: values that get a line and a label, ascending.
        name: writes the label of a tick.
        unit: what the axis measures, in what; written beside it.
        logarithmic: whether equal distances are equal ratios; both ends are above 0 then.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    name: Callable[[float], str]
    unit: str
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return a value's place between the ends, 0 to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def compact_percent(fraction: float) -> str:
    """Return a fraction as the number of percent that an axis in percent shows."""
    return compact(round(fraction * 100, 9))


def linear(values: Sequence[float], unit: str, name: Callable[[float], str] = compact, *, zero: bool = True) -> Scale:
    """Return an axis over all values, with zero on it where asked for, that ends on ticks."""
    low, high = (min([*values, 0.0]), max([*values, 0.0])) if zero else (min(values), max(values))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    step = _step((high - low) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, tuple(number * step for number in range(first, last + 1)), name, unit)


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least so much."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def logarithmic(values: Sequence[float], unit: str, name: Callable[[float], str] = compact) -> Scale:
    """Return a logarithmic axis over values above 0, with ticks at 1, 2 and 5 times powers of ten."""
    low, high = min(values) / 1.05, max(values) * 1.05
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = tuple(tick for power in powers for factor in factors if low <= (tick := factor * 10.0**power) <= high)
        if len(ticks) >= 4:
            return Scale(low, high, ticks, name, unit, logarithmic=True)
    within = linear((low, high), unit, name, zero=False)
    return Scale(low, high, tuple(tick for tick in within.ticks if low <= tick <= high), name, unit, logarithmic=True)


def dates(first: dt.date, last: dt.date) -> Scale:
    """Return an axis of days, counted as dates do, with ticks at the starts of years or months, or on days."""
    days = max((last - first).days, 1)
    if days > 2 * YEAR:
        step = next((step for step in STEPS_OF_YEARS if days / YEAR / step <= MOST_DATES), STEPS_OF_YEARS[-1])
        starts = [dt.date(year, 1, 1) for year in range(first.year, last.year + 1) if year % step == 0]
        form, unit = "%Y", "year"
    elif days > 60:
        # Longer labels than years have.
        step = next(step for step in STEPS_OF_MONTHS if days / (YEAR / 12) / step <= MOST_DATES - 2)
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        starts = [dt.date(month // 12, month % 12 + 1, 1) for month in months if month % 12 % step == 0]
        form, unit = "%Y-%m", "month"
    else:
        step = next(step for step in STEPS_OF_DAYS if days / step <= MOST_DATES - 3)
        starts = [first + dt.timedelta(number) for number in range(0, days + 1, step)]
        form, unit = "%m-%d", "month and day"
    ticks = tuple(float(day.toordinal()) for day in starts if first <= day <= last)
    low = float(first.toordinal())
    return Scale(low, low + days, ticks, lambda tick: dt.date.fromordinal(round(tick)).strftime(form), unit)
