"""Mixes in a study file: what is taken, and every way in which one is refused."""

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from support.study_files import changed, written

from pipelines.lab.fingerprints import UNDECIDED, scenario_fingerprint
from sd_core.errors import InputError, NotReadyError
from sd_core.schemas.strategy import strategy_values
from sd_core.simulation.rules import resolve
from sd_core.study.loading import load_study
from sd_core.study.mixes import Mix, with_parts
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

VIEW = {"long": {"NVDA": 1}, "short": {"VOO": 1}, "excess": 0.03, "confidence": 0.5, "from": "2016-01-04"}
BELIEVED = {"method": "mean_risk", "objective": "max_utility", "expected": "black_litterman", "views": [VIEW]}


def document(mixes: dict[str, Any], **strategies: Any) -> dict[str, Any]:
    named = {"hold": {}, **(strategies or {"held": {"allocation": {"mix": next(iter(mixes))}}})}
    return changed(*copy.deepcopy(((["mixes"], mixes), (["costs"], {"bps": 5}), (["strategies"], named))))


def taken(folder: Path, mixes: dict[str, Any], **strategies: Any) -> Study:
    return load_study(written(folder, document(mixes, **strategies)))


def refused(folder: Path, asked: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as refusal:
        load_study(written(folder, asked))
    return [line.removeprefix(f"{folder / 'small.yaml'}: ") for line in str(refusal.value).splitlines()]


def test_mixes_are_taken_with_their_defaults(tmp_path):
    mix = taken(tmp_path, {"plain": {}, "least": {"method": "mean_risk"}}).mixes["least"]
    assert (mix.window_or_default, mix.every, mix.objective_or_default) == (504, "month", "min_risk")
    assert (mix.risk_or_default, mix.covariance_or_default) == ("variance", "ledoit_wolf")
    assert (mix.expected_or_default, mix.level_or_default, mix.aversion_or_default) == ("shrunk", 0.95, 2.5)
    assert (mix.fallback, mix.until_fitted) == (["previous", "equal"], "universe")
    assert Mix().method == "equal"
    bare = Mix(method="regime", of={"bull": "plain"}, otherwise="plain", defence={})
    assert (bare.confirm_or_default, bare.defence.on, bare.defence.off, bare.defence.invested) == (5, 0.8, 0.5, 0.5)
    assert (Mix(method="kelly").fraction_or_default, Mix(method="proportional").score_or_default) == (1.0, "sharpe")


@pytest.mark.parametrize(
    "mix",
    [
        {"method": "mean_risk", "max_weight": 0.6, "max_turnover": 0.3, "groups": {"unclassified": [0, 1]}},
        {"method": "mean_risk", "risk": "cvar", "level": 0.9, "expanding": True, "every": "quarter"},
        {"method": "mean_risk", "objective": "max_ratio", "cost_aware": True, "weights": {"VOO": [0.1, 0.9]}},
        {"method": "risk_budget", "budget": {"VOO": 0.7, "unclassified": 0.3}},
        {"method": "hrp", "max_weight": 0.6, "risk": "cvar"},
        {"method": "herc", "min_weight": 0.1},
        {"method": "nco", "risk": "semi_variance", "fallback": ["other", "equal"]},
        {"method": "kelly", "fraction": 0.5, "expected": "sample", "max_weight": 0.25},
        {"method": "proportional", "score": "sharpe", "volatility_target": 0.1},
        {"method": "risk_budget", "budget": {"score": "sharpe"}, "defence": {"on": 0.9, "off": 0.3, "invested": 0.0}},
        {"method": "regime", "of": {"bull": "other", "bear": "other"}, "otherwise": "other", "confirm": 1},
        {"method": "blend", "of": {"other": 1}, "volatility_target": 0.1, "window": 60, "defence": {}},
        BELIEVED,
    ],
)
def test_mix_that_hangs_together_is_taken(tmp_path, mix):
    assert (
        taken(tmp_path, {"own": mix, "other": {"every": mix.get("every", "month")}}).mixes["own"].method
        == mix["method"]
    )


@pytest.mark.parametrize("method", ["hrp", "herc", "nco"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("groups", {"unclassified": [0, 0.5]}), ("max_turnover", 0.3), ("scores", {"file": "any.csv", "min": 1})],
)
def test_limits_that_hierarchical_methods_do_not_know_are_refused(tmp_path, method, key, value):
    (line,) = refused(tmp_path, document({"own": {"method": method, key: value}}))
    assert line.startswith(f"mixes.own.{key}: ")
    assert line.endswith(f": expected none, since {method} knows no such limit")


@pytest.mark.parametrize(
    ("mix", "line"),
    [
        ({"method": "hrp", "cost_aware": True}, "cost_aware: true: expected false, since the objective of hrp has no"),
        (
            {"method": "risk_budget", "cost_aware": True},
            "cost_aware: true: expected false, since the objective of risk",
        ),
        ({"method": "herc", "max_weight": 0.5}, "max_weight: 0.5: expected none, since herc cannot keep to it"),
        ({"method": "herc", "weights": {"VOO": [0, 0.5]}}, "weights: {'VOO': [0.0, 0.5]}: expected none, since herc"),
        ({"method": "nco", "min_weight": 0.1}, "min_weight: 0.1: expected none, since nco cannot keep to it"),
        ({"max_weight": 0.5}, "max_weight: 0.5: expected none, since equal cannot keep to it"),
        ({"method": "mean_risk", "cardinality": 3}, "cardinality: unknown key: expected one of method, window, "),
        ({"method": "hrp", "objective": "min_risk"}, "objective: 'min_risk': expected none, since only mean_risk has"),
        ({"method": "kelly", "risk": "cvar"}, "risk: 'cvar': expected none, since kelly does not choose its measure"),
        ({"method": "mean_risk", "level": 0.9}, "level: 0.9: expected none, since it is one of cvar, evar, cdar"),
        ({"method": "hrp", "risk": "cvar", "level": 0.9}, "level: 0.9: expected none, since it is one of cvar, evar"),
        ({"method": "mean_risk", "risk_aversion": 2}, "risk_aversion: 2.0: expected none without the objective max_ut"),
        ({"method": "mean_risk", "expected": "sample"}, "expected: 'sample': expected none, since expected returns ch"),
        ({"covariance": "oas"}, "covariance: 'oas': expected none, since a covariance changes nothing here"),
        (
            {"method": "mean_risk", "risk": "cvar", "covariance": "oas"},
            "covariance: 'oas': expected none, since a covariance changes nothing here",
        ),
        ({"method": "mean_risk", "budget": {"VOO": 1}}, "budget: {'VOO': 1.0}: expected none, since only risk_budget"),
        ({"method": "mean_risk", "fraction": 0.5}, "fraction: 0.5: expected none, since only kelly has one"),
        ({"method": "mean_risk", "window": 252, "expanding": True}, "window: 252: expected a window or expanding, not"),
        (
            {"method": "mean_risk", "min_weight": 0.5, "max_weight": 0.4},
            "min_weight: 0.5: expected at most max_weight,",
        ),
        ({"method": "mean_risk", "max_weight": 0.4}, "max_weight: 0.4: expected at least 0.5, as 2 assets make up the"),
        ({"method": "mean_risk", "min_weight": 0.6}, "min_weight: 0.6: expected lowest weights that sum to at most 1,"),
        ({"method": "mean_risk", "weights": {"XXX": [0, 1]}}, "weights: 'XXX': expected a ticker of the universe"),
        ({"method": "mean_risk", "weights": {"VOO": [0.5, 0.4]}}, "weights.VOO: [0.5, 0.4]: expected the lowest and"),
        ({"method": "mean_risk", "groups": {"bonds": [0, 1]}}, "groups: 'bonds': expected an asset class of the univ"),
        ({"method": "risk_budget", "budget": {"XXX": 1, "unclassified": 1}}, "budget: 'XXX': expected a ticker or an"),
        ({"method": "risk_budget", "budget": {"VOO": 1}}, "budget: NVDA: missing: expected a share of risk for every"),
        ({"fallback": ["nothing"]}, "fallback: 'nothing': expected previous, equal or another mix of the study"),
        ({"fallback": ["own"]}, "fallback: 'own': expected previous, equal or another mix of the study"),
        ({"fallback": ["equal", "equal"]}, "fallback: ['equal', 'equal']: expected every entry once"),
        ({"fallback": ["yearly"]}, "fallback: 'yearly': expected a mix that decides every month too"),
        ({**BELIEVED, "views": []}, "views: missing: expected at least one view beside black_litterman"),
        ({"method": "mean_risk", "views": [VIEW]}, "views: 1: expected none without the expected returns black_litter"),
        ({"score": "sharpe"}, "score: 'sharpe': expected none, since only proportional has one"),
        ({"confirm": 3}, "confirm: 3: expected none, since only regime has one"),
        ({"of": {"yearly": 1}}, "of: {'yearly': 1}: expected none, since equal combines no other mixes"),
        ({"method": "proportional", "max_weight": 0.6}, "max_weight: 0.6: expected none, since proportional cannot"),
        ({"method": "proportional", "max_turnover": 0.6}, "max_turnover: 0.6: expected none, since proportional knows"),
        ({"method": "proportional", "score": "pace"}, "score: 'pace': expected a signal of the study, or sharpe"),
        ({"select": {"signal": "pace", "top": 3}}, "select.signal: 'pace': expected a signal of the study"),
        ({"select": {"signal": "pace", "top": 0}}, "select.top: 0: expected a number of at least 1"),
        (
            {"method": "kelly", "expected": {"signal": "pace"}},
            "expected.signal: 'pace': expected a signal of the study",
        ),
        (
            {"method": "kelly", "expected": "boosted"},
            "expected: 'boosted': expected signals of the study to learn from",
        ),
        (
            {"method": "kelly", "expected": "shrunken"},
            "expected: 'shrunken': expected shrunk, sample, equilibrium, bla",
        ),
        ({"method": "kelly", "expected": {"signals": "one"}}, "expected: {'signals': 'one'}: expected shrunk, sample,"),
        ({"method": "risk_budget", "budget": {"score": "pace"}}, "budget.score: 'pace': expected a signal of the stud"),
        ({"method": "risk_budget", "budget": {"VOO": 0, "NVDA": 1}}, "budget.VOO: 0: expected a number above 0"),
        ({"method": "blend"}, "of: missing: expected shares by mix"),
        ({"method": "blend", "of": {"yearly": 0}}, "of.yearly: 0: expected a number above 0"),
        ({"method": "blend", "of": {"yearly": 1}}, "of: 'yearly': expected a mix that decides every month too"),
        ({"method": "blend", "of": {"nothing": 1}}, "of: 'nothing': expected another mix of the study"),
        ({"method": "blend", "of": {"own": 1}}, "of: 'own': expected a mix that does not combine own itself"),
        (
            {"method": "blend", "of": {"yearly": 1}, "every": "year", "max_weight": 0.5},
            "max_weight: 0.5: expected none, since blend combines other mixes",
        ),
        (
            {"method": "blend", "of": {"yearly": 1}, "every": "year", "fallback": ["equal"]},
            "fallback: ['equal']: expected none, since blend combines other mixes",
        ),
        (
            {"method": "blend", "of": {"yearly": 1}, "every": "year", "window": 60},
            "window: 60: expected none, since blend combines other mixes",
        ),
        (
            {"method": "regime", "of": {"bull": "yearly"}, "every": "year"},
            "otherwise: missing: expected a mix for sessions without a regime",
        ),
        (
            {"method": "regime", "of": {"bul": "yearly"}, "otherwise": "yearly", "every": "year"},
            "of: 'bul': expected a regime: bull, sideways, bear, high_volatility (did you mean bull?)",
        ),
        (
            {"method": "regime", "of": {"bull": 0.5}, "otherwise": "yearly", "every": "year"},
            "of.bull: 0.5: expected the name of a mix",
        ),
        ({"defence": {"on": 0.4}}, "defence.off: 0.5: expected at most on, 0.4"),
        ({"defence": {"invested": 1}}, "defence.invested: 1: expected a number below 1"),
        ({"volatility_target": 0}, "volatility_target: 0: expected a number above 0"),
        ({"window": 19}, "window: 19: expected a number of at least 20"),
        ({"method": "markowitz"}, "method: 'markowitz': expected 'equal', 'inverse_volatility', 'mean_risk', "),
    ],
)
def test_mix_that_does_not_hang_together_is_refused(tmp_path, mix, line):
    (found,) = refused(tmp_path, document({"own": mix, "yearly": {"every": "year"}}))
    assert found.startswith(f"mixes.own.{line}")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"from": None}, "from: null: expected a date such as 2015-01-31"),
        ({"confidence": 0}, "confidence: 0: expected a number above 0.0"),
        ({"confidence": 1.1}, "confidence: 1.1: expected a number of at most 1.0"),
        ({"long": {}}, "long: {}: expected at least one entry"),
        ({"short": {"NVDA": 1}}, "short: 'NVDA': expected another ticker, since it is long too"),
        ({"until": "2017-01-01"}, "until: unknown key: expected one of long, short, excess, confidence, from"),
    ],
)
def test_view_that_says_too_little_is_refused(tmp_path, change, line):
    (found,) = refused(tmp_path, document({"own": {**BELIEVED, "views": [{**VIEW, **change}]}}))
    assert line in found
    assert found.startswith("mixes.own.views: entry 1")


def test_view_without_a_date_is_refused(tmp_path):
    view = {key: value for key, value in VIEW.items() if key != "from"}
    (found,) = refused(tmp_path, document({"own": {**BELIEVED, "views": [view]}}))
    assert found == "mixes.own.views: entry 1: from: missing: expected a value"


def test_costs_that_a_study_does_not_have_are_refused(tmp_path):
    free = document({"own": {"method": "mean_risk", "cost_aware": True}})
    free["costs"] = {"fixed": 1}
    (found,) = refused(tmp_path, free)
    assert (
        found == "mixes.own.cost_aware: true: expected costs of the study in basis points (costs.bps); there are none"
    )


def test_mixes_that_combine_each_other_are_refused(tmp_path):
    blends = {name: {"method": "blend", "of": {other: 1}} for name, other in (("one", "two"), ("two", "one"))}
    lines = refused(tmp_path, document({**blends, "three": {"fallback": ["one"]}}, hold={}))
    assert lines == [
        "mixes.one.of: 'two': expected a mix that does not combine one itself",
        "mixes.two.of: 'one': expected a mix that does not combine two itself",
        "mixes.three.fallback: 'one': expected a mix that fits weights; blend combines others",
    ]


def test_mix_depends_on_those_that_it_combines_and_on_what_answers_for_them(tmp_path):
    mixes = taken(
        tmp_path,
        {
            "tide": {"method": "regime", "of": {"bull": "mixed"}, "otherwise": "plain"},
            "mixed": {"method": "blend", "of": {"least": 1, "plain": 3}},
            "least": {"method": "mean_risk", "fallback": ["erc"]},
            "erc": {"method": "risk_budget"},
            "plain": {},
            "apart": {},
        },
    ).mixes
    assert with_parts(mixes, "tide") == ("tide", "mixed", "least", "erc", "plain")
    assert mixes["mixed"].shares == {"least": 0.25, "plain": 0.75}
    assert [mixes["tide"].followed(regime) for regime in ("bull", "bear", None)] == ["mixed", "plain", "plain"]


def test_mix_called_as_a_fallback_is_refused(tmp_path):
    (found,) = refused(tmp_path, document({"previous": {}}))
    assert found == "mixes.previous: expected another name, since a fallback calls a mix's last weights so"


def test_scores_lie_where_the_study_does(tmp_path):
    mix = {"method": "mean_risk", "scores": {"file": "esg.csv", "min": 50}}
    (found,) = refused(tmp_path, document({"own": mix}))
    assert found.startswith("mixes.own.scores.file: 'esg.csv': expected a file that exists")
    (tmp_path / "esg.csv").write_text("Date,Ticker,Score\n")
    assert taken(tmp_path, {"own": mix}).mixes["own"].scores.file == str(tmp_path / "esg.csv")


@pytest.mark.parametrize(
    ("allocation", "line"),
    [
        (
            {"mix": "least", "weights": {"VOO": 1}},
            "weights: {'VOO': 1.0}: expected weights, a schedule or a mix, one of",
        ),
        ({}, "weights: missing: expected weights, a schedule or a mix"),
        ({"mix": "leastt"}, "mix: 'leastt': expected a mix of the study (did you mean least?)"),
    ],
)
def test_allocation_that_names_no_mix_or_more_is_refused(tmp_path, allocation, line):
    (found,) = refused(tmp_path, document({"least": {}}, held={"allocation": allocation}))
    assert found.startswith(f"strategies.held.allocation.{line}")


def test_sweep_over_mixes_gives_a_strategy_each(tmp_path):
    study = taken(
        tmp_path,
        {"least": {"method": "mean_risk"}, "erc": {"method": "risk_budget"}},
        sd8={"rule": {"sd_n": [6, 8]}, "allocation": {"mix": ["least", "erc"]}},
    )
    names = [f"sd8__sd_n_{sd_n}__{mix}" for sd_n in (6, 8) for mix in ("least", "erc")]
    assert list(study.strategies) == ["hold", *names]
    assert [study.strategies[name].mix for name in names] == ["least", "erc"] * 2
    assert strategy_values(study.strategies[names[0]])["allocation_mix"] == "least"


def test_strategy_with_a_mix_trades_where_targets_change_unless_it_says_otherwise(tmp_path):
    study = taken(
        tmp_path,
        {"least": {}},
        held={"allocation": {"mix": "least"}},
        still={"allocation": {"mix": "least"}, "rebalance": {"on_change": False}},
    )
    assert [study.strategies[name].rebalances_on_change for name in ("hold", "held", "still")] == [False, True, False]
    assert not study.strategies["held"].is_buy_and_hold
    assert {scenario.strategy for scenario in study.resampled} == {"hold"}


def test_strategy_is_not_resolved_before_its_mix_has_decided(tmp_path):
    study = taken(tmp_path, {"least": {}})
    scenario = Scenario(strategy="held", reserve=0.1)
    assert scenario_fingerprint(study, scenario) == UNDECIDED
    with pytest.raises(NotReadyError, match=r"strategies\.held: the mix least has decided nothing"):
        resolve(study, scenario)
    first, second = "2015-01-02", "2016-02-01"
    decisions = {dt.date.fromisoformat(first): (0.5, 0.5), dt.date.fromisoformat(second): (0.2, 0.3)}
    decided = study.with_decisions({"least": decisions})
    assert not study.is_decided("held")
    assert decided.is_decided("held")
    targets = resolve(decided, scenario).targets
    assert targets.sessions.astype(str).tolist() == [first, second]
    assert targets.weights.tolist() == [[0.5, 0.5], [0.2, 0.3]]


def test_fingerprint_follows_what_the_mix_decided_and_nothing_else_of_it(tmp_path):
    study, other = taken(tmp_path, {"least": {}}), taken(tmp_path, {"least": {"method": "hrp"}})
    scenario, holding = Scenario(strategy="held", reserve=0.1), Scenario(strategy="hold", reserve=0.1)
    rows = {dt.date(2015, 1, 2): (0.5, 0.5), dt.date(2016, 2, 1): (0.2, 0.3)}
    print_of = {
        name: scenario_fingerprint(one.with_decisions({"least": decisions}), scenario)
        for name, one, decisions in (
            ("same", study, rows),
            ("method", other, rows),
            ("weights", study, {**rows, dt.date(2016, 2, 1): (0.2, 0.3001)}),
            ("date", study, {dt.date(2015, 1, 2): (0.5, 0.5), dt.date(2016, 2, 2): (0.2, 0.3)}),
        )
    }
    assert print_of["same"] == print_of["method"]
    assert len(set(print_of.values())) == 3
    assert scenario_fingerprint(study, holding) == scenario_fingerprint(study.with_decisions({"least": rows}), holding)
