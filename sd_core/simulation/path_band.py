"""What one path of a bar's prices comes to: how much of a scenario's outcome is the path that was supposed.

Metrics of the chosen path belong in ``sql``.
"""

from typing import Any

import numpy as np

from sd_core.simulation.results import NO_MONEY, SimulationResult
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
        "twr": time_weighted_return(result, capital),
    }


def time_weighted_return(result: SimulationResult, capital: float) -> float | None:
    """Return the product of (value + withdrawals) / (previous value + deposits) over all sessions, less 1.

    Before the first session stands the capital. A session on which no more was there than rounding leaves is
    left out; None where that is every one.
    """
    daily = result.daily
    before = np.concatenate([[capital], daily["value"][:-1]]) + daily["deposits"]
    earned = np.abs(before) > NO_MONEY
    if not earned.any():
        return None
    return float(np.prod((daily["value"] + daily["withdrawals"])[earned] / before[earned])) - 1.0
