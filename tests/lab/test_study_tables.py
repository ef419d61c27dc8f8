"""A study as tables, and what its fingerprints depend on."""

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.study_files import changed, written

from pipelines.lab.fingerprints import market_fingerprint, scenario_fingerprint
from pipelines.lab.study_tables import study_tables
from sd_core.schemas import TABLES
from sd_core.simulation.rules import Every, Order, Width, resolve
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

SESSIONS = np.array(["2015-01-02", "2015-01-05", "2015-06-29", "2015-07-01", "2015-07-02"], "datetime64[D]")
SD8 = Scenario(strategy="sd8", reserve=0.1)
Change = tuple[list[str], Any]


def study_with(*changes: Change) -> Study:
    return Study.model_validate(changed(*changes))


def tables_of(study: Study) -> dict[str, pa.Table]:
    return study_tables(study, SESSIONS)


# --- tables -----------------------------------------------------------------------------------------------------------


def test_study_is_one_row_of_what_was_asked() -> None:
    study = study_with((["risk_free"], "^IRX"), (["benchmark"], "SPY"))
    assert tables_of(study)["study"].to_pylist() == [
        {
            "name": "small",
            "source": "sample",
            "start_date": dt.date(2015, 1, 2),
            "end_date": dt.date(2020, 12, 31),
            "calendar": "XNYS",
            "capital": 10_000.0,
            "currency": "USD",
            "benchmark": "SPY",
            "risk_free": "^IRX",
            "deposit_amount": None,
            "deposit_every": None,
            "deposit_on": None,
            "deposit_invest": None,
            "tax_short_term": None,
            "tax_long_term": None,
            "tax_dividends": None,
            "tax_interest": None,
            "smallest_difference_wealth": 0.001,
            "smallest_difference_sharpe": 0.01,
            "smallest_difference_max_drawdown": 0.01,
            "judge_by": "cagr",
            "periods_per_year": 252,
            "has_price_index": False,
            "next_session": dt.date(2015, 7, 6),
        }
    ]


def test_tax_rates_not_given_are_those_of_qualified_dividends_and_of_ordinary_income() -> None:
    columns = ["tax_short_term", "tax_long_term", "tax_dividends", "tax_interest"]

    def rates(**taxes: float) -> list[float]:
        table = tables_of(study_with((["taxes"], taxes)))["study"].select(columns)
        return [row[0] for row in table.to_pydict().values()]

    assert rates(short_term=0.35, long_term=0.15) == [0.35, 0.15, 0.15, 0.35]
    assert rates(short_term=0.35, long_term=0.15, dividends=0, interest=0.3) == [0.35, 0.15, 0, 0.3]


def test_deposits_and_withdrawals_are_recorded_as_asked_for() -> None:
    study = study_with(
        (["deposits"], {"amount": 100, "every": "quarter"}),
        (["withdrawals"], {"rate": 0.04, "coverage": 1.5, "shortfall": "overweight"}),
        (["strategies", "sd8", "withdrawals"], {"amount": 50, "every": "year"}),
    )
    tables = tables_of(study)
    assert tables["study"].select(["deposit_amount", "deposit_every", "deposit_invest"]).to_pylist() == [
        {"deposit_amount": 100.0, "deposit_every": "quarter", "deposit_invest": True}
    ]
    columns = ["amount", "rate", "of", "every", "coverage", "shortfall"]
    columns_found = tables["study_strategy"].select(["strategy", *(f"withdrawals_{column}" for column in columns)])
    assert [tuple(row.values()) for row in columns_found.to_pylist()] == [
        # A strategy without a rule has no proceeds to be covered by, and sells of everything alike.
        ("hold", None, 0.04, "capital", "month", 0.0, "pro_rata"),
        ("sd8", 50.0, None, None, "year", 0.0, "pro_rata"),
    ]


def test_lump_sums_are_recorded_by_date_and_have_no_period() -> None:
    sums = {dt.date(2019, 6, 3): 5.0, dt.date(2016, 3, 1): 7.5}
    study = study_with((["deposits"], {"on": sums}), (["withdrawals"], {"on": sums}))
    [row] = tables_of(study)["study"].select(["deposit_amount", "deposit_every", "deposit_on"]).to_pylist()
    assert (row["deposit_amount"], row["deposit_every"]) == (None, None)
    assert json.loads(row["deposit_on"]) == {"2019-06-03": 5.0, "2016-03-01": 7.5}
    found = tables_of(study)["study_strategy"].select(["withdrawals_every", "withdrawals_on"]).to_pylist()
    assert [(one["withdrawals_every"], json.loads(one["withdrawals_on"])) for one in found] == [
        (None, {"2019-06-03": 5.0, "2016-03-01": 7.5})
    ] * 2
    rules = resolve(study, Scenario(strategy="sd8", reserve=0.0))
    assert rules.deposits_on == rules.withdrawals_on == (("2016-03-01", 7.5), ("2019-06-03", 5.0))


def test_rules_of_withdrawals_are_money_per_period_or_a_share_of_the_value() -> None:
    of_capital = study_with((["withdrawals"], {"rate": 0.04, "every": "quarter"}))
    rules = resolve(of_capital, Scenario(strategy="sd8", reserve=0.0))
    # A fourth of 4 % of the capital of 10 000.
    assert (rules.withdrawal, rules.withdrawal_share, rules.withdrawal_every) == (100.0, 0.0, Every.QUARTER)
    of_value = study_with((["withdrawals"], {"rate": 0.06, "of": "value"}))
    rules = resolve(of_value, Scenario(strategy="sd8", reserve=0.0))
    assert (rules.withdrawal, rules.withdrawal_share, rules.withdrawal_every) == (0.0, 0.005, Every.MONTH)


def test_open_end_is_null() -> None:
    assert tables_of(study_with((["end"], None)))["study"]["end_date"].to_pylist() == [None]


def test_assets_are_in_order_with_their_share_and_null_for_no_override() -> None:
    universe = {"ZZZ": {"weight": 1, "asset_class": "crypto", "lot_size": 1, "sd_n": 6}, "AAA": {"weight": 3}}
    study = study_with((["universe"], universe))
    assert tables_of(study)["study_asset"].to_pylist() == [
        {
            "position": 1,
            "ticker": "ZZZ",
            "asset_class": "crypto",
            "weight": 1.0,
            "target_share": 0.25,
            "lot_size": 1.0,
            "sd_n": 6.0,
            "bracket": None,
            "profit_share": None,
        },
        {
            "position": 2,
            "ticker": "AAA",
            "asset_class": "unclassified",
            "weight": 3.0,
            "target_share": 0.75,
            "lot_size": 0.0,
            "sd_n": None,
            "bracket": None,
            "profit_share": None,
        },
    ]


def test_strategies_come_in_order_with_defaults_and_costs_filled_in() -> None:
    strategies = {
        "wide": {"rule": {"sd_n": 1, "profit_share": 0}, "costs": {"fixed": 1}},
        "given": {"rule": {"bracket": 0.05, "path": "low_first", "max_rungs": 2}},
        "default": {"rule": {}},
        "held": {},
    }
    table = tables_of(study_with((["strategies"], strategies), (["costs"], {"bps": 5})))["study_strategy"]
    assert table["position"].to_pylist() == [1, 2, 3, 4]
    assert table["strategy"].to_pylist() == ["wide", "given", "default", "held"]
    assert table["is_buy_and_hold"].to_pylist() == [False, False, False, True]
    assert table["rule_sd_n"].to_pylist() == [1, None, 8, None]
    # One step per doubling doubles: r = 1. Eight: 2 ** (1/8) - 1 = 9.0507732665257659 % (OEIS A010770 less 1).
    assert table["rule_bracket"].to_pylist() == [
        *(pytest.approx(bracket, rel=1e-15) for bracket in (1, 0.05, 0.090507732665257659)),
        None,
    ]
    assert table["rule_profit_share"].to_pylist() == [0, 0.5, 0.5, None]
    assert table["rule_variant"].to_pylist() == ["full", "full", "full", None]
    assert table["rule_path"].to_pylist() == ["nearest", "low_first", "nearest", None]
    assert table["rule_max_rungs"].to_pylist() == [64, 2, 64, None]
    assert table["costs_bps"].to_pylist() == [0, 5, 5, 5]
    assert table["costs_fixed"].to_pylist() == [1, 0, 0, 0]
    assert table["lot_order"].to_pylist() == ["lifo"] * 4


def test_portfolio_rules_are_recorded_as_written_and_null_where_there_are_none() -> None:
    strategies = {
        "target": {
            "rebalance": {
                "every": "year",
                "deviation": {"width": 0.2, "kind": "relative"},
                "volatility": {"level": 0.3},
            },
        },
        "watchful": {
            "rule": {"cash_low": 0.05},
            "cash": {"high": 0.2, "candidates": ["NVDA", "VOO"]},
            "drift": 0.4,
            "rebalance": {"cost_aware": {"min_trade": 50}},
        },
    }
    target, watchful = tables_of(study_with((["strategies"], strategies)))["study_strategy"].to_pylist()
    names = [
        "rebalance_every",
        "rebalance_deviation_width",
        "rebalance_deviation_kind",
        "rebalance_volatility_level",
        "rebalance_volatility_window",
        "cash_high",
        "rebalance_cost_aware_max_cost",
    ]
    assert [target[name] for name in names] == ["year", 0.2, "relative", 0.3, 63, None, None]
    assert [watchful[name] for name in names] == [None, None, None, None, None, 0.2, 1.0]
    assert (watchful["rule_cash_low"], watchful["drift"]) == (0.05, 0.4)
    assert watchful["rebalance_cost_aware_min_trade"] == 50
    assert watchful["cash_candidates"] == '["NVDA", "VOO"]'
    assert target["cash_candidates"] is None


MIX = {"VOO": 0.6, "NVDA": 0.4}
CHANGING = {"schedule": {"2015-06-30": {"NVDA": 1}, "2015-01-02": MIX}}


def recorded(strategy: dict[str, Any], *columns: str) -> list[Any]:
    """Return what the table says of a strategy in some columns."""
    table = tables_of(study_with((["strategies"], {"only": strategy})))["study_strategy"]
    [row] = table.select(columns).to_pylist()
    return list(row.values())


@pytest.mark.parametrize(
    ("allocation", "weights", "schedule", "on_change"),
    [
        ({}, None, None, None),
        ({"allocation": {"weights": MIX}}, '{"VOO": 0.6, "NVDA": 0.4}', None, None),
        (
            {"allocation": CHANGING},
            None,
            '{"2015-06-30": {"NVDA": 1.0}, "2015-01-02": {"VOO": 0.6, "NVDA": 0.4}}',
            True,
        ),
    ],
)
def test_allocation_is_recorded_as_json_and_whether_its_changes_trade(
    allocation: dict[str, Any], weights: str | None, schedule: str | None, on_change: bool | None
) -> None:
    columns = ("allocation_weights", "allocation_schedule", "rebalance_on_change")
    assert recorded(allocation, *columns) == [weights, schedule, on_change]


def test_changes_of_targets_that_the_strategy_ignores_are_recorded_so() -> None:
    assert recorded({"allocation": CHANGING, "rebalance": {"on_change": False}}, "rebalance_on_change") == [False]


@pytest.mark.parametrize(
    ("band", "expected"),
    [
        ({"width": 0.05}, [0.05, "absolute", None, None, None]),
        ({"width": 0.4, "kind": "relative"}, [0.4, "relative", None, None, None]),
        ({"NVDA": [0.2, 0.3]}, [None, None, None, None, '{"NVDA": [0.2, 0.3]}']),
        (
            {"NVDA": [0.2, 0.3], "VOO": [0, 1], "default": {"width": 0.1}},
            [None, None, 0.1, "absolute", '{"NVDA": [0.2, 0.3], "VOO": [0.0, 1.0]}'],
        ),
    ],
)
def test_band_is_recorded_with_its_kind_and_its_edges_as_json(band: dict[str, Any], expected: list[Any]) -> None:
    columns = ("band_width", "band_kind", "band_default_width", "band_default_kind", "band_edges")
    assert recorded({"band": band}, *columns) == expected


def test_every_column_of_strategies_has_a_value_of_some_strategy() -> None:
    strategies = {
        "everything": {
            "allocation": CHANGING,
            "rule": {"cash_low": 0.1, "stop": 0.3, "margin": {"limit": 0.1, "rate": 0.05}},
            "rebalance": {
                "every": "year",
                "deviation": {"width": 0.1},
                "volatility": {"level": 0.3},
                "patience": {"sessions": 5, "mean": 21},
                "cost_aware": {"min_trade": 10},
            },
            "band": {"VOO": [0.5, 0.8], "default": {"width": 0.1}},
            "cash": {"high": 0.2, "candidates": ["VOO"]},
            "drift": 0.4,
            "premium_spread": 0.2,
            "harvest": {"substitute": {"VOO": "NVDA"}},
            "withdrawals": {"rate": 0.04},
        },
        "rest": {
            "allocation": {"weights": MIX},
            "band": {"width": 0.1},
            "withdrawals": {"amount": 10, "on": {dt.date(2016, 3, 1): 5.0}},
        },
        "decided": {"allocation": {"mix": "least"}},
    }
    mixes, taxes = {"least": {"method": "mean_risk"}}, {"short_term": 0.35, "long_term": 0.15}
    study = study_with((["strategies"], strategies), (["mixes"], mixes), (["taxes"], taxes))
    table = tables_of(study)["study_strategy"]
    assert table.column_names == list(TABLES["study_strategy"].types)
    empty = [name for name in table.column_names if table[name].null_count == len(table)]
    assert empty == ["sweep"]


def test_targets_are_recorded_of_every_strategy_from_their_session_on() -> None:
    strategies = {"universe": {}, "mix": {"allocation": {"weights": MIX}}, "changing": {"allocation": CHANGING}}
    table = tables_of(study_with((["strategies"], strategies)))["strategy_target"]
    assert table.column_names == list(TABLES["strategy_target"].types)
    first, changed_on = dt.date(2015, 1, 2), dt.date(2015, 7, 1)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("universe", first, "VOO", 0.75),
        ("universe", first, "NVDA", 0.25),
        ("mix", first, "VOO", 0.6),
        ("mix", first, "NVDA", 0.4),
        ("changing", first, "VOO", 0.6),
        ("changing", first, "NVDA", 0.4),
        # A Tuesday without a session: the next one after it.
        ("changing", changed_on, "VOO", 0.0),
        ("changing", changed_on, "NVDA", 1.0),
    ]


def test_targets_that_come_into_force_on_no_session_or_change_nothing_are_left_out() -> None:
    schedule = {"2014-01-02": {"VOO": 1}, "2014-12-31": MIX, "2015-06-30": {"NVDA": 1}, "2015-07-01": {"VOO": 1}}
    schedule |= {"2015-01-05": {"VOO": 6, "NVDA": 4}, "2015-07-02": {"VOO": 2}}  # nothing changes
    late = {"2016-01-04": {"NVDA": 1}}  # after the last session
    study = study_with((["strategies"], {"changing": {"allocation": {"schedule": schedule | late}}}))
    rows = [tuple(row.values())[1:] for row in tables_of(study)["strategy_target"].to_pylist()]
    assert rows == [
        (dt.date(2015, 1, 2), "VOO", 0.6),
        (dt.date(2015, 1, 2), "NVDA", 0.4),
        (dt.date(2015, 7, 1), "VOO", 1.0),
        (dt.date(2015, 7, 1), "NVDA", 0.0),
    ]


def test_rules_of_a_scenario_are_those_that_its_strategy_switches_on() -> None:
    universe = {"A": {"weight": 1}, "B": {"weight": 1}, "C": {"weight": 0}}
    strategies = {
        "banded": {
            "rule": {"order": "nav_opportunistic", "stop": 0.25},
            "band": {"width": 0.1, "kind": "relative"},
        },
        "deploying": {"cash": {"high": 0.2, "candidates": ["C", "A"]}},
        "patient": {"rebalance": {"every": "month", "patience": {"sessions": 5, "mean": 21}}},
        "harvesting": {"harvest": {"every": "quarter", "loss": 0.2, "min_loss": 50, "substitute": {"C": "A"}}},
    }
    taxes = {"short_term": 0.35, "long_term": 0.15}
    study = study_with((["universe"], universe), (["strategies"], strategies), (["taxes"], taxes))
    banded, deploying, patient, harvesting = (
        resolve(study, Scenario(strategy=name, reserve=0.0)) for name in strategies
    )
    assert (banded.order, banded.band, banded.band_width) == (Order.NAV_OPPORTUNISTIC, 0.1, Width.RELATIVE)
    assert (banded.stop, banded.cash_high, banded.candidates) == (0.25, math.inf, ())
    assert (deploying.cash_high, deploying.candidates, deploying.drift) == (0.2, (2, 0), math.inf)
    assert (patient.patience, patient.patience_mean, deploying.patience) == (5, 21, 0)
    assert (harvesting.harvest_every, harvesting.harvest_loss, harvesting.harvest_min) == (Every.QUARTER, 0.2, 50)
    assert harvesting.substitutes == (2, -1, 0)


def test_buckets_are_the_core_and_satellites_with_their_parameters() -> None:
    satellites = {
        "dips": {"preset": "dip_buyer", "tickers": ["MSFT", "AMD"], "target": 0.05, "sliders": {"risk": 0.2}},
        "catcher": {"preset": "dividend_catcher", "tickers": ["XOM"], "target": 0.08, "toggles": {"harvest": True}},
    }
    plan = {"core": {"strategy": "sd8", "reserve": 0.1}, "budget": 0.15, "satellites": satellites}
    study = study_with(
        (["satellite_universe"], {"AMD": {}, "MSFT": {}, "XOM": {}}),
        (["buckets"], {"p": plan, "alone": plan | {"satellites": {}}}),
    )
    core, dips, catcher, alone = tables_of(study)["study_bucket"].to_pylist()
    assert {name: value for name, value in core.items() if value is not None} == {
        "plan": "p",
        "position": 0,
        "bucket": "core",
        "strategy": "sd8",
        "reserve": 0.1,
        "budget": 0.15,
        "target": pytest.approx(0.87, abs=1e-15),
        "tickers": [],
    }
    assert (alone["plan"], alone["bucket"], alone["target"]) == ("alone", "core", 1.0)
    # In the order of the study; the slider that is set, and what it comes to: .15 + .25 · .2 and .05 + .15 · .2.
    assert (dips["position"], dips["tickers"]) == (1, ["AMD", "MSFT"])
    assert (dips["slider_risk"], dips["slider_hold"], dips["toggle_harvest"]) == (0.2, 0.7, False)
    assert (dips["size"], dips["stop"]) == (pytest.approx(0.20, abs=1e-15), pytest.approx(0.08, abs=1e-15))
    assert (dips["signal"], dips["breakout_window"], dips["dip_depth"]) == ("dip", None, pytest.approx(0.14, abs=1e-15))
    assert (dips["min_pct"], dips["dividends"]) == (0.02, "reinvest_same")
    assert (catcher["position"], catcher["toggle_harvest"], catcher["dividends"]) == (2, True, "accumulate_cash")
    assert (catcher["signal"], catcher["breakout_window"], catcher["dip_depth"]) == ("ex_dividend", None, None)


# --- fingerprints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        [(["strategies", "more"], {"rule": {"sd_n": 4}})],
        [(["strategies", "hold", "drift"], 0.4)],
        [(["reserves"], [0.2, 0.1, 0.05])],
        [(["name"], "renamed")],
        [(["benchmark"], "SPY")],
        [(["universe", "VOO", "asset_class"], "indices")],
        [(["universe", "VOO", "weight"], 3), (["universe", "NVDA", "weight"], 1)],  # 3 : 1, as before
        [(["strategies", "sd8", "rule", "profit_share"], 0.5)],  # the default, spelled out
        [(["strategies", "sd8", "allocation"], {"weights": {"VOO": 3, "NVDA": 1}})],  # the universe's weights
    ],
)
def test_scenario_keeps_its_fingerprint_when_the_study_changes_around_it(changes: list[Change]) -> None:
    assert scenario_fingerprint(study_with(*changes), SD8) == scenario_fingerprint(study_with(), SD8)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("capital", 20_000),
        ("costs", {"bps": 5}),
        ("costs", {"fixed": 1}),
        ("universe.VOO.weight", 0.5),
        ("universe.VOO.lot_size", 1),
        ("universe.VOO.sd_n", 6),
        ("universe.VOO.bracket", 0.05),
        ("universe.VOO.profit_share", 0.4),
        ("universe.SPY", {"weight": 0}),
        ("universe", {"NVDA": {"weight": 0.25}, "VOO": {"weight": 0.75}}),
        ("universe", {"VOO": {"weight": 0.75}, "AMD": {"weight": 0.25}}),
        ("strategies.sd8.rule.sd_n", 9),
        ("strategies.sd8.rule.profit_share", 0.4),
        ("strategies.sd8.rule.variant", "ath_only"),
        ("strategies.sd8.rule.sizing", "symmetric"),
        ("strategies.sd8.rule.order", "nav_opportunistic"),
        ("strategies.sd8.rule.stop", 0.3),
        ("strategies.sd8.allocation", {"weights": {"VOO": 0.6, "NVDA": 0.4}}),
        ("strategies.sd8.allocation", {"schedule": {"2015-01-02": {"VOO": 0.75, "NVDA": 0.25}}}),
        ("strategies.sd8.band", {"width": 0.1}),
        ("strategies.sd8.band", {"VOO": [0.6, 0.8]}),
        ("strategies.sd8.rebalance", {"every": "year"}),
        ("strategies.sd8.cash", {"high": 0.2}),
        ("strategies.sd8.cash", {"high": 0.2, "candidates": ["VOO"]}),
        ("strategies.sd8.rule.path", "low_first"),
        ("strategies.sd8.rule.anchor", "fill"),
        ("strategies.sd8.rule.max_rungs", 63),
        ("strategies.sd8.costs", {"bps": 1}),
    ],
)
def test_scenario_changes_its_fingerprint_with_everything_it_runs_on(place: str, value: Any) -> None:
    study = study_with((place.split("."), value))
    assert scenario_fingerprint(study, SD8) != scenario_fingerprint(study_with(), SD8)


def test_scenario_depends_on_whether_there_are_taxes_and_not_on_their_rates() -> None:
    low, high = (study_with((["taxes"], {"short_term": rate, "long_term": 0.1})) for rate in (0.2, 0.5))
    assert scenario_fingerprint(low, SD8) == scenario_fingerprint(high, SD8)
    assert scenario_fingerprint(low, SD8) != scenario_fingerprint(study_with(), SD8)


def test_rates_of_tax_outdate_what_is_compared_with_its_twin_after_taxes() -> None:
    harvest = (["strategies", "sd8", "harvest"], {})
    low, high = (study_with(harvest, (["taxes"], {"short_term": rate, "long_term": 0.1})) for rate in (0.2, 0.5))
    assert scenario_fingerprint(low, SD8) != scenario_fingerprint(high, SD8)


def test_scenarios_of_one_study_have_fingerprints_of_their_own() -> None:
    study = study_with((["reserves"], [0, 0.05, 0.1]))
    assert len({scenario_fingerprint(study, scenario) for scenario in study.scenarios}) == 6


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("capital", 20_000),
        ("name", "renamed"),
        ("costs", {"bps": 5}),
        ("reserves", [0.3]),
        ("strategies.more", {}),
        ("universe.VOO.weight", 0.5),
        ("universe.VOO.sd_n", 4),
        ("benchmark", "VOO"),  # already among the prices
    ],
)
def test_market_keeps_its_fingerprint_when_rules_change(place: str, value: Any) -> None:
    assert market_fingerprint(study_with((place.split("."), value))) == market_fingerprint(study_with())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("source", {"kind": "yahoo"}),
        ("source", {"kind": "csv", "folder": "prices"}),
        ("start", "2015-01-03"),
        ("end", "2020-12-30"),
        ("end", None),
        ("sessions", "union"),
        ("currency", "EUR"),
        ("risk_free", 0.02),
        ("risk_free", "^IRX"),
        ("benchmark", "SPY"),
        ("universe.SPY", {"weight": 1}),
        ("universe", {"NVDA": {"weight": 0.25}, "VOO": {"weight": 0.75}}),
    ],
)
def test_market_changes_its_fingerprint_with_everything_prices_depend_on(place: str, value: Any) -> None:
    assert market_fingerprint(study_with((place.split("."), value))) != market_fingerprint(study_with())


def test_market_distinguishes_a_benchmark_from_an_asset_of_the_same_ticker() -> None:
    as_benchmark = study_with((["benchmark"], "SPY"))
    as_asset = study_with((["universe", "SPY"], {"weight": 0}))
    assert market_fingerprint(as_benchmark) != market_fingerprint(as_asset)


def test_fingerprint_depends_on_what_is_kept_and_on_the_path_band() -> None:
    taxes = (["taxes"], {"short_term": 0.35, "long_term": 0.15})
    lower = (["taxes"], {"short_term": 0.30, "long_term": 0.15})
    changes: list[list[Change]] = [
        [],
        [(["path_band"], True)],
        *([(["strategies", "sd8", "keep"], keep)] for keep in ("daily", "metrics")),
        [taxes],
        [taxes, (["strategies", "sd8", "keep"], "metrics")],
        # Metrics after taxes cannot be recomputed where the ledger is gone.
        [lower, (["strategies", "sd8", "keep"], "metrics")],
    ]
    prints = [scenario_fingerprint(study_with(*change), SD8) for change in changes]
    assert len(set(prints)) == len(changes)
    assert scenario_fingerprint(study_with(lower), SD8) == scenario_fingerprint(study_with(taxes), SD8)


def test_strategies_of_a_sweep_are_recorded_with_its_name_and_what_they_keep(tmp_path: Path) -> None:
    strategies = {"hold": {}, "sd": {"rule": {"sd_n": [4, 6]}, "keep": "metrics"}}
    table = tables_of(load_study(written(tmp_path, changed((["strategies"], strategies)))))["study_strategy"]
    assert [tuple(row.values()) for row in table.select(["strategy", "sweep", "keep", "rule_sd_n"]).to_pylist()] == [
        ("hold", None, "ledger", None),
        ("sd__sd_n_4", "sd", "metrics", 4.0),
        ("sd__sd_n_6", "sd", "metrics", 6.0),
    ]
