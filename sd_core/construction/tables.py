"""Decisions of mixes as the lake stores them, and back again.

What the columns mean is declared in ``schemas``.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sd_core.construction.asked import PartDecisions, first_points
from sd_core.construction.decisions import Decision, dates_of
from sd_core.construction.history import History
from sd_core.construction.rounding import WHOLE, Points
from sd_core.market.arrays import Floats
from sd_core.schemas.kinds import FitStatus
from sd_core.schemas.mixes import MIX_FIT, MIX_WEIGHT
from sd_core.study.mixes import Mix
from sd_core.study.model import Decisions


def to_tables(history: History, name: str, decisions: Sequence[Decision]) -> dict[str, pa.Table]:
    """Return ``mix_weight``, a row per decision and asset, and ``mix_fit``, a row per decision."""
    dates = dates_of(history, decisions)
    fits = [_fit_row(name, one, decided, effective) for one, (decided, effective) in zip(decisions, dates, strict=True)]
    count = len(history.tickers)
    none = np.full(count, np.nan)
    columns = {
        "mix": pa.array([name] * (count * len(decisions))),
        "decided_session": pa.array([decided for decided, _ in dates for _ in range(count)], pa.date32()),
        "ticker": pa.array(list(history.tickers) * len(decisions)),
        "weight": _numbers([one.points / WHOLE for one in decisions]),
        "unscaled": _numbers([one.unscaled / WHOLE for one in decisions]),
        "drifted": _numbers([one.drifted for one in decisions]),
        "risk_contribution": _numbers([none if one.contributions is None else one.contributions for one in decisions]),
    }
    weights = pa.table(
        [columns[field.name].cast(field.type) for field in MIX_WEIGHT.arrow_schema], MIX_WEIGHT.arrow_schema
    )
    return {MIX_WEIGHT.name: weights, MIX_FIT.name: pa.Table.from_pylist(fits, MIX_FIT.arrow_schema)}


def _numbers(rows: Sequence[Any]) -> pa.Array:
    """Return rows of numbers as one column; NaN is NULL."""
    return pa.array(np.concatenate(rows) if rows else np.empty(0), pa.float64(), from_pandas=True)


def _fit_row(name: str, one: Decision, decided: Any, effective: Any) -> dict[str, Any]:
    volatility = None if one.contributions is None else float(one.contributions.sum())
    return {
        "mix": name,
        "decided_session": decided,
        "effective_session": effective,
        "last_seen_session": decided,
        "trigger": one.trigger,
        "status": one.status,
        "answered_by": one.answered_by,
        "follows": one.follows,
        "detail": one.detail,
        "rows": one.rows,
        "assets": one.assets,
        "excluded": ", ".join(f"{ticker}: {why}" for ticker, why in one.excluded.items()) or None,
        "scale": one.scale,
        "invested": float(one.points.sum()) / WHOLE,
        "expected_volatility": volatility,
        "expected_return": one.expected_return,
        "turnover": one.turnover,
        "condition": one.condition,
        "window_hash": one.window_hash,
    }


def known_decisions(history: History, tables: Mapping[str, pa.Table]) -> dict[str, Decision]:
    """Return stored decisions by their ``window_hash``; none where they are of other assets."""
    weights, count = tables[MIX_WEIGHT.name], len(history.tickers)
    fits = tables[MIX_FIT.name].to_pylist()
    if weights.num_rows != count * len(fits) or weights["ticker"].to_pylist()[:count] != list(history.tickers):
        return {}
    grids = {
        column: weights[column].to_numpy().reshape(len(fits), count)
        for column in ("weight", "unscaled", "drifted", "risk_contribution")
    }
    return {
        row["window_hash"]: _decision(row, {name: grid[at] for name, grid in grids.items()})
        for at, row in enumerate(fits)
    }


def _decision(row: Mapping[str, Any], of_assets: Mapping[str, Any]) -> Decision:
    contributions = of_assets["risk_contribution"]
    return Decision(
        place=-1,  # known where it is taken over
        unscaled=_points(of_assets["unscaled"]),
        points=_points(of_assets["weight"]),
        drifted=of_assets["drifted"],
        excluded=dict(entry.split(": ", 1) for entry in (row["excluded"] or "").split(", ") if entry),
        contributions=None if np.isnan(contributions).any() else np.ascontiguousarray(contributions),
        **{
            name: row[name]
            for name in (
                "trigger", "scale", "status", "answered_by", "follows", "detail", "rows", "assets", "expected_return",
                "condition", "window_hash",
            )
        },
    )  # fmt: skip


def _points(weights: Any) -> Points:
    return np.asarray(np.rint(weights * WHOLE), dtype=np.int64)


def part_decisions(tables: Mapping[str, pa.Table], count: int) -> PartDecisions:
    """Return what a mix has decided, for a mix that combines it; ``count`` is the number of assets."""
    fits = tables[MIX_FIT.name]
    points = _points(tables[MIX_WEIGHT.name]["weight"].to_numpy()).reshape(fits.num_rows, count)
    answers = np.array([status != FitStatus.NO_WINDOW for status in fits["status"].to_pylist()], dtype=bool)
    return PartDecisions(fits["decided_session"].to_numpy().astype("datetime64[D]"), points, answers)


def targets_in_force(name: str, mixes: Mapping[str, Mix], weights: Floats, tables: Mapping[str, pa.Table]) -> Decisions:
    """Return the target weights by the session from whose close on they are in force, the first from the start.

    Args:
        name: of the mix that decided on them.
        mixes: it and those that it combines, by name.
        weights: the study's, summing to 1, in the order of the stored rows.
        tables: what is stored of the mix.
    """
    fits = tables[MIX_FIT.name]["effective_session"].to_pylist()
    decided = tables[MIX_WEIGHT.name]["weight"].to_numpy().reshape(len(fits), len(weights))
    later = {effective: row for effective, row in zip(fits, decided, strict=True) if effective is not None}
    in_force = {dt.date.min: first_points(weights, name, mixes) / WHOLE, **later}
    return {date: tuple(row.tolist()) for date, row in in_force.items()}
