"""Ledgers for tests: one in a SQLite file, one in a PostgreSQL server that the test starts."""

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store

DAY = dt.date(2026, 3, 2)
D = Decimal


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.day = DAY

    def __call__(self) -> dt.datetime:
        return dt.datetime.combine(self.day, dt.time(12), dt.UTC)


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the test's ledgers."""
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    """Return an empty ledger in a SQLite file."""
    return Ledger(Store("main", tmp_path), clock=clock)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """Return an empty ledger, once in each database."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    # A schema of its own for every test of one server.
    store = Store(f"t{abs(hash(tmp_path)) % 10**12}", tmp_path, url)
    yield Ledger(store, clock=clock)
    store.close()


def satellite(ledger: Ledger, name: str, target: str, *, instrument: str | None = None, **more: object) -> None:
    """Add a satellite that accumulates."""
    ledger.create(Satellite(name, "custom", [instrument or name[0].upper()], D(target), **more))
    ledger.start(name, early="a test")


def fill(ref: str, unit: str, quantity: str, money: str, **details: object) -> Activity:
    """Return a fill: what it adds of the instrument and of dollars, after fees."""
    return Activity(ref, "fill", DAY, {unit: D(quantity), "USD": D(money)}, details=details)


@pytest.fixture
def fill_in() -> Callable[[Ledger], None]:
    """Return what fills a ledger with a core, two satellites, a retired one, a position, an order and a held sale."""

    def run(ledger: Ledger) -> None:
        ledger.deposit(D(10_000), key="first")
        ledger.set("live", {"budget": "0.3"})
        satellite(ledger, "hunter", "0.10", instrument="NVDA")
        satellite(ledger, "eddy", "0.10", instrument="KO")
        satellite(ledger, "gone", "0.02", instrument="OLD")
        ledger.pause("gone")
        ledger.retire("gone")
        ledger.transfer("core", "hunter", D(1000), key="move")
        ledger.record(fill("buy-1", "NVDA", "2", "-401", fee="1"))
        ledger.reverse(ledger.transfer("core", "eddy", D(5)).entry)
        ledger.withdraw(D(100))
        ledger.record(fill("early", "KO", "-1", "60"))

    return run
