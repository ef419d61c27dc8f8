"""Keys that strategies used to have, and their new places: an old study file is refused with what to write instead."""

from collections.abc import Sequence

_RULE = ("sd_n", "bracket", "profit_share", "sizing", "path", "anchor", "max_rungs", "adaptive_bracket", "cash_low")

# By key of a strategy, what to write now.
OF_STRATEGY = {
    **{key: f"rule.{key}" for key in (*_RULE, "margin")},
    "variant": "rule.variant; buy-and-hold is a strategy without a rule, {}",
    "coordination": (
        "rule.order for nav_opportunistic, rebalance beside the rule for target, band beside the rule for hybrid, no "
        "rule for hold"
    ),
    "cash_high": "cash.high",
    "cost_aware": "rebalance.cost_aware",
    "portfolio_stop": "rule.stop",
}
OF_STUDY = {"candidates": "cash.candidates of each strategy that deploys cash"}


def where_it_went(location: Sequence[str | int]) -> str | None:
    """Return what to write in place of an earlier key, or None where there was none."""
    match location:
        case ("strategies", _, str(key)):
            return OF_STRATEGY.get(key)
        case (str(key),):
            return OF_STUDY.get(key)
    return None
