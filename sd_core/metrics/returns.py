"""Time-weighted returns, from the records of a scenario's days."""

import numpy as np
import numpy.typing as npt
from numba import njit

Rows = npt.NDArray[np.void]

# Money that is no more than rounding leaves, in the study's currency: nothing earns a return on it.
NO_MONEY = 1e-6


@njit(cache=True, nogil=True, error_model="numpy")
def session_return(invested, value, withdrawals):  # type: ignore[no-untyped-def]
    """Return (value + withdrawals) / (previous value + deposits) - 1, a fraction; ``invested`` is the divisor."""
    return (value + withdrawals) / invested - 1.0


def time_weighted_return(daily: Rows, capital: float) -> float | None:
    """Return the product of 1 + the returns of all sessions, less 1.

    The opening value of the first session is the capital. A session that opens with no more than rounding leaves, or
    with debt alone, is left out; None where that is every one. Who has lost all or more has lost it for good.
    """
    invested = np.concatenate([[capital], daily["value"][:-1]]) + daily["deposits"]
    earned = invested > NO_MONEY
    if not earned.any():
        return None
    growth = (daily["value"] + daily["withdrawals"])[earned] / invested[earned]
    return float(np.prod(np.maximum(growth, 0.0))) - 1.0
