"""``sdlab status``: what it says of studies that are as they should be and of those that are not, and how it ends."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.lab import Lab, Outcome

from pipelines.orchestration.last_run import LastRun
from pipelines.steps import status as steps
from sd_core.lake import Lake
from sd_core.market.freshness import Overdue

# What status may import, beyond the standard library, however much there is to say.
SLOW = ("dagster", "pandas", "numba", "sqlalchemy", "yfinance", "exchange_calendars")


def lines(outcome: Outcome) -> dict[str, str]:
    """Return what is said beside each label, with the lines that follow it."""
    found: dict[str, str] = {}
    label = ""
    for line in outcome.out.splitlines():
        label = line[:11].strip() or label
        found[label] = f"{found.get(label, '')} {line[11:].strip()}".strip()
    return found


def state(lab: Lab) -> Any:
    return json.loads(lab.sdlab("status", "--json").out)


def test_finished_study_needs_no_attention(finished: Lab) -> None:
    outcome = finished.sdlab("status")
    assert outcome.code == 0, outcome.out
    said = lines(outcome)
    assert said["outdated"] == "nothing"
    assert said["published"].endswith("UTC, prices to 2023-12-29")
    assert said["last run"].startswith("refresh succeeded 20")
    assert said["schedules"] == "none is on"
    assert said["next"].endswith('"from report_strategy"')
    assert "overdue" not in said
    assert "ledger" not in said


def test_lines_fit_a_page(finished: Lab, changed_study: Callable[..., Lab]) -> None:
    for lab in (finished, changed_study(reserves=[0.0, 0.1, 0.2])):
        outcome = lab.sdlab("status")
        # A path and a command stay in one line, to be copied.
        copied = (f"small: {lab.study_file}", "next")
        assert max(len(line) for line in outcome.out.splitlines() if not line.startswith(copied)) <= 80


def test_json_has_the_same(finished: Lab) -> None:
    found = state(finished)
    assert (found["study"], found["attention"], found["outdated"]) == ("small", [], [])
    assert found["published"]["through"] == "2023-12-29"
    assert found["studies"] == [found["published"]]
    assert found["last_run"]["status"] == "succeeded"
    assert found["disk"]["lake"] == sum(file.stat().st_size for file in finished.home.lake.root.rglob("*.*"))


def test_status_writes_nothing(finished: Lab, fresh_lab: Lab) -> None:
    def written() -> dict[Path, int]:
        # SQLite itself writes what its readers share.
        return {file: file.stat().st_mtime_ns for file in finished.root.rglob("*") if not file.name.endswith("-shm")}

    before = written()
    finished.sdlab("status")
    assert written() == before
    assert fresh_lab.sdlab("status").code == 1
    assert not fresh_lab.root.exists()


def test_study_that_never_ran_asks_for_a_run(fresh_lab: Lab) -> None:
    outcome = fresh_lab.sdlab("status")
    assert outcome.code == 1
    said = lines(outcome)
    assert (said["published"], said["outdated"]) == ("not yet", steps.ALL_OF_IT)
    assert f"run --study {fresh_lab.study_file}" in said["next"]


def test_change_of_the_study_says_what_it_makes_outdated(changed_study: Callable[..., Lab]) -> None:
    lab = changed_study(reserves=[0.0, 0.1, 0.2])
    found = state(lab)
    assert found["attention"] == ["outdated"]
    assert found["outdated"][0] == "3 of 9 scenarios: missing, or of other prices, rules or code"
    assert found["outdated"][-1].startswith("the warehouse: ")


def test_changed_file_says_which_prices(lab_with_prices: Lab) -> None:
    file = lab_with_prices.study_file.parent / "prices" / "AAA.csv"
    bars = pd.read_csv(file)
    bars.iloc[:-1].to_csv(file, index=False)
    found = state(lab_with_prices)
    # The folder is another one than that of the finished run.
    assert found["outdated"][0].startswith("prices of 3 tickers: their files are new or changed")


@pytest.mark.parametrize("status", ["failed", "killed"])
def test_failed_run_needs_attention_until_one_succeeds(
    finished: Lab, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    ended = dt.datetime(2026, 1, 5, 2, 0, tzinfo=dt.UTC)
    failed = LastRun("refresh", status, ended, ended, "AAA: Yahoo did not deliver in 5 attempts")
    monkeypatch.setattr("pipelines.cli.status.last_run", lambda _: failed)
    outcome = finished.sdlab("status")
    assert outcome.code == 1
    expected = f"refresh {status} 2026-01-05 02:00 UTC: AAA: Yahoo did not deliver in 5 attempts"
    assert lines(outcome)["last run"] == expected


def test_overdue_ticker_needs_attention(finished: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Overdue("AAA", dt.date(2024, 5, 24), dt.date(2024, 5, 29), 2, "XNYS")
    monkeypatch.setattr(steps, "overdue_tickers", lambda *_: [late])
    outcome = finished.sdlab("status")
    assert outcome.code == 1
    said = lines(outcome)
    assert said["overdue"] == late.detail
    assert said["next"].endswith("--select raw_prices")


def test_halted_ledger_needs_attention(lab: Lab) -> None:
    assert lab.sdlab("bucket", "deposit", "1000").code == 0
    found = state(lab)
    assert found["ledger"]["locks"] == {}
    assert lab.sdlab("bucket", "halt").code == 0
    outcome = lab.sdlab("status")
    assert outcome.code == 1
    assert lines(outcome)["ledger"].endswith("not marked yet nothing is opened: halt")


def test_ledger_that_cannot_be_read_is_said(lab: Lab) -> None:
    lab.home.ledgers.mkdir(parents=True)
    (lab.home.ledgers / "main.db").write_text("no database", encoding="utf-8")
    found = state(lab)
    assert "ledger" in found["attention"]
    assert found["ledger"]["problem"]


def test_studies_of_a_home_are_listed_where_none_is_named(finished: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"SD_HOME": str(finished.root), "PATH": ""}
    asked = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "status"],
        cwd=Path(steps.__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    header, small, empty, more = asked.stdout.splitlines()
    assert (header.split(), small.split()[0], empty) == (["study", "published", "(UTC)", "prices", "to"], "small", "")
    assert more.endswith("--study FILE")


def test_status_imports_nothing_slow(finished: Lab) -> None:
    code = (
        "import sys; from pipelines.cli.main import main; main(['status', '--json']);"
        f"print([name for name in {SLOW} if name in sys.modules], file=sys.stderr)"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(steps.__file__).parents[2],
        env=finished.environment | {"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stderr == "[]\n"


def test_published_study_of_a_damaged_lake_is_left_out(tmp_path: Path) -> None:
    Lake(tmp_path / "warehouse" / "other").write("publication", "", {}, {})
    (tmp_path / "warehouse" / "other" / "publication" / "current.json").write_text("{", encoding="utf-8")
    assert steps.published_studies(tmp_path) == []
