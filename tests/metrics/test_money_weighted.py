"""The money-weighted return: a published example, closed forms, and where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from support.generators import panel_of, rules_of

from sd_core.metrics.money_weighted import money_weighted_return, only_rate, xirr
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Every, Variant


def dates(*days: str) -> np.ndarray:
    return np.array(days, dtype="datetime64[D]")


def test_example_of_the_spreadsheet_function() -> None:
    # Microsoft's documentation of XIRR; its last digit is that of an iteration stopped at 1e-8.
    days = dates("2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01")
    found = xirr(days, np.array([-10_000.0, 2_750, 4_250, 3_250, 2_750]))
    assert found.rate == pytest.approx(0.373362535, abs=1e-8)
    assert found.missing is None


def test_one_flow_in_and_one_out_is_the_compound_rate() -> None:
    # 2021-01-01 to 2023-01-01 is 730 days, two years of 365: 1.1 ** 2 = 1.21.
    found = xirr(dates("2021-01-01", "2023-01-01"), np.array([-100.0, 121.0]))
    assert found.rate == pytest.approx(0.1, abs=1e-12)


@pytest.mark.parametrize("years", [34, 40, 100])
def test_rate_of_decades_is_found(years: int) -> None:
    first = np.datetime64("1924-01-02")
    days = np.array([first, first + 365 * years])
    assert xirr(days, np.array([-10.0, 10 * 1.08**years])).rate == pytest.approx(0.08, abs=1e-12)
    # Half is lost every year: so little is left of a thousand that only its logarithm is of any use.
    assert xirr(days, np.array([-1_000.0, 1_000 * 0.5**years])).rate == pytest.approx(-0.5, abs=1e-12)


def test_rate_of_one_day_is_that_day_365_times() -> None:
    found = xirr(dates("2024-01-02", "2024-01-03"), np.array([-1_000.0, 1_030.0]))
    assert found.rate == pytest.approx(1.03**365 - 1, rel=1e-10)


def test_rate_beyond_any_number_is_said_to_be_so() -> None:
    found = xirr(dates("2024-01-02", "2024-01-03"), np.array([-1.0, 100.0]))
    assert found == (None, "the rate is too high for a number")


def test_rates_that_both_solve_the_equation_are_named_and_none_is_chosen() -> None:
    # -100 (1 + r)^2 + 230 (1 + r) - 132 = 0 has the solutions 1.1 and 1.2: the textbook case of two rates.
    found = xirr(dates("2021-01-01", "2022-01-01", "2023-01-01"), np.array([-100.0, 230.0, -132.0]))
    assert found == (None, "several rates solve the equation: 10.00%, 20.00%")


def test_flows_that_no_rate_balances_have_none() -> None:
    # -100 (1 + r)^2 + 200 (1 + r) - 132 = 0 has no real solution.
    found = xirr(dates("2021-01-01", "2022-01-01", "2023-01-01"), np.array([-100.0, 200.0, -132.0]))
    assert found == (None, "no rate solves the equation")


@pytest.mark.parametrize("seed", range(40))
def test_every_solution_of_a_polynomial_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = np.sort(rng.choice(np.arange(-0.5, 1.0, 0.15), size=rng.integers(1, 7), replace=False))
    # Flows a year of 365 days apart are the coefficients of a polynomial in 1 / (1 + r).
    flows = np.poly(1 / (1 + rates))[::-1]
    days = np.datetime64("2000-01-01") + 365 * np.arange(len(flows))
    found = xirr(days, flows)
    if len(rates) == 1:
        assert found.rate == pytest.approx(rates[0], abs=1e-9)
    else:
        listed = ", ".join(f"{rate:.2%}" for rate in rates)
        assert found.missing == f"several rates solve the equation: {listed}"


def test_flows_of_one_day_are_one_flow() -> None:
    days = dates("2021-01-01", "2022-01-01", "2022-01-01")
    assert xirr(days, np.array([-100.0, 500.0, -390.0])).rate == pytest.approx(0.1, abs=1e-12)


@pytest.mark.parametrize("flows", [[-100.0, 0.0], [-100.0, -5.0]])
def test_nothing_coming_out_has_no_rate(flows: list[float]) -> None:
    assert xirr(dates("2021-01-01", "2022-01-01"), np.array(flows)) == (None, "all money goes the same way")


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_flow_that_is_no_number_has_no_rate_at_once(odd: float) -> None:
    days, flows = dates("2021-01-01", "2022-01-01", "2023-01-01"), np.array([-100.0, odd, 110.0])
    assert xirr(days, flows) == (None, "a flow of money is no finite number")
    assert np.isnan(only_rate(np.array([0.0, 1.0, 2.0]), flows))


def test_flows_of_one_day_have_no_rate() -> None:
    assert xirr(dates("2021-01-01"), np.array([5.0])).rate is None


def test_cash_that_only_earns_its_rate_returns_it_whatever_goes_in_and_out() -> None:
    # A bank at 5 % on 365 days, held in an asset never bought: each flow grows at the same rate, so that is the answer.
    sessions = np.arange(np.datetime64("2021-01-01"), np.datetime64("2022-01-02"))
    panel = panel_of([100.0] * len(sessions), sessions=sessions, rates=0.05)
    rules = replace(
        rules_of(lot_size=1e9, variant=Variant.NO_RULE),
        deposit=500.0,
        deposit_every=Every.MONTH,
        withdrawal=700.0,
        withdrawal_every=Every.QUARTER,
    )
    (result,) = simulate(panel, [rules])
    daily_compounding = (1 + 0.05 / 365) ** 365 - 1
    assert money_weighted_return(result.daily, panel.sessions, rules.capital).rate == pytest.approx(
        daily_compounding, rel=1e-4
    )
