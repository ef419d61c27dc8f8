"""Rules that act at the close, through the pipelines: what they book keeps its laws, and what breaks a law is found."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import refresh

from pipelines.lab.home import SQL
from pipelines.warehouse.audit import read_identities

LAWS = {law.name: law.sql for law in read_identities(SQL / "audit")}
# 100 A and 100 G bought at 100; G sold at 150 for H, with A at its target; A falls to 80 in March.
PRICES = {"A": (100, 100, 80, 100), "S": (50, 50, 40, 50), "G": (100, 150, 150, 150), "H": (100, 100, 100, 100)}
DAYS = ("2020-01-06", "2020-02-03", "2020-03-02", "2021-03-03")
HARVESTING = {
    "allocation": {"schedule": {"2020-01-06": {"A": 0.5, "G": 0.5}, "2020-02-03": {"A": 0.4, "H": 0.6}}},
    "harvest": {"min_loss": 100, "substitute": {"A": "S"}},
}
PATIENT = {"rebalance": {"deviation": {"width": 0.01}, "patience": {"sessions": 5, "mean": 10}}}


@pytest.fixture(scope="module")
def closing(finished: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab whose strategies act at the close, after its run; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("closing")
    study = small_study(finished.study_file.parent / "prices")
    lab = Lab(write_study(folder / "small.yaml", study | {"strategies": {"patient": PATIENT}}), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture
def published(closing: Lab, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a copy of what was published, to be broken."""
    with duckdb.connect(str(shutil.copy(closing.published, tmp_path / "small.duckdb"))) as connection:
        yield connection


def test_strategy_that_waits_has_its_patience_beside_its_trades(closing: Lab) -> None:
    compared = closing.table("report_rebalancing")
    assert set(compared["rebalance_patience_sessions"]) == {5}
    assert (compared["rebalancing_trades"] > 10).all()


@pytest.fixture(scope="module")
def harvesting(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab whose strategy harvests a loss, after its run; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("harvesting")
    for ticker, closes in PRICES.items():
        lines = [",".join([day, *[str(close)] * 4]) for day, close in zip(DAYS, closes, strict=True)]
        (folder / f"{ticker}.csv").write_text("\n".join(["Date,Open,High,Low,Close", *lines]), encoding="utf-8")
    study = small_study(folder) | {
        "start": DAYS[0],
        "capital": 20_000,
        "risk_free": 0.0,
        "costs": {"bps": 0},
        "universe": {ticker: {"weight": 1} for ticker in PRICES},
        "reserves": [0.0],
        "taxes": {"short_term": 0.35, "long_term": 0.15},
        "strategies": {"harvesting": HARVESTING, "metrics": HARVESTING | {"keep": "metrics"}},
    }
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture
def harvested(harvesting: Lab, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a copy of what was published of harvested losses, to be broken."""
    with duckdb.connect(str(shutil.copy(harvesting.published, tmp_path / "small.duckdb"))) as connection:
        yield connection


@pytest.mark.parametrize("strategy", ["harvesting", "metrics"])
def test_harvested_loss_saves_what_was_worked_out_by_hand(harvesting: Lab, strategy: str) -> None:
    found = harvesting.table("report_harvest").set_index("strategy").loc[strategy]
    # 35 % of 5 000 less 2 000, and 15 % of the 2 000 that S has gained by the end.
    expected = {
        "harvests": 1,
        "harvested_loss": 2_000,
        "harvest_fees": 0,
        "taxes": 1_050,
        "twin_taxes": 1_750,
        "tax_saved": 700,
        "liquidation_tax": 300,
        "twin_liquidation_tax": 0,
        "liquidation_tax_added": 300,
        "final_value": 25_000,
        "twin_final_value": 25_000,
        "value_difference": 0,
        "after_tax_liquidation_value": 23_650,
        "twin_after_tax_liquidation_value": 23_250,
        "gain": 400,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert found["gain_per_year"] > 0


def test_rows_of_a_harvest_add_up_in_every_table(harvesting: Lab) -> None:
    kinds = harvesting.table("simulation_ledger")["kind"].value_counts()
    assert (kinds["HARVEST_SELL"], kinds["HARVEST_BUY"]) == (1, 1)
    page = (harvesting.home.published.report).read_text(encoding="utf-8")
    assert "harvested 1 loss: 700 USD less tax so far, 300 more on selling all" in page


def test_other_tax_rates_make_what_harvests_outdated(harvesting: Lab, tmp_path: Path) -> None:
    lab = harvesting.copy_to(tmp_path / "home")
    text = harvesting.study_file.read_text(encoding="utf-8").replace("short_term: 0.35", "short_term: 0.45")
    lab = Lab(tmp_path / "small.yaml", lab.root)
    lab.study_file.write_text(text, encoding="utf-8")
    refresh(lab.home)
    assert lab.table("report_harvest")["tax_saved"].tolist() == pytest.approx([900, 900])


@pytest.mark.parametrize(
    ("law", "change"),
    [
        (
            "harvested_losses_are_not_replaced",
            "update simulation_tax_lots set wash_sale_disallowed = 1 where ticker = 'A' and sold is not null",
        ),
        (
            "harvested_losses_are_not_replaced",
            "update simulation_ledger set ticker = 'A' where kind = 'HARVEST_BUY'",
        ),
        ("harvest_gain_adds_up", "update report_harvest set tax_saved = tax_saved + 1"),
    ],
)
def test_broken_law_of_harvested_losses_is_found(harvested: duckdb.DuckDBPyConnection, law: str, change: str) -> None:
    assert harvested.execute(LAWS[law]).fetchall() == []
    assert harvested.execute(change).fetchone() != (0,), "the change touches no row"
    assert len(harvested.execute(LAWS[law]).fetchall()) > 0


@pytest.mark.parametrize(
    ("law", "change"),
    [
        # On the third session no deadline has come, and no mean of ten closes is known.
        (
            "patience_waits_for_its_mean",
            """update simulation_ledger set session = (select session from sessions order by session limit 1 offset 2)
            where kind = 'REBALANCE_SELL'""",
        ),
    ],
)
def test_broken_law_of_what_trades_at_the_close_is_found(
    published: duckdb.DuckDBPyConnection, law: str, change: str
) -> None:
    assert published.execute(LAWS[law]).fetchall() == []
    assert published.execute(change).fetchone() != (0,), "the change touches no row"
    assert len(published.execute(LAWS[law]).fetchall()) > 0


def test_run_trades_a_mix_with_patience_and_harvests_together(tmp_path: Path) -> None:
    both = {
        "allocation": {"mix": "calm"},
        "rebalance": {"every": "month", "patience": {"sessions": 8, "mean": 5}},
        "harvest": {"loss": 0.02, "min_loss": 1, "every": "month", "substitute": {"AAA": "BBB"}},
    }
    study = small_study(write_prices(tmp_path / "prices")) | {
        "reserves": [0.0],
        "taxes": {"short_term": 0.35, "long_term": 0.15, "dividends": 0.15, "interest": 0.35},
        "mixes": {"calm": {"method": "inverse_volatility", "window": 60}},
        "strategies": {"buy_and_hold": {}, "both": both},
    }
    lab = Lab(write_study(tmp_path / "small.yaml", study), tmp_path / "home")
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    ledger = lab.table("simulation_ledger").query("strategy == 'both'")
    assert {"HARVEST_SELL", "HARVEST_BUY", "REBALANCE_SELL", "REBALANCE_BUY"} <= set(ledger["kind"])
    # What has waited trades on sessions that begin no month.
    days = lab.table("sessions")["session"]
    firsts = set(days.groupby(days.dt.to_period("M")).min())
    assert set(ledger.loc[ledger["kind"].str.startswith("REBALANCE"), "session"]) - firsts
    assert lab.table("report_harvest")["strategy"].tolist() == ["both"]
    assert lab.table("report_mix")["strategy"].unique().tolist() == ["both"]
