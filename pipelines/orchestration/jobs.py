"""When things run: the jobs that refresh everything and that simulate bootstrap samples, the schedule, the sensor.

What the steps do belongs in the modules of the assets.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

from pipelines.lab.current import partitions_of
from pipelines.orchestration.keys import DERIVED_KEYS
from pipelines.orchestration.names import ACCOUNT_GROUP, MODELS_GROUP, NIGHTLY_REFRESH, REFRESH, RESERVE_QUESTION
from pipelines.orchestration.partitions import range_tags
from pipelines.orchestration.private import UnresolvedAssetJobDefinition
from pipelines.steps.datasets import RESERVE_BOOTSTRAP
from sd_core.calendars import calendar_sessions
from sd_core.study.model import Study

BOOTSTRAP_KEY = DERIVED_KEYS[RESERVE_BOOTSTRAP.name]
WAREHOUSE_GROUPS = ("staging", "analytics", "signals", "reports")
NEW_YORK = ZoneInfo("America/New_York")
# After the close and the evening's corrections; a day's bar is final by then.
NIGHTLY = "0 21 * * 1-5"

# Prices or a partition materialised alone lead to fits and a rebuild; a run that made those too has already done it.
WHEN_LAKE_MOVED = (
    dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.newly_updated() & ~dg.AutomationCondition.executed_with_root_target()
    )
    .since_last_handled()
    .with_label("the lake holds something newer")
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
)


def refresh_job(study: Study) -> UnresolvedAssetJobDefinition:
    """Return the job that takes every asset from prices to reports, in one run over the whole grid."""
    return dg.define_asset_job(
        REFRESH,
        selection=dg.AssetSelection.all() - dg.AssetSelection.groups(ACCOUNT_GROUP),
        description=(
            f"Prices, every scenario, the warehouse and the reports of the study {study.name}, in one run. Bootstrap "
            f"samples are left as they are: the job {RESERVE_QUESTION} makes them."
        ),
        tags=range_tags(partitions_of(study)),
    )


def reserve_question_job(study: Study) -> UnresolvedAssetJobDefinition:
    """Return the job that simulates the bootstrap samples of the reserve question, then rebuilds the warehouse."""
    return dg.define_asset_job(
        RESERVE_QUESTION,
        selection=dg.AssetSelection.assets(BOOTSTRAP_KEY) | dg.AssetSelection.groups(MODELS_GROUP, *WAREHOUSE_GROUPS),
        description=(
            f"Every scenario of the study {study.name} in bootstrap samples of the market, then the warehouse and its "
            "reports."
        ),
    )


def nightly_refresh(study: Study) -> list[dg.ScheduleDefinition]:
    """Return the schedule of a study whose prices grow; the others have none."""
    if study.source.kind != "yahoo":
        return []

    @dg.schedule(
        name=NIGHTLY_REFRESH,
        job_name=REFRESH,
        cron_schedule=NIGHTLY,
        execution_timezone=str(NEW_YORK),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The whole refresh at 21:00 New York on every trading day.",
    )
    def nightly(context: dg.ScheduleEvaluationContext):  # type: ignore[no-untyped-def]
        day = context.scheduled_execution_time.astimezone(NEW_YORK).date()
        if not is_trading_day(day):
            return dg.SkipReason(f"{day} is no session in New York")
        return dg.RunRequest(run_key=day.isoformat(), tags=range_tags(partitions_of(study)))

    return [nightly]


def is_trading_day(day: dt.date) -> bool:
    """Return whether New York's exchange has a session on a day."""
    return len(calendar_sessions("XNYS", day, day)) == 1


def rebuild_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that fits models and rebuilds the warehouse when something newer than they lies in the lake."""
    return dg.AutomationConditionSensorDefinition(
        "rebuild_warehouse",
        target=dg.AssetSelection.groups(MODELS_GROUP, *WAREHOUSE_GROUPS),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=5,
        description="Fits models, rebuilds, audits and publishes the warehouse when the lake holds something newer.",
    )
