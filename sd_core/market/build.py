"""The market of a study: its sessions, prices and rates as tables, with what is to be known about them.

Raw histories come in, one per ticker; tables go out, and :func:`to_panel` makes the arrays of a simulation from them.
How dates become sessions belongs in ``sessions``, the single rules of judgement in ``quality``.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sd_core.calendars import calendar_sessions
from sd_core.errors import InputError
from sd_core.market import closed_days, quality
from sd_core.market.arrays import Dates, Floats, pivot
from sd_core.market.currencies import unit_of
from sd_core.market.findings import Finding, to_table
from sd_core.market.panel import DAILY_SPACING, Panel, risk_free_returns, usual_spacing
from sd_core.market.sessions import (
    calendar_days,
    intersection,
    merge_amounts,
    merge_bars,
    union,
)
from sd_core.market.sources.bars import days
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory
from sd_core.schemas.lake import SATELLITE_PRICES
from sd_core.study.fields import OWN_DATES
from sd_core.study.model import Study

FEWEST_SESSIONS = 2


@dataclass(frozen=True)
class Market:
    """A study's market as Arrow tables.

    Attributes:
        sessions: session, ascending.
        prices: session, ticker, open, high, low, close, dividend; ordered by session, then as the study lists its
            tickers. There is a row where there is a bar or a dividend; without a bar its prices are null. The dividend
            is per share, 0 where there is none.
        satellite_prices: the same of the tickers of satellites, which have no part in what the sessions are.
        rates: session, rate (yearly, a fraction, known at the session's close), risk_free_return (over the calendar
            days since the previous session, a fraction, 0 on the first session), price_index (consumer prices known at
            the session's close, relative to the first session; 1 where the study has none).
        price_findings: the columns of :data:`sd_core.schemas.lake.PRICE_FINDINGS`.
    """

    sessions: pa.Table
    prices: pa.Table
    satellite_prices: pa.Table
    rates: pa.Table
    price_findings: pa.Table


def build_market(
    study: Study,
    histories: Mapping[str, PriceHistory],
    rate: PriceHistory | None,
    price_index: pd.Series | None = None,
) -> Market:
    """Build a study's market.

    It begins once all assets of the universe have a bar on one session, and ends with the last session that has a bar
    of any.

    Args:
        study: the study.
        histories: by ticker, of all its market's tickers; what lies outside the study's range is not used.
        rate: the risk-free rate in percent where the study names a ticker, else None. It may begin before the study.
        price_index: consumer prices by the date from which they are known, or None where the study has none.

    Raises:
        InputError: a ticker quotes in another currency or has bars that are rarer than sessions, fewer than two
            sessions remain, the benchmark or a ticker of satellites has no bar on any of them, or the price index
            begins after the first; one line per finding.
    """
    _refuse_other_currencies(study, histories)
    published = {ticker: _within(histories[ticker], study.start, study.end) for ticker in study.market_tickers}
    asked = {ticker: _in_whole_currency(history) for ticker, history in published.items()}
    universe = [asked[ticker] for ticker in study.tickers]
    if any(history.bars.empty for history in universe):
        raise _too_few_sessions(study, histories, 0)
    _refuse_rare_bars(study, asked)
    candidates = _candidate_sessions(study, universe)
    opening = _opening(study, universe)
    usable = {
        ticker: _within(_traded(study, history, candidates), opening, study.end) for ticker, history in asked.items()
    }
    bars = {ticker: _bars_by_session(history, candidates) for ticker, history in usable.items()}
    period = _period(study, histories, bars)
    sessions = candidates[period]
    bars = {ticker: merged[period] for ticker, merged in bars.items()}
    dividends = {ticker: _dividends_by_session(history, candidates)[period] for ticker, history in usable.items()}
    _refuse_absent(study, bars, sessions)
    return Market(
        sessions=pa.table({"session": sessions}),
        prices=_prices_table(study.price_tickers, sessions, bars, dividends),
        satellite_prices=_prices_table(study.satellite_tickers, sessions, bars, dividends),
        rates=_rates_table(
            sessions, _yearly_rate(study, rate, sessions), _relative_prices(study, price_index, sessions)
        ),
        price_findings=to_table(
            [
                *_findings(study, asked, rate, _judged_sessions(study, universe, candidates), sessions),
                *_calendar_findings(study, asked, candidates),
                *(finding for history in published.values() for finding in quality.in_hundredths(history, sessions)),
            ]
        ),
    )


def version(market: Market) -> str:
    """Return the content hash of sessions, prices and rates: SHA-256 over their Arrow streams, hexadecimal.

    The same numbers have the same version, whenever and from whatever source they were fetched.
    """
    return _content_hash(market.sessions, market.prices, market.rates)


def version_of_satellites(market: Market) -> str:
    """Return the content hash of the prices of satellites' tickers, on which no scenario depends."""
    return _content_hash(market.satellite_prices)


def _content_hash(*tables: pa.Table) -> str:
    digest = hashlib.sha256()
    for table in tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            # How a table is cut into batches is not its content.
            writer.write_table(table.combine_chunks())
        digest.update(sink.getvalue())
    return digest.hexdigest()


def to_panel(study: Study, sessions: pa.Table, prices: pa.Table, rates: pa.Table) -> Panel:
    """Return the universe's prices as arrays, assets in the study's order; rows of the tables may have any order."""
    return Panel(**panel_arrays(study.tickers, sessions, prices, rates))


def panel_arrays(tickers: tuple[str, ...], sessions: pa.Table, prices: pa.Table, rates: pa.Table) -> dict[str, Any]:
    """Return what a panel of some tickers is made of, by the names of its fields."""
    dates = np.sort(sessions["session"].to_numpy())
    columns = pa.array(tickers, pa.string())
    known = np.argsort(rates["session"].to_numpy())
    return {
        "tickers": tickers,
        "sessions": dates,
        **{name: pivot(prices, name, dates, columns, np.nan) for name in BAR_COLUMNS},
        "dividends": pivot(prices, "dividend", dates, columns, 0.0),
        "rates": rates["rate"].to_numpy()[known],
        "price_index": rates["price_index"].to_numpy()[known],
    }


def _refuse_other_currencies(study: Study, histories: Mapping[str, PriceHistory]) -> None:
    findings = [
        f"study {study.name}: {ticker}: quoted in {quoted}: expected {study.currency}, the "
        "study's currency; other currencies are not supported yet"
        for ticker in study.market_tickers
        if (quoted := histories[ticker].currency) is not None and unit_of(quoted)[0] != study.currency
    ]
    if findings:
        raise InputError("\n".join(findings))


def _refuse_rare_bars(study: Study, asked: Mapping[str, PriceHistory]) -> None:
    """Refuse weekly and monthly bars, but where the sessions are the assets' own and all assets have no more."""
    spacing = {ticker: usual_spacing(calendar_days(history.bars.index)) for ticker, history in asked.items()}
    common = min(spacing[ticker] for ticker in study.tickers) if study.sessions == "intersection" else 0.0
    tolerated = max(DAILY_SPACING, 1.5 * common)
    findings = [
        f"study {study.name}: {ticker}: a bar every {spacing[ticker]:.0f} days, the median of {len(history.bars):,} "
        f"from {_range(history)}: expected daily bars, or `sessions: intersection` and none more often"
        for ticker, history in asked.items()
        if spacing[ticker] > tolerated
    ]
    if findings:
        raise InputError("\n".join(findings))


def _in_whole_currency(history: PriceHistory) -> PriceHistory:
    """Return a history that is quoted in hundredths of a currency in that currency, and any other as it is."""
    if history.currency is None:
        return history
    currency, units = unit_of(history.currency)
    return replace(history, bars=history.bars / units, dividends=history.dividends / units, currency=currency)


def _within(history: PriceHistory, start: dt.date, end: dt.date | None) -> PriceHistory:
    """Return a history from start to end, both included; end None is as far as it goes."""
    asked = days(start, end)
    return replace(
        history,
        bars=history.bars.loc[asked],
        dividends=history.dividends.loc[asked],
        splits=history.splits.loc[asked],
        remarks=tuple(one for one in history.remarks if one.last >= start and (end is None or one.first <= end)),
    )


def _candidate_sessions(study: Study, universe: Sequence[PriceHistory]) -> Dates:
    """Return the sessions of the range that the study asks for, as far as the universe's bars may reach."""
    match study.sessions:
        case "intersection":
            return intersection(_bar_dates(universe))
        case "union":
            return union(_bar_dates(universe))
        case calendar:
            return calendar_sessions(calendar, study.start, _horizon(study, universe))


def _has_calendar(study: Study) -> bool:
    return study.sessions not in OWN_DATES


def _traded(study: Study, history: PriceHistory, candidates: Dates) -> PriceHistory:
    """Return a history without bars that a source repeats on days on which the calendar has no session."""
    return closed_days.without_repeated_bars(history, candidates) if _has_calendar(study) else history


def _calendar_findings(study: Study, asked: Mapping[str, PriceHistory], candidates: Dates) -> Iterator[Finding]:
    """Yield where the calendar of an exchange and the bars disagree."""
    if _has_calendar(study):
        yield from closed_days.sessions_without_bar(asked.values(), candidates, study.sessions)
        for history in asked.values():
            yield from closed_days.bars_without_session(history, candidates, study.sessions)
            yield from closed_days.repeated_bars(history, candidates, study.sessions)


def _judged_sessions(study: Study, universe: Sequence[PriceHistory], candidates: Dates) -> Dates:
    """Return the sessions on which bars are expected.

    Sessions that are the assets' own dates cannot show what is missing: a hole that all have is none of theirs. There
    every weekday counts too; no asset trades so rarely that its holidays make a hole of more than a week.
    """
    if _has_calendar(study) or usual_spacing(candidates) > DAILY_SPACING:
        return candidates
    every_day = np.arange(np.datetime64(study.start), np.datetime64(_horizon(study, universe)) + 1)
    return union([every_day[np.is_busday(every_day)], *_bar_dates(universe)])


def _opening(study: Study, universe: Sequence[PriceHistory]) -> dt.date:
    """Return the date from which bars count.

    In an intersection that is the first on which every asset has begun: else the first session would swallow all the
    bars that an older asset has before it.
    """
    if study.sessions != "intersection":
        return study.start
    first: dt.date = max(dates[0] for dates in _bar_dates(universe)).item()
    return first


def _horizon(study: Study, universe: Sequence[PriceHistory]) -> dt.date:
    """Return the date up to which bars can be expected: the end asked for, unless it was still to come when fetched."""
    newest_bar: dt.date = max(dates[-1] for dates in _bar_dates(universe)).item()
    if study.end is None:
        return newest_bar
    newest_fetch = max(history.fetched_at for history in universe).date()
    return min(study.end, max(newest_bar, newest_fetch))


def _bar_dates(histories: Iterable[PriceHistory]) -> list[Dates]:
    return [calendar_days(history.bars.index) for history in histories]


def _bars_by_session(history: PriceHistory, sessions: Dates) -> Floats:
    """Return open, high, low, close by session; high and low give way where rounding left open or close outside."""
    bars = history.bars[BAR_COLUMNS].to_numpy(np.float64)
    merged = merge_bars(calendar_days(history.bars.index), bars, sessions)
    open_, high, low, close = merged.T
    return np.column_stack(
        [open_, np.maximum(high, np.maximum(open_, close)), np.minimum(low, np.minimum(open_, close)), close]
    )


def _dividends_by_session(history: PriceHistory, sessions: Dates) -> Floats:
    dividends = history.dividends
    return merge_amounts(calendar_days(dividends.index), dividends.to_numpy(np.float64), sessions)


def _has_bar(bars: Floats) -> npt.NDArray[np.bool_]:
    return np.isfinite(bars[:, 3])


def _period(study: Study, histories: Mapping[str, PriceHistory], bars: Mapping[str, Floats]) -> slice:
    """Return the positions from the first session with a bar of every asset to the last with a bar of any."""
    present = np.column_stack([_has_bar(bars[ticker]) for ticker in study.tickers])
    complete = np.flatnonzero(present.all(axis=1))
    if len(complete) == 0:
        raise _too_few_sessions(study, histories, 0)
    first, last = complete[0], np.flatnonzero(present.any(axis=1))[-1]
    if (count := int(last - first) + 1) < FEWEST_SESSIONS:
        raise _too_few_sessions(study, histories, count)
    return slice(first, last + 1)


def _too_few_sessions(study: Study, histories: Mapping[str, PriceHistory], count: int) -> InputError:
    ranges = [f"{ticker} {_range(histories[ticker])}" for ticker in study.tickers]
    return InputError(
        f"study {study.name}: from {study.start} to {study.end or 'the newest bar'}: expected at least "
        f"{FEWEST_SESSIONS} sessions ({study.sessions}) from the first on which every asset has a bar, was {count}; "
        f"there are bars of {', '.join(ranges)}"
    )


def _range(history: PriceHistory) -> str:
    dates = calendar_days(history.bars.index)
    return f"{dates[0]} to {dates[-1]}" if len(dates) else "no date"


def _refuse_absent(study: Study, bars: Mapping[str, Floats], sessions: Dates) -> None:
    """Refuse a benchmark and tickers of satellites without any bar; the universe has bars on the first session."""
    findings = [
        f"study {study.name}: {'benchmark' if ticker in study.price_tickers else 'satellite_universe'}: {ticker}: "
        f"expected bars within the study's sessions, {sessions[0]} to {sessions[-1]}, was none"
        for ticker in bars
        if not _has_bar(bars[ticker]).any()
    ]
    if findings:
        raise InputError("\n".join(findings))


def _prices_table(
    tickers: Sequence[str], sessions: Dates, bars: Mapping[str, Floats], dividends: Mapping[str, Floats]
) -> pa.Table:
    if not tickers:
        return SATELLITE_PRICES.arrow_schema.empty_table()
    prices = np.stack([bars[ticker] for ticker in tickers], axis=1)
    paid = np.stack([dividends[ticker] for ticker in tickers], axis=1)
    # Row-major order is the table's order: by session, then by ticker.
    session, ticker = np.nonzero(np.isfinite(prices[:, :, 3]) | (paid > 0))
    names = pa.DictionaryArray.from_arrays(pa.array(ticker.astype(np.int32)), pa.array(tickers))
    columns = {"session": pa.array(sessions[session]), "ticker": names.cast(pa.string())}
    for position, column in enumerate(BAR_COLUMNS):
        columns[column] = pa.array(prices[session, ticker, position], from_pandas=True)
    columns["dividend"] = pa.array(paid[session, ticker])
    return pa.table(columns)


def _yearly_rate(study: Study, rate: PriceHistory | None, sessions: Dates) -> Floats:
    """Return the yearly rate known at each session's close, a fraction."""
    if rate is None:
        return np.full(len(sessions), float(study.risk_free))
    known = np.searchsorted(calendar_days(rate.bars.index), sessions, side="right") - 1
    # Before the rate begins its first value is used, which a finding states.
    return rate.bars["close"].to_numpy(np.float64)[np.maximum(known, 0)] / 100.0


def _relative_prices(study: Study, price_index: pd.Series | None, sessions: Dates) -> Floats:
    """Return the price index known at each session's close over that of the first."""
    if price_index is None:
        return np.ones(len(sessions))
    dates = calendar_days(price_index.index)
    if dates[0] > sessions[0]:
        raise InputError(
            f"study {study.name}: price_index: {study.price_index}: expected a value on or before the first session, "
            f"{sessions[0]}, but it begins on {dates[0]}"
        )
    levels: Floats = price_index.to_numpy(np.float64)[np.searchsorted(dates, sessions, side="right") - 1]
    relative: Floats = levels / levels[0]
    return relative


def _rates_table(sessions: Dates, yearly: Floats, relative_prices: Floats) -> pa.Table:
    """Return rates with the risk-free return: the previous session's rate over the days since, 365 to the year."""
    earned = risk_free_returns(sessions, yearly)
    return pa.table({"session": sessions, "rate": yearly, "risk_free_return": earned, "price_index": relative_prices})


def _findings(
    study: Study, asked: Mapping[str, PriceHistory], rate: PriceHistory | None, judged: Dates, sessions: Dates
) -> Iterator[Finding]:
    """Yield every finding, those about the study as a whole first."""
    if study.source.kind == "sample":
        yield quality.illustration(sessions)
    if study.source.kind == "yahoo":
        yield quality.hindsight(sessions)
    yield from quality.rare_sessions(sessions)
    universe = [asked[ticker] for ticker in study.tickers]
    start = int(np.searchsorted(judged, sessions[0]))
    yield from quality.late_start(universe, judged, start, study.start)
    for ticker, history in asked.items():
        if ticker == study.benchmark and ticker not in study.universe:
            yield from quality.benchmark_late(history, sessions)
            yield from quality.benchmark_early(history, sessions)
        yield from quality.remarked(history)
        yield from quality.judge_prices(history, judged)
        if study.source.kind != "sample":  # of which it is said once for all
            yield from quality.no_intraday_range(history, judged)
    if rate is not None:
        yield from quality.remarked(_within(rate, study.start, study.end))
        yield from quality.rate_late(rate, sessions)
        yield from quality.judge_rate(rate, judged)
