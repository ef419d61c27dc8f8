"""What a satellite buys and sells in a session: exits, reinvested dividends, entries, stops and take-profits.

What the close makes of it belongs in ``close``.
"""

import numpy as np

from sd_core.buckets import rules
from sd_core.buckets.history.kernel.book import (
    AT_OPEN,
    NAN,
    NO_BUCKET,
    NO_ORDER,
    NO_SESSION,
    TRADE_ROWS,
    WITHIN_BAR,
    free_cash,
    write,
)
from sd_core.schemas.kinds import ExitReason, Kind, Signal
from sd_core.simulation.amounts import TOUCH, fee_of, number, whole_lots

BUY, SELL, DIVIDEND_BUY = number(Kind.BUY), number(Kind.SELL), number(Kind.DIVIDEND_BUY)
EX_DATE, STOP, TRAILING, TAKE = (
    number(ExitReason.EX_DATE),
    number(ExitReason.STOP),
    number(ExitReason.TRAILING),
    number(ExitReason.TAKE),
)
EX_DIVIDEND = number(Signal.EX_DIVIDEND)
NONE_YET = number(0)


def trade(market, books, place, session):
    """Trade a satellite through a session."""
    satellite = books.satellites[place]
    if satellite.held > 0:
        exit_at_open(market, books, place, session)
        reinvest(market, books, place, session)
    if satellite.factor > 0.0:
        enter(market, books, place, session)
    if satellite.held > 0:
        stop_out(market, books, place, session)
        if not satellite.trailing:
            take_profits(market, books, place, session)


def exit_at_open(market, books, place, session):
    """Sell at the open what was ordered to, and whose dividend it was bought for goes ex."""
    satellite = books.satellites[place]
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        position = books.positions[asset]
        if position.quantity > 0.0:
            if satellite.signal == EX_DIVIDEND and market.dividends[session, asset] > 0.0:
                position.exit = EX_DATE
            price = market.open[session, asset]
            if position.exit != NO_ORDER and price > 0.0:  # a missing bar compares false
                close_position(market, books, place, asset, session, AT_OPEN, price, position.exit)


def reinvest(market, books, place, session):
    """Buy more at the open of what paid a dividend, for it or for what cash there is."""
    satellite = books.satellites[place]
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        position = books.positions[asset]
        if position.reinvest > 0.0:
            price = market.open[session, asset]
            quantity = bought_for(market, position, price, min(position.reinvest, free_cash(satellite)))
            position.reinvest = 0.0
            if quantity > 0.0:  # a missing bar compares false
                cost = pay(market, books, place, asset, session, DIVIDEND_BUY, quantity, price)
                position.quantity += quantity
                row = books.trades[position.trade]
                row.quantity += quantity
                row.cost += cost


def enter(market, books, place, session):
    """Open positions at the open, by the signals of the close before, as many and as large as the rules allow."""
    satellite = books.satellites[place]
    is_test = satellite.is_test != 0
    free = satellite.positions - satellite.held
    openings = rules.most_openings(satellite.level, is_test, satellite.tests, free)
    if openings <= 0:
        return
    candidates = rank(market, books, place, session)
    for turn in range(candidates):
        asset = books.turns[turn]
        price = market.open[session, asset]
        conviction = market.conviction[session - 1, asset]
        share = rules.position_share(satellite.size, satellite.positions, conviction)
        budget = min(satellite.value * satellite.factor * share, free_cash(satellite))
        quantity = bought_for(market, books.positions[asset], price, budget)
        if quantity > 0.0:  # a missing bar compares false
            open_position(market, books, place, asset, session, quantity, price)
            openings -= 1
            if openings == 0:
                return


def rank(market, books, place, session):
    """Put the tickers that may be bought in order: conviction falling, then order rising; return how many."""
    satellite = books.satellites[place]
    needed = rules.conviction_needed(satellite.level)
    candidates = NONE_YET
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        position = books.positions[asset]
        if (
            market.is_entry[session - 1, asset]
            and position.quantity == 0.0
            and position.closed != session
            and rules.at_least(market.conviction[session - 1, asset], needed)
        ):
            slot = candidates
            while slot > 0 and comes_before(market, session - 1, asset, books.turns[slot - 1]):
                books.turns[slot] = books.turns[slot - 1]
                slot -= 1
            books.turns[slot] = asset
            candidates += 1
    return candidates


def comes_before(market, session, asset, other):
    """Return whether an asset is bought before one that precedes it in the study."""
    ours, theirs = market.conviction[session, asset], market.conviction[session, other]
    if ours != theirs:
        return ours > theirs
    mine, its = market.order[session, asset], market.order[session, other]
    return mine < its or (np.isnan(its) and not np.isnan(mine))


def bought_for(market, position, price, money):
    """Return how much a sum buys, costs included, in whole lots; NaN without a price."""
    return whole_lots((money - market.fee_fixed) / (price * (1.0 + market.fee_rate)), position.lot_size)


def pay(market, books, place, asset, session, kind, quantity, price):
    """Book a purchase at the open; return what it cost."""
    fee = fee_of(market, quantity * price)
    cost = quantity * price + fee
    write(books, session, AT_OPEN, place, NO_BUCKET, asset, kind, quantity, price, fee, -cost)
    return cost


def open_position(market, books, place, asset, session, quantity, price):
    """Buy a position, and begin its row among the trades."""
    satellite = books.satellites[place]
    position = books.positions[asset]
    cost = pay(market, books, place, asset, session, BUY, quantity, price)
    position.quantity = quantity
    position.entry = price
    position.stop = rules.first_stop(price, satellite.stop)
    position.highest = 0.0
    position.trade = books.counts[TRADE_ROWS]
    position.opened = session
    position.exit = NO_ORDER
    position.is_armed = 0
    position.is_test = satellite.is_test
    position.ex_date = market.next_ex_date[session - 1, asset]
    satellite.held += 1
    satellite.trades += 1
    row = books.trades[position.trade]
    row.bucket = place
    row.trade = satellite.trades
    row.asset = asset
    row.opened = session
    row.closed = NO_SESSION
    row.entry_price = price
    row.exit_price = NAN
    row.quantity = quantity
    row.cost = cost
    row.proceeds = NAN
    row.dividends = 0.0
    row.trade_return = NAN
    row.outcome = 0
    row.exit_reason = NO_ORDER
    row.conviction = market.conviction[session - 1, asset]
    row.factor = satellite.factor
    row.premium = price / market.peak[session - 1, asset] - 1.0
    row.regime = market.regime[session - 1]
    row.is_on_strategy = True
    row.is_test = satellite.is_test != 0
    books.counts[TRADE_ROWS] += 1


def stop_out(market, books, place, session):
    """Sell what reaches its stop: at the open where that is beyond it, else at the stop."""
    satellite = books.satellites[place]
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        position = books.positions[asset]
        at_open = market.open[session, asset]
        if position.quantity > 0.0 and at_open > 0.0:  # a missing bar compares false
            reason = TRAILING if position.is_armed else STOP
            touch = position.stop * (1.0 + TOUCH)
            if position.opened < session and at_open <= touch:
                close_position(market, books, place, asset, session, AT_OPEN, at_open, reason)
            elif market.low[session, asset] <= touch and not opens_at_profit(satellite, position, at_open, session):
                close_position(market, books, place, asset, session, WITHIN_BAR, position.stop, reason)


def take_profits(market, books, place, session):
    """Sell what reaches its take-profit: at the open where that is beyond it, else at the level."""
    satellite = books.satellites[place]
    for turn in range(satellite.first, satellite.last):
        asset = market.tickers[turn]
        position = books.positions[asset]
        if position.quantity > 0.0:
            level = rules.take_price(position.entry, satellite.take)
            if opens_at_profit(satellite, position, market.open[session, asset], session):
                close_position(market, books, place, asset, session, AT_OPEN, market.open[session, asset], TAKE)
            elif market.high[session, asset] >= level * (1.0 - TOUCH):  # a missing bar compares false
                close_position(market, books, place, asset, session, WITHIN_BAR, level, TAKE)


def opens_at_profit(satellite, position, at_open, session):
    """Return whether an open is beyond the take-profit, which comes before anything else in the bar."""
    if satellite.trailing or position.opened == session:
        return False
    return at_open >= rules.take_price(position.entry, satellite.take) * (1.0 - TOUCH)


def close_position(market, books, place, asset, session, leg, price, reason):
    """Sell a position, and end its row among the trades."""
    satellite = books.satellites[place]
    position = books.positions[asset]
    quantity = position.quantity
    fee = fee_of(market, quantity * price)
    proceeds = quantity * price - fee
    write(books, session, leg, place, NO_BUCKET, asset, SELL, -quantity, price, fee, proceeds)
    position.quantity = 0.0
    position.reinvest = 0.0
    position.dividend = 0.0
    position.closed = session
    position.exit = NO_ORDER
    row = books.trades[position.trade]
    row.closed = session
    row.exit_price = price
    row.proceeds = proceeds
    row.trade_return = rules.round_trip_return(proceeds, row.dividends, row.cost)
    row.outcome = rules.outcome_of(row.trade_return)
    row.exit_reason = reason
    satellite.held -= 1
    books.closed[place, satellite.closed] = position.trade
    satellite.closed += 1
