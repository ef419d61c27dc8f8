"""The rule of one asset on the path of a bar: limits, legs, rungs, and what is refused.

What a trade changes belongs in ``trades``, what moves the rule itself in ``lookback``.
"""

import numpy as np

from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import DUST, TOUCH, fee_of, number, whole_lots
from sd_core.simulation.kernel.book import (
    ALL_LEGS,
    HIGH,
    LAST,
    LEGS,
    LOW,
    NONE_YET,
    OPEN_PRICE,
    PEAK,
    compiled,
    inlined,
)
from sd_core.simulation.kernel.lanes import (
    LANES,
    lanes_above,
    lanes_at_least,
    lanes_at_most,
    lanes_of_product_above,
    lanes_other_than,
    lowest_lane,
)
from sd_core.simulation.kernel.trades import book_refusal, buy, note_sale_limit, sell, sellable
from sd_core.simulation.rules import Anchor, Order, Path, Sizing, Variant, Width

# A weight counts as inside its band, or at its deviation or drift, when it is beyond by no more than this.
ON_THE_EDGE = 1e-12

BUY, SELL, SKIP_BUY, SKIP_SELL = number(Kind.BUY), number(Kind.SELL), number(Kind.SKIP_BUY), number(Kind.SKIP_SELL)
ATH_ONLY, NO_RULE, ATH_SELL = Variant.ATH_ONLY.value, Variant.NO_RULE.value, Variant.ATH_SELL.value
NAV_OPPORTUNISTIC = Order.NAV_OPPORTUNISTIC.value
LOW_FIRST, HIGH_FIRST, CLOSE_ONLY = Path.LOW_FIRST.value, Path.HIGH_FIRST.value, Path.CLOSE_ONLY.value
SYMMETRIC, FILL, RELATIVE = Sizing.SYMMETRIC.value, Anchor.FILL.value, Width.RELATIVE.value


@inlined
def move_anchor(terms, book, asset, price):
    """Set the anchor and the limits around it; what was refused ends with its anchor."""
    position = book.positions[asset]
    position.anchor = price
    book.state.refusals -= (book.needs[asset] != 0.0) + position.sale_refused
    book.needs[asset] = 0.0
    position.sale_refused = 0
    set_limits(terms, book, asset)


@inlined
def set_limits(terms, book, asset):
    """Set the prices that touch the limits around the anchor, out of reach where no such rung is traded."""
    position = book.positions[asset]
    trades = terms.variant != NO_RULE
    book.sell_at[asset] = sale_touch(position) if trades else np.inf
    book.buy_at[asset] = purchase_touch(position) if trades and terms.variant != ATH_ONLY else 0.0


@inlined
def sale_touch(position):
    """Return the lowest price that touches the sale limit."""
    return position.anchor * (1.0 + position.bracket) * (1.0 - TOUCH)


@inlined
def purchase_touch(position):
    """Return the highest price that touches the purchase limit."""
    return position.anchor / (1.0 + position.bracket) * (1.0 + TOUCH)


@inlined
def touched_assets(market, terms, book, session):
    """Collect the assets whose bar reaches a limit; only these can trade today. A missing bar reaches none."""
    prices = market.prices[session]
    first_price = prices[LAST] if terms.path == CLOSE_ONLY else prices[OPEN_PRICE]
    money = money_on_leg_0(terms, book, first_price)
    touched = 0
    for start in range(0, len(book.holdings), LANES):
        reached = lanes_at_least(prices[HIGH], book.sell_at, start) | lanes_at_most(prices[LOW], book.buy_at, start)
        if money < np.inf:
            # A price that stays below its purchase limit trades on leg 0 or not at all. Its purchase was refused before
            # and would be again, without a row. Where the bank is empty, that is most of what touches.
            refused = lanes_of_product_above(book.needs, first_price, money, start)
            reached &= ~(refused & lanes_at_most(prices[HIGH], book.buy_at, start))
        while reached != 0:
            book.paths[touched].asset = start + lowest_lane(reached)
            touched += 1
            reached &= reached - 1
    return touched


@inlined
def money_on_leg_0(terms, book, first_price):
    """Return what purchases on leg 0 can cost at most, but for the fixed fee; infinity where a sale may raise more."""
    if not book.state.refusals:
        return np.inf
    for start in range(0, len(book.holdings), LANES):
        if lanes_at_least(first_price, book.sell_at, start) != 0:
            return np.inf
    return max(0.0, spendable(terms, book) - terms.fee_fixed)


@inlined
def spendable(terms, book):
    """Return what a purchase of the rule may cost: bank and credit."""
    return book.state.bank + terms.margin_limit * book.state.value + DUST


@inlined
def trade(market, terms, book, policy, session, touched):
    """Walk the legs of the bar on which an asset reaches a limit, sales of all assets before any purchase in each."""
    pending = 0
    for place in range(touched):
        infer_path(market, terms, book, session, place)
        note_legs(terms, book, policy, place)
        pending |= book.paths[place].sale_legs | book.paths[place].purchase_legs
    while pending != 0:
        leg = lowest_lane(pending)
        sellers = NONE_YET
        for place in range(touched):
            if book.paths[place].sale_legs >> leg & 1:
                sellers = enqueue(market, terms, book, session, leg, place, sellers, -1.0)
        for turn in range(sellers):
            place = book.turns[turn].entry
            sell_rungs(market, terms, book, policy, session, leg, place)
            note_legs(terms, book, policy, place)
        buyers = NONE_YET
        for place in range(touched):
            if book.paths[place].purchase_legs >> leg & 1:
                buyers = enqueue(market, terms, book, session, leg, place, buyers, 1.0)
        for turn in range(buyers):
            place = book.turns[turn].entry
            buy_rungs(market, terms, book, policy, session, leg, place)
            note_legs(terms, book, policy, place)
        pending = 0
        for place in range(touched):
            pending |= book.paths[place].sale_legs | book.paths[place].purchase_legs
        pending &= -2 << leg  # the legs after this one


@inlined
def note_legs(terms, book, policy, place):
    """Note which legs reach an asset's current limits, one bit per leg, the lowest for leg 0."""
    path = book.paths[place]
    sell_at, buy_at = book.sell_at[path.asset], book.buy_at[path.asset]
    above, below = 0, 0
    for stop in range(LEGS + 1):
        above |= (path.stops[stop] >= sell_at) << stop
        below |= (path.stops[stop] <= buy_at) << stop
    # A leg reaches a limit where its end touches it and its start does not; leg 0 whatever its start.
    legs = 1 if terms.path == CLOSE_ONLY else ALL_LEGS
    path.sale_legs = legs & (above >> 1) & (~above | 1)
    path.purchase_legs = legs & (below >> 1) & (~below | 1)
    if policy is not None and book.state.halted:
        path.purchase_legs = 0


@inlined
def infer_path(market, terms, book, session, place):
    """Note the prices that a bar's legs run between: the last close before, the open, two extremes, the close."""
    asset = book.paths[place].asset
    prices = market.prices[session]
    stops = book.paths[place].stops
    stops[0] = market.prices[session - 1, LAST, asset]
    if terms.path == CLOSE_ONLY:
        stops[1] = prices[LAST, asset]
        return
    opened, high, low = prices[OPEN_PRICE, asset], prices[HIGH, asset], prices[LOW, asset]
    low_first = terms.path == LOW_FIRST or (terms.path != HIGH_FIRST and opened - low <= high - opened)
    stops[1] = opened
    stops[2] = low if low_first else high
    stops[3] = high if low_first else low
    stops[4] = prices[LAST, asset]


@inlined
def reaches_sale(book, place, leg):
    """Return whether a leg fills an asset's sale rung: leg 0 by ending at or beyond it, a later leg by crossing it."""
    path = book.paths[place]
    limit = book.sell_at[path.asset]
    return path.stops[leg + 1] >= limit and (leg == 0 or path.stops[leg] < limit)


@inlined
def reaches_purchase(book, place, leg):
    """Return whether a leg fills an asset's purchase rung; see :func:`reaches_sale`."""
    path = book.paths[place]
    limit = book.buy_at[path.asset]
    return path.stops[leg + 1] <= limit and (leg == 0 or path.stops[leg] > limit)


@inlined
def enqueue(market, terms, book, session, leg, place, waiting, sign):
    """Queue an asset in universe order, or with the lowest ``sign * premium`` first; return the queue's length."""
    urgency = 0.0
    if terms.order == NAV_OPPORTUNISTIC:
        path = book.paths[place]
        urgency = sign * (path.stops[leg + 1] / market.prices[session - 1, PEAK, path.asset] - 1.0)
    return line_up(book, place, urgency, waiting)


@inlined
def line_up(book, entry, urgency, waiting):
    """Put an entry behind those of the same or a lower urgency; return the queue's length."""
    turn = waiting
    while turn > 0 and book.turns[turn - 1].urgency > urgency:
        book.turns[turn].urgency = book.turns[turn - 1].urgency
        book.turns[turn].entry = book.turns[turn - 1].entry
        turn -= 1
    book.turns[turn].urgency = urgency
    book.turns[turn].entry = entry
    return waiting + 1


@inlined
def sell_rungs(market, terms, book, policy, session, leg, place):
    """Sell at every rung that the leg reaches, upwards, until one would leave the band."""
    asset = book.paths[place].asset
    position = book.positions[asset]
    peak = market.prices[session - 1, PEAK, asset]
    rungs = 0
    while rungs < terms.max_rungs and reaches_sale(book, place, leg):
        rungs += 1
        limit = position.anchor * (1.0 + position.bracket)
        price = book.paths[place].stops[1] if leg == 0 else limit
        held = book.holdings[asset]
        quantity = rung_sale(position, held)
        if terms.sizing == SYMMETRIC and position.newest_lot >= 0:
            quantity = book.lots[position.newest_lot].quantity
        quantity = sellable(book, asset, quantity)
        fee = fee_of(terms, quantity * price)
        below_peak = terms.variant == ATH_SELL and limit * (1.0 + TOUCH) < peak
        if below_peak or quantity <= 0.0 or quantity * price <= fee:
            book.state.passed_rungs += 1
        else:
            premium = price / peak - 1.0
            if policy is not None:
                lowest = lower_edge(terms, policy, asset, position) - ON_THE_EDGE
                if terms.banded and weight_of(terms, book, (held - quantity) * price) < lowest:
                    refuse_sale(book, session, leg, asset, quantity, price, premium)
                    return
            sell(terms, book, session, leg, SELL, asset, quantity, price, fee, premium)
        move_anchor(terms, book, asset, price if terms.anchor == FILL else limit)


@inlined
def buy_rungs(market, terms, book, policy, session, leg, place):
    """Buy at every rung that the leg reaches, downwards, until band or bank refuse one."""
    asset = book.paths[place].asset
    position = book.positions[asset]
    state = book.state
    peak = market.prices[session - 1, PEAK, asset]
    rungs = 0
    while rungs < terms.max_rungs and reaches_purchase(book, place, leg):
        rungs += 1
        limit = position.anchor / (1.0 + position.bracket)
        price = book.paths[place].stops[1] if leg == 0 else limit
        held = book.holdings[asset]
        quantity = position.bracket * held * position.share
        if policy is not None:
            quantity *= state.eagerness
        quantity = whole_lots(quantity, position.lot_size)
        if quantity <= 0.0:
            state.passed_rungs += 1
        else:
            fee = fee_of(terms, quantity * price)
            refused = quantity * price + fee > spendable(terms, book)
            if policy is not None:
                highest = upper_edge(terms, policy, asset, position) + ON_THE_EDGE
                refused = refused or (terms.banded and weight_of(terms, book, (held + quantity) * price) > highest)
            if refused:
                refuse_purchase(terms, book, session, leg, asset, quantity, price, peak, limit)
                return
            buy(terms, book, session, leg, BUY, asset, quantity, price, fee, price / peak - 1.0)
        move_anchor(terms, book, asset, price if terms.anchor == FILL else limit)


@inlined
def rung_sale(position, held):
    """Return what one rung up sells, before rounding."""
    return position.bracket * held * position.share / (1.0 + position.bracket)


@inlined
def weight_of(terms, book, worth):
    """Return the share that a holding's worth has in what was to be invested at the last close.

    A portfolio worth nothing has room for none.
    """
    value = book.state.value
    return worth / ((1.0 - terms.reserve) * value) if value > 0.0 else np.inf


@inlined
def lower_edge(terms, policy, asset, position):
    """Return the lower edge of an asset's band, a weight: its own, or around its target."""
    own = policy.edges[asset, 0]
    if own >= 0.0:  # NaN compares false
        return own
    return max(0.0, position.weight - half_width(terms, position))


@inlined
def upper_edge(terms, policy, asset, position):
    """Return the upper edge of an asset's band, a weight: its own, or around its target."""
    own = policy.edges[asset, 1]
    if own >= 0.0:
        return own
    return position.weight + half_width(terms, position)


@inlined
def half_width(terms, position):
    """Return how far an asset's band reaches to either side of its target, a weight; infinity where it has none."""
    if terms.band_width == RELATIVE and terms.band < np.inf:  # no infinity of a target of 0
        return terms.band * position.weight
    return terms.band


@compiled
def refuse_purchase(terms, book, session, leg, asset, quantity, price, peak, limit):
    """Book that a purchase is refused, once until the anchor moves or a session closes above the limit."""
    if book.needs[asset] == 0.0:
        same_tomorrow = terms.cash_low == 0.0 and not terms.adaptive_bracket
        book.needs[asset] = quantity * (1.0 + terms.fee_rate) * (1.0 - TOUCH) if same_tomorrow else -1.0
        book.state.refusals += 1
        book.state.skipped_buys += 1
        book_refusal(book, session, leg, SKIP_BUY, asset, quantity, price, price / peak - 1.0)
        note_sale_limit(book, next_sale(terms, book.positions[asset], price if terms.anchor == FILL else limit, peak))


@inlined
def next_sale(terms, position, anchor, peak):
    """Return the limit at which the variant sells next from an anchor: at the first rung up that it does not pass."""
    limit = anchor * (1.0 + position.bracket)
    if terms.variant == ATH_SELL:
        # Not rung by rung: so small a bracket that 1 swallows it would never get there.
        passed = np.ceil((np.log(peak / limit) - TOUCH) / np.log1p(position.bracket))
        limit *= (1.0 + position.bracket) ** max(0.0, passed)
    return limit


@compiled
def refuse_sale(book, session, leg, asset, quantity, price, premium):
    """Book that a sale is refused, once until the anchor moves or a session closes below the limit."""
    position = book.positions[asset]
    if not position.sale_refused:
        position.sale_refused = 1
        book.state.refusals += 1
        book_refusal(book, session, leg, SKIP_SELL, asset, quantity, price, premium)


@compiled
def forget_refusals(market, book, policy, session):
    """End the refusals of assets that closed on the near side of the limit. A missing close compares false."""
    for start in range(0, len(book.holdings), LANES):
        back = lanes_above(market.prices[session, LAST], book.buy_at, start) & lanes_other_than(book.needs, 0.0, start)
        while back != 0:
            asset = start + lowest_lane(back)
            if market.closes[session, asset] > book.buy_at[asset]:
                book.needs[asset] = 0.0
                book.state.refusals -= 1
            back &= back - 1
    if policy is not None:
        for asset in range(len(book.positions)):
            position = book.positions[asset]
            if position.sale_refused and market.closes[session, asset] < book.sell_at[asset]:
                position.sale_refused = 0
                book.state.refusals -= 1
