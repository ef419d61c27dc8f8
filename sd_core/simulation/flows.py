"""Money that comes and goes by the calendar: which periods begin, and what lump sums add up to, by session.

What becomes due of it belongs in ``kernel``.
"""

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Dates, Floats, month_numbers
from sd_core.simulation.rules import Every, LumpSums, Rules


def periods_begun(sessions: Dates) -> npt.NDArray[np.int64]:
    """Return how many periods of each ``Every`` have begun since the session before, shape (sessions, periods)."""
    months = month_numbers(sessions)
    begun = np.zeros((len(sessions), len(Every)), dtype=np.int64)
    for every, length in ((Every.MONTH, 1), (Every.QUARTER, 3), (Every.YEAR, 12)):
        begun[1:, every] = np.diff(months // length)
    return begun


def lump_sums_by_session(amounts: LumpSums, sessions: Dates) -> Floats:
    """Return what lump sums add up to on each session: their own, else the next one, and none on the first of all."""
    by_session = np.zeros(len(sessions))
    for date, amount in amounts:
        session = max(1, int(np.searchsorted(sessions, np.datetime64(date))))
        if session < len(sessions):
            by_session[session] += amount
    return by_session


def deposits_by_session(rules: Rules, sessions: Dates) -> Floats:
    """Return what comes in on each session by the rules' deposits, those of periods and lump sums together."""
    periodic = periods_begun(sessions)[:, rules.deposit_every] * rules.deposit
    return np.asarray(periodic + lump_sums_by_session(rules.deposits_on, sessions))
