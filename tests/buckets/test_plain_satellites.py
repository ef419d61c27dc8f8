"""The plain engine of histories against numbers worked out beforehand.

The compiled engine is held to the plain one in ``test_histories_agree``.
"""

import datetime as dt

import numpy as np
import pytest
from plain_engine import satellites
from plain_engine.satellites import money, rules
from plain_engine.satellites.evaluation import Window
from plain_engine.satellites.lifecycle import Life
from plain_engine.satellites.money import Receiver
from plain_engine.satellites.rules import Breaker, Cooldown, Restraints
from support.satellite_plans import FakeCore

from sd_core.buckets.history.contract import OUTSIDE, History, Plan, Satellite, Signals
from sd_core.buckets.presets import settings
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import BucketEvent, ExitReason, Kind, Outcome, Reason, Regime, Status, Transfer

DAY = dt.date(2024, 1, 1)


def days(count: int) -> dt.timedelta:
    return dt.timedelta(days=count)


# The worked numbers of the rules.


@pytest.mark.parametrize(
    ("value", "peak", "expected"),
    [
        (8_500, 10_000, 0.7),
        (7_500, 10_000, 0.3),
        (6_500, 10_000, 0.0),
        (7_999, 7_999, 0.6),
        (5_999, 5_999, 0.4),
        (4_000, 4_000, 0.4),
        (3_999, 3_999, 0.0),
        (9_000, 12_000, 0.3),
        (9_000, 10_500, 0.8),
    ],
)
def test_plain_levels(value, peak, expected):
    # Of an account worth 100 000, with a target of .10 and a least share of .02.
    by_share = rules.level_by_share(value / 100_000, 0.10, 0.02)
    assert min(by_share, rules.level_by_drawdown(1 - value / peak)) == expected


@pytest.mark.parametrize(
    ("restraints", "expected"),
    [
        (Restraints(Reason(0), 0.8, 1.0, stage=0.25), 0.2),
        (Restraints(Reason(0), 0.8, 1.0, cooldown=0.75), 0.6),
        (Restraints(Reason(0), 1.0, 0.3, boost=1.5), 0.45),
        (Restraints(Reason(0), 1.0, 1.0, boost=1.5, regime=0.5), 0.5),  # no more than 1 before the regime
        (Restraints(Reason(0), 1.0, 1.0, testing=True), 0.25),
        (Restraints(Reason(0), 0.4, 1.0, stage=0.5, testing=True), 0.2),
        (Restraints(Reason.LOCK, 1.0, 1.0, boost=1.5), 0.0),
        (Restraints(Reason(0), 0.0, 1.0, boost=1.5), 0.0),
    ],
)
def test_plain_factors(restraints, expected):
    assert restraints.factor == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("earned", "expected"),
    [
        (-0.0101, Outcome.LOSS),
        (-0.01, Outcome.NEUTRAL),
        (0.0, Outcome.NEUTRAL),
        (1e-13, Outcome.NEUTRAL),
        (0.0001, Outcome.WIN),
    ],
)
def test_plain_outcomes(earned, expected):
    assert rules.outcome_of(earned) is expected


def test_plain_breaker_locks_at_five_losses_and_tests_after_thirty_days():
    breaker = Breaker()
    for outcome in [Outcome.LOSS] * 4 + [Outcome.NEUTRAL]:
        breaker.note(outcome, DAY, None)
    assert not breaker.is_locked(DAY)
    breaker.note(Outcome.LOSS, DAY, None)
    assert breaker.is_locked(DAY + days(29))
    assert breaker.is_testing(DAY + days(30))
    # An older position that closes at a loss prolongs nothing; the test that fails locks again.
    breaker.note(Outcome.LOSS, DAY + days(40), None)
    assert breaker.is_testing(DAY + days(40))
    breaker.note(Outcome.NEUTRAL, DAY + days(41), DAY)
    assert breaker.is_locked(DAY + days(70))
    breaker.note(Outcome.WIN, DAY + days(50), None)
    assert breaker == Breaker()


def test_plain_cooldown_looks_back_thirty_days_and_never_behind_its_own_end():
    cooldown, closes, level = Cooldown(), [DAY], [1.0]
    for day, index in [(29, 1.3), (30, 1.2), (59, 1.5), (60, 1.5), (61, 1.79), (62, 1.8)]:
        closes.append(DAY + days(day))
        level.append(index)
        cooldown.watch(closes, level)
        match day:
            case 29:
                assert cooldown.until is None  # no close is 30 days old
            case 30 | 59 | 60 | 61:
                assert cooldown.until == DAY + days(60)
    # At day 60 the index was 1.5: 1.8 / 1.5 is a gain of .20 again.
    assert cooldown.until == DAY + days(92)


def test_plain_hibernation_by_share_takes_twenty_one_closes():
    life = Life()
    assert life.review(DAY, 0.02, 0.05, 0.02, 0.0) is BucketEvent.ACTIVATED
    for close in range(1, 21):
        assert life.review(DAY + days(close), 0.0199, 0.05, 0.02, 0.0) is None
    assert life.review(DAY + days(21), 0.0199, 0.05, 0.02, 0.0) is BucketEvent.HIBERNATED
    # It wakes at 1.1 times the floor, .4 · .05 = .02.
    assert life.review(DAY + days(22), 0.0219, 0.05, 0.02, 0.0) is None
    assert life.review(DAY + days(23), 0.022, 0.05, 0.02, 0.0) is BucketEvent.WOKEN


@pytest.mark.parametrize(
    ("deposit", "total", "budget", "receivers", "expected"),
    [
        (1_000, 0, 0.30, [(0, 0.10)] * 3, [100, 100, 100]),
        # .08 · 51 000 − 1 500 = 2 580 and .07 · 51 000 − 3 300 = 270 share 150.
        (1_000, 50_000, 0.15, [(1_500, 0.08), (3_300, 0.07)], [135.78, 14.21]),
        (1_000, 20_000, 0.10, [(1_999.99, 0.10)], [100]),
        (1_000, 20_000, 0.10, [(2_000, 0.10)], [0]),
    ],
)
def test_plain_split_of_a_deposit(deposit, total, budget, receivers, expected):
    those = [Receiver(*receiver) for receiver in receivers]
    assert money.split_deposit(deposit, total, budget, those, 100) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("cash", "expected"), [(1_800, 1_800), (9_000, 2_500), (0.99, 0)])
def test_plain_harvest(cash, expected):
    # 12 500 of 100 000 with a line of .10.
    assert money.harvest(12_500, cash, 100_000, 0.10, 100) == expected


@pytest.mark.parametrize(
    ("current", "scores", "pool", "least", "most", "clamped", "new"),
    [
        ([0.07, 0.07, 0.06], [1.2, 0.5, -0.3], 0.20, 0.03, 0.12, [0.12, 0.05, 0.03], [0.095, 0.06, 0.045]),
        ([0.10, 0.10], [2, -1], 0.20, 0.03, 0.12, [0.12, 0.03], [0.11, 0.065]),
        ([0.05] * 3, [1, 0, 0], 0.15, 0.02, 0.15, [0.11, 0.02, 0.02], [0.08, 0.035, 0.035]),
    ],
)
def test_plain_targets(current, scores, pool, least, most, clamped, new):
    targets = money.new_targets(current, scores, pool, [least] * len(current), [most] * len(current))
    assert targets.clamped == pytest.approx(clamped, abs=1e-12)
    assert targets.new == pytest.approx(new, abs=1e-12)


def test_plain_moves():
    # Excesses 2 000, −3 000, 2 000; all that is needed can be served, and 1 000 are left for the core.
    rows = money.moves([9_000, 3_000, 4_000], [2_500, 0, 4_000], 100_000, [0.07, 0.06, 0.02], 100)
    assert [(row.source, row.target, row.amount) for row in rows] == [
        (0, 1, 1_500),
        (0, None, 500),
        (2, 1, 1_500),
        (2, None, 500),
    ]


def test_plain_score():
    # .3 · 1.2 + .3 · 1.8 + .2 · (1.5 − 1) + .1 · .6 + .1 · .9 = 1.15
    class Given(Window):
        sharpe, sortino, profit_factor, win_rate, calmar = 1.2, 1.8, 1.5, 0.6, 0.9

    assert Given([], [], 0, [], 0, 252).score == pytest.approx(1.15, abs=1e-15)


# The worked history.


def worked_history() -> History:
    """Return a dip that is bought at 91.50 after 64 closes of 100, 90 and 91, trailed to 110 and stopped out."""
    flat = [100.0] * 64 + [90.0, 91.0]
    after = [(91.5, 93, 91, 93), (93, 98, 93, 98), (98, 104, 98, 104), (104, 107, 104, 107), (107, 110, 107, 110)]
    bars = np.array([(price,) * 4 for price in flat] + after + [(109, 109, 103, 103)], dtype=float)[:, :, None]
    length = len(bars)
    plan = Plan(
        name="worked",
        capital=100_000.0,
        budget=0.05,
        satellites=(Satellite("dips", (0,), 0.05, settings("custom", {"entry": 0.4}, {"trailing": True}).parameters),),
        starts_at_target=True,
        lot_sizes=(0.0,),
        fee_rate=0.0005,
    )
    panel = Panel(
        ("A",),
        np.datetime64("2024-01-01") + np.arange(length),
        *(bars[:, side] for side in range(4)),
        dividends=np.zeros((length, 1)),
        rates=np.zeros(length),
    )
    signals = Signals(
        is_entry=(np.arange(length) == 65)[:, None],
        conviction=np.zeros((length, 1)),
        order=np.zeros((length, 1)),
        is_exit=np.zeros((length, 1), dtype=bool),
        next_ex_date=np.full((length, 1), -1),
        regime=np.full(length, Regime.UNKNOWN, dtype=np.int8),
    )
    nothing = np.zeros(length)
    core = FakeCore(plan.core_capital, nothing, nothing)
    return satellites.simulate(plan, panel, signals, nothing, core)


def test_worked_history():
    history = worked_history()
    opening, bought, sold = history.ledger
    assert (opening["kind"], opening["counterparty"], opening["amount"]) == (Transfer.OPENING, OUTSIDE, 5_000)
    # A thirteenth of 5 000, at a quarter of the full size, costs included: 5 000 / 13 · .25 = 96.153846.
    assert (bought["session"], bought["kind"], bought["price"]) == (66, Kind.BUY, 91.5)
    assert bought["amount"] == pytest.approx(-96.153846, abs=5e-7)
    assert bought["quantity"] == pytest.approx(96.153846 / (91.5 * 1.0005), abs=1e-8)
    # 104 / 91.5 − 1 = .137 does not arm the stop, 107 / 91.5 − 1 = .169 does; the stop is .95 · 110.
    assert (sold["session"], sold["kind"], sold["price"]) == (71, Kind.SELL, 110 * 0.95)
    assert sold["amount"] == pytest.approx(109.705288, abs=5e-7)
    (trade,) = history.trades
    assert trade["trade_return"] == pytest.approx(0.140935, abs=5e-7)
    assert (trade["outcome"], trade["exit_reason"]) == (Outcome.WIN, ExitReason.TRAILING)
    last = history.daily[-1]
    assert last["value"] == pytest.approx(5_013.551442, abs=5e-7)
    assert (last["reawakening"], last["status"]) == (0.5, Status.ACTIVE)


def test_core_that_earns_is_worth_what_it_was_given_and_earned():
    core = FakeCore(100.0, np.array([0.1, 0.2]), np.array([0.0, 7.0]))
    core.advance(0, 10.0)
    core.advance(1, 0.0)
    assert core.value == pytest.approx(110 * 1.1 * 1.2 - 7)
    assert core.withdrawn == 7
