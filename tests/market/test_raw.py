"""The raw store: versions, changes of the past, and fetches that cover less."""

import datetime as dt
from dataclasses import replace

import pandas as pd
import pytest
from support.price_histories import FETCHED, history, weekdays

from sd_core.lake import Lake
from sd_core.market import raw
from sd_core.market.sources.base import Remark

WEEK = weekdays("2024-01-01", "2024-01-05")
LATER = FETCHED + dt.timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def closes(lake, ticker="A"):
    bars = raw.load(lake, ticker).bars
    return {f"{day:%Y-%m-%d}": close for day, close in bars["close"].items()}


def kept(lake, ticker="A"):
    return lake.current(raw.DATASET, ticker).kept


def test_ticker_never_stored_loads_as_none(lake):
    assert raw.load(lake, "A") is None
    assert raw.changes(lake, "A") == ()


def test_stored_history_loads_as_it_was_fetched(lake):
    fetched = history(
        "^X-1",
        {"2024-01-02": [10, 12, 9, 11], "2024-01-03": [-1, 0.5, -2, 0]},
        dividends={"2024-01-03": 0.25},
        splits={"2024-01-03": 2},
        currency="EUR",
    )
    assert raw.store(lake, fetched) == raw.RawChange("^X-1")
    loaded = raw.load(lake, "^X-1")
    pd.testing.assert_frame_equal(loaded.bars, fetched.bars)
    pd.testing.assert_series_equal(loaded.dividends, fetched.dividends)
    pd.testing.assert_series_equal(loaded.splits, fetched.splits)
    assert (loaded.source, loaded.fetched_at, loaded.currency) == ("written by hand", FETCHED, "EUR")


def remark(day, detail="left out"):
    date = dt.date.fromisoformat(day)
    return Remark("left_out", date, date, 1, detail)


def test_remarks_come_back_and_those_of_dates_asked_again_are_renewed(lake):
    old = [remark("2023-12-29"), remark("2024-01-03"), remark("2024-01-08", "of before")]
    raw.store(lake, history("A", weekdays("2023-12-28", "2024-01-05"), remarks=old))
    assert raw.load(lake, "A").remarks == tuple(old)
    raw.store(lake, history("A", WEEK, remarks=[remark("2024-01-08")]))
    assert raw.load(lake, "A").remarks == (remark("2023-12-29"), remark("2024-01-08"))


def test_facts_have_source_time_currency_and_extent(lake):
    raw.store(lake, history("A", WEEK, currency="USD"))
    facts = lake.current(raw.DATASET, "A").facts
    assert {name: facts[name] for name in ("source", "fetched_at", "currency", "first", "last", "bars")} == {
        "source": "written by hand",
        "fetched_at": "2024-12-31T23:00:00+00:00",
        "currency": "USD",
        "first": "2024-01-01",
        "last": "2024-01-05",
        "bars": 5,
    }


def test_same_prices_fetched_again_are_no_change_but_keep_the_new_time(lake):
    raw.store(lake, history("A", WEEK))
    assert raw.store(lake, history("A", WEEK, fetched_at=LATER)).count == 0
    assert raw.load(lake, "A").fetched_at == LATER
    assert kept(lake) == ()


def test_fetch_that_only_appends_is_no_change(lake):
    raw.store(lake, history("A", WEEK))
    longer = weekdays("2024-01-01", "2024-01-09")
    assert raw.store(lake, history("A", longer, dividends={"2024-01-08": 1.0})).count == 0
    assert closes(lake) == longer
    assert kept(lake) == ()


def test_noise_below_single_precision_is_no_change(lake):
    raw.store(lake, history("A", WEEK))
    assert raw.store(lake, history("A", weekdays("2024-01-01", "2024-01-05", 100.0 * (1 + 1e-8)))).count == 0


def test_restated_bar_is_reported_with_date_old_and_new_and_the_old_version_kept(lake):
    raw.store(lake, history("A", WEEK))
    before = lake.current(raw.DATASET, "A").version
    change = raw.store(lake, history("A", WEEK | {"2024-01-03": [100, 101, 100, 101]}))
    day = dt.date(2024, 1, 3)
    assert change == raw.RawChange("A", 1, day, day, "bars", "2024-01-03 high 100 -> 101")
    assert closes(lake)["2024-01-03"] == 101
    assert kept(lake) == (before,)
    lake.prune()
    assert (lake.root / raw.DATASET / "A" / before / "bars.parquet").exists()


def test_bar_that_disappeared_and_bar_that_appeared_are_changes(lake):
    raw.store(lake, history("A", {day: price for day, price in WEEK.items() if day != "2024-01-02"}))
    change = raw.store(lake, history("A", {day: price for day, price in WEEK.items() if day != "2024-01-04"}))
    assert (change.count, change.first, change.last) == (2, dt.date(2024, 1, 2), dt.date(2024, 1, 4))
    assert change.example == "2024-01-02 open none -> 100"
    assert "2024-01-04" not in closes(lake)


def test_dividend_reported_late_is_a_change(lake):
    raw.store(lake, history("A", WEEK))
    change = raw.store(lake, history("A", WEEK, dividends={"2024-01-04": 0.5}))
    assert (change.count, change.what) == (1, "dividends")
    assert change.example == "2024-01-04 amount none -> 0.5"


def test_split_restates_the_past_and_every_kind_is_named(lake):
    raw.store(lake, history("A", WEEK, dividends={"2024-01-02": 1.0}))
    halved = weekdays("2024-01-01", "2024-01-08", 50.0)
    change = raw.store(lake, history("A", halved, dividends={"2024-01-02": 0.5}, splits={"2024-01-05": 2}))
    assert (change.count, change.what) == (7, "bars, dividends, splits")
    assert (change.first, change.last) == (dt.date(2024, 1, 1), dt.date(2024, 1, 5))
    assert change.example == "2024-01-01 open 100 -> 50"


def test_kept_versions_and_changes_accumulate_over_fetches(lake):
    versions = []
    for price in (100.0, 101.0, 102.0, 102.0):
        raw.store(lake, history("A", WEEK | {"2024-01-03": price}))
        versions.append(lake.current(raw.DATASET, "A").version)
    assert kept(lake) == tuple(versions[:2])
    examples = [change.example for change in raw.changes(lake, "A")]
    assert examples == ["2024-01-03 open 100 -> 101", "2024-01-03 open 101 -> 102"]


def test_fetch_that_covers_less_loses_nothing(lake):
    raw.store(lake, history("A", WEEK, dividends={"2024-01-01": 1.0, "2024-01-05": 2.0}, splits={"2024-01-01": 3}))
    change = raw.store(lake, history("A", {day: WEEK[day] for day in ("2024-01-03", "2024-01-04")}))
    loaded = raw.load(lake, "A")
    assert change.count == 0
    assert closes(lake) == WEEK
    assert loaded.dividends.tolist() == [1.0, 2.0]
    assert loaded.splits.tolist() == [3.0]


def test_dividend_after_the_last_bar_is_stored_once_when_it_is_fetched_again(lake):
    paying = history("A", WEEK, dividends={"2024-01-08": 2.0})
    raw.store(lake, paying)
    raw.store(lake, paying)
    assert raw.load(lake, "A").dividends.tolist() == [2.0]


def test_restated_bar_in_a_shorter_fetch_leaves_the_others_in_place(lake):
    raw.store(lake, history("A", WEEK))
    raw.store(lake, history("A", weekdays("2024-01-03", "2024-01-05") | {"2024-01-05": 90}))
    assert closes(lake) == WEEK | {"2024-01-05": 90}


def test_shorter_fetch_after_a_split_is_not_joined_to_bars_of_the_old_basis(lake):
    raw.store(lake, history("A", WEEK))
    before = lake.current(raw.DATASET, "A").version
    shorter = weekdays("2024-01-03", "2024-01-08", 50.0)
    raw.store(lake, history("A", shorter, splits={"2024-01-08": 2}))
    assert closes(lake) == shorter
    assert kept(lake) == (before,)


def test_fetch_of_other_dates_joins_without_change_and_the_gap_may_be_filled_later(lake):
    raw.store(lake, history("A", weekdays("2024-01-01", "2024-01-05")))
    assert raw.store(lake, history("A", weekdays("2024-01-15", "2024-01-19"))).count == 0
    assert len(closes(lake)) == 10
    whole = weekdays("2024-01-01", "2024-01-19")
    assert raw.store(lake, history("A", whole)).count == 0
    assert closes(lake) == whole
    assert kept(lake) == ()


def test_fetch_of_other_dates_after_a_split_replaces_and_keeps_the_old_basis(lake):
    raw.store(lake, history("A", WEEK, fetched_at=dt.datetime(2024, 1, 6, tzinfo=dt.UTC)))
    before = lake.current(raw.DATASET, "A").version
    after = weekdays("2024-01-08", "2024-01-12", 50.0)
    assert raw.store(lake, history("A", after, splits={"2024-01-08": 2})).count == 0
    assert closes(lake) == after
    assert kept(lake) == (before,)


def test_tickers_do_not_touch_each_other(lake):
    raw.store(lake, history("A", WEEK))
    raw.store(lake, replace(history("A", weekdays("2024-01-01", "2024-01-05", 7.0)), ticker="B"))
    assert closes(lake, "A") == WEEK
    assert closes(lake, "B")["2024-01-01"] == 7.0


def test_whole_source_drops_what_it_no_longer_has_and_the_earlier_version_stays(lake):
    raw.store(lake, replace(history("A", WEEK), whole=True))
    (earlier,) = [lake.current(raw.DATASET, "A").version]
    shorter = {day: price for day, price in WEEK.items() if day <= "2024-01-03"}
    raw.store(lake, replace(history("A", shorter), whole=True))
    assert list(closes(lake)) == list(shorter)
    assert kept(lake) == (earlier,)
    raw.store(lake, replace(history("A", shorter), whole=True))
    assert kept(lake) == (earlier,)  # nothing more was left behind


def test_prices_of_another_source_are_not_joined(lake):
    raw.store(lake, replace(history("A", WEEK), whole=True))
    next_week = weekdays("2024-01-08", "2024-01-12", price=5)
    raw.store(lake, history("A", next_week))
    assert closes(lake) == next_week
