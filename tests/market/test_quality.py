"""The rules of judgement, each on a history that just breaks it and one that just does not."""

import datetime as dt

import numpy as np
import pytest
from support.price_histories import history, weekdays

from sd_core.market import quality
from sd_core.market.findings import Finding, to_table
from sd_core.market.raw import RawChange
from sd_core.schemas.lake import PRICE_FINDINGS

# Twenty weekdays, four weeks from Monday 2024-01-01 to Friday 2024-01-26, taken as the sessions.
MONTH = weekdays("2024-01-01", "2024-01-26")
SESSIONS = np.array(list(MONTH), dtype="datetime64[D]")


def without(first, last):
    return {day: price for day, price in MONTH.items() if not first <= day <= last}


def found(findings):
    return [(f.rule, str(f.first_session), str(f.last_session), f.sessions) for f in findings]


def every_weekday(start, end):
    return np.array(list(weekdays(start, end)), dtype="datetime64[D]")


def test_six_sessions_without_a_bar_are_a_hole():
    [hole] = quality.holes(history("A", without("2024-01-08", "2024-01-15")), SESSIONS)
    assert hole == Finding(
        "A",
        "hole",
        dt.date(2024, 1, 8),
        dt.date(2024, 1, 15),
        6,
        "A has no bar from 2024-01-08 to 2024-01-15, 6 sessions in a row.",
    )


def test_five_sessions_without_a_bar_are_not():
    assert not list(quality.holes(history("A", without("2024-01-08", "2024-01-12")), SESSIONS))


def test_every_hole_is_found_and_nothing_before_the_first_bar_or_after_the_last():
    bars = dict.fromkeys(("2024-01-09", "2024-01-18"), 1.0)
    assert found(quality.holes(history("A", bars), SESSIONS)) == [("hole", "2024-01-10", "2024-01-17", 6)]


def test_asset_that_trades_on_weekends_too_has_no_hole():
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-01-27"))
    assert not list(quality.holes(history("A", {str(day): 1.0 for day in days}), SESSIONS))


def test_weekly_stretch_of_daily_bars_is_sparse_and_no_row_of_holes():
    mondays = dict.fromkeys(["2023-12-11", "2023-12-18", "2023-12-25", "2024-01-01"], 100.0)
    monthly = dict.fromkeys(["2023-08-01", "2023-09-01", "2023-10-02", "2023-11-01", "2023-12-01"], 100.0)
    sessions = every_weekday("2023-08-01", "2024-01-26")
    rest = {day: price for day, price in MONTH.items() if day >= "2024-01-08"}
    judged = list(quality.judge_prices(history("A", monthly | mondays | rest), sessions))
    # From 1 August to 8 January there are 115 weekdays.
    assert found(judged) == [("sparse", "2023-08-01", "2024-01-08", 115)]
    assert judged[0].detail == (
        "A has 10 bars from 2023-08-01 to 2024-01-08, one every 10 days: volatility, Sharpe ratio and windows take "
        "them for bars of every session."
    )


def test_three_wide_gaps_in_a_row_are_not_sparse():
    mondays = ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22"]
    bars = dict.fromkeys([*mondays, "2024-01-23"], 100.0)
    assert not list(quality.sparse(history("A", bars), SESSIONS))


def test_last_bar_six_sessions_before_the_end_is_stale():
    shorter = without("2024-01-19", "2024-01-26")
    assert found(quality.stale(history("A", shorter), SESSIONS)) == [("stale", "2024-01-19", "2024-01-26", 6)]


def test_last_bar_five_sessions_before_the_end_is_not():
    assert not list(quality.stale(history("A", without("2024-01-22", "2024-01-26")), SESSIONS))


# There and back again: 151 is +51 % and -34 %, 150 is +50 % and -33 %, 50 is -50 % and +100 %, 49 is -51 % and +104 %.
@pytest.mark.parametrize(("close", "jumps"), [(151.0, 1), (150.0, 0), (50.0, 1), (49.0, 2)])
def test_close_that_moves_by_more_than_half_is_a_jump(close, jumps):
    bars = MONTH | {"2024-01-10": close}
    assert len(list(quality.jumps(history("A", bars), SESSIONS))) == jumps


def test_jump_names_both_bars():
    bars = {"2024-01-10": 100.0, "2024-01-11": 40.0}
    [jump] = quality.jumps(history("A", bars), SESSIONS)
    assert found([jump]) == [("jump", "2024-01-11", "2024-01-11", 1)]
    assert jump.detail == ("A closes at 40 on 2024-01-11, -60.0% against 100 on 2024-01-10, and no split is recorded.")


def test_jump_on_the_day_of_a_split_names_the_split():
    bars = {"2024-01-10": 100.0, "2024-01-11": 40.0}
    [jump] = quality.jumps(history("A", bars, splits={"2024-01-11": 2.0}), SESSIONS)
    assert jump.detail.endswith("-60.0% against 100 on 2024-01-10, and a split of 2 for 1 is recorded that day.")


def test_jump_on_a_saturday_counts_on_monday_and_one_after_the_last_session_waits():
    bars = {"2024-01-12": 100.0, "2024-01-13": 200.0, "2024-01-26": 200.0, "2024-01-27": 20.0}
    assert found(quality.jumps(history("A", bars), SESSIONS)) == [("jump", "2024-01-15", "2024-01-15", 1)]


YEARS = every_weekday("2020-01-01", "2023-12-29")
DAILY = weekdays("2020-01-01", "2023-12-29")
QUARTERLY = [f"{year}-{month}-15" for year in range(2020, 2024) for month in ("03", "06", "09", "12")]


def incomplete(payments, bars=DAILY):
    paying = history("A", bars, dividends=dict.fromkeys(payments, 1.0))
    return found(quality.dividends_incomplete(paying, YEARS))


def test_quarterly_dividends_are_complete():
    assert incomplete(QUARTERLY) == []


def test_asset_without_dividends_and_one_that_begins_to_pay_are_complete():
    assert incomplete([]) == []
    assert incomplete(QUARTERLY[8:]) == []


def test_special_dividend_shortly_after_another_is_no_rhythm():
    assert incomplete([*QUARTERLY, "2023-12-27"]) == []


def test_two_quarters_without_dividend_are_incomplete():
    # 2021-03-15 to 2021-12-15 is 275 days, three times the usual 91 or 92.
    payments = [day for day in QUARTERLY if day not in ("2021-06-15", "2021-09-15")]
    assert incomplete(payments) == [("dividends_incomplete", "2021-03-16", "2021-12-14", 196)]


def test_one_quarter_without_dividend_is_not():
    assert incomplete([day for day in QUARTERLY if day != "2021-06-15"]) == []


def test_dividends_that_end_long_before_the_bars_are_incomplete():
    # Weekdays from 2023-03-16, a Thursday, to 2023-12-29, a Friday: 2 + 41 × 5.
    [finding] = incomplete(QUARTERLY[:13])
    assert finding == ("dividends_incomplete", "2023-03-16", "2023-12-29", 207)


def test_single_dividend_in_more_than_two_years_is_incomplete():
    assert incomplete(["2021-05-05"]) == [("dividends_incomplete", "2020-01-01", "2023-12-29", len(YEARS))]


def test_single_dividend_in_a_year_is_not():
    assert incomplete(["2020-05-05"], weekdays("2020-01-01", "2020-12-31")) == []


def test_pause_that_lies_before_the_first_bar_is_nobodys_loss():
    payments = ["2020-01-15", "2021-03-15", *[day for day in QUARTERLY if day > "2021-03-15"]]
    assert incomplete(payments, weekdays("2021-04-01", "2023-12-29")) == []


def test_closes_only_have_no_intraday_range():
    assert found(quality.no_intraday_range(history("A", MONTH), SESSIONS)) == [
        ("no_intraday_range", "2024-01-01", "2024-01-26", 20)
    ]


def test_a_single_real_bar_is_a_range():
    assert not list(quality.no_intraday_range(history("A", MONTH | {"2024-01-10": [100, 101, 100, 100]}), SESSIONS))


def test_asset_that_begins_six_sessions_late_is_what_delays_the_study():
    late, early = history("A", without("2024-01-01", "2024-01-08")), history("B", MONTH)
    [finding] = quality.late_start([late, early], SESSIONS, 6, dt.date(2023, 12, 30))
    assert (finding.ticker, *found([finding])) == ("A", ("late_start", "2024-01-01", "2024-01-08", 6))
    assert finding.detail == (
        "The study was to begin on 2023-12-30 and begins on 2024-01-09, the first session with a bar of A."
    )


def test_study_that_begins_five_sessions_late_is_not_delayed():
    late = history("A", without("2024-01-01", "2024-01-05"))
    assert not list(quality.late_start([late], SESSIONS, 5, dt.date(2024, 1, 1)))


def test_study_that_holes_delay_is_named_as_a_whole():
    bars = {"A": without("2024-01-03", "2024-01-10"), "B": without("2024-01-01", "2024-01-02")}
    [finding] = quality.late_start(
        [history(ticker, prices) for ticker, prices in bars.items()], SESSIONS, 8, dt.date(2024, 1, 1)
    )
    assert (finding.ticker, finding.rule, finding.sessions) == (None, "late_start", 8)


def test_benchmark_that_begins_after_the_study_is_late():
    late = history("B", without("2024-01-01", "2024-01-03"))
    assert found(quality.benchmark_late(late, SESSIONS)) == [("benchmark_late", "2024-01-01", "2024-01-03", 3)]
    assert not list(quality.benchmark_late(history("B", MONTH), SESSIONS))


def test_benchmark_that_ends_before_the_study_is_early():
    early = history("B", without("2024-01-25", "2024-01-26"))
    assert found(quality.benchmark_early(early, SESSIONS)) == [("benchmark_early", "2024-01-25", "2024-01-26", 2)]
    assert not list(quality.benchmark_early(history("B", MONTH), SESSIONS))


def test_rate_that_begins_after_the_study_is_late():
    late = history("R", {"2024-01-03": 5.0})
    assert found(quality.rate_late(late, SESSIONS)) == [("rate_late", "2024-01-01", "2024-01-02", 2)]
    assert not list(quality.rate_late(history("R", {"2023-12-29": 5.0}), SESSIONS))


def test_rate_may_fall_to_nothing_and_below_but_not_go_missing():
    rate = {"2024-01-01": 0.01, "2024-01-02": -0.5, "2024-01-11": 5.0}
    assert found(quality.judge_rate(history("R", rate), SESSIONS)) == [
        ("hole", "2024-01-03", "2024-01-10", 6),
        ("stale", "2024-01-12", "2024-01-26", 11),
    ]


def test_rate_of_months_has_a_hole_where_a_month_is_missing():
    months = [f"2024-{month:02}-01" for month in range(1, 13)]
    sessions = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-12-02"))
    assert not list(quality.judge_rate(history("R", dict.fromkeys(months, 5.0)), sessions))
    [hole] = quality.judge_rate(history("R", dict.fromkeys(months[:5] + months[6:], 5.0)), sessions)
    assert found([hole]) == [("hole", "2024-05-02", "2024-06-30", 60)]


def test_changed_history_becomes_a_finding_with_its_dates():
    change = RawChange("A", 7, dt.date(2024, 1, 2), dt.date(2024, 1, 9), "bars", "2024-01-02 close 10 -> 1")
    finding = quality.history_changed(change)
    assert found([finding]) == [("history_changed", "2024-01-02", "2024-01-09", 7)]
    assert "2024-01-02 close 10 -> 1" in finding.detail


def test_failed_fetch_names_the_bars_used_and_why():
    finding = quality.fetch_failed(history("A", MONTH), "no answer")
    assert found([finding]) == [("fetch_failed", "2024-01-01", "2024-01-26", 20)]
    assert finding.detail == (
        "A could not be fetched, so the bars of 2024-12-31 are used, which end on 2024-01-26: no answer"
    )


def test_findings_make_a_table_of_their_columns_even_where_there_are_none():
    assert to_table([]).schema == PRICE_FINDINGS.arrow_schema
    rows = to_table([quality.hindsight(SESSIONS)]).to_pylist()
    assert [(row["ticker"], row["rule"], row["sessions"]) for row in rows] == [(None, "hindsight", 20)]
