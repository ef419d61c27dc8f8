"""Plans of buckets in a study file: what is taken, and every way in which one is refused."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.study_files import changed, written

from pipelines.lab.fingerprints import scenario_fingerprint
from sd_core.buckets import presets
from sd_core.errors import InputError
from sd_core.study import satellites
from sd_core.study.loading import load_study
from sd_core.study.parts import Deposits

UNIVERSE = {"AMD": {"lot_size": 1}, "QQQ": {}, "XOM": {}}
HUNTER = {"preset": "momentum_hunter", "tickers": ["AMD", "QQQ"], "target": 0.05}
CATCHER = {"preset": "dividend_catcher", "tickers": ["XOM"], "target": 0.04}
PLAN = {"core": {"strategy": "sd8", "reserve": 0.1}, "budget": 0.1, "satellites": {"a": HUNTER, "b": CATCHER}}
DUAL = {"core": {"strategy": "hold", "reserve": 0}, "satellites": {"only": {"preset": "dual", "tickers": ["AMD"]}}}


def with_plans(*changes: tuple[str, Any], **plans: Any) -> dict[str, Any]:
    """Return a study with plans, and with values put at places below them."""
    document = changed(*copy.deepcopy(((["satellite_universe"], UNIVERSE), (["buckets"], plans or {"four": PLAN}))))
    places = [(place.split("."), value) for place, value in changes]
    for (*parents, key), value in places:
        part = document
        for parent in parents:
            part = part.setdefault(parent, {})
        part[key] = value
    return document


def refused(folder: Path, document: dict[str, Any]) -> list[str]:
    with pytest.raises(InputError) as refusal:
        load_study(written(folder, document))
    return [line.removeprefix(f"{folder / 'small.yaml'}: ") for line in str(refusal.value).splitlines()]


def test_plans_are_taken_with_their_defaults(tmp_path):
    study = load_study(written(tmp_path, with_plans(four=PLAN, dual=DUAL)))
    plan, dual = study.buckets["four"], study.buckets["dual"]
    assert study.satellite_tickers == ("AMD", "QQQ", "XOM")
    assert study.satellite_universe["AMD"].lot_size == 1
    assert (plan.initial, plan.budget_or_default, plan.satellites["a"].min_pct) == ("none", 0.1, 0.02)
    assert plan.satellites["b"].target_or_default == 0.04
    # The preset of one satellite beside the core says the budget, the target and the floor by itself.
    only = dual.satellites["only"]
    assert (dual.budget_or_default, only.target_or_default, only.min_pct) == (0.10, 0.10, 0.05)


def test_settings_of_a_plan_are_read(tmp_path):
    more = {"sliders": {"risk": 0.2}, "toggles": {"harvest": True}, "dividends": "send_to_core"}
    plan = {**PLAN, "initial": "target", "deposits": {"amount": 10}, "satellites": {"a": {**HUNTER, **more}}}
    read = load_study(written(tmp_path, with_plans(four=plan))).buckets["four"]
    assert (read.initial, read.deposits) == ("target", Deposits(amount=10.0))
    assert read.satellites["a"].sliders.model_dump(exclude_none=True) == {"risk": 0.2}
    assert read.satellites["a"].toggles.model_dump(exclude_none=True) == {"harvest": True}
    assert read.satellites["a"].dividends == "send_to_core"


def test_plan_without_satellites_is_its_core_alone(tmp_path):
    plan = {"core": {"strategy": "sd8", "reserve": 0}, "budget": 0}
    assert load_study(written(tmp_path, with_plans(alone=plan))).buckets["alone"].satellites == {}


def test_deposits_of_a_plan_are_the_studys_unless_it_has_its_own(tmp_path):
    own = {**PLAN, "deposits": {"amount": 10, "every": "year"}}
    document = with_plans(("deposits", {"amount": 500}), own=own, other=PLAN)
    study = load_study(written(tmp_path, document))
    assert study.deposits_of("own") == Deposits(amount=10.0, every="year")
    assert study.deposits_of("other") == study.deposits == Deposits(amount=500.0)


WRONG = [
    ("budget", 0.31, "budget: 0.31: expected a number of at most 0.3"),
    ("budget", -0.1, "budget: -0.1: expected a number of at least 0"),
    ("budget", 0.08, "budget: 0.08: expected at least the targets of the satellites, 0.09 together"),
    ("initial", "half", "initial: 'half': expected 'none' or 'target'"),
    ("core", "sd8", "core: 'sd8': expected keys and values"),
    ("core.strategy", "sd9", "core.strategy: 'sd9': expected a strategy of the study (did you mean sd8?)"),
    ("core.reserve", 0.3, "core.reserve: 0.3: expected a reserve of the study: 0, 0.1"),
    ("core.reserve", 1.5, "core.reserve: 1.5: expected a fraction of at least 0 and below 1: ten percent is 0.10"),
    ("core.cash", 1, "core.cash: unknown key: expected one of strategy, reserve"),
    ("deposits", 100, "deposits: 100: expected keys and values"),
    ("deposits.sum", 100, "deposits.sum: unknown key: expected one of amount, every, on, invest"),
    ("satellites.a.preset", None, "satellites.a.preset: null: expected 'momentum_hunter', 'steady_eddy', 'dip_buyer'"),
    (
        "satellites.a.preset",
        "dipbuyer",
        (
            "satellites.a.preset: 'dipbuyer': expected 'momentum_hunter', 'steady_eddy', 'dip_buyer', "
            "'dividend_catcher', 'custom' or 'dual' (did you mean dip_buyer?)"
        ),
    ),
    ("satellites.a.target", 0.019, "satellites.a.target: 0.019: expected a share of the account from 0.02 to 0.15"),
    ("satellites.a.target", 0.151, "satellites.a.target: 0.151: expected a share of the account from 0.02 to 0.15"),
    ("satellites.a.target", None, "satellites.a.target: missing: expected a share of the account"),
    ("satellites.a.tickers", [], "satellites.a.tickers: []: expected at least one entry"),
    ("satellites.a.tickers", "AMD", "satellites.a.tickers: 'AMD': expected a list, such as [0.0, 0.1]"),
    ("satellites.a.tickers", ["AMD", "AMD"], "satellites.a.tickers: ['AMD', 'AMD']: expected every ticker once"),
    ("satellites.b.tickers", ["AMD"], "satellites.b.tickers: 'AMD': expected one bucket per ticker; a has it"),
    (
        "satellites.a.tickers",
        ["AMDD"],
        "satellites.a.tickers: 'AMDD': expected a ticker of satellite_universe (did you mean AMD?)",
    ),
    ("satellites.a.tickers", ["VOO"], "satellites.a.tickers: 'VOO': expected a ticker of satellite_universe"),
    ("satellites.a.sliders.risk", 1.2, "satellites.a.sliders.risk: 1.2: expected a fraction from 0 to 1"),
    ("satellites.a.sliders.greed", 1, "satellites.a.sliders.greed: unknown key: expected one of risk, hold, entry,"),
    ("satellites.a.toggles.regime", 1, "satellites.a.toggles.regime: 1: expected true or false"),
    (
        "satellites.a.dividends",
        "keep",
        "satellites.a.dividends: 'keep': expected 'reinvest_same', 'send_to_core' or 'accumulate_cash'",
    ),
    ("satellites.core", CATCHER | {"tickers": ["QQQ"]}, "satellites.core: expected another name"),
    ("satellites.outside", CATCHER | {"tickers": ["QQQ"]}, "satellites.outside: expected another name"),
    ("satellites.Hunter", CATCHER | {"tickers": ["QQQ"]}, "satellites.Hunter: 'Hunter': expected a name: a small"),
    ("satellites.a.name", "x", "satellites.a.name: unknown key: expected one of preset, tickers, target, sliders"),
]


@pytest.mark.parametrize(("place", "value", "expected"), WRONG)
def test_plan_is_refused_with_its_place_its_value_and_what_was_expected(tmp_path, place, value, expected):
    lines = refused(tmp_path, with_plans((f"buckets.four.{place}", value)))
    assert any(line.startswith(f"buckets.four.{expected}") for line in lines), lines


def test_target_below_the_floor_of_the_dual_preset_is_refused(tmp_path):
    lines = refused(tmp_path, with_plans(("buckets.dual.satellites.only.target", 0.04), dual=DUAL))
    assert lines == [
        "buckets.dual.satellites.only.target: 0.04: expected a share of the account from 0.05 to 0.15",
    ]


def test_targets_that_sum_to_the_budget_but_for_rounding_are_taken(tmp_path):
    satellites_ = {
        name: {**HUNTER, "target": 0.1, "tickers": [ticker]} for name, ticker in zip("abc", UNIVERSE, strict=True)
    }
    study = load_study(written(tmp_path, with_plans(four={**PLAN, "budget": 0.3, "satellites": satellites_})))
    assert sum([0.1] * 3) > 0.3
    assert len(study.buckets["four"].satellites) == 3


def test_plan_without_a_budget_is_refused_where_no_preset_says_one(tmp_path):
    plan = {key: value for key, value in PLAN.items() if key != "budget"}
    lines = refused(tmp_path, with_plans(four=plan))
    assert lines == ["buckets.four.budget: missing: expected a share of the account for all satellites"]


def test_book_of_the_account_is_no_plan(tmp_path):
    assert refused(tmp_path, with_plans(live=PLAN))[0].startswith("buckets.live: expected another name")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("satellite_universe.VOO", {})], "satellite_universe.VOO: expected a ticker that the universe does not have"),
        ([("satellite_universe.voo", {})], "satellite_universe.voo: expected a ticker that the universe does not have"),
        ([("satellite_universe.amd", {})], "satellite_universe.amd: expected tickers that differ by more than case"),
        (
            [("satellite_universe.AMD.weight", 1)],
            "satellite_universe.AMD.weight: unknown key: expected one of lot_size",
        ),
        (
            [("satellite_universe.AMD.lot_size", -1)],
            "satellite_universe.AMD.lot_size: -1: expected a number of at least",
        ),
        ([("satellite_universe.A B", {})], "satellite_universe.A B: 'A B': expected a ticker"),
        (
            [("risk_free", "QQQ"), ("source.kind", "yahoo")],
            "risk_free: 'QQQ': expected a rate, but it is a ticker of sat",
        ),
        ([("benchmark", "qqq")], "benchmark: 'qqq': expected QQQ, as satellite_universe writes it"),
        (
            [("buckets.four.deposits", {"on": {"2000-01-03": 5}})],
            "buckets.four.deposits.on: 2000-01-03: expected a date",
        ),
    ],
)
def test_what_does_not_go_with_the_study_is_refused(tmp_path, changes, expected):
    lines = refused(tmp_path, with_plans(*changes))
    assert any(line.startswith(expected) for line in lines), lines


def test_benchmark_may_be_a_ticker_of_satellites_and_is_fetched_once(tmp_path):
    study = load_study(written(tmp_path, with_plans(("benchmark", "QQQ"))))
    assert study.price_tickers == ("VOO", "NVDA", "QQQ")
    assert study.fetched_tickers == ("VOO", "NVDA", "QQQ", "AMD", "XOM")


def test_plans_leave_every_scenario_what_it_was(tmp_path):
    plain = load_study(written(tmp_path, changed()))
    planned = load_study(written(tmp_path, with_plans()))
    assert planned.tickers == plain.tickers
    assert [scenario_fingerprint(planned, one) for one in planned.scenarios] == [
        scenario_fingerprint(plain, one) for one in plain.scenarios
    ]


# What the study knows of presets by name is what they are.


def test_study_knows_the_presets_as_they_are():
    assert {name: one.min_pct for name, one in presets.PRESETS.items()} == satellites.MIN_PCT
    dual = presets.PRESETS["dual"]
    assert (dual.target, dual.budget) == (0.10, 0.10)
    assert all(one.target is one.budget is None for name, one in presets.PRESETS.items() if name != "dual")


def test_study_knows_the_settings_as_they_are():
    for part, settings in ((satellites.Sliders, presets.Sliders), (satellites.Toggles, presets.Toggles)):
        assert list(part.model_fields) == [field.name for field in dataclasses.fields(settings)]
    words = satellites.Satellite.model_fields["dividends"].annotation
    assert {name.lower() for name in presets.Dividends.__members__} <= set(words.__args__[0].__args__)
