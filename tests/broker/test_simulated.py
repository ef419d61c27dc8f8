"""The simulated broker: each fault by itself, by hand; and its laws, whatever faults are drawn together."""

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction

import pytest

from sd_core.broker.protocol import Activity, Broker, Order, RefusedError, ThrottledError, UnreachableError
from sd_core.broker.sending import send
from sd_core.broker.simulated import Faults, Simulated
from tests.support.brokers import BEGIN, PRICES, ROUGH, Clock, Customer

D = Decimal
BEFORE = BEGIN - dt.timedelta(days=1)
SEEDS = range(40)
DAYS = 60


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock, **faults: float) -> Simulated:
    """Return a broker with 1000 dollars and prices."""
    broker = Simulated(1, clock, Faults(**faults))
    broker.deposit(D(1000))
    broker.trade(PRICES)
    return broker


def total(activities: list[Activity]) -> dict[str, Decimal]:
    """Add up activities, each once."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for activity in {activity.ref: activity for activity in activities}.values():
        for unit, amount in activity.legs.items():
            sums[unit] += amount
    return {unit: amount for unit, amount in sums.items() if amount}


# One by one


def test_an_order_is_filled_at_the_price_less_the_fee(clock):
    broker: Broker = Simulated(1, clock, fee=D("0.001"))
    broker.deposit(D(1000))
    broker.trade(PRICES)
    assert broker.submit(Order("a", "NVDA", "buy", D(2))).status == "open"
    broker.trade({"NVDA": D(125)})
    # 2 × 125 = 250, and 0.25 of fees.
    assert broker.account().balances == {"USD": D("749.75"), "NVDA": D(2)}
    (_, fill) = broker.activities(BEFORE)
    assert (fill.kind, fill.order, fill.fee, fill.legs) == ("fill", "a", D("0.25"), {"NVDA": 2, "USD": D("-250.25")})
    assert broker.order("a").status == "filled"
    assert broker.open_orders() == []


@pytest.mark.parametrize(
    ("side", "kind", "price", "is_filled"),
    [
        ("buy", "limit", 119, True),
        ("buy", "limit", 121, False),
        ("buy", "stop", 119, False),
        ("buy", "stop", 121, True),
        ("sell", "limit", 119, False),
        ("sell", "limit", 121, True),
        ("sell", "stop", 119, True),
        ("sell", "stop", 121, False),
    ],
)
def test_limits_and_stops_trade_on_their_side_of_the_price(clock, side, kind, price, is_filled):
    broker = opened(clock)
    broker.submit(Order("first", "NVDA", "buy", D(1)))
    broker.trade({})
    broker.submit(Order("a", "NVDA", side, D(1), kind, **{f"{kind}_price": D(120)}))
    broker.trade({"NVDA": D(price)})
    assert (broker.order("a").status == "filled") is is_filled


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order("first", "NVDA", "buy", D(1)), "a client id that was not used before"),
        (Order("a", "NVDA", "buy", D(0)), "more than 0"),
        (Order("a", "NVDA", "buy", D("1e-10")), "at most 9 decimal digits"),
        (Order("a", "NVDA", "buy", D(1), "limit"), "its own price"),
        (Order("a", "NVDA", "buy", D(1), "market", D(1)), "its own price"),
        (Order("a", "OTHER", "buy", D(1)), "an instrument with a price"),
        (Order("a", "NVDA", "buy", D("0.008")), "a worth of at least 1"),
        # 1.05 · 120 are reserved by the first order, so 874 are left, and 7 more need 882.
        (Order("a", "NVDA", "buy", D(7)), "882.00: expected at most 874.00, what is free"),
        (Order("a", "NVDA", "sell", D(1)), "1: expected at most 0, what is free"),
    ],
)
def test_what_cannot_be_accepted_is_refused_and_changes_nothing(clock, order, reason):
    broker = opened(clock)
    broker.submit(Order("first", "NVDA", "buy", D(1)))
    with pytest.raises(RefusedError, match=reason):
        broker.submit(order)
    assert [state.order.client_id for state in broker.open_orders()] == ["first"]


def test_an_order_whose_answer_is_lost_is_found_by_its_client_id(clock):
    broker = opened(clock, lost_answer=1)
    with pytest.raises(UnreachableError):
        broker.submit(Order("a", "NVDA", "buy", D(1)))
    clock.wait(60)
    assert broker.order("a").status == "open"
    with pytest.raises(RefusedError, match="not used before"):
        broker.submit(Order("a", "NVDA", "buy", D(1)))


def test_an_order_that_got_lost_is_sent_again_once_it_is_unknown_twice(clock):
    broker, lost = opened(clock), []
    submit = broker.submit

    def loses_the_first(order: Order):
        lost.append(clock.now)
        if len(lost) == 1:
            raise UnreachableError
        return submit(order)

    broker.submit = loses_the_first
    assert send(broker, Order("a", "NVDA", "buy", D(1)), clock.wait).status == "open"
    assert [moment - BEGIN for moment in lost] == [dt.timedelta(0), dt.timedelta(seconds=60)]


def test_sending_gives_up_without_sending_twice_where_nothing_answers(clock):
    broker = opened(clock, unreachable=1)
    with pytest.raises(UnreachableError, match="no answer to 10 questions whether it was accepted"):
        send(broker, Order("a", "NVDA", "buy", D(1)), clock.wait)
    throttled = opened(clock, throttled=1)
    with pytest.raises(ThrottledError, match="not sent after 10 tries"):
        send(throttled, Order("a", "NVDA", "buy", D(1)), clock.wait)


def test_a_late_fill_comes_after_the_cancellation_of_its_order(clock):
    broker = opened(clock, late=1)
    broker.submit(Order("a", "NVDA", "buy", D(1)))
    broker.trade({})
    assert broker.cancel("a").filled == 0
    clock.wait(2 * 86_400)
    assert (broker.order("a").status, broker.order("a").filled) == ("filled", 1)


def test_a_busted_fill_is_taken_back_by_an_activity_of_its_own(clock):
    broker = opened(clock, busted=1)
    broker.submit(Order("a", "NVDA", "buy", D(1)))
    broker.trade({})
    clock.wait(3 * 86_400)
    assert broker.account().balances == {"USD": 1000}
    (_, fill, bust) = broker.activities(BEFORE)
    assert (bust.kind, bust.previous, bust.legs) == ("bust", fill.ref, {"NVDA": -1, "USD": 120})


def test_a_missing_activity_is_in_the_account_and_listed_days_later(clock):
    broker = opened(clock, missing=1)
    assert broker.account().balances == {"USD": 1000}
    assert broker.activities(BEFORE) == []
    clock.wait(5 * 86_400)
    assert [activity.at for activity in broker.activities(BEFORE)] == [BEGIN]


@pytest.mark.parametrize(("ratio", "after"), [("2", "2"), ("3/2", "1.5"), ("1/3", "0.333333333")])
def test_a_split_changes_shares_rounded_down_and_cancels_orders(clock, ratio, after):
    broker = opened(clock)
    broker.submit(Order("a", "NVDA", "buy", D(1)))
    broker.trade({})
    broker.submit(Order("b", "NVDA", "sell", D(1), "limit", D(500)))
    broker.split("NVDA", Fraction(ratio))
    assert broker.account().balances == {"USD": 880, "NVDA": D(after)}
    assert broker.activities(BEFORE)[-1].ratio == ratio
    assert broker.order("b").status == "cancelled"


@pytest.mark.parametrize(("price", "is_filled"), [(99, True), (101, False), (129, False), (131, True)])
def test_an_order_at_two_prices_trades_at_the_first_that_is_reached(clock, price, is_filled):
    broker = opened(clock)
    broker.submit(Order("first", "NVDA", "buy", D(1)))
    broker.trade({})
    broker.submit(Order("a", "NVDA", "sell", D(1), "oco", D(130), D(100), "gtc"))
    broker.trade({"NVDA": D(price)})
    assert (broker.order("a").status == "filled") is is_filled


def test_a_dividend_is_paid_for_what_was_held_on_its_ex_date(clock):
    broker = opened(clock)
    broker.submit(Order("a", "NVDA", "buy", D(2)))
    broker.trade({})
    broker.pay_dividend("NVDA", D("0.25"), days=3)
    broker.submit(Order("b", "NVDA", "sell", D(2)))
    broker.trade({})
    assert broker.account().balances == {"USD": 1000}
    clock.wait(3 * 86_400)
    paid = broker.activities(BEGIN)[-1]
    assert (paid.kind, paid.unit, paid.legs, paid.ex_date) == ("dividend", "NVDA", {"USD": D("0.5")}, BEGIN.date())
    assert broker.account().balances == {"USD": D("1000.5")}


def test_the_cost_of_shares_is_what_they_were_bought_for_less_what_was_sold(clock):
    broker = Simulated(1, clock, fee=D("0.01"))
    broker.deposit(D(1000))
    broker.trade(PRICES)
    broker.submit(Order("a", "NVDA", "buy", D(4)))
    broker.trade({})
    broker.submit(Order("b", "NVDA", "sell", D(1)))
    broker.trade({})
    # 4 · 120 · 1.01 = 484.80, of which three quarters are left.
    assert broker.account().costs == {"NVDA": D("363.6")}


def test_a_restart_answers_nothing_for_minutes_and_loses_nothing(clock):
    broker = opened(clock)
    broker.submit(Order("a", "NVDA", "buy", D(1), "limit", D(1)))
    broker._faults = Faults(restart=1)
    broker.trade({})
    with pytest.raises(UnreachableError, match="restarts"):
        broker.account()
    clock.wait(30 * 60)
    assert [state.order.client_id for state in broker.open_orders()] == ["a"]


def test_each_rate_of_one_always_draws_its_fault(clock):
    assert len(opened(clock, duplicate=1).activities(BEFORE)) == 2
    with pytest.raises(ThrottledError):
        opened(clock, throttled=1).account()
    partial = opened(clock, partial=1)
    partial.submit(Order("a", "NVDA", "buy", D(1)))
    partial.trade({})
    assert 0 < partial.order("a").filled < 1


def test_the_same_seed_draws_the_same_faults():
    def story(seed: int) -> list[Activity]:
        customer = Customer(seed)
        for _ in range(DAYS):
            customer.day()
        return customer.listed(BEFORE)

    assert story(3) == story(3)
    assert story(3) != story(4)


# All together


@pytest.fixture(scope="module")
def runs() -> list[tuple[Customer, list[Activity]]]:
    """Return customers after their days, each with all that was listed to it, day by day, a week back."""
    return [lived(seed) for seed in SEEDS]


def lived(seed: int) -> tuple[Customer, list[Activity]]:
    customer, seen = Customer(seed), []
    for day in range(DAYS + 8):
        if day < DAYS:
            customer.day()
        else:
            customer.clock.wait(86_400)
        week = customer.clock.now - dt.timedelta(days=7)
        seen += customer.listed(week)
        assert all(amount > 0 for unit, amount in customer.broker.balances.items() if unit != "USD")
    return customer, seen


def test_listed_activities_add_up_to_the_account(runs):
    for customer, seen in runs:
        assert total(seen) == customer.broker.balances


def test_an_activity_is_always_stated_the_same(runs):
    for _, seen in runs:
        stated = {activity.ref: activity for activity in seen}
        assert all(stated[activity.ref] == activity for activity in seen)


def test_no_order_is_executed_beyond_its_quantity(runs):
    for customer, seen in runs:
        executed: dict[str, Decimal] = defaultdict(Decimal)
        for fill in {one.ref: one for one in seen if one.kind == "fill"}.values():
            executed[fill.order] += abs(fill.legs[customer.sent[fill.order].unit])
        for client_id, order in customer.sent.items():
            state = customer.order(client_id)
            assert executed[client_id] == (state.filled if state else 0)
            assert executed[client_id] <= order.quantity


def test_a_refused_order_was_never_accepted(runs):
    for customer, _ in runs:
        for client_id in customer.refused:
            assert customer.order(client_id) is None


def test_a_bust_takes_back_one_fill_once(runs):
    for _, seen in runs:
        stated = {activity.ref: activity for activity in seen}
        busts = [one for one in stated.values() if one.kind == "bust"]
        assert max(Counter(bust.previous for bust in busts).values(), default=1) == 1
        for bust in busts:
            assert total([stated[bust.previous], bust]) == {}


def test_every_kind_of_fault_occurred(runs):
    kinds = Counter(activity.kind for _, seen in runs for activity in {one.ref: one for one in seen}.values())
    assert min(kinds[kind] for kind in ("deposit", "fill", "bust", "split", "dividend", "fee")) >= len(SEEDS)
    assert min(kinds[kind] for kind in ("withdrawal", "interest", "fx")) >= len(SEEDS) // 2
    assert all(getattr(ROUGH, fault.name) > 0 for fault in fields(Faults))
    assert any(len(seen) > len({one.ref for one in seen}) for _, seen in runs)
