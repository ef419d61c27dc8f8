"""What each strategy does, in a sentence.

The exact rules belong in ``docs/simulation.md``; triggers of rebalancing are worded in ``rebalancing``.
"""

import json
from collections.abc import Iterator
from typing import Any

from pipelines.report.numbers import decimal, level, percent
from pipelines.report.rebalancing import triggers

_SALES = {
    "full": "Sells a little of an asset each time its price has risen by {step}, and buys a little back each time it "
    "has fallen by one such step",
    "ath_only": "Sells a little of an asset each time its price has risen by {step} since its last sale; never buys",
    "ath_sell": "Buys a little of an asset each time its price has fallen by {step}, and sells only at new highs",
}
# So many weights or sums are read at a glance.
MOST_LISTED = 6


def described(row: dict[str, Any]) -> str:
    """Return what a strategy does, from its row of the table study_strategy."""
    if row["is_buy_and_hold"]:
        return " ".join(
            [f"Buys its weights at the first close and then trades nothing{_dividends(row)}.", *_money(row)]
        )
    sentences = [f"{'; '.join(_rule(row))}."] if row["rule_variant"] else []
    if trigger := triggers(row):
        sentences.append(f"Returns to its target weights: {trigger}.")
    if row["allocation_schedule"]:
        sentences.append("Has target weights of its own that change by date.")
    elif row["allocation_weights"]:
        sentences.append(f"Has target weights of its own{_weights(row)}.")
    if not sentences:
        sentences = ["Buys its weights at the first close and trades nothing by a rule."]
    if row["harvest_every"]:
        sentences.append(
            f"Sells each {row['harvest_every']} what lies more than {level(row['harvest_loss'])} below its cost, for "
            "the taxes that the loss saves."
        )
    return " ".join([*sentences, *_money(row)])


def _weights(row: dict[str, Any]) -> str:
    """Return a strategy's own weights, scaled to sum to 1, where they are few."""
    weights = json.loads(row["allocation_weights"])
    total = sum(weights.values())
    listed = ", ".join(f"{ticker} {percent(weight / total)}" for ticker, weight in weights.items())
    return f": {listed}" if len(weights) <= MOST_LISTED else ""


def lump_sums(written: str | None) -> str:
    """Return lump sums, which are written as JSON by date, in words; where they are many, their number and sum."""
    on = json.loads(written) if written else {}
    if len(on) > MOST_LISTED:
        return f"{decimal(sum(on.values()))} on {len(on)} dates"
    return ", ".join(f"{decimal(amount)} on {day}" for day, amount in on.items())


def _rule(row: dict[str, Any]) -> Iterator[str]:
    share = level(row["rule_profit_share"])
    yield _SALES[row["rule_variant"]].format(step=percent(row["rule_bracket"]))
    if row["rule_sizing"] == "symmetric":
        yield "a sale is what is left of the newest purchase"
    else:
        yield f"each sale takes out {share} of what the rise added"
    if row["rule_order"] == "nav_opportunistic":
        yield "the asset furthest below its high buys first, the one nearest to it sells first"
    if row["rule_adaptive_bracket"]:
        yield "the step follows how often prices gap over it"
    if row["rule_stop"] is not None:
        yield f"purchases halt after a drawdown of {level(row['rule_stop'])}"
    if row["rule_margin_limit"] is not None:
        yield f"buys on credit of up to {level(row['rule_margin_limit'])} of the value"


def _dividends(row: dict[str, Any]) -> str:
    return ", but for dividends, which buy more of what paid them" if row["dividends"] == "reinvest" else ""


def _money(row: dict[str, Any]) -> Iterator[str]:
    period = row["withdrawals_every"]
    following = ", following prices" if row["withdrawals_indexed"] else ""
    if row["withdrawals_amount"] is not None:
        yield f"Pays {decimal(row['withdrawals_amount'])} each {period}{following}."
    elif row["withdrawals_rate"] is not None:
        rate, base = level(row["withdrawals_rate"]), row["withdrawals_of"]
        yield f"Pays {rate} of the {base} a year, a part of it each {period}{following}."
    if row["withdrawals_on"]:
        yield f"Pays {lump_sums(row['withdrawals_on'])}."
