"""Mixes in a whole run: decided once, traded by strategies, published, and held to their laws."""

import copy
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import plain_engine
import pytest
from support.lab import PROJECT, Lab, small_study, write_prices, write_study
from support.steps import refresh, resample, store

from pipelines.lab.current import current_market, read_panel
from pipelines.lab.home import SQL
from pipelines.steps.datasets import MIXES, decided
from pipelines.steps.plan import plan_run
from pipelines.warehouse.audit import read_identities
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Every, resolve
from sd_core.simulation.targets import Targets
from sd_core.study.scenario import Scenario

STUDIED = {
    "least": {"method": "mean_risk", "window": 60, "max_turnover": 0.3},
    "alike": {"until_fitted": "equal"},
    "half": {"method": "kelly", "fraction": 0.5, "window": 60, "expected": "sample"},
}
TRADED = {
    "buy_and_hold": {},
    "held": {"allocation": {"mix": "least"}},
    "level": {"allocation": {"mix": "alike"}, "rebalance": {"every": "month"}},
    "sd8": {"rule": {}, "allocation": {"mix": "half"}},
}
LAWS = {
    law.name: law.sql
    for law in read_identities(SQL / "audit")
    if law.name.startswith("mix_") or law.table == "stress_mix"
}


def studied(prices: Path) -> dict[str, Any]:
    windows = {"spring": ["2023-03-01", "2023-05-31"], "none": ["2023-12-30", "2024-02-01"]}
    return {
        **small_study(prices),
        "stress": {"windows": windows},
        "mixes": copy.deepcopy(STUDIED),
        "strategies": copy.deepcopy(TRADED),
    }


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Run a small study with two mixes."""
    folder = tmp_path_factory.mktemp("mixes")
    prices = write_prices(folder / "prices")
    lab = Lab(write_study(folder / "small.yaml", studied(prices)), folder / "home")
    refresh(lab.home)
    return lab


def test_run_publishes_what_mixes_decided_and_what_strategies_made_of_it(lab):
    fits, weights, targets = (lab.table(name) for name in ("mix_fit", "mix_weight", "strategy_target"))
    assert fits.groupby("mix")["status"].agg(["size"])["size"].to_dict() == {"alike": 11, "half": 11, "least": 11}
    assert len(weights) == 3 * 11 * 3
    assert dict(lab.table("study_mix")[["mix", "method"]].to_numpy()) == {
        "least": "mean_risk",
        "alike": "equal",
        "half": "kelly",
    }
    held = targets[targets["strategy"] == "held"].set_index(["session", "ticker"])["weight"]
    least = fits[fits["mix"] == "least"].merge(weights[weights["mix"] == "least"], on=["mix", "decided_session"])
    for row in least.itertuples():
        in_force = held[held.index.get_level_values(0) <= row.effective_session]
        assert in_force.xs(row.ticker, level=1).iloc[-1] == row.weight
    # The study's weights until the first whole window of 60 returns.
    first = least[least["status"] == "no_window"]
    assert sorted(first["weight"].unique()) == [0.2, 0.3, 0.5]
    trades = lab.table("simulation_ledger").query("strategy == 'held' and reserve == 0 and kind == 'REBALANCE_BUY'")
    assert set(trades["session"]) <= set(fits["effective_session"])
    assert len(trades) > 0


def test_both_engines_trade_what_mixes_decided_alike(lab):
    home = lab.home
    market = current_market(home.study, home.lake)
    study, panel = decided(home.study, home.lake, market), read_panel(home.study, market)
    for scenario in (Scenario(strategy="held", reserve=0.1), Scenario(strategy="sd8", reserve=0.0)):
        rules = resolve(study, scenario)
        (fast,) = simulate(panel, [rules])
        slow = plain_engine.simulate(panel, rules)
        assert len(fast.ledger) == len(slow.ledger)
        assert np.allclose(fast.daily["value"], slow.daily["value"], rtol=1e-9)
        assert np.allclose(fast.ledger["quantity"], slow.ledger["quantity"], rtol=1e-9, equal_nan=True)
        stored = lab.table("simulation_daily").query(
            f"strategy == '{scenario.strategy}' and reserve == {scenario.reserve}"
        )
        assert stored["value"].to_numpy() == pytest.approx(fast.daily["value"])


def test_scenarios_of_mixes_are_compared_with_the_same_without_deciding(lab):
    report = lab.table("report_mix").set_index(["strategy", "reserve", "comparison"])
    assert len(report) == 3 * 2 * 2
    holding = lab.table("simulation_metrics").set_index(["strategy", "reserve"])
    home = lab.home
    market = current_market(home.study, home.lake)
    study, panel = decided(home.study, home.lake, market), read_panel(home.study, market)
    for strategy, reserve in (("held", 0.1), ("sd8", 0.0)):
        rivals = report.loc[(strategy, reserve)]
        bought = holding.loc[("buy_and_hold", reserve)]
        assert rivals.loc["buy_and_hold", "comparison_cagr"] == pytest.approx(bought["cagr"], rel=1e-12)
        rules = resolve(study, Scenario(strategy=strategy, reserve=reserve))
        thirds = Targets.constant(np.full(3, 1 / 3))
        equal = replace(rules, targets=thirds, rebalance_every=Every.MONTH, rebalance_on_change=False)
        value = plain_engine.simulate(panel, equal).daily["value"][-1]
        years = (panel.sessions[-1] - panel.sessions[0]).astype(int) / 365.25
        grown = (value / study.capital) ** (1 / years) - 1
        assert rivals.loc["equal", "comparison_cagr"] == pytest.approx(grown, rel=1e-9)
        own = holding.loc[(strategy, reserve)]
        for comparison in ("equal", "buy_and_hold"):
            row = rivals.loc[comparison]
            assert row["sharpe_difference"] == pytest.approx(own["sharpe"] - row["comparison_sharpe"], rel=1e-12)
            assert row["sharpe_difference_low"] < row["sharpe_difference"] < row["sharpe_difference_high"]
            assert row["verdict"] in {"not significant", "too small", "better", "worse"}
            assert (row["fees"], row["mix"]) == (own["fees"], {"held": "least", "sd8": "half"}[strategy])
    # Equal weights that are decided on are those that are not decided on, but for a basis point.
    level = report.loc[("level", 0.0, "equal")]
    assert abs(level["cagr_difference"]) < 1e-4
    assert (level["decisions"], level["verdict"]) == (0, "too small")


def test_last_targets_are_put_under_stress(lab):
    stress = lab.table("stress_mix").set_index(["mix", "stress"])
    falls = lab.table("stress_episode").set_index("episode")
    assert sorted(stress.loc["least"].index) == sorted([*falls.index, "draws", "correlation", "benchmark", "largest"])
    assert "no session" in stress.loc[("least", "none"), "missing"]
    weights = lab.table("mix_weight")
    last = weights[weights["decided_session"] == weights["decided_session"].max()].pivot(
        index="mix", columns="ticker", values="weight"
    )
    returns = lab.table("asset_returns").pivot(index="session", columns="ticker", values="simple_return")
    rates = lab.table("rates").set_index("session")["risk_free_return"]
    fell = falls.loc["drawdown_1"]
    within = slice(fell["first_session"] + pd.Timedelta(days=1), fell["last_session"])
    grown, cash = (1 + returns[within]).prod(), (1 + rates[within]).prod()
    for mix, held in last.iterrows():
        row = stress.loc[(mix, "drawdown_1")]
        assert row["mix_return"] == pytest.approx(held @ grown + (1 - held.sum()) * cash - 1)
        assert row["max_drawdown"] <= row["mix_return"]
        assert (row["sessions"], row["benchmark_return"]) == (fell["sessions"], fell["benchmark_return"])
        assert row["universe_return"] == pytest.approx([0.5, 0.3, 0.2] @ grown - 1)
        covariance = np.cov(returns.iloc[1:] * held, rowvar=False)
        higher = stress.loc[(mix, "correlation")]
        assert higher["volatility"] == pytest.approx(np.sqrt(covariance.sum() * 252), rel=1e-9)
        fall = stress.loc[(mix, "largest")]
        assert fall["assumed"] == f"{held.idxmax()} -10 %"
        # What falls is held, and the three are independent.
        assert fall["mix_return"] == pytest.approx(-0.1 * held.max(), abs=0.01)
        assert fall["mix_return_low"] <= fall["mix_return"] <= fall["mix_return_high"]


def test_draws_end_worst_where_normal_returns_would(lab):
    """The worst 1 % of 21 sessions of returns without drift: -2.665 σ √21 of the normal distribution."""
    stress = lab.table("stress_mix").set_index(["mix", "stress"])
    for mix in STUDIED:
        row = stress.loc[(mix, "draws")]
        spread = stress.loc[(mix, "correlation"), "volatility"] / np.sqrt(252)
        returns = lab.table("asset_returns")["simple_return"]
        expected = -2.665 * spread * np.sqrt(21)
        assert abs(row["mix_return"] - expected) < 0.35 * abs(expected) + 21 * abs(returns.mean())
        assert row["mix_return_low"] < row["mix_return"] < row["mix_return_high"] < 0
        assert (row["samples"], row["observations"]) == (10_000, 259)


def test_benchmark_of_all_assets_takes_the_mixes_along_by_their_beta(lab):
    """Equal weights, decided on again each month, are nearly the benchmark: equal parts bought on the first session."""
    stress = lab.table("stress_mix").set_index(["mix", "stress"])
    row = stress.loc[("alike", "benchmark")]
    assert row["beta"] == pytest.approx(1.0, abs=0.1)
    assert row["mix_return"] == pytest.approx(-0.2 * row["beta"])
    assert row["mix_return_low"] == pytest.approx(-0.2 * (row["beta"] + row["beta_margin"]))
    assert row["mix_return_high"] == pytest.approx(-0.2 * (row["beta"] - row["beta_margin"]))
    # Half of it is held.
    half = stress.loc[("half", "benchmark")]
    assert half["beta"] < 0.75


def test_what_changes_nothing_of_the_last_targets_leaves_their_stress_alone(lab, tmp_path):
    document = studied(lab.study_file.parent / "prices")
    document["mixes"]["least"]["max_turnover"] = 0.9
    one = Lab(write_study(tmp_path / "small.yaml", document), lab.copy_to(tmp_path / "home").root)
    before = one.pointers()
    refresh(one.home)
    moved = {key for key, version in one.pointers().items() if before.get(key) != version}
    last = f"select list(weight order by ticker) from mix_weight where {LAST}"
    now, then = (duckdb.connect(str(each.published), read_only=True).sql(last).fetchall() for each in (one, lab))
    assert ("stress_mix/least" in moved) is (now != then)
    assert not {"stress_mix/alike", "stress_mix/half"} & moved


def test_nothing_is_outdated_after_a_run(lab):
    assert plan_run(lab.home).is_empty


def test_change_of_a_mix_leads_to_its_strategies_alone(lab, tmp_path):
    document = studied(lab.study_file.parent / "prices")
    document["mixes"]["least"]["max_turnover"] = 0.05
    changed = Lab(write_study(tmp_path / "small.yaml", document), lab.copy_to(tmp_path / "home").root)
    plan = plan_run(changed.home)
    assert plan.derived == ["mixes", "stress_mix", "selection"]
    assert {scenario.strategy for scenario in plan.scenarios} == {"held"}
    before = changed.pointers()
    refresh(changed.home)
    moved = {key for key, version in changed.pointers().items() if before.get(key) != version}
    assert {key for key in moved if key.startswith(("mixes/", "simulations/"))} == {
        "mixes/least",
        "simulations/held/r0",
        "simulations/held/r10",
    }


def test_mix_that_decides_the_same_again_outdates_no_scenario(lab, tmp_path):
    document = studied(lab.study_file.parent / "prices")
    # A turnover that is never reached, a bit higher.
    document["mixes"]["least"]["max_turnover"] = 0.9
    one = Lab(write_study(tmp_path / "small.yaml", document), lab.copy_to(tmp_path / "home").root)
    refresh(one.home)
    document["mixes"]["least"]["max_turnover"] = 0.95
    write_study(one.study_file, document)
    before = one.pointers()
    refresh(one.home)
    moved = {key for key, version in one.pointers().items() if before.get(key) != version}
    assert {key for key in moved if key.startswith(("mixes/", "simulations/"))} == {"mixes/least"}


def test_costs_outdate_no_mix_that_does_not_look_at_them(lab, tmp_path):
    document = studied(lab.study_file.parent / "prices")
    document["costs"] = {"bps": 6}
    one = Lab(write_study(tmp_path / "small.yaml", document), lab.copy_to(tmp_path / "home").root)
    home = one.home
    market = current_market(home.study, home.lake)
    assert MIXES.outdated(home.study, home.lake, market) == []


def test_laws_hold_in_what_was_published(lab):
    with duckdb.connect(str(lab.published), read_only=True) as connection:
        assert len(LAWS) == 9
        assert [name for name, sql in LAWS.items() if connection.execute(sql).fetchall()] == []


TIDE = {
    "calm": {"method": "inverse_volatility", "window": 60},
    "alike": {},
    "paced": {"method": "proportional", "window": 60, "volatility_target": 0.05},
    "tide": {"method": "regime", "of": {"bull": "calm", "bear": "paced"}, "otherwise": "alike", "confirm": 2},
    "mixed": {"method": "blend", "of": {"tide": 3, "wary": 1}},
    "wary": {"method": "equal", "defence": {"on": 0.001, "off": 0.0}},
}


@pytest.fixture(scope="module")
def tidal(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Run a study of nearly three years, long enough for regimes and states of variance, whose mixes switch."""
    folder = tmp_path_factory.mktemp("tidal")
    document = {**small_study(write_prices(folder / "prices", 720)), "mixes": copy.deepcopy(TIDE), "costs": {"bps": 0}}
    document["strategies"] = {"buy_and_hold": {}, "held": {"allocation": {"mix": ["tide", "mixed"]}}}
    lab = Lab(write_study(folder / "small.yaml", document), folder / "home")
    refresh(lab.home)
    return lab


def test_mixes_that_switch_are_published_and_traded_between_periods(tidal):
    fits, regimes = tidal.table("mix_fit"), tidal.table("market_regime").set_index("session")
    switches = fits[fits["trigger"] == "switch"]
    assert {"tide", "mixed", "wary"} == set(switches["mix"])
    assert len(tidal.table("study_mix_part")) == 3 + 2
    # A switch to another mix comes on the second session in a row whose regime calls for it.
    called = {"bull": "calm", "bear": "paced"}
    for row in switches[switches["mix"] == "tide"].itertuples():
        last = regimes.loc[: row.decided_session, "regime"].iloc[-2:]
        assert {called.get(regime, "alike") for regime in last} == {row.follows}
    # From the first session on of which a probability is known, all of them above where this defence begins.
    (wary,) = switches[switches["mix"] == "wary"].itertuples()
    likely = regimes["high_variance_probability"]
    assert (wary.decided_session, wary.scale) == (likely.first_valid_index(), 0.5)
    assert likely.min() > 0.001
    later = fits[(fits["mix"] == "wary") & (fits["decided_session"] > wary.decided_session)]
    assert set(later["invested"]) == {0.5}
    traded = tidal.table("simulation_ledger").query("strategy == 'held__tide' and kind.str.startswith('REBALANCE')")
    assert set(traded["session"]) & set(switches.loc[switches["mix"] == "tide", "effective_session"])
    with duckdb.connect(str(tidal.published), read_only=True) as connection:
        assert [name for name, sql in LAWS.items() if connection.execute(sql).fetchall()] == []
    assert plan_run(tidal.home).is_empty


def test_report_shows_what_mixes_held_and_what_they_came_to(tidal):
    html = (tidal.home.lake.root / "report.html").read_text(encoding="utf-8")
    found = html[html.index('id="mixes"') : html.index('id="rolling"')]
    assert re.findall("<figcaption>([^<]*)", found) == [
        "Difference in Sharpe ratio to equal weights",
        "Difference in Sharpe ratio to bought and held",
        "tide: weights at the ends of years",
        "mixed: weights at the ends of years",
    ]
    compared = tidal.table("report_mix").query("strategy == 'held__tide' and comparison == 'equal'")
    assert any(f"{abs(difference):.3f}" in found for difference in compared["sharpe_difference"])
    last = tidal.table("mix_weight").query("mix == 'tide' and ticker == 'AAA'")["weight"].iloc[-1]
    assert f"{100 * last:.1f}\u202f%" in found
    frontier = tidal.table("mix_frontier")
    assert len(frontier) == 10
    assert frontier["realised_return"].isna().all()


def test_report_has_a_row_per_mix_with_what_it_returns_under_each_stress(lab):
    html = (lab.home.lake.root / "report.html").read_text(encoding="utf-8").replace("\u202f", " ")
    first, second = (html.partition(f'aria-label="{name}')[2].partition("</table>")[0] for name in STRESS_TABLES)
    rows = lab.table("stress_mix").set_index(["mix", "stress"])
    mixes = rows.index.unique("mix")
    assert first.count("<tr>") == len(mixes) + 3
    assert second.count("<tr>") == len(mixes) + 1
    lines = [re.findall("<t[hd][^>]*>([^<]*)", line) for line in first.split("<tr>")[2:]]
    assert [line[0] for line in lines] == ["the benchmark", "the study&#x27;s weights", *STUDIED]
    for mix, *shown in lines[2:]:
        returns = rows.loc[[(mix, stress) for stress in ("drawdown_1", "spring", "benchmark", "draws")], "mix_return"]
        assert {f"{100 * value:.1f} %".replace("-", "−") for value in returns} <= set(shown)
    assert f"{100 * rows.loc[('least', 'correlation'), 'stressed_volatility']:.1f} %" in second


STRESS_TABLES = ("Mixes under stress", "Volatility of mixes, and their largest holdings")


def test_mix_that_combines_others_follows_when_one_of_them_changes(tidal, tmp_path):
    document = {**small_study(tidal.study_file.parent / "prices"), "mixes": copy.deepcopy(TIDE)}
    document["strategies"] = {"buy_and_hold": {}, "held": {"allocation": {"mix": ["tide", "mixed"]}}}
    document["mixes"]["calm"]["covariance"] = "sample"
    one = Lab(write_study(tmp_path / "small.yaml", document), tidal.copy_to(tmp_path / "home").root)
    before = one.pointers()
    refresh(one.home)
    moved = {key for key, version in one.pointers().items() if before.get(key) != version}
    assert {key for key in moved if key.startswith("mixes/")} == {"mixes/calm", "mixes/tide", "mixes/mixed"}


LATER = "(select min(one.session) from sessions as one where one.session > strategy_target.session)"
# By how much less was bought: a millionth.
BOUGHT_LESS = "update simulation_ledger set quantity = 0.999999 * quantity where kind = 'REBALANCE_BUY'"
# A decision that follows another mix than the one that the bear of its session would call for.
CALLED_FOR_ONCE = "mix = 'tide' and decided_session = (select min(decided_session) from mix_fit where follows = 'calm')"


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("mix_parts_make_the_combination", "update mix_fit set follows = 'paced' where follows = 'calm'"),
        ("mix_parts_make_the_combination", "update mix_fit set follows = null where mix = 'tide'"),
        ("mix_parts_make_the_combination", "update mix_weight set unscaled = 1 - unscaled where mix = 'mixed'"),
        ("mix_weights_make_the_whole", "update mix_fit set scale = 0.9 where mix = 'wary' and scale = 0.5"),
        ("mix_weights_make_the_whole", "update mix_weight set unscaled = 0.9 * unscaled where mix = 'wary'"),
        ("mix_decisions_look_back_only", "update mix_fit set trigger = 'period' where trigger = 'switch'"),
        # What the regime of the day calls for, confirmed or not.
        ("mix_regimes_are_confirmed", f"update mix_fit set follows = 'paced' where {CALLED_FOR_ONCE}"),
        ("mix_regimes_are_confirmed", "update study_mix set confirm = 1 where mix = 'tide'"),
        ("mix_regimes_are_confirmed", "delete from mix_fit where mix = 'tide' and trigger = 'switch'"),
        ("mix_rebalances_meet_their_targets", "update strategy_target set weight = weight + 3e-9 where ticker = 'AAA'"),
        ("mix_rebalances_meet_their_targets", f"update strategy_target set session = {LATER}"),
        ("mix_rebalances_meet_their_targets", BOUGHT_LESS),
    ],
)
def test_law_notices_what_breaks_a_combination(tidal, tmp_path, law, change):
    with duckdb.connect(str(shutil.copy(tidal.published, tmp_path / "broken.duckdb"))) as connection:
        connection.execute(change)
        assert connection.execute(LAWS[law]).fetchall()


LAST = "mix = 'least' and decided_session = (select max(decided_session) from mix_fit)"
OF_ONE = f"{LAST} and ticker = 'AAA'"
# The last row of targets, and the sessions beside it.
LAST_TARGET = "strategy = 'held' and session = (select max(session) from strategy_target where strategy = 'held')"
EARLIER = "(select max(one.session) from sessions as one where one.session < strategy_target.session)"
BEFORE = "(select max(one.session) from sessions as one where one.session < mix_fit.decided_session)"


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("mix_weights_make_the_whole", f"update mix_weight set weight = weight + 0.0001 where {OF_ONE}"),
        ("mix_weights_make_the_whole", f"update mix_weight set weight = weight + 0.00001 where {OF_ONE}"),
        ("mix_weights_make_the_whole", f"delete from mix_weight where {LAST}"),
        ("mix_weights_make_the_whole", f"update mix_fit set invested = 0.5 where {LAST}"),
        ("mix_decisions_look_back_only", f"update mix_fit set last_seen_session = effective_session where {LAST}"),
        ("mix_decisions_look_back_only", f"update mix_fit set effective_session = decided_session where {LAST}"),
        ("mix_decisions_look_back_only", f"update mix_fit set effective_session = null where {LAST}"),
        # A decision one session early, with all its dates.
        (
            "mix_decisions_look_back_only",
            f"update mix_fit set decided_session = {BEFORE}, last_seen_session = {BEFORE}, "  # noqa: ISC004
            f"effective_session = decided_session where {LAST}",
        ),
        ("mix_risks_make_the_volatility", f"update mix_fit set expected_volatility = 0.1 where {LAST}"),
        ("mix_risks_make_the_volatility", f"update mix_weight set risk_contribution = null where {OF_ONE}"),
        (
            "stress_replays_follow_prices",
            "update stress_mix set mix_return = 1e-6 + mix_return where kind = 'replay'",
        ),
        ("stress_outcomes_are_in_order", "update stress_mix set mix_return = null where stress = 'draws'"),
        ("stress_outcomes_are_in_order", "update stress_mix set mix_return_low = 0.1 where stress = 'largest'"),
        ("stress_outcomes_are_in_order", "update stress_mix set stressed_volatility = 0 where stress = 'correlation'"),
        ("mix_targets_follow_decisions", f"update strategy_target set weight = 0.5 where {LAST_TARGET}"),
        ("mix_targets_follow_decisions", f"update strategy_target set session = {LATER} where {LAST_TARGET}"),
        ("mix_targets_follow_decisions", f"update strategy_target set session = {EARLIER} where {LAST_TARGET}"),
    ],
)
def test_law_notices_what_breaks_it(lab, tmp_path, law, change):
    with duckdb.connect(str(shutil.copy(lab.published, tmp_path / "broken.duckdb"))) as connection:
        connection.execute(change)
        assert connection.execute(LAWS[law]).fetchall()


def test_mix_of_a_plans_core_outdates_the_plan_when_it_decides_otherwise(lab, tmp_path):
    document = studied(lab.study_file.parent / "prices")
    document["buckets"] = {"alone": {"core": {"strategy": "held", "reserve": 0.1}, "budget": 0}}
    one = Lab(write_study(tmp_path / "small.yaml", document), lab.copy_to(tmp_path / "home").root)
    refresh(one.home)
    assert plan_run(one.home).is_empty
    document["mixes"]["least"]["max_turnover"] = 0.05
    write_study(one.study_file, document)
    assert "buckets" in plan_run(one.home).derived


def test_run_makes_what_the_steps_make(lab, tmp_path):
    one = Lab(lab.study_file, tmp_path / "home")
    assert one.sdlab("run").code == 0
    for name in ("mix_fit", "mix_weight", "strategy_target", "report_strategy"):
        assert one.table(name).equals(lab.table(name)), name
    assert plan_run(one.home).is_empty


def test_bootstrap_samples_leave_strategies_with_a_mix_out(lab, tmp_path):
    document = studied(lab.study_file.parent / "prices")
    document["bootstrap"] = {"histories": 3, "withdrawal_rates": []}
    one = Lab(write_study(tmp_path / "small.yaml", document), lab.copy_to(tmp_path / "home").root)
    store(one.home)
    resample(one.home)
    assert set(one.table("reserve_bootstrap")["strategy"]) == {"buy_and_hold"}
    reserves = one.table("report_reserve").set_index(["strategy", "reserve"])
    assert reserves.loc[("held", 0.1)].filter(like="bootstrap").isna().all()
    assert set(one.table("report_reserve_verdict")["strategy"]) == {"buy_and_hold"}


# The steps of a run, and what runs them in Dagster.
RUN = """
import sys
from pathlib import Path
from support.lab import Lab
from support.steps import refresh
import pipelines.orchestration.execution
refresh(Lab(Path(sys.argv[1]), Path(sys.argv[2])).home)
sys.exit(10 * any(name in sys.modules for name in ("skfolio", "cvxpy", "sklearn", "clarabel")))
"""


def test_study_without_mixes_imports_no_optimiser(finished, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(finished.study_file), str(tmp_path)],
        cwd=PROJECT / "tests",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
