"""Reconciliation: the bounds of the rule, what it books, and what a block stops."""

import datetime as dt
from decimal import Decimal

import pytest

from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.reconciliation import judge
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.verification import verify
from sd_core.errors import InputError

D = Decimal
DAY = dt.date(2026, 3, 2)


@pytest.mark.parametrize(
    ("difference", "corrected", "action"),
    [
        ("0", "0", "none"),
        ("-0.0099", "0", "none"),
        ("0.01", "0", "corrected"),
        ("-0.99", "0", "corrected"),
        ("-1.00", "0", "blocked"),
        ("0.9999", "4.0001", "corrected"),
        ("0.9999", "4.0002", "blocked"),
    ],
)
def test_the_bounds_of_a_difference_in_money(difference: str, corrected: str, action: str) -> None:
    assert judge(D(difference), D(difference), D(corrected), is_currency=True)[0] == action


def test_a_share_is_never_corrected_and_money_without_a_rate_neither() -> None:
    assert judge(D("0.000000001"), None, D(0), is_currency=False)[0] == "blocked"
    assert judge(D(0), None, D(0), is_currency=False)[0] == "none"
    assert judge(D("0.5"), None, D(0), is_currency=True)[0] == "blocked"


def test_a_small_difference_is_corrected_on_the_core(either: Ledger) -> None:
    either.deposit(D("1000.99"))
    receipt, (found,) = either.reconcile({"USD": D(1000)})
    assert (found.action, receipt.text) == ("corrected", "reconcile: nothing is blocked")
    with either.state() as state:
        assert state.balance("core", "USD") == 1000 * 10**4
        assert state.last_entry == receipt.entry + 1
    with either.store.reading() as connection:
        assert verify(connection).findings == []


def test_rounding_is_left_alone(ledger: Ledger) -> None:
    ledger.record(Activity("d", "deposit", DAY, {"USD": D("1000.005")}))
    assert ledger.reconcile({"USD": D(1000)})[1][0].action == "none"
    with ledger.state() as state:
        assert state.balance("core", "USD") == 10_000_050


def test_what_is_held_explains_a_difference(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.record(Activity("s1", "fill", DAY, {"NVDA": D(-1), "USD": D(150)}))
    (shares, money) = ledger.reconcile({"USD": D(1150), "NVDA": D(-1)})[1]
    assert (shares.held, shares.difference, money.difference) == (-(10**9), 0, 0)


def test_a_large_difference_blocks_openings_until_a_clean_run(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.record(Activity("b1", "fill", DAY, {"MSFT": D(1), "USD": D(-300)}))
    receipt, _ = ledger.reconcile({"USD": D(702), "MSFT": D(1)})
    assert receipt.numbers["blocked"] == ["USD"]
    buy = Order("o1", "core", "buy", "MSFT", 10**9, "USD", 10**6)
    with pytest.raises(InputError, match=r"^buy MSFT: the account is locked: reconciliation$"):
        ledger.place(buy)
    assert ledger.place(Order("o2", "core", "sell", "MSFT", 10**9, "MSFT", 10**9)).entry
    ledger.correct(D(2), "USD", "a fee was paid back")
    ledger.reconcile({"USD": D(702), "MSFT": D(1)})
    assert ledger.place(buy).entry


def test_a_share_too_many_blocks_its_instrument_alone(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.record(Activity("b1", "fill", DAY, {"MSFT": D(1), "USD": D(-300)}))
    ledger.assign(["KO"], "core")
    ledger.reconcile({"USD": D(700), "MSFT": D("1.000000001")})
    with pytest.raises(InputError, match=r"^buy MSFT: MSFT is locked: reconciliation$"):
        ledger.place(Order("o1", "core", "buy", "MSFT", 10**9, "USD", 10**6))
    assert ledger.place(Order("o2", "core", "buy", "KO", 10**9, "USD", 10**6)).entry


def test_corrections_of_thirty_days_have_an_end(ledger: Ledger, clock: object) -> None:
    """Five of 0.99 are 4.95; a sixth would be 5.94. After thirty days the first no longer counts."""
    ledger.deposit(D(1000))
    amount = D(1000)
    for day in range(5):
        clock.day = DAY + dt.timedelta(days=day)
        amount -= D("0.99")
        assert ledger.reconcile({"USD": amount})[1][0].action == "corrected"
    assert ledger.reconcile({"USD": amount - D("0.99")})[1][0].action == "blocked"
    clock.day = DAY + dt.timedelta(days=30)
    assert ledger.reconcile({"USD": amount - D("0.99")})[1][0].action == "corrected"


def test_a_statement_of_an_unknown_unit_is_refused(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    with pytest.raises(InputError, match="reconcile: TSLA: expected units of the ledger: import activities first"):
        ledger.reconcile({"USD": D(1000), "TSLA": D(2)})


def test_nothing_is_opened_by_a_bucket_that_is_overdrawn_or_not_active(ledger: Ledger) -> None:
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.1"})
    ledger.create(Satellite("hunter", "custom", ["NVDA"], D("0.10")))
    ledger.start("hunter", early="a test")
    ledger.record(Activity("b1", "fill", DAY, {"NVDA": D(1), "USD": D(-10)}))
    with pytest.raises(InputError) as caught:
        ledger.place(Order("o1", "hunter", "buy", "NVDA", 10**9, "USD", 1))
    assert str(caught.value).splitlines() == [
        "buy NVDA: hunter is overdrawn in USD",
        "buy NVDA: hunter is accumulating: expected active",
    ]
