"""A rebuild takes over what would come out the same, and nothing else: the tables are those of a whole rebuild."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from support.lab import Lab
from support.steps import refresh, simulate

from pipelines.lab.home import SQL
from pipelines.steps import rebuild as rebuilding
from pipelines.steps.datasets import DERIVED
from pipelines.steps.rebuild import Rebuild, rebuild
from pipelines.warehouse.audit import read_identities
from pipelines.warehouse.models import Model, own_models
from sd_core.schemas import TABLES

STORED = frozenset(table.name for table in TABLES.values() if table.stored)
ATH_ONLY = {"rule": {"variant": "ath_only"}}


def made_again(lab: Lab, models: Sequence[Model] | None = None, *, whole: bool = False) -> Rebuild:
    """Rebuild a lab, and return what came of it; every check must pass."""
    home = lab.home
    made = rebuild(
        home.study,
        home.lake,
        home.published,
        own_models() if models is None else models,
        read_identities(SQL / "audit"),
        DERIVED,
        whole=whole,
    )
    assert made.sound
    return made


def kept(made: Rebuild) -> frozenset[str]:
    """Return the tables that were taken over."""
    return made.unchanged & STORED


def test_everything_is_taken_over_and_nothing_checked_where_nothing_changed(lab: Lab) -> None:
    before = lab.rows()
    made = made_again(lab)
    assert kept(made) == STORED
    assert {verdict.seconds for verdict in made.verdicts} == {0.0}
    assert {name: built.rows for name, built in made.built.items() if name in STORED} == {
        name: len(lab.table(name)) for name in STORED
    }
    assert lab.rows() == before


def test_whole_rebuild_takes_nothing_over(lab: Lab) -> None:
    assert made_again(lab, whole=True).unchanged == frozenset()


def test_changed_strategy_leaves_tables_of_the_market(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(strategies={"buy_and_hold": {}, "sd8": {"rule": {"sd_n": 12}}, "ath_only": ATH_ONLY})
    refresh(lab.home)
    after = lab.rows()
    made = made_again(lab)  # of what the run noted
    assert kept(made) == STORED
    made_again(lab, whole=True)
    assert after == lab.rows()


def test_tables_of_scenarios_are_made_again_when_one_is_simulated(lab: Lab) -> None:
    taken = kept(_after_simulating(lab))
    assert {"prices", "asset_returns", "correlation_pair", "study_strategy", "market_regime"} <= taken
    assert not {"simulation_ledger", "simulation_metrics", "attribution_asset", "report_strategy"} & taken


def _after_simulating(lab: Lab) -> Rebuild:
    simulate(lab.home, lab.home.study.scenarios[-1:])
    return made_again(lab)


def test_changed_query_makes_its_table_again_and_what_reads_it(lab: Lab) -> None:
    models = [replace(model, sql=model.sql + "\n") if model.name == "report_month" else model for model in own_models()]
    before = lab.rows()
    taken = kept(made_again(lab, models))
    assert {"report_month", "report_calendar_year", "report_rolling_return"}.isdisjoint(taken)
    assert {"simulation_ledger", "report_strategy"} <= taken
    assert lab.rows() == before


def test_other_code_or_another_release_of_duckdb_takes_nothing_over(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "code_of_tables", lambda: "another")
    assert made_again(lab).unchanged == frozenset()


def test_tables_on_other_prices_are_those_of_a_whole_rebuild(lab_with_prices: Lab) -> None:
    lab = lab_with_prices
    file = Path(lab.home.study.source.folder or "") / "AAA.csv"
    bars = pd.read_csv(file, index_col="Date")
    bars.loc["2023-06-15"] *= 1.04
    bars.to_csv(file)
    refresh(lab.home)
    after = lab.rows()
    made_again(lab, whole=True)
    assert after == lab.rows()


def test_damaged_file_is_not_taken_over(lab: Lab) -> None:
    before, state = lab.rows(), lab.published.stat()
    content = bytearray(lab.published.read_bytes())
    content[len(content) // 2] ^= 1
    lab.published.write_bytes(content)
    os.utime(lab.published, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert made_again(lab).unchanged == frozenset()
    assert lab.rows() == before


def test_file_that_a_log_would_change_is_not_taken_over(lab: Lab) -> None:
    lab.home.published.log.touch()
    assert made_again(lab).unchanged == frozenset()


def test_file_does_not_grow_with_every_change(lab: Lab) -> None:
    whole = lab.published.stat().st_size
    for _ in range(2):
        _after_simulating(lab)
    assert lab.published.stat().st_size < 2 * whole


def test_file_of_before_stays_where_the_rebuild_is_killed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    digest = lab.digest()
    monkeypatch.setattr(rebuilding, "keep_only", die)
    with pytest.raises(KeyboardInterrupt):
        made_again(lab)
    assert lab.digest() == digest
