"""A home that an earlier release left, upgraded by a run; and one of a newer release, which is refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from support.lab import Lab

from pipelines.lab.trials import TRIALS
from pipelines.steps.datasets import DERIVED
from pipelines.steps.upgrade import KEPT, upgrade
from pipelines.warehouse.lake_views import MARKET_TABLES, ROWS
from sd_core.lake import LAYOUT, LAYOUT_FILE, POINTER, Lake
from sd_core.market.sources.states import RAW_PRICES
from sd_core.schemas.lake import LAKE_TABLES
from sd_core.schemas.paper import PAPER_TABLES

# What later releases note of raw prices.
NOTED_LATER = ("asked_whole", "calendar", "remarks")


def rewrite(pointer: Path, change: Any) -> None:
    """Rewrite a pointer in the form of before there were checksums."""
    named = json.loads(pointer.read_text(encoding="utf-8"))
    del named["checksum"], named["hashes"]
    change(named)
    pointer.write_text(json.dumps(named), encoding="utf-8")


def make_older(lab: Lab) -> None:
    """Leave a home as a release before layouts left it: other pointers, fewer columns, other macros."""
    root = lab.home.lake.root
    (root / LAYOUT_FILE).unlink()
    for pointer in root.rglob(POINTER):
        rewrite(pointer, lambda named: [named["facts"].pop(name, None) for name in NOTED_LATER])
    # Tables of that release had neither of these columns.
    for table, column in (("correlation_summary", "absorption_ratio"), ("daily", "skipped_buys")):
        for file in root.rglob(f"{table}.parquet"):
            found = pq.read_table(file)
            pq.write_table(found.drop_columns([column]), file)
    with duckdb.connect(str(lab.published)) as connection:
        connection.execute("drop macro warehouse_layout")
        connection.execute("drop table report_next_order")


@pytest.fixture
def older(lab: Lab) -> Lab:
    make_older(lab)
    return lab


def kept_versions(lab: Lab) -> dict[str, str]:
    return {name: version for name, version in lab.pointers().items() if name.split("/")[0] in KEPT}


def test_home_of_an_earlier_release_is_upgraded_by_a_run(older: Lab, finished: Lab) -> None:
    kept = kept_versions(older)
    assert any(name.startswith(RAW_PRICES) for name in kept)
    assert any(name.startswith(TRIALS) for name in kept)
    outcome = older.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert "an earlier release wrote this lake: prices are kept, the rest is computed again" in outcome.err
    assert older.rows() == finished.rows()
    assert kept_versions(older).items() >= kept.items()
    pointers = older.home.lake.root.rglob(POINTER)
    assert all("checksum" in json.loads(pointer.read_text(encoding="utf-8")) for pointer in pointers)
    again = older.sdlab("run")
    assert "nothing was run" in again.out
    assert "earlier release" not in again.err


def test_status_of_an_earlier_release_asks_for_the_run_that_upgrades_it(older: Lab) -> None:
    pointers = older.pointers()
    outcome = older.sdlab("status")
    assert outcome.code == 1, outcome.err
    said = " ".join(outcome.out.split())
    assert "the lake: an earlier release wrote it; a run keeps its prices and computes the rest again" in said
    found = json.loads(older.sdlab("status", "--json").out)
    assert found["attention"] == ["outdated"]
    assert found["next"].split(" --study")[0].endswith("sdlab run")
    assert older.pointers() == pointers


def test_damage_after_an_upgrade_is_found(older: Lab) -> None:
    assert upgrade(older.home.lake)
    version = older.home.lake.current(RAW_PRICES, "AAA")
    assert version is not None
    with version.file("bars").open("r+b") as handle:
        handle.seek(100)
        handle.write(b"\xff\xff")
    outcome = older.sdlab("run")
    assert outcome.code == 2
    assert f"{RAW_PRICES}/AAA: damaged" in outcome.err


def test_upgrade_that_was_killed_is_done_again(older: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: Lake) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "note_layout", killed)
        with pytest.raises(KeyboardInterrupt):
            upgrade(older.home.lake)
    assert older.home.lake.layout == 1
    assert upgrade(older.home.lake)
    assert older.home.lake.layout == LAYOUT
    assert not upgrade(older.home.lake)


def test_commands_that_read_say_what_an_earlier_release_lacks(older: Lab) -> None:
    assert older.sdlab("query", "select count(*) from report_strategy").code == 0
    outcome = older.sdlab("orders")
    assert outcome.code == 2
    assert "published by another release: expected its tables of this one: publish them again with `sdlab run`" in (
        outcome.err
    )


@pytest.mark.parametrize("command", [["run"], ["check"], ["status"], ["orders"], ["query", "from study"]])
def test_lake_of_a_newer_release_is_refused(lab: Lab, command: list[str]) -> None:
    note = lab.home.lake.root / LAYOUT_FILE
    note.write_text(json.dumps({"layout": LAYOUT + 1, "release": "9.1.0"}), encoding="utf-8")
    before = lab.pointers()
    outcome = lab.sdlab(*command)
    assert outcome.code == 2
    assert f"written by release 9.1.0, in layout {LAYOUT + 1}: expected at most {LAYOUT}" in outcome.err
    assert lab.pointers() == before


def test_warehouse_of_a_newer_release_is_refused(lab: Lab) -> None:
    with duckdb.connect(str(lab.published)) as connection:
        connection.execute("create or replace macro warehouse_layout() as 99")
    outcome = lab.sdlab("query", "from study")
    assert outcome.code == 2
    assert "published by a newer release, in layout 99: expected at most 1" in outcome.err


@pytest.mark.parametrize("text", ["{", "[]", '{"layout": null, "release": "1"}', "[" * 100_000])
def test_damaged_note_of_the_layout_is_named(lab: Lab, text: str) -> None:
    (lab.home.lake.root / LAYOUT_FILE).write_text(text, encoding="utf-8")
    outcome = lab.sdlab("status")
    assert outcome.code == 2
    assert f"{LAYOUT_FILE} cannot be read" in outcome.err


def test_new_lake_notes_its_layout(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert lake.layout is None
    lake.write("market", "", {}, {})
    assert lake.layout == LAYOUT


# A hash of the columns of every table that a lake stores. Where they change, raise `LAYOUT` in sd_core/lake.py, so that
# earlier lakes are upgraded, and write the new hash here.
COLUMNS_OF_LAYOUT = {2: "34e91424f7411eac"}


def test_columns_of_the_lake_are_those_of_its_layout() -> None:
    named = {table for one in DERIVED for table in one.tables}
    named |= {*MARKET_TABLES, *(f"simulation_{name}" for name in ROWS), *(table.name for table in PAPER_TABLES)}
    columns = {
        name: [[field.name, str(field.type)] for field in LAKE_TABLES[name].arrow_schema] for name in sorted(named)
    }
    found = hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]
    assert {LAYOUT: found} == {LAYOUT: COLUMNS_OF_LAYOUT.get(LAYOUT)}
