"""A study opened from Python: tables as published, simulations with the numbers of a whole run, and nothing stored."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from support.lab import RESERVES, STRATEGIES, Lab
from support.steps import refresh

import sd_core as sd
from pipelines.notebook import lab as opened
from sd_core.errors import InputError, NotReadyError

# Sums over several scenarios at once and over one differ in their last digits.
ROUNDING = 1e-12
LINE = "{http://www.w3.org/2000/svg}path"


@pytest.fixture
def open_study(monkeypatch: pytest.MonkeyPatch) -> Callable[[Lab], opened.Lab]:
    """Return a function that opens the study of a lab as its user does."""

    def open_study(lab: Lab) -> opened.Lab:
        monkeypatch.setenv("SD_HOME", str(lab.root))
        return sd.open(str(lab.study_file))

    return open_study


def row(table: pd.DataFrame, strategy: str, reserve: float) -> pd.Series:
    (found,) = (one for _, one in table[(table.strategy == strategy) & (table.reserve == reserve)].iterrows())
    return found


def assert_same_as_published(study: opened.Lab, strategy: str, reserve: float) -> None:
    """Compare a simulation with the tables: its metrics to the last digits but a few, where they have them."""
    metrics = study.simulate(strategy, reserve).metrics()
    for table in ("simulation_metrics", "report_strategy"):
        published = row(study.table(table), strategy, reserve)
        common = [name for name in published.index if name in metrics.index]
        assert_series_equal(metrics[common], published[common], check_names=False, check_dtype=False, rtol=ROUNDING)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("reserve", RESERVES)
def test_a_simulation_has_the_numbers_that_a_run_publishes(
    finished: Lab, open_study: Callable[[Lab], opened.Lab], strategy: str, reserve: float
) -> None:
    study = open_study(finished)
    assert_same_as_published(study, strategy, reserve)
    run = study.simulate(strategy, reserve)
    for name, frame in (("simulation_ledger", run.ledger), ("simulation_daily", run.daily)):
        published = study.table(name)
        chosen = published[(published.strategy == strategy) & (published.reserve == reserve)]
        assert len(frame) > 0
        assert_frame_equal(frame, chosen.reset_index(drop=True), check_exact=True)


def test_taxes_withdrawals_and_a_path_band_change_nothing_of_that(
    changed_study: Callable[..., Lab], open_study: Callable[[Lab], opened.Lab]
) -> None:
    lab = changed_study(
        taxes={"short_term": 0.35, "long_term": 0.15},
        withdrawals={"amount": 50, "every": "month"},
        deposits={"amount": 20, "every": "quarter"},
        path_band=True,
        strategies={"sd8": {"rule": {}}, "thin": {"rule": {"sd_n": 5}, "keep": "metrics"}},
    )
    refresh(lab.home)
    study = open_study(lab)
    assert study.simulate("sd8").metrics()["taxes"] > 0
    for strategy in ("sd8", "thin"):
        assert_same_as_published(study, strategy, 0.1)
    # The days of a scenario that keeps its metrics alone are there while it is simulated.
    assert len(study.simulate("thin").daily) == len(study.simulate("sd8").daily)


def test_a_reserve_of_any_size_stays_in_the_bank_at_first(
    finished: Lab, open_study: Callable[[Lab], opened.Lab]
) -> None:
    run = open_study(finished).simulate("buy_and_hold", reserve=1 / 3, costs={"bps": 0})
    # A third of the capital of 10 000 stays; the rest buys at the first close, without costs.
    assert run.daily.bank.iloc[0] == pytest.approx(10_000 / 3, rel=1e-12)
    bought = run.ledger[run.ledger.kind == "INITIAL_BUY"].amount.sum()
    assert bought == pytest.approx(-20_000 / 3, rel=1e-12)


def test_a_change_gives_the_strategy_that_a_study_would_have_with_it(
    finished: Lab, open_study: Callable[[Lab], opened.Lab]
) -> None:
    study = open_study(finished)
    changed = study.simulate("sd8", 0.1, rule={"variant": "ath_only"})
    assert changed.ledger.drop(columns="strategy").equals(
        study.simulate("ath_only", 0.1).ledger.drop(columns="strategy")
    )
    assert changed.name == "sd8, rule {'variant': 'ath_only'}, reserve 10\u202f%"


def test_nothing_is_stored(finished: Lab, open_study: Callable[[Lab], opened.Lab]) -> None:
    before = finished.pointers(), finished.digest()
    open_study(finished).simulate("sd8", 0.2).plot()
    assert (finished.pointers(), finished.digest()) == before


def test_charts_have_a_line_for_each_run_and_are_shown_as_an_image(
    finished: Lab, open_study: Callable[[Lab], opened.Lab]
) -> None:
    study = open_study(finished)
    drawing = study.simulate("sd8").plot(study.simulate("buy_and_hold"))
    lines = [one.attrib["data-label"] for one in ElementTree.fromstring(drawing.svg).iter(LINE)]
    # Growth, drawdown and share of cash.
    assert lines == ["sd8, reserve 0\u202f%", "buy_and_hold, reserve 0\u202f%"] * 3
    assert drawing._repr_html_().startswith(
        '<img alt="sd8, reserve 0\u202f% and buy_and_hold, reserve 0\u202f%" src="data:'
    )


def test_metrics_changed_by_the_reader_are_not_those_of_the_run(
    finished: Lab, open_study: Callable[[Lab], opened.Lab]
) -> None:
    run = open_study(finished).simulate("sd8")
    metrics = run.metrics()
    metrics["cagr"] = 9.0
    assert run.metrics()["cagr"] < 9.0


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"strategy": "sd9"}, "strategy: 'sd9': expected one of buy_and_hold, sd8, ath_only (did you mean sd8?)"),
        ({"strategy": "zzz"}, "strategy: 'zzz': expected one of buy_and_hold, sd8, ath_only"),
        (
            {"strategy": "sd8", "reserve": 1},
            "reserve: 1: expected a fraction of at least 0 and below 1: ten percent is",
        ),
        ({"strategy": "sd8", "reserve": "10%"}, "reserve: '10%': expected a fraction of at least 0 and below 1"),
        ({"strategy": "sd8", "reserve": float("nan")}, "reserve: nan: expected a fraction of at least 0 and below 1"),
        ({"strategy": "sd8", "rul": {}}, "strategies.sd8.rul: unknown key: expected one of allocation, rule, "),
    ],
)
def test_what_is_not_known_is_refused_with_what_was_expected(
    finished: Lab, open_study: Callable[[Lab], opened.Lab], asked: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(InputError) as caught:
        open_study(finished).simulate(**asked)
    assert str(caught.value).startswith(refusal)


def test_a_table_that_is_not_known_is_refused(finished: Lab, open_study: Callable[[Lab], opened.Lab]) -> None:
    with pytest.raises(
        InputError, match=r"table: 'report_stategy': expected one of .* \(did you mean report_strategy\?\)"
    ):
        open_study(finished).table("report_stategy")


def test_before_the_first_run_it_says_what_to_run(fresh_lab: Lab, open_study: Callable[[Lab], opened.Lab]) -> None:
    study = open_study(fresh_lab)
    with pytest.raises(NotReadyError, match="first run the whole study, with `sdlab run`"):
        study.simulate("sd8")
    with pytest.raises(InputError, match="expected a finished `sdlab run` before"):
        study.table("report_strategy")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, sd_core; print(*(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numba", "duckdb", "dagster", "pandas", "pyarrow", "numpy", "pydantic", "pipelines"}
    assert "sd_core" in loaded
    assert heavy.isdisjoint(loaded)
