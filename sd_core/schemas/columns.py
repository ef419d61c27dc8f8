"""The kinds of column that published tables are made of, and the columns that many of them share.

A column of a single table belongs to that table's declaration.
"""

from collections.abc import Iterable
from enum import IntEnum

import numpy as np
import pandera.pandas as pa

# Units. Money is in the study's currency throughout.
MONEY = "currency"
PER_SHARE = "currency per share"
SHARES = "shares"
FRACTION = "fraction"
YEARLY = "fraction per year"
RATIO = "ratio"
COUNT = "count"

POSITIVE = pa.Check.gt(0, error="above 0")
NOT_NEGATIVE = pa.Check.ge(0, error="0 or more")
NOT_POSITIVE = pa.Check.le(0, error="0 or less")
AT_LEAST_TOTAL_LOSS = pa.Check.ge(-1, error="-1 or more")
SHARE = pa.Check.in_range(0, 1, error="0 to 1")
CORRELATION = pa.Check.in_range(-1, 1, error="-1 to 1")
BELOW_ONE = pa.Check.in_range(0, 1, include_max=False, error="0 or more, below 1")
FROM_ONE = pa.Check.ge(1, error="1 or more")

# A data frame shows NULL as NaN, so infinity is all that is left to refuse here.
FINITE = pa.Check(lambda values: np.isfinite(values), error="finite")


def number(description: str, unit: str, *checks: pa.Check, nullable: bool = False) -> pa.Column:
    """Return a column of finite floating-point numbers."""
    return pa.Column(
        "float64",
        [FINITE, *checks],
        nullable=nullable,
        description=description,
        metadata={"type": "DOUBLE", "unit": unit},
    )


def whole(description: str, unit: str, *checks: pa.Check, nullable: bool = False) -> pa.Column:
    """Return a column of whole numbers."""
    # DuckDB hands whole numbers with a NULL among them over as floating-point ones: coercion makes them whole again.
    return pa.Column(
        "Int64" if nullable else "int64",
        list(checks),
        nullable=nullable,
        coerce=nullable,
        description=description,
        metadata={"type": "BIGINT", "unit": unit},
    )


def text(description: str, *checks: pa.Check, nullable: bool = False) -> pa.Column:
    """Return a column of text."""
    # DuckDB hands a batch that is empty or all NULL over as objects: coercion makes it text again.
    return pa.Column(
        "str",
        list(checks),
        nullable=nullable,
        coerce=True,
        description=description,
        metadata={"type": "VARCHAR", "unit": None},
    )


def day(description: str, *, nullable: bool = False) -> pa.Column:
    """Return a column of dates without a time zone."""
    return pa.Column(
        "datetime64[us]",
        nullable=nullable,
        description=description,
        metadata={"type": "DATE", "unit": None},
    )


def correlation(description: str) -> pa.Column:
    """Return a column of correlations, NULL where one cannot be computed."""
    return number(description, RATIO, CORRELATION, nullable=True)


def flag(description: str, *, nullable: bool = False) -> pa.Column:
    """Return a column of truth values."""
    # With a NULL among them DuckDB hands them over as objects.
    return pa.Column(
        "boolean" if nullable else "bool",
        nullable=nullable,
        coerce=nullable,
        description=description,
        metadata={"type": "BOOLEAN", "unit": None},
    )


def one_of(names: Iterable[str]) -> pa.Check:
    """Return the check that text is one of some names."""
    allowed = list(names)
    return pa.Check.isin(allowed, error="one of " + ", ".join(allowed))


def option(description: str, choices: type[IntEnum]) -> pa.Column:
    """Return a column that holds one of a rule's choices, in lower case as a study writes them."""
    return text(description, one_of(choice.name.lower() for choice in choices))


def scenario() -> dict[str, pa.Column]:
    """Return the two columns that name a scenario."""
    return {
        "strategy": text("Name of the strategy in the study."),
        "reserve": number("Share of the capital that the first purchases leave in the bank.", FRACTION, BELOW_ONE),
    }


def session() -> pa.Column:
    """Return the column of a session's date."""
    return day("Date of the session.")


def ticker() -> pa.Column:
    """Return the column of an asset's ticker."""
    return text("Ticker of the asset.")
