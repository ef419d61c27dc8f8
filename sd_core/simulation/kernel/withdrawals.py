"""Withdrawals: what is due, whether it is covered, and what is sold where the bank does not hold it."""

from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import DUST, fee_of, number
from sd_core.simulation.kernel.book import CLOSE, NAN, NONE_YET, PEAK, PORTFOLIO, compiled
from sd_core.simulation.kernel.portfolio_rules import TOO_SMALL, await_turn, take_turn, worth_of
from sd_core.simulation.kernel.trades import book_cash, lots_covering, sell
from sd_core.simulation.rules import Shortfall

# Gains that differ by less are the same, fractions of the price.
SAME_GAIN = 1e-9

FUNDING_SELL, WITHDRAWAL, SKIP_WITHDRAWAL = (
    number(Kind.FUNDING_SELL),
    number(Kind.WITHDRAWAL),
    number(Kind.SKIP_WITHDRAWAL),
)
NO_SALES, OVERWEIGHT, LOWEST_TAX = Shortfall.NONE.value, Shortfall.OVERWEIGHT.value, Shortfall.LOWEST_TAX.value


@compiled
def withdraw(market, terms, book, policy, session):
    """Pay the withdrawals that fall due, from the bank and, where the rules say so, from sales at the close."""
    state = book.state
    value = worth_of(market, book, session)
    date = market.dates[session]
    fixed = terms.withdrawal * date.prices if terms.indexed else terms.withdrawal
    of_period = max(0.0, fixed + terms.withdrawal_share * value)  # a value below 0 has no share to take
    due = of_period * date.begun[terms.withdrawal_every] + policy.withdrawals[session]
    if due <= DUST:
        return
    state.scheduled += due
    paid = 0.0
    if terms.coverage_min <= 0.0 or state.proceeds >= terms.coverage_min * state.scheduled:
        if terms.shortfall != NO_SALES and due > state.bank + DUST:
            fund(market, terms, book, session, value, due - state.bank)
        paid = min(due, max(state.bank, 0.0))
    if paid > DUST:
        unpaid = due - paid if due - paid > DUST else NAN
        book_cash(book, session, CLOSE, WITHDRAWAL, PORTFOLIO, NAN, -paid, unpaid)
        state.withdrawals += paid
    else:
        book_cash(book, session, CLOSE, SKIP_WITHDRAWAL, PORTFOLIO, NAN, 0.0, due)


@compiled
def fund(market, terms, book, session, value, need):
    """Raise cash: from what is above its target, from what has gained least, or from every holding."""
    if terms.shortfall == LOWEST_TAX:
        sell_least_gained(market, terms, book, session, need)
        return
    if terms.shortfall == OVERWEIGHT:
        need = sell_overweight(market, terms, book, session, value, need)
    if need > DUST:
        sell_pro_rata(market, terms, book, session, need)


@compiled
def sell_least_gained(market, terms, book, session, need):
    """Sell whole holdings, the smallest gain over the average cost first, until the need is met."""
    waiting = NONE_YET
    for asset in range(len(book.positions)):
        price = market.closes[session, asset]
        if book.holdings[asset] * price > 0.0:  # a missing close compares false
            waiting = await_turn(book, asset, (book.positions[asset].average_cost - price) / price, waiting)
    for _ in range(waiting):
        if need <= DUST:
            break
        asset, _loss = take_turn(book, waiting, SAME_GAIN)
        enough = gross_of(terms, need, market.closes[session, asset])
        need -= sell_for_cash(market, terms, book, session, asset, min(book.holdings[asset], enough))


@compiled
def sell_overweight(market, terms, book, session, value, need):
    """Sell down to the targets, the largest excess first, until the need is met; return what is still needed."""
    rounding = TOO_SMALL * abs(value)  # who bought on credit may be worth less than nothing
    waiting = NONE_YET
    for asset in range(len(book.positions)):
        target = book.positions[asset].weight * (1.0 - terms.reserve) * value
        excess = book.holdings[asset] * market.closes[session, asset] - target
        if book.holdings[asset] > 0.0 and excess > rounding:  # a missing close compares false
            waiting = await_turn(book, asset, excess, waiting)
    for _ in range(waiting):
        if need <= DUST:
            break
        asset, excess = take_turn(book, waiting, rounding)
        price = market.closes[session, asset]
        quantity = min(excess / price, gross_of(terms, need, price))
        need -= sell_for_cash(market, terms, book, session, asset, quantity)
    return need


@compiled
def gross_of(terms, need, price):
    """Return the quantity whose sale raises what is needed, after its fee."""
    return (need + terms.fee_fixed) / (price * (1.0 - terms.fee_rate))


@compiled
def sell_pro_rata(market, terms, book, session, need):
    """Sell the same share of every holding that has a bar, sized so that the need and all fees are met.

    Whole lots may meet it before the last one is sold.
    """
    sellable = 0.0
    assets = 0
    for asset in range(len(book.positions)):
        worth = book.holdings[asset] * market.closes[session, asset]
        if worth > 0.0:  # a missing close compares false
            sellable += worth
            assets += 1
    if assets == 0:
        return
    share = min(1.0, (need + assets * terms.fee_fixed) / (sellable * (1.0 - terms.fee_rate)))
    for asset in range(len(book.positions)):
        if need <= DUST:
            break
        enough = gross_of(terms, need, market.closes[session, asset])
        need -= sell_for_cash(market, terms, book, session, asset, min(share * book.holdings[asset], enough))


@compiled
def sell_for_cash(market, terms, book, session, asset, quantity):
    """Sell at today's close without moving the anchor; return the proceeds, 0 where a sale would not pay its fee."""
    price = market.closes[session, asset]
    quantity = lots_covering(book, asset, quantity)
    fee = fee_of(terms, quantity * price)
    if quantity > 0.0 and quantity * price > fee:  # a missing close compares false
        premium = price / market.prices[session - 1, PEAK, asset] - 1.0
        if book.needs[asset] > 0.0:
            book.needs[asset] = -1.0  # of fewer shares the rule buys less
        return sell(terms, book, session, CLOSE, FUNDING_SELL, asset, quantity, price, fee, premium)
    return 0.0
