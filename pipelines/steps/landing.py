"""Land the books of the account's ledger in the lake: as they are, with what signals and prices say of positions.

Which rows a book has belongs in ``sd_core.buckets.ledger``, in ``books`` and ``book_rows``. The ledger is read, never
written.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.steps.books import place_of
from pipelines.steps.signals import judged
from pipelines.steps.twins import Twins, simulate_twins
from pipelines.warehouse.records import records
from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.books import Book, Living, Row
from sd_core.buckets.ledger.store import Store
from sd_core.lake import Lake, Version
from sd_core.schemas.buckets import BUCKET_TABLES, LEDGER_TABLES, STUDY_BUCKET
from sd_core.schemas.kinds import Regime
from sd_core.study.model import Study
from sd_core.study.satellites import LIVE, TWIN

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
_UNKNOWN = Regime.UNKNOWN.name.lower()
_TRADES = pa.schema(
    [
        ("book", pa.string()),
        ("bucket", pa.string()),
        ("trade", pa.int32()),
        ("ticker", pa.string()),
        ("opened", pa.date32()),
    ]
)
_MARKED = {
    "bucket_daily": book_rows.daily_rows,
    "bucket_trade": book_rows.trade_rows,
    "bucket_event": book_rows.event_rows,
    "bucket_evaluation": book_rows.evaluation_rows,
}


def read_books(study: Study, lake: Lake, market: Version) -> dict[str, pa.Table]:
    """Return the rows of all books of the study's ledger; none where it accounts in another currency than the study.

    Raises:
        InputError: the place of the ledger cannot be.
        NotReadyError: the ledger is damaged, or of another release.
    """
    rows, living = _rows(Store(*place_of(study, lake)), study.currency)
    twins = Twins()
    if rows["bucket_trade"] or living:
        buckets = pa.Table.from_pylist(rows["study_bucket"], STUDY_BUCKET.arrow_schema)
        with judged(study, market, buckets) as connection:
            _add_what_was_said(connection, rows["bucket_trade"])
            days, events = (
                [row for row in rows[name] if row["book"] == LIVE] for name in ("bucket_daily", "bucket_event")
            )
            twins = simulate_twins(study, market, connection, living, days, events)
        rows["bucket_twin"] = twins.rows
        rows["study_bucket"] += _settings_of(twins, rows["study_bucket"])
    return {
        table.name: pa.concat_tables(
            [pa.Table.from_pylist(rows[table.name], table.arrow_schema), *twins.tables[table.name]]
        )
        for table in (STUDY_BUCKET, *BUCKET_TABLES, *LEDGER_TABLES)
    }


def _settings_of(twins: Twins, settings: Iterable[Row]) -> list[Row]:
    """Return the settings of satellites that have a twin as those of its book, which has no other bucket."""
    simulated = {row["bucket"] for row in twins.rows if "missing" not in row}
    alone = {"position": 1, "budget": 1.0}
    return [
        {**row, "plan": f"{TWIN}{row['bucket']}", **alone}
        for row in settings
        if row["plan"] == LIVE and row["bucket"] in simulated
    ]


def _rows(store: Store, currency: str) -> tuple[dict[str, list[Row]], list[Living]]:
    """Return the rows of all books by table, and the satellites of the account."""
    rows: dict[str, list[Row]] = defaultdict(list)
    living: list[Living] = []
    with contextlib.closing(store), store.reading() as connection:
        for name in book_rows.books(connection):
            book = Book(connection, name)
            if book.base.unit != currency:
                break
            for table, found in _of(connection, book).items():
                rows[table] += found
            if name == LIVE:
                living = list(book.living())
    return rows, living


def _of(connection: Any, book: Book) -> dict[str, Iterable[Row]]:
    """Return the rows of a book by table."""
    return {
        "study_bucket": book.settings(),
        "bucket_ledger": book.ledger(),
        "bucket_balance": book.balances(),
        "bucket_reconciliation": book.reconciliations(),
        **{table: marked(connection, book.name).to_pylist() for table, marked in _MARKED.items()},
    }


def _add_what_was_said(connection: duckdb.DuckDBPyConnection, trades: list[Row]) -> None:
    """Add to positions what signals and the market said when they were opened, where the ledger does not have it."""
    connection.register("trades", pa.Table.from_pylist(trades, _TRADES))
    said = {(one["book"], one["bucket"], one["trade"]): one for one in records(connection, _SAID, [])}
    for trade in trades:
        if (known := said.get((trade["book"], trade["bucket"], trade["trade"]))) is None:
            continue
        if trade["conviction"] is None:
            trade["conviction"] = known["conviction"]
        if trade["regime"] == _UNKNOWN:
            trade["regime"] = known["regime"]
        if trade["premium"] is None and known["highest_close"] is not None and trade["entry_price"] is not None:
            trade["premium"] = trade["entry_price"] / known["highest_close"] - 1.0
