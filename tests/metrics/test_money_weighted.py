"""The money-weighted return: a published example, closed forms, and where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from support.generators import panel_of, rules_of

from sd_core.metrics.money_weighted import money_weighted_return, xirr
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Every, Variant


def dates(*days: str) -> np.ndarray:
    return np.array(days, dtype="datetime64[D]")


def test_example_of_the_spreadsheet_function() -> None:
    # Microsoft's documentation of XIRR; its last digit is that of an iteration stopped at 1e-8.
    days = dates("2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01")
    rate = xirr(days, np.array([-10_000.0, 2_750, 4_250, 3_250, 2_750]))
    assert rate == pytest.approx(0.373362535, abs=1e-8)


def test_one_flow_in_and_one_out_is_the_compound_rate() -> None:
    # 2021-01-01 to 2023-01-01 is 730 days, two years of 365: 1.1 ** 2 = 1.21.
    assert xirr(dates("2021-01-01", "2023-01-01"), np.array([-100.0, 121.0])) == pytest.approx(0.1, abs=1e-12)


@pytest.mark.parametrize("flows", [[-100.0, 0.0], [-100.0, -5.0]])
def test_nothing_coming_out_has_no_rate(flows: list[float]) -> None:
    assert xirr(dates("2021-01-01", "2022-01-01"), np.array(flows)) is None


def test_flows_of_one_day_have_no_rate() -> None:
    assert xirr(dates("2021-01-01"), np.array([5.0])) is None


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
    assert money_weighted_return(result.daily, panel.sessions, rules.capital) == pytest.approx(
        daily_compounding, rel=1e-4
    )
