"""The compiled session loop: one scenario over one panel, from the first purchase to the last mark.

Reads like ``docs/simulation.md``: cash arrives, the legs of the bar trade, withdrawals are paid, the close marks.
Everything is compiled by numba and allocates nothing; buffers, threads and many scenarios belong in ``engine``.
Floating point stays strict (no fastmath), so that a scenario gives the same bits wherever and with whatever else it
runs.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from sd_core.market.panel import Floats
from sd_core.simulation.results import LEG_ARRIVAL, LEG_CLOSE, Kind, Rows
from sd_core.simulation.rules import Anchor, Coordination, LotOrder, Path, Proceeds, Shortfall, Sizing, Variant

# A price touches a limit that it misses by less than this share: rungs are products of many factors.
TOUCH = 1e-12
# Money. What the bank lacks by less than this, it covers; interest and payments below it are not booked.
DUST = 1e-9
# What a sale still wants and what a lot still holds are the same when they differ by less than this share of the sale.
SAME_SHARES = 1e-9
# Lots count as whole when they miss a multiple by less than this.
WHOLE_LOT = 1e-9

INITIAL_BUY, BUY, SELL = Kind.INITIAL_BUY.value, Kind.BUY.value, Kind.SELL.value
SKIP_BUY, DIVIDEND, INTEREST = Kind.SKIP_BUY.value, Kind.DIVIDEND.value, Kind.INTEREST.value
DEPOSIT, WITHDRAWAL = Kind.DEPOSIT.value, Kind.WITHDRAWAL.value
SKIP_WITHDRAWAL, FUNDING_SELL = Kind.SKIP_WITHDRAWAL.value, Kind.FUNDING_SELL.value
ATH_ONLY, BUY_AND_HOLD, ATH_SELL = Variant.ATH_ONLY.value, Variant.BUY_AND_HOLD.value, Variant.ATH_SELL.value
SYMMETRIC = Sizing.SYMMETRIC.value
NAV_OPPORTUNISTIC = Coordination.NAV_OPPORTUNISTIC.value
LOW_FIRST, HIGH_FIRST, CLOSE_ONLY = Path.LOW_FIRST.value, Path.HIGH_FIRST.value, Path.CLOSE_ONLY.value
FILL = Anchor.FILL.value
FIFO = LotOrder.FIFO.value
NO_SALES, OVERWEIGHT = Shortfall.NONE.value, Shortfall.OVERWEIGHT.value
NET = Proceeds.NET.value

NAN = np.nan
LEGS = 4

# Nothing here allocates, so the arrays need no reference counts: counting them took twenty times as long as trading.
# The numpy error model leaves out the checks for division by zero; prices and spacings are positive.
OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
compiled = njit(**OPTIONS)
# A call copies every field of the three tuples. The compiler spares most calls unasked, but not one this long.
inlined = njit(**OPTIONS, forceinline=True)


class Market(NamedTuple):
    """What a scenario reads of the panel; every array of shape (sessions, assets) unless said.

    ``mark`` is the last close at or before a session, ``nav`` the highest close up to and including it, ``interest``
    the return of cash since the previous session (sessions,), ``years`` the time since it (sessions,), ``pays`` whether
    a dividend falls on a session (sessions,), ``period`` the longest ``Every`` that begins with it, 0 for none
    (sessions,).
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    mark: Floats
    nav: Floats
    dividends: Floats
    pays: np.ndarray
    interest: Floats
    years: Floats
    period: np.ndarray


class Terms(NamedTuple):
    """The scenario's rules as plain numbers and arrays by asset; ``targets`` are shares of the portfolio's value."""

    capital: float
    budgets: Floats
    targets: Floats
    brackets: Floats
    shares: Floats
    lot_sizes: Floats
    fee_fixed: float
    fee_rate: float
    variant: int
    sizing: int
    coordination: int
    path: int
    anchor: int
    max_rungs: int
    lot_order: int
    margin_limit: float
    margin_rate: float
    deposit: float
    deposit_every: int
    withdrawal: float
    withdrawal_share: float
    withdrawal_every: int
    coverage_min: float
    coverage_of: int
    shortfall: int


class Book(NamedTuple):
    """The scenario's state and its output: arrays by asset unless said, and of length 1 where a scalar is written to.

    ``sell_at`` and ``buy_at`` are the prices that touch the limits: infinity and 0 where the variant has no such rung.
    Open lots form a chain per asset, from ``newest_lot`` by ``older`` to ``oldest_lot`` and back by ``newer``.
    """

    bank: Floats
    holdings: Floats
    anchor: Floats
    sell_at: Floats
    buy_at: Floats
    refused: np.ndarray
    newest_lot: np.ndarray
    oldest_lot: np.ndarray
    # By lot.
    older: np.ndarray
    newer: np.ndarray
    lot_asset: np.ndarray
    lot_session: np.ndarray
    lot_quantity: Floats
    lot_price: Floats
    lot_premium: Floats
    # Scratch of a session and its legs.
    active: np.ndarray
    queue: np.ndarray
    urgency: Floats
    points: Floats
    # Counts: ledger rows, sold lot rows, lots ever bought, refused assets.
    rows: np.ndarray
    lot_rows: np.ndarray
    lots_bought: np.ndarray
    refusals: np.ndarray
    # Money so far: proceeds that cover withdrawals, and the withdrawals that fell due.
    proceeds: Floats
    scheduled: Floats
    # Output.
    ledger: Rows
    daily: Rows
    lots: Rows


@compiled
def run(market: Market, terms: Terms, book: Book) -> bool:
    """Simulate every session; return False where a buffer was too short, and the caller must offer longer ones."""
    sessions = market.close.shape[0]
    book.bank[0] = terms.capital
    first_purchases(market, terms, book)
    mark(market, book, 0)
    for session in range(1, sessions):
        if not room(book):
            return False
        arrive(market, terms, book, session)
        touched = touched_assets(market, book, session)
        if touched:
            trade(market, terms, book, session, touched)
        if book.refusals[0]:
            forget_refusals(market, book, session)
        if begins(market, session, terms.withdrawal_every):
            withdraw(market, terms, book, session)
        mark(market, book, session)
    return close_books(book)


@compiled
def room(book):
    """Tell whether the buffers held everything so far: rows beyond their end are counted, not written."""
    return (
        book.rows[0] <= len(book.ledger)
        and book.lots_bought[0] <= len(book.lot_price)
        and book.lot_rows[0] <= len(book.lots)
    )


@compiled
def first_purchases(market, terms, book):
    """Buy every asset at the first close, for its budget or what the bank still holds."""
    for asset in range(len(terms.budgets)):
        price = market.close[0, asset]
        budget = min(terms.budgets[asset], book.bank[0])
        quantity = (budget - terms.fee_fixed) / (price * (1.0 + terms.fee_rate))
        quantity = whole_lots(quantity, terms.lot_sizes[asset])
        if quantity > 0.0:
            fee = terms.fee_fixed + terms.fee_rate * (quantity * price)
            book.holdings[asset] = quantity
            amount = -(quantity * price + fee)
            write(book, 0, LEG_CLOSE, INITIAL_BUY, asset, quantity, NAN, price, fee, amount, 0.0, NAN)
            book.daily[0].buys -= amount
        move_anchor(terms, book, asset, price)


@compiled
def arrive(market, terms, book, session):
    """Book what reaches the bank before the open: dividends, interest (an overdrawn bank pays it), then a deposit."""
    day = book.daily[session]
    bank_before = book.bank[0]
    if market.pays[session]:
        for asset in range(len(book.holdings)):
            per_share = market.dividends[session, asset]
            if per_share != 0.0 and book.holdings[asset] > 0.0:
                amount = book.holdings[asset] * per_share
                write(book, session, LEG_ARRIVAL, DIVIDEND, asset, NAN, NAN, per_share, 0.0, amount, NAN, NAN)
                day.income += amount
    if bank_before < 0.0:
        amount = bank_before * terms.margin_rate * market.years[session]
    else:
        amount = bank_before * market.interest[session]
    if abs(amount) >= DUST:
        write(book, session, LEG_ARRIVAL, INTEREST, -1, NAN, NAN, NAN, 0.0, amount, NAN, NAN)
        day.income += amount
    if terms.deposit > 0.0 and begins(market, session, terms.deposit_every):
        write(book, session, LEG_ARRIVAL, DEPOSIT, -1, NAN, NAN, NAN, 0.0, terms.deposit, NAN, NAN)
        day.deposits += terms.deposit


@compiled
def begins(market, session, every):
    """Tell whether a session begins a month, quarter or year, as asked; a year begins the shorter ones too."""
    return 0 < market.period[session] <= every


@compiled
def touched_assets(market, book, session):
    """Collect the assets whose bar reaches a limit; only these can trade today. A missing bar compares false."""
    touched = 0
    for asset in range(len(book.holdings)):
        book.active[touched] = asset
        touched += (market.high[session, asset] >= book.sell_at[asset]) | (
            market.low[session, asset] <= book.buy_at[asset]
        )
    return touched


@inlined
def trade(market, terms, book, session, touched):
    """Walk the four legs of the bar, sells of all assets before any buy in each."""
    for position in range(touched):
        infer_path(market, terms, book, session, book.active[position], position)
    legs = 1 if terms.path == CLOSE_ONLY else LEGS
    for leg in range(legs):
        sellers = 0
        for position in range(touched):
            asset = book.active[position]
            if leg_reaches_sell(book, position, leg, asset):
                sellers = enqueue(market, terms, book, session, leg, position, sellers, -1.0)
        for place in range(sellers):
            sell_rungs(market, terms, book, session, leg, book.queue[place])
        buyers = 0
        for position in range(touched):
            asset = book.active[position]
            if leg_reaches_buy(book, position, leg, asset):
                buyers = enqueue(market, terms, book, session, leg, position, buyers, 1.0)
        for place in range(buyers):
            buy_rungs(market, terms, book, session, leg, book.queue[place])


@compiled
def infer_path(market, terms, book, session, asset, position):
    """Note the prices that a bar's legs run between: yesterday's mark, the open, two extremes, the close."""
    points = book.points[position]
    points[0] = market.mark[session - 1, asset]
    if terms.path == CLOSE_ONLY:
        points[1] = market.close[session, asset]
        return
    opened, high, low = market.open[session, asset], market.high[session, asset], market.low[session, asset]
    low_first = terms.path == LOW_FIRST or (terms.path != HIGH_FIRST and opened - low <= high - opened)
    points[1] = opened
    points[2] = low if low_first else high
    points[3] = high if low_first else low
    points[4] = market.close[session, asset]


@compiled
def leg_reaches_sell(book, position, leg, asset):
    """Tell whether a leg fills the asset's sell rung: leg 0 by standing at or beyond it, a later leg by crossing it."""
    start, end = book.points[position, leg], book.points[position, leg + 1]
    return end >= book.sell_at[asset] and (leg == 0 or start < book.sell_at[asset])


@compiled
def leg_reaches_buy(book, position, leg, asset):
    """Tell whether a leg fills the asset's buy rung; see :func:`leg_reaches_sell`."""
    start, end = book.points[position, leg], book.points[position, leg + 1]
    return end <= book.buy_at[asset] and (leg == 0 or start > book.buy_at[asset])


@compiled
def enqueue(market, terms, book, session, leg, position, waiting, sign):
    """Queue an asset in universe order, or with the lowest ``sign * premium`` first; return the queue's length."""
    urgency = 0.0
    if terms.coordination == NAV_OPPORTUNISTIC:
        asset = book.active[position]
        urgency = sign * (book.points[position, leg + 1] / market.nav[session - 1, asset] - 1.0)
    return line_up(book, position, urgency, waiting)


@compiled
def line_up(book, entry, urgency, waiting):
    """Put an entry behind those of the same or a lower urgency; return the queue's length."""
    place = waiting
    while place > 0 and book.urgency[place - 1] > urgency:
        book.urgency[place] = book.urgency[place - 1]
        book.queue[place] = book.queue[place - 1]
        place -= 1
    book.urgency[place] = urgency
    book.queue[place] = entry
    return waiting + 1


@compiled
def sell_rungs(market, terms, book, session, leg, position):
    """Sell at every rung that the leg reaches, upwards."""
    asset = book.active[position]
    r, share = terms.brackets[asset], terms.shares[asset]
    rungs = 0
    while rungs < terms.max_rungs and leg_reaches_sell(book, position, leg, asset):
        rungs += 1
        limit = book.anchor[asset] * (1.0 + r)
        price = book.points[position, 1] if leg == 0 else limit
        quantity = r * book.holdings[asset] * share / (1.0 + r)
        if terms.sizing == SYMMETRIC and book.newest_lot[asset] >= 0:
            quantity = book.lot_quantity[book.newest_lot[asset]]
        quantity = min(whole_lots(quantity, terms.lot_sizes[asset]), book.holdings[asset])
        fee = terms.fee_fixed + terms.fee_rate * (quantity * price)
        below_peak = terms.variant == ATH_SELL and limit * (1.0 + TOUCH) < market.nav[session - 1, asset]
        if below_peak or quantity <= 0.0 or quantity * price <= fee:
            book.daily[session].passed_rungs += 1
        else:
            amount = sell(market, terms, book, session, leg, SELL, asset, quantity, price, fee)
            book.proceeds[0] += amount if terms.coverage_of == NET else quantity * price
        move_anchor(terms, book, asset, price if terms.anchor == FILL else limit)


@compiled
def sell(market, terms, book, session, leg, kind, asset, quantity, price, fee):
    """Book a sale; return what the bank receives."""
    amount = quantity * price - fee
    gain = take_from_lots(terms, book, session, asset, quantity, price)
    premium = price / market.nav[session - 1, asset] - 1.0
    book.holdings[asset] -= quantity
    write(book, session, leg, kind, asset, -quantity, NAN, price, fee, amount, premium, gain)
    book.daily[session].sells += amount
    return amount


@compiled
def buy_rungs(market, terms, book, session, leg, position):
    """Buy at every rung that the leg reaches, downwards, until the bank does not cover one."""
    asset = book.active[position]
    r, share = terms.brackets[asset], terms.shares[asset]
    rungs = 0
    while rungs < terms.max_rungs and leg_reaches_buy(book, position, leg, asset):
        rungs += 1
        limit = book.anchor[asset] / (1.0 + r)
        price = book.points[position, 1] if leg == 0 else limit
        quantity = whole_lots(r * book.holdings[asset] * share, terms.lot_sizes[asset])
        if quantity <= 0.0:
            book.daily[session].passed_rungs += 1
        else:
            fee = terms.fee_fixed + terms.fee_rate * (quantity * price)
            cost = quantity * price + fee
            premium = price / market.nav[session - 1, asset] - 1.0
            if cost > book.bank[0] + terms.margin_limit * book.daily[session - 1].value + DUST:
                refuse(book, session, leg, asset, quantity, price, premium)
                return
            book.holdings[asset] += quantity
            push_lot(book, session, asset, quantity, price, premium)
            write(book, session, leg, BUY, asset, quantity, NAN, price, fee, -cost, premium, NAN)
            book.daily[session].buys += cost
            if terms.coverage_of == NET:
                book.proceeds[0] -= cost
        move_anchor(terms, book, asset, price if terms.anchor == FILL else limit)


@compiled
def whole_lots(quantity, lot_size):
    """Round a quantity down to whole lots; a lot size of 0 leaves it fractional."""
    if lot_size == 0.0:
        return quantity
    return np.floor(quantity / lot_size + WHOLE_LOT) * lot_size


@compiled
def move_anchor(terms, book, asset, price):
    """Set the anchor and the prices that touch the limits around it; a refusal ends with its anchor."""
    book.anchor[asset] = price
    spacing = 1.0 + terms.brackets[asset]
    book.sell_at[asset] = np.inf if terms.variant == BUY_AND_HOLD else price * spacing * (1.0 - TOUCH)
    buys = terms.variant != BUY_AND_HOLD and terms.variant != ATH_ONLY
    book.buy_at[asset] = price / spacing * (1.0 + TOUCH) if buys else 0.0
    book.refusals[0] -= book.refused[asset]
    book.refused[asset] = 0


@compiled
def refuse(book, session, leg, asset, quantity, price, premium):
    """Book a buy that the bank does not cover, once until the anchor moves or a session closes above the limit."""
    if not book.refused[asset]:
        book.refused[asset] = 1
        book.refusals[0] += 1
        book.daily[session].skipped_buys += 1
        write(book, session, leg, SKIP_BUY, asset, NAN, quantity, price, 0.0, 0.0, premium, NAN)


@compiled
def forget_refusals(market, book, session):
    """End the refusals of assets that closed above their buy limit. A missing close compares false."""
    for asset in range(len(book.holdings)):
        if book.refused[asset] and market.close[session, asset] > book.buy_at[asset]:
            book.refused[asset] = 0
            book.refusals[0] -= 1


@compiled
def withdraw(market, terms, book, session):
    """Pay the withdrawal that falls due, from the bank and, where the rules say so, from sales at the close."""
    value = book.bank[0] + invested(market, book, session)
    due = terms.withdrawal + terms.withdrawal_share * value
    if due <= DUST:
        return
    book.scheduled[0] += due
    paid = 0.0
    if covered(terms, book):
        if terms.shortfall != NO_SALES and due > book.bank[0] + DUST:
            fund(market, terms, book, session, value, due - book.bank[0])
        paid = min(due, max(book.bank[0], 0.0))
    if paid > DUST:
        unpaid = due - paid if due - paid > DUST else NAN
        write(book, session, LEG_CLOSE, WITHDRAWAL, -1, NAN, unpaid, NAN, 0.0, -paid, NAN, NAN)
        book.daily[session].withdrawals += paid
    else:
        write(book, session, LEG_CLOSE, SKIP_WITHDRAWAL, -1, NAN, due, NAN, 0.0, 0.0, NAN, NAN)


@compiled
def invested(market, book, session):
    """Value the holdings at their last closes."""
    value = 0.0
    for asset in range(len(book.holdings)):
        value += book.holdings[asset] * market.mark[session, asset]
    return value


@compiled
def covered(terms, book):
    """Tell whether the rule has earned the asked share of what fell due so far."""
    return terms.coverage_min <= 0.0 or book.proceeds[0] >= terms.coverage_min * book.scheduled[0]


@compiled
def fund(market, terms, book, session, value, need):
    """Raise cash for a withdrawal: from what exceeds its target if the rules say so, the rest from every holding."""
    if terms.shortfall == OVERWEIGHT:
        need = sell_overweight(market, terms, book, session, value, need)
    if need > DUST:
        sell_pro_rata(market, terms, book, session, need)


@compiled
def sell_overweight(market, terms, book, session, value, need):
    """Sell down to the targets, the largest excess first, until the need is met; return what is still needed."""
    waiting = 0
    for asset in range(len(book.holdings)):
        excess = book.holdings[asset] * market.close[session, asset] - terms.targets[asset] * value
        if book.holdings[asset] > 0.0 and excess > 0.0:  # a missing close compares false
            waiting = line_up(book, asset, -excess, waiting)
    for place in range(waiting):
        if need <= DUST:
            break
        asset = book.queue[place]
        price = market.close[session, asset]
        enough = (need + terms.fee_fixed) / (price * (1.0 - terms.fee_rate))
        need -= sell_at_close(market, terms, book, session, asset, min(-book.urgency[place] / price, enough))
    return need


@compiled
def sell_pro_rata(market, terms, book, session, need):
    """Sell the same share of every holding that has a bar, sized so that the need and all fees are met."""
    sellable = 0.0
    assets = 0
    for asset in range(len(book.holdings)):
        worth = book.holdings[asset] * market.close[session, asset]
        if worth > 0.0:  # a missing close compares false
            sellable += worth
            assets += 1
    if assets == 0:
        return
    share = min(1.0, (need + assets * terms.fee_fixed) / (sellable * (1.0 - terms.fee_rate)))
    for asset in range(len(book.holdings)):
        sell_at_close(market, terms, book, session, asset, share * book.holdings[asset])


@compiled
def sell_at_close(market, terms, book, session, asset, quantity):
    """Sell at today's close without moving the anchor; return the proceeds, 0 where a sale would not pay its fee."""
    price = market.close[session, asset]
    quantity = min(whole_lots(quantity, terms.lot_sizes[asset]), book.holdings[asset])
    fee = terms.fee_fixed + terms.fee_rate * (quantity * price)
    if quantity > 0.0 and quantity * price > fee:  # a missing close compares false
        return sell(market, terms, book, session, LEG_CLOSE, FUNDING_SELL, asset, quantity, price, fee)
    return 0.0


@compiled
def push_lot(book, session, asset, quantity, price, premium):
    """Open a buyback lot on top of the asset's chain."""
    lot = book.lots_bought[0]
    book.lots_bought[0] += 1
    if lot >= len(book.lot_price):
        return  # run() sees the count and asks for longer buffers
    book.lot_asset[lot] = asset
    book.lot_session[lot] = session
    book.lot_quantity[lot] = quantity
    book.lot_price[lot] = price
    book.lot_premium[lot] = premium
    newest = book.newest_lot[asset]
    book.older[lot] = newest
    book.newer[lot] = -1
    if newest >= 0:
        book.newer[newest] = lot
    else:
        book.oldest_lot[asset] = lot
    book.newest_lot[asset] = lot


@compiled
def close_lot(book, asset, lot):
    """Take a lot, the newest or the oldest, out of its asset's chain."""
    older, newer = book.older[lot], book.newer[lot]
    if newer >= 0:
        book.older[newer] = older
    else:
        book.newest_lot[asset] = older
    if older >= 0:
        book.newer[older] = newer
    else:
        book.oldest_lot[asset] = newer


@compiled
def take_from_lots(terms, book, session, asset, quantity, price):
    """Take a sale from the lots in their order, then from the core holding; return the gain over what they had cost."""
    gain = 0.0
    wanted = quantity
    while wanted > 0.0 and book.newest_lot[asset] >= 0:
        lot = book.oldest_lot[asset] if terms.lot_order == FIFO else book.newest_lot[asset]
        held = book.lot_quantity[lot]
        if held <= wanted or abs(held - wanted) <= SAME_SHARES * quantity:
            taken = held
            wanted = 0.0 if abs(held - wanted) <= SAME_SHARES * quantity else wanted - held
            close_lot(book, asset, lot)
        else:
            taken = wanted
            wanted = 0.0
            book.lot_quantity[lot] = held - taken
        gain += taken * (price - book.lot_price[lot])
        write_lot(book, lot, session, taken, price)
    return gain


@compiled
def mark(market, book, session):
    """Value the portfolio at the close."""
    invested = 0.0
    nav_value = 0.0
    for asset in range(len(book.holdings)):
        invested += book.holdings[asset] * market.mark[session, asset]
        nav_value += book.holdings[asset] * market.nav[session, asset]
    day = book.daily[session]
    day.bank = book.bank[0]
    day.invested = invested
    day.value = book.bank[0] + invested
    day.nav_value = nav_value


@compiled
def close_books(book):
    """List the lots that are still open, oldest first, and tell whether every row had room."""
    if not room(book):
        return False
    # A lot is open when its chain still leads to it: mark those, then walk in the order bought.
    for lot in range(book.lots_bought[0]):
        book.lot_session[lot] = -book.lot_session[lot]
    for asset in range(len(book.holdings)):
        lot = book.newest_lot[asset]
        while lot >= 0:
            book.lot_session[lot] = -book.lot_session[lot]
            lot = book.older[lot]
    for lot in range(book.lots_bought[0]):
        if book.lot_session[lot] > 0:
            write_lot(book, lot, -1, book.lot_quantity[lot], NAN)
    return room(book)


@compiled
def write(book, session, leg, kind, asset, quantity, skipped, price, fee, amount, premium, gain):
    """Book one movement of cash. Nothing else changes the bank."""
    book.bank[0] += amount
    number = book.rows[0]
    book.rows[0] += 1
    if number < len(book.ledger):
        row = book.ledger[number]
        row.session = session
        row.leg = leg
        row.kind = kind
        row.asset = asset
        row.quantity = quantity
        row.skipped_quantity = skipped
        row.price = price
        row.fee = fee
        row.amount = amount
        row.bank_after = book.bank[0]
        row.premium = premium
        row.buyback_gain = gain


@compiled
def write_lot(book, lot, session, quantity, price):
    """List a lot, or the part of it that was sold; session -1 while it is open."""
    number = book.lot_rows[0]
    book.lot_rows[0] += 1
    if number < len(book.lots):
        row = book.lots[number]
        row.lot = lot + 1
        row.asset = book.lot_asset[lot]
        row.opened = abs(book.lot_session[lot])
        row.closed = session
        row.quantity = quantity
        row.price = book.lot_price[lot]
        row.sale_price = price
        row.premium = book.lot_premium[lot]
