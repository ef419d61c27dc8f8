"""Everything that Dagster runs for a study, put together."""

import dagster as dg

from pipelines.lab.home import StudyHome
from pipelines.orchestration.account_assets import account_assets, account_jobs, account_schedules, ledger_sensor
from pipelines.orchestration.derived_assets import derived_assets
from pipelines.orchestration.failure_sensor import failure_sensor
from pipelines.orchestration.jobs import nightly_refresh, rebuild_sensor, refresh_job, reserve_question_job
from pipelines.orchestration.lake_assets import lake_assets
from pipelines.orchestration.warehouse_assets import warehouse_assets
from pipelines.steps.ahead import Ahead


def build_definitions(home: StudyHome, ahead: Ahead | None = None) -> dg.Definitions:
    """Return everything that Dagster runs for a study.

    Args:
        home: the study.
        ahead: the process that makes derived datasets while this one simulates, where there is one.
    """
    return dg.Definitions(
        assets=[*lake_assets(home, ahead), *derived_assets(home, ahead), warehouse_assets(home), *account_assets(home)],
        jobs=[refresh_job(home.study), reserve_question_job(home.study), *account_jobs()],
        schedules=[*nightly_refresh(home.study), *account_schedules(home)],
        sensors=[rebuild_sensor(), ledger_sensor(home), failure_sensor(home)],
        executor=dg.in_process_executor,
    )
