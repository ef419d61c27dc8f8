"""Portfolios of some of the assets."""

from dataclasses import replace
from itertools import pairwise
from math import comb, log, sqrt
from statistics import fmean, stdev

import numpy as np
import pytest
from support.generators import panel_of, random_case, rules_of

from sd_core.metrics.income import income_variability
from sd_core.resampling.subsets import MOST_SUBSETS, subset_outcomes
from sd_core.simulation.engine import simulate
from sd_core.simulation.layout import lay_out_part, market_of
from sd_core.simulation.rules import Every, Shortfall


def walks(assets: int, sessions: int = 300, seed: int = 0) -> list[np.ndarray]:
    draws = np.random.default_rng(seed).standard_normal((assets, sessions)) * 0.03
    return list(100 * np.exp(np.cumsum(draws, axis=1)))


@pytest.mark.parametrize(("assets", "size"), [(4, 2), (5, 2), (6, 3), (9, 4)])
def test_all_portfolios_of_half_the_assets_are_taken_where_they_are_few(assets, size):
    found = subset_outcomes(panel_of(*walks(assets)), rules_of(assets=assets, reserve=0.2), seed=1)
    assert len(found) == comb(assets, size)
    assert {len(subset.tickers) for subset in found} == {size}
    assert len({subset.tickers for subset in found}) == len(found)


def test_many_assets_give_a_sample_that_the_seed_decides():
    panel, rules = panel_of(*walks(12, sessions=60)), rules_of(assets=12)
    first, again, other = (subset_outcomes(panel, rules, seed) for seed in (1, 1, 2))
    assert len(first) == MOST_SUBSETS < comb(12, 5)
    assert first == again
    assert first != other


@pytest.mark.parametrize("assets", [1, 2, 3])
def test_too_few_assets_give_no_portfolios(assets):
    assert subset_outcomes(panel_of(*walks(assets)), rules_of(assets=assets), seed=1) == []


def test_correlation_of_a_portfolio_is_the_mean_over_its_pairs():
    prices = walks(6)
    found = subset_outcomes(panel_of(*prices), rules_of(assets=6), seed=1)
    logs = np.diff(np.log(prices), axis=1)
    for subset in found:
        members = [int(ticker[1:]) for ticker in subset.tickers]
        pairs = np.corrcoef(logs[members])[np.triu_indices(3, 1)]
        assert subset.average_correlation == pytest.approx(pairs.mean(), rel=1e-12)


@pytest.mark.parametrize(("sessions", "periods"), [("days", 365), ("business days", 252)])
def test_volatility_of_a_portfolio_is_the_mean_of_its_assets_over_a_year_of_sessions(sessions, periods):
    prices = walks(5)
    days = np.datetime64("2020-01-01") + np.arange(len(prices[0]))
    if sessions == "business days":
        days = np.busday_offset("2020-01-01", np.arange(len(prices[0])))
    found = subset_outcomes(panel_of(*prices, sessions=days), rules_of(assets=5), seed=1)
    # The walks start at 100 and move by 3 % a day; the standard library's formula for each asset by itself.
    yearly = [stdev(log(later / earlier) for earlier, later in pairwise(walk)) * sqrt(periods) for walk in prices]
    assert len(found) == 10
    for subset in found:
        members = [int(ticker[1:]) for ticker in subset.tickers]
        assert subset.mean_volatility == pytest.approx(fmean(yearly[member] for member in members), rel=1e-12)


def test_volatility_is_that_of_the_assets_that_have_a_weight():
    # Of five assets the first has none; prices that alternate between two have log returns of +-ln of their ratio.
    ratios = [2.0, 1.1, 1.2, 1.3, 1.4]
    days = 101  # 100 returns, half of them up and half down: a mean of 0, so the variance is ln^2 x 100 / 99
    prices = [[100.0, 100.0 * ratio] * (days // 2) + [100.0] for ratio in ratios]
    rules = rules_of(assets=5, weights=[0, 0.25, 0.25, 0.25, 0.25])
    found = subset_outcomes(panel_of(*prices), rules, seed=1)
    expected = {
        (f"A{one}", f"A{other}"): sqrt(365 * 100 / 99) * (log(ratios[one]) + log(ratios[other])) / 2
        for one in range(1, 5)
        for other in range(one + 1, 5)
    }
    assert {subset.tickers: subset.mean_volatility for subset in found} == pytest.approx(expected, rel=1e-12)


def test_assets_that_move_alike_have_a_correlation_of_one_and_the_income_of_one():
    (walk,) = walks(1)
    found = subset_outcomes(panel_of(*[walk] * 4), rules_of(assets=4, reserve=0.3), seed=1)
    panel, rules = panel_of(walk), rules_of(assets=1, reserve=0.3)
    (alone,) = simulate(panel, [rules])
    assert len(found) == 6
    for subset in found:
        assert subset.average_correlation == pytest.approx(1, abs=1e-12)
        assert subset.income_variability == pytest.approx(
            income_variability(alone.daily, alone.ledger, panel.sessions, rules.capital), rel=1e-9
        )


def test_variability_of_income_is_that_of_monthly_income_over_the_value_before():
    # Rungs of 10 %. January: a sale of 0.5 x 0.1 / 1.1 of 1 000 shares at 110, that is 5 000 of a value of 100 000.
    # February: nothing. March: the price is a rung higher, and the sale is of the same share of what is left.
    sessions = np.array(["2020-01-30", "2020-01-31", "2020-02-03", "2020-03-02"], dtype="datetime64[D]")
    panel = panel_of([100, 110, 110, 121], sessions=sessions)
    rules = rules_of(bracket=0.1)
    (result,) = simulate(panel, [rules])
    held = 1_000 * (1 - 0.05 / 1.1)
    january, march = 1_000 * 0.05 / 1.1 * 110, held * 0.05 / 1.1 * 121
    value = 5_000 + held * 110
    shares = [january / 100_000, 0, march / value]
    assert january == pytest.approx(5_000)
    assert income_variability(result.daily, result.ledger, panel.sessions, rules.capital) == pytest.approx(
        np.std(shares, ddof=1), rel=1e-12
    )


def test_months_that_begin_without_any_value_do_not_count():
    # All is withdrawn in February: the income of January and February, none in either, is all that there is.
    sessions = np.array(["2020-01-30", "2020-02-03", "2020-03-02", "2020-04-01"], dtype="datetime64[D]")
    rules = rules_of(withdrawal=200_000.0, withdrawal_every=Every.MONTH, shortfall=Shortfall.PRO_RATA)
    (result,) = simulate(panel_of([100, 100, 110, 121], sessions=sessions), [rules])
    assert result.daily["value"].tolist() == [100_000, 0, 0, 0]
    assert income_variability(result.daily, result.ledger, sessions, rules.capital) == 0


def test_a_single_month_has_no_variability():
    panel = panel_of([100, 110], sessions=np.array(["2020-01-30", "2020-01-31"], dtype="datetime64[D]"))
    rules = rules_of()
    (result,) = simulate(panel, [rules])
    assert income_variability(result.daily, result.ledger, panel.sessions, rules.capital) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_part_is_laid_out_from_the_whole_as_it_is_by_itself(seed: int) -> None:
    whole = random_case(seed).panel
    members = np.arange(0, len(whole.tickers), 2)
    assets = ("open", "high", "low", "close", "dividends")
    tickers = tuple(whole.tickers[member] for member in members)
    alone, part = (
        replace(whole, tickers=tickers, **{name: getattr(whole, name).take(members, axis=1) for name in assets})
        for _ in range(2)
    )
    lay_out_part(part, whole, members)
    for expected, found in zip(market_of(alone), market_of(part), strict=True):
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()
