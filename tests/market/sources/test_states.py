"""The state of a source: a text that changes with files, packages, evenings and what a study asks for."""

import datetime as dt
from pathlib import Path

import pytest
from support.study_files import changed

from sd_core.market.sources.states import source_state
from sd_core.study.model import Study

NOON = dt.datetime(2024, 5, 15, 12, tzinfo=dt.UTC)


def study_of(**source: str) -> Study:
    return Study.model_validate(
        changed((["source"], source), (["start"], dt.date(2015, 1, 2)), (["end"], dt.date(2020, 12, 31)))
    )


@pytest.mark.parametrize("name", ["VOO.csv", "VOO_dividends.csv"])
def test_state_of_files_changes_with_their_bytes_alone(tmp_path: Path, name: str) -> None:
    study = study_of(kind="csv", folder=str(tmp_path))
    none = source_state(study, "VOO", NOON)
    (tmp_path / name).write_text("one")
    one = source_state(study, "VOO", NOON)
    (tmp_path / name).write_text("one")
    assert source_state(study, "VOO", NOON + dt.timedelta(days=9)) == one
    (tmp_path / name).write_text("two")
    assert len({none, one, source_state(study, "VOO", NOON)}) == 3


# 21:00 in New York is 1:00 UTC of the next day in summer, 2:00 in winter.
@pytest.mark.parametrize(
    ("earlier", "later", "is_same"),
    [
        ("2024-05-15T01:00", "2024-05-16T00:59", True),
        ("2024-05-15T00:59", "2024-05-15T01:00", False),
        ("2024-01-15T01:59", "2024-01-15T02:00", False),
        ("2024-01-15T02:00", "2024-01-16T01:59", True),
    ],
)
def test_state_of_yahoo_changes_at_nine_in_the_evening_of_new_york(earlier: str, later: str, is_same: bool) -> None:
    study = study_of(kind="yahoo")
    states = [
        source_state(study, "VOO", dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC))
        for moment in (earlier, later)
    ]
    assert (states[0] == states[1]) is is_same


def test_state_of_the_sample_is_the_same_at_any_time() -> None:
    study = study_of(kind="sample")
    assert source_state(study, "VOO", NOON) == source_state(study, "VOO", NOON + dt.timedelta(days=400))


def test_state_changes_with_the_dates_that_are_asked_for() -> None:
    study = study_of(kind="sample")
    longer = study.model_copy(update={"end": None})
    assert source_state(study, "VOO", NOON) != source_state(longer, "VOO", NOON)
