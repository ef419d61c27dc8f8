"""Declarations of the reports layer: the tables that people read."""

from sd_core.schemas.columns import (
    COUNT,
    FRACTION,
    MONEY,
    NOT_NEGATIVE,
    NOT_POSITIVE,
    RATIO,
    YEARLY,
    day,
    flag,
    number,
    scenario,
    text,
    whole,
)
from sd_core.schemas.table import Table, ordered

REPORT_STRATEGY = Table(
    name="report_strategy",
    layer="reports",
    description="Every metric of a scenario over its whole period.",
    key=("strategy", "reserve"),
    schema=ordered(
        {
            **scenario(),
            "first_session": day("First session, on which the assets are bought."),
            "last_session": day("Last session."),
            "final_value": number("Cash and holdings at the last close.", MONEY),
            "total_return": number("Final value over capital, less 1.", FRACTION),
            "twr": number("Time-weighted return over the whole period.", FRACTION),
            "cagr": number("Compound annual growth rate, time-weighted, by calendar days.", YEARLY, nullable=True),
            "volatility": number("Annualised standard deviation of returns.", YEARLY, NOT_NEGATIVE, nullable=True),
            "sharpe": number("Annualised mean excess return over its standard deviation.", RATIO, nullable=True),
            "sortino": number("Annualised mean excess return over its downside deviation.", RATIO, nullable=True),
            "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION, NOT_POSITIVE),
            "calmar": number("CAGR over the size of the maximum drawdown.", RATIO, nullable=True),
            "dividend_income": number("Dividends received.", MONEY),
            "interest_income": number("Interest on the bank.", MONEY),
            "harvest_gross": number("What sales by the rule brought before fees.", MONEY, NOT_NEGATIVE),
            "harvest_net": number(
                "What sales by the rule brought less what its purchases cost, fees included: money taken out of "
                "holdings, not a yield.",
                MONEY,
            ),
            "income": number("Dividends, interest and net harvest together; harvest is no yield.", MONEY),
            "income_per_year": number("Income per 365.25 calendar days.", "currency per year", nullable=True),
            "fees": number("Fees of all trades.", MONEY, NOT_NEGATIVE),
            "trades": whole("Fills after the first purchases.", COUNT, NOT_NEGATIVE),
            "skipped_buys": whole("Purchases that the bank could not cover, one per episode.", COUNT, NOT_NEGATIVE),
            "passed_rungs": whole("Rungs passed without a trade.", COUNT, NOT_NEGATIVE),
            "mean_cash_share": number("Mean over sessions of the bank's share of value.", FRACTION, nullable=True),
            "excess_over_buy_and_hold": number(
                "Time-weighted return above that of simply holding without a reserve; NULL: not in the study, or not "
                "of the same prices.",
                FRACTION,
                nullable=True,
            ),
            "excess_over_same_reserve": number(
                "Time-weighted return above that of simply holding at the same reserve; NULL as above.",
                FRACTION,
                nullable=True,
            ),
            "deposits": number("Money that came in.", MONEY, NOT_NEGATIVE),
            "withdrawals": number("Money that went out.", MONEY, NOT_NEGATIVE),
            "coverage_gross": number(
                "What sales by the rule brought before fees, over the withdrawals scheduled; NULL: none scheduled.",
                RATIO,
                nullable=True,
            ),
            "coverage_net": number(
                "Net harvest over the withdrawals scheduled; NULL: none scheduled.", RATIO, nullable=True
            ),
            "xirr": number(
                "Money-weighted yearly return: what makes capital, flows and final value worth the same at the start; "
                "NULL: there is none.",
                YEARLY,
                nullable=True,
            ),
            "prices_version": text("Version of the prices that the scenario was simulated on."),
            "is_current": flag("Whether the scenario was simulated on today's prices and study."),
        }
    ),
)

REPORT_DATA_QUALITY = Table(
    name="report_data_quality",
    layer="reports",
    description="What is wrong with prices, or must be known to read the results rightly.",
    key=("ticker", "rule", "first_session", "detail"),
    schema=ordered(
        {
            "ticker": text("Ticker concerned; NULL: the study as a whole.", nullable=True),
            "rule": text("Name of the rule that speaks."),
            "first_session": day("First session concerned."),
            "last_session": day("Last session concerned."),
            "sessions": whole("How many sessions are concerned.", COUNT, NOT_NEGATIVE),
            "detail": text("The finding in a sentence."),
        }
    ),
)

REPORTS = (REPORT_STRATEGY, REPORT_DATA_QUALITY)
