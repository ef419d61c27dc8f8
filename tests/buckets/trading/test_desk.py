"""Proposals and exits of a satellite at a simulated broker, day by day, with the numbers by hand."""

import datetime as dt
from decimal import Decimal

import pytest
from support.brokers import BEGIN

from sd_core.broker.protocol import Order, RefusedError
from sd_core.buckets.ledger import book_rows
from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.tables import STATUSES
from sd_core.buckets.trading.desk import Due, exits_due, send_exits
from sd_core.buckets.trading.openings import Asked, Costs
from sd_core.buckets.trading.proposals import propose
from sd_core.buckets.trading.sending import Sent, approve, approve_by_hand

D = Decimal
FREE = Costs()
ASKED = {"hunter": {"NVDA": Asked(120.0, 150.0, is_entry=True, conviction=1.0, order=1.0)}}


@pytest.fixture
def desk(desk):
    """Return an account with a satellite of 150 in 1000 that its first mark makes active, at 25 % of its sizes.

    custom with trailing: size .275, stop .125, 91 days; target .15.
    """
    desk.read()
    satellite = Satellite("hunter", "custom", ["NVDA"], D("0.15"), toggles={"trailing": True})
    desk.ledger.create(satellite)
    desk.ledger.start("hunter", early="a test")
    desk.ledger.transfer("core", "hunter", D(150))
    desk.ledger.mark(dt.date(2026, 3, 2), {})
    return desk


def next_day(desk, price: str | None = None) -> None:
    """Go on to the next morning, and let the market trade at a price."""
    desk.tomorrow()
    if price is not None:
        desk.broker.trade({"NVDA": D(price)})


def mark(desk, price: str) -> None:
    desk.ledger.mark(desk.clock.now.date(), {"NVDA": D(price)})


def resting(desk) -> list[tuple[str, Decimal | None, Decimal]]:
    """Return what rests at the broker: type, stop and quantity."""
    return [(one.order.type, one.order.stop_price, one.order.quantity) for one in desk.broker.open_orders()]


def refuse_opposite(desk) -> None:
    """Let the broker refuse an order while one of the other side is open."""
    submit = desk.broker.submit

    def refusing(order):
        sides = {one.order.side for one in desk.broker.open_orders() if one.order.unit == order.unit}
        if sides - {order.side}:
            raise RefusedError("potential wash trade detected")
        return submit(order)

    desk.broker.submit = refusing


def entered(desk) -> None:
    """Let the satellite buy NVDA at 120, and the feed book it."""
    propose(desk.ledger, ASKED, FREE)
    approve(desk.ledger, desk.broker, ["hunter-NVDA-entry-2026-03-02"], wait=desk.clock.wait)
    next_day(desk, "120")
    desk.read()


def test_a_signal_is_proposed_with_the_factor_that_sizes_it_and_its_reasons(desk):
    """150 · .25 · .275 = 10.3125 at 120 is .0859375 shares; 1.05 times that are reserved: 10.828125."""
    (receipt,) = propose(desk.ledger, ASKED, FREE)
    with desk.ledger.state() as state:
        row = state.order("hunter-NVDA-entry-2026-03-02")
        decision = state.decision(row.client_id)
    assert (row.status, row.quanta, row.reserved, row.session) == ("proposed", 85_937_500, 108_282, "2026-03-02")
    assert decision["factor"] == 0.25
    assert decision["reasons"] == ["reawakening"]
    assert (decision["conviction"], decision["peak"], decision["regime"]) == (1.0, 150.0, "unknown")
    assert receipt.text == "proposal: buy 0.0859375 NVDA: hunter-NVDA-entry-2026-03-02"


def test_proposing_again_changes_nothing_and_the_next_close_ends_proposals(desk):
    propose(desk.ledger, ASKED, FREE)
    assert propose(desk.ledger, ASKED, FREE) == []
    next_day(desk)
    desk.ledger.mark(dt.date(2026, 3, 3), {})
    (receipt,) = propose(desk.ledger, ASKED, FREE)
    with desk.ledger.state() as state:
        assert [(one.client_id, one.status) for one in state.orders(STATUSES)] == [
            ("hunter-NVDA-entry-2026-03-02", "expired"),
            ("hunter-NVDA-entry-2026-03-03", "proposed"),
        ]
    assert receipt.is_new


def test_an_order_that_was_not_placed_by_hand_expires_with_the_next_close(desk):
    """An account without a broker: the fill is recorded, and where there is none, what is reserved is free again."""
    ledger = desk.ledger
    ledger.set("live", {"broker": "none"})
    propose(ledger, ASKED, FREE, dry_run=True)
    with ledger.state() as state:
        assert state.orders(STATUSES) == []
    propose(ledger, ASKED, FREE)
    order = "hunter-NVDA-entry-2026-03-02"
    assert approve_by_hand(ledger, [order], dry_run=True) == [Sent(order, "approved")]
    assert approve_by_hand(ledger, [order]) == [Sent(order, "approved")]
    with ledger.state() as state:
        assert state.free("hunter", "USD") == 150 * 10**4 - 108_282
    next_day(desk)
    ledger.mark(dt.date(2026, 3, 3), {})
    # The order of the close before is not under way any more.
    (receipt,) = propose(ledger, ASKED, FREE)
    assert receipt.text.endswith("NVDA: hunter-NVDA-entry-2026-03-03")
    with ledger.state() as state:
        assert [one.status for one in state.orders(STATUSES)] == ["expired", "proposed"]
        assert state.free("hunter", "USD") == 150 * 10**4
    approve_by_hand(ledger, ["hunter-NVDA-entry-2026-03-03"])
    details = {"order": "hunter-NVDA-entry-2026-03-03"}
    bought = Activity("T-1", "fill", dt.date(2026, 3, 3), {"NVDA": D("0.0859375"), "USD": D("-10.31")}, details=details)
    ledger.record(bought, by_hand=True)
    # The first stop is 10.31 / .0859375 · .875 = 104.9745…: a cent.
    assert exits_due(ledger) == [Due("hunter", "NVDA", "0.0859375", "stop", "104.97", None, "stop")]
    mark(desk, "120")
    with ledger.store.reading() as connection:
        (trade,) = book_rows.trade_rows(connection, "live").to_pylist()
    assert (trade["is_on_strategy"], trade["factor"], trade["conviction"]) == (True, 0.25, 1.0)


def test_nothing_is_proposed_at_a_factor_of_0_and_nothing_that_is_held_or_under_way(desk):
    desk.ledger.halt()
    desk.ledger.mark(dt.date(2026, 3, 2), {})
    assert propose(desk.ledger, ASKED, FREE) == []
    desk.ledger.halt(lift=True)
    desk.ledger.mark(dt.date(2026, 3, 2), {})
    entered(desk)
    mark(desk, "120")
    assert propose(desk.ledger, ASKED, FREE) == []


def test_a_new_position_is_protected_at_once_and_its_stop_is_placed_each_morning(desk):
    """Entered at 120, the first stop is 120 · .875 = 105."""
    entered(desk)
    (sent,) = send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert sent.status == "sent"
    assert resting(desk) == [("stop", D("105.00"), D("0.0859375"))]
    assert send_exits(desk.ledger, desk.broker, wait=desk.clock.wait) == []
    mark(desk, "121")
    # The evening ends what rests for a day.
    desk.broker._orders["hunter-NVDA-stop-2026-03-03"].status = "expired"
    next_day(desk)
    desk.read()
    (sent,) = send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (sent.client_id, resting(desk)) == ("hunter-NVDA-stop-2026-03-04", [("stop", D("105.00"), D("0.0859375"))])


def test_a_trailing_stop_is_raised_at_the_broker(desk):
    """A close of 140 is 16.7 % above 120: the stop is 140 · .95 = 133 (trail .05)."""
    entered(desk)
    send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    mark(desk, "140")
    called_off, sent = send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (called_off.status, sent.status) == ("cancelled", "sent")
    assert resting(desk) == [("stop", D("133.00"), D("0.0859375"))]
    next_day(desk, "132")
    desk.read()
    mark(desk, "132")
    assert ("hunter", "NVDA") not in desk.has()
    with desk.ledger.store.reading() as connection:
        trades = [dict(row._mapping) for row in connection.exec_driver_sql("select * from mark_trade").all()]
    # Sold at 132 of the simulated market, 10 % above 120; bought 20 % below the peak of 150.
    assert (trades[-1]["exit_reason"], trades[-1]["conviction"], float(trades[-1]["premium"])) == (
        "trailing",
        "1.0",
        pytest.approx(120 / 150 - 1),
    )


def test_an_exit_that_is_due_calls_the_stop_off_and_sells_at_the_market(desk):
    """91 days after the entry of 2026-03-03 the position is held long enough: 2026-06-02."""
    entered(desk)
    send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    desk.clock.now = BEGIN + dt.timedelta(days=92)
    mark(desk, "120")
    called_off, sent = send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (called_off.status, sent.client_id) == ("cancelled", "hunter-NVDA-held-2026-06-02")
    assert resting(desk) == [("market", None, D("0.0859375"))]
    assert send_exits(desk.ledger, desk.broker, wait=desk.clock.wait) == []


def test_exits_run_while_the_account_is_halted_and_blocked(desk):
    entered(desk)
    desk.ledger.halt()
    desk.ledger.reconcile({"USD": D(1)})
    assert desk.locked() == {"halt", "reconciliation"}
    assert [one.status for one in send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)] == ["sent"]


def test_a_stop_that_was_filled_meanwhile_is_not_replaced(desk):
    entered(desk)
    send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    mark(desk, "140")
    desk.broker.trade({"NVDA": D(100)})
    (found,) = send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert (found.status, found.says) == ("sent", "the broker has not ended it")
    desk.read()
    assert send_exits(desk.ledger, desk.broker, wait=desk.clock.wait) == []


def test_a_dividend_is_reinvested_at_the_next_open(desk):
    """.0859375 shares at 60 each pay 5.15625; at a close of 120, 5.15625/120 = .04296875 shares."""
    entered(desk)
    desk.broker.pay_dividend("NVDA", D(60))
    desk.read()
    mark(desk, "120")
    asked = {"hunter": {"NVDA": Asked(120.0, 150.0)}}
    (receipt,) = propose(desk.ledger, asked, FREE)
    with desk.ledger.state() as state:
        row = state.order("hunter-NVDA-reinvest-2026-03-03")
    # The dividend is booked to a ten-thousandth: 5.1562.
    assert (row.reason, row.quanta) == ("reinvest", 42_968_333)
    send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert receipt.is_new
    refuse_opposite(desk)
    (sent,) = approve(desk.ledger, desk.broker, [row.client_id], wait=desk.clock.wait)
    assert sent.status == "sent"
    # The stop rests again once the purchase is filled, for all shares.
    assert send_exits(desk.ledger, desk.broker, wait=desk.clock.wait) == []
    next_day(desk, "120")
    desk.read()
    send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    assert resting(desk) == [("stop", D("105.00"), D("0.128905833"))]


def test_shares_bought_outside_of_orders_are_protected_too(desk):
    desk.broker.submit(Order("by-hand", "NVDA", "buy", D("0.5")))
    next_day(desk, "100")
    desk.read()
    send_exits(desk.ledger, desk.broker, wait=desk.clock.wait)
    # NVDA is the satellite's: 100 · .875.
    assert resting(desk) == [("stop", D("87.50"), D("0.5"))]
