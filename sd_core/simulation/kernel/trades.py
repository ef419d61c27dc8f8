"""What a trade changes: holdings and lots, the bank, the sums of the day and the ledger.

Whether and how much is traded belongs in ``rule``, ``portfolio_rules`` and ``withdrawals``.
"""

import numpy as np

from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import WHOLE_LOT, number, whole_lots
from sd_core.simulation.kernel.book import NAN, compiled, inlined
from sd_core.simulation.rules import Every, LotOrder, Proceeds, Shortfall

# What a sale wants and what there is, in a lot or in all, are the same when they differ by less than this share of it.
SAME_SHARES = 1e-9

BUY, SELL = number(Kind.BUY), number(Kind.SELL)
FIFO, NET, LOWEST_TAX = LotOrder.FIFO.value, Proceeds.NET.value, Shortfall.LOWEST_TAX.value
NEVER = Every.NEVER.value


@inlined
def sellable(book, asset, wanted):
    """Return what can be sold of a quantity: whole lots, or all where no more than rounding would be left."""
    return at_most_held(book, asset, whole_lots(wanted, book.positions[asset].lot_size))


@inlined
def lots_covering(book, asset, wanted):
    """Return what is sold to raise money: a quantity rounded up to whole lots, or all that there is."""
    lot_size = book.positions[asset].lot_size
    quantity = wanted if lot_size == 0.0 else np.ceil(wanted / lot_size - WHOLE_LOT) * lot_size
    return at_most_held(book, asset, quantity)


@inlined
def at_most_held(book, asset, quantity):
    """Return a quantity, or the holding where that is less or the same but for rounding."""
    held = book.holdings[asset]
    return quantity if quantity < held * (1.0 - SAME_SHARES) else held


@compiled
def sell(terms, book, session, leg, kind, asset, quantity, price, fee, premium):
    """Book a sale; return what the bank receives."""
    amount = quantity * price - fee
    gain = take_from_lots(terms, book, session, asset, quantity, price)
    book.holdings[asset] -= quantity
    book.state.sells += amount
    if kind == SELL:
        book.state.proceeds += amount if terms.coverage_of == NET else quantity * price
    book_trade(book, session, leg, kind, asset, -quantity, price, fee, amount, premium, gain)
    return amount


@compiled
def buy(terms, book, session, leg, kind, asset, quantity, price, fee, premium):
    """Book a purchase; one of the rule opens a lot, every other adds to the core holding."""
    cost = quantity * price + fee
    held = book.holdings[asset]
    if terms.shortfall == LOWEST_TAX or terms.harvest_every != NEVER:
        position = book.positions[asset]
        position.average_cost = (position.average_cost * held + cost) / (held + quantity)
    book.holdings[asset] = held + quantity
    book.state.buys += cost
    if kind == BUY:
        push_lot(book, session, asset, quantity, price, premium)
        if terms.coverage_of == NET:
            book.state.proceeds -= cost
    book_trade(book, session, leg, kind, asset, quantity, price, fee, -cost, premium, NAN)


@inlined
def book_cash(book, session, leg, kind, asset, price, amount, unpaid):
    """Book cash that comes or goes without a trade; ``unpaid`` is money that was due and did not go."""
    write(book, session, leg, kind, asset, NAN, unpaid, price, 0.0, amount, NAN, NAN)


@inlined
def book_trade(book, session, leg, kind, asset, quantity, price, fee, amount, premium, gain):
    """Book a trade: ``quantity`` is negative for a sale, ``gain`` what it gained on buyback lots."""
    write(book, session, leg, kind, asset, quantity, NAN, price, fee, amount, premium, gain)


@inlined
def book_refusal(book, session, leg, kind, asset, quantity, price, premium):
    """Book a trade that is refused: the quantity and the price that it would have had, and no cash."""
    write(book, session, leg, kind, asset, NAN, quantity, price, 0.0, 0.0, premium, NAN)


@compiled
def write(book, session, leg, kind, asset, quantity, skipped, price, fee, amount, premium, gain):
    """Book one movement of cash. Nothing else changes the bank."""
    state = book.state
    bank = state.bank + amount
    state.bank = bank
    place = state.rows
    if place < len(book.ledger):
        row = book.ledger[place]
        row.session = session
        row.leg = leg
        row.kind = kind
        row.asset = asset
        row.quantity = quantity
        row.skipped_quantity = skipped
        row.price = price
        row.fee = fee
        row.amount = amount
        row.bank_after = bank
        row.premium = premium
        row.buyback_gain = gain
        row.sale_limit = NAN
    state.rows = place + 1


@inlined
def note_sale_limit(book, limit):
    """Note in the row booked last at which limit its purchase would have been sold again."""
    place = book.state.rows - 1
    if place < len(book.ledger):
        book.ledger[place].sale_limit = limit


@inlined
def push_lot(book, session, asset, quantity, price, premium):
    """Open a lot at the newest end of the asset's chain."""
    state = book.state
    state.lots_bought += 1
    slot = state.slots
    state.slots = slot + 1
    if slot >= len(book.lots):
        return  # the engine sees the count and offers longer buffers
    lot = book.lots[slot]
    lot.number = state.lots_bought
    lot.asset = asset
    lot.session = session
    lot.quantity = quantity
    lot.price = price
    lot.premium = premium
    chain(book, slot)


@inlined
def chain(book, slot):
    """Append a lot to the chain of its asset, as the newest."""
    lot = book.lots[slot]
    position = book.positions[lot.asset]
    newest = position.newest_lot
    lot.older = newest
    lot.newer = -1
    if newest >= 0:
        book.lots[newest].newer = slot
    else:
        position.oldest_lot = slot
    position.newest_lot = slot


@inlined
def unchain(book, slot):
    """Take a lot, the newest or the oldest, out of the chain of its asset."""
    lot = book.lots[slot]
    position = book.positions[lot.asset]
    if lot.newer >= 0:
        book.lots[lot.newer].older = lot.older
    else:
        position.newest_lot = lot.older
    if lot.older >= 0:
        book.lots[lot.older].newer = lot.newer
    else:
        position.oldest_lot = lot.newer


@inlined
def take_from_lots(terms, book, session, asset, quantity, price):
    """Take a sale from the lots in their order, then from the core holding; return the gain over what they had cost."""
    position = book.positions[asset]
    gain = 0.0
    wanted = quantity
    while wanted > 0.0 and position.newest_lot >= 0:
        slot = position.oldest_lot if terms.lot_order == FIFO else position.newest_lot
        lot = book.lots[slot]
        held = lot.quantity
        if held <= wanted or abs(held - wanted) <= SAME_SHARES * quantity:
            taken = held
            wanted = 0.0 if abs(held - wanted) <= SAME_SHARES * quantity else wanted - held
            lot.quantity = 0.0
            unchain(book, slot)
        else:
            taken = wanted
            wanted = 0.0
            lot.quantity = held - taken
        gain += taken * (price - lot.price)
        list_lot(book, lot, session, taken, price)
    return gain


@inlined
def list_lot(book, lot, session, quantity, price):
    """List what was sold of a lot, or what is left of it: in session -1, at no price."""
    place = book.state.sold
    if place < len(book.sold):
        row = book.sold[place]
        row.lot = lot.number
        row.asset = lot.asset
        row.opened = lot.session
        row.closed = session
        row.quantity = quantity
        row.price = lot.price
        row.sale_price = price
        row.premium = lot.premium
    book.state.sold = place + 1
