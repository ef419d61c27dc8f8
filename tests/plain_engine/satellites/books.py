"""The rows that a simulated plan writes, in the order in which it writes them.

Each is a dictionary with the columns of a record of ``sd_core.buckets.history.contract``; days are dates, and what is
left out does not apply.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sd_core.schemas.kinds import BucketEvent, Sleep

Row = dict[str, Any]

# Legs of a ledger: cash that arrives, the open, and what the rest of the bar reaches.
ARRIVAL, OPEN, WITHIN = -1, 0, 1
EPOCH = dt.date(1970, 1, 1)


def number(value: Any) -> Any:
    """Return a day as its number since 1970, and all else as it is."""
    return (value - EPOCH).days if isinstance(value, dt.date) else value


def records(rows: Sequence[Row], dtype: np.dtype) -> npt.NDArray[np.void]:
    """Return rows as records: NaN or -1 for what is left out."""
    found = np.zeros(len(rows), dtype=dtype)
    for column in dtype.names or ():
        left_out = math.nan if dtype[column].kind == "f" else -1
        values = [row.get(column) for row in rows]
        found[column] = [left_out if value is None else number(value) for value in values]
    return found


@dataclass
class Books:
    """All rows of a plan, and the session under way."""

    days: list[dt.date]
    session: int = 0
    ledger: list[Row] = field(default_factory=list)
    daily: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    evaluations: list[Row] = field(default_factory=list)

    @property
    def today(self) -> dt.date:
        return self.days[self.session]

    @property
    def days_since_last_session(self) -> int:
        return (self.today - self.days[self.session - 1]).days

    def begins_a(self, period: str) -> bool:
        """Return whether this is the first session of a month or of a quarter; the first of all is none."""
        if self.session == 0:
            return False
        before, today = self.days[self.session - 1], self.today
        months = 3 if period == "quarter" else 1
        return (before.year, (before.month - 1) // months) != (today.year, (today.month - 1) // months)

    def note(
        self,
        bucket: int,
        event: BucketEvent,
        value: float,
        *,
        cause: Sleep = Sleep.NONE,
        until: dt.date | None = None,
    ) -> None:
        """Write an event, with the number that the rule looked at."""
        row = {"session": self.session, "bucket": bucket, "event": event, "cause": cause, "value": value}
        self.events.append(row | {"until": until})
