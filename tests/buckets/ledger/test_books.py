"""The books of a ledger as rows: what kind each movement is, foreign cash at its rates, and how satellites are set."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.books import Book
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.tables import MONEY
from sd_core.schemas.kinds import Booking, Kind, Transfer

D = Decimal
DAY = dt.date(2026, 3, 2)


@pytest.fixture
def euros(tmp_path: Path) -> Ledger:
    """Return an account in dollars with 1 000 of them and 100 euros, marked at 1.10 and then at 1.20."""
    day = [DAY]
    ledger = Ledger(Store("main", tmp_path), clock=lambda: dt.datetime.combine(day[0], dt.time(12), dt.UTC))
    ledger.deposit(D(1_000))
    ledger.deposit(D(100), "EUR")
    ledger.mark(DAY, {}, {"EUR": D("1.10")})
    day[0] += dt.timedelta(days=1)
    ledger.mark(day[0], {}, {"EUR": D("1.20")})
    return ledger


def rows_of(ledger: Ledger) -> list[dict[str, object]]:
    with ledger.store.reading() as connection:
        return list(Book(connection, ledger.book).ledger())


def test_foreign_cash_counts_at_the_rate_of_its_mark_and_is_valued_again_at_the_next(euros: Ledger) -> None:
    rows = rows_of(euros)
    assert [(row["kind"], row["amount"], row["session"]) for row in rows] == [
        ("DEPOSIT", 1_000.0, DAY),
        ("DEPOSIT", pytest.approx(110.0), DAY),
        ("REVALUATION", pytest.approx(10.0), DAY + dt.timedelta(days=1)),
    ]
    with euros.store.reading() as connection:
        days = book_rows.daily_rows(connection, "live").to_pylist()
    assert [row["cash"] for row in days] == pytest.approx([1_110.0, 1_120.0])
    assert rows[-1]["cash_after"] == pytest.approx(days[-1]["cash"])
    # What a rate gains is a return, and no flow.
    assert days[-1]["simple_return"] == pytest.approx(10 / 1_110)


def test_movement_that_no_mark_has_yet_has_no_session(euros: Ledger) -> None:
    euros.deposit(D(5))
    last = rows_of(euros)[-1]
    assert (last["session"], last["effective"], last["amount"]) == (None, DAY + dt.timedelta(days=1), 5.0)


def test_every_kind_that_moves_something_is_one_of_the_tables() -> None:
    kinds = {kind.name for kind in (*Kind, *Transfer, *Booking)}
    # A fill is a purchase or a sale.
    assert {kind.upper() for kind in MONEY} - {"FILL"} <= kinds


def test_cash_and_shares_of_the_rows_are_those_of_the_ledger(ledger: Ledger, fill_in: Callable[[Ledger], None]) -> None:
    fill_in(ledger)
    rows = rows_of(ledger)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert {"TRANSFER", "REVERSAL", "BUY"} < {row["kind"] for row in rows}
    with ledger.state() as state:
        for bucket in ("core", "hunter", "eddy"):
            own = [row for row in rows if row["bucket"] == bucket]
            assert own[-1]["cash_after"] == pytest.approx(float(state.base.decimal(state.balance(bucket, "USD"))))
        assert sum(row["quantity"] or 0 for row in rows) == float(state.units["NVDA"].decimal(2 * 10**9))
    [bought] = [row for row in rows if row["kind"] == "BUY"]
    # 401 for two shares, a fee of 1 among them.
    assert (bought["price"], bought["fee"], bought["amount"]) == (200.0, 1.0, -401.0)


def test_satellite_is_as_set_now_and_since_when(ledger: Ledger) -> None:
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.3"})
    ledger.create(Satellite("hunter", "custom", ["NVDA"], D("0.10")))
    ledger.start("hunter", early="a test")
    ledger.transfer("core", "hunter", D(500))
    ledger.mark(DAY, {})
    with ledger.store.reading() as connection:
        [before] = Book(connection, "live").living()
    assert (before.bucket, before.since, before.tickers) == ("hunter", DAY.isoformat(), ("NVDA",))
    ledger.set("hunter", {"target": "0.08"})
    with ledger.store.reading() as connection:
        assert [one.since for one in Book(connection, "live").living()] == [DAY.isoformat()]
    for change in (lambda: ledger.set("hunter", {"risk": 0.2}), lambda: ledger.assign(["AMD"], "hunter")):
        change()
        with ledger.store.reading() as connection:
            [after] = Book(connection, "live").living()
        # It is another satellite from then on, and no mark has followed.
        assert after.since is None
        ledger.mark(DAY, {})
    with ledger.store.reading() as connection:
        [row] = [row for row in Book(connection, "live").settings() if row["bucket"] == "hunter"]
    assert (row["slider_risk"], row["target"], row["tickers"], row["budget"]) == (0.2, 0.08, ["AMD", "NVDA"], 0.3)
