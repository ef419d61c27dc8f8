"""Land the books of the account's ledger in the lake: as they are, with what signals and prices say of positions.

Which rows a book has belongs in ``sd_core.buckets.ledger.books`` and beside it. The ledger is read, never written.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

import pyarrow as pa

from pipelines.steps.books import place_of
from pipelines.steps.signals import judged
from pipelines.warehouse.records import records
from sd_core.buckets.ledger.books import Book, Row, books_of
from sd_core.buckets.ledger.chronicle import evaluation_rows, event_rows
from sd_core.buckets.ledger.positions import trade_rows
from sd_core.buckets.ledger.store import Store
from sd_core.lake import Lake, Version
from sd_core.schemas.buckets import BUCKET_TABLES, LEDGER_TABLES, STUDY_BUCKET
from sd_core.study.model import Study

# Of each position: what its signal and the market said at the close before it was opened, and the asset's highest close
# up to then. A ticker without prices has no row of signals, and a date outside the sessions no close before.
_SAID = """
    with
    opened as (
        select trade.book, trade.bucket, trade.trade, trade.ticker, max(calendar.session) as session
        from trades as trade
        inner join sessions as calendar on calendar.session < trade.opened
        where trade.opened <= (select max(session) from sessions)
        group by all
    ),

    highest as (
        select opened.book, opened.bucket, opened.trade, max(satellite_prices.close) as close
        from opened
        inner join satellite_prices
            on opened.ticker = satellite_prices.ticker and satellite_prices.session <= opened.session
        group by all
    )

    select
        opened.book,
        opened.bucket,
        opened.trade,
        signal.conviction,
        signal.is_entry as is_on_strategy,
        coalesce(regime.regime, 'unknown') as regime,
        highest.close as highest_close
    from opened
    left join bucket_signal as signal
        on opened.book = signal.plan
        and opened.bucket = signal.bucket
        and opened.ticker = signal.ticker
        and opened.session = signal.session
    left join market_regime as regime on opened.session = regime.session
    left join highest
        on opened.book = highest.book and opened.bucket = highest.bucket and opened.trade = highest.trade
"""
_TRADES = pa.schema(
    [
        ("book", pa.string()),
        ("bucket", pa.string()),
        ("trade", pa.int32()),
        ("ticker", pa.string()),
        ("opened", pa.date32()),
    ]
)


def read_books(study: Study, lake: Lake, market: Version) -> dict[str, pa.Table]:
    """Return the rows of all books of the study's ledger; none where it accounts in another currency than the study.

    Raises:
        InputError: the place of the ledger cannot be.
        NotReadyError: the ledger is damaged, or of another release.
    """
    rows: Mapping[str, list[Row]] = _rows(Store(*place_of(study, lake)), study.currency)
    if rows["bucket_trade"]:
        _add_what_was_said(study, market, rows)
    return {
        table.name: pa.Table.from_pylist(rows[table.name], table.arrow_schema)
        for table in (STUDY_BUCKET, *BUCKET_TABLES, *LEDGER_TABLES)
    }


def _rows(store: Store, currency: str) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    with contextlib.closing(store), store.reading() as connection:
        for name in books_of(connection):
            book = Book(connection, name)
            if book.base.unit != currency:
                break
            for table, found in _of(book).items():
                rows[table] += found
    return rows


def _of(book: Book) -> dict[str, Iterable[Row]]:
    """Return the rows of a book by table."""
    return {
        "study_bucket": book.settings(),
        "bucket_ledger": book.ledger(),
        "bucket_daily": book.days(),
        "bucket_trade": trade_rows(book),
        "bucket_event": event_rows(book),
        "bucket_evaluation": evaluation_rows(book),
        "bucket_balance": book.balances(),
        "bucket_reconciliation": book.reconciliations(),
    }


def _add_what_was_said(study: Study, market: Version, rows: Mapping[str, list[Row]]) -> None:
    """Add to positions what their signals and the market said when they were opened, where that is known."""
    buckets = pa.Table.from_pylist(rows["study_bucket"], STUDY_BUCKET.arrow_schema)
    with judged(study, market, buckets) as connection:
        connection.register("trades", pa.Table.from_pylist(rows["bucket_trade"], _TRADES))
        said = {(one["book"], one["bucket"], one["trade"]): one for one in records(connection, _SAID, [])}
    for trade in rows["bucket_trade"]:
        if (known := said.get((trade["book"], trade["bucket"], trade["trade"]))) is not None:
            highest = known.pop("highest_close")
            trade.update(known)
            if highest is not None and trade["entry_price"] is not None:
                trade["premium"] = trade["entry_price"] / highest - 1.0
