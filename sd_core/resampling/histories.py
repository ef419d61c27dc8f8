"""Bootstrap samples: the sessions of a panel resampled in blocks, as panels of their own.

The unit is a session of all assets together, as gap and ratios to the close before, with its dividend yields, its
rate and its rise of prices: what moves together stays together. Dates stay where they are, so that withdrawals fall due
as before; a sample may be longer than the panel, and its dates then go on. The outcome of scenarios in a sample belongs
in ``outcomes``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import DAYS_PER_CALENDAR_YEAR, Dates, Floats, days_between, last_known
from sd_core.market.panel import Panel
from sd_core.resampling.blocks import optimal_block, stationary_draws

Sessions = npt.NDArray[np.int64]

# Returns that differ by less are equal but for rounding.
NO_SPREAD = 1e-12


def block_length(panel: Panel, weights: Floats) -> float:
    """Return the mean length, in sessions, of the blocks that a stationary bootstrap of the panel needs.

    The longer of two estimates, for the daily returns of the assets held at their weights and for their squares, so
    that quiet and stormy times stay together; at least 1.

    Args:
        panel: at least two sessions.
        weights: by asset, summing to 1.
    """
    marks = last_known(panel.close)
    return block_of((marks[1:] / marks[:-1] - 1) @ weights)


def block_of(returns: Floats) -> float:
    """Return the mean length of the blocks that a stationary bootstrap of a portfolio's returns needs."""
    if np.ptp(returns) < NO_SPREAD:
        return 1.0  # in any order
    return max(1.0, optimal_block(returns), optimal_block(returns**2))


def anniversary_of(date: np.datetime64, years: int) -> np.datetime64:
    """Return the day so many years later; 1 March of a year without 29 February."""
    month = date.astype("datetime64[M]")
    return np.datetime64((month + 12 * years).astype("datetime64[D]") + (date - month.astype("datetime64[D]")))


def sessions_over(sessions: Dates, years: int) -> Dates:
    """Return the dates of a sample of so many years: to the last one on or before the anniversary of the first.

    Past their end the dates begin again, moved by whole weeks: weekdays stay, and so does the number of sessions that a
    year has, whatever the calendar.

    Args:
        sessions: of the panel, ascending.
        years: from the first of them on, 1 or more.
    """
    first = sessions[0]
    anniversary = anniversary_of(first, years)
    weeks = np.timedelta64(7, "D")
    period = ((sessions[-1] - first) // weeks + 1) * weeks
    times = int((anniversary - first) // period) + 1
    dates = (sessions[None, :] + np.arange(times)[:, None] * period).ravel()
    return np.asarray(dates[dates <= anniversary])


def draw_sessions(
    sessions: int, block: float, histories: int, seed: int | tuple[int, ...], *, length: int | None = None
) -> Iterator[Sessions]:
    """Yield which session each later session of a history repeats, by the stationary bootstrap.

    Args:
        sessions: of the panel; the first one is where every history starts.
        block: mean length of the blocks, in sessions, 1 or more.
        histories: how many samples. The first ones are the same however many follow.
        seed: the same seed gives the same samples.
        length: later sessions of a sample; None is as many as the panel has. What is longer is drawn in pieces as long
            as the panel, each of which begins with a new block.

    Yields:
        Positions in the panel from 1 on, shape (length,).
    """
    later = sessions - 1
    length = later if length is None else length
    drawn = stationary_draws(later, block, np.random.default_rng(seed))
    for _ in range(histories):
        yield 1 + np.concatenate(list(islice(drawn, -(-length // later))))[:length]


class Drawn(NamedTuple):
    """What a sample is made of.

    Attributes:
        sessions: one for each date but the first, as :func:`draw_sessions` yields; 1, 2, 3 … gives the panel itself.
        drift: log returns that each session with a bar has more, shape (assets,); None is none.
    """

    sessions: Sessions
    drift: Floats | None = None


@dataclass(frozen=True)
class Relatives:
    """A panel without its levels: every later session relative to the closes before it, shape (sessions - 1, assets).

    Attributes:
        panel: where they were taken from.
        sessions: dates of the samples, of which there may be more or fewer.
        open, high, low, close: prices over the last known close before; NaN where an asset has no bar.
        dividends: per share over the last known close before.
    """

    panel: Panel
    sessions: Dates
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    dividends: Floats

    @classmethod
    def of(cls, panel: Panel, years: int | None = None) -> "Relatives":
        """Take the levels out of a panel, for samples of its own length or of so many :func:`sessions_over` years."""
        before = last_known(panel.close)[:-1]
        prices = (panel.open, panel.high, panel.low, panel.close, panel.dividends)
        sessions = panel.sessions if years is None else sessions_over(panel.sessions, years)
        return cls(panel, sessions, *(column[1:] / before for column in prices))

    @property
    def years(self) -> float:
        """From the first date of a sample to its last, of 365.25 days each."""
        return float(days_between(self.sessions[[0, -1]])[0]) / DAYS_PER_CALENDAR_YEAR

    def history(self, drawn: Drawn) -> Panel:
        """Return the panel in which each later session repeats another one, levels growing from the first close.

        All prices of a session, and its dividend, are multiplied by what it drifts more, so a bar keeps its shape.
        """
        panel, rows = self.panel, drawn.sessions - 1
        drift = 1.0 if drawn.drift is None else np.exp(drawn.drift)
        growth = self.close[rows] * drift
        marks = np.concatenate([panel.close[:1], np.where(np.isnan(growth), 1.0, growth)]).cumprod(axis=0)
        before = marks[:-1]

        def column(first: Floats, relative: Floats) -> Floats:
            return np.concatenate([first[:1], before * relative[rows] * drift])

        return Panel(
            tickers=panel.tickers,
            sessions=self.sessions,
            open=column(panel.open, self.open),
            high=column(panel.high, self.high),
            low=column(panel.low, self.low),
            # The same numbers as in marks, so that a bar's close is the level that the next one starts from.
            close=np.concatenate([panel.close[:1], np.where(np.isnan(growth), np.nan, marks[1:])]),
            dividends=column(panel.dividends, self.dividends),
            # A session earns the rate known at the session before, so that is the one to repeat.
            rates=np.append(panel.rates[rows], panel.rates[-1]),
            price_index=None if panel.price_index is None else self._price_index(panel.price_index, rows),
        )

    @staticmethod
    def _price_index(levels: Floats, rows: Sessions) -> Floats:
        return np.concatenate([levels[:1], (levels[1:] / levels[:-1])[rows]]).cumprod()
