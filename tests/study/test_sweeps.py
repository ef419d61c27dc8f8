"""Strategies written with lists and reserves written as a range: what they expand to, and how they are refused."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from support.study_files import changed, written

from sd_core.errors import InputError
from sd_core.simulation.rules import resolve
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario


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


# --- what a sweep expands to ------------------------------------------------------------------------------------------


def test_lists_become_a_strategy_per_combination_in_the_order_written(tmp_path: Path) -> None:
    sweep = {"rule": {"profit_share": [0.25, 0.5], "sd_n": [4, 6.5]}}
    study = loaded(tmp_path, {"hold": {}, "sd": sweep, "ath": {"rule": {"sd_n": 8}}})
    assert list(study.strategies) == [
        "hold",
        "sd__profit_share_0_25__sd_n_4",
        "sd__profit_share_0_25__sd_n_6_5",
        "sd__profit_share_0_5__sd_n_4",
        "sd__profit_share_0_5__sd_n_6_5",
        "ath",
    ]
    rules = [study.strategies[name].rule for name in list(study.strategies)[1:5]]
    assert [(rule.profit_share, rule.sd_n) for rule in rules if rule] == list(product((0.25, 0.5), (4, 6.5)))


def test_strategy_of_a_sweep_is_the_strategy_written_out(tmp_path: Path) -> None:
    rule, costs = {"sd_n": 4, "order": "nav_opportunistic"}, {"bps": 3}
    sweep = {"rule": {**rule, "path": ["low_first", "nearest"]}, "costs": costs, "band": {"width": [0.05, 0.1]}}
    swept = loaded(tmp_path, {"sd": sweep})
    written_out = {"rule": {**rule, "path": "low_first"}, "costs": costs, "band": {"width": 0.1}}
    plain = loaded(tmp_path, {"sd": written_out})
    assert swept.strategies["sd__low_first__band_width_0_1"] == plain.strategies["sd"]


def test_sweep_is_known_by_its_name(tmp_path: Path) -> None:
    study = loaded(tmp_path, {"sd": {"rule": {"sd_n": [4, 8]}}, "sd6": {"rule": {"sd_n": 6}}})
    assert [study.sweep_of(name) for name in study.strategies] == ["sd", "sd", None]


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ({"rule": {"sd_n": [4]}}, ["sd__sd_n_4"]),
        ({"rule": {"sd_n": [4], "profit_share": [0.25]}}, ["sd__sd_n_4__profit_share_0_25"]),
        ({"rule": {"sd_n": [4.0, 16]}}, ["sd__sd_n_4", "sd__sd_n_16"]),
        ({"rule": {"bracket": [0.00001, 1e3]}}, ["sd__bracket_0_00001", "sd__bracket_1000"]),
        ({"rule": {"variant": ["full", "ath_only"]}}, ["sd__full", "sd__ath_only"]),
        ({"drift": [None, 0.2]}, ["sd__drift_none", "sd__drift_0_2"]),
        ({"rule": {"adaptive_bracket": [False, True]}}, ["sd__adaptive_bracket_false", "sd__adaptive_bracket_true"]),
        ({"rule": {"margin": {"limit": [0.1, 0.2], "rate": 0.05}}}, ["sd__margin_limit_0_1", "sd__margin_limit_0_2"]),
        ({"rebalance": {"every": ["month", "year"]}}, ["sd__rebalance_every_month", "sd__rebalance_every_year"]),
        (
            {"rebalance": {"deviation": {"width": [0.1, 0.2]}}},
            ["sd__rebalance_deviation_width_0_1", "sd__rebalance_deviation_width_0_2"],
        ),
        ({"cash": {"high": [0.1, 0.2], "candidates": ["VOO"]}}, ["sd__cash_high_0_1", "sd__cash_high_0_2"]),
        ({"band": {"default": {"width": [0.1]}, "VOO": [0.5, 0.9]}}, ["sd__band_default_width_0_1"]),
    ],
)
def test_name_says_what_was_chosen(tmp_path: Path, rules: dict[str, Any], names: list[str]) -> None:
    assert list(loaded(tmp_path, {"sd": rules}).strategies) == names


@pytest.mark.parametrize(
    ("allocation", "names"),
    [
        (
            {"weights": [{"VOO": 0.6, "BIL": 0.4}, {"VOO": 0.8, "BIL": 0.2}]},
            ["mix__voo_60_bil_40", "mix__voo_80_bil_20"],
        ),
        # Whatever the scale, and where a ticker has what a name may not have.
        ({"weights": [{"VOO": 3, "BTC-USD": 1}, {"BIL": 7}]}, ["mix__voo_75_btcusd_25", "mix__bil_100"]),
        (
            {"weights": [{"VOO": 0.925, "BIL": 0.075}, {"VOO": 2, "BIL": 1}]},
            ["mix__voo_92_5_bil_7_5", "mix__voo_66_67_bil_33_33"],
        ),
        (
            {"weights": {"VOO": [0.6, 0.8], "BIL": 0.4}},
            ["mix__voo_0_6", "mix__voo_0_8"],
        ),
    ],
)
def test_sweep_over_weights_is_named_by_tickers_and_percents(
    tmp_path: Path, allocation: dict[str, Any], names: list[str]
) -> None:
    universe = {ticker: {"weight": 1} for ticker in ("VOO", "BIL", "BTC-USD")}
    assert list(loaded(tmp_path, {"mix": {"allocation": allocation}}, universe=universe).strategies) == names


def test_sweep_over_weights_has_the_weights_that_each_entry_says(tmp_path: Path) -> None:
    mixes = [{"VOO": 0.6, "NVDA": 0.4}, {"VOO": 1}]
    one_ticker = {"VOO": [1, 3], "NVDA": 1}
    sweeps = {"mix": {"allocation": {"weights": mixes}}, "one": {"allocation": {"weights": one_ticker}}}
    study = loaded(tmp_path, sweeps)
    targets = [
        resolve(study, Scenario(strategy=name, reserve=0.1)).targets.weights[0].tolist() for name in study.strategies
    ]
    assert targets == [[0.6, 0.4], [1, 0], [0.5, 0.5], [0.75, 0.25]]
    assert [study.sweep_of(name) for name in study.strategies] == ["mix", "mix", "one", "one"]


def test_lists_that_are_values_by_themselves_are_no_sweep(tmp_path: Path) -> None:
    parts = {"band": {"VOO": [0.5, 0.9]}, "cash": {"high": 0.2, "candidates": ["NVDA", "VOO"]}}
    study = loaded(tmp_path, {"plain": parts})
    assert list(study.strategies) == ["plain"]
    assert study.sweep_of("plain") is None


def test_words_are_cut_short_where_the_names_would_be_too_long(tmp_path: Path) -> None:
    rule = {"sd_n": [16], "profit_share": [0.25], "order": ["nav_opportunistic"], "path": ["high_first"]}
    assert list(loaded(tmp_path, {"sd": {"rule": rule}}).strategies) == ["sd__sdn_16__prosha_0_25__navopp__higfir"]


def test_thousands_of_scenarios_load(tmp_path: Path) -> None:
    counts = {"sd_n": [*range(1, 26)], "profit_share": [0.1, 0.2, 0.3, 0.4]}
    study = loaded(tmp_path, {"sd": {"rule": counts}}, reserves={"from": 0, "to": 0.99, "step": 0.01})
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
        ({"rule": {"sd_n": []}}, "strategies.sd.rule.sd_n: []: expected at least one value"),
        ({"rule": {"sd_n": [4, 0.5]}}, "strategies.sd.rule.sd_n: entry 2: 0.5: expected a number of at least 1"),
        (
            {"rule": {"sd_n": [4, "x"], "profit_share": [0.1, 0.2]}},
            "strategies.sd.rule.sd_n: entry 2: 'x': expected a number",
        ),
        ({"rule": {"sd_n": [4, [6]]}}, "strategies.sd.rule.sd_n: entry 2: [6]: expected a number"),
        ({"rule": {"sd_n": [4, 6, 4.0]}}, "strategies.sd.rule.sd_n: 4: expected every value once"),
        ({"rule": {"path": ["nearest", "Nearest"]}}, "strategies.sd.rule.path: entry 2: 'Nearest': expected 'nearest'"),
        (
            {"rule": {"sd_n": [4, 6], "max_rungs": 0}},
            "strategies.sd.rule.max_rungs: 0: expected a number of at least 1",
        ),
        ({"rule": {"sd_n": [4, 6], "rungs": [1]}}, "strategies.sd.rule.rungs: unknown key: expected one of sd_n, "),
        (
            {"rule": {"sd_n": [4, 6]}, "costs": {"bps": [1, -2]}},
            "strategies.sd.costs.bps: entry 2: -2: expected a number of at",
        ),
        (
            {"rule": {"sd_n": [4, 6], "margin": [{"limit": 1}]}},
            "strategies.sd.rule.margin: [{'limit': 1}]: expected keys and values",
        ),
        # Keys that strategies once had, in a sweep of once.
        ({"sd_n": [4, 6]}, "strategies.sd.sd_n: moved: expected rule.sd_n"),
        ({"coordination": ["simple", "target"]}, "strategies.sd.coordination: moved: expected rule.order for nav_"),
        (
            {"allocation": {"weights": [{"VOO": 1}, {"VOO": 3}]}},
            "strategies.sd.allocation.weights: {'VOO': 1}: expected every value once",
        ),
        (
            {"allocation": {"weights": [{"VOO": 1}, {"VOO": 0}]}},
            "strategies.sd.allocation.weights: entry 2: {'VOO': 0}: expected weights whose sum is finite and above 0",
        ),
        (
            {"allocation": {"weights": [{"VOO": 1}, {"VOO": 1, "NVDA": -1}]}},
            "strategies.sd.allocation.weights: entry 2: NVDA: -1: expected a number of at least 0",
        ),
        (
            {"allocation": {"weights": [{"VOO": 1}, 0.5]}},
            "strategies.sd.allocation.weights: entry 2: 0.5: expected keys and values",
        ),
        (
            {"allocation": {"weights": {"VOO": [1, -1], "NVDA": 1}}},
            "strategies.sd.allocation.weights.VOO: entry 2: -1: expected a number of at least 0",
        ),
        ({"allocation": {"schedule": [{"2015-01-02": {"VOO": 1}}]}}, "strategies.sd.allocation.schedule: [{'2015-"),
        (
            {"rule": {"sizing": ["gain_share", "symmetric"]}, "lot_order": "fifo"},
            "strategies.sd__symmetric.lot_order: fifo: expected lifo, since the sizing is symmetric",
        ),
        (
            {"rule": {"sd_n": [*range(1, 500)], "max_rungs": [*range(1, 500)]}},
            "strategies.sd: 249,001 combinations: expected at most 10,000 from one sweep",
        ),
    ],
)
def test_wrong_sweep_is_refused_once_where_it_was_written(tmp_path: Path, rules: dict[str, Any], finding: str) -> None:
    [line] = refusal(tmp_path, {"sd": rules})
    assert line.startswith(finding), line


def test_list_at_a_key_that_is_no_text_is_refused_where_it_is(tmp_path: Path) -> None:
    key, value = refusal(tmp_path, {"sd": {"allocation": {"weights": {700: [1, 2]}}}})
    assert key.startswith("strategies.sd.allocation.weights.700: 700: expected a ticker")
    assert value.startswith("strategies.sd.allocation.weights: entry 701: [1, 2]: expected a number")


def test_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    taken = "expected a name of its own, but another strategy or sweep has it"
    strategies = {"sd": {"rule": {"sd_n": [4, 6]}}, "sd__sd_n_4": {"rule": {"sd_n": 4}}}
    assert refusal(tmp_path, strategies) == [f"strategies.sd__sd_n_4: sd__sd_n_4: {taken}"]
    backwards = dict(reversed(strategies.items()))
    assert refusal(tmp_path, backwards) == [f"strategies.sd: sd__sd_n_4: {taken}"]


def test_name_that_stays_too_long_is_refused_with_its_length(tmp_path: Path) -> None:
    name = "a_strategy_whose_name_says_it_all"
    [line] = refusal(tmp_path, {name: {"rule": {"sd_n": [4, 16]}}})
    assert line.startswith(f"strategies.{name}: the sweep's longest name would be '{name}__sdn_16', 41 characters: ")
    assert "expected at most 40" in line


def test_findings_of_many_combinations_are_counted_after_the_first(tmp_path: Path) -> None:
    lines = refusal(tmp_path, {"sd": {"rule": {"sizing": "symmetric", "sd_n": [*range(1, 101)]}, "lot_order": "fifo"}})
    assert len(lines) == 51
    assert lines[-1].startswith("50 more findings")


def test_more_scenarios_than_dagster_can_show_are_refused(tmp_path: Path) -> None:
    counts = {"sd_n": [*range(1, 101)], "max_rungs": [*range(1, 12)]}
    [line] = refusal(tmp_path, {"sd": {"rule": counts}}, reserves={"from": 0, "to": 0.99, "step": 0.01})
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


def test_scenarios_of_many_sweeps_are_counted_before_any_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(*_: object) -> dict[str, Any]:
        raise AssertionError("a strategy of a sweep was built")

    monkeypatch.setattr("sd_core.study.sweeps._choose", built)
    rules = {"rule": {"sd_n": [*range(1, 101)], "max_rungs": [*range(1, 101)]}}
    [line] = refusal(tmp_path, {f"sd{number}": rules for number in range(20)})
    assert line.startswith("strategies: 200,000 at "), line
    assert line.endswith("scenarios: expected at most 100,000"), line
