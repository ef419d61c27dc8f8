"""What rules changed about the satellites of a book, and what evaluations found, as rows of the tables of plans.

What moved belongs in ``books``.
"""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from sd_core.buckets.ledger.books import Book, Row, day
from sd_core.schemas.kinds import BucketEvent, Sleep
from sd_core.study.satellites import LIVE

# What a status that follows another one by rule is the event of.
_EVENTS = {
    ("accumulating", "active"): BucketEvent.ACTIVATED,
    ("active", "hibernating"): BucketEvent.HIBERNATED,
    ("hibernating", "active"): BucketEvent.WOKEN,
}
_BY_PERSON = "person"
_CAUSES = {sleep.name.lower() for sleep in Sleep if sleep is not Sleep.NONE}


def event_rows(book: Book) -> Iterator[Row]:
    """Yield the rows of ``bucket_event``: changes of status by rule, and locks that a person lifted."""
    if book.name != LIVE:
        return
    sessions = {mark.entry: mark.session for mark in book.marks}
    found = sorted([*_changes(book), *_unlocked(book)], key=lambda one: one["entry"])
    for seq, one in enumerate(found, start=1):
        entry = one.pop("entry")
        session = day(sessions.get(entry, book.entries[entry].effective))
        yield {"book": book.name, "seq": seq, "session": session, **one}


def _changes(book: Book) -> Iterator[Row]:
    for bucket in book.buckets:
        past = book.states[bucket]
        for before, after in pairwise(past):
            event = _EVENTS.get((before.status, after.status))
            if event is not None and after.cause != _BY_PERSON:
                cause = after.cause if event is BucketEvent.HIBERNATED and after.cause in _CAUSES else None
                yield {"entry": after.entry, "bucket": bucket, "event": event.name.lower(), "cause": cause}


def _unlocked(book: Book) -> Iterator[Row]:
    for number, head in book.entries.items():
        if head.kind == "unlock":
            yield {"entry": number, "bucket": head.subject, "event": BucketEvent.UNLOCKED.name.lower()}


def evaluation_rows(book: Book) -> Iterator[Row]:
    """Yield the rows of ``bucket_evaluation``; of several evaluations at one session, the last."""
    last = {row.session: row for row in book.all("select * from evaluation where book = :book order by entry")}
    for row in last.values():
        content = json.loads(row.content)
        yield from _evaluated(book, row, content["account"], content["evaluation"])


def _evaluated(book: Book, row: Any, account: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Row]:
    moved: dict[str, float] = {}
    for move in found["moves"]:
        for name, amount in ((move["source"], -move["amount"]), (move["target"], move["amount"])):
            moved[name] = moved.get(name, 0.0) + amount
    for record, verdict in zip(account["records"], found["verdicts"], strict=True):
        yield {
            "book": book.name,
            "session": day(row.session),
            "bucket": record["name"],
            "status": book.status(record["name"], row.entry),
            "probation": verdict["probation"],
            "trades": record["trades"],
            **{
                name + suffix: _measure(record[window][name])
                for suffix, window in (("", "long"), ("_recent", "recent"))
                for name in ("sharpe", "sortino", "profit_factor", "win_rate", "calmar")
            },
            "score": verdict["score"],
            "is_member": verdict["weight"] is not None,
            "weight": verdict["weight"],
            "target_before": record["target"],
            "clamped": verdict["clamped"],
            "target": verdict["target"],
            "value": record["value"],
            "cash": record["cash"],
            "moved": moved.get(record["name"], 0.0),
            "is_told_apart": found["is_told_apart"],
            "is_budget_too_small": found["is_budget_too_small"],
        }


def _measure(stored: Any) -> float | None:
    """Return a stored measure; one that there is not, and a profit factor without a loss, are NULL."""
    return float(stored) if isinstance(stored, int | float) and math.isfinite(stored) else None
