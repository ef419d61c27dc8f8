"""Quality findings: what is wrong with prices, or must be known to read them, as rows for people.

A finding warns and stops nothing. Broken values are refused by the sources; a study that cannot be built at all is
refused by ``build``, which also decides which rules a study is judged by.
"""

import datetime as dt
from collections.abc import Iterable, Iterator

import numpy as np

from sd_core.market.arrays import Dates
from sd_core.market.currencies import unit_of
from sd_core.market.dividends import judge_dividends
from sd_core.market.findings import TOLERATED_SESSIONS, Finding, sessions_with_bar, span_of
from sd_core.market.freshness import Overdue
from sd_core.market.panel import DAILY_SPACING, FEWEST_GAPS, periods_per_year, usual_spacing
from sd_core.market.raw import RawChange
from sd_core.market.sessions import Positions, calendar_days, next_session
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory
from sd_core.market.splits import judge_splits

JUMP = 0.5
# Payments keep to a rhythm: a pause this many times the usual one has at least one payment missing in it.
DIVIDEND_PAUSE = 2.5
# A rate that is set once a month has a pause of a month after each; one twice as long lacks one.
RATE_PAUSE = 1.5
LONG_HISTORY = np.timedelta64(730, "D")


def judge_prices(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield what is wrong with an asset's prices.

    Args:
        history: within the range that the study asks for.
        sessions: all of that range, not only those on which the study has every asset.
    """
    rare = list(sparse(history, sessions))
    yield from rare
    # Where bars are monthly, each month would be a hole.
    yield from (
        hole
        for hole in holes(history, sessions)
        if not any(one.first_session <= hole.first_session <= one.last_session for one in rare)
    )
    yield from stale(history, sessions)
    of_splits = list(judge_splits(history, sessions))
    yield from of_splits
    stepped = {one.first_session for one in of_splits}
    yield from (jump for jump in jumps(history, sessions) if jump.first_session not in stepped)
    yield from judge_dividends(history, sessions)
    yield from dividends_incomplete(history, sessions)


def judge_rate(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield what is wrong with a rate: it may take any value and be set once a month, but it should be there."""
    usual = np.timedelta64(int(RATE_PAUSE * usual_spacing(calendar_days(history.bars.index))), "D")
    yield from (
        hole
        for hole in holes(history, sessions)
        if np.datetime64(hole.last_session) - np.datetime64(hole.first_session) > usual
    )
    yield from stale(history, sessions)


def rare_sessions(sessions: Dates) -> Iterator[Finding]:
    """Yield that sessions are weekly or monthly, and what that changes."""
    spacing = usual_spacing(sessions)
    if spacing > DAILY_SPACING:
        yield span_of(sessions, 0, len(sessions) - 1).finding(
            "rare_sessions",
            None,
            f"Sessions are {spacing:.0f} days apart, as bars are: a year has {periods_per_year(sessions):.4g} of them. "
            f"What counts in sessions, such as windows and regimes, covers {spacing:.0f} days for each.",
        )


def holes(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield every stretch of more than five sessions without a bar, between the first bar and the last."""
    present = sessions_with_bar(history, sessions)
    for gap in np.flatnonzero(np.diff(present) - 1 > TOLERATED_SESSIONS):
        span = span_of(sessions, present[gap] + 1, present[gap + 1] - 1)
        yield span.finding(
            "hole",
            history.ticker,
            f"{history.ticker} has no bar from {span.first} to {span.last}, {span.count} sessions in a row.",
        )


def sparse(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield every stretch of a history in which bars are far rarer than sessions: four or more wide gaps in a row.

    Among daily sessions, a wide gap has more than four days; where sessions are rarer, half as much again as they have.
    """
    dates = calendar_days(history.bars.index)
    tolerated = max(DAILY_SPACING, 1.5 * usual_spacing(sessions))
    wide = (np.diff(dates).astype(np.int64) > tolerated).astype(int)
    position = next_session(dates, sessions)
    for begin, end in np.flatnonzero(np.diff(wide, prepend=0, append=0)).reshape(-1, 2):
        if end - begin >= FEWEST_GAPS and position[end] < len(sessions):
            yield span_of(sessions, position[begin], position[end]).finding(
                "sparse",
                history.ticker,
                f"{history.ticker} has {end - begin + 1} bars from {dates[begin]} to {dates[end]}, one every "
                f"{usual_spacing(dates[begin : end + 1]):.0f} days: volatility, Sharpe ratio and windows take them for "
                "bars of every session.",
            )


def stale(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield a last bar that lies more than five sessions before the last session."""
    present = sessions_with_bar(history, sessions)
    end = len(sessions) - 1
    if len(present) and end - present[-1] > TOLERATED_SESSIONS:
        span = span_of(sessions, present[-1] + 1, end)
        dates = calendar_days(history.bars.index)
        last_bar = dates[dates <= sessions[-1]][-1]
        yield span.finding(
            "stale",
            history.ticker,
            f"{history.ticker} has its last bar on {last_bar}, {span.count} sessions before the last, {span.last}.",
        )


def jumps(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield every close more than 50 % above or below the bar before, whether or not a split is recorded that day.

    Prices are split-adjusted, so an ordinary split leaves no jump.
    """
    dates = calendar_days(history.bars.index)
    closes = history.bars["close"].to_numpy()
    moves = closes[1:] / closes[:-1] - 1.0
    ratios = dict(zip(calendar_days(history.splits.index).tolist(), history.splits.tolist(), strict=True))
    position = next_session(dates, sessions)
    for before in np.flatnonzero((np.abs(moves) > JUMP) & (position[1:] < len(sessions))):
        after = before + 1
        ratio = ratios.get(dates[after].item())
        recorded = "no split is recorded" if ratio is None else f"a split of {ratio:.6g} for 1 is recorded that day"
        yield span_of(sessions, position[after], position[after]).finding(
            "jump",
            history.ticker,
            f"{history.ticker} closes at {closes[after]:.6g} on {dates[after]}, {moves[before]:+.1%} against "
            f"{closes[before]:.6g} on {dates[before]}, and {recorded}.",
        )


def dividends_incomplete(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield pauses in an asset's dividends that suggest missing payments.

    A pause is suspicious when it is longer than 2.5 times the median of the pauses between payments; it may be one
    between two payments or the one from the last payment to the last bar. A single payment in more than two years is
    suspicious too. No payment at all, or a late first one, says nothing: many assets pay none, and some begin.
    """
    payments = calendar_days(history.dividends.index)
    present = sessions_with_bar(history, sessions)
    if len(present) == 0 or len(payments) == 0:
        return
    judge = _single_dividend if len(payments) == 1 else _dividend_pauses
    yield from judge(history, payments, sessions, present)


def _single_dividend(history: PriceHistory, payments: Dates, sessions: Dates, present: Positions) -> Iterator[Finding]:
    bars = calendar_days(history.bars.index)
    if bars[-1] - bars[0] > LONG_HISTORY:
        yield span_of(sessions, present[0], present[-1]).finding(
            "dividends_incomplete",
            history.ticker,
            f"{history.ticker} has a single dividend, on {payments[0]}, in a history from {bars[0]} to {bars[-1]}: "
            "payments may be missing.",
        )


def _dividend_pauses(history: PriceHistory, payments: Dates, sessions: Dates, present: Positions) -> Iterator[Finding]:
    usual = np.median(np.diff(payments).astype(np.int64))
    # The history's end closes the last pause, as if a payment came the day after the last bar.
    marks = np.append(payments, calendar_days(history.bars.index)[-1] + np.timedelta64(1, "D"))
    for pause in np.flatnonzero(np.diff(marks).astype(np.int64) > DIVIDEND_PAUSE * usual):
        after = max(np.searchsorted(sessions, marks[pause], side="right"), present[0])
        before = np.searchsorted(sessions, marks[pause + 1], side="left")
        if after < before:
            span = span_of(sessions, after, before - 1)
            yield span.finding(
                "dividends_incomplete",
                history.ticker,
                f"{history.ticker} has no dividend from {span.first} to {span.last}, though one usually comes every "
                f"{usual:.0f} days: payments may be missing.",
            )


def no_intraday_range(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield an asset whose open, high, low and close are the same in every bar."""
    bars = history.bars[BAR_COLUMNS].to_numpy()
    present = sessions_with_bar(history, sessions)
    if len(present) and (bars == bars[:, :1]).all():
        yield span_of(sessions, present[0], present[-1]).finding(
            "no_intraday_range",
            history.ticker,
            f"{history.ticker} has closes only, as open, high and low are the same: "
            "a strategy's path has no effect on it.",
        )


def late_start(histories: Iterable[PriceHistory], sessions: Dates, start: int, asked: dt.date) -> Iterator[Finding]:
    """Yield the assets that make a study begin more than five sessions later than asked.

    Those are the assets whose first bar is the study's beginning. Where there are none, because holes keep the assets
    from having bars together, the finding is the study's.

    Args:
        histories: of the universe, within the range that the study asks for.
        sessions: of that range.
        start: position of the study's first session in them.
        asked: the date that the study asks to begin on.
    """
    if start <= TOLERATED_SESSIONS:
        return
    span = span_of(sessions, 0, start - 1)
    lead = f"The study was to begin on {asked} and begins on {sessions[start]}, the first session"
    late = [one.ticker for one in histories if start in sessions_with_bar(one, sessions)[:1]]
    for ticker in late:
        yield span.finding("late_start", ticker, f"{lead} with a bar of {ticker}.")
    if not late:
        yield span.finding("late_start", None, f"{lead} on which no asset lacks a bar.")


def benchmark_late(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield a benchmark whose first bar comes after the first of the study's sessions."""
    present = sessions_with_bar(history, sessions)
    if len(present) and present[0] > 0:
        span = span_of(sessions, 0, present[0] - 1)
        yield span.finding(
            "benchmark_late",
            history.ticker,
            f"The benchmark {history.ticker} has no bar before {sessions[present[0]]}: there is nothing to compare "
            f"with from {span.first} to {span.last}.",
        )


def benchmark_early(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield a benchmark whose last bar comes before the last of the study's sessions."""
    present = sessions_with_bar(history, sessions)
    last = len(sessions) - 1
    if len(present) and present[-1] < last:
        span = span_of(sessions, present[-1] + 1, last)
        yield span.finding(
            "benchmark_early",
            history.ticker,
            f"The benchmark {history.ticker} has no bar after {sessions[present[-1]]}: there is nothing to compare "
            f"with from {span.first} to {span.last}.",
        )


def rate_late(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield a rate that is not known yet on the first of the study's sessions."""
    begins = calendar_days(history.bars.index)[0]
    unknown = np.searchsorted(sessions, begins, side="left")
    if unknown:
        span = span_of(sessions, 0, unknown - 1)
        yield span.finding(
            "rate_late",
            history.ticker,
            f"{history.ticker} is not known before {begins}: its first value is used from {span.first} to {span.last}.",
        )


def illustration(sessions: Dates) -> Finding:
    """Return the caveat of the bundled sample, over the study's sessions."""
    span = span_of(sessions, 0, len(sessions) - 1)
    return span.finding(
        "illustration",
        None,
        "An illustration, survivors only: companies chosen with hindsight, dividend-adjusted closes without open, "
        f"high and low, ending on {span.last}.",
    )


def hindsight(sessions: Dates) -> Finding:
    """Return the caveat of a study whose assets were picked when their past was known, over the study's sessions."""
    span = span_of(sessions, 0, len(sessions) - 1)
    return span.finding(
        "hindsight",
        None,
        f"The assets were picked knowing how they did from {span.first} to {span.last}: no one could have chosen "
        "them so at the time.",
    )


def remarked(history: PriceHistory) -> Iterator[Finding]:
    """Yield what the source remarked on; the dates are those of its rows, and ``sessions`` counts the rows."""
    for remark in history.remarks:
        yield Finding(history.ticker, remark.rule, remark.first, remark.last, remark.rows, remark.detail)


def in_hundredths(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield a ticker that is quoted in hundredths of a currency, over the study's sessions."""
    if history.currency is not None and (unit := unit_of(history.currency))[1] != 1.0:
        yield span_of(sessions, 0, len(sessions) - 1).finding(
            "hundredths",
            history.ticker,
            f"{history.ticker} is quoted in {history.currency}, hundredths of {unit[0]}: its prices and dividends are "
            f"divided by {unit[1]:.0f}.",
        )


def history_changed(change: RawChange, times: int = 1) -> Finding:
    """Return the finding of a past that a later fetch changed; ``change`` must hold at least one change.

    A source that goes back and forth makes the same change several ``times``, which is one finding.

    Its dates are those of the first and the last change, and its ``sessions`` counts the changes.
    """
    assert change.first is not None  # as the count says
    assert change.last is not None
    until = f", the last on {change.last}" if change.count > 1 else ""
    return Finding(
        ticker=change.ticker,
        rule="history_changed",
        first_session=change.first,
        last_session=change.last,
        sessions=change.count,
        detail=(
            f"The source delivered another past of {change.ticker} than before ({change.what}; {change.count} in all), "
            f"first: {change.example}{until}. The earlier version is kept."
            + (f" It did so {times} times." if times > 1 else "")
        ),
    )


def prices_overdue(found: Overdue) -> Finding:
    """Return the finding of a ticker whose last sessions are missing; its ``sessions`` counts them."""
    first = found.last + dt.timedelta(days=1)
    return Finding(found.ticker, "overdue", first, found.due, found.missing, found.detail)


def fetch_failed(stored: PriceHistory, reason: str) -> Finding:
    """Return the finding of a ticker that could not be fetched, so that what was stored before is used.

    Its dates are those of the first and the last stored bar, and its ``sessions`` counts the bars.
    """
    dates = calendar_days(stored.bars.index)
    return Finding(
        ticker=stored.ticker,
        rule="fetch_failed",
        first_session=dates[0].item(),
        last_session=dates[-1].item(),
        sessions=len(dates),
        detail=(
            f"{stored.ticker} could not be fetched, so the bars of {stored.fetched_at:%Y-%m-%d} are used, which end on "
            f"{dates[-1]}: {reason}"
        ),
    )
