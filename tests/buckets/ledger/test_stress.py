"""Three writers that are killed at random leave a ledger that holds: the short form of ``benchmarks.ledger``."""

from pathlib import Path

import pytest

from benchmarks.ledger import run


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_writers_leave_a_ledger_that_holds(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    url = request.getfixturevalue("postgresql") if database == "postgresql" else None
    outcome = run(tmp_path, url, entries=50, kills=6, seconds=20)
    assert outcome.findings == []
    assert outcome.kills >= 6
    assert outcome.entries >= 50
