"""Buy-and-hold, with which every other scenario is compared, over the sessions on which a comparison is fair."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from pipelines.lab.fingerprints import fingerprint
from sd_core import versions
from sd_core.lake import Version
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel, risk_free_returns
from sd_core.metrics.returns import session_returns
from sd_core.selection.differences import FEWEST_SESSIONS, Differences, differences
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve
from sd_core.study.model import Study


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

    @property
    def firsts(self) -> tuple[int, ...]:
        """The places of the sessions that some scenario is compared from, ascending."""
        return tuple(sorted({first for trades in (False, True) if (first := self.first(trades)) is not None}))

    def beside(self, returns: Floats, first: int) -> Differences | None:
        """Return what a scenario has more from a session on; None where the two cannot be compared."""
        return differences(returns[first:], self.returns[first:], self.cash[first:])
