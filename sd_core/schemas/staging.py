"""Declarations of the staging layer: the study, its market and what its simulations left, as they came."""

import pandera.pandas as pa

from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
    COUNT,
    FRACTION,
    FROM_ONE,
    MONEY,
    NOT_NEGATIVE,
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
    option,
    scenario,
    session,
    text,
    ticker,
    whole,
)
from sd_core.schemas.table import Table, ordered
from sd_core.simulation.results import LEG_ARRIVAL, LEG_CLOSE, Kind
from sd_core.simulation.rules import Anchor, Coordination, LotOrder, Path, Proceeds, Shortfall, Sizing, Variant, Width

KEPT = one_of(["ledger", "daily", "metrics"])
PERIODS = one_of(["month", "quarter", "year"])
PROCEEDS = one_of(choice.name.lower() for choice in Proceeds)
SHORTFALLS = one_of(choice.name.lower() for choice in Shortfall)
WIDTHS = one_of(choice.name.lower() for choice in Width)

STUDY = Table(
    name="study",
    layer="staging",
    description="The study that the warehouse was built for, a single row.",
    key=("name",),
    schema=ordered(
        {
            "name": text("Name of the study."),
            "source": text("Kind of source that prices come from.", one_of(["yahoo", "csv", "sample"])),
            "start_date": day("Date from which prices are asked for."),
            "end_date": day("Date up to which prices are asked for; NULL: the newest there are.", nullable=True),
            "calendar": text("Exchange whose sessions count, or intersection or union of the assets' own dates."),
            "capital": number("Money at the start.", MONEY, POSITIVE),
            "currency": text("Currency of every amount and price."),
            "benchmark": text(
                "Ticker of the benchmark, whose prices are published too; universe: the study's own assets."
            ),
            "risk_free": text("Ticker of the risk-free rate, or the rate itself as a yearly fraction."),
            "deposit_amount": number("Money that comes in each period; NULL: none.", MONEY, POSITIVE, nullable=True),
            "deposit_every": text("Period of deposits: month, quarter or year; NULL: none.", PERIODS, nullable=True),
            "tax_short_term": number("Tax rate of short-term gains; NULL: no taxes.", FRACTION, SHARE, nullable=True),
            "tax_long_term": number("Tax rate of long-term gains; NULL: no taxes.", FRACTION, SHARE, nullable=True),
            "tax_dividends": number("Tax rate of dividends; NULL: no taxes.", FRACTION, SHARE, nullable=True),
            "tax_interest": number("Tax rate of interest; NULL: no taxes.", FRACTION, SHARE, nullable=True),
            "periods_per_year": whole(
                "Sessions that make a year in annualised figures: 365 in a market of seven days, else 252.",
                COUNT,
                POSITIVE,
            ),
        }
    ),
)

STUDY_ASSET = Table(
    name="study_asset",
    layer="staging",
    description="The assets of the universe, with what each overrides of a strategy.",
    key=("ticker",),
    schema=ordered(
        {
            "position": whole("Place in the study's order, from 1.", COUNT, FROM_ONE),
            "ticker": ticker(),
            "asset_class": text("Class of the asset, in the study's words."),
            "weight": number("Target weight as the study gives it, on a scale of its own.", "weight", NOT_NEGATIVE),
            "target_share": number("Target weight over the sum of all target weights.", FRACTION, SHARE),
            "lot_size": number("Smallest quantity that trades; 0: any fraction of a share.", SHARES, NOT_NEGATIVE),
            "sd_n": number("Own rungs per doubling of the price; NULL: not set.", COUNT, FROM_ONE, nullable=True),
            "bracket": number("Own distance of the next rung up; NULL: not set.", FRACTION, POSITIVE, nullable=True),
            "profit_share": number("Own share of gains that trades; NULL: not set.", FRACTION, SHARE, nullable=True),
            "candidate": whole(
                "Place among the candidates for cash that no target asks for; NULL: none.",
                COUNT,
                FROM_ONE,
                nullable=True,
            ),
        }
    ),
)

STUDY_STRATEGY = Table(
    name="study_strategy",
    layer="staging",
    description="The strategies of the study, every default filled in.",
    key=("strategy",),
    schema=ordered(
        {
            "position": whole("Place in the study's order, from 1.", COUNT, FROM_ONE),
            "strategy": text("Name of the strategy."),
            "sweep": text("Name of the sweep that it was written in; NULL: it stands by itself.", nullable=True),
            "keep": text("What is kept of its scenarios: the ledger and all else, days only, or metrics.", KEPT),
            "variant": option("Which trades the rule makes.", Variant),
            "sd_n": number("Rungs per doubling of the price; NULL: bracket was given.", COUNT, FROM_ONE, nullable=True),
            "bracket": number("Distance of the next higher rung, relative to the price.", FRACTION, POSITIVE),
            "profit_share": number("Share of a rung's gain that is traded.", FRACTION, SHARE),
            "sizing": option("How much a sale sells.", Sizing),
            "coordination": option(
                "In which order the rule trades assets, whether inside bands or at all, and whether weights are "
                "rebalanced.",
                Coordination,
            ),
            "path": option("Which way a bar's price is taken to have gone.", Path),
            "anchor": option("Where the anchor stands after a fill.", Anchor),
            "max_rungs": whole("Most rungs that an asset fills or passes per side and leg.", COUNT, FROM_ONE),
            "lot_order": option("Which buyback lots a sale takes first.", LotOrder),
            "margin_limit": number(
                "How far buys may overdraw the bank, relative to the value at the close before; NULL: not at all.",
                FRACTION,
                POSITIVE,
                nullable=True,
            ),
            "margin_rate": number("What an overdrawn bank pays.", YEARLY, NOT_NEGATIVE, nullable=True),
            "cost_bps": number("Proportional fee of a trade.", "basis points", NOT_NEGATIVE),
            "cost_fixed": number("Fixed fee of a trade.", MONEY, NOT_NEGATIVE),
            "withdrawal_amount": number("Money due each period; NULL: none.", MONEY, POSITIVE, nullable=True),
            "withdrawal_rate": number("Yearly rate that is due; NULL: none.", YEARLY, POSITIVE, nullable=True),
            "withdrawal_of": text(
                "What the rate is taken of: capital or value; NULL: no rate.",
                one_of(["capital", "value"]),
                nullable=True,
            ),
            "withdrawal_every": text("Period: month, quarter or year; NULL: no withdrawals.", PERIODS, nullable=True),
            "coverage_min": number(
                "Proceeds over withdrawals scheduled, below which one is skipped; NULL: no withdrawals.",
                RATIO,
                NOT_NEGATIVE,
                nullable=True,
            ),
            "coverage_of": text("Proceeds that count: gross or net; NULL: no withdrawals.", PROCEEDS, nullable=True),
            "shortfall": text("What is sold to pay; NULL: no withdrawals.", SHORTFALLS, nullable=True),
            "withdrawal_indexed": flag("Whether withdrawals follow the price index; NULL: none.", nullable=True),
            "rebalance_every": text("Period of the calendar's trigger; NULL: none.", PERIODS, nullable=True),
            "deviation": number("Distance from a target that triggers; NULL: none.", FRACTION, POSITIVE, nullable=True),
            "deviation_kind": text("Of weight or of the target weight; NULL: no deviation.", WIDTHS, nullable=True),
            "volatility": number("Volatility that triggers; NULL: none.", YEARLY, POSITIVE, nullable=True),
            "volatility_window": whole("Sessions it is taken over; NULL: none.", COUNT, FROM_ONE, nullable=True),
            "band": number("Half the width of an asset's band; NULL: none.", FRACTION, POSITIVE, nullable=True),
            "band_kind": text("Of weight or of the target weight; NULL: no band.", WIDTHS, nullable=True),
            "min_trade": number("Smallest trade of a portfolio rule; NULL: any.", MONEY, NOT_NEGATIVE, nullable=True),
            "max_cost": number(
                "Highest fee of a portfolio rule's trade over its worth; NULL: any.", FRACTION, POSITIVE, nullable=True
            ),
            "cash_low": number(
                "Share of cash below which the rule buys less; NULL: never.", FRACTION, POSITIVE, nullable=True
            ),
            "cash_high": number(
                "Share of cash above which the excess over the reserve is deployed; NULL: never.",
                FRACTION,
                NOT_NEGATIVE,
                nullable=True,
            ),
            "drift": number(
                "Excess of a weight over its target, in targets, from which profit is taken; NULL: never.",
                RATIO,
                POSITIVE,
                nullable=True,
            ),
            "premium_spread": number(
                "Spread of premiums from which one asset is sold for another; NULL: never.",
                FRACTION,
                POSITIVE,
                nullable=True,
            ),
            "adaptive_bracket": flag("Whether brackets follow how often prices gap over a rung."),
            "portfolio_stop": number(
                "Drawdown beyond which the rule stops buying; NULL: never.", FRACTION, POSITIVE, nullable=True
            ),
        }
    ),
)

SESSIONS = Table(
    name="sessions",
    layer="staging",
    description="The sessions on which the study trades.",
    key=("session",),
    schema=ordered({"session": session()}),
)

RATES = Table(
    name="rates",
    layer="staging",
    description=(
        "The risk-free rate of every session, what cash earned since the session before, and how far consumer prices "
        "rose."
    ),
    key=("session",),
    schema=ordered(
        {
            "session": session(),
            "rate": number("Risk-free rate known at the session's close.", YEARLY),
            "risk_free_return": number(
                "Return of cash since the previous session, at the rate known then; 0 on the first.", FRACTION
            ),
            "price_index": number(
                "Consumer prices known at the session's close over those known at the first; 1 where there are none.",
                RATIO,
                POSITIVE,
            ),
        }
    ),
)

PRICES = Table(
    name="prices",
    layer="staging",
    description="Bars and dividends of the universe and the benchmark, split-adjusted and not dividend-adjusted.",
    key=("session", "ticker"),
    schema=ordered(
        {
            "session": session(),
            "ticker": ticker(),
            "open": number("First price; NULL: only a dividend that session.", PER_SHARE, POSITIVE, nullable=True),
            "high": number("Highest price; NULL as open.", PER_SHARE, POSITIVE, nullable=True),
            "low": number("Lowest price; NULL as open.", PER_SHARE, POSITIVE, nullable=True),
            "close": number("Last price; NULL as open.", PER_SHARE, POSITIVE, nullable=True),
            "dividend": number("Dividend by ex-date; 0 where there is none.", PER_SHARE, NOT_NEGATIVE),
        }
    ),
)

SIMULATION_PARTITION = Table(
    name="simulation_partition",
    layer="staging",
    description="Every scenario that the lake holds: what is kept of it, and what it was simulated on.",
    key=("strategy", "reserve"),
    schema=ordered(
        {
            **scenario(),
            "keep": text("What is kept: the ledger and all else, days only, or metrics.", KEPT),
            "capital": number("Money that it began with.", MONEY, POSITIVE),
            "prices_version": text("Version of the prices that the scenario was simulated on."),
            "is_current": flag("Whether the scenario was simulated on today's prices and study."),
        }
    ),
)

SIMULATION_PATH_BAND = Table(
    name="simulation_path_band",
    layer="staging",
    description="What every scenario would have come to under each path of a bar; of studies with path_band.",
    key=("strategy", "reserve", "path"),
    schema=ordered(
        {
            **scenario(),
            "path": option("Which way a bar's price is taken to have gone.", Path),
            "is_chosen": flag("Whether it is the path of the strategy."),
            "final_value": number("Cash and holdings at the last close.", MONEY),
            "twr": number("Time-weighted return over the whole period.", FRACTION, nullable=True),
        }
    ),
)

SIMULATION_LEDGER = Table(
    name="simulation_ledger",
    layer="staging",
    description="Every movement of cash of every scenario, and every trade that was refused.",
    key=("strategy", "reserve", "seq"),
    schema=ordered(
        {
            **scenario(),
            "seq": whole("Place in the scenario's order of booking, from 1.", COUNT, FROM_ONE),
            "session": session(),
            "leg": whole(
                f"Part of the session: {LEG_ARRIVAL} cash that arrives, 0 to 3 the path of the bar, {LEG_CLOSE} the "
                "close.",
                "leg",
                pa.Check.in_range(LEG_ARRIVAL, LEG_CLOSE, error=f"{LEG_ARRIVAL} to {LEG_CLOSE}"),
            ),
            "ticker": text("Ticker of the asset; NULL: the portfolio's own cash.", nullable=True),
            "kind": text("What moved cash, or would have.", one_of(kind.name for kind in Kind)),
            "quantity": number("Shares bought, or sold where negative; NULL: none moved.", SHARES, nullable=True),
            "skipped_quantity": number(
                "Shares that a refused trade wanted, or money that was not paid of a withdrawal.",
                "shares or currency",
                POSITIVE,
                nullable=True,
            ),
            "price": number("Price of the trade; of a DIVIDEND, pay per share.", PER_SHARE, POSITIVE, nullable=True),
            "fee": number("Fee of the trade, part of amount.", MONEY, NOT_NEGATIVE),
            "amount": number("Cash that came, or went where negative; 0 for a refused trade.", MONEY),
            "bank_after": number("Cash in the bank after the booking.", MONEY),
            "premium": number(
                "Price over the asset's highest earlier close, less 1; NULL: no trade.",
                FRACTION,
                AT_LEAST_TOTAL_LOSS,
                nullable=True,
            ),
            "buyback_gain": number(
                "What a sale, of whatever kind, gained on the buyback lots it took; NULL: no sale.",
                MONEY,
                nullable=True,
            ),
        }
    ),
)

SIMULATION_DAILY = Table(
    name="simulation_daily",
    layer="staging",
    description="Every scenario at the close of every session.",
    key=("strategy", "reserve", "session"),
    schema=ordered(
        {
            **scenario(),
            "session": session(),
            "bank": number("Cash in the bank.", MONEY),
            "invested": number("Holdings at their last closes.", MONEY, NOT_NEGATIVE),
            "value": number("Cash and holdings together.", MONEY),
            "nav_value": number("Holdings at their highest closes so far.", MONEY, NOT_NEGATIVE),
            "income": number("Dividends and interest of the session.", MONEY),
            "sells": number("Cash from sales of the session.", MONEY),
            "buys": number("Cash spent on purchases of the session.", MONEY),
            "withdrawals": number("Money taken out in the session.", MONEY, NOT_NEGATIVE),
            "deposits": number("Money put in during the session.", MONEY, NOT_NEGATIVE),
            "skipped_buys": whole(
                "Purchases refused in the session, for want of cash or, under hybrid, by the band, one per episode.",
                COUNT,
                NOT_NEGATIVE,
            ),
            "passed_rungs": whole("Rungs passed without a trade in the session.", COUNT, NOT_NEGATIVE),
        }
    ),
)

SIMULATION_LOTS = Table(
    name="simulation_lots",
    layer="staging",
    description="Every buyback lot of every scenario, in as many parts as it was sold in.",
    key=("strategy", "reserve", "lot", "part"),
    schema=ordered(
        {
            **scenario(),
            "lot": whole("Number of the lot in the scenario's order of purchase, from 1.", COUNT, FROM_ONE),
            "part": whole("Number of the part in the order of sale, from 1; what is still open comes last.", COUNT),
            "ticker": ticker(),
            "opened": day("Session of the purchase."),
            "closed": day("Session of the sale; NULL: still open.", nullable=True),
            "quantity": number("Shares in the part.", SHARES, NOT_NEGATIVE),
            "price": number("Price paid.", PER_SHARE, POSITIVE),
            "sale_price": number("Price received; NULL: still open.", PER_SHARE, POSITIVE, nullable=True),
            "premium": number(
                "Price paid over the asset's highest earlier close, less 1.", FRACTION, AT_LEAST_TOTAL_LOSS
            ),
        }
    ),
)

RESERVE_BOOTSTRAP = Table(
    name="reserve_bootstrap",
    layer="staging",
    description=(
        "What became of every scenario in each resampled history of the market; empty until histories were drawn."
    ),
    key=("strategy", "reserve", "history"),
    schema=ordered(
        {
            **scenario(),
            "history": whole("Number of the history, from 1; the same one for all scenarios.", COUNT, FROM_ONE),
            "final_value": number("Cash and holdings at the last close.", MONEY),
            "twr": number("Time-weighted return over the whole period.", FRACTION),
            "xirr": number("Money-weighted return; NULL: none solves.", YEARLY, nullable=True),
            "sharpe": number("Annualised Sharpe ratio; NULL: returns that do not differ.", RATIO, nullable=True),
            "sortino": number("Annualised Sortino ratio; NULL: no loss.", RATIO, nullable=True),
            "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION),
            "income_per_year": number("Dividends, interest and net harvest.", "currency per year", nullable=True),
            "income_volatility": number("Standard deviation of the income of months.", MONEY, nullable=True),
            "months_without_income": number("Share of months whose income was not positive.", FRACTION, SHARE),
            "withdrawals": number("Withdrawals paid.", MONEY, NOT_NEGATIVE),
            "coverage_gross": number("Gross harvest over withdrawals scheduled; NULL: none.", RATIO, nullable=True),
            "coverage_net": number("Net harvest over withdrawals scheduled; NULL: none.", RATIO, nullable=True),
            "skipped_buys": number(
                "Purchases refused, for want of cash or, under hybrid, by the band.", COUNT, NOT_NEGATIVE
            ),
            "mean_cash_share": number("Mean of the bank over the value.", FRACTION),
            "low_cash_share": number("Share of sessions with the bank under 5 % of the value.", FRACTION, SHARE),
            "block_length": number("Mean length of the blocks that were drawn.", "sessions", FROM_ONE),
        }
    ),
)

INCOME_SUBSET = Table(
    name="income_subset",
    layer="staging",
    description=(
        "Portfolios of some of the assets: how much these move together and by themselves, and how variable the income "
        "is."
    ),
    key=("subset",),
    schema=ordered(
        {
            "subset": whole("Number of the portfolio, from 1.", COUNT, FROM_ONE),
            **scenario(),
            "tickers": text("Its assets, in the study's order, separated by a comma and a space."),
            "assets": whole("How many they are.", COUNT, FROM_ONE),
            "average_correlation": number("Mean correlation of the daily log returns of its pairs.", RATIO),
            "mean_volatility": number(
                "Mean over its assets of the annualised standard deviation (ddof 1) of daily log returns.",
                YEARLY,
                NOT_NEGATIVE,
            ),
            "income_variability": number(
                "Standard deviation (ddof 1) of monthly income over the value before; NULL: fewer than two months.",
                "fraction per month",
                NOT_NEGATIVE,
                nullable=True,
            ),
        }
    ),
)

SIMULATION_TAX_LOTS = Table(
    name="simulation_tax_lots",
    layer="staging",
    description="Shares that every sale of every scenario sold, and those still open; empty where there are no taxes.",
    key=("strategy", "reserve", "part"),
    schema=ordered(
        {
            **scenario(),
            "part": whole("Place in the scenario's order of sale, from 1; what is open comes last.", COUNT, FROM_ONE),
            "purchase_seq": whole("Ledger row of the purchase.", COUNT, FROM_ONE),
            "sale_seq": whole("Ledger row of the sale; NULL: open.", COUNT, FROM_ONE, nullable=True),
            "ticker": ticker(),
            "acquired": day("Session of the purchase."),
            "held_since": day("Day from which the shares count as held: earlier where they replaced others."),
            "sold": day("Session of the sale; NULL: open.", nullable=True),
            "long_term": flag("Whether they were held for more than a year, until the last session where open."),
            "quantity": number("Shares in the part.", SHARES, POSITIVE),
            "cost": number("What they had cost, fee included.", MONEY, POSITIVE),
            "basis": number("Cost and the disallowed losses that they took over.", MONEY, POSITIVE),
            "proceeds": number("What they brought, fee taken off; NULL: open.", MONEY, nullable=True),
            "gain": number("Proceeds less basis; NULL: open.", MONEY, nullable=True),
            "wash_sale_disallowed": number(
                "Part of a loss that is not deducted but added to the basis of other shares; NULL: open.",
                MONEY,
                NOT_NEGATIVE,
                nullable=True,
            ),
            "market_value": number("Shares at the last close; NULL: sold.", MONEY, POSITIVE, nullable=True),
        }
    ),
)

STAGING = (
    STUDY,
    STUDY_ASSET,
    STUDY_STRATEGY,
    SESSIONS,
    RATES,
    PRICES,
    SIMULATION_PARTITION,
    SIMULATION_PATH_BAND,
    SIMULATION_LEDGER,
    SIMULATION_DAILY,
    SIMULATION_LOTS,
    RESERVE_BOOTSTRAP,
    INCOME_SUBSET,
    SIMULATION_TAX_LOTS,
)
