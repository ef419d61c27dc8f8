"""Decisions know nothing of what comes after them, and something always answers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.pasts import cut_off, decided, decided_among, past

from sd_core.construction.asked import Asked, Scored
from sd_core.construction.decisions import Decision, decide
from sd_core.construction.history import History
from sd_core.construction.tables import known_decisions, targets_in_force, to_tables
from sd_core.study.mixes import Mix

MIXES: list[dict[str, Any]] = [
    {"method": "equal"},
    {"method": "inverse_volatility"},
    {"method": "mean_risk", "max_turnover": 0.2},
    {"method": "mean_risk", "objective": "max_ratio", "expected": "sample", "cost_aware": True},
    {"method": "mean_risk", "risk": "cvar", "expanding": True},
    {"method": "risk_budget"},
    {"method": "max_diversification"},
    {"method": "hrp"},
    {"method": "herc"},
    {"method": "nco"},
    {"method": "kelly", "fraction": 0.5},
    {"method": "equal", "volatility_target": 0.08},
    {"method": "risk_budget", "defence": {"on": 0.7, "off": 0.4}, "volatility_target": 0.06},
    {"method": "proportional"},
]
# Those that look at more than prices, and at each other.
MORE: dict[str, Any] = {
    "equal": {"method": "equal"},
    "least": {"method": "mean_risk", "max_turnover": 0.8, "select": {"signal": "one", "top": 3}},
    "by_signal": {"method": "proportional", "score": "one"},
    "budgets": {"method": "risk_budget", "budget": {"score": "two"}, "defence": {}},
    "foreseen": {"method": "mean_risk", "objective": "max_utility", "expected": {"signal": "two"}},
    "tide": {"method": "regime", "of": {"bull": "by_signal", "bear": "least"}, "otherwise": "budgets", "confirm": 3},
    "mixed": {"method": "blend", "of": {"tide": 2, "equal": 1}, "volatility_target": 0.07, "window": 60},
}


def bytes_of(history: History, decisions: list[Decision], count: int) -> list[Any]:
    """Return what is stored of the first decisions, all of its bits."""
    tables = to_tables(history, "own", decisions[:count])
    return [tables["mix_weight"], tables["mix_fit"].drop_columns(["effective_session"])]


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: mix["method"] + mix.get("objective", mix.get("risk", "")))
def test_what_comes_after_a_decision_changes_nothing_of_it(mix):
    chosen = {"window": None, **mix} if mix.get("expanding") else mix
    history = past(760 if mix.get("expanding") else 480)
    whole = decided(history, **chosen)
    # Everything after the last decision but one is cut off, or replaced by noise.
    place, count = whole[-2].place, len(whole) - 1
    assert count >= 20
    cut = cut_off(history, place)
    noise = np.random.default_rng(9).normal(0, 0.05, history.returns.shape)
    noisy = np.where(np.arange(len(noise))[:, None] > place, noise, history.returns)
    expected = bytes_of(history, whole, count)
    of_cut = decided(cut, **chosen)
    assert len(of_cut) == count
    assert bytes_of(cut, of_cut, count) == expected
    assert bytes_of(history, decided(replace(history, returns=noisy), **chosen), count) == expected


@pytest.mark.parametrize("name", list(MORE)[1:])
def test_signals_and_regimes_after_a_decision_change_nothing_of_it(name):
    history = past(640)
    whole = decided_among(history, MORE, name)
    place, count = whole[-4].place, len(whole) - 3
    assert count >= 24
    assert name in {one.answered_by for one in whole[-6:]}
    noise = np.random.default_rng(9).normal(0, 0.05, history.returns.shape)
    expected = bytes_of(history, whole, count)
    assert bytes_of(history, decided_among(cut_off(history, place), MORE, name), count) == expected
    noisy = replace(history, returns=np.where(np.arange(640)[:, None] > place, noise, history.returns))
    assert bytes_of(history, decided_among(noisy, MORE, name), count) == expected


def test_decision_sees_the_return_of_its_own_session_and_none_later():
    # A session earlier, or later, would be a look-back that is late, or a look-ahead.
    history = past(200)
    decisions = decided(history, method="inverse_volatility", covariance="sample")
    for one in decisions[-3:]:
        window = history.returns[one.place - 59 : one.place + 1]
        inverse = 1 / window.std(axis=0)
        assert one.points / 10_000 == pytest.approx(inverse / inverse.sum(), abs=1.1e-4)
        for shift in (-1, 1):
            other = history.returns[one.place - 59 + shift : one.place + 1 + shift]
            shifted = 1 / other.std(axis=0)
            assert np.abs(shifted / shifted.sum() - inverse / inverse.sum()).max() > 1.1e-4


def test_decision_is_made_on_the_last_session_of_its_period_and_counts_from_the_next():
    history = past(130)
    for every, dates in {
        "month": ["2015-01-30", "2015-02-27", "2015-03-31", "2015-04-30", "2015-05-29", "2015-06-30"],
        "quarter": ["2015-03-31", "2015-06-30"],
        "year": [],
    }.items():
        decisions = decided(history, every=every)
        fits = to_tables(history, "own", decisions)["mix_fit"].to_pylist()
        assert [str(row["decided_session"]) for row in fits] == dates
        assert all(row["last_seen_session"] == row["decided_session"] for row in fits)
        after = [history.sessions[one.place + 1].item() for one in decisions]
        assert [row["effective_session"] for row in fits] == after


def test_last_session_decides_where_the_calendar_says_that_its_period_ends():
    # 2015-06-30 is session 128 of these: without a calendar nothing says that no session of June follows.
    alone = past(129)
    known = replace(alone, next_session=np.datetime64("2015-07-01").item())
    assert len(decided(known)) == len(decided(alone)) + 1
    (*_, last) = to_tables(known, "own", decided(known))["mix_fit"].to_pylist()
    assert (str(last["decided_session"]), last["effective_session"]) == ("2015-06-30", None)
    goes_on = replace(alone, next_session=np.datetime64("2015-06-30").item())
    assert len(decided(goes_on)) == len(decided(alone))


def test_nothing_is_fitted_before_a_whole_window():
    history = past(100, weights=np.array([0.5, 0.2, 0.1, 0.1, 0.1]))
    first = decided(history, method="inverse_volatility", window=80)[0]
    assert (first.status, first.answered_by, first.points.tolist()) == (
        "no_window",
        "until_fitted",
        [5000, 2000, 1000, 1000, 1000],
    )
    equal = decided(history, method="inverse_volatility", window=80, until_fitted="equal")
    assert equal[0].points.tolist() == [2000] * 5
    fitted = decided(history, method="inverse_volatility", window=80)[3]
    assert (fitted.place, fitted.status, fitted.rows) == (85, "fitted", 80)


def test_weights_drift_as_prices_do_and_the_bank_as_cash_does():
    # A rises by a tenth twice, B loses a tenth once: 0.4 · 1.21 = 0.484, 0.4 · 0.9 = 0.36, and the bank 0.2 · 1.01².
    returns = np.array([[9.0, 9.0], [0.1, -0.1], [0.1, 0.0]])
    history = past(3, 2, returns=returns, cash=np.array([9.0, 0.01, 0.01]))
    whole = 0.484 + 0.36 + 0.2 * 1.0201
    assert history.drifted(np.array([0.4, 0.4]), 0, 2) == pytest.approx([0.484 / whole, 0.36 / whole], rel=1e-14)
    assert history.drifted(np.array([0.4, 0.4]), 2, 2) == pytest.approx([0.4, 0.4])


def without_bars(history: History, place: slice, asset: int) -> History:
    has_bar = history.has_bar.copy()
    has_bar[place, asset] = False
    returns = np.where(has_bar, history.returns, 0.0)
    return replace(history, has_bar=has_bar, returns=returns)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda history: without_bars(history, slice(126, None), 2), "no bar"),
        (lambda history: without_bars(history, slice(70, 80), 2), "too few bars"),
        (lambda history: replace(history, returns=np.where([0, 0, 1, 0, 0], 0.0, history.returns)), "rarely moves"),
        (lambda history: replace(history, returns=np.where([0, 0, 1, 0, 0], 1e-9, history.returns)), "no variance"),
    ],
)
def test_asset_that_cannot_be_judged_is_not_held(spoil, reason):
    last = decided(spoil(past(130)), method="risk_budget")[-1]
    assert (last.excluded, last.points[2], last.assets) == ({"CCC": reason}, 0, 4)
    assert (last.answered_by, last.points.sum()) == ("own", 10_000)


def test_rows_are_sessions_that_all_have_and_returns_run_between_them():
    history = without_bars(past(130), slice(120, 122), 0)
    last = decided(history, method="inverse_volatility", covariance="sample")[-1]
    assert (last.rows, last.assets) == (58, 5)
    # Sessions 120 and 121 are part of the return that ends at 122; of the 61 closes 59 are left, so 58 returns.
    seen = history.returns[69:129].copy()
    seen[53] = (1 + seen[51]) * (1 + seen[52]) * (1 + seen[53]) - 1
    inverse = 1 / np.delete(seen, [51, 52], axis=0).std(axis=0)
    assert last.points / 10_000 == pytest.approx(inverse / inverse.sum(), abs=1.1e-4)


def test_too_few_common_rows_are_no_window():
    history = past(130)
    has_bar = history.has_bar.copy()
    for asset in range(5):
        # Each lacks 6 of the last 60 sessions, other ones, and one the session before them: 30 are common.
        has_bar[90 + 6 * asset : 96 + 6 * asset, asset] = False
    has_bar[68, 0] = False
    decisions = decided(replace(history, has_bar=has_bar), method="risk_budget")
    last = decisions[-1]
    assert (last.status, last.answered_by, last.rows) == ("few_rows", "until_fitted", 29)
    assert last.points.tolist() == [2000] * 5 != decisions[-2].points.tolist()


def test_no_asset_left_leaves_the_weights_of_before():
    history = past(130)
    has_bar = np.repeat((np.arange(130) < 126)[:, None], 5, axis=1)
    decisions = decided(replace(history, has_bar=has_bar), method="risk_budget")
    assert (decisions[-1].status, decisions[-1].answered_by, decisions[-1].assets) == ("no_assets", "previous", 0)
    assert (decisions[-1].points == decisions[-2].points).all()
    assert decisions[-1].contributions is None
    first = decided(replace(history, has_bar=has_bar), method="risk_budget", fallback=["equal"])[-1]
    assert first.answered_by == "previous"


@pytest.mark.parametrize(
    ("fallback", "answered_by"),
    [
        (["previous", "equal"], "previous"),
        (["equal"], "equal"),
        (["other", "equal"], "other"),
        (["broken", "equal"], "equal"),
    ],
)
def test_first_of_the_fallback_that_can_answers_and_is_named(fallback, answered_by):
    never = {"weights": {ticker: [0.0, 0.1] for ticker in ("AAA", "BBB", "CCC", "DDD", "EEE")}}
    mixes = {
        "own": Mix(method="mean_risk", window=60, fallback=fallback, **never),
        "broken": Mix(method="risk_budget", window=60, **never),
        "other": Mix(method="hrp", window=60),
    }
    *_, last = decide(past(130), Asked("own", mixes))
    assert (last.status, last.answered_by, last.detail) == ("infeasible", answered_by, "no weights keep to the limits")
    assert last.points.sum() == 10_000
    if answered_by == "other":
        assert (last.points == decided(past(130), method="hrp")[-1].points).all()


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: mix["method"] + mix.get("objective", mix.get("risk", "")))
def test_two_assets_that_are_one_still_give_weights(mix):
    # The covariance of a sample is singular then.
    history = past(190)
    twins = history.returns.copy()
    twins[:, 1] = twins[:, 0]
    covariance = {"covariance": "sample"} if Mix(**mix).uses_covariance else {}
    for one in decided(replace(history, returns=twins), **{**mix, **covariance, "expanding": False})[-3:]:
        assert np.isfinite(one.drifted).all()
        if mix["method"] not in ("kelly", "proportional"):
            assert one.unscaled.sum() == 10_000
        assert (one.points >= 0).all()
        assert one.answered_by in {"own", "previous"}


def test_scores_are_known_from_their_dates_and_what_has_none_is_not_held():
    dates = np.array(["2015-01-01", "2015-06-01"], dtype="datetime64[D]")
    scored = Scored(dates, np.array([[1.0, 2.0, 3.0, np.nan, 4.0], [np.nan, np.nan, 9.0, np.nan, np.nan]]))
    mix = Mix(method="mean_risk", window=60, scores={"file": "any", "min": 3.0})
    decisions = list(decide(past(130), Asked("own", {"own": mix}, {"own": scored})))
    april, may, june = decisions[-3:]
    for one, scores in ((april, [1, 2, 3, 0, 4]), (may, [1, 2, 3, 0, 4]), (june, [1, 2, 9, 0, 4])):
        assert one.excluded == {"DDD": "no score"}
        assert one.points / 10_000 @ scores >= 3.0 - 1e-3


def test_equal_decisions_are_taken_over_and_others_made_again():
    history = past(190)
    first = decided(history, method="mean_risk", max_turnover=0.2)
    known = known_decisions(history, to_tables(history, "own", first))
    again = decided(history, known, method="mean_risk", max_turnover=0.2)
    assert bytes_of(history, again, len(again)) == bytes_of(history, first, len(first))
    # Marked ones are taken over as they are; of another mix, or after another return, none is.
    marked = {name: replace(one, detail="of before") for name, one in known.items()}
    fitted = [one.status != "no_window" for one in first]
    assert [
        one.detail == "of before" for one in decided(history, marked, method="mean_risk", max_turnover=0.2)
    ] == fitted
    assert not any(one.detail == "of before" for one in decided(history, marked, method="mean_risk", max_turnover=0.3))
    returns = history.returns.copy()
    returns[first[-2].place, 0] += 1e-6
    moved = decided(replace(history, returns=returns), marked, method="mean_risk", max_turnover=0.2)
    assert [one.detail == "of before" for one in moved] == [*fitted[:-2], False, False]


def test_decisions_that_are_known_look_at_no_window(monkeypatch):
    history = past(190)
    keys = {"method": "mean_risk", "fallback": ["previous", "equal"], "volatility_target": 0.05}
    first = decided(history, **keys)
    known = known_decisions(history, to_tables(history, "own", first))
    looked = []
    monkeypatch.setattr("sd_core.construction.asked.look_back", lambda *given: looked.append(given))
    again = decided(history, known, **keys)
    assert [one.window_hash for one in again] == [one.window_hash for one in first]
    assert not looked


def test_targets_are_in_force_from_the_session_after_their_decision():
    history = past(130)
    decisions = decided(history, method="inverse_volatility")
    mixes = {"own": Mix(method="inverse_volatility", window=60)}
    targets = targets_in_force("own", mixes, history.weights, to_tables(history, "own", decisions))
    dates = list(targets)
    assert dates[1:] == [history.sessions[one.place + 1].item() for one in decisions]
    assert targets[dates[0]] == (0.2,) * 5
    assert targets[dates[-1]] == tuple((decisions[-1].points / 10_000).tolist())


def test_contributions_to_risk_make_the_volatility():
    history = past(190)
    decisions = decided(history, method="mean_risk", covariance="sample")
    fits = to_tables(history, "own", decisions)["mix_fit"].to_pylist()
    for one, row in zip(decisions[-3:], fits[-3:], strict=True):
        window = history.returns[one.place - 59 : one.place + 1]
        expected = (window @ (one.points / 10_000)).std(ddof=1) * np.sqrt(252)
        assert row["expected_volatility"] == pytest.approx(expected, rel=1e-9)
