"""How much of what is held: in proportion to scores, by regime, blended, and scaled to a volatility."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.pasts import case_of, cut_off, decided, decided_among, market_of, past, signals_of

from sd_core.construction.asked import Asked
from sd_core.construction.decisions import decide
from sd_core.construction.estimates import estimate
from sd_core.construction.history import Window, look_back
from sd_core.construction.optimisers import fit, risk_shares
from sd_core.construction.scaling import expected_volatility
from sd_core.construction.scoring import budgets_by_score, proportional, shrunk_sharpe
from sd_core.construction.side_by_side import Task, decide_all, longest_first
from sd_core.construction.signals import Coefficients, Signals, signals_from
from sd_core.construction.switches import Market, followed_mixes, shares_held
from sd_core.construction.tables import known_decisions, to_tables
from sd_core.study.mixes import Defence, Mix

LAST_OF_JUNE = dt.date(2015, 6, 30)


def signalled(history, values, z=None, coefficients=()) -> Signals:
    """Return one signal of a session, 2015-06-30, and coefficients of the horizon of a month that have ended."""
    sessions = np.array([LAST_OF_JUNE], dtype="datetime64[D]")
    found = {("one", 21): Coefficients(*coefficients)} if coefficients else {}
    grid = np.array([values], dtype=float)
    return Signals(history.tickers, sessions, {"one": grid}, {"one": grid if z is None else np.array([z])}, found)


def decided_by(history, signals: Signals, **mix: Any):
    return list(decide(history, Asked("own", {"own": Mix(**{"window": 60, **mix})}, signals=signals)))


def test_weights_in_proportion_to_a_signal():
    history = past(130)
    last = decided_by(history, signalled(history, [0.3, -0.4, np.nan, 0.1, 0.0]), method="proportional", score="one")
    assert last[-1].place == 128
    assert last[-1].points.tolist() == [7500, 0, 0, 2500, 0]
    # A month before, the signal has no value yet: all is left in the bank.
    assert last[-2].points.tolist() == [0] * 5
    assert (last[-2].status, last[-2].answered_by) == ("fitted", "own")


def test_sharpe_ratios_are_shrunk_by_what_chance_makes_them_differ():
    # Two years of 252 sessions: a ratio is known to ± 1/√2 then. Returns ± 1 % about means of 0.1, 0.05 and 0 %:
    # ratios of (0.001, 0.0005, 0) · √252 / (0.01 · √(504/503)), whose variance is 0.6284; 1/2 of it is chance.
    signs = np.resize([1.0, -1.0], 504)[:, None] * 0.01
    returns = signs + np.array([0.001, 0.0005, 0.0])
    found = shrunk_sharpe(Window(np.arange(3), {}, returns, 0.0, 504), 252)
    raw = np.array([0.1, 0.05, 0.0]) * np.sqrt(252 * 503 / 504)
    kept = 1 - 0.5 / raw.var(ddof=1)
    assert raw.var(ddof=1) == pytest.approx(0.62875, abs=1e-5)
    assert found == pytest.approx([raw[1] + kept * (raw[0] - raw[1]), raw[1], raw[1] - kept * raw[1]], rel=1e-12)
    # Of a quarter of a year all of the difference may be chance.
    few = shrunk_sharpe(Window(np.arange(3), {}, returns[:64], 0.0, 64), 252)
    assert few == pytest.approx(np.full(3, few.mean()), rel=1e-12)


def test_score_sharpe_is_what_proportional_follows_by_itself():
    history = past(200, drift=0.001)
    last = decided(history, method="proportional", window=120)[-1]
    window = look_back(history, last.place, 120)
    expected = proportional(shrunk_sharpe(window, 252))
    assert last.points / 10_000 == pytest.approx(expected, abs=1.1e-4)
    assert (last.points == decided(history, method="proportional", window=120, score="sharpe")[-1].points).all()


def test_budgets_of_risk_follow_a_score_by_half():
    history = past(130)
    scores = [0.3, -0.4, np.nan, 0.1, 0.0]
    # A tenth for each of five, and half of it all in proportion 3 : 1.
    shares = [0.1 + 0.375, 0.1, 0.1, 0.1 + 0.125, 0.1]
    assert budgets_by_score(np.array(scores)) == pytest.approx(shares)
    assert budgets_by_score(np.array([-1.0, np.nan])) == pytest.approx([0.5, 0.5])
    last = decided_by(history, signalled(history, scores), method="risk_budget", budget={"score": "one"})[-1]
    window = look_back(history, last.place, 60)
    covariance = estimate(Mix(method="risk_budget"), history, window, LAST_OF_JUNE).covariance
    assert risk_shares(last.points / 10_000, covariance) == pytest.approx(shares, rel=2e-3)
    case = case_of(covariance, method="risk_budget")._replace(budgets=np.array(shares))
    assert risk_shares(fit(case).weights, covariance) == pytest.approx(shares, rel=1e-5)


def months(count: int, last: str) -> np.ndarray:
    return np.arange(np.datetime64(last, "M") - count + 1, np.datetime64(last, "M") + 1).astype("datetime64[D]")


@pytest.mark.parametrize(("ended", "skill"), [(24, 0.05), (23, 0.0)])
def test_signal_foretells_as_much_as_it_did_so_far(ended, skill):
    # Grinold (1994): IC · volatility · z over the horizon, 21 sessions here, so that a session has a √21st of it.
    history = past(130)
    # The last coefficient ends a month after the decision, and is not known then.
    coefficients = (months(ended + 1, "2015-07"), np.append(np.full(ended, 0.05), 9.0))
    signals = signalled(history, [1.0] * 5, [2.0, 1.0, 0.0, -1.0, np.nan], coefficients)
    mix = Mix(method="mean_risk", objective="max_utility", expected={"signal": "one"}, covariance="sample", window=60)
    window = look_back(history, 128, 60)
    found = estimate(mix, history, window, LAST_OF_JUNE, signals)
    volatility = window.returns.std(axis=0, ddof=1)
    expected = window.cash + skill * volatility * np.array([2.0, 1.0, 0.0, -1.0, 0.0]) / np.sqrt(21)
    assert found.expected == pytest.approx(expected, rel=1e-9)


def test_signal_that_foretold_the_wrong_way_is_not_turned_round():
    history = past(130)
    signals = signalled(history, [1.0] * 5, [2.0] * 5, (months(30, "2015-06"), np.full(30, -0.1)))
    assert signals.foretold("one", "month", LAST_OF_JUNE) == pytest.approx(-0.1)
    mix = Mix(method="kelly", expected={"signal": "one"}, window=60)
    window = look_back(history, 128, 60)
    assert estimate(mix, history, window, LAST_OF_JUNE, signals).expected == pytest.approx([window.cash] * 5)


def test_boosted_trees_expect_what_they_predict_over_a_month():
    history = past(130)
    sessions = np.array([LAST_OF_JUNE], dtype="datetime64[D]")
    grid = np.array([[0.021, -0.042, 0.0, np.nan, 0.0021]])
    signals = Signals(history.tickers, sessions, {"boosted": grid}, {"boosted": grid})
    mix = Mix(method="kelly", expected="boosted", window=60)
    window = look_back(history, 128, 60)
    found = estimate(mix, history, window, LAST_OF_JUNE, signals).expected
    assert found - window.cash == pytest.approx([0.001, -0.002, 0.0, 0.0, 0.0001], rel=1e-9)


def test_best_by_a_signal_are_held_and_the_first_of_equal_ones():
    history = past(130)
    signals = signalled(history, [0.1, 0.5, np.nan, 0.1, 0.1])
    last = decided_by(history, signals, method="equal", select={"signal": "one", "top": 2})[-1]
    assert last.points.tolist() == [5000, 5000, 0, 0, 0]
    assert last.excluded == {"CCC": "no signal", "DDD": "not selected", "EEE": "not selected"}
    before = decided_by(history, signals, method="equal", select={"signal": "one", "top": 2})[-2]
    assert (before.status, before.answered_by) == ("no_assets", "previous")


def test_asset_of_weight_0_is_discovered_where_a_signal_is_for_it():
    history = past(130, weights=np.array([0.5, 0.5, 0.0, 0.0, 0.0]))
    signals = signalled(history, [0.1, 0.5, 0.9, 0.2, 0.0])
    assert decided_by(history, signals, select={"signal": "one", "top": 1})[-1].points.tolist() == [0, 0, 10_000, 0, 0]


TIDE = {"method": "regime", "of": {"bull": "risky", "high_volatility": "calm", "bear": "calm"}, "otherwise": "even"}


@pytest.mark.parametrize(
    ("regimes", "followed"),
    [
        (["bull"] * 4, ["even", "even", "risky", "risky"]),
        (["bull", "bull", "bear", "bull", "bull", "bull"], ["even"] * 5 + ["risky"]),
        # Two regimes that call for the same mix.
        (["bear", "high_volatility", "bear"], ["even", "even", "calm"]),
        # Of none or another one it is the mix of all others.
        (["bull"] * 3 + [None, "sideways", None], ["even", "even", "risky", "risky", "risky", "even"]),
        ([None] * 3, ["even"] * 3),
    ],
)
def test_regime_is_followed_once_it_is_confirmed(regimes, followed):
    assert followed_mixes(Mix(**TIDE, confirm=3), regimes) == followed


def test_defence_begins_above_one_probability_and_ends_below_another():
    likely = np.array([np.nan, 0.8, 0.81, 0.6, np.nan, 0.5, 0.49, 0.79, 0.9])
    held = [1, 1, 0.3, 0.3, 0.3, 0.3, 1, 1, 0.3]
    assert shares_held(Defence(invested=0.3), likely).tolist() == held


def in_force(decisions, place):
    return [one.points for one in decisions if one.place <= place][-1]


MIXES: Mapping[str, Any] = {
    "risky": {"method": "equal"},
    "calm": {"method": "inverse_volatility"},
    "even": {"method": "risk_budget"},
    "tide": {**TIDE, "confirm": 3},
    "mixed": {"method": "blend", "of": {"calm": 3, "tide": 1}},
}


def test_mix_of_regimes_has_the_weights_of_the_mix_that_it_follows():
    history = past(420)
    decisions = decided_among(history, MIXES, "tide")
    followed = followed_mixes(Mix(**MIXES["tide"]), market_of(history).regimes)
    ends = history.decision_places("month")
    parts = {name: decided_among(history, MIXES, name) for name in ("risky", "calm", "even")}
    assert [one.place for one in decisions if one.trigger == "period"] == ends
    switches = [one for one in decisions if one.trigger == "switch"]
    assert len(switches) >= 5
    for one in decisions:
        assert one.follows == followed[one.place]
        if one.place >= ends[0]:
            assert (one.points == in_force(parts[one.follows], one.place)).all()
    # A switch is a decision of the very session on which the regime is confirmed, and counts from the next one.
    for one in switches:
        assert followed[one.place - 1] != followed[one.place] or one.place in ends
    fits = to_tables(history, "tide", decisions)["mix_fit"].to_pylist()
    assert all(row["last_seen_session"] == row["decided_session"] < row["effective_session"] for row in fits)
    assert {row["status"] for row in fits} == {"no_window", "composed"}


def test_blend_is_the_mean_of_its_parts_and_moves_when_one_of_them_does():
    history = past(420)
    decisions = decided_among(history, MIXES, "mixed")
    parts = {name: decided_among(history, MIXES, name) for name in ("calm", "tide")}
    first = history.decision_places("month")[0]
    assert {one.place for one in parts["tide"]} == {one.place for one in decisions}
    for one in decisions:
        if one.place >= first:
            mean = 0.75 * in_force(parts["calm"], one.place) + 0.25 * in_force(parts["tide"], one.place)
            assert np.abs(one.points - mean).max() < 1
        assert one.points.sum() == 10_000


def test_exponential_weights_give_the_variance_of_the_recursion():
    # RiskMetrics (1996): σ² := 0.94 σ² + 0.06 r², once so many returns have come that the first weighs nothing.
    returns = past(600).returns[:, 0]
    variance = 0.0
    for one in returns:
        variance = 0.94 * variance + 0.06 * one**2
    assert expected_volatility(returns, 252) == pytest.approx(np.sqrt(252 * variance), rel=1e-12)


@pytest.mark.parametrize("target", [0.03, 0.06, 0.5])
def test_weights_are_scaled_to_a_volatility_and_never_up(target):
    history = past(200)
    plain = decided(history, method="risk_budget")
    for one, other in zip(decided(history, method="risk_budget", volatility_target=target), plain, strict=True):
        assert (one.unscaled == other.points).all()
        if one.place < 60:
            assert one.scale == 1.0
            continue
        window = history.returns[one.place - 59 : one.place + 1]
        decay = 0.94 ** np.arange(60)[::-1]
        covariance = (window * decay[:, None]).T @ window / decay.sum()
        weights = one.unscaled / 10_000
        volatility = np.sqrt(252 * weights @ covariance @ weights)
        assert one.scale == pytest.approx(min(1.0, target / volatility), rel=1e-9)
        held = one.points / 10_000
        assert np.sqrt(252 * held @ covariance @ held) <= max(target, 0) * (1 + 2e-3) or one.scale == 1.0
        assert np.abs(one.points - one.scale * one.unscaled).max() < 1
        assert one.points.sum() == round(one.scale * 10_000)


def test_defence_holds_less_from_its_session_on_and_limits_look_through_it():
    history = past(200)
    likely = np.zeros(200)
    likely[100:140] = 0.9
    mixes = {"own": Mix(method="mean_risk", window=60, max_turnover=0.05, defence={"invested": 0.4})}
    plain = decided(history, method="mean_risk", max_turnover=0.05)
    decisions = list(decide(history, Asked("own", mixes, market=Market((), likely))))
    switches = [one for one in decisions if one.trigger == "switch"]
    assert [(one.place, one.status, one.answered_by) for one in switches] == [
        (100, "kept", "own"),
        (140, "kept", "own"),
    ]
    assert [one.points.sum() for one in switches] == [4000, 10_000]
    # What it would be without the defence: none of its limits was ever stricter.
    periods = [one for one in decisions if one.trigger == "period"]
    for one, other in zip(periods, plain, strict=True):
        assert (one.unscaled == other.points).all()
        assert one.scale == (0.4 if 100 <= one.place < 140 else 1.0)
    # The bank earns what cash does, so that weights drift with it.
    after = next(one for one in periods if one.place > 100)
    assert after.drifted == pytest.approx(history.drifted(switches[0].points / 10_000, 101, after.place), rel=1e-14)


def test_scaled_decisions_are_taken_over_as_they_were():
    history = past(200)
    for mix in ({"volatility_target": 0.05}, {"defence": {}}, {"defence": {}, "volatility_target": 0.05}):
        first = decided(history, method="mean_risk", **mix)
        known = known_decisions(history, to_tables(history, "own", first))
        marked = {name: replace(one, detail="of before") for name, one in known.items()}
        again = decided(history, marked, method="mean_risk", **mix)
        assert [one.points.tolist() for one in again] == [one.points.tolist() for one in first]
        assert {one.detail for one in again if one.status == "fitted"} == {"of before"}
        shorter = decided(cut_off(history, first[-3].place), known, method="mean_risk", **mix)
        assert [one.points.tolist() for one in shorter] == [one.points.tolist() for one in first[:-2]]


def test_signals_that_say_something_else_are_decided_on_again():
    history = past(130)
    mix = {"method": "proportional", "score": "one"}
    first = decided_by(history, signalled(history, [0.3, 0.2, 0.1, 0.1, 0.1]), **mix)
    other = decided_by(history, signalled(history, [0.3, 0.2, 0.1, 0.1, 0.2]), **mix)
    assert [one.window_hash == two.window_hash for one, two in zip(first, other, strict=True)] == [*[True] * 5, False]


def test_processes_take_what_is_longest_first():
    history = past(130)
    mixes = {
        "formula": Mix(method="inverse_volatility"),
        "least": Mix(method="mean_risk"),
        "tails": Mix(method="mean_risk", risk="cvar"),
        "growth": Mix(method="kelly"),
        "of one new month": Mix(method="nco"),
    }
    tasks = [Task(history, Asked(name, mixes), {}) for name in mixes]
    found = [task.asked.name for task in longest_first(tasks, [0, 100, 100, 100, 1])]
    assert found == ["growth", "tails", "least", "of one new month", "formula"]


def test_progress_counts_each_period_once_whatever_switches_between():
    history = past(300)
    mixes = {"own": Mix(window=60, defence=Defence(on=0.6, off=0.4))}
    heard: list[tuple[str, int, int]] = []
    asked = Asked("own", mixes, market=market_of(history))
    [(_, tables)] = decide_all([Task(history, asked, {})], lambda *news: heard.append(news))
    periods = len(history.decision_places("month"))
    assert len(tables["mix_fit"]) > periods + 3
    assert heard == [("decisions of own", done, periods) for done in range(1, periods + 1)]


def test_processes_side_by_side_decide_what_one_decides(monkeypatch):
    history = past(300)
    mixes = {"own": Mix(method="risk_budget", window=60), "other": Mix(method="hrp", window=60)}
    tasks = [Task(history, Asked(name, mixes), {}) for name in mixes]
    heard: list[tuple[str, int, int]] = []
    monkeypatch.setattr("sd_core.construction.side_by_side.MANY_FITS", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    side_by_side = dict(decide_all(tasks, lambda *news: heard.append(news)))
    assert heard == [("mixes", 1, 2), ("mixes", 2, 2)]
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    for name, tables in decide_all(tasks, lambda *_: None):
        assert side_by_side[name] == tables


def test_signals_are_read_from_the_rows_of_their_tables():
    days = [dt.date(2020, 1, 31), dt.date(2020, 2, 28)]
    rows = pa.table(
        {
            "session": pa.array([days[1], days[0], days[0], days[1]]),
            "signal": ["one", "one", "two", "one"],
            "ticker": ["BBB", "AAA", "AAA", "ZZZ"],
            "value": [4.0, 1.0, None, 7.0],
            "percentile": [1.0, 0.5, None, 1.0],
            "z": [None, 0.5, None, 1.0],
        }
    )
    coefficients = pa.table(
        {
            "session": pa.array([days[1], days[0], days[0], days[0]]),
            "signal": ["one"] * 4,
            "horizon": [21, 21, 21, 63],
            "coefficient": [0.3, 0.1, None, 0.5],
            "ended_session": pa.array([None, dt.date(2020, 3, 31), dt.date(2020, 3, 31), dt.date(2020, 5, 29)]),
        }
    )
    signals = signals_from(("AAA", "BBB"), rows, coefficients)
    seen = signals.at("one", days[1])
    assert np.array_equal(seen.value, [np.nan, 4.0], equal_nan=True)
    assert np.isnan(seen.z).all()
    assert np.isnan(signals.at("two", days[0]).value).all()
    assert np.isnan(signals.at("one", dt.date(2020, 2, 3)).value).all()
    assert {key: found.values.tolist() for key, found in signals.coefficients.items()} == {
        ("one", 21): [0.1],
        ("one", 63): [0.5],
    }


def test_drawn_signals_of_these_tests_know_nothing_of_what_comes():
    history = past(640)
    place = history.decision_places("month")[-3]
    whole, cut = signals_of(history, "one"), signals_of(cut_off(history, place), "one")
    date = history.sessions[place].item()
    assert np.array_equal(whole.at("one", date).value, cut.at("one", date).value, equal_nan=True)
    assert whole.foretold("one", "month", date) == cut.foretold("one", "month", date) > 0
