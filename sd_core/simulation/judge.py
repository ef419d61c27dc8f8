"""Scenarios digested one after another: metrics, and whether their rows keep every law, with taxes or without.

What is computed and judged belongs in ``digest`` and ``tax_digest``, and what is kept of it in ``sd_core.sweep``.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.metrics.measures import METRICS
from sd_core.metrics.money_weighted import MoneyWeighted
from sd_core.simulation.digest import LAWS, Record, digest
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Every, Rules, TaxRates
from sd_core.simulation.tax_digest import Taxation, digest_taxes
from sd_core.simulation.taxes.lots import harvested

# What is noted of the same scenario without harvesting losses.
OF_TWIN = ("final_value", "taxes", "after_tax_value", "after_tax_liquidation_value", "after_tax_liquidation_cagr")


class BrokenError(Exception):
    """Rows of a scenario that break a law."""


class Digest(NamedTuple):
    """A scenario that keeps every law.

    Attributes:
        metrics: its :data:`METRICS`, shape (metrics,).
        unsolved: its money-weighted return where that took more than one pass.
        tax_lots: None where there are no taxes.
    """

    metrics: Floats
    unsolved: MoneyWeighted | None
    tax_lots: Rows | None


class Judge:
    """Digests scenarios of a panel.

    Args:
        panel: that they are simulated on.
        capital: money at the start.
        rates: of tax; None for none.
    """

    def __init__(self, panel: Panel, capital: float, rates: TaxRates | None) -> None:
        self._panel = panel
        self._capital = capital
        self._taxation = None if rates is None else Taxation.of(rates, panel)
        self.record = Record.of(panel)

    def digest(self, rules: Rules, result: SimulationResult) -> Digest:
        """Return the digest of a scenario with its ledger.

        Raises:
            BrokenError: its rows break a law.
        """
        metrics, broken = np.empty(len(METRICS)), np.empty(len(LAWS), dtype=np.int64)
        unsolved, tax_lots = digest(result, self.record, self._capital, metrics, broken), None
        # Sales of rows that break a law are not looked for.
        if self._taxation is not None and not broken.any():
            tax_lots = digest_taxes(result, rules.lot_order, self.record, self._taxation, metrics, broken)
        if broken.any():
            rows = (f"{law}: {count} rows" for law, count in zip(LAWS, broken.tolist(), strict=True) if count)
            raise BrokenError(f"rows that break a law: {', '.join(rows)}")
        return Digest(metrics, unsolved, tax_lots)

    def harvest_twin(self, rules: Rules, result: SimulationResult, tax_lots: Rows) -> dict[str, Any]:
        """Return what a scenario realised of losses for their taxes, and what it comes to without, as one row.

        Args:
            rules: of the scenario.
            result: the scenario.
            tax_lots: of the scenario.

        Raises:
            BrokenError: without harvesting, its rows break a law.
        """
        without = replace(rules, harvest_every=Every.NEVER)
        (twin,) = simulate(self._panel, [without], workers=1)
        metrics = dict(zip(METRICS, self.digest(without, twin).metrics.tolist(), strict=True))
        found = {name: None if np.isnan(metrics[name]) else metrics[name] for name in OF_TWIN}
        return {**harvested(result.ledger, tax_lots), **found}
