"""The account at its broker: what the ledger of a study asks of it, with the keys of this machine's environment.

What is booked, proposed and sent belongs in ``sd_core.buckets.trading``, where the ledger is in ``operate``.
"""

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipelines.lab.current import current_market
from pipelines.lab.home import StudyHome
from pipelines.steps.signals import judged
from pipelines.warehouse.records import records
from sd_core.broker.protocol import Broker
from sd_core.broker.registry import NO_BROKER, open_broker
from sd_core.buckets.ledger.books import Book
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.marked import last_mark
from sd_core.buckets.trading import desk, proposals, sending
from sd_core.buckets.trading.desk import Due
from sd_core.buckets.trading.feed import Fed, reconcile
from sd_core.buckets.trading.openings import Asked, Costs
from sd_core.buckets.trading.sending import Sent
from sd_core.errors import NotReadyError
from sd_core.schemas.buckets import STUDY_BUCKET
from sd_core.study.satellites import LIVE

# What the signals of satellites say at a close; the highest close is that of all sessions so far.
_SIGNALS = """
    select bucket, ticker, close, peak, is_entry, conviction, entry_order, next_ex_date
    from (
        select *, max(close) over (partition by bucket, ticker order by session) as peak from bucket_signal
    )
    where session = ?
"""
_EX_DATES = """
    select ticker, max(session) as session from satellite_prices where dividend > 0 and session <= ? group by all
"""


def has_broker(ledger: Ledger) -> bool:
    """Return whether the account names a broker; else a person places its orders, and records their fills."""
    with ledger.state() as state:
        return bool(state.setting(LIVE, "broker") != NO_BROKER)


def broker_of(ledger: Ledger) -> Broker:
    """Return the broker that the account's setting names.

    Raises:
        InputError: it names none, or what that needs is missing.
    """
    with ledger.state() as state:
        name = state.setting(LIVE, "broker")
    return open_broker(name, os.environ)


def reconcile_with_broker(ledger: Ledger) -> Fed:
    """Book what the broker states, and compare the books with the account; see :func:`reconcile`.

    Raises:
        InputError: the account names no broker.
        NotReadyError: the broker does not answer; after two sessions nothing is opened.
    """
    return reconcile(ledger, broker_of(ledger))


def read_broker(ledger: Ledger) -> Fed | None:
    """Book what the broker states before the account is marked, so that the day's fills are in the mark.

    None where the account names no broker, or that does not answer; the reconciliation after the mark asks again.
    """
    if not has_broker(ledger):
        return None
    try:
        return reconcile_with_broker(ledger)
    except NotReadyError:
        return None


@dataclass(frozen=True)
class Proposed:
    """What was proposed, and the satellites' instruments that the study has no prices of."""

    receipts: Sequence[Receipt]
    unpriced: Sequence[str]


def propose_orders(home: StudyHome, ledger: Ledger, *, dry_run: bool = False) -> Proposed:
    """Propose what satellites buy at the open after the last marked close; see :func:`proposals.propose`.

    Again for the same close it changes nothing.

    Raises:
        NotReadyError: nothing is marked yet, or the prices in the lake do not reach the last mark.
    """
    study = home.study
    with ledger.state() as state:
        session = last_mark(state).session
        active = [bucket for bucket, one in state.buckets.items() if one.status == "active"]
        tickers = {ticker for bucket in active for ticker in state.universe(bucket)}
    if not session:
        raise NotReadyError("propose: expected a mark of the account: `sdlab bucket mark` values it")
    asked = signals_at(home, ledger, session)
    if not asked:
        raise NotReadyError(f"propose: {session}: expected prices of the session in the lake: `sdlab run` fetches them")
    receipts = proposals.propose(ledger, asked, costs_of(home), dry_run=dry_run)
    return Proposed(receipts, sorted(tickers - set(study.satellite_universe)))


def approve_orders(
    ledger: Ledger, client_ids: Sequence[str], *, key: str | None = None, dry_run: bool = False
) -> list[Sent]:
    """Read the broker, finish what was begun, and approve and send proposed orders.

    Where the account names no broker, and in a dry run, nothing is sent.

    Raises:
        NotReadyError: the broker does not answer, so nothing is sent.
    """
    if dry_run or not has_broker(ledger):
        return sending.approve_by_hand(ledger, client_ids, key=key, dry_run=dry_run)
    broker = broker_of(ledger)
    reconcile(ledger, broker)
    return [*sending.resume(ledger, broker), *sending.approve(ledger, broker, client_ids, key=key)]


def exits_due(home: StudyHome, ledger: Ledger) -> list[Due]:
    """Return what every position of a satellite needs at the broker, which is not asked."""
    return desk.exits_due(ledger, _ex_dates(home, ledger))


def send_exits(home: StudyHome, ledger: Ledger) -> list[Sent]:
    """Read the broker, send the exits that are due, and let stops rest; see :func:`desk.send_exits`.

    Without prices in the lake all is done but for exits on ex-dates.

    Raises:
        InputError: the account names no broker.
        NotReadyError: the broker does not answer.
    """
    broker = broker_of(ledger)
    reconcile(ledger, broker)
    return [*sending.resume(ledger, broker), *desk.send_exits(ledger, broker, _ex_dates(home, ledger))]


def cancel_openings(ledger: Ledger, bucket: str | None = None) -> list[Sent]:
    """Call off the purchases of a bucket, or of all, at the broker; nothing where the account names none."""
    if not has_broker(ledger):
        return []
    return sending.cancel_openings(ledger, broker_of(ledger), bucket)


def costs_of(home: StudyHome) -> Costs:
    """Return what a trade costs in a study."""
    return Costs(home.study.costs.fixed, home.study.costs.bps / 10_000)


def signals_at(home: StudyHome, ledger: Ledger, session: str) -> dict[str, dict[str, Asked]]:
    """Return what the signal of every satellite of a book says of its instruments, in the order of the study."""
    lots = {ticker: one.lot_size for ticker, one in home.study.satellite_universe.items()}
    order = list(home.study.satellite_tickers)
    asked: dict[str, dict[str, Asked]] = defaultdict(dict)
    rows = sorted(query_judged(home, ledger, _SIGNALS, session), key=lambda row: order.index(row["ticker"]))
    for row in rows:
        ex_date = row["next_ex_date"]
        asked[row["bucket"]][row["ticker"]] = Asked(
            row["close"],
            row["peak"],
            is_entry=row["is_entry"],
            conviction=row["conviction"],
            order=float("nan") if row["entry_order"] is None else row["entry_order"],
            next_ex_date=None if ex_date is None else ex_date.isoformat(),
            lot_size=lots[row["ticker"]],
        )
    return dict(asked)


def _ex_dates(home: StudyHome, ledger: Ledger) -> Mapping[str, str]:
    """Return the last ex-date of each ticker up to the last mark; none where there are no prices."""
    with ledger.state() as state:
        session = last_mark(state).session
    try:
        rows = query_judged(home, ledger, _EX_DATES, session) if session else []
    except NotReadyError:
        return {}
    return {row["ticker"]: row["session"].isoformat() for row in rows}


def query_judged(home: StudyHome, ledger: Ledger, query: str, session: str) -> list[dict[str, Any]]:
    """Return rows of a query on what signals say of the satellites of a ledger's book."""
    with ledger.store.reading() as connection:
        buckets = pa.Table.from_pylist(list(Book(connection, ledger.book).settings()), STUDY_BUCKET.arrow_schema)
    with home.lake.shared(), judged(home.study, current_market(home.study, home.lake), buckets) as database:
        return records(database, query, [dt.date.fromisoformat(session)])
