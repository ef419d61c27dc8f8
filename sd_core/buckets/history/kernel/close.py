"""What the close changes about a satellite: its value and index, status and factor, and the orders of the next open.

What it buys and sells by them belongs in ``positions``.
"""

from sd_core.buckets import rules
from sd_core.buckets.history.kernel.book import NAN, NO_DAY, NO_ORDER, note
from sd_core.schemas.kinds import BucketEvent, ExitReason, Outcome, Signal, Sleep, Status
from sd_core.simulation.amounts import number

ACTIVATED, HIBERNATED, WOKEN, LOCKED, UNLOCKED, COOLED_DOWN, REBASED = (
    number(event)
    for event in (
        BucketEvent.ACTIVATED,
        BucketEvent.HIBERNATED,
        BucketEvent.WOKEN,
        BucketEvent.LOCKED,
        BucketEvent.UNLOCKED,
        BucketEvent.COOLED_DOWN,
        BucketEvent.REBASED,
    )
)
ACCUMULATING, ACTIVE, HIBERNATING = number(Status.ACCUMULATING), number(Status.ACTIVE), number(Status.HIBERNATING)
NO_CAUSE, BY_DRAWDOWN, BY_SHARE = number(Sleep.NONE), number(Sleep.DRAWDOWN), number(Sleep.SHARE)
HELD, TREND, EX_DATE = number(ExitReason.HELD), number(ExitReason.TREND), number(ExitReason.EX_DATE)
WIN = number(Outcome.WIN)
EX_DIVIDEND = number(Signal.EX_DIVIDEND)

# Calendar days after the projected ex-date on which a position that was bought for it is given up.
LATE_AFTER_DAYS = 10


def worth(market, books, place, session):
    """Return what a satellite is worth: its cash and its positions at their last closes."""
    satellite = books.satellites[place]
    invested = 0.0
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        if books.positions[asset].quantity > 0.0:
            invested += books.positions[asset].quantity * market.last[session, asset]
    return satellite.cash + invested


def judge(market, books, place, session, value, total):
    """Mark a satellite at the close, apply its rules, and write its day."""
    satellite = books.satellites[place]
    day = market.days[session]
    session_return = rules.index_return(value, satellite.value, satellite.open_flows, satellite.close_flows)
    satellite.value = value
    satellite.index = rules.index_after(satellite.index, session_return)
    satellite.peak = max(satellite.peak, satellite.index)
    drawdown = rules.drawdown_of(satellite.index, satellite.peak)
    share = rules.share_of(value, total)
    floor = rules.floor_of(satellite.target, satellite.min_pct)
    count_round_trips(books, place, session, day)
    drawdown = rebase(books, place, session, day, drawdown)
    satellite.below = rules.sessions_below_after(satellite.below, share, floor)
    change_status(books, place, session, day, drawdown, share, floor)
    cool_down(market, books, place, session, day)
    by_share = rules.level_by_share(share, satellite.target, floor)
    by_drawdown = rules.level_by_drawdown(drawdown)
    of_regime = rules.regime_factor(satellite.signal, market.regime[session]) if satellite.regime else 1.0
    is_cooling = rules.is_in_force(satellite.cooldown_ends, day)
    is_test = rules.is_testing(satellite.lock_ends, day)
    hindered = rules.hindrances(
        satellite.halted != 0,
        satellite.blocked != 0,
        satellite.status,
        satellite.cash,
        rules.is_in_force(satellite.lock_ends, day),
        market.regime[session],
        satellite.high_volatility != 0,
    )
    factor, reasons = rules.factor_of(
        hindered,
        by_share,
        by_drawdown,
        is_cooling,
        satellite.stage,
        rules.is_in_force(satellite.boost_ends, day),
        of_regime,
        is_test,
    )
    satellite.level = min(by_share, by_drawdown)
    satellite.factor = factor
    satellite.is_test = is_test
    order_exits(market, books, place, session, day)
    row = books.daily[session, place]
    row.simple_return = session_return
    row.drawdown = drawdown
    row.share = share
    row.share_level = by_share
    row.drawdown_level = by_drawdown
    row.cooldown = rules.COOLDOWN_FACTOR if is_cooling else 1.0
    row.regime_factor = of_regime
    row.reasons = reasons
    write_day(satellite, row, session, place)


def write_day(satellite, row, session, place):
    """Write what a satellite's day says of its state, and begin the next one."""
    row.bucket = place
    row.session = session
    row.cash = satellite.cash
    row.value = satellite.value
    row.open_flows = satellite.open_flows
    row.close_flows = satellite.close_flows
    row.twr_index = satellite.index
    row.peak = satellite.peak
    row.target = satellite.target
    row.positions = satellite.held
    row.status = satellite.status
    row.reawakening = rules.stage_factor(satellite.stage)
    row.factor = satellite.factor
    row.losses = satellite.losses
    row.stage = satellite.stage
    row.locked_until = satellite.lock_ends
    row.cooldown_until = satellite.cooldown_ends
    satellite.open_flows = 0.0
    satellite.close_flows = 0.0
    satellite.cash_before = satellite.cash


def count_round_trips(books, place, session, day):
    """Count the session's round trips, in the order of their exits, towards the breaker and the stage."""
    satellite = books.satellites[place]
    for closed in range(satellite.closed):
        trade = books.trades[books.closed[place, closed]]
        before = satellite.lock_ends
        losses, lock_ends = rules.breaker_after(satellite.losses, before, trade.outcome, trade.is_test, day)
        if lock_ends != before:
            if lock_ends == NO_DAY:
                note(books, session, place, UNLOCKED, NO_CAUSE, float(satellite.losses), NO_DAY)
            else:
                note(books, session, place, LOCKED, NO_CAUSE, float(losses), lock_ends)
        satellite.losses = losses
        satellite.lock_ends = lock_ends
        if trade.opened > satellite.awake_since:
            satellite.stage = rules.stage_after(satellite.stage, trade.outcome)
    satellite.closed = 0


def rebase(books, place, session, day, drawdown):
    """Begin the drawdown again after a long sleep without positions; return what it is now."""
    satellite = books.satellites[place]
    is_quiet = (
        satellite.status == HIBERNATING and satellite.held == 0 and rules.at_least(drawdown, rules.WAKES_BELOW_DRAWDOWN)
    )
    if not is_quiet:
        satellite.quiet_since = NO_DAY
    elif satellite.quiet_since == NO_DAY:
        satellite.quiet_since = day
    # An index that lost all stays at its drawdown: it has nothing to rise from.
    if satellite.index > 0.0 and rules.rebases(drawdown, satellite.quiet_since, day):
        note(books, session, place, REBASED, NO_CAUSE, drawdown, NO_DAY)
        satellite.peak = satellite.index
        satellite.quiet_since = NO_DAY
        drawdown = rules.drawdown_of(satellite.index, satellite.peak)
    return drawdown


def change_status(books, place, session, day, drawdown, share, floor):
    """Let a satellite start, fall asleep or wake up."""
    satellite = books.satellites[place]
    before = satellite.status
    status = rules.status_after(before, drawdown, share, floor, satellite.below, satellite.failed_on, day)
    if status == before:
        return
    satellite.status = status
    if status == HIBERNATING:
        if rules.at_least(drawdown, rules.SLEEPS_AT_DRAWDOWN):
            note(books, session, place, HIBERNATED, BY_DRAWDOWN, drawdown, NO_DAY)
        else:
            note(books, session, place, HIBERNATED, BY_SHARE, share, NO_DAY)
        return
    satellite.stage = 0
    satellite.awake_since = session
    satellite.failed_on = NO_DAY
    if before == ACCUMULATING:
        satellite.activated_on = day
        satellite.active_since = session
        note(books, session, place, ACTIVATED, NO_CAUSE, share, NO_DAY)
    else:
        note(books, session, place, WOKEN, NO_CAUSE, share, NO_DAY)


def cool_down(market, books, place, session, day):
    """Begin a cooldown where the index has risen far within 30 days, or since the last cooldown."""
    satellite = books.satellites[place]
    if not rules.is_in_force(satellite.cooldown_ends, day):
        base = market.month_ago[session]
        if satellite.cooldown_ends != NO_DAY and satellite.cooldown_ends > day - rules.COOLDOWN_DAYS:
            base = session
            while market.days[base] > satellite.cooldown_ends:
                base -= 1
        # The row of this session is written below; a cooldown that ends today has today's index as its base.
        earlier = NAN
        if base == session:
            earlier = satellite.index
        elif base >= 0:
            earlier = books.daily[base, place].twr_index
        ends = rules.cooldown_after(satellite.cooldown_ends, satellite.index, earlier, day)
        if ends != satellite.cooldown_ends:
            satellite.cooldown_ends = ends
            note(books, session, place, COOLED_DOWN, NO_CAUSE, satellite.index / earlier - 1.0, ends)


def order_exits(market, books, place, session, day):
    """Order what is sold at the next open, raise trailing stops, and order purchases for the session's dividends."""
    satellite = books.satellites[place]
    satellite.tests = 0
    if satellite.held == 0:
        return
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        position = books.positions[asset]
        if position.quantity > 0.0:
            satellite.tests += position.is_test
            position.reinvest = position.dividend if satellite.factor > 0.0 else 0.0
            position.dividend = 0.0
            price = market.close[session, asset]
            position.highest = max(position.highest, price) if price > 0.0 else position.highest
            if satellite.trailing and price > 0.0:  # a missing bar compares false
                if rules.arms(price, position.entry):
                    position.is_armed = 1
                if position.is_armed:
                    position.stop = rules.stop_after(position.stop, position.highest, satellite.trail)
            if position.exit == NO_ORDER:
                position.exit = exit_reason(market, satellite, position, asset, session, day)


def exit_reason(market, satellite, position, asset, session, day):
    """Return why a position is sold at the next open, or that it is not."""
    is_dated = satellite.signal == EX_DIVIDEND and position.ex_date != NO_DAY
    if is_dated and day > position.ex_date + LATE_AFTER_DAYS:
        return EX_DATE
    if market.is_exit[session, asset]:
        return TREND
    return HELD if day - market.days[position.opened] >= satellite.days else NO_ORDER
