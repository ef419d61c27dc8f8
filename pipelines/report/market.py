"""Charts of the market: its regimes, and how the assets move together."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import duckdb

from pipelines.report import svg
from pipelines.report.numbers import NOTHING, decimal, percent, ratio
from pipelines.report.scales import dates, linear
from pipelines.report.svg import BLACK, Figure, Key, Line, Span, Stroke
from pipelines.warehouse.records import records

# The window of the correlations shown, in sessions; the regime is taken from the same one.
WINDOW = 63
WINDOW_LONG = 252

# More than this many names in a row are no longer read.
MOST_ASSETS = 40

# Light to dark as well as by colour, for print.
MARKET_COLOURS = {"bull": "#56B4E9", "sideways": "#DDDDDD", "bear": "#E69F00", "high_volatility": "#A03A00"}
CORRELATION_COLOURS = {"low": "#56B4E9", "normal": "#DDDDDD", "high": "#A03A00"}

_MARKET_MONTHS = """
select
    date_trunc('month', session)::date as month,
    -- Of regimes that are equally frequent the one that began first.
    arg_max(regime, (days, -first_day)) as regime,
    max(last_session) as last_session
from (
    select
        date_trunc('month', session)::date as session,
        regime,
        count(*) as days,
        epoch(min(session)) as first_day,
        max(session) as last_session
    from market_regime
    where regime is not null
    group by all
)
group by month
order by month
"""

_MARKET_DAYS = "select regime, count(*) as days from market_regime where regime is not null group by regime"

_CORRELATION_MONTHS = """
select
    max(session) as session,
    arg_max(average_correlation, session) as average,
    arg_max(regime, session) as regime
from correlation_regime
where average_correlation is not null
group by date_trunc('month', session)
order by session
"""

_PAIRS = """
select ticker_a, ticker_b, correlation
from correlation_pair
where
    frequency = 'daily'
    and estimator = 'pearson'
    and "window" = $1
    and session = (
        select max(session)
        from correlation_pair
        where frequency = 'daily' and estimator = 'pearson' and "window" = $1 and correlation is not null
    )
"""


def regime_strip(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    """Draw the regime of most sessions of each month; None where no regime is known."""
    months = records(connection, _MARKET_MONTHS)
    if not months:
        return None
    days = {row["regime"]: row["days"] for row in records(connection, _MARKET_DAYS)}
    total = sum(days.values())
    x = dates(months[0]["month"], months[-1]["last_session"])
    shares = [(name, days.get(name, 0)) for name in MARKET_COLOURS]
    shown = ", ".join(f"{_words(name)} {percent(count / total, 0)}" for name, count in shares)
    return Figure(
        "Regime of the market",
        svg.strip(
            _spans([(row["month"], row["last_session"], row["regime"]) for row in months], MARKET_COLOURS),
            x,
            label=f"Regime of the market by month; of all sessions: {shown}.",
        ),
        tuple(
            Key(f"{_words(name)}, {percent(count / total, 0)} of sessions", MARKET_COLOURS[name])
            for name, count in shares
        ),
        ("regime", "sessions", "share"),
        tuple((_words(name), decimal(count), percent(count / total)) for name, count in shares),
    )


def correlation_history(connection: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Draw the average correlation at month ends, and its regime below; nothing where there is none."""
    rows = records(connection, _CORRELATION_MONTHS)
    if not rows:
        return []
    x = dates(rows[0]["session"], rows[-1]["session"])
    averages = [row["average"] for row in rows]
    line = Line("average correlation", [row["session"].toordinal() for row in rows], averages, Stroke(BLACK, width=1.6))
    years = {row["session"].year: row for row in rows}
    average = Figure(
        "Average correlation of all pairs",
        svg.lines(
            [line],
            x,
            linear(averages, f"correlation, {WINDOW} sessions"),
            label=f"Average correlation of daily returns over {WINDOW} sessions at month ends, all pairs of assets.",
            height=180,
        ),
        (),
        ("date", "average correlation", "regime"),
        tuple(
            (f"{row['session']:%Y-%m-%d}", decimal(row["average"], 2), row["regime"] or NOTHING)
            for row in years.values()
        ),
    )
    known = [(row["session"].replace(day=1), row["session"], row["regime"]) for row in rows if row["regime"]]
    if not known:
        return [average]
    counts = Counter(regime for _, _, regime in known)
    keys = [Key(f"{name}, {counts[name]} months", colour) for name, colour in CORRELATION_COLOURS.items()]
    label = "Regime of the average correlation at month ends: " + ", ".join(key.label for key in keys) + "."
    regime = Figure("Correlation regime", svg.strip(_spans(known, CORRELATION_COLOURS), x, label=label), tuple(keys))
    return [average, regime]


def correlation_heat_map(connection: duckdb.DuckDBPyConnection, most: int = MOST_ASSETS) -> Figure | None:
    """Draw the latest correlation of every pair over a year; None with fewer than two assets, or before a year.

    Of more assets than ``most`` only those with the largest targets are shown, and the title says so.
    """
    pairs = records(connection, _PAIRS, [WINDOW_LONG])
    found = {(row["ticker_a"], row["ticker_b"]): row["correlation"] for row in pairs}
    if not any(value is not None for value in found.values()):
        return None
    assets = records(connection, "select ticker, target_share from study_asset order by position")
    largest = sorted(assets, key=lambda row: -row["target_share"])[:most]
    names = [row["ticker"] for row in assets if row in largest]
    values = [
        [1.0 if one == other else found.get((min(one, other), max(one, other))) for other in names] for one in names
    ]
    table = tuple(
        (one, other, decimal(value, 2))
        for (one, other), value in sorted(found.items())
        if value is not None and {one, other} <= set(names)
    )
    return Figure(
        "Correlation of every two assets"
        + ("" if len(names) == len(assets) else f", the {most} with the largest targets"),
        svg.heat_map(
            names,
            values,
            label=f"Correlation of daily returns of {len(names)} assets over the last {WINDOW_LONG} sessions.",
            write=ratio,
        ),
        (
            Key(f"{decimal(-1)}: opposite", svg.tint(-1)),
            Key("0: unrelated", svg.tint(0)),
            Key("1: together", svg.tint(1)),
        ),
        ("asset", "asset", "correlation"),
        table,
    )


def _spans(stretches: Sequence[tuple[dt.date, dt.date, str]], colours: dict[str, str]) -> list[Span]:
    """Join neighbouring stretches of one category; each lasts until the next begins."""
    starts = [start for start, _, _ in stretches]
    ends = [*starts[1:], stretches[-1][1]]
    spans = []
    pieces: list[tuple[dt.date, dt.date, Any]] = [
        (start, end, name) for start, end, (_, _, name) in zip(starts, ends, stretches, strict=True)
    ]
    for name, run in groupby(pieces, key=lambda piece: piece[2]):
        joined = list(run)
        start, end = joined[0][0], joined[-1][1]
        spans.append(Span(start.toordinal(), end.toordinal(), f"{_words(name)} from {start} to {end}", colours[name]))
    return spans


def _words(regime: str) -> str:
    return regime.replace("_", " ")
