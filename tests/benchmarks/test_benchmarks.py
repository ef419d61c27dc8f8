"""The benchmarks measure what they say: their market, their tasks, and a run of each at a size that takes no time."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from benchmarks import (
    buckets,
    cores,
    correlation,
    coverage,
    engines,
    environments,
    market,
    mixes,
    null_cases,
    report,
    runs,
    scale,
    selection,
    sweeps,
    tasks,
    warehouse,
    wide,
)
from benchmarks.processes import FailedError, Lines, run
from pipelines.lab.home import StudyHome
from sd_core.market.sources.csv_files import CsvSource
from sd_core.simulation.rules import Order
from sd_core.study.loading import load_study

TINY = (3, 80, 2)


@pytest.fixture(scope="module")
def panel():
    return market.make_panel()


# The market


def test_daily_volatility_is_one_and_a_half_percent(panel):
    returns = np.diff(np.log(panel.close), axis=0)
    # The standard error of the estimate from 99 980 returns is 0.015 / sqrt(2 · 99 980) = 0.00003.
    assert returns.std() == pytest.approx(0.015, abs=0.0002)


def test_a_third_of_the_variance_lies_overnight(panel):
    overnight = np.log(panel.open[1:] / panel.close[:-1])
    whole = np.diff(np.log(panel.close), axis=0)
    assert overnight.var() / whole.var() == pytest.approx(1 / 3, abs=0.01)


def test_range_of_a_bar_is_that_of_a_walk_of_four_steps(panel):
    # Spitzer, A combinatorial lemma and its application to probability theory, 1956: the expected maximum of a Gaussian
    # walk of n steps is the sum over k of sigma / sqrt(2 pi k); the range is twice that.
    step = 0.015 * np.sqrt(2 / 3 / 4)
    expected = 2 * step / np.sqrt(2 * np.pi) * (1 + 1 / np.sqrt(2) + 1 / np.sqrt(3) + 1 / 2)
    assert np.log(panel.high / panel.low).mean() == pytest.approx(expected, rel=0.01)


def test_open_and_close_lie_between_low_and_high(panel):
    assert (panel.low <= np.minimum(panel.open, panel.close)).all()
    assert (panel.high >= np.maximum(panel.open, panel.close)).all()


def test_market_has_weekdays_and_no_income(panel):
    assert panel.close.shape == (5_000, 20)
    assert np.is_busday(panel.sessions).all()
    assert (np.diff(panel.sessions) > np.timedelta64(0)).all()
    assert not panel.dividends.any()
    assert not panel.rates.any()


def test_same_seed_gives_the_same_prices_and_another_seed_others():
    first, again, other = (market.make_panel(2, 50, seed=seed) for seed in (1, 1, 2))
    assert first.close.tobytes() == again.close.tobytes()
    assert not np.isclose(first.close, other.close).any()


def test_rules_are_sd8_at_a_hundred_reserves_up_to_thirty_percent():
    rules = market.make_rules()
    assert [scenario.reserve for scenario in rules] == pytest.approx([0.3 * place / 99 for place in range(100)])
    assert rules[0].brackets == pytest.approx(0.09050773266525766)  # 2 ** (1 / 8) - 1
    assert (rules[0].profit_shares == 0.5).all()
    assert rules[0].targets.weights[0].sum() == pytest.approx(1.0)


def test_written_panel_is_read_as_it_was(tmp_path):
    panel = market.make_panel(2, 30)
    market.write_panel(tmp_path / "panel.npz", panel)
    read = market.read_panel(tmp_path / "panel.npz")
    assert read.tickers == panel.tickers
    assert read.sessions.tolist() == panel.sessions.tolist()
    assert read.high.tobytes() == panel.high.tobytes()


# The tasks


def test_assets_apart_add_up_to_their_share_of_the_capital():
    task = tasks.closes_apart(market.make_panel(4, 2), 3)
    # Two sessions do not reach a rung, so what was bought moves with the price and the rest stays cash.
    for outcome, rules in zip(task.outcomes(), task.rules, strict=True):
        worth = sum(
            (quantity := np.floor(250_000 * (1 - rules.reserve) / panel.close[0, 0])) * panel.close[1, 0]
            + 250_000
            - quantity * panel.close[0, 0]
            for panel in task.panels
        )
        assert outcome == tasks.Outcome(0, 0.0, pytest.approx(worth))


def test_fewer_scenarios_keep_the_lowest_and_the_highest_reserve():
    task = tasks.four_legs(market.make_panel(2, 5), 10)
    assert [rules.reserve for rules in task.first(2).rules] == [0.0, 0.3]
    assert len(task.first(100).rules) == 10


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (tasks.Outcome(10, 100.0, 1_000.0), ""),
        (tasks.Outcome(10, 100.00005, 1_000.0005), ""),
        (tasks.Outcome(9, 100.0, 1_000.0), "9 fills for 10"),
        (tasks.Outcome(10, 101.0, 1_000.0), "turnover off by 0.01"),
        (tasks.Outcome(10, 100.0, 1_002.0), "final_value off by 0.002"),
    ],
)
def test_difference_of_outcomes_is_reported_in_words(found, words):
    assert tasks.difference([tasks.Outcome(10, 100.0, 1_000.0)], [found]) == words


@pytest.mark.parametrize(
    ("alternative", "task"),
    [
        (engines.VECTORBT, tasks.four_legs),
        (engines.VECTORBT_SIMPLE, tasks.closes_one_rung),
        (engines.BT, tasks.closes),
        (engines.BACKTESTING, tasks.closes_apart),
    ],
    ids=lambda value: value.script if isinstance(value, engines.Alternative) else "",
)
def test_alternative_trades_as_this_engine_does(alternative, task, tmp_path):
    if not (environments.CACHE / alternative.package / "stamp.txt").is_file():
        pytest.skip(f"{alternative.package} is not installed in .benchmarks; make bench installs it")
    panel = market.make_panel(5, 400)
    warm = replace(alternative, compiles=False)  # with the compiled code that it has
    figure = engines.alternative_figure(warm, task(panel, 3), panel, tmp_path)
    assert figure.outcome == "agrees"
    assert figure.fills > 0


# Runs


def test_engines_are_measured_and_one_that_cannot_be_installed_is_named(monkeypatch, capsys):
    def refuse(name):
        raise environments.NotInstalledError(f"no {name} for this Python")

    monkeypatch.setattr(engines, "SECONDS", 0.001)
    monkeypatch.setattr(engines, "python_of", refuse)
    monkeypatch.setattr(engines, "run_twice", lambda *_: (Lines(9.0, ""), Lines(0.5, "")))
    figures = engines.measure(*TINY)
    measured = {(figure.engine, figure.rule) for figure in figures if figure.rate}
    by_premium = tasks.four_legs(market.make_panel(2, 5), 1, Order.NAV_OPPORTUNISTIC).rule
    assert {("SD Lab", "four legs"), ("SD Lab", by_premium), ("plain engine of the tests", "four legs")} < measured
    assert {figure.outcome for figure in figures if not figure.rate} == {
        f"not measured: no {name} for this Python" for name in ("vectorbt", "bt", "backtesting")
    }
    engines.show(figures)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("| engine ")
    assert len([line for line in printed if line.startswith("|")]) == 2 + len(figures)


def test_plain_engine_agrees_with_this_one():
    figure = engines.plain_figure(tasks.four_legs(market.make_panel(5, 400), 2))
    assert figure.outcome == "agrees"
    assert figure.fills > 0


@pytest.mark.parametrize("settings", [["UNIVERSE"], ["UNIVERSE", "banded"]], ids=["simple", "banded"])
def test_first_result_comes_in_a_process_of_its_own(tmp_path, settings):
    market.write_panel(tmp_path / "panel.npz", market.make_panel(2, 50))
    lines = run([sys.executable, "-m", "benchmarks.first_result", str(tmp_path / "panel.npz"), *settings])
    assert lines.last == "first result"


def test_failing_process_is_reported_with_its_last_words():
    with pytest.raises(FailedError, match="ValueError: no prices"):
        run([sys.executable, "-c", "raise ValueError('no prices')"])


def test_scale_measures_a_size(capsys):
    size = scale.Size("assets", assets=2, sessions=60, scenarios=3)
    (growth,) = scale.measure([size])
    assert growth.prices_mb == 5 * 8 * 2 * 60 / 1e6  # open, high, low, close, dividends
    assert growth.nanoseconds == pytest.approx(growth.seconds * 1e9 / 360)
    scale.show([growth])
    assert "| assets | " in capsys.readouterr().out


def test_a_second_core_is_measured_for_numpy_and_with_and_without_ledger(capsys):
    gains = cores.measure(*TINY, rounds=2, sums=2)
    assert [one.work for one in gains] == ["numpy: sum of the prices", "SD Lab without ledger", "SD Lab"]
    assert all(spent.seconds > 0 for one in gains for spent in (one.one, one.two))
    twice = cores.Gain("", cores.Spent(3.0, 3.0, 0), cores.Spent(1.5, 3.3, 7))
    assert twice.gain == 2.0
    cores.show([twice])
    assert [cell.strip() for cell in capsys.readouterr().out.splitlines()[-2].split("|")[1:-1]] == [
        "",
        "3000.0",
        "1500.0",
        "2.00",
        "1.10",
        "7",
    ]


def test_runs_are_timed_in_processes_of_their_own(monkeypatch, capsys):
    asked = []

    def listen(command, environment):
        asked.append((command, environment))
        return spent([sys.executable, "-c", "sum(range(1_000_000))"], {})

    spent = runs.spent
    monkeypatch.setattr(runs, "spent", listen)
    found = runs.measure(rounds=1)
    assert all(one.computed > 0 and one.seconds > 0 for one in found.values())
    assert ["--fresh" in command for command, _ in asked] == [True, False, False] * 2
    files = [command[command.index("--study") + 1].rpartition("/")[2] for command, _ in asked]
    assert files == ["asked.yaml", "changed.yaml", "changed.yaml"] * 2
    runs.show(found)
    assert "| with nothing outdated" in capsys.readouterr().out


def test_study_of_the_second_run_differs_in_one_strategy(tmp_path):
    asked, changed = (load_study(file) for file in runs._studies(tmp_path))
    differing = [name for name, parts in asked.strategies.items() if changed.strategies[name] != parts]
    assert differing == [runs.STRATEGY]
    assert changed.model_copy(update={"strategies": asked.strategies}) == asked


def test_warehouse_is_filled_and_sound(capsys):
    seconds, rows = warehouse.measure(*TINY)
    assert rows > 2 * 80  # the days of two scenarios, and more
    assert seconds.total == pytest.approx(sum(vars(seconds).values()))
    warehouse.show(seconds, rows)
    assert "from prices to tables" in capsys.readouterr().out


def test_wide_study_is_run_whole_and_its_rows_are_counted(monkeypatch, capsys):
    def run_nothing(command, environment):
        study = load_study(Path(command[command.index("--study") + 1]))
        made.append((len(study.universe), len(study.scenarios), environment["SD_HOME"]))
        published = StudyHome(Path("wide.yaml"), study, Path(environment["SD_HOME"])).published.warehouse
        published.parent.mkdir(parents=True)
        with duckdb.connect(str(published)) as connection:
            connection.execute("create table few as from range(2); create table many as from range(1000)")
        return runs.Spent(1.0, 2.0)

    made = []
    monkeypatch.setattr(wide, "spent", run_nothing)
    figure = wide.measure(assets=3, sessions=30)
    assert made[0][:2] == (3, figure.ledgers) == (3, 48)
    assert list(figure.rows.items()) == [("many", 1000), ("few", 2)]
    wide.show([figure])
    assert "many 0.00, few 0.00" in capsys.readouterr().out


def test_prices_of_a_wide_study_are_those_of_its_panel(tmp_path):
    panel = market.make_panel(2, 30)
    study = load_study(wide.write_study(tmp_path, panel, [0.1], {"buy_and_hold": {}}))
    history = CsvSource(tmp_path / "prices").prices("A002", study.start, None)
    np.testing.assert_array_equal(history.bars["high"], panel.high[:, 1])


def test_correlation_is_measured_beside_what_gives_the_same(monkeypatch, capsys):
    def refuse(name):
        raise environments.NotInstalledError(f"no {name} for this Python")

    monkeypatch.setattr(engines, "SECONDS", 0.001)
    monkeypatch.setattr(correlation, "python_of", refuse)
    sizes = [correlation.Size(4, 100, every_session=True), correlation.Size(4, 100, every_session=False)]
    figures = correlation.measure(sizes)
    assert [(figure.tool.split()[0], figure.outcome) for figure in figures] == [
        ("SD", ""),
        ("pandas", "agrees"),
        ("Polars", "not measured: no polars for this Python"),
        ("SD", ""),
    ]
    correlation.show(figures)
    assert "month ends |" in capsys.readouterr().out


def test_buckets_are_measured_beside_the_plain_engine(monkeypatch, capsys):
    monkeypatch.setattr(engines, "SECONDS", 0.001)
    tiny = buckets.Size(2, 3, 200)
    figures = buckets.measure(tiny, tiny)
    assert [(figure.engine, figure.outcome) for figure in figures] == [
        ("SD Lab", ""),
        ("plain engine of the tests", "agrees"),
    ]
    task = buckets.make_task(tiny)
    history = buckets.simulate(task.plan, task.panel, task.signals, task.deposits, task.walk())
    assert len(history.trades) > 0
    buckets.show(figures)
    assert "plain engine of the tests | agrees" in capsys.readouterr().out


def test_drift_adds_to_the_growth_of_every_session():
    panel = market.make_panel(2, 10)
    drifted = market.with_drift(panel, 0.01)
    growths = np.diff(np.log(drifted.close), axis=0) - np.diff(np.log(panel.close), axis=0)
    np.testing.assert_allclose(growths, 0.01, rtol=1e-9)
    np.testing.assert_allclose(drifted.high / drifted.low, panel.high / panel.low)


def test_ties_that_have_a_closed_form_have_no_drift():
    for case in null_cases.CASES[0], null_cases.CASES[3]:
        assert null_cases.tie(case) == 0.0


def test_held_assets_tie_where_the_median_of_their_mean_is_what_was_paid():
    case = null_cases.CASES[1]
    drift = null_cases.tie(case, sessions=60, searched=200)
    grown = [
        (panel.close[-1] / panel.close[0]).mean()
        for panel in (market.with_drift(market.make_panel(5, 60, seed), drift) for seed in range(200))
    ]
    assert np.median(grown) == pytest.approx(1.0, abs=1e-4)


def test_rule_ties_with_its_cash_path_where_prices_gain_nothing_on_average():
    case = next(one for one in null_cases.CASES if one.is_beside_cash)
    # exp of a normal variable has the mean 1 where its own mean is minus half of its variance.
    assert null_cases.tie(case) == pytest.approx(-(0.015**2) / 2)


def test_verdict_beside_the_cash_path_is_judged_by_the_product():
    case = next(one for one in null_cases.CASES if one.is_beside_cash and one.measure == "sharpe")
    assert null_cases.conclusion(case, market.make_panel(1, 300, 2)) in ("better", "worse", "not significant")
    # Of less than a year there is no verdict.
    assert null_cases.conclusion(case, market.make_panel(1, 200, 2)) is None


def test_null_cases_are_judged_by_the_product(monkeypatch, capsys):
    monkeypatch.setattr(null_cases, "SESSIONS", 60)
    monkeypatch.setattr(null_cases, "SAMPLES", 60)
    held, mechanical = null_cases.CASES[0], null_cases.CASES[2]
    # One asset that rises every day by more than it ever moves is no tie, and a level is claimed to be the best.
    risen = market.with_drift(market.make_panel(1, 60), 0.1)
    assert null_cases.conclusion(held, risen) == "better"
    assert null_cases.conclusion(mechanical, risen) == "mechanical"
    figures = null_cases.measure([mechanical], data_sets=1)
    assert [one.claims for one in figures] == [0]
    null_cases.show(figures)
    assert "| held     | sharpe  |" in capsys.readouterr().out


@pytest.mark.parametrize("case", [one for one in null_cases.CASES if one.is_of_sums], ids=lambda one: str(one.assets))
def test_sums_conclude_of_held_assets_what_the_product_does(monkeypatch, case):
    monkeypatch.setattr(null_cases, "SESSIONS", 60)
    monkeypatch.setattr(null_cases, "SAMPLES", 60)
    panel = market.make_panel(case.assets, 60, 5)
    # From a clear fall to a clear rise, so that verdicts of either kind are met.
    concluded = set()
    for drift in (-0.02, -0.004, 0.0, 0.004):
        moved = market.with_drift(panel, drift)
        found = null_cases.held_conclusion(case, moved)
        assert found == null_cases.conclusion(case, moved)
        concluded.add(found)
    assert concluded == {"better", "undecided"}


def test_most_is_the_upper_end_of_clopper_and_pearson():
    # Without a claim in n it is 1 - 0.05^(1/n).
    assert null_cases.Found(null_cases.CASES[0], 0.0, 100, 0).most == pytest.approx(1 - 0.05**0.01)
    assert null_cases.Found(null_cases.CASES[0], 0.0, 3, 3).most == 1.0


def test_coverage_counts_fresh_histories_by_kind_of_sample(capsys):
    figures = coverage.measure(assets=[2], data_sets=2, sessions=120, samples=41)
    assert [one.samples for one in figures] == list(coverage.OPTIONS)
    assert all(0 <= one.held <= 2 for one in figures)
    # Centred on the history, half of the samples grow less.
    assert figures[2].below == pytest.approx(0.5, abs=0.02)
    coverage.show(figures)
    assert "| centre " in capsys.readouterr().out


def test_mixes_are_decided_cold_and_taken_over_where_nothing_is_new(capsys, monkeypatch):
    monkeypatch.setattr(mixes, "MIXES", {name: mixes.MIXES[name] for name in ("inverse_volatility", "hrp")})
    figures = mixes.measure([20], 570)
    assert [(one.what, one.decisions) for one in figures] == [
        ("cold", 25),
        ("one new month", 27),
        ("nothing new", 27),
    ]
    assert all(one.cpu_seconds > 0 and one.passes > 0 for one in figures)
    mixes.show(figures)
    assert "| cold " in capsys.readouterr().out


def test_selection_is_timed_by_days_and_by_sums_alone(capsys):
    figures = selection.measure(3, 64, 5)
    assert [(one.what, one.scenarios) for one in figures] == [
        ("simulated on mixes", 3),
        ("judged by days", 3),
        ("judged by sums alone", 5),
    ]
    selection.show(figures)
    assert "| judged by sums alone " in capsys.readouterr().out


def test_figures_are_written_as_json_with_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark", "--json", str(tmp_path / "figures.json")])
    report.run("A benchmark.", lambda: {"seconds": 1.5})
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["seconds"] == 1.5
    assert figures["machine"]["cores"] >= 1


def test_times_of_sweeps_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    sweeps.show([sweeps.Run(10_000, taxed=True, seconds=9.25, computed=12.5, peak=1.0, segments=8, megabytes=7.0)])
    assert "| 10,000" in capsys.readouterr().out
