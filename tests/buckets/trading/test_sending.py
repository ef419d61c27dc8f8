"""Orders on record and at the broker: proposed, approved, sent once, called off."""

from decimal import Decimal

import pytest

from sd_core.broker.protocol import RefusedError, ThrottledError, UnreachableError
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.trading.sending import approve, cancel_openings, resume, send_order
from sd_core.errors import InputError

D = Decimal


@pytest.fixture
def desk(desk):
    """Return an account that was read, of whose core NVDA is."""
    desk.read()
    desk.ledger.assign(["NVDA"], "core")
    return desk


def order(client_id: str, shares: int = 1, **more: object) -> Order:
    """Return a purchase at about 120 a share, which reserves 126."""
    return Order(client_id, "core", "buy", "NVDA", shares * 10**9, "USD", shares * 126 * 10**4, **more)


def status(desk, client_id: str) -> tuple[str, int]:
    """Return where an order is, and what it reserves in dollars."""
    with desk.ledger.state() as state:
        row = state.order(client_id)
    return row.status, row.left // 10**4


def accepted(desk) -> list[str]:
    return [one.order.client_id for one in desk.broker.open_orders()]


def test_a_proposal_reserves_nothing_and_is_not_sent_before_a_person_approves_it(desk):
    desk.ledger.propose(order("a", session="2026-03-02", reason="entry"), {"factor": 0.5, "conviction": 0.75})
    assert status(desk, "a") == ("proposed", 0)
    assert accepted(desk) == []
    (sent,) = approve(desk.ledger, desk.broker, ["a"], wait=desk.clock.wait)
    assert (sent.status, status(desk, "a"), accepted(desk)) == ("sent", ("sent", 126), ["a"])
    with desk.ledger.state() as state:
        assert state.decision("a") == {"factor": 0.5, "conviction": 0.75}
        row = state.order("a")
        assert (row.session, row.reason, state.free("core", "USD")) == ("2026-03-02", "entry", 874 * 10**4)
    desk.broker.trade({})
    desk.read()
    assert status(desk, "a") == ("filled", 0)


def test_an_order_is_on_record_with_its_reservation_before_the_broker_is_asked(desk):
    desk.ledger.propose(order("a"), {})
    submit, seen = desk.broker.submit, []

    def looking(asked):
        seen.append(status(desk, "a"))
        return submit(asked)

    desk.broker.submit = looking
    approve(desk.ledger, desk.broker, ["a"], wait=desk.clock.wait)
    assert seen == [("approved", 126)]


def test_proposals_beyond_free_cash_stay_proposed_with_the_reason(desk):
    for name in ("a", "b"):
        desk.ledger.propose(order(name, shares=5), {})
    first, second = approve(desk.ledger, desk.broker, ["a", "b"], wait=desk.clock.wait)
    # 5 · 126 = 630 of 1000; the second would need 630 of 370.
    assert (first.status, second.status) == ("sent", "proposed")
    assert "630.00 USD: expected at most 370.00, what core has free" in second.says
    assert accepted(desk) == ["a"]
    (unknown,) = approve(desk.ledger, desk.broker, ["c"], wait=desk.clock.wait)
    assert "approve c: expected a proposed order, is unknown" in unknown.says


@pytest.mark.parametrize("lock", ["halt", "silent"])
def test_nothing_is_approved_while_the_account_is_locked(desk, lock):
    desk.ledger.propose(order("a"), {})
    desk.ledger.halt() if lock == "halt" else desk.ledger.fall_silent("2026-03-02")
    (one,) = approve(desk.ledger, desk.broker, ["a"], wait=desk.clock.wait)
    assert one.says
    assert accepted(desk) == []


@pytest.mark.parametrize(("day", "is_sent"), [(2, True), (3, True), (3.2, True), (3.3, False), (4, False)])
def test_a_proposal_is_for_the_session_after_its_close(desk, day, is_sent):
    """Of the close of Monday, 2026-03-02: until Tuesday's, at 21:00 in UTC; days begin at the clock's 15:00."""
    desk.ledger.propose(order("a", session="2026-03-02"), {})
    desk.clock.wait((day - 2) * 86_400)
    (one,) = approve(desk.ledger, desk.broker, ["a"], wait=desk.clock.wait)
    assert one.status == ("sent" if is_sent else "proposed")
    assert is_sent or "expected an order for a session to come, it was for 2026-03-03" in one.says


def test_what_the_broker_refuses_reserves_nothing_more(desk):
    desk.ledger.propose(order("a"), {})

    def refuses(_):
        raise RefusedError("insufficient buying power")

    desk.broker.submit = refuses
    (one,) = approve(desk.ledger, desk.broker, ["a"], wait=desk.clock.wait)
    assert (one.status, one.says) == ("refused", "insufficient buying power")
    assert status(desk, "a") == ("refused", 0)


def lose_every_answer(desk, *, carried_out: bool) -> None:
    """Let the broker accept orders or not, and answer no request."""
    submit = desk.broker.submit

    def loses(asked):
        if carried_out:
            submit(asked)
        raise UnreachableError("no answer")

    def is_gone(_):
        raise UnreachableError("no answer")

    desk.broker.submit, desk.broker.order = loses, is_gone


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_order_of_unknown_outcome_is_asked_for_before_it_is_sent_again(desk, carried_out):
    """As after a crash: on record as approved, and whether the broker has it is unknown."""
    own = desk.broker.submit, desk.broker.order
    desk.ledger.propose(order("a"), {})
    lose_every_answer(desk, carried_out=carried_out)
    (one,) = approve(desk.ledger, desk.broker, ["a"], wait=desk.clock.wait)
    assert (one.status, status(desk, "a")) == ("unknown", ("approved", 126))
    desk.broker.submit, desk.broker.order = own
    began = desk.clock.now
    (one,) = resume(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (one.status, accepted(desk), len(desk.broker._orders)) == ("sent", ["a"], 1)
    # Unknown twice, 60 s apart, before it is sent again.
    assert (desk.clock.now - began).seconds == (0 if carried_out else 60)
    assert resume(desk.ledger, desk.broker, wait=desk.clock.wait) == []


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_order_of_unknown_outcome_is_called_off_where_nothing_may_be_opened(desk, carried_out):
    own = desk.broker.submit, desk.broker.order
    desk.ledger.place(order("a"))
    lose_every_answer(desk, carried_out=carried_out)
    send_order(desk.ledger, desk.broker, "a", wait=desk.clock.wait)
    desk.broker.submit, desk.broker.order = own
    desk.ledger.set("live", {"broker": "alpaca"})
    desk.ledger.halt()
    (one,) = resume(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (one.status, one.says) == ("cancelled", "the account is locked: halt")
    assert (accepted(desk), status(desk, "a")) == ([], ("cancelled", 0))


def test_throttled_orders_stay_approved_and_are_sent_later(desk):
    desk.ledger.place(order("a"))
    submit = desk.broker.submit

    def throttled(_):
        raise ThrottledError("too many requests")

    desk.broker.submit = throttled
    assert send_order(desk.ledger, desk.broker, "a", wait=desk.clock.wait).status == "unknown"
    desk.broker.submit = submit
    assert [one.status for one in resume(desk.ledger, desk.broker, wait=desk.clock.wait)] == ["sent"]


def test_a_halt_calls_off_purchases_and_leaves_sales(desk):
    desk.ledger.place(order("bought"))
    send_order(desk.ledger, desk.broker, "bought", wait=desk.clock.wait)
    desk.broker.trade({})
    desk.read()
    desk.ledger.place(Order("sold", "core", "sell", "NVDA", 10**9, "NVDA", 10**9, "stop", None, "100"))
    desk.ledger.place(order("more"))
    for name in ("sold", "more"):
        send_order(desk.ledger, desk.broker, name, wait=desk.clock.wait)
    desk.ledger.propose(order("asked"), {})
    desk.ledger.halt()
    assert status(desk, "asked") == ("cancelled", 0)
    assert status(desk, "more") == ("sent", 126)
    (one,) = cancel_openings(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (one.client_id, one.status) == ("more", "cancelled")
    assert accepted(desk) == ["sold"]


def test_a_purchase_that_was_filled_before_it_was_called_off_is_left_to_the_feed(desk):
    desk.ledger.place(order("a"))
    send_order(desk.ledger, desk.broker, "a", wait=desk.clock.wait)
    desk.broker.trade({})
    (one,) = cancel_openings(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (one.status, one.says) == ("sent", "the broker has not ended it")
    desk.read()
    assert status(desk, "a") == ("filled", 0)


def test_without_a_broker_a_halt_closes_purchases_on_record(desk):
    desk.ledger.set("live", {"broker": "none"})
    desk.ledger.place(order("a"))
    assert desk.ledger.halt().numbers == {"cancelled": ["a"]}
    assert status(desk, "a") == ("cancelled", 0)


def test_an_id_is_on_record_once(desk):
    desk.ledger.place(order("a"))
    with pytest.raises(InputError, match="order a: expected an id that is not on record"):
        desk.ledger.place(order("a", shares=2))
