"""The account at Alpaca against a server on the loopback that speaks its API."""

import datetime as dt
from decimal import Decimal

import pytest
from support.alpaca_server import Exchange, Failure, served

from sd_core.broker import alpaca
from sd_core.broker.alpaca import Alpaca
from sd_core.broker.protocol import Broker, Order, RefusedError, ThrottledError, UnreachableError
from sd_core.broker.sending import send
from sd_core.errors import InputError

pytest.importorskip("alpaca.trading.client", reason="the extra alpaca is not installed")

D = Decimal
KEYS = {"ALPACA_API_KEY": "a-key", "ALPACA_SECRET_KEY": "a-secret"}
MARCH = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def exchange():
    return Exchange()


@pytest.fixture
def broker(exchange):
    server = served(exchange)
    opened = Alpaca(KEYS, f"http://127.0.0.1:{server.server_port}")
    opened._client._retry_wait = 0
    yield opened
    server.shutdown()
    server.server_close()


def nta(number: int, kind: str, amount: str, **more: str) -> dict:
    """Return an activity that is no trade, as the reference shows one."""
    return {
        "id": f"20260303000000000::{number:08}-0000-4000-8000-000000000000",
        "activity_type": kind,
        "date": "2026-03-03",
        "net_amount": amount,
        "status": "executed",
        **more,
    }


def fill(number: int, order_id: str, at: str = "2026-03-02T14:30:00.5Z", **more: str) -> dict:
    return {
        "id": f"20260302093000500::{number:08}-0000-4000-8000-000000000000",
        "activity_type": "FILL",
        "transaction_time": at,
        "type": "fill",
        "price": "120.10",
        "qty": "2.5",
        "side": "buy",
        "symbol": "NVDA",
        "order_id": order_id,
        **more,
    }


# The account


def test_the_account_is_cash_and_positions_with_their_cost(broker, exchange):
    exchange.cash = "-12.345"
    exchange.positions = [{"symbol": "NVDA", "qty": "2.123456789", "cost_basis": "254.81481468"}]
    protocol: Broker = broker
    account = protocol.account()
    assert account.cash == {"USD": D("-12.345")}
    assert account.shares == {"NVDA": D("2.123456789")}
    assert account.costs == {"NVDA": D("254.8148")}


def test_keys_come_from_the_environment_and_are_in_no_message(broker, exchange):
    exchange.failures = [Failure("GET", "/account", 401)]
    with pytest.raises(RefusedError) as refused:
        broker.account()
    broker.account()
    assert exchange.keys == {("a-key", "a-secret")}
    assert "a-key" not in str(refused.value)
    assert "a-secret" not in str(refused.value)
    with pytest.raises(InputError, match="expected ALPACA_SECRET_KEY in the environment"):
        Alpaca({"ALPACA_API_KEY": "a-key", "ALPACA_SECRET_KEY": ""})


# Orders


@pytest.mark.parametrize(
    ("order", "sent"),
    [
        (
            Order("a", "NVDA", "buy", D("0.123456789")),
            {"qty": "0.123456789", "type": "market", "time_in_force": "day", "side": "buy"},
        ),
        (
            Order("a", "NVDA", "sell", D(10), "stop", None, D("101.25"), "gtc"),
            {"qty": "10", "type": "stop", "stop_price": "101.25", "time_in_force": "gtc"},
        ),
        (
            Order("a", "NVDA", "sell", D(3), "oco", D(130), D(100), "gtc"),
            {
                "type": "limit",
                "order_class": "oco",
                "take_profit": {"limit_price": "130"},
                "stop_loss": {"stop_price": "100"},
            },
        ),
    ],
)
def test_an_order_is_sent_to_the_last_digit_and_stated_as_it_was_sent(broker, exchange, order, sent):
    state = broker.submit(order)
    (_, _, content) = next(one for one in exchange.asked if one[0] == "POST")
    assert content.items() >= {**sent, "symbol": "NVDA", "client_order_id": "a"}.items()
    assert (state.order, state.status, state.filled) == (order, "open", 0)
    assert [one.order for one in broker.open_orders()] == [order]


def test_what_the_library_repeats_after_504_was_accepted_and_is_looked_up(broker, exchange):
    exchange.failures = [Failure("POST", "/orders", 504, after=True)]
    assert broker.submit(Order("a", "NVDA", "buy", D(1))).status == "open"
    assert [one[:2] for one in exchange.asked].count(("POST", "/orders")) == 2
    assert len(exchange.orders) == 1


def test_an_id_that_another_order_has_is_refused(broker):
    broker.submit(Order("a", "NVDA", "buy", D(1)))
    with pytest.raises(RefusedError, match="client_order_id must be unique"):
        broker.submit(Order("a", "NVDA", "buy", D(2)))


def test_an_answer_that_is_lost_leaves_one_order(broker, exchange):
    """500 is no answer that the library repeats; ``send`` asks by the client id and finds the order."""
    exchange.failures = [Failure("POST", "/orders", 500, after=True)]
    waited = []
    assert send(broker, Order("a", "NVDA", "buy", D(1)), waited.append).status == "open"
    assert (len(exchange.orders), waited) == (1, [])


def test_a_request_that_gets_no_answer_in_time_is_given_up(broker, exchange, monkeypatch):
    monkeypatch.setattr(alpaca, "PATIENCE", 0.1)
    exchange.is_hanging.set()
    with pytest.raises(UnreachableError, match="get /account: ReadTimeout"):
        broker.account()


def test_too_many_requests_are_throttled_after_the_librarys_own_tries(broker, exchange):
    exchange.failures = [Failure("GET", "/account", 429) for _ in range(4)]
    with pytest.raises(ThrottledError):
        broker.account()
    exchange.failures = [Failure("GET", "/account", 429)]
    assert broker.account().cash == {"USD": 1000}


def test_an_opposite_order_in_the_same_instrument_is_refused(broker):
    broker.submit(Order("stop", "NVDA", "sell", D(1), "stop", None, D(100), "gtc"))
    with pytest.raises(RefusedError, match="potential wash trade detected"):
        broker.submit(Order("more", "NVDA", "buy", D(1)))
    assert broker.cancel("stop").status == "cancelled"
    assert broker.submit(Order("more-2", "NVDA", "buy", D(1))).status == "open"


def test_fractions_rest_for_a_day_alone(broker):
    with pytest.raises(RefusedError, match="fractional orders must be DAY orders"):
        broker.submit(Order("a", "NVDA", "sell", D("1.5"), "stop", None, D(100), "gtc"))
    assert broker.submit(Order("b", "NVDA", "sell", D("1.5"), "stop", None, D(100))).status == "open"


def test_an_order_that_is_unknown_or_ended_cannot_be_cancelled(broker, exchange):
    assert broker.order("none") is None
    with pytest.raises(RefusedError, match="cancel none: expected an open order"):
        broker.cancel("none")
    broker.submit(Order("a", "NVDA", "buy", D(1)))
    exchange.orders[0] |= {"status": "filled", "filled_qty": "1"}
    with pytest.raises(RefusedError, match="already in"):
        broker.cancel("a")


@pytest.mark.parametrize(
    ("status", "filled", "is_here"),
    [
        ("new", "0", "open"),
        ("pending_new", "0", "open"),
        ("partially_filled", "1", "partial"),
        ("filled", "4", "filled"),
        ("canceled", "1", "cancelled"),
        ("expired", "0", "expired"),
        ("rejected", "0", "refused"),
    ],
)
def test_statuses_of_orders(broker, exchange, status, filled, is_here):
    broker.submit(Order("a", "NVDA", "buy", D(4)))
    exchange.orders[0] |= {"status": status, "filled_qty": filled}
    state = broker.order("a")
    assert (state.status, state.filled) == (is_here, D(filled))


def test_an_oco_is_filled_by_the_leg_that_was_reached(broker, exchange):
    broker.submit(Order("a", "NVDA", "sell", D(4), "oco", D(130), D(100), "gtc"))
    (order,) = exchange.orders
    order["status"] = "canceled"
    order["legs"][0] |= {"status": "filled", "filled_qty": "4"}
    assert broker.order("a").status == "filled"
    exchange.activities = [fill(1, order["legs"][0]["id"], side="sell", qty="4", price="100")]
    (sold,) = broker.activities(MARCH)
    assert (sold.order, sold.legs) == ("a", {"NVDA": -4, "USD": 400})


# Activities


def test_a_fill_names_its_order_and_counts_from_its_date_in_new_york(broker, exchange):
    broker.submit(Order("ours", "NVDA", "buy", D("2.5")))
    # 2026-03-03 01:00 in UTC is the evening before in New York.
    exchange.activities = [fill(1, exchange.orders[0]["id"], at="2026-03-03T01:00:00Z")]
    (stated,) = broker.activities(MARCH)
    # 2.5 · 120.10 = 300.25
    assert (stated.kind, stated.order, stated.unit, stated.day) == ("fill", "ours", "NVDA", dt.date(2026, 3, 2))
    assert stated.legs == {"NVDA": D("2.5"), "USD": D("-300.25")}


@pytest.mark.parametrize(
    ("stated", "kind", "legs", "unit"),
    [
        (nta(1, "CSD", "500"), "deposit", {"USD": 500}, None),
        (nta(1, "CSW", "-20"), "withdrawal", {"USD": -20}, None),
        (nta(1, "JNLC", "100000"), "deposit", {"USD": 100_000}, None),
        (nta(1, "DIV", "1.02", symbol="KO", qty="2", per_share_amount="0.51"), "dividend", {"USD": D("1.02")}, "KO"),
        (nta(1, "DIVNRA", "-0.15", symbol="KO"), "dividend", {"USD": D("-0.15")}, "KO"),
        (nta(1, "INT", "0.33"), "interest", {"USD": D("0.33")}, None),
        (nta(1, "FEE", "-0.02", description="TAF fee"), "fee", {"USD": D("-0.02")}, None),
        (nta(1, "SPLIT", "0", symbol="KO", qty="3"), "other", {"KO": 3}, "KO"),
        (nta(1, "NOVEL", "7"), "other", {"USD": 7}, None),
    ],
)
def test_other_activities_by_their_type(broker, exchange, stated, kind, legs, unit):
    exchange.activities = [stated]
    (activity,) = broker.activities(MARCH)
    assert (activity.kind, activity.legs, activity.unit, activity.day) == (kind, legs, unit, dt.date(2026, 3, 3))
    assert activity.says.startswith(stated["activity_type"])


def test_an_activity_that_was_called_off_moved_nothing(broker, exchange):
    exchange.activities = [nta(1, "DIV", "1", symbol="KO", status="canceled"), nta(2, "INT", "1")]
    assert [one.kind for one in broker.activities(MARCH)] == ["interest"]


def test_all_pages_are_read_and_each_activity_once(broker, exchange):
    exchange.activities = [nta(number, "INT", "1") for number in range(2 * alpaca.PAGE + 3)]
    stated = broker.activities(MARCH)
    assert len({one.ref for one in stated}) == len(stated) == 2 * alpaca.PAGE + 3
    assert [one[2].get("page_token") for one in exchange.asked].count(None) == 1
    assert broker.activities(dt.datetime(2026, 3, 5, tzinfo=dt.UTC)) == []
