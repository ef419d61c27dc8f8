"""What a strategy does at the close beyond its rule: rebalancing, profit-taking, the premium spread, deployment.

Withdrawals, which come after, belong in ``withdrawals``.
"""

import numpy as np

from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import fee_of, number, whole_lots
from sd_core.simulation.kernel.book import CLOSE, LAST, NAN, NO_ASSET, NONE_YET, PEAK, compiled, inlined
from sd_core.simulation.kernel.lanes import sum_of_products
from sd_core.simulation.kernel.lookback import volatility
from sd_core.simulation.kernel.rule import ON_THE_EDGE, lower_edge, move_anchor, rung_sale, upper_edge
from sd_core.simulation.kernel.trades import buy, sell, sellable
from sd_core.simulation.rules import Every, Width

# Money, as a share of the portfolio's value. A trade of less is not made, and sums that differ by less are the same.
TOO_SMALL = 1e-9

REBALANCE_BUY, REBALANCE_SELL = number(Kind.REBALANCE_BUY), number(Kind.REBALANCE_SELL)
DEPLOY_BUY, PROFIT_SELL = number(Kind.DEPLOY_BUY), number(Kind.PROFIT_SELL)
HARVEST_BUY, HARVEST_SELL = number(Kind.HARVEST_BUY), number(Kind.HARVEST_SELL)
RELATIVE = Width.RELATIVE.value
NEVER = Every.NEVER.value
# A close counts as at the mean when it is beyond by no more than this share of it.
AT_THE_MEAN = 1e-12
# Days after the sale of a loss on which the shares may not be replaced.
WINDOW_DAYS = number(30)
TO_TARGETS, TO_BANDS = number(0), number(1)


@inlined
def follow_portfolio_rules(market, terms, book, policy, session, closes, changed):
    """Take each step that the scenario asks for, on the value that the step before left.

    ``closes`` are those at which assets trade, NaN where one does not; ``changed`` is whether other targets came into
    force at this close.
    """
    holds = (changed and terms.rebalance_on_change) or triggered(market, terms, book, policy, session, closes)
    if terms.patience > 0:
        rebalance_patiently(market, terms, book, policy, session, closes, holds)
    elif holds:
        rebalance(market, terms, book, policy, session, closes, TO_TARGETS)
    if terms.banded and not holds:
        rebalance(market, terms, book, policy, session, closes, TO_BANDS)
    if terms.drift < np.inf:
        take_profit(market, terms, book, session, closes)
    if terms.premium_spread < np.inf:
        trade_spread(market, terms, book, session, closes)
    if terms.cash_high < np.inf:
        deploy(market, terms, book, policy, session, closes)
    if market.dates[session].begun[terms.harvest_every] > 0:
        harvest(market, terms, book, policy, session, closes)


@inlined
def set_targets(book, policy, session):
    """Put the row of targets in force that falls due at this close; return whether it changes any weight."""
    row = policy.row_from[session]
    changed = False
    if row >= 0:
        for asset in range(len(book.positions)):
            weight = policy.targets[row, policy.harvests[asset].role]
            changed |= book.positions[asset].weight != weight
            book.positions[asset].weight = weight
    return changed


@compiled
def note_closes(market, policy, session):
    """Note the closes at which assets trade: NaN without a bar, and while nothing may buy what was harvested."""
    for asset in range(len(policy.closes)):
        is_blocked = market.dates[session].day <= policy.harvests[asset].blocked_until
        policy.closes[asset] = NAN if is_blocked else market.closes[session, asset]


@inlined
def worth_of(market, book, session):
    """Return the portfolio's value at the close."""
    return book.state.bank + sum_of_products(book.holdings, market.prices[session, LAST])


@inlined
def triggered(market, terms, book, policy, session, closes):
    """Return whether the calendar, a weight or the volatility asks for rebalancing."""
    if market.dates[session].begun[terms.rebalance_every] > 0:
        return True
    if terms.volatility < np.inf and session >= len(policy.returns) and volatility(market, policy) > terms.volatility:
        return True
    if terms.deviation < np.inf:
        invested = (1.0 - terms.reserve) * worth_of(market, book, session)
        for asset in range(len(book.positions)):
            target = book.positions[asset].weight
            width = terms.deviation * target if terms.deviation_width == RELATIVE else terms.deviation
            weight = book.holdings[asset] * closes[asset] / invested
            if abs(weight - target) > width + ON_THE_EDGE:  # a missing close compares false
                return True
    return False


@compiled
def rebalance(market, terms, book, policy, session, closes, to_bands):
    """Return weights to their targets, or to the nearer edge of their bands: sales first, then what the bank allows."""
    value = worth_of(market, book, session)
    for asset in range(len(book.positions)):
        price = closes[asset]
        excess = book.holdings[asset] * price - aim(terms, book, policy, asset, price, value, to_bands)
        if excess > 0.0:  # a missing close compares false
            sell_at_close(market, terms, book, session, REBALANCE_SELL, asset, excess / price, value)
    for asset in range(len(book.positions)):
        price = closes[asset]
        lack = aim(terms, book, policy, asset, price, value, to_bands) - book.holdings[asset] * price
        if lack > 0.0:
            most = affordable(terms, price, book.state.bank - terms.reserve * value)
            buy_at_close(market, terms, book, session, REBALANCE_BUY, asset, min(lack / price, most), value)


@compiled
def rebalance_patiently(market, terms, book, policy, session, closes, holds):
    """Note what a trigger asks for, and trade what is due of that: sales first, then what the bank allows.

    A deadline above 0 is that of a sale, one below 0 that of a purchase.
    """
    value = worth_of(market, book, session)
    if not value > 0.0:
        return
    note_deadlines(terms, book, policy, session, closes, value, holds)
    for asset in range(len(book.positions)):
        if policy.deadlines[asset] > 0 and is_due(market, terms, session, closes, asset, policy.deadlines[asset], 1.0):
            excess = excess_of(terms, book, closes, asset, value)
            quantity = excess / market.closes[session, asset]
            proceeds = sell_at_close(market, terms, book, session, REBALANCE_SELL, asset, quantity, value)
            if proceeds > 0.0 or session >= policy.deadlines[asset]:
                policy.deadlines[asset] = 0
    for asset in range(len(book.positions)):
        if policy.deadlines[asset] < 0 and is_due(
            market, terms, session, closes, asset, -policy.deadlines[asset], -1.0
        ):
            price = market.closes[session, asset]
            lack = -excess_of(terms, book, closes, asset, value)
            most = affordable(terms, price, book.state.bank - terms.reserve * value)
            bought = buy_at_close(market, terms, book, session, REBALANCE_BUY, asset, min(lack / price, most), value)
            if (bought and lack - most * price <= TOO_SMALL * value) or session >= -policy.deadlines[asset]:
                policy.deadlines[asset] = 0


@compiled
def note_deadlines(terms, book, policy, session, closes, value, holds):
    """Forget the deadlines of assets that need no trade of their side, and note new ones where a trigger holds."""
    for asset in range(len(book.positions)):
        excess = excess_of(terms, book, closes, asset, value)
        if abs(excess) < np.inf:  # a missing close compares false
            side = (excess > TOO_SMALL * value) - (excess < -TOO_SMALL * value)
            if policy.deadlines[asset] * side <= 0:
                policy.deadlines[asset] = side * (session + terms.patience) if holds else 0


@inlined
def excess_of(terms, book, closes, asset, value):
    """Return by how much a holding exceeds its target worth; NaN without a bar."""
    target = book.positions[asset].weight * ((1.0 - terms.reserve) * value)
    return book.holdings[asset] * closes[asset] - target


@compiled
def is_due(market, terms, session, closes, asset, deadline, side):
    """Return whether an asset with a bar trades today: its deadline has come, or the price has come back to its mean.

    ``side`` is 1 for a sale, which waits while the price lies above the mean, and -1 for a purchase.
    """
    if not closes[asset] > 0.0:
        return False
    if session >= deadline:
        return True
    if session < terms.patience_mean:
        return False
    mean = 0.0
    for before in range(session - terms.patience_mean, session):
        mean += market.prices[before, LAST, asset]
    mean /= terms.patience_mean
    return side * (market.prices[session - 1, LAST, asset] - mean) <= AT_THE_MEAN * mean


@compiled
def aim(terms, book, policy, asset, price, value, to_bands):
    """Return what a holding should be worth: its target, or the nearer edge of its band where it lies outside."""
    position = book.positions[asset]
    invested = (1.0 - terms.reserve) * value
    if not to_bands:
        return position.weight * invested
    worth = book.holdings[asset] * price
    lower, upper = lower_edge(terms, policy, asset, position), upper_edge(terms, policy, asset, position)
    if worth / invested > upper + ON_THE_EDGE:
        return upper * invested
    if worth / invested < lower - ON_THE_EDGE:
        return lower * invested
    return worth


@compiled
def take_profit(market, terms, book, session, closes):
    """Sell what has drifted too far above its target down to it."""
    value = worth_of(market, book, session)
    invested = (1.0 - terms.reserve) * value
    for asset in range(len(book.positions)):
        target = book.positions[asset].weight
        price = closes[asset]
        worth = book.holdings[asset] * price
        if (
            target > 0.0 and worth / invested > target * (1.0 + terms.drift) + ON_THE_EDGE
        ):  # a missing close compares false
            quantity = (worth - target * invested) / price
            sell_at_close(market, terms, book, session, PROFIT_SELL, asset, quantity, value)


@compiled
def trade_spread(market, terms, book, session, closes):
    """Sell a rung of the dearest asset and buy the cheapest for it, once while their premiums lie far apart."""
    dearest, cheapest = NO_ASSET, NO_ASSET
    highest, lowest = -np.inf, np.inf
    bars = 0
    for asset in range(len(book.positions)):
        premium = closes[asset] / market.prices[session - 1, PEAK, asset] - 1.0
        bars += premium >= -1.0  # a missing close compares false
        if premium > highest:
            dearest, highest = asset, premium
        if premium < lowest:
            cheapest, lowest = asset, premium
    if bars < 2:
        return  # on a weekend, say, where one asset trades alone: no spread, and no end of one
    apart = highest - lowest > terms.premium_spread
    if apart and not book.state.spread_tried:
        value = worth_of(market, book, session)
        quantity = rung_sale(book.positions[dearest], book.holdings[dearest])
        proceeds = sell_at_close(market, terms, book, session, REBALANCE_SELL, dearest, quantity, value)
        if proceeds > 0.0:
            price = closes[cheapest]
            most = affordable(terms, price, min(proceeds, book.state.bank))
            buy_at_close(market, terms, book, session, REBALANCE_BUY, cheapest, most, value)
    book.state.spread_tried = apart


@compiled
def deploy(market, terms, book, policy, session, closes):
    """Spend what the bank holds above the reserve, once it holds too much: on what lacks most, then on candidates."""
    state = book.state
    value = worth_of(market, book, session)
    if not state.bank > terms.cash_high * value:
        return
    kept = terms.reserve * value
    waiting = NONE_YET
    for asset in range(len(book.positions)):
        target = book.positions[asset].weight * (1.0 - terms.reserve) * value
        lack = target - book.holdings[asset] * closes[asset]
        if lack > 0.0:  # a missing close compares false
            waiting = await_turn(book, asset, lack, waiting)
    for _ in range(waiting):
        asset, lack = take_turn(book, waiting, TOO_SMALL * value)
        price = closes[asset]
        quantity = min(lack / price, affordable(terms, price, state.bank - kept))
        buy_at_close(market, terms, book, session, DEPLOY_BUY, asset, quantity, value)
    trading = 0
    for asset in policy.candidates:
        trading += closes[asset] > 0.0
    part = (state.bank - kept) / trading
    for asset in policy.candidates:
        quantity = affordable(terms, closes[asset], part)
        buy_at_close(market, terms, book, session, DEPLOY_BUY, asset, quantity, value)


@compiled
def harvest(market, terms, book, policy, session, closes):
    """Sell whole what lies far enough below its cost, and buy its substitute, or let the proceeds wait."""
    value = worth_of(market, book, session)
    for asset in range(len(book.positions)):
        position, harvested = book.positions[asset], policy.harvests[asset]
        price = closes[asset]
        held = book.holdings[asset]
        if not (held > 0.0 and price < position.average_cost * (1.0 - terms.harvest_loss)):
            continue  # a missing close compares false
        loss = held * position.average_cost - (held * price - fee_of(terms, held * price))
        other = harvested.substitute
        is_replaced = other != NO_ASSET
        if loss < terms.harvest_min or (is_replaced and not closes[other] > 0.0):
            continue
        proceeds = make_sale(market, terms, book, session, HARVEST_SELL, asset, held, value)
        if proceeds == 0.0:
            continue
        harvested.blocked_until = market.dates[session].day + WINDOW_DAYS
        closes[asset] = NAN
        if is_replaced:
            most = affordable(terms, market.closes[session, other], min(proceeds, book.state.bank))
            buy_at_close(market, terms, book, session, HARVEST_BUY, other, most, value)
            swap_roles(book, policy, asset, other)
        else:
            harvested.waiting = proceeds


@inlined
def swap_roles(book, policy, asset, other):
    """Give each of two assets the targets of the other."""
    weight, role = book.positions[asset].weight, policy.harvests[asset].role
    book.positions[asset].weight = book.positions[other].weight
    policy.harvests[asset].role = policy.harvests[other].role
    book.positions[other].weight = weight
    policy.harvests[other].role = role


@inlined
def await_turn(book, asset, urgency, waiting):
    """Let an asset wait behind those before it in the universe; return how many wait."""
    book.turns[waiting].urgency = urgency
    book.turns[waiting].entry = asset
    return waiting + 1


@inlined
def take_turn(book, waiting, tolerance):
    """Return the most urgent asset that waits, the first of those that differ by rounding, and how urgent it is."""
    most = -np.inf
    for turn in range(waiting):
        most = max(most, book.turns[turn].urgency)
    first = 0
    while book.turns[first].urgency < most - tolerance:
        first += 1
    urgency = book.turns[first].urgency
    book.turns[first].urgency = -np.inf
    return book.turns[first].entry, urgency


@inlined
def affordable(terms, price, money):
    """Return the quantity that a sum of money buys, its fee included."""
    return (money - terms.fee_fixed) / (price * (1.0 + terms.fee_rate))


@compiled
def sell_at_close(market, terms, book, session, kind, asset, quantity, value):
    """Sell whole lots at today's close; return the proceeds, 0 where the sale is not worth making."""
    return make_sale(market, terms, book, session, kind, asset, sellable(book, asset, quantity), value)


@compiled
def make_sale(market, terms, book, session, kind, asset, quantity, value):
    """Sell at today's close and move the anchor there; return the proceeds, 0 where the sale is not worth making."""
    price = market.closes[session, asset]
    fee = fee_of(terms, quantity * price)
    if not (worth_making(terms, quantity, price, fee, value) and quantity * price > fee):
        return 0.0
    premium = price / market.prices[session - 1, PEAK, asset] - 1.0
    proceeds = sell(terms, book, session, CLOSE, kind, asset, quantity, price, fee, premium)
    move_anchor(terms, book, asset, price)
    return proceeds


@compiled
def buy_at_close(market, terms, book, session, kind, asset, quantity, value):
    """Buy at today's close and move the anchor there, where the purchase is worth making; return whether it was."""
    price = market.closes[session, asset]
    quantity = whole_lots(quantity, book.positions[asset].lot_size)
    fee = fee_of(terms, quantity * price)
    if not worth_making(terms, quantity, price, fee, value):
        return False
    premium = price / market.prices[session - 1, PEAK, asset] - 1.0
    buy(terms, book, session, CLOSE, kind, asset, quantity, price, fee, premium)
    move_anchor(terms, book, asset, price)
    return True


@inlined
def worth_making(terms, quantity, price, fee, value):
    """Return whether a trade is large enough for the portfolio, and for its fee. A missing price compares false."""
    traded = quantity * price
    return 0.0 < TOO_SMALL * value < traded and traded >= terms.min_trade and fee <= terms.max_cost * traded
