"""What a study's plans come to: satellites with their parameters, the core's rules, and deposits by session."""

import numpy as np
import pytest
from support.generators import panel_of
from support.price_histories import study

from sd_core.buckets.history.contract import SatellitePanel, Signals
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.history.plans import core_rules, plan_deposits, plan_of, tickers_of
from sd_core.buckets.presets import PRESETS
from sd_core.schemas.kinds import Dividends, Kind
from sd_core.simulation import engine as scenarios
from sd_core.simulation.rules import Every, resolve
from sd_core.simulation.walk import Walk
from sd_core.study.scenario import Scenario

CORE = {"strategy": "sd8", "reserve": 0.1}
UNIVERSE = {"W": {"lot_size": 1}, "X": {}, "Y": {"lot_size": 0.5}, "Z": {}}
SATELLITES = {
    "late": {"preset": "dip_buyer", "tickers": ["Z", "X"], "target": 0.05, "sliders": {"risk": 0.2}},
    "early": {
        "preset": "momentum_hunter",
        "tickers": ["Y"],
        "target": 0.04,
        "toggles": {"regime": False, "harvest": True},
        "dividends": "send_to_core",
    },
}
PLAN = {"core": CORE, "budget": 0.2, "satellites": SATELLITES}


def planned(plan=PLAN, **keys):
    settings = {
        "reserves": [0.1],
        "costs": {"bps": 5, "fixed": 1},
        "strategies": {"sd8": {"rule": {}, "rebalance": {"every": "quarter"}}},
        "satellite_universe": UNIVERSE,
        "buckets": {"plan": plan},
    }
    return study(["A", "B"], "2021-01-01", **settings | keys)


def sessions(count=400):
    return np.busday_offset("2021-01-04", np.arange(count), roll="forward")


def prices(count=400):
    rng = np.random.default_rng(5)
    return panel_of(
        *(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (2, count)), axis=1))).tolist(),
        sessions=sessions(count),
        rates=0.02,
    )


def no_satellites(panel):
    """Return prices and signals of no ticker at all."""
    none = np.zeros((len(panel.sessions), 0))
    signals = Signals(none > 0, none, none, none > 0, none.astype(np.int64), np.zeros(len(panel.sessions), np.int8))
    return SatellitePanel((), panel.sessions, none, none, none, none, none, panel.rates), signals


def test_plan_has_the_tickers_in_the_studys_order_and_satellites_in_its_own():
    asked = planned()
    plan = plan_of(asked, "plan")
    assert tickers_of(asked, "plan") == ("X", "Y", "Z")
    assert [(one.name, one.tickers, one.target, one.min_pct) for one in plan.satellites] == [
        ("late", (0, 2), 0.05, 0.02),
        ("early", (1,), 0.04, 0.02),
    ]
    assert plan.lot_sizes == (0.0, 0.5, 0.0)
    assert (plan.capital, plan.budget, plan.starts_at_target) == (10_000, 0.2, False)
    assert (plan.fee_fixed, plan.fee_rate, plan.minor) == (1.0, 0.0005, 100.0)


def test_settings_are_the_presets_but_for_what_the_plan_says():
    late, early = plan_of(planned(), "plan").satellites
    # A slider of risk at .2: positions of .15 + .25 · .2, stops of .05 + .15 · .2; all else as the preset.
    assert (late.parameters.size, late.parameters.stop) == (pytest.approx(0.2), pytest.approx(0.08))
    assert late.parameters.days == 1 + 126
    assert (early.parameters.trailing, early.parameters.regime, early.parameters.harvest) == (True, False, True)
    assert early.parameters.dividends == Dividends.SEND_TO_CORE
    assert PRESETS["momentum_hunter"].toggles.regime


def test_money_of_a_currency_without_cents_moves_in_whole_units():
    assert plan_of(planned(currency="JPY"), "plan").minor == 1.0


def test_core_starts_with_what_targets_leave_and_has_no_deposits_of_its_own():
    asked = planned({**PLAN, "initial": "target", "deposits": {"amount": 100, "invest": False}}, deposits={"amount": 7})
    rules = core_rules(asked, "plan")
    own = resolve(asked, Scenario(strategy="sd8", reserve=0.1))
    assert rules.capital == pytest.approx(10_000 * (1 - 0.09))
    assert (rules.deposit, rules.deposit_every, rules.deposits_on) == (0.0, Every.NEVER, ())
    assert not rules.deposit_invest
    assert own.deposit == 7
    assert (rules.reserve, rules.rebalance_every, rules.fee_fixed) == (own.reserve, own.rebalance_every, own.fee_fixed)


def test_deposits_come_on_first_sessions_of_periods_and_lump_sums_on_theirs():
    on = {"2021-02-06": 40.0, "2021-03-01": 5.0}
    asked = planned({**PLAN, "deposits": {"amount": 100, "every": "month", "on": on}})
    days = sessions(60)
    found = plan_deposits(asked, "plan", days)
    # The sixth of February is a Saturday.
    assert {str(days[place]): found[place] for place in np.flatnonzero(found)} == {
        "2021-02-01": 100.0,
        "2021-02-08": 40.0,
        "2021-03-01": 105.0,
    }


def test_deposits_are_the_studys_where_the_plan_has_none():
    days = sessions(60)
    assert plan_deposits(planned(deposits={"amount": 30}), "plan", days).sum() == 60.0
    assert plan_deposits(planned(), "plan", days).sum() == 0.0


def test_plan_without_satellites_and_deposits_is_its_scenario_byte_for_byte():
    asked = planned({"core": CORE, "budget": 0})
    panel = prices()
    core = Walk(panel, core_rules(asked, "plan"))
    history = simulate(
        plan_of(asked, "plan"), *no_satellites(panel), plan_deposits(asked, "plan", panel.sessions), core
    )
    (alone,) = scenarios.simulate(panel, [resolve(asked, Scenario(strategy="sd8", reserve=0.1))])
    assert core.result().ledger.tobytes() == alone.ledger.tobytes()
    assert core.result().daily.tobytes() == alone.daily.tobytes()
    np.testing.assert_array_equal(history.core_values, alone.daily["value"])
    assert len(history.ledger) == len(history.daily) == 0


def test_deposits_of_a_core_alone_are_its_scenarios_by_another_name():
    asked = planned({"core": CORE, "budget": 0}, deposits={"amount": 250.0})
    panel = prices()
    core = Walk(panel, core_rules(asked, "plan"))
    simulate(plan_of(asked, "plan"), *no_satellites(panel), plan_deposits(asked, "plan", panel.sessions), core)
    (alone,) = scenarios.simulate(panel, [resolve(asked, Scenario(strategy="sd8", reserve=0.1))])
    assert (core.result().ledger["kind"] == Kind.TRANSFER_IN).sum() == (alone.ledger["kind"] == Kind.DEPOSIT).sum() > 0
    assert core.result().daily.tobytes() == alone.daily.tobytes()
