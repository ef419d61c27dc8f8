"""The account each evening: closes for its books, what its broker has, and what keeps anything from following.

These steps write to the ledger, but for :func:`examine`, so no run of a study takes them. What is booked belongs in
``sd_core.buckets``, what the broker is asked in ``trade``.
"""

import contextlib
import datetime as dt
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lab.current import current_market
from pipelines.lab.home import StudyHome
from pipelines.steps.books import MARKED, RECONCILED, VERIFIES
from pipelines.steps.operate import open_ledger
from pipelines.steps.trade import costs_of, query_judged, signals_at
from sd_core.buckets.ledger.books import IN_USE, Book
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.marked import MarketDay
from sd_core.buckets.ledger.reconciliation import CAUSE, SILENT
from sd_core.buckets.ledger.state import State
from sd_core.buckets.ledger.verification import verify
from sd_core.buckets.trading.openings import Asked
from sd_core.buckets.trading.paper import Bar, PaperDay, split_since, trade_on_paper
from sd_core.calendars import ACCOUNT_CALENDAR, ACCOUNT_ZONE, ONE_DAY, calendar_sessions
from sd_core.errors import NotReadyError
from sd_core.market import raw
from sd_core.schemas.kinds import Regime
from sd_core.study.satellites import LIVE

# From then on the session of a day is to be marked.
MARKED_BY = dt.time(21, 15)


def examine(home: StudyHome, now: dt.datetime) -> dict[str, list[str]]:
    """Return what speaks against going on with the account, in words, by the checks of ``books``.

    Args:
        home: of the study that names the ledger.
        now: the moment; sessions count up to the last evening before it.
    """
    with contextlib.closing(open_ledger(home).store) as store:
        try:
            with store.reading() as connection:
                state = State(connection)
                return {
                    VERIFIES: verify(connection).findings,
                    RECONCILED: list(_blocks(state, now.astimezone(ACCOUNT_ZONE).date().isoformat())),
                    MARKED: list(_unmarked(Book(connection, LIVE), last_evening(now))),
                }
        except NotReadyError as error:
            return {VERIFIES: [str(error)], RECONCILED: [], MARKED: []}


def _blocks(state: State, today: str) -> Iterator[str]:
    for subject in (LIVE, *state.units):
        for cause in {CAUSE, SILENT} & state.locks(subject, today).keys():
            yield f"{'the account' if subject == LIVE else subject} is locked: {cause}"
    for ref in state.held():
        yield f"activity {ref} is held"


def _unmarked(book: Book, evening: dt.date) -> Iterator[str]:
    """Yield the sessions that no mark has, from the first mark on or from when a satellite in use started."""
    marked = {mark.session for mark in book.marks}
    starts = [
        start
        for bucket, of in book.state.buckets.items()
        if of.status in IN_USE
        for status, start, _ in book.state.statuses(bucket)
        if status == "accumulating"
    ]
    first = min([*marked, *starts], default=None)
    if first is None or first > evening.isoformat():
        return
    for session in calendar_sessions(ACCOUNT_CALENDAR, dt.date.fromisoformat(first), evening):
        if str(session) not in marked:
            yield f"{session} is not marked"


def last_evening(now: dt.datetime) -> dt.date:
    """Return the last day in New York whose evening has come at a moment."""
    there = now.astimezone(ACCOUNT_ZONE)
    return there.date() if there.time() >= MARKED_BY else there.date() - ONE_DAY


def mark_account(home: StudyHome, session: dt.date) -> list[Receipt]:
    """Mark the account and the satellites on paper at the closes of a session that the lake has.

    Again for the same session and closes it changes nothing.

    Raises:
        InputError: an instrument that a bucket holds has no close, or a currency no rate.
        NotReadyError: the prices in the lake do not reach the session, or there is no ledger.
    """
    closes = _closes(home, session)
    ledger = open_ledger(home)
    with contextlib.closing(ledger.store):
        with ledger.state() as state:
            research = [bucket for bucket, of in state.buckets.items() if of.status == "research"]
        receipts = [_mark(ledger, session, closes, _market_day(home, ledger, session))]
        for bucket in research:
            receipts += _trade_on_paper(home, ledger, bucket, session)
        return receipts


def _trade_on_paper(home: StudyHome, ledger: Ledger, bucket: str, session: dt.date) -> Iterator[Receipt]:
    """Trade a satellite in research through every session of the lake since its last mark, up to one."""
    paper = ledger.paper(bucket)
    with paper.state() as state:
        last = state.last_mark
        universe = state.universe(bucket)
        marked = {unit: state.prices[unit] for unit in state.positions(bucket) if unit in state.prices}
    found = query_judged(home, paper, _SESSIONS, session.isoformat())
    # Before its first mark it has nothing: it begins with this session, and not with the study's first one.
    due = [one["session"] for one in found if last is not None and one["session"].isoformat() > last]
    splits = _splits(home, marked)
    for day in due or [session]:
        before = max((one["session"] for one in found if one["session"] < day), default=None)
        asked = {} if before is None else signals_at(home, paper, before.isoformat()).get(bucket, {})
        yield from trade_on_paper(ledger, bucket, replace(_paper_day(home, paper, day, asked, universe), splits=splits))
        splits = {}


def _splits(home: StudyHome, marked: Mapping[str, tuple[str, Decimal]]) -> dict[str, Fraction]:
    """Return by what instruments were split since they were marked, each at a price of a session.

    All sessions of the lake count in the newest shares, so every session after the mark does.
    """
    found = {}
    for unit, (session, price) in marked.items():
        close = _closes(home, dt.date.fromisoformat(session)).get(unit)
        history = raw.load(home.lake, unit)
        recorded = [] if history is None else [float(ratio) for ratio in history.splits.sort_index()]
        ratio = None if close is None else split_since(float(price), float(close), recorded)
        if ratio is not None:
            found[unit] = ratio
    return found


def _paper_day(
    home: StudyHome, paper: Ledger, session: dt.date, asked: Mapping[str, Asked], universe: Collection[str]
) -> PaperDay:
    """Return a session as a satellite on paper sees it, its tickers in the order of the study."""
    bars = {row["ticker"]: row for row in query_judged(home, paper, _BARS, session.isoformat())}
    assets = home.study.satellite_universe
    tickers = [ticker for ticker in home.study.satellite_tickers if ticker in universe]
    return PaperDay(
        session,
        {ticker: _bar(bars.get(ticker, {})) for ticker in tickers},
        {ticker: float(close) for ticker, close in _closes(home, session).items()},
        asked,
        _market_day(home, paper, session),
        costs_of(home),
        {ticker: assets[ticker].lot_size for ticker in tickers},
    )


def _bar(row: Mapping[str, float | None]) -> Bar:
    """Return a ticker's bar, NaN where it did not trade."""
    opened, high, low, close = (row.get(side) for side in ("open", "high", "low", "close"))
    if opened is None or high is None or low is None or close is None:
        opened = high = low = close = math.nan
    return Bar(opened, high, low, close, row.get("dividend") or 0.0)


def _mark(book: Ledger, session: dt.date, closes: Mapping[str, Decimal], day: MarketDay) -> Receipt:
    with book.state() as state:
        held = {unit for _, unit in state.balances}
    prices = {unit: price for unit, price in sorted(closes.items()) if unit in held}
    return book.mark(session, prices, market=day, actor="rule", key=f"{book.book}:mark:{session}")


def _market_day(home: StudyHome, ledger: Ledger, session: dt.date) -> MarketDay:
    """Return what the market and the signals of the account's satellites say of a session that the lake has."""
    [found] = query_judged(home, ledger, _DAY, session.isoformat())
    return MarketDay(
        Regime[(found["regime"] or Regime.UNKNOWN.name).upper()],
        found["cash_return"] or 0.0,
        frozenset(found["trend_lost"] or ()),
    )


def evaluate_account(home: StudyHome, session: dt.date) -> Receipt:
    """Evaluate the account's satellites on the first session of a quarter, and apply it where the account says so.

    Raises:
        InputError: an evaluation is not due, or a condition is unmet.
        NotReadyError: there is no ledger.
    """
    ledger = open_ledger(home)
    with contextlib.closing(ledger.store):
        return ledger.evaluate(session, actor="rule", key=f"{LIVE}:evaluate:{session}")


def begins_quarter(day: dt.date) -> bool:
    """Return whether New York's exchange has its first session of a quarter on a day."""
    first = dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    sessions = calendar_sessions(ACCOUNT_CALENDAR, first, day)
    return len(sessions) == 1 and sessions[0] == np.datetime64(day)


def _closes(home: StudyHome, session: dt.date) -> dict[str, Decimal]:
    """Return the last closes of the study's tickers up to a session.

    Raises:
        NotReadyError: there are no prices, or none of the session.
    """
    study, lake = home.study, home.lake
    with lake.shared():
        market = current_market(study, lake)
        last = market.read("sessions")["session"].to_numpy().max()
        if last < np.datetime64(session):
            raise NotReadyError(f"mark: {session}: the prices in the lake end on {last}: fetch them first")
        prices = pa.concat_tables([market.read(name).select(("session", "ticker", "close")) for name in _PRICED])
    known = prices.filter((pc.field("session") <= session) & pc.field("close").is_valid()).sort_by("session")
    closes = zip(known["ticker"].to_pylist(), known["close"].to_pylist(), strict=True)
    return {ticker: Decimal(repr(close)) for ticker, close in closes}


_PRICED = ("prices", "satellite_prices")
_SESSIONS = "select session from lake.sessions where session <= ? order by session"
_BARS = "select ticker, open, high, low, close, dividend from lake.satellite_prices where session = ?"
_DAY = """
    select
        (select regime from market_regime where session = $1) as regime,
        (select risk_free_return from lake.rates where session = $1) as cash_return,
        (select list(ticker order by ticker) from bucket_signal where session = $1 and is_exit) as trend_lost
"""
