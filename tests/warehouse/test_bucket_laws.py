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


BALANCE = "insert into bucket_balance by name select 'live' as book, '{unit}' as unit, '{bucket}' as bucket, "
CASH, SHARES = "true as is_currency, {} as quanta, {} as amount", "false as is_currency, {} as quanta, {} as amount"
BOUGHT = """
    insert into bucket_ledger by name
    select 'live' as book, 1 as seq, session, session as effective, 0 as leg, 'd' as bucket, 'outside' as counterparty,
    'DDD' as ticker, 'BUY' as kind, 6.0 as quantity, {} as price, 0.0 as fee, -1.0 as amount, -1.0 as cash_after
    from satellite_prices where ticker = 'DDD' and close is not null order by session limit 1
"""
OPENED = """
    insert into bucket_trade by name
    select 'live' as book, 'd' as bucket, 1 as trade, 'DDD' as ticker, date '2023-06-05' as opened, 6.0 as quantity,
    10.0 as cost, 0.0 as dividends, 'unknown' as regime, {} as factor
"""
RECONCILED = """
    insert into bucket_reconciliation by name
    select 'live' as book, 1 as entry, date '2023-06-05' as effective, 'USD' as unit, {} as actual, 100.0 as booked,
    1.0 as held, 2.0 as difference, '{}' as action
"""
MARKED = """
    insert into study_bucket by name
    select * replace ('live' as plan) from study_bucket where plan = 'dips';
    insert into bucket_daily by name
    select * replace ('live' as book, {} as factor, 'share, boost' as reasons, 0.8 as share_level, 0.25 as reawakening,
    1.0 as drawdown_level, 1.0 as cooldown, 1.0 as regime_factor, 0 as stage, 0.0 as drawdown, 'active' as status,
    null as locked_until, null as cooldown_until)
    from bucket_daily where book = 'dips' and bucket = 'd' order by session limit 1
"""


def balance(unit: str, bucket: str, values: str, quanta: int) -> str:
    return BALANCE.format(unit=unit, bucket=bucket) + values.format(quanta, quanta / 1e4) + ";"


@pytest.mark.parametrize(
    ("law", "change", "is_broken"),
    [
        ("account_is_as_stated", balance("USD", "core", CASH, 9) + balance("USD", "outside", CASH, -9), False),
        ("account_is_as_stated", balance("USD", "core", CASH, 9) + balance("USD", "outside", CASH, -8), True),
        ("account_is_as_stated", balance("USD", "core", CASH, 9), True),
        ("account_has_one_bucket_per_ticker", balance("USD", "core", CASH, 9) + balance("USD", "d", CASH, 9), False),
        ("account_has_one_bucket_per_ticker", balance("DDD", "core", SHARES, 9) + balance("DDD", "d", SHARES, 9), True),
        ("account_balances_follow_ledger", BOUGHT.format("close") + ";" + balance("DDD", "d", SHARES, 60_000), False),
        ("account_balances_follow_ledger", BOUGHT.format("close") + ";" + balance("DDD", "d", SHARES, 60_001), True),
        ("account_balances_follow_ledger", BOUGHT.format("close"), True),
        ("account_fills_inside_bar", BOUGHT.format("1.009 * high"), False),
        ("account_fills_inside_bar", BOUGHT.format("1.011 * high"), True),
        ("account_fills_inside_bar", BOUGHT.format("0.98 * low"), True),
        # As after a split of two for one.
        ("account_fills_inside_bar", BOUGHT.format("2 * close"), False),
        ("reconciliation_differences_add_up", RECONCILED.format(103.0, "blocked"), False),
        ("reconciliation_differences_add_up", RECONCILED.format(103.5, "blocked"), True),
        ("nothing_opened_at_factor_0", OPENED.format("null"), False),
        ("nothing_opened_at_factor_0", OPENED.format("0.2"), False),
        ("nothing_opened_at_factor_0", OPENED.format("0.0"), True),
        # 0.8 by share at the first stage, half as much again by a boost.
        ("bucket_factor_follows_its_rules", MARKED.format("0.3"), False),
        ("bucket_factor_follows_its_rules", MARKED.format("0.2"), True),
    ],
)
def test_laws_of_an_account_find_what_breaks_them_alone(
    books: duckdb.DuckDBPyConnection, law: str, change: str, is_broken: bool
) -> None:
    books.execute(change)
    assert bool(books.execute(LAWS[law]).fetchall()) == is_broken
