"""Declarations of the lake's tables: what the study, its market, the model fits and the simulations leave.

The published tables that are copies of them follow from these declarations, and so do Arrow schemas, the records that
the engine writes, and the tables that tests make by hand.
"""

from sd_core.schemas.buckets import BUCKET_TABLES, LEDGER_TABLES, STUDY_BUCKET
from sd_core.schemas.columns import (
    AT_LEAST_TOTAL_LOSS,
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
    correlation,
    day,
    flag,
    from_to,
    number,
    one_of,
    scenario,
    session,
    text,
    texts,
    ticker,
    whole,
)
from sd_core.schemas.factors import FACTOR_TABLES
from sd_core.schemas.harvest import SIMULATION_HARVEST_TWIN
from sd_core.schemas.kinds import LEG_ARRIVAL, LEG_CLOSE, Kind
from sd_core.schemas.mixes import MIX_FRONTIER, MIX_TABLES, SIMULATION_MIX_RIVAL, STUDY_MIX, STUDY_MIX_PART
from sd_core.schemas.paper import PAPER_TABLES
from sd_core.schemas.selection import SELECTION_TABLES
from sd_core.schemas.signals import BOOSTED_RETURN, SIGNAL_INPUTS, STUDY_SIGNALS
from sd_core.schemas.strategy import PATHS, strategy_columns
from sd_core.schemas.stress import STRESS_MIX, STUDY_STRESS_WINDOW, after_years
from sd_core.schemas.table import LakeTable

KEPT = one_of(["ledger", "daily", "metrics"])
PERIODS = one_of(["month", "quarter", "year"])
JUDGES = one_of(["cagr", "sharpe", "withdrawals", "ending_value"])
COMPARISONS = one_of(["rebalanced", "buy_and_hold", "cash_path"])

STUDY = LakeTable(
    name="study",
    description="The study that the warehouse was built for, a single row.",
    key=("name",),
    columns={
        "name": text("Name of the study."),
        "source": text("Kind of source that prices come from.", one_of(["yahoo", "csv", "sample"])),
        "start_date": day("Date from which prices are asked for."),
        "end_date": day("Date up to which prices are asked for; NULL: the newest there are.", nullable=True),
        "calendar": text("Exchange whose sessions count, or intersection or union of the assets' own dates."),
        "capital": number("Money at the start.", MONEY, POSITIVE),
        "currency": text("Currency of every amount and price."),
        "benchmark": text("Ticker of the benchmark, whose prices are published too; universe: the study's own assets."),
        "risk_free": text("Ticker of the risk-free rate, or the rate itself as a yearly fraction."),
        "deposit_amount": number("Money that comes in each period; NULL: none.", MONEY, POSITIVE, nullable=True),
        "deposit_every": text("Period of deposits: month, quarter or year; NULL: none.", PERIODS, nullable=True),
        "deposit_on": text("Lump sums that come in, by date, as JSON; NULL: none.", nullable=True),
        "deposit_invest": flag(
            "Whether all but the reserve's share of a deposit is invested; NULL: no deposits.", nullable=True
        ),
        "tax_short_term": number("Tax rate of short-term gains; NULL: no taxes.", FRACTION, SHARE, nullable=True),
        "tax_long_term": number("Tax rate of long-term gains; NULL: no taxes.", FRACTION, SHARE, nullable=True),
        "tax_dividends": number("Tax rate of dividends; NULL: no taxes.", FRACTION, SHARE, nullable=True),
        "tax_interest": number("Tax rate of interest; NULL: no taxes.", FRACTION, SHARE, nullable=True),
        **{
            f"smallest_difference_{measure}": number(
                f"Smallest difference in {words} that matters, between reserves or beside the same cash.",
                unit,
                NOT_NEGATIVE,
            )
            for measure, words, unit in (
                ("wealth", "growth of wealth", YEARLY),
                ("sharpe", "Sharpe ratio", RATIO),
                ("max_drawdown", "worst drawdown", FRACTION),
            )
        },
        "judge_by": text("Measure by which scenarios that paid every withdrawal are ranked.", JUDGES),
        "periods_per_year": number(
            "Sessions that make a year in annualised figures: 365 in a market of seven days, else 252; of weekly and "
            "monthly bars fewer.",
            COUNT,
            POSITIVE,
        ),
        "has_price_index": flag("Whether consumer prices are known, so that values can be stated in real terms."),
        "next_session": day(
            "Session that follows the last one; NULL: sessions are dates of the assets' own.", nullable=True
        ),
    },
)

STUDY_ASSET = LakeTable(
    name="study_asset",
    description="The assets of the universe, with what each overrides of a strategy.",
    key=("ticker",),
    columns={
        "position": whole("Place in the study's order, from 1.", COUNT, FROM_ONE),
        "ticker": ticker(),
        "asset_class": text("Class of the asset, in the study's words."),
        "weight": number("Target weight as the study gives it, on a scale of its own.", "weight", NOT_NEGATIVE),
        "target_share": number("Target weight over the sum of all target weights.", FRACTION, SHARE),
        "lot_size": number("Smallest quantity that trades; 0: any fraction of a share.", SHARES, NOT_NEGATIVE),
        "sd_n": number("Own rungs per doubling of the price; NULL: not set.", COUNT, FROM_ONE, nullable=True),
        "bracket": number("Own distance of the next rung up; NULL: not set.", FRACTION, POSITIVE, nullable=True),
        "profit_share": number("Own share of gains that trades; NULL: not set.", FRACTION, SHARE, nullable=True),
    },
)

STUDY_STRATEGY = LakeTable(
    name="study_strategy",
    description="The strategies of the study, every default filled in.",
    key=("strategy",),
    columns={
        "position": whole("Place in the study's order, from 1.", COUNT, FROM_ONE),
        "strategy": text("Name of the strategy."),
        "sweep": text("Name of the sweep that it was written in; NULL: it is not part of a sweep.", nullable=True),
        "is_buy_and_hold": flag("Whether only what comes in is bought, and only what withdrawals take is sold."),
        **strategy_columns(),
    },
)

STRATEGY_TARGET = LakeTable(
    name="strategy_target",
    description="Target weights of every strategy, by the session from whose close on they are in force.",
    key=("strategy", "session", "ticker"),
    columns={
        "strategy": text("Name of the strategy in the study."),
        "session": day("Session from whose close on the weight is in force; the first is the study's first."),
        "ticker": ticker(),
        "weight": number("Share of what is to be invested; 0 for what is not held.", FRACTION, SHARE),
    },
)

SESSIONS = LakeTable(
    name="sessions",
    description="The sessions on which the study trades.",
    key=("session",),
    columns={"session": session()},
)

RATES = LakeTable(
    name="rates",
    description=(
        "The risk-free rate of every session, what cash earned since the session before, and how far consumer prices "
        "rose."
    ),
    key=("session",),
    columns={
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
    },
)

PRICES = LakeTable(
    name="prices",
    description="Bars and dividends of the universe and the benchmark, split-adjusted and not dividend-adjusted.",
    key=("session", "ticker"),
    columns={
        "session": session(),
        "ticker": ticker(),
        "open": number("First price; NULL: only a dividend that session.", PER_SHARE, POSITIVE, nullable=True),
        "high": number("Highest price; NULL as open.", PER_SHARE, POSITIVE, nullable=True),
        "low": number("Lowest price; NULL as open.", PER_SHARE, POSITIVE, nullable=True),
        "close": number("Last price; NULL as open.", PER_SHARE, POSITIVE, nullable=True),
        "dividend": number("Dividend by ex-date; 0 where there is none.", PER_SHARE, NOT_NEGATIVE),
    },
)

SATELLITE_PRICES = LakeTable(
    name="satellite_prices",
    description="Bars and dividends of the tickers that satellites may trade, on the sessions of the universe.",
    key=PRICES.key,
    columns=PRICES.columns,
)

SIMULATION_PARTITION = LakeTable(
    name="simulation_partition",
    description="Every scenario that the lake holds: what is kept of it, and what it was simulated on.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "keep": text("What is kept: the ledger and all else, days only, or metrics.", KEPT),
        "capital": number("Money at the start.", MONEY, POSITIVE),
        "xirr": number("Money-weighted return; NULL: there is none.", YEARLY, nullable=True),
        "xirr_missing": text("Why there is no money-weighted return; NULL: there is one.", nullable=True),
        "prices_version": text("Version of the prices that the scenario was simulated on."),
        "has_tax_lots": flag("Whether tax lots are kept of it.", nullable=True),
        "is_current": flag("Whether the scenario was simulated on today's prices and study."),
    },
    hidden=("xirr", "xirr_missing", "has_tax_lots"),
)

SIMULATION_PATH_BAND = LakeTable(
    name="simulation_path_band",
    description="Outcome of every scenario under each path of a bar, in studies with path_band.",
    key=("strategy", "reserve", "path"),
    columns={
        **scenario(),
        "path": text("Assumed order of the prices within a bar.", PATHS),
        "is_chosen": flag("Whether it is the path of the strategy."),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "twr": number("Time-weighted return over the whole period.", FRACTION, nullable=True),
    },
)

SIMULATION_EQUAL_CASH = LakeTable(
    name="simulation_equal_cash",
    description="The same cash without the rule: what it came to beside every scenario of the rule.",
    key=("strategy", "reserve", "comparison"),
    columns={
        **scenario(),
        "comparison": text("What the same cash is held beside.", COMPARISONS),
        "cash_share": number("Share of cash that it targets; NULL: it changes by month.", FRACTION, nullable=True),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "cagr": number("Compound annual growth rate.", YEARLY, nullable=True),
        "volatility": number("Annualised standard deviation of returns.", YEARLY, nullable=True),
        "sharpe": number("Annualised Sharpe ratio.", RATIO, nullable=True),
        "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION),
        "mean_cash_share": number("Mean over sessions of the bank's share of value.", FRACTION),
        "withdrawals": number("Withdrawals paid.", MONEY, NOT_NEGATIVE),
        "withdrawals_scheduled": number("Withdrawals that fell due.", MONEY, NOT_NEGATIVE),
        "cagr_difference_low": number("Lower end of the interval.", YEARLY, nullable=True),
        "cagr_difference_high": number("Upper end of the interval.", YEARLY, nullable=True),
        "cagr_difference_p_value": number("Two-sided p-value of no difference.", FRACTION, SHARE, nullable=True),
        "sharpe_difference_low": number("Lower end of the interval.", RATIO, nullable=True),
        "sharpe_difference_high": number("Upper end of the interval.", RATIO, nullable=True),
        "sharpe_difference_p_value": number("Two-sided p-value of no difference.", FRACTION, SHARE, nullable=True),
        "interval_missing": text("Why there is no interval.", nullable=True),
        "samples": whole("Bootstrap samples of the interval.", COUNT, nullable=True),
        "block_length": number("Mean length of their blocks.", "sessions", nullable=True),
    },
)

SIMULATION_LEDGER = LakeTable(
    name="simulation_ledger",
    description="Every movement of cash of every scenario, and every trade that was refused.",
    key=("strategy", "reserve", "seq"),
    columns={
        **scenario(),
        "seq": whole("Place in the scenario's order of booking, from 1.", COUNT, FROM_ONE, stored="int32"),
        "session": session(),
        "leg": whole(
            f"Part of the session: {LEG_ARRIVAL} cash that arrives, 0 to 3 the path of the bar, {LEG_CLOSE} the close.",
            "leg",
            from_to(LEG_ARRIVAL, LEG_CLOSE),
            stored="int8",
        ),
        "ticker": text("Ticker of the asset; NULL: the portfolio's own cash.", nullable=True),
        "kind": text("Kind of movement or refusal.", one_of(kind.name for kind in Kind)),
        "quantity": number("Shares bought, or sold where negative; NULL: none moved.", SHARES, nullable=True),
        "skipped_quantity": number(
            "Shares that a refused trade wanted, or money that was not paid of a withdrawal.",
            "shares or currency",
            POSITIVE,
            nullable=True,
        ),
        "price": number("Price of the trade; of a DIVIDEND, dividend per share.", PER_SHARE, POSITIVE, nullable=True),
        "fee": number("Fee of the trade, part of amount.", MONEY, NOT_NEGATIVE),
        "amount": number("Cash received, or paid where negative; 0 for a refused trade.", MONEY),
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
        "sale_limit": number(
            "Of a refused purchase: the limit of the sale that would have followed it.", PER_SHARE, nullable=True
        ),
    },
    hidden=("sale_limit",),
)

SIMULATION_DAILY = LakeTable(
    name="simulation_daily",
    description="Every scenario at the close of every session.",
    key=("strategy", "reserve", "session"),
    columns={
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
            "Purchases refused in the session, for lack of cash or by a band, one per episode.",
            COUNT,
            NOT_NEGATIVE,
            stored="int32",
        ),
        "passed_rungs": whole("Rungs passed without a trade in the session.", COUNT, NOT_NEGATIVE, stored="int32"),
    },
)

SIMULATION_LOTS = LakeTable(
    name="simulation_lots",
    description="Every buyback lot of every scenario, a row for each part that was sold and for what is open.",
    key=(),
    columns={
        **scenario(),
        "lot": whole("Number of the lot in the scenario's order of purchase, from 1.", COUNT, FROM_ONE, stored="int32"),
        "ticker": ticker(),
        "opened": day("Session of the purchase."),
        "closed": day("Session of the sale; NULL: still open.", nullable=True),
        "quantity": number("Shares in the part.", SHARES, NOT_NEGATIVE),
        "price": number("Price paid.", PER_SHARE, POSITIVE),
        "sale_price": number("Price received; NULL: still open.", PER_SHARE, POSITIVE, nullable=True),
        "premium": number("Price paid over the asset's highest earlier close, less 1.", FRACTION, AT_LEAST_TOTAL_LOSS),
    },
)

SIMULATION_ORDERS = LakeTable(
    name="simulation_orders",
    description="The next sale and the next purchase that the rule of every scenario makes, after its last session.",
    key=("strategy", "reserve", "ticker", "side"),
    columns={
        **scenario(),
        "session": day("Last session, at whose close the order is known."),
        "ticker": ticker(),
        "side": text("Whether it sells or buys.", one_of(["sell", "buy"])),
        "limit_price": number("Price at which the rule trades: at it, or a better open.", PER_SHARE, POSITIVE),
        "quantity": number("Shares sold or bought.", SHARES, POSITIVE),
        "fee": number("Fee of the trade at its limit.", MONEY, NOT_NEGATIVE),
        "restraint": text(
            "What keeps the order from being made as things are. bank: it costs more than bank and credit; band: the "
            "weight would leave its band; stop: purchases are halted. NULL: nothing.",
            one_of(["bank", "band", "stop"]),
            nullable=True,
        ),
    },
)

RESERVE_BOOTSTRAP = LakeTable(
    name="reserve_bootstrap",
    description=("Outcome of every scenario in each bootstrap sample of the market; empty until they are simulated."),
    key=("strategy", "reserve", "history"),
    columns={
        **scenario(),
        "history": whole("Number of the bootstrap sample, from 1; the same for all scenarios.", COUNT, FROM_ONE),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "twr": number("Time-weighted return over the whole period.", FRACTION),
        "xirr": number("Money-weighted return; NULL: there is none.", YEARLY, nullable=True),
        "sharpe": number("Annualised Sharpe ratio; NULL: returns that do not differ.", RATIO, nullable=True),
        "sortino": number("Annualised Sortino ratio; NULL: no loss.", RATIO, nullable=True),
        "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION),
        "income_per_year": number("Dividends, interest and net harvest.", "currency per year", nullable=True),
        "income_volatility": number("Standard deviation of the income of months.", MONEY, nullable=True),
        "months_without_income": number("Share of months whose income was not positive.", FRACTION, SHARE),
        "withdrawals": number("Withdrawals paid.", MONEY, NOT_NEGATIVE),
        "coverage_gross": number("Gross harvest over withdrawals scheduled; NULL: none.", RATIO, nullable=True),
        "coverage_net": number("Net harvest over withdrawals scheduled; NULL: none.", RATIO, nullable=True),
        "skipped_buys": number("Purchases refused, for lack of cash or by a band.", COUNT, NOT_NEGATIVE),
        "mean_cash_share": number("Mean of the bank over the value.", FRACTION),
        "low_cash_share": number("Share of sessions with the bank under 5 % of the value.", FRACTION, SHARE),
        "block_length": number("Mean length of the blocks.", "sessions", FROM_ONE),
        "years": number("From the first session of a sample to its last.", "years", NOT_NEGATIVE),
    },
)

WITHDRAWAL_OUTCOME = LakeTable(
    name="withdrawal_outcome",
    description="What every scenario pays of withdrawals in each bootstrap sample; empty until they are simulated.",
    key=("strategy", "reserve", "is_own", "withdrawal_rate", "history"),
    columns={
        **scenario(),
        "withdrawal_of": text("What the rate is taken of.", one_of(["capital", "value"])),
        "withdrawal_rate": number(
            "Withdrawals of a year, those of an amount too, before they follow a price index.", YEARLY, POSITIVE
        ),
        "is_own": flag("Whether it is what the study or the strategy withdraws, and not only one of the rates to try."),
        "history": whole("Number of the bootstrap sample, from 1; the same for all scenarios.", COUNT, FROM_ONE),
        "paid_share": number("Withdrawals paid over those due; NULL: none fell due.", FRACTION, SHARE, nullable=True),
        "first_unpaid_year": whole(
            "Number of the year of the first withdrawal, or tax, that was not paid in full; NULL: all were.",
            COUNT,
            FROM_ONE,
            nullable=True,
        ),
        "final_value": number("Cash and holdings at the last close, less taxes that are owed then.", MONEY),
        "real_value": number(
            "The same in the money of the first session; NULL: the study has no price index.", MONEY, nullable=True
        ),
        "years": whole("Years of a sample, the last one whole or not.", COUNT, FROM_ONE),
    },
)

WITHDRAWAL_LIMIT = LakeTable(
    name="withdrawal_limit",
    description="The highest withdrawals that every scenario pays to the end of each bootstrap sample.",
    key=("strategy", "reserve", "history"),
    columns={
        **scenario(),
        "history": whole("Number of the bootstrap sample, from 1; the same for all scenarios.", COUNT, FROM_ONE),
        "highest_rate": number(
            "Highest yearly rate of the capital that was found to be paid in full; NULL: no withdrawal falls due.",
            YEARLY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "is_beyond": flag("Whether more may be paid: safe rates need no search beyond this."),
        "years": whole("Years of a sample, the last one whole or not.", COUNT, FROM_ONE),
    },
)

INCOME_SUBSET = LakeTable(
    name="income_subset",
    description=(
        "Portfolios of some of the assets: correlation and volatility of the assets, and variability of the income."
    ),
    key=("subset",),
    columns={
        "subset": whole("Number of the portfolio, from 1.", COUNT, FROM_ONE),
        **scenario(),
        "tickers": texts("Its assets, in the study's order."),
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
    },
)

SIMULATION_TAX_LOTS = LakeTable(
    name="simulation_tax_lots",
    description="Shares that every sale of every scenario sold, and those still open; empty where there are no taxes.",
    key=("strategy", "reserve", "part"),
    columns={
        **scenario(),
        "part": whole(
            "Place in the scenario's order of sale, from 1; what is open comes last.", COUNT, FROM_ONE, stored="int32"
        ),
        "purchase_seq": whole("Ledger row of the purchase.", COUNT, FROM_ONE, stored="int32"),
        "sale_seq": whole("Ledger row of the sale; NULL: open.", COUNT, FROM_ONE, stored="int32", nullable=True),
        "ticker": ticker(),
        "acquired": day("Session of the purchase."),
        "held_since": day("Day from which the shares count as held: earlier where they replaced others."),
        "sold": day("Session of the sale; NULL: open.", nullable=True),
        "long_term": flag("Whether they were held for more than a year, until the last session where open."),
        "quantity": number("Shares in the part.", SHARES, POSITIVE),
        "cost": number("What they had cost, fee included.", MONEY, POSITIVE),
        "basis": number("Cost and the disallowed losses that they took over.", MONEY, POSITIVE),
        "proceeds": number("Proceeds after the fee; NULL: open.", MONEY, nullable=True),
        "gain": number("Proceeds less basis; NULL: open.", MONEY, nullable=True),
        "wash_sale_disallowed": number(
            "Part of a loss that is not deducted but added to the basis of other shares; NULL: open.",
            MONEY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "market_value": number("Shares at the last close; NULL: sold.", MONEY, POSITIVE, nullable=True),
    },
)

PRICE_FINDINGS = LakeTable(
    name="price_findings",
    description="What the quality rules say about the prices.",
    key=(),
    columns={
        "ticker": text("Ticker that it is about; NULL: the study.", nullable=True),
        "rule": text("Name of the rule."),
        "first_session": day("First session that it concerns."),
        "last_session": day("Last session that it concerns."),
        "sessions": whole("Sessions that it concerns.", COUNT),
        "detail": text("What was found, in a sentence."),
    },
)

VARIANCE_STATE = LakeTable(
    name="variance_state",
    description="How likely the benchmark is in its state of higher variance.",
    key=("session",),
    columns={
        "session": session(),
        "high_variance_probability": number("Filtered probability of the state.", FRACTION, SHARE),
    },
)

CORRELATION_PAIR = LakeTable(
    name="correlation_pair",
    description="Correlations of pairs of assets.",
    key=("session", "frequency", "estimator", "window", "ticker_a", "ticker_b"),
    columns={
        "session": session(),
        "frequency": text("Of the returns: day, week or month.", stored="dictionary"),
        "estimator": text("rolling or ewma.", stored="dictionary"),
        "window": whole("Returns in the window; NULL: ewma.", COUNT, nullable=True, stored="int16"),
        "ticker_a": text("First ticker.", stored="dictionary"),
        "ticker_b": text("Second ticker.", stored="dictionary"),
        "correlation": correlation("Correlation of log returns."),
        "observations": whole("Returns that it was computed from.", COUNT, stored="int32"),
    },
)

CORRELATION_SUMMARY = LakeTable(
    name="correlation_summary",
    description="How all assets move together.",
    key=("session",),
    columns={
        "session": session(),
        "assets": whole("Assets that it is about.", COUNT, stored="int32"),
        "average_correlation": correlation("Mean over the pairs."),
        "average_within_crypto": correlation("Mean over the pairs of crypto."),
        "average_within_traditional": correlation("Mean over the pairs of other classes."),
        "average_crypto_to_traditional": correlation("Mean over the pairs of one of each."),
        "diversification_ratio": number("Weighted volatility over that of the whole.", RATIO, nullable=True),
        "absorption_ratio": number("Share of variance in the first components.", FRACTION, nullable=True),
    },
)

CORRELATION_STATE = LakeTable(
    name="correlation_state",
    description="How likely correlations are in their higher state.",
    key=("session",),
    columns={
        "session": session(),
        "high_correlation_probability": number("Filtered probability of the state.", FRACTION, SHARE),
    },
)

_FREQUENCY = text("Length of a return: 1 hour, 4 hours, a day or a week of UTC.", one_of(["1h", "4h", "1d", "1w"]))

CORRELATION_FREQUENCY = LakeTable(
    name="correlation_frequency",
    description="The correlation of every two assets by the length of a return, from hourly closes.",
    key=("frequency", "ticker_a", "ticker_b"),
    columns={
        "frequency": _FREQUENCY,
        "ticker_a": text("Ticker of the asset that comes first in the alphabet."),
        "ticker_b": text("Ticker of the other."),
        "class_a": text("Asset class of the first."),
        "class_b": text("Asset class of the other."),
        "correlation": correlation("Correlation of log returns; NULL: missing says why."),
        "correlation_low": correlation("Lower end of its 95 % interval."),
        "correlation_high": correlation("Upper end of its 95 % interval."),
        "observations": whole("Returns that it is computed from.", COUNT, NOT_NEGATIVE),
        "minutes_apart": number(
            "Between the closes of the two at the same mark, on average; NULL: they have no hour in common.",
            "minutes",
            NOT_NEGATIVE,
            nullable=True,
        ),
        "first_date": day("Day of the first common hour, UTC; NULL as above.", nullable=True),
        "last_date": day("Day of the last one; NULL as above.", nullable=True),
        "missing": text("Why there is no correlation; NULL: there is one.", nullable=True),
    },
)

START_DATE_OUTCOME = LakeTable(
    name="start_date_outcome",
    description="Outcome of every scenario from each start to the end of the history, in studies with start_dates.",
    key=("strategy", "reserve", "start_session"),
    columns={
        **scenario(),
        "start_session": day("First session of the year or month, on which the scenario starts with the capital."),
        "last_session": day("Last session of the history."),
        "final_value": number("Cash and holdings at the last close.", MONEY),
        "twr": number("Time-weighted return from the start.", FRACTION),
        "xirr": number("Money-weighted return; NULL: there is none.", YEARLY, nullable=True),
        "sharpe": number("Annualised Sharpe ratio; NULL: returns that do not differ.", RATIO, nullable=True),
        "max_drawdown": number("Deepest fall of time-weighted growth below its peak.", FRACTION, NOT_POSITIVE),
        "withdrawals_scheduled": number("Withdrawals that fell due.", MONEY, NOT_NEGATIVE),
        "withdrawals": number("Withdrawals paid.", MONEY, NOT_NEGATIVE),
        **after_years(),
    },
)

LAKE_TABLES: dict[str, LakeTable] = {
    table.name: table
    for table in (
        STUDY,
        STUDY_ASSET,
        STUDY_STRATEGY,
        STRATEGY_TARGET,
        STUDY_MIX,
        STUDY_STRESS_WINDOW,
        STUDY_MIX_PART,
        *STUDY_SIGNALS,
        STUDY_BUCKET,
        SESSIONS,
        RATES,
        PRICES,
        SATELLITE_PRICES,
        PRICE_FINDINGS,
        SIMULATION_PARTITION,
        SIMULATION_PATH_BAND,
        SIMULATION_EQUAL_CASH,
        SIMULATION_MIX_RIVAL,
        SIMULATION_HARVEST_TWIN,
        SIMULATION_LEDGER,
        SIMULATION_DAILY,
        SIMULATION_LOTS,
        SIMULATION_ORDERS,
        SIMULATION_TAX_LOTS,
        RESERVE_BOOTSTRAP,
        WITHDRAWAL_OUTCOME,
        WITHDRAWAL_LIMIT,
        INCOME_SUBSET,
        START_DATE_OUTCOME,
        VARIANCE_STATE,
        CORRELATION_PAIR,
        CORRELATION_SUMMARY,
        CORRELATION_STATE,
        *SIGNAL_INPUTS,
        BOOSTED_RETURN,
        CORRELATION_FREQUENCY,
        *MIX_TABLES,
        MIX_FRONTIER,
        STRESS_MIX,
        *FACTOR_TABLES,
        *BUCKET_TABLES,
        *LEDGER_TABLES,
        *PAPER_TABLES,
        *SELECTION_TABLES,
    )
}
