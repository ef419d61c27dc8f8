"""Declarations of attribution: where a scenario's profit and return come from, in both layers that have it."""

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
    Column,
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
from sd_core.schemas.table import Table

HOLDING_PERIODS = ("0 to 7", "8 to 30", "31 to 90", "91 to 365", "over 365")

EFFECTS = {
    "allocation": "Effect of holding more or less of the class than the policy",
    "selection": "Effect of other weights of assets within the class, at the policy's weight of the class",
    "interaction": "Effect of both together",
    "trading": "Effect of trades from their price to the close of their session, after fees",
}


def _month() -> Column:
    return day("First day of the calendar month.")


def _ticker_or_cash() -> Column:
    return text("Ticker of the asset; (cash): the bank.")


def _holding_period() -> Column:
    return text("Calendar days from purchase to sale.", one_of(HOLDING_PERIODS))


def _gain_statistics() -> dict[str, Column]:
    """Return the columns that say how round trips turned out, after their counts."""
    return {
        "win_rate": number("Share of round trips that gained; NULL: there were none.", FRACTION, SHARE, nullable=True),
        "average_win": number("Mean gain of those that gained; NULL: none did.", MONEY, POSITIVE, nullable=True),
        "average_loss": number(
            "Mean gain, so below 0, of those that lost; NULL: none did.", MONEY, NOT_POSITIVE, nullable=True
        ),
        "profit_factor": number(
            "All that was gained over all that was lost; NULL: nothing was lost.", RATIO, NOT_NEGATIVE, nullable=True
        ),
    }


def _profit_by_source() -> dict[str, Column]:
    return {
        "price_gain": number("Profit from prices, of what was held and of what was traded.", MONEY),
        "income": number("Dividends; of the bank, interest.", MONEY),
        "costs": number("Fees of trades.", MONEY, NOT_NEGATIVE),
        "profit": number("Price gain and income less costs.", MONEY),
    }


ATTRIBUTION_ASSET = Table(
    name="attribution_asset",
    layer="analytics",
    description="Profit of every asset, and of the bank, by month: by source, and its contribution to the return.",
    key=("strategy", "reserve", "month", "ticker"),
    columns={
        **scenario(),
        "month": _month(),
        "ticker": _ticker_or_cash(),
        **_profit_by_source(),
        "contribution": number(
            "Part of the month's time-weighted return, linked over its sessions; NULL: a total loss.",
            FRACTION,
            nullable=True,
        ),
        "linked_contribution": number(
            "Part of the time-weighted return of the whole period; NULL: a total loss.", FRACTION, nullable=True
        ),
        "benchmark_profit": number(
            "What the money in it at the opening of each session would have earned in the benchmark; "
            "NULL: the benchmark does not cover the month.",
            MONEY,
            nullable=True,
        ),
    },
)

ATTRIBUTION_TRADE = Table(
    name="attribution_trade",
    layer="analytics",
    description="Every round trip: a part of a buyback lot and its sale, with its gain and length, and premium "
    "and regime at purchase.",
    key=("strategy", "reserve", "lot", "part"),
    columns={
        **scenario(),
        "lot": whole("Number of the buyback lot, as in simulation_lots.", COUNT, FROM_ONE),
        "part": whole("Number of the part that was sold at once.", COUNT, FROM_ONE),
        "ticker": ticker(),
        "opened": day("Session of the purchase."),
        "closed": day("Session of the sale."),
        "holding_days": whole("Calendar days between them.", "days", NOT_NEGATIVE),
        "holding_period": _holding_period(),
        "quantity": number("Shares in the part.", SHARES, NOT_NEGATIVE),
        "price": number("Price paid.", PER_SHARE, POSITIVE),
        "sale_price": number("Price received.", PER_SHARE, POSITIVE),
        "gain": number("Proceeds of the part less its cost, before fees.", MONEY),
        "trade_return": number("Price received over price paid, less 1.", FRACTION, AT_LEAST_TOTAL_LOSS),
        "is_winner": flag("Whether it gained."),
        "premium": number("Price paid over the asset's highest earlier close, less 1.", FRACTION, AT_LEAST_TOTAL_LOSS),
        "regime": text("Regime of the market at the session before the purchase; NULL: not known then.", nullable=True),
    },
)

ATTRIBUTION_BRINSON = Table(
    name="attribution_brinson",
    layer="analytics",
    description="Why a portfolio returned more or less than its policy mix, by asset class and month, after Brinson "
    "and Fachler.",
    key=("strategy", "reserve", "month", "asset_class"),
    columns={
        **scenario(),
        "month": _month(),
        "asset_class": text("Class of the assets, in the study's words; (cash): the bank."),
        "portfolio_weight": number("Mean share of the class in the portfolio at the opening of sessions.", FRACTION),
        "policy_weight": number(
            "Mean share of the class in the policy mix at the opening of sessions.", FRACTION, SHARE
        ),
        "portfolio_return": number(
            "Return of what was held of the class, trades left out; NULL: nothing was.", FRACTION, nullable=True
        ),
        "policy_return": number(
            "Return of the class in the policy mix; where it has none of it, that of the portfolio.", FRACTION
        ),
        **{
            name: number(f"{meaning}: part of the month's active return; NULL: a total loss.", FRACTION, nullable=True)
            for name, meaning in EFFECTS.items()
        },
        **{
            f"linked_{name}": number(
                "The same as a part of the active return of the whole period; NULL: a total loss.",
                FRACTION,
                nullable=True,
            )
            for name in EFFECTS
        },
    },
)

SKIPPED_BUY_COST = Table(
    name="skipped_buy_cost",
    layer="analytics",
    description="What every purchase refused for lack of cash would have gained until its sale, or until now.",
    key=("strategy", "reserve", "seq"),
    columns={
        **scenario(),
        "seq": whole("Place of the refusal in the ledger.", COUNT, FROM_ONE),
        "session": session(),
        "ticker": ticker(),
        "quantity": number("Shares that were not bought.", SHARES, POSITIVE),
        "price": number("Price that they would have cost.", PER_SHARE, POSITIVE),
        "sale_limit": number("Limit of the sale that would have followed.", PER_SHARE, POSITIVE),
        "sale_session": day("First later session that reached it; NULL: none did.", nullable=True),
        "exit_price": number("That limit, or the last close where it was never reached.", PER_SHARE, POSITIVE),
        "cost": number("Shares x (exit price - price); below 0 where the refusal saved money.", MONEY),
    },
)

REPORT_ATTRIBUTION = Table(
    name="report_attribution",
    layer="reports",
    description="Profit of every asset, and of the bank, over the whole period, with its round trips.",
    key=("strategy", "reserve", "ticker"),
    columns={
        **scenario(),
        "ticker": _ticker_or_cash(),
        **_profit_by_source(),
        "contribution": number(
            "Part of the time-weighted return of the whole period; NULL: a total loss.", FRACTION, nullable=True
        ),
        "realised_buyback_gain": number("Gain of buyback lots that were sold, before fees.", MONEY),
        "unrealised_buyback_gain": number("Gain of open buyback lots at the last close.", MONEY),
        "winners": whole("Round trips that gained.", COUNT, NOT_NEGATIVE),
        "losers": whole("Round trips that lost.", COUNT, NOT_NEGATIVE),
        **_gain_statistics(),
        "best_trade": number("Highest gain of a round trip; NULL: there were none.", MONEY, nullable=True),
        "worst_trade": number("Lowest gain of a round trip; NULL: there were none.", MONEY, nullable=True),
        "mean_holding_days": number(
            "Mean calendar days of a round trip; NULL: there were none.", "days", NOT_NEGATIVE, nullable=True
        ),
    },
)

REPORT_HOLDING_PERIOD = Table(
    name="report_holding_period",
    layer="reports",
    description="How round trips of a scenario turned out, by how long they took.",
    key=("strategy", "reserve", "holding_period"),
    columns={
        **scenario(),
        "holding_period": _holding_period(),
        "trades": whole("Round trips.", COUNT, POSITIVE),
        "winners": whole("Those that gained.", COUNT, NOT_NEGATIVE),
        "losers": whole("Those that lost.", COUNT, NOT_NEGATIVE),
        "gain": number("Gain of all, before fees.", MONEY),
        **_gain_statistics(),
        "mean_return": number("Mean of price received over price paid, less 1.", FRACTION, AT_LEAST_TOTAL_LOSS),
        "mean_holding_days": number("Mean calendar days.", "days", NOT_NEGATIVE),
    },
)

REPORT_SYNTHETIC_DIVIDEND = Table(
    name="report_synthetic_dividend",
    layer="reports",
    description="Value and profit of a scenario by source: core holdings, harvested cash, buyback lots, income, costs.",
    key=("strategy", "reserve"),
    columns={
        **scenario(),
        "final_value": number("Cash and holdings at the last close: the next three together.", MONEY),
        "core_value": number("Holdings that are no open buyback lots.", MONEY),
        "lots_value": number("Open buyback lots.", MONEY, NOT_NEGATIVE),
        "bank": number("Cash: the reserve, harvest and income that were neither spent nor withdrawn.", MONEY),
        "profit": number("Final value and withdrawals less capital and deposits: what follows together.", MONEY),
        "core_gain": number("Gain of the core from prices, of what was sold of it and of what is held.", MONEY),
        "realised_buyback_gain": number("Gain of buyback lots that were sold.", MONEY),
        "unrealised_buyback_gain": number("Gain of open buyback lots.", MONEY),
        "dividend_income": number("Dividends received.", MONEY),
        "interest_income": number("Interest on the bank.", MONEY),
        "costs": number("Fees of all trades; taken off.", MONEY, NOT_NEGATIVE),
    },
)

REPORT_OPPORTUNITY_COST = Table(
    name="report_opportunity_cost",
    layer="reports",
    description="Profit of the money in every asset, and of cash off its target, beside what the benchmark would have "
    "earned on it.",
    key=("strategy", "reserve", "ticker"),
    columns={
        **scenario(),
        "ticker": text("Ticker of the asset; (cash): what the bank held above, or lacked below, its target."),
        "months": whole("Months measured: those that the benchmark covers.", COUNT, NOT_NEGATIVE),
        "profit": number("Profit of the money in these months; NULL: there are none.", MONEY, nullable=True),
        "benchmark_profit": number(
            "What the same money would have earned in the benchmark, session by session; NULL as above.",
            MONEY,
            nullable=True,
        ),
        "opportunity_cost": number(
            "Benchmark profit less profit; below 0 where the money did better. NULL as above.", MONEY, nullable=True
        ),
    },
)

ATTRIBUTION = (
    ATTRIBUTION_ASSET,
    ATTRIBUTION_TRADE,
    ATTRIBUTION_BRINSON,
    SKIPPED_BUY_COST,
    REPORT_ATTRIBUTION,
    REPORT_HOLDING_PERIOD,
    REPORT_SYNTHETIC_DIVIDEND,
    REPORT_OPPORTUNITY_COST,
)
