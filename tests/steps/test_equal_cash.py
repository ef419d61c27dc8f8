"""Scenarios of the rule are kept with what the same cash came to: as long as they are, and no longer."""

from collections.abc import Callable

import pandas as pd
import pytest
from support.lab import RESERVES, Lab
from support.steps import refresh, simulate_part

KEY = ["strategy", "reserve", "comparison"]
COMPARISONS = ["buy_and_hold", "cash_path", "rebalanced"]


def test_every_scenario_of_the_rule_is_compared_and_no_other(finished: Lab) -> None:
    report = finished.table("report_equal_cash")
    expected = {(name, level, other) for name in ("sd8", "ath_only") for level in RESERVES for other in COMPARISONS}
    assert set(report[KEY].itertuples(index=False, name=None)) == expected
    # They are no scenarios of the study.
    assert set(finished.table("report_strategy")["strategy"]) == {"buy_and_hold", "sd8", "ath_only"}
    same = report[report["comparison"] != "cash_path"]
    assert same["mean_cash_share_difference"].abs().max() < 1e-3
    assert report["samples"].eq(2000).all()


def test_change_of_a_strategy_compares_its_scenarios_alone_again(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "sd8": {"rule": {"sd_n": 12}}, "ath_only": ATH_ONLY})
    before, pointers = lab.table("report_equal_cash"), lab.pointers()
    refresh(lab.home)
    after = lab.table("report_equal_cash")
    moved = (before.set_index(KEY)["comparison_cagr"] != after.set_index(KEY)["comparison_cagr"]).groupby("strategy")
    assert moved.all().to_dict() == {"ath_only": False, "sd8": True}
    assert moved.any().to_dict() == {"ath_only": False, "sd8": True}
    assert lab.pointers()["simulations/ath_only/r0"] == pointers["simulations/ath_only/r0"]


ATH_ONLY = {"rule": {"variant": "ath_only"}}


def test_other_judge_rebuilds_the_tables_and_simulates_nothing(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(judge_by="sharpe")
    pointers = lab.pointers()
    refresh(lab.home)
    unmoved = {name: version for name, version in lab.pointers().items() if name != "publication"}
    assert unmoved == {name: pointers[name] for name in unmoved}
    ranked = lab.table("report_strategy").sort_values("rank")
    assert ranked["sharpe"].is_monotonic_decreasing
    assert lab.table("study")["judge_by"].tolist() == ["sharpe"]


def test_partial_run_keeps_what_other_scenarios_were_compared_with(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(costs={"bps": 50})
    simulate_part(lab.home, "sd8")
    # The others were simulated under other costs: they are in the tables and compared with nothing.
    assert set(lab.table("report_equal_cash")["strategy"]) == {"sd8"}
    assert set(lab.table("report_strategy")["strategy"]) == {"buy_and_hold", "sd8", "ath_only"}


@pytest.mark.parametrize("keep", ["daily", "metrics"])
def test_what_is_kept_of_a_strategy_changes_no_comparison(keep: str, changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "sd8": {"rule": {}, "keep": keep}, "ath_only": ATH_ONLY})
    before = lab.table("report_equal_cash")
    refresh(lab.home)
    # Where metrics alone are kept, they are those of the compiled digest.
    pd.testing.assert_frame_equal(lab.table("report_equal_cash"), before, rtol=1e-9, atol=1e-12)
