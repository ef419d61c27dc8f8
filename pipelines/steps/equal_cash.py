"""Compare a scenario of the rule with the same cash without the rule: what is noted of it for ``report_equal_cash``.

Who its rivals are belongs in ``sd_core.simulation.equal_cash``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.metrics.measures import Calendar
from sd_core.metrics.performance import performance
from sd_core.metrics.returns import Rows, session_returns
from sd_core.resampling.paired import SAMPLES, Certainty, mean_block, paired_certainty
from sd_core.simulation.equal_cash import cash_shares, rivals
from sd_core.simulation.rules import Rules


def comparisons(panel: Panel, rules: Rules, daily: Rows) -> list[dict[str, Any]]:
    """Return a row of ``simulation_equal_cash`` for each rival of a scenario, as JSON can hold it."""
    found = rivals(panel, rules, daily)
    own = session_returns(daily, rules.capital)
    theirs = [session_returns(rival.result.daily, rules.capital) for rival in found.values()]
    calendar = Calendar.of(panel)
    rows = []
    for (name, rival), returns, sure in zip(found.items(), theirs, certainty_of(own, theirs, calendar), strict=True):
        days_of = rival.result.daily
        row = {
            "comparison": name,
            "cash_share": rival.share,
            "final_value": days_of["value"][-1],
            **performance(returns, calendar)._asdict(),
            "mean_cash_share": np.nanmean(cash_shares(days_of)),
            "withdrawals": days_of["withdrawals"].sum(),
            "withdrawals_scheduled": rival.result.withdrawals_scheduled,
            **sure,
        }
        rows.append(plain(row))
    return rows


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it."""
    return {key: float(value) if isinstance(value, np.floating) else value for key, value in row.items()}


def certainty_of(own: Floats, theirs: Sequence[Floats], calendar: Calendar) -> Iterator[dict[str, Any]]:
    """Yield how sure the differences of a portfolio's returns from each of others are, or why that cannot be said."""
    missing = [_missing(own, returns, calendar.periods_per_year) for returns in theirs]
    sure = [returns for returns, reason in zip(theirs, missing, strict=True) if reason is None]
    certainties = paired_certainty(own, sure, calendar)
    for reason in missing:
        yield {
            **(_NOTHING_SURE if reason else _stored(next(certainties))),
            "interval_missing": reason,
            "samples": None if reason else SAMPLES,
            "block_length": None if reason else mean_block(len(own) - 1),
        }


def _missing(own: Floats, rival: Floats, periods_per_year: float) -> str | None:
    """Return why two portfolios have no interval, None where they have one."""
    if len(own) <= periods_per_year:
        return "no more than a year of sessions"
    if not (np.minimum(own, rival) > -1.0).all():  # NaN compares false
        return "one of the two had nothing left"
    return None


_NOTHING_SURE = dict.fromkeys(name.replace("_", "_difference_", 1) for name in Certainty._fields)


def _stored(certainty: Certainty) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in zip(_NOTHING_SURE, certainty, strict=True)}
