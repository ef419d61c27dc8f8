"""Everything that Dagster runs for a study, put together."""

import dagster as dg

from pipelines.lab.home import StudyHome
from pipelines.orchestration.derived_assets import derived_assets
from pipelines.orchestration.jobs import nightly_refresh, rebuild_sensor, refresh_job, reserve_question_job
from pipelines.orchestration.lake_assets import lake_assets
from pipelines.orchestration.warehouse_assets import warehouse_assets


def build_definitions(home: StudyHome) -> dg.Definitions:
    """Return everything that Dagster runs for a study."""
    return dg.Definitions(
        assets=[*lake_assets(home), *derived_assets(home), warehouse_assets(home)],
        jobs=[refresh_job(home.study), reserve_question_job(home.study)],
        schedules=nightly_refresh(home.study),
        sensors=[rebuild_sensor()],
        executor=dg.in_process_executor,
    )
