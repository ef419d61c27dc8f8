"""The rules under which prices, rates and amounts are refused, whichever source delivered them.

A rule names the row and the field it objects to and says what it expected; the source adds its own place (file and
line, or ticker and date) and the value as it found it. Reading a file or an answer belongs in the sources; doubts about
prices that are possible but odd (gaps, jumps, stale bars) belong in ``quality``.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sd_core.market.sources.base import BAR_COLUMNS
from sd_core.wording import counted

# Sources keep prices as 32-bit floats, whose neighbours lie 1.2e-7 apart: an open may leave its bar by that much.
ROUNDING = 1e-6

# Beyond this many times the price before, or below its inverse, a price is a slip of the decimal point or of the unit.
LARGEST_STEP = 1e6

# A file with one wrong column has a finding per row; more than these do not help.
SHOWN_FINDINGS = 5


@dataclass(frozen=True)
class Finding:
    """One value that is refused.

    Attributes:
        label: the row's label in the table that was judged: a line number, or a date.
        field: the column.
        expected: what the rule wanted there, to be read after "expected".
    """

    label: Any
    field: str
    expected: str


def date_findings(days: pd.Series, latest: dt.date) -> list[Finding]:
    """Judge dates: each a date, none after ``latest``, strictly ascending.

    Args:
        days: datetime64 by row label; NaT where the source had something else. The field is "date".
        latest: the last date that is not in the future.
    """
    missing = days.isna()
    future = days > pd.Timestamp(latest)
    # A date from the future would make every later row look out of order, so it does not count as a predecessor.
    newest_above = days.where(~future).cummax().ffill().shift()
    repeated = days.duplicated() & ~missing
    early = (days < newest_above) & ~repeated
    return [
        *_where(missing, "date", "a date such as 2024-01-31"),
        *_where(future, "date", f"a date up to {latest}"),
        *_where(repeated, "date", "every date once"),
        *(
            Finding(label, "date", f"ascending dates, but {newest_above[label]:%Y-%m-%d} comes before it")
            for label in days.index[early]
        ),
    ]


def bar_findings(bars: pd.DataFrame) -> list[Finding]:
    """Judge bars: four finite prices above 0, low to high the right way round, open and close between them, no leaps.

    What leaves the bar by no more than :data:`ROUNDING` (relative) passes as it is. ``bars`` has the columns open,
    high, low, close; text and blanks arrive as NaN.
    """
    findings = [finding for field in BAR_COLUMNS for finding in positive_findings(bars[field], "a price")]
    # A bar without four prices, or with a high below its low, has its finding already; open and close are not checked.
    whole = ((bars > 0) & (bars < np.inf)).all(axis=1)
    low, high = bars["low"] * (1 - ROUNDING), bars["high"] * (1 + ROUNDING)
    upright = whole & (high >= low)
    for label in bars.index[whole & ~upright]:
        findings.append(Finding(label, "high", f"no less than the low, {bars['low'][label]}"))
    for field in ("open", "close"):
        for label in bars.index[upright & ~bars[field].between(low, high)]:
            span = f"{bars['low'][label]} to {bars['high'][label]}"
            findings.append(Finding(label, field, f"a price from low to high, {span}"))
    return [*findings, *_steps(bars["close"][upright])]


def _steps(closes: pd.Series) -> Iterator[Finding]:
    """Judge closes, all above 0: none a million times the last one that passed, or a millionth of it."""
    if closes.empty or np.ptp(np.log(closes.to_numpy(float))) <= np.log(LARGEST_STEP):
        return
    passed = closes.iloc[0]
    for label, close in closes.items():
        if 1 / LARGEST_STEP < close / passed < LARGEST_STEP:
            passed = close
        else:
            yield Finding(label, "close", f"a price within a factor of {LARGEST_STEP:,.0f} of the one before, {passed}")


def positive_findings(values: pd.Series, what: str) -> list[Finding]:
    """Judge values that must be finite and above 0: ``what`` says what they are, the Series' name is their field."""
    field = str(values.name)
    return [
        *_where(values == np.inf, field, f"{what} that is finite"),
        *_where(~(values > 0), field, f"{what} above 0"),
    ]


def rate_findings(rates: pd.Series) -> list[Finding]:
    """Judge yearly rates in percent: any finite number will do. The Series' name is their field."""
    return list(_where(~np.isfinite(rates), str(rates.name), "a rate in percent, such as 4.25"))


def shortened(lines: Sequence[str], place: str) -> str:
    """Join findings, one per line: the first few, then how many more there are at ``place``."""
    more = len(lines) - SHOWN_FINDINGS
    rest = [f"{place}: {counted(more, 'more finding')}"] if more > 0 else []
    return "\n".join([*lines[:SHOWN_FINDINGS], *rest])


def _where(refused: pd.Series, field: str, expected: str) -> Iterator[Finding]:
    return (Finding(label, field, expected) for label in refused.index[refused])
