"""Simulate each satellite of the account beside itself: from its own settings, with the money that came to it.

A twin is a book of its own, in the tables of plans. What it does in a session belongs in
``sd_core.buckets.history.twin``; the report sets it beside the account.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.steps.signals import satellite_panel, signals_of
from sd_core.buckets.history.contract import Plan, Satellite, SatellitePanel, Signals
from sd_core.buckets.history.tables import name_rows
from sd_core.buckets.history.twin import Recorded, simulate_twin
from sd_core.buckets.ledger.books import Living
from sd_core.lake import Version
from sd_core.market.currencies import minor_digits
from sd_core.schemas import buckets
from sd_core.schemas.kinds import Sleep
from sd_core.study.model import Study
from sd_core.study.satellites import LIVE, TWIN

Row = Mapping[str, Any]
_FAILED = Sleep.PROBATION.name.lower()


@dataclass(frozen=True)
class Twins:
    """The twins of an account.

    Attributes:
        rows: of ``bucket_twin``: which satellite has one, or why it has none.
        tables: their books, by the names of the tables.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))


def simulate_twins(
    study: Study,
    market: Version,
    connection: duckdb.DuckDBPyConnection,
    living: Iterable[Living],
    days: Sequence[Row],
    events: Sequence[Row],
) -> Twins:
    """Simulate every satellite of the account that can be.

    Args:
        study, market: whose prices and costs they are simulated on.
        connection: in which the signals of the account's satellites are judged.
        living: the satellites.
        days, events: rows of ``bucket_daily`` and ``bucket_event`` of the account.
    """
    sessions, twins = market.read("sessions")["session"].to_numpy(), Twins()
    for one in living:
        row = {"book": LIVE, "bucket": one.bucket, "changed": dt.date.fromisoformat(one.changed)}
        own = [day for day in days if one.since and day["session"] >= dt.date.fromisoformat(one.since)]
        marked = [day for day in own if day["bucket"] == one.bucket and np.datetime64(day["session"]) <= sessions[-1]]
        if (missing := _missing(study, one, marked, sessions)) is not None:
            twins.rows.append({**row, "missing": missing})
            continue
        panel = satellite_panel(market, tuple(name for name in study.satellite_tickers if name in one.tickers))
        signals = signals_of(connection, LIVE, panel, one.bucket)
        places = np.searchsorted(sessions, np.array([day["session"] for day in marked], dtype=sessions.dtype))
        within = slice(int(places[0]), int(places[-1]) + 1)
        failed = {event["session"] for event in events if event["bucket"] == one.bucket and event["cause"] == _FAILED}
        recorded = _recorded(marked, own, failed, places - places[0])
        plan = _plan(study, one, panel.tickers)
        twin = simulate_twin(plan, _cut(panel, within), _cut_signals(signals, within), recorded)
        twins.rows.append({**row, "since": marked[0]["session"], "last_session": marked[-1]["session"]})
        rows = (
            (buckets.BUCKET_LEDGER, twin.ledger),
            (buckets.BUCKET_DAILY, twin.daily),
            (buckets.BUCKET_TRADE, twin.trades),
            (buckets.BUCKET_EVENT, twin.events),
        )
        for name, table in name_rows(plan, panel.tickers, sessions[within], rows).items():
            twins.tables[name].append(table)
    return twins


def _missing(study: Study, one: Living, marked: Sequence[Row], sessions: np.ndarray) -> str | None:
    """Return why a satellite has no twin, or None where it has."""
    if one.since is None:
        return f"no mark since its settings of {one.changed} at which it is worth anything"
    if unpriced := [ticker for ticker in one.tickers if ticker not in study.satellite_tickers]:
        return f"without prices in the study: {', '.join(unpriced)}"
    if not one.tickers:
        return "it has no tickers"
    if not marked or np.datetime64(one.since) < sessions[0]:
        return f"marked from {one.since} on, and the study's prices are of {sessions[0]} to {sessions[-1]}"
    return None


def _recorded(marked: Sequence[Row], days: Sequence[Row], failed: Collection[dt.date], places: np.ndarray) -> Recorded:
    """Return what the twin takes over; between marks the rest and the target are those of the mark before."""
    totals: dict[dt.date, float] = {}
    for day in days:
        totals[day["session"]] = totals.get(day["session"], 0.0) + day["value"]
    flows, rest, targets = np.zeros((3, int(places[-1]) + 1))
    fails = np.zeros(len(flows), dtype=np.bool_)
    fails[[place for place, day in zip(places, marked, strict=True) if day["session"] in failed]] = True
    for place, day in zip(places.tolist(), marked, strict=True):
        flows[place] += day["open_flows"] if place else 0.0
        rest[place:] = totals[day["session"]] - day["value"]
        targets[place:] = day["target"]
    # What it began with, whatever that was invested in.
    flows[0] = marked[0]["value"]
    return Recorded(flows, rest, targets, fails)


def _plan(study: Study, one: Living, tickers: Sequence[str]) -> Plan:
    places = tuple(range(len(tickers)))
    return Plan(
        name=f"{TWIN}{one.bucket}",
        capital=0.0,
        budget=0.0,
        satellites=(Satellite(one.bucket, places, 0.0, one.settings.parameters, one.min_pct),),
        starts_at_target=False,
        lot_sizes=tuple(study.satellite_universe[ticker].lot_size for ticker in tickers),
        fee_fixed=study.costs.fixed,
        fee_rate=study.costs.bps / 10_000,
        minor=10.0 ** minor_digits(study.currency),
    )


def _cut(panel: SatellitePanel, within: slice) -> SatellitePanel:
    names = ("sessions", "open", "high", "low", "close", "dividends", "rates")
    return replace(panel, price_index=None, **{name: getattr(panel, name)[within] for name in names})


def _cut_signals(signals: Signals, within: slice) -> Signals:
    return replace(signals, **{name: values[within] for name, values in vars(signals).items()})
