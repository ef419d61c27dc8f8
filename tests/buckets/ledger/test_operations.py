"""Operations of the ledger: who gets what, to the last quantum, and what is refused; worked by hand."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.orders import Order
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.verification import verify
from sd_core.errors import InputError

D = Decimal
DAY = dt.date(2026, 3, 2)


def satellite(ledger: Ledger, name: str, target: str, instrument: str, **more: object) -> None:
    ledger.create(Satellite(name, "custom", [instrument], D(target), **more))
    ledger.start(name, early="a test")


def fill(ref: str, unit: str, quantity: str, money: str, **details: object) -> Activity:
    return Activity(ref, "fill", DAY, {unit: D(quantity), "USD": D(money)}, details=details)


def held(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Return what each bucket has, as people read it."""
    with ledger.state() as state:
        found: dict[str, dict[str, str]] = {}
        for (owner, unit), quanta in state.balances.items():
            found.setdefault(owner, {})[unit] = state.units[unit].number(quanta)
        return found


def lots(ledger: Ledger, bucket: str, unit: str) -> list[tuple[str, str, str]]:
    """Return date, shares and cost of open lots."""
    with ledger.state() as state:
        of, money = state.units[unit], state.units["USD"]
        return [(lot.opened, of.number(lot.quanta), money.number(lot.cost)) for lot in state.lots(bucket, unit)]


@pytest.fixture
def ledger(ledger: Ledger) -> Iterator[Ledger]:
    """Return a ledger that is verified whole after the test."""
    yield ledger
    if ledger.store.file.exists():
        with ledger.store.reading() as connection:
            assert verify(connection).findings == []


# Deposits


@pytest.mark.parametrize(
    ("total", "budget", "satellites", "parts", "core"),
    [
        # Three at 0 of a target of .10: a budget of .30 gives each a tenth.
        ("0", "0.30", [("0", "0.10")] * 3, ["100.00"] * 3, "700.00"),
        # d = .08·51000 − 1500 = 2580, .07·51000 − 3300 = 270; 150/2850 of each, cut to the cent.
        ("50000", "0.15", [("1500", "0.08"), ("3300", "0.07")], ["135.78", "14.21"], "850.01"),
        # d = .08·51000 − 3980 = 100, and the other is above its target.
        ("50000", "0.15", [("3980", "0.08"), ("3600", "0.07")], ["100.00", "0"], "900.00"),
        ("20000", "0.10", [("1999.99", "0.10")], ["100.00"], "900.00"),
        ("20000", "0.10", [("2000", "0.10")], ["0"], "1000.00"),
    ],
)
def test_a_deposit_is_split_by_what_is_missing_of_each_target(
    ledger: Ledger, total: str, budget: str, satellites: list[tuple[str, str]], parts: list[str], core: str
) -> None:
    names = ["one", "two", "three"][: len(satellites)]
    if D(total):
        ledger.deposit(D(total))
    ledger.set("live", {"budget": "0.3"})
    for name, (value, target) in zip(names, satellites, strict=True):
        satellite(ledger, name, target, name.upper())
        if D(value):
            ledger.transfer("core", name, D(value))
    ledger.set("live", {"budget": budget})
    receipt = ledger.deposit(D(1000))
    got = {target: quantity for source, target, _, quantity in receipt.legs if source == "outside"}
    assert [got.get(name, "0") for name in names] == parts
    assert got["core"] == core


def test_a_deposit_in_another_currency_is_the_cores(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.set("live", {"budget": "0.1"})
    satellite(ledger, "hunter", "0.10", "NVDA")
    assert ledger.deposit(D(10), "JPY").legs == [("outside", "core", "JPY", "10")]


@pytest.mark.parametrize(
    ("amount", "says"),
    [("0", "deposit: 0 USD: expected more than 0"), ("1.005", "deposit: 1.005 USD: expected at most 2 decimal digits")],
)
def test_a_deposit_of_nothing_or_of_parts_of_a_cent_is_refused(ledger: Ledger, amount: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        ledger.deposit(D(amount))


def test_where_a_feed_books_deposits_none_is_taken_by_hand(ledger: Ledger) -> None:
    ledger.deposit(D(10))
    ledger.set("live", {"broker": "alpaca"})
    with pytest.raises(InputError, match="deposit: expected none by hand"):
        ledger.deposit(D(10))
    assert ledger.record(Activity("d1", "deposit", DAY, {"USD": D(5)})).entry == 4


# Orders


def test_an_order_goes_from_its_proposal_to_its_fill(either: Ledger) -> None:
    either.deposit(D(1000))
    either.assign(["NVDA"], "core")
    order = Order("a", "core", "buy", "NVDA", 2 * 10**9, "USD", 252 * 10**4, session="2026-03-02", reason="entry")
    steps = [either.propose(order, {"conviction": 0.5}), either.approve("a"), either.sent("a")]
    assert [receipt.text for receipt in steps] == [
        "proposal: buy 2 NVDA: a",
        "approve: buy 2 NVDA: a",
        "order a: sent",
    ]
    either.record(fill("f1", "NVDA", "0.5", "-60", order="a"))
    with either.state() as state:
        (row,) = state.orders(("partial",))
        # 1.5 of 2 shares are left: three quarters of 252.
        assert (row.filled, row.left, state.free("core", "USD")) == (5 * 10**8, 189 * 10**4, (940 - 189) * 10**4)
        assert (state.orders(("sent",)), state.decision("a")) == ([], {"conviction": 0.5})
    either.close("a", "expired")
    with either.state() as state:
        assert (state.order("a").status, state.open_orders("core"), state.reserved("core", "USD")) == ("expired", [], 0)
    with either.store.reading() as connection:
        assert verify(connection).findings == []


def test_what_a_proposal_is_not_is_refused(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.assign(["NVDA"], "core")
    ledger.place(Order("a", "core", "buy", "NVDA", 10**9, "USD", 10**4))
    with pytest.raises(InputError, match="approve a: expected a proposed order, is approved"):
        ledger.approve("a")
    ledger.sent("a")
    with pytest.raises(InputError, match="order a: expected an approved one, is sent"):
        ledger.sent("a")
    ledger.close("a")
    with pytest.raises(InputError, match="order a: expected an open one, was cancelled"):
        ledger.close("a")


# Keys and dry runs


def test_the_same_key_and_request_return_the_first_entry(either: Ledger) -> None:
    first = either.deposit(D(100), key="salary")
    again = either.deposit(D(100), key="salary")
    assert (first.entry, first.is_new, again.entry, again.is_new) == (2, True, 2, False)
    assert again.legs == first.legs
    assert held(either) == {"core": {"USD": "100.00"}}


def test_the_same_key_with_another_request_is_refused(either: Ledger) -> None:
    either.deposit(D(100))
    either.set("live", {"budget": "0.3"}, key="mine")
    with pytest.raises(InputError, match="key mine: expected a new one: entry 3, set, asked for something else"):
        either.set("live", {"budget": "0.2"}, key="mine")


def test_a_fact_stated_twice_is_booked_once_and_another_of_its_name_is_refused(ledger: Ledger) -> None:
    first = ledger.record(Activity("d1", "deposit", DAY, {"USD": D(5)}))
    assert ledger.record(Activity("d1", "deposit", DAY, {"USD": D("5.00")})).entry == first.entry
    with pytest.raises(InputError, match="key live:d1"):
        ledger.record(Activity("d1", "deposit", DAY, {"USD": D(6)}))


def test_a_dry_run_answers_as_the_real_one_and_writes_nothing(either: Ledger) -> None:
    either.deposit(D(100))
    dry = either.deposit(D(50), dry_run=True)
    assert held(either) == {"core": {"USD": "100.00"}}
    real = either.deposit(D(50))
    assert (dry.entry, dry.legs, dry.is_dry_run) == (real.entry, real.legs, True)
    assert held(either) == {"core": {"USD": "150.00"}}


# Withdrawals


def test_a_request_reserves_and_the_payment_uses_it_up(ledger: Ledger) -> None:
    ledger.deposit(D("740.10"))
    request = ledger.withdraw(D(100)).numbers["request"]
    with pytest.raises(InputError, match=r"^withdraw: 900\.00 USD: expected at most 640\.10, what core has free$"):
        ledger.withdraw(D(900))
    paid = ledger.withdrawn(request)
    assert paid.legs == [("core", "outside", "USD", "100.00")]
    assert ledger.withdrawn(request).entry == paid.entry
    with pytest.raises(InputError, match="withdraw: withdrawal-3: expected an open request, there is none"):
        ledger.withdrawn(request, key="twice")
    assert ledger.withdraw(D("640.10")).entry
    with pytest.raises(InputError, match="withdraw: nothing: expected an open request, one of withdrawal-5"):
        ledger.withdrawn("nothing")


def test_a_request_that_is_cancelled_frees_what_it_reserved(ledger: Ledger) -> None:
    ledger.deposit(D(100))
    request = ledger.withdraw(D(100)).numbers["request"]
    ledger.close(request)
    assert ledger.withdraw(D(100)).entry
    with pytest.raises(InputError, match="expected an open one, was cancelled"):
        ledger.close(request)


# Fills and lots


def verified(ledger: Ledger) -> list[str]:
    with ledger.store.reading() as connection:
        return verify(connection).findings


@pytest.fixture
def with_hunter(ledger: Ledger) -> Ledger:
    """Return a ledger of 10 000, of which hunter, which owns NVDA, has 1 000."""
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.3"})
    satellite(ledger, "hunter", "0.10", "NVDA")
    ledger.transfer("core", "hunter", D(1000))
    return ledger


def test_fills_open_lots_and_use_them_first_in_first_out(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "3", "-100.01", fee="0.01"))
    ledger.record(fill("b2", "NVDA", "2", "-90", fee="1"))
    sold = ledger.record(fill("s1", "NVDA", "-4", "200", fee="2"))
    # Lot 1 costs 100.01 and goes whole; of lot 2 goes one of two shares at 45. 200 − 100.01 − 45 = 54.99.
    assert (sold.numbers["gain"], sold.numbers["external_trade"]) == ("54.99", True)
    assert sold.legs == [
        ("hunter", "outside", "NVDA", "4"),
        ("outside", "hunter", "USD", "202.00"),
        ("hunter", "outside", "USD", "2.00"),
    ]
    assert lots(ledger, "hunter", "NVDA") == [("2026-03-02", "1", "45.00")]
    assert held(ledger)["hunter"] == {"NVDA": "1", "USD": "1009.99"}


def test_parts_of_a_lot_add_up_to_its_cost(with_hunter: Ledger) -> None:
    """A third of 100.0000 is 33.3333, 33.3333 and 33.3334."""
    with_hunter.record(fill("b1", "NVDA", "3", "-100"))
    gains = [with_hunter.record(fill(f"s{one}", "NVDA", "-1", "40")).numbers["gain"] for one in range(3)]
    assert gains == ["6.6667", "6.6667", "6.6666"]


def test_an_order_for_an_unknown_instrument_is_refused(with_hunter: Ledger) -> None:
    with pytest.raises(InputError, match="buy NEW: expected an instrument of the ledger; `assign` adds one"):
        with_hunter.place(Order("a", "core", "buy", "NEW", 10**9, "USD", 1))


def test_an_order_for_nothing_is_refused(with_hunter: Ledger) -> None:
    with pytest.raises(InputError, match="sell NVDA: 0 quanta: expected more than 0"):
        with_hunter.place(Order("a", "hunter", "sell", "NVDA", 0, "NVDA", 0))


def test_a_fill_of_an_order_is_its_buckets_and_frees_what_it_reserved(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.place(Order("o1", "hunter", "buy", "NVDA", 4 * 10**9, "USD", 420 * 10**4))
    with pytest.raises(InputError, match=r"transfer: 600\.00 USD: expected at most 580\.00, what hunter has free"):
        ledger.transfer("hunter", "core", D(600))
    with pytest.raises(InputError, match=r"buy NVDA: 600\.00 USD: expected at most 580\.00, what hunter has free"):
        ledger.place(Order("o2", "hunter", "buy", "NVDA", 4 * 10**9, "USD", 600 * 10**4))
    ledger.record(fill("b1", "NVDA", "1", "-100", order="o1"))
    with ledger.state() as state:
        # A quarter is filled: three quarters of 420 are still reserved.
        assert state.reserved("hunter", "USD") == 315 * 10**4
    done = ledger.record(fill("b2", "NVDA", "3", "-300", order="o1"))
    assert "external_trade" not in done.numbers
    with ledger.state() as state:
        assert (state.reserved("hunter", "USD"), state.open_orders("hunter")) == (0, [])


def test_a_fill_without_a_known_owner_is_the_cores(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    bought = ledger.record(fill("b1", "MSFT", "1", "-300"))
    assert (bought.numbers["unattributed"], held(ledger)["core"]) == (True, {"MSFT": "1", "USD": "700.00"})


def test_a_ticker_that_looks_like_a_currency_is_an_instrument(ledger: Ledger) -> None:
    ledger.record(fill("b1", "AMD", "2", "-300"))
    bought = Activity("b2", "fill", DAY, {"SAP": D(1), "EUR": D(-200)}, quoted={"SAP": "EUR"})
    ledger.record(bought)
    assert held(ledger) == {"core": {"AMD": "2", "EUR": "-200.00", "SAP": "1", "USD": "-300.00"}}
    with ledger.state() as state:
        assert [state.units[unit].kind for unit in ("AMD", "SAP", "EUR")] == ["instrument", "instrument", "currency"]


def test_a_fact_may_overdraw_a_bucket(with_hunter: Ledger) -> None:
    with_hunter.record(fill("b1", "NVDA", "10", "-1500"))
    assert held(with_hunter)["hunter"] == {"NVDA": "10", "USD": "-500.00"}
    with pytest.raises(InputError, match=r"expected at most -500\.00, what hunter has free"):
        with_hunter.transfer("hunter", "core", D(1))


def test_a_sale_that_comes_before_its_purchase_is_held_until_it_comes(with_hunter: Ledger) -> None:
    ledger = with_hunter
    early = ledger.record(fill("s1", "NVDA", "-2", "250"))
    assert (early.entry, early.text) == (None, "fill s1: held: hunter has 0 of 2 NVDA")
    with ledger.state() as state:
        assert state.held() == ["s1"]
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    assert held(ledger)["hunter"] == {"USD": "1050.00"}
    with ledger.state() as state:
        assert state.held() == []


def test_a_bust_takes_a_fill_back_with_its_lots(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    ledger.record(fill("s1", "NVDA", "-1", "150"))
    ledger.record(Activity("x1", "bust", DAY, {"NVDA": D(1), "USD": D(-150)}, previous="s1"))
    assert held(ledger)["hunter"] == {"NVDA": "2", "USD": "800.00"}
    assert lots(ledger, "hunter", "NVDA") == [("2026-03-02", "1", "100.00"), ("2026-03-02", "1", "100.00")]
    with pytest.raises(InputError, match="expected an entry that was asked for, the broker stated this fill"):
        ledger.reverse(8)


def test_a_bust_of_shares_that_have_moved_on_is_held(with_hunter: Ledger) -> None:
    with_hunter.record(fill("b1", "NVDA", "2", "-200"))
    with_hunter.record(fill("s1", "NVDA", "-1", "150"))
    held_one = with_hunter.record(Activity("x1", "bust", DAY, {"NVDA": D(-2), "USD": D(200)}, previous="b1"))
    assert held_one.entry is None


def test_a_bust_of_shares_that_another_bucket_has_is_its_now(with_hunter: Ledger) -> None:
    """2 of the 5 shares are taken back for 200: from the newest lot, of 3 shares for 330, whose part cost 220."""
    ledger = with_hunter
    satellite(ledger, "eddy", "0.10", "KO")
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    ledger.record(fill("b2", "NVDA", "3", "-330"))
    ledger.reassign("NVDA", "eddy")
    bust = Activity("x1", "bust", DAY, {"NVDA": D(-2), "USD": D(200)}, previous="b1")
    receipt = ledger.record(bust)
    assert (receipt.numbers["gain"], receipt.numbers["traded_by"]) == ("-20.00", "hunter")
    assert lots(ledger, "eddy", "NVDA") == [(DAY.isoformat(), "2", "200.00"), (DAY.isoformat(), "1", "110.00")]
    with ledger.state() as state:
        assert state.balance("eddy", "USD") == 200 * 10**4
        assert state.held() == []
    assert verified(ledger) == []


def test_a_bust_of_shares_that_were_sold_waits_for_others(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    ledger.record(fill("s1", "NVDA", "-1", "120"))
    bust = Activity("x1", "bust", DAY, {"NVDA": D(-2), "USD": D(200)}, previous="b1")
    assert "held: hunter has 1 of 2 NVDA" in ledger.record(bust).text
    # The sale of a share that was never there is made good by another purchase.
    ledger.record(fill("b2", "NVDA", "1", "-130"))
    with ledger.state() as state:
        assert state.held() == []
        assert state.balances == {("core", "USD"): 9000 * 10**4, ("hunter", "USD"): (1000 + 120 - 130) * 10**4}
    assert verified(ledger) == []


def test_a_bust_of_a_sale_gives_the_shares_to_who_has_the_instrument_now(with_hunter: Ledger) -> None:
    """Sold 1 of 4 (cost 100 each), split 2:1 by the broker; taken back, 2 shares come at the old cost of 100."""
    ledger = with_hunter
    satellite(ledger, "eddy", "0.10", "KO")
    ledger.record(fill("b1", "NVDA", "4", "-400"))
    ledger.record(fill("s1", "NVDA", "-1", "150"))
    ledger.record(Activity("sp", "split", DAY, {"NVDA": D(3)}, details={"ratio": "2"}))
    ledger.reassign("NVDA", "eddy")
    ledger.transfer("core", "eddy", D(500))
    ledger.record(Activity("x1", "bust", DAY, {"NVDA": D(2), "USD": D(-150)}, previous="s1"))
    assert sorted(lots(ledger, "eddy", "NVDA")) == [(DAY.isoformat(), "2", "100.00"), (DAY.isoformat(), "6", "300.00")]
    with ledger.state() as state:
        assert state.balance("eddy", "USD") == 350 * 10**4
    assert verified(ledger) == []


def test_a_fill_of_a_retired_satellites_order_is_the_cores(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.place(Order("o1", "hunter", "buy", "NVDA", 10**9, "USD", 100 * 10**4))
    ledger.close("o1")
    ledger.transfer("hunter", "core", D(1000))
    ledger.pause("hunter")
    ledger.retire("hunter")
    assert ledger.record(fill("b1", "NVDA", "1", "-90", order="o1")).numbers["unattributed"] is True
    assert lots(ledger, "core", "NVDA") == [(DAY.isoformat(), "1", "90.00")]
    assert verified(ledger) == []


def test_a_bust_that_comes_before_its_fill_waits_for_it(with_hunter: Ledger) -> None:
    bust = Activity("x1", "bust", DAY, {"NVDA": D(-2), "USD": D(200)}, previous="b1")
    assert with_hunter.record(bust).text == "bust x1: held: b1 is not booked"
    with_hunter.record(fill("b1", "NVDA", "2", "-200"))
    assert held(with_hunter)["hunter"] == {"USD": "1000.00"}


def test_a_fill_of_an_order_that_is_not_on_record_is_the_owners(with_hunter: Ledger) -> None:
    bought = with_hunter.record(fill("b1", "NVDA", "2", "-200", order="somewhere else"))
    assert (bought.numbers["external_trade"], bought.legs[1]) == (True, ("outside", "hunter", "NVDA", "2"))


# Dividends, fees, interest


def test_a_dividend_is_its_owners_at_the_close_before_the_ex_date(with_hunter: Ledger, clock: object) -> None:
    ledger = with_hunter
    satellite(ledger, "eddy", "0.10", "KO")
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    clock.day = dt.date(2026, 3, 5)
    ledger.reassign("NVDA", "eddy")
    for ref, ex_date, owner in (("d1", "2026-03-05", "hunter"), ("d2", "2026-03-06", "eddy")):
        paid = Activity(
            ref, "dividend", dt.date(2026, 3, 9), {"USD": D("1.25")}, details={"unit": "NVDA", "ex_date": ex_date}
        )
        assert ledger.record(paid).legs == [("outside", owner, "USD", "1.25")]


def test_a_dividend_may_be_sent_to_the_core(with_hunter: Ledger) -> None:
    with_hunter.set("hunter", {"dividends": "send_to_core"})
    paid = Activity("d1", "dividend", DAY, {"USD": D(3)}, details={"unit": "NVDA", "ex_date": "2026-03-03"})
    assert with_hunter.record(paid).legs == [("outside", "hunter", "USD", "3.00"), ("hunter", "core", "USD", "3.00")]


def test_interest_is_divided_by_positive_cash_and_the_rest_is_the_cores(with_hunter: Ledger) -> None:
    """Core 9 000, hunter 1 000: of 0.0101 hunter gets a tenth, cut to a quantum."""
    paid = with_hunter.record(Activity("i1", "interest", DAY, {"USD": D("0.0101")}))
    assert paid.legs == [("outside", "hunter", "USD", "0.001"), ("outside", "core", "USD", "0.0091")]


def test_fees_without_an_instrument_follow_the_days_sales(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    ledger.record(fill("b2", "MSFT", "1", "-300"))
    ledger.record(fill("s1", "NVDA", "-1", "100"))
    ledger.record(fill("s2", "MSFT", "-1", "300"))
    charged = ledger.record(Activity("f1", "fee", DAY, {"USD": D("-0.05")}))
    # A quarter of 0.05 is 0.0125.
    assert charged.legs == [("hunter", "outside", "USD", "0.0125"), ("core", "outside", "USD", "0.0375")]
    named = ledger.record(Activity("f2", "fee", DAY, {"USD": D("-0.05")}, details={"unit": "NVDA"}))
    assert named.legs == [("hunter", "outside", "USD", "0.05")]


def test_a_dividend_for_a_retired_bucket_is_the_cores(ledger: Ledger, clock: object) -> None:
    ledger.deposit(D(1000))
    ledger.set("live", {"budget": "0.3"})
    satellite(ledger, "gone", "0.02", "OLD")
    clock.day = dt.date(2026, 3, 4)
    ledger.pause("gone")
    ledger.retire("gone")
    paid = Activity("d1", "dividend", DAY, {"USD": D(3)}, details={"unit": "OLD", "ex_date": "2026-03-04"})
    late = ledger.record(paid)
    assert (late.legs, late.numbers["unattributed"]) == ([("outside", "core", "USD", "3.00")], True)


def test_a_rate_is_good_for_five_sessions(ledger: Ledger, clock: object) -> None:
    """From Monday, 30 March 2026, the fifth session is Tuesday, 7 April, as Good Friday is none."""
    clock.day = dt.date(2026, 3, 30)
    ledger.deposit(D(1000))
    ledger.deposit(D(10), "EUR")
    ledger.set("live", {"budget": "0.1"})
    satellite(ledger, "hunter", "0.02", "NVDA")
    ledger.mark(clock.day, {}, {"EUR": D("1.1")})
    clock.day = dt.date(2026, 4, 7)
    ledger.transfer("core", "hunter", D(1))
    clock.day = dt.date(2026, 4, 8)
    with pytest.raises(InputError, match="a rate of the last five sessions, the last is of 2026-03-30"):
        ledger.transfer("core", "hunter", D(1))


# Opening and corporate actions


def test_a_book_is_opened_once(ledger: Ledger) -> None:
    ledger.record(Activity("o1", "opening", DAY, {"USD": D(5)}))
    with pytest.raises(InputError, match="opening: expected one of each book, entry 2 opened it"):
        ledger.record(Activity("o2", "opening", DAY, {"USD": D(5)}))


def test_a_deposit_is_never_refused_for_want_of_a_rate(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.set("live", {"budget": "0.1"})
    satellite(ledger, "hunter", "0.10", "NVDA")
    ledger.deposit(D(10), "EUR")
    got = ledger.deposit(D(100))
    assert (got.legs, got.numbers["without_rate"]) == ([("outside", "core", "USD", "100.00")], ["EUR"])
    with pytest.raises(InputError, match="transfer: EUR: expected a rate of the last five sessions, the last is of"):
        ledger.transfer("core", "hunter", D(1))
    ledger.mark(DAY, {}, {"EUR": D("1.1")})
    # T = 1 111, budget .1: a tenth of 100.
    assert ledger.deposit(D(100)).legs[0] == ("outside", "hunter", "USD", "10.00")


def test_an_opening_takes_positions_with_the_brokers_lots(ledger: Ledger) -> None:
    stated = {
        "MSFT": [
            {"quantity": "2", "cost": "500", "opened": "2020-01-02"},
            {"quantity": "1", "cost": "400", "opened": "2024-05-06"},
        ]
    }
    ledger.record(Activity("open", "opening", DAY, {"USD": D("123.45"), "MSFT": D(3)}, details={"lots": stated}))
    assert held(ledger) == {"core": {"MSFT": "3", "USD": "123.45"}}
    assert lots(ledger, "core", "MSFT") == [("2020-01-02", "2", "500.00"), ("2024-05-06", "1", "400.00")]


def test_a_split_keeps_cost_and_rounds_to_the_newest_lot(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "0.000000001", "-1"))
    ledger.record(fill("b2", "NVDA", "0.000000003", "-5"))
    # 3 for 2: 1.5 and 4.5 quanta; the broker states 6 of them.
    ledger.record(Activity("x", "split", DAY, {"NVDA": D("0.000000002")}, details={"ratio": "3/2"}))
    assert lots(ledger, "hunter", "NVDA") == [
        ("2026-03-02", "0.000000001", "1.00"),
        ("2026-03-02", "0.000000005", "5.00"),
    ]


def test_a_split_of_more_than_is_booked_waits_for_the_missing_purchase(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    # The broker has 20, of which 1 for 10 takes 18; the purchase of the other 18 comes afterwards.
    split = Activity("x", "split", DAY, {"NVDA": D(-18)}, details={"ratio": "1/10"})
    assert ledger.record(split).entry is None
    ledger.record(fill("b2", "NVDA", "18", "-900"))
    assert lots(ledger, "hunter", "NVDA") == [("2026-03-02", "0.2", "200.00"), ("2026-03-02", "1.8", "900.00")]


def test_a_rename_moves_lots_and_the_owner(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    ledger.record(Activity("x", "rename", DAY, {"NVDA": D(-2), "NVDX": D(2)}))
    assert lots(ledger, "hunter", "NVDX") == [("2026-03-02", "2", "200.00")]
    with ledger.state() as state:
        assert state.owner("NVDX") == "hunter"


def test_a_merger_with_cash_splits_the_cost_as_stated(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    legs = {"NVDA": D(-2), "NEW": D(1), "USD": D(60)}
    ledger.record(Activity("x", "merger", DAY, legs, quoted={"NEW": "USD"}, details={"cost_share": "0.75"}))
    assert lots(ledger, "hunter", "NEW") == [("2026-03-02", "1", "150.00")]
    assert held(ledger)["hunter"] == {"NEW": "1", "USD": "860.00"}


def test_a_spin_off_splits_the_cost_by_the_first_closes(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    closes = {"NVDA": "90", "KID": "20"}
    # 2 shares at 90 and 1 at 20: a tenth of the cost goes with the new one.
    spun = Activity(
        "x", "spin_off", DAY, {"KID": D(1)}, quoted={"KID": "USD"}, details={"of": "NVDA", "closes": closes}
    )
    ledger.record(spun)
    assert lots(ledger, "hunter", "NVDA") == [("2026-03-02", "2", "180.00")]
    assert lots(ledger, "hunter", "KID") == [("2026-03-02", "1", "20.00")]


def test_an_exchange_of_currencies_is_the_cores(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.record(Activity("x", "fx", DAY, {"USD": D("-110"), "EUR": D(100)}))
    assert held(ledger) == {"core": {"EUR": "100.00", "USD": "890.00"}}


# Transfers, harvest, reassignment


@pytest.mark.parametrize(
    ("source", "target", "amount", "says"),
    [
        ("core", "hunter", "0", "transfer: 0.00 USD: expected more than 0"),
        ("core", "hunter", "-5", r"transfer: -5.00 USD: expected more than 0"),
        ("core", "core", "5", "transfer: core to core: expected two buckets"),
        ("core", "huntr", "5", r"transfer: 'huntr': expected one of core, hunter, gone \(did you mean hunter\?\)"),
        ("core", "gone", "5", "gone: retired on 2026-03-02: expected a bucket in use"),
        ("hunter", "core", "1000.01", r"transfer: 1000.01 USD: expected at most 1000.00, what hunter has free"),
        # The core has 9 000 of 10 000 and keeps 7 000.
        (
            "core",
            "hunter",
            "2000.01",
            r"transfer: 2000.01 USD: expected at most 2000.00, what the core has above 70% of 10000.00 USD",
        ),
    ],
)
def test_a_transfer_is_refused_by_name(with_hunter: Ledger, source: str, target: str, amount: str, says: str) -> None:
    satellite(with_hunter, "gone", "0.02", "OLD")
    with_hunter.pause("gone")
    with_hunter.retire("gone")
    with pytest.raises(InputError, match=f"^{says}$"):
        with_hunter.transfer(source, target, D(amount))


def test_a_harvest_moves_what_is_above_the_line_as_far_as_cash_goes(with_hunter: Ledger) -> None:
    """Value 1 500 of 10 000 at a line of .15, then .10; a purchase leaves 400 of free cash."""
    ledger = with_hunter
    ledger.transfer("core", "hunter", D(500))
    ledger.set("hunter", {"target": "0.15"})
    with pytest.raises(InputError, match="harvest hunter: expected at least 1 above its line and free: value 1500"):
        ledger.harvest("hunter")
    ledger.set("hunter", {"harvest_line": "0.10"})
    # Value 1 500 of 10 000: 500 above.
    ledger.record(fill("b1", "NVDA", "1", "-1100"))
    assert ledger.harvest("hunter").legs == [("hunter", "core", "USD", "400.00")]


def test_moves_of_an_evaluation_are_one_entry_and_the_core_pays_none(with_hunter: Ledger) -> None:
    satellite(with_hunter, "eddy", "0.10", "KO")
    moved = with_hunter.reallocate([("hunter", "eddy", D(300)), ("hunter", "core", D(200))], actor="rule")
    assert moved.legs == [("hunter", "eddy", "USD", "300.00"), ("hunter", "core", "USD", "200.00")]
    with pytest.raises(InputError, match=r"^core: expected a satellite"):
        with_hunter.reallocate([("core", "eddy", D(1))])
    # 500 are left: together the moves want more.
    with pytest.raises(InputError, match=r"reallocation: 600\.00 USD: expected at most 500\.00, what hunter has free"):
        with_hunter.reallocate([("hunter", "eddy", D(300)), ("hunter", "core", D(300))])


def test_an_instrument_belongs_to_one_bucket(with_hunter: Ledger) -> None:
    with_hunter.record(fill("b1", "MSFT", "1", "-300"))
    with pytest.raises(InputError, match="assign: NVDA belongs to hunter: expected an instrument that is free"):
        with_hunter.assign(["NVDA"], "core")
    with pytest.raises(InputError, match="assign: MSFT belongs to core: expected an instrument that is free"):
        with_hunter.assign(["MSFT"], "hunter")
    with pytest.raises(InputError, match="eddy: MSFT belongs to core: expected an instrument that is free"):
        with_hunter.create(Satellite("eddy", "custom", ["MSFT"], D("0.05")))
    with pytest.raises(InputError, match="assign: USD: expected an instrument, is a currency"):
        with_hunter.assign(["USD"], "hunter")
    assert with_hunter.assign(["AMD"], "hunter").entry


def test_a_reassignment_keeps_cost_and_date_and_moves_all(with_hunter: Ledger) -> None:
    ledger = with_hunter
    satellite(ledger, "eddy", "0.10", "KO")
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    ledger.transfer("core", "eddy", D(500))
    ledger.mark(DAY, {"NVDA": D("123.456")})
    moved = ledger.reassign("NVDA", "eddy", for_value=True)
    assert moved.legs == [("hunter", "eddy", "NVDA", "2"), ("eddy", "hunter", "USD", "246.912")]
    assert lots(ledger, "eddy", "NVDA") == [("2026-03-02", "2", "200.00")]
    with pytest.raises(
        InputError, match="reassign: NVDA to core: expected --confirm eddy: only a person adds to the core"
    ):
        ledger.reassign("NVDA", "core")
    with pytest.raises(InputError, match="expected --confirm eddy"):
        ledger.reassign("NVDA", "core", confirmed="eddy", actor="rule")
    assert ledger.reassign("NVDA", "core", confirmed="eddy").entry
    with pytest.raises(InputError, match="reassign: KO: expected a position"):
        ledger.reassign("KO", "hunter")


def test_a_reassignment_waits_for_open_orders(with_hunter: Ledger) -> None:
    satellite(with_hunter, "eddy", "0.10", "KO")
    with_hunter.record(fill("b1", "NVDA", "2", "-200"))
    with_hunter.place(Order("o1", "hunter", "sell", "NVDA", 10**9, "NVDA", 10**9))
    with pytest.raises(InputError, match="reassign: NVDA: expected no open order, has o1"):
        with_hunter.reassign("NVDA", "eddy")


def test_a_reversal_mirrors_an_entry_once(with_hunter: Ledger) -> None:
    moved = with_hunter.transfer("core", "hunter", D(10))
    back = with_hunter.reverse(moved.entry)
    assert back.legs == [("hunter", "core", "USD", "10.00")]
    with pytest.raises(InputError, match=f"expected an entry that holds, {back.entry} reverses it"):
        with_hunter.reverse(moved.entry)
    with pytest.raises(InputError, match="expected one of harvest, reallocation, reassignment, transfer, was set"):
        with_hunter.reverse(3)


def test_a_reversed_reassignment_returns_shares_lots_and_the_owner(with_hunter: Ledger) -> None:
    satellite(with_hunter, "eddy", "0.10", "KO")
    with_hunter.record(fill("b1", "NVDA", "2", "-200"))
    with_hunter.reverse(with_hunter.reassign("NVDA", "eddy").entry)
    assert lots(with_hunter, "hunter", "NVDA") == [("2026-03-02", "2", "200.00")]
    with with_hunter.state() as state:
        assert state.owner("NVDA") == "hunter"


def test_a_correction_takes_what_the_core_has_or_the_broker_lacks(ledger: Ledger) -> None:
    """The broker has 40 of 100 that are booked: 60 may be taken, once, though 95 are reserved and 5 free."""
    ledger.deposit(D(100))
    ledger.withdraw(D(95))
    beyond = r"correct: -60\.00 USD: expected to take at most 5\.00: what the core has free, or what the last"
    with pytest.raises(InputError, match=beyond):
        ledger.correct(D(-60), "USD", "a typing error")
    ledger.reconcile({"USD": D(40)})
    with pytest.raises(InputError, match=r"expected to take at most 60\.00"):
        ledger.correct(D("-60.01"), "USD", "a typing error")
    assert ledger.correct(D(-60), "USD", "the broker took it").legs == [("core", "outside", "USD", "60.00")]
    with pytest.raises(InputError, match=r"expected to take at most 0\.00"):
        ledger.correct(D(-1), "USD", "again")


def test_another_mark_takes_the_place_of_a_wrong_one(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "2", "-200"))
    wrong = ledger.mark(DAY, {"NVDA": D(1000)}).entry
    with pytest.raises(InputError, match="was mark; another mark of the session takes its place"):
        ledger.reverse(wrong)
    ledger.mark(DAY, {"NVDA": D(110)})
    with ledger.state() as state:
        assert (state.prices["NVDA"], state.values["hunter"]) == ((DAY.isoformat(), D(110)), (800 + 220) * 10**4)
        assert state.sessions == 1


def test_an_instrument_in_other_letters_is_refused(with_hunter: Ledger) -> None:
    with pytest.raises(InputError, match="create: nvda: expected NVDA, as the ledger writes it"):
        with_hunter.create(Satellite("second", "custom", ["nvda"], D("0.05")))
    with pytest.raises(InputError, match="assign: Amd: expected AMD, as the ledger writes it"):
        with_hunter.assign(["AMD", "Amd"], "core")


def test_a_payment_of_an_unknown_request_is_refused(ledger: Ledger) -> None:
    ledger.deposit(D(100))
    with pytest.raises(InputError, match=r"withdraw: nil: expected an open request, there is none$"):
        ledger.withdrawn("nil")
    request = ledger.withdraw(D(5)).numbers["request"]
    with pytest.raises(InputError, match=f"withdraw: nil: expected an open request, one of {request}$"):
        ledger.withdrawn("nil")


def test_a_correction_has_a_reason(ledger: Ledger) -> None:
    ledger.deposit(D(100))
    with pytest.raises(InputError, match="correct: expected a reason"):
        ledger.correct(D("0.55"), "USD", " ")
    assert ledger.correct(D("-0.55"), "USD", "the broker rounds").legs == [("core", "outside", "USD", "0.55")]


# Paper


def test_a_new_satellite_has_a_paper_book_that_moves_no_money(ledger: Ledger) -> None:
    ledger.deposit(D(10_000))
    ledger.create(Satellite("hunter", "momentum_hunter", ["NVDA"], D("0.0333")))
    assert held(ledger) == {"core": {"USD": "10000.00"}}
    assert held(ledger.paper("hunter")) == {"hunter": {"USD": "333.00"}}
    ledger.paper("hunter").record(fill("b1", "NVDA", "2", "-200"))
    assert held(ledger.paper("hunter")) == {"hunter": {"NVDA": "2", "USD": "133.00"}}


def test_reading_a_ledger_that_is_not_there_says_what_begins_one(tmp_path: Path, ledger: Ledger) -> None:
    from sd_core.errors import NotReadyError

    with (
        pytest.raises(NotReadyError, match=r"ledger main: expected a ledger at .*: `sdlab bucket deposit` begins one"),
        ledger.state(),
    ):
        pass


# A satellite's life


def test_every_unmet_condition_of_an_action_is_named(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "1", "-100"))
    with pytest.raises(InputError) as caught:
        ledger.retire("hunter")
    assert str(caught.value).splitlines() == [
        "hunter: active since 2026-03-02: expected paused",
        "hunter: 1 NVDA: expected no position",
        "hunter: 900.00 USD: expected no cash",
    ]
    with pytest.raises(InputError, match=r"^core: expected a satellite; `halt` stops the account$"):
        ledger.pause("core")


def test_an_activity_that_is_held_keeps_its_own_satellite_from_retiring(with_hunter: Ledger) -> None:
    ledger = with_hunter
    satellite(ledger, "eddy", "0.10", "KO")
    ledger.record(fill("s1", "NVDA", "-1", "100"))
    ledger.pause("eddy")
    assert ledger.retire("eddy").entry
    ledger.transfer("hunter", "core", D(1000))
    ledger.pause("hunter")
    with pytest.raises(InputError, match=r"^hunter: activity s1 is held: expected none$"):
        ledger.retire("hunter")


def test_a_satellite_starts_after_its_time_on_paper_or_with_a_reason(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.set("live", {"budget": "0.05"})
    ledger.create(Satellite("hunter", "custom", ["NVDA"], D("0.10")))
    with pytest.raises(InputError) as caught:
        ledger.start("hunter")
    assert str(caught.value).splitlines() == [
        "targets: 0.1 together: expected at most the budget, 0.05",
        "hunter: 0 sessions on paper: expected at least 63, or a reason to start early",
    ]


def test_a_transfer_wakes_a_satellite_that_reaches_its_floor(ledger: Ledger) -> None:
    """Target .05, least share .02: the floor is max(.4·.05, .02) = .02 of 10 000."""
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.05"})
    satellite(ledger, "hunter", "0.05", "NVDA")

    def status() -> str:
        with ledger.state() as state:
            return state.buckets["hunter"].status

    ledger.transfer("core", "hunter", D("199.99"))
    assert status() == "accumulating"
    ledger.transfer("core", "hunter", D("0.01"))
    assert status() == "active"
    ledger.pause("hunter")
    assert (status(), ledger.resume("hunter").numbers["status"]) == ("paused", "active")


def test_a_mark_values_buckets_and_wakes_satellites(ledger: Ledger) -> None:
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.05"})
    satellite(ledger, "hunter", "0.05", "NVDA")
    ledger.transfer("core", "hunter", D(100))
    ledger.record(fill("b1", "NVDA", "1", "-100"))
    for prices in ({}, {"NVDA": D(0)}, {"NVDA": D("NaN")}, {"NVDA": D("Infinity")}):
        with pytest.raises(InputError, match="mark 2026-03-02: NVDA: expected a price above 0 of each"):
            ledger.mark(DAY, prices)
    with pytest.raises(InputError, match="mark 2026-03-02: expected prices at which a bucket is worth less"):
        ledger.mark(DAY, {"NVDA": D("1e18")})
    # 250 of 10 150 is .0246, above the floor of .02.
    marked = ledger.mark(DAY, {"NVDA": D(250), "KO": D(60)})
    assert marked.numbers["values"] == {"core": "9900.00", "hunter": "250.00"}
    with ledger.state() as state:
        assert (state.buckets["hunter"].status, state.last_mark) == ("active", "2026-03-02")
    with pytest.raises(
        InputError, match="mark: 2026-02-27: expected 2026-03-02, the last session marked, or a later one"
    ):
        ledger.mark(dt.date(2026, 2, 27), {"NVDA": D(250)})


@pytest.mark.parametrize("line", ["-0.01", "1.01", "NaN", "many"])
def test_a_harvest_line_is_a_share_of_the_account(with_hunter: Ledger, line: str) -> None:
    with pytest.raises(InputError, match=f"set hunter: harvest_line={line}: expected a fraction"):
        with_hunter.set("hunter", {"harvest_line": line})


def test_paused_purchases_are_cancelled_and_sales_stay(with_hunter: Ledger) -> None:
    ledger = with_hunter
    ledger.record(fill("b1", "NVDA", "1", "-100"))
    ledger.place(Order("buy", "hunter", "buy", "NVDA", 10**9, "USD", 10**4))
    ledger.place(Order("sell", "hunter", "sell", "NVDA", 10**9, "NVDA", 10**9))
    assert ledger.pause("hunter").numbers["cancelled"] == ["buy"]
    with ledger.state() as state:
        assert state.open_orders("hunter") == ["sell"]


def test_settings_keep_to_the_rails_and_a_lower_budget_scales_targets(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.set("live", {"budget": "0.3"})
    satellite(ledger, "hunter", "0.15", "NVDA")
    satellite(ledger, "eddy", "0.10", "KO")
    with pytest.raises(InputError) as caught:
        ledger.set("live", {"budget": "0.2"})
    assert str(caught.value).splitlines() == [
        "set: targets: 0.25 together: expected at most the budget, 0.2",
        "set: --scale shrinks the targets in proportion",
    ]
    assert ledger.set("live", {"budget": "0.2"}, scale=True).numbers["targets"] == {
        "hunter": "0.120000",
        "eddy": "0.080000",
    }
    with pytest.raises(InputError, match=r"set: hunter\.target: 0\.2: expected 0\.02 to 0\.15"):
        ledger.set("hunter", {"target": "0.2"})
    with pytest.raises(InputError, match=r"set: budget: 0\.31: expected 0 to 0\.3"):
        ledger.set("live", {"budget": "0.31"})
    assert ledger.set("hunter", {"risk": 0.9, "trailing": True}).numbers["sliders"]["risk"] == 0.9


def test_an_account_is_halted_and_allowed_again(ledger: Ledger) -> None:
    ledger.deposit(D(1000))
    ledger.halt()
    with ledger.state() as state:
        assert state.locks("live", "2026-03-02") == {"halt": None}
    with pytest.raises(InputError, match="halt: expected an account that is not halted"):
        ledger.halt()
    ledger.halt(lift=True)
    with ledger.state() as state:
        assert state.locks("live", "2026-03-02") == {}


def test_a_boost_ends_by_itself(with_hunter: Ledger) -> None:
    assert with_hunter.boost("hunter", 7).numbers["until"] == "2026-03-09"
    with with_hunter.state() as state:
        assert (state.locks("hunter", "2026-03-08"), state.locks("hunter", "2026-03-09")) == (
            {"boost": "2026-03-09"},
            {},
        )


def test_a_day_of_the_account_is_that_of_new_york(ledger: Ledger) -> None:
    """Half past one in the night of the third, in UTC, is half past eight in the evening of the second."""
    night = dt.datetime(2026, 3, 3, 1, 30, tzinfo=dt.UTC)
    late = replace(ledger, clock=lambda: night)
    number = late.deposit(D(100)).entry
    with late.state() as state:
        entry = state.entry(number)
    assert (late.today, entry.effective, entry.recorded_at) == (DAY, "2026-03-02", "2026-03-03T01:30:00.000+00:00")
    with pytest.raises(InputError, match="2026-03-02, today"):
        late.mark(dt.date(2026, 3, 3), {})
    assert late.mark(DAY, {}).kind == "mark"
