"""How much a run has Dagster record, and how often it opens and writes databases: the same whatever the size."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.lab import MOST_EVENTS, Lab, small_study, write_prices, write_study

from pipelines.orchestration.event_log import EventLog
from sd_core.schemas.sweeps import SWEEPS

MOST_OPENED, MOST_COMMITTED = 100, 400
SIZES = (2, 40)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count events that are stored with their run, SQLite databases that are opened, and commits."""
    counts: Counter[str] = Counter()
    connect, store = sqlite3.connect, EventLog._store_together

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            counts["committed"] += 1
            super().commit()

    def opening(*arguments, **keys):  # type: ignore[no-untyped-def]
        counts["opened"] += 1
        return connect(*arguments, **{"factory": Connection, **keys})

    def storing(log, run_id, events):  # type: ignore[no-untyped-def]
        counts["events"] += len(events)
        store(log, run_id, events)

    monkeypatch.setattr(sqlite3, "connect", opening)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", opening)
    monkeypatch.setattr(EventLog, "_store_together", storing)
    return counts


def test_run_of_more_scenarios_takes_no_more_events_opens_or_commits(tmp_path: Path, counted: Counter[str]) -> None:
    found = []
    for rungs in SIZES:
        prices = write_prices(tmp_path / f"prices{rungs}")
        rule = {"rule": {"sd_n": [4 + number for number in range(rungs)]}, "keep": "metrics"}
        written = small_study(prices) | {"strategies": {"buy_and_hold": {}, "sd": rule}}
        lab = Lab(write_study(tmp_path / f"small{rungs}.yaml", written), tmp_path / f"home{rungs}")
        counted.clear()
        outcome = lab.sdlab("run")
        assert outcome.code == 0, outcome.err
        assert len(lab.home.lake.segments(SWEEPS)) == 1
        found.append(dict(counted))
    few, many = found
    assert few["events"] == many["events"] <= MOST_EVENTS
    assert 0 < few["opened"] <= MOST_OPENED
    assert abs(few["opened"] - many["opened"]) <= 2
    assert 0 < few["committed"] <= MOST_COMMITTED
    assert abs(few["committed"] - many["committed"]) <= few["committed"] // 10


def test_part_of_a_sweep_is_selected_by_name(tmp_path: Path) -> None:
    written = small_study(write_prices(tmp_path / "prices"))
    written |= {"strategies": {"buy_and_hold": {}, "sd": {"rule": {"sd_n": [4, 8]}, "keep": "metrics"}}}
    lab = Lab(write_study(tmp_path / "small.yaml", written), tmp_path / "home")
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    before = lab.home.lake.segments(SWEEPS)
    for part, scenarios in (("r10|sd__sd_n_4", 1), ("sd__sd_n_8", 2), ("r10", 2)):
        outcome = lab.sdlab("run", "--select", part)
        assert outcome.code == 0, outcome.err
        after = lab.home.lake.segments(SWEEPS)
        (new,) = set(after) - set(before)
        assert lab.home.lake.read_segment(SWEEPS, new).num_rows == scenarios
        before = after
    only = write_study(tmp_path / "only.yaml", written | {"strategies": {"sd": written["strategies"]["sd"]}})
    swept_alone = replace(lab, study_file=only, root=tmp_path / "alone").sdlab("run")
    assert swept_alone.code == 0, swept_alone.err
