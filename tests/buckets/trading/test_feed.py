"""What a broker states, put into a ledger: each case by hand, at a broker without faults but the one in question."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from support.brokers import BEGIN

from sd_core.broker.protocol import Activity, Order, ThrottledError, UnreachableError
from sd_core.broker.reading import TRIES, read
from sd_core.buckets.ledger.orders import Order as Placed
from sd_core.errors import InputError, NotReadyError

D = Decimal


def silence(broker) -> None:
    """Let a broker answer nothing."""

    def account():
        raise UnreachableError("no connection")

    broker.account = account


def test_the_first_reading_opens_the_book_with_what_the_account_has(desk):
    desk.broker.submit(Order("before", "NVDA", "buy", D(2)))
    desk.broker.trade({})
    desk.clock.wait(1)
    fed = desk.read()
    assert [receipt.kind for receipt in fed.booked] == ["opening"]
    assert desk.has() == {("core", "NVDA"): "2", ("core", "USD"): "760.00"}
    with desk.ledger.state() as state:
        (lot,) = state.lots("core", "NVDA")
    # Bought at 120 each.
    assert (lot.opened, lot.quanta, lot.cost) == ("2026-03-02", 2 * 10**9, 240 * 10**4)
    assert [one.action for one in fed.differences] == ["none", "none"]
    # What the broker lists of the time before is in it.
    desk.clock.wait(60)
    assert desk.read().booked == []


def test_every_kind_of_activity_is_booked_once_and_the_books_equal_the_account(desk):
    desk.read()
    desk.tomorrow()
    desk.broker.submit(Order("a", "NVDA", "buy", D(4)))
    desk.broker.trade({})
    desk.broker.deposit(D(100))
    desk.broker.pay_dividend("NVDA", D("0.25"))
    desk.broker.split("NVDA", Fraction(3, 2))
    for kind, amount in (("fee", "-0.75"), ("interest", "1.50"), ("withdrawal", "-20")):
        desk.broker._move(kind, D(amount))
    desk.broker._book(Activity("fx-1", "fx", desk.clock(), {"EUR": D(50), "USD": D(-54)}))
    fed = desk.read()
    assert sorted(receipt.kind for receipt in fed.booked) == sorted(
        ["fill", "deposit", "dividend", "split", "fee", "interest", "withdrawal", "fx"]
    )
    # 1000 − 4 · 120 + 100 + 4 · .25 − .75 + 1.50 − 20 − 54 = 547.75; 4 shares become 6.
    assert desk.has() == {("core", "EUR"): "50.00", ("core", "NVDA"): "6", ("core", "USD"): "547.75"}
    assert {one.unit: one.action for one in fed.differences} == {"EUR": "none", "NVDA": "none", "USD": "none"}
    assert desk.read().booked == []


def test_a_renamed_instrument_keeps_its_lots(desk):
    desk.broker.submit(Order("a", "NVDA", "buy", D(2)))
    desk.broker.trade({})
    desk.clock.wait(60)
    desk.read()
    desk.tomorrow()
    legs = {"NVDA": D(-2), "NVD": D(2)}
    desk.broker._costs["NVD"] = D(240)
    desk.broker._book(Activity("name-1", "rename", desk.clock(), legs, unit="NVD", old="NVDA"))
    fed = desk.read()
    assert [receipt.kind for receipt in fed.booked] == ["rename"]
    with desk.ledger.state() as state:
        (lot,) = state.lots("core", "NVD")
    assert (lot.opened, lot.cost, desk.locked("NVD")) == ("2026-03-02", 240 * 10**4, set())


def test_a_withdrawal_that_was_asked_for_ends_its_request(desk):
    desk.read()
    request = desk.ledger.withdraw(D(20)).numbers["request"]
    desk.tomorrow()
    desk.broker._move("withdrawal", D(-20))
    desk.read()
    with desk.ledger.state() as state:
        assert state.order(request).status == "filled"
        assert state.free("core", "USD") == 980 * 10**4


def test_where_a_broker_is_named_its_movements_are_not_booked_by_hand(desk):
    desk.read()
    with pytest.raises(InputError, match="deposit: expected none by hand, as the feed of alpaca books it"):
        desk.ledger.deposit(D(10))
    request = desk.ledger.withdraw(D(10)).numbers["request"]
    with pytest.raises(InputError, match="withdrawal: expected none by hand, as the feed of alpaca books it"):
        desk.ledger.withdrawn(request)


def test_a_fill_belongs_to_its_orders_bucket_and_what_ended_reserves_nothing(desk):
    desk.read()
    desk.ledger.assign(["NVDA"], "core")
    for client_id in ("filled", "ended"):
        desk.ledger.place(Placed(client_id, "core", "buy", "NVDA", 10**9, "USD", 126 * 10**4, "limit", "120"))
        limit = D(120) if client_id == "filled" else D(1)
        desk.broker.submit(Order(client_id, "NVDA", "buy", D(1), "limit", limit))
        desk.ledger.sent(client_id)
    desk.broker.trade({})
    desk.broker.cancel("ended")
    fed = desk.read()
    assert "external_trade" not in fed.booked[0].numbers
    with desk.ledger.state() as state:
        assert [state.order(one).status for one in ("filled", "ended")] == ["filled", "cancelled"]
        assert state.reserved("core", "USD") == 0


def test_what_only_a_person_can_read_is_not_booked_and_blocks(desk):
    desk.read()
    desk.tomorrow()
    desk.broker._prices["GIFT"] = D(10)
    desk.broker._book(Activity("odd-1", "other", desk.clock(), {"GIFT": D(3)}, unit="GIFT", says="spin-off of NVDA"))
    fed = desk.read()
    (said,) = fed.refused
    assert said.startswith("odd-1: spin-off of NVDA: expected a person to record what it is: `sdlab bucket record KIND")
    assert f"`sdlab bucket record KIND odd-1 GIFT=3 --date {desk.ledger.today}`" in said
    assert desk.locked("GIFT") == {"reconciliation"}
    assert desk.locked() == set()


def test_an_account_that_moves_while_it_is_read_is_read_again(desk):
    account, reads = desk.broker.account, []

    def moving():
        reads.append(1)
        if len(reads) == 2:
            desk.broker.deposit(D(1))
        return account()

    desk.broker.account = moving
    reading = read(desk.broker, BEGIN - dt.timedelta(days=1), desk.clock.wait)
    assert (len(reads), reading.account.balances["USD"]) == (4, 1001)
    assert sum(one.legs["USD"] for one in reading.activities) == 1001


def test_five_tries_are_the_most_and_say_what_was_wrong(desk):
    asked = []

    def throttled():
        asked.append(desk.clock.now)
        raise ThrottledError("too many requests")

    desk.broker.account = throttled
    with pytest.raises(UnreachableError, match="no answer in 5 tries: too many requests"):
        read(desk.broker, BEGIN, desk.clock.wait)
    assert len(asked) == TRIES


def test_a_broker_that_is_silent_for_two_sessions_stops_openings_until_it_is_read(desk):
    """Friday's reading is the last; Monday is the first session without one, Tuesday the second."""
    desk.read()
    desk.clock.now = BEGIN + dt.timedelta(days=4)
    desk.read()
    desk.ledger.assign(["NVDA"], "core")
    account = desk.broker.account
    silence(desk.broker)
    for day, locks in ((7, set()), (8, {"silent"}), (9, {"silent"})):
        desk.clock.now = BEGIN + dt.timedelta(days=day)
        with pytest.raises(NotReadyError, match="no connection: it was read on 2026-03-06 last"):
            desk.read()
        assert desk.locked() == locks
    with pytest.raises(InputError, match="the account is locked: silent"):
        desk.ledger.place(Placed("a", "core", "buy", "NVDA", 10**9, "USD", 10**4))
    desk.broker.account = account
    desk.read()
    assert desk.locked() == set()


def test_after_a_month_without_a_reading_all_of_it_is_listed(desk):
    desk.read()
    desk.tomorrow()
    desk.broker.deposit(D(7))
    desk.clock.wait(40 * 86_400)
    assert [receipt.kind for receipt in desk.read().booked] == ["deposit"]


def test_a_persons_statement_does_not_end_the_silence(desk):
    desk.read()
    desk.ledger.fall_silent("2026-03-02")
    desk.ledger.reconcile({"USD": D(1000)})
    assert desk.locked() == {"silent"}
