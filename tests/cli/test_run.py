"""Runs from the command line: what a whole one leaves, what a part of one changes, and questions asked afterwards."""

import csv
import io
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.lab import RESERVES, STRATEGIES, Lab, Outcome, small_study, write_study
from support.steps import prepare, publish, refresh, simulate_part

from pipelines.orchestration.selection import select_named
from sd_core.lake import POINTER
from sd_core.schemas import TABLES
from sd_core.study.scenario import Scenario

GRID = {(strategy, reserve) for strategy, reserve in product(STRATEGIES, RESERVES)}


def scenarios_in(table: pd.DataFrame) -> set[tuple[str, float]]:
    return set(zip(table["strategy"], table["reserve"], strict=True))


def partition_of(strategy: str, reserve: str) -> str:
    return f"simulations/{strategy}/{reserve}"


def assert_same_tables(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        # The rows of a view come in no order.
        key = list(TABLES[name].key)
        one, other = (rows.sort_values(key, ignore_index=True) for rows in (found[name], table))
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=name)


# A whole run


def test_run_ends_well_and_reports_every_strategy_at_every_reserve(ran: tuple[Lab, Outcome]) -> None:
    lab, outcome = ran
    assert outcome.code == 0
    report = lab.table("report_strategy")
    assert len(report) == len(GRID)
    assert scenarios_in(report) == GRID
    assert report["is_current"].all()


def test_headline_names_every_strategy_and_what_to_do_next(ran: tuple[Lab, Outcome]) -> None:
    lab, outcome = ran
    lines = outcome.out.splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("strategy"))
    named = {line.split()[0] for line in lines[header + 1 :] if line.strip()}
    assert set(STRATEGIES) <= named
    assert str(lab.published) in outcome.out
    assert f"sdlab query --study {lab.study_file}" in outcome.out


def test_headline_shows_the_values_of_the_report(ran: tuple[Lab, Outcome]) -> None:
    lab, outcome = ran
    report = lab.table("report_strategy").set_index(["strategy", "reserve"])
    row = report.loc[("buy_and_hold", 0.0)]
    shown = ["buy_and_hold", "0", "%", f"{row['final_value']:,.0f}", f"{row['cagr'] * 100:.1f}", "%"]
    assert shown in [line.split()[:6] for line in outcome.out.splitlines()]


def test_progress_goes_to_standard_error_and_the_headline_to_standard_output(ran: tuple[Lab, Outcome]) -> None:
    _, outcome = ran
    assert "prices fetched: 3 of 3" in outcome.err
    assert "scenarios simulated: 6 of 6" in outcome.err
    assert "scenarios simulated: 6 of 6" not in outcome.out
    assert "buy-and-hold" not in outcome.err


def test_second_run_gives_the_same_tables(lab: Lab) -> None:
    before = lab.tables()
    assert lab.sdlab("run").code == 0
    assert_same_tables(lab.tables(), before)


def test_nothing_is_left_but_the_lake_the_warehouse_its_report_and_the_dagster_home(finished: Lab) -> None:
    assert {path.name for path in finished.root.iterdir()} == {"warehouse", ".dagster"}
    assert {path.name for path in (finished.root / "warehouse").iterdir()} == {"small", "small.duckdb"}
    files = {path.name for path in finished.home.lake.root.iterdir() if path.is_file()}
    assert files == {"report.html", "layout.json", ".lock", ".rebuild.lock"}


# Stored rows, added up here


def test_bank_is_the_capital_and_every_amount_booked_until_then(finished: Lab) -> None:
    booked = finished.table("simulation_ledger").pivot_table(
        index="session", columns=["strategy", "reserve"], values="amount", aggfunc="sum"
    )
    bank = finished.table("simulation_daily").pivot(index="session", columns=["strategy", "reserve"], values="bank")
    capital = finished.table("study")["capital"].item()
    expected = capital + booked.reindex(bank.index).fillna(0.0).cumsum()
    assert set(bank.columns) == GRID
    pd.testing.assert_frame_equal(expected[bank.columns], bank, rtol=1e-9)


def test_value_is_the_bank_and_the_shares_bought_so_far_at_the_close(finished: Lab) -> None:
    ledger, daily = finished.table("simulation_ledger"), finished.table("simulation_daily")
    closes = finished.table("prices").pivot(index="session", columns="ticker", values="close").ffill()
    for scenario, days in daily.groupby(["strategy", "reserve"]):
        mine = ledger[(ledger["strategy"] == scenario[0]) & (ledger["reserve"] == scenario[1])]
        traded = mine.pivot_table(index="session", columns="ticker", values="quantity", aggfunc="sum")
        holdings = traded.reindex(closes.index).fillna(0.0).cumsum()
        expected = days.set_index("session")["bank"] + (holdings * closes).sum(axis=1)
        np.testing.assert_allclose(days["value"], expected, rtol=1e-9)


def test_portfolio_of_cash_alone_earns_the_risk_free_rate_without_a_sharpe_ratio(tmp_path, finished) -> None:
    study = small_study(finished.study_file.parent / "prices")
    assets = {ticker: asset | {"lot_size": 1e9} for ticker, asset in study["universe"].items()}
    lab = Lab(write_study(tmp_path / "cash.yaml", study | {"universe": assets}), tmp_path / "home")
    refresh(lab.home)
    assert (lab.table("simulation_daily")["invested"] == 0).all()
    returns = lab.table("simulation_returns")
    assert returns["risk_free_return"].max() > 0
    np.testing.assert_allclose(returns["excess_return"], 0.0, atol=1e-12)
    report = lab.table("report_strategy")
    assert report["sharpe"].isna().all()
    # 3 % a year, paid on the days since the session before (money market, 365 days to the year) and left in the bank.
    sessions = lab.table("sessions")["session"]
    growth = (1 + 0.03 * sessions.diff().dt.days.dropna() / 365).prod()
    np.testing.assert_allclose(report["final_value"], 10_000 * growth, rtol=1e-12)


# A part of a run


@pytest.mark.parametrize(
    ("selected", "simulated"),
    [
        ("r10|sd8", {Scenario(strategy="sd8", reserve=0.1)}),
        ("sd8", {Scenario(strategy="sd8", reserve=reserve) for reserve in RESERVES}),
        ("r10", {Scenario(strategy=strategy, reserve=0.1) for strategy in STRATEGIES}),
        ("report_strategy", set()),
    ],
)
def test_selection_is_of_the_scenarios_that_it_names(finished: Lab, selected: str, simulated: set[Scenario]) -> None:
    selection = select_named(finished.home, selected)
    assert (set(selection.scenarios) if selection.simulates else set()) == simulated


@pytest.mark.parametrize(
    ("selected", "simulated"),
    # What is made of the same days again is as current as before.
    [("r10|sd8", {partition_of("sd8", "r10")}), ("report_strategy", set())],
)
def test_selection_simulates_what_it_names_and_leaves_the_rest_of_the_lake(
    lab: Lab, selected: str, simulated: set[str]
) -> None:
    pointers, tables = lab.pointers(), lab.tables()
    outcome = lab.sdlab("run", "--select", selected)
    assert outcome.code == 0, outcome.err
    moved = {name for name, version in lab.pointers().items() if version != pointers[name]}
    assert moved - {"publication"} == simulated
    # The same prices and rules give the same rows, and those of the others were not touched.
    assert_same_tables(lab.tables(), tables)


def test_strategy_named_like_a_reserve_is_the_one_selected(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "r10": {"rule": {"sd_n": 8}}})
    outcome = lab.sdlab("run", "--select", "r10")
    assert outcome.code == 0, outcome.err
    assert f"{len(RESERVES)} scenarios" in outcome.out
    simulated = lab.home.lake.root / "simulations" / "r10"
    assert len(list(simulated.iterdir())) == len(RESERVES)


def test_unknown_selection_is_refused_with_what_there_is(lab: Lab) -> None:
    digest, pointers = lab.digest(), lab.pointers()
    outcome = lab.sdlab("run", "--select", "r99|sd8")
    assert outcome.code == 2
    assert "--select r99|sd8" in outcome.err
    for there in ("r0|buy_and_hold", *STRATEGIES, "raw_prices", "prices", "simulations", "report_strategy"):
        assert there in outcome.err
    assert "Traceback" not in outcome.err
    assert (lab.digest(), lab.pointers()) == (digest, pointers)


def test_prices_can_be_fetched_alone_before_anything_was_published(fresh_lab: Lab) -> None:
    outcome = fresh_lab.sdlab("run", "--select", "raw_prices")
    assert outcome.code == 0, outcome.err
    assert set(fresh_lab.pointers()) == {"raw_prices/AAA", "raw_prices/BBB", "raw_prices/CCC", "fetches"}


def test_partition_before_any_prices_fails_and_says_what_to_run(fresh_lab: Lab) -> None:
    outcome = fresh_lab.sdlab("run", "--select", "r10|sd8")
    assert outcome.code == 1
    assert "first run the whole study, with `sdlab run`" in outcome.err
    assert "Traceback" not in outcome.err


def test_strategy_taken_out_of_the_study_leaves_the_tables(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "ath_only": {"rule": {"variant": "ath_only"}}})
    assert "sd8" in set(lab.table("report_strategy")["strategy"])
    publish(lab.home)
    assert set(lab.table("report_strategy")["strategy"]) == {"buy_and_hold", "ath_only"}
    for name, table in lab.tables().items():
        assert "strategy" not in table or "sd8" not in set(table["strategy"]), name


def test_strategy_put_into_the_study_is_simulated_alone(changed_study: Callable[..., Lab], finished: Lab) -> None:
    study = small_study(finished.study_file.parent / "prices")
    lab = changed_study(strategies=study["strategies"] | {"sd4": {"rule": {"sd_n": 4}}})
    before = lab.table("report_strategy")
    outcome = lab.sdlab("run", "--select", "sd4")
    assert outcome.code == 0, outcome.err
    report = lab.table("report_strategy")
    assert report["is_current"].all()
    assert scenarios_in(report) == GRID | {("sd4", reserve) for reserve in RESERVES}
    others = report[report["strategy"] != "sd4"].reset_index(drop=True)
    # The rank is a place among all scenarios, and so another one beside more of them.
    pd.testing.assert_frame_equal(others.drop(columns="rank"), before.drop(columns="rank"), check_exact=True)


# Partitions of different ages


def test_partitions_on_older_prices_are_marked_and_not_compared_until_a_whole_run(
    lab_with_prices: Lab,
) -> None:
    lab = lab_with_prices
    file = Path(lab.home.study.source.folder or "") / "AAA.csv"
    bars = pd.read_csv(file, index_col="Date")
    bars.loc["2023-06-15"] *= 1.04
    bars.to_csv(file)
    prepare(lab.home)
    outcome = lab.sdlab("run", "--select", "r10|sd8")
    assert outcome.code == 0, outcome.err

    report = lab.table("report_strategy")
    assert scenarios_in(report) == GRID
    assert scenarios_in(report[report["is_current"]]) == {("sd8", 0.1)}
    assert report["prices_version"].nunique() == 2
    assert report["excess_over_buy_and_hold"].isna().all()
    assert report["excess_over_same_reserve"].isna().all()

    text = " ".join(outcome.out.split())
    sentence = text[text.index("Computed on older prices") :].partition(".")[0]
    for strategy, reserve in GRID - {("sd8", 0.1)}:
        assert f"{strategy} at {reserve * 100:.0f} %" in sentence
    assert "sd8 at 10 %" not in sentence
    assert "(outdated)" in outcome.out

    findings = lab.table("report_data_quality").query("rule == 'history_changed'")
    assert list(findings["ticker"]) == ["AAA"]
    assert findings["first_session"].item() == findings["last_session"].item() == pd.Timestamp("2023-06-15")

    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    report = lab.table("report_strategy")
    assert report["is_current"].all()
    assert report["prices_version"].nunique() == 1
    assert report["excess_over_buy_and_hold"].notna().all()
    assert "outdated" not in outcome.out


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("costs", {"bps": 50}, id="costs"),
        pytest.param("capital", 20_000, id="capital"),
    ],
)
def test_partitions_under_other_settings_are_marked_once_one_is_current(
    changed_study: Callable[..., Lab], key: str, value: object
) -> None:
    lab = changed_study(**{key: value})
    simulate_part(lab.home, "sd8", 0.1)
    report = lab.table("report_strategy")
    assert scenarios_in(report) == GRID
    assert scenarios_in(report[report["is_current"]]) == {("sd8", 0.1)}
    assert report["excess_over_buy_and_hold"].isna().all()


def test_asset_taken_out_of_the_study_leaves_other_partitions_outdated(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(universe={"AAA": {"weight": 0.5}, "BBB": {"weight": 0.5}})
    prepare(lab.home)
    simulate_part(lab.home, "sd8", 0.1)
    assert scenarios_in(lab.table("report_strategy").query("is_current")) == {("sd8", 0.1)}


# What is there


@pytest.mark.parametrize(
    ("keys", "scenarios"),
    [
        pytest.param({}, "6 up to date, 0 outdated, 0 not", id="nothing"),
        pytest.param({"costs": {"bps": 50}}, "0 up to date, 6 outdated, 0 not", id="costs"),
        pytest.param({"benchmark": "AAA"}, "6 up to date, 0 outdated, 0 not", id="benchmark"),
        pytest.param({"reserves": [0.0, 0.1, 0.2]}, "6 up to date, 0 outdated, 3 not", id="reserve"),
    ],
)
def test_check_counts_the_scenarios_that_a_changed_study_leaves(
    changed_study: Callable[..., Lab], keys: dict[str, Any], scenarios: str
) -> None:
    outcome = changed_study(**keys).sdlab("check")
    assert outcome.code == 0, outcome.err
    assert f"scenarios: {scenarios} simulated yet\n" in outcome.out
    assert "whole study" not in outcome.out


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("start", "2023-06-01", id="start"),
        pytest.param("sessions", "XNYS", id="sessions"),
        pytest.param("risk_free", 0.01, id="rate"),
        pytest.param("universe", {"AAA": {"weight": 1}, "BBB": {"weight": 1}}, id="universe"),
    ],
)
def test_check_calls_everything_outdated_on_prices_of_other_settings(
    changed_study: Callable[..., Lab], key: str, value: object
) -> None:
    lab = changed_study(**{key: value})
    outcome = lab.sdlab("check")
    assert outcome.code == 0, outcome.err
    assert "scenarios: 0 up to date, 6 outdated, 0 not simulated yet\n" in outcome.out
    expected = "the prices in the lake were prepared for other settings of this study"
    assert expected in outcome.out
    assert "all scenarios are outdated: first run the whole study, with `sdlab run`" in outcome.out
    # As a run of a part says.
    assert expected in lab.sdlab("run", "--select", "r10|sd8").err


def test_check_before_any_run_counts_nothing_as_there(fresh_lab: Lab) -> None:
    outcome = fresh_lab.sdlab("check")
    assert outcome.code == 0, outcome.err
    assert "scenarios: 0 up to date, 0 outdated, 6 not simulated yet\n" in outcome.out
    assert "whole study" not in outcome.out


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def part_of(lab: Lab, dataset: str, table: str, key: str = "") -> Path:
    version = lab.home.lake.current(dataset, key)
    assert version is not None
    return version.file(table)


def test_what_is_damaged_and_can_be_computed_is_computed_again(lab: Lab) -> None:
    before = lab.tables()
    (lab.home.lake.root / "simulations" / "sd8" / "r10" / POINTER).write_text("{}", encoding="utf-8")
    flip_a_bit(part_of(lab, "simulations", "daily", "ath_only/r0"))
    flip_a_bit(part_of(lab, "correlations", "correlation_summary"))
    flip_a_bit(part_of(lab, "market", "prices"))
    outcome = lab.sdlab("run", "--select", "report_strategy")
    assert outcome.code == 0, outcome.err
    named = "market, simulations/ath_only/r0, simulations/sd8/r10, correlations"
    assert f"damaged, so computed again: {named}\n" in outcome.err
    assert "Traceback" not in outcome.err
    assert_same_tables(lab.tables(), before)


def test_damaged_prices_are_refused_with_what_is_lost(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(start="2023-06-01")
    bars = part_of(lab, "raw_prices", "bars", "AAA")
    flip_a_bit(bars)
    stored, published = bars.read_bytes(), lab.digest()
    outcome = lab.sdlab("run")
    assert outcome.code == 2
    assert f"{bars.parents[1]}: damaged: bars of 2023-01-02 to 2023-12-29 that" in outcome.err
    assert "dates that the source does not have any more are lost" in outcome.err
    assert (bars.read_bytes(), lab.digest()) == (stored, published)


def test_damaged_scenario_of_a_removed_strategy_stops_nothing(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}})
    (lab.home.lake.root / "simulations" / "sd8" / "r10" / POINTER).write_text("{}", encoding="utf-8")
    publish(lab.home)


# Questions


def test_query_gives_csv_where_no_terminal_reads(finished: Lab, processes) -> None:
    process = finished.start("query", "select strategy, reserve, final_value from report_strategy")
    processes.append(process)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    header, *rows = csv.reader(io.StringIO(out))
    assert header == ["strategy", "reserve", "final_value"]
    expected = finished.table("report_strategy")[header].itertuples(index=False)
    assert [(strategy, float(reserve), float(value)) for strategy, reserve, value in rows] == [*map(tuple, expected)]


def test_query_ends_quietly_when_its_reader_has_had_enough(finished: Lab, processes) -> None:
    process = finished.start("query", "from range(1000000)")
    processes.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "range\n"
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (0, "")


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("selct 1", id="no SQL"),
        pytest.param("from no_such_table", id="no such table"),
        pytest.param("select sharp from report_strategy", id="no such column"),
        pytest.param("delete from study", id="delete"),
        pytest.param("drop table study", id="drop"),
        pytest.param("create table mine as select 1", id="create"),
        pytest.param("insert into sessions values ('2030-01-01')", id="insert"),
        pytest.param("", id="nothing"),
        pytest.param("-- all", id="comment"),
    ],
)
def test_query_that_cannot_be_answered_is_refused_and_changes_nothing(finished: Lab, sql: str) -> None:
    digest = finished.digest()
    outcome = finished.sdlab("query", sql)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("refused:\nSQL: ")
    assert "Traceback" not in outcome.err
    assert finished.digest() == digest


def test_query_before_any_run_is_refused_with_what_to_do(fresh_lab: Lab) -> None:
    outcome = fresh_lab.sdlab("query", "from report_strategy")
    assert outcome.code == 2
    assert "sdlab run" in outcome.err
    assert not fresh_lab.root.exists()


@pytest.mark.parametrize("command", ["run", "ui"])
def test_folder_that_cannot_be_written_to_is_named_in_one_line(fresh_lab: Lab, tmp_path: Path, command: str) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is needed")
    outcome = Lab(fresh_lab.study_file, blocked).sdlab(command)
    assert outcome.code == 1
    assert outcome.err.splitlines()[0] == "failed:"
    assert outcome.err.splitlines()[1].startswith(str(blocked))
    assert len(outcome.err.splitlines()) == 2
