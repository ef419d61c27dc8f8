"""Withdrawals in bootstrap samples: what is paid, when it ends, and the highest rate that is paid to the end."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from support.generators import panel_of, rules_of

from pipelines.workers import Threads
from sd_core.market.panel import Panel
from sd_core.market.sessions import calendar_days
from sd_core.resampling.histories import Drawn, Relatives, draw_sessions
from sd_core.resampling.outcomes import in_samples
from sd_core.resampling.withdrawals import (
    RATE_TOLERANCE,
    HighestRate,
    at_rate,
    falls_due,
    highest_rates,
    paid,
    year_numbers,
)
from sd_core.simulation.rules import Every, Rules, Shortfall, Variant

CAPITAL = 1_000.0
MONTHS = calendar_days(pd.date_range("1990-01-01", "2020-01-01", freq="MS"))  # 360 payments
YEARS = 30
NOTHING = np.zeros(1)
NO_LIMIT = np.full(1, np.inf)


def unit(**rules: object) -> Rules:
    """Return the rules of holding one asset and withdrawing the capital each year, month by month."""
    defaults = {
        "variant": Variant.NO_RULE,
        "capital": CAPITAL,
        "withdrawal": CAPITAL / 12,
        "withdrawal_every": Every.MONTH,
        "shortfall": Shortfall.PRO_RATA,
    }
    return rules_of(assets=1, **defaults | rules)


def growing(rate: float, price_index: np.ndarray | None = None) -> Panel:
    prices = 100 * (1 + rate) ** np.arange(len(MONTHS))
    return panel_of(prices, sessions=MONTHS, price_index=price_index)


def annuity(rate: float, payments: int = 360) -> float:
    """Return the payment per period that uses up a capital of 1: rate / (1 - (1 + rate) ** -payments)."""
    return rate / (1 - (1 + rate) ** -payments) if rate else 1 / payments


def highest(panel: Panel, rules: Rules, low: float = 0.0, high: float = np.inf, enough: float = np.inf) -> HighestRate:
    (found,) = highest_rates(panel, [rules], np.array([low]), np.array([high]), np.array([enough]))
    return found


@pytest.mark.parametrize("rate", [-0.004, 0.0, 0.003, 0.01, 0.05])
def test_highest_rate_on_steady_growth_is_the_annuity(rate):
    found = highest(growing(rate), unit())
    expected = 12 * annuity(rate)
    assert expected - RATE_TOLERANCE <= found.rate <= expected * (1 + 1e-9)
    assert not found.is_beyond


def test_highest_rate_of_indexed_withdrawals_is_the_annuity_of_real_growth():
    inflation, growth = 0.002, 0.006
    index = (1 + inflation) ** np.arange(len(MONTHS))
    found = highest(growing(growth, index), unit(indexed=True))
    expected = 12 * annuity((1 + growth) / (1 + inflation) - 1)
    assert expected - RATE_TOLERANCE <= found.rate <= expected * (1 + 1e-9)


def test_yearly_withdrawals_pay_the_annuity_of_yearly_growth():
    found = highest(growing(0.005), unit(withdrawal=CAPITAL, withdrawal_every=Every.YEAR))
    expected = annuity(1.005**12 - 1, YEARS)
    assert expected - RATE_TOLERANCE <= found.rate <= expected * (1 + 1e-9)


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (0.05, np.inf), (0.0, 0.5), (0.06, 0.065)])
def test_whatever_is_known_before_the_same_rate_is_found(low, high):
    expected = 12 * annuity(0.004)
    assert highest(growing(0.004), unit(), low, high).rate == pytest.approx(expected, abs=RATE_TOLERANCE)


def test_what_pays_enough_is_searched_no_further():
    expected = 12 * annuity(0.004)
    assert highest(growing(0.004), unit(), enough=0.05) == HighestRate(0.05, is_beyond=True)
    assert highest(growing(0.004), unit(), low=0.055, enough=0.05) == HighestRate(0.055, is_beyond=True)
    found = highest(growing(0.004), unit(), enough=0.07)
    assert found.rate == pytest.approx(expected, abs=RATE_TOLERANCE)
    assert not found.is_beyond


def test_rate_just_below_the_highest_is_paid_and_one_just_above_is_not():
    panel = growing(0.004)
    exact = 12 * annuity(0.004)
    below, above = paid(panel, [at_rate(unit(), exact * factor) for factor in (1 - 1e-6, 1 + 1e-6)])
    assert (below.paid_share, np.isnan(below.first_unpaid_year)) == (1.0, True)
    # What is left is the surplus of every payment, with interest: 1e-6 of what the capital has grown to.
    assert below.final_value == pytest.approx(1e-6 * CAPITAL * 1.004**360, rel=1e-6)
    assert above.paid_share == pytest.approx(1 - 1e-6 * 1.004**360 / 360 / annuity(0.004), rel=1e-6)
    assert (above.first_unpaid_year, above.final_value) == (30, pytest.approx(0, abs=1e-9))


def test_money_ends_in_the_year_that_the_annuity_names():
    # A tenth of the capital each year, without growth: 120 payments, the last on the tenth anniversary.
    enough, too_much = paid(growing(0.0), [at_rate(unit(), rate) for rate in (1 / 30, 0.1)])
    assert enough.paid_share == 1
    assert (too_much.first_unpaid_year, too_much.paid_share) == (11, pytest.approx(120 / 360))


def test_real_value_is_in_the_money_of_the_first_session():
    panel = growing(0.004, 1.002 ** np.arange(len(MONTHS)))
    (found,) = paid(panel, [at_rate(unit(), 0.01)])
    assert found.real_value == pytest.approx(found.final_value / 1.002**360)
    (without,) = paid(dataclasses.replace(panel, price_index=None), [at_rate(unit(), 0.01)])
    assert np.isnan(without.real_value)


def test_withdrawals_that_never_fall_due_have_no_share():
    panel = panel_of([100, 101, 102], sessions=MONTHS[:3])
    yearly = unit(withdrawal=CAPITAL, withdrawal_every=Every.YEAR)
    assert not falls_due(panel, yearly)
    assert falls_due(panel, unit())
    (found,) = paid(panel, [yearly])
    assert np.isnan(found.paid_share)
    assert np.isnan(found.first_unpaid_year)


def test_bank_alone_pays_what_it_holds_and_earns():
    # Nothing is sold: a bank of 300 pays 360 payments without interest.
    rules = unit(shortfall=Shortfall.NONE, reserve=0.3)
    assert highest(growing(0.01), rules).rate == pytest.approx(0.3 * 12 / 360, abs=RATE_TOLERANCE)


def test_year_ends_with_the_anniversary():
    days = np.array(
        ["2020-03-31", "2020-12-31", "2021-03-31", "2021-04-01", "2022-03-31", "2022-05-01"], "datetime64[D]"
    )
    assert year_numbers(days).tolist() == [1, 1, 1, 2, 2, 3]


@pytest.fixture(scope="module")
def lognormal() -> tuple[Panel, float, float]:
    """Return a history of months whose log returns are the quantiles of a normal distribution, with mean and spread."""
    from scipy.stats import norm

    mean, spread = 0.004, 0.045
    steps = norm.ppf((np.arange(600) + 0.5) / 600, mean, spread)
    shuffled = np.random.default_rng(5).permutation(steps)
    months = calendar_days(pd.date_range("1970-01-01", periods=601, freq="MS"))
    return panel_of(100 * np.exp(np.cumsum([0.0, *shuffled])), sessions=months), mean, spread


def test_samples_pay_as_often_as_independent_lognormal_returns(lognormal):
    panel, mean, spread = lognormal
    relatives = Relatives.of(panel, YEARS)
    samples, rate = 1_000, 0.05
    sessions = draw_sessions(len(panel.sessions), 1.0, samples, 2, length=len(relatives.sessions) - 1)
    drawn = [Drawn(one) for one in sessions]
    crew = Threads(2).map
    outcomes = list(in_samples(relatives, drawn, crew, lambda history: paid(history, [at_rate(unit(), rate)])[0]))
    limits = list(in_samples(relatives, drawn, crew, lambda history: highest(history, unit()).rate))
    # Sample by sample: a capital of 1 pays 1 / sum(1 / growth) each month (Suarez, Suarez and Walz 2015).
    exact = [12 / np.sum(panel.close[0] / relatives.history(one).close[1:]) for one in drawn]
    assert (np.array(limits) <= np.array(exact) * (1 + 1e-9)).all()
    np.testing.assert_allclose(limits, exact, atol=RATE_TOLERANCE, rtol=0)
    was_paid = np.isnan([one.first_unpaid_year for one in outcomes])
    np.testing.assert_array_equal(was_paid, np.array(exact) >= rate)
    # And together: 40,000 paths of the distribution that the history has the quantiles of, without this engine.
    growth = np.exp(np.cumsum(np.random.default_rng(11).normal(mean, spread, (40_000, 360)), axis=1))
    rates = 12 / np.sum(1 / growth, axis=1)
    share = np.mean(rates >= rate)
    assert 0.5 < share < 0.9
    assert was_paid.mean() == pytest.approx(share, abs=3.5 * np.sqrt(share * (1 - share) / samples))
    below = np.mean(np.array(limits)[:, None] < np.quantile(rates, [0.05, 0.1]), axis=0)
    assert below == pytest.approx([0.05, 0.1], abs=0.035)
