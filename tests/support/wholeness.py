"""What holds of a small study's home whatever was killed in it: tables published whole, and a lake to be read."""

import json
from itertools import product

import duckdb

from sd_core.lake import POINTER
from support.lab import RESERVES, STRATEGIES, Lab


def assert_whole(lab: Lab) -> None:
    """Check that every scenario is published with as many days as there are sessions, and every one has a report."""
    with duckdb.connect(str(lab.published), read_only=True) as connection:
        days = connection.execute("select strategy, reserve, count(*) from simulation_daily group by all").fetchall()
        reported = connection.execute("select strategy, reserve from report_strategy").fetchall()
        sessions = len(connection.execute("from sessions").fetchall())
    assert {(strategy, reserve): count for strategy, reserve, count in days} == dict.fromkeys(
        product(STRATEGIES, RESERVES), sessions
    )
    assert sorted(reported) == sorted(product(STRATEGIES, RESERVES))


def assert_lake_readable(lab: Lab) -> None:
    """Check that every pointer names a version whose files are there with the rows that it states."""
    lake = lab.home.lake
    for file in lake.root.rglob(POINTER):
        dataset, _, key = str(file.parent.relative_to(lake.root)).partition("/")
        version = lake.current(dataset, key)
        assert version is not None
        for table, rows in json.loads(file.read_text(encoding="utf-8"))["rows"].items():
            assert version.read(table).num_rows == rows, file
