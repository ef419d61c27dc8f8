"""Model fits: what is computed from prices in Python, because SQL cannot, before the warehouse.

A fit reads SQL models that it needs, built in memory from the market by the same factory as the warehouse. The models
themselves belong in ``sd_core.analytics``.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.lab.study_tables import study_tables
from pipelines.steps.derived import Derived, Tables
from pipelines.steps.progress import Progress
from pipelines.warehouse.lake_views import register_market
from pipelines.warehouse.models import SQL, build, needed_for, own_models, read_macros
from sd_core.analytics import correlation_tables, variance_state
from sd_core.lake import Version
from sd_core.study.model import Study


def _from_models(names: tuple[str, ...], fit: Callable[..., Tables]) -> Callable[[Study, Version, Progress], Tables]:
    """Return the computation that hands some SQL models, in order, to a function."""

    def compute(study: Study, market: Version, _: Progress) -> Tables:
        return fit(*_evaluate(study, market, names))

    return compute


def _evaluate(study: Study, market: Version, names: Iterable[str]) -> list[pa.Table]:
    """Build SQL models in memory from the market, and return those that are named."""
    models = needed_for(own_models(), names)
    with contextlib.closing(duckdb.connect()) as connection:
        register_market(connection, study, market)
        build(connection, models, read_macros(SQL))
        return [connection.sql(f"from {name}").to_arrow_table() for name in names]


def _settings(study: Study) -> dict[str, Any]:
    """Return what fits depend on in a study: its assets with their classes and weights, and its benchmark."""
    assets = study_tables(study)["study_asset"].select(["ticker", "asset_class", "target_share"])
    return {"assets": assets.to_pylist(), "benchmark": study.benchmark}


VARIANCE_STATE = Derived(
    name="variance_state",
    description=(
        "How likely the benchmark is in its state of higher variance, by a Markov-switching model refitted each month."
    ),
    version=variance_state.VERSION,
    inputs=("sessions", "prices"),
    tables={"variance_state": variance_state.SCHEMA},
    settings=_settings,
    compute=_from_models(("benchmark_daily",), lambda daily: {"variance_state": variance_state.variance_state(daily)}),
)
CORRELATIONS = Derived(
    name="correlations",
    description=(
        "Correlations by pair and as a whole, and how likely they are in their higher state, by a Markov-switching "
        "model refitted each month."
    ),
    version=correlation_tables.VERSION,
    inputs=("sessions", "prices"),
    tables={
        "correlation_pair": correlation_tables.PAIR_SCHEMA,
        "correlation_summary": correlation_tables.SUMMARY_SCHEMA,
        "correlation_state": correlation_tables.STATE_SCHEMA,
    },
    settings=_settings,
    compute=_from_models(("sessions", "prices", "study_asset"), correlation_tables.correlation_tables),
)
FITS = (VARIANCE_STATE, CORRELATIONS)
