"""Splits against prices: recorded ones that the prices do not follow, and steps that look like one no one recorded.

Prices are split-adjusted, so a split leaves no step. What else a large step may be belongs in ``quality``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sd_core.market.arrays import Dates, Floats
from sd_core.market.findings import Finding, span_of
from sd_core.market.sessions import calendar_days, next_session
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory

# New shares per old one, as companies choose them; each the other way round, too.
RATIOS = tuple(
    sorted(
        {
            ratio
            for old in (1, 2, 3, 4)
            for new in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)
            if (old == 1 or new == old + 1)
            for ratio in (Fraction(new, old), Fraction(old, new))
        }
    )
)
# A step of 5 for 4, the smallest, is 0.22 as a logarithm; on a day on which the price rose by 4 % it is this.
LEAST_STEP = 0.18
# Bars on either side that say how much a price usually moves, and the fewest that can.
AROUND = 30
FEWEST_AROUND = 4
# A step that is none of the market's is so many usual moves away; of closes alone, which have no open to show that it
# came overnight, more.
FEWEST_MOVES = 8.0
FEWEST_MOVES_OF_CLOSES = 18.0
# What is left of it once the ratio is taken out is the market's: so many usual moves, or less than this anyhow.
REMAINDER = 2.0
LEAST_REMAINDER = 0.02
# Steps of half the price and more are the market's so rarely that the rest of the day need not be looked at.
LARGE = 0.6
LEAST_REMAINDER_OF_LARGE = 0.05
# After smaller ones the day's range and the next days' moves must be ordinary, as they are not when a price collapses.
ORDINARY = 2.0
DAYS_AFTER = 5
LEAST_MOVE = 0.004
# A step across a hole in the bars may be of all the time between.
LONGEST_PAUSE = 10
# A recorded split is a step of its own where it is so many usual moves large.
FEWEST_MOVES_OF_SPLIT = 4.0
# A recorded split is found in the prices within so many bars of its day, and this near to its ratio.
BARS_OFF = 10
NEAR_RATIO = 0.1


@dataclass(frozen=True)
class Steps:
    """The steps from each bar to the next, as logarithms.

    Attributes:
        dates: of the bar that a step leads to, shape (steps,).
        close_before, first_price: the two prices; the first of a bar is its open, or its close where it has no range.
        overnight: of close_before to first_price.
        daily: of close to close.
        days: from bar to bar.
        ranges: of the bar's high to its low, relative to the usual one; 0 of closes alone.
        closes_only: whether most bars have no range.
    """

    dates: Dates
    close_before: Floats
    first_price: Floats
    overnight: Floats
    daily: Floats
    days: Floats
    ranges: Floats
    closes_only: bool

    def usual(self, moves: Floats, at: int) -> float:
        """Return the usual size of moves around one, itself left out; infinity where there are too few others."""
        around = np.delete(moves[max(0, at - AROUND) : at + AROUND + 1], min(at, AROUND))
        if len(around) < FEWEST_AROUND:
            return np.inf
        # Nine of ten normal moves are within 1.645 standard deviations; the tenth may be another step.
        return float(np.quantile(np.abs(around), 0.9) / 1.645)


def steps_of(history: PriceHistory) -> Steps:
    """Return the steps of a history with at least two bars."""
    open_, high, low, close = history.bars[BAR_COLUMNS].to_numpy(np.float64).T
    dates = calendar_days(history.bars.index)
    closes_only = bool(2 * np.count_nonzero(high == low) > len(close))
    first_price = (close if closes_only else open_)[1:]
    ranges = np.log(high / low)[1:]
    usual_range = np.median(ranges) if not closes_only else 1.0
    return Steps(
        dates=dates[1:],
        close_before=close[:-1],
        first_price=first_price,
        overnight=np.log(first_price / close[:-1]),
        daily=np.diff(np.log(close)),
        days=np.diff(dates).astype(np.float64),
        ranges=ranges / max(float(usual_range), 1e-12),
        closes_only=closes_only,
    )


def judge_splits(history: PriceHistory, sessions: Dates) -> Iterator[Finding]:
    """Yield recorded splits that the prices do not follow, then steps that look like a split that is not recorded."""
    if len(history.bars) < FEWEST_AROUND:
        return
    steps = steps_of(history)
    position = next_session(steps.dates, sessions)
    explained: set[int] = set()
    for day, ratio in zip(calendar_days(history.splits.index), history.splits.to_numpy(np.float64), strict=True):
        at = int(np.searchsorted(steps.dates, day))
        if at < len(steps.dates) and position[at] < len(sessions) and (said := _recorded(history, steps, at, ratio)):
            sentence, others = said
            explained |= {at, *others}
            yield span_of(sessions, position[at], position[at]).finding("split_unapplied", history.ticker, sentence)
    for step in np.flatnonzero(np.abs(steps.overnight) >= LEAST_STEP).tolist():
        if step not in explained and position[step] < len(sessions) and (missed := _missed(steps, step)) is not None:
            yield span_of(sessions, position[step], position[step]).finding(
                "split_missed", history.ticker, _missed_in_words(history.ticker, steps, step, missed)
            )


def _recorded(history: PriceHistory, steps: Steps, at: int, ratio: float) -> tuple[str, list[int]] | None:
    """Return what is wrong with a recorded split and which other steps that explains; None where nothing is."""
    size, step = np.log(ratio), steps.overnight[at]
    usual = steps.usual(steps.overnight, at)
    # The step of a small ratio could be the market's; one that is nearer to none than to the ratio was adjusted.
    if abs(size) < max(LEAST_STEP, FEWEST_MOVES_OF_SPLIT * usual) or abs(step) <= abs(size) / 2:
        return None
    if abs(abs(step) - abs(size)) > max(NEAR_RATIO, 3 * usual):
        return None
    seen = (
        f"A split of {ratio:.6g} for 1 of {history.ticker} is recorded on {steps.dates[at]}, where the price goes from "
        f"{steps.close_before[at]:.6g} to {steps.first_price[at]:.6g}: "
    )
    near = range(max(0, at - BARS_OFF), min(len(steps.dates), at + BARS_OFF + 1))
    back = [other for other in near if other != at and abs(steps.overnight[other] + step) < NEAR_RATIO]
    if back:
        return f"{seen}it is worked into the prices on another day, {steps.dates[back[0]]}.", back[:1]
    if np.sign(step) == np.sign(size):
        return f"{seen}it is worked into the earlier prices twice; multiply them by {ratio:.6g}.", []
    return f"{seen}it is not worked into the earlier prices; divide them by {ratio:.6g}.", []


def _missed(steps: Steps, at: int) -> Fraction | None:
    """Return the ratio of a split that a step looks like, or None.

    Without the ratio the step is none of the market's, with it a usual one.
    """
    ratio = min(RATIOS, key=lambda one: abs(steps.overnight[at] + np.log(float(one))))
    size = np.log(float(ratio))
    daily = steps.usual(steps.daily, at)
    fewest = FEWEST_MOVES_OF_CLOSES if steps.closes_only else FEWEST_MOVES
    if not np.isfinite(daily) or steps.days[at] > LONGEST_PAUSE or abs(steps.overnight[at]) < fewest * daily:
        return None
    large = abs(size) >= LARGE
    least = LEAST_REMAINDER_OF_LARGE if large else LEAST_REMAINDER
    remainders = (
        (abs(steps.overnight[at] + size), steps.usual(steps.overnight, at)),
        (abs(steps.daily[at] + size), daily),
    )
    if any(left > max(REMAINDER * usual, least) for left, usual in remainders):
        return None
    return ratio if large or _ordinary_otherwise(steps, at, daily) else None


def _ordinary_otherwise(steps: Steps, at: int, daily: float) -> bool:
    """Return whether the range of the day and the moves of the next days are usual ones."""
    after = np.abs(steps.daily[at + 1 : at + 1 + DAYS_AFTER])
    # The mean size of a normal move is 0.8 standard deviations.
    calm = len(after) == 0 or float(after.mean()) <= max(ORDINARY * 0.8 * daily, LEAST_MOVE)
    return calm and (steps.closes_only or bool(steps.ranges[at] <= ORDINARY))


def _missed_in_words(ticker: str, steps: Steps, at: int, ratio: Fraction) -> str:
    change = np.exp(steps.overnight[at]) - 1.0
    verb, factor = ("divide", ratio) if ratio > 1 else ("multiply", 1 / ratio)
    return (
        f"{ticker} goes from {steps.close_before[at]:.6g} to {steps.first_price[at]:.6g} on {steps.dates[at]}, "
        f"{change:+.1%}, as a split of {ratio.numerator} for {ratio.denominator} would do that no one recorded. If it "
        f"was one, {verb} the prices and dividends before it by {float(factor):.6g}."
    )
