"""Files of scores: what is read, and every way in which one is refused."""

from pathlib import Path

import numpy as np
import pytest

from sd_core.construction.scores import read_scores
from sd_core.errors import InputError

TICKERS = ("AAA", "BBB")


def written(folder: Path, *rows: str) -> Path:
    file = folder / "esg.csv"
    file.write_text("\n".join(["Date,Ticker,Score", *rows]), encoding="utf-8")
    return file


def test_score_counts_from_its_date_until_the_next_one(tmp_path):
    rows = ["2024-06-01,AAA,7.5", "2024-01-01,AAA,5", "2024-03-01,BBB,-1", "2024-01-01,ZZZ,9"]
    scored = read_scores(written(tmp_path, *rows), TICKERS)
    known = {
        date: scored.known_at(np.datetime64(date))
        for date in ("2023-12-31", "2024-01-01", "2024-05-31", "2024-06-01", "2025-01-01")
    }
    expected = {
        "2023-12-31": [np.nan, np.nan],
        "2024-01-01": [5.0, np.nan],
        "2024-05-31": [5.0, -1.0],
        "2024-06-01": [7.5, -1.0],
        "2025-01-01": [7.5, -1.0],
    }
    for date, scores in expected.items():
        assert np.array_equal(known[date], scores, equal_nan=True), date


def test_file_without_rows_scores_nothing(tmp_path):
    assert np.isnan(read_scores(written(tmp_path), TICKERS).known_at(np.datetime64("2024-01-01"))).all()


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("2024-02-30,AAA,1", "line 3: Date: '2024-02-30': expected a date such as 2024-01-31"),
        ("1.2.2024,AAA,1", "line 3: Date: '1.2.2024': expected a date such as 2024-01-31"),
        ("2024-02-01,AAA,high", "line 3: Score: 'high': expected a finite number"),
        ("2024-02-01,AAA,inf", "line 3: Score: 'inf': expected a finite number"),
        ("2024-02-01,AAA,1_0", "line 3: Score: '1_0': expected a finite number"),
        ("2024-01-01,AAA,2", "line 3: Ticker: 'AAA': expected one score of a date, but there are two"),
        ("2024-01-01,AAA", "line 3: 2 fields: expected 3, as in the header"),
    ],
)
def test_row_that_scores_nothing_is_refused_with_its_line(tmp_path, row, finding):
    file = written(tmp_path, "2024-01-01,AAA,1", row)
    with pytest.raises(InputError) as refusal:
        read_scores(file, TICKERS)
    assert str(refusal.value).startswith(f"{file}: {finding}")
