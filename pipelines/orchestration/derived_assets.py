"""The derived datasets as assets: each is made, or found to be current and left alone.

What they are belongs in ``steps``.
"""

from functools import partial

import dagster as dg

from pipelines.lab.current import current_market
from pipelines.lab.home import StudyHome
from pipelines.orchestration.failures import as_failures
from pipelines.orchestration.jobs import WHEN_LAKE_MOVED
from pipelines.orchestration.keys import DERIVED_KEYS, LAKE_TABLE_OWNER
from pipelines.orchestration.lake_assets import OWNERS
from pipelines.orchestration.leaving import ALL, FRESH_TAG, leave_alone
from pipelines.orchestration.names import MODELS_GROUP
from pipelines.orchestration.progress import report_progress
from pipelines.steps.datasets import DERIVED
from pipelines.steps.derived import Derived


def derived_assets(home: StudyHome) -> list[dg.AssetsDefinition]:
    """Return the assets of all derived datasets for one study."""
    return [_asset(home, one) for one in DERIVED]


def _asset(home: StudyHome, derived: Derived) -> dg.AssetsDefinition:
    @dg.asset(
        key=DERIVED_KEYS[derived.name],
        deps=[LAKE_TABLE_OWNER[name] for name in derived.inputs],
        group_name=MODELS_GROUP if derived.refreshed else "simulation",
        kinds={"python", "parquet"},
        owners=OWNERS,
        code_version=derived.version,
        automation_condition=WHEN_LAKE_MOVED if derived.refreshed else None,
        description=derived.description,
    )
    def dataset(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        with as_failures():
            market = current_market(home.study, home.lake)
            stored = derived.current(home.study, home.lake, market)
            left: dict[str, str] = {}
            if stored is None or context.run.tags.get(FRESH_TAG) == ALL or not derived.refreshed:
                stored = derived.make(home.study, home.lake, partial(report_progress, context))
            else:
                left = leave_alone(context, DERIVED_KEYS[derived.name], "of the same prices, settings and code")
        return dg.MaterializeResult(metadata={**stored.rows, **stored.facts, **left})

    return dataset
