"""The laws of buckets hold in a published warehouse, and each notices what breaks it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support.lab import Lab

from pipelines.lab.home import SQL
from pipelines.warehouse.audit import read_identities

LAWS = {law.name: law.sql for law in read_identities(SQL / "audit") if "bucket" in law.table}
LAST = "session = (select max(session) from bucket_daily)"


@pytest.fixture
def books(bucket_lab: Lab, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a copy of a published warehouse with plans, to be broken."""
    with duckdb.connect(str(shutil.copy(bucket_lab.published, tmp_path / "books.duckdb"))) as connection:
        yield connection


def test_laws_hold_in_what_was_published(books: duckdb.DuckDBPyConnection) -> None:
    assert len(LAWS) == 15
    assert [name for name, sql in LAWS.items() if books.execute(sql).fetchall()] == []


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("buckets_make_the_total", f"update bucket_daily set value = value + 1 where bucket = 'd' and {LAST}"),
        ("buckets_make_the_total", f"update bucket_daily set share = 0.5 where bucket = 'd' and {LAST}"),
        ("buckets_make_the_total", f"delete from bucket_daily where book = 'dips' and bucket = 'core' and {LAST}"),
        ("bucket_cash_follows_ledger", f"update bucket_daily set cash = cash + 0.01 where bucket = 'd' and {LAST}"),
        ("bucket_cash_follows_ledger", "update bucket_ledger set amount = 1001 where kind = 'OPENING'"),
        ("bucket_cash_follows_ledger", "delete from bucket_ledger where kind = 'DEPOSIT' and bucket = 'core'"),
        ("bucket_index_follows_values", f"update bucket_daily set simple_return = 0.5 where {LAST}"),
        ("bucket_index_follows_values", f"update bucket_daily set simple_return = null where {LAST}"),
        ("bucket_index_follows_values", f"update bucket_daily set twr_index = 1.5 * twr_index where {LAST}"),
        ("bucket_index_follows_values", f"update bucket_daily set drawdown = drawdown + 0.01 where {LAST}"),
        ("bucket_index_follows_values", f"update bucket_daily set open_flows = open_flows + 10 where {LAST}"),
        (
            "bucket_flows_cancel",
            "update bucket_ledger set counterparty = 'd' where kind = 'DEPOSIT' and book = 'dips' and bucket = 'core'",
        ),
        (
            "bucket_trades_its_own_tickers",
            "update bucket_ledger set ticker = 'AAA' where kind = 'BUY' and bucket = 'd'",
        ),
        (
            "bucket_trades_its_own_tickers",
            "update bucket_ledger set ticker = 'DDD' where kind = 'INITIAL_BUY' and bucket = 'core'",
        ),
        ("bucket_trades_follow_ledger", "update bucket_trade set cost = cost + 0.01 where trade = 1"),
        ("bucket_trades_follow_ledger", "update bucket_trade set closed = null where trade = 1"),
        ("bucket_trades_follow_ledger", "update bucket_trade set proceeds = 0 where trade = 1"),
        ("bucket_trades_follow_ledger", "delete from bucket_trade"),
        ("nothing_opened_at_factor_0", "update bucket_daily set factor = 0 where bucket = 'd'"),
        ("nothing_opened_at_factor_0", "update bucket_trade set factor = 1 where factor < 1"),
        ("bucket_targets_within_rails", f"update bucket_daily set target = 0.151 where bucket = 'd' and {LAST}"),
        ("bucket_fills_inside_bar", "update bucket_ledger set price = price * 1.2 where kind = 'BUY' and bucket = 'd'"),
        ("bucket_fills_inside_bar", "update bucket_ledger set price = 1 where kind = 'INITIAL_BUY'"),
    ],
)
def test_broken_law_of_buckets_is_found(books: duckdb.DuckDBPyConnection, law: str, change: str) -> None:
    assert books.execute(change).fetchone() != (0,), "the change touches no row"
    assert len(books.execute(LAWS[law]).fetchall()) > 0
