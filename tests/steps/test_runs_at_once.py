"""Two runs at once on one lake: whatever the other one stores between two steps, tables answer what they are made of.

Where the lake lies in an S3 bucket, each run has a home of its own, as on two machines; in a folder both have one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import prepare, publish, refresh, simulate, store

from pipelines.lab.current import MARKET, SIMULATIONS, is_prepared
from pipelines.lab.publication import PUBLICATION
from pipelines.steps import prepare as preparing
from pipelines.steps import rebuild as rebuilding
from pipelines.steps import selection
from pipelines.steps import stored as reading
from pipelines.steps.datasets import SELECTION
from pipelines.steps.stored import WHOLE
from sd_core.errors import StoreError
from sd_core.schemas.selection import SELECTION_TABLES
from sd_core.schemas.sweeps import SWEEPS

# Two scenarios of each strategy: partitions, rows of a sweep, and buy-and-hold beside them.
STRATEGIES = {"buy_and_hold": {}, "sd8": {"rule": {}}, "swept": {"rule": {"sd_n": [6, 10]}, "keep": "metrics"}}
SCENARIOS = 8


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a finished run that was alone on its lake, which tests leave as it is."""
    folder = tmp_path_factory.mktemp("alone")
    study = small_study(write_prices(folder / "prices")) | {"strategies": STRATEGIES}
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    refresh(lab.home)
    assert len(lab.table("selection_member")) > 0
    return lab


@pytest.fixture(scope="module")
def tables(alone: Lab) -> dict[str, str]:
    """Return a hash of every table that a run alone publishes."""
    return alone.rows()


@pytest.fixture
def heads(alone: Lab, tmp_path: Path) -> tuple[Lab, Lab]:
    """Return two runs on one lake, which are about to publish."""
    lab = alone.copy_to(tmp_path / "home")
    lab.published.unlink()
    return lab, lab


@pytest.fixture(params=["folder", "bucket"])
def heads_anywhere(
    request: pytest.FixtureRequest, heads: tuple[Lab, Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Lab, Lab]:
    """Return the same, wherever the lake lies."""
    if request.param == "folder":
        return heads
    s3 = request.getfixturevalue("s3")
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    folder = heads[0].home.lake.root
    monkeypatch.setenv("SD_LAKE", s3.bucket())
    one, other = (Lab(heads[0].study_file, tmp_path / name) for name in ("one", "other"))
    for file in folder.rglob("*"):
        if file.is_file() and PUBLICATION not in file.parts:
            one.home.lake.files._put(file.relative_to(folder).as_posix(), file.read_bytes())
    return one, other


def forget(lab: Lab, but: str) -> None:
    """Forget all scenarios but those of a strategy, and what was made of them."""
    lake = lab.home.lake
    for key in lake.keys(SIMULATIONS):
        if not key.startswith(but):
            lake.discard(SIMULATIONS, key)
    lake.remove_damaged(SWEEPS, lake.segments(SWEEPS))
    lake.discard(SELECTION.name)


def after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, other: Callable[[], object]) -> list[int]:
    """Have another run do something when a function has first done its work; return how often that was called."""
    does, calls = getattr(module, name), [0]

    def doing(*arguments: Any, **named: Any) -> Any:
        done = does(*arguments, **named)
        calls[0] += 1
        if calls[0] == 1:
            other()
        return done

    monkeypatch.setattr(module, name, doing)
    return calls


def test_scenarios_that_another_run_stores_again_leave_all_current(heads_anywhere, tables):
    one, other = heads_anywhere
    lake = one.home.lake
    before = {key: lake.current(SIMULATIONS, key) for key in lake.keys(SIMULATIONS)}
    segments = lake.segments(SWEEPS)
    simulate(other.home, other.home.study.scenarios)
    assert before != {key: lake.current(SIMULATIONS, key) for key in before}
    assert lake.segments(SWEEPS) != segments
    assert publish(one.home, WHOLE).again == []
    assert one.rows() == tables


def test_late_answer_about_fewer_scenarios_replaces_no_newer_one(heads_anywhere, tables, monkeypatch):
    one, other = heads_anywhere
    forget(one, but="sd8")
    judged = after(monkeypatch, selection, "judge_selection", lambda: store(other.home))
    SELECTION.make(one.home.study, one.home.lake)
    assert judged == [2]
    made = publish(one.home, WHOLE)
    assert (made.again, made.outdated_derived) == ([], [])
    assert one.rows() == tables


def test_answer_about_fewer_scenarios_is_made_again(heads, tables):
    one, other = heads
    answer = one.home.lake.current(SELECTION.name)
    forget(other, but="sd8")
    SELECTION.make(other.home.study, other.home.lake)
    assert other.home.lake.current(SELECTION.name).facts != answer.facts
    simulate(one.home, one.home.study.scenarios)
    made = publish(one.home, WHOLE)
    assert (made.again, made.outdated_derived) == (["selection"], [])
    assert one.rows() == tables


def test_tables_are_made_of_the_versions_that_were_judged(heads_anywhere, tables, monkeypatch):
    one, other = heads_anywhere

    def empty() -> None:
        lake = other.home.lake
        nothing = {table.name: table.arrow_schema.empty_table() for table in SELECTION_TABLES}
        lake.write(SELECTION.name, "", nothing, lake.current(SELECTION.name).facts)
        for key in lake.keys(SIMULATIONS):
            lake.discard(SIMULATIONS, key)
        lake.discard(MARKET)

    after(monkeypatch, rebuilding, "read_stored", empty)
    made = publish(one.home, WHOLE)
    assert (made.missing, made.outdated_derived) == ([], [])
    assert one.rows() == tables


def test_what_was_not_promised_is_left_out_and_named(heads):
    one, other = heads
    other.home.lake.discard(SIMULATIONS, one.home.lake.keys(SIMULATIONS)[0])
    made = publish(one.home)
    assert (made.outdated_derived, len(made.missing)) == (["selection"], 1)
    assert one.table("selection_test").empty


def test_lake_that_others_never_leave_alone_is_refused(heads, monkeypatch):
    one, other = heads
    lake = other.home.lake
    partition = lake.keys(SIMULATIONS)[0]
    lake.discard(SIMULATIONS, partition)
    does, simulated = reading.simulate_all, []

    def undone(*arguments: Any) -> None:
        simulated.append(does(*arguments))
        lake.discard(SIMULATIONS, partition)

    monkeypatch.setattr(reading, "simulate_all", undone)
    monkeypatch.setattr(reading, "MOST_TURNS", 2)
    with pytest.raises(StoreError, match="other processes"):
        publish(one.home, WHOLE)
    assert len(simulated) == 2
    assert not one.published.exists()


# --- prices that move -------------------------------------------------------------------------------------------------


@pytest.fixture
def move(alone: Lab) -> Iterator[Callable[[], None]]:
    """Return a function that changes the last prices of a file, which is put back afterwards."""
    file = alone.study_file.parent / "prices" / "AAA.csv"
    whole = file.read_text(encoding="utf-8")

    def change() -> None:
        bars = pd.read_csv(file, index_col="Date")
        bars.iloc[-1] *= 1.01
        bars.to_csv(file)

    yield change
    file.write_text(whole, encoding="utf-8")


def test_prices_that_another_run_stores_are_those_of_all_tables(heads, alone, move, tmp_path):
    one, other = heads
    expected = alone.copy_to(tmp_path / "alone")
    move()
    prepare(other.home)
    made = publish(one.home, WHOLE)
    assert f"{SCENARIOS} scenarios" in made.again
    assert {"correlations", "selection"} <= {*made.again}
    assert (made.missing, made.outdated, made.outdated_derived) == ([], [], [])
    refresh(expected.home)
    assert one.rows() == expected.rows()


def test_market_of_older_prices_does_not_replace_a_newer_one(heads, move, monkeypatch):
    one, other = heads

    def newer() -> None:
        move()
        prepare(other.home)

    built = after(monkeypatch, preparing, "build", newer)
    preparing.prepare_market(one.home.study, one.home.lake, one.home.study_file)
    assert built == [3]
    assert is_prepared(one.home.study, one.home.lake)
