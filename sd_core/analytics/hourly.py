"""How assets move together by the length of a return, from hourly closes: 1 hour, 4 hours, a day, a week.

Everything is on UTC, whatever the exchange. Correlations of daily closes belong in ``correlation``.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from sd_core.market.arrays import THURSDAY, Floats, Integers
from sd_core.market.hourly import HOUR

Hours = tuple[Integers, Floats]

DAY = 24 * HOUR
# Fewer returns than this give no correlation; the interval is for 95 %.
FEWEST, TWO_SIDED = 30, 1.959963984540054
NO_SPREAD = 1e-12


class Marks(NamedTuple):
    """Moments at which the prices of two assets are known.

    Attributes:
        times: ends of hours, in seconds since 1970 UTC, ascending.
        one, other: logarithms of their closes.
        apart: minutes between the ends of the hours that the two closes are of, on average.
    """

    times: Integers
    one: Floats
    other: Floats
    apart: float


def marks_of(one: Hours, other: Hours) -> Marks:
    """Return the moments at which both of two assets have a close of less than an hour ago.

    They are the ends of the hours of the asset that has fewer; of the other its newest close up to then. Hours that
    begin on the half hour, as in New York, meet those that begin on the hour half an hour late.
    """
    if len(other[0]) < len(one[0]):
        swapped = marks_of(other, one)
        return Marks(swapped.times, swapped.other, swapped.one, swapped.apart)
    ends, others = one[0] + HOUR, other[0] + HOUR
    at = np.searchsorted(others, ends, side="right") - 1
    late = ends - others[np.maximum(at, 0)] if len(others) else ends
    known = (at >= 0) & (late < HOUR)
    apart = float(late[known].mean() / 60.0) if known.any() else 0.0
    return Marks(ends[known], np.log(one[1][known]), np.log(other[1][at[known]]), apart)


# By frequency: seconds of a period, and how many periods one return may span.
PERIODS: Mapping[str, tuple[int, int]] = {"1h": (HOUR, 1), "4h": (4 * HOUR, 1), "1d": (DAY, 10), "1w": (7 * DAY, 2)}


def returns_of(marks: Marks, frequency: str) -> tuple[Floats, Floats]:
    """Return the log returns of both assets between the last marks of periods of UTC.

    Weeks run from Monday to Sunday. A night is no hour: returns of one and of four hours are of periods that follow
    each other; those of days and weeks go over nights, weekends and holidays. The newest period of more than an hour
    may not be over and does not count.
    """
    length, most = PERIODS[frequency]
    # An hour that ends at midnight belongs to the day before.
    period = (marks.times - 1 + (THURSDAY * DAY if frequency == "1w" else 0)) // length
    last = np.flatnonzero(np.diff(period, append=period[-1:] + 1))
    if frequency != "1h":
        last = last[:-1]
    spans = np.diff(marks.times[last]) <= HOUR if frequency == "1h" else np.diff(period[last]) <= most
    return np.diff(marks.one[last])[spans], np.diff(marks.other[last])[spans]


def correlations(hours: Mapping[str, Hours]) -> Iterator[dict[str, Any]]:
    """Yield a row of ``correlation_frequency``, classes apart, for each two tickers and each frequency."""
    for first, second in combinations(sorted(hours), 2):
        marks = marks_of(hours[first], hours[second])
        for frequency in PERIODS:
            yield {"frequency": frequency, "ticker_a": first, "ticker_b": second, **_row(marks, frequency)}


def _row(marks: Marks, frequency: str) -> dict[str, Any]:
    if not len(marks.times):
        return {"observations": 0, "missing": "no hour in common"}
    one, other = returns_of(marks, frequency)
    ends = (marks.times[[0, -1]] - 1).astype("datetime64[s]").astype("datetime64[D]")
    row = {
        "observations": len(one),
        "minutes_apart": marks.apart,
        "first_date": ends[0].item(),
        "last_date": ends[1].item(),
    }
    if len(one) < FEWEST:
        return {**row, "missing": f"fewer than {FEWEST} returns"}
    if min(one.std(), other.std()) < NO_SPREAD:
        return {**row, "missing": "one of the two did not move"}
    found = float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))
    # Fisher's transform, whose spread is 1 / √(n - 3) whatever the correlation.
    with np.errstate(divide="ignore"):
        centre, margin = np.arctanh(found), TWO_SIDED / np.sqrt(len(one) - 3)
    low, high = np.tanh([centre - margin, centre + margin])
    return {**row, "correlation": found, "correlation_low": float(low), "correlation_high": float(high)}
