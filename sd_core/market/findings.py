"""A finding about prices as a row for people, and the runs of sessions that it speaks of.

What is found belongs in ``quality`` and in the modules of single kinds: ``closed_days``, ``splits`` and ``dividends``.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from sd_core.market.arrays import Dates
from sd_core.market.sessions import Positions, calendar_days, next_session
from sd_core.market.sources.base import PriceHistory
from sd_core.schemas.lake import PRICE_FINDINGS

# Sessions without a bar that make no finding: no exchange closes longer than a week but in a catastrophe.
TOLERATED_SESSIONS = 5


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        ticker: whose prices; None where the study as a whole is meant.
        rule: name of the rule.
        first_session, last_session: what it concerns, both included.
        sessions: how many sessions it concerns.
        detail: a sentence for people.
    """

    ticker: str | None
    rule: str
    first_session: dt.date
    last_session: dt.date
    sessions: int
    detail: str


def to_table(findings: Iterable[Finding]) -> pa.Table:
    """Return findings as a table, one row each, in the order given."""
    return pa.Table.from_pylist([asdict(finding) for finding in findings], schema=PRICE_FINDINGS.arrow_schema)


def sessions_with_bar(history: PriceHistory, sessions: Dates) -> Positions:
    """Return the positions of the sessions on which bars count, ascending and each once."""
    positions = np.unique(next_session(calendar_days(history.bars.index), sessions))
    return positions[positions < len(sessions)]


@dataclass(frozen=True)
class Span:
    """A run of sessions, both ends included."""

    first: dt.date
    last: dt.date
    count: int

    def finding(self, rule: str, ticker: str | None, detail: str) -> Finding:
        """Return a finding that concerns this run."""
        return Finding(ticker, rule, self.first, self.last, self.count, detail)


def span_of(sessions: Dates, first: int | np.intp, last: int | np.intp) -> Span:
    """Return the run of sessions from position first to last."""
    return Span(sessions[first].item(), sessions[last].item(), int(last - first) + 1)
