"""What sliders, toggles and presets come to."""

import pytest

from sd_core.buckets.presets import PRESETS, Sliders, rails, settings
from sd_core.schemas.kinds import Dividends, Signal

# By hand from the sliders: size .15 + .25r, stop .05 + .15r, days 1 + 180h, positions 3 + 20s, take .30 - .25p,
# trail max(.02, .10(1 - p)); whole numbers are cut.
WORKED = {
    # risk .7: .15 + .175, .05 + .105; hold .3: 55; spread .4: 11; profit .6: .30 - .15, .04; entry .8: 20 + 139.2
    "momentum_hunter": (0.325, 0.155, 55, 11, 0.15, 0.04, Signal.BREAKOUT, 159, 0.0),
    # risk .3: .15 + .075, .05 + .045; hold .8: 145; spread .7: 17; profit .3: .30 - .075, .07
    "steady_eddy": (0.225, 0.095, 145, 17, 0.225, 0.07, Signal.STEADY, 0, 0.0),
    # risk .5: .15 + .125, .05 + .075; hold .7: 127; spread .6: 15; profit .4: .30 - .10, .06; entry .2: .05 + .30 · .3
    "dip_buyer": (0.275, 0.125, 127, 15, 0.20, 0.06, Signal.DIP, 0, 0.14),
    # risk .4: .15 + .10, .05 + .06; hold .2: 37; spread .8: 19; profit .8: .30 - .20, .02
    "dividend_catcher": (0.25, 0.11, 37, 19, 0.10, 0.02, Signal.EX_DIVIDEND, 0, 0.0),
    # all .5: .15 + .125, .05 + .075; 91; 13; .30 - .125, .05; entry .5 is the first breakout, of 20 sessions
    "custom": (0.275, 0.125, 91, 13, 0.175, 0.05, Signal.BREAKOUT, 20, 0.0),
}


@pytest.mark.parametrize("preset", WORKED)
def test_presets_come_to_the_worked_parameters(preset):
    found = settings(preset).parameters
    assert found[:9] == pytest.approx(WORKED[preset], abs=1e-12)
    assert (found.days, found.positions, found.window) == tuple(WORKED[preset][one] for one in (2, 3, 7))


@pytest.mark.parametrize(
    ("preset", "trailing", "regime", "dividends"),
    [
        ("momentum_hunter", True, True, Dividends.REINVEST_SAME),
        ("steady_eddy", False, False, Dividends.REINVEST_SAME),
        ("dip_buyer", False, False, Dividends.REINVEST_SAME),
        ("dividend_catcher", False, False, Dividends.ACCUMULATE_CASH),
    ],
)
def test_presets_have_their_toggles_and_dividends(preset, trailing, regime, dividends):
    found = settings(preset).parameters
    assert (found.trailing, found.regime, found.dividends) == (trailing, regime, dividends)
    assert not found.harvest
    assert not found.high_volatility


def test_dual_is_one_hunter_that_harvests_above_a_tenth():
    dual = PRESETS["dual"]
    assert (dual.target, dual.min_pct, dual.budget) == (0.10, 0.05, 0.10)
    assert settings("dual").parameters == settings("momentum_hunter").parameters._replace(harvest=True)


@pytest.mark.parametrize(
    ("entry", "signal", "window", "depth"),
    [
        (0.0, Signal.DIP, 0, 0.20),
        (0.4, Signal.DIP, 0, 0.08),
        (0.499, Signal.DIP, 0, 0.0503),
        (0.5, Signal.BREAKOUT, 20, 0.0),
        (1.0, Signal.BREAKOUT, 252, 0.0),  # 20 + 464 · .5, a year
    ],
)
def test_the_entry_slider_goes_from_dips_to_breakouts(entry, signal, window, depth):
    found = settings("custom", {"entry": entry}).parameters
    assert (found.signal, found.window) == (signal, window)
    assert found.depth == pytest.approx(depth, abs=1e-12)


def test_a_preset_with_a_signal_of_its_own_keeps_it():
    assert settings("steady_eddy", {"entry": 1.0}).parameters.signal == Signal.STEADY


@pytest.mark.parametrize(
    ("slider", "parameter", "left", "right"),
    [
        ("risk", "size", 0.15, 0.40),
        ("risk", "stop", 0.05, 0.20),
        ("hold", "days", 1, 181),
        ("spread", "positions", 3, 23),
        # Right takes profits early.
        ("profit", "take", 0.30, 0.05),
        ("profit", "trail", 0.10, 0.02),
    ],
)
def test_sliders_reach_both_ends(slider, parameter, left, right):
    found = [getattr(settings("custom", {slider: at}).parameters, parameter) for at in (0, 1)]
    assert found == pytest.approx([left, right], abs=1e-12)


def test_sliders_and_toggles_change_what_they_name_alone():
    found = settings("dip_buyer", {"hold": 0.1}, {"trailing": True}, "send_to_core")
    assert found.sliders == Sliders(0.5, 0.1, 0.2, 0.6, 0.4)
    assert found.parameters == settings("dip_buyer").parameters._replace(
        days=19, trailing=True, dividends=Dividends.SEND_TO_CORE
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("hunter",), "preset: 'hunter': expected one of momentum_hunter, .*"),
        (("custom", {"rsk": 0.5}), r"sliders: 'rsk': expected one of risk, .*did you mean risk\?"),
        (("custom", {"risk": 1.5}), "sliders.risk: 1.5: expected a number from 0 to 1"),
        (("custom", {"risk": float("nan")}), "sliders.risk: nan: expected a number from 0 to 1"),
        (("custom", {"risk": True}), "sliders.risk: True: expected a number from 0 to 1"),
        (("custom", None, {"regime": 1}), "toggles.regime: 1: expected true or false"),
        (("custom", None, {"stops": True}), "toggles: 'stops': expected one of trailing, .*"),
        (("custom", None, None, "spend"), "dividends: 'spend': expected one of accumulate_cash, .*"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        settings(*given)


def test_every_finding_is_in_one_refusal():
    with pytest.raises(ValueError, match=r"risk: -1(.|\n)*hold: 'long'"):
        settings("custom", {"risk": -1, "hold": "long"})


@pytest.mark.parametrize(
    ("budget", "targets", "min_pcts", "findings"),
    [
        (0.30, {"a": 0.15, "b": 0.15}, {"a": 0.02, "b": 0.15}, []),
        (0.30, {"a": 0.10, "b": 0.10, "c": 0.10}, {"a": 0.02, "b": 0.02, "c": 0.02}, []),
        (0.0, {}, {}, []),
        (0.31, {}, {}, ["budget: 0.31: expected 0 to 0.3"]),
        (
            0.10,
            {"a": 0.08, "b": 0.03},
            {"a": 0.02, "b": 0.02},
            ["targets: 0.11 together: expected at most the budget, 0.1"],
        ),
        (0.30, {"a": 0.16}, {"a": 0.02}, ["a.target: 0.16: expected 0.02 to 0.15"]),
        (0.30, {"a": 0.04}, {"a": 0.05}, ["a.target: 0.04: expected 0.05 to 0.15"]),
        (0.30, {"a": 0.04}, {"a": 0.01}, ["a.min_pct: 0.01: expected 0.02 to 0.15"]),
    ],
)
def test_what_leaves_the_rails_is_named(budget, targets, min_pcts, findings):
    assert rails(budget, targets, min_pcts) == findings
