"""The marks of a ledger's books as rows of the tables that histories have, a function per table.

Of each session the last revision counts. What the columns mean is declared in ``schemas.buckets``.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection

from sd_core.buckets.ledger.marked import close_of, day_of_date
from sd_core.buckets.ledger.state import State
from sd_core.schemas.buckets import BUCKET_DAILY, BUCKET_EVALUATION, BUCKET_EVENT, BUCKET_TRADE
from sd_core.schemas.kinds import Reason
from sd_core.schemas.table import LakeTable

_LATEST = """
    (select max(revision) from mark l where l.book = m.book and l.session = m.session)
"""


def books(connection: Connection) -> list[str]:
    """Return the books of a ledger: the account's, and those on paper in the order in which they were opened."""
    return [row.book for row in State(connection).rows("select book from book order by entry")]


def daily_rows(connection: Connection, book: str) -> pa.Table:
    """Return every bucket of a book at every mark, as ``bucket_daily``."""
    state = State(connection, book)
    query = f"""
        select s.*, m.cash, m.value from mark_state s join mark m on m.book = s.book and m.bucket = s.bucket
        and m.session = s.session and m.revision = s.revision join bucket b on b.bucket = s.bucket
        where s.book = :book and s.revision = {_LATEST} order by s.session, b.entry, b.bucket
    """
    return _table(BUCKET_DAILY, (_day(state, row) for row in state.rows(query)))


def _day(state: State, row: Any) -> dict[str, Any]:
    at = close_of(row.given)
    numbers = (
        *("simple_return", "twr_index", "peak", "drawdown", "share", "share_level", "drawdown_level"),
        *("cooldown", "reawakening", "regime_factor", "factor"),
    )
    is_satellite = row.status is not None
    return {
        "book": row.book,
        "bucket": row.bucket,
        "session": row.session,
        "cash": float(state.base.decimal(row.cash)),
        "value": float(state.base.decimal(row.value)),
        "open_flows": at.open_flows,
        "close_flows": at.close_flows,
        "target": at.target,
        "positions": len(at.held) if is_satellite else None,
        **{name: _number(getattr(row, name)) for name in numbers},
        **{name: getattr(row, name) for name in ("status", "losses", "stage")},
        "reasons": ", ".join((one.name or "").lower() for one in Reason if one & (row.reasons or 0)) or None,
        "locked_until": row.lock_ends,
        "cooldown_until": row.cooldown_ends,
    }


def trade_rows(connection: Connection, book: str) -> pa.Table:
    """Return every position of a book's satellites from entry to exit, as ``bucket_trade``.

    One whose shares went to another bucket is closed, without an outcome. Purchases that the broker took back are left
    out.
    """
    state = State(connection, book)
    query = """
        select t.* from mark_trade t join bucket b on b.bucket = t.bucket where t.book = :book and t.quantity > 0
        and t.entry = (select max(l.entry) from mark_trade l
        where l.book = t.book and l.bucket = t.bucket and l.trade = t.trade) order by b.entry, b.bucket, t.trade
    """
    return _table(BUCKET_TRADE, (_trade(state, row) for row in state.rows(query)))


def _trade(state: State, row: Any) -> dict[str, Any]:
    unit = state.units[row.unit]
    money = state.units[str(unit.quote_currency)]
    outcomes = {-1: "loss", 0: "neutral", 1: "win"}
    return {
        **{name: getattr(row, name) for name in ("book", "bucket", "trade", "opened", "closed")},
        "ticker": row.unit,
        **{name: _number(getattr(row, name)) for name in ("entry_price", "exit_price", "trade_return")},
        **{name: _number(getattr(row, name)) for name in ("conviction", "factor", "premium")},
        "quantity": float(unit.decimal(row.quantity)),
        "cost": float(money.decimal(row.cost)),
        "proceeds": None if row.outcome is None else float(money.decimal(row.proceeds)),
        "dividends": float(money.decimal(row.dividends)),
        "outcome": None if row.outcome is None else outcomes[row.outcome],
        "exit_reason": None if row.closed is None else row.exit_reason,
        "regime": row.regime or "unknown",
        "is_on_strategy": bool(row.is_on_strategy),
        "is_test": bool(row.is_test),
    }


def event_rows(connection: Connection, book: str) -> pa.Table:
    """Return what rules, evaluations and people changed about a book's satellites, as ``bucket_event``.

    An event belongs to the session of the first mark that knows of it.
    """
    state = State(connection, book)
    query = f"""
        select m.* from mark_event m join bucket b on b.bucket = m.bucket
        where m.book = :book and m.revision = {_LATEST} order by m.session,
        case when m.event like 'probation%' or m.cause = 'probation' then 0 else 1 end, b.entry, b.bucket, m.place
    """
    return _table(
        BUCKET_EVENT,
        (
            {
                **{name: getattr(row, name) for name in ("book", "session", "bucket", "event", "cause", "until")},
                "seq": seq,
                "value": float(row.value),
            }
            for seq, row in enumerate(state.rows(query), start=1)
        ),
    )


def evaluation_rows(connection: Connection, book: str) -> pa.Table:
    """Return every satellite at every evaluation of a book, as ``bucket_evaluation``."""
    state = State(connection, book)
    query = "select book, session, content from evaluation where book = :book order by entry"
    return _table(BUCKET_EVALUATION, (row for one in state.rows(query) for row in _evaluation(one)))


def _evaluation(stored: Any) -> Iterable[dict[str, Any]]:
    content = json.loads(stored.content)
    decided = content["evaluation"]
    moved: dict[str, list[float]] = {}
    for move in decided["moves"]:
        moved.setdefault(move["source"], []).append(-move["amount"])
        moved.setdefault(move["target"], []).append(move["amount"])
    for record, verdict in zip(content["account"]["records"], decided["verdicts"], strict=True):
        yield {
            "book": stored.book,
            "session": stored.session,
            "bucket": record["name"],
            "status": "hibernating" if verdict["probation"] == "failed" else record["status"],
            "trades": record["trades"],
            **_measures(record["long"], ""),
            **_measures(record["recent"], "_recent"),
            **{name: verdict[name] for name in ("probation", "score", "weight", "clamped", "target")},
            "is_member": verdict["weight"] is not None,
            "target_before": record["target"],
            **{name: record[name] for name in ("value", "cash")},
            "moved": math.fsum(moved.get(record["name"], [])),
            **{name: decided[name] for name in ("is_told_apart", "is_budget_too_small")},
        }


def _measures(window: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    """Return the measures of a window; a profit factor without a loss has no number."""
    return {name + suffix: None if value == "no loss" else value for name, value in window.items()}


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


_DAYS = {"session", "opened", "closed", "until", "locked_until", "cooldown_until"}


def _table(declared: LakeTable, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return rows with the columns of a table of the lake; dates come as ISO writes them."""
    filled = [
        {name: None if value is None else day_of_date(value) if name in _DAYS else value for name, value in row.items()}
        for row in rows
    ]
    schema = declared.arrow_schema
    columns = []
    for name in declared.columns:
        values = [row[name] for row in filled]
        kind = schema.field(name).type
        columns.append(pa.array(values, pa.int32()).cast(kind) if name in _DAYS else pa.array(values, kind))
    return pa.table(columns, schema=schema)
