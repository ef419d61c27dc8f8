"""A lake made by hand: the tables that SQL models read, typed as the lake delivers them, and a small study in them.

The study has two assets, three sessions and a capital of 1000, and its numbers are small enough to check in the head:

========== ===== ===== ======================================================================
session    AAA   BBB   what the strategy sd8 does at a reserve of 0.1
========== ===== ===== ======================================================================
2024-01-02 100   20    buys 5 AAA and 20 BBB for a fee of 1 each: bank 98, value 998
2024-01-03 110   none  interest 0.5; sells 1 AAA at 108, fee 1: bank 205.5, value 1045.5
2024-01-04 90    25    dividend of 0.5 on BBB; buys 1 AAA at 95, fee 1; is refused another one
                       at 90: bank 119.5, value 1069.5
========== ===== ===== ======================================================================
"""

from itertools import chain, count, groupby
from pathlib import Path
from unittest.mock import patch

import duckdb

from pipelines.warehouse.models import build, needed_for, own_models, read_macros
from sd_core.schemas import TABLES, Table
from sd_core.schemas.lake import LAKE_TABLES

SQL = Path(__file__).parents[2] / "sql"


def connect(warehouse: Path | str = ":memory:") -> duckdb.DuckDBPyConnection:
    """Return a connection with an empty warehouse as its current database and the lake beside it."""
    con = duckdb.connect()
    storage = "" if warehouse == ":memory:" else "(STORAGE_VERSION 'v1.5.0')"
    con.execute(f"ATTACH '{warehouse}' AS warehouse {storage}")
    con.execute("ATTACH ':memory:' AS lake")
    con.execute("USE warehouse")
    for table in LAKE_TABLES.values():
        con.execute(table.ddl)
    con.execute("ALTER TABLE lake.simulation_partition ALTER keep SET DEFAULT 'ledger'")
    metrics = ", ".join(f"{name} {kind}" for name, kind in TABLES["simulation_metrics"].types.items())
    con.execute(f"CREATE TABLE lake.simulation_metrics ({metrics})")
    return con


def insert(con: duckdb.DuckDBPyConnection, table: str, *rows: dict[str, object]) -> None:
    """Add rows to a table of the lake; columns that a row leaves out are NULL."""
    for names, alike in groupby(rows, key=tuple):
        values = [tuple(row.values()) for row in alike]
        marks = ", ".join([f"({', '.join('?' for _ in names)})"] * len(values))
        con.execute(f"INSERT INTO lake.{table} ({', '.join(names)}) VALUES {marks}", list(chain(*values)))


def build_all(con: duckdb.DuckDBPyConnection) -> None:
    """Build every table."""
    build_only(con, *(model.name for model in own_models()))


def build_only(con: duckdb.DuckDBPyConnection, *tables: str) -> None:
    """Build some tables with those that they read, which takes a fifth of the time of all.

    Comments on columns are left out: they would take a quarter of it.
    """
    with patch.object(Table, "comments", {}):
        build(con, needed_for(own_models(), tables), read_macros(SQL))


SESSIONS = ("2024-01-02", "2024-01-03", "2024-01-04")

STUDY = {
    "name": "small",
    "source": "csv",
    "start_date": "2024-01-01",
    "end_date": None,
    "calendar": "XNYS",
    "capital": 1000.0,
    "currency": "USD",
    "benchmark": "universe",
    "risk_free": "0.05",
    "smallest_difference_wealth": 0.0,
    "smallest_difference_sharpe": 0.0,
    "smallest_difference_max_drawdown": 0.0,
    "judge_by": "cagr",
    "periods_per_year": 252,
    "has_price_index": False,
    "next_session": None,
}


def fill_small_study(con: duckdb.DuckDBPyConnection) -> None:
    """Fill the lake with the small study: sd8 at a reserve of 0.1, and buy_and_hold at 0.1 and 0."""
    insert(con, "study", STUDY)
    insert(con, "sessions", *({"session": session} for session in SESSIONS))
    for session, earned in zip(SESSIONS, (0.0, 0.0001, 0.0002), strict=True):
        insert(con, "rates", {"session": session, "rate": 0.05, "risk_free_return": earned, "price_index": 1.0})
    for position, (ticker, close_1, close_2, close_3) in enumerate(
        [("AAA", 100.0, 110.0, 90.0), ("BBB", 20.0, None, 25.0)], start=1
    ):
        insert(con, "study_asset", asset(position, ticker))
        for session, close in zip(SESSIONS, (close_1, close_2, close_3), strict=True):
            insert(
                con, "prices", bar(session, ticker, close, 0.5 if (ticker, session) == ("BBB", SESSIONS[2]) else 0.0)
            )
    insert(con, "study_strategy", strategy(1, "sd8"), strategy(2, "buy_and_hold", None))
    insert(con, "strategy_target", *targets("sd8"), *targets("buy_and_hold"))
    add_scenario(con, "sd8", 0.1, bank=(98.0, 205.5, 119.5), value=(998.0, 1045.5, 1069.5), skipped=(0, 0, 1))
    add_scenario(con, "buy_and_hold", 0.0, bank=(0.0, 0.0, 0.0), value=(1000.0, 1100.0, 1050.0))
    add_scenario(con, "buy_and_hold", 0.1, bank=(100.0, 100.0, 100.0), value=(1000.0, 1090.0, 1045.0))
    numbers = count(1)
    for row in [
        {"session": SESSIONS[0], "leg": 4, "ticker": "AAA", "kind": "INITIAL_BUY", "quantity": 5.0, "price": 100.0,
         "fee": 1.0, "amount": -501.0, "bank_after": 499.0, "premium": 0.0},
        {"session": SESSIONS[0], "leg": 4, "ticker": "BBB", "kind": "INITIAL_BUY", "quantity": 20.0, "price": 20.0,
         "fee": 1.0, "amount": -401.0, "bank_after": 98.0, "premium": 0.0},
        {"session": SESSIONS[1], "leg": -1, "kind": "INTEREST", "fee": 0.0, "amount": 0.5, "bank_after": 98.5},
        {"session": SESSIONS[1], "leg": 2, "ticker": "AAA", "kind": "SELL", "quantity": -1.0, "price": 108.0,
         "fee": 1.0, "amount": 107.0, "bank_after": 205.5, "premium": 0.08, "buyback_gain": 0.0},
        {"session": SESSIONS[2], "leg": -1, "ticker": "BBB", "kind": "DIVIDEND", "price": 0.5, "fee": 0.0,
         "amount": 10.0, "bank_after": 215.5},
        {"session": SESSIONS[2], "leg": 1, "ticker": "AAA", "kind": "BUY", "quantity": 1.0, "price": 95.0, "fee": 1.0,
         "amount": -96.0, "bank_after": 119.5, "premium": 95 / 110 - 1},
        {"session": SESSIONS[2], "leg": 1, "ticker": "AAA", "kind": "SKIP_BUY", "skipped_quantity": 2.0, "price": 90.0,
         "fee": 0.0, "amount": 0.0, "bank_after": 119.5, "premium": 90 / 110 - 1, "sale_limit": 90 * 1.0905},
    ]:  # fmt: skip
        insert(con, "simulation_ledger", {"strategy": "sd8", "reserve": 0.1, "seq": next(numbers), **row})
    lot = {"strategy": "sd8", "reserve": 0.1, "lot": 1, "ticker": "AAA", "opened": SESSIONS[2], "price": 95.0}
    insert(con, "simulation_lots", {**lot, "quantity": 1.0, "premium": 95 / 110 - 1})


def ask_for_taxes(con: duckdb.DuckDBPyConnection) -> None:
    """Give the study its rates of tax."""
    con.execute("""
        update lake.study
        set tax_short_term = 0.4, tax_long_term = 0.2, tax_dividends = 0.1, tax_interest = 0.3
    """)


def add_taxes(con: duckdb.DuckDBPyConnection) -> None:
    """Give the small study taxes, and sd8 its tax lots: of five AAA for 501 one is sold, all the rest stays open."""
    ask_for_taxes(con)
    con.execute("update lake.simulation_partition set has_tax_lots = true where strategy = 'sd8'")
    for part, (purchase, ticker, session, quantity, cost, worth) in enumerate(
        [
            (1, "AAA", SESSIONS[0], 1.0, 100.2, None),
            (1, "AAA", SESSIONS[0], 4.0, 400.8, 360.0),
            (2, "BBB", SESSIONS[0], 20.0, 401.0, 500.0),
            (6, "AAA", SESSIONS[2], 1.0, 96.0, 90.0),
        ],
        start=1,
    ):
        lot: dict[str, object] = {
            "strategy": "sd8",
            "reserve": 0.1,
            "part": part,
            "purchase_seq": purchase,
            "ticker": ticker,
            "acquired": session,
            "held_since": session,
            "long_term": False,
            "quantity": quantity,
            "cost": cost,
            "basis": cost,
            "market_value": worth,
        }
        if worth is None:
            lot |= {"sale_seq": 4, "sold": SESSIONS[1], "proceeds": 107.0, "gain": 6.8, "wash_sale_disallowed": 0.0}
        insert(con, "simulation_tax_lots", lot)


def asset(position: int, ticker: str) -> dict[str, object]:
    """Return an asset of the universe with half of the weight."""
    return {
        "position": position,
        "ticker": ticker,
        "asset_class": "stocks",
        "weight": 1.0,
        "target_share": 0.5,
        "lot_size": 0.0,
    }


def bar(session: str, ticker: str, close: float | None, dividend: float = 0.0) -> dict[str, object]:
    """Return a session's prices, all four the close."""
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return {"session": session, "ticker": ticker, **prices, "dividend": dividend}


def strategy(position: int, name: str, variant: str | None = "full") -> dict[str, object]:
    """Return a strategy of the study with a rule of some variant; without one it is bought and held."""
    rule = {
        "rule_variant": variant,
        "rule_sd_n": 8.0,
        "rule_bracket": 0.0905,
        "rule_profit_share": 0.5,
        "rule_sizing": "gain_share",
        "rule_order": "universe",
        "rule_path": "nearest",
        "rule_anchor": "ladder",
        "rule_max_rungs": 64,
        "rule_adaptive_bracket": False,
    }
    return {
        "position": position,
        "strategy": name,
        "is_buy_and_hold": variant is None,
        **(rule if variant else {}),
        "dividends": "bank" if variant else "reinvest",
        "lot_order": "lifo",
        "costs_bps": 0.0,
        "costs_fixed": 1.0,
        "keep": "ledger",
    }


def targets(name: str, session: str = SESSIONS[0], **weights: float) -> list[dict[str, object]]:
    """Return the targets of a strategy from a session on: those given, or half of each asset."""
    return [
        {"strategy": name, "session": session, "ticker": ticker, "weight": weight}
        for ticker, weight in (weights or {"AAA": 0.5, "BBB": 0.5}).items()
    ]


def add_scenario(
    con: duckdb.DuckDBPyConnection,
    name: str,
    reserve: float,
    *,
    bank: tuple[float, ...],
    value: tuple[float, ...],
    skipped: tuple[int, ...] = (0, 0, 0),
    withdrawals: tuple[float, ...] = (0.0, 0.0, 0.0),
    deposits: tuple[float, ...] = (0.0, 0.0, 0.0),
    prices_version: str = "p1",
    is_current: bool = True,
) -> None:
    """Add a stored partition with its days; rungs passed are 1 a session."""
    partition = {
        "keep": "ledger",
        "capital": STUDY["capital"],
        "xirr": 0.05,
        "xirr_missing": None,
        "prices_version": prices_version,
        "has_tax_lots": False,
        "is_current": is_current,
    }
    insert(con, "simulation_partition", {"strategy": name, "reserve": reserve, **partition})
    for position, (cash, worth) in enumerate(zip(bank, value, strict=True)):
        insert(
            con,
            "simulation_daily",
            {
                "strategy": name,
                "reserve": reserve,
                "session": SESSIONS[position],
                "bank": cash,
                "invested": worth - cash,
                "value": worth,
                "nav_value": worth - cash,
                "income": 0.0,
                "sells": 0.0,
                "buys": 0.0,
                "withdrawals": withdrawals[position],
                "deposits": deposits[position],
                "skipped_buys": skipped[position],
                "passed_rungs": 1,
            },
        )
