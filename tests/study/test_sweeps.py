"""Strategies written with lists and reserves written as a range: what they stand for, and how they are refused."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from support.study_files import changed, written

from sd_core.errors import InputError
from sd_core.simulation.rules import resolve
from sd_core.study.loading import load_study
from sd_core.study.model import Study


def loaded(folder: Path, strategies: dict[str, Any], **keys: Any) -> Study:
    return load_study(written(folder, changed((["strategies"], strategies)) | keys))


def refusal(folder: Path, strategies: dict[str, Any], **keys: Any) -> list[str]:
    """Return the lines of a refusal without the file's name."""
    file = written(folder, changed((["strategies"], strategies)) | keys)
    with pytest.raises(InputError) as caught:
        load_study(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines), lines
    return [line.removeprefix(f"{file}: ") for line in lines]


# --- what a sweep stands for ------------------------------------------------------------------------------------------


def test_lists_become_a_strategy_per_combination_in_the_order_written(tmp_path: Path) -> None:
    hold = {"variant": "buy_and_hold"}
    study = loaded(tmp_path, {"hold": hold, "sd": {"profit_share": [0.25, 0.5], "sd_n": [4, 6.5]}, "ath": {"sd_n": 8}})
    assert list(study.strategies) == [
        "hold",
        "sd__profit_share_0_25__sd_n_4",
        "sd__profit_share_0_25__sd_n_6_5",
        "sd__profit_share_0_5__sd_n_4",
        "sd__profit_share_0_5__sd_n_6_5",
        "ath",
    ]
    spread = [study.strategies[name] for name in list(study.strategies)[1:5]]
    assert [(rules.profit_share, rules.sd_n) for rules in spread] == list(product((0.25, 0.5), (4, 6.5)))


def test_strategy_of_a_sweep_is_the_strategy_written_out(tmp_path: Path) -> None:
    common = {"sd_n": 4, "coordination": "hybrid", "costs": {"bps": 3}}
    swept = loaded(tmp_path, {"sd": {**common, "path": ["low_first", "nearest"], "band": {"width": [0.05, 0.1]}}})
    plain = loaded(tmp_path, {"sd": {**common, "path": "low_first", "band": {"width": 0.1}}})
    assert swept.strategies["sd__low_first__band_width_0_1"] == plain.strategies["sd"]


def test_sweep_is_known_by_its_name(tmp_path: Path) -> None:
    study = loaded(tmp_path, {"sd": {"sd_n": [4, 8]}, "sd6": {"sd_n": 6}})
    assert [study.sweep_of(name) for name in study.strategies] == ["sd", "sd", None]


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ({"sd_n": [4]}, ["sd__sd_n_4"]),
        ({"sd_n": [4.0, 16]}, ["sd__sd_n_4", "sd__sd_n_16"]),
        ({"bracket": [0.00001, 1e3]}, ["sd__bracket_0_00001", "sd__bracket_1000"]),
        ({"variant": ["full", "ath_only"]}, ["sd__full", "sd__ath_only"]),
        ({"drift": [None, 0.2]}, ["sd__drift_none", "sd__drift_0_2"]),
        ({"adaptive_bracket": [False, True]}, ["sd__adaptive_bracket_false", "sd__adaptive_bracket_true"]),
        (
            {"coordination": "target", "rebalance": {"every": ["month", "year"]}},
            ["sd__rebalance_every_month", "sd__rebalance_every_year"],
        ),
        (
            {"coordination": "target", "rebalance": {"deviation": {"width": [0.1, 0.2]}}},
            ["sd__rebalance_deviation_width_0_1", "sd__rebalance_deviation_width_0_2"],
        ),
    ],
)
def test_name_says_what_was_chosen(tmp_path: Path, rules: dict[str, Any], names: list[str]) -> None:
    assert list(loaded(tmp_path, {"sd": rules}).strategies) == names


def test_words_are_cut_short_where_the_names_would_be_too_long(tmp_path: Path) -> None:
    rules = {"sd_n": [16], "profit_share": [0.25], "coordination": ["nav_opportunistic"], "path": ["high_first"]}
    assert list(loaded(tmp_path, {"sd": rules}).strategies) == ["sd__sdn_16__prosha_0_25__navopp__higfir"]


def test_thousands_of_scenarios_load(tmp_path: Path) -> None:
    counts = {"sd_n": [*range(1, 26)], "profit_share": [0.1, 0.2, 0.3, 0.4]}
    study = loaded(tmp_path, {"sd": counts}, reserves={"from": 0, "to": 0.99, "step": 0.01})
    assert len(study.strategies) == 100
    assert len(set(study.scenarios)) == 10_000
    chosen = {
        (rules.brackets[0], rules.profit_shares[0], rules.reserve)
        for rules in (resolve(study, scenario) for scenario in study.scenarios)
    }
    assert len(chosen) == 10_000


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "finding"),
    [
        ({"sd_n": []}, "strategies.sd.sd_n: []: expected at least one value"),
        ({"sd_n": [4, 0.5]}, "strategies.sd.sd_n: entry 2: 0.5: expected a number of at least 1"),
        ({"sd_n": [4, "x"], "profit_share": [0.1, 0.2]}, "strategies.sd.sd_n: entry 2: 'x': expected a number"),
        ({"sd_n": [4, [6]]}, "strategies.sd.sd_n: entry 2: [6]: expected a number"),
        ({"sd_n": [4, 6, 4.0]}, "strategies.sd.sd_n: 4: expected every value once"),
        ({"path": ["nearest", "Nearest"]}, "strategies.sd.path: entry 2: 'Nearest': expected 'nearest', "),
        ({"sd_n": [4, 6], "max_rungs": 0}, "strategies.sd.max_rungs: 0: expected a number of at least 1"),
        ({"sd_n": [4, 6], "rungs": [1]}, "strategies.sd.rungs: unknown key: expected one of sd_n, "),
        ({"sd_n": [4, 6], "costs": {"bps": [1, -2]}}, "strategies.sd.costs.bps: entry 2: -2: expected a number of at"),
        ({"sd_n": [4, 6], "margin": [{"limit": 1}]}, "strategies.sd.margin: [{'limit': 1}]: expected keys and values"),
        (
            {"sizing": ["gain_share", "symmetric"], "lot_order": "fifo"},
            "strategies.sd__symmetric.lot_order: fifo: expected lifo, since the sizing is symmetric",
        ),
        (
            {"sd_n": [*range(1, 500)], "max_rungs": [*range(1, 500)]},
            "strategies.sd: 249,001 combinations: expected at most 10,000 from one sweep",
        ),
    ],
)
def test_wrong_sweep_is_refused_once_where_it_was_written(tmp_path: Path, rules: dict[str, Any], finding: str) -> None:
    [line] = refusal(tmp_path, {"sd": rules})
    assert line.startswith(finding), line


def test_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    taken = "expected a name of its own, but another strategy or sweep has it"
    strategies = {"sd": {"sd_n": [4, 6]}, "sd__sd_n_4": {"sd_n": 4}}
    assert refusal(tmp_path, strategies) == [f"strategies.sd__sd_n_4: sd__sd_n_4: {taken}"]
    backwards = dict(reversed(strategies.items()))
    assert refusal(tmp_path, backwards) == [f"strategies.sd: sd__sd_n_4: {taken}"]


def test_name_that_stays_too_long_is_refused_with_its_length(tmp_path: Path) -> None:
    name = "a_strategy_whose_name_says_it_all"
    [line] = refusal(tmp_path, {name: {"sd_n": [4, 16]}})
    assert line.startswith(f"strategies.{name}: the sweep's longest name would be '{name}__sdn_16', 41 characters: ")
    assert "expected at most 40" in line


def test_findings_of_many_combinations_are_counted_after_the_first(tmp_path: Path) -> None:
    lines = refusal(tmp_path, {"sd": {"sizing": "symmetric", "lot_order": "fifo", "sd_n": [*range(1, 101)]}})
    assert len(lines) == 51
    assert lines[-1].startswith("50 more findings")


def test_more_scenarios_than_dagster_can_show_are_refused(tmp_path: Path) -> None:
    counts = {"sd_n": [*range(1, 101)], "max_rungs": [*range(1, 12)]}
    [line] = refusal(tmp_path, {"sd": counts}, reserves={"from": 0, "to": 0.99, "step": 0.01})
    assert line == "strategies: 1,100 at 100 reserves are 110,000 scenarios: expected at most 100,000"


# --- reserves ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written_range", "levels"),
    [
        ({"from": 0, "to": 0.3, "step": 0.1}, (0.0, 0.1, 0.2, 0.3)),
        ({"from": 0.05, "to": 0.3, "step": 0.1}, (0.05, 0.15, 0.25)),
        ({"from": 0.1, "to": 0.1, "step": 0.01}, (0.1,)),
        ({"from": 0.1225, "to": 0.123, "step": 0.0001}, (0.1225, 0.1226, 0.1227, 0.1228, 0.1229, 0.123)),
    ],
)
def test_range_of_reserves_has_the_levels_a_list_would_have(
    tmp_path: Path, written_range: dict[str, float], levels: tuple[float, ...]
) -> None:
    assert loaded(tmp_path, {"sd": {}}, reserves=written_range).reserve_levels == levels


def test_range_of_reserves_in_hundredths_hits_every_percent(tmp_path: Path) -> None:
    study = loaded(tmp_path, {"sd": {}}, reserves={"from": 0, "to": 0.99, "step": 0.01})
    assert study.reserve_levels == tuple(percent / 100 for percent in range(100))


@pytest.mark.parametrize(
    ("written_range", "finding"),
    [
        ({"from": 0, "to": 0.3}, "reserves.step: missing: expected a value"),
        ({"from": 0, "to": 0.3, "step": 0}, "reserves.step: 0: expected a fraction above 0"),
        ({"from": 0, "to": 0.3, "step": 0.00001}, "reserves.step: 1e-05: expected at most two decimals of a percent"),
        ({"from": 0, "to": 30, "step": 0.1}, "reserves.to: 30: expected a fraction of at least 0 and below 1"),
        ({"from": "0 %", "to": 0.3, "step": 0.1}, "reserves.from: '0 %': expected a number"),
        ({"from": 0.2, "to": 0.1, "step": 0.1}, "reserves.to: 0.1: expected a level from 0.2 on"),
        ({"from": 0, "to": 0.1, "step": 0.1, "by": 1}, "reserves.by: unknown key: expected one of from, to, step"),
    ],
)
def test_wrong_range_of_reserves_is_refused(tmp_path: Path, written_range: dict[str, Any], finding: str) -> None:
    [line] = refusal(tmp_path, {"sd": {}}, reserves=written_range)
    assert line.startswith(finding), line
