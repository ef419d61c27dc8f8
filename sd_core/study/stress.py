"""Windows of the past, named by a study, in which its scenarios are looked at under stress.

What happened in them belongs in ``sql``; the benchmark's deepest drawdowns, which are looked at in any case, too.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from sd_core.study.fields import CalendarDate, Name
from sd_core.study.findings import MisfitError
from sd_core.study.parts import Part

# What the benchmark's own drawdowns are called, and the other stresses that mixes are put under.
_DRAWDOWN = re.compile(r"drawdown_\d+")
STRESSES_OF_MIXES = ("draws", "correlation", "benchmark", "largest")


def _ends(dates: list[dt.date]) -> list[dt.date]:
    if len(dates) != 2 or dates[0] >= dates[1]:
        raise ValueError("expected a first and a later last date, such as [2020-02-19, 2020-03-23]")
    return dates


Ends = Annotated[list[CalendarDate], AfterValidator(_ends)]


class Stress(Part):
    """Windows of the past to look at, beside the benchmark's deepest drawdowns."""

    windows: dict[Name, Ends] = Field(
        min_length=1, description="First and last date by name: from the close of the one to that of the other."
    )

    @model_validator(mode="after")
    def _names_of_their_own(self) -> Self:
        if taken := [name for name in self.windows if name in STRESSES_OF_MIXES or _DRAWDOWN.fullmatch(name)]:
            words = "expected another name, since another stress is called so"
            raise MisfitError(f"windows.{name}: {words}" for name in taken)
        return self

    def misfits(self, start: dt.date, end: dt.date | None) -> Iterator[str]:
        """Yield the windows of which no session can lie within a study, from its start to its end."""
        for name, (first, last) in self.windows.items():
            if last <= start:
                yield f"windows.{name}: {last}: expected a last date after start, {start}"
            elif end is not None and first >= end:
                yield f"windows.{name}: {first}: expected a first date before end, {end}"
