"""The compiled Markov-switching model against statsmodels, against Stata's published fit, and without a look ahead."""

import ast
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from statsmodels.tsa import regime_switching
from statsmodels.tsa.regime_switching.markov_autoregression import MarkovAutoregression
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from sd_core.analytics import markov
from sd_core.analytics.markov import Fit, Parameters, filtered, fit, refitted_monthly

CALM_AND_WILD = Parameters(means=(0.05, 0.05), variances=(0.5, 4.0), stay=(0.98, 0.95))
LOW_AND_HIGH = Parameters(means=(-1.0, 1.5), variances=(0.4, 0.9), stay=(0.97, 0.96))


def simulated(parameters: Parameters, count: int, seed: int = 7) -> np.ndarray:
    draws = np.random.default_rng(seed)
    state, series = 0, np.empty(count)
    for t in range(count):
        state = state if draws.random() < parameters.stay[state] else 1 - state
        series[t] = draws.normal(parameters.means[state], parameters.variances[state] ** 0.5)
    return series


def shipped(module: str, name: str) -> list[float]:
    """Return a list of numbers from statsmodels' own tests, where the installed package has them.

    It is read from the source: importing these tests would need their configuration of pytest.
    """
    file = Path(regime_switching.__file__).parent / "tests" / f"{module}.py"
    if not file.exists():
        pytest.skip("this installation of statsmodels came without its tests and their data")
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise ValueError(f"{file}: expected a list named {name}")


def statsmodels_parameters(parameters: Parameters, shared_mean: bool) -> list[float]:
    means = parameters.means[:1] if shared_mean else parameters.means
    return [parameters.stay[0], 1 - parameters.stay[1], *means, *parameters.variances]


@pytest.mark.parametrize(("parameters", "shared_mean"), [(CALM_AND_WILD, True), (LOW_AND_HIGH, False)])
def test_filter_is_that_of_statsmodels(parameters, shared_mean):
    series = simulated(parameters, 700)
    model = MarkovRegression(series, k_regimes=2, switching_trend=not shared_mean, switching_variance=True)
    expected = model.filter(statsmodels_parameters(parameters, shared_mean))
    log_likelihood, probability = filtered(series, parameters)
    assert log_likelihood == pytest.approx(expected.llf, rel=1e-12)
    np.testing.assert_allclose(probability, expected.filtered_marginal_probabilities[:, 1], atol=1e-12)


@pytest.mark.parametrize(("parameters", "shared_mean"), [(CALM_AND_WILD, True), (LOW_AND_HIGH, False)])
def test_fit_is_as_likely_as_that_of_statsmodels_and_at_the_same_place(parameters, shared_mean):
    series = simulated(parameters, 1500)
    model = MarkovRegression(series, k_regimes=2, switching_trend=not shared_mean, switching_variance=True)
    expected = model.fit(disp=False)
    found = fit(series, shared_mean=shared_mean)
    assert found.converged
    assert found.log_likelihood >= expected.llf - 1e-6
    assert found.log_likelihood == pytest.approx(expected.llf, abs=1e-3)
    np.testing.assert_allclose(statsmodels_parameters(found.parameters, shared_mean), expected.params, rtol=0.01)


def test_federal_funds_rate_has_the_published_likelihood():
    # StataCorp, Stata 14 manual, mswitch: two-state model of the federal funds rate with one variance.
    variance = 2.107562**2
    parameters = Parameters((3.70877, 9.556793), (variance, variance), (0.9820939, 1 - 0.0503587))
    series = np.asarray(shipped("test_markov_regression", "fedfunds"), dtype=float)
    assert filtered(series, parameters)[0] == pytest.approx(-508.63592, abs=1e-4)


def test_statsmodels_gives_the_published_likelihood_of_growth_in_gnp():
    # Hamilton (1989): the library that the filter is compared with answers for the model that founded the field.
    series = shipped("test_markov_autoregression", "rgnp")
    model = MarkovAutoregression(series, k_regimes=2, order=4, switching_ar=False)
    variance = np.exp(-0.262658) ** 2
    parameters = [0.754673, 0.095915, -0.358811, 1.163516, variance, 0.013486, -0.057521, -0.246983, -0.212923]
    assert model.loglike(parameters) == pytest.approx(-181.26339, abs=1e-4)


def test_gradient_is_that_of_finite_differences():
    series = simulated(LOW_AND_HIGH, 300)
    place = np.array(markov._unpack(LOW_AND_HIGH))
    _, gradient, _ = markov._hamilton(series, *place, markov.NO_MATRIX)
    numerical = approx_fprime(place, lambda values: markov._hamilton(series, *values, markov.NO_MATRIX)[0], 1e-7)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-4, atol=1e-3)


def test_state_one_is_the_wild_one_or_the_high_one():
    calm_first = fit(simulated(CALM_AND_WILD, 1500), shared_mean=True).parameters
    assert calm_first.variances[0] < calm_first.variances[1]
    falling = fit(-simulated(LOW_AND_HIGH, 1500), shared_mean=False).parameters
    assert falling.means[0] < falling.means[1]


def months_of(count: int) -> np.ndarray:
    return np.arange(count) // 21


def test_probability_rests_on_earlier_parameters_and_earlier_observations_alone():
    series, minimum = simulated(CALM_AND_WILD, 900), 500
    whole = refitted_monthly(series, months_of(900), minimum, shared_mean=True)
    for count in (899, 850, 820, 700):
        cut = refitted_monthly(series[:count], months_of(count), minimum, shared_mean=True)
        np.testing.assert_array_equal(cut, whole[:count])


def test_probability_of_a_month_is_filtered_under_the_fit_to_everything_before_it():
    series, minimum = simulated(CALM_AND_WILD, 600), 500
    # Month 24 begins with observation 504; it is a January, so the fit to what lies before begins afresh.
    scale = series[:minimum].std()
    expected = fit(series[:504] / scale, shared_mean=True)
    found = refitted_monthly(series, months_of(600), minimum, shared_mean=True)
    assert np.isnan(found[:504]).all()
    np.testing.assert_array_equal(found[504:525], filtered(series[:525] / scale, expected.parameters)[1][504:])


def test_fit_that_does_not_converge_leaves_the_parameters_of_the_month_before(monkeypatch):
    series, minimum = simulated(CALM_AND_WILD, 600), 500
    fit_from = markov._fit_from
    given = []

    def failing_after_the_first_month(past, *begin):
        found = fit_from(past, *begin)
        if len(past) == 504:
            given.append(found)
            return found
        return Fit(LOW_AND_HIGH, found.log_likelihood, converged=False)

    monkeypatch.setattr(markov, "_fit_from", failing_after_the_first_month)
    found = refitted_monthly(series, months_of(600), minimum, shared_mean=True)
    best = max(given, key=lambda one: one.log_likelihood)
    np.testing.assert_array_equal(found[504:], filtered(series / series[:minimum].std(), best.parameters)[1][504:])


@pytest.mark.parametrize(("parameters", "shared_mean"), [(CALM_AND_WILD, True), (LOW_AND_HIGH, False)])
def test_fit_begun_with_an_earlier_hessian_ends_where_a_fresh_one_does(parameters, shared_mean):
    series = simulated(parameters, 1500)
    before, fresh = fit(series[:-21], shared_mean=shared_mean), fit(series, shared_mean=shared_mean)
    assert before.inverse_hessian is not None
    warm = markov._fit_from(series, before.parameters, shared_mean, before.inverse_hessian)
    assert warm.converged
    assert warm.log_likelihood == pytest.approx(fresh.log_likelihood, abs=1e-8)
    np.testing.assert_allclose(filtered(series, warm.parameters)[1], filtered(series, fresh.parameters)[1], atol=1e-4)


def test_state_that_was_never_left_can_still_be_left():
    draws = np.random.default_rng(9)
    series = np.concatenate([draws.normal(0, 1, 700), draws.normal(30, 1, 300), draws.normal(0, 1, 200)])
    found = refitted_monthly(series, months_of(1200), 500, shared_mean=False)
    assert np.isfinite(found[504:]).all()
    assert (found[720:1000] > 0.99).all()
    assert (found[1020:] < 0.01).all()


def test_moves_of_one_size_have_no_two_states():
    series = np.where(np.random.default_rng(3).random(700) < 0.7, 0.01, -0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(refitted_monthly(series, months_of(700), 500, shared_mean=False)).all()


def test_series_that_only_rounding_moves_has_no_probability():
    # The mean of 504 of these equal numbers is rounded, so that they seem to lie a hair beside it; that of 520 is not.
    series = np.full(520, math.atanh(1 - 1e-9))
    assert np.isnan(refitted_monthly(series, np.arange(520), 504, shared_mean=False)).all()


def test_series_that_never_moves_or_is_too_short_has_no_probability():
    assert np.isnan(refitted_monthly(np.zeros(600), months_of(600), 500, shared_mean=True)).all()
    assert np.isnan(refitted_monthly(simulated(CALM_AND_WILD, 500), months_of(500), 500, shared_mean=True)).all()
    assert len(refitted_monthly(np.empty(0), months_of(0), 500, shared_mean=True)) == 0
