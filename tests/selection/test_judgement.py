"""Tests together: what a family of scenarios is judged by, and what is made of scenarios without days."""

import numpy as np
import pytest

from sd_core.selection.differences import (
    BLOCKS,
    MEASURES,
    NUMBERS,
    Differences,
    block_lengths,
    differences,
    moments_of,
    sums_of,
)
from sd_core.selection.judgement import Evidence, Judgement, Tried, gather, is_distinguished, judge, samples_of

SESSIONS = 640


def returns(seed: int, scenarios: int, gap: float = 0.0) -> np.ndarray:
    """Return buy-and-hold, then scenarios that follow it with noise of their own; the last has more by a gap."""
    draws = np.random.default_rng(seed)
    market = draws.normal(0.0004, 0.01, SESSIONS)
    others = market[:, None] * 0.8 + draws.normal(0.0, 0.003, (SESSIONS, scenarios))
    others[:, -1] += gap
    return np.column_stack([market, others])


def known(columns: np.ndarray) -> list[Differences | None]:
    cash = np.full(SESSIONS, 0.0001)
    return [differences(columns[:, place], columns[:, 0], cash) for place in range(1, columns.shape[1])]


def evidence(found: list, families: list[frozenset[int]] | None = None) -> dict[str, Evidence]:
    sums = np.full((len(found), len(MEASURES), NUMBERS), np.nan)
    with_days = []
    for place, one in enumerate(found):
        if isinstance(one, np.ndarray):
            sums[place] = one
        else:
            with_days.append((place, one))
    return gather(with_days, sums, families or [frozenset(range(len(found)))], samples_of(SESSIONS, 5.0, 1), 5.0)


def judged(columns: np.ndarray, measure: str = "sharpe", trials: int = 8) -> Judgement:
    found = known(columns)
    result = judge(evidence(found)[measure], 0, range(len(found)), Tried(trials))
    assert result is not None
    return result


def test_difference_of_growth_is_that_of_log_wealth() -> None:
    columns = returns(1, 1)
    (found,) = known(columns)
    assert found is not None
    wealth = np.prod(1 + columns, axis=0)
    assert found.growth.sum() == pytest.approx(np.log(wealth[1] / wealth[0]))


def test_mean_by_sharpe_is_the_difference_of_the_ratios_times_the_volatility_held() -> None:
    columns = returns(1, 1)
    (found,) = known(columns)
    assert found is not None
    excess = columns - 0.0001
    volatility = excess.std(axis=0, ddof=1)
    ratios = excess.mean(axis=0) / volatility
    assert found.sharpe.mean() == pytest.approx((ratios[1] - ratios[0]) * volatility[0])


@pytest.mark.parametrize("odd", [-1.0, np.nan])
def test_portfolio_that_lost_all_is_not_compared(odd: float) -> None:
    columns = returns(1, 1)
    columns[50, 1] = odd
    assert known(columns) == [None]


def test_cash_alone_has_no_volatility_to_be_scaled() -> None:
    columns = np.column_stack([returns(1, 1)[:, 0], np.full(SESSIONS, 0.0001)])
    assert known(columns) == [None]


@pytest.mark.parametrize("sessions", [32, 33, 640, 655])
def test_moments_from_sums_are_those_of_the_series(sessions: int) -> None:
    series = np.random.default_rng(sessions).normal(0.001, 0.01, sessions)
    lengths = block_lengths(sessions)
    assert (len(lengths), lengths.sum(), np.ptp(lengths) <= 1) == (BLOCKS, sessions, True)
    found = moments_of(sums_of(series), sessions)
    deviation = series.std(ddof=1)
    assert found[:3] == pytest.approx((series.mean(), deviation, series.mean() / deviation))


def test_noise_is_not_distinguished_and_a_planted_winner_is() -> None:
    noise = judged(returns(3, 8))
    assert noise.is_distinguished is False
    planted = judged(returns(3, 8, gap=0.001))
    assert (planted.best, planted.is_distinguished) == (7, True)
    assert planted.in_set == frozenset({7})
    assert planted.superiority is not None
    assert planted.superiority.consistent <= 0.05
    assert planted.deflated >= 0.95


def test_more_trials_make_the_same_best_less_sure() -> None:
    columns = returns(3, 8, gap=0.0003)
    chances = [judged(columns, trials=trials).deflated for trials in (8, 100, 10_000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[-1]


def test_mean_correlation_is_that_of_all_pairs() -> None:
    columns = returns(4, 5)
    series = np.column_stack([one.sharpe for one in known(columns) if one is not None])
    pairs = np.corrcoef(series.T)[np.triu_indices(5, 1)]
    assert judged(columns).mean_correlation == pytest.approx(pairs.mean())


def test_sums_serve_where_days_are_gone() -> None:
    whole = known(returns(5, 6))
    few = [one if place < 2 else np.array([*map(sums_of, one)]) for place, one in enumerate(whole) if one is not None]
    with_days, without = (judge(evidence(list(found))["growth"], 0, range(6), Tried(6)) for found in (whole, few))
    assert with_days is not None
    assert without is not None
    np.testing.assert_array_equal(without.moments, with_days.moments)
    assert without.deflated == with_days.deflated
    assert without.overfitting is not None
    assert with_days.overfitting is not None
    np.testing.assert_array_equal(without.overfitting.ranks, with_days.overfitting.ranks)
    assert without.p_values.keys() == {0, 1}


def test_families_are_judged_by_their_own_members_alone() -> None:
    found = known(returns(6, 6, gap=0.001))
    of_all = evidence(found, [frozenset(range(6)), frozenset({0, 1, 2})])["growth"]
    alone = judge(evidence(found[:3])["growth"], 0, range(3), Tried(6))
    part = judge(of_all, 1, (0, 1, 2), Tried(6))
    assert part is not None
    assert alone is not None
    assert part.best != 5
    assert part.superiority == alone.superiority
    assert part.p_values == alone.p_values
    assert part.mean_correlation == pytest.approx(alone.mean_correlation)


def test_scenarios_that_are_the_same_share_a_fate() -> None:
    columns = returns(7, 4)
    twice = np.column_stack([columns, columns[:, 2]])
    once, again = judged(columns), judged(twice)
    assert again.superiority == once.superiority
    assert again.p_values == once.p_values | {4: once.p_values[1]}


def test_what_equals_buy_and_hold_is_judged_without_a_division_by_zero() -> None:
    columns = returns(8, 1)
    columns[:, 1] = columns[:, 0]
    with np.errstate(all="raise"):
        found = judged(columns, trials=1)
    assert (found.of_best.ratio, found.is_distinguished) == (0.0, False)


@pytest.mark.parametrize(
    ("p_value", "chance", "overfit", "expected"),
    [
        (0.05, 0.95, 0.49, True),
        (0.051, 0.95, 0.49, False),
        (0.05, 0.949, 0.49, False),
        (0.05, 0.95, 0.5, False),
        (None, 0.95, 0.49, None),
        (0.05, 0.95, None, None),
        (None, 0.9, None, False),
    ],
)
def test_every_test_must_be_passed(
    p_value: float | None, chance: float, overfit: float | None, expected: bool | None
) -> None:
    assert is_distinguished(p_value, chance, overfit) is expected
