"""Proposals of an account from the lake's prices, and its exits at a broker that speaks Alpaca's API."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from support.account_lab import Clock, open_account
from support.alpaca_server import Exchange, Failure, served
from support.lab import Lab

from pipelines.lab.current import current_market
from pipelines.steps.signals import judged
from pipelines.steps.trade import propose_orders, read_broker, send_exits
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.tables import STATUSES
from sd_core.errors import NotReadyError

D = Decimal


@pytest.fixture
def lab(bucket_lab: Lab, tmp_path: Path) -> Lab:
    """Return the lab of the study with plans, whose prices are in the lake."""
    return bucket_lab.copy_to(tmp_path / "home")


def last_signal(lab: Lab) -> tuple[dt.date, str, float, float]:
    """Return the last close at which the plan's dip buyer is asked to buy one ticker alone."""
    home = lab.home
    with home.lake.shared(), judged(home.study, current_market(home.study, home.lake)) as database:
        query = """
            select session, any_value(ticker), any_value(close), any_value(conviction) from bucket_signal
            where is_entry group by session having count(*) = 1 order by session desc limit 1
        """
        return database.execute(query).fetchone()


def account_at(lab: Lab, session: dt.date, tickers: list[str]) -> Ledger:
    """Return an account of 10 000 of which an active dip buyer has a tenth, marked at a session."""
    ledger = open_account(lab.root, Clock(session))
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.2"})
    ledger.create(Satellite("dipper", "dip_buyer", tickers, D("0.10")))
    ledger.start("dipper", early="a test")
    ledger.transfer("core", "dipper", D(1_000))
    ledger.mark(session, {})
    return ledger


def test_what_the_signal_asks_for_is_proposed_at_the_size_of_the_page(lab: Lab) -> None:
    """1 000 · .25 · (1/15 + (.275 − 1/15) · conviction) at the close (dip_buyer: size .275, 15 positions)."""
    session, ticker, close, conviction = last_signal(lab)
    ledger = account_at(lab, session, ["DDD", "EEE", "NONE"])
    proposed = propose_orders(lab.home, ledger)
    with ledger.state() as state:
        (row,) = state.orders(STATUSES)
        decision = state.decision(row.client_id)
    costs = lab.home.study.costs
    money = 1_000 * 0.25 * (1 / 15 + (0.275 - 1 / 15) * conviction)
    shares = (money - costs.fixed) / (close * (1 + costs.bps / 10_000))
    shares = shares if ticker == "DDD" else int(shares)
    assert (row.client_id, row.side) == (f"dipper-{ticker}-entry-{session}", "buy")
    assert row.quanta / 10**9 == pytest.approx(shares, abs=1e-8)
    assert (decision["conviction"], decision["close"], decision["factor"]) == (conviction, close, 0.25)
    assert proposed.unpriced == ["NONE"]
    assert propose_orders(lab.home, ledger).receipts == []
    ledger.store.close()


def test_without_a_mark_or_without_prices_of_it_nothing_is_proposed(lab: Lab) -> None:
    session = dt.date(2030, 1, 2)
    ledger = open_account(lab.root, Clock(session))
    ledger.deposit(D(100))
    with pytest.raises(NotReadyError, match="expected a mark of the account"):
        propose_orders(lab.home, ledger)
    ledger.store.close()
    ledger = account_at(lab, session, ["DDD"])
    with pytest.raises(NotReadyError, match="2030-01-02: expected prices of the session in the lake"):
        propose_orders(lab.home, ledger)
    ledger.store.close()


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """Return what is behind a server that speaks Alpaca's API."""
    pytest.importorskip("alpaca.trading.client", reason="the extra alpaca is not installed")
    exchange = Exchange(cash="1000", positions=[{"symbol": "DDD", "qty": "10", "cost_basis": "400"}])
    server = served(exchange)
    for name, value in (("API_KEY", "a"), ("SECRET_KEY", "b"), ("URL", f"http://127.0.0.1:{server.server_port}")):
        monkeypatch.setenv(f"ALPACA_{name}", value)
    yield exchange
    server.shutdown()
    server.server_close()


def test_what_was_bought_for_an_ex_date_is_left_once_it_has_come(lab: Lab, exchange: Exchange) -> None:
    """EEE pays; the position is of the day before its ex-date, 10 shares that Alpaca has."""
    exchange.positions[0]["symbol"] = "EEE"
    with lab.home.lake.shared():
        prices = current_market(lab.home.study, lab.home.lake).read("satellite_prices").to_pandas()
    days = prices[prices.ticker == "EEE"].sort_values("session").reset_index(drop=True)
    place = days.index[days.dividend > 0][-1]
    before, ex_date = (days.session[at] for at in (place - 1, place))
    clock = Clock(before)
    ledger = open_account(lab.root, clock)
    ledger.set("live", {"budget": "0.2", "broker": "alpaca"})
    ledger.create(Satellite("catcher", "dividend_catcher", ["KO"], D("0.10")))
    ledger.start("catcher", early="a test")
    send_exits(lab.home, ledger)
    ledger.reassign("EEE", "catcher")
    close = D(str(days.close[place]))
    ledger.mark(before, {"EEE": close})
    assert [one.status for one in send_exits(lab.home, ledger)] == ["sent"]
    assert [(one["type"], one["order_class"]) for one in exchange.orders] == [("limit", "oco")]
    clock.day = ex_date
    ledger.mark(ex_date, {"EEE": close})
    called_off, sent = send_exits(lab.home, ledger)
    assert (called_off.status, sent.status, sent.client_id) == ("cancelled", "sent", f"catcher-EEE-ex_date-{ex_date}")
    assert (exchange.orders[-1]["type"], exchange.orders[-1]["qty"]) == ("market", "10")
    ledger.store.close()


def test_the_broker_is_read_before_a_mark_where_the_account_names_one(lab: Lab, exchange: Exchange) -> None:
    ledger = open_account(lab.root, Clock(dt.date(2026, 3, 2)))
    ledger.set("live", {"budget": "0.2"})
    assert read_broker(ledger) is None
    ledger.set("live", {"broker": "alpaca"})
    fed = read_broker(ledger)
    assert fed is not None
    assert [receipt.kind for receipt in fed.booked] == ["opening"]
    ledger.store.close()


def test_a_broker_without_an_answer_does_not_keep_a_mark_from_being_made(
    lab: Lab, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sd_core.broker.reading.PAUSE", 0.0)
    exchange.failures = [Failure("GET", "/account", 500) for _ in range(5)]
    ledger = open_account(lab.root, Clock(dt.date(2026, 3, 2)))
    ledger.set("live", {"broker": "alpaca"})
    assert read_broker(ledger) is None
    assert exchange.failures == []
    ledger.store.close()
