"""Dividends against prices and against each other: each rule just broken, and just not."""

import numpy as np
import pytest
from support.price_histories import history, weekdays

from sd_core.market.dividends import judge_dividends

DAYS = list(weekdays("2022-01-03", "2023-12-29"))
SESSIONS = np.array(DAYS, dtype="datetime64[D]")
QUARTERS = [f"{year}-{month}-15" for year in (2022, 2023) for month in ("03", "06", "09", "12")]
QUARTERLY = dict.fromkeys(QUARTERS, 0.5)


def bars(falls=None, seed=1):
    """Return bars around 100 that move by one percent a day; ``falls`` are falls at the open, by day."""
    moves = np.random.default_rng(seed).normal(0, 0.01, len(DAYS))
    # Back to the middle each day, so that the price stays near 100.
    closes = 100 * np.exp(np.convolve(moves, 0.97 ** np.arange(60))[: len(DAYS)])
    for day, fall in (falls or {}).items():
        closes[DAYS.index(day) :] *= 1 - fall
    opens = np.append(closes[0], closes[:-1]) * np.exp(moves * 0.3)
    for day, fall in (falls or {}).items():
        opens[DAYS.index(day)] *= 1 - fall
    rows = np.column_stack([opens, closes])
    table = np.column_stack([opens, rows.max(axis=1) * 1.002, rows.min(axis=1) * 0.998, closes])
    return dict(zip(DAYS, table.tolist(), strict=True))


def judged(dividends, prices=None, **events):
    paying = history("A", prices or bars(), dividends=dict(sorted(dividends.items())), **events)
    return list(judge_dividends(paying, SESSIONS))


def found(findings):
    return [(one.rule, str(one.first_session)) for one in findings]


def test_quarterly_payer_is_sound():
    assert judged(QUARTERLY) == []
    assert judged({day: 0.4 + 0.05 * number for number, day in enumerate(QUARTERS)}) == []


# 0.5 times an exchange rate, in hundredths, and a slip of the point; a price of about 100 does not fall by it.
@pytest.mark.parametrize(("factor", "shown"), [(1353, "1,353"), (100, "100"), (30, "30")])
def test_amount_that_the_price_does_not_show_is_found(factor, shown):
    [one] = judged(QUARTERLY | {"2023-06-15": 0.5 * factor})
    assert found([one]) == [("dividend_size", "2023-06-15")]
    assert f"A pays {0.5 * factor:g} per share on 2023-06-15" in one.detail
    assert f"Payments around it are about 0.5, and it is {shown} times that." in one.detail


def test_amount_in_pounds_among_pence_is_found():
    [one] = judged(dict.fromkeys(QUARTERS, 0.5) | {"2022-09-15": 0.005})
    assert found([one]) == [("dividend_size", "2022-09-15")]


def test_special_dividend_that_the_price_shows_is_sound():
    assert judged(QUARTERLY | {"2023-07-20": 15.0}, bars({"2023-07-20": 0.15})) == []
    assert judged(QUARTERLY | {"2023-07-20": 40.0}, bars({"2023-07-20": 0.40})) == []


def test_special_dividend_within_the_noise_of_the_price_is_sound():
    # Four usual moves, and eight times the others.
    assert judged(QUARTERLY | {"2023-07-20": 4.0}) == []


def test_first_payment_of_all_that_the_price_does_not_show_is_found():
    assert found(judged({"2023-06-15": 50.0})) == [("dividend_size", "2023-06-15")]
    assert judged({"2023-06-15": 0.5}) == []


@pytest.mark.parametrize(("again", "amount"), [("2023-06-16", 0.5), ("2023-06-20", 0.502)])
def test_payment_that_is_there_twice_is_found(again, amount):
    [one] = judged(QUARTERLY | {again: amount})
    assert found([one]) == [("dividend_twice", again)]
    assert one.detail == (
        f"A pays {amount} per share on {again} and 0.5 on 2023-06-15, though payments are weeks apart otherwise: it is "
        "one payment twice. Leave one of the rows out of A_dividends.csv."
    )


@pytest.mark.parametrize(("other", "amount"), [("2023-06-16", 0.3), ("2023-06-26", 0.5)])
def test_special_dividend_beside_a_regular_one_is_no_second_one(other, amount):
    assert judged(QUARTERLY | {other: amount}) == []


def test_weekly_payer_repeats_itself_rightly():
    assert judged(dict.fromkeys(DAYS[::5], 0.1)) == []
    assert judged(dict.fromkeys(DAYS[::4], 0.1)) == []


def test_amounts_in_shares_of_before_a_split_are_found():
    before = dict.fromkeys(QUARTERS[:4], 2.0)
    after = dict.fromkeys(QUARTERS[4:], 0.5)
    [one] = judged(before | after, splits={"2023-01-20": 4.0})
    assert (one.rule, str(one.first_session), str(one.last_session)) == (
        "dividend_unadjusted",
        "2022-03-15",
        "2022-12-15",
    )
    assert one.detail == (
        "A pays about 2 per share before the split of 4 for 1 on 2023-01-20 and about 0.5 after it: the dividends up "
        "to 2022-12-15 seem to count in shares of before. If so, divide them by 4 in A_dividends.csv."
    )


@pytest.mark.parametrize("raised", [1.0, 1.2, 2.5, 0.8])
def test_adjusted_amounts_around_a_split_are_sound_when_they_are_raised_or_cut(raised):
    dividends = dict.fromkeys(QUARTERS[:4], 0.5) | dict.fromkeys(QUARTERS[4:], 0.5 * raised)
    assert judged(dividends, splits={"2023-01-20": 4.0}) == []


def test_asset_without_dividends_has_nothing_to_judge():
    assert judged({}) == []
