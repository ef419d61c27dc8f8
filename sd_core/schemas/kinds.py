"""What a row of a ledger may be, and which part of a session it belongs to."""

from enum import IntEnum


class Kind(IntEnum):
    """Kind of movement or refusal."""

    INITIAL_BUY = 0
    BUY = 1
    SELL = 2
    SKIP_BUY = 3
    DIVIDEND = 4
    INTEREST = 5
    DEPOSIT = 6
    WITHDRAWAL = 7
    SKIP_WITHDRAWAL = 8
    FUNDING_SELL = 9
    SKIP_SELL = 10
    REBALANCE_BUY = 11
    REBALANCE_SELL = 12
    DEPLOY_BUY = 13
    PROFIT_SELL = 14
    DEPOSIT_BUY = 15
    DIVIDEND_BUY = 16


# Legs of a session besides 0 to 3, the four legs of the bar's path.
LEG_ARRIVAL = -1
LEG_CLOSE = 4
