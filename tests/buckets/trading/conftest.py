"""An account at a simulated broker without faults, and a ledger beside it."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from support.brokers import BEGIN, PRICES, Clock

from sd_core.broker.simulated import Simulated
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.trading.feed import Fed, reconcile


@dataclass
class Desk:
    """A ledger, the broker of its account, and the clock of both."""

    clock: Clock
    broker: Simulated
    ledger: Ledger

    def read(self) -> Fed:
        """Book and reconcile what the broker states."""
        return reconcile(self.ledger, self.broker, wait=self.clock.wait)

    def tomorrow(self) -> None:
        """Go on to the same time of the next day."""
        self.clock.wait(86_400)

    def has(self) -> dict[tuple[str, str], str]:
        """Return what the buckets have, by owner and unit, as people read it."""
        with self.ledger.state() as state:
            return {(owner, unit): state.units[unit].number(held) for (owner, unit), held in state.balances.items()}

    def locked(self, subject: str = "live") -> set[str]:
        """Return what locks the account or a bucket today."""
        with self.ledger.state() as state:
            return set(state.locks(subject, self.clock.now.date().isoformat()))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return an account of 1000 dollars, a begun ledger without any fact, on Monday, 2026-03-02."""
    assert dt.date(2026, 3, 2) == BEGIN.date()
    clock = Clock()
    broker = Simulated(1, clock)
    broker.deposit(Decimal(1000))
    broker.trade(PRICES)
    ledger = Ledger(Store("main", tmp_path), clock=clock)
    ledger.set("live", {"budget": "0.3", "broker": "alpaca"})
    clock.wait(60)
    return Desk(clock, broker, ledger)
