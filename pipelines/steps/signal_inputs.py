"""Compute what signals need that SQL cannot: files, the leads between assets, and boosted trees.

Signals themselves are computed by ``sql/signals``, evaluated in memory by the same factory as the warehouse. What
depends on what belongs in ``signal_tables``.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.lab.home import SQL
from pipelines.steps.progress import Progress
from pipelines.warehouse.lake_views import register_market, register_table
from pipelines.warehouse.models import build, needed_for, own_models, read_macros
from sd_core.analytics.boosted import Panel, boosted_returns, known_returns
from sd_core.analytics.spillover import spillover_pairs
from sd_core.construction.scores import read_scores
from sd_core.lake import Version
from sd_core.market.arrays import pivot
from sd_core.schemas.signals import BOOSTED_RETURN, SIGNAL_FILE, SIGNAL_INPUTS, SPILLOVER_PAIR
from sd_core.study.model import Study

Tables = Mapping[str, pa.Table]

# Over which trees predict returns.
BOOSTED_HORIZON = 21


def read_inputs(study: Study, market: Version, _: Progress) -> Tables:
    """Return the values of files, and which assets lead which where a signal asks for it."""
    asks = any(signal.kind == "spillover" for signal in study.signals.values())
    return {
        SIGNAL_FILE.name: _file_rows(study),
        SPILLOVER_PAIR.name: _pairs(study, market) if asks else SPILLOVER_PAIR.arrow_schema.empty_table(),
    }


def boost(study: Study, market: Version, inputs: Tables, versions: str, before: Version | None) -> Tables:
    """Return what boosted trees make of the study's signals; years of before are taken over where nothing changed."""
    with evaluated_signals(study, market, inputs, "signal", "forward_return") as connection:
        said = connection.sql("select session, ticker, signal, z from signal").to_arrow_table()
        followed = connection.sql(_FOLLOWED, params=[BOOSTED_HORIZON]).to_arrow_table()
    sessions = np.unique(followed["session"].to_numpy()).astype("datetime64[D]")
    tickers = pa.array(study.tickers)
    by_signal = [
        pivot(said.filter(pa.compute.equal(said["signal"], name)), "z", sessions, tickers, np.nan)
        for name in study.signals
    ]
    ended = followed.filter(pa.compute.equal(followed["ticker"], study.tickers[0])).sort_by("session")["ended_session"]
    panel = Panel(
        sessions=sessions,
        tickers=study.tickers,
        features=np.stack(by_signal, axis=2),
        labels=pivot(followed, "excess_return", sessions, tickers, np.nan),
        ended=ended.to_numpy().astype("datetime64[D]"),
    )
    known = {} if before is None else known_returns(before.read(BOOSTED_RETURN.name))
    return {BOOSTED_RETURN.name: boosted_returns(panel, versions, known)}


_FOLLOWED = """
    select session, ticker, ended_session, simple_return - cash_return as excess_return
    from forward_return
    where horizon = $1
"""


@contextlib.contextmanager
def evaluated_signals(
    study: Study, market: Version, inputs: Tables, *names: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in which models of signals are built from the market and from what Python computed.

    Args:
        study: whose signals they are.
        market: of the study.
        inputs: tables of the lake by name; one that is left out is empty.
        names: of the models that are built, with those that they read.
    """
    with contextlib.closing(duckdb.connect()) as connection:
        register_market(connection, study, market)
        for table in (*SIGNAL_INPUTS, BOOSTED_RETURN):
            register_table(connection, table.name, inputs.get(table.name, table.arrow_schema.empty_table()))
        build(connection, needed_for(own_models(), names), read_macros(SQL))
        yield connection


def _file_rows(study: Study) -> pa.Table:
    rows: list[dict[str, object]] = []
    for name, signal in study.signals.items():
        if signal.file is not None:
            found = read_scores(Path(signal.file), study.tickers, "Value")
            for date, values in zip(found.dates.tolist(), found.values.tolist(), strict=True):
                rows += [
                    {"signal": name, "date": date, "ticker": ticker, "value": value}
                    for ticker, value in zip(study.tickers, values, strict=True)
                    if not np.isnan(value)
                ]
    return pa.Table.from_pylist(rows, SIGNAL_FILE.arrow_schema)


def _pairs(study: Study, market: Version) -> pa.Table:
    with evaluated_signals(study, market, {}, "signal_session", "asset_level") as connection:
        levels = connection.sql("select session, ticker, log_level from asset_level").to_arrow_table()
        decided = connection.sql("from signal_session order by session").to_arrow_table()
    sessions = decided["session"].to_numpy().astype("datetime64[D]")
    return spillover_pairs(
        sessions,
        study.tickers,
        pivot(levels, "log_level", sessions, pa.array(study.tickers), np.nan),
        np.flatnonzero(decided["is_decision"].to_numpy()).tolist(),
    )
