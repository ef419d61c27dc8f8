"""The rivals of a scenario that trades a mix: the same without deciding on anything.

How they compare belongs in ``sd_core.resampling.paired`` and in ``sql``.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sd_core.market.panel import Panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.equal_cash import without_rule
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Every, Rules
from sd_core.simulation.targets import Targets


def mix_rivals(panel: Panel, rules: Rules, universe: Targets, every: Every) -> Mapping[str, SimulationResult]:
    """Simulate the rivals of a scenario whose targets a mix decides.

    Args:
        panel: the market.
        rules: of the scenario.
        universe: the study's weights, which never change.
        every: at whose first sessions what the mix has decided is in force.

    Returns:
        By name: ``equal``, the same rules on equal weights of all assets, which it returns to whenever the mix decides
        (DeMiguel, Garlappi and Uppal 2009); ``buy_and_hold``, the study's weights at the same reserve, bought once.
    """
    count = len(panel.tickers)
    equal = Targets.constant(np.full(count, 1.0 / count))
    # What rebalances more often than the mix decides goes on doing so.
    often = max(rules.rebalance_every, every)
    chosen = {
        "equal": replace(rules, targets=equal, rebalance_every=often, rebalance_on_change=False),
        "buy_and_hold": replace(without_rule(rules), targets=universe, reserve=rules.reserve),
    }
    results = simulate(panel, list(chosen.values()), workers=1, ledger=False)
    return dict(zip(chosen, results, strict=True))
