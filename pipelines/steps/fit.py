"""Model fits as assets of the lake: what is computed from prices in Python, because SQL cannot, before the warehouse.

A fit reads SQL models that it needs, built in memory from the lake by the same factory as the warehouse, and leaves its
tables in the lake. The models themselves belong in ``sd_core.analytics``.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from pipelines.lab.home import StudyHome
from pipelines.lab.study_tables import fit_fingerprint
from pipelines.orchestration.jobs import MODELS_GROUP, WHEN_LAKE_MOVED
from pipelines.orchestration.lake_assets import MARKET_KEYS, OWNERS, current_market
from pipelines.warehouse.lake_views import register_files, register_market, register_table
from pipelines.warehouse.models import SQL, build, needed_for, own_models, read_macros
from sd_core.analytics import correlation_tables, variance_state
from sd_core.lake import Version

Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class ModelFit:
    """A model that is fitted whole whenever its prices or settings changed.

    Attributes:
        name: of the dataset in the lake, and of the asset.
        description: one sentence.
        version: raised whenever the same inputs give other rows than before.
        inputs: the SQL models that it reads.
        outputs: the tables that it leaves, with their columns.
        compute: makes the outputs from the inputs, both by name.
    """

    name: str
    description: str
    version: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, pa.Schema]
    compute: Callable[[Tables], Tables]

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return dg.AssetKey(["lake", self.name])


FITS = (
    ModelFit(
        "variance_state",
        "How likely the benchmark is in its state of higher variance, by a Markov-switching model refitted each month.",
        variance_state.VERSION,
        inputs=("benchmark_daily",),
        outputs={"variance_state": variance_state.SCHEMA},
        compute=lambda tables: {"variance_state": variance_state.variance_state(tables["benchmark_daily"])},
    ),
    ModelFit(
        "correlations",
        "Correlations by pair and as a whole, and how likely they are in their higher state, by a Markov-switching "
        "model refitted each month.",
        correlation_tables.VERSION,
        inputs=("sessions", "prices", "study_asset"),
        outputs={
            "correlation_pair": correlation_tables.PAIR_SCHEMA,
            "correlation_summary": correlation_tables.SUMMARY_SCHEMA,
            "correlation_state": correlation_tables.STATE_SCHEMA,
        },
        compute=lambda tables: correlation_tables.correlation_tables(
            tables["sessions"], tables["prices"], tables["study_asset"]
        ),
    ),
)
FIT_KEYS = [fit.key for fit in FITS]


def model_fit_assets(home: StudyHome) -> list[dg.AssetsDefinition]:
    """Return the assets of all model fits for one study."""
    return [_asset(home, fit) for fit in FITS]


def fit_key(table: str) -> dg.AssetKey | None:
    """Return the asset that leaves a lake table, or None where no fit does."""
    return next((fit.key for fit in FITS if table in fit.outputs), None)


def register_fits(connection: duckdb.DuckDBPyConnection, home: StudyHome, market: Version) -> list[str]:
    """Show the tables of every fit to SQL models; return the names of the fits that are missing or outdated.

    Their tables are shown empty: a model of other prices says nothing about the present ones.
    """
    outdated = []
    for fit in FITS:
        stored = _current_fit(home, fit, market)
        if stored is None:
            outdated.append(fit.name)
        for name, schema in fit.outputs.items():
            if stored is None:
                register_table(connection, name, schema.empty_table())
            else:
                register_files(connection, name, [stored.file(name)])
    return outdated


def _asset(home: StudyHome, fit: ModelFit) -> dg.AssetsDefinition:
    @dg.asset(
        key=fit.key,
        deps=[MARKET_KEYS["prices"], MARKET_KEYS["sessions"]],
        group_name=MODELS_GROUP,
        kinds={"python", "parquet"},
        owners=OWNERS,
        code_version=fit.version,
        automation_condition=WHEN_LAKE_MOVED,
        description=fit.description,
    )
    def model_fit(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        with home.lake.shared():
            market = current_market(home)
            stored = _current_fit(home, fit, market)
            inputs = {} if stored else _evaluate(home, market, fit.inputs)
        if stored is None:
            stored = home.lake.write(fit.name, "", fit.compute(inputs), _facts(home, fit, market))
        else:
            context.log.info(f"{fit.name}: the last fit is of the same prices and settings and stays")
        return dg.MaterializeResult(metadata={**stored.rows, **stored.facts})

    return model_fit


def _current_fit(home: StudyHome, fit: ModelFit, market: Version) -> Version | None:
    """Return a fit as the lake holds it, if it answers what the study asks now on the prices of now."""
    stored = home.lake.current(fit.name)
    return stored if stored is not None and stored.facts == _facts(home, fit, market) else None


def _facts(home: StudyHome, fit: ModelFit, market: Version) -> dict[str, Any]:
    return {
        "prices_version": market.facts["prices_version"],
        "study_hash": fit_fingerprint(home.study),
        "model_version": fit.version,
    }


def _evaluate(home: StudyHome, market: Version, names: Iterable[str]) -> dict[str, pa.Table]:
    """Build SQL models in memory from the market, and return those that are named."""
    models = needed_for(own_models(), names)
    with contextlib.closing(duckdb.connect()) as connection:
        register_market(connection, home.study, market)
        build(connection, models, read_macros(SQL))
        return {name: connection.sql(f"from {name}").to_arrow_table() for name in names}
