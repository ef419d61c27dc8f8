"""A ledger fed by a broker with all faults equals its account or is blocked: short for ``benchmarks.broker``."""

from decimal import Decimal
from pathlib import Path

import pytest
from support.brokers import Customer

from benchmarks.broker import Account
from sd_core.broker.protocol import Order
from sd_core.broker.simulated import Events, Faults
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.trading.feed import Fed, reconcile


@pytest.mark.parametrize("seed", range(3))
def test_books_equal_the_account_of_a_broker_with_all_faults(tmp_path: Path, seed: int) -> None:
    outcome = Account(seed, tmp_path).run(100)
    assert outcome.findings == []
    assert min(outcome.kinds["fill"], outcome.days["equal"]) >= 50
    assert min(outcome.kinds["reversal"], outcome.days["blocked"]) >= 5


def test_a_fill_that_is_taken_back_after_its_shares_were_reassigned_is_booked(tmp_path: Path) -> None:
    customer = Customer(1, Faults(busted=1.0), Events())
    ledger = Ledger(Store("main", tmp_path), clock=customer.clock)

    def read() -> Fed:
        return reconcile(ledger, customer.broker, wait=customer.clock.wait)

    ledger.set("live", {"budget": "0.3"})
    customer.clock.wait(86_400)
    read()
    for bucket, unit in (("hunter", "NVDA"), ("eddy", "KO")):
        ledger.create(Satellite(bucket, "custom", [unit], Decimal("0.15")))
        ledger.start(bucket, early="a trial")
    ledger.transfer("core", "hunter", Decimal(2500))
    customer.send(Order("o1", "NVDA", "buy", Decimal(5)))
    customer.trade()
    assert [receipt.kind for receipt in read().booked] == ["fill"]
    ledger.reassign("NVDA", "eddy")
    for _ in range(7):
        customer.trade()
        fed = read()
        assert all(one.difference == 0 for one in fed.differences)
    with ledger.state() as state:
        assert state.held() == []
        assert state.positions("eddy") == {}
        assert state.last_of("NVDA")[0].split(": ")[1] == "reversal"
        # Who had the shares has what hunter paid for them: together what they began with.
        assert state.balance("hunter", "USD") + state.balance("eddy", "USD") == 2500 * 10**4
    ledger.store.close()
