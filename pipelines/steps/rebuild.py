"""Rebuild, audit, publish: the one way in which the published warehouse comes about.

The warehouse is built whole from the lake in a file of its own, judged there, and renamed over the published one when
every blocking check passes. Readers keep the version that they opened; a run that dies leaves the published one alone.
"""

import contextlib
import fcntl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa

from pipelines.lab.home import StudyHome
from pipelines.lab.study_tables import scenario_fingerprint
from pipelines.orchestration.lake_assets import SIMULATIONS, TAX_LOTS, WHOLE_RUN_FIRST, current_market, lake_key
from pipelines.report.file import draft_of, write_draft
from pipelines.steps.fit import register_fits
from pipelines.steps.resample import register_resampling
from pipelines.warehouse.audit import Identity, Verdict, audit
from pipelines.warehouse.lake_views import (
    PARTITION_SCHEMA,
    ROWS,
    quoted,
    register_market,
    register_rows,
    register_table,
)
from pipelines.warehouse.models import SQL, Built, Model, build, read_macros
from pipelines.warehouse.reduction import METRICS, PATH_BAND, metrics_table, metrics_version
from sd_core.lake import Version
from sd_core.simulation.engine import ENGINE_VERSION
from sd_core.study.model import Scenario, Study

# What DuckDB 1.5 can still open: not everybody's shell is as new as ours.
STORAGE_VERSION = "v1.5.0"


@dataclass(frozen=True)
class Rebuild:
    """What a rebuild made and found.

    Attributes:
        built: row count and time by table.
        build_seconds: how long building took; less than the tables' times together, since several are built at once.
        verdicts: what every check found.
        missing: scenarios of the study that the lake does not hold.
        outdated: scenarios computed on other prices or settings than the present ones.
        outdated_fits: model fits that are missing or of other prices or settings, and so in no table.
    """

    built: Mapping[str, Built]
    build_seconds: float
    verdicts: Sequence[Verdict]
    missing: Sequence[Scenario]
    outdated: Sequence[Scenario]
    outdated_fits: Sequence[str]

    @property
    def sound(self) -> bool:
        """Whether every check passed, and so the warehouse was published."""
        return all(verdict.passed for verdict in self.verdicts)


def rebuild(home: StudyHome, models: Sequence[Model], identities: Sequence[Identity]) -> Rebuild:
    """Build the warehouse from the lake, audit it, and publish it if it is sound.

    Waits for a rebuild under way elsewhere.
    """
    with _alone(home):
        draft = home.lake.root / "draft.duckdb"
        _remove(draft)
        with home.lake.shared():
            market = current_market(home)
            stored = stored_scenarios(home)
            if not stored:
                raise dg.Failure(f"no scenario of the study was simulated yet: {WHOLE_RUN_FIRST}")
            with contextlib.closing(duckdb.connect()) as connection:
                connection.execute(f"attach '{quoted(draft)}' as warehouse (storage_version '{STORAGE_VERSION}')")
                current = current_scenarios(home.study, stored, market)
                register_market(connection, home.study, market)
                _register_scenarios(connection, stored, current)
                outdated_fits = register_fits(connection, home, market) + register_resampling(connection, home, market)
                connection.execute("use warehouse")
                began = time.perf_counter()
                built = build(connection, models, read_macros(SQL))
                build_seconds = time.perf_counter() - began
                verdicts = list(audit(connection, identities))
                connection.execute("use memory")
                connection.execute("detach warehouse")
        result = Rebuild(
            built,
            build_seconds,
            verdicts,
            missing=[scenario for scenario in home.study.scenarios if scenario not in stored],
            outdated=[scenario for scenario in stored if scenario not in current],
            outdated_fits=outdated_fits,
        )
        if result.sound:
            # Written before the warehouse is renamed and renamed right after: every publication has its own report, and
            # one that cannot be drawn stops it.
            draft_report = write_draft(draft)
            draft.replace(home.warehouse)
            draft_report.replace(home.report)
        _remove(draft)
        home.lake.prune()
        return result


@contextlib.contextmanager
def _alone(home: StudyHome) -> Iterator[None]:
    home.lake.root.mkdir(parents=True, exist_ok=True)
    with open(home.lake.root / ".rebuild.lock", "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remove(draft: Path) -> None:
    for file in (draft, draft.with_name(draft.name + ".wal"), draft_of(draft)):
        file.unlink(missing_ok=True)


def stored_scenarios(home: StudyHome) -> dict[Scenario, Version]:
    """Return the study's scenarios that the lake holds; others in the lake belong to no table.

    One whose metrics other SQL computed, and whose rows are gone, is not held any more.
    """
    found = {scenario: home.lake.current(SIMULATIONS, lake_key(scenario)) for scenario in home.study.scenarios}
    version_now = metrics_version()
    return {
        scenario: version
        for scenario, version in found.items()
        if version is not None and version.facts.get("metrics_version", version_now) == version_now
    }


def _register_scenarios(
    connection: duckdb.DuckDBPyConnection, stored: Mapping[Scenario, Version], current: Collection[Scenario]
) -> None:
    for name in ROWS:
        register_rows(connection, name, [version.file(name) for version in stored.values() if name in version.rows])
    register_table(connection, "simulation_partition", _partitions(stored, current))
    metrics = [version.facts["metrics"] for version in stored.values() if "metrics" in version.facts]
    register_table(connection, METRICS.name, metrics_table(metrics))
    register_table(connection, PATH_BAND.name, _path_bands(stored))


def _path_bands(stored: Mapping[Scenario, Version]) -> pa.Table:
    rows = [
        {**scenario.model_dump(), **outcome}
        for scenario, version in stored.items()
        for outcome in version.facts.get("path_band", ())
    ]
    return pa.Table.from_pylist(rows, PATH_BAND.arrow_schema)


def current_scenarios(study: Study, stored: Mapping[Scenario, Version], market: Version) -> frozenset[Scenario]:
    """Return the scenarios that answer what the study asks now, on the prices that the lake holds now."""
    return frozenset(
        scenario
        for scenario, version in stored.items()
        if version.facts["prices_version"] == market.facts["prices_version"]
        and version.facts["study_hash"] == scenario_fingerprint(study, scenario)
        and version.facts["engine_version"] == ENGINE_VERSION
    )


def _partitions(stored: Mapping[Scenario, Version], current: Collection[Scenario]) -> pa.Table:
    """Return one row per stored scenario: its prices, and whether they and its rules are the present ones."""
    rows = [
        {
            "strategy": scenario.strategy,
            "reserve": scenario.reserve,
            "keep": version.facts["keep"],
            "capital": version.facts["capital"],
            "xirr": version.facts["xirr"],
            "prices_version": version.facts["prices_version"],
            "has_tax_lots": TAX_LOTS in version.rows,
            "is_current": scenario in current,
        }
        for scenario, version in stored.items()
    ]
    return pa.Table.from_pylist(rows, PARTITION_SCHEMA)
