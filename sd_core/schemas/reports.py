"""Declarations of the reports layer: the tables that people read."""

from sd_core.schemas import lake
from sd_core.schemas.analytics import MEASURES, REGIMES, SIMULATION_METRICS, UNITS
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
    YEARLY,
    Column,
    corrected_verdicts,
    correlation,
    day,
    flag,
    number,
    one_of,
    scenario,
    text,
    ticker,
    whole,
)
from sd_core.schemas.harvest import REPORT_HARVEST
from sd_core.schemas.paper import REPORT_PAPER
from sd_core.schemas.table import Table

_PER_YEAR = "currency per year"

REPORT_STRATEGY = Table(
    name="report_strategy",
    layer="reports",
    description=(
        "Every metric of a scenario over its whole period, and how it did against buy-and-hold and never buying."
    ),
    key=("strategy", "reserve"),
    columns={
        # First what a scenario's own rows give, then what takes a comparison.
        **{
            name: column
            for name, column in SIMULATION_METRICS.columns.items()
            if name not in ("income", "income_per_year")
        },
        # What is paid out, what the assets and the bank yield and what the rule sells are no one sum.
        "withdrawals_per_year": number("Withdrawals paid to you, per 365.25 calendar days.", _PER_YEAR, nullable=True),
        "dividends_and_interest_per_year": number(
            "Dividends and interest received, per 365.25 calendar days.", _PER_YEAR, nullable=True
        ),
        "harvest_net_per_year": number(
            "Proceeds of the rule's sales less the cost of its purchases, per 365.25 calendar days: taken out of the "
            "holdings, not a yield.",
            _PER_YEAR,
            nullable=True,
        ),
        "paid_in_full": flag("Whether every withdrawal that fell due was paid."),
        "rank": whole(
            "Place among the scenarios, 1 the best: those that paid every withdrawal first, then by the study's "
            "judge_by, then by twr; NULL: outdated.",
            COUNT,
            FROM_ONE,
            nullable=True,
        ),
        "excess_over_buy_and_hold": number(
            "Time-weighted return above that of buy-and-hold without a reserve; NULL: not in the study, or not "
            "of the same prices.",
            FRACTION,
            nullable=True,
        ),
        "excess_over_same_reserve": number(
            "Time-weighted return above that of buy-and-hold at the same reserve; NULL as above.",
            FRACTION,
            nullable=True,
        ),
        "volatility_alpha": number(
            "Time-weighted return above that of ath_only with otherwise the same keys, at the same reserve: what "
            "buying dips and selling rebounds added; NULL: the variant is not full, or there is no such strategy of "
            "the same prices.",
            FRACTION,
            nullable=True,
        ),
        "final_value_low": number(
            "Lowest final value over all paths of a bar; NULL: the study has no path band.", MONEY, nullable=True
        ),
        "final_value_high": number("Highest final value over all paths; NULL as above.", MONEY, nullable=True),
        "twr_low": number("Lowest time-weighted return over all paths; NULL as above.", FRACTION, nullable=True),
        "twr_high": number("Highest time-weighted return over all paths; NULL as above.", FRACTION, nullable=True),
        "prices_version": text("Version of the prices that the scenario was simulated on."),
        "is_current": flag("Whether the scenario was simulated on today's prices and study."),
    },
)

REPORT_REGIME = Table(
    name="report_regime",
    layer="reports",
    description="How every scenario did by the regime of the market at the session before.",
    key=("strategy", "reserve", "regime"),
    columns={
        **scenario(),
        "regime": text("Regime of the session before, as in market_regime.", one_of(REGIMES)),
        "sessions": whole("Sessions after one of that regime.", COUNT, FROM_ONE),
        "session_share": number("Those over all sessions after one with a regime.", FRACTION, SHARE),
        "episodes": whole("Uninterrupted runs of the regime that these sessions belong to.", COUNT, FROM_ONE),
        "mean_return": number(
            "Mean return, annualised without compounding; NULL: fewer than 21 returns.", YEARLY, nullable=True
        ),
        "volatility": number(
            "Annualised standard deviation of returns; NULL as above.", YEARLY, NOT_NEGATIVE, nullable=True
        ),
        "sharpe": number(
            "Annualised mean excess return over its standard deviation; NULL as above, or all alike.",
            RATIO,
            nullable=True,
        ),
        "win_rate": number("Share of returns above 0; NULL as above.", FRACTION, SHARE, nullable=True),
        "trades": whole(
            "Fills in these sessions, first purchases apart; NULL: no ledger was kept.",
            COUNT,
            NOT_NEGATIVE,
            nullable=True,
        ),
    },
)

REPORT_DATA_QUALITY = Table(
    name="report_data_quality",
    layer="reports",
    description="Findings about the prices, and what must be known to read the results.",
    key=("ticker", "rule", "first_session", "detail"),
    columns={
        "ticker": text("Ticker concerned; NULL: the study as a whole.", nullable=True),
        "rule": text("Name of the rule that made the finding."),
        "first_session": day("First session concerned."),
        "last_session": day("Last session concerned."),
        "sessions": whole("How many sessions are concerned.", COUNT, NOT_NEGATIVE),
        "detail": text("The finding in a sentence."),
    },
)


def _interval(name: str, meaning: str, unit: str, *, middle: bool = False) -> dict[str, Column]:
    """Return the ends of a bootstrap interval, its median where asked for, and the place of what happened in it.

    All are NULL without bootstrap samples.
    """
    places = {"low": "5th percentile", **({"median": "median"} if middle else {}), "high": "95th percentile"}
    return {
        **{
            f"{name}_{place}": number(f"{meaning}: {words} over the bootstrap samples.", unit, nullable=True)
            for place, words in places.items()
        },
        f"{name}_percentile": number(
            f"{meaning}: share of the bootstrap samples below what happened; ties count half, NULL: outdated.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
    }


def _beats_next(name: str, meaning: str) -> dict[str, Column]:
    return {
        f"{name}_beats_next": number(
            f"Share of the bootstrap samples in which this reserve had {meaning} than the next one; NULL: no next, or "
            "no bootstrap samples.",
            FRACTION,
            SHARE,
            nullable=True,
        )
    }


_OF_METRICS = SIMULATION_METRICS.columns
REPORT_RESERVE = Table(
    name="report_reserve",
    layer="reports",
    description=(
        "The reserve question: what each cash reserve of a strategy returned and cost, with intervals from bootstrap "
        "samples."
    ),
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "final_value": _OF_METRICS["final_value"],
        **_interval("final_value", "Cash and holdings at the last close", MONEY, middle=True),
        "twr": _OF_METRICS["twr"],
        **_interval("twr", "Time-weighted return over the whole period", FRACTION),
        "xirr": _OF_METRICS["xirr"],
        **_interval("xirr", "Money-weighted return", YEARLY),
        "sharpe": _OF_METRICS["sharpe"],
        **_interval("sharpe", "Sharpe ratio", RATIO, middle=True),
        "sortino": _OF_METRICS["sortino"],
        **_interval("sortino", "Sortino ratio", RATIO),
        "max_drawdown": _OF_METRICS["max_drawdown"],
        **_interval("max_drawdown", "Deepest fall below the peak", FRACTION, middle=True),
        "income_per_year": _OF_METRICS["income_per_year"],
        **_interval("income_per_year", "Dividends, interest and net harvest together", _PER_YEAR),
        "income_volatility": number(
            "Standard deviation (ddof 1) of the income of calendar months.", MONEY, NOT_NEGATIVE, nullable=True
        ),
        **_interval("income_volatility", "Standard deviation of monthly income", MONEY),
        "income_variability": number(
            "Standard deviation (ddof 1) of the income of calendar months over the value at the end of the month "
            "before.",
            "fraction per month",
            NOT_NEGATIVE,
            nullable=True,
        ),
        "months_without_income": number(
            "Share of the calendar months whose income was not positive.", FRACTION, SHARE, nullable=True
        ),
        **_interval("months_without_income", "Share of the months whose income was not positive", FRACTION),
        "coverage_gross": _OF_METRICS["coverage_gross"],
        **_interval("coverage_gross", "Gross harvest over withdrawals", RATIO),
        "coverage_net": _OF_METRICS["coverage_net"],
        **_interval("coverage_net", "Net harvest over withdrawals", RATIO),
        "skipped_buys": _OF_METRICS["skipped_buys"],
        **_interval("skipped_buys", "Purchases refused", COUNT),
        "skipped_buy_cost": number(
            "What the purchases refused for lack of cash would have gained; negative where they would have lost; "
            "NULL: no ledger was kept, or it is outdated.",
            MONEY,
            nullable=True,
        ),
        "mean_cash_share": _OF_METRICS["mean_cash_share"],
        **_interval("mean_cash_share", "Mean over sessions of the bank's share of value", FRACTION),
        "cash_drag_per_year": number(
            "What the bank would have earned more in the benchmark: mean of its share of the value x the "
            "benchmark's excess return, per year; negative where cash did better.",
            YEARLY,
            nullable=True,
        ),
        "low_cash_share": number(
            "Share of the sessions that ended with the bank under 5 % of the value; NULL: no days were kept.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        **_interval("low_cash_share", "Share of sessions with the bank under 5 % of the value", FRACTION),
        "next_reserve": number("The next higher reserve of the strategy; NULL: none.", FRACTION, nullable=True),
        **_beats_next("wealth", "more wealth, withdrawals included,"),
        **_beats_next("sharpe", "a higher Sharpe ratio"),
        **_beats_next("max_drawdown", "a smaller worst drawdown"),
        "histories": whole("Bootstrap samples; NULL: none yet.", COUNT, FROM_ONE, nullable=True),
        "block_length": number("Mean length of their blocks.", "sessions", FROM_ONE, nullable=True),
        "years": number(
            "From their first session to their last; what was is of the whole history.",
            "years",
            NOT_NEGATIVE,
            nullable=True,
        ),
    },
)

REPORT_RESERVE_VERDICT = Table(
    name="report_reserve_verdict",
    layer="reports",
    description=(
        "Which reserve of a strategy did best by each measure, by how much, and whether the bootstrap samples are "
        "enough to say so."
    ),
    key=("strategy", "measure"),
    columns={
        "strategy": text("Name of the strategy in the study."),
        "measure": text("What is compared: wealth with withdrawals, sharpe or max_drawdown.", MEASURES),
        "conclusion": text(
            "better: the best reserve is significantly better than every other; too_small: than its closest rival by "
            "less than matters; undecided; mechanical: without a rule, cash only dilutes the holdings; single: "
            "nothing to compare.",
            one_of(["better", "too_small", "undecided", "mechanical", "single"]),
        ),
        "best_reserve": number(
            "Reserve that won the most often against its closest rival; NULL: mechanical or single.",
            FRACTION,
            BELOW_ONE,
            nullable=True,
        ),
        "rival_reserve": number(
            "Its closest rival: the one it beat least often, of several the one least behind; NULL as above.",
            FRACTION,
            BELOW_ONE,
            nullable=True,
        ),
        "least_probability": number(
            "Share of the bootstrap samples in which it beat that rival; ties count half.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "unit": text("Unit of the differences: of wealth, how much faster it grew.", UNITS),
        "actual_difference": number(
            "How much better it was than that rival in what happened; NULL: outdated.", "as unit says", nullable=True
        ),
        **{
            f"difference_{place}": number(
                f"How much better it was in the same bootstrap sample: {words}.", "as unit says", nullable=True
            )
            for place, words in (("low", "5th percentile"), ("median", "median"), ("high", "95th percentile"))
        },
        "smallest_difference": number("Smallest difference that matters, as the study has it.", "as unit says"),
        "p_value": number(
            "Two-sided, that it is no better than that rival, from the samples on either side of zero.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        "p_value_holm": number(
            "The same, corrected by Holm's method for the verdicts of the study.", FRACTION, SHARE, nullable=True
        ),
        "verdicts": whole("Verdicts of the study that it is corrected for.", COUNT, NOT_NEGATIVE),
        "histories": whole("Bootstrap samples that it is concluded from.", COUNT, FROM_ONE, nullable=True),
        "is_at_edge": flag(
            "Whether the best is the highest of several levels, so that a better one may lie beyond.", nullable=True
        ),
        "verdict": text("The same in a sentence."),
    },
)

REPORT_INCOME_SMOOTHING = Table(
    name="report_income_smoothing",
    layer="reports",
    description=(
        "Whether income is steadier where assets move less together at the same volatility: slopes through portfolios."
    ),
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "portfolios": whole("Portfolios that were simulated.", COUNT, FROM_ONE),
        "assets": whole("Assets in each.", COUNT, FROM_ONE),
        "lowest_correlation": number("Lowest average correlation among them.", RATIO),
        "highest_correlation": number("Highest average correlation among them.", RATIO),
        "mean_income_variability": number("Mean of their income variability.", "fraction per month"),
        "correlation": number("Correlation of the two; NULL: no spread.", RATIO, nullable=True),
        "slope": number(
            "Change of income variability per unit of average correlation; NULL: no spread.",
            "fraction per month",
            nullable=True,
        ),
        "standard_error": number(
            "Of the slope, by leaving out one asset at a time; NULL: not estimable.",
            "fraction per month",
            NOT_NEGATIVE,
            nullable=True,
        ),
        "slope_low": number("Slope less two standard errors.", "fraction per month", nullable=True),
        "slope_high": number("Slope plus two standard errors.", "fraction per month", nullable=True),
        "partial_slope": number(
            "The slope with mean volatility held fixed; NULL: fewer than four portfolios, or no spread of its own.",
            "fraction per month",
            nullable=True,
        ),
        "partial_standard_error": number(
            "Of the partial slope, by leaving out one asset at a time; NULL: not estimable.",
            "fraction per month",
            NOT_NEGATIVE,
            nullable=True,
        ),
        "partial_slope_low": number("Partial slope less two standard errors.", "fraction per month", nullable=True),
        "partial_slope_high": number("Partial slope plus two standard errors.", "fraction per month", nullable=True),
        "verdict": text("What the partial slope says, in a sentence."),
    },
)

_OF_STRATEGY = lake.STUDY_STRATEGY.columns
_REBALANCING = (
    "rule_variant",
    "rebalance_every",
    "rebalance_deviation_width",
    "rebalance_deviation_kind",
    "rebalance_volatility_level",
    "rebalance_volatility_window",
    "rebalance_on_change",
    "rebalance_patience_sessions",
    "rebalance_patience_mean",
    "band_width",
    "band_kind",
    "band_edges",
    "rule_cash_low",
    "cash_high",
    "drift",
    "premium_spread",
)
REPORT_REBALANCING = Table(
    name="report_rebalancing",
    layer="reports",
    description="When to rebalance: returns, trades and costs of strategies that do, by their triggers.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        **{name: _OF_STRATEGY[name] for name in _REBALANCING},
        "rebalancing_trades": whole(
            "Trades back to targets, into bands or for a premium spread: REBALANCE_BUY and REBALANCE_SELL; NULL: "
            "no ledger was kept.",
            COUNT,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "deploy_buys": whole(
            "Purchases with cash above cash.high: DEPLOY_BUY; NULL as above.", COUNT, NOT_NEGATIVE, nullable=True
        ),
        "profit_sells": whole(
            "Sales of what drifted above its target: PROFIT_SELL; NULL as above.",
            COUNT,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "rebalancing_fees": number("Fees of these three together; NULL as above.", MONEY, NOT_NEGATIVE, nullable=True),
        "trades": _OF_METRICS["trades"],
        "fees": _OF_METRICS["fees"],
        "turnover": number(
            "Half of the worth of all trades after the first purchases, over the mean value, per year; NULL as "
            "above, or no days or value.",
            YEARLY,
            nullable=True,
        ),
        **{name: _OF_METRICS[name] for name in ("twr", "cagr", "volatility", "sharpe", "max_drawdown")},
        "excess_over_same_reserve": REPORT_STRATEGY.columns["excess_over_same_reserve"],
    },
)

REPORT_UNBOUGHT = Table(
    name="report_unbought",
    layer="reports",
    description=(
        "Which assets the first purchases could not buy, since the least that can be bought costs more than the budget."
    ),
    key=("strategy", "reserve", "ticker"),
    columns={
        **scenario(),
        "ticker": text("Asset with a target weight, of which nothing was bought."),
        "first_session": day("Session of the first purchases, from which on the budget lies in cash."),
        "bought_on": day("Session of the first purchase of it after that; NULL: it was never bought.", nullable=True),
        "weight": number("Its target weight.", FRACTION, SHARE),
        "budget": number("Capital less the reserve, times the weight.", MONEY, NOT_NEGATIVE),
        "price": number("Its close on that session.", PER_SHARE, POSITIVE),
        "lot_size": lake.STUDY_ASSET.columns["lot_size"],
        "lowest_cost": number("What one lot costs, fee included; any fraction: the fixed fee.", MONEY, NOT_NEGATIVE),
    },
)

REPORT_BENCHMARK = Table(
    name="report_benchmark",
    layer="reports",
    description="Whether a scenario beat the benchmark of the study, and how closely it followed it.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "benchmark": lake.STUDY.columns["benchmark"],
        "sessions": whole("Sessions on which both have a return: all that follows is of these.", COUNT, FROM_ONE),
        "first_session": day("Session from whose close on both are compared."),
        "last_session": day("Last of these sessions."),
        "is_of_a_year": flag("Whether a year lies between the two; if not, CAGR is no rate that lasted."),
        "portfolio_return": number("Time-weighted return of the scenario.", FRACTION),
        "benchmark_return": number(
            "Return of the benchmark, dividends reinvested, without costs.", FRACTION, AT_LEAST_TOTAL_LOSS
        ),
        "excess_over_benchmark": number(
            "Return of the scenario less that of the benchmark; above 0: it beat it.", FRACTION
        ),
        "portfolio_cagr": number(
            "Compound annual growth rate of the scenario between these sessions; NULL: they are on one day, or more "
            "than all was lost.",
            YEARLY,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "benchmark_cagr": number(
            "That of the benchmark; NULL: they are on one day.", YEARLY, AT_LEAST_TOTAL_LOSS, nullable=True
        ),
        "beta": number(
            "Slope of excess returns on those of the benchmark; NULL: fewer than two, or a benchmark that does not "
            "move.",
            RATIO,
            nullable=True,
        ),
        "alpha": number(
            "Jensen's alpha: mean excess return less beta times that of the benchmark, annualised without "
            "compounding; NULL as above.",
            YEARLY,
            nullable=True,
        ),
        "tracking_error": number(
            "Annualised standard deviation of the differences of returns; NULL: fewer than two.",
            YEARLY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "information_ratio": number(
            "Annualised mean of the differences of returns over the tracking error; NULL as above, or all alike.",
            RATIO,
            nullable=True,
        ),
        "correlation": correlation("Correlation of returns with those of the benchmark; NULL: one does not move."),
    },
)


def _beside(name: str, meaning: str, unit: str, *, interval: bool = False) -> dict[str, Column]:
    """Return a measure of a scenario and of the same cash, their difference, and its interval where asked for."""
    nullable = _OF_METRICS[name].nullable
    ends = {"low": "2.5th", "high": "97.5th"} if interval else {}
    return {
        name: _OF_METRICS[name],
        f"comparison_{name}": number(f"{meaning} of the same cash without the rule.", unit, nullable=nullable),
        f"{name}_difference": number(f"{meaning} of the scenario less that of the same cash.", unit, nullable=nullable),
        **{
            f"{name}_difference_{end}": number(
                f"{place} percentile of that difference over paired bootstrap samples of the sessions of this history: "
                "what their order could have made of it, no forecast; NULL: interval_missing says why.",
                unit,
                nullable=True,
            )
            for end, place in ends.items()
        },
    }


REPORT_EQUAL_CASH = Table(
    name="report_equal_cash",
    layer="reports",
    description="Is it the rule, or just the cash? Every scenario of the rule beside the same cash without the rule.",
    key=("strategy", "reserve", "comparison"),
    columns={
        **scenario(),
        "comparison": text(
            "What has as much cash without the rule: rebalanced to it yearly; buy_and_hold; or cash_path, rebalanced "
            "each month to the share of cash that the scenario had at the close of the month before.",
            lake.COMPARISONS,
        ),
        "cash_share": number(
            "Share of cash that the comparison targets, at each rebalancing or at the first purchase, for its mean "
            "share to be that of the scenario: known only afterwards; NULL for cash_path, which could have been "
            "followed.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        **_beside("mean_cash_share", "Mean share of cash", FRACTION),
        **_beside("final_value", "Value at the last close", MONEY),
        **_beside("cagr", "Growth rate", YEARLY, interval=True),
        **_beside("volatility", "Volatility", YEARLY),
        **_beside("sharpe", "Sharpe ratio", RATIO, interval=True),
        **_beside("max_drawdown", "Deepest fall", FRACTION),
        **_beside("withdrawals", "Withdrawals paid", MONEY),
        "paid_in_full": REPORT_STRATEGY.columns["paid_in_full"],
        "comparison_paid_in_full": flag("Whether the same cash paid every withdrawal that fell due."),
        "outcome": text(
            "How the scenario did in this history: first whether all was paid, then by the study's judge_by; NULL: one "
            "of the two has no such number.",
            one_of(["better", "the same", "worse"]),
            nullable=True,
        ),
        "verdict": text(
            "Of cash_path, which could have been followed: the outcome where it is significant and matters; too small: "
            "a difference that does not matter; not significant: the data do not distinguish the two; the same: they "
            "differ by rounding at most; NULL: verdict_missing says why.",
            one_of(["better", "the same", "worse", "too small", "not significant"]),
            nullable=True,
        ),
        "verdict_missing": text("Why there is no verdict; NULL: there is one.", nullable=True),
        "p_value": number(
            "Two-sided p-value of no difference in the Sharpe ratio if the study judges by it, else in growth; NULL: "
            "there is no verdict, or the two are the same.",
            FRACTION,
            SHARE,
            nullable=True,
        ),
        **corrected_verdicts(),
        "smallest_difference": number("Smallest difference that matters, as the study has it.", "as the measure"),
        "interval_missing": text("Why there is no interval; NULL: there is one.", nullable=True),
        "samples": whole("Bootstrap samples of the interval; NULL: none.", COUNT, FROM_ONE, nullable=True),
        "block_length": number("Mean length of their blocks; NULL: none.", "sessions", FROM_ONE, nullable=True),
    },
)

REPORT_SINGLE_ASSET = Table(
    name="report_single_asset",
    layer="reports",
    description="Buy-and-hold of each asset alone: did a portfolio beat its own assets?",
    key=("ticker",),
    columns={
        "ticker": ticker(),
        "first_session": day("First session, at whose close it is bought."),
        "last_session": day("Last session."),
        "twr": number("Return over the whole period, dividends reinvested, without costs.", FRACTION),
        **{name: _OF_METRICS[name] for name in ("cagr", "volatility", "sharpe", "max_drawdown")},
    },
)


def _period(name: str) -> dict[str, Column]:
    """Return the columns that a calendar period has before those of its income: when it was, and what it returned."""
    return {
        "first_session": day(f"First session of the {name}."),
        "last_session": day(f"Last session of the {name}."),
        "sessions": whole("Sessions of the study in it.", COUNT, FROM_ONE),
        "is_whole": flag(
            f"Whether the study covers the {name} from the close before it to its last session. Not the first one, "
            "which begins at a close in it; nor the last one where more sessions are to come, or may be."
        ),
        "start_value": number("Cash and holdings at the close before; of the first one the capital.", MONEY),
        "deposits": number("Money put in.", MONEY, NOT_NEGATIVE),
        "withdrawals": number("Money paid out.", MONEY, NOT_NEGATIVE),
        "end_value": number("Cash and holdings at the last close.", MONEY),
        "twr": number(
            "Time-weighted return, so that money paid in or out is no return; NULL: nothing was there to earn one.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
    }


def _received() -> dict[str, Column]:
    """Return the columns of a calendar period that say what came from the holdings; NULL without a ledger."""
    return {
        "dividends": number("Dividends received; NULL: no ledger was kept.", MONEY, nullable=True),
        "interest": number("Interest on the bank; NULL as above.", MONEY, nullable=True),
        "harvest_net": number(
            "Proceeds of the rule's sales less the cost of its purchases, fees included; NULL as above.",
            MONEY,
            nullable=True,
        ),
    }


def _in_real_terms() -> dict[str, Column]:
    """Return the columns of a calendar period that leave inflation out; NULL without consumer prices."""
    return {
        "real_twr": number(
            "Time-weighted return after inflation; NULL as twr, or the study has no price index.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "real_withdrawals": number(
            "Money paid out, in prices of the first session; NULL: no price index.",
            MONEY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        "real_end_value": number(
            "Cash and holdings at the last close, in prices of the first session; NULL: no price index.",
            MONEY,
            nullable=True,
        ),
    }


REPORT_MONTH = Table(
    name="report_month",
    layer="reports",
    description="Every scenario by calendar month: what it returned, what was paid in and out, and what it was worth.",
    key=("strategy", "reserve", "month"),
    columns={
        **scenario(),
        "month": day("First day of the calendar month."),
        **_period("month"),
        **_received(),
        **_in_real_terms(),
    },
)

REPORT_CALENDAR_YEAR = Table(
    name="report_calendar_year",
    layer="reports",
    description=(
        "Every scenario by calendar year: what it returned, what was paid in and out, what it was worth, and what tax "
        "is owed."
    ),
    key=("strategy", "reserve", "year"),
    columns={
        **scenario(),
        "year": whole("Calendar year.", "year"),
        **_period("year"),
        "max_drawdown": number(
            "Deepest fall of time-weighted growth below its highest in the year, its start included; NULL as twr.",
            FRACTION,
            NOT_POSITIVE,
            nullable=True,
        ),
        **_received(),
        "tax": number(
            "What is owed for the year, as in simulation_taxes; NULL: the study has no taxes, or no ledger was kept.",
            MONEY,
            NOT_NEGATIVE,
            nullable=True,
        ),
        **_in_real_terms(),
    },
)

REPORT_ROLLING_RETURN = Table(
    name="report_rolling_return",
    layer="reports",
    description="What every scenario returned over each twelve and each thirty-six calendar months in a row.",
    key=("strategy", "reserve", "months", "month"),
    columns={
        **scenario(),
        "months": whole("Whole calendar months in a row, 12 or 36.", COUNT, FROM_ONE),
        "month": day("First day of the last of them."),
        "start_session": day("Session at whose close they begin, the last one before them."),
        "last_session": day("Last session of them."),
        "twr": number(
            "Time-weighted return over all of them; NULL: nothing was there to earn one.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
        "cagr": number("The same per year: (1 + twr)^(12 / months) - 1; NULL as above.", YEARLY, nullable=True),
        "real_twr": number(
            "Time-weighted return after inflation; NULL as above, or the study has no price index.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
            nullable=True,
        ),
    },
)

REPORT_DRAWDOWN = Table(
    name="report_drawdown",
    layer="reports",
    description=(
        "The ten deepest drawdowns of every scenario and its longest one: when they began, were deepest and were "
        "recovered."
    ),
    key=("strategy", "reserve", "depth_rank"),
    columns={
        **scenario(),
        "depth_rank": whole("Place by depth among all drawdowns of the scenario, 1 for the deepest.", COUNT, FROM_ONE),
        "length_rank": whole("Place by days under water, 1 for the longest.", COUNT, FROM_ONE),
        "peak_session": day(
            "Last session at the peak, from whose close on growth was below it; the first session where it fell from "
            "the start."
        ),
        "trough_session": day("Session of the lowest growth."),
        "recovery_session": day("First session back at the peak; NULL: not within the study.", nullable=True),
        "depth": number("Growth at the trough over that at the peak, less 1.", FRACTION, NOT_POSITIVE),
        "sessions": whole("Sessions under water: those that closed below the peak.", COUNT, FROM_ONE),
        "days": whole("Calendar days from the peak to the recovery, or to the last session.", "days", NOT_NEGATIVE),
        "days_down": whole("Those from the peak to the trough.", "days", NOT_NEGATIVE),
        "days_up": whole(
            "Those from the trough to the recovery; NULL: not recovered.", "days", NOT_NEGATIVE, nullable=True
        ),
    },
)

_OF_ORDERS = lake.SIMULATION_ORDERS.columns
REPORT_NEXT_ORDER = Table(
    name="report_next_order",
    layer="reports",
    description="Tomorrow's rungs: where the rule of every scenario trades next, how much, and what prevents it.",
    key=("strategy", "reserve", "ticker", "side"),
    columns={
        **{name: _OF_ORDERS[name] for name in ("strategy", "reserve", "session")},
        "next_session": lake.STUDY.columns["next_session"],
        **{name: _OF_ORDERS[name] for name in ("ticker", "side", "limit_price", "quantity")},
        "value": number("Shares at the limit.", MONEY, POSITIVE),
        "fee": _OF_ORDERS["fee"],
        "amount": number("Cash received at the limit, or paid where negative, fee included.", MONEY),
        "close": number("Last close of the asset.", PER_SHARE, POSITIVE),
        "distance": number(
            "Limit over that close, less 1. A sale below 0 and a purchase above 0 are left over: the next open that is "
            "still beyond the limit trades at its own price.",
            FRACTION,
            AT_LEAST_TOTAL_LOSS,
        ),
        "spendable": number("What all purchases of the scenario may cost: bank and credit at the last close.", MONEY),
        "restraint": _OF_ORDERS["restraint"],
    },
)

_START = lake.START_DATE_OUTCOME.columns

REPORT_START_DATE = Table(
    name="report_start_date",
    layer="reports",
    description="What each scenario came to from other start dates, and whether it did better than buy-and-hold.",
    key=("strategy", "reserve", "start_session"),
    columns={
        **{name: _START[name] for name in ("strategy", "reserve", "start_session", "last_session")},
        "years": number("From the start to the last session.", "years", POSITIVE),
        "final_value": _START["final_value"],
        "cagr": number(
            "Compound annual growth rate of the time-weighted growth from the start.", YEARLY, AT_LEAST_TOTAL_LOSS
        ),
        **{name: _START[name] for name in ("xirr", "sharpe", "max_drawdown", "withdrawals_scheduled", "withdrawals")},
        "paid_in_full": flag("Whether every withdrawal that fell due was paid; NULL: none fell due.", nullable=True),
        "cagr_over_buy_and_hold": number(
            "CAGR less that of buy-and-hold without a reserve from the same start; NULL: the study has none, or this "
            "is it.",
            YEARLY,
            nullable=True,
        ),
        "did_better": flag("Whether that is above 0 by more than rounding; NULL as above.", nullable=True),
    },
)

REPORTS = (
    REPORT_STRATEGY,
    REPORT_EQUAL_CASH,
    REPORT_HARVEST,
    REPORT_PAPER,
    REPORT_BENCHMARK,
    REPORT_SINGLE_ASSET,
    REPORT_REBALANCING,
    REPORT_UNBOUGHT,
    REPORT_CALENDAR_YEAR,
    REPORT_MONTH,
    REPORT_ROLLING_RETURN,
    REPORT_DRAWDOWN,
    REPORT_START_DATE,
    REPORT_NEXT_ORDER,
    REPORT_REGIME,
    REPORT_DATA_QUALITY,
    REPORT_RESERVE,
    REPORT_RESERVE_VERDICT,
    REPORT_INCOME_SMOOTHING,
)
