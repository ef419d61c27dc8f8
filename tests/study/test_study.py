"""Which studies are taken, and with which words the others are refused."""

import datetime as dt
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from support.study_files import GOOD, changed, without, written

from sd_core.errors import InputError
from sd_core.simulation.rules import Anchor, Order, Sizing, Variant, Width, resolve
from sd_core.simulation.rules import Path as BarPath
from sd_core.study import moved
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario, reserve_key

STUDIES = Path(__file__).resolve().parents[2] / "studies"

NAN, INFINITE = float("nan"), float("inf")

# What belongs to the libraries below, and to Python, and must not reach the author of a study.
JARGON = re.compile(
    r"Traceback|pydantic|[Vv]alidat|Input should|valid (number|dictionary|integer|string|list)|instance of|"
    r"function-|constrained|literal\[|\[key\]|Value error|permitted|Field required|after validation|<class|float_type"
)


def refusal(file: Path) -> list[str]:
    """Return the lines of a study's refusal without the file's name, which every line must begin with."""
    with pytest.raises(InputError) as caught:
        load_study(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines), lines
    assert not JARGON.search(str(caught.value)), str(caught.value)
    assert all("expected" in line for line in lines), lines
    return [line.removeprefix(f"{file}: ") for line in lines]


def assert_one_finding(lines: list[str], *parts: str) -> None:
    assert len(lines) == 1, lines
    position = 0
    for part in parts:  # in this order: field, value, what was expected
        assert part in lines[0][position:], (part, lines[0])
        position = lines[0].index(part, position) + len(part)


# --- fields: where, what is put there, how the value is shown, what was expected --------------------------------------

A_NUMBER, A_NAME, A_TICKER, A_DATE = "expected a number", "expected a name", "expected a ticker", "expected a date"
PAIRS, TEXT, A_FRACTION = "expected keys and values", "expected text", "expected a fraction from 0 to 1"
BELOW_ONE = "expected a fraction of at least 0 and below 1"
TWO_DECIMALS = "expected at most two decimals of a percent"
AT_LEAST_0, AT_LEAST_1 = "expected a number of at least 0", "expected a number of at least 1"
A_RATE = "expected the ticker of a rate such as ^IRX, or a yearly rate as a fraction such as 0.03"
A_CALENDAR = "expected intersection, union, or the calendar of an exchange such as XNYS"
A_CURRENCY = "expected a currency: three capital letters such as USD"

WRONG_VALUES = [
    ("name", "Vision", "'Vision'", A_NAME),
    ("name", "9lives", "'9lives'", A_NAME),
    ("name", "my-study", "'my-study'", A_NAME),
    ("name", "a" * 41, f"'{'a' * 41}'", A_NAME),
    ("name", "../out", "'../out'", A_NAME),
    ("name", "small\n", r"'small\n'", A_NAME),
    ("name", "", "''", A_NAME),
    ("name", 3, "3", A_NAME),
    ("name", None, "null", A_NAME),
    ("name", {"a": 1}, "{'a': 1}", A_NAME),
    ("source", "yahoo", "'yahoo'", PAIRS),
    ("source", None, "null", PAIRS),
    ("source", ["yahoo"], "['yahoo']", PAIRS),
    ("source.kind", "bloomberg", "'bloomberg'", "expected 'yahoo', 'csv' or 'sample'"),
    ("source.kind", None, "null", "expected 'yahoo', 'csv' or 'sample'"),
    ("source.folder", "prices", "'prices'", "expected no folder, since the kind is sample"),
    ("source.folder", 3, "3", TEXT),
    ("start", "2015-02-30", "'2015-02-30'", "expected a day that the calendar has"),
    ("start", "2015-01-01 09:30:00", "'2015-01-01 09:30:00'", A_DATE),
    ("start", "2015-01-01T09:30:00Z", "'2015-01-01T09:30:00Z'", A_DATE),
    ("start", "20150101", "'20150101'", A_DATE),
    ("start", "2015-W01-1", "'2015-W01-1'", A_DATE),
    ("start", "01/02/2015", "'01/02/2015'", A_DATE),
    ("start", "soon", "'soon'", A_DATE),
    ("start", 20150101, "20150101", A_DATE),
    ("start", 2015.5, "2015.5", A_DATE),
    ("start", True, "true", A_DATE),
    ("start", None, "null", A_DATE),
    ("end", "2015-13-01", "'2015-13-01'", "expected a day that the calendar has"),
    ("end", ["2015-01-01"], "['2015-01-01']", A_DATE),
    ("end", "2015-01-01", "2015-01-01", "expected a date on or after start, 2015-01-02"),
    ("sessions", "xnys", "'xnys'", A_CALENDAR),
    ("sessions", "XZZZ", "'XZZZ'", A_CALENDAR),
    ("sessions", "24/7", "'24/7'", A_CALENDAR),
    ("sessions", 5, "5", A_CALENDAR),
    ("sessions", ["XNYS"], "['XNYS']", A_CALENDAR),
    ("sessions", None, "null", A_CALENDAR),
    ("capital", 0, "0", "expected a number above 0"),
    ("capital", -1, "-1", "expected a number above 0"),
    ("capital", 1e300, "1e+300", "expected a number of at most 1000000000000"),
    ("capital", NAN, "nan", "expected a finite number"),
    ("capital", INFINITE, "inf", "expected a finite number"),
    ("capital", -INFINITE, "-inf", "expected a finite number"),
    ("capital", "100000", "'100000'", A_NUMBER),
    ("capital", "100,000", "'100,000'", A_NUMBER),
    ("capital", True, "true", A_NUMBER),
    ("capital", None, "null", A_NUMBER),
    ("capital", [1], "[1]", A_NUMBER),
    ("capital", 10**400, "more than 60 digits", A_NUMBER),
    ("currency", "usd", "'usd'", A_CURRENCY),
    ("currency", "US Dollar", "'US Dollar'", A_CURRENCY),
    ("currency", "$", "'$'", A_CURRENCY),
    ("currency", 840, "840", A_CURRENCY),
    ("benchmark", "S&P 500", "'S&P 500'", A_TICKER),
    ("benchmark", ["VOO"], "['VOO']", A_TICKER),
    ("benchmark", 5, "5", A_TICKER),
    ("benchmark", None, "null", A_TICKER),
    ("benchmark", "voo", "'voo'", "expected VOO, as the universe writes it"),
    ("risk_free", 3, "3", A_RATE),
    ("risk_free", 1.0, "1.0", A_RATE),
    ("risk_free", -1, "-1", A_RATE),
    ("risk_free", NAN, "nan", A_RATE),
    ("risk_free", True, "true", A_RATE),
    ("risk_free", "3 %", "'3 %'", A_RATE),
    ("risk_free", {"ticker": "^IRX"}, "{'ticker': '^IRX'}", A_RATE),
    ("risk_free", None, "null", A_RATE),
    ("risk_free", "VOO", "'VOO'", "expected a rate, but it is an asset of the universe"),
    ("risk_free", "voo", "'voo'", "expected a rate, but it is an asset of the universe"),
    ("universe", {}, "{}", "expected at least one entry"),
    ("universe", ["VOO", "NVDA"], "['VOO', 'NVDA']", PAIRS),
    ("universe", "VOO", "'VOO'", PAIRS),
    ("universe", None, "null", PAIRS),
    ("universe.VOO", 0.5, "0.5", PAIRS),
    ("universe.VOO", None, "null", PAIRS),
    ("universe.VOO.weight", -0.1, "-0.1", AT_LEAST_0),
    ("universe.VOO.weight", NAN, "nan", "expected a finite number"),
    ("universe.VOO.weight", INFINITE, "inf", "expected a finite number"),
    ("universe.VOO.weight", "30%", "'30%'", A_NUMBER),
    ("universe.VOO.weight", False, "false", A_NUMBER),
    ("universe.VOO.weight", None, "null", A_NUMBER),
    ("universe.VOO.asset_class", 7, "7", TEXT),
    ("universe.VOO.asset_class", True, "true", TEXT),
    ("universe.VOO.asset_class", "", "''", "expected some text"),
    ("universe.VOO.asset_class", None, "null", TEXT),
    ("universe.VOO.asset_class", "(cash)", "'(cash)'", "expected another word"),
    ("universe.VOO.lot_size", -1, "-1", AT_LEAST_0),
    ("universe.VOO.lot_size", 1e300, "1e+300", "expected a number of at most 1000000000"),
    ("deposits.amount", 1e300, "1e+300", "expected a number of at most 1000000000000"),
    ("universe.VOO.lot_size", "one", "'one'", A_NUMBER),
    ("universe.VOO.lot_size", INFINITE, "inf", "expected a finite number"),
    ("universe.VOO.sd_n", 0.99, "0.99", AT_LEAST_1),
    ("universe.VOO.bracket", 0, "0", "expected a number above 0"),
    ("universe.VOO.profit_share", 1.01, "1.01", A_FRACTION),
    ("universe.VOO.currency", "EUR", "'EUR'", "expected USD, the study's currency; other currencies are not supported"),
    ("universe.VOO.currency", "eur", "'eur'", A_CURRENCY),
    ("reserves", [], "[]", "expected at least one entry"),
    ("reserves", 0.1, "0.1", "expected a list"),
    ("reserves", None, "null", "expected a list"),
    ("reserves", [0.1, 0.05, 0.10], "[0.1, 0.05, 0.1]", "expected every level once, but 0.1 is repeated"),
    ("strategies", {}, "{}", "expected at least one entry"),
    ("strategies", ["sd8"], "['sd8']", PAIRS),
    ("strategies", None, "null", PAIRS),
    ("strategies.sd8", None, "null", PAIRS),
    ("strategies.sd8", 8, "8", PAIRS),
    ("strategies.sd8.rule.sd_n", 0.5, "0.5", AT_LEAST_1),
    ("strategies.sd8.rule.sd_n", 0, "0", AT_LEAST_1),
    ("strategies.sd8.rule.sd_n", -8, "-8", AT_LEAST_1),
    ("strategies.sd8.rule.sd_n", "8", "'8'", A_NUMBER),
    ("strategies.sd8.rule.sd_n", {"values": [4, 8]}, "{'values': [4, 8]}", A_NUMBER),
    ("strategies.sd8.rule.sd_n", True, "true", A_NUMBER),
    ("strategies.sd8.rule.sd_n", NAN, "nan", "expected a finite number"),
    ("strategies.sd8.rule.sd_n", 1e17, "1e+17", "expected rungs at least 1e-09 apart"),
    ("strategies.sd8.rule.bracket", 0, "0", "expected a number above 0"),
    ("strategies.sd8.rule.bracket", -0.1, "-0.1", "expected a number above 0"),
    ("strategies.sd8.rule.bracket", INFINITE, "inf", "expected a finite number"),
    ("strategies.sd8.rule.bracket", 0.09, "0.09", "expected sd_n or bracket, not both, but sd_n is 8.0"),
    ("strategies.sd8.rule.profit_share", -0.01, "-0.01", A_FRACTION),
    ("strategies.sd8.rule.profit_share", 50, "50", A_FRACTION),
    ("strategies.sd8.rule.profit_share", NAN, "nan", "expected a finite number"),
    ("strategies.sd8.rule.profit_share", "half", "'half'", A_NUMBER),
    ("strategies.sd8.rule.max_rungs", 0, "0", AT_LEAST_1),
    ("strategies.sd8.rule.max_rungs", -1, "-1", AT_LEAST_1),
    ("strategies.sd8.rule.max_rungs", 10**10, "10000000000", "expected a number of at most 10000"),
    ("strategies.sd8.rule.max_rungs", 1.5, "1.5", "expected a whole number"),
    ("strategies.sd8.rule.max_rungs", "64", "'64'", "expected a whole number"),
    ("strategies.sd8.rule.max_rungs", True, "true", "expected a whole number"),
    ("strategies.sd8.rule.max_rungs", None, "null", "expected a whole number"),
    ("strategies.sd8.rule.variant", "fancy", "'fancy'", "expected 'full', 'ath_only' or 'ath_sell'"),
    ("strategies.sd8.rule.variant", {"full": 1}, "{'full': 1}", "expected 'full', 'ath_only' or 'ath_sell'"),
    ("strategies.sd8.rule.variant", None, "null", "expected 'full', 'ath_only' or 'ath_sell'"),
    ("strategies.sd8.rule.sizing", "kelly", "'kelly'", "expected 'gain_share' or 'symmetric'"),
    ("strategies.sd8.rule.path", "random", "'random'", "expected 'nearest', 'low_first', 'high_first' or 'close_only'"),
    ("strategies.sd8.rule.anchor", 1, "1", "expected 'ladder' or 'fill'"),
    ("strategies.sd8.rule.order", "none", "'none'", "expected 'universe' or 'nav_opportunistic'"),
    ("strategies.sd8.rule", 8, "8", PAIRS),
    ("strategies.sd8.allocation", [0.6, 0.4], "[0.6, 0.4]", PAIRS),
    ("strategies.sd8.lot_order", "hifo", "'hifo'", "expected 'lifo' or 'fifo'"),
    ("strategies.sd8.rule.margin", 0.25, "0.25", PAIRS),
    ("costs", None, "null", PAIRS),
    ("costs", 5, "5", PAIRS),
    ("costs.bps", -1, "-1", AT_LEAST_0),
    ("costs.bps", "5", "'5'", A_NUMBER),
    ("costs.fixed", -0.01, "-0.01", AT_LEAST_0),
    ("costs.fixed", INFINITE, "inf", "expected a finite number"),
    ("strategies.sd8.costs", 5, "5", PAIRS),
    ("strategies.sd8.costs.bps", -5, "-5", AT_LEAST_0),
    ("strategies.sd8.costs.fixed", False, "false", A_NUMBER),
]

WRONG_VALUES += [
    ("deposits", 100, "100", PAIRS),
    ("deposits.amount", 0, "0", "expected a number above 0"),
    ("withdrawals", 100, "100", PAIRS),
    ("withdrawals.amount", 0, "0", "expected a number above 0"),
    ("withdrawals.rate", -0.04, "-0.04", "expected a number above 0"),
    ("withdrawals.rate", 4, "4", "expected a number of at most 1"),
    ("taxes", 0.35, "0.35", PAIRS),
]


@pytest.mark.parametrize(("field", "value", "shown", "expected"), WRONG_VALUES)
def test_wrong_value_is_refused_with_file_field_value_and_what_was_expected(
    tmp_path: Path, field: str, value: Any, shown: str, expected: str
) -> None:
    assert_one_finding(
        refusal(written(tmp_path, changed((field.split("."), value)))), f"{field}: ", f"{shown}: ", expected
    )


@pytest.mark.parametrize(
    ("margin", "line"),
    [
        ({"limit": 0, "rate": 0.07}, ("limit: ", "0", "expected a number above 0")),
        ({"limit": 1.5, "rate": 0.07}, ("limit: ", "1.5", "expected a number of at most 1")),
        ({"limit": 0.25, "rate": -0.01}, ("rate: ", "-0.01", AT_LEAST_0)),
        ({"limit": 0.25, "rate": 7}, ("rate: ", "7", "expected a number below 1")),
        ({"limit": 0.25}, ("rate: ", "missing", "expected a value")),
    ],
)
def test_margin_is_refused_where_one_of_its_parts_is_wrong(
    tmp_path: Path, margin: dict[str, float], line: tuple[str, str, str]
) -> None:
    lines = refusal(written(tmp_path, changed((("strategies", "sd8", "rule", "margin"), margin))))
    assert_one_finding(lines, "strategies.sd8.rule.margin.", *line)


@pytest.mark.parametrize(
    ("taxes", "line"),
    [
        ({"short_term": 35, "long_term": 0.15}, ("short_term: ", "35", A_FRACTION)),
        ({"short_term": 0.35, "long_term": -0.1}, ("long_term: ", "-0.1", A_FRACTION)),
        ({"short_term": 0.35, "long_term": 0.15, "dividends": 2}, ("dividends: ", "2", A_FRACTION)),
        ({"short_term": 0.35}, ("long_term: ", "missing", "expected a value")),
        (
            {"short_term": 0.35, "long_term": 0.15, "state": 0.05},
            ("state: ", "unknown key", "expected one of short_term, long_term, dividends, interest"),
        ),
    ],
)
def test_taxes_are_refused_where_one_of_their_rates_is_wrong(
    tmp_path: Path, taxes: dict[str, float], line: tuple[str, str, str]
) -> None:
    assert_one_finding(refusal(written(tmp_path, changed((["taxes"], taxes)))), "taxes.", *line)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("of", "bank", "expected 'capital' or 'value'"),
        ("every", "week", "expected 'month', 'quarter' or 'year'"),
        ("coverage", -1, AT_LEAST_0),
        ("coverage_of", "all", "expected 'gross' or 'net'"),
        ("amount", 5, "expected an amount or a rate"),
        ("shortfall", "all", "expected 'none', 'overweight', 'pro_rata' or 'lowest_tax'"),
    ],
)
def test_withdrawals_are_refused_where_one_of_their_parts_is_wrong(
    tmp_path: Path, key: str, value: object, expected: str
) -> None:
    lines = refusal(written(tmp_path, changed((("withdrawals",), {"rate": 0.04, key: value}))))
    assert_one_finding(lines, f"withdrawals.{key}: ", str(value), expected)


@pytest.mark.parametrize(
    ("withdrawals", "finding"),
    [
        ({"amount": 100, "of": "value"}, "of: value: expected a rate beside it"),
        ({"rate": 0.04, "coverage_of": "net"}, "coverage_of: net: expected a coverage beside it"),
        ({"on": {"2016-03-01": 5}, "every": "year"}, "every: 'year': expected an amount or a rate beside it"),
        ({"on": {"2016-03-01": 5}, "indexed": True}, "indexed: true: expected an amount or a rate beside it"),
        ({"coverage": 1}, "amount: missing: expected an amount, a rate, or lump sums by date (on)"),
    ],
)
def test_withdrawals_are_refused_where_a_key_has_nothing_to_act_on(
    tmp_path: Path, withdrawals: dict[str, object], finding: str
) -> None:
    lines = refusal(written(tmp_path, changed((["withdrawals"], withdrawals))))
    assert len(lines) == 1
    assert lines[0].startswith(f"withdrawals.{finding}")


@pytest.mark.parametrize(
    ("deposits", "finding"),
    [
        ({"invest": False}, "amount: missing: expected an amount each period, or lump sums by date (on)"),
        ({"on": {"2016-03-01": 5}, "every": "year"}, "every: year: expected an amount beside it"),
    ],
)
def test_deposits_are_refused_where_nothing_comes_or_a_period_has_no_amount(tmp_path, deposits, finding) -> None:
    lines = refusal(written(tmp_path, changed((["deposits"], deposits))))
    assert len(lines) == 1
    assert lines[0].startswith(f"deposits.{finding}")


@pytest.mark.parametrize(
    ("place", "date", "expected"),
    [
        (["deposits"], "2012-01-02", "expected a date after start, 2015-01-01"),
        (["withdrawals"], "2015-01-01", "expected a date after start, 2015-01-01"),
        (["withdrawals"], "2021-01-01", "expected a date on or before end, 2020-12-31"),
        (["strategies", "sd8", "withdrawals"], "2021-01-01", "expected a date on or before end, 2020-12-31"),
    ],
)
def test_lump_sums_outside_of_the_studys_dates_are_refused(tmp_path, place, date, expected) -> None:
    dates = ((["start"], "2015-01-01"), (["end"], "2020-12-31"))
    lines = refusal(written(tmp_path, changed(*dates, (place, {"on": {"2016-03-01": 5, date: 5}}))))
    assert len(lines) == 1
    assert lines[0].startswith(f"{'.'.join(place)}.on: {date}: {expected}")


def test_coverage_of_zero_is_allowed_beside_what_it_is_of(tmp_path: Path) -> None:
    load_study(written(tmp_path, changed((["withdrawals"], {"rate": 0.04, "coverage": 0, "coverage_of": "net"}))))


def test_symmetric_sizing_is_refused_with_the_oldest_lot_first(tmp_path: Path) -> None:
    rules = {"rule": {"sizing": "symmetric"}, "lot_order": "fifo"}
    lines = refusal(written(tmp_path, changed((("strategies", "sd8"), rules))))
    assert_one_finding(lines, "strategies.sd8.lot_order: ", "fifo", "expected lifo")


@pytest.mark.parametrize(
    ("value", "shown", "expected"),
    [
        (1, "1", BELOW_ONE),
        (1.5, "1.5", BELOW_ONE),
        (10, "10", BELOW_ONE),
        (-0.01, "-0.01", BELOW_ONE),
        (0.10005, "0.10005", TWO_DECIMALS),
        (0.333333, "0.333333", TWO_DECIMALS),
        (NAN, "nan", "expected a finite number"),
        ("10%", "'10%'", A_NUMBER),
        (True, "true", A_NUMBER),
        (None, "null", A_NUMBER),
        ([0.1], "[0.1]", A_NUMBER),
    ],
)
def test_wrong_reserve_is_refused_with_its_place_in_the_list(
    tmp_path: Path, value: Any, shown: str, expected: str
) -> None:
    file = written(tmp_path, changed((["reserves"], [0.0, value])))
    assert_one_finding(refusal(file), "reserves: entry 2: ", f"{shown}: ", expected)


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ("begin", "name, source, start, end, sessions, capital"),
        ("source.path", "kind, folder"),
        ("costs.basis_points", "bps, fixed"),
        ("universe.VOO.wieght", "weight, asset_class, lot_size, currency"),
        ("strategies.sd8.rule.profitshare", "profit_share, variant, sizing"),
        ("strategies.sd8.costs.tax", "bps, fixed"),
        # A word that pydantic uses for places of its own.
        ("strategies.sd8.str", "allocation, rule, rebalance"),
    ],
)
def test_unknown_key_is_refused_at_every_level_with_the_keys_that_are_known(
    tmp_path: Path, field: str, known: str
) -> None:
    lines = refusal(written(tmp_path, changed((field.split("."), 1))))
    assert_one_finding(lines, f"{field}: ", "unknown key", "expected one of ", known)


def test_misspelt_key_is_met_with_the_nearest_one(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, changed((["reservs"], [0.1]))))
    assert_one_finding(lines, "reservs: unknown key: expected one of name, ", "(did you mean reserves?)")


@pytest.mark.parametrize(
    ("written_so", "field", "hint"),
    [
        ("capital: 50,000", "capital: '50,000': expected a number", "(write 50000, or 50.000 for a decimal comma)"),
        ("capital: 50 000.50 EUR", "capital: '50 000.50 EUR': expected a number", "(write 50000.50)"),
        ("reserves: [10 %]", "reserves: entry 1: '10 %': expected a number", "(write 0.1)"),
        ("risk_free: 0,03", "risk_free: '0,03': expected the ticker of a rate", "(write 0.03)"),
        ("start: 31.01.2020", "start: '31.01.2020': expected a date", "(write 2020-01-31)"),
        ("costs: {bps: 0,5}", "costs: 5: expected a key", "write 0.5, not 0,5"),
    ],
)
def test_numbers_and_dates_as_people_write_them_are_refused_with_what_to_write(
    tmp_path: Path, written_so: str, field: str, hint: str
) -> None:
    key = written_so.partition(":")[0]
    file = written(tmp_path, {name: value for name, value in GOOD.items() if name != key})
    file.write_text(f"{file.read_text(encoding='utf-8')}{written_so}\n", encoding="utf-8")
    assert_one_finding(refusal(file), field, hint)


@pytest.mark.parametrize("key", [3, None, True, "a\nb", "k" * 300])
def test_unknown_key_that_is_no_plain_word_still_gives_one_short_line(tmp_path: Path, key: Any) -> None:
    lines = refusal(written(tmp_path, {**GOOD, key: 1}))
    assert_one_finding(lines, "unknown key: expected one of name, source")
    assert len(lines[0]) < 400


@pytest.mark.parametrize("key", ["name", "source", "start", "capital", "universe", "reserves", "strategies"])
def test_missing_required_key_is_refused(tmp_path: Path, key: str) -> None:
    assert_one_finding(refusal(written(tmp_path, without(key))), f"{key}: ", "missing: ", "expected a value")


@pytest.mark.parametrize(("place", "field"), [("source", "source.kind"), ("universe.VOO", "universe.VOO.weight")])
def test_missing_required_key_of_a_part_is_refused(tmp_path: Path, place: str, field: str) -> None:
    lines = refusal(written(tmp_path, changed((place.split("."), {}))))
    assert_one_finding(lines, f"{field}: ", "missing: ", "expected a value")


@pytest.mark.parametrize(
    "ticker", ["", ".VOO", "-VOO", "A B", "A/B", "A" * 21, "VÖÖ", "A|B", "../x", "BTC:USD", "VOO\n"]
)
def test_ticker_outside_its_pattern_is_refused(tmp_path: Path, ticker: str) -> None:
    lines = refusal(written(tmp_path, changed((["universe"], {ticker: {"weight": 1}}))))
    assert_one_finding(lines, "universe.", f"{ticker!r}: ", A_TICKER)


@pytest.mark.parametrize("ticker", ["M&M.NS", "J&KBANK.NS", "BF-B", "^GSPC", "EURUSD=X", "DX-Y.NYB", "A_B"])
def test_ticker_as_exchanges_and_yahoo_write_them_is_taken(tmp_path: Path, ticker: str) -> None:
    study = load_study(written(tmp_path, changed((["universe"], {ticker: {"weight": 1}}))))
    assert ticker in study.tickers


@pytest.mark.parametrize(("ticker", "shown"), [("TRUE", "true"), ("700", "700"), ("~", "null")])
def test_ticker_that_yaml_reads_as_something_else_is_refused_with_a_hint_to_quote(
    tmp_path: Path, ticker: str, shown: str
) -> None:
    text = written(tmp_path, GOOD).read_text().replace("NVDA:", f"{ticker}:")
    assert_one_finding(refusal(written(tmp_path, text)), "universe.", f"{shown}: ", A_TICKER, "in quotes")


@pytest.mark.parametrize("name", ["SD8", "8sd", "sd-8", "sd 8", "_sd", "a" * 41, "", "sd8\n", "r10|sd8"])
def test_strategy_name_outside_its_pattern_is_refused(tmp_path: Path, name: str) -> None:
    lines = refusal(written(tmp_path, changed((["strategies"], {name: {}}))))
    assert_one_finding(lines, "strategies.", f"{name!r}: ", A_NAME)


@pytest.mark.parametrize("name", ["str", "float", "key", "union", "universe", "costs"])
def test_place_keeps_a_strategy_whose_name_is_a_word_of_the_validator(tmp_path: Path, name: str) -> None:
    lines = refusal(written(tmp_path, changed((["strategies", name, "rule", "sd_n"], 0))))
    assert_one_finding(lines, f"strategies.{name}.rule.sd_n: 0: ", AT_LEAST_1)


# --- fields that must go together ------------------------------------------------------------------------------------


def test_all_weights_zero_are_refused(tmp_path: Path) -> None:
    universe = {"VOO": {"weight": 0}, "NVDA": {"weight": 0.0}}
    lines = refusal(written(tmp_path, changed((["universe"], universe))))
    assert_one_finding(lines, "universe.VOO.weight: ", "0.0: ", "expected weights whose sum is finite and above 0")


def test_tickers_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, changed((["universe", "voo"], {"weight": 1}))))
    assert_one_finding(lines, "universe.voo: ", "expected tickers that differ by more than case", "VOO")


def test_one_ticker_as_rate_and_benchmark_is_refused(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, changed((["benchmark"], "SPY"), (["risk_free"], "spy"))))
    assert_one_finding(lines, "risk_free: ", "'spy': ", "expected a rate, but it is the benchmark")


@pytest.mark.parametrize(("part", "key"), [("universe", "VOO"), ("strategies", "sd8")])
def test_same_key_twice_is_refused_with_its_line(tmp_path: Path, part: str, key: str) -> None:
    text = f"name: small\n{part}:\n  {key}: {{}}\n  other: {{}}\n  {key}: {{}}\n"
    assert_one_finding(refusal(written(tmp_path, text)), "line 5: ", f'"{key}"', "expected every key once")


def test_same_field_twice_is_refused(tmp_path: Path) -> None:
    text = written(tmp_path, GOOD).read_text() + "capital: 5\n"
    assert_one_finding(refusal(written(tmp_path, text)), "line ", '"capital"', "expected every key once")


def test_every_field_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    lines = refusal(
        written(
            tmp_path,
            changed(
                (["capital"], -1),
                (["sessions"], "XZZZ"),
                (["reserves"], [0.5, 2]),
                (["universe", "VOO", "weight"], -1),
                (["strategies", "sd8", "rule", "sd_n"], 0),
                (["nonsense"], 1),
            ),
        )
    )
    assert [line.split(": ")[0] for line in lines] == [
        "sessions",
        "capital",
        "universe.VOO.weight",
        "reserves",
        "strategies.sd8.rule.sd_n",
        "nonsense",
    ]


def test_every_clash_between_fields_is_named_at_once(tmp_path: Path) -> None:
    lines = refusal(
        written(
            tmp_path,
            changed((["end"], "2014-01-01"), (["risk_free"], "VOO"), (["universe", "NVDA", "currency"], "CHF")),
        )
    )
    assert [line.split(": ")[0] for line in lines] == ["end", "universe.NVDA.currency", "risk_free"]


# --- the folder of prices ---------------------------------------------------------------------------------------------


def test_csv_source_without_folder_is_refused(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, changed((["source"], {"kind": "csv"}))))
    assert_one_finding(lines, "source.folder: ", "missing: ", "expected the folder of the CSV files")


@pytest.mark.parametrize("kind", ["sample", "yahoo"])
def test_other_source_with_folder_is_refused(tmp_path: Path, kind: str) -> None:
    lines = refusal(written(tmp_path, changed((["source"], {"kind": kind, "folder": "."}))))
    assert_one_finding(lines, "source.folder: ", "'.': ", f"expected no folder, since the kind is {kind}")


@pytest.mark.parametrize("folder", ["nowhere", "small.yaml", "", "~nobody_of_this_name/prices", "a\0b", "loop"])
def test_folder_that_is_none_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    lines = refusal(written(tmp_path, changed((["source"], {"kind": "csv", "folder": folder}))))
    assert_one_finding(lines, "source.folder: ", f"{folder!r}: ", "expected a folder that exists")


def test_relative_folder_starts_where_the_study_lies_whatever_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "prices").mkdir()
    file = written(tmp_path / "studies", changed((["source"], {"kind": "csv", "folder": "../prices"})))
    monkeypatch.chdir(tmp_path)
    assert load_study(file.relative_to(tmp_path)).source.folder == str((tmp_path / "prices").resolve())


# --- files that are no studies ----------------------------------------------------------------------------------------

NESTED_ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{depth}: &a{depth} [{', '.join([f'*a{depth - 1}'] * 9)}]\n" for depth in range(1, 30)
)


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        ("", "the file is empty", "keys and values"),
        ("# to be written\n", "the file is empty", "keys and values"),
        ("---\n", "the file is empty", "keys and values"),
        ("- VOO\n- NVDA\n", "holds a list", "keys and values"),
        ("just a sentence\n", "holds a single value", "keys and values"),
        ("3.5\n", "holds a single value", "keys and values"),
        ("name: a: b\n", "line 1: mapping values are not allowed here", "expected YAML"),
        ("name: small\n\tstart: 2015-01-01\n", "line 2: ", "expected YAML"),
        ("name: [a, b\n", "line 2: ", "expected YAML"),
        ("name: small\n---\nname: other\n", "line 2: found another document", "expected YAML"),
        ("name: *nobody\n", "line 1: found undefined alias 'nobody'", "expected YAML"),
        ("name: !!python/object/apply:os.getcwd []\n", "line 1: could not determine a constructor", "expected YAML"),
        ("capital: !!float many\n", "could not convert string to float: 'many'", "expected YAML"),
        ('capital: !!bool "abc"\n', "'abc'", "expected YAML"),
        (f"capital: {'9' * 5000}\n", "Exceeds the limit", "expected YAML"),
        ("name: a\0b\n", "unacceptable character", "expected YAML"),
        ("name: café\n".encode("latin-1"), "byte 9 is not UTF-8", "in UTF-8"),
        ("name: small\n".encode("utf-16"), "byte 0 is not UTF-8", "in UTF-8"),
        (bytes(range(256)), "byte 128 is not UTF-8", "in UTF-8"),
        ("[" * 5000, "nested too deeply", "keys and values"),
        ("{a: " * 5000, "nested too deeply", "keys and values"),
        ("# filler\n" * 200_000, "too large", "at most 1,000,000 bytes"),
    ],
)
def test_file_that_is_no_study_is_refused_in_one_line(
    tmp_path: Path, content: str | bytes, found: str, expected: str
) -> None:
    assert_one_finding(refusal(written(tmp_path, content)), found, expected)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert_one_finding(refusal(tmp_path / "none.yaml"), "No such file", "expected a study file that can be read")


@pytest.mark.parametrize("file", ["nowhere.csv", "", "..", "~nobody_of_this_name/cpi.csv"])
def test_price_index_that_is_no_file_is_refused(tmp_path: Path, file: str) -> None:
    lines = refusal(written(tmp_path, changed((["price_index"], file))))
    expected = "expected some text" if file == "" else "expected a file that exists"
    assert_one_finding(lines, "price_index: ", f"{file!r}: ", expected)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([(["judge_by"], "twr")], "judge_by: 'twr': expected"),
        # The word of earlier studies, which means something else everywhere else.
        (
            [(["judge_by"], "income"), (["withdrawals"], {"amount": 10})],
            "judge_by: 'income': expected withdrawals, ",
        ),
        (
            [(["judge_by"], "withdrawals")],
            "judge_by: 'withdrawals': expected cagr, sharpe or ending_value, since the study has no withdrawals",
        ),
    ],
)
def test_judge_that_the_study_cannot_have_is_refused(tmp_path: Path, changes: list[Any], found: str) -> None:
    assert_one_finding(refusal(written(tmp_path, changed(*changes))), found)


def test_hourly_bars_of_the_sample_are_refused(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, changed((["hourly"], True))))
    assert_one_finding(lines, "hourly: true: expected false, since the sample has daily closes alone")


PANDEMIC = ["2020-02-19", "2020-03-23"]
TWO_DATES = "expected a first and a later last date, such as [2020-02-19, 2020-03-23]"


def test_windows_of_stress_are_taken(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, changed((["stress"], {"windows": {"pandemic": PANDEMIC}}))))
    assert study.stress is not None
    assert study.stress.windows == {"pandemic": [dt.date(2020, 2, 19), dt.date(2020, 3, 23)]}


@pytest.mark.parametrize(
    ("stress", "place", "expected"),
    [
        ({}, "stress.windows", "missing: expected a value"),
        ({"windows": {}}, "stress.windows", "expected at least one entry"),
        ({"windows": {"Pandemic": PANDEMIC}}, "stress.windows.Pandemic", A_NAME),
        ({"windows": {"drawdown_7": PANDEMIC}}, "stress.windows.drawdown_7", "another stress is called so"),
        ({"windows": {"largest": PANDEMIC}}, "stress.windows.largest", "another stress is called so"),
        ({"windows": {"pandemic": PANDEMIC[::-1]}}, "stress.windows.pandemic", TWO_DATES),
        ({"windows": {"pandemic": PANDEMIC[:1]}}, "stress.windows.pandemic", TWO_DATES),
        ({"windows": {"pandemic": ["soon", "2020-03-23"]}}, "stress.windows.pandemic: entry 1", A_DATE),
        ({"windows": {"crash": ["1987-10-14", "1987-10-19"]}}, "stress.windows.crash", "after start, 2015-01-02"),
        ({"windows": {"later": ["2020-12-31", "2021-03-01"]}}, "stress.windows.later", "before end, 2020-12-31"),
        ({"periods": {}}, "stress.periods", "unknown key: expected one of windows"),
    ],
)
def test_window_of_stress_that_cannot_be_is_refused(tmp_path: Path, stress: Any, place: str, expected: str) -> None:
    lines = refusal(written(tmp_path, changed((["stress"], stress))))
    assert any(place in line and expected in line for line in lines), lines


def test_rolling_start_dates_are_those_of_years(tmp_path: Path) -> None:
    asked = [load_study(written(tmp_path, changed((["start_dates"], word)))) for word in ("rolling", "year", "month")]
    assert [study.start_dates for study in asked] == ["year", "year", "month"]


@pytest.mark.parametrize("asked", ["Rolling", "quarter", 2020])
def test_start_dates_other_than_of_years_or_months_are_refused(tmp_path: Path, asked: Any) -> None:
    lines = refusal(written(tmp_path, changed((["start_dates"], asked))))
    assert_one_finding(lines, f"start_dates: {asked!r}: expected ", "year", "month")


def test_study_is_judged_by_growth_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert load_study(written(tmp_path, changed())).judge_by == "cagr"
    paying = changed((["judge_by"], "withdrawals"), (["withdrawals"], {"amount": 10}))
    assert load_study(written(tmp_path, paying)).judge_by == "withdrawals"


def test_relative_price_index_starts_where_the_study_lies(tmp_path: Path) -> None:
    (tmp_path / "cpi.csv").touch()
    study = load_study(written(tmp_path, changed((["price_index"], "cpi.csv"))))
    assert study.price_index == str((tmp_path / "cpi.csv").resolve())


HARVEST = (["strategies", "sd8", "harvest"], {"substitute": {"VOO": "NVDA"}})
TAXED = (["taxes"], {"short_term": 0.35, "long_term": 0.15})


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ([HARVEST], "strategies.sd8.harvest: expected none, since the study has no taxes that a loss could lower"),
        (
            [TAXED, (["strategies", "sd8", "harvest"], {"substitute": {"VOO": "SPY"}})],
            "strategies.sd8.harvest.substitute: 'SPY': expected a ticker of the universe, of weight 0 or any other",
        ),
        (
            [TAXED, (["strategies", "sd8", "harvest"], {"substitute": {"VOO": "NVDA", "NVDA": "VOO"}})],
            "strategies.sd8.harvest.substitute: VOO: expected in one pair",
        ),
        (
            [TAXED, (["strategies", "sd8", "harvest"], {"substitute": {"VOO": "VOO"}})],
            "strategies.sd8.harvest.substitute: VOO: expected in one pair",
        ),
        ([TAXED, (["strategies", "sd8", "harvest"], {"loss": 0})], "strategies.sd8.harvest.loss: 0: expected a number"),
    ],
)
def test_harvest_that_cannot_save_taxes_is_refused(tmp_path: Path, changes: list[Any], finding: str) -> None:
    assert refusal(written(tmp_path, changed(*changes)))[0].startswith(finding)


def test_harvest_makes_a_strategy_more_than_buy_and_hold_and_buys_its_substitutes(tmp_path: Path) -> None:
    weightless = (["universe", "NVDA"], {"weight": 0})
    study = load_study(
        written(tmp_path, changed(TAXED, weightless, (["strategies"], {"own": {"harvest": HARVEST[1]}})))
    )
    assert not study.strategies["own"].is_buy_and_hold
    assert study.never_bought == ()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ([(["paper"], ["sd9"])], "paper: sd9: expected a strategy of the study"),
        ([(["paper"], ["sd8", "sd8"])], "paper: sd8: expected every strategy once"),
        (
            [(["paper"], ["sd8"]), (["strategies", "sd8", "keep"], "daily")],
            "paper: sd8: expected a strategy that keeps its ledger, but keep is daily",
        ),
        (
            [(["paper"], ["sd8"]), (["sessions"], "union")],
            "paper: sd8: expected none, since sessions is union: only an exchange's calendar knows the next session",
        ),
    ],
)
def test_strategy_that_cannot_be_on_paper_is_refused(tmp_path: Path, changes: list[Any], finding: str) -> None:
    assert refusal(written(tmp_path, changed(*changes)))[0].startswith(finding)


INDEXED = {"amount": 5, "indexed": True}


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ([(["withdrawals"], INDEXED)], "withdrawals.indexed: true: expected false, since the study has no price_index"),
        ([(["strategies", "sd8", "withdrawals"], INDEXED)], "strategies.sd8.withdrawals.indexed: true: expected false"),
        (
            [(["price_index"], "cpi.csv"), (["withdrawals"], {"rate": 0.04, "of": "value", "indexed": True})],
            "withdrawals.indexed: true: expected false, since the value that the rate is of grows by itself",
        ),
    ],
)
def test_indexing_without_anything_to_index_is_refused(tmp_path, changes, finding) -> None:
    (tmp_path / "cpi.csv").touch()
    lines = refusal(written(tmp_path, changed(*changes)))
    assert len(lines) == 1
    assert lines[0].startswith(finding)


STRATEGIES_THAT_HANG_TOGETHER: list[dict[str, Any]] = [
    {},
    {"rule": {}},
    {"rule": {}, "rebalance": {"every": "month"}},
    {"rebalance": {"deviation": {"width": 0.05}, "volatility": {"level": 0.3}}},
    {"rule": {}, "band": {"width": 0.2, "kind": "relative"}, "rebalance": {"cost_aware": {"min_trade": 10}}},
    {"rule": {"cash_low": 0.05, "stop": 0.3}, "cash": {"high": 0.2}, "drift": 0.4, "premium_spread": 0.15},
    {"rule": {"adaptive_bracket": True, "variant": "ath_only"}},
    {
        "rule": {"variant": "ath_only"},
        "cash": {"high": 0.2},
        "drift": 0.4,
        "rebalance": {"cost_aware": {"max_cost": 0.01}},
    },
    {"rule": {"variant": "ath_sell", "margin": {"limit": 0.2, "rate": 0.05}, "cash_low": 0.1, "stop": 0.3}},
    {"rebalance": {"every": "year", "cost_aware": {"min_trade": 10}}},
    {"drift": 0.4, "rebalance": {"cost_aware": {"min_trade": 10}}},
    {"premium_spread": 0.4, "rebalance": {"cost_aware": {"min_trade": 10}}},
    {"cash": {"high": 0.0}, "rebalance": {"cost_aware": {"min_trade": 10}}},
    # Bands are allowed beside triggers and without the rule.
    {"band": {"width": 0.05}, "rebalance": {"every": "year"}},
    {"rule": {}, "band": {"VOO": [0.5, 0.9]}, "rebalance": {"every": "year"}},
    {"rule": {"sizing": "symmetric"}, "lot_order": "lifo"},
    {"allocation": {"weights": {"VOO": 0.6, "NVDA": 0.4}}, "lot_order": "fifo"},
    {"allocation": {"schedule": {"2015-01-02": {"VOO": 1}}}, "rebalance": {"cost_aware": {"min_trade": 10}}},
]

CREDIT = {"limit": 0.2, "rate": 0.05}


@pytest.mark.parametrize("strategy", STRATEGIES_THAT_HANG_TOGETHER)
def test_parts_that_hang_together_are_taken(tmp_path: Path, strategy: dict[str, Any]) -> None:
    load_study(written(tmp_path, changed((["strategies", "sd8"], strategy))))


ATH_ONLY = "since the variant is ath_only and the rule does not buy"


@pytest.mark.parametrize(
    ("strategy", "finding"),
    [
        ({"rebalance": {}}, "rebalance.every: missing: expected a trigger: every, deviation or volatility"),
        ({"band": {}}, "band.width: missing: expected a width, or edges by ticker"),
        (
            {"rule": {"variant": "ath_only", "margin": CREDIT}},
            f"rule.margin: {{'limit': 0.2, 'rate': 0.05}}: expected none, {ATH_ONLY}",
        ),
        ({"rule": {"variant": "ath_only", "cash_low": 0.1}}, f"rule.cash_low: 0.1: expected none, {ATH_ONLY}"),
        ({"rule": {"variant": "ath_only", "stop": 0.2}}, f"rule.stop: 0.2: expected none, {ATH_ONLY}"),
        (
            {"rebalance": {"cost_aware": {"min_trade": 100}}},
            (
                "rebalance.cost_aware: {'min_trade': 100.0}: expected none, since there is no trade to forgo without a "
                "trigger, band, cash, drift or premium_spread"
            ),
        ),
        (
            {"rule": {}, "rebalance": {"cost_aware": {"max_cost": 0.1}}},
            "rebalance.cost_aware: {'max_cost': 0.1}: expected none, since there is no trade to forgo",
        ),
        (
            {"rebalance": {"patience": {"sessions": 5, "mean": 21}}, "band": {"width": 0.1}},
            (
                "rebalance.patience: {'mean': 21, 'sessions': 5}: expected none, since no trigger asks for a trade "
                "that could wait"
            ),
        ),
        (
            {"rebalance": {"every": "month", "patience": {"sessions": 5}}},
            "rebalance.patience.mean: missing: expected a value",
        ),
        (
            {"rebalance": {"every": "month", "patience": {"sessions": 5, "mean": 1}}},
            "rebalance.patience.mean: 1: expected a number of at least 2",
        ),
        (
            {"rebalance": {"every": "month", "patience": {"sessions": 0, "mean": 2}}},
            "rebalance.patience.sessions: 0: expected a number of at least 1",
        ),
        ({"drift": 0}, "drift: 0: expected a number above 0"),
        ({"cash": {}}, "cash.high: missing: expected a value"),
        ({"cash": {"high": 1}}, "cash.high: 1: expected a number below 1"),
        ({"rule": {"stop": 1}}, "rule.stop: 1: expected a number below 1"),
        ({"rebalance": {"cost_aware": {"max_cost": 2}}}, "rebalance.cost_aware.max_cost: 2: expected a number of at"),
        ({"rule": {"cash_lo": 0.1}}, "rule.cash_lo: unknown key: expected one of sd_n, bracket, profit_share, "),
        (
            {"rebalance": {"evry": "month"}},
            "rebalance.evry: unknown key: expected one of every, deviation, volatility, on_change, patience, ",
        ),
        ({"cash": {"high": 0.2, "low": 0.1}}, "cash.low: unknown key: expected one of high, candidates"),
    ],
)
def test_parts_that_miss_something_or_do_nothing_are_refused(
    tmp_path: Path, strategy: dict[str, Any], finding: str
) -> None:
    assert_refused(tmp_path, strategy, finding)


def assert_refused(folder: Path, strategy: dict[str, Any], finding: str) -> None:
    """Hold that a strategy is refused in one line, which begins with what is wrong in it."""
    [line] = refusal(written(folder, changed((["strategies", "sd8"], strategy))))
    assert line.startswith(f"strategies.sd8.{finding}"), line


# --- keys that strategies once had ------------------------------------------------------------------------------------

OLD_KEYS = [
    *(
        (key, value, f"rule.{key}")
        for key, value in [
            ("sd_n", 8),
            ("bracket", 0.05),
            ("profit_share", 0.5),
            ("sizing", "symmetric"),
            ("path", "low_first"),
            ("anchor", "fill"),
            ("max_rungs", 3),
            ("adaptive_bracket", True),
            ("cash_low", 0.05),
            ("margin", CREDIT),
        ]
    ),
    ("variant", "buy_and_hold", "rule.variant; buy-and-hold is a strategy without a rule, {}"),
    ("variant", "ath_only", "rule.variant; buy-and-hold is a strategy without a rule, {}"),
    (
        "coordination",
        "hybrid",
        (
            "rule.order for nav_opportunistic, rebalance beside the rule for target, band beside the rule for hybrid, "
            "no rule for hold"
        ),
    ),
    ("cash_high", 0.2, "cash.high"),
    ("cost_aware", {"min_trade": 10}, "rebalance.cost_aware"),
    ("portfolio_stop", 0.25, "rule.stop"),
]


@pytest.mark.parametrize(("key", "value", "place"), OLD_KEYS)
def test_old_key_of_a_strategy_is_refused_with_where_it_went(tmp_path: Path, key: str, value: Any, place: str) -> None:
    lines = refusal(written(tmp_path, changed((["strategies", "sd8"], {key: value}))))
    assert lines == [f"strategies.sd8.{key}: moved: expected {place}"]


def test_every_old_key_is_tested_here() -> None:
    assert {key for key, *_ in OLD_KEYS} == moved.OF_STRATEGY.keys()


def test_candidates_of_a_study_are_refused_with_where_they_went(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, changed((["candidates"], ["VOO"]))))
    assert lines == ["candidates: moved: expected cash.candidates of each strategy that deploys cash"]


def test_all_old_keys_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    old = {"hold": {"variant": "buy_and_hold"}, "sd8": {"sd_n": 8, "coordination": "hybrid", "band": {"width": 0.1}}}
    lines = refusal(written(tmp_path, changed((["strategies"], old), (["candidates"], ["VOO"]))))
    assert [line.partition(": moved: ")[0] for line in lines] == [
        "strategies.hold.variant",
        "strategies.sd8.sd_n",
        "strategies.sd8.coordination",
        "candidates",
    ]


# --- target weights of a strategy -------------------------------------------------------------------------------------

MIX = {"VOO": 0.6, "NVDA": 0.4}


@pytest.mark.parametrize(
    ("allocation", "finding"),
    [
        ({}, "allocation.weights: missing: expected weights, a schedule or a mix"),
        (
            {"weights": MIX, "schedule": {"2015-01-02": MIX}},
            "allocation.weights: {'NVDA': 0.4, 'VOO': 0.6}: expected weights, a schedule or a mix, one of them",
        ),
        ({"weights": {}}, "allocation.weights: {}: expected weights whose sum is finite and above 0"),
        ({"weights": {"VOO": 0, "NVDA": 0}}, "allocation.weights: {'NVDA': 0, 'VOO': 0}: expected weights whose sum"),
        ({"weights": {"VOO": -0.1, "NVDA": 1}}, "allocation.weights.VOO: -0.1: expected a number of at least 0"),
        ({"weights": {"VOO": "60 %"}}, "allocation.weights.VOO: '60 %': expected a number"),
        ({"weights": {"VOO": 0.6, "BIL": 0.4}}, "allocation.weights: 'BIL': expected a ticker of the universe"),
        ({"weights": {"voo": 1}}, "allocation.weights: 'voo': expected a ticker of the universe"),
        ({"weights": {700: 1}}, "allocation.weights.700: 700: expected a ticker"),
        ({"weights": {"A B": 1}}, "allocation.weights.A B: 'A B': expected a ticker"),
        ({"wieghts": MIX, "weights": MIX}, "allocation.wieghts: unknown key: expected one of weights, schedule"),
        ({"schedule": {}}, "allocation.schedule: {}: expected at least one entry"),
        ({"schedule": [MIX]}, "allocation.schedule: [{'NVDA': 0.4, 'VOO': 0.6}]: expected keys and values"),
        ({"schedule": {"soon": MIX}}, "allocation.schedule.soon: 'soon': expected a date"),
        ({"schedule": {"2015-02-30": MIX}}, "allocation.schedule.2015-02-30: '2015-02-30': expected a day that"),
        ({"schedule": {"2015-01-02": {"BIL": 1}}}, "allocation.schedule: 'BIL': expected a ticker of the universe"),
        ({"schedule": {"2015-01-02": {"VOO": 0}}}, "allocation.schedule.2015-01-02: {'VOO': 0}: expected weights"),
        (
            {"schedule": {"2016-01-04": MIX, "2015-01-03": MIX}},
            "allocation.schedule: 2015-01-03: expected a first date on or before start, 2015-01-02",
        ),
    ],
)
def test_allocation_that_says_no_weights_is_refused(tmp_path: Path, allocation: dict[str, Any], finding: str) -> None:
    assert_refused(tmp_path, {"allocation": allocation}, finding)


def test_weights_of_an_allocation_are_scaled_to_sum_to_one_and_the_rest_has_none() -> None:
    universe = (["universe"], {"A": {"weight": 1}, "B": {"weight": 0}, "C": {"weight": 3}})
    targets = rules_of({"allocation": {"weights": {"C": 30, "B": 10}}}, universe).targets
    assert targets.weights.tolist() == [[0, 0.25, 0.75]]


def test_schedule_is_in_the_order_of_its_dates_whatever_the_order_in_the_file() -> None:
    schedule = {"2016-01-04": {"VOO": 1}, "2014-06-01": {"VOO": 1, "NVDA": 3}, "2015-07-01": {"NVDA": 2}}
    targets = rules_of({"allocation": {"schedule": schedule}}).targets
    assert targets.sessions.astype(str).tolist() == ["2014-06-01", "2015-07-01", "2016-01-04"]
    assert targets.weights.tolist() == [[0.25, 0.75], [0, 1], [1, 0]]


def test_date_of_a_schedule_is_taken_with_and_without_quotes(tmp_path: Path) -> None:
    text = written(tmp_path, without("strategies")).read_text() + (
        "strategies: {a: {allocation: {schedule: {2015-01-02: {VOO: 1}, '2015-06-01': {NVDA: 1}}}}}\n"
    )
    allocation = load_study(written(tmp_path, text)).strategies["a"].allocation
    assert allocation is not None
    assert list(allocation.rows) == [dt.date(2015, 1, 2), dt.date(2015, 6, 1)]


CHANGING = {"allocation": {"schedule": {"2015-01-02": {"VOO": 1}, "2016-01-04": {"NVDA": 1}}}}


@pytest.mark.parametrize(
    ("strategy", "on_change"),
    [
        (CHANGING, True),
        (CHANGING | {"rebalance": {"every": "year"}}, True),
        (CHANGING | {"rebalance": {"on_change": True}}, True),
        (CHANGING | {"rebalance": {"on_change": False}}, False),
        (CHANGING | {"rebalance": {"on_change": False, "every": "year"}}, False),
        ({"allocation": {"weights": MIX}}, False),
        ({"rebalance": {"every": "year"}}, False),
    ],
)
def test_targets_that_change_are_a_trigger_unless_the_strategy_says_no(
    strategy: dict[str, Any], on_change: bool
) -> None:
    assert rules_of(strategy).rebalance_on_change is on_change


@pytest.mark.parametrize("on_change", [True, False])
@pytest.mark.parametrize("strategy", [{}, {"allocation": {"weights": MIX}}])
def test_on_change_is_refused_where_nothing_changes(tmp_path: Path, strategy: dict[str, Any], on_change: bool) -> None:
    finding = f"rebalance.on_change: {str(on_change).lower()}: expected none, since the allocation has neither schedule"
    assert_refused(tmp_path, strategy | {"rebalance": {"on_change": on_change, "every": "year"}}, finding)


def test_cost_aware_is_refused_where_no_change_of_targets_trades(tmp_path: Path) -> None:
    rebalance = {"on_change": False, "cost_aware": {"min_trade": 10}}
    finding = "rebalance.cost_aware: {'min_trade': 10.0}: expected none, since there is no trade to forgo"
    assert_refused(tmp_path, CHANGING | {"rebalance": rebalance}, finding)


# --- bands ------------------------------------------------------------------------------------------------------------

EDGES = "expected a lower and an upper edge from 0 to 1, such as [0.2, 0.3]"


@pytest.mark.parametrize(
    ("band", "finding"),
    [
        ({"width": 0}, "band.width: 0: expected a number above 0"),
        ({"kind": "relative"}, "band.width: missing: expected a width, or edges by ticker"),
        ({"NVDA": [0.2, 0.3], "kind": "relative"}, "band.kind: relative: expected it in default, beside edges by"),
        ({"width": 0.1, "kind": "half"}, "band.kind: 'half': expected 'absolute' or 'relative'"),
        ({"NVDA": [0.3, 0.2]}, f"band.NVDA: [0.3, 0.2]: {EDGES}"),
        ({"NVDA": [0.2, 0.2]}, f"band.NVDA: [0.2, 0.2]: {EDGES}"),
        ({"NVDA": [0.2, 1.3]}, f"band.NVDA: [0.2, 1.3]: {EDGES}"),
        ({"NVDA": [-0.1, 0.3]}, f"band.NVDA: [-0.1, 0.3]: {EDGES}"),
        ({"NVDA": [0.2]}, f"band.NVDA: [0.2]: {EDGES}"),
        ({"NVDA": [0.1, 0.2, 0.3]}, f"band.NVDA: [0.1, 0.2, 0.3]: {EDGES}"),
        ({"NVDA": 0.2}, "band.NVDA: 0.2: expected a list"),
        ({"NVDA": ["a", 1]}, "band.NVDA: entry 1: 'a': expected a number"),
        ({"AMD": [0.2, 0.3]}, "band: 'AMD': expected a ticker of the universe"),
        ({"NVDA": [0.2, 0.3], "width": 0.1}, "band.width: 0.1: expected it in default, beside edges by ticker"),
        ({"width": 0.1, "default": {"width": 0.1}}, "band.width: 0.1: expected it in default, beside edges by ticker"),
        ({"default": {"width": 0.1}}, "band.width: missing: expected a width, or edges by ticker"),
        ({"NVDA": [0.2, 0.3], "default": {}}, "band.default.width: missing: expected a value"),
    ],
)
def test_band_that_says_no_distance_is_refused(tmp_path: Path, band: dict[str, Any], finding: str) -> None:
    assert_refused(tmp_path, {"rule": {}, "band": band}, finding)


@pytest.mark.parametrize(
    ("band", "width", "kind", "edges"),
    [
        ({"width": 0.05}, 0.05, Width.ABSOLUTE, None),
        ({"width": 0.4, "kind": "relative"}, 0.4, Width.RELATIVE, None),
        ({"NVDA": [0.2, 0.3]}, INFINITE, Width.ABSOLUTE, [None, [0.2, 0.3]]),
        ({"NVDA": [0, 1], "VOO": [0.5, 0.75]}, INFINITE, Width.ABSOLUTE, [[0.5, 0.75], [0, 1]]),
        ({"VOO": [0.6, 0.9], "default": {"width": 0.05}}, 0.05, Width.ABSOLUTE, [[0.6, 0.9], None]),
        ({"VOO": [0.6, 0.9], "default": {"width": 0.4, "kind": "relative"}}, 0.4, Width.RELATIVE, [[0.6, 0.9], None]),
    ],
)
@pytest.mark.parametrize("rule", [{}, {"rule": {}}])
def test_band_is_a_width_around_targets_or_edges_with_and_without_a_rule(
    rule: dict[str, Any], band: dict[str, Any], width: float, kind: Width, edges: list[Any] | None
) -> None:
    rules = rules_of({**rule, "band": band})
    assert (rules.band, rules.band_width) == (width, kind)
    if edges is None:
        assert rules.band_edges is None
    else:
        # NaN marks an asset without edges of its own.
        expected = [[NAN, NAN] if pair is None else pair for pair in edges]
        np.testing.assert_array_equal(rules.band_edges, expected)


# --- cash that is deployed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidates", "finding"),
    [
        (["VOO", "NONE"], "cash.candidates: 'NONE': expected a ticker of the universe"),
        (["VOO", "VOO"], "cash.candidates: ['VOO', 'VOO']: expected every ticker once"),
        ("VOO", "cash.candidates: 'VOO': expected a list"),
        (["VOO", 5], "cash.candidates: entry 2: 5: expected a ticker"),
    ],
)
def test_candidates_that_are_no_distinct_assets_are_refused(tmp_path: Path, candidates: Any, finding: str) -> None:
    assert_refused(tmp_path, {"cash": {"high": 0.2, "candidates": candidates}}, finding)


def test_candidates_are_bought_in_their_own_order_strategy_by_strategy() -> None:
    study = Study.model_validate(
        changed(
            (["strategies", "more"], {"cash": {"high": 0.2, "candidates": ["NVDA", "VOO"]}}),
            (["strategies", "less"], {"cash": {"high": 0.1}}),
        )
    )
    more, less = (resolve(study, Scenario(strategy=name, reserve=0.1)) for name in ("more", "less"))
    assert (more.cash_high, more.candidates) == (0.2, (1, 0))
    assert (less.cash_high, less.candidates) == (0.1, ())


# --- what trades nothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({}, True),
        ({"allocation": {"weights": MIX}}, True),
        ({"costs": {"bps": 5}, "withdrawals": {"rate": 0.04}, "lot_order": "fifo", "keep": "daily"}, True),
        ({"rule": {}}, False),
        ({"rule": {"variant": "ath_only"}}, False),
        ({"rebalance": {"every": "year"}}, False),
        ({"band": {"width": 0.1}}, False),
        ({"cash": {"high": 0.2}}, False),
        ({"drift": 0.4}, False),
        ({"premium_spread": 0.2}, False),
        (CHANGING, False),
        (CHANGING | {"rebalance": {"on_change": False}}, True),
        (CHANGING | {"rebalance": {"on_change": False, "every": "year"}}, False),
        (CHANGING | {"rebalance": {"on_change": False}, "drift": 0.4}, False),
    ],
)
def test_buy_and_hold_is_what_has_nothing_that_trades(strategy: dict[str, Any], expected: bool) -> None:
    study = Study.model_validate(changed((["strategies", "sd8"], strategy)))
    assert study.strategies["sd8"].is_buy_and_hold is expected


def test_strategy_without_a_rule_has_no_rules_and_the_default_bracket() -> None:
    rules = rules_of({})
    assert rules.variant is Variant.NO_RULE
    assert rules.brackets == pytest.approx([0.090507732665257659] * 2, rel=1e-15)


def test_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert_one_finding(refusal(tmp_path), "Is a directory", "expected a study file that can be read")


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read every file")
    assert_one_finding(refusal(file), "Permission denied", "expected a study file that can be read")


def test_aliases_that_multiply_are_refused_in_short_lines(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, NESTED_ALIASES + "name: *a29\n"))
    assert lines[0].startswith("name: [[[...")
    assert max(map(len, lines)) < 400  # one of them names every key of a study


def test_alias_that_contains_itself_is_refused(tmp_path: Path) -> None:
    text = written(tmp_path, without("strategies")).read_text() + "strategies: {sd8: &loop {costs: *loop, drift: 1}}\n"
    lines = refusal(written(tmp_path, text))
    assert "strategies.sd8.costs.drift: unknown key: expected one of bps, fixed" in lines


PLACES = [
    (*parents, key)
    for parents, keys in [
        ((), [*GOOD, "sessions", "currency", "benchmark", "risk_free", "costs", "extra"]),
        (("source",), ["kind", "folder"]),
        (("universe",), ["VOO", "voo", "x y"]),
        (("universe", "VOO"), ["weight", "lot_size", "sd_n", "currency", "asset_class"]),
        (("strategies",), ["sd8", "str", "A"]),
        (("strategies", "sd8"), ["rule", "allocation", "rebalance", "band", "cash", "drift", "costs", "variant"]),
        (("strategies", "sd8", "rule"), ["variant", "sd_n", "bracket", "profit_share", "max_rungs", "margin"]),
        (("strategies", "sd8", "allocation"), ["weights", "schedule"]),
        (("strategies", "sd8", "allocation", "weights"), ["VOO", "AMD", "x y"]),
        (("strategies", "sd8", "allocation", "schedule"), ["2015-01-02", "soon"]),
        (("strategies", "sd8", "band"), ["width", "kind", "default", "VOO", "AMD"]),
        (("strategies", "sd8", "cash"), ["high", "candidates"]),
    ]
    for key in keys
]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_value_at_any_place_is_taken_or_refused_in_words_for_people(
    tmp_path: Path, place: tuple[str, ...], value: Any
) -> None:
    file = written(tmp_path, changed((place, value)))
    try:
        load_study(file)
    except InputError:
        refusal(file)


# --- studies that are taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo", "vision"])
def test_shipped_study_loads_with_six_strategies_and_six_reserves(name: str) -> None:
    study = load_study(STUDIES / f"{name}.yaml")
    assert study.name == name
    assert len(study.strategies) >= 6
    assert len(study.reserves) >= 6
    assert len(study.scenarios) == len(study.strategies) * len(study.reserves)


PAGE = STUDIES.parent / "docs" / "studies.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("example", [text for text in EXAMPLES if re.search("^strategies:", text, flags=re.MULTILINE)])
def test_example_on_the_page_about_studies_is_taken(tmp_path: Path, example: str) -> None:
    (tmp_path / "prices").mkdir()
    tickers = {ticker: {"weight": 1} for ticker in ("VOO", "BIL", "TLT", "GLD", "NVDA", "BTC-USD")}
    tickers |= {"NVDA": {"weight": 1, "asset_class": "technology"}, "BIL": {"weight": 1, "asset_class": "bonds"}}
    common = {"name": "page", "source": {"kind": "yahoo"}, "start": "2015-01-01", "capital": 1000, "reserves": [0]}
    document = {**common, "universe": tickers, **YAML(typ="safe", pure=True).load(example)}
    load_study(written(tmp_path, document))


def test_page_about_studies_has_examples_of_strategies() -> None:
    assert len(EXAMPLES) >= 8


def test_every_shipped_study_is_tested_here() -> None:
    assert {file.stem for file in STUDIES.glob("*.yaml")} == {"buckets", "demo", "mixes", "sweep", "vision"}


def test_shipped_plans_are_four_presets_and_ninety_ten_with_monthly_deposits() -> None:
    study = load_study(STUDIES / "buckets.yaml")
    presets = {name: [one.preset for one in plan.satellites.values()] for name, plan in study.buckets.items()}
    four = ["momentum_hunter", "steady_eddy", "dip_buyer", "dividend_catcher"]
    assert presets == {"four_presets": four, "ninety_ten": ["dual"]}
    assert (study.deposits.amount, study.deposits.every) == (1000, "month")


def test_shipped_mixes_are_each_held_by_itself() -> None:
    study = load_study(STUDIES / "mixes.yaml")
    methods = {"equal", "mean_risk", "risk_budget", "kelly", "proportional", "regime", "blend"}
    assert {mix.method for mix in study.mixes.values()} == methods
    held = {name: one.mix for name, one in study.strategies.items() if name.startswith(("held__", "sized__"))}
    assert sorted(held.values()) == sorted(study.mixes)


def test_shipped_sweep_is_175_scenarios_of_one_sweep_beside_buy_and_hold() -> None:
    study = load_study(STUDIES / "sweep.yaml")
    assert len(study.scenarios) == (1 + 8 * 3) * 7 == 175
    assert [study.sweep_of(name) for name in study.strategies] == [None] + ["sd"] * 24


def test_tickers_that_look_like_other_things_are_taken(tmp_path: Path) -> None:
    text = """
        name: words
        source: {kind: yahoo}
        start: 2015-01-02
        capital: 1000
        benchmark: universe
        risk_free: ^IRX
        universe:
          ON: {weight: 1}
          NO: {weight: 1}
          Y: {weight: 1}
          BRK-B: {weight: 1}
          BRK.A: {weight: 1}
          BTC-USD: {weight: 1}
          EURUSD=X: {weight: 1}
          ^GSPC: {weight: 0}
          "700": {weight: 1}
          "TRUE": {weight: 1}
          0700.HK: {weight: 1}
        reserves: [0]
        strategies: {sd8: {}}
    """
    study = load_study(written(tmp_path, text))
    assert study.tickers == (
        *("ON", "NO", "Y", "BRK-B", "BRK.A", "BTC-USD", "EURUSD=X", "^GSPC", "700", "TRUE", "0700.HK"),
    )
    assert study.rate_ticker == "^IRX"


@pytest.mark.parametrize("written_date", ["2015-01-31", "'2015-01-31'", '"2015-01-31"'])
def test_date_is_taken_with_and_without_quotes(tmp_path: Path, written_date: str) -> None:
    text = re.sub("start:.*", f"start: {written_date}", written(tmp_path, GOOD).read_text())
    assert load_study(written(tmp_path, text)).start == dt.date(2015, 1, 31)


def test_whole_numbers_are_taken_for_fractional_ones(tmp_path: Path) -> None:
    study = load_study(
        written(
            tmp_path,
            changed(
                (["risk_free"], 0),
                (["costs"], {"bps": 5, "fixed": 1}),
                (["universe", "VOO"], {"weight": 3, "lot_size": 1, "sd_n": 4, "profit_share": 1}),
            ),
        )
    )
    assert study.capital == 10_000.0
    assert study.risk_free == 0.0
    assert study.rate_ticker is None
    assert study.universe["VOO"].profit_share == 1.0
    assert isinstance(study.costs.bps, float)


def test_reserves_are_taken_in_any_order_and_given_back_ascending(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, changed((["reserves"], [0.3, 0, 0.1225, 0.025]))))
    assert study.reserve_levels == (0.0, 0.025, 0.1225, 0.3)
    assert [scenario.reserve_key for scenario in study.scenarios[:4]] == ["r0", "r2_5", "r12_25", "r30"]
    assert [scenario.strategy for scenario in study.scenarios] == ["hold"] * 4 + ["sd8"] * 4


@pytest.mark.parametrize(
    ("reserve", "key"),
    [(0, "r0"), (0.05, "r5"), (0.1, "r10"), (0.3, "r30"), (0.0001, "r0_01"), (0.29, "r29"), (0.9999, "r99_99")],
)
def test_reserve_key_is_the_reserve_in_percent(reserve: float, key: str) -> None:
    assert reserve_key(reserve) == key


def test_every_reserve_of_two_decimals_of_a_percent_is_valid_with_its_own_key() -> None:
    levels = [hundredth / 10_000 for hundredth in range(10_000)]
    study = Study.model_validate({**GOOD, "reserves": levels})
    assert list(study.reserve_levels) == levels
    assert len({reserve_key(level) for level in study.reserve_levels}) == 10_000


def test_minus_zero_is_the_reserve_of_zero(tmp_path: Path) -> None:
    text = re.sub("reserves:.*", "reserves: [-0.0]", written(tmp_path, changed((["reserves"], "here"))).read_text())
    assert [scenario.reserve_key for scenario in load_study(written(tmp_path, text)).scenarios] == ["r0", "r0"]


@pytest.mark.parametrize("sessions", ["XNYS", "XLON", "intersection", "union"])
def test_sessions_of_an_exchange_or_of_the_assets_are_taken(tmp_path: Path, sessions: str) -> None:
    assert load_study(written(tmp_path, changed((["sessions"], sessions)))).sessions == sessions


def test_asset_that_states_the_currency_of_the_study_is_taken(tmp_path: Path) -> None:
    load_study(written(tmp_path, changed((["currency"], "EUR"), (["universe", "VOO", "currency"], "EUR"))))


def test_part_that_several_places_share_by_alias_is_taken(tmp_path: Path) -> None:
    text = written(tmp_path, without("strategies")).read_text() + (
        "costs: &cheap {bps: 1}\nstrategies: {a: &first {rule: {sd_n: 4}, costs: *cheap}, b: {<<: *first, drift: 1}}\n"
    )
    study = load_study(written(tmp_path, text))
    assert study.strategies["b"].rule.sd_n == 4
    assert study.costs_of("b").bps == 1


def test_study_cannot_be_changed() -> None:
    study = Study.model_validate(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        study.capital = 5.0


@pytest.mark.parametrize(("benchmark", "more"), [("universe", ()), ("VOO", ()), ("SPY", ("SPY",))])
def test_prices_are_needed_of_the_universe_and_of_a_benchmark_outside_it(benchmark: str, more: tuple[str, ...]) -> None:
    study = Study.model_validate({**GOOD, "benchmark": benchmark})
    assert study.price_tickers == ("VOO", "NVDA", *more)


# --- what a scenario runs on ------------------------------------------------------------------------------------------


def rules_of(strategy: dict[str, Any], *changes: tuple[list[str], Any]) -> Any:
    study = Study.model_validate(changed(*changes, (["strategies"], {"only": strategy})))
    return resolve(study, Scenario(strategy="only", reserve=0.1))


def test_defaults_are_sd8_at_half_the_gain_without_costs() -> None:
    rules = rules_of({"rule": {}})
    # 2 ** (1/8) - 1 = 9.0507732665257659 % (OEIS A010770 less 1).
    assert rules.brackets == pytest.approx([0.090507732665257659] * 2, rel=1e-15)
    assert rules.profit_shares.tolist() == [0.5, 0.5]
    assert rules.lot_sizes.tolist() == [0, 0]
    assert (rules.fee_fixed, rules.fee_rate, rules.max_rungs) == (0, 0, 64)
    assert (rules.variant, rules.sizing, rules.order) == (Variant.FULL, Sizing.GAIN_SHARE, Order.UNIVERSE)
    assert (rules.path, rules.anchor) == (BarPath.NEAREST, Anchor.LADDER)
    assert (rules.capital, rules.reserve) == (10_000, 0.1)


def test_weights_are_scaled_to_sum_to_one() -> None:
    rules = rules_of({}, (["universe"], {"A": {"weight": 1}, "B": {"weight": 0}, "C": {"weight": 3}}))
    assert rules.targets.weights[0].tolist() == [0.25, 0, 0.75]


@pytest.mark.parametrize(
    ("rule", "asset", "of_asset", "of_other"),
    [
        ({"sd_n": 2}, {}, np.sqrt(2) - 1, np.sqrt(2) - 1),
        ({"sd_n": 2}, {"sd_n": 1}, 1.0, np.sqrt(2) - 1),
        ({"sd_n": 2}, {"bracket": 0.05}, 0.05, np.sqrt(2) - 1),
        ({"bracket": 0.25}, {}, 0.25, 0.25),
        ({"bracket": 0.25}, {"sd_n": 1}, 1.0, 0.25),
        ({"bracket": 0.25}, {"bracket": 0.05}, 0.05, 0.25),
        ({}, {"bracket": 0.05}, 0.05, 0.090507732665257659),
    ],
)
def test_spacing_of_the_asset_comes_before_that_of_the_strategy_before_the_default(
    rule: dict[str, float], asset: dict[str, float], of_asset: float, of_other: float
) -> None:
    rules = rules_of({"rule": rule}, (["universe", "VOO"], {"weight": 1, **asset}))
    assert rules.brackets == pytest.approx([of_asset, of_other], rel=1e-15)


@pytest.mark.parametrize(
    ("rule", "asset", "shares"),
    [
        ({"profit_share": 0.2}, {}, [0.2, 0.2]),
        ({"profit_share": 0.2}, {"profit_share": 0.9}, [0.9, 0.2]),
        ({"profit_share": 0.2}, {"profit_share": 0}, [0, 0.2]),
        ({"profit_share": 0}, {}, [0, 0]),
        ({}, {"profit_share": 1}, [1, 0.5]),
    ],
)
def test_profit_share_of_the_asset_precedes_the_strategys_and_the_default(
    rule: dict[str, float], asset: dict[str, float], shares: list[float]
) -> None:
    rules = rules_of({"rule": rule}, (["universe", "VOO"], {"weight": 1, **asset}))
    assert rules.profit_shares.tolist() == shares


@pytest.mark.parametrize(
    ("own", "fee_rate", "fee_fixed"),
    [({}, 0.0005, 2), ({"costs": {"bps": 20}}, 0.002, 0), ({"costs": {}}, 0, 0), ({"costs": None}, 0.0005, 2)],
)
def test_costs_of_the_strategy_replace_those_of_the_study(
    own: dict[str, Any], fee_rate: float, fee_fixed: float
) -> None:
    rules = rules_of(own, (["costs"], {"bps": 5, "fixed": 2}))
    assert (rules.fee_rate, rules.fee_fixed) == pytest.approx((fee_rate, fee_fixed))


def test_words_of_a_strategy_become_the_rules_of_the_same_name() -> None:
    rules = rules_of(
        {
            "rule": {
                "variant": "ath_only",
                "sizing": "symmetric",
                "order": "nav_opportunistic",
                "path": "close_only",
                "anchor": "fill",
                "max_rungs": 3,
            }
        }
    )
    assert (rules.variant, rules.sizing) == (Variant.ATH_ONLY, Sizing.SYMMETRIC)
    assert (rules.order, rules.path) == (Order.NAV_OPPORTUNISTIC, BarPath.CLOSE_ONLY)
    assert (rules.anchor, rules.max_rungs) == (Anchor.FILL, 3)


@pytest.mark.parametrize(("sessions", "start"), [("AIXK", "2005-01-03"), ("XSAU", "2019-01-01")])
def test_calendar_that_does_not_reach_the_start_is_refused(tmp_path: Path, sessions: str, start: str) -> None:
    study = written(tmp_path, changed((["sessions"], sessions), (["start"], start)))
    with pytest.raises(InputError) as refused:
        load_study(study)
    assert f"{study}: sessions: {sessions}: expected a calendar known from {start} to " in str(refused.value)
    assert "The earliest date from which calendar" in str(refused.value)
