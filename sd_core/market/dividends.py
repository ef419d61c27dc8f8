"""Dividends against prices and against each other: amounts that cannot be, payments twice, amounts in old shares.

Payments that are missing belong in ``quality``; those that a source states in another currency, in the sources.
"""

from collections.abc import Iterator

import numpy as np

from sd_core.market.arrays import Dates, Floats
from sd_core.market.findings import Finding, span_of
from sd_core.market.sessions import calendar_days, next_session
from sd_core.market.sources.base import PriceHistory
from sd_core.market.splits import Steps, steps_of

# A price falls by the dividend, give or take a usual move. Where it falls by less than half of one that is so many
# usual moves large, and this much of the price, there was no such dividend.
FEWEST_MOVES = 6.0
LARGE = 0.05
# With too few bars to know what is usual, this much of the price.
LARGE_ANYHOW = 0.5
# Other payments of about the same time, and how many say what is usual.
NEIGHBOURS = 8
FEWEST_NEIGHBOURS = 3
MUCH_MORE = 20.0
MUCH_LESS = 1 / 50
# Days apart and relative difference of a payment that is there twice, and the rhythm in which none comes so soon.
TWICE_WITHIN = 5
SAME_AMOUNT = 0.01
SHORTEST_RHYTHM = 20
# Payments on either side of a split that are compared, and the smallest split that shows in them.
AROUND_SPLIT = 4
LEAST_SPLIT = 1.4


def judge_dividends(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield dividends that cannot be, by price and neighbours, payments that are there twice, and those in old shares.

    Args:
        history: within the range that the study asks for.
        sessions: all of that range.
    """
    if history.dividends.empty or len(history.bars) < 2:
        return
    dates, amounts = calendar_days(history.dividends.index), history.dividends.to_numpy(np.float64)
    position = next_session(dates, sessions)
    steps = steps_of(history)
    twice = set(_twice(dates, amounts))
    for payment in np.flatnonzero(position < len(sessions)).tolist():
        if payment in twice:
            rule, sentence = "dividend_twice", _twice_in_words(history.ticker, dates, amounts, payment)
        elif (odd := _odd_size(history.ticker, steps, dates, amounts, payment)) is not None:
            rule, sentence = "dividend_size", odd
        else:
            continue
        yield span_of(sessions, position[payment], position[payment]).finding(rule, history.ticker, sentence)
    yield from _in_old_shares(history, dates, amounts, sessions)


def _twice(dates: Dates, amounts: Floats) -> Iterator[int]:
    """Yield every payment that repeats the one before within days, though payments are weeks apart otherwise."""
    pauses = np.diff(dates).astype(np.int64)
    for pause in np.flatnonzero(pauses <= TWICE_WITHIN).tolist():
        others = np.delete(pauses, pause)
        same = abs(amounts[pause + 1] - amounts[pause]) <= SAME_AMOUNT * amounts[pause]
        if same and (len(others) == 0 or np.median(others) > SHORTEST_RHYTHM):
            yield pause + 1


def _twice_in_words(ticker: str, dates: Dates, amounts: Floats, payment: int) -> str:
    return (
        f"{ticker} pays {amounts[payment]:.6g} per share on {dates[payment]} and {amounts[payment - 1]:.6g} on "
        f"{dates[payment - 1]}, though payments are weeks apart otherwise: it is one payment twice. Leave one of the "
        f"rows out of {ticker}_dividends.csv."
    )


def _odd_size(ticker: str, steps: Steps, dates: Dates, amounts: Floats, payment: int) -> str | None:
    """Return what is wrong with the amount of a payment, or None."""
    at = int(np.searchsorted(steps.dates, dates[payment]))
    if at == len(steps.dates):
        return None
    amount, price = amounts[payment], steps.close_before[at]
    share, fall = amount / price, 1.0 - steps.first_price[at] / price
    usual = _usual_amount(amounts, payment)
    times = amount / usual if usual is not None else 1.0
    fell = fall >= share / 2
    if fell and times > MUCH_LESS:
        return None
    if share < _large(steps, at) and MUCH_LESS < times < MUCH_MORE:
        return None
    shown = f"{times:,.0f}" if times >= 10 else f"{times:.3g}"
    compared = "" if usual is None else f" Payments around it are about {usual:.6g}, and it is {shown} times that."
    moved = f"{-fall:+.1%}" if abs(fall) >= 0.0005 else "unchanged"
    return (
        f"{ticker} pays {amount:.6g} per share on {dates[payment]}, {share:.1%} of the close before, {price:.6g}; the "
        f"price on the day, {steps.first_price[at]:.6g}, is {moved}.{compared} Look for another unit or a slip, and "
        f"write the amount in {ticker}_dividends.csv."
    )


def _large(steps: Steps, at: int) -> float:
    """Return the share of the price from which on a dividend must show in it."""
    usual = steps.usual(steps.overnight, at)
    return max(LARGE, FEWEST_MOVES * usual) if np.isfinite(usual) else LARGE_ANYHOW


def _usual_amount(amounts: Floats, payment: int) -> float | None:
    """Return the median of the payments around one, itself left out, or None where there are too few."""
    first = max(0, min(payment - NEIGHBOURS // 2, len(amounts) - NEIGHBOURS - 1))
    around = np.delete(amounts[first : first + NEIGHBOURS + 1], payment - first)
    return float(np.median(around)) if len(around) >= FEWEST_NEIGHBOURS else None


def _in_old_shares(history: PriceHistory, dates: Dates, amounts: Floats, sessions: Dates) -> Iterator[Finding]:
    """Yield recorded splits by whose ratio the payments before are larger than those after: they were not adjusted."""
    for day, ratio in zip(calendar_days(history.splits.index), history.splits.to_numpy(np.float64), strict=True):
        split = int(np.searchsorted(dates, day))
        before, after = amounts[max(0, split - AROUND_SPLIT) : split], amounts[split : split + AROUND_SPLIT]
        if len(before) < 2 or len(after) < 1 or abs(np.log(ratio)) < np.log(LEAST_SPLIT):
            continue
        step = float(np.median(before) / np.median(after))
        # Nearer to the ratio than to no step at all, on a scale of ratios.
        position = next_session(dates[:split], sessions)
        if position[-1] < len(sessions) and abs(np.log(step / ratio)) < abs(np.log(step)):
            sentence = (
                f"{history.ticker} pays about {np.median(before):.6g} per share before the split of {ratio:.6g} for 1 "
                f"on {day} and about {np.median(after):.6g} after it: the dividends up to {dates[split - 1]} seem to "
                f"count in shares of before. If so, divide them by {ratio:.6g} in {history.ticker}_dividends.csv."
            )
            span = span_of(sessions, position[0], position[-1])
            yield span.finding("dividend_unadjusted", history.ticker, sentence)
