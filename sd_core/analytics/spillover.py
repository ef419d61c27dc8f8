"""Which assets' weeks have led those of others, by Granger's test with one lag.

How it becomes a signal belongs in ``sql/signals``.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sd_core.market.arrays import Dates, Floats
from sd_core.schemas.signals import SPILLOVER_PAIR

# A week is so many sessions, and so many weeks are looked at, the last of them ending at the decision.
WEEK, WEEKS = 5, 104
# What is claimed by chance in a decision with no leader at all, over all of its pairs.
FALSE_CLAIMS = 0.05
# A correlation closer to 1 than this is one and the same series.
SAME = 1 - 1e-9


class Leads(NamedTuple):
    """What every asset's week says of every other one's next: matrices of a row per leader and a column per follower.

    Attributes:
        partial: correlation of the follower with the leader of the week before, given itself of the week before; NaN
            where one of them does not move.
        f_statistic: Granger's F for one lag, ``(n - 3) p² / (1 - p²)`` with n pairs of weeks.
        slope: of the follower on the leader of the week before, in the plane on both.
    """

    partial: Floats
    f_statistic: Floats
    slope: Floats


def leads(weeks: Floats) -> Leads:
    """Return what weekly returns, shape (weeks, assets), say of the leads between assets.

    The test compares the residuals of a follower regressed on its own week before with those where the leader's is
    added, both with a constant (Granger 1969). Its F follows from the partial correlation.
    """
    after, before = _standardised(weeks[1:]), _standardised(weeks[:-1])
    count = len(after)
    # Sums in one order, whatever the number of threads.
    with_leader = np.einsum("ti,tj->ij", before, after) / count
    own = np.diag(with_leader)
    among = np.einsum("ti,tj->ij", before, before) / count
    with np.errstate(divide="ignore", invalid="ignore"):
        same = np.abs(among) > SAME
        free = np.where(same, np.nan, 1.0 - among**2)
        partial = (with_leader - own * among) / np.sqrt((1.0 - own**2) * free)
        partial = np.clip(partial, -1.0, 1.0)
        f_statistic = (count - 3) * partial**2 / (1.0 - partial**2)
        spread = weeks[1:].std(axis=0)[None, :] / weeks[:-1].std(axis=0)[:, None]
        slope = (with_leader - own * among) / free * spread
    return Leads(partial, f_statistic, slope)


def _standardised(returns: Floats) -> Floats:
    deviation = returns.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((returns - returns.mean(axis=0)) / np.where(deviation > 1e-12, deviation, np.nan))


def spillover_pairs(sessions: Dates, tickers: tuple[str, ...], levels: Floats, places: Iterable[int]) -> pa.Table:
    """Return the proven leads at some decisions, as rows of ``spillover_pair``.

    Proven is what has a p-value below 5 % over the number of pairs (Bonferroni). A decision with fewer sessions before
    it than the weeks take has none.

    Args:
        sessions: ascending.
        tickers: of the assets.
        levels: logarithm of what each asset came to, dividends reinvested, shape (sessions, assets).
        places: positions of the decisions.
    """
    from scipy.special import fdtrc

    rows: list[dict[str, object]] = []
    bound = FALSE_CLAIMS / max(1, len(tickers) * (len(tickers) - 1))
    for place in places:
        if place < WEEK * WEEKS:
            continue
        weeks = np.expm1(np.diff(levels[place - WEEK * WEEKS : place + 1 : WEEK], axis=0))
        found = leads(weeks)
        p_values = fdtrc(1, WEEKS - 1 - 3, found.f_statistic)
        for leader, follower in np.argwhere(p_values < bound).tolist():
            if leader != follower:
                rows.append(
                    {
                        "session": sessions[place].item(),
                        "leader": tickers[leader],
                        "follower": tickers[follower],
                        "assets": len(tickers),
                        "partial_correlation": found.partial[leader, follower],
                        "f_statistic": found.f_statistic[leader, follower],
                        "p_value": p_values[leader, follower],
                        "slope": found.slope[leader, follower],
                        "leader_return": weeks[-1, leader],
                    }
                )
    return pa.Table.from_pylist(rows, SPILLOVER_PAIR.arrow_schema)
