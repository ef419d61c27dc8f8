"""Sums come to the same last bit whatever DuckDB estimates of the tables that they are taken of."""

import contextlib
import hashlib
from pathlib import Path

import duckdb
import pytest
from support.lab import Lab

from pipelines.lab.home import SQL
from pipelines.steps import rebuild
from pipelines.steps.datasets import DERIVED
from pipelines.steps.derived import register_all
from pipelines.steps.paper import register_paper
from pipelines.steps.stored import NOTHING, read_stored
from pipelines.warehouse import models
from pipelines.warehouse.lake_views import register_market

# How often rows of a table of staging are inserted once more and deleted again: the estimates count them.
DELETED = (0, 1, 5, 40)


def test_tables_are_the_same_whatever_their_sizes_are_taken_for(
    finished: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, found = models._build, []

    def misjudged(con: duckdb.DuckDBPyConnection, model: models.Model) -> models.Built:
        made = build(con, model)
        if found and model.layer == models.COPIED_LAYER:
            times = DELETED[hashlib.sha256(f"{model.name}{len(found)}".encode()).digest()[0] % len(DELETED)]
            con.execute(f"insert into {model.name} select one.* from {model.name} as one, range({times})")
            con.execute(f"delete from {model.name} where rowid >= {made.rows}")
        return made

    monkeypatch.setattr(models, "_build", misjudged)
    for turn in range(3):
        found.append(tables_of(finished, tmp_path / f"{turn}.duckdb"))
    assert len(found[0]) == len([model for model in models.own_models() if model.table.stored])
    for again in found[1:]:
        assert [name for name in again if again[name] != found[0][name]] == []


def tables_of(lab: Lab, file: Path) -> dict[str, str]:
    """Build the warehouse from a lab's lake, and return a hash of all values of every table."""
    lake = lab.home.lake
    with lake.shared(), contextlib.closing(duckdb.connect()) as con:
        stored, _ = read_stored(lab.home.study, lake, DERIVED, NOTHING)
        register_market(con, stored.study, stored.market)
        rebuild.register_scenarios(con, stored.scenarios, stored.current, stored.sweeps)
        register_all(con, stored.derived)
        register_paper(con, stored.lake)
        con.execute(f"attach '{file}' as warehouse")
        con.execute("use warehouse")
        models.build(con, models.own_models(), models.read_macros(SQL))
        con.execute("set threads = 1")
        rows = {
            model.name: repr(con.execute(f"from {model.name}").fetchall())
            for model in models.own_models()
            if model.table.stored
        }
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in rows.items()}
