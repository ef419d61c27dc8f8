"""What mixes decide from: past returns, and what of them a fit at a session may see.

Nothing here looks beyond the close of the session of a decision. What is made of it belongs in ``decisions``.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Dates, Floats, month_numbers
from sd_core.study.parts import Every

# Months of a period.
MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Least shares of a window's sessions on which an asset has a bar, and of its bars on which its price moved.
MIN_BARS = 0.9
MIN_MOVED = 0.5
# A variance of returns of at most this is none.
NO_VARIANCE = 1e-12
# Least share of a window's rows that must be common to all assets.
MIN_ROWS = 0.5


@dataclass(frozen=True, eq=False)
class History:
    """Past returns of a study's assets.

    Attributes:
        tickers: the assets, in the study's order.
        classes: asset class of each.
        weights: the study's weights, summing to 1, shape (assets,).
        sessions: ascending, datetime64[D].
        returns: with dividends, since the session before, fractions, shape (sessions, assets); the first row is unread.
        has_bar: whether an asset has a bar, same shape.
        cash: return of cash since the session before, shape (sessions,).
        next_session: what the calendar says follows the last session; None where there is no calendar.
        periods_per_year: sessions of a year.
        fee_rate: what a trade costs, of its worth.
    """

    tickers: tuple[str, ...]
    classes: tuple[str, ...]
    weights: Floats
    sessions: Dates
    returns: Floats
    has_bar: npt.NDArray[np.bool_]
    cash: Floats
    next_session: dt.date | None
    periods_per_year: float
    fee_rate: float = 0.0

    @cached_property
    def row_digests(self) -> npt.NDArray[np.uint8]:
        """A digest of what each session added to the past, shape (sessions, 16)."""
        rows = np.column_stack([self.returns, self.has_bar, self.cash])
        digests = b"".join(hashlib.blake2b(row, digest_size=16).digest() for row in rows)
        return np.frombuffer(digests, dtype=np.uint8).reshape(len(rows), 16)

    def decision_places(self, every: Every) -> list[int]:
        """Return the positions of the sessions that are the last of a period.

        The last session of all is one where the calendar says so; without a calendar that is not known.
        """
        following = [] if self.next_session is None else [np.datetime64(self.next_session, "D")]
        dates = np.append(self.sessions, np.array(following, dtype=self.sessions.dtype))
        periods = month_numbers(dates) // MONTHS[every]
        return np.flatnonzero(np.diff(periods) != 0).tolist()

    def session_after(self, place: int) -> dt.date | None:
        """Return the session after a position where its prices are there, None after the last one."""
        later = self.sessions[place + 1 : place + 2].tolist()
        return later[0] if later else None

    def drifted(self, weights: Floats, since: int, place: int) -> Floats:
        """Return what weights of the close of one position have become by the close of a later one.

        Dividends are reinvested, what is not invested earns what cash does, and nothing is traded.
        """
        grown = weights * np.prod(1.0 + self.returns[since + 1 : place + 1], axis=0)
        bank = max(0.0, 1.0 - weights.sum()) * np.prod(1.0 + self.cash[since + 1 : place + 1])
        return np.asarray(grown / (grown.sum() + bank))


class Window(NamedTuple):
    """What a fit sees.

    Attributes:
        assets: positions of the assets that may be held.
        excluded: by ticker, why another may not.
        returns: C-ordered, shape (rows, assets held); a row is a session on which all of them have a bar.
        cash: mean return of cash between rows.
        wanted: rows that the window has where every asset has every bar.
    """

    assets: npt.NDArray[np.intp]
    excluded: dict[str, str]
    returns: Floats
    cash: float
    wanted: int

    @property
    def has_rows(self) -> bool:
        """Whether there are enough rows to fit anything."""
        return len(self.returns) >= max(2, MIN_ROWS * self.wanted)


class Ranked(NamedTuple):
    """By what assets are chosen: a value of each, NaN for none, and how many of the best may be held."""

    values: Floats
    top: int


def look_back(
    history: History, place: int, window: int, scores: Floats | None = None, ranked: Ranked | None = None
) -> Window:
    """Return what a fit at the close of a position sees of the sessions up to it.

    Args:
        history: the past.
        place: the position of the decision, at least ``window``.
        window: how many returns back; ``place`` is all of them.
        scores: of each asset, as known then; one without, NaN, may not be held. None where scores play no part.
        ranked: which of the assets that could be held otherwise may be; None: all.
    """
    first = place - window
    has_bar = history.has_bar[first : place + 1]
    returns = np.where(has_bar[1:], history.returns[first + 1 : place + 1], 0.0)
    excluded = _excluded(history.tickers, has_bar[1:], returns, scores)
    if ranked is not None:
        excluded |= _not_chosen(history.tickers, excluded, ranked)
    assets = np.array([at for at, ticker in enumerate(history.tickers) if ticker not in excluded], dtype=np.intp)
    rows = np.flatnonzero(has_bar[:, assets].all(axis=1))
    held = np.column_stack([history.returns[first + 1 : place + 1][:, assets], history.cash[first + 1 : place + 1]])
    grown = between(held, rows)
    return Window(
        assets,
        excluded,
        np.ascontiguousarray(grown[:, :-1]),
        float(grown[:, -1].mean()) if len(grown) else 0.0,
        window,
    )


def _excluded(
    tickers: tuple[str, ...], has_bar: npt.NDArray[np.bool_], returns: Floats, scores: Floats | None
) -> dict[str, str]:
    """Return why assets may not be held, the first reason of each."""
    bars = has_bar.sum(axis=0)
    moved = (returns != 0.0).sum(axis=0)
    found: dict[str, str] = {}
    for at, ticker in enumerate(tickers):
        reasons = {
            "no bar": not has_bar[-1, at],
            "too few bars": bars[at] < MIN_BARS * len(has_bar),
            "rarely moves": moved[at] < MIN_MOVED * bars[at],
            "no variance": returns[has_bar[:, at], at].var() <= NO_VARIANCE if bars[at] else True,
            "no score": scores is not None and bool(np.isnan(scores[at])),
        }
        if reason := next((reason for reason, holds in reasons.items() if holds), None):
            found[ticker] = reason
    return found


def _not_chosen(tickers: tuple[str, ...], excluded: Mapping[str, str], ranked: Ranked) -> dict[str, str]:
    """Return why further assets may not be held: they have no value, or are not among the best.

    Of equal values that of the first asset is better.
    """
    left = [at for at, ticker in enumerate(tickers) if ticker not in excluded]
    valued = [at for at in left if not np.isnan(ranked.values[at])]
    best = sorted(valued, key=lambda at: -ranked.values[at])[: ranked.top]
    return {tickers[at]: "not selected" if at in valued else "no signal" for at in left if at not in best}


def between(returns: Floats, rows: npt.NDArray[np.intp]) -> Floats:
    """Return the growth from each row to the next, shape (rows - 1, columns); row 0 is before the first return."""
    if len(rows) < 2:
        return np.empty((0, returns.shape[1]))
    steps = returns[rows[0] : rows[-1]]
    if len(steps) == len(rows) - 1:
        return steps
    return np.multiply.reduceat(1.0 + steps, rows[:-1] - rows[0], axis=0) - 1.0
