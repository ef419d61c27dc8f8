"""What starts a portfolio, the cash that arrives before anything trades, and what that cash buys at the close."""

from plain_engine.portfolio import NEGLIGIBLE_CASH, PORTFOLIO, Portfolio
from plain_engine.position import NOT_APPLICABLE, Position
from sd_core.schemas.kinds import LEG_ARRIVAL, LEG_CLOSE, Kind


def make_first_purchases(portfolio: Portfolio) -> None:
    """Buy every asset for its share of the capital; what rounds down to nothing stays in the bank."""
    rules = portfolio.rules
    for position in portfolio.positions:
        price = position.last_close
        position.move_anchor(price)
        budget = min(rules.capital * (1 - rules.reserve) * position.weight, portfolio.bank)
        quantity = position.rounded(portfolio.affordable(budget, price))
        if quantity > 0:
            portfolio.purchase(LEG_CLOSE, Kind.INITIAL_BUY, position, quantity, price, premium=0.0)


def receive_all(portfolio: Portfolio, transfer: float) -> None:
    """Book dividends, then interest, a deposit and a transfer; the dividends of the day earn nothing yet."""
    receive_dividends(portfolio)
    receive_interest(portfolio)
    receive_deposit(portfolio)
    if transfer > 0:
        receive_transfer(portfolio, transfer)
    elif transfer < 0:
        pay_transfer(portfolio, -transfer)


def receive_dividends(portfolio: Portfolio) -> None:
    for position in portfolio.positions:
        dividend = float(portfolio.panel.dividends[portfolio.session, position.asset])
        if position.holdings > 0 and dividend != 0:
            amount = position.holdings * dividend
            portfolio.day.income += amount
            position.dividends = amount
            portfolio.book(LEG_ARRIVAL, Kind.DIVIDEND, position.asset, price=dividend, amount=amount)


def receive_interest(portfolio: Portfolio) -> None:
    """Book what the bank earned since the previous close, at the rate known then, or what being overdrawn cost."""
    kept = portfolio.last_bank
    rate = portfolio.rules.margin_rate if kept < 0 else float(portfolio.panel.rates[portfolio.session - 1])
    amount = kept * rate * portfolio.days_since_last_session() / 365
    if abs(amount) >= NEGLIGIBLE_CASH:
        portfolio.day.income += amount
        portfolio.book(LEG_ARRIVAL, Kind.INTEREST, PORTFOLIO, amount=amount)


def receive_deposit(portfolio: Portfolio) -> None:
    due = portfolio.periods_begun(portfolio.rules.deposit_every) * portfolio.rules.deposit
    due += portfolio.lump_sum(portfolio.rules.deposits_on)
    if due > 0:
        portfolio.day.deposits += due
        portfolio.book(LEG_ARRIVAL, Kind.DEPOSIT, PORTFOLIO, amount=due)


def receive_transfer(portfolio: Portfolio, amount: float) -> None:
    portfolio.day.deposits += amount
    portfolio.book(LEG_ARRIVAL, Kind.TRANSFER_IN, PORTFOLIO, amount=amount)


def pay_transfer(portfolio: Portfolio, asked: float) -> None:
    """Give away what is asked for as far as the bank has it; nothing is sold, and a bank on credit gives nothing."""
    paid = min(asked, max(portfolio.bank, 0.0))
    if paid <= NEGLIGIBLE_CASH:
        return
    missing = asked - paid
    portfolio.day.deposits -= paid
    portfolio.book(
        LEG_ARRIVAL,
        Kind.TRANSFER_OUT,
        PORTFOLIO,
        skipped_quantity=missing if missing > NEGLIGIBLE_CASH else NOT_APPLICABLE,
        amount=-paid,
    )


def invest_arrivals(portfolio: Portfolio) -> None:
    """Buy for the dividends of the day, and for the money that came in on balance, where the rules say so."""
    rules = portfolio.rules
    if rules.reinvest:
        for position in portfolio.positions:
            invest(portfolio, Kind.DIVIDEND_BUY, position, position.dividends)
    if rules.deposit_invest and portfolio.day.deposits > 0:
        to_invest = portfolio.day.deposits * (1 - rules.reserve)
        for position in portfolio.positions:
            invest(portfolio, Kind.DEPOSIT_BUY, position, to_invest * position.weight)


def invest(portfolio: Portfolio, kind: Kind, position: Position, money: float) -> bool:
    """Buy for a sum, or for what the bank still holds of it, and return whether that buys anything.

    The anchor stays, and no lot is opened.
    """
    if not portfolio.may_trade(position):
        return False
    price, available = position.last_close, min(money, portfolio.bank)
    if available <= NEGLIGIBLE_CASH:
        return False
    quantity = position.rounded(portfolio.affordable(available, price))
    if quantity > 0:
        portfolio.purchase(LEG_CLOSE, kind, position, quantity, price, position.premium(price))
    return quantity > 0
