"""The rivals of a scenario at equal cash: what they hold, and that nothing is known to them too early."""

from dataclasses import replace

import numpy as np
import plain_engine
import pytest
from support.generators import panel_of, random_case, rules_of, targets_of

from sd_core.market.panel import Panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.equal_cash import at_cash, cash_shares, path_targets, rivals, without_rule
from sd_core.simulation.rules import Every, Rules, Shortfall, Variant

BY_MONTH = np.array(["2020-01-02", "2020-01-31", "2020-02-03", "2020-02-28", "2020-03-02"], dtype="datetime64[D]")
CASES = [seed for seed in range(120) if random_case(seed).rules.variant is not Variant.NO_RULE][:40]


def days_of(panel: Panel, rules: Rules) -> np.ndarray:
    (result,) = simulate(panel, [rules], workers=1)
    return result.daily


def mean_share(daily: np.ndarray) -> float:
    return float(np.nanmean(cash_shares(daily)))


def test_path_aims_each_month_at_the_share_of_cash_of_the_month_before() -> None:
    panel = panel_of([100] * 5, [50] * 5, sessions=BY_MONTH)
    daily = np.zeros(5, dtype=[("bank", float), ("value", float)])
    daily["bank"], daily["value"] = [10, 30, 50, 60, -5], 100
    found = path_targets(panel, rules_of(weights=[0.75, 0.25]), daily)
    assert found.sessions.astype(str).tolist() == ["2020-01-02", "2020-02-03", "2020-03-02"]
    # By hand: 10 % at first, 30 % at the end of January, 60 % at the end of February.
    np.testing.assert_allclose(found.weights, [[0.675, 0.225], [0.525, 0.175], [0.3, 0.1]], rtol=1e-15)


def test_path_follows_targets_that_change_and_lends_nothing() -> None:
    panel = panel_of([100] * 5, [50] * 5, sessions=BY_MONTH)
    daily = np.zeros(5, dtype=[("bank", float), ("value", float)])
    daily["bank"], daily["value"] = [0, -20, 0, 50, 0], [100, 100, 0, 100, 100]
    targets = targets_of({"2020-01-02": [1, 0], "2020-02-28": [0, 1]})
    found = path_targets(panel, rules_of(targets=targets), daily)
    assert found.sessions.astype(str).tolist() == ["2020-01-02", "2020-02-03", "2020-02-28", "2020-03-02"]
    np.testing.assert_array_equal(found.weights, [[1, 0], [1, 0], [0, 1], [0, 0.5]])


def test_share_of_a_holder_has_the_mean_that_was_wanted() -> None:
    # A price that doubles four times. The scenario never sells, and has spent 60 % at first: from the reserve.
    panel = panel_of([100.0, 200, 400, 800, 1600])
    rules = rules_of(reserve=0.4, profit_share=0.0)
    found = rivals(panel, rules, days_of(panel, rules))["buy_and_hold"]
    assert found.share == pytest.approx(0.4, abs=1e-4)
    # With share s in the bank it is s / (s + (1 - s) 2^t) of the value after t sessions.
    mean = np.mean([0.4 / (0.4 + 0.6 * 2**t) for t in range(5)])
    assert mean_share(found.result.daily) == pytest.approx(mean, abs=1e-4)


def test_rivals_of_a_flat_price_hold_the_reserve() -> None:
    panel = panel_of([100.0] * 900, [20.0] * 900)
    rules = rules_of(assets=2, reserve=0.25)
    found = rivals(panel, rules, days_of(panel, rules))
    assert list(found) == ["rebalanced", "buy_and_hold", "cash_path"]
    assert [rival.share is None for rival in found.values()] == [False, False, True]
    for rival in found.values():
        np.testing.assert_allclose(cash_shares(rival.result.daily), 0.25, atol=2e-5)


def test_scenario_on_credit_has_rivals_without_cash() -> None:
    panel = panel_of([100.0, 80, 60, 40, 30, 30])
    rules = rules_of(margin_limit=0.5, margin_rate=0.1)
    daily = days_of(panel, rules)
    assert mean_share(daily) < 0
    found = rivals(panel, rules, daily)
    assert found["rebalanced"].share == found["buy_and_hold"].share == 0.0
    assert all(rival.result.daily["bank"].min() >= -1e-9 for rival in found.values())


@pytest.mark.parametrize("seed", CASES)
def test_mean_share_of_cash_is_that_of_the_scenario_where_it_can_be(seed: int) -> None:
    case = random_case(seed)
    rules = replace(case.rules, lot_sizes=np.zeros(len(case.panel.tickers)))
    daily = days_of(case.panel, rules)
    found = rivals(case.panel, rules, daily)
    for name in ("rebalanced", "buy_and_hold"):
        if 0.0 < found[name].share < 1.0:
            assert mean_share(found[name].result.daily) == pytest.approx(mean_share(daily), abs=1e-3), name


@pytest.mark.parametrize("seed", CASES)
def test_plain_engine_agrees_on_every_rival(seed: int) -> None:
    case = random_case(seed)
    daily = days_of(case.panel, case.rules)
    found = rivals(case.panel, case.rules, daily)
    plain = without_rule(case.rules)
    yearly = replace(plain, rebalance_every=Every.YEAR, rebalance_on_change=True)
    path = replace(plain, targets=path_targets(case.panel, case.rules, daily), rebalance_on_change=True)
    for name, rules in (("rebalanced", at_cash(yearly, found["rebalanced"].share)), ("cash_path", path)):
        expected = plain_engine.simulate(case.panel, rules).daily
        for column in ("bank", "value", "withdrawals", "deposits"):
            np.testing.assert_allclose(
                found[name].result.daily[column], expected[column], rtol=1e-9, atol=1e-6, err_msg=f"{name} {column}"
            )


@pytest.mark.parametrize("seed", CASES)
def test_rivals_have_the_money_of_the_scenario_and_no_trade_of_a_rule(seed: int) -> None:
    case = random_case(seed)
    daily = days_of(case.panel, case.rules)
    plain = without_rule(case.rules)
    assert (plain.variant, plain.shortfall, plain.coverage_min) == (Variant.NO_RULE, Shortfall.PRO_RATA, 0.0)
    same = ("capital", "fee_fixed", "fee_rate", "deposit", "withdrawal", "withdrawal_share", "withdrawal_every")
    assert all(getattr(plain, name) == getattr(case.rules, name) for name in same)
    for rival in rivals(case.panel, case.rules, daily).values():
        np.testing.assert_array_equal(rival.result.daily["deposits"], daily["deposits"])


def test_path_knows_nothing_of_later_sessions() -> None:
    case = random_case(CASES[0])
    daily = days_of(case.panel, case.rules)
    whole = path_targets(case.panel, case.rules, daily)
    until = len(daily) * 2 // 3
    cut = replace(
        case.panel,
        price_index=None,
        **{
            name: getattr(case.panel, name)[:until]
            for name in ("sessions", "open", "high", "low", "close", "dividends", "rates")
        },
    )
    before = path_targets(cut, case.rules, daily[:until])
    assert len(before.sessions) > 1
    np.testing.assert_array_equal(before.sessions, whole.sessions[: len(before.sessions)])
    np.testing.assert_array_equal(before.weights, whole.weights[: len(before.sessions)])
