"""Days on which an exchange was closed: where its calendar and the bars disagree, and bars of days without trade.

All of it is about sessions of a calendar. Holes of more than a week belong in ``quality``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Dates
from sd_core.market.findings import TOLERATED_SESSIONS, Finding
from sd_core.market.panel import periods_per_year
from sd_core.market.sessions import calendar_days
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory

# Prices come in single precision: a smaller difference, relative, is no other price.
SAME_PRICE = 1e-6
MOST_DATES_SHOWN = 5

Flags = npt.NDArray[np.bool_]


def without_repeated_bars(history: PriceHistory, sessions: Dates) -> PriceHistory:
    """Return a history without the bars of days without a session that only repeat the close before.

    No one traded at such a price. Merged into the next session, it would be that session's open and hide what the
    price did overnight.
    """
    return replace(history, bars=history.bars[~_repeated_outside(history, sessions)])


def repeated_bars(history: PriceHistory, sessions: Dates, calendar: str) -> Iterator[Finding]:
    """Yield the bars that :func:`without_repeated_bars` leaves out, in one finding."""
    dates = calendar_days(history.bars.index)[_repeated_outside(history, sessions)]
    if len(dates):
        yield _of_dates(
            history.ticker,
            "repeated_bar",
            dates,
            f"{history.ticker} has bars without trade, which repeat the close before, on days without a session of "
            f"{calendar}: {_listed(dates)}. They are left out.",
        )


def bars_without_session(history: PriceHistory, sessions: Dates, calendar: str) -> Iterator[Finding]:
    """Yield the bars on days without a session, of an asset that does not trade round the clock, in one finding."""
    dates, repeats = calendar_days(history.bars.index), _repeats(history)
    if _trades_round_the_clock(dates, repeats):
        return
    dates = dates[_outside(dates, sessions) & ~repeats]
    if len(dates):
        yield _of_dates(
            history.ticker,
            "bar_without_session",
            dates,
            f"{history.ticker} has bars on days without a session of {calendar}: {_listed(dates)}. They count on the "
            "next session; `sessions: union` makes sessions of them.",
        )


def sessions_without_bar(histories: Iterable[PriceHistory], sessions: Dates, calendar: str) -> Iterator[Finding]:
    """Yield the sessions on which no asset of an exchange traded, in one finding.

    A bar that repeats the close before, of an asset whose bars have a range otherwise, is no trade. Only sessions
    between the first bar and the last of some such asset count, and no more than five in a row, else it is a hole.
    """
    expected = np.zeros(len(sessions), dtype=bool)
    traded = np.zeros(len(sessions), dtype=bool)
    for history in histories:
        dates, repeats = calendar_days(history.bars.index), _repeats(history)
        if len(dates) and not _trades_round_the_clock(dates, repeats):
            expected |= (sessions >= dates[0]) & (sessions <= dates[-1])
            traded |= np.isin(sessions, dates[~(repeats & _mostly_has_range(history))])
    empty = expected & ~traded
    for begin, end in np.flatnonzero(np.diff(empty.astype(int), prepend=0, append=0)).reshape(-1, 2):
        empty[begin:end] = end - begin <= TOLERATED_SESSIONS
    if empty.any():
        dates = sessions[empty]
        yield _of_dates(
            None,
            "session_without_bar",
            dates,
            f"No asset of an exchange traded on these sessions of {calendar}: {_listed(dates)}. If it was closed, "
            "`sessions: intersection` leaves such days out.",
        )


def _trades_round_the_clock(dates: Dates, repeats: Flags) -> bool:
    """Return whether weekends are days like any other, by the bars that do not only repeat the close before."""
    return periods_per_year(dates[~repeats]) == 365


def _outside(dates: Dates, sessions: Dates) -> Flags:
    """Return which dates are no sessions, from the first session to the last."""
    if len(sessions) == 0:
        return np.zeros(len(dates), dtype=bool)
    outside: Flags = ~np.isin(dates, sessions) & (dates > sessions[0]) & (dates < sessions[-1])
    return outside


def _repeats(history: PriceHistory) -> Flags:
    """Return which bars are flat at the close of the bar before."""
    bars = history.bars[BAR_COLUMNS].to_numpy(np.float64)
    same = np.zeros(len(bars), dtype=bool)
    same[1:] = np.isclose(bars[1:], bars[:-1, 3:], rtol=SAME_PRICE, atol=0.0).all(axis=1)
    return same


def _repeated_outside(history: PriceHistory, sessions: Dates) -> Flags:
    dates, repeats = calendar_days(history.bars.index), _repeats(history)
    if _trades_round_the_clock(dates, repeats):
        return np.zeros(len(dates), dtype=bool)
    return repeats & _outside(dates, sessions)


def _mostly_has_range(history: PriceHistory) -> bool:
    """Return whether most bars have one: only there is a bar that repeats the close before no trade."""
    flat = (history.bars["high"] == history.bars["low"]).to_numpy()
    return bool(2 * np.count_nonzero(flat) < len(flat))


def _listed(dates: Dates) -> str:
    shown = ", ".join(str(day) for day in dates[:MOST_DATES_SHOWN])
    return shown if len(dates) <= MOST_DATES_SHOWN else f"{shown} and {len(dates) - MOST_DATES_SHOWN} more"


def _of_dates(ticker: str | None, rule: str, dates: Dates, detail: str) -> Finding:
    return Finding(ticker, rule, dates[0].item(), dates[-1].item(), len(dates), detail)
