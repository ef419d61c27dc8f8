"""The rivals of a scenario at equal cash: portfolios without its rule that hold as much cash as it did.

How a scenario and its rivals compare belongs in ``sd_core.resampling.paired`` and in ``sql``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sd_core.market.arrays import Floats, last_known, month_numbers
from sd_core.market.panel import Panel
from sd_core.metrics.returns import NO_MONEY
from sd_core.metrics.roots import root
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Every, Rules, Shortfall, Variant
from sd_core.simulation.targets import Targets

# How exactly the share of cash is found at which a rival's mean is the scenario's: a thousandth of a percent.
SHARE_TOLERANCE = 1e-5


class Rival(NamedTuple):
    """A portfolio at equal cash: the share of cash that it targets, None where that changes, and its simulation."""

    share: float | None
    result: SimulationResult


def rivals(panel: Panel, rules: Rules, daily: Rows) -> Mapping[str, Rival]:
    """Simulate the rivals of a scenario at equal cash.

    They have the scenario's capital, targets, costs, lot sizes, deposits and withdrawals, and no rule. They reinvest
    dividends, and sell pro rata for withdrawals, as a strategy without a rule does.

    Args:
        panel: the market.
        rules: of the scenario.
        daily: the scenario's days on that market.

    Returns:
        By name: ``rebalanced`` yearly, and ``buy_and_hold``, both at the share of cash with which their mean share is
        that of the scenario, which is known only afterwards; ``cash_path``, which each month returns to the share of
        cash that the scenario had at the close of the month before.
    """
    plain = without_rule(rules)
    held = replace(plain, targets=Targets.constant(rules.targets.in_force(panel.sessions[0])))
    yearly = replace(plain, rebalance_every=Every.YEAR, rebalance_on_change=True)
    wanted = float(np.nanmean(cash_shares(daily)))
    shares = {"rebalanced": _share(panel, yearly, wanted), "buy_and_hold": _share(panel, held, wanted)}
    chosen = {
        "rebalanced": at_cash(yearly, shares["rebalanced"]),
        "buy_and_hold": at_cash(held, shares["buy_and_hold"]),
        "cash_path": replace(plain, targets=path_targets(panel, rules, daily), rebalance_on_change=True),
    }
    results = simulate(panel, list(chosen.values()), workers=1, ledger=False)
    return {name: Rival(shares.get(name), result) for name, result in zip(chosen, results, strict=True)}


def without_rule(rules: Rules) -> Rules:
    """Return what is left of a scenario without its rule, its portfolio rules and its reserve."""
    return Rules(
        capital=rules.capital,
        reserve=0.0,
        targets=rules.targets,
        brackets=rules.brackets,
        profit_shares=rules.profit_shares,
        lot_sizes=rules.lot_sizes,
        fee_fixed=rules.fee_fixed,
        fee_rate=rules.fee_rate,
        variant=Variant.NO_RULE,
        lot_order=rules.lot_order,
        reinvest=True,
        deposit=rules.deposit,
        deposit_every=rules.deposit_every,
        deposits_on=rules.deposits_on,
        deposit_invest=rules.deposit_invest,
        withdrawal=rules.withdrawal,
        withdrawal_share=rules.withdrawal_share,
        withdrawal_every=rules.withdrawal_every,
        withdrawals_on=rules.withdrawals_on,
        shortfall=Shortfall.PRO_RATA,
        indexed=rules.indexed,
    )


def at_cash(rules: Rules, share: float) -> Rules:
    """Return rules whose targets leave a share of all there is in the bank."""
    return replace(rules, targets=Targets(rules.targets.sessions, rules.targets.weights * (1.0 - share)))


def path_targets(panel: Panel, rules: Rules, daily: Rows) -> Targets:
    """Return targets that leave in the bank, each month, the scenario's share of cash at the close of the month before.

    In the first month it is the share at the first close, which follows from the reserve. Shares outside 0 to 1 count
    as the nearer end: a portfolio without the rule has no credit.
    """
    months = month_numbers(panel.sessions)
    first_of_month = np.searchsorted(months, months)
    known = last_known(np.clip(cash_shares(daily), 0.0, 1.0)[:, None])[:, 0][np.maximum(first_of_month - 1, 0)]
    row = rules.targets.rows_by_session(panel.sessions)
    begins = np.flatnonzero(np.diff(months, prepend=months[0] - 1) + np.diff(row, prepend=row[0]))
    return Targets(panel.sessions[begins], rules.targets.weights[row[begins]] * (1.0 - known[begins])[:, None])


def cash_shares(daily: Rows) -> Floats:
    """Return the bank over the value by session; NaN where there is no value."""
    worth = daily["value"] > NO_MONEY
    return np.where(worth, daily["bank"], np.nan) / np.where(worth, daily["value"], 1.0)


def _share(panel: Panel, rules: Rules, wanted: float) -> float:
    """Return the share of cash to target for the mean share to be the one wanted, or the nearest that there is."""

    def beyond(share: float) -> float:
        (result,) = simulate(panel, [at_cash(rules, share)], workers=1, ledger=False)
        return float(np.nanmean(cash_shares(result.daily))) - wanted

    if beyond(0.0) >= 0.0:
        return 0.0
    if beyond(1.0) <= 0.0:
        return 1.0
    return root(beyond, 0.0, 1.0, xtol=SHARE_TOLERANCE)
