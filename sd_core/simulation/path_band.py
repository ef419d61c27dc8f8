"""The outcome under one path of a bar: how much of a scenario's outcome depends on the assumed path.

Metrics of the chosen path belong in ``sql``.
"""

from typing import Any

from sd_core.metrics.returns import time_weighted_return
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Path


def path_outcome(path: Path, result: SimulationResult | Exception, capital: float) -> dict[str, Any]:
    """Return the path's name, the final value in the study's currency and the time-weighted return, a fraction.

    Raises:
        Exception: what the simulation met.
    """
    if isinstance(result, Exception):
        raise result
    return {
        "path": path.name.lower(),
        "final_value": float(result.daily["value"][-1]),
        "twr": time_weighted_return(result.daily, capital),
    }
