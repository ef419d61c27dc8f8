"""Selection in a study: families, what was ever tried, what is left alone, and the laws of the tables."""

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import refresh, simulate

import sd_core.sweep as simulating
from pipelines.lab import trials
from pipelines.lab.current import current_market
from pipelines.lab.fingerprints import rule_fingerprint
from pipelines.lab.home import SQL
from pipelines.steps import selection
from pipelines.steps.datasets import SELECTION
from pipelines.steps.plan import plan_run
from pipelines.warehouse.audit import read_identities
from sd_core.lake import Lake
from sd_core.study.loading import load_study
from sd_core.study.scenario import Scenario

STRATEGIES: dict[str, Any] = {
    "buy_and_hold": {},
    "ath_only": {"rule": {"variant": "ath_only"}},
    "days": {"rule": {"sd_n": 10}, "keep": "daily"},
    "summary": {"rule": {"sd_n": 14}, "keep": "metrics"},
    "swept": {"rule": {"sd_n": [4, 12]}},
}
RIVALS = 10


def written(folder: Path, prices: Path, **keys: Any) -> Path:
    return write_study(folder / "small.yaml", small_study(prices) | {"strategies": STRATEGIES} | keys)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished run, which tests leave as it is."""
    folder = tmp_path_factory.mktemp("selection")
    lab = Lab(written(folder, write_prices(folder / "prices")), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture
def going_on(done: Lab, tmp_path: Path) -> Lab:
    return done.copy_to(tmp_path / "home")


def with_study(lab: Lab, folder: Path, **keys: Any) -> Lab:
    return Lab(written(folder, lab.study_file.parent / "prices", **keys), lab.root)


def only(*names: str) -> dict[str, Any]:
    return {name: parts for name, parts in STRATEGIES.items() if name in names}


def of_all(lab: Lab, measure: str = "growth") -> pd.Series:
    tests = lab.table("selection_test")
    return tests[(tests["family"] == "all") & (tests["measure"] == measure)].iloc[0]


def test_families_are_all_rivals_and_each_sweep_by_both_measures(done: Lab) -> None:
    tests = done.table("selection_test")
    assert set(zip(tests["family"], tests["measure"], strict=True)) == {
        (family, measure) for family in ("all", "sweep swept") for measure in ("growth", "sharpe")
    }
    counts = tests.drop_duplicates("family").set_index("family")["scenarios"].to_dict()
    assert counts == {"all": RIVALS, "sweep swept": 4}
    assert (tests["trials"] == RIVALS).all()
    assert "buy_and_hold" not in set(done.table("selection_member")["strategy"])


def test_best_by_growth_is_the_one_that_grew_most(done: Lab) -> None:
    report = done.table("report_strategy").set_index(["strategy", "reserve"])["cagr"]
    rivals = report.drop("buy_and_hold", level="strategy")
    row = of_all(done)
    assert (row["strategy"], row["reserve"]) == rivals.idxmax()
    years = (row["last_session"] - row["first_session"]).days / 365.25
    logs = np.log1p(rivals.max()) - np.log1p(report["buy_and_hold", 0.0])
    # Both are of the same log growth: one per 252 sessions, the other per year of days.
    assert row["difference"] * row["sessions"] / 252 == pytest.approx(logs * years)


def test_sums_that_are_noted_serve_as_well_as_days(going_on: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_all(going_on)
    assert before["with_days"] == RIVALS
    monkeypatch.setattr(selection, "SIMULATED_AGAIN", 0)
    SELECTION.make(going_on.home.study, going_on.home.lake)
    refresh(going_on.home)
    after = of_all(going_on)
    assert (after["compared"], after["with_days"]) == (RIVALS, RIVALS - 2)
    assert after["pbo"] == before["pbo"]
    assert after["deflated"] == pytest.approx(before["deflated"], rel=1e-9)
    members = going_on.table("selection_member")
    assert members[members["strategy"] == "summary"]["in_set"].isna().all()
    assert members["ratio"].notna().all()


def test_nothing_is_judged_again_while_nothing_has_changed(going_on: Lab) -> None:
    before = going_on.pointers()
    assert SELECTION.outdated(going_on.home.study, going_on.home.lake, market_of(going_on)) == []
    assert plan_run(going_on.home).is_empty
    refresh(going_on.home)
    assert going_on.pointers() == before


def market_of(lab: Lab):
    return current_market(lab.home.study, lab.home.lake)


def test_change_to_one_strategy_judges_again(going_on: Lab, tmp_path: Path) -> None:
    changed = with_study(going_on, tmp_path, strategies=STRATEGIES | {"days": {"rule": {"sd_n": 11}}})
    assert SELECTION.name in plan_run(changed.home).derived
    refresh(changed.home)
    assert of_all(changed)["trials"] == RIVALS + 2
    assert plan_run(changed.home).is_empty


def test_loser_that_is_deleted_still_counts(going_on: Lab, tmp_path: Path) -> None:
    before = of_all(going_on)
    fewer = with_study(going_on, tmp_path, strategies=only("buy_and_hold", "days", "swept"))
    refresh(fewer.home)
    after = of_all(fewer)
    assert (before["scenarios"], after["scenarios"]) == (RIVALS, 6)
    # By the rules, and by the sums that were noted over the same sessions.
    assert (after["trials"], after["compared"], after["pbo"]) == (RIVALS, RIVALS, before["pbo"])
    assert after["ratio_deviation"] == pytest.approx(before["ratio_deviation"])
    tried = fewer.table("selection_trial").set_index("strategy")
    assert not tried.loc["ath_only", "is_in_study"].any()
    assert tried["growth_ratio"].notna().all()


def test_ledger_of_trials_survives_pruning(going_on: Lab) -> None:
    before = trials.noted_rules(going_on.home.lake)
    going_on.home.lake.prune()
    assert trials.noted_rules(going_on.home.lake) == before
    assert len(before) == RIVALS


def test_ledger_that_was_removed_begins_with_the_scenarios_that_are_there(going_on: Lab, tmp_path: Path) -> None:
    shutil.rmtree(going_on.home.lake.root / trials.TRIALS)
    fewer = with_study(going_on, tmp_path, strategies=only("buy_and_hold", "days", "swept"))
    refresh(fewer.home)
    assert (of_all(fewer)["scenarios"], of_all(fewer)["trials"]) == (6, 6)
    assert plan_run(fewer.home).is_empty


def test_run_that_dies_has_noted_what_it_was_about_to_try(
    going_on: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = with_study(going_on, tmp_path, strategies=STRATEGIES | {"days": {"rule": {"sd_n": 11}}})

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulating, "simulate", die)
    with pytest.raises(KeyboardInterrupt):
        simulate(changed.home, [Scenario(strategy="days", reserve=0.0)])
    assert len(trials.noted_rules(changed.home.lake)) == RIVALS + 1


def test_runs_at_the_same_time_lose_no_rule_and_count_none_twice(done: Lab, tmp_path: Path) -> None:
    study, lake = done.home.study, Lake(tmp_path / "lake")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: trials.note_rules(study, lake, study.scenarios), range(8)))
    assert len(trials.noted_rules(lake)) == RIVALS
    trials.note_rules(study, lake, study.scenarios)
    assert len(trials.noted_rules(lake)) == RIVALS


def rule_of(folder: Path, strategy: str = "ath_only", **keys: Any) -> str:
    (folder / "prices").mkdir(exist_ok=True)
    study = load_study(written(folder, folder / "prices", **keys))
    return rule_fingerprint(study, Scenario(strategy=strategy, reserve=0.1))


def test_rule_is_all_that_the_study_says_but_capital_and_what_is_kept(tmp_path: Path) -> None:
    rule = rule_of(tmp_path)
    kept = {"ath_only": {"rule": {"variant": "ath_only"}, "keep": "daily"}}
    assert rule_of(tmp_path, capital=500_000) == rule
    assert rule_of(tmp_path, strategies=STRATEGIES | kept) == rule
    assert rule_of(tmp_path, costs={"bps": 6}) != rule
    assert rule_of(tmp_path, universe={"AAA": {"weight": 0.6}, "BBB": {"weight": 0.4}}) != rule


def test_mix_that_decides_again_is_the_same_rule(tmp_path: Path) -> None:
    strategies = {"buy_and_hold": {}, "held": {"allocation": {"mix": "even"}}}
    mixes = {"even": {"method": "inverse_volatility"}}
    study = load_study(written(tmp_path, tmp_path, strategies=strategies, mixes=mixes))
    one, other = (
        study.with_decisions({"even": {dt.date.min: (0.5, 0.3, 0.2), dt.date(2023, month, 1): (0.4, 0.4, 0.2)}})
        for month in (5, 6)
    )
    scenario = Scenario(strategy="held", reserve=0.0)
    assert rule_fingerprint(one, scenario) == rule_fingerprint(other, scenario)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"strategies": only("buy_and_hold", "ath_only"), "reserves": [0.0]}, None),
        ({"start": "2023-11-28"}, "fewer than 32 sessions to compare"),
    ],
)
def test_what_cannot_be_judged_has_a_reason(
    done: Lab, tmp_path: Path, keys: dict[str, Any], reason: str | None
) -> None:
    lab = with_study(Lab(done.study_file, tmp_path / "home"), tmp_path, **keys)
    shutil.copytree(done.study_file.parent / "prices", tmp_path / "prices")
    refresh(lab.home)
    tests = lab.table("selection_test")
    if reason is None:
        assert tests["pbo"].isna().all()
        assert (tests["confidence_set"] == 1).all()
        # It fails on other grounds: a single scenario is one trial, and one year proves little.
        assert (tests["verdict"] == "not distinguished").all()
    else:
        assert (tests["verdict_missing"] == reason).all()
        assert tests["verdict"].isna().all()
    assert "tried" in " ".join(lab.sdlab("run").out.split())


def test_sweep_of_the_rule_says_first_how_many_were_tried_and_whether_it_is_luck(done: Lab) -> None:
    tests = done.table("selection_test").set_index(["family", "measure"])
    assert ("sweep swept", "growth") in tests.index
    trials = tests.loc[("all", "growth"), "trials"]
    page = (done.home.lake.root / "report.html").read_text(encoding="utf-8")
    terminal = done.sdlab("run").out
    for text in (terminal, re.sub("<[^>]*>", " ", page[page.index("<body") :])):
        said = " ".join(text.split())
        [sentence] = re.findall(rf"{trials} scenarios were tried\..*?hindsight, as survivors are\.", said)
        assert "distinguished from luck" in sentence or "None did better" in sentence
        # It comes before whether buy-and-hold won.
        assert said.index(sentence) < said.index("Of 10 scenarios of the rule")


def test_study_without_buy_and_hold_has_empty_tables(done: Lab, tmp_path: Path) -> None:
    lab = with_study(Lab(done.study_file, tmp_path / "home"), tmp_path, strategies=only("ath_only"))
    refresh(lab.home)
    assert lab.home.lake.current("selection") is None
    assert len(lab.table("selection_test")) == 0
    assert len(trials.noted_rules(lab.home.lake)) == 0


LAWS = {law.name: law.sql for law in read_identities(SQL / "audit") if law.table.startswith("selection_")}


@pytest.fixture
def broken(done: Lab, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(shutil.copy(done.published, tmp_path / "copy.duckdb"))) as connection:
        yield connection


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("selection_counts_all_splits", "update selection_split set splits = splits + 1 where bin = 3"),
        ("selection_counts_all_splits", "update selection_test set pbo = pbo + 0.01"),
        ("selection_counts_all_splits", "delete from selection_split where measure = 'growth'"),
        ("selection_counts_all_trials", "update selection_test set trials = trials - 1"),
        ("selection_counts_all_trials", "delete from selection_trial where strategy = 'ath_only'"),
        ("selection_members_are_of_their_family", "update selection_member set strategy = 'buy_and_hold'"),
        ("selection_members_are_of_their_family", "update selection_member set family = 'sweep other'"),
        ("selection_members_are_of_their_family", "update simulation_partition set is_current = false"),
        ("selection_members_are_of_their_family", "update selection_member set in_set = not in_set"),
        ("selection_members_are_of_their_family", "delete from selection_member where reserve = 0"),
        ("selection_members_are_of_their_family", "update selection_member set difference = difference + 1"),
    ],
)
def test_laws_notice_what_breaks_them(broken: duckdb.DuckDBPyConnection, law: str, change: str) -> None:
    assert broken.execute(LAWS[law]).fetchall() == []
    broken.execute(change)
    assert broken.execute(LAWS[law]).fetchall() != []


def test_every_law_is_tried() -> None:
    assert len(LAWS) == 3
