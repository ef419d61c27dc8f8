"""The meta-allocator: what an evaluation makes of the satellites' targets, and which cash it moves.

Functions of numbers and arrays, which compiled code can call too; those of a satellite have one number each, in the
plan's order. What a record comes to belongs in ``measures``, what is kept of an evaluation in ``evaluation``.
"""

import math

import numpy as np

from sd_core.buckets.deposits import total_of, whole_units
from sd_core.buckets.rules import ACTIVE, EDGE, HIBERNATING, above
from sd_core.market.arrays import Floats, Integers
from sd_core.schemas.kinds import Probation

PENDING, PASSED = Probation.PENDING.value, Probation.PASSED.value
EXTENDED, FAILED = Probation.EXTENDED.value, Probation.FAILED.value

# Sessions of the two windows, and what the longer one counts.
LONG_WINDOW, RECENT_WINDOW = 252, 63
OF_LONG, OF_RECENT = 0.75, 0.25
# A satellite with fewer round trips in the long window keeps its target.
FEWEST_TRADES = 5
PROBATION_DAYS = 182
# What a good and a bad record in the present regime make of a weight, and how much of a record that takes.
TILT_UP, TILT_DOWN = 1.25, 0.75
TILT_SESSIONS, TILT_EPISODES = 63, 2
DAMPING = 0.5
# Two-sided, at 95 %.
DISTINGUISHED_FROM = 1.96


def bounded(measure: float, low: float, high: float) -> float:
    """Return a measure within its bounds; 0 for none."""
    return 0.0 if math.isnan(measure) else min(max(measure, low), high)


def score_of(
    sharpe_ratio: float, sortino_ratio: float, profit_factor: float, win_rate: float, calmar_ratio: float
) -> float:
    """Return the score of a window: its measures within bounds, weighted; those that there are not count 0.

    0.3 Sharpe + 0.3 Sortino + 0.2 (profit factor - 1) + 0.1 win rate + 0.1 Calmar.

    >>> round(score_of(1.2, 1.8, 1.5, 0.6, 0.9), 12)
    1.15
    """
    return (
        0.3 * bounded(sharpe_ratio, -3.0, 3.0)
        + 0.3 * bounded(sortino_ratio, -4.0, 4.0)
        + 0.2 * bounded(profit_factor - 1.0, -1.0, 2.0)
        + 0.1 * bounded(win_rate, 0.0, 1.0)
        + 0.1 * bounded(calmar_ratio, -3.0, 3.0)
    )


def blended(long_score: float, recent_score: float) -> float:
    """Return the score of a satellite from those of its two windows."""
    return OF_LONG * long_score + OF_RECENT * recent_score


def probation_after(probation: int, status: int, days_active: int, trades: int, score: float) -> int:
    """Return the :class:`~sd_core.schemas.kinds.Probation` of a satellite after an evaluation.

    It is judged at the first evaluation at least 182 days after it first became active, while it is active: fewer than
    five round trips extend it, a score above 0 passes. Who failed sleeps, and is judged again once awake.

    Args:
        probation: before.
        status: a :class:`~sd_core.schemas.kinds.Status`.
        days_active: since it first became active.
        trades: round trips closed in the long window.
        score: the blended one.
    """
    if probation == PASSED or status != ACTIVE or days_active < PROBATION_DAYS:
        return PASSED if probation == PASSED else PENDING
    if trades < FEWEST_TRADES:
        return EXTENDED
    return PASSED if above(score, 0.0) else FAILED


def is_member(status: int, probation: int, trades: int) -> bool:
    """Return whether the target of a satellite takes part: awake or asleep, through its probation, with a record."""
    return status in (ACTIVE, HIBERNATING) and probation == PASSED and trades >= FEWEST_TRADES


def tilt_of(mean_return: float, sessions: int, episodes: int) -> float:
    """Return what the record of a satellite in the present regime makes of its weight.

    Args:
        mean_return: of its sessions in this regime.
        sessions: how many those were; below 63 they say nothing.
        episodes: how many times the regime came; one says nothing.
    """
    if sessions < TILT_SESSIONS or episodes < TILT_EPISODES or mean_return == 0.0:
        return 1.0
    return TILT_UP if mean_return > 0.0 else TILT_DOWN


def weights_of(scores: Floats, tilts: Floats) -> Floats:
    """Return the weights of the members: their scores where those are positive, else equal ones, times their tilts."""
    weights = np.zeros(len(scores))
    for each in range(len(scores)):
        if above(scores[each], 0.0):
            weights[each] = scores[each]
    if total_of(weights) == 0.0:
        weights[:] = 1.0
    return weights * tilts


def clamped_shares(weights: Floats, least: Floats, most: Floats, pool: float) -> tuple[Floats, bool]:
    """Return shares of a pool in proportion to weights within bounds, and whether the pool is too small for them.

    The shares are clamp(λ · weight, least, most) for the λ at which they add up to the pool; where every λ leaves some
    of it over, they are those of the highest. λ is solved for between the two neighbouring points at which a share
    reaches a bound, so it is exact but for rounding.

    Args:
        weights: 0 or more, not all 0.
        least, most: bounds of each share, fractions of the account.
        pool: what is shared out. Where it is below all the least shares, each gets an equal part of it.
    """
    count = len(weights)
    if total_of(least) > pool + EDGE:
        return np.full(count, pool / count), True
    starts, ends = np.full(count, math.inf), np.full(count, math.inf)
    for each in range(count):
        if weights[each] > 0.0:
            starts[each], ends[each] = least[each] / weights[each], most[each] / weights[each]
    previous = 0.0
    for point in np.sort(np.concatenate((starts, ends))):
        if math.isinf(point):
            break
        if total_of(_at(point, weights, least, most)) > pool:
            return _between(previous, point, starts, ends, weights, least, most, pool), False
        previous = point
    # No factor places all of the pool: all that have a weight get their most.
    return np.where(weights > 0.0, most, least), False


def _at(factor: float, weights: Floats, least: Floats, most: Floats) -> Floats:
    """Return the shares at a factor of the weights."""
    return np.minimum(np.maximum(factor * weights, least), most)


def _between(
    low: float,
    high: float,
    starts: Floats,
    ends: Floats,
    weights: Floats,
    least: Floats,
    most: Floats,
    pool: float,
) -> Floats:
    """Return the shares that add up to the pool at a factor between two neighbouring points."""
    fixed, moving = 0.0, 0.0
    for each in range(len(weights)):
        if starts[each] <= low and ends[each] >= high:
            moving += weights[each]
        else:
            fixed += least[each] if starts[each] > low else most[each]
    if moving == 0.0:
        return _at(low, weights, least, most)
    return _at((pool - fixed) / moving, weights, least, most)


def damped(current: Floats, clamped: Floats) -> Floats:
    """Return the new targets: half of the way from the present ones. Both fit the pool, so their mean does."""
    return current + DAMPING * (clamped - current)


def moves_of(values: Floats, cash: Floats, targets: Floats, total: float, minor: float) -> Floats:
    """Return what each member gives to each, and in the last column to the core, money, shape (members, members + 1).

    A member above its new target gives what it is above, of its free cash. Members below theirs are served from that in
    proportion, in whole minor units; the core takes the rest and pays nothing.

    Args:
        values: of the members.
        cash: of theirs that no order reserves.
        targets: the new ones, fractions.
        total: value of the account.
        minor: minor units to a unit of the currency.
    """
    count = len(values)
    gives, needs = np.zeros(count), np.zeros(count)
    for each in range(count):
        excess = values[each] - targets[each] * total
        gives[each] = whole_units(min(cash[each], excess), minor)
        needs[each] = max(-excess, 0.0)
    moved = np.zeros((count, count + 1))
    asked = max(total_of(gives), total_of(needs))
    for giver in range(count):
        if gives[giver] > 0.0:
            left = round(gives[giver] * minor)
            for taker in range(count):
                moved[giver, taker] = whole_units(gives[giver] * needs[taker] / asked, minor)
                left -= round(moved[giver, taker] * minor)
            moved[giver, count] = left / minor
    return moved


def distinction(sharpes: Floats, observations: Integers, periods_per_year: float) -> float:
    """Return how many standard errors the best and the worst Sharpe ratio lie apart; NaN for fewer than two.

    The error of one is √((1 + S² / 2p) · p / n) of n returns, p a year (Lo 2002); those of two are taken to be
    independent.

    Args:
        sharpes: per year, NaN where a member has none.
        observations: how many returns each is of.
        periods_per_year: that they are annualised with.
    """
    best, worst = -1, -1
    for each in range(len(sharpes)):
        if not math.isnan(sharpes[each]):
            if best < 0 or sharpes[each] > sharpes[best]:
                best = each
            if worst < 0 or sharpes[each] <= sharpes[worst]:
                worst = each
    if best == worst:
        return math.nan
    variance = 0.0
    for one in (best, worst):
        variance += (1.0 + sharpes[one] ** 2 / (2.0 * periods_per_year)) * periods_per_year / observations[one]
    return float((sharpes[best] - sharpes[worst]) / math.sqrt(variance))


def is_distinguished(errors_apart: float) -> bool:
    """Return whether two Sharpe ratios differ by more than chance, at 95 %; False where that is unknown."""
    return errors_apart >= DISTINGUISHED_FROM
