"""Splits against prices: each recorded one that the prices do not follow, and each step that looks like one."""

import numpy as np
import pytest
from support.price_histories import history, weekdays

from sd_core.market import quality
from sd_core.market.splits import judge_splits

# Sixty weekdays; the split is on the thirtieth, 2024-02-12, a Monday.
DAYS = list(weekdays("2024-01-02", "2024-03-25"))
SPLIT = DAYS.index("2024-02-12")
SESSIONS = np.array(DAYS, dtype="datetime64[D]")


def bars(move=0.0, seed=2, spread=0.01):
    """Return bars of a share that moves by one percent a day, with its move on the day of the split."""
    moves = np.random.default_rng(seed).normal(0, 0.01, len(DAYS))
    moves[SPLIT] = move
    closes = 100 * np.exp(np.cumsum(moves))
    opens = np.append(100.0, closes[:-1]) * (1 + moves * 0.3)
    rows = np.column_stack([opens, closes])
    high, low = rows.max(axis=1) * (1 + spread / 2), rows.min(axis=1) * (1 - spread / 2)
    return dict(zip(DAYS, np.column_stack([opens, high, low, closes]).tolist(), strict=True))


def times(prices, factor, first, last=None):
    """Multiply bars from first to last, both included."""
    return {
        day: [price * factor for price in bar] if first <= day <= (last or DAYS[-1]) else bar
        for day, bar in prices.items()
    }


def closes(prices):
    return {day: bar[3] for day, bar in prices.items()}


def judged(prices, **events):
    return list(judge_splits(history("A", prices, **events), SESSIONS))


def found(findings):
    return [(one.rule, str(one.first_session), one.sessions) for one in findings]


# A missed split of n for m leaves prices before it n / m times too high.


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (2.0, "2 for 1"),
        (1.5, "3 for 2"),
        (4 / 3, "4 for 3"),
        (1.25, "5 for 4"),
        (3.0, "3 for 1"),
        (10.0, "10 for 1"),
        (2 / 3, "2 for 3"),
        (0.5, "1 for 2"),
        (0.1, "1 for 10"),
    ],
)
@pytest.mark.parametrize("move", [-0.015, 0.0, 0.01])
def test_missed_split_is_found_whatever_the_price_did_that_day(ratio, words, move):
    [one] = judged(times(bars(move), ratio, DAYS[0], DAYS[SPLIT - 1]))
    assert found([one]) == [("split_missed", "2024-02-12", 1)]
    assert f"as a split of {words} would do" in one.detail
    advice = f"divide the prices and dividends before it by {ratio:.6g}"
    if ratio < 1:
        advice = f"multiply the prices and dividends before it by {1 / ratio:.6g}"
    assert one.detail.endswith(f"If it was one, {advice}.")


def test_missed_split_on_a_rising_day_moves_less_than_half():
    # 2 for 1 and a rise of 1 %: 100 to 50.5, which is no jump.
    prices = times(bars(np.log(1.01)), 2.0, DAYS[0], DAYS[SPLIT - 1])
    assert not list(quality.jumps(history("A", prices), SESSIONS))
    assert found(quality.judge_prices(history("A", prices), SESSIONS)) == [("split_missed", "2024-02-12", 1)]


@pytest.mark.parametrize("ratio", [2.0, 1.5, 4 / 3, 1.25, 2 / 3])
def test_missed_split_of_closes_alone_is_found(ratio):
    assert found(judged(closes(times(bars(0.005, seed=3), ratio, DAYS[0], DAYS[SPLIT - 1])))) == (
        [("split_missed", "2024-02-12", 1)]
    )


def test_missed_split_is_found_among_few_bars():
    few = {day: bar for day, bar in bars(0.01).items() if DAYS[SPLIT - 4] <= day <= DAYS[SPLIT + 5]}
    assert found(judged(times(few, 2.0, DAYS[0], DAYS[SPLIT - 1]))) == [("split_missed", "2024-02-12", 1)]


@pytest.mark.parametrize("fall", [0.20, 0.25, 0.33])
def test_collapse_with_a_wide_day_and_a_wild_week_is_no_split(fall):
    prices = times(bars(), 1 - fall, DAYS[SPLIT])
    open_, high, low, close = prices[DAYS[SPLIT]]
    wide = prices | {DAYS[SPLIT]: [open_, high * 1.03, low * 0.97, close]}
    assert judged(wide) == []
    wild = prices
    for later, move in enumerate((0.94, 1.05, 0.95, 1.06, 0.96), start=1):
        wild = times(wild, move, DAYS[SPLIT + later])
    assert judged(wild) == []


def test_large_move_of_what_often_moves_so_is_no_split():
    moves = np.where(np.arange(len(DAYS)) % 2, 0.06, -0.06)
    moves[SPLIT] = -np.log(1.25)
    assert judged(dict(zip(DAYS, (100 * np.exp(np.cumsum(moves))).tolist(), strict=True))) == []


def test_step_across_a_hole_is_no_split():
    # The thirtieth weekday before the split is the first: six weeks without a bar.
    prices = {day: bar for day, bar in bars().items() if day >= "2024-02-12" or day <= "2024-01-12"}
    assert judged(times(prices, 2.0, DAYS[0], DAYS[SPLIT - 1])) == []


# A recorded split: the prices before it are divided by its ratio already.


def test_recorded_split_that_is_in_the_prices_is_sound():
    assert judged(bars(), splits={"2024-02-12": 10.0}) == []
    assert judged(bars(-0.03), splits={"2024-02-12": 1.5}) == []


@pytest.mark.parametrize("ratio", [10.0, 1.5, 0.1])
def test_recorded_split_that_is_not_in_the_prices_is_found(ratio):
    [one] = judged(times(bars(), ratio, DAYS[0], DAYS[SPLIT - 1]), splits={"2024-02-12": ratio})
    assert found([one]) == [("split_unapplied", "2024-02-12", 1)]
    assert f"A split of {ratio:g} for 1 of A is recorded on 2024-02-12" in one.detail
    assert one.detail.endswith(f"it is not worked into the earlier prices; divide them by {ratio:g}.")


def test_recorded_split_that_is_in_the_prices_twice_is_found():
    [one] = judged(times(bars(), 1 / 4, DAYS[0], DAYS[SPLIT - 1]), splits={"2024-02-12": 4.0})
    assert found([one]) == [("split_unapplied", "2024-02-12", 1)]
    assert one.detail.endswith("it is worked into the earlier prices twice; multiply them by 4.")


@pytest.mark.parametrize(
    ("applied", "first", "last", "factor"),
    [
        # Three days too early, the days between still count in old shares; three days too late, in shares split twice.
        (DAYS[SPLIT - 3], DAYS[SPLIT - 3], DAYS[SPLIT - 1], 4.0),
        (DAYS[SPLIT + 3], DAYS[SPLIT], DAYS[SPLIT + 2], 1 / 4),
    ],
)
def test_recorded_split_that_is_in_the_prices_of_another_day_is_found_once(applied, first, last, factor):
    [one] = judged(times(bars(), factor, first, last), splits={"2024-02-12": 4.0})
    assert found([one]) == [("split_unapplied", "2024-02-12", 1)]
    assert one.detail.endswith(f"it is worked into the prices on another day, {applied}.")


def test_split_recorded_with_another_ratio_than_that_of_the_prices_is_found():
    # 10 for 1 in truth, recorded and worked in as 5 for 1: a step of 2 for 1 is left.
    [one] = judged(times(bars(), 2.0, DAYS[0], DAYS[SPLIT - 1]), splits={"2024-02-12": 5.0})
    assert found([one]) == [("split_missed", "2024-02-12", 1)]


def test_split_of_a_spin_off_is_too_small_to_be_seen():
    assert judged(bars(-0.04), splits={"2024-02-12": 1.05}) == []


def test_step_of_a_recorded_split_is_reported_once():
    one = history("A", times(bars(), 10.0, DAYS[0], DAYS[SPLIT - 1]), splits={"2024-02-12": 10.0})
    assert found(quality.judge_prices(one, SESSIONS)) == [("split_unapplied", "2024-02-12", 1)]
