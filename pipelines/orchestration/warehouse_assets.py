"""The tables of the warehouse as assets: one per SQL model, all made by one step that rebuilds, audits and publishes.

How the rebuild works belongs in ``steps.rebuild``, what is checked in ``warehouse.audit``; here both are
declared to Dagster.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from pipelines.lab.home import SQL, StudyHome
from pipelines.lab.publication import current_publication
from pipelines.orchestration.failures import as_failures
from pipelines.orchestration.jobs import WHEN_LAKE_MOVED
from pipelines.orchestration.keys import DERIVED_KEYS, LAKE_TABLE_OWNERS, REPORT_HTML_KEY, TABLE_KEYS
from pipelines.orchestration.lake_assets import OWNERS
from pipelines.orchestration.leaving import ALL, FRESH_TAG, LEFT_ALONE, computes_all, covers_study, leave_alone
from pipelines.orchestration.names import WAREHOUSE_STEP
from pipelines.orchestration.partitions import partition_key
from pipelines.report.charts import CHARTS, REPORT_PATH, chart_image
from pipelines.report.content import SECTIONS
from pipelines.steps.datasets import DERIVED, REFRESHED
from pipelines.steps.plan import is_warehouse_current
from pipelines.steps.rebuild import Rebuild, rebuild
from pipelines.steps.stored import WHOLE, Promised
from pipelines.warehouse.audit import DECLARED, Identity, Verdict, read_identities
from pipelines.warehouse.models import Model, own_models
from sd_core.schemas import TABLES, Table
from sd_core.study.model import Study

REPORT_KEY = TABLE_KEYS["report_strategy"]
REGIME_KEY = TABLE_KEYS["market_regime"]
SCENARIOS_CURRENT = "every_scenario_is_current"
FITS_CURRENT = "every_fit_is_current"
# Beyond this many the metadata of a check would be too long to read.
NAMED_PARTITIONS = 20


def warehouse_assets(home: StudyHome) -> dg.AssetsDefinition:
    """Return the multi-asset of all published tables."""
    models = own_models()
    identities = read_identities(SQL / "audit")

    @dg.multi_asset(
        name=WAREHOUSE_STEP,
        specs=[*(_spec(model) for model in models), _report_spec(home.study.name)],
        check_specs=_check_specs(identities),
        can_subset=False,
    )
    def warehouse(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        if not computes_all(context) and is_warehouse_current(home):
            yield from _left_alone(context, home, models, identities)
            return
        with as_failures():
            whole = context.run.tags.get(FRESH_TAG) == ALL
            result = rebuild(
                home.study,
                home.lake,
                home.published,
                models,
                identities,
                DERIVED,
                whole=whole,
                promised=promised(context.run, home.study),
            )
        if result.again:
            context.log.info(f"changed by another process meanwhile, so made again: {', '.join(result.again)}")
        if result.sound:
            for model in models:
                metadata = _metadata(result, model) | _chart(home, model.name)
                yield dg.MaterializeResult(TABLE_KEYS[model.name], metadata=metadata)
            yield dg.MaterializeResult(REPORT_HTML_KEY, metadata=_report_metadata(home))
            yield from _completeness(result)
        yield from (_check_result(verdict) for verdict in result.verdicts)
        if not result.sound:
            raise dg.Failure(_refusal(result))
        if result.outdated_derived:
            context.log.info(
                f"{', '.join(result.outdated_derived)}: of other prices or settings, so left out of the tables"
            )
        name = home.published.warehouse.name
        unchanged = len(result.unchanged & TABLES.keys())
        context.log.info(
            f"published {name}: {len(models)} tables{f', {unchanged} of them as before' if unchanged else ''}, "
            f"{len(result.verdicts)} checks passed"
        )

    return warehouse


def promised(run: dg.DagsterRun, study: Study) -> Promised:
    """Return what the tables of a run must have: what the run itself has made or found to be current."""
    if covers_study(run, study):
        return WHOLE
    chosen = run.asset_selection or ()
    return Promised(derived=frozenset(one.name for one in REFRESHED if DERIVED_KEYS[one.name] in chosen))


def _left_alone(
    context: dg.AssetExecutionContext, home: StudyHome, models: Sequence[Model], identities: list[Identity]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Report of every table that it is as published, and of every check that it passed on the same rows."""
    why = "published from the same data, study and code"
    for model in models:
        key = TABLE_KEYS[model.name]
        yield dg.MaterializeResult(key, metadata={**leave_alone(context, key, why), **_chart(home, model.name)})
    left = leave_alone(context, REPORT_HTML_KEY, why)
    yield dg.MaterializeResult(REPORT_HTML_KEY, metadata={**_report_metadata(home), **left})
    for spec in _check_specs(identities):
        yield dg.AssetCheckResult(
            asset_key=spec.asset_key, check_name=spec.name, passed=True, metadata={LEFT_ALONE: why}
        )


def _spec(model: Model) -> dg.AssetSpec:
    table = TABLES[model.name]
    return dg.AssetSpec(
        model.name,
        deps=[
            *model.depends_on,
            *sorted({key for name in model.lake_tables for key in LAKE_TABLE_OWNERS.get(name, ())}),
        ],
        group_name=table.layer,
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        description=f"{model.description}\n\n```sql\n{model.sql}\n```",
        metadata={"dagster/column_schema": _column_schema(table), "key": ", ".join(table.key)},
        automation_condition=WHEN_LAKE_MOVED,
    )


def _column_schema(table: Table) -> dg.TableSchema:
    comments = table.comments
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                column.type,
                comments[name],
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for name, column in table.columns.items()
        ]
    )


def _check_specs(identities: list[Identity]) -> list[dg.AssetCheckSpec]:
    declared = [
        dg.AssetCheckSpec(
            DECLARED,
            asset=table.name,
            description=f"Columns, types and values are as declared, and there is one row per {', '.join(table.key)}.",
            blocking=True,
        )
        for table in TABLES.values()
        if table.stored
    ]
    laws = [
        dg.AssetCheckSpec(identity.name, asset=identity.table, description=identity.description, blocking=True)
        for identity in identities
    ]
    complete = [
        dg.AssetCheckSpec(
            SCENARIOS_CURRENT,
            asset=REPORT_KEY,
            description="Every strategy and reserve of the study was simulated on the present prices and settings.",
        ),
        dg.AssetCheckSpec(
            FITS_CURRENT,
            asset=REGIME_KEY,
            description="Every model was fitted to the present prices and settings; what was not is left out.",
        ),
    ]
    return [*declared, *laws, *complete]


def _check_result(verdict: Verdict) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {"seconds": dg.MetadataValue.float(round(verdict.seconds, 3))}
    if not verdict.passed:
        metadata["failures"] = dg.MetadataValue.int(verdict.failures)
        metadata["examples"] = dg.MetadataValue.md(f"```\n{verdict.examples}\n```")
    return dg.AssetCheckResult(
        asset_key=verdict.table, check_name=verdict.check, passed=verdict.passed, metadata=metadata
    )


def _refusal(result: Rebuild) -> str:
    failed = [verdict for verdict in result.verdicts if not verdict.passed]
    lines = [f"{verdict.table}: {verdict.check}: {verdict.failures} rows\n{verdict.examples}" for verdict in failed]
    return "the rebuilt warehouse is not sound and was not published; the last one stays:\n" + "\n".join(lines)


def _completeness(result: Rebuild) -> Iterator[dg.AssetCheckResult]:
    scenarios = [str(partition_key(scenario)) for scenario in (*result.missing, *result.outdated)]
    yield _to_materialise(REPORT_KEY, SCENARIOS_CURRENT, scenarios)
    yield _to_materialise(REGIME_KEY, FITS_CURRENT, result.outdated_derived)


def _to_materialise(asset_key: dg.AssetKey, check: str, names: Sequence[str]) -> dg.AssetCheckResult:
    """Return a check that warns of what is missing or outdated, by name."""
    named = ", ".join(names[:NAMED_PARTITIONS]) + (" …" if len(names) > NAMED_PARTITIONS else "")
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=check,
        passed=not names,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"to_materialise": named or "none"},
    )


def _metadata(result: Rebuild, model: Model) -> dict[str, dg.MetadataValue]:
    built = result.built[model.name]
    metadata: dict[str, dg.MetadataValue] = {
        "seconds": dg.MetadataValue.float(round(built.seconds, 3)),
    }
    if built.rows is not None:
        metadata["dagster/row_count"] = dg.MetadataValue.int(built.rows)
    return metadata


def _chart(home: StudyHome, table: str) -> dict[str, dg.MetadataValue]:
    """Return the chart of a published table, where it has one: an image that `sdlab ui` draws when it is looked at."""
    publication = current_publication(home.lake)
    if publication is None or table not in CHARTS:
        return {}
    return {CHARTS[table]: dg.MetadataValue.md(chart_image(publication, table))}


def _report_spec(study: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        REPORT_HTML_KEY,
        deps=sorted({table for section in SECTIONS for table in section.tables}),
        group_name="reports",
        kinds={"html"},
        owners=OWNERS,
        description=(
            f"The report of the study {study}, one HTML file that opens anywhere: [open it]({REPORT_PATH}), while "
            "`sdlab ui` serves this page."
        ),
        automation_condition=WHEN_LAKE_MOVED,
    )


def _report_metadata(home: StudyHome) -> dict[str, dg.MetadataValue]:
    return {
        "report": dg.MetadataValue.url(REPORT_PATH),
        "file": dg.MetadataValue.path(home.published.report),
        "bytes": dg.MetadataValue.int(home.published.report.stat().st_size),
    }
