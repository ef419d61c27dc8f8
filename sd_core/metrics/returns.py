"""Time-weighted returns, from the records of a scenario's days."""

import numpy as np
import numpy.typing as npt
from numba import njit

from sd_core.market.arrays import Floats

Rows = npt.NDArray[np.void]

# Money that is no more than rounding leaves, in the study's currency: nothing earns a return on it.
NO_MONEY = 1e-6


@njit(cache=True, nogil=True, error_model="numpy")
def session_return(invested, value, withdrawals):  # type: ignore[no-untyped-def]
    """Return (value + withdrawals) / (previous value + deposits) - 1, a fraction; ``invested`` is the divisor."""
    return (value + withdrawals) / invested - 1.0


def session_returns(daily: Rows, capital: float) -> Floats:
    """Return the return of every session, a fraction, shape (sessions,).

    The opening value of the first session is the capital. NaN where a session opens with no more than rounding leaves,
    or with debt alone.
    """
    invested = np.concatenate([[capital], daily["value"][:-1]]) + daily["deposits"]
    invested[invested <= NO_MONEY] = np.nan
    return np.asarray(session_return(invested, daily["value"], daily["withdrawals"]))


def time_weighted_return(daily: Rows, capital: float) -> float | None:
    """Return the product of 1 + the returns of all sessions, less 1.

    A session without a return is left out; None where that is every one. Who has lost all or more has lost it for good.
    """
    returns = session_returns(daily, capital)
    if np.isnan(returns).all():
        return None
    return float(np.prod(np.maximum(1.0 + returns[~np.isnan(returns)], 0.0))) - 1.0
