"""Plans of a core and its satellites, and the account: as a whole, by bucket, and where satellites' profit is from."""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from pipelines.report.numbers import NOTHING, decimal, percent, ratio, typeset
from pipelines.report.page import Cell, bullets, paragraph, table
from pipelines.report.verdicts import Headline
from pipelines.warehouse.records import records
from sd_core.study.satellites import CORE

_BUCKETS = "select * from report_bucket order by book, bucket <> 'core', bucket"
_TRADED = "select * from report_bucket_attribution order by book, bucket, profit desc, ticker"
_TWINS = """
    select * replace (strftime(since, '%Y-%m-%d') as since) from report_bucket_twin where missing is null
    order by book, bucket
"""
_REGIMES = """
    select * from bucket_regime where bucket <> 'core' and not is_twin(book)
    order by book, bucket, sessions desc, regime
"""

_PRESENT = "select regime from market_regime order by session desc limit 1"

Column = tuple[str, str, Callable[[Any], str]]


def bucket_part(connection: duckdb.DuckDBPyConnection, headline: Headline) -> str:
    """Return what the page says of the study's plans and of its account; empty where it has none."""
    found = _buckets(connection)
    if not found:
        return ""
    words = (
        "A core that is not to be put at risk, and satellites that trade tickers of their own with a part of the "
        "money. What a plan is beside its core alone is one history: whether it is more than luck, it does not say."
    )
    beside = (
        "Satellites of the account beside their twins: the same settings simulated from that day, with the same money. "
        "What differs is fills, approvals, and what a person did; a few weeks of it say little."
    )
    parts = (
        ("How each satellite is at the last close: what it opens a position at, of its full size.", _health),
        (f"Profit in {headline.study['currency']} by what was traded; what is open is worth its last close.", _traded),
        ("Returns on the sessions after one of each regime, annualised, and trades entered in it.", _regimes),
        (beside, _twins),
    )
    more = "".join(paragraph(words) + rows for words, show in parts if (rows := show(connection)))
    return paragraph(words) + bullets(map(typeset, [*headline.plans, *headline.accounts])) + found + more


def _buckets(connection: duckdb.DuckDBPyConnection) -> str:
    """Return a row per bucket: growth, risk and trades; empty where the study has no plan."""
    return _table(
        records(connection, _BUCKETS, []),
        "Buckets",
        (
            ("value", "final_value", decimal),
            ("share", "share", percent),
            ("target", "target", percent),
            ("CAGR", "cagr", percent),
            ("Sharpe", "sharpe", ratio),
            ("worst drawdown", "max_drawdown", percent),
            ("with the core", "correlation_with_core", ratio),
            ("trades", "trades", decimal),
            ("wins", "win_rate", percent),
            ("mean win", "mean_win", percent),
            ("mean loss", "mean_loss", percent),
        ),
    )


def _health(connection: duckdb.DuckDBPyConnection) -> str:
    """Return a row per satellite: how it is at the last close, and what keeps it from opening more."""
    rows = [row for row in records(connection, _BUCKETS, []) if row["bucket"] != CORE]
    return _table(
        rows,
        "Health of satellites",
        (
            ("status", "status", str),
            ("share", "share", percent),
            ("target", "target", percent),
            ("drawdown", "drawdown_now", percent),
            ("losses in a row", "losses_in_a_row", decimal),
            ("opens at", "factor", percent),
            ("held back by", "reasons", lambda reasons: (reasons or NOTHING).replace("_", " ")),
        ),
    )


def _traded(connection: duckdb.DuckDBPyConnection) -> str:
    """Return a row per satellite and ticker: its profit, trades and returns."""
    return _table(
        records(connection, _TRADED, []),
        "Where satellites' profit came from",
        (
            ("ticker", "ticker", str),
            ("profit", "profit", decimal),
            ("trades", "trades", decimal),
            ("wins", "wins", decimal),
            ("losses", "losses", decimal),
            ("mean return", "mean_return", percent),
            ("best", "best_return", percent),
            ("worst", "worst_return", percent),
            ("days held", "mean_days_held", decimal),
        ),
    )


def _regimes(connection: duckdb.DuckDBPyConnection) -> str:
    """Return what lost in the present regime, then, by satellite and regime, returns after it and trades in it."""
    rows = records(connection, _REGIMES, [])
    present = records(connection, _PRESENT, [])
    warning = lost_in(rows, present[0]["regime"] if present else None)
    return (paragraph(warning) if warning else "") + _table(
        rows,
        "Satellites by regime",
        (
            ("after a day of", "regime", lambda regime: regime.replace("_", " ")),
            ("sessions", "sessions", decimal),
            ("episodes", "episodes", decimal),
            ("mean return per year", "mean_return", percent),
            ("Sharpe", "sharpe", ratio),
            ("trades", "trades", decimal),
            ("wins", "win_rate", percent),
            ("mean trade", "mean_trade_return", percent),
        ),
    )


def lost_in(rows: Sequence[dict[str, Any]], regime: str | None) -> str:
    """Return which satellites have lost in a regime that came more than once, in words; empty: none, or it is unknown.

    Args:
        rows: of ``bucket_regime``.
        regime: of the last session.
    """
    lost = [
        f"{row['book']}, {row['bucket']} ({percent(row['mean_return'])} a year, {row['sessions']} sessions in"
        f" {row['episodes']} episodes)"
        for row in rows
        if row["regime"] == regime and row["episodes"] > 1 and (row["mean_return"] or 0.0) < 0.0
    ]
    if not lost:
        return ""
    return (
        f"The regime of the last session is {str(regime).replace('_', ' ')}. On sessions after such a one these lost on"
        f" average: {'; '.join(lost)}. So few episodes say little about the next one."
    )


def _twins(connection: duckdb.DuckDBPyConnection) -> str:
    """Return a row per satellite of the account: its growth, fall and trades beside its twin's."""
    return _table(
        records(connection, _TWINS, []),
        "The account beside its twins",
        (
            ("since", "since", str),
            ("sessions", "sessions", decimal),
            ("value", "value", decimal),
            ("twin", "twin_value", decimal),
            ("return", "twr", percent),
            ("twin's", "twin_twr", percent),
            ("difference", "twr_difference", percent),
            ("worst drawdown", "max_drawdown", percent),
            ("twin's worst", "twin_max_drawdown", percent),
            ("trades", "trades", decimal),
            ("twin's trades", "twin_trades", decimal),
        ),
    )


def _table(rows: Sequence[dict[str, Any]], name: str, columns: Sequence[Column]) -> str:
    if not rows:
        return ""
    cells = [
        [Cell(row["book"], is_number=False), Cell(row["bucket"], is_number=False)]
        + [_cell(row[column], write) for _, column, write in columns]
        for row in rows
    ]
    return table(("book", "bucket", *(header for header, *_ in columns)), cells, name=name, sortable=True)


def _cell(value: Any, write: Callable[[Any], str]) -> Cell:
    is_number = not isinstance(value, str)
    return Cell(write(value), value if is_number else None, is_number=is_number)
