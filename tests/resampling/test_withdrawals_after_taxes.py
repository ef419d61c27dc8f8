"""Withdrawals beside taxes that are paid from the portfolio: highest rates in closed forms, and when a bill is due.

Panels are of one asset and one session a year, the first of May: the tax of a year falls due one session later.
"""

from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.generators import panel_of, random_case, rules_of
from support.tax_forms import schedule_d

from sd_core.market.arrays import Dates
from sd_core.market.panel import Panel
from sd_core.market.sessions import calendar_days
from sd_core.resampling import withdrawals
from sd_core.resampling.withdrawals import RATE_TOLERANCE, at_rate, highest_rates, paid
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import LEDGER
from sd_core.simulation.rules import Every, Rules, Shortfall, TaxRates, Variant
from sd_core.simulation.taxes.matching import TAX_LOTS
from sd_core.simulation.taxes.owed import Taxed, owed_by_year, simulate_taxed

YEARS = 30
CAPITAL = 1_000.0
RATES = TaxRates(short_term=0.35, long_term=0.15, dividends=0.2, interest=0.3)
UNTAXED = TaxRates(0.0, 0.0, 0.0, 0.0)


def days(*dates: str) -> Dates:
    return np.array(dates, dtype="datetime64[D]")


MAYS = np.array([np.datetime64(f"{1990 + year}-05-01") for year in range(YEARS + 1)])


def unit(**rules: object) -> Rules:
    """Return the rules of holding one asset and withdrawing the capital each year."""
    defaults = {
        "variant": Variant.NO_RULE,
        "capital": CAPITAL,
        "withdrawal": CAPITAL,
        "withdrawal_every": Every.YEAR,
        "shortfall": Shortfall.PRO_RATA,
    }
    return rules_of(assets=1, **defaults | rules)


def highest(panel: Panel, rates: TaxRates | None) -> float:
    ends = np.zeros(1), np.full(1, np.inf), np.full(1, np.inf)
    (found,) = highest_rates(panel, [unit()], *ends, rates)
    return found.rate


def on_dividends(income: float, tax: float) -> float:
    """Return what a price that never moves pays each year of a capital of 1, whose dividends alone are taxed.

    After withdrawal and tax all is in shares, worth V. Next year's dividends are income V, their tax is paid the year
    after, so V(k+1) = (1 + income) V(k) - tax income V(k-1) - rate: two geometric parts and a constant one. At the
    end what is left is the tax of the last year.
    """
    first, second = np.roots([1.0, -(1.0 + income), tax * income])
    steady = 1.0 / (income * (1.0 - tax))
    bill = tax * income
    matrix = [
        [1.0, 1.0, steady],
        [first, second, steady + 1.0],
        [first**YEARS - bill * first ** (YEARS - 1), second**YEARS - bill * second ** (YEARS - 1), steady * (1 - bill)],
    ]
    return float(np.linalg.solve(matrix, [1.0, 1.0 + income, 0.0])[2])


def on_gains(growth: float) -> float:
    """Return what a price that grows evenly pays each year of a capital of 1, whose gains are taxed.

    For every unit withdrawn s(k) is sold in year k: the unit, and the tax on the gain in what was sold the year before,
    all of one purchase. What was held from one May to the next is short-term. The shares of all sales, and those for
    the last bill, are the shares there are.
    """
    price = (1 + growth) ** np.arange(YEARS + 1)
    rate = [RATES.short_term, RATES.short_term, *[RATES.long_term] * (YEARS - 1)]
    bills = [0.0]
    shares = 0.0
    for year in range(1, YEARS + 1):
        sold = 1.0 + bills[-1]
        shares += sold / price[year]
        bills.append(rate[year] * sold * (1 - 1 / price[year]))
    return float(1.0 / (shares + bills[-1] / price[YEARS]))


@pytest.mark.parametrize("income", [0.02, 0.05])
def test_highest_rate_on_taxed_dividends_is_that_of_the_recurrence(income: float) -> None:
    dividends = np.full((YEARS + 1, 1), 100 * income)
    panel = panel_of(np.full(YEARS + 1, 100.0), sessions=MAYS, dividends=dividends)
    expected = on_dividends(income, RATES.dividends)
    # Without a tax the roots are those of the annuity.
    assert on_dividends(income, 1e-12) == pytest.approx(income / (1 - (1 + income) ** -YEARS))
    found = highest(panel, RATES)
    assert expected - RATE_TOLERANCE <= found <= expected * (1 + 1e-9)
    assert highest(panel, None) > found + 0.001


@pytest.mark.parametrize("growth", [0.03, 0.07])
def test_highest_rate_on_taxed_gains_pays_each_bill_by_a_sale_that_is_taxed_again(growth: float) -> None:
    panel = panel_of(100 * (1 + growth) ** np.arange(YEARS + 1), sessions=MAYS)
    expected = on_gains(growth)
    found = highest(panel, RATES)
    assert expected - RATE_TOLERANCE <= found <= expected * (1 + 1e-9)
    assert highest(panel, None) > found + 0.001


def test_losses_are_no_reason_to_pay_less_than_before_taxes() -> None:
    panel = panel_of(100 * 0.98 ** np.arange(YEARS + 1), sessions=MAYS)
    assert highest(panel, RATES) == highest(panel, None)


def test_rate_just_above_the_highest_leaves_the_last_bill_unpaid() -> None:
    panel = panel_of(100 * 1.05 ** np.arange(YEARS + 1), sessions=MAYS)
    below, above = paid(panel, [at_rate(unit(), on_gains(0.05) * factor) for factor in (1 - 1e-6, 1 + 1e-6)], RATES)
    assert (below.paid_share, np.isnan(below.first_unpaid_year)) == (1.0, True)
    assert below.final_value > 0
    # All withdrawals were paid; what is short is the tax that falls due after the end.
    assert (above.paid_share, above.first_unpaid_year) == (1.0, YEARS)
    assert above.final_value < 0


def test_taxes_come_before_withdrawals_where_money_is_short() -> None:
    # 50 a year of 100 that double once: half of what is sold is gain, in the first year short-term.
    panel = panel_of([100.0, 200.0, 200.0, 200.0, 200.0], sessions=MAYS[:5])
    rules = unit(capital=100.0, withdrawal=50.0)
    (found,) = paid(panel, [rules], RATES)
    held, bill, short = 1.0, 0.0, None
    for rate in (RATES.short_term, RATES.long_term, RATES.long_term, RATES.long_term):
        sold = min(held * 200, 50 + bill)
        short = 50 + bill - sold
        held -= sold / 200
        bill = rate * sold / 2
    assert short is not None
    assert short > 0
    assert found.paid_share == pytest.approx(1 - short / 200)
    assert found.first_unpaid_year == 4


def test_bill_that_is_paid_but_for_rounding_leaves_the_share_at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two sessions a month, so that bills of 15 April come by themselves, and each a little above what is booked.
    halves = calendar_days(pd.date_range("1990-01-01", "2020-01-01", freq="SMS"))
    panel = panel_of(100 * 1.002 ** np.arange(len(halves)), sessions=halves)

    def rounded(*asked: Any) -> Taxed:
        taxed = simulate_taxed(*asked)
        return taxed._replace(bills=taxed.bills * (1 + 1e-12))

    monkeypatch.setattr(withdrawals, "simulate_taxed", rounded)
    (found,) = paid(panel, [at_rate(unit(), 0.02)], RATES)
    assert found.paid_share == 1
    assert np.isnan(found.first_unpaid_year)


def test_at_rates_of_zero_all_is_as_without_taxes() -> None:
    cases = [random_case(seed) for seed in range(300)]
    paying = [case for case in cases if case.rules.withdrawal_every != Every.NEVER]
    assert len(paying) > 50
    for case in paying:
        np.testing.assert_allclose(paid(case.panel, [case.rules], UNTAXED), paid(case.panel, [case.rules]), rtol=1e-9)


def test_bills_are_withdrawals_of_the_first_session_from_15_april() -> None:
    sessions = days("2020-01-02", "2020-06-01", "2021-04-14", "2021-04-16", "2022-03-31", "2022-12-30", "2023-02-01")
    panel = panel_of([100.0, 150.0, 160.0, 170.0, 180.0, 190.0, 200.0], sessions=sessions)
    rules = unit(withdrawal=60.0, withdrawal_every=Every.QUARTER)
    taxed = simulate_taxed(panel, rules, RATES)
    # In 2020 60 was sold at 150 that had cost 40. In 2021 60 (two quarters together: 120) at 160, held over a year.
    first = RATES.short_term * 60 * (1 - 100 / 150)
    sales = -taxed.result.ledger["amount"][taxed.result.ledger["kind"] == Kind.WITHDRAWAL]
    assert np.flatnonzero(taxed.bills).tolist() == [3, 5]
    assert taxed.bills[3] == pytest.approx(first)
    in_2021 = (sales[1] * (1 - 100 / 160), first * (1 - 100 / 170))
    assert taxed.bills[5] == pytest.approx(RATES.long_term * sum(in_2021))
    # Owed at the end: the tax of 2022, and of what was sold in 2023.
    of_2022 = sales[3] * (1 - 100 / 180) + sales[4] * (1 - 100 / 190)
    of_2023 = sales[5] * (1 - 100 / 200)
    assert taxed.owed == pytest.approx(RATES.long_term * (of_2022 + of_2023))


def test_paying_taxes_books_what_lump_sums_of_the_same_money_do() -> None:
    bills = 0
    for seed in range(200):
        case = random_case(seed)
        rules = replace(case.rules, withdrawals_on=())
        taxed = simulate_taxed(case.panel, rules, RATES)
        places = np.flatnonzero(taxed.bills)
        lump_sums = tuple((case.panel.sessions[place].item(), float(taxed.bills[place])) for place in places)
        (whole,) = simulate(case.panel, [replace(rules, withdrawals_on=lump_sums)])
        assert taxed.result.ledger.tobytes() == whole.ledger.tobytes()
        assert taxed.result.daily.tobytes() == whole.daily.tobytes()
        bills += len(places)
    assert bills > 50


def test_random_years_owe_what_the_form_nets() -> None:
    rng = np.random.default_rng(3)
    count = 60
    gains = rng.normal(40, 100, size=(count, 2)).round(2)
    lots = np.zeros(2 * count + 1, dtype=TAX_LOTS)
    lots["sale"] = [*range(1, 2 * count + 1), 0]
    lots["sold"] = [*np.repeat(np.arange(count), 2), -1]
    lots["long_term"] = [*[False, True] * count, False]
    disallowed = rng.uniform(0, 5, 2 * count)
    lots["gain"] = [*(gains.ravel() - disallowed), np.nan]
    lots["wash_sale_disallowed"] = [*disallowed, np.nan]
    ledger = np.zeros(3 * count, dtype=LEDGER)
    ledger["session"] = np.repeat(np.arange(count), 3)
    ledger["kind"] = [Kind.DIVIDEND, Kind.INTEREST, Kind.INTEREST] * count
    ledger["amount"] = [7.0, 3.0, -2.0] * count
    net = accumulate(
        map(tuple, gains.tolist()),
        lambda before, year: schedule_d((min(before[0], 0.0), min(before[1], 0.0)), year),
        initial=(0.0, 0.0),
    )
    expected = [0.35 * max(short, 0) + 0.15 * max(long, 0) + 7 * 0.2 + 3 * 0.3 for short, long in net][1:]
    found = owed_by_year(lots, ledger, np.arange(count) + 1990, RATES)
    assert found == pytest.approx(expected, abs=1e-9)
