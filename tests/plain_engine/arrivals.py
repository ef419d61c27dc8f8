"""What starts a portfolio, the cash that arrives before anything trades, and what that cash buys at the close."""

from plain_engine.portfolio import NEGLIGIBLE_CASH, PORTFOLIO, Portfolio
from plain_engine.position import Position
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


def receive_all(portfolio: Portfolio) -> None:
    """Book dividends, then interest, then a deposit; the dividends of the day earn nothing yet."""
    receive_dividends(portfolio)
    receive_interest(portfolio)
    receive_deposit(portfolio)


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


def invest_arrivals(portfolio: Portfolio) -> None:
    """Buy for the dividends and the deposit of the day, where the rules say so."""
    rules = portfolio.rules
    if rules.reinvest:
        for position in portfolio.positions:
            invest(portfolio, Kind.DIVIDEND_BUY, position, position.dividends)
    if rules.deposit_invest:
        to_invest = portfolio.day.deposits * (1 - rules.reserve)
        for position in portfolio.positions:
            invest(portfolio, Kind.DEPOSIT_BUY, position, to_invest * position.weight)


def invest(portfolio: Portfolio, kind: Kind, position: Position, money: float) -> None:
    """Buy for a sum, or for what the bank still holds of it; the anchor stays, and no lot is opened."""
    if position.bar is None:
        return
    price = position.last_close
    quantity = position.rounded(portfolio.affordable(min(money, portfolio.bank), price))
    if quantity > 0:
        portfolio.purchase(LEG_CLOSE, kind, position, quantity, price, position.premium(price))
