"""Other start dates, from end to end: each is what a study with that start comes to."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plain_engine
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import refresh

from sd_core.market.build import build_market, to_panel
from sd_core.market.panel import Panel
from sd_core.market.sources.csv_files import read_price_index
from sd_core.market.sources.registry import fetch, open_source
from sd_core.simulation.rules import resolve
from sd_core.study.loading import load_study
from sd_core.study.model import Study

KEY = ["strategy", "reserve", "start_session"]
# Lump sums before, on and after the second start, 2 January 2024.
EARLY, ON_START, LATE = dt.date(2023, 6, 1), dt.date(2024, 1, 2), dt.date(2024, 5, 1)
STRATEGIES = {
    "buy_and_hold": {},
    "sd8": {"rule": {}, "keep": "daily"},
    "scheduled": {
        "allocation": {"schedule": {dt.date(2022, 1, 1): {"AAA": 1}, dt.date(2023, 9, 1): {"BBB": 1, "CCC": 1}}},
        "rebalance": {"every": "quarter"},
        "keep": "metrics",
    },
}


def asked(folder: Path, **keys: Any) -> dict[str, Any]:
    """Return a study over three years that withdraws indexed amounts each month, and takes lump sums in."""
    return small_study(folder / "prices") | {
        "price_index": str(folder / "index.csv"),
        "withdrawals": {"amount": 200, "indexed": True},
        "deposits": {"on": {EARLY: 700, ON_START: 800, LATE: 900}},
        "strategies": STRATEGIES,
        **keys,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of prices from 2 January 2023 to 23 January 2026; CCC has none on 1 January 2024."""
    folder = tmp_path_factory.mktemp("starts")
    write_prices(folder / "prices", sessions=800)
    file = folder / "prices" / "CCC.csv"
    bars = pd.read_csv(file)
    bars[bars["Date"] != "2024-01-01"].to_csv(file, index=False)  # so that year starts on the 2nd, in a union
    index = pd.Series([100.0, 104.0, 109.0], index=pd.to_datetime(["2022-12-15", "2023-09-15", "2024-06-15"]))
    index.rename_axis("Date").rename("Value").to_csv(folder / "index.csv")
    return folder


@pytest.fixture(scope="module")
def lab(folder: Path) -> Lab:
    """Return the lab of the study from the start of each year, which was run."""
    study = asked(folder, start_dates="year", sessions="union")
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    refresh(lab.home)
    return lab


def panel_from(study: Study) -> Panel:
    source = open_source(study)
    histories = {ticker: fetch(source, study, ticker) for ticker in study.price_tickers}
    market = build_market(study, histories, None, read_price_index(Path(str(study.price_index))))
    return to_panel(study, market.sessions, market.prices, market.rates)


def test_every_year_with_a_year_left_is_a_start(lab: Lab) -> None:
    found = lab.table("report_start_date")
    starts = found["start_session"].dt.strftime("%Y-%m-%d")
    # That of 2026 has three weeks left.
    assert set(starts) == {"2023-01-02", "2024-01-02", "2025-01-01"}
    assert len(found) == 3 * len(lab.home.study.scenarios)
    assert set(found["last_session"].dt.strftime("%Y-%m-%d")) == {"2026-01-23"}


def test_start_gives_what_a_study_with_that_start_gives_in_the_plain_engine(lab: Lab, folder: Path) -> None:
    found = lab.table("report_start_date").set_index(KEY)
    study = asked(folder, start="2024-01-02", sessions="union", deposits={"on": {LATE: 900}})
    later = load_study(write_study(folder / "later.yaml", study))
    panel = panel_from(later)
    years = float((panel.sessions[-1] - panel.sessions[0]).astype(int)) / 365.25
    for scenario in later.scenarios:
        row = found.loc[(scenario.strategy, scenario.reserve, pd.Timestamp("2024-01-02"))]
        daily = plain_engine.simulate(panel, resolve(later, scenario)).daily
        value = daily["value"]
        before = np.concatenate([[later.capital], value[:-1]]) + daily["deposits"]
        growth = np.prod((value + daily["withdrawals"]) / before)
        assert row["final_value"] == pytest.approx(value[-1], rel=1e-9)
        assert row["cagr"] == pytest.approx(growth ** (1 / years) - 1, abs=1e-9)
        assert row["withdrawals"] == pytest.approx(daily["withdrawals"].sum(), rel=1e-9)
        assert row["paid_in_full"]


def test_first_start_is_that_of_the_study(lab: Lab) -> None:
    found = lab.table("report_start_date")
    found = found[found["start_session"] == pd.Timestamp("2023-01-02")].set_index(KEY[:2]).sort_index()
    whole = lab.table("report_strategy").set_index(KEY[:2]).sort_index()
    for name in ("final_value", "cagr", "xirr", "sharpe", "max_drawdown", "withdrawals_scheduled", "withdrawals"):
        pd.testing.assert_series_equal(found[name], whole[name], rtol=1e-9)


def test_capital_deployed_at_the_start_of_a_year_is_looked_at_after_one_and_three(lab: Lab, folder: Path) -> None:
    found = lab.table("stress_start")
    assert sorted(found["year"].unique()) == [2023, 2024, 2025]
    # From 2 January 2023 to 23 January 2026 there are three years, from the others one, and nowhere five.
    assert found["value_3y"].notna().tolist() == (found["year"] == 2023).tolist()
    assert found["value_1y"].notna().all()
    assert found["value_5y"].isna().all()
    study = asked(folder, start="2024-01-02", end="2025-01-02", sessions="union", deposits={"on": {LATE: 900}})
    later = load_study(write_study(folder / "year.yaml", study))
    panel = panel_from(later)
    rows = found[found["year"] == 2024].set_index(KEY[:2])
    for scenario in later.scenarios:
        daily = plain_engine.simulate(panel, resolve(later, scenario)).daily
        row = rows.loc[(scenario.strategy, scenario.reserve)]
        assert row["value_1y"] == pytest.approx(daily["value"][-1], rel=1e-9)
        paid = daily["withdrawals"].sum() - daily["deposits"].sum()
        assert row["gain_1y"] == pytest.approx(daily["value"][-1] + paid - later.capital, abs=1e-6)


def test_lead_is_over_holding_without_a_reserve_from_the_same_start(lab: Lab) -> None:
    found = lab.table("report_start_date")
    holding = found.query("strategy == 'buy_and_hold' and reserve == 0")
    assert holding[["cagr_over_buy_and_hold", "did_better"]].isna().all(axis=None)
    others = found.drop(holding.index)
    lead = others["cagr"] - others["start_session"].map(holding.set_index("start_session")["cagr"])
    np.testing.assert_allclose(others["cagr_over_buy_and_hold"], lead, rtol=0, atol=1e-15)
    assert (others["did_better"] == (lead > 1e-9)).all()
    assert 0 < others["did_better"].sum() < len(others)


def test_report_has_a_row_per_strategy_and_its_best_reserve(lab: Lab) -> None:
    page = lab.home.published.report.read_text(encoding="utf-8")
    part = page.split('<section id="starts">')[1].split("</section>")[0]
    assert all(f">{name}<" in part for name in STRATEGIES)
    assert "Capital deployed at the start of a year" in page.split('<section id="stress">')[1].split("</section>")[0]


def test_study_that_stops_asking_loses_the_rows_and_one_that_never_asked_has_none(
    lab: Lab, folder: Path, finished: Lab, tmp_path: Path
) -> None:
    silent = Lab(
        write_study(tmp_path / "small.yaml", asked(folder, sessions="union")), lab.copy_to(tmp_path / "h").root
    )
    refresh(silent.home)
    for one in (silent, finished):
        assert one.table("report_start_date").empty
        assert 'id="starts"' not in one.home.published.report.read_text(encoding="utf-8")
