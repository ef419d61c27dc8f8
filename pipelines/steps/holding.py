"""Buy-and-hold, with which every other scenario is compared, over the sessions on which a comparison is fair."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.lab.fingerprints import fingerprint
from sd_core import versions
from sd_core.lake import Version
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel, risk_free_returns
from sd_core.metrics.returns import session_returns
from sd_core.selection.differences import FEWEST_SESSIONS, MEASURES, Differences, Sums, differences, sums_of
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve
from sd_core.study.model import Study

# Among the facts that are noted of a scenario whose days are not kept.
NOTED = "selection"


@dataclass(frozen=True)
class Holding:
    """Buy-and-hold of a study, simulated.

    Attributes:
        returns: by session, fractions.
        cash: what cash returned, by session.
        against: hash of what it was simulated on and by.
        fitted: place of the first session in whose return the weights of every mix that is traded show, and no longer
            those that it has until it is fitted; 0 where none is traded, None where one was never fitted.
    """

    returns: Floats
    cash: Floats
    against: str
    fitted: int | None

    @classmethod
    def of(cls, study: Study, market: Version, panel: Panel, fitted: dt.date | None) -> "Holding | None":
        """Simulate it; None where the study has none.

        Args:
            study: whose scenario it is.
            market: that the panel was read from.
            panel: what it is simulated on.
            fitted: when every mix that is traded had been fitted, None where one never was.
        """
        if study.holding is None:
            return None
        rules = resolve(study, study.holding)
        (result,) = simulate(panel, [rules], workers=1, ledger=False)
        parts = {**vars(rules), "prices": market.facts["prices_version"], "engine": versions.ENGINE}
        return cls(
            returns=session_returns(result.daily, study.capital),
            cash=risk_free_returns(panel.sessions, panel.rates),
            against=fingerprint(parts),
            # Targets that are in force from a close on are traded at it, so they show in the session after.
            fitted=None
            if fitted is None
            else int(np.searchsorted(panel.sessions, np.datetime64(fitted), side="right")),
        )

    def first(self, trades_mix: bool) -> int | None:
        """Return the place of the first session compared, of scenarios of which some trade a mix or none does."""
        first = self.fitted if trades_mix else 0
        return None if first is None or len(self.returns) - first < FEWEST_SESSIONS else first

    def beside(self, returns: Floats, first: int) -> Differences | None:
        """Return what a scenario has more from a session on; None where the two cannot be compared."""
        return differences(returns[first:], self.returns[first:], self.cash[first:])

    def noted(self, returns: Floats) -> dict[str, Any]:
        """Return the sums of what a scenario has more, from each session that it may be compared from, for JSON."""
        firsts = {self.first(trades_mix) for trades_mix in (False, True)} - {None}
        found = {first: self.beside(returns, first) for first in firsts if first is not None}
        return {
            "against": self.against,
            "from": {str(first): _as_json(one) if one else None for first, one in sorted(found.items())},
        }

    def is_noted(self, facts: Mapping[str, Any], first: int) -> bool:
        """Return whether sums were noted of a scenario, beside this buy-and-hold and from this session on."""
        noted = facts.get(NOTED)
        return noted is not None and noted["against"] == self.against and str(first) in noted["from"]

    def read(self, facts: Mapping[str, Any], first: int) -> Sequence[Sums] | None:
        """Return the sums that were noted of a scenario, by measure; None where it could not be compared."""
        found = facts[NOTED]["from"][str(first)]
        return found and [
            Sums(np.array(totals), np.array(squares), skewness, kurtosis)
            for totals, squares, skewness, kurtosis in (found[measure] for measure in MEASURES)
        ]


def _as_json(found: Differences) -> dict[str, list[Any]]:
    sums = {measure: sums_of(series) for measure, series in found._asdict().items()}
    return {
        measure: [one.totals.tolist(), one.squares.tolist(), one.skewness, one.kurtosis]
        for measure, one in sums.items()
    }
