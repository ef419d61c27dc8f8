"""Files of factor returns as Kenneth French's library has them: what is read, and every way in which one is refused."""

from pathlib import Path

import numpy as np
import pytest

from sd_core.errors import InputError
from sd_core.market.factors import FactorReturns, read_factors
from sd_core.study.factors import Factors

# Text of our own in the form of the library's files: words above, a header that begins with a comma, words below.
DAILY = """This file was made for a test, from no database.
Rates are of one month, or of none.

,Mkt-RF,SMB,HML,RF
20240102,   -0.70,    0.25,    1.50,   0.022
20240103,   -0.99,   -1.75,  -99.99,   0.022
20240105,    0.11,   -0.40,    0.08,   0.022

Copyright of no one
"""
MONTHLY = """,Mkt-RF,Mom   ,RF
202311,    8.84,   2.75,    0.44
202312,    4.87,   -999,    0.43
202401,    0.70,   5.04,    0.47

 Annual Factors: January-December
,Mkt-RF,Mom   ,RF
  2023,   21.69,  -7.15,    4.95
"""


def read(folder: Path, text: str | bytes, unit: str = "percent") -> FactorReturns:
    file = folder / "ff.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_factors(Factors(file=str(file), unit=unit))


def refused(folder: Path, text: str | bytes, unit: str = "percent") -> str:
    with pytest.raises(InputError) as refusal:
        read(folder, text, unit)
    return str(refusal.value).replace(f"{folder}/", "")


def test_daily_file_is_read_without_its_words_and_its_rate(tmp_path):
    found = read(tmp_path, DAILY)
    assert (found.names, found.frequency) == (("Mkt-RF", "SMB", "HML"), "daily")
    assert found.dates.astype(str).tolist() == ["2024-01-02", "2024-01-03", "2024-01-05"]
    expected = [[-0.0070, 0.0025, 0.0150], [-0.0099, -0.0175, np.nan], [0.0011, -0.0040, 0.0008]]
    assert found.returns == pytest.approx(np.array(expected), nan_ok=True)


def test_monthly_file_ends_before_its_years(tmp_path):
    found = read(tmp_path, MONTHLY)
    assert (found.names, found.frequency) == (("Mkt-RF", "Mom"), "monthly")
    assert found.dates.astype(str).tolist() == ["2023-11-01", "2023-12-01", "2024-01-01"]
    assert found.returns == pytest.approx(np.array([[0.0884, 0.0275], [0.0487, np.nan], [0.007, 0.0504]]), nan_ok=True)


@pytest.mark.parametrize(
    ("dates", "frequency", "first"),
    [
        (("2024-01-02", "2024-01-03", "2024-01-04"), "daily", "2024-01-02"),
        (("2023-11-30", "2023-12-29", "2024-01-31"), "monthly", "2023-11-01"),
        (("2023-11", "2023-12", "2024-01"), "monthly", "2023-11-01"),
        (("20231130", "20231229", "20240131"), "monthly", "2023-11-01"),
    ],
)
def test_dates_of_every_form_are_read(tmp_path, dates, frequency, first):
    rows = "\n".join(f"{date},0.5" for date in dates)
    found = read(tmp_path, f"\ufeffDate,Market\r\n{rows}\r\n")
    assert (found.frequency, str(found.dates[0]), found.names) == (frequency, first, ("Market",))


def test_fractions_are_taken_as_they_are(tmp_path):
    assert read(tmp_path, "Date,Market\n20240102,-0.0321\n", "fraction").returns == [[-0.0321]]


def test_comma_at_the_end_of_a_line_is_no_factor(tmp_path):
    assert read(tmp_path, ",Market,RF,\n20240102,1.5,0.1,\n").names == ("Market",)


MANY = "".join(f"2024{month:02}{day:02},0.0{day:02}\n" for month in (1, 2, 3) for day in range(1, 22))


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("", "percent", "ff.csv: no row begins with a date: expected a date such as 20240131, 202401 or 2024-01-31"),
        ("words\nalone\n", "percent", "ff.csv: no row begins with a date"),
        ("20240102,1.5\n", "percent", "ff.csv: line 1: expected a header with the names of the factors before it"),
        ("words\n20240102,1.5\n", "percent", "ff.csv: line 2: expected a header with the names of the factors"),
        (",RF\n20240102,0.1\n", "percent", "ff.csv: line 1: expected a factor besides RF"),
        (",1.5,SMB\n20240102,0.1,0.2\n", "percent", "ff.csv: line 1: '1.5': expected the name of a factor"),
        (",SMB,SMB\n20240102,0.1,0.2\n", "percent", "ff.csv: line 1: 'SMB': expected every factor once"),
        (",SMB\n20240102,high\n", "percent", "ff.csv: line 2: SMB: 'high': expected a finite number"),
        (",SMB\n20240102,\n", "percent", "ff.csv: line 2: SMB: '': expected a finite number"),
        (",SMB\n20240102,nan\n", "percent", "ff.csv: line 2: SMB: 'nan': expected a finite number"),
        (",SMB\n20240102,1_0\n", "percent", "ff.csv: line 2: SMB: '1_0': expected a finite number"),
        (",SMB,HML\n20240102,0.1\n", "percent", "ff.csv: line 2: 2 fields: expected 3, as in the header"),
        (",SMB\n20240230,0.1\n", "percent", "ff.csv: line 2: '20240230': expected a day that the calendar has"),
        (",SMB\n20240103,0.1\n20240102,0.1\n", "percent", "ff.csv: line 3: '20240102': expected a date after"),
        (",SMB\n20240103,0.1\n20240103,0.1\n", "percent", "ff.csv: line 3: '20240103': expected a date after"),
        (",SMB\n20240103,0.1\n2024-01-04,0.1\n", "percent", "ff.csv: line 3: '2024-01-04': a date of another form"),
        (",SMB\n20240103,0.1\n2024014,0.1\n", "percent", "ff.csv: line 3: '2024014': a date of another form, or none"),
        (",SMB\n202401,0.1\n\n,HML\n202401,0.1\n", "percent", "ff.csv: line 5: '202401': another table"),
        (
            ",SMB\n20240102,2.96\n",
            "fraction",
            "ff.csv: line 2: SMB: a return of 296 % in a fraction: expected unit: pe",
        ),
        (
            f",SMB\n{MANY}",
            "percent",
            "ff.csv: line 22: SMB: the largest return of 63 rows is 0.021 %: expected unit: f",
        ),
        (",SMB\n20240102,0.1\n".encode("utf-16"), "percent", "ff.csv: line 1: byte 0xff: expected CSV text in UTF-8"),
    ],
)
def test_broken_file_is_refused_with_line_value_and_what_was_expected(tmp_path, text, unit, expected):
    assert expected in refused(tmp_path, text, unit)
