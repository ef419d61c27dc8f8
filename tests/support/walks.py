"""A walk in one call, for comparison with engines that take transfers all at once."""

from collections.abc import Mapping

from sd_core.market.panel import Panel
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Rules
from sd_core.simulation.walk import Walk


def walked(panel: Panel, rules: Rules, transfers: Mapping[int, float] | None = None) -> SimulationResult:
    """Return the rows of a scenario that was simulated session by session, with transfers by session."""
    walk = Walk(panel, rules)
    for session in range(len(panel.sessions)):
        walk.advance(session, (transfers or {}).get(session, 0.0))
    return walk.result()
