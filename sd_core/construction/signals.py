"""What signals say at the sessions at which mixes decide, and how well they have foretold returns so far.

How signals are evaluated belongs in SQL, how weights follow from them in ``scoring`` and ``estimates``.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sd_core.market.arrays import Dates, Floats
from sd_core.study.parts import Every

# Coefficients whose horizon has ended before their mean counts: two years of months.
FEWEST_COEFFICIENTS = 24
# Sessions of the horizon whose coefficients count for a period between decisions, the longest there is for a year.
HORIZONS: Mapping[Every, int] = {"month": 21, "quarter": 63, "year": 126}
# The horizon of what boosted trees predict.
PREDICTED_SESSIONS = 21


class Seen(NamedTuple):
    """A signal of all assets at a session, NaN where it has none: its value, and its z-score among the assets."""

    value: Floats
    z: Floats


class Coefficients(NamedTuple):
    """Rank correlations of a signal with the returns after it: when each horizon ended, ascending, and how large."""

    ended: Dates
    values: Floats


@dataclass(frozen=True, eq=False)
class Signals:
    """Signals of the study's assets.

    Attributes:
        tickers: the assets, in the study's order.
        sessions: at which they are known, ascending.
        values, z: by signal, shape (sessions, assets); NaN where there is none.
        coefficients: by signal and horizon, of those that have ended.
    """

    tickers: tuple[str, ...]
    sessions: Dates = field(default_factory=lambda: np.empty(0, "datetime64[D]"))
    values: Mapping[str, Floats] = field(default_factory=dict)
    z: Mapping[str, Floats] = field(default_factory=dict)
    coefficients: Mapping[tuple[str, int], Coefficients] = field(default_factory=dict)

    def at(self, signal: str, date: dt.date) -> Seen:
        """Return a signal at the close of a date, NaN where it has no value then."""
        day = np.datetime64(date, "D")
        place = int(np.searchsorted(self.sessions, day))
        if signal not in self.values or place == len(self.sessions) or self.sessions[place] != day:
            return Seen(np.full(len(self.tickers), np.nan), np.full(len(self.tickers), np.nan))
        return Seen(self.values[signal][place], self.z[signal][place])

    def foretold(self, signal: str, every: Every, date: dt.date) -> float:
        """Return the mean coefficient of a signal whose horizons have ended by a date, 0 where there are too few."""
        found = self.coefficients.get((signal, HORIZONS[every]))
        if found is None:
            return 0.0
        known = found.values[: np.searchsorted(found.ended, np.datetime64(date, "D"), side="right")]
        return float(known.mean()) if len(known) >= FEWEST_COEFFICIENTS else 0.0


def signals_from(tickers: tuple[str, ...], signal: pa.Table, signal_ic: pa.Table) -> Signals:
    """Return signals from rows of ``signal`` and ``signal_ic``, in any order; other tickers are left out."""
    rows = [row for row in signal.to_pylist() if row["ticker"] in tickers]
    sessions = np.unique(np.array([row["session"] for row in rows], dtype="datetime64[D]"))
    places = {session: place for place, session in enumerate(sessions.tolist())}
    shape = (len(sessions), len(tickers))
    names = dict.fromkeys(row["signal"] for row in rows)
    values, z = ({name: np.full(shape, np.nan) for name in names} for _ in range(2))
    columns = {ticker: place for place, ticker in enumerate(tickers)}
    for row in rows:
        at = places[row["session"]], columns[row["ticker"]]
        for grid, column in ((values, "value"), (z, "z")):
            if row[column] is not None:
                grid[row["signal"]][at] = row[column]
    return Signals(tickers, sessions, values, z, _coefficients(signal_ic))


def _coefficients(signal_ic: pa.Table) -> dict[tuple[str, int], Coefficients]:
    found: dict[tuple[str, int], list[tuple[dt.date, dt.date, float]]] = {}
    for row in signal_ic.to_pylist():
        if row["ended_session"] is not None and row["coefficient"] is not None:
            entry = (row["ended_session"], row["session"], row["coefficient"])
            found.setdefault((row["signal"], row["horizon"]), []).append(entry)
    return {
        key: Coefficients(
            np.array([ended for ended, *_ in sorted(rows)], dtype="datetime64[D]"),
            np.array([value for *_, value in sorted(rows)]),
        )
        for key, rows in found.items()
    }
