"""The report of next orders over the small study of ``lake_tables``; which ones there are belongs in the simulation."""

import datetime as dt

import pytest
from support.lake_tables import SESSIONS, build_only, insert

EXACT = 1e-12


@pytest.fixture
def ordered(small):
    """The small study, in which sd8 has a sale and a purchase of AAA, and buy-and-hold at the end nothing."""
    common = {"strategy": "sd8", "reserve": 0.1, "session": SESSIONS[2], "ticker": "AAA", "fee": 1.0}
    sale = {"side": "sell", "limit_price": 103.6, "quantity": 0.5, "restraint": None}
    purchase = {"side": "buy", "limit_price": 87.12, "quantity": 2.0, "restraint": "bank"}
    insert(small, "simulation_orders", common | sale, common | purchase)
    return small


def orders(con) -> list[dict[str, object]]:
    return con.sql("from report_next_order").to_arrow_table().to_pylist()


def test_order_is_valued_at_its_limit_and_measured_from_the_last_close(ordered):
    ordered.execute("update lake.study set next_session = '2024-01-05'")
    build_only(ordered, "report_next_order")
    purchase, sale = orders(ordered)
    # AAA closed at 90, and the bank holds 119.5.
    expected = {"value": 51.8, "amount": 50.8, "close": 90.0, "distance": 103.6 / 90 - 1, "spendable": 119.5}
    assert {name: sale[name] for name in expected} == pytest.approx(expected, rel=EXACT)
    assert (sale["side"], sale["next_session"]) == ("sell", dt.date(2024, 1, 5))
    expected = {"value": 174.24, "amount": -175.24, "distance": 87.12 / 90 - 1}
    assert {name: purchase[name] for name in expected} == pytest.approx(expected, rel=EXACT)
    assert purchase["restraint"] == "bank"


def test_credit_is_part_of_what_may_be_spent(ordered):
    ordered.execute("update lake.study_strategy set rule_margin_limit = 0.2 where strategy = 'sd8'")
    build_only(ordered, "report_next_order")
    assert [order["spendable"] for order in orders(ordered)] == pytest.approx([119.5 + 0.2 * 1069.5] * 2, rel=EXACT)


def test_orders_of_an_outdated_scenario_are_left_out(ordered):
    ordered.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(ordered, "report_next_order")
    assert orders(ordered) == []
