"""A plan of a core and one satellite over five sessions, written down by hand, for tests of what is reported of it."""

import duckdb
import numpy as np

from support.lake_tables import insert

DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08")
# Values at each close. On the third session 40 goes from the core to the satellite; on the last one 30 comes from
# outside to the core, which then pays out 10.
CORE = (900.0, 909.0, 860.0, 903.0, 950.0)
CORE_OPEN = (900.0, 0.0, -40.0, 0.0, 30.0)
CORE_CLOSE = (0.0, 0.0, 0.0, 0.0, -10.0)
HUNTER = (100.0, 90.0, 143.0, 143.0, 121.55)
HUNTER_OPEN = (100.0, 0.0, 40.0, 0.0, 0.0)
CORE_RETURNS = (0.0, 9 / 900, 860 / 869 - 1, 43 / 860, 960 / 933 - 1)
HUNTER_RETURNS = (0.0, -0.1, 143 / 130 - 1, 0.0, -0.15)


def add_plan(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the plan with its days, trades and last closes into the lake."""
    insert(
        connection,
        "study_bucket",
        {"plan": "p", "position": 0, "bucket": "core", "strategy": "sd8", "reserve": 0.1, "target": 0.9},
        {"plan": "p", "position": 1, "bucket": "hunter", "target": 0.1, "tickers": ["AAA", "BBB"]},
    )
    add_days(connection, "core", CORE, CORE_OPEN, CORE_CLOSE, CORE_RETURNS)
    add_days(connection, "hunter", HUNTER, HUNTER_OPEN, (0.0,) * 5, HUNTER_RETURNS)
    add_trades(connection)
    for ticker, close in (("AAA", 11.0), ("BBB", 5.5)):
        insert(connection, "satellite_prices", {"session": DAYS[-1], "ticker": ticker, "close": close})


def add_days(
    connection: duckdb.DuckDBPyConnection,
    bucket: str,
    values: tuple[float, ...],
    open_flows: tuple[float, ...],
    close_flows: tuple[float, ...],
    returns: tuple[float, ...],
) -> None:
    """Put the days of a bucket into the lake."""
    index = np.cumprod(1 + np.array(returns))
    peak = np.maximum.accumulate(index)
    totals = np.array(CORE) + np.array(HUNTER)
    for t, day in enumerate(DAYS):
        row = {
            "book": "p",
            "bucket": bucket,
            "session": day,
            "cash": values[t] / 2,
            "value": values[t],
            "open_flows": open_flows[t],
            "close_flows": close_flows[t],
            "simple_return": returns[t],
            "twr_index": index[t],
            "peak": peak[t],
            "drawdown": 1 - index[t] / peak[t],
            "share": values[t] / totals[t],
            "target": 0.9 if bucket == "core" else 0.1,
        }
        if bucket != "core":
            # Nothing is held at the first close, and it is bought on that day.
            row |= {"positions": min(t, 1)}
            row |= {"status": "active" if t < 4 else "hibernating", "factor": 0.5 if t < 4 else 0.0, "losses": t}
            row["reasons"] = "share" if t < 4 else None
        insert(connection, "bucket_daily", row)


def add_trades(connection: duckdb.DuckDBPyConnection) -> None:
    """Put a win, a loss, one that is neither, and an open position of the satellite into the lake."""
    rows = (
        # ticker, opened, closed, quantity, cost, proceeds, dividends, return, outcome, regime, is on strategy
        ("AAA", DAYS[0], DAYS[2], 2.0, 20.0, 25.0, 1.0, 0.3, "win", "bull", True),
        ("AAA", DAYS[1], DAYS[3], 2.0, 20.0, 15.0, 0.0, -0.25, "loss", "bull", True),
        ("BBB", DAYS[1], DAYS[4], 4.0, 20.0, 19.9, 0.0, -0.005, "neutral", "bear", False),
        ("BBB", DAYS[3], None, 4.0, 20.0, None, 0.5, None, None, "bear", True),
    )
    for trade, row in enumerate(rows, start=1):
        names = ("ticker", "opened", "closed", "quantity", "cost", "proceeds", "dividends", "trade_return", "outcome")
        values = dict(zip((*names, "regime", "is_on_strategy"), row, strict=True))
        insert(connection, "bucket_trade", {"book": "p", "bucket": "hunter", "trade": trade, **values})


def add_account(connection: duckdb.DuckDBPyConnection) -> None:
    """Put an account with a satellite, its twin, its cash and its first deposit into the lake, and days of another."""
    for position, bucket in enumerate(("core", "hunter")):
        insert(connection, "study_bucket", {"plan": "live", "position": position, "bucket": bucket, "target": 0.1})
    twin = {"since": DAYS[0], "last_session": DAYS[1]}
    insert(connection, "bucket_twin", {"book": "live", "bucket": "hunter", **twin})
    for book, last in (("live", 1.1), ("twin:hunter", 1.05)):
        for day, index in zip(DAYS, (1.0, last), strict=False):
            row = {"book": book, "bucket": "hunter", "session": day, "value": 100.0 * index, "twr_index": index}
            insert(connection, "bucket_daily", row)
    insert(connection, "bucket_daily", {"book": "live", "bucket": "eddy", "session": DAYS[0], "value": 10.0})
    cash = {"unit": "USD", "is_currency": True, "quanta": 1_000_000, "amount": 100.0}
    insert(connection, "bucket_balance", {"book": "live", "bucket": "hunter", **cash})
    booked = {"bucket": "hunter", "counterparty": "outside", "kind": "DEPOSIT", "amount": 100.0, "cash_after": 100.0}
    insert(
        connection, "bucket_ledger", {"book": "live", "seq": 1, "effective": DAYS[0], "leg": -1, "fee": 0.0, **booked}
    )
