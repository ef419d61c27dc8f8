"""Returns of 1 hour, 4 hours, a day and a week of UTC from hourly closes: worked by hand, and planted."""

import datetime as dt

import numpy as np
import pytest

from sd_core.analytics.hourly import correlations, marks_of, returns_of


def hours(closes: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return hours by their beginning, such as ``2024-06-04 13:30``."""
    begins = [int(dt.datetime.fromisoformat(f"{time}+00:00").timestamp()) for time in closes]
    return np.array(begins), np.array(list(closes.values()))


def marked(closes: dict[str, float], other: dict[str, float] | None = None):
    return marks_of(hours(closes), hours(other or closes))


def times(marks) -> list[str]:
    return [str(moment)[5:] for moment in marks.times.astype("datetime64[s]").astype("datetime64[m]")]


def test_hours_of_one_exchange_meet_at_their_ends():
    marks = marked(
        {"2024-06-04 13:30": 1.0, "2024-06-04 14:30": 2.0}, {"2024-06-04 14:30": 3.0, "2024-06-04 15:30": 4.0}
    )
    assert (times(marks), marks.apart) == (["06-04T15:30"], 0)
    assert (np.exp(marks.one).tolist(), np.exp(marks.other).tolist()) == (pytest.approx([2]), pytest.approx([3]))


def test_half_hours_meet_the_newest_full_hour_before():
    """New York's first hour ends at 14:30 UTC, where bitcoin's newest close is that of 14:00."""
    bitcoin = {f"2024-06-04 {hour:02}:00": float(hour) for hour in range(10, 20)}
    shares = {"2024-06-04 13:30": 5.0, "2024-06-04 14:30": 6.0}
    for marks, own, other in (
        (marked(shares, bitcoin), "one", "other"),
        (marked(bitcoin, shares), "other", "one"),
    ):
        assert (times(marks), marks.apart) == (["06-04T14:30", "06-04T15:30"], 30)
        assert np.exp(getattr(marks, own)) == pytest.approx([5, 6])
        assert np.exp(getattr(marks, other)) == pytest.approx([13, 14])


def test_close_that_is_an_hour_old_is_none():
    assert times(marked({"2024-06-04 13:30": 1.0}, {"2024-06-04 12:30": 1.0})) == []


DAYS = {
    "2024-06-04 13:30": 1.0,
    "2024-06-04 14:30": 2.0,
    "2024-06-04 17:30": 3.0,  # two hours are missing
    "2024-06-04 23:00": 5.0,  # ends at midnight, and belongs to the 4th
    "2024-06-05 13:30": 8.0,
    "2024-06-07 13:30": 13.0,  # a Friday
    "2024-06-10 13:30": 21.0,
    "2024-06-17 13:30": 34.0,
    "2024-06-18 13:30": 55.0,
}


@pytest.mark.parametrize(
    ("frequency", "ratios"),
    [
        ("1h", [2 / 1]),
        # From 12 to 16, to 20, to 24; the night is none.
        ("4h", [3 / 2, 5 / 3]),
        # The newest day, and the newest week, may not be over.
        ("1d", [8 / 5, 13 / 8, 21 / 13, 34 / 21]),
        ("1w", [21 / 13]),
    ],
)
def test_returns_are_between_the_last_marks_of_periods(frequency, ratios):
    one, other = returns_of(marked(DAYS), frequency)
    assert np.exp(one) == pytest.approx(ratios)
    assert np.exp(other) == pytest.approx(ratios)


def test_gap_of_more_than_ten_days_is_no_return_of_a_day():
    closes = {"2024-06-04 13:30": 1.0, "2024-06-14 13:30": 2.0, "2024-06-25 13:30": 3.0, "2024-06-26 13:30": 4.0}
    assert np.exp(returns_of(marked(closes), "1d")[0]) == pytest.approx([2])


@pytest.fixture(scope="module")
def planted():
    """Return two shares that trade seven hours on weekdays, and a coin round the clock, of planted correlations."""
    rng = np.random.default_rng(9)
    first = int(dt.datetime(2023, 1, 2, tzinfo=dt.UTC).timestamp())
    clock = first + 3600 * np.arange(24 * 364)
    steps = rng.multivariate_normal([0, 0, 0], [[1, 0.6, 0.3], [0.6, 1, 0.3], [0.3, 0.3, 1]], len(clock)) * 0.003
    prices = np.exp(np.cumsum(steps, axis=0))
    weekday = (clock // 86_400 + 3) % 7
    open_ = (weekday < 5) & (clock % 86_400 >= 14 * 3600) & (clock % 86_400 < 21 * 3600)
    return {
        "AAA": (clock[open_], prices[open_, 0]),
        "BBB": (clock[open_], prices[open_, 1]),
        "COIN": (clock, prices[:, 2]),
    }


def test_planted_correlations_lie_within_their_intervals(planted):
    rows = {(row["frequency"], row["ticker_a"], row["ticker_b"]): row for row in correlations(planted)}
    assert len(rows) == 4 * 3
    for (frequency, first, second), row in rows.items():
        expected = 0.6 if (first, second) == ("AAA", "BBB") else 0.3
        # Of twelve intervals one in twenty may miss; so wide a margin misses none.
        margin = 1.5 * (row["correlation_high"] - row["correlation_low"]) / 2
        assert abs(row["correlation"] - expected) < margin, frequency
        assert row["minutes_apart"] == 0
        assert (row["first_date"], row["last_date"]) == (dt.date(2023, 1, 2), dt.date(2023, 12, 29))
    of_shares = {frequency: rows[(frequency, "AAA", "BBB")]["observations"] for frequency in ("1h", "4h", "1d", "1w")}
    # 260 weekdays of 7 hours: 6 returns of an hour, 2 of four hours (14-16, 16-20, 20-21), one a day, one a week.
    assert of_shares == {"1h": 260 * 6, "4h": 260 * 2 - 1, "1d": 258, "1w": 50}


def test_interval_is_that_of_fishers_transform(planted):
    row = next(row for row in correlations(planted) if row["frequency"] == "1d")
    for end, sign in (("correlation_low", -1), ("correlation_high", 1)):
        expected = np.arctanh(row["correlation"]) + sign * 1.959964 / np.sqrt(row["observations"] - 3)
        assert np.arctanh(row[end]) == pytest.approx(expected, rel=1e-6)


def test_reasons_for_no_correlation(planted):
    begins, closes = planted["AAA"]
    flat = (begins, np.ones(len(begins)))
    short = (begins[:20], closes[:20])
    never = (begins + 12 * 3600, closes)
    for other, missing in ((flat, "one of the two did not move"), (short, "fewer than 30 returns"), (never, None)):
        row = next(correlations({"AAA": planted["AAA"], "ZZZ": other}))
        assert "correlation" not in row
        assert row["missing"] == (missing or "no hour in common")
