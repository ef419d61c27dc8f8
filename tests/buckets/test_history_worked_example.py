"""The worked example of docs/buckets.md, by hand.

Settings `custom` with entry .4 and the other sliders at .5: n = 3 + 20 * .5 = 13 positions, trail = .10 * .5 = .05.
Five basis points, so a purchase for m at 91.5 buys m / (91.5 * 1.0005) shares.

    budget    5000 * .25 / 13                 =   96.153846...   started just now: .25; no conviction: 1/13
    shares    96.153846... / (91.5 * 1.0005)  =    1.050336...
    armed     107 / 91.5 - 1 = .1694 > .15; the highest close since is 110: stop 110 * .95 = 104.50
    proceeds  1.050336... * 104.50 * .9995    =  109.705288...
    return    109.705288... / 96.153846... - 1 = .140935         (104.5 * .9995) / (91.5 * 1.0005) - 1
    value     5000 - 96.153846... + 109.705288... = 5013.551442
"""

from fractions import Fraction

import numpy as np
import pytest
from support.satellite_plans import FakeCore

from sd_core.buckets.history.contract import OUTSIDE, Plan, Satellite, SatellitePanel, Signals
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.presets import settings
from sd_core.schemas.kinds import BucketEvent, ExitReason, Kind, Outcome, Transfer

CLOSES = [100.0] * 64 + [90.0, 91.0, 93.0, 98.0, 104.0, 107.0, 110.0, 104.0]
SIGNAL, ENTRY, EXIT = 65, 66, 71
SESSIONS = len(CLOSES)
COST = Fraction(5000, 13) / 4
SHARES = COST / (Fraction("91.5") * Fraction("1.0005"))
PROCEEDS = SHARES * Fraction("104.5") * Fraction("0.9995")


def dips(closes: np.ndarray, depth: float) -> np.ndarray:
    """Return where a close is so far below the highest of the 63 before it and above the one before."""
    found = np.zeros(len(closes), dtype=bool)
    for session in range(63, len(closes)):
        highest = closes[session - 63 : session].max()
        found[session] = closes[session - 1] < closes[session] <= (1 - depth) * highest
    return found


@pytest.fixture(scope="module")
def history():
    close = np.array(CLOSES)[:, None]
    bars = {name: close.copy() for name in ("open", "high", "low", "close")}
    bars["open"][ENTRY], bars["low"][ENTRY] = 91.5, 91.5
    bars["open"][EXIT], bars["high"][EXIT], bars["low"][EXIT] = 109.0, 109.0, 103.0
    days = np.busday_offset("2020-01-01", np.arange(SESSIONS), roll="forward")
    panel = SatellitePanel(("A",), days, **bars, dividends=np.zeros_like(close), rates=np.zeros(SESSIONS))
    parameters = settings("custom", {"entry": 0.4}, {"trailing": True}).parameters
    signals = Signals(
        is_entry=dips(close[:, 0], parameters.depth)[:, None],
        conviction=np.zeros_like(close),
        order=np.zeros_like(close),
        is_exit=np.zeros(close.shape, dtype=bool),
        next_ex_date=np.full(close.shape, -1),
        regime=np.zeros(SESSIONS, dtype=np.int8),
    )
    plan = Plan("plan", 100_000.0, 0.05, (Satellite("dips", (0,), 0.05, parameters),), True, (0.0,), fee_rate=0.0005)
    core = FakeCore(plan.core_capital, np.zeros(SESSIONS), np.zeros(SESSIONS))
    return simulate(plan, panel, signals, np.zeros(SESSIONS), core)


def test_ledger_has_the_opening_one_purchase_and_one_sale(history):
    ledger = history.ledger
    assert ledger["kind"].tolist() == [Transfer.OPENING, Kind.BUY, Kind.SELL]
    assert ledger["session"].tolist() == [0, ENTRY, EXIT]
    assert ledger["leg"].tolist() == [-1, 0, 1]
    assert ledger["counterparty"].tolist() == [OUTSIDE] * 3
    np.testing.assert_allclose(ledger["amount"], [5000.0, -float(COST), float(PROCEEDS)], rtol=1e-13)
    assert [round(amount, 6) for amount in ledger["amount"].tolist()] == [5000.0, -96.153846, 109.705288]
    assert ledger["quantity"][1] == pytest.approx(float(SHARES), rel=1e-13)
    assert ledger["price"][2] == 104.5


def test_trade_is_a_win_by_the_trailing_stop(history):
    (trade,) = history.trades
    assert (trade["opened"], trade["closed"]) == (ENTRY, EXIT)
    assert trade["trade_return"] == pytest.approx(float(PROCEEDS / COST - 1), rel=1e-12)
    assert round(float(trade["trade_return"]), 6) == 0.140935
    assert (trade["outcome"], trade["exit_reason"]) == (Outcome.WIN, ExitReason.TRAILING)
    assert (trade["factor"], trade["conviction"], trade["premium"]) == (0.25, 0.0, 91.5 / 100 - 1)


def test_satellite_is_worth_more_and_opens_twice_as_much_next(history):
    first, last = history.daily[0], history.daily[-1]
    assert history.events["event"].tolist() == [BucketEvent.ACTIVATED]
    assert (first["factor"], last["factor"]) == (0.25, 0.5)
    assert last["value"] == pytest.approx(float(5000 - COST + PROCEEDS), rel=1e-14)
    assert round(float(last["value"]), 6) == 5013.551442
    assert last["share"] == pytest.approx(5013.551442 / 100013.551442, rel=1e-9)


def test_satellite_that_holds_cash_alone_has_no_sharpe_ratio():
    """Of 100 a month paid into it, none earns interest on the day: that is no loss beside cash."""
    sessions = 400
    close = np.full((sessions, 1), 100.0)
    days = np.busday_offset("2020-01-01", np.arange(sessions), roll="forward")
    flat = dict.fromkeys(("open", "high", "low", "close"), close)
    panel = SatellitePanel(("A",), days, **flat, dividends=np.zeros_like(close), rates=np.full(sessions, 0.03))
    nothing = np.zeros(close.shape, dtype=bool)
    signals = Signals(nothing, close, close, nothing, np.full(close.shape, -1), np.zeros(sessions, dtype=np.int8))
    one = Satellite("idle", (0,), 0.10, settings("custom").parameters)
    plan = Plan("plan", 100_000.0, 0.10, (one,), starts_at_target=False, lot_sizes=(0.0,))
    deposits = np.zeros(sessions)
    deposits[21::21] = 10_000.0
    core = FakeCore(plan.core_capital, np.zeros(sessions), np.zeros(sessions))
    evaluations = simulate(plan, panel, signals, deposits, core).evaluations
    assert len(evaluations) > 4
    for measure in ("sharpe", "sortino", "sharpe_recent", "sortino_recent"):
        assert np.isnan(evaluations[measure]).all()
    assert (evaluations["score"] == 0.0).all()
