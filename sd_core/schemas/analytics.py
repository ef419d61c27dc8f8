"""Declarations of the analytics layer: what follows from simulations and prices, session by session."""

from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
    FRACTION,
    MONEY,
    NOT_POSITIVE,
    PER_SHARE,
    POSITIVE,
    RATIO,
    SHARES,
    number,
    scenario,
    session,
    ticker,
)
from sd_core.schemas.table import Table, ordered

SIMULATION_RETURNS = Table(
    name="simulation_returns",
    layer="analytics",
    description="The time-weighted return of every scenario and session, with the growth and drawdown it leads to.",
    key=("strategy", "reserve", "session"),
    schema=ordered(
        {
            **scenario(),
            "session": session(),
            "simple_return": number(
                "Return since the previous session, on the first one since the capital was put in; flows of money from "
                "and to the outside left out. NULL: nothing was there to earn a return.",
                FRACTION,
                nullable=True,
            ),
            "risk_free_return": number(
                "Return of cash over the same days; NULL: the study has no such session.", FRACTION, nullable=True
            ),
            "excess_return": number("Return above that of cash.", FRACTION, nullable=True),
            "twr_index": number("What 1 at the start has grown to, time-weighted.", RATIO),
            "drawdown": number("Time-weighted growth relative to its highest so far, less 1.", FRACTION, NOT_POSITIVE),
        }
    ),
)

SIMULATION_HOLDINGS = Table(
    name="simulation_holdings",
    layer="analytics",
    description="What every scenario holds of every asset at the close of every session.",
    key=("strategy", "reserve", "session", "ticker"),
    schema=ordered(
        {
            **scenario(),
            "session": session(),
            "ticker": ticker(),
            "holdings": number("Shares held.", SHARES),
            "price": number("Last close at or before the session.", PER_SHARE, POSITIVE),
            "market_value": number("Shares held at that price.", MONEY),
            "weight": number("Market value over the portfolio's value, cash included.", FRACTION, nullable=True),
            "nav": number("Highest close from the study's first session to this one.", PER_SHARE, POSITIVE),
            "premium": number(
                "Price over the previous session's nav, less 1; NULL on the first session.",
                FRACTION,
                AT_LEAST_TOTAL_LOSS,
                nullable=True,
            ),
        }
    ),
    stored=False,
)

ANALYTICS = (SIMULATION_RETURNS, SIMULATION_HOLDINGS)
