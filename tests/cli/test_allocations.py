"""A study of strategies with target weights of their own, run whole: constant mixes, quarterly ones, and the rule."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.lab import RESERVES, Lab, small_study, write_prices, write_study
from support.steps import refresh

# Three assets represent stocks, bonds and gold.
STOCKS, BONDS, GOLD = "AAA", "BBB", "CCC"
QUARTERS = {
    "2023-01-01": {STOCKS: 0.6, BONDS: 0.4},
    "2023-04-01": {STOCKS: 0.2, BONDS: 0.5, GOLD: 0.3},
    "2023-07-01": {BONDS: 3, GOLD: 1},
    "2023-10-01": {STOCKS: 1},
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "buy_and_hold": {},
    "sixty_forty": {"allocation": {"weights": {STOCKS: 0.6, BONDS: 0.4}}, "rebalance": {"every": "month"}},
    "all_weather": {
        "allocation": {"weights": {STOCKS: 0.3, BONDS: 0.55, GOLD: 0.15}},
        "rebalance": {"deviation": {"width": 0.05}},
    },
    "golden_butterfly": {
        "allocation": {"weights": {STOCKS: 2, BONDS: 2, GOLD: 1}},
        "band": {STOCKS: [0.35, 0.45], "default": {"width": 0.25, "kind": "relative"}},
    },
    "quarterly": {"allocation": {"schedule": QUARTERS}},
    "quarterly_ignored": {"allocation": {"schedule": QUARTERS}, "rebalance": {"on_change": False}},
    "sd8": {"rule": {}},
    "sd8_quarterly": {"rule": {}, "allocation": {"schedule": QUARTERS}, "rebalance": {"cost_aware": {"min_trade": 10}}},
    "mix": {"allocation": {"weights": [{STOCKS: 0.8, BONDS: 0.2}, {STOCKS: 0.2, GOLD: 0.8}]}},
}
CHANGES = ["2023-04-03", "2023-07-03", "2023-10-02"]  # the first weekday on or after each date


@pytest.fixture(scope="module")
def allocated(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The finished run of the study."""
    folder = tmp_path_factory.mktemp("allocated")
    study = small_study(write_prices(folder / "prices")) | {"strategies": STRATEGIES}
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    refresh(lab.home)
    return lab


def trades(lab: Lab, strategy: str) -> pd.DataFrame:
    """Return what a strategy's portfolio rules traded without a reserve."""
    ledger = lab.table("simulation_ledger")
    kinds = ledger["kind"].isin(["REBALANCE_BUY", "REBALANCE_SELL"])
    return ledger[(ledger["strategy"] == strategy) & (ledger["reserve"] == 0) & kinds]


def dates(column: pd.Series) -> list[str]:
    """Return the distinct dates of a column, ascending."""
    return sorted({str(date.date()) for date in column})


def test_every_scenario_is_published_and_passes_the_audit(allocated: Lab) -> None:
    report = allocated.table("report_strategy")
    strategies = [name for name in STRATEGIES if name != "mix"] + ["mix__aaa_80_bbb_20", "mix__aaa_20_ccc_80"]
    assert set(zip(report["strategy"], report["reserve"], strict=True)) == {
        (strategy, reserve) for strategy in strategies for reserve in RESERVES
    }
    outcome = allocated.sdlab("check")
    assert outcome.code == 0, outcome.out + outcome.err


def test_targets_are_published_by_the_session_from_which_they_hold(allocated: Lab) -> None:
    targets = allocated.table("strategy_target")
    first = str(allocated.table("sessions")["session"].min().date())
    sessions = {strategy: dates(rows["session"]) for strategy, rows in targets.groupby("strategy")}
    assert sessions == {
        strategy: [first, *CHANGES] if "quarterly" in strategy else [first]
        for strategy in allocated.home.study.strategies
    }
    weights = targets.set_index(["strategy", "session", "ticker"])["weight"]
    assert weights["golden_butterfly", first].to_dict() == {STOCKS: 0.4, BONDS: 0.4, GOLD: 0.2}
    assert weights["quarterly", "2023-07-03"].to_dict() == {STOCKS: 0.0, BONDS: 0.75, GOLD: 0.25}
    assert weights["buy_and_hold", first].to_dict() == {STOCKS: 0.5, BONDS: 0.3, GOLD: 0.2}
    np.testing.assert_allclose(weights.groupby(["strategy", "session"]).sum(), 1, rtol=1e-12)


def test_schedule_is_traded_towards_on_the_sessions_at_whose_close_it_changes(allocated: Lab) -> None:
    assert dates(trades(allocated, "quarterly")["session"]) == CHANGES
    assert dates(trades(allocated, "sd8_quarterly")["session"]) == CHANGES
    assert trades(allocated, "quarterly_ignored").empty
    holdings = allocated.table("simulation_holdings")
    rows = holdings[(holdings["strategy"] == "quarterly") & (holdings["reserve"] == 0)]
    last = rows[rows["session"] == rows["session"].max()]
    # Since October all is in the one, but for what fees leave.
    assert set(last[last["holdings"] > 1e-9]["ticker"]) == {STOCKS}


def test_allocations_are_among_the_columns_of_strategies(allocated: Lab) -> None:
    table = allocated.table("study_strategy").set_index("strategy")
    holds = {name for name, yes in table["is_buy_and_hold"].items() if yes}
    assert holds == {"buy_and_hold", "mix__aaa_80_bbb_20", "mix__aaa_20_ccc_80", "quarterly_ignored"}
    assert table.loc["sixty_forty", "allocation_weights"] == '{"AAA": 0.6, "BBB": 0.4}'
    assert table.loc["golden_butterfly", "band_edges"] == '{"AAA": [0.35, 0.45]}'
    assert table["rebalance_on_change"].dropna().to_dict() == {
        "quarterly": True,
        "quarterly_ignored": False,
        "sd8_quarterly": True,
    }
    rebalancing = set(allocated.table("report_rebalancing")["strategy"])
    assert rebalancing == set(table.index) - holds - {"sd8"}


def test_effects_add_up_to_the_return_above_each_strategys_own_mix(allocated: Lab) -> None:
    brinson = allocated.table("attribution_brinson").set_index(["strategy", "reserve"])
    effects = brinson[["linked_allocation", "linked_selection", "linked_interaction"]].groupby(level=[0, 1]).sum()
    trading = brinson["linked_trading"].groupby(level=[0, 1]).sum()
    returns = allocated.table("report_strategy").set_index(["strategy", "reserve"])["twr"]
    policy = returns - effects.sum(axis=1) - trading
    # Strategies of the same targets are compared with the same mix, whatever they do about them.
    for one, other in (("quarterly", "sd8_quarterly"), ("quarterly", "quarterly_ignored"), ("sd8", "buy_and_hold")):
        np.testing.assert_allclose(policy[one], policy[other], rtol=0, atol=1e-11)
    assert policy.groupby(level="reserve").nunique().min() > 5
    # What returns to its targets monthly is its own mix, but for fees.
    assert effects.loc["sixty_forty"].abs().to_numpy().max() < 1e-3


def test_page_says_when_each_strategy_rebalances(allocated: Lab) -> None:
    html = allocated.home.published.report.read_text(encoding="utf-8")
    assert "when targets change" in html
    assert "at the edges of bands of single assets" in html
