"""What strategies keep: the same metrics whatever it is, no more rows than asked for, and nothing unsound discarded."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import steps
from support.lab import RESERVES, Lab, small_study, write_prices, write_study
from support.steps import prepare, publish, refresh, simulate_part

from pipelines.lab.current import partitions_of
from pipelines.steps import simulate
from pipelines.steps.sweep import sweep_into_lake
from pipelines.warehouse import reduction
from pipelines.warehouse.audit import Identity
from sd_core.lake import POINTER
from sd_core.study.scenario import Scenario

RULES = {"rule": {"sd_n": 10, "profit_share": 0.6, "order": "nav_opportunistic"}}
FLOWS = {
    "deposits": {"amount": 50},
    "withdrawals": {"rate": 0.06, "shortfall": "overweight"},
    "taxes": {"short_term": 0.35, "long_term": 0.15},
}
STRATEGIES = {
    "buy_and_hold": {},
    "whole": RULES,
    "days": {**RULES, "keep": "daily"},
    "summary": {**RULES, "keep": "metrics"},
}


def study(prices: Path, **keys: Any) -> dict[str, Any]:
    return small_study(prices) | FLOWS | {"strategies": STRATEGIES, "path_band": True} | keys


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished run of one strategy's rules under three names, each keeping something else."""
    folder = tmp_path_factory.mktemp("kept")
    lab = Lab(write_study(folder / "small.yaml", study(write_prices(folder / "prices"))), folder / "home")
    refresh(lab.home)
    return lab


def rows_of(table: pd.DataFrame, strategy: str) -> pd.DataFrame:
    return table[table["strategy"] == strategy].drop(columns="strategy").reset_index(drop=True)


def test_metrics_do_not_depend_on_what_is_kept(kept: Lab) -> None:
    """To the last bit where SQL computes them, to 1e-9 where the digest does."""
    report = kept.table("report_strategy")
    whole = rows_of(report, "whole")
    assert whole["trades"].min() > 0
    assert whole["withdrawals"].min() > 0
    assert whole["taxes"].min() > 0
    pd.testing.assert_frame_equal(rows_of(report, "days"), whole, check_exact=True)
    # Of alike ones, one has the better rank.
    found, expected = (table.drop(columns="rank") for table in (rows_of(report, "summary"), whole))
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("table", "strategies"),
    [
        ("simulation_ledger", {"buy_and_hold", "whole"}),
        ("simulation_lots", {"whole"}),
        ("simulation_holdings", {"buy_and_hold", "whole"}),
        ("simulation_income", {"buy_and_hold", "whole"}),
        ("simulation_daily", {"buy_and_hold", "whole", "days"}),
        ("simulation_returns", {"buy_and_hold", "whole", "days"}),
        ("simulation_metrics", set(STRATEGIES)),
    ],
)
def test_table_has_the_scenarios_that_keep_what_it_needs(kept: Lab, table: str, strategies: set[str]) -> None:
    assert set(kept.table(table)["strategy"]) == strategies


def test_lake_holds_no_more_than_is_kept(kept: Lab) -> None:
    simulations = kept.home.lake.root / "simulations"
    files = {strategy: {file.stem for file in (simulations / strategy).rglob("*.parquet")} for strategy in STRATEGIES}
    assert files["whole"] == {"ledger", "daily", "lots", "orders", "tax_lots"}
    assert files["days"] == {"daily"}
    assert files["summary"] == set()


def test_headline_names_scenarios_that_keep_metrics_alone(kept: Lab) -> None:
    outcome = kept.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert any(re.match(r"summary +10 %", line) for line in outcome.out.splitlines())


def test_scenario_that_is_to_keep_something_else_is_missing_until_it_is_run(kept: Lab, tmp_path: Path) -> None:
    lab = kept.copy_to(tmp_path / "home")
    changed = STRATEGIES | {"summary": RULES}
    file = write_study(tmp_path / "small.yaml", study(kept.study_file.parent / "prices", strategies=changed))
    lab = replace(lab, study_file=file)
    publish(lab.home)
    report = lab.table("report_strategy").set_index("strategy")
    assert "summary" not in report.index
    assert report.loc["whole", "is_current"].all()
    simulate_part(lab.home, "summary")
    assert set(lab.table("simulation_ledger")["strategy"]) == {"buy_and_hold", "whole", "summary"}
    assert lab.table("report_strategy")["is_current"].all()


def test_metrics_that_other_sql_computed_are_not_published(kept: Lab, tmp_path: Path) -> None:
    lab = kept.copy_to(tmp_path / "home")
    noted = lab.home.lake.current("simulations", "days/r10")
    assert noted is not None
    facts = {**noted.facts, "metrics_version": "0" * 16}
    lab.home.lake.write("simulations", "days/r10", {"daily": noted.read("daily")}, facts)
    publish(lab.home)
    assert rows_of(lab.table("report_strategy"), "days")["reserve"].tolist() == [0.0]


def test_rows_that_break_a_law_are_refused(kept: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = replace(kept, root=tmp_path / "home")

    def broken(result, scenario, panel):
        tables = to_tables(result, scenario, panel)
        if (scenario.strategy, scenario.reserve) == ("days", 0.1):
            ledger = tables["ledger"]
            doubled = np.array(ledger["amount"]) * 2
            tables["ledger"] = ledger.set_column(ledger.column_names.index("amount"), "amount", [doubled])
        return tables

    to_tables = simulate.to_tables
    monkeypatch.setattr(simulate, "to_tables", broken)
    prepare(lab.home)
    outcomes = simulate.simulate_into_lake(lab.home.study, lab.home.lake, partitions_of(lab.home.study))
    failures = {scenario: str(outcome) for scenario, outcome in outcomes if isinstance(outcome, Exception)}
    # What was judged together is refused together.
    assert {scenario.strategy for scenario in failures} == {"days"}
    assert all("bank_follows_ledger" in message for message in failures.values())
    _, swept = sweep_into_lake(lab.home.study, lab.home.lake, [Scenario(strategy="summary", reserve=0.0)])
    assert not swept
    assert not (lab.home.lake.root / "simulations" / "days" / "r10" / POINTER).exists()
    assert (lab.home.lake.root / "simulations" / "whole" / "r10" / POINTER).exists()


def test_every_identity_about_a_scenarios_own_rows_is_asked_before_they_go(
    kept: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = kept.copy_to(tmp_path / "home")
    asked: list[str] = []

    def listening(connection, identities: list[Identity], tables):
        asked.extend(identity.name for identity in identities)
        return iter(())

    monkeypatch.setattr(reduction, "audit", listening)
    steps.simulate(lab.home, [Scenario(strategy="summary", reserve=0.1)])
    about_rows = {"amounts_add_up", "bank_follows_flows", "bank_follows_ledger", "fills_inside_bar"}
    about_rows |= {"holdings_not_negative", "lots_within_holdings", "value_is_bank_plus_holdings"}
    assert about_rows <= set(asked)


# --- the path band ----------------------------------------------------------------------------------------------------


def test_path_band_has_every_path_with_what_the_strategy_would_have_come_to_on_it(kept: Lab, tmp_path: Path) -> None:
    band = kept.table("simulation_path_band")
    assert len(band) == len(STRATEGIES) * len(RESERVES) * 4
    # The same rules on each path, as strategies of their own.
    paths = ["nearest", "low_first", "high_first", "close_only"]
    file = write_study(
        tmp_path / "small.yaml",
        study(
            kept.study_file.parent / "prices",
            strategies={"sd": {"rule": {**RULES["rule"], "path": paths}}},
            path_band=False,
        ),
    )
    lab = Lab(file, tmp_path / "home")
    refresh(lab.home)
    report = lab.table("report_strategy")
    assert report[["twr_low", "twr_high", "final_value_low", "final_value_high"]].isna().all().all()
    assert report["twr"].nunique() > len(RESERVES)
    for strategy in ("whole", "days", "summary"):
        for row in rows_of(band, strategy).itertuples():
            same = report["strategy"].str.endswith(f"__{row.path}") & (report["reserve"] == row.reserve)
            expected = report[same]
            assert row.final_value == expected["final_value"].item()
            np.testing.assert_allclose(row.twr, expected["twr"].item(), rtol=1e-12)
            assert row.is_chosen == (row.path == "nearest")


def test_report_shows_the_ends_of_the_band_with_the_chosen_path_inside(kept: Lab) -> None:
    report = kept.table("report_strategy").set_index(["strategy", "reserve"])
    band = kept.table("simulation_path_band").groupby(["strategy", "reserve"])
    for metric in ("final_value", "twr"):
        np.testing.assert_array_equal(report[f"{metric}_low"], band[metric].min()[report.index])
        np.testing.assert_array_equal(report[f"{metric}_high"], band[metric].max()[report.index])
        # The band's returns are multiplied in another order than the report's.
        assert (report[f"{metric}_low"] <= report[metric] + 1e-12).all()
        assert (report[metric] <= report[f"{metric}_high"] + 1e-12).all()
