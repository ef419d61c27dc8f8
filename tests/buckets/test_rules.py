"""Every rule at its bounds, the worked numbers, and laws that hold whatever the numbers.

Expected numbers are worked out by hand beside them, from ``docs/buckets.md``.
"""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sd_core.buckets import rules
from sd_core.buckets.rules import AWAKE, NEVER
from sd_core.schemas.kinds import Outcome, Reason, Regime, Signal, Status

TARGET, MIN_PCT = 0.10, 0.02
FLOOR = rules.floor_of(TARGET, MIN_PCT)


def level(value: float, peak: float, target: float = TARGET, min_pct: float = MIN_PCT) -> float:
    """Return the level of a bucket of an account worth 100 000 that had no flows since its peak."""
    share = rules.share_of(value, 100_000)
    by_share = rules.level_by_share(share, target, rules.floor_of(target, min_pct))
    return min(by_share, rules.level_by_drawdown(rules.drawdown_of(value, peak)))


@pytest.mark.parametrize(
    ("value", "peak", "expected"),
    [
        (8_500, 10_000, 0.7),  # .85 of the target: .8; drawdown .15: .7
        (7_500, 10_000, 0.3),  # .75 of the target: .6; drawdown .25: .3
        (6_500, 10_000, 0.0),  # drawdown .35
        (7_999, 7_999, 0.6),  # .7999 of the target
        (8_000, 8_000, 0.8),
        (5_999, 5_999, 0.4),
        (6_000, 6_000, 0.6),
        (4_000, 4_000, 0.4),  # the floor, .4 of the target
        (3_999, 3_999, 0.0),
        (9_000, 12_000, 0.3),  # drawdown .25
        (9_000, 10_500, 0.8),  # drawdown .143
        (10_000, 10_000, 1.0),
        (25_000, 25_000, 1.0),
    ],
)
def test_levels_of_a_target_of_a_tenth(value, peak, expected):
    assert level(value, peak) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.10, 1.0), (0.0999, 0.8), (0.08, 0.8), (0.0799, 0.6), (0.06, 0.6), (0.0599, 0.4), (0.05, 0.4), (0.0499, 0.0)],
)
def test_levels_of_the_dual_bucket(share, expected):
    # The floor is .05: .4 · .10 is less.
    assert level(100_000 * share, 100_000 * share, 0.10, 0.05) == expected


@pytest.mark.parametrize(("share", "expected"), [(0.025, 0.8), (0.02, 0.6), (0.0199, 0.0)])
def test_levels_of_a_small_target_end_at_the_least_share(share, expected):
    # .025 / .03 = .83; .02 / .03 = .67; the floor is .02, since .4 · .03 is less.
    assert level(100_000 * share, 100_000 * share, 0.03) == expected


@pytest.mark.parametrize(
    ("drawdown", "expected"),
    [(0.0, 1.0), (0.1499, 1.0), (0.15, 0.7), (0.2499, 0.7), (0.25, 0.3), (0.3499, 0.3), (0.35, 0.0), (1.0, 0.0)],
)
def test_levels_by_drawdown(drawdown, expected):
    assert rules.level_by_drawdown(drawdown) == expected


def test_a_bound_missed_by_rounding_is_reached():
    assert rules.level_by_drawdown(1 - 0.85) == 0.7
    assert rules.level_by_drawdown(0.35 - 1e-13) == 0.0
    assert rules.level_by_drawdown(0.35 - 1e-11) == 0.3
    # .1 · 3 = .30000000000000004, and .3 - .1 - .1 = .09999999999999998
    assert rules.level_by_share(0.3 - 0.1 - 0.1, 0.1, 0.04) == 1.0


shares = st.floats(0, 1)
targets = st.floats(0.02, 0.15)


@given(one=shares, other=shares, target=targets, min_pct=targets)
def test_the_level_by_share_never_falls_with_the_share(one, other, target, min_pct):
    low, high = sorted((one, other))
    floor = rules.floor_of(target, min_pct)
    assert rules.level_by_share(low, target, floor) <= rules.level_by_share(high, target, floor)


@given(one=shares, other=shares)
def test_the_level_by_drawdown_never_rises_with_the_drawdown(one, other):
    low, high = sorted((one, other))
    assert rules.level_by_drawdown(low) >= rules.level_by_drawdown(high)


@pytest.mark.parametrize(
    ("given_level", "expected"), [(1.0, 0.0), (0.8, 0.0), (0.7, 0.0), (0.6, 0.5), (0.4, 0.75), (0.3, 0.75)]
)
def test_lower_levels_need_conviction(given_level, expected):
    assert rules.conviction_needed(given_level) == expected


@pytest.mark.parametrize(
    ("given_level", "is_test", "open_tests", "free", "expected"),
    [
        (1.0, False, 0, 7, 7),
        (0.6, False, 0, 7, 7),
        (0.4, False, 0, 7, 1),
        (0.3, False, 0, 7, 1),
        (0.3, False, 0, 0, 0),
        (1.0, True, 0, 7, 1),
        (1.0, True, 1, 7, 0),
        (1.0, True, 0, 0, 0),
    ],
)
def test_low_levels_and_tests_open_one_position(given_level, is_test, open_tests, free, expected):
    assert rules.most_openings(given_level, is_test, open_tests, free) == expected


def drawdown_after(*sessions: tuple[float, float, float]) -> float:
    """Return the drawdown after sessions of (value, open flows, close flows), the first of which only has a value."""
    previous, index, peak = sessions[0][0], 1.0, 1.0
    for value, open_flows, close_flows in sessions[1:]:
        index = rules.index_after(index, rules.index_return(value, previous, open_flows, close_flows))
        previous, peak = value, max(peak, index)
    return rules.drawdown_of(index, peak)


def test_money_paid_in_does_not_heal_a_drawdown():
    # A peak in money plus flows would say 1 - 13 000 / 16 500 = .21.
    assert drawdown_after((10_000, 0, 0), (6_500, 0, 0), (13_000, 6_500, 0)) == pytest.approx(0.35, abs=1e-12)


def test_a_dividend_sent_away_is_earned_all_the_same():
    # 10 000 earns a dividend of 100, which goes to the core: worth 10 000 after it, and 1 % was earned.
    assert rules.index_return(10_000, 10_000, 0, -100) == pytest.approx(0.01, abs=1e-15)


def test_there_is_no_return_on_nothing():
    assert math.isnan(rules.index_return(100, 0, 0, 0))
    assert math.isnan(rules.index_return(100, 50, -50 + 1e-6, 0))
    assert rules.index_after(1.3, math.nan) == 1.3


def test_who_lost_all_has_lost_it_for_good():
    lost = rules.index_after(1.0, -1.2)
    assert lost == 0.0
    assert rules.index_after(lost, 5.0) == 0.0
    assert rules.drawdown_of(lost, 1.0) == 1.0
    assert rules.drawdown_of(lost, lost) == 1.0


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=30), st.floats(-0.9, 5.0))
def test_flows_never_move_the_index(returns, flow):
    # The same returns on the same money, and on money of which a multiple comes or goes at each open.
    index, value = 1.0, 1000.0
    for each in returns:
        moved = value * flow
        after = (value + moved) * (1 + each)
        index = rules.index_after(index, rules.index_return(after, value, moved, 0.0))
        value = 1000.0
    assert index == pytest.approx(math.prod(1 + each for each in returns), rel=1e-9)


@pytest.mark.parametrize(
    ("proceeds", "dividends", "cost", "expected"),
    [
        (99.0, 0, 100, Outcome.NEUTRAL),  # -.01 is no loss yet
        (0.99, 0, 1, Outcome.NEUTRAL),  # .99 / 1 - 1 = -.010000000000000009
        (98.99, 0, 100, Outcome.LOSS),
        (100.0, 0, 100, Outcome.NEUTRAL),
        (100.01, 0, 100, Outcome.WIN),
        (98.0, 2.5, 100, Outcome.WIN),  # what falls by its dividend has lost nothing
        (97.0, 1.5, 100, Outcome.LOSS),
        (50.0, 0, 0, Outcome.NEUTRAL),  # nothing was paid
    ],
)
def test_outcomes_of_round_trips(proceeds, dividends, cost, expected):
    assert rules.outcome_of(rules.round_trip_return(proceeds, dividends, cost)) == expected


def breaker(*trips: tuple[Outcome, bool, int]) -> tuple[int, int]:
    """Return losses and the end of the lock after round trips of (outcome, is test, day)."""
    losses, ends = 0, NEVER
    for outcome, is_test, day in trips:
        losses, ends = rules.breaker_after(losses, ends, outcome, is_test, day)
    return losses, ends


FIVE = [(Outcome.LOSS, False, day) for day in range(100, 105)]


def test_the_fifth_loss_locks_for_thirty_days():
    assert breaker(*FIVE[:4]) == (4, NEVER)
    losses, ends = breaker(*FIVE)
    assert (losses, ends) == (5, 134)
    assert [rules.is_in_force(ends, day) for day in (104, 133, 134)] == [True, True, False]
    assert [rules.is_testing(ends, day) for day in (104, 133, 134)] == [False, False, True]


def test_neutral_round_trips_neither_count_nor_clear():
    assert breaker(*FIVE[:4], (Outcome.NEUTRAL, False, 104)) == (4, NEVER)
    assert breaker(*FIVE[:4], (Outcome.NEUTRAL, False, 104), (Outcome.LOSS, False, 105)) == (5, 135)


def test_a_win_between_starts_the_count_again():
    assert breaker(*FIVE[:4], (Outcome.WIN, False, 104), *FIVE[:4]) == (4, NEVER)


@pytest.mark.parametrize("outcome", [Outcome.LOSS, Outcome.NEUTRAL])
def test_a_test_that_does_not_win_locks_thirty_more_days(outcome):
    assert breaker(*FIVE, (outcome, True, 140))[1] == 170


def test_losses_of_older_positions_do_not_lock_again():
    assert breaker(*FIVE, (Outcome.LOSS, False, 120)) == (6, 134)
    assert breaker(*FIVE, (Outcome.LOSS, False, 140)) == (6, 134)


@pytest.mark.parametrize("is_test", [True, False])
def test_any_win_clears_the_breaker(is_test):
    assert breaker(*FIVE, (Outcome.WIN, is_test, 110)) == (0, NEVER)


def test_nothing_is_locked_or_tested_before_the_first_lock():
    assert not rules.is_in_force(NEVER, 5)
    assert not rules.is_testing(NEVER, 5)


@pytest.mark.parametrize(
    ("ends", "index", "earlier", "day", "expected"),
    [
        (NEVER, 1.20, 1.0, 50, 80),
        (NEVER, 1.1999, 1.0, 50, NEVER),
        (NEVER, 0.6, 0.5, 50, 80),  # .6 / .5 - 1 = .19999999999999996
        (NEVER, 2.0, math.nan, 50, NEVER),  # no close that long ago
        (NEVER, 1.0, 0.0, 50, NEVER),
        (60, 1.5, 1.0, 59, 60),  # one runs
        (60, 1.5, 1.0, 60, 90),  # it is over
    ],
)
def test_a_gain_of_a_fifth_begins_a_cooldown(ends, index, earlier, day, expected):
    assert rules.cooldown_after(ends, index, earlier, day) == expected


def stages(*outcomes: Outcome) -> list[float]:
    """Return the factors of re-awakening before and after each round trip."""
    return [rules.stage_factor(stage) for stage in itertools.accumulate(outcomes, rules.stage_after, initial=0)]


def test_three_wins_wake_a_satellite():
    assert stages(Outcome.WIN, Outcome.WIN, Outcome.WIN) == [0.25, 0.5, 0.75, 1.0]


def test_a_loss_leads_back_to_the_first_stage():
    assert stages(Outcome.WIN, Outcome.WIN, Outcome.LOSS, Outcome.WIN) == [0.25, 0.5, 0.75, 0.25, 0.5]


def test_neutral_round_trips_leave_the_stage():
    assert stages(Outcome.WIN, Outcome.NEUTRAL) == [0.25, 0.5, 0.5]


def test_who_is_awake_stays_so():
    assert rules.stage_after(AWAKE, Outcome.LOSS) == AWAKE
    assert rules.stage_after(AWAKE, Outcome.WIN) == AWAKE


@pytest.mark.parametrize(
    ("status", "drawdown", "share", "sessions_below", "expected"),
    [
        (Status.ACCUMULATING, 0.0, FLOOR - 1e-6, 5, Status.ACCUMULATING),
        (Status.ACCUMULATING, 0.0, FLOOR, 0, Status.ACTIVE),
        (Status.ACTIVE, 0.3499, 0.1, 0, Status.ACTIVE),
        (Status.ACTIVE, 0.35, 0.1, 0, Status.HIBERNATING),
        (Status.ACTIVE, 0.0, 0.03, 20, Status.ACTIVE),
        (Status.ACTIVE, 0.0, 0.03, 21, Status.HIBERNATING),
        (Status.HIBERNATING, 0.25, 0.1, 0, Status.HIBERNATING),
        (Status.HIBERNATING, 0.2499, 0.1, 0, Status.ACTIVE),
        (Status.HIBERNATING, 0.0, 1.1 * FLOOR, 0, Status.ACTIVE),
        (Status.HIBERNATING, 0.0, 1.1 * FLOOR - 1e-6, 0, Status.HIBERNATING),
        (Status.RESEARCH, 0.5, 0.1, 0, Status.RESEARCH),
        (Status.PAUSED, 0.5, 0.0, 99, Status.PAUSED),
        (Status.RETIRED, 0.0, 0.1, 0, Status.RETIRED),
    ],
)
def test_statuses_after_a_close(status, drawdown, share, sessions_below, expected):
    assert rules.status_after(status, drawdown, share, FLOOR, sessions_below, NEVER, 500) == expected


@pytest.mark.parametrize(("day", "expected"), [(589, Status.HIBERNATING), (590, Status.ACTIVE)])
def test_a_failed_probation_sleeps_for_ninety_days(day, expected):
    assert rules.status_after(Status.HIBERNATING, 0.0, 0.1, FLOOR, 0, 500, day) == expected


def test_one_session_at_the_floor_starts_the_count_again():
    counts = itertools.accumulate(
        [0.03, 0.0399, FLOOR, 0.03], lambda count, share: rules.sessions_below_after(count, share, FLOOR), initial=0
    )
    assert list(counts) == [0, 1, 2, 0, 1]


def test_a_level_of_zero_does_not_wait_for_the_status():
    # One session below the floor: still active, yet nothing is opened.
    assert rules.status_after(Status.ACTIVE, 0.0, 0.03, FLOOR, 1, NEVER, 0) == Status.ACTIVE
    assert rules.level_by_share(0.03, TARGET, FLOOR) == 0.0


@pytest.mark.parametrize(
    ("drawdown", "quiet_since", "day", "expected"),
    [
        (0.3, 100, 280, True),
        (0.3, 100, 279, False),
        (0.2499, 100, 280, False),
        (0.3, NEVER, 280, False),
        (1.0, 100, 280, False),
    ],
)
def test_a_peak_is_given_up_after_180_days_without_a_position(drawdown, quiet_since, day, expected):
    assert rules.rebases(drawdown, quiet_since, day) == expected


@pytest.mark.parametrize(
    ("drawdown", "share", "failed_on", "expected"),
    [
        (0.0, 0.03, NEVER, True),
        (0.0, 1.1 * FLOOR, NEVER, False),  # it wakes
        (0.25, 0.03, NEVER, False),
        (0.0, 0.03, 450, False),
        (0.0, 0.03, 400, True),
    ],
)
def test_deposits_reach_who_sleeps_for_its_share_alone(drawdown, share, failed_on, expected):
    assert rules.sleeps_for_share(drawdown, share, FLOOR, failed_on, 500) == expected


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (Signal.BREAKOUT, [1, 0.5, 0, 0.5]),
        (Signal.DIP, [1, 1, 0.25, 0.5]),
        (Signal.STEADY, [1, 1, 0.5, 0.5]),
        (Signal.EX_DIVIDEND, [1, 1, 0.5, 0.5]),
    ],
)
def test_what_regimes_leave_of_openings(signal, expected):
    regimes = (Regime.BULL, Regime.SIDEWAYS, Regime.BEAR, Regime.HIGH_VOLATILITY)
    assert [rules.regime_factor(signal, regime) for regime in regimes] == expected
    assert rules.regime_factor(signal, Regime.UNKNOWN) == 1


def test_a_trailing_stop_follows_the_highest_close():
    # Bought at 91.5: 104 is 13.7 % above it, 107 is 16.9 %; 5 % below 110 are 104.50.
    assert [rules.arms(close, 91.5) for close in (93, 98, 104, 107)] == [False, False, False, True]
    assert rules.stop_after(91.5 * 0.875, 107, 0.05) == pytest.approx(101.65, abs=1e-9)
    assert rules.stop_after(101.65, 110, 0.05) == pytest.approx(104.50, abs=1e-9)


def test_a_gain_of_exactly_15_percent_does_not_arm():
    assert not rules.arms(115, 100)
    assert not rules.arms(3.45, 3)  # 3.45 / 3 - 1 = .15000000000000013
    assert rules.arms(115.01, 100)


@given(stop=st.floats(1, 100), closes=st.lists(st.floats(1, 200), min_size=1, max_size=20), trail=st.floats(0.02, 0.1))
def test_a_stop_never_falls(stop, closes, trail):
    highest = itertools.accumulate(closes, max)
    stops = [stop, *itertools.accumulate(highest, lambda at, high: rules.stop_after(at, high, trail), initial=stop)]
    assert stops == sorted(stops)


@pytest.mark.parametrize(
    ("size", "positions", "conviction", "expected"),
    [
        (0.275, 13, 0.0, 1 / 13),
        (0.275, 13, 1.0, 0.275),
        (0.325, 10, 0.5, 0.2125),  # .1 + .225 · .5
        (0.15, 5, 1.0, 0.15),  # less than an equal part
        (0.15, 5, 0.0, 0.15),
    ],
)
def test_conviction_decides_the_size_of_a_position(size, positions, conviction, expected):
    assert rules.position_share(size, positions, conviction) == pytest.approx(expected, abs=1e-15)


def test_the_first_purchase_of_the_worked_example():
    # 5 000 in 13 positions, without conviction, at the first stage: 5000 / 13 · .25.
    cost = 5_000 * rules.stage_factor(0) * rules.position_share(0.275, 13, 0.0)
    assert cost == pytest.approx(96.153846, abs=5e-7)


def factor(
    hindered=0,
    by_share=1.0,
    by_drawdown=1.0,
    is_cooling=False,
    stage=AWAKE,
    is_boosted=False,
    regime=1.0,
    is_test=False,
):
    """Return the factor and its reasons, of a satellite that nothing holds back but what is named."""
    found, reasons = rules.factor_of(hindered, by_share, by_drawdown, is_cooling, stage, is_boosted, regime, is_test)
    return pytest.approx(found, abs=1e-15), Reason(reasons)


@pytest.mark.parametrize(
    ("given_state", "expected", "reasons"),
    [
        ({}, 1.0, Reason(0)),
        ({"by_share": 0.8, "stage": 0}, 0.2, Reason.SHARE | Reason.REAWAKENING),
        ({"by_share": 0.8, "is_cooling": True}, 0.6, Reason.SHARE | Reason.COOLDOWN),
        ({"by_drawdown": 0.3, "is_boosted": True}, 0.45, Reason.DRAWDOWN | Reason.BOOST),
        ({"is_boosted": True}, 1.0, Reason.BOOST),
        ({"is_boosted": True, "regime": 0.5}, 0.5, Reason.BOOST | Reason.REGIME),
        ({"is_test": True}, 0.25, Reason.TEST),
        ({"is_test": True, "by_share": 0.4, "stage": 0}, 0.1, Reason.TEST | Reason.SHARE | Reason.REAWAKENING),
        ({"by_share": 0.0, "is_boosted": True}, 0.0, Reason.SHARE | Reason.BOOST),
        ({"regime": 0.0, "is_boosted": True}, 0.0, Reason.REGIME | Reason.BOOST),
    ],
)
def test_factors_of_several_rules_at_once(given_state, expected, reasons):
    assert factor(**given_state) == (expected, reasons)


FREE = {
    "is_halted": False,
    "is_blocked": False,
    "status": Status.ACTIVE,
    "cash": 0.0,
    "is_locked": False,
    "regime": Regime.HIGH_VOLATILITY,
    "pauses": False,
}
HINDERED = [
    ({"is_halted": True}, Reason.HALT),
    ({"is_blocked": True}, Reason.BLOCK),
    ({"status": Status.HIBERNATING}, Reason.STATUS),
    ({"cash": -0.01}, Reason.OVERDRAWN),
    ({"is_locked": True}, Reason.LOCK),
    ({"pauses": True}, Reason.HIGH_VOLATILITY),
]


def test_nothing_hinders_an_active_satellite():
    assert rules.hindrances(**FREE) == 0
    assert rules.hindrances(**FREE | {"cash": -1e-9}) == 0
    assert rules.hindrances(**FREE | {"pauses": True, "regime": Regime.BEAR}) == 0


@pytest.mark.parametrize("status", [one for one in Status if one != Status.ACTIVE])
def test_only_an_active_satellite_opens(status):
    assert rules.hindrances(**FREE | {"status": status}) == Reason.STATUS


@pytest.mark.parametrize("count", range(1, len(HINDERED) + 1))
def test_every_hindrance_makes_zero_and_all_are_listed(count):
    for chosen in itertools.combinations(HINDERED, count):
        state, reasons = dict(FREE), Reason(0)
        for change, reason in chosen:
            state |= change
            reasons |= reason
        found = rules.hindrances(**state)
        assert found == reasons
        assert factor(found, is_boosted=True, by_share=0.8) == (0.0, reasons | Reason.BOOST | Reason.SHARE)


levels = st.sampled_from([0.0, 0.3, 0.4, 0.6, 0.7, 0.8, 1.0])
states = st.fixed_dictionaries(
    {
        "hindered": st.integers(0, 63),
        "by_share": levels,
        "by_drawdown": levels,
        "is_cooling": st.booleans(),
        "stage": st.integers(0, 3),
        "is_boosted": st.booleans(),
        "of_regime": st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        "is_test": st.booleans(),
    }
)


@given(states)
def test_a_factor_lies_between_zero_and_one_and_names_what_moved_it(state):
    found, reasons = rules.factor_of(**state)
    assert 0.0 <= found <= 1.0
    assert found == 1.0 or reasons != 0
    if state["is_test"]:
        assert found <= 0.25


@given(states)
def test_a_boost_lifts_no_zero_and_lowers_nothing(state):
    plain = rules.factor_of(**state | {"is_boosted": False})[0]
    boosted = rules.factor_of(**state | {"is_boosted": True})[0]
    assert boosted >= plain
    assert (boosted == 0.0) == (plain == 0.0)


@given(states, levels)
def test_a_factor_never_rises_as_a_level_falls(state, other):
    lower = min(state["by_share"], other)
    assert rules.factor_of(**state | {"by_share": lower})[0] <= rules.factor_of(**state)[0]
