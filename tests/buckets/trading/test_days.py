"""An account with two satellites over random days at a broker with all its faults, and the laws that hold on each."""

import datetime as dt
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from support.brokers import BEGIN, BUSY, PRICES, ROUGH, Clock, patiently

from sd_core.broker.simulated import Simulated
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.tables import PROPOSED, RESERVING, STATUSES
from sd_core.buckets.ledger.verification import verify
from sd_core.buckets.trading.desk import send_exits
from sd_core.buckets.trading.feed import reconcile
from sd_core.buckets.trading.openings import Asked, Costs
from sd_core.buckets.trading.proposals import propose
from sd_core.buckets.trading.sending import approve, resume
from sd_core.errors import NotReadyError

D = Decimal
OWNERS = {"hunter": ("NVDA", {"trailing": True}), "eddy": ("KO", {})}
DAYS = 40


class Life:
    """One account, day by day: the market trades, then the evening, then a person approves, then the morning."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(f"life-{seed}")
        self.clock = Clock()
        self.broker = Simulated(seed, self.clock, ROUGH, fee=D("0.001"), events=BUSY)
        self.prices, self.peaks = dict(PRICES), {unit: float(price) for unit, price in PRICES.items()}
        self.broker.deposit(D(20_000))
        self.broker.trade(self.prices)
        self.ledger = Ledger(Store(f"life_{seed}", folder), clock=self.clock)
        self.ledger.set("live", {"budget": "0.3", "broker": "alpaca"})
        self.seen: Counter[str] = Counter()
        while not self.read():
            self.clock.wait(3600)
        for name, (ticker, toggles) in OWNERS.items():
            self.ledger.create(Satellite(name, "custom", [ticker], D("0.15"), toggles=toggles))
            self.ledger.start(name, early="a test")
            self.ledger.transfer("core", name, D(2500))

    def read(self) -> bool:
        try:
            resume(self.ledger, self.broker, wait=self.clock.wait)
            reconcile(self.ledger, self.broker, wait=self.clock.wait)
        except NotReadyError:
            return False
        return True

    def day(self) -> None:
        self.clock.now = dt.datetime.combine(self.clock.now.date() + dt.timedelta(days=1), BEGIN.timetz())
        for unit, price in self.prices.items():
            self.prices[unit] = (price * D(self.chance.randrange(930, 1075)) / 1000).quantize(D("0.01"))
            self.peaks[unit] = max(self.peaks[unit], float(self.prices[unit]))
        self.broker.trade(self.prices)
        # What rests for a day ends with it.
        for kept in self.broker._orders.values():
            if kept.is_open and kept.order.time_in_force == "day":
                kept.status = "expired"
        if not self.read():
            self.seen["silent"] += 1
            return
        self.mark()
        asked = {name: {ticker: self.signal(ticker)} for name, (ticker, _) in OWNERS.items()}
        propose(self.ledger, asked, Costs(0.0, 0.001))
        with self.ledger.state() as state:
            proposed = [one.client_id for one in state.orders((PROPOSED,))]
        for sent in approve(self.ledger, self.broker, proposed, wait=self.clock.wait):
            self.seen[sent.status] += 1
        answers = send_exits(self.ledger, self.broker, wait=self.clock.wait)
        for sent in answers:
            self.seen[f"exit {sent.status}"] += 1
        self.check({one.client_id for one in answers if one.status != "sent" or one.says})

    def mark(self) -> None:
        with self.ledger.state() as state:
            held = {unit for _, unit in state.balances}
        prices = {unit: price for unit, price in self.prices.items() if unit in held}
        rates = {"EUR": D("1.08")} if "EUR" in held else {}
        self.ledger.mark(self.clock.now.date(), prices, rates)

    def signal(self, unit: str) -> Asked:
        conviction = self.chance.randrange(5) / 4
        return Asked(float(self.prices[unit]), self.peaks[unit], self.chance.random() < 0.5, conviction, 1.0)

    def check(self, failed: set[str]) -> None:
        """Hold the laws of orders after the morning's run, of which some sales may have failed."""
        with self.ledger.state() as state:
            orders = state.orders(STATUSES)
            for one in orders:
                if one.side == "buy" and one.session is not None:
                    assert state.decision(one.client_id)["factor"] > 0
            # Each position has an order at the broker, or it is said that it has none.
            for bucket in OWNERS:
                for unit in state.positions(bucket):
                    is_told = any(client_id.startswith(f"{bucket}-{unit}-") for client_id in failed)
                    assert state.open_orders(bucket, unit) or is_told
            open_sales = [one for one in orders if one.side == "sell" and one.status in RESERVING]
            assert max(Counter((one.bucket, one.unit) for one in open_sales).values(), default=0) <= 1
        assert set(self.broker._orders) <= {one.client_id for one in orders}


@pytest.mark.parametrize("seed", range(3))
def test_laws_hold_over_random_days_with_every_fault(tmp_path: Path, seed: int) -> None:
    life = Life(seed, tmp_path)
    for _ in range(DAYS):
        life.day()
    patiently(life.clock, lambda: life.broker.account())
    with life.ledger.store.reading() as connection:
        assert verify(connection).findings == []
    with life.ledger.state() as state:
        filled = Counter((one.side, one.reason) for one in state.orders(STATUSES) if one.filled)
    assert filled["buy", "entry"] >= 1
    assert sum(count for (side, _), count in filled.items() if side == "sell") >= 1
    assert life.seen["sent"] >= 3
    life.ledger.store.close()
