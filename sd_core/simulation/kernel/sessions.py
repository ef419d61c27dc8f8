"""The session loop: scenarios side by side over one panel, from any session to any later one.

Cash arrives, the legs of the bar trade; at the close what arrived is invested, the portfolio's rules and withdrawals
act, and the close marks. What happens on the legs belongs in ``rule``, at the close in ``portfolio_rules`` and
``withdrawals``.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from numba import njit

from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import DUST, fee_of, number, whole_lots
from sd_core.simulation.kernel.book import (
    ARRIVAL,
    CLOSE,
    FIRST_SESSION,
    LAST,
    NAN,
    OPEN,
    PEAK,
    PORTFOLIO,
    STRICT,
    Book,
    compiled,
    inlined,
)
from sd_core.simulation.kernel.lanes import sum_of_products
from sd_core.simulation.kernel.lookback import MONTH, adapt_brackets, look_back, note_gaps
from sd_core.simulation.kernel.portfolio_rules import (
    NEVER,
    affordable,
    follow_portfolio_rules,
    note_closes,
    set_targets,
)
from sd_core.simulation.kernel.rule import forget_refusals, move_anchor, set_limits, touched_assets, trade
from sd_core.simulation.kernel.trades import book_cash, buy, chain, list_lot
from sd_core.simulation.kernel.withdrawals import withdraw

INITIAL_BUY, DIVIDEND, INTEREST, DEPOSIT, DEPOSIT_BUY, DIVIDEND_BUY = (
    number(Kind.INITIAL_BUY),
    number(Kind.DIVIDEND),
    number(Kind.INTEREST),
    number(Kind.DEPOSIT),
    number(Kind.DEPOSIT_BUY),
    number(Kind.DIVIDEND_BUY),
)
HARVEST_BUY = number(Kind.HARVEST_BUY)
TRANSFER_IN, TRANSFER_OUT = number(Kind.TRANSFER_IN), number(Kind.TRANSFER_OUT)

# So many prices at a time serve one scenario after the other: what the core's own cache holds beside the books.
PIECE = number(1 << 14)


@inlined
def room(book):
    """Return whether the buffers held everything so far: rows beyond their end are counted, not written."""
    state = book.state
    return (
        state.slots <= len(book.lots)
        and (state.rows <= len(book.ledger) or len(book.ledger) == 0)
        and (state.sold <= len(book.sold) or len(book.sold) == 0)
    )


@compiled
def first_purchases(market, terms, book):
    """Buy every asset at the first close, for its budget or what the bank still holds."""
    for asset in range(len(book.positions)):
        position = book.positions[asset]
        price = market.closes[0, asset]
        budget = min(terms.capital * (1.0 - terms.reserve) * position.weight, book.state.bank)
        quantity = whole_lots(affordable(terms, price, budget), position.lot_size)
        if quantity > 0.0:
            fee = fee_of(terms, quantity * price)
            buy(terms, book, FIRST_SESSION, CLOSE, INITIAL_BUY, asset, quantity, price, fee, 0.0)
        move_anchor(terms, book, asset, price)


@inlined
def arrive(market, terms, book, policy, session):
    """Book what reaches the bank before the open: dividends, interest (an overdrawn bank pays it), then a deposit.

    A transfer comes last, since an outgoing one takes what the bank then holds.
    """
    state = book.state
    date = market.dates[session]
    bank_before = state.bank
    if date.pays:
        for asset in range(len(book.positions)):
            per_share = market.dividends[session, asset]
            amount = book.holdings[asset] * per_share
            book.positions[asset].dividend = amount
            if per_share != 0.0 and book.holdings[asset] > 0.0:
                book_cash(book, session, ARRIVAL, DIVIDEND, asset, per_share, amount, NAN)
                state.income += amount
    rate = terms.margin_rate * date.years if bank_before < 0.0 else date.interest
    amount = bank_before * rate
    if abs(amount) >= DUST:
        book_cash(book, session, ARRIVAL, INTEREST, PORTFOLIO, NAN, amount, NAN)
        state.income += amount
    deposit = date.begun[terms.deposit_every] * terms.deposit
    if policy is not None:
        deposit += policy.deposits[session]
    if deposit > 0.0:
        book_cash(book, session, ARRIVAL, DEPOSIT, PORTFOLIO, NAN, deposit, NAN)
        state.deposits += deposit
    if policy is not None and policy.transfers[session] != 0.0:
        transfer(book, session, policy.transfers[session])


@compiled
def transfer(book, session, flow):
    """Book money that comes from elsewhere, or goes there where it is below 0: then no more than the bank holds."""
    state = book.state
    if flow > 0.0:
        book_cash(book, session, ARRIVAL, TRANSFER_IN, PORTFOLIO, NAN, flow, NAN)
        state.deposits += flow
        return
    paid = min(-flow, state.bank)
    if paid > DUST:
        unpaid = -flow - paid if -flow - paid > DUST else NAN
        book_cash(book, session, ARRIVAL, TRANSFER_OUT, PORTFOLIO, NAN, -paid, unpaid)
        state.deposits -= paid


@compiled
def invest_arrivals(market, terms, book, session, closes):
    """Buy at the close for the dividends of the day, each in its asset, then for the deposit, at the targets."""
    if terms.reinvest and market.dates[session].pays:
        for asset in range(len(book.positions)):
            invest(market, terms, book, session, closes, DIVIDEND_BUY, asset, book.positions[asset].dividend)
    if terms.deposit_invest and book.state.deposits > 0.0:
        to_invest = book.state.deposits * (1.0 - terms.reserve)
        for asset in range(len(book.positions)):
            invest(market, terms, book, session, closes, DEPOSIT_BUY, asset, to_invest * book.positions[asset].weight)


@compiled
def invest(market, terms, book, session, closes, kind, asset, money):
    """Buy for a sum, or for what the bank still holds of it, without moving the anchor; return whether anything was."""
    price = closes[asset]
    money = min(money, book.state.bank)
    quantity = whole_lots(affordable(terms, price, money), book.positions[asset].lot_size)
    if not (money > DUST and quantity > 0.0):  # a missing close compares false
        return False
    premium = price / market.prices[session - 1, PEAK, asset] - 1.0
    buy(terms, book, session, CLOSE, kind, asset, quantity, price, fee_of(terms, quantity * price), premium)
    return True


@compiled
def buy_back(market, terms, book, policy, session, closes):
    """Buy what was harvested without a substitute, once it is no longer blocked, for the proceeds."""
    for asset in range(len(book.positions)):
        harvested = policy.harvests[asset]
        price = closes[asset]
        if harvested.waiting > 0.0 and price > 0.0:  # a missing close compares false
            money = harvested.waiting if book.positions[asset].weight > 0.0 else 0.0
            if invest(market, terms, book, session, closes, HARVEST_BUY, asset, money):
                move_anchor(terms, book, asset, price)
            harvested.waiting = 0.0


@inlined
def act_at_close(market, terms, book, policy, session):
    """Put targets in force, invest what arrived, follow the portfolio's rules, and pay what is withdrawn."""
    changed = False
    closes = market.closes[session]
    if policy is not None:
        changed = set_targets(book, policy, session)
        if terms.harvest_every != NEVER:
            note_closes(market, policy, session)
            closes = policy.closes
    if terms.reinvest or book.state.deposits > 0.0:
        invest_arrivals(market, terms, book, session, closes)
    if policy is not None:
        if terms.harvest_every != NEVER:
            buy_back(market, terms, book, policy, session, closes)
        follow_portfolio_rules(market, terms, book, policy, session, closes, changed)
        if market.dates[session].begun[terms.withdrawal_every] > 0 or policy.withdrawals[session] > 0.0:
            withdraw(market, terms, book, policy, session)


@inlined
def mark(market, terms, book, policy, session, row):
    """Value the portfolio at the close and write the day."""
    state = book.state
    invested = sum_of_products(book.holdings, market.prices[session, LAST])
    value = state.bank + invested
    day = book.daily[row]
    day.bank = state.bank
    day.invested = invested
    day.value = value
    day.nav_value = sum_of_products(book.holdings, market.prices[session, PEAK])
    day.income = state.income
    day.sells = state.sells
    day.buys = state.buys
    day.withdrawals = state.withdrawals
    day.deposits = state.deposits
    day.skipped_buys = state.skipped_buys
    day.passed_rungs = state.passed_rungs
    if policy is not None:
        look_back(terms, book, policy, session, value)
    state.value = value
    state.income = 0.0
    state.sells = 0.0
    state.buys = 0.0
    state.withdrawals = 0.0
    state.deposits = 0.0
    state.skipped_buys = 0
    state.passed_rungs = 0


@compiled
def open_book(terms, book, first):
    """Chain the lots that are open, and set the limits around the current anchors."""
    forget_chains(book)
    for slot in range(book.state.slots):
        chain(book, slot)
    if first > 0:
        for asset in range(len(book.positions)):
            set_limits(terms, book, asset)


@compiled
def advance(market, terms, book, policy, first, start, stop):
    """Simulate sessions ``start`` to ``stop - 1`` of a scenario whose days begin with session ``first``."""
    for session in range(start, stop):
        if session == 0:
            first_purchases(market, terms, book)
        else:
            if policy is not None and terms.adaptive_bracket:
                if market.dates[session].begun[MONTH] > 0:
                    adapt_brackets(terms, book, policy, session)
                note_gaps(market, terms, book, policy, session)
            arrive(market, terms, book, policy, session)
            touched = touched_assets(market, terms, book, session)
            if touched:
                trade(market, terms, book, policy, session, touched)
            act_at_close(market, terms, book, policy, session)
            if book.state.refusals:
                forget_refusals(market, book, policy, session)
        mark(market, terms, book, policy, session, session - first)


@compiled
def close_book(book):
    """List the open lots, and move them together at the front of their buffer."""
    forget_chains(book)
    still_open = 0
    for slot in range(book.state.slots):
        lot = book.lots[slot]
        if lot.quantity > 0.0:
            list_lot(book, lot, OPEN, lot.quantity, NAN)
            lot.older = -1
            lot.newer = -1
            book.lots[still_open] = lot
            still_open += 1
    book.state.slots = still_open


@inlined
def forget_chains(book):
    """Leave every asset without lots."""
    for asset in range(len(book.positions)):
        book.positions[asset].newest_lot = -1
        book.positions[asset].oldest_lot = -1


def _compile(digest: int) -> Callable[..., bool]:
    """Return the compiled loop, from the cache where it stems from sources of the same digest.

    numba looks for changes in the file of the cached function alone; values that a function encloses are a part of the
    key, too.
    """

    @njit(**STRICT, cache=True, nogil=True)
    def run(market, terms, books, policy, first, stop, opens, closes):
        """Simulate sessions ``first`` to ``stop - 1`` of every scenario; return False where a buffer was too short.

        Books that are open already go on without ``opens``, and without ``closes`` they stay open.
        """
        digest  # noqa: B018
        piece = max(1, PIECE // market.prices[0].size)
        for start in range(first, max(stop, first + 1), piece):
            end = min(start + piece, stop)
            for scenario in range(len(books.state)):
                book = Book(  # in place: no function could return the record
                    books.state[scenario],
                    books.positions[scenario],
                    books.holdings[scenario],
                    books.needs[scenario],
                    books.sell_at[scenario],
                    books.buy_at[scenario],
                    books.lots[scenario],
                    books.ledger[scenario],
                    books.sold[scenario],
                    books.daily[scenario],
                    books.paths,
                    books.turns,
                )
                if opens and start == first:
                    open_book(terms[scenario], book, first)
                advance(market, terms[scenario], book, policy, first, start, end)
                if closes and end == stop and room(book):
                    close_book(book)
                if not room(book):
                    return False
        return True

    return run


def _digest() -> int:
    """Return a number that changes with the sources of the kernel and with the rules and kinds that it knows."""
    here = Path(__file__).parent
    kinds = here.parents[1] / "schemas" / "kinds.py"
    beside = (here.parent / name for name in ("amounts.py", "results.py", "rules.py"))
    sources = [*sorted(here.glob("*.py")), *beside, kinds]
    return int.from_bytes(hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()[:7])


run = _compile(_digest())
