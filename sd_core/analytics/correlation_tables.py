"""The correlations of a study's assets as tables: by pair, summed up, and the state of the whole market's.

Numbers come from ``correlation`` and ``correlation_summary``; here it is decided what is computed when.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sd_core.analytics.correlation import (
    Floats,
    Integers,
    Pairs,
    exponentially_weighted,
    pair_places,
    rolling,
)
from sd_core.analytics.correlation_summary import Summary, summarise
from sd_core.analytics.markov import refitted_monthly
from sd_core.market.arrays import month_numbers, pivot, week_numbers
from sd_core.schemas.lake import CORRELATION_PAIR, CORRELATION_STATE, CORRELATION_SUMMARY

# Windows of daily returns; the middle one is also that of the summary.
SHORT, MIDDLE, LONG = 21, 63, 252
WEEKS, MONTHS = 52, 36
MONTHS_PER_QUARTER = 3
# RiskMetrics (1996), for daily returns: 98 % of the weight lies on the last 63.
DECAY = 0.94
# Up to this many assets the middle window is reported at every session; more would make most of a warehouse of pairs.
EVERY_SESSION_ASSETS = 20
# Up to this many assets pairs have every window and estimator; more have the middle window alone, that of the summary,
# at ends of quarters. 500 assets have 125 thousand pairs: 5 million rows over ten years, and 78 million with the rest.
EVERY_WINDOW_ASSETS = 50
CRYPTO = "crypto"
# Two years of a series that only moves with a quarter's window.
FEWEST_AVERAGES = 504


def correlation_tables(sessions: pa.Table, prices: pa.Table, assets: pa.Table) -> dict[str, pa.Table]:
    """Return the tables correlation_pair, correlation_summary and correlation_state.

    No row depends on a later session than its own.

    Args:
        sessions: session.
        prices: session, ticker, close; rows of other tickers than the assets' are left out.
        assets: ticker, asset_class, target_share.
    """
    assets = assets.sort_by("ticker")
    days = np.sort(sessions["session"].to_numpy())
    closes = pivot(prices, "close", days, assets["ticker"].combine_chunks(), np.nan)
    rows = np.arange(MIDDLE, len(days))
    summary = summarise(
        closes, rows, MIDDLE, assets["target_share"].to_numpy(), pc.equal(assets["asset_class"], CRYPTO).to_numpy()
    )
    return {
        "correlation_pair": _pair_table(days, closes, assets["ticker"].to_pylist()),
        "correlation_summary": _summary_table(days[rows], summary),
        "correlation_state": _state_table(days[rows], summary.average),
    }


def _period_ends(periods: npt.NDArray[np.int64]) -> Integers:
    """Return the last row of each period that is over: one that a row of another period follows."""
    return np.flatnonzero(np.diff(periods))


class _Block(NamedTuple):
    """Correlations of all pairs by one estimator, at some sessions."""

    frequency: str
    estimator: str
    window: int | None
    rows: Integers
    pairs: Pairs


def _blocks(days: npt.NDArray[np.datetime64], closes: Floats) -> Iterator[_Block]:
    """Yield what is reported of every pair, in the order of the table's key."""
    if closes.shape[1] > EVERY_WINDOW_ASSETS:
        quarter_ends = _period_ends(month_numbers(days) // MONTHS_PER_QUARTER)
        rows = quarter_ends[quarter_ends >= MIDDLE]
        yield _Block("daily", "pearson", MIDDLE, rows, rolling(closes, rows, MIDDLE))
        return
    month_ends = _period_ends(month_numbers(days))
    rows = month_ends[month_ends >= MIDDLE]
    yield _Block("daily", "ewma", None, rows, exponentially_weighted(closes, rows, DECAY, recent=MIDDLE))
    for window in (SHORT, MIDDLE, LONG):
        everywhere = window == MIDDLE and closes.shape[1] <= EVERY_SESSION_ASSETS
        rows = np.arange(window, len(days)) if everywhere else month_ends[month_ends >= window]
        yield _Block("daily", "pearson", window, rows, rolling(closes, rows, window))
    for frequency, periods, window in (("monthly", month_numbers(days), MONTHS), ("weekly", week_numbers(days), WEEKS)):
        ends = _period_ends(periods)
        # Periods that are over by a month's end, counted from 0.
        newest = np.searchsorted(ends, month_ends, side="right") - 1
        full = newest >= window
        period_of = np.searchsorted(ends, np.arange(len(days)))
        pairs = rolling(closes, newest[full], window, period_of)
        yield _Block(frequency, "pearson", window, month_ends[full], pairs)


def _pair_table(days: npt.NDArray[np.datetime64], closes: Floats, tickers: list[str]) -> pa.Table:
    """Return one row per session, estimator and pair, in the order of the key."""
    blocks = list(_blocks(days, closes))
    first, second = pair_places(len(tickers))
    # One entry per session and block; each has a row per pair.
    rows = np.concatenate([block.rows for block in blocks])
    block_of = np.repeat(np.arange(len(blocks)), [len(block.rows) for block in blocks])
    order = np.lexsort([block_of, rows])
    names = {
        name: pa.array([getattr(block, name) for block in blocks]).dictionary_encode()
        for name in ("frequency", "estimator")
    }
    windows = pa.array([block.window for block in blocks], pa.int16())
    repeated = np.repeat(block_of[order], len(first))
    correlation = np.concatenate([block.pairs.correlation for block in blocks])[order].ravel()
    observations = np.concatenate([block.pairs.observations for block in blocks])[order].ravel()
    columns = {
        "session": pa.array(np.repeat(days[rows[order]], len(first))),
        **{name: values.take(pa.array(repeated)) for name, values in names.items()},
        "window": windows.take(pa.array(repeated)),
        "ticker_a": _named(tickers, np.tile(first, len(rows))),
        "ticker_b": _named(tickers, np.tile(second, len(rows))),
        "correlation": pa.array(correlation, from_pandas=True),
        "observations": pa.array(observations),
    }
    return pa.table(
        {name: values.cast(CORRELATION_PAIR.arrow_schema.field(name).type) for name, values in columns.items()},
        CORRELATION_PAIR.arrow_schema,
    )


def _named(names: list[str], places: Integers) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int16()), pa.array(names, pa.string()))


def _summary_table(days: npt.NDArray[np.datetime64], summary: Summary) -> pa.Table:
    columns = [
        pa.array(days),
        pa.array(summary.assets),
        *(pa.array(values, from_pandas=True) for values in summary[1:]),
    ]
    return pa.table(
        [values.cast(field.type) for values, field in zip(columns, CORRELATION_SUMMARY.arrow_schema, strict=True)],
        schema=CORRELATION_SUMMARY.arrow_schema,
    )


def _state_table(days: npt.NDArray[np.datetime64], average: Floats) -> pa.Table:
    """Return how likely the state of higher correlation is, by a two-state model of the average correlation.

    The model sees Fisher's transform, whose spread does not shrink as correlations near one.
    """
    known = np.isfinite(average)
    days = days[known]
    # An average of one: all assets move as one.
    transformed = np.arctanh(np.clip(average[known], -1 + 1e-9, 1 - 1e-9))
    probability = refitted_monthly(transformed, month_numbers(days), FEWEST_AVERAGES, shared_mean=False)
    known = np.isfinite(probability)
    return pa.table(
        {"session": days[known], "high_correlation_probability": probability[known]}, CORRELATION_STATE.arrow_schema
    )
