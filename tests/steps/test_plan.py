"""A run does only what is outdated, says what it leaves alone, and publishes what a fresh run would."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from support.lab import Lab
from support.steps import refresh

from pipelines.lab.trials import TRIALS
from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.instance import open_instance
from pipelines.orchestration.partitions import range_tags
from pipelines.steps import plan
from pipelines.steps.plan import plan_run
from sd_core import versions
from sd_core.study.scenario import Scenario

NOTHING = "up to date, so nothing was run"


def test_run_with_nothing_outdated_shows_the_headline_and_touches_nothing(lab: Lab) -> None:
    before, published = lab.pointers(), lab.digest()
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert NOTHING in " ".join(outcome.out.split())
    assert "buy_and_hold" in outcome.out
    assert (lab.pointers(), lab.digest()) == (before, published)


def test_run_without_anything_stored_plans_all_of_it(fresh_lab: Lab) -> None:
    asked = plan_run(fresh_lab.home)
    assert list(asked.tickers) == ["AAA", "BBB", "CCC"]
    assert asked.prepares
    assert list(asked.scenarios) == list(fresh_lab.home.study.scenarios)
    assert list(asked.derived) == ["variance_state", "correlations", "income_subset", "start_date_outcome", "selection"]
    assert asked.publishes


def test_change_to_one_strategy_runs_its_scenarios_and_leaves_the_others(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "sd8": {"rule": {"sd_n": 12}}, "ath_only": ATH_ONLY})
    before = lab.pointers()
    asked = plan_run(lab.home)
    assert {scenario.strategy for scenario in asked.scenarios} == {"sd8"}
    assert (list(asked.tickers), asked.prepares, asked.publishes) == ([], False, True)
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert "2 of 6 scenarios" in outcome.out
    assert "left alone" in outcome.out
    after = lab.pointers()
    assert {name for name in after if after[name] != before.get(name)} >= {"simulations/sd8/r0", "simulations/sd8/r10"}
    unmoved = ("raw_prices", "market", "simulations/buy_and_hold", "simulations/ath_only", "correlations")
    assert all(after[name] == before[name] for name in after if name.startswith(unmoved))
    assert plan_run(lab.home).is_empty


ATH_ONLY = {"rule": {"variant": "ath_only"}}


def test_published_rows_of_a_partial_run_are_those_of_a_fresh_one(
    changed_study: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "sd8": {"rule": {"sd_n": 12}}, "new": {"rebalance": YEARLY}})
    assert lab.sdlab("run").code == 0
    fresh = Lab(lab.study_file, tmp_path / "fresh")
    # What was tried before remains tried, and is in the tables.
    shutil.copytree(lab.home.lake.root / TRIALS, fresh.home.lake.root / TRIALS)
    refresh(fresh.home, fresh=True)
    assert lab.rows() == fresh.rows()
    assert report(lab) == report(fresh)


YEARLY = {"every": "year"}


def report(lab: Lab) -> bytes:
    return lab.home.published.report.read_bytes()


def test_price_file_that_changed_is_fetched_and_all_that_follows_is_made_again(lab_with_prices: Lab) -> None:
    lab = lab_with_prices
    # The same bytes under another name are another source; it is fetched once.
    refresh(lab.home)
    assert plan_run(lab.home).is_empty
    file = Path(lab.home.study.source.folder or "") / "AAA.csv"
    bars = pd.read_csv(file, index_col="Date")
    bars.loc["2023-06-15"] *= 1.04
    bars.to_csv(file)
    asked = plan_run(lab.home)
    assert list(asked.tickers) == ["AAA"]
    before = lab.pointers()
    assert lab.sdlab("run").code == 0
    after = lab.pointers()
    assert after["raw_prices/AAA"] != before["raw_prices/AAA"]
    assert after["raw_prices/BBB"] == before["raw_prices/BBB"]
    assert all(after[name] != before[name] for name in ("market", "correlations", "simulations/sd8/r0"))
    assert plan_run(lab.home).is_empty


def test_price_file_that_was_only_touched_is_left_alone(lab_with_prices: Lab) -> None:
    lab = lab_with_prices
    refresh(lab.home)
    os.utime(Path(lab.home.study.source.folder or "") / "AAA.csv")
    assert plan_run(lab.home).is_empty


@pytest.mark.parametrize(
    ("name", "value", "outdated"),
    [
        ("ENGINE", "99", "scenarios"),
        ("MARKET", "99", "prepares"),
    ],
)
def test_code_of_another_version_is_outdated(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str, value: str, outdated: str
) -> None:
    monkeypatch.setattr(versions, name, value)
    assert getattr(plan_run(lab.home), outdated)


def test_sql_that_changed_publishes_again_and_simulates_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.lab.publication._code_version", lambda: "other")
    asked = plan_run(lab.home)
    assert (list(asked.scenarios), list(asked.derived), asked.publishes) == ([], [], True)


@pytest.mark.parametrize("damage", ["removed", "replaced"])
def test_published_file_that_is_not_the_one_published_is_made_again(lab: Lab, damage: str) -> None:
    if damage == "removed":
        lab.published.unlink()
    else:
        lab.published.write_bytes(b"something else")
    assert plan_run(lab.home).publishes
    refresh(lab.home)
    assert not lab.table("report_strategy").empty
    assert plan_run(lab.home).is_empty


def test_log_that_another_tool_left_is_not_played_into_the_next_publication(lab: Lab) -> None:
    # A tool that opened the file to write, stored a note in it and was killed.
    writes = "con = duckdb.connect(sys.argv[1]); con.sql('create table mine as select 1 as note')"
    tool = f"import duckdb, os, sys; {writes}; os._exit(9)"
    subprocess.run([sys.executable, "-c", tool, str(lab.published)], check=False)
    assert lab.home.published.log.exists()
    assert plan_run(lab.home).publishes
    refresh(lab.home)
    assert not lab.home.published.log.exists()
    assert lab.sdlab("query", "select count(*) as n from report_strategy").code == 0
    assert lab.sdlab("query", "select * from mine").code == 2
    assert plan_run(lab.home).is_empty


def test_report_that_was_removed_is_made_again(lab: Lab) -> None:
    lab.home.published.report.unlink()
    assert plan_run(lab.home).publishes


def test_scenario_whose_files_are_gone_is_simulated_again(lab: Lab) -> None:
    pointer = lab.home.lake.root / "simulations" / "sd8" / "r10" / "current.json"
    pointer.unlink()
    assert list(plan_run(lab.home).scenarios) == [Scenario(strategy="sd8", reserve=0.1)]
    refresh(lab.home)
    assert json.loads(pointer.read_text(encoding="utf-8"))["rows"]["daily"] == 260


def test_fresh_run_computes_everything(lab: Lab) -> None:
    before, published = lab.pointers(), lab.rows()
    assert lab.sdlab("run", "--fresh").code == 0
    after = lab.pointers()
    assert all(after[name] != before[name] for name in before if not name.startswith("trials/"))
    assert lab.rows() == published


def test_fresh_run_of_a_part_is_refused(lab: Lab) -> None:
    with pytest.raises(SystemExit) as refusal:
        lab.sdlab("run", "--fresh", "--select", "sd8")
    assert refusal.value.code == 2


def test_refresh_in_dagster_leaves_alone_what_is_current_and_says_so(lab: Lab) -> None:
    home, before = lab.home, lab.pointers()
    with open_instance(home) as instance:
        job = build_definitions(home).resolve_job_def("refresh")
        run = job.execute_in_process(instance=instance, tags=range_tags(home.study.scenarios))
        assert run.success
        observed = {
            event.asset_observation_data.asset_observation.asset_key.path[-1]: event
            for event in run.all_events
            if event.event_type == dg.DagsterEventType.ASSET_OBSERVATION
        }
    assert {"raw_prices", "prices", "simulations", "correlations", "report_strategy", "report_html"} <= set(observed)
    assert lab.pointers() == before


def test_plan_asks_for_the_version_of_metrics_only_where_metrics_are_kept(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected() -> str:
        raise AssertionError("no scenario of the small study keeps metrics alone")

    monkeypatch.setattr(plan, "version_of_metrics", unexpected)
    assert plan_run(lab.home).is_empty
