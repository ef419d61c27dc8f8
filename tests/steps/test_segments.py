"""Sweeps: the numbers of scenarios that keep metrics alone, the segments that they lie in, and what stops one."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import publish, refresh, simulate

import sd_core.sweep
from pipelines.lab import sweeps as held
from pipelines.lab.current import current_market
from pipelines.lab.sweeps import MOST_SEGMENTS, held_sweeps, prune_segments, swept
from pipelines.steps import sweep
from pipelines.steps.damage import discard_damaged
from pipelines.steps.plan import outdated_scenarios
from pipelines.warehouse.reduction import Reduction, UnsoundError
from sd_core.lake import Lake
from sd_core.metrics.measures import METRICS
from sd_core.schemas.sweeps import SWEEPS
from sd_core.simulation import judge, tax_digest
from sd_core.study.scenario import Scenario

RULES = {"rule": {"sd_n": [6, 10], "profit_share": 0.6, "order": "nav_opportunistic"}}
FLOWS = {"deposits": {"amount": 50}, "withdrawals": {"rate": 0.06, "shortfall": "overweight"}}
STRATEGIES = {"buy_and_hold": {}, "whole": RULES, "swept": {**RULES, "keep": "metrics"}}
TAXES = {"short_term": 0.35, "long_term": 0.15}
SWEPT = 4
SAME = 1e-9


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished run of a sweep whose scenarios keep their ledgers, and of the same that keep metrics alone."""
    folder = tmp_path_factory.mktemp("swept")
    written = small_study(write_prices(folder / "prices")) | FLOWS | {"strategies": STRATEGIES, "path_band": True}
    lab = Lab(write_study(folder / "small.yaml", written), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture
def lab(done: Lab, tmp_path: Path) -> Lab:
    return done.copy_to(tmp_path / "home")


@pytest.fixture(scope="module")
def taxed_done(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A finished run of both over two years in a study with taxes, whose scenarios harvest losses."""
    folder = tmp_path_factory.mktemp("taxed")
    harvesting = RULES | {"harvest": {"loss": 0.05}}
    strategies = {"buy_and_hold": {}, "whole": harvesting, "swept": {**harvesting, "keep": "metrics"}}
    written = small_study(write_prices(folder / "prices", sessions=500)) | FLOWS
    written |= {"strategies": strategies, "taxes": TAXES}
    lab = Lab(write_study(folder / "small.yaml", written), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture
def taxed(taxed_done: Lab, tmp_path: Path) -> Lab:
    return taxed_done.copy_to(tmp_path / "home")


def with_keys(lab: Lab, tmp_path: Path, **keys: Any) -> Lab:
    """Return a lab whose study has other keys, on the same prices and lake."""
    written = small_study(lab.study_file.parent / "prices") | FLOWS | {"strategies": STRATEGIES, "path_band": True}
    return replace(lab, study_file=write_study(tmp_path / "small.yaml", written | keys))


def rows_of(table: pd.DataFrame, strategy: str) -> pd.DataFrame:
    """Return the rows of a sweep, its strategies named as in any other."""
    rows = table[table["strategy"].str.startswith(strategy)].copy()
    rows["strategy"] = rows["strategy"].str.removeprefix(strategy)
    return rows.sort_values([*rows.columns[:2]]).reset_index(drop=True)


def stored(lab: Lab) -> held.Sweeps:
    study, lake = lab.home.study, lab.home.lake
    return held_sweeps(study, lake, current_market(study, lake))


@pytest.mark.parametrize("table", ["report_strategy", "simulation_path_band"])
def test_numbers_of_sweeps_are_those_of_scenarios_that_keep_their_ledger(done: Lab, table: str) -> None:
    # Of two alike, one has the better rank.
    shown = done.table(table).drop(columns="rank", errors="ignore")
    found, expected = (rows_of(shown, name) for name in ("swept", "whole"))
    assert len(expected) >= SWEPT
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=SAME, atol=SAME)


@pytest.mark.parametrize("table", ["report_strategy", "report_harvest"])
def test_numbers_after_taxes_are_those_of_scenarios_that_keep_their_ledger(taxed_done: Lab, table: str) -> None:
    shown = taxed_done.table(table).drop(columns="rank", errors="ignore")
    found, expected = (rows_of(shown, name) for name in ("swept", "whole"))
    assert len(expected) == SWEPT
    assert (expected["taxes"] > 0).all()
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=SAME, atol=SAME)


def test_lake_has_a_segment_and_no_partition_of_a_sweep(done: Lab) -> None:
    lake = done.home.lake
    assert len(lake.segments(SWEEPS)) == 1
    assert not any(key.startswith("swept") for key in lake.keys("simulations"))
    assert stored(done).is_current.tolist() == [True] * SWEPT


def test_selection_judges_scenarios_of_sweeps_beside_the_others(done: Lab) -> None:
    tests = done.table("selection_test").set_index(["family", "measure"])
    assert tests.loc[("all", "growth"), "scenarios"] == 2 * SWEPT
    assert tests.loc[("sweep swept", "sharpe"), "compared"] == SWEPT
    members = done.table("selection_member")
    found, expected = (
        rows_of(members[members["family"] == "all"].drop(columns="family"), name)["difference"]
        for name in ("swept", "whole")
    )
    np.testing.assert_allclose(found, expected, rtol=SAME)


def test_another_rule_of_a_sweep_is_the_only_thing_outdated(lab: Lab, tmp_path: Path) -> None:
    rules = {"rule": {**RULES["rule"], "sd_n": [6, 10, 14]}}
    changed = with_keys(lab, tmp_path, strategies=STRATEGIES | {"swept": {**rules, "keep": "metrics"}})
    outdated = outdated_scenarios(changed.home.study, changed.home.lake)
    assert {one.strategy for one in outdated} == {"swept__sd_n_14"}
    simulate(changed.home, outdated)
    assert len(changed.home.lake.segments(SWEEPS)) == 2
    assert stored(changed).is_current.tolist() == [True] * 6


def test_segments_without_a_row_that_counts_are_removed(lab: Lab) -> None:
    before = lab.home.lake.segments(SWEEPS)
    simulate(lab.home, swept(lab.home.study))
    after = lab.home.lake.segments(SWEEPS)
    assert len(after) == 1
    assert not set(after) & set(before)


def test_row_that_answers_the_study_counts_before_a_later_one(lab: Lab) -> None:
    """A clock that was wrong, or another study of the same name, leaves rows of later names."""
    lake = lab.home.lake
    (name,) = lake.segments(SWEEPS)
    rows = lake.read_segment(SWEEPS, name)
    place = rows.column_names.index("study_hash")
    other = rows.set_column(place, "study_hash", pa.array(["other"] * rows.num_rows))
    lake.append(SWEEPS, "9" * 20, other)
    assert stored(lab).is_current.all()
    prune_segments(lake, stored(lab))
    assert stored(lab).is_current.all()


def test_many_segments_are_merged_into_one_of_the_same_rows(lab: Lab) -> None:
    lake = lab.home.lake
    (name,) = lake.segments(SWEEPS)
    rows = lake.read_segment(SWEEPS, name)
    gone = rows.set_column(0, "strategy", pa.array([f"gone_{number}" for number in range(rows.num_rows)]))
    for number in range(MOST_SEGMENTS):
        # Scenarios that the study does not name any more keep their last row.
        one = gone.slice(number % rows.num_rows, 1)
        lake.append(SWEEPS, f"0{number:04d}", one.set_column(1, "reserve", pa.array([number / 1000])))
    before = stored(lab)
    prune_segments(lake, before)
    (merged,) = lake.segments(SWEEPS)
    assert lake.read_segment(SWEEPS, merged).num_rows == rows.num_rows + MOST_SEGMENTS
    assert stored(lab).rows.equals(before.rows)


def test_chunk_that_is_done_twice_leaves_one_segment(lab: Lab) -> None:
    study, lake = lab.home.study, lab.home.lake
    shared = sweep._shared(study, lake, current_market(study, lake), swept(study))
    for _ in range(2):
        assert sd_core.sweep.work(shared, range(SWEPT)) == (SWEPT, {})
    assert len([name for name in lake.segments(SWEEPS) if name.startswith(shared.job)]) == 1


def test_scenario_that_breaks_a_law_is_named_and_its_neighbours_are_stored(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **keys: Any) -> Iterator[Any]:
        for rules, result in zip(arguments[1], whole(*arguments, **keys), strict=True):
            if keys.get("ledger", True) and rules.reserve == 0.1 and rules.brackets[0] < 0.1:
                result.ledger["amount"] *= 2
            yield result

    whole = sd_core.sweep.simulate
    monkeypatch.setattr(sd_core.sweep, "simulate", broken)
    done, failures = sweep.sweep_into_lake(lab.home.study, lab.home.lake, swept(lab.home.study))
    assert done == SWEPT - 1
    (failed,) = failures
    assert failed == Scenario(strategy="swept__sd_n_10", reserve=0.1)
    assert "bank_follows_ledger" in failures[failed]


def test_scenario_whose_tax_lots_break_a_law_is_named_and_its_neighbours_are_stored(
    taxed: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[Any] = []

    def listening(*arguments: Any, **keys: Any) -> Iterator[Any]:
        for rules, result in zip(arguments[1], simulated(*arguments, **keys), strict=True):
            if keys.get("ledger", True) and rules.reserve == 0.1 and rules.brackets[0] < 0.1:
                chosen.append(result.ledger)
            yield result

    def broken(ledger: Any, *others: Any) -> Any:
        lots = matched(ledger, *others)
        if any(ledger is one for one in chosen):
            lots["gain"][0] += 1.0
        return lots

    simulated, matched = sd_core.sweep.simulate, tax_digest.match_lots
    monkeypatch.setattr(sd_core.sweep, "simulate", listening)
    monkeypatch.setattr(tax_digest, "match_lots", broken)
    done, failures = sweep.sweep_into_lake(taxed.home.study, taxed.home.lake, swept(taxed.home.study))
    assert done == SWEPT - 1
    assert {*failures} == {Scenario(strategy="swept__sd_n_10", reserve=0.1)}
    assert all("tax_lot_gains_add_up: 1 rows" in reason for reason in failures.values())


def test_sweep_with_taxes_stops_where_sql_finds_another_tax(taxed: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Any:
        lots = right(*arguments)
        arguments[4][METRICS.index("taxes")] *= 1.0 + 1e-8
        return lots

    right = judge.digest_taxes
    before = taxed.home.lake.segments(SWEEPS)
    monkeypatch.setattr(judge, "digest_taxes", wrong)
    with pytest.raises(UnsoundError, match=r"taxes: .* by SQL"):
        sweep.sweep_into_lake(taxed.home.study, taxed.home.lake, swept(taxed.home.study))
    assert taxed.home.lake.segments(SWEEPS) == before


@pytest.mark.parametrize(
    ("keys", "rules"),
    [({}, {}), ({"path_band": True}, {}), ({"taxes": TAXES, "path_band": True}, {"harvest": {"loss": 0.05}})],
)
def test_sql_computes_eight_scenarios_whatever_a_sweep_asks_for(
    taxed: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], rules: dict[str, Any]
) -> None:
    def listening(self: Reduction, rows: Any, partitions: Any) -> Any:
        computed.append(len(rows))
        return by_sql(self, rows, partitions)

    computed: list[int] = []
    by_sql = Reduction.metrics
    monkeypatch.setattr(Reduction, "metrics", listening)
    strategies = {"buy_and_hold": {}, "swept": {"rule": {"sd_n": [6, 8, 10, 12, 14]}, "keep": "metrics"} | rules}
    written = small_study(taxed.study_file.parent / "prices") | {"strategies": strategies} | keys
    lab = replace(taxed, study_file=write_study(tmp_path / "small.yaml", written))
    assert sweep.sweep_into_lake(lab.home.study, lab.home.lake, swept(lab.home.study)) == (10, {})
    assert computed == [sweep.AUDITED]


def test_sweep_stops_where_sql_finds_another_number(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Any:
        unsolved = right(*arguments)
        arguments[3][2] += 1e-8
        return unsolved

    right = judge.digest
    before = lab.home.lake.segments(SWEEPS)
    monkeypatch.setattr(judge, "digest", wrong)
    with pytest.raises(UnsoundError, match="twr"):
        sweep.sweep_into_lake(lab.home.study, lab.home.lake, swept(lab.home.study))
    assert lab.home.lake.segments(SWEEPS) == before


def test_large_sweep_is_not_compared_with_the_same_cash(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(lab.table("report_equal_cash")["strategy"].str[:5]) == {"whole", "swept"}
    monkeypatch.setattr(held, "MOST_COMPARED", SWEPT - 1)
    assert outdated_scenarios(lab.home.study, lab.home.lake) == swept(lab.home.study)
    refresh(lab.home)
    assert set(lab.table("report_equal_cash")["strategy"].str[:5]) == {"whole"}


def test_damaged_segment_is_discarded_and_its_scenarios_computed_again(lab: Lab) -> None:
    lake = lab.home.lake
    (name,) = lake.segments(SWEEPS)
    file = lake.root / SWEEPS / f"{name}.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert discard_damaged(lake) == [f"{SWEEPS}/{name}"]
    assert outdated_scenarios(lab.home.study, lake) == swept(lab.home.study)


def test_published_sweep_is_whole_after_its_segments_were_read_again(lab: Lab) -> None:
    before = lab.table("simulation_metrics")
    publish(lab.home)
    pd.testing.assert_frame_equal(lab.table("simulation_metrics"), before, check_exact=True)


def _append_for_ever(root: Path) -> None:
    rows = pa.table({"number": pa.array(np.random.default_rng(1).random(200_000))})
    number = 0
    while True:
        Lake(root).append(SWEEPS, f"{number:06d}", rows)
        number += 1


def test_writer_that_is_killed_leaves_whole_segments_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for milliseconds in (40, 70, 110):
        writer = multiprocessing.get_context("fork").Process(target=_append_for_ever, args=(tmp_path,))
        writer.start()
        writer.join(milliseconds / 1000)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        for name in lake.segments(SWEEPS):
            assert lake.read_segment(SWEEPS, name).num_rows == 200_000
    lake.prune()
    assert all(file.name[0] != "." for file in (tmp_path / SWEEPS).iterdir())
