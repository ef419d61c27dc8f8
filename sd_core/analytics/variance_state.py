"""How likely the benchmark is in its state of higher variance, session by session.

The rules that tag a session's regime are SQL; the model itself belongs in ``markov``.
"""

import numpy as np
import pyarrow as pa

from sd_core.analytics.markov import refitted_monthly
from sd_core.market.arrays import month_numbers
from sd_core.schemas.lake import VARIANCE_STATE

# Two years of returns: with fewer, a rare state depends on a handful of sessions.
FEWEST_RETURNS = 504


def variance_state(benchmark: pa.Table) -> pa.Table:
    """Return the filtered probability of the high-variance state per session that has one.

    The columns are those of :data:`sd_core.schemas.lake.VARIANCE_STATE`.

    The model: returns are normal with one mean and one of two variances. In each month it is fitted to the returns
    before that month. Returns of exactly 0 are left out: they come from sessions without a bar, and a calendar with
    weekends would have a state of its own for them. Such a session has the probability of the one before.

    Args:
        benchmark: session, simple_return; by session. The first returns may be null.
    """
    sessions = benchmark["session"].to_numpy()
    returns = benchmark["simple_return"].to_numpy()
    moved = np.isfinite(returns) & (returns != 0)
    months = month_numbers(sessions[moved])
    of_moves = refitted_monthly(returns[moved], months, FEWEST_RETURNS, shared_mean=True)
    # Before the first move there is nothing to report.
    probability = np.concatenate([[np.nan], of_moves])[np.cumsum(moved)]
    known = np.isfinite(probability)
    return pa.table(
        {"session": sessions[known], "high_variance_probability": probability[known]}, VARIANCE_STATE.arrow_schema
    )
