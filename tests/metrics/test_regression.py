"""Least squares with errors after Newey and West: against gretl, statsmodels, and worked by hand."""

import numpy as np
import pytest
from statsmodels.datasets import macrodata
from statsmodels.regression.linear_model import OLS

from sd_core.metrics.regression import hac_lag, regress


def test_errors_are_those_that_gretl_gives_for_american_investment():
    """400 Δln investment on 400 Δln GDP and the real rate of the quarter before, lag 4: gretl, HAC with correction."""
    data = macrodata.load_pandas().data
    growth, investment = (400 * np.diff(np.log(data[name])) for name in ("realgdp", "realinv"))
    found = regress(investment, np.column_stack([growth, data["realint"][:-1]]))
    assert (found.observations, found.lag) == (202, 4)
    assert found.errors[0] ** 2 == pytest.approx(1.406439, abs=5e-7)
    assert found.t[1] == pytest.approx(13.20494, abs=5e-6)


@pytest.mark.parametrize("regressors", [1, 3, 6])
def test_every_number_is_that_of_statsmodels(regressors):
    rng = np.random.default_rng(regressors)
    noise = rng.normal(size=400)
    noise[1:] += 0.5 * noise[:-1]  # neighbours depend on each other
    data = rng.normal(size=(400, regressors))
    outcome = 0.1 + data @ rng.normal(size=regressors) + noise * (1 + data[:, 0] ** 2)
    found = regress(outcome, data)
    design = np.column_stack([np.ones(400), data])
    theirs = OLS(outcome, design).fit(
        cov_type="HAC", cov_kwds={"maxlags": found.lag, "use_correction": True}, use_t=True
    )
    for own, other in (
        (found.coefficients, theirs.params),
        (found.errors, theirs.bse),
        (found.t, theirs.tvalues),
        (found.p_values, theirs.pvalues),
        (found.coefficients + found.margins, theirs.conf_int()[:, 1]),
        (found.r_squared, theirs.rsquared),
        (found.residual_deviation, np.sqrt(theirs.scale)),
    ):
        assert own == pytest.approx(other, rel=1e-9)


def test_line_through_four_points():
    """Of 1, 1, 3, 5 on x = 0, 1, 2, 3: slope 7/5, intercept 4/10, residuals .6, -.8, -.2, .4; lag 1."""
    found = regress(np.array([1.0, 1.0, 3.0, 5.0]), np.array([[0.0], [1.0], [2.0], [3.0]]))
    assert found.coefficients == pytest.approx([0.4, 1.4])
    assert found.residual_deviation == pytest.approx(np.sqrt(1.2 / 2))
    assert found.r_squared == pytest.approx(1 - 1.2 / 11)
    assert found.lag == 1


@pytest.mark.parametrize(("observations", "lag"), [(60, 3), (100, 4), (202, 4), (1000, 6), (8312, 10)])
def test_lag_grows_slowly(observations, lag):
    assert hac_lag(observations) == lag


@pytest.mark.parametrize(
    "regressors",
    [
        np.ones((50, 1)),
        np.zeros((50, 1)),
        np.column_stack([np.arange(50.0), 3 - 2 * np.arange(50.0)]),
        np.random.default_rng(1).normal(size=(50, 50)),
    ],
)
def test_regressors_that_determine_no_coefficients_give_none(regressors):
    assert regress(np.random.default_rng(2).normal(size=50), regressors) is None
