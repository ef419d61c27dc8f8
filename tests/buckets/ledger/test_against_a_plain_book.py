"""Random operations against a plain book: dictionaries and fractions, written from docs/ledger.md and docs/buckets.md.

It knows nothing of legs, quanta or SQL. After every operation both have the same money, shares and lots.
"""

import datetime as dt
import math
import random
from decimal import Decimal
from fractions import Fraction

import pytest

from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.errors import InputError

D = Decimal
TARGETS = {"hunter": Fraction("0.10"), "eddy": Fraction("0.07"), "third": Fraction("0.05")}
TICKERS = {"hunter": "NVDA", "eddy": "KO", "third": "AMD"}
BUDGET = Fraction("0.22")
DAY = dt.date(2026, 3, 2)


class PlainBook:
    """Cash and lots per bucket; a lot is [shares, cost]. Shares count at their cost, as no price is marked."""

    def __init__(self) -> None:
        self.cash = dict.fromkeys(["core", *TARGETS], Fraction(0))
        self.lots: dict[str, list[list[Fraction]]] = {bucket: [] for bucket in self.cash}

    def value(self, bucket: str) -> Fraction:
        return self.cash[bucket] + sum(cost for _, cost in self.lots[bucket])

    def deposit(self, amount: Fraction) -> None:
        total = sum(map(self.value, self.cash))
        wanted = {
            bucket: max(target * (total + amount) - self.value(bucket), Fraction(0))
            for bucket, target in TARGETS.items()
            if total == 0 or self.value(bucket) < target * total
        }
        part = min(Fraction(1), BUDGET * amount / sum(wanted.values())) if any(wanted.values()) else Fraction(0)
        for bucket, lack in wanted.items():
            cents = Fraction(math.floor(lack * part * 100), 100)
            self.cash[bucket] += cents
            amount -= cents
        self.cash["core"] += amount

    def may_transfer(self, source: str, amount: Fraction) -> bool:
        total = sum(map(self.value, self.cash))
        keeps = source != "core" or self.value("core") - amount >= (1 - BUDGET) * total
        return amount <= self.cash[source] and keeps

    def buy(self, bucket: str, shares: Fraction, cost: Fraction) -> None:
        self.cash[bucket] -= cost
        self.lots[bucket].append([shares, cost])

    def sell(self, bucket: str, shares: Fraction, proceeds: Fraction) -> bool:
        if shares > sum(held for held, _ in self.lots[bucket]):
            return False
        self.cash[bucket] += proceeds
        while shares:
            lot = self.lots[bucket][0]
            used = min(lot[0], shares)
            lot[1] -= lot[1] * used / lot[0]
            lot[0] -= used
            shares -= used
            if not lot[0]:
                self.lots[bucket].pop(0)
        return True


def agree(ledger: Ledger, plain: PlainBook) -> None:
    with ledger.state() as state:
        for bucket in plain.cash:
            assert Fraction(state.balance(bucket, "USD"), 10**4) == plain.cash[bucket]
            if bucket != "core":
                lots = state.lots(bucket, TICKERS[bucket])
                assert [Fraction(lot.quanta, 10**9) for lot in lots] == [shares for shares, _ in plain.lots[bucket]]
                # A part of a lot costs whole quanta.
                for lot, (_, cost) in zip(lots, plain.lots[bucket], strict=True):
                    assert abs(Fraction(lot.cost, 10**4) - cost) < Fraction(1, 10**4)


@pytest.mark.parametrize("seed", range(4))
def test_random_operations_leave_what_a_plain_book_has(ledger: Ledger, seed: int) -> None:
    chance, plain = random.Random(seed), PlainBook()
    ledger.deposit(D(1000))
    plain.deposit(Fraction(0))
    plain.cash["core"] += 1000
    ledger.set("live", {"budget": str(float(BUDGET))})
    for name, target in TARGETS.items():
        ledger.create(Satellite(name, "custom", [TICKERS[name]], D(str(float(target)))))
        ledger.start(name, early="a test")
    done = dict.fromkeys(["deposit", "transfer", "buy", "sell", "refused"], 0)
    for number in range(60):
        kind = chance.choice(["deposit", "transfer", "transfer", "buy", "sell"])
        bucket = chance.choice(list(TARGETS))
        amount = D(chance.randrange(1, 30_000)).scaleb(-2)
        shares = D(chance.randrange(1, 4000)).scaleb(-3)
        if kind == "deposit":
            ledger.deposit(amount)
            plain.deposit(Fraction(amount))
        elif kind == "transfer":
            source, target = chance.sample(list(plain.cash), 2)
            if plain.may_transfer(source, Fraction(amount)):
                ledger.transfer(source, target, amount)
                plain.cash[source] -= Fraction(amount)
                plain.cash[target] += Fraction(amount)
            else:
                kind = "refused"
                with pytest.raises(InputError):
                    ledger.transfer(source, target, amount)
        else:
            sign = 1 if kind == "buy" else -1
            legs = {TICKERS[bucket]: sign * shares, "USD": -sign * amount}
            if kind == "buy":
                plain.buy(bucket, Fraction(shares), Fraction(amount))
            elif not plain.sell(bucket, Fraction(shares), Fraction(amount)):
                continue
            assert ledger.record(Activity(f"f{number}", "fill", DAY, legs)).entry is not None
        done[kind] += 1
        agree(ledger, plain)
    assert min(done.values()) >= 1, done
