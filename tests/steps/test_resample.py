"""The reserve question from end to end: bootstrap samples simulated, reported, and left out once they are outdated."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from support.lab import RESERVES, Lab, Outcome, small_study, write_prices, write_study
from support.steps import publish, refresh

from pipelines.lab.current import current_market, read_panel
from pipelines.workers import Threads
from sd_core.metrics.income import income_variability
from sd_core.metrics.outcome import Outcome as ScenarioOutcome
from sd_core.resampling.drift import draw_samples
from sd_core.resampling.histories import Drawn, Relatives
from sd_core.resampling.outcomes import outcomes
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve

HISTORIES = 30
MEASURES = ("wealth", "sharpe", "max_drawdown")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Outcome]:
    """Return a lab whose study was run and then asked the reserve question, and how the latter ended."""
    folder = tmp_path_factory.mktemp("asked")
    keys = {
        "withdrawals": {"amount": 20, "shortfall": "pro_rata"},
        "bootstrap": {"histories": HISTORIES, "block": 10},
        "reserves": [0.0, 0.1, 0.3],
    }
    lab = Lab(write_study(folder / "small.yaml", small_study(write_prices(folder / "prices")) | keys), folder / "home")
    refresh(lab.home)
    return lab, lab.sdlab("run", "--select", "reserve_bootstrap")


def test_history_as_it_was_has_the_outcomes_that_sql_computes(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    study = lab.home.study
    panel = read_panel(lab.home.study, current_market(lab.home.study, lab.home.lake))
    rules = [resolve(study, scenario) for scenario in study.scenarios]
    (found,) = outcomes(Relatives.of(panel), rules, [Drawn(np.arange(1, len(panel.sessions)))], Threads(1).map)
    reported = lab.table("report_strategy").merge(lab.table("report_reserve"), on=["strategy", "reserve"])
    reported = reported.set_index(["strategy", "reserve"])
    for scenario, outcome in zip(study.scenarios, found, strict=True):
        row = reported.loc[(scenario.strategy, scenario.reserve)]
        for name in ScenarioOutcome._fields:
            column = name if name in row else f"{name}_x"
            # Levels are multiplied up again, so the last digits of a price may differ.
            assert getattr(outcome, name) == pytest.approx(row[column], rel=1e-9, abs=1e-9, nan_ok=True), name


def test_question_ends_well_and_fills_the_tables(asked: tuple[Lab, Outcome]) -> None:
    lab, outcome = asked
    assert outcome.code == 0, outcome.err
    assert f"bootstrap samples simulated: {HISTORIES} of {HISTORIES}" in outcome.err
    drawn = lab.table("reserve_bootstrap")
    assert len(drawn) == HISTORIES * 9
    assert set(drawn["block_length"]) == {10.0}
    # From 2023-01-02 to 2023-12-29, the 260th weekday.
    assert set(drawn["years"]) == {361 / 365.25}
    report = lab.table("report_reserve")
    assert set(report["histories"]) == {HISTORIES}


def test_same_samples_are_simulated_for_every_scenario(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    panel = read_panel(lab.home.study, current_market(lab.home.study, lab.home.lake))
    study = lab.home.study
    drawn = list(draw_samples(Relatives.of(panel), 10.0, HISTORIES, study.bootstrap.seed))
    stored = lab.table("reserve_bootstrap").set_index(["strategy", "reserve", "history"])["final_value"]
    # One at a time, apart from the others, on another number of threads.
    for scenario in study.scenarios[::4]:
        found = [
            one.final_value
            for (one,) in outcomes(Relatives.of(panel), [resolve(study, scenario)], drawn, Threads(1).map)
        ]
        np.testing.assert_array_equal(stored.loc[(scenario.strategy, scenario.reserve)].to_numpy(), found)


def test_intervals_are_percentiles_of_the_samples(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    report = lab.table("report_reserve").set_index(["strategy", "reserve"])
    for scenario, rows in lab.table("reserve_bootstrap").groupby(["strategy", "reserve"]):
        for name in ("final_value", "sharpe", "max_drawdown"):
            expected = np.percentile(rows[name], [5, 50, 95])  # numpy's default is linear interpolation
            found = report.loc[scenario, [f"{name}_{place}" for place in ("low", "median", "high")]]
            np.testing.assert_allclose(found.astype(float), expected, rtol=1e-12)


def pairs(lab: Lab) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield strategy, measure, and the measure by history and reserve."""
    drawn = lab.table("reserve_bootstrap").assign(wealth=lambda rows: rows["final_value"] + rows["withdrawals"])
    for strategy, rows in drawn.groupby("strategy"):
        for measure in MEASURES:
            yield strategy, measure, rows.pivot(index="history", columns="reserve", values=measure)


def test_probability_that_a_level_beats_the_next_is_its_share_of_the_samples(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    report = lab.table("report_reserve").set_index(["strategy", "reserve"])
    for strategy, measure, by_reserve in pairs(lab):
        for lower, higher in ((0.0, 0.1), (0.1, 0.3)):
            wins = (by_reserve[lower] > by_reserve[higher]) + 0.5 * (by_reserve[lower] == by_reserve[higher])
            assert report.loc[(strategy, lower), f"{measure}_beats_next"] == pytest.approx(wins.mean()), measure
            assert report.loc[(strategy, lower), "next_reserve"] == higher
        assert np.isnan(report.loc[(strategy, 0.3), f"{measure}_beats_next"])


def lead(one: pd.Series, other: pd.Series, measure: str, days: int) -> pd.Series:
    """Return how much better one level did than another, history by history."""
    return (one / other) ** (365.25 / days) - 1 if measure == "wealth" else one - other


def test_every_pair_of_levels_is_compared_within_each_sample(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    found = lab.table("reserve_comparison").set_index(["strategy", "measure", "reserve", "other_reserve"])
    span = lab.table("report_strategy").iloc[0]
    days = (span["last_session"] - span["first_session"]).days
    for strategy, measure, by_reserve in pairs(lab):
        for one, other in itertools.permutations(by_reserve, 2):
            row = found.loc[(strategy, measure, one, other)]
            differences = lead(by_reserve[one], by_reserve[other], measure, days)
            interval = [row[f"difference_{place}"] for place in ("low", "median", "high")]
            np.testing.assert_allclose(interval, np.percentile(differences, [5, 50, 95]), rtol=1e-9, atol=1e-14)
            rarer = min((differences <= 1e-12).sum(), (differences >= -1e-12).sum())
            assert row["p_value"] == pytest.approx(min(1, 2 * (rarer + 1) / (HISTORIES + 1)))


def test_verdict_names_the_level_that_beats_its_closest_rival_most_often(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    verdicts = lab.table("report_reserve_verdict").set_index(["strategy", "measure"])
    compared = lab.table("reserve_comparison").set_index(["strategy", "measure", "reserve", "other_reserve"])
    assert len(verdicts) == 9
    tested = {}
    for strategy, measure, by_reserve in pairs(lab):
        found = verdicts.loc[(strategy, measure)]
        if strategy == "buy_and_hold" and measure != "wealth":
            assert found["conclusion"] == "mechanical"
            assert found[["best_reserve", "p_value", "p_value_holm"]].isna().all()
            assert found["verdict"].startswith(f"{strategy}, ")
            continue
        wins = {
            one: [
                ((by_reserve[one] > by_reserve[other]) + 0.5 * (by_reserve[one] == by_reserve[other])).mean()
                for other in by_reserve
                if other != one
            ]
            for one in by_reserve
        }
        best = max(wins, key=lambda level: (min(wins[level]), -level))
        assert found["best_reserve"] == best
        assert found["least_probability"] == pytest.approx(min(wins[best]))
        rows = compared.loc[(strategy, measure, best)]
        assert found["p_value"] == pytest.approx(rows["p_value"].max())
        rival = rows.loc[found["rival_reserve"]]
        assert rival["probability"] == pytest.approx(min(wins[best]))
        for name in ("actual_difference", "difference_low", "difference_median", "difference_high"):
            assert found[name] == rival[name]
        assert found["is_at_edge"] == (best == 0.3)
        tested[strategy, measure] = found["p_value"]
    # Another implementation of Holm's correction: the k-th smallest of m counts m - k + 1 times, and none falls.
    ordered, so_far = sorted(tested, key=lambda one: tested[one]), 0.0
    for place, one in enumerate(ordered):
        so_far = max(so_far, min(1.0, tested[one] * (len(ordered) - place)))
        assert verdicts.loc[one, "p_value_holm"] == pytest.approx(so_far)
        assert verdicts.loc[one, "verdicts"] == len(ordered)


def test_cash_drag_is_what_the_bank_would_have_earned_more_in_the_benchmark(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    daily = lab.table("simulation_daily").query("strategy == 'sd8' and reserve == 0.3").set_index("session")
    excess = lab.table("benchmark_daily").set_index("session")["simple_return"]
    excess -= lab.table("rates").set_index("session")["risk_free_return"]
    share = (daily["bank"] / daily["value"]).shift()
    report = lab.table("report_reserve").set_index(["strategy", "reserve"])
    assert report.loc[("sd8", 0.3), "cash_drag_per_year"] == pytest.approx((share * excess).mean() * 252, rel=1e-12)


def test_income_varies_as_in_the_portfolios_of_some_assets(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    study = lab.home.study
    panel = read_panel(lab.home.study, current_market(lab.home.study, lab.home.lake))
    report = lab.table("report_reserve").set_index(["strategy", "reserve"])["income_variability"]
    rules = [resolve(study, scenario) for scenario in study.scenarios]
    for scenario, result in zip(study.scenarios, simulate(panel, rules), strict=True):
        expected = income_variability(result.daily, result.ledger, panel.sessions, study.capital)
        assert report[(scenario.strategy, scenario.reserve)] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_months_of_income_add_up_to_the_income_of_the_whole_period(asked: tuple[Lab, Outcome]) -> None:
    lab, _ = asked
    sums = lab.table("simulation_income").groupby(["strategy", "reserve"])["income"].sum()
    whole = lab.table("simulation_metrics").set_index(["strategy", "reserve"])["income"]
    pd.testing.assert_series_equal(sums, whole, rtol=1e-12, check_names=False)
    assert (lab.table("simulation_income").groupby(["strategy", "reserve"]).size() == 12).all()


def test_without_samples_what_was_is_reported_and_intervals_are_null(finished: Lab) -> None:
    assert finished.table("reserve_bootstrap").empty
    assert finished.table("report_reserve_verdict").empty
    report = finished.table("report_reserve")
    assert len(report) == 3 * len(RESERVES)
    drawn = [name for name in report if name.endswith(("_low", "_median", "_high", "_percentile", "_beats_next"))]
    assert len(drawn) == 48
    assert report[[*drawn, "histories", "block_length", "years"]].isna().all(axis=None)
    assert report[["final_value", "cash_drag_per_year", "low_cash_share"]].notna().all(axis=None)


def test_histories_of_other_settings_are_left_out(asked: tuple[Lab, Outcome], tmp_path) -> None:
    lab, _ = asked
    there = lab.copy_to(tmp_path / "home")
    study = lab.study_file.read_text(encoding="utf-8").replace("histories: 30", "histories: 31")
    file = tmp_path / "small.yaml"
    file.write_text(study, encoding="utf-8")
    changed = dataclasses.replace(there, study_file=file)
    publish(changed.home)
    assert changed.table("reserve_bootstrap").empty
    assert changed.table("report_reserve")["histories"].isna().all()


def test_portfolios_of_some_assets_are_reported_with_a_slope_and_its_interval(
    changed_study: Callable[..., Lab], tmp_path
) -> None:
    lab = changed_study()
    folder = write_prices(tmp_path / "more")
    for ticker, twin in (("DDD", "AAA"), ("EEE", "BBB"), ("FFF", "CCC")):
        prices = pd.read_csv(folder / f"{twin}.csv")
        prices.iloc[:, 1:] = prices.iloc[::-1, 1:].to_numpy()  # time reversed: another asset of the same kind
        prices.to_csv(folder / f"{ticker}.csv", index=False)
    keys = {
        "universe": {name * 3: {"weight": 1} for name in "ABCDEF"},
        "source": {"kind": "csv", "folder": str(folder)},
    }
    lab = Lab(write_study(tmp_path / "six.yaml", small_study(folder) | keys), tmp_path / "six")
    refresh(lab.home)
    subsets = lab.table("income_subset")
    assert len(subsets) == 20  # 3 of 6
    (report,) = lab.table("report_income_smoothing").to_dict("records")
    assert (report["strategy"], report["reserve"], report["portfolios"], report["assets"]) == ("sd8", 0.1, 20, 3)

    def slope(rows: pd.DataFrame, *held_fixed: str) -> float:
        regressors = rows[["average_correlation", *held_fixed]].assign(constant=1.0)
        return float(np.linalg.lstsq(regressors, rows["income_variability"], rcond=None)[0][0])

    for prefix, held_fixed in (("", ()), ("partial_", ("mean_volatility",))):
        whole = slope(subsets, *held_fixed)
        left_out = [slope(subsets[~subsets["tickers"].str.contains(name * 3)], *held_fixed) for name in "ABCDEF"]
        error = np.sqrt(5 / 6 * np.sum((left_out - np.mean(left_out)) ** 2))
        assert report[f"{prefix}slope"] == pytest.approx(whole, rel=1e-9)
        assert report[f"{prefix}standard_error"] == pytest.approx(error, rel=1e-9)
        assert report[f"{prefix}slope_low"] == pytest.approx(whole - 2 * error, rel=1e-9)
        assert report[f"{prefix}slope_high"] == pytest.approx(whole + 2 * error, rel=1e-9)


def test_study_of_three_assets_has_no_portfolios_to_compare(finished: Lab) -> None:
    assert finished.table("income_subset").empty
    assert finished.table("report_income_smoothing").empty
