"""Rules that act at the close, through the pipelines: what they book keeps its laws, and what breaks a law is found."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support.lab import Lab, small_study, write_study
from support.steps import refresh

from pipelines.lab.home import SQL
from pipelines.warehouse.audit import read_identities

LAWS = {law.name: law.sql for law in read_identities(SQL / "audit")}
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
