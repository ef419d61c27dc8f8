"""The kinds of column that tables are made of, and the columns that many of them share.

A column of a single table belongs to that table's declaration. What is declared here is plain data: pandera, which
judges it, is imported by ``table`` where rows are judged.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# Units. Money is in the study's currency throughout.
MONEY = "currency"
PER_SHARE = "currency per share"
SHARES = "shares"
FRACTION = "fraction"
YEARLY = "fraction per year"
RATIO = "ratio"
COUNT = "count"

Type = Literal["BIGINT", "BOOLEAN", "DATE", "DOUBLE", "VARCHAR", "VARCHAR[]"]


@dataclass(frozen=True)
class Check:
    """What every value must be: in words, and as a function of a Series that gives a truth value each."""

    words: str
    holds: Callable[[Any], Any]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        type: as DuckDB calls it.
        description: one or two sentences.
        unit: of a number; None for what is no number.
        checks: that every value passes; NULL passes all.
        nullable: whether NULL is allowed.
        stored: the Arrow type in the lake where it is a narrower one than ``type`` asks for.
    """

    type: Type
    description: str
    unit: str | None = None
    checks: tuple[Check, ...] = ()
    nullable: bool = False
    stored: str | None = None


POSITIVE = Check("above 0", lambda values: values > 0)
NOT_NEGATIVE = Check("0 or more", lambda values: values >= 0)
NOT_POSITIVE = Check("0 or less", lambda values: values <= 0)
AT_LEAST_TOTAL_LOSS = Check("-1 or more", lambda values: values >= -1)
SHARE = Check("0 to 1", lambda values: (values >= 0) & (values <= 1))
CORRELATION = Check("-1 to 1", lambda values: (values >= -1) & (values <= 1))
BELOW_ONE = Check("0 or more, below 1", lambda values: (values >= 0) & (values < 1))
FROM_ONE = Check("1 or more", lambda values: values >= 1)

# A data frame shows NULL as NaN, so infinity is all that is left to refuse here.
FINITE = Check("finite", np.isfinite)


def number(description: str, unit: str, *checks: Check, nullable: bool = False) -> Column:
    """Return a column of finite floating-point numbers."""
    return Column("DOUBLE", description, unit, (FINITE, *checks), nullable)


def whole(description: str, unit: str, *checks: Check, nullable: bool = False, stored: str | None = None) -> Column:
    """Return a column of whole numbers."""
    return Column("BIGINT", description, unit, checks, nullable, stored)


def text(description: str, *checks: Check, nullable: bool = False, stored: str | None = None) -> Column:
    """Return a column of text."""
    return Column("VARCHAR", description, None, checks, nullable, stored)


def day(description: str, *, nullable: bool = False) -> Column:
    """Return a column of dates without a time zone."""
    return Column("DATE", description, nullable=nullable)


def flag(description: str, *, nullable: bool = False) -> Column:
    """Return a column of truth values."""
    return Column("BOOLEAN", description, nullable=nullable)


def texts(description: str) -> Column:
    """Return a column of lists of text; only the lake has such."""
    return Column("VARCHAR[]", description)


def correlation(description: str) -> Column:
    """Return a column of correlations, NULL where one cannot be computed."""
    return number(description, RATIO, CORRELATION, nullable=True)


def corrected_verdicts() -> dict[str, Column]:
    """Return the columns of a p-value that is corrected for the verdicts of a table, beside its own."""
    return {
        "p_value_holm": number(
            "The same, corrected for all verdicts of this table by Holm's method; at most 4 % is significant.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "verdicts": whole("Verdicts of this table that have a p-value.", COUNT, NOT_NEGATIVE),
    }


def from_to(first: int, last: int) -> Check:
    """Return the check that a number lies in a range, both ends included."""
    return Check(f"{first} to {last}", lambda values: (values >= first) & (values <= last))


def one_of(names: Iterable[str]) -> Check:
    """Return the check that text is one of some names."""
    allowed = list(names)
    return Check("one of " + ", ".join(allowed), lambda values: values.isin(allowed))


def scenario() -> dict[str, Column]:
    """Return the two columns that name a scenario."""
    return {
        "strategy": text("Name of the strategy in the study."),
        "reserve": number("Share of the capital that the first purchases leave in the bank.", FRACTION, BELOW_ONE),
    }


def session() -> Column:
    """Return the column of a session's date."""
    return day("Date of the session.")


def ticker() -> Column:
    """Return the column of an asset's ticker."""
    return text("Ticker of the asset.")
