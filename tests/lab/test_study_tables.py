"""A study as tables, and what its fingerprints depend on."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest
from support.study_files import changed, written

from pipelines.lab.fingerprints import market_fingerprint, scenario_fingerprint
from pipelines.lab.study_tables import study_tables
from sd_core.simulation.rules import Coordination, Every, Width, resolve
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

SD8 = Scenario(strategy="sd8", reserve=0.1)
Change = tuple[list[str], Any]


def study_with(*changes: Change) -> Study:
    return Study.model_validate(changed(*changes))


# --- tables -----------------------------------------------------------------------------------------------------------


def test_study_is_one_row_of_what_was_asked() -> None:
    study = study_with((["risk_free"], "^IRX"), (["benchmark"], "SPY"))
    assert study_tables(study)["study"].to_pylist() == [
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
            "tax_short_term": None,
            "tax_long_term": None,
            "tax_dividends": None,
            "tax_interest": None,
        }
    ]


def test_tax_rates_not_given_are_those_of_qualified_dividends_and_of_ordinary_income() -> None:
    columns = ["tax_short_term", "tax_long_term", "tax_dividends", "tax_interest"]

    def rates(**taxes: float) -> list[float]:
        table = study_tables(study_with((["taxes"], taxes)))["study"].select(columns)
        return [row[0] for row in table.to_pydict().values()]

    assert rates(short_term=0.35, long_term=0.15) == [0.35, 0.15, 0.15, 0.35]
    assert rates(short_term=0.35, long_term=0.15, dividends=0, interest=0.3) == [0.35, 0.15, 0, 0.3]


def test_deposits_and_withdrawals_are_told_as_they_were_asked_for() -> None:
    study = study_with(
        (["deposits"], {"amount": 100, "every": "quarter"}),
        (["withdrawals"], {"rate": 0.04, "coverage": 1.5, "shortfall": "overweight"}),
        (["strategies", "sd8", "withdrawals"], {"amount": 50, "every": "year"}),
    )
    tables = study_tables(study)
    assert tables["study"].select(["deposit_amount", "deposit_every"]).to_pylist() == [
        {"deposit_amount": 100.0, "deposit_every": "quarter"}
    ]
    columns = ["strategy", "withdrawal_amount", "withdrawal_rate", "withdrawal_every", "coverage_min", "shortfall"]
    assert [tuple(row.values()) for row in tables["study_strategy"].select(columns).to_pylist()] == [
        # Simply holding has no proceeds to be covered by, and sells of everything alike.
        ("hold", None, 0.04, "month", 0.0, "pro_rata"),
        ("sd8", 50.0, None, "year", 0.0, "none"),
    ]


def test_rules_of_withdrawals_are_money_per_period_or_a_share_of_the_value() -> None:
    of_capital = study_with((["withdrawals"], {"rate": 0.04, "every": "quarter"}))
    rules = resolve(of_capital, Scenario(strategy="sd8", reserve=0.0))
    # A fourth of 4 % of the capital of 10 000.
    assert (rules.withdrawal, rules.withdrawal_share, rules.withdrawal_every) == (100.0, 0.0, Every.QUARTER)
    of_value = study_with((["withdrawals"], {"rate": 0.06, "of": "value"}))
    rules = resolve(of_value, Scenario(strategy="sd8", reserve=0.0))
    assert (rules.withdrawal, rules.withdrawal_share, rules.withdrawal_every) == (0.0, 0.005, Every.MONTH)


def test_open_end_is_null() -> None:
    assert study_tables(study_with((["end"], None)))["study"]["end_date"].to_pylist() == [None]


def test_assets_come_in_order_with_their_share_and_null_for_what_they_do_not_override() -> None:
    universe = {"ZZZ": {"weight": 1, "asset_class": "crypto", "lot_size": 1, "sd_n": 6}, "AAA": {"weight": 3}}
    study = study_with(
        (["universe"], universe), (["candidates"], ["AAA"]), (["strategies", "sd8"], {"sd_n": 8, "cash_high": 0.2})
    )
    assert study_tables(study)["study_asset"].to_pylist() == [
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
            "candidate": None,
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
            "candidate": 1,
        },
    ]


def test_strategies_come_in_order_with_defaults_and_costs_filled_in() -> None:
    strategies = {
        "wide": {"sd_n": 1, "profit_share": 0, "costs": {"fixed": 1}},
        "given": {"bracket": 0.05, "path": "low_first", "max_rungs": 2},
        "default": {},
    }
    table = study_tables(study_with((["strategies"], strategies), (["costs"], {"bps": 5})))["study_strategy"]
    assert table["position"].to_pylist() == [1, 2, 3]
    assert table["strategy"].to_pylist() == ["wide", "given", "default"]
    assert table["sd_n"].to_pylist() == [1, None, 8]
    # One step per doubling doubles: r = 1. Eight: 2 ** (1/8) - 1 = 9.0507732665257659 % (OEIS A010770 less 1).
    assert table["bracket"].to_pylist() == pytest.approx([1, 0.05, 0.090507732665257659], rel=1e-15)
    assert table["profit_share"].to_pylist() == [0, 0.5, 0.5]
    assert table["path"].to_pylist() == ["nearest", "low_first", "nearest"]
    assert table["max_rungs"].to_pylist() == [64, 2, 64]
    assert table["cost_bps"].to_pylist() == [0, 5, 5]
    assert table["cost_fixed"].to_pylist() == [1, 0, 0]


def test_portfolio_rules_are_told_as_written_and_null_where_there_are_none() -> None:
    strategies = {
        "target": {
            "coordination": "target",
            "rebalance": {
                "every": "year",
                "deviation": {"width": 0.2, "kind": "relative"},
                "volatility": {"level": 0.3},
            },
        },
        "watchful": {"cash_low": 0.05, "cash_high": 0.2, "drift": 0.4, "cost_aware": {"min_trade": 50}},
    }
    target, watchful = study_tables(study_with((["strategies"], strategies)))["study_strategy"].to_pylist()
    names = [
        "rebalance_every",
        "deviation",
        "deviation_kind",
        "volatility",
        "volatility_window",
        "cash_high",
        "max_cost",
    ]
    assert [target[name] for name in names] == ["year", 0.2, "relative", 0.3, 63, None, None]
    assert [watchful[name] for name in names] == [None, None, None, None, None, 0.2, 1.0]
    assert (watchful["cash_low"], watchful["drift"], watchful["min_trade"]) == (0.05, 0.4, 50.0)


def test_rules_of_a_scenario_are_those_that_its_strategy_switches_on() -> None:
    universe = {"A": {"weight": 1}, "B": {"weight": 1}, "C": {"weight": 0}}
    strategies = {
        "banded": {"coordination": "hybrid", "band": {"width": 0.1, "kind": "relative"}, "portfolio_stop": 0.25},
        "deploying": {"cash_high": 0.2},
    }
    study = study_with((["universe"], universe), (["candidates"], ["C", "A"]), (["strategies"], strategies))
    banded, deploying = (resolve(study, Scenario(strategy=name, reserve=0.0)) for name in strategies)
    assert (banded.coordination, banded.band, banded.band_width) == (Coordination.HYBRID, 0.1, Width.RELATIVE)
    assert (banded.portfolio_stop, banded.cash_high, banded.candidates) == (0.25, math.inf, ())
    assert (deploying.cash_high, deploying.candidates, deploying.drift) == (0.2, (2, 0), math.inf)


# --- fingerprints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        [(["strategies", "more"], {"sd_n": 4})],
        [(["strategies", "hold", "path"], "low_first")],
        [(["reserves"], [0.2, 0.1, 0.05])],
        [(["name"], "renamed")],
        [(["benchmark"], "SPY")],
        [(["universe", "VOO", "asset_class"], "indices")],
        [(["universe", "VOO", "weight"], 3), (["universe", "NVDA", "weight"], 1)],  # 3 : 1, as before
        [(["strategies", "sd8", "profit_share"], 0.5)],  # the default, spelled out
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
        ("strategies.sd8.sd_n", 9),
        ("strategies.sd8.profit_share", 0.4),
        ("strategies.sd8.variant", "ath_only"),
        ("strategies.sd8.sizing", "symmetric"),
        ("strategies.sd8.coordination", "nav_opportunistic"),
        ("strategies.sd8.path", "low_first"),
        ("strategies.sd8.anchor", "fill"),
        ("strategies.sd8.max_rungs", 63),
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


def test_market_tells_a_benchmark_from_an_asset_of_the_same_ticker() -> None:
    as_benchmark = study_with((["benchmark"], "SPY"))
    as_asset = study_with((["universe", "SPY"], {"weight": 0}))
    assert market_fingerprint(as_benchmark) != market_fingerprint(as_asset)


def test_fingerprint_tells_what_is_kept_and_whether_there_is_a_path_band() -> None:
    taxes = (["taxes"], {"short_term": 0.35, "long_term": 0.15})
    lower = (["taxes"], {"short_term": 0.30, "long_term": 0.15})
    changes: list[list[Change]] = [
        [],
        [(["path_band"], True)],
        *([(["strategies", "sd8", "keep"], keep)] for keep in ("daily", "metrics")),
        [taxes],
        [taxes, (["strategies", "sd8", "keep"], "metrics")],
        # Metrics after taxes cannot be told anew where the ledger is gone.
        [lower, (["strategies", "sd8", "keep"], "metrics")],
    ]
    prints = [scenario_fingerprint(study_with(*change), SD8) for change in changes]
    assert len(set(prints)) == len(changes)
    assert scenario_fingerprint(study_with(lower), SD8) == scenario_fingerprint(study_with(taxes), SD8)


def test_strategies_of_a_sweep_are_told_with_its_name_and_what_they_keep(tmp_path: Path) -> None:
    strategies = {"hold": {"variant": "buy_and_hold"}, "sd": {"sd_n": [4, 6], "keep": "metrics"}}
    table = study_tables(load_study(written(tmp_path, changed((["strategies"], strategies)))))["study_strategy"]
    assert [tuple(row.values()) for row in table.select(["strategy", "sweep", "keep", "sd_n"]).to_pylist()] == [
        ("hold", None, "ledger", 8.0),
        ("sd__sd_n_4", "sd", "metrics", 4.0),
        ("sd__sd_n_6", "sd", "metrics", 6.0),
    ]
