"""What each strategy does, in a sentence.

The exact rules belong in ``docs/simulation.md``; triggers of rebalancing are worded in ``rebalancing``.
"""

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
        sentences.append("Has target weights of its own.")
    if not sentences:
        sentences = ["Buys its weights at the first close and trades nothing by a rule."]
    if row["harvest_every"]:
        sentences.append(
            f"Sells each {row['harvest_every']} what lies more than {level(row['harvest_loss'])} below its cost, for "
            "the taxes that the loss saves."
        )
    return " ".join([*sentences, *_money(row)])


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
    if row["withdrawals_amount"] is not None:
        yield f"Pays {decimal(row['withdrawals_amount'])} each {period}."
    elif row["withdrawals_rate"] is not None:
        rate, base = level(row["withdrawals_rate"]), row["withdrawals_of"]
        yield f"Pays {rate} of the {base} a year, a part of it each {period}."
