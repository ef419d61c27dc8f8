"""Axes: where ticks fall and where values lie between the ends."""

import datetime as dt
import math

import pytest

from pipelines.report.numbers import compact, decimal, level, percent, typeset
from pipelines.report.scales import compact_percent, dates, linear, logarithmic


def test_linear_axis_ends_on_round_ticks_around_its_values_and_zero() -> None:
    axis = linear([3.0, 17.0], "units")
    assert axis.ticks == (0, 5, 10, 15, 20)
    assert (axis(0), axis(5), axis(20)) == (0, 0.25, 1)


def test_linear_axis_without_zero_stays_with_its_values() -> None:
    axis = linear([0.81, 0.83], "ratio", zero=False)
    assert axis.ticks[0] == pytest.approx(0.81)
    assert axis.ticks[-1] == pytest.approx(0.83)


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-2.0]])
def test_axis_of_a_single_value_has_room_and_zero_on_it(values: list[float]) -> None:
    axis = linear(values, "units")
    assert axis.low <= 0 <= axis.high
    assert axis.low < axis.high
    assert all(0 <= axis(value) <= 1 for value in values)


def test_logarithmic_axis_gives_equal_ratios_equal_distances() -> None:
    axis = logarithmic([1.0, 200.0], "growth")
    assert axis(10) - axis(1) == pytest.approx(axis(100) - axis(10))
    assert {1, 10, 100} <= set(axis.ticks)
    assert axis(math.sqrt(axis.low * axis.high)) == pytest.approx(0.5)


def test_logarithmic_axis_of_nearly_the_same_values_has_ticks() -> None:
    assert len(logarithmic([1.0, 1.0], "growth").ticks) >= 2


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        (dt.date(1990, 1, 2), dt.date(2022, 12, 28), ["1990", "1995", "2000", "2005", "2010", "2015", "2020"][1:]),
        (dt.date(2023, 1, 2), dt.date(2023, 12, 29), ["2023-04", "2023-07", "2023-10"]),
        (dt.date(2024, 1, 2), dt.date(2024, 1, 4), ["01-02", "01-03", "01-04"]),
        (dt.date(2024, 1, 2), dt.date(2024, 1, 2), ["01-02"]),
    ],
)
def test_dates_have_ticks_at_starts_of_years_of_months_or_on_days(
    first: dt.date, last: dt.date, labels: list[str]
) -> None:
    axis = dates(first, last)
    assert [axis.name(tick) for tick in axis.ticks] == labels
    assert axis(first.toordinal()) == 0


def test_numbers_are_written_for_people() -> None:
    assert decimal(-1234567.5, 1) == "−1\u202f234\u202f567.5"
    assert decimal(-0.001, 2) == "0.00"
    assert decimal(None) == percent(None) == "–"
    assert percent(-0.582) == "−58.2\u202f%"
    assert level(0.025) == "2.5\u202f%"
    assert [compact(value) for value in (0.5, 2500, 20_000, 2_500_000, -3e9)] == ["0.5", "2500", "20k", "2.5M", "−3G"]
    assert compact_percent(0.07) == "7"


def test_sentence_for_a_terminal_is_set_with_thin_spaces_and_keeps_its_commas() -> None:
    assert typeset("It returned 20,156.5 %, or 3, 4.") == "It returned 20\u202f156.5\u202f%, or 3, 4."
    assert typeset("-0.06 points (-0.40 to 0.27)") == "\u22120.06 points (\u22120.40 to 0.27)"
    # A date and a name keep what joins them.
    assert typeset("from 2020-01-02, BTC-USD, sd-8") == "from 2020-01-02, BTC-USD, sd-8"
