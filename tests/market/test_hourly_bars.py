"""Hourly bars in the lake: what was stored stays, whatever the source still has; and files of them."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from sd_core.errors import InputError
from sd_core.lake import Lake
from sd_core.market import hourly
from sd_core.market.sources.csv_files import CsvSource

OPENS = dt.datetime(2024, 6, 4, 13, 30, tzinfo=dt.UTC)


def hours(first: int, *closes: float) -> pd.Series:
    """Return closes of hours in a row, from so many hours after the opening on."""
    return pd.Series(closes, index=pd.date_range(OPENS + dt.timedelta(hours=first), periods=len(closes), freq="h"))


def stored(lake: Lake) -> dict[int, float]:
    """Return the stored closes by hours after the opening."""
    begins, closes = hourly.load(lake, "ACME")
    return dict(zip(((begins - int(OPENS.timestamp())) // 3600).tolist(), closes.tolist(), strict=True))


def test_history_grows_beyond_what_the_source_keeps(tmp_path):
    lake = Lake(tmp_path)
    assert (hourly.load(lake, "ACME"), hourly.newest(lake, "ACME")) == (None, None)
    for first in range(0, 30, 3):  # a source that keeps the last five hours alone
        hourly.store(lake, "ACME", hours(first, *range(first + 1, first + 6)), "state")
    assert stored(lake) == {place: place + 1.0 for place in range(32)}
    assert hourly.newest(lake, "ACME") == OPENS + dt.timedelta(hours=31)


def test_what_is_stored_never_changes_and_what_lay_between_is_filled_in(tmp_path):
    lake = Lake(tmp_path)
    hourly.store(lake, "ACME", hours(0, 10, 11, 12, 13, 14).drop(OPENS + dt.timedelta(hours=1)), "one")
    hourly.store(lake, "ACME", hours(1, 11, 12.1, 13, 14, 15), "two")
    assert stored(lake) == {0: 10, 1: 11, 2: 12, 3: 13, 4: 14, 5: 15}
    assert lake.current(hourly.DATASET, "ACME").facts == {"state": "two"}


def test_hours_after_a_split_are_added_on_the_stored_basis(tmp_path):
    """Ten new shares for one: 1000, 1010, 1020 are restated as 100, 101, 102, and 103 is added as 1030."""
    lake = Lake(tmp_path)
    hourly.store(lake, "ACME", hours(0, 1000, 1010, 1020), "one")
    hourly.store(lake, "ACME", hours(1, 101, 102, 103), "two")
    assert stored(lake) == pytest.approx({0: 1000, 1: 1010, 2: 1020, 3: 1030})


def test_fetch_that_finds_nothing_takes_nothing_away(tmp_path):
    lake = Lake(tmp_path)
    empty = CsvSource(tmp_path).hourly("ACME", None)
    hourly.store(lake, "ACME", empty, "none")
    assert hourly.newest(lake, "ACME") is None
    hourly.store(lake, "ACME", hours(0, 10, 11), "some")
    hourly.store(lake, "ACME", empty, "none")
    assert stored(lake) == {0: 10, 1: 11}


def test_writer_that_dies_leaves_what_was_stored(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    hourly.store(lake, "ACME", hours(0, 10, 11), "some")

    def dies(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sd_core.files.folder.put_whole", dies)
    with pytest.raises(KeyboardInterrupt):
        hourly.store(lake, "ACME", hours(2, 12, 13), "more")
    lake.prune()
    assert stored(lake) == {0: 10, 1: 11}


def file(folder: Path, text: str) -> CsvSource:
    (folder / "hourly").mkdir()
    (folder / "hourly" / "ACME.csv").write_text(text)
    return CsvSource(folder)


def test_times_of_a_file_are_taken_to_utc(tmp_path):
    text = "Close,Time,Volume\n10,2024-06-04T09:30:00-04:00,5\n11,2024-06-04T14:30:00Z,5\n12,2024-06-04 17:30+02:00,5\n"
    found = file(tmp_path, text).hourly("ACME", OPENS)
    pd.testing.assert_series_equal(found, hours(0, 10.0, 11.0, 12.0), check_freq=False, check_index_type=False)


def test_ticker_without_a_file_has_no_hours(tmp_path):
    assert CsvSource(tmp_path).hourly("ACME", None).empty


FUTURE = dt.datetime.now(dt.UTC).year + 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            "2024-06-04T13:30:00,10",
            "line 3: Time: '2024-06-04T13:30:00': expected a time with its zone, such as 2024-01",
        ),
        ("noon,10", "line 3: Time: 'noon': expected a time with its zone"),
        ("2024-06-04T12:30:00Z,10", "line 3: Time: '2024-06-04T12:30:00Z': expected a time after the one before"),
        ("2024-06-04T08:30:00-04:00,10", "expected a time after the one before"),
        (f"{FUTURE}-01-01T00:00:00Z,10", "expected a time that has been"),
        ("2024-06-04T13:30:00Z,0", "line 3: Close: '0': expected a price above 0"),
        ("2024-06-04T13:30:00Z,nan", "line 3: Close: 'nan': expected a price above 0"),
        ('2024-06-04T13:30:00Z,"1,5"', "line 3: Close: '1,5': expected a price above 0 (write 1.5)"),
    ],
)
def test_broken_row_of_a_file_is_refused(tmp_path, row, expected):
    source = file(tmp_path, f"Time,Close\n2024-06-04T12:30:00Z,9\n{row}\n")
    with pytest.raises(InputError) as refusal:
        source.hourly("ACME", None)
    assert expected in str(refusal.value)
    assert "hourly/ACME.csv: " in str(refusal.value)
