"""The meta-allocator: worked evaluations, and the clamp compared with bisection.

Expected numbers are worked out by hand beside them.
"""

import math

import empyrical
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sd_core.buckets import allocator
from sd_core.buckets.measures import measures_of
from sd_core.schemas.kinds import Probation, Status

CENTS = 100


def array(*numbers):
    return np.array(numbers, dtype=float)


def test_the_measures_are_those_of_another_library():
    generator = np.random.default_rng(3)
    returns = generator.normal(0.0005, 0.01, 252)
    excess = returns - 0.0001
    gains = generator.normal(20, 100, 30)
    sharpe, sortino, profit_factor, win_rate, calmar = measures_of(returns, excess, gains, 365.25, 252)
    assert sharpe == pytest.approx(empyrical.sharpe_ratio(excess), rel=1e-12)
    assert sortino == pytest.approx(empyrical.sortino_ratio(excess), rel=1e-12)
    # 252 returns are a year there, 365.25 days here.
    assert calmar == pytest.approx(empyrical.calmar_ratio(returns), rel=1e-12)
    assert profit_factor == pytest.approx(gains[gains > 0].sum() / -gains[gains < 0].sum(), rel=1e-12)
    assert win_rate == pytest.approx((gains > 0).mean(), rel=1e-12)


def test_measures_that_there_are_not_are_none():
    assert np.isnan(measures_of(array(0.01), array(0.01), array(5.0), 1, 252)).all()
    sharpe, sortino, profit_factor, win_rate, calmar = measures_of(
        array(0.01, 0.01), array(0.01, 0.01), array(), 2, 252
    )
    assert np.isnan([sharpe, sortino, profit_factor, win_rate, calmar]).all()


def test_gains_without_a_loss_have_an_infinite_profit_factor():
    assert measures_of(array(0.01, -0.01), array(0.01, -0.01), array(5.0, 0.0), 2, 252)[2:4] == (math.inf, 0.5)


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        ((1.2, 1.8, 1.5, 0.6, 0.9), 1.15),  # .36 + .54 + .10 + .06 + .09
        ((9, 9, math.inf, 1, 9), 2.9),  # bounds: .9 + 1.2 + .4 + .1 + .3
        ((-9, -9, 0, 0, -9), -2.6),  # -.9 - 1.2 - .2 + 0 - .3
        ((math.nan,) * 5, 0.0),
    ],
)
def test_scores_are_weighted_measures_within_bounds(measures, expected):
    assert allocator.score_of(*measures) == pytest.approx(expected, abs=1e-12)


def test_the_long_window_counts_three_quarters():
    assert allocator.blended(1.0, -1.0) == 0.5


@pytest.mark.parametrize(
    ("probation", "status", "days", "trades", "score", "expected"),
    [
        (Probation.PENDING, Status.ACTIVE, 181, 9, 1.0, Probation.PENDING),
        (Probation.PENDING, Status.ACTIVE, 182, 4, 1.0, Probation.EXTENDED),
        (Probation.EXTENDED, Status.ACTIVE, 273, 5, 0.1, Probation.PASSED),
        (Probation.PENDING, Status.ACTIVE, 182, 5, 0.0, Probation.FAILED),
        (Probation.FAILED, Status.HIBERNATING, 273, 5, 1.0, Probation.PENDING),
        (Probation.PENDING, Status.ACTIVE, 400, 5, 1.0, Probation.PASSED),
        (Probation.PASSED, Status.ACTIVE, 400, 0, -2.0, Probation.PASSED),
        (Probation.PASSED, Status.HIBERNATING, 400, 0, -2.0, Probation.PASSED),
    ],
)
def test_probation_is_judged_after_half_a_year(probation, status, days, trades, score, expected):
    assert allocator.probation_after(probation, status, days, trades, score) == expected


@pytest.mark.parametrize(
    ("status", "probation", "trades", "expected"),
    [
        (Status.ACTIVE, Probation.PASSED, 5, True),
        (Status.HIBERNATING, Probation.PASSED, 5, True),
        (Status.ACTIVE, Probation.PASSED, 4, False),
        (Status.ACTIVE, Probation.EXTENDED, 9, False),
        (Status.PAUSED, Probation.PASSED, 9, False),
        (Status.ACCUMULATING, Probation.PENDING, 0, False),
    ],
)
def test_members_have_passed_and_traded(status, probation, trades, expected):
    assert allocator.is_member(status, probation, trades) == expected


@pytest.mark.parametrize(
    ("mean", "sessions", "episodes", "expected"),
    [(0.001, 63, 2, 1.25), (-0.001, 63, 2, 0.75), (0.001, 62, 2, 1), (0.001, 63, 1, 1), (0.0, 63, 2, 1)],
)
def test_a_record_in_the_present_regime_tilts_the_weight(mean, sessions, episodes, expected):
    assert allocator.tilt_of(mean, sessions, episodes) == expected


def evaluated(current, scores, pool, least, most):
    """Return clamped shares and new targets, with the flag for a pool that is too small."""
    count = len(current)
    weights = allocator.weights_of(array(*scores), np.ones(count))
    clamped, is_too_small = allocator.clamped_shares(weights, np.full(count, least), np.full(count, most), pool)
    return clamped.tolist(), allocator.damped(array(*current), clamped).tolist(), is_too_small


@pytest.mark.parametrize(
    ("current", "scores", "pool", "bounds", "clamped", "new"),
    [
        # λ = .1: 1.2 λ = .12, .5 λ = .05, and the least
        ((0.07, 0.07, 0.06), (1.2, 0.5, -0.3), 0.20, (0.03, 0.12), (0.12, 0.05, 0.03), (0.095, 0.06, 0.045)),
        # The most and the least are .15 of .20: .05 are the core's, and .025 after damping.
        ((0.10, 0.10), (2, -1), 0.20, (0.03, 0.12), (0.12, 0.03), (0.11, 0.065)),
        # .15 less twice the least
        ((0.05, 0.05, 0.05), (1, 0, 0), 0.15, (0.02, 0.15), (0.11, 0.02, 0.02), (0.08, 0.035, 0.035)),
        # None is positive: equal parts
        ((0.10, 0.04), (-1, -2), 0.14, (0.02, 0.15), (0.07, 0.07), (0.085, 0.055)),
    ],
)
def test_worked_evaluations(current, scores, pool, bounds, clamped, new):
    found, targets, is_too_small = evaluated(current, scores, pool, *bounds)
    assert found == pytest.approx(clamped, abs=1e-15)
    assert targets == pytest.approx(new, abs=1e-15)
    assert not is_too_small


def test_a_pool_too_small_for_the_least_shares_is_divided_equally():
    found, targets, is_too_small = evaluated((0.05, 0.03), (1, 2), 0.05, 0.03, 0.15)
    assert found == [0.025, 0.025]
    assert targets == pytest.approx([0.0375, 0.0275], abs=1e-15)
    assert is_too_small


def test_a_score_of_no_more_than_rounding_is_none():
    weights = allocator.weights_of(array(1e-13, 0.5), np.ones(2))
    assert weights.tolist() == [0.0, 0.5]


def test_tilts_apply_to_equal_weights_too():
    assert allocator.weights_of(array(-1, -1), array(1.25, 0.75)).tolist() == [1.25, 0.75]


def bisected(weights, least, most, pools):
    """Return the clamped shares of many pools, a row each, by halving an interval of λ until nothing is left of it."""

    def shares_at(factors):
        return np.clip(factors[:, None] * weights, least, most)

    high = np.ones(len(pools))
    while (is_short := (shares_at(high).sum(axis=1) < pools) & (high < 1e30)).any():
        high[is_short] *= 2
    low = np.zeros(len(pools))
    while ((low < (middle := (low + high) / 2)) & (middle < high)).any():
        is_below = shares_at(middle).sum(axis=1) < pools
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return shares_at(high)


def test_clamped_shares_are_those_of_bisection_on_20_000_draws():
    generator = np.random.default_rng(11)
    draws, most_members = 20_000, 8
    weights, least, most = np.zeros((3, draws, most_members))
    pools = np.empty(draws)
    found = np.zeros((draws, most_members))
    # What a row has no member for has neither a weight nor a share.
    for row, count in enumerate(generator.integers(1, most_members + 1, draws).tolist()):
        scores = np.maximum(generator.normal(0.3, 1.0, count), 0.0)
        weights[row, :count] = allocator.weights_of(scores, generator.choice([0.75, 1.0, 1.25], count))
        least[row, :count] = lower = generator.uniform(0.02, 0.05, count)
        most[row, :count] = upper = lower + generator.uniform(0.0, 0.10, count)
        pools[row] = generator.uniform(lower.sum(), 0.30) if lower.sum() < 0.30 else lower.sum()
        shares, is_too_small = allocator.clamped_shares(weights[row, :count], lower, upper, pools[row])
        found[row, :count] = shares
        assert not is_too_small
    assert np.abs(found - bisected(weights, least, most, pools)).max() < 1e-12


clampable = st.lists(st.tuples(st.floats(0, 3), st.floats(0.02, 0.08), st.floats(0.0, 0.1)), min_size=1, max_size=8)


# .11 / .4 · .4 misses .11 by a bit.
@example([(0.4, 0.02, 0.09), (2.2, 0.03, 0.10)], 0.4)
@given(clampable, st.floats(0.0, 0.4))
def test_shares_keep_their_bounds_and_the_rest_is_the_core_s(members, pool):
    scores, least, spans = (array(*column) for column in zip(*members, strict=True))
    most = least + spans
    weights = allocator.weights_of(scores, np.ones(len(scores)))
    found, is_too_small = allocator.clamped_shares(weights, least, most, pool)
    assert is_too_small == (least.sum() > pool + 1e-12)
    if is_too_small:
        assert found == pytest.approx(np.full(len(found), pool / len(found)))
        return
    assert (found >= least - 1e-15).all()
    assert (found <= most + 1e-15).all()
    rest = pool - found.sum()
    assert rest >= -1e-12
    # Only what no factor places is left over: then all that have a weight are at their most.
    assert rest < 1e-12 or (found[weights > 0] == most[weights > 0]).all()


@given(clampable, st.floats(0.0, 0.4))
def test_a_higher_score_never_gets_less_within_the_same_bounds(members, pool):
    scores = array(*sorted(one[0] for one in members))
    weights = allocator.weights_of(scores, np.ones(len(scores)))
    found, _ = allocator.clamped_shares(weights, np.full(len(scores), 0.02), np.full(len(scores), 0.15), pool)
    assert (np.diff(found) >= -1e-15).all()


@given(clampable, st.floats(0.05, 0.4), st.data())
def test_damped_targets_fit_the_pool_that_both_fit(members, pool, data):
    scores, least, spans = (array(*column) for column in zip(*members, strict=True))
    current = array(*(data.draw(st.floats(0, pool / len(scores))) for _ in scores))
    found, _ = allocator.clamped_shares(allocator.weights_of(scores, np.ones(len(scores))), least, least + spans, pool)
    assert allocator.damped(current, found).sum() <= pool + 1e-12


def test_worked_moves():
    # Gives: min(2 500, 9 000 - 7 000) and min(4 000, 4 000 - 2 000); needed: 6 000 - 3 000, half from each.
    moved = allocator.moves_of(
        array(9_000, 3_000, 4_000), array(2_500, 0, 4_000), array(0.07, 0.06, 0.02), 100_000, CENTS
    )
    assert moved.tolist() == [[0, 1_500, 0, 500], [0, 0, 0, 0], [0, 1_500, 0, 500]]
    assert (moved[:, :-1].sum(axis=0) - moved.sum(axis=1)).tolist() == [-2_000, 3_000, -2_000]


def test_needs_beyond_what_is_given_are_served_in_proportion():
    # 1 000 for needs of 3 000 and 1 000
    moved = allocator.moves_of(array(9_000, 1_000, 1_000), array(1_000, 0, 0), array(0.05, 0.04, 0.02), 100_000, CENTS)
    assert moved[0].tolist() == [0, 750, 250, 0]


def test_cents_that_cannot_be_divided_go_to_the_core():
    moved = allocator.moves_of(array(100, 0, 0, 0), array(10, 0, 0, 0), array(0.0, 0.1, 0.1, 0.1), 100, CENTS)
    assert moved[0].tolist() == pytest.approx([0, 3.33, 3.33, 3.33, 0.01], abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(-(10**5), 10**7), st.floats(0, 0.15)), min_size=1, max_size=6)
)
def test_moves_create_no_money_and_leave_the_core_no_debt(members):
    values, cash, targets = (array(*column) for column in zip(*members, strict=True))
    values, cash, total = values / CENTS, cash / CENTS, values.sum() / CENTS * 3
    moved = allocator.moves_of(values, cash, targets, total, CENTS)
    assert (moved >= 0).all()
    assert np.abs(moved * CENTS - np.round(moved * CENTS)).max() < 1e-6
    given_away, received = moved.sum(axis=1), moved[:, :-1].sum(axis=0)
    assert (given_away <= np.maximum(cash, 0) + 1e-6).all()
    assert (given_away <= np.maximum(values - targets * total, 0) + 1e-6).all()
    assert (received <= np.maximum(targets * total - values, 0) + 1e-6).all()


@pytest.mark.parametrize(("sessions", "expected"), [(252, 0.85), (1008, 1.70)])
def test_a_sharpe_of_one_and_a_half_beside_one_of_a_third_says_little(sessions, expected):
    # Errors √(1 + 2.25 / 504) and √(1 + .09 / 504) over one year, half of that over four: 1.2 / √2.00464 = .8475.
    errors = allocator.distinction(array(1.5, 0.3), np.array([sessions, sessions]), 252)
    assert errors == pytest.approx(expected, abs=0.005)
    assert not allocator.is_distinguished(errors)


def test_the_best_and_the_worst_of_several_are_compared():
    sharpes, observations = array(0.5, math.nan, 3.0, -1.0), np.array([252, 0, 252, 126])
    # √((1 + 9 / 504) + (1 + 1 / 504) · 2) = √3.02183
    errors = allocator.distinction(sharpes, observations, 252)
    assert errors == pytest.approx(4 / math.sqrt(1 + 9 / 504 + 2 * (1 + 1 / 504)), rel=1e-12)
    assert allocator.is_distinguished(errors)


def test_fewer_than_two_ratios_cannot_be_compared():
    assert math.isnan(allocator.distinction(array(1.0, math.nan), np.array([252, 0]), 252))
    assert math.isnan(allocator.distinction(array(), np.array([], dtype=int), 252))
    assert not allocator.is_distinguished(math.nan)


def test_equal_ratios_lie_no_errors_apart():
    assert allocator.distinction(array(1.0, 1.0), np.array([252, 252]), 252) == 0.0
