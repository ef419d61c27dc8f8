import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sd_core.errors import InputError
from sd_core.market.sources.csv_files import CsvSource, read_price_index
from sd_core.market.sources.csv_table import read_table

START = dt.date(2000, 1, 1)
HEADER = "Date,Open,High,Low,Close"
GOOD = f"{HEADER}\n2024-01-02,10,12,9,11\n2024-01-03,11,13,10,12\n"

Write = Callable[..., CsvSource]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def build(content: str | bytes, name: str = "ACME.csv") -> CsvSource:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return CsvSource(tmp_path)

    return build


def refusal(source: CsvSource, ticker: str = "ACME", *, rates: bool = False) -> list[str]:
    """Return the lines of the refusal, each without the folder's name."""
    fetch = source.rates if rates else source.prices
    with pytest.raises(InputError) as refused:
        fetch(ticker, START, None)
    return str(refused.value).replace(f"{source.folder}{os.sep}", "").splitlines()


# What is taken


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD, id="plain"),
        pytest.param("\ufeff" + GOOD, id="byte order mark"),
        pytest.param(GOOD.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(GOOD.rstrip("\n"), id="no last line end"),
        pytest.param(GOOD + "\n\n", id="blank lines at the end"),
        pytest.param(GOOD.replace(",", " , "), id="spaces around cells"),
        pytest.param(
            "Volume,Close,Low,High,Open,Date,Volume\n5,11,9,12,10,2024-01-02,x\n6,12,10,13,11,2024-01-03,y\n",
            id="another order and other columns, one of them twice",
        ),
        pytest.param(
            f"{HEADER}\n2024-01-02 00:00:00-05:00,10,12,9,11\n2024-01-03T00:00:00+09:00,11,13,10,12\n",
            id="dates with a time zone mean their local day",
        ),
        pytest.param(f'{HEADER}\n"2024-01-02","10","12","9","11"\n"2024-01-03",11,13,10,12\n', id="quoted cells"),
    ],
)
def test_file_is_read_as_it_is(write: Write, content: str) -> None:
    history = write(content).prices("ACME", START, None)
    expected = pd.DataFrame(
        [[10.0, 12.0, 9.0, 11.0], [11.0, 13.0, 10.0, 12.0]],
        columns=["open", "high", "low", "close"],
        index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="date").as_unit("us"),
    )
    pd.testing.assert_frame_equal(history.bars, expected, check_freq=False)
    assert history.dividends.empty
    assert history.splits.empty
    assert history.source.endswith("ACME.csv")
    assert abs(dt.datetime.now(dt.UTC) - history.fetched_at) < dt.timedelta(minutes=1)


def test_start_and_end_are_included(write: Write) -> None:
    days = pd.date_range("2024-01-01", "2024-01-05")
    source = write("\n".join([HEADER, *(f"{day:%Y-%m-%d},10,12,9,11" for day in days)]))
    bars = source.prices("ACME", dt.date(2024, 1, 2), dt.date(2024, 1, 4)).bars
    assert [day.day for day in bars.index] == [2, 3, 4]


def test_every_digit_of_a_price_is_kept(write: Write) -> None:
    text = "91.5199966430664"
    bars = write(f"{HEADER}\n2024-01-02,{text},{text},{text},{text}\n").prices("ACME", START, None).bars
    assert repr(float(bars["open"].iloc[0])) == text


def test_price_that_leaves_its_bar_by_rounding_passes_unchanged(write: Write) -> None:
    bars = write(f"{HEADER}\n2024-01-02,12.000001,12,9,8.999999\n").prices("ACME", START, None).bars
    assert bars.iloc[0].tolist() == [12.000001, 12, 9, 8.999999]


def test_bar_of_today_in_the_farthest_east_is_not_from_the_future(write: Write) -> None:
    today = dt.datetime.now(dt.timezone(dt.timedelta(hours=14))).date()
    assert len(write(f"{HEADER}\n{today},10,12,9,11\n").prices("ACME", START, None).bars) == 1


@pytest.mark.parametrize("column", ["Dividends", "Dividend"])
def test_dividends_are_read_by_local_ex_date_and_cut_to_the_time_asked_for(write: Write, column: str) -> None:
    write(
        f"Date,{column}\n2023-12-29 00:00:00-05:00,0.1\n2024-01-02 00:00:00-05:00,0.2\n2024-01-09 00:00:00-05:00,0.4\n",
        "ACME_dividends.csv",
    )
    history = write(GOOD).prices("ACME", dt.date(2024, 1, 1), dt.date(2024, 1, 8))
    assert list(history.dividends.items()) == [(pd.Timestamp("2024-01-02"), 0.2)]


def test_dividends_file_with_a_header_only_means_none_were_paid(write: Write) -> None:
    write("Date,Dividends\n", "ACME_dividends.csv")
    assert write(GOOD).prices("ACME", START, None).dividends.empty


def test_rate_of_any_sign_needs_date_and_close_only(write: Write) -> None:
    bars = (
        write("Date,Close\n2024-01-02,-0.5\n2024-01-03,0\n2024-01-04,5.25\n", "^IRX.csv")
        .rates("^IRX", START, None)
        .bars
    )
    assert bars.to_numpy().tolist() == [[-0.5] * 4, [0.0] * 4, [5.25] * 4]


def test_rate_begins_with_the_one_that_held_at_the_start(write: Write) -> None:
    # That of 29 February was unknown on the 8th; that of 31 December is of no use.
    source = write("Date,Close\n2023-12-31,9\n2024-01-31,5\n2024-02-29,1\n", "POLICY.csv")
    assert source.rates("POLICY", dt.date(2024, 2, 8), None).bars["close"].tolist() == [5.0, 1.0]
    assert source.rates("POLICY", dt.date(2024, 1, 31), None).bars["close"].tolist() == [5.0, 1.0]


def test_rate_that_was_last_set_before_the_start_holds(write: Write) -> None:
    source = write("Date,Close\n2023-09-20,5.5\n", "POLICY.csv")
    assert source.rates("POLICY", dt.date(2024, 2, 8), dt.date(2024, 6, 30)).bars["close"].tolist() == [5.5]


def test_rate_ignores_the_other_columns_of_a_price_file(write: Write) -> None:
    bars = write(f"{HEADER}\n2024-01-02,,1,2,4.5\n", "^IRX.csv").rates("^IRX", START, None).bars
    assert bars["close"].tolist() == [4.5]


# What is refused: files


def test_missing_file_is_refused_with_the_folder_and_the_name_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        CsvSource(tmp_path).prices("ACME", START, None)
    assert str(refused.value) == f"{tmp_path}: no file ACME.csv: expected it in this folder"


@pytest.mark.parametrize("name", ["ACME.csv", "ACME_dividends.csv"])
def test_folder_in_a_files_place_is_refused(write: Write, tmp_path: Path, name: str) -> None:
    source = write(GOOD)
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    assert refusal(source) == [f"{name}: expected a file, but it is a folder"]


def test_file_that_may_not_be_read_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions do not bind every user that runs tests, so the refusal comes from a fake file system.
    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    source = write(GOOD)
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert refusal(source) == ["ACME.csv: expected a readable file, but: Permission denied"]


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        pytest.param(b"", "the file is empty: expected a header with Date, Open, High, Low, Close", id="empty"),
        pytest.param(b"\n\n", "the file is empty: expected a header with Date, Open, High, Low, Close", id="blank"),
        pytest.param(HEADER.encode(), "expected rows below the header, but there are none", id="header only"),
        pytest.param(
            f"{HEADER}\n# Kurse für März".encode("latin-1"),
            "line 2: byte 0xfc: expected CSV text in UTF-8",
            id="Latin-1",
        ),
        pytest.param(GOOD.encode("utf-16"), "line 1: byte 0xff: expected CSV text in UTF-8", id="UTF-16"),
        pytest.param(b"PAR1\x00\x00", "line 1: byte 0x00: expected CSV text in UTF-8", id="binary"),
        pytest.param(
            f'{HEADER}\n"2024-01-02,10,12,9,11\n'.encode(),
            "line 2: expected CSV, but: unexpected end of data",
            id="open quote",
        ),
        pytest.param(
            b"Date,Open,High,Low\n2024-01-02,10,12,9\n",
            "line 1: no column Close: the header has Date, Open, High, Low",
            id="missing column",
        ),
        pytest.param(
            b"Date,Open,High,Low,Close,Close\n2024-01-02,10,12,9,11,11\n",
            "line 1: 2 columns Close: expected one",
            id="duplicate column",
        ),
        pytest.param(
            f"{GOOD}2024-01-04,10,12,9\n".encode(), "line 4: 4 fields: expected 5, as in the header", id="short row"
        ),
        pytest.param(
            f"{HEADER}\n\n2024-01-04,1,0,1,2,0,9,1,1\n".encode(),
            "line 3: 9 fields: expected 5, as in the header (a decimal comma, or one between thousands? write 1234.5)",
            id="decimal commas",
        ),
    ],
)
def test_file_that_is_no_price_table_is_refused(write: Write, content: bytes, finding: str) -> None:
    assert refusal(write(content)) == [f"ACME.csv: {finding}"]


# What is refused: values


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("2024-01-04,10,12,9,abc", "Close: 'abc': expected a price above 0"),
        ("2024-01-04,10,12,9,", "Close: '': expected a price above 0"),
        ("2024-01-04,NaN,12,9,11", "Open: 'NaN': expected a price above 0"),
        ("2024-01-04,10,12,0,11", "Low: '0': expected a price above 0"),
        ("2024-01-04,10,12,-9,11", "Low: '-9': expected a price above 0"),
        ("2024-01-04,10,-inf,9,11", "High: '-inf': expected a price above 0"),
        ("2024-01-04,10,inf,9,11", "High: 'inf': expected a price that is finite"),
        ("2024-01-04,10,1_2,9,11", "High: '1_2': expected a price above 0"),
        ("2024-01-04,10,9,12,11", "High: '9': expected no less than the low, 12.0"),
        ("2024-01-04,12.1,12,9,11", "Open: '12.1': expected a price from low to high, 9.0 to 12.0"),
        ("2024-01-04,10,12,9,8.9", "Close: '8.9': expected a price from low to high, 9.0 to 12.0"),
        ("2024-01-04,10,12,9,8.99998", "Close: '8.99998': expected a price from low to high, 9.0 to 12.0"),
        (
            "2024-01-04,1e12,1e12,1e12,1e12",
            "Close: '1e12': expected a price within a factor of 1,000,000 of the one before, 12.0",
        ),
        ("2024/01/04,10,12,9,11", "Date: '2024/01/04': expected a date such as 2024-01-31"),
        (",10,12,9,11", "Date: '': expected a date such as 2024-01-31"),
        ("2024-02-30,10,12,9,11", "Date: '2024-02-30': expected a date such as 2024-01-31"),
        ("2024-01-02,10,12,9,11", "Date: '2024-01-02': expected every date once"),
        ("2024-01-01,10,12,9,11", "Date: '2024-01-01': expected ascending dates, but 2024-01-03 comes before it"),
    ],
)
def test_value_that_cannot_be_is_refused_with_line_and_column(write: Write, row: str, finding: str) -> None:
    assert refusal(write(f"{GOOD}{row}\n")) == [f"ACME.csv: line 4: {finding}"]


def test_date_in_the_future_is_refused(write: Write) -> None:
    tomorrow = dt.datetime.now(dt.timezone(dt.timedelta(hours=14))).date() + dt.timedelta(days=1)
    (finding,) = refusal(write(f"{GOOD}{tomorrow},10,12,9,11\n"))
    assert finding.startswith(f"ACME.csv: line 4: Date: '{tomorrow}': expected a date up to ")


def test_one_date_out_of_place_is_one_finding(write: Write) -> None:
    rows = ["2024-01-04", "2999-01-01", "2024-01-05"]
    findings = refusal(write(GOOD + "".join(f"{day},10,12,9,11\n" for day in rows)))
    assert len(findings) == 1
    assert findings[0].startswith("ACME.csv: line 5: Date: '2999-01-01'")


def test_findings_come_in_the_files_order_the_first_five_and_a_count(write: Write) -> None:
    rows = "".join(f"2024-01-{day:02},10,12,9,{'x' if day % 2 else 0}\n" for day in range(4, 12))
    findings = refusal(write(GOOD + rows))
    assert [line.split(":")[1] for line in findings[:5]] == [f" line {line}" for line in (4, 5, 6, 7, 8)]
    assert findings[5:] == ["ACME.csv: 3 more findings"]


def test_defect_outside_the_time_asked_for_is_refused_too(write: Write) -> None:
    source = write(GOOD.replace(",11\n", ",zero\n", 1))
    with pytest.raises(InputError, match="line 2: Close: 'zero'"):
        source.prices("ACME", dt.date(2024, 1, 3), None)


@pytest.mark.parametrize(
    ("start", "end", "asked"),
    [
        (dt.date(2024, 1, 4), None, "from 2024-01-04"),
        (START, dt.date(2024, 1, 1), "from 2000-01-01 to 2024-01-01"),
    ],
)
def test_time_without_bars_is_refused_with_the_files_range(
    write: Write, start: dt.date, end: dt.date | None, asked: str
) -> None:
    source = write(GOOD)
    with pytest.raises(InputError, match=f"ACME.csv: no row {asked}: .* 2024-01-02 to 2024-01-03$"):
        source.prices("ACME", start, end)


@pytest.mark.parametrize("amount", ["0", "-0.1", "nan", "", "half"])
def test_dividend_that_is_no_payment_is_refused(write: Write, amount: str) -> None:
    write(f"Date,Dividend\n2024-01-02,{amount}\n", "ACME_dividends.csv")
    assert refusal(write(GOOD)) == [f"ACME_dividends.csv: line 2: Dividend: {amount!r}: expected an amount above 0"]


def test_repeated_ex_date_is_refused(write: Write) -> None:
    write("Date,Dividends\n2024-01-02,0.1\n2024-01-02,0.1\n", "ACME_dividends.csv")
    assert refusal(write(GOOD)) == ["ACME_dividends.csv: line 3: Date: '2024-01-02': expected every date once"]


def test_two_spellings_of_the_dividend_column_are_refused(write: Write) -> None:
    write("Date,Dividends,Dividend\n2024-01-02,0.1,0.2\n", "ACME_dividends.csv")
    assert refusal(write(GOOD)) == ["ACME_dividends.csv: line 1: 2 columns Dividends or Dividend: expected one"]


@pytest.mark.parametrize("rate", ["", "nan", "inf", "four"])
def test_rate_that_is_no_number_is_refused(write: Write, rate: str) -> None:
    source = write(f"Date,Close\n2024-01-02,{rate}\n", "^IRX.csv")
    assert refusal(source, "^IRX", rates=True) == [
        f"^IRX.csv: line 2: Close: {rate!r}: expected a rate in percent, such as 4.25"
    ]


# Real files


def price_tickers(folder: Path) -> list[str]:
    return sorted(
        path.stem for path in folder.glob("*.csv") if "_dividends" not in path.name and not path.name.startswith("^")
    )


def test_every_real_price_file_is_read_whole(shared_market: Path) -> None:
    source = CsvSource(shared_market)
    for ticker in price_tickers(shared_market):
        bars = source.prices(ticker, START, None).bars
        # The other opinion is pandas' own reader, which is right to the last bit only by this option.
        other = pd.read_csv(shared_market / f"{ticker}.csv", index_col="Date", float_precision="round_trip")
        assert [f"{day:%Y-%m-%d}" for day in bars.index] == list(other.index), ticker
        np.testing.assert_array_equal(
            bars.to_numpy(), other[["Open", "High", "Low", "Close"]].to_numpy(), err_msg=ticker, strict=True
        )


def test_every_real_dividends_file_is_read_whole(shared_market: Path) -> None:
    source = CsvSource(shared_market)
    paying = [ticker for ticker in price_tickers(shared_market) if (shared_market / f"{ticker}_dividends.csv").exists()]
    assert paying
    for ticker in paying:
        dividends = source.prices(ticker, dt.date(1980, 1, 1), None).dividends
        lines = (shared_market / f"{ticker}_dividends.csv").read_text().split()[1:]
        # "2024-06-10", "00:00:00-04:00,0.2": the day as written is the local ex-date.
        assert [f"{day:%Y-%m-%d}" for day in dividends.index] == lines[::2], ticker
        assert dividends.tolist() == [float(rest.split(",")[1]) for rest in lines[1::2]], ticker


def test_real_rate_file_is_read_in_percent(shared_market: Path) -> None:
    rates = CsvSource(shared_market).rates("^IRX", dt.date(2025, 11, 14), None).bars["close"]
    # The 13-week bill's yield on 2025-11-14, last line of the file.
    assert rates.iloc[-1] == pytest.approx(3.788, abs=1e-4)


def test_price_index_is_read_by_the_date_it_was_known(tmp_path: Path) -> None:
    (tmp_path / "cpi.csv").write_text("Date,Value\n2024-02-13,308.417\n2024-03-12,310.326\n")
    index = read_price_index(tmp_path / "cpi.csv")
    assert [f"{day:%Y-%m-%d}" for day in index.index] == ["2024-02-13", "2024-03-12"]
    assert index.tolist() == [308.417, 310.326]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Date,CPI\n2024-02-13,308\n", "line 1: no column Value"),
        ("Date,Value\n", "expected rows below the header"),
        ("Date,Value\n2024-02-13,.\n", "line 2: Value: '.': expected a price level above 0"),
        ("Date,Value\n2024-02-13,0\n", "line 2: Value: '0': expected a price level above 0"),
        ("Date,Value\n2024-02-13,1\n2024-02-13,2\n", "line 3: Date: '2024-02-13': expected"),
    ],
)
def test_broken_price_index_is_refused_with_file_line_and_value(tmp_path: Path, text: str, finding: str) -> None:
    file = tmp_path / "cpi.csv"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        read_price_index(file)
    assert str(refused.value).startswith(f"{file}: {finding}")


# What a slip meant


@pytest.mark.parametrize(
    ("content", "place", "hint"),
    [
        pytest.param(
            "Date;Open;High;Low;Close\n02.01.2024;10,5;12;9;11\n",
            "line 1: 'Date;Open;High;Low;Close'",
            "separated by semicolons: expected commas (write Date,Open,High,Low,Close",
            id="semicolons",
        ),
        pytest.param(f"{HEADER}\n".replace(",", "\t"), "line 1: ", "separated by tabs: expected commas", id="tabs"),
        pytest.param(
            f"{HEADER}\n2024-01-02,10,5,12,9,11\n",
            "line 2: 6 fields",
            "(a decimal comma, or one between thousands? write 1234.5)",
            id="bare decimal comma",
        ),
        pytest.param(f'{HEADER}\n2024-01-02,"10,5",12,9,11\n', "line 2: Open: '10,5'", "(write 10.5)", id="comma"),
        pytest.param(
            f'{HEADER}\n2024-01-02,"1,010.5",1012,1009,1011\n',
            "line 2: Open: '1,010.5'",
            "(write 1010.5)",
            id="thousands",
        ),
        pytest.param(
            f"{HEADER}\n2024-01-02,1 010.5,1012,1009,1011\n", "line 2: Open: '1 010.5'", "(write 1010.5)", id="space"
        ),
        pytest.param(f"{HEADER}\n2024-01-02,$10,12,9,11\n", "line 2: Open: '$10'", "(write 10)", id="currency"),
        pytest.param(
            f"{HEADER}\n31.01.2024,10,12,9,11\n", "line 2: Date: '31.01.2024'", "(write 2024-01-31)", id="day first"
        ),
        pytest.param(
            f"{HEADER}\n03/04/2024,10,12,9,11\n",
            "line 2: Date: '03/04/2024'",
            "(write 2024-04-03 if the day comes first, 2024-03-04 if the month does)",
            id="day or month first",
        ),
    ],
)
def test_slip_of_a_spreadsheet_is_refused_with_what_to_write(write: Write, content: str, place: str, hint: str) -> None:
    [line] = refusal(write(content))
    assert line.startswith(f"ACME.csv: {place}")
    assert hint in line


def test_file_larger_than_any_prices_are_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "ACME.csv"
    with file.open("wb") as handle:
        handle.truncate(100_000_001)  # takes no room on the disk
    with pytest.raises(InputError, match=r"ACME\.csv: 100,000,001 bytes: expected at most 100,000,000"):
        read_table(file, [("Date",)])
