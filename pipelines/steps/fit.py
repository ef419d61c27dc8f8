"""Fit models to prices: what is computed in Python, because SQL cannot, before the warehouse.

A fit reads SQL models that it needs, built in memory from the market by the same factory as the warehouse. The models
themselves belong in ``sd_core.analytics``, what depends on what in ``datasets``.
"""

import contextlib
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from pipelines.lab.home import SQL
from pipelines.steps.progress import Progress
from pipelines.warehouse.lake_views import register_market, register_table
from pipelines.warehouse.models import build, needed_for, own_models, read_macros
from sd_core.analytics.correlation_tables import correlation_tables
from sd_core.analytics.hourly import correlations
from sd_core.analytics.variance_state import variance_state
from sd_core.lake import Lake, Version
from sd_core.market import hourly
from sd_core.schemas.lake import CORRELATION_FREQUENCY
from sd_core.study.model import Study


def fit_variance_state(study: Study, market: Version, _: Progress) -> Mapping[str, pa.Table]:
    """Return how likely the benchmark is in its state of higher variance, by session."""
    (daily,) = evaluated(study, market, "benchmark_daily")
    return {"variance_state": variance_state(daily)}


def fit_correlations(study: Study, market: Version, _: Progress) -> Mapping[str, pa.Table]:
    """Return correlations by pair and as a whole, and how likely they are in their higher state."""
    return correlation_tables(*evaluated(study, market, "sessions", "prices", "study_asset"))


def correlate_hours(study: Study, lake: Lake) -> Mapping[str, pa.Table]:
    """Return how the assets of a study move together by the length of a return, from their hourly closes."""
    hours = {ticker: stored for ticker in study.hourly_tickers if (stored := hourly.load(lake, ticker)) is not None}
    classes = {ticker: asset.asset_class for ticker, asset in study.universe.items()}
    rows = [
        {**row, "class_a": classes[row["ticker_a"]], "class_b": classes[row["ticker_b"]]}
        for row in correlations({ticker: stored for ticker, stored in hours.items() if len(stored[0])})
    ]
    return {CORRELATION_FREQUENCY.name: pa.Table.from_pylist(rows, CORRELATION_FREQUENCY.arrow_schema)}


def evaluated(study: Study, market: Version, *names: str, **others: pa.Table) -> list[pa.Table]:
    """Build SQL models in memory from the market and other tables of the lake, and return those that are named."""
    models = needed_for(own_models(), names)
    with contextlib.closing(duckdb.connect()) as connection:
        register_market(connection, study, market)
        for name, table in others.items():
            register_table(connection, name, table)
        build(connection, models, read_macros(SQL))
        return [connection.sql(f"from {name}").to_arrow_table() for name in names]
