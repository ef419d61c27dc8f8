"""How much a satellite may open, and what changes that: scalar functions, computed at a close for the next session.

History, paper and the account itself run on this one text: every function takes and returns numbers, flags or tuples of
them, so that ``compiled`` can hand it to numba. What a satellite buys and sells belongs in the engine of histories,
what is stored in the ledger, and who may do what in ``lifecycle``.

Numbers that miss a bound by 1e-12 are at it. A day is a whole number of days since 1970-01-01, ``NEVER`` where there is
none; a time of N days that begins at the close of a day is over at the first close N days later. Definitions and the
choices behind them are in ``docs/buckets.md``.
"""

import math

from sd_core.schemas.kinds import Outcome, Reason, Regime, Signal, Status

EDGE = 1e-12
# Money that is no more than rounding leaves: nothing earns a return on it, and nothing was bought with it.
NO_MONEY = 1e-6
NEVER = -1


# Compiled code knows plain numbers.
ACCUMULATING, ACTIVE, HIBERNATING = Status.ACCUMULATING.value, Status.ACTIVE.value, Status.HIBERNATING.value
LOSS, NEUTRAL, WIN = Outcome.LOSS.value, Outcome.NEUTRAL.value, Outcome.WIN.value
UNKNOWN, BULL, SIDEWAYS = Regime.UNKNOWN.value, Regime.BULL.value, Regime.SIDEWAYS.value
BEAR, HIGH_VOLATILITY = Regime.BEAR.value, Regime.HIGH_VOLATILITY.value
BREAKOUT, DIP = Signal.BREAKOUT.value, Signal.DIP.value
WHY_HALT, WHY_BLOCK, WHY_STATUS = Reason.HALT.value, Reason.BLOCK.value, Reason.STATUS.value
WHY_OVERDRAWN, WHY_LOCK = Reason.OVERDRAWN.value, Reason.LOCK.value
WHY_HIGH_VOLATILITY = Reason.HIGH_VOLATILITY.value
WHY_SHARE, WHY_DRAWDOWN = Reason.SHARE.value, Reason.DRAWDOWN.value
WHY_COOLDOWN, WHY_REAWAKENING = Reason.COOLDOWN.value, Reason.REAWAKENING.value
WHY_BOOST, WHY_REGIME, WHY_TEST = Reason.BOOST.value, Reason.REGIME.value, Reason.TEST.value

FLOOR_OF_TARGET = 0.4
WAKES_AT = 1.1
SLEEPS_AT_DRAWDOWN, WAKES_BELOW_DRAWDOWN = 0.35, 0.25
SLEEPS_AFTER_SESSIONS = 21
REBASES_AFTER_DAYS = 180
PROBATION_SLEEPS_DAYS = 90
LOSS_BELOW = -0.01
LOSSES_THAT_LOCK, LOCK_DAYS, TEST_FACTOR = 5, 30, 0.25
COOLS_AT_GAIN, COOLDOWN_DAYS, COOLDOWN_FACTOR = 0.20, 30, 0.75
AWAKE, STAGE_STEP = 3, 0.25
BOOST_FACTOR = 1.5
ARMS_ABOVE_GAIN = 0.15


def at_least(number: float, bound: float) -> bool:
    """Return whether a number reaches a bound, which it may miss by rounding."""
    return number >= bound - EDGE


def above(number: float, bound: float) -> bool:
    """Return whether a number exceeds a bound by more than rounding; False for NaN."""
    return number > bound + EDGE


def below(number: float, bound: float) -> bool:
    """Return whether a number misses a bound by more than rounding; False for NaN."""
    return number < bound - EDGE


# The index, its drawdown and the share of the account.


def index_return(value: float, previous_value: float, open_flows: float, close_flows: float) -> float:
    """Return the time-weighted return of a session, a fraction; NaN where there was no more than rounding leaves.

    (value - close flows) / (previous value + open flows) - 1.

    Args:
        value: at the close.
        previous_value: at the close before.
        open_flows: what came from outside or from other buckets, less what went there, before the session's trades.
        close_flows: the same after them; a dividend that is sent away is a negative one.
    """
    invested = previous_value + open_flows
    return (value - close_flows) / invested - 1.0 if invested > NO_MONEY else math.nan


def index_after(index: float, session_return: float) -> float:
    """Return the index after a session; who has lost all has lost it for good, and no return changes nothing."""
    return index if math.isnan(session_return) else index * max(1.0 + session_return, 0.0)


def drawdown_of(index: float, peak: float) -> float:
    """Return how far the index is below its peak, a fraction; 1 for an index that lost all."""
    return 1.0 - index / peak if peak > 0.0 else 1.0


def share_of(value: float, total: float) -> float:
    """Return the share of the account, a fraction; 0 of an account that is worth nothing."""
    return value / total if total > NO_MONEY else 0.0


# The level: how much the share and the drawdown allow.


def floor_of(target: float, min_pct: float) -> float:
    """Return the share of the account below which nothing is opened, a fraction."""
    return max(FLOOR_OF_TARGET * target, min_pct)


def level_by_share(share: float, target: float, floor: float) -> float:
    """Return the level that the share of the account allows: 1, 0.8, 0.6, 0.4, or 0 below the floor."""
    if not at_least(share, floor):
        return 0.0
    of_target = share / target
    if at_least(of_target, 1.0):
        return 1.0
    if at_least(of_target, 0.8):
        return 0.8
    return 0.6 if at_least(of_target, 0.6) else 0.4


def level_by_drawdown(drawdown: float) -> float:
    """Return the level that the drawdown allows: 1, 0.7, 0.3, or 0 from 35 %."""
    if at_least(drawdown, SLEEPS_AT_DRAWDOWN):
        return 0.0
    if at_least(drawdown, 0.25):
        return 0.3
    return 0.7 if at_least(drawdown, 0.15) else 1.0


def conviction_needed(level: float) -> float:
    """Return the conviction that an entry needs at a level, a fraction of its confirmations; 0 where any will do."""
    if below(level, 0.6):
        return 0.75
    return 0.5 if below(level, 0.7) else 0.0


def most_openings(level: float, is_test: bool, open_tests: int, free: int) -> int:
    """Return how many positions a session may open.

    Args:
        level: the lower of the two.
        is_test: whether only test positions may be opened; there is one at a time.
        open_tests: test positions that are open.
        free: positions that the satellite may hold beyond those open.
    """
    if is_test:
        return min(free, max(1 - open_tests, 0))
    return min(free, 1) if at_least(0.4, level) else free


# Round trips, and what they change.


def round_trip_return(proceeds: float, dividends: float, cost: float) -> float:
    """Return what a round trip returned, a fraction; NaN where nothing was paid.

    (proceeds + dividends) / cost - 1.

    Args:
        proceeds: of its sales, less their fees.
        dividends: received on the way, net of tax.
        cost: of its purchases, with their fees.
    """
    return (proceeds + dividends) / cost - 1.0 if cost > NO_MONEY else math.nan


def outcome_of(trip_return: float) -> int:
    """Return the :class:`Outcome` of a round trip: a loss below -1 %, a win above 0, else neutral."""
    if below(trip_return, LOSS_BELOW):
        return LOSS
    return WIN if above(trip_return, 0.0) else NEUTRAL


def breaker_after(losses: int, lock_ends: int, outcome: int, is_test: bool, day: int) -> tuple[int, int]:
    """Return losses since the last win and the day on which the lock ends, after a round trip.

    The fifth loss locks for 30 days. From then on a win clears both, and a test position that does not win locks again;
    losses of other positions count without locking again.

    Args:
        losses: before, since the last win.
        lock_ends: before; ``NEVER`` where no lock was set since the last win.
        outcome: of the round trip, an :class:`Outcome`.
        is_test: whether it was a test position.
        day: on which it closed.
    """
    if outcome == WIN:
        return 0, NEVER
    if outcome == LOSS:
        losses += 1
    if lock_ends == NEVER:
        return losses, day + LOCK_DAYS if losses >= LOSSES_THAT_LOCK else NEVER
    return losses, day + LOCK_DAYS if is_test else lock_ends


def is_in_force(ends: int, day: int) -> bool:
    """Return whether a time that ends on a day still runs at the close of another: a lock, a cooldown, a boost."""
    return ends != NEVER and day < ends


def is_testing(lock_ends: int, day: int) -> bool:
    """Return whether a lock is over and no win has cleared it, so that only test positions are opened."""
    return lock_ends != NEVER and day >= lock_ends


def cooldown_after(cooldown_ends: int, index: float, earlier: float, day: int) -> int:
    """Return the day on which the cooldown ends, after a close; ``NEVER`` before the first one.

    A gain of 20 % begins one, for 30 days. While one runs no other begins.

    Args:
        cooldown_ends: before.
        index: at this close.
        earlier: the index at the last close at least 30 days ago, or at the close that ended the last cooldown where
            that is later; NaN where there is neither.
        day: of this close.
    """
    if not is_in_force(cooldown_ends, day) and earlier > 0.0 and at_least(index / earlier - 1.0, COOLS_AT_GAIN):
        return day + COOLDOWN_DAYS
    return cooldown_ends


def stage_after(stage: int, outcome: int) -> int:
    """Return the stage of re-awakening after a round trip that was opened since the satellite started or woke.

    0, 1 and 2 are the stages, 3 is awake. A win leads on, a loss back to the first, as long as it is not awake.
    """
    if stage == AWAKE or outcome == NEUTRAL:
        return stage
    return stage + 1 if outcome == WIN else 0


def stage_factor(stage: int) -> float:
    """Return the factor of a stage of re-awakening: 0.25, 0.5, 0.75, then 1."""
    return STAGE_STEP * (stage + 1)


# Sleeping and waking.


def rebases(drawdown: float, quiet_since: int, day: int) -> bool:
    """Return whether the peak becomes the index: no position for 180 days at a drawdown of 25 % or more.

    Args:
        drawdown: at this close.
        quiet_since: the first close since which the satellite hibernates without a position at such a drawdown;
            ``NEVER`` where it does not.
        day: of this close.
    """
    # Who lost all cannot begin again from what is left.
    is_deep = at_least(drawdown, WAKES_BELOW_DRAWDOWN) and below(drawdown, 1.0)
    return is_deep and quiet_since != NEVER and day - quiet_since >= REBASES_AFTER_DAYS


def sessions_below_after(sessions_below: int, share: float, floor: float) -> int:
    """Return how many sessions in a row, this one included, ended below the floor."""
    return 0 if at_least(share, floor) else sessions_below + 1


def wakes(drawdown: float, share: float, floor: float, failed_on: int, day: int) -> bool:
    """Return whether a satellite that hibernates becomes active: a drawdown under 25 % and 1.1 times the floor.

    Args:
        drawdown, share, floor: at this close.
        failed_on: the day of the evaluation that sent it to sleep; it sleeps for 90 days at least. ``NEVER`` for none.
        day: of this close.
    """
    rested = failed_on == NEVER or day - failed_on >= PROBATION_SLEEPS_DAYS
    return rested and below(drawdown, WAKES_BELOW_DRAWDOWN) and at_least(share, WAKES_AT * floor)


def sleeps_for_share(drawdown: float, share: float, floor: float, failed_on: int, day: int) -> bool:
    """Return whether only its share keeps a satellite asleep, so that deposits reach it; arguments as of ``wakes``."""
    return wakes(drawdown, WAKES_AT * floor, floor, failed_on, day) and not at_least(share, WAKES_AT * floor)


def status_after(
    status: int, drawdown: float, share: float, floor: float, sessions_below: int, failed_on: int, day: int
) -> int:
    """Return the :class:`Status` after a close; what a person decided (research, paused, retired) stays.

    Args:
        status: before.
        drawdown, share, floor: at this close, after a rebase.
        sessions_below: sessions in a row that ended below the floor, this one included.
        failed_on: as of ``wakes``.
        day: of this close.
    """
    if status == ACCUMULATING:
        return ACTIVE if at_least(share, floor) else ACCUMULATING
    if status == ACTIVE:
        sleeps = at_least(drawdown, SLEEPS_AT_DRAWDOWN) or sessions_below >= SLEEPS_AFTER_SESSIONS
        return HIBERNATING if sleeps else ACTIVE
    if status == HIBERNATING:
        return ACTIVE if wakes(drawdown, share, floor, failed_on, day) else HIBERNATING
    return status


# The regime, stops and sizes.


def regime_factor(signal: int, regime: int) -> float:
    """Return what the regime leaves of openings by a :class:`Signal`; all of them where it is unknown."""
    if regime in (UNKNOWN, BULL):
        return 1.0
    if signal == BREAKOUT:
        return 0.0 if regime == BEAR else 0.5
    if regime == SIDEWAYS:
        return 1.0
    return 0.25 if signal == DIP and regime == BEAR else 0.5


def first_stop(entry: float, stop: float) -> float:
    """Return the stop of a new position, a price.

    Args:
        entry: the price of the entry.
        stop: distance below it, a fraction.
    """
    return entry * (1.0 - stop)


def take_price(entry: float, take: float) -> float:
    """Return the price of a take-profit; arguments as of ``first_stop``."""
    return entry * (1.0 + take)


def arms(close: float, entry: float) -> bool:
    """Return whether a close arms the trailing stop: a gain of more than 15 % over the entry price."""
    return above(close / entry - 1.0, ARMS_ABOVE_GAIN)


def stop_after(stop: float, highest_close: float, trail: float) -> float:
    """Return an armed trailing stop after a close; it never falls.

    Args:
        stop: before.
        highest_close: since the entry, this one included.
        trail: distance below it, a fraction.
    """
    return max(stop, highest_close * (1.0 - trail))


def position_share(size: float, positions: int, conviction: float) -> float:
    """Return the share of the satellite's value that a position costs at a factor of 1, a fraction.

    An equal part of all positions without conviction, ``size`` with all of it; ``size`` where that is no more.
    """
    equal = 1.0 / positions
    return equal + (size - equal) * conviction if size > equal else size


# The factor.


def hindrances(
    is_halted: bool,
    is_blocked: bool,
    status: int,
    cash: float,
    is_locked: bool,
    regime: int,
    pauses: bool,
) -> int:
    """Return everything that alone makes the factor 0, as bits of :class:`Reason`; 0 for nothing.

    Args:
        is_halted: whether a person halted the account.
        is_blocked: whether reconciliation blocks it.
        status: a :class:`Status`.
        cash: of the satellite; below 0 by more than rounding leaves it is overdrawn.
        is_locked: whether the breaker's lock is in force.
        regime: a :class:`Regime`.
        pauses: whether the satellite opens nothing while that is high volatility.
    """
    return (
        WHY_HALT * is_halted
        + WHY_BLOCK * is_blocked
        + WHY_STATUS * (status != ACTIVE)
        + WHY_OVERDRAWN * (cash < -NO_MONEY)
        + WHY_LOCK * is_locked
        + WHY_HIGH_VOLATILITY * (pauses and regime == HIGH_VOLATILITY)
    )


def factor_of(
    hindered: int,
    by_share: float,
    by_drawdown: float,
    is_cooling: bool,
    stage: int,
    is_boosted: bool,
    of_regime: float,
    is_test: bool,
) -> tuple[float, int]:
    """Return the factor of what is opened, a fraction, and every reason why it is not 1, as bits of :class:`Reason`.

    min(1, level · cooldown · stage · boost) · regime, at most 0.25 for a test; 0 where anything hinders.

    Args:
        hindered: as ``hindrances`` returns it.
        by_share, by_drawdown: the two levels.
        is_cooling: whether a cooldown is in force.
        stage: of re-awakening.
        is_boosted: whether a boost is in force.
        of_regime: the regime's factor; 1 for a satellite that does not follow it.
        is_test: whether only test positions may be opened.
    """
    reasons = (
        hindered
        + WHY_SHARE * (by_share < 1.0)
        + WHY_DRAWDOWN * (by_drawdown < 1.0)
        + WHY_COOLDOWN * is_cooling
        + WHY_REAWAKENING * (stage < AWAKE)
        + WHY_BOOST * is_boosted
        + WHY_REGIME * (of_regime < 1.0)
        + WHY_TEST * is_test
    )
    if hindered != 0:
        return 0.0, reasons
    scaled = min(by_share, by_drawdown) * stage_factor(stage)
    if is_cooling:
        scaled *= COOLDOWN_FACTOR
    if is_boosted:
        scaled *= BOOST_FACTOR
    factor = min(1.0, scaled) * of_regime
    return min(factor, TEST_FACTOR) if is_test else factor, reasons
