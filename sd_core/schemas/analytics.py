"""Declarations of the analytics layer: what follows from simulations and prices, by session and by scenario."""

from sd_core.schemas.buckets import BUCKET_SIGNAL
from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
    BELOW_ONE,
    COUNT,
    FRACTION,
    FROM_ONE,
    MONEY,
    NOT_NEGATIVE,
    NOT_POSITIVE,
    PER_SHARE,
    POSITIVE,
    RATIO,
    SHARE,
    SHARES,
    YEARLY,
    day,
    flag,
    number,
    one_of,
    scenario,
    session,
    text,
    ticker,
    whole,
)
from sd_core.schemas.paper import PAPER_CHANGE
from sd_core.schemas.table import Table

REGIMES = ("bull", "bear", "sideways", "high_volatility")

ASSET_RETURNS = Table(
    name="asset_returns",
    layer="analytics",
    description="What every asset of the universe was worth at every session, and what it returned since the last one.",
    key=("session", "ticker"),
    columns={
        "session": session(),
        "ticker": ticker(),
        "price": number("Last close at or before the session.", PER_SHARE, POSITIVE),
        "previous_price": number(
            "The same of the previous session; NULL on the first one.", PER_SHARE, POSITIVE, nullable=True
        ),
        "dividend": number("Dividend by ex-date; 0 where there is none.", PER_SHARE, NOT_NEGATIVE),
        "simple_return": number(
            "Return since the previous session, the dividend included; NULL on the first one.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
    },
)

SIMULATION_RETURNS = Table(
    name="simulation_returns",
    layer="analytics",
    description="The time-weighted return of every scenario and session, with the growth and drawdown it leads to.",
    key=("strategy", "reserve", "session"),
    columns={
        **scenario(),
        "session": session(),
        "opening_value": number("Value at the previous close, or the capital, with the session's deposits.", MONEY),
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
    },
)

SIMULATION_HOLDINGS = Table(
    name="simulation_holdings",
    layer="analytics",
    description="What every scenario holds of every asset at the close of every session.",
    key=("strategy", "reserve", "session", "ticker"),
    columns={
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
    },
    stored=False,
)

HOLDING_INTERVAL = Table(
    name="holding_interval",
    layer="analytics",
    description="What every scenario held of every asset, from one trade to the next.",
    key=("strategy", "reserve", "ticker", "first_session"),
    columns={
        **scenario(),
        "ticker": ticker(),
        "first_session": day("Session of a trade, from whose close on the shares are held."),
        "last_session": day("Session before that of the next trade, or the last of all."),
        "holdings": number("Shares held at the closes from the first session to the last.", SHARES),
    },
)

SIMULATION_METRICS = Table(
    name="simulation_metrics",
    layer="analytics",
    description="Metrics of every scenario over its whole period, computed from its own rows alone.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "first_session": day("First session, on which the assets are bought."),
        "last_session": day("Last session."),
        "is_of_a_year": flag(
            "Whether these are a year, 360 days or more. Of less, what is stated per year (CAGR, volatility, ratios, "
            "money-weighted return, income) is put on a year: nothing grew or paid at that rate for so long."
        ),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "total_return": number("Final value over capital, less 1.", FRACTION),
        "twr": number("Time-weighted return over the whole period.", FRACTION),
        "cagr": number("Compound annual growth rate, time-weighted, by calendar days.", YEARLY, nullable=True),
        "volatility": number("Annualised standard deviation of returns.", YEARLY, NOT_NEGATIVE, nullable=True),
        "sharpe": number("Annualised mean excess return over its standard deviation.", RATIO, nullable=True),
        "sortino": number("Annualised mean excess return over its downside deviation.", RATIO, nullable=True),
        "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION, NOT_POSITIVE),
        "calmar": number("CAGR over the size of the maximum drawdown.", RATIO, nullable=True),
        "value_at_risk": number(
            "5th percentile of the returns of sessions, negative for a loss; NULL: fewer than two.",
            FRACTION,
            nullable=True,
        ),
        "conditional_value_at_risk": number(
            "Mean of the returns at or below the value at risk (expected shortfall); NULL as above.",
            FRACTION,
            nullable=True,
        ),
        "dividend_income": number("Dividends received.", MONEY),
        "interest_income": number("Interest on the bank.", MONEY),
        "harvest_gross": number("Proceeds of the rule's sales before fees.", MONEY, NOT_NEGATIVE),
        "harvest_net": number(
            "Proceeds of the rule's sales less the cost of its purchases, fees included: money taken out of "
            "holdings, not a yield.",
            MONEY,
        ),
        "income": number("Dividends, interest and net harvest together; harvest is no yield.", MONEY),
        "income_per_year": number(
            "Dividends, interest and net harvest together, per 365.25 calendar days; harvest is no yield, and "
            "withdrawals are not in it.",
            "currency per year",
            nullable=True,
        ),
        "fees": number("Fees of all trades.", MONEY, NOT_NEGATIVE),
        "trades": whole("Fills after the first purchases.", COUNT, NOT_NEGATIVE),
        "skipped_buys": whole(
            "Purchases refused, for lack of cash or by a band, one per episode.",
            COUNT,
            NOT_NEGATIVE,
        ),
        "passed_rungs": whole("Rungs passed without a trade.", COUNT, NOT_NEGATIVE),
        "mean_cash_share": number("Mean over sessions of the bank's share of value.", FRACTION, nullable=True),
        "deposits": number("Money that came in.", MONEY, NOT_NEGATIVE),
        "withdrawals": number("Money that went out.", MONEY, NOT_NEGATIVE),
        "withdrawals_scheduled": number("Money that was due to go out, paid or not.", MONEY, NOT_NEGATIVE),
        "coverage_gross": number(
            "Proceeds of the rule's sales before fees, over the withdrawals scheduled; NULL: none scheduled.",
            RATIO,
            nullable=True,
        ),
        "coverage_net": number(
            "Net harvest over the withdrawals scheduled; NULL: none scheduled.", RATIO, nullable=True
        ),
        "xirr": number(
            "Money-weighted yearly return: the rate at which capital, flows and final value balance; NULL: there is "
            "none.",
            YEARLY,
            nullable=True,
        ),
        "xirr_missing": text("Why there is no money-weighted return; NULL: there is one.", nullable=True),
        "taxes": number("Taxes owed for all years; NULL: the study has none.", MONEY, NOT_NEGATIVE, nullable=True),
        "after_tax_value": number("Final value less taxes; NULL as above.", MONEY, nullable=True),
        "after_tax_liquidation_value": number(
            "After-tax value less the tax on selling all at the last close; NULL as above.", MONEY, nullable=True
        ),
        "after_tax_cagr": number(
            "As cagr, the tax of each year taken as a loss at its last close; NULL as above.", YEARLY, nullable=True
        ),
        "after_tax_liquidation_cagr": number(
            "As after_tax_cagr, the tax on selling all at the last close a loss as well; NULL as above.",
            YEARLY,
            nullable=True,
        ),
    },
)

BENCHMARK_DAILY = Table(
    name="benchmark_daily",
    layer="analytics",
    description="The benchmark session by session: a ticker, or the universe bought in equal parts and held.",
    key=("session",),
    columns={
        "session": session(),
        "close": number(
            "Last close of the ticker, or mean over the universe of last close over first close, without "
            "dividends; NULL: no close yet, or none any more.",
            "currency per share, or ratio",
            POSITIVE,
            nullable=True,
        ),
        "has_close": flag("Whether the ticker, or some asset of the universe, has a close of this session."),
        "level": number(
            "What 1 at the first close has grown to, dividends reinvested; NULL as close.",
            RATIO,
            POSITIVE,
            nullable=True,
        ),
        "simple_return": number(
            "Growth of level since the previous session; NULL: no close before, or none any more.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
    },
)

MARKET_REGIME = Table(
    name="market_regime",
    layer="analytics",
    description="The regime of the market at every session, from the benchmark's past alone, with its inputs.",
    key=("session",),
    columns={
        "session": session(),
        "close": number(
            "The benchmark's close, as in benchmark_daily.", "currency per share, or ratio", POSITIVE, nullable=True
        ),
        "mean_close_200": number(
            "Mean close of the last 200 sessions; NULL: there are fewer.",
            "currency per share, or ratio",
            POSITIVE,
            nullable=True,
        ),
        "return_63": number(
            "Close over that of 63 sessions before, less 1; NULL: there is none.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "volatility_21": number(
            "Annualised standard deviation of the last 21 returns; NULL: there are fewer.",
            YEARLY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "volatility_p80": number(
            "80th percentile of volatility_21 over five years of sessions up to this one; NULL: it is known for "
            "less than a year of them.",
            YEARLY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "regime": text(
            "high_volatility: volatility_21 above volatility_p80; else bull: close above mean_close_200 and "
            "return_63 above 0; bear: both below; else sideways. NULL: one of them is not known.",
            one_of(REGIMES),
            nullable=True,
        ),
        "high_variance_probability": number(
            "Probability of the state of higher variance in a two-state Markov-switching model of the benchmark's "
            "returns, given those up to this session, with parameters fitted to those before its month; NULL: "
            "too few returns for a first fit.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
    },
)

REGIME_EPISODE = Table(
    name="regime_episode",
    layer="analytics",
    description="The regime that was known when each session began, and the uninterrupted run of it that the session "
    "belongs to.",
    key=("session",),
    columns={
        "session": session(),
        "regime": text(
            "Regime of the session before, as in market_regime; NULL as there.", one_of(REGIMES), nullable=True
        ),
        "episode": whole("Number of the run, in order of time.", COUNT, NOT_NEGATIVE),
    },
)

SIMULATION_INCOME = Table(
    name="simulation_income",
    layer="analytics",
    description="The income of every scenario by calendar month, months without any and months without a session "
    "included.",
    key=("strategy", "reserve", "month"),
    columns={
        **scenario(),
        "month": day("First day of the calendar month."),
        "first_session": day("First session of the scenario in it; NULL: it has none.", nullable=True),
        "last_session": day("Last session of the scenario in it; NULL as above.", nullable=True),
        "dividends": number("Dividends received.", MONEY),
        "interest": number("Interest on the bank.", MONEY),
        "harvest_gross": number("Proceeds of the rule's sales before fees.", MONEY, NOT_NEGATIVE),
        "harvest_net": number("Proceeds of the rule's sales less the cost of its purchases, fees included.", MONEY),
        "income": number("Dividends, interest and net harvest together; harvest is no yield.", MONEY),
    },
)

MEASURES = one_of(["wealth", "sharpe", "max_drawdown"])
UNITS = one_of([YEARLY, RATIO, FRACTION])

RESERVE_MEASURE = Table(
    name="reserve_measure",
    layer="analytics",
    description=(
        "How good each reserve of a strategy was by each measure, in every bootstrap sample and in what happened."
    ),
    key=("strategy", "reserve", "history", "measure"),
    columns={
        **scenario(),
        "history": whole("Number of the bootstrap sample, from 1; 0: what happened.", COUNT, NOT_NEGATIVE),
        "measure": text("What is compared; more is better.", MEASURES),
        "score": number("Wealth with withdrawals, Sharpe ratio, or worst drawdown.", "as the measure"),
        "years": number("From the first session to the last.", "years", NOT_NEGATIVE),
    },
)

RESERVE_COMPARISON = Table(
    name="reserve_comparison",
    layer="analytics",
    description=(
        "Every reserve of a strategy against every other in the same bootstrap samples: how often it did better, and "
        "by how much."
    ),
    key=("strategy", "measure", "reserve", "other_reserve"),
    columns={
        "strategy": text("Name of the strategy in the study."),
        "measure": text("What is compared.", MEASURES),
        "reserve": number("One reserve.", FRACTION, BELOW_ONE),
        "other_reserve": number("The reserve that it is compared with.", FRACTION, BELOW_ONE),
        "unit": text("Unit of the differences: of wealth, how much faster it grew.", UNITS),
        "actual_difference": number(
            "How much better it was in what happened; NULL: outdated.", "as unit says", nullable=True
        ),
        **{
            f"difference_{place}": number(
                f"How much better it was in the same bootstrap sample: {words}.", "as unit says", nullable=True
            )
            for place, words in (("low", "5th percentile"), ("median", "median"), ("high", "95th percentile"))
        },
        "probability": number(
            "Share of the bootstrap samples in which it did better; ties count half.", FRACTION, SHARE
        ),
        "p_value": number(
            "Two-sided, that the two are the same, from the samples on either side of zero; by itself, not corrected "
            "for the number of comparisons. NULL: the samples are longer than the history.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "histories": whole("Bootstrap samples in which both could be measured.", COUNT, FROM_ONE),
    },
)

PREMIUM_SPREAD = Table(
    name="premium_spread",
    layer="analytics",
    description=(
        "How far the dearest asset is above the cheapest, each measured by its own highest close: a "
        "relative-value signal."
    ),
    key=("session",),
    columns={
        "session": session(),
        "highest_ticker": text("Asset with the highest premium at the close."),
        "highest_premium": number("Its close over its highest earlier close, less 1.", FRACTION),
        "lowest_ticker": text("Asset with the lowest premium at the close."),
        "lowest_premium": number("Its close over its highest earlier close, less 1.", FRACTION),
        "spread": number("Difference of the two premiums.", FRACTION, NOT_NEGATIVE),
        "is_opportunity": flag("Whether it is over 15 points."),
    },
)

SIMULATION_TAXES = Table(
    name="simulation_taxes",
    layer="analytics",
    description="What every scenario owes for every calendar year, at the study's rates; empty where it has none.",
    key=("strategy", "reserve", "year"),
    columns={
        **scenario(),
        "year": whole("Calendar year.", "year"),
        "net_short_term": number("Short-term gains less losses realised, wash sales left out.", MONEY),
        "net_long_term": number("Long-term gains less losses realised, wash sales left out.", MONEY),
        "taxable_short_term": number("Short-term gains after all losses, carried ones too.", MONEY, NOT_NEGATIVE),
        "taxable_long_term": number("Long-term gains after all losses, carried ones too.", MONEY, NOT_NEGATIVE),
        "carried_short_term": number("Short-term losses carried into the next year.", MONEY, NOT_POSITIVE),
        "carried_long_term": number("Long-term losses carried into the next year.", MONEY, NOT_POSITIVE),
        "dividends": number("Dividends received.", MONEY, NOT_NEGATIVE),
        "interest": number("Interest received; what was paid on credit is not taken off.", MONEY, NOT_NEGATIVE),
        "tax": number("What is owed at the study's rates.", MONEY, NOT_NEGATIVE),
        "liquidation_tax": number(
            "What would be owed besides, had all been sold at the last close; NULL: not the last year.",
            MONEY,
            nullable=True,
        ),
    },
)

ANALYTICS = (
    ASSET_RETURNS,
    SIMULATION_RETURNS,
    SIMULATION_HOLDINGS,
    HOLDING_INTERVAL,
    SIMULATION_METRICS,
    PAPER_CHANGE,
    BENCHMARK_DAILY,
    MARKET_REGIME,
    REGIME_EPISODE,
    SIMULATION_INCOME,
    RESERVE_MEASURE,
    RESERVE_COMPARISON,
    PREMIUM_SPREAD,
    SIMULATION_TAXES,
    BUCKET_SIGNAL,
)
