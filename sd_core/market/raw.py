"""The raw store: what the sources delivered, ticker by ticker, in the lake.

A fetch becomes the ticker's current version, joined with what earlier fetches know of other dates. Where a fetch
changes the stored past, the stored version stays readable beside it and the change is reported. Sources belong
in their own modules; what is wrong with a history is judged in ``quality``.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from sd_core.lake import Lake, Version, until_unmoved
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory, Remark
from sd_core.market.sources.states import RAW_PRICES, same_question

DATASET = RAW_PRICES

# Sources publish single precision, about 1e-7 relative: a smaller difference is noise and no other price.
SAME_PRICE = 1e-6
# How long newest parts alone are asked for.
WHOLE_EVERY = dt.timedelta(days=30)

Range = tuple[dt.date, dt.date]
Dated = TypeVar("Dated", pd.DataFrame, pd.Series)


@dataclass(frozen=True)
class RawChange:
    """How a fetch differs from what was stored, on the dates that both cover.

    Attributes:
        ticker: the ticker.
        count: changed bars, dividends and splits; 0 where the past is the same, and then the rest is empty.
        first, last: dates of the first and the last of them.
        what: which kinds changed, for people: ``bars, dividends``.
        example: the first of them, old and new: ``2024-06-07 close 1208.88 -> 120.888``.
    """

    ticker: str
    count: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    what: str = ""
    example: str = ""


def store(lake: Lake, history: PriceHistory, state: str = "") -> RawChange:
    """Store a fetch as the ticker's current version and report how the stored past changed by it.

    A fetch speaks for the dates from its first bar to its last. A partial one must be on the basis of what is stored,
    which :func:`restated` says. What is stored of other dates stays, so a later start
    or a source that was cut off loses nothing. The exception are stored bars on another basis than the
    fetch, as before a split: they would not fit, and remain in the earlier version only.

    Nothing is joined with what a source delivers as a whole, such as a file: what it left out is gone, and what another
    source delivered before is another past.

    An earlier version is kept beside the current one whenever the past changed: a bar, dividend or split was altered,
    added or taken away on a date that both cover, or bars outside the fetched dates were left behind.

    Where another process stores a fetch of the ticker meanwhile, this one is joined with that: no version is lost.

    ``state`` is that of the source before the fetch, see :func:`sd_core.market.sources.states.source_state`.
    """
    return until_unmoved(lambda: _store(lake, history, state))


def _store(lake: Lake, history: PriceHistory, state: str) -> RawChange:
    fetched = (_day(history.bars.index[0]), _day(history.bars.index[-1]))
    current = _current(lake, history.ticker)
    if current is None:
        _write(lake, history, state, None, covered=[fetched], changes=[], keep=(), asked_whole=history.fetched_at)
        return RawChange(history.ticker)
    stored, old = current
    covered = [_parse_range(entry) for entry in stored.facts["covered"]]
    change = _compare(old, history, _overlaps(covered, fetched))
    joined = not (history.whole or stored.facts["whole"]) and _same_basis(old, history)
    left_behind = not joined and not _in_range(old.bars.index, fetched).all()
    _write(
        lake,
        _join(old, history, fetched) if joined else history,
        state,
        stored,
        covered=_merge_ranges([*covered, fetched]) if joined else [fetched],
        changes=[*stored.facts["changes"], *([_plain(change)] if change.count else [])],
        keep=(*stored.kept, stored.version) if change.count or left_behind else stored.kept,
        asked_whole=_asked_whole(stored) if history.partial else history.fetched_at,
    )
    return change


def known_until(lake: Lake, ticker: str, asked: str, now: dt.datetime) -> dt.date | None:
    """Return the newest stored date of a ticker; None where the source must be asked for its whole past.

    That is where nothing is stored, where the study asked for other dates or another source then, and once in
    :data:`WHOLE_EVERY`, since a past that was restated long ago shows in no newer part.

    Args:
        lake: of the study.
        ticker: one of its tickers.
        asked: the state of the source now, see :func:`sd_core.market.sources.states.source_state`.
        now: with a time zone.
    """
    version = lake.current(DATASET, ticker)
    if version is None or version.facts["whole"]:
        return None
    whole = _asked_whole(version)
    if whole is None or now - whole > WHOLE_EVERY or not same_question(version.facts["state"], asked):
        return None
    return dt.date.fromisoformat(version.facts["last"])


def restated(lake: Lake, history: PriceHistory) -> RawChange:
    """Return how a partial fetch differs from what is stored, on the dates of both and by splits that are new."""
    current = _current(lake, history.ticker)
    assert current is not None  # as `known_until` said
    stored, old = current
    fetched = (_day(history.bars.index[0]), _day(history.bars.index[-1]))
    overlaps = _overlaps([_parse_range(entry) for entry in stored.facts["covered"]], fetched)
    change = _compare(old, history, overlaps)
    if not overlaps:
        return RawChange(history.ticker, 1, *fetched, "bars", "none of the dates asked for again came")
    new = history.splits[~history.splits.index.isin(old.splits.index)]
    if not change.count and len(new):
        first, last = _day(new.index[0]), _day(new.index[-1])
        return RawChange(history.ticker, len(new), first, last, "splits", f"{first} split {new.iloc[0]:g}")
    return change


def load(lake: Lake, ticker: str) -> PriceHistory | None:
    """Return the current history of a ticker, or None where none was ever stored."""
    current = _current(lake, ticker)
    return None if current is None else current[1]


def changes(lake: Lake, ticker: str) -> tuple[RawChange, ...]:
    """Return every change that a fetch ever made to a ticker's past, oldest first."""
    version = lake.current(DATASET, ticker)
    return () if version is None else tuple(_parse_change(entry) for entry in version.facts["changes"])


def _asked_whole(stored: Version) -> dt.datetime | None:
    """Return when the whole past of a ticker was last asked for; None where it was not noted."""
    noted = stored.facts.get("asked_whole")
    return dt.datetime.fromisoformat(noted) if noted else None


def _write(
    lake: Lake,
    history: PriceHistory,
    state: str,
    before: Version | None,
    *,
    covered: Sequence[Range],
    changes: Sequence[dict[str, Any]],
    keep: tuple[str, ...],
    asked_whole: dt.datetime | None,
) -> None:
    facts = {
        "source": history.source,
        "state": state,
        "fetched_at": history.fetched_at.astimezone(dt.UTC).isoformat(),
        "asked_whole": asked_whole.astimezone(dt.UTC).isoformat() if asked_whole else None,
        "currency": history.currency,
        "calendar": history.calendar,
        "whole": history.whole,
        "first": str(_day(history.bars.index[0])),
        "last": str(_day(history.bars.index[-1])),
        "bars": len(history.bars),
        "covered": [[str(first), str(last)] for first, last in covered],
        "changes": list(changes),
        "remarks": [_plain(remark) for remark in history.remarks],
    }
    tables = {name: _to_table(frame) for name, frame in _frames(history).items()}
    lake.write(DATASET, history.ticker, tables, facts, keep=keep, instead_of=before)


def _current(lake: Lake, ticker: str) -> tuple[Version, PriceHistory] | None:
    # Held from the pointer to the last file, so that pruning cannot come between.
    with lake.shared():
        version = lake.current(DATASET, ticker)
        if version is None:
            return None
        bars, dividends, splits = (_to_frame(version.read(name)) for name in ("bars", "dividends", "splits"))
    return version, PriceHistory(
        ticker=ticker,
        bars=bars,
        dividends=dividends["amount"].rename(None),
        splits=splits["ratio"].rename(None),
        source=version.facts["source"],
        fetched_at=dt.datetime.fromisoformat(version.facts["fetched_at"]),
        currency=version.facts["currency"],
        calendar=version.facts.get("calendar"),
        whole=version.facts["whole"],
        # Lakes of before there were remarks have none.
        remarks=tuple(_parse_remark(entry) for entry in version.facts.get("remarks", ())),
    )


def _frames(history: PriceHistory) -> dict[str, pd.DataFrame]:
    return {
        "bars": history.bars[BAR_COLUMNS],
        "dividends": history.dividends.to_frame("amount"),
        "splits": history.splits.to_frame("ratio"),
    }


def _to_table(frame: pd.DataFrame) -> pa.Table:
    columns = {"date": pa.array(frame.index.to_numpy().astype("datetime64[D]"), pa.date32())}
    for name in frame.columns:
        columns[name] = pa.array(frame[name].to_numpy(np.float64))
    return pa.table(columns)


def _to_frame(table: pa.Table) -> pd.DataFrame:
    index = pd.DatetimeIndex(table["date"].to_numpy()).as_unit("us").rename("date")
    names = [name for name in table.column_names if name != "date"]
    return pd.DataFrame({name: table[name].to_numpy() for name in names}, index=index)


def _compare(old: PriceHistory, new: PriceHistory, overlaps: Sequence[Range]) -> RawChange:
    """Return what differs between two histories on the dates of ``overlaps``."""
    found: list[tuple[dt.date, str, str]] = []
    stored = _frames(old)
    for kind, frame in _frames(new).items():
        before, after = (_inside(table, overlaps) for table in (stored[kind], frame))
        found += [(date, kind, example) for date, example in _differences(before, after)]
    if not found:
        return RawChange(new.ticker)
    dates = [date for date, _, _ in found]
    first = min(dates)
    return RawChange(
        ticker=new.ticker,
        count=len(found),
        first=first,
        last=max(dates),
        what=", ".join(dict.fromkeys(kind for _, kind, _ in found)),
        example=next(f"{date} {example}" for date, _, example in found if date == first),
    )


def _differences(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[tuple[dt.date, str]]:
    """Yield the date of every row that differs, with its first differing value, old and new."""
    before, after = before.align(after, join="outer", axis=0)
    old, new = before.to_numpy(np.float64), after.to_numpy(np.float64)
    same = np.isclose(old, new, rtol=SAME_PRICE, atol=0.0)
    for row in np.flatnonzero(~same.all(axis=1)):
        column = int(np.argmin(same[row]))
        example = f"{before.columns[column]} {_shown(old[row, column])} -> {_shown(new[row, column])}"
        yield _day(before.index[int(row)]), example


def _same_basis(old: PriceHistory, new: PriceHistory) -> bool:
    """Return whether two fetches count in the same shares, so that bars of the one may follow bars of the other.

    They do not where most closes of their common dates differ; a single restated bar is no other basis. Without
    common dates, they do not where a split came that the older fetch could not know.
    """
    before, after = old.bars["close"].align(new.bars["close"], join="inner")
    if before.empty:
        unknown = new.splits.index.difference(old.splits.index)
        return not (unknown >= pd.Timestamp(old.fetched_at.astimezone(dt.UTC).date())).any()
    same = np.isclose(before, after, rtol=SAME_PRICE, atol=0.0)
    return 2 * int(same.sum()) >= len(same)


def _join(old: PriceHistory, new: PriceHistory, fetched: Range) -> PriceHistory:
    """Return the new history with what the old one knows outside the fetched range."""

    def joined(stored: Dated, fresh: Dated) -> Dated:
        mine = ~_in_range(stored.index, fetched) & ~stored.index.isin(fresh.index)
        return pd.concat([stored[mine], fresh]).sort_index() if mine.any() else fresh

    return replace(
        new,
        currency=new.currency or old.currency,
        calendar=new.calendar or old.calendar,
        bars=joined(old.bars, new.bars),
        dividends=joined(old.dividends, new.dividends),
        splits=joined(old.splits, new.splits),
        remarks=_join_remarks(old.remarks, new.remarks, fetched),
    )


def _join_remarks(old: Sequence[Remark], new: Sequence[Remark], fetched: Range) -> tuple[Remark, ...]:
    """Return the new remarks with the old ones of rows that the fetch does not speak of."""
    renewed = {(remark.rule, remark.first) for remark in new}
    stay = [
        remark
        for remark in old
        if not fetched[0] <= remark.first <= fetched[1] and (remark.rule, remark.first) not in renewed
    ]
    return tuple(sorted([*stay, *new], key=lambda remark: remark.first))


def _overlaps(covered: Iterable[Range], fetched: Range) -> list[Range]:
    parts = [(max(first, fetched[0]), min(last, fetched[1])) for first, last in covered]
    return [(first, last) for first, last in parts if first <= last]


def _merge_ranges(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges without overlap, ascending, that cover the same dates."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _inside(frame: pd.DataFrame, ranges: Iterable[Range]) -> pd.DataFrame:
    chosen = np.zeros(len(frame), dtype=bool)
    for one in ranges:
        chosen |= _in_range(frame.index, one)
    return frame[chosen]


def _in_range(index: pd.Index, dates: Range) -> np.ndarray:
    return np.asarray((index >= pd.Timestamp(dates[0])) & (index <= pd.Timestamp(dates[1])))


def _day(stamp: Any) -> dt.date:
    return pd.Timestamp(stamp).date()


def _shown(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.10g}"


def _parse_range(entry: Sequence[str]) -> Range:
    return dt.date.fromisoformat(entry[0]), dt.date.fromisoformat(entry[1])


def _plain(found: RawChange | Remark) -> dict[str, Any]:
    """Return a change or a remark as JSON values."""
    return asdict(found) | {"first": str(found.first), "last": str(found.last)}


def _parse_change(entry: dict[str, Any]) -> RawChange:
    return RawChange(**(entry | _parse_ends(entry)))


def _parse_remark(entry: dict[str, Any]) -> Remark:
    return Remark(**(entry | _parse_ends(entry)))


def _parse_ends(entry: dict[str, Any]) -> dict[str, dt.date]:
    return {name: dt.date.fromisoformat(entry[name]) for name in ("first", "last")}
