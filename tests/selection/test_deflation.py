"""How good the best of many looks by luck: the papers' own numbers, and the laws around them."""

import math

import pytest
from scipy.stats import norm

from sd_core.selection.deflation import deflated, effective_trials, expected_best, sessions_needed
from sd_core.selection.differences import Moments


def moments(ratio: float, skewness: float = 0.0, kurtosis: float = 3.0) -> Moments:
    return Moments(mean=ratio, deviation=1.0, ratio=ratio, skewness=skewness, kurtosis=kurtosis)


def test_deflated_sharpe_ratio_is_that_of_the_paper() -> None:
    # Bailey and López de Prado, The Deflated Sharpe Ratio (2014), the numerical example: 2.5 a year over 1 250 days
    # of 250 a year, skewness -3, kurtosis 10, 100 trials whose yearly ratios have a variance of 1/2.
    benchmark = expected_best(100, 0.5 / 250)
    assert benchmark == pytest.approx(0.113172, abs=5e-7)
    assert deflated(moments(2.5 / math.sqrt(250), -3.0, 10.0), 1_250, benchmark) == pytest.approx(0.900397, abs=5e-7)


def test_probabilistic_sharpe_ratio_is_that_of_the_paper() -> None:
    # Bailey and López de Prado, The Sharpe Ratio Efficient Frontier (2012): 0.458 a month over 24 months.
    assert deflated(moments(0.458, -2.448, 10.164), 24, 0.0) == pytest.approx(0.913361, abs=5e-7)


def test_track_record_that_is_needed_is_where_the_probability_is_95_percent() -> None:
    found = moments(0.1, -0.5, 6.0)
    needed = sessions_needed(found)
    assert needed is not None
    # Sessions are whole, so that it is a little more or less.
    assert deflated(found, round(needed), 0.0) == pytest.approx(norm.cdf(1.645), abs=5e-4)


@pytest.mark.parametrize("ratio", [0.0, -0.1])
def test_no_track_record_proves_what_is_not_there(ratio: float) -> None:
    assert sessions_needed(moments(ratio)) is None


def test_more_trials_make_luck_better_and_one_is_no_choice() -> None:
    expected = [expected_best(trials, 0.01) for trials in (1, 2, 10, 100, 1_000)]
    assert expected[0] == 0.0
    assert expected == sorted(expected)
    assert expected_best(10, 0.0) == 0.0


def test_best_of_normal_ratios_is_about_the_expected_one() -> None:
    # The mean of the largest of 10 standard normal variables is 1.53875 (Harter 1961); the formula is an approximation.
    assert expected_best(10, 1.0) == pytest.approx(1.53875, abs=0.05)


def test_equal_trials_count_once_and_independent_ones_each() -> None:
    assert effective_trials(50, 1.0) == 1.0
    assert effective_trials(50, 0.0) == 50.0
