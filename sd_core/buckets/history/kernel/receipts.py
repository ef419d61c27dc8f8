"""What reaches a satellite before the open: dividends of what it holds, and interest on its cash."""

from sd_core.buckets.history.kernel.book import ARRIVAL, NAN, NO_ASSET, NO_BUCKET, THE_CORE, free_cash, write
from sd_core.schemas.kinds import Dividends, Kind, Transfer
from sd_core.simulation.amounts import DUST, number

DIVIDEND, INTEREST, DIVIDEND_SENT = number(Kind.DIVIDEND), number(Kind.INTEREST), number(Transfer.DIVIDEND_SENT)
REINVEST_SAME, SEND_TO_CORE = number(Dividends.REINVEST_SAME), number(Dividends.SEND_TO_CORE)


def receive(market, books, session):
    """Book dividends, with what of them goes on to the core, and interest; return what goes on."""
    sent = 0.0
    for place in range(len(books.satellites)):
        satellite = books.satellites[place]
        if market.pays[session] and satellite.held > 0:
            for turn in range(satellite.first, satellite.last):
                sent += receive_dividend(market, books, place, market.tickers[turn], session)
        amount = satellite.cash_before * market.interest[session]
        if abs(amount) >= DUST:
            write(books, session, ARRIVAL, place, NO_BUCKET, NO_ASSET, INTEREST, NAN, NAN, 0.0, amount)
    return sent


def receive_dividend(market, books, place, asset, session):
    """Book the dividend of a position; return what of it goes on to the core."""
    satellite = books.satellites[place]
    position = books.positions[asset]
    per_share = market.dividends[session, asset]
    if position.quantity <= 0.0 or per_share == 0.0:
        return 0.0
    amount = position.quantity * per_share
    write(books, session, ARRIVAL, place, NO_BUCKET, asset, DIVIDEND, NAN, per_share, 0.0, amount)
    books.trades[position.trade].dividends += amount
    if satellite.dividends == REINVEST_SAME:
        position.dividend = amount
    if satellite.dividends != SEND_TO_CORE:
        return 0.0
    sent = min(amount, free_cash(satellite))
    if sent > DUST:
        write(books, session, ARRIVAL, place, THE_CORE, asset, DIVIDEND_SENT, NAN, NAN, 0.0, -sent)
        satellite.close_flows -= sent
        return sent
    return 0.0
