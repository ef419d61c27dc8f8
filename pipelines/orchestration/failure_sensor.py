"""The sensor that announces runs which failed by themselves: by schedule, by a sensor or from the page.

A run of the command line announces its own failure, and one that was killed is announced when the records are opened
next.
"""

import dagster as dg

from pipelines.lab.home import StudyHome
from pipelines.lab.notices import Notice, announce
from pipelines.orchestration.failures import step_failure
from pipelines.orchestration.names import PROCESS_TAG, RUN_FAILED


def failure_sensor(home: StudyHome) -> dg.SensorDefinition:
    """Return the sensor of a study."""

    @dg.run_failure_sensor(
        name=RUN_FAILED,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Announces a run that failed, by SD_FAILURE_WEBHOOK and SD_FAILURE_MAIL where they are set.",
    )
    def run_failed(context: dg.RunFailureSensorContext):  # type: ignore[no-untyped-def]
        run = context.dagster_run
        if PROCESS_TAG in run.tags:
            return dg.SkipReason("it announces its failure itself")
        failed = [step_failure(event.step_failure_data).message for event in context.get_step_failure_events()]
        reason = "\n".join(failed) or context.failure_event.message or ""
        for problem in announce(Notice(home.study.name, run.job_name, reason)):
            context.log.warning(problem)
        return None

    return run_failed
