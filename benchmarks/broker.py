"""A simulated broker with all its faults, put into a ledger day by day, and reconciled.

Random orders are placed in the ledger and sent, and money comes, goes and is changed; each evening the feed books what
the broker states and reconciles the ledger with the account. Each day the books, with what is held, equal the account
to the last quantum, or the ledger is blocked with a reason or corrected, or money is off by less than a cent, which is
left; once all activities have been listed, they are equal.

    .venv/bin/python -m benchmarks.broker --days 500 --seeds 20

It is no part of ``make bench``.
"""

import argparse
import contextlib
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sd_core.broker import protocol
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.reconciliation import BLOCK, CAUSE, CORRECT, NONE, ROUNDING
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.ledger.verification import verify
from sd_core.buckets.trading.feed import Fed, reconcile
from sd_core.buckets.trading.sending import resume, send_order
from sd_core.errors import InputError, NotReadyError
from sd_core.study.satellites import LIVE
from tests.support.brokers import Customer

OWNERS = {"NVDA": "hunter", "KO": "eddy", "SPY": "core"}
# Days after the last order, in which everything under way or missing comes.
REST = 12


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        days: equal, corrected, blocked and silent ones; none: off by less than a cent.
        kinds: entries that book an activity, by kind.
        held: what is not booked in the end, because shares have moved on.
        entries: of the ledger.
        findings: what is wrong; none for a run that holds.
    """

    days: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    held: int = 0
    entries: int = 0
    findings: list[str] = field(default_factory=list)


class Account:
    """One account at a simulated broker, with its ledger."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.customer = Customer(seed)
        self.ledger = Ledger(Store(f"broker_{seed}", folder), clock=self.customer.clock)
        self.outcome = Outcome()
        self.ledger.set("live", {"budget": "0.3"})
        while self.read() is None:
            self.customer.clock.wait(86_400)
        for unit, bucket in OWNERS.items():
            if bucket == "core":
                self.ledger.assign([unit], bucket)
            else:
                self.ledger.create(Satellite(bucket, "custom", [unit], Decimal("0.15")))
                self.ledger.start(bucket, early="a trial")
                self.ledger.transfer("core", bucket, Decimal(2500))

    def place(self, order: protocol.Order) -> None:
        """Put an order on record with what it reserves, and send it; one that the ledger refuses is not sent."""
        price = order.limit_price or Decimal("1.05") * (order.stop_price or self.customer.prices[order.unit])
        quanta = int(order.quantity.scaleb(9))
        is_sale = order.side == "sell"
        reserved = quanta if is_sale else int((order.quantity * price).scaleb(4)) + 1
        money = order.unit if is_sale else "USD"
        bucket = OWNERS[order.unit]
        with contextlib.suppress(InputError):
            prices = (None if price is None else f"{price:f}" for price in (order.limit_price, order.stop_price))
            what = (order.client_id, bucket, order.side, order.unit, quanta, money, reserved, order.type, *prices)
            self.ledger.place(Order(*what))
            send_order(self.ledger, self.customer.broker, order.client_id, wait=self.customer.clock.wait)

    def read(self) -> Fed | None:
        """Book and reconcile what the broker states; None where it does not answer."""
        try:
            fed = reconcile(self.ledger, self.customer.broker, wait=self.customer.clock.wait)
        except NotReadyError:
            return None
        for receipt in fed.booked:
            self.outcome.kinds[receipt.kind] += 1
        self.outcome.findings += fed.refused
        return fed

    def evening(self, day: int) -> str:
        """Finish what was begun and read the broker; return whether books and account are equal."""
        resume(self.ledger, self.customer.broker, wait=self.customer.clock.wait)
        fed = self.read()
        if fed is None:
            return "silent"
        off = [one for one in fed.differences if one.difference]
        with self.ledger.state() as state:
            today = self.customer.clock.now.date().isoformat()
            for one in off:
                of = state.units[one.unit]
                subject = LIVE if of.kind == "currency" else one.unit
                is_rounding = of.kind == "currency" and abs(of.decimal(one.difference)) < ROUNDING
                if (one.action == NONE and not is_rounding) or (
                    one.action == BLOCK and CAUSE not in state.locks(subject, today)
                ):
                    self.outcome.findings.append(f"day {day}: {one.unit}: off by {one.difference} and {one.action}")
        actions = {one.action for one in off}
        return next((action for action in (BLOCK, CORRECT, NONE) if action in actions), "equal")

    def run(self, days: int) -> Outcome:
        """Trade for so many days, wait for what is missing, and look at everything."""
        for day in range(days + REST):
            orders = self.customer.chance.randrange(4) if day < days else 0
            for _ in range(orders):
                self.place(self.customer.random_order())
            self.customer.trade() if day < days else self.customer.clock.wait(86_400)
            last = self.evening(day)
            while day == days + REST - 1 and last == "silent":
                last = self.evening(day)
            self.outcome.days[last] += 1
        if last != "equal":
            self.outcome.findings.append(f"at the end: {last}")
        with self.ledger.state() as state:
            self.outcome.held, self.outcome.entries = len(state.held()), state.last_entry
        with self.ledger.store.reading() as connection:
            self.outcome.findings += verify(connection).findings
        self.ledger.store.close()
        return self.outcome


def main() -> None:
    """Run as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=20)
    parsed = parser.parse_args()
    for seed in range(parsed.seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            outcome = Account(seed, Path(folder)).run(parsed.days)
        print(f"seed {seed}: {time.monotonic() - began:.0f} s, {outcome.entries:,} entries, held {outcome.held}")
        print(f"  days {dict(outcome.days)}, activities {dict(outcome.kinds)}")
        print("\n".join(outcome.findings) or "  the books, with what is held, equal the account")


if __name__ == "__main__":
    main()
