"""What a step leaves alone, since it answers the study already: said in the log, and seen as an observation."""

import dagster as dg

from pipelines.lab.current import partitions_of
from pipelines.orchestration.names import PROCESS_TAG, REFRESH
from pipelines.orchestration.partitions import range_tags
from sd_core.study.model import Study

# A run with this tag computes everything that it covers, outdated or not; derived datasets only where all is meant.
FRESH_TAG = "sdlab/fresh"
ALL, NAMED = "all", "named"
LEFT_ALONE = "left_alone"


def computes_all(context: dg.AssetExecutionContext) -> bool:
    """Return whether a step computes what it is asked for even where nothing has changed.

    The refresh leaves alone what answers the study. An asset that is materialised by itself is always computed.
    """
    run = context.run
    return run.job_name != REFRESH or FRESH_TAG in run.tags


def covers_study(run: dg.DagsterRun, study: Study) -> bool:
    """Return whether a run makes, or finds to be current, every scenario and every dataset that a refresh makes."""
    grid = range_tags(partitions_of(study))
    is_part = (
        run.tags.get(FRESH_TAG) == NAMED
        or "dagster/partition" in run.tags
        or any(run.tags.get(name, whole) != whole for name, whole in grid.items())
        # From the command line what is not selected was found to be current.
        or (run.asset_selection is not None and PROCESS_TAG not in run.tags)
    )
    return run.job_name == REFRESH and not is_part


def leave_alone(context: dg.AssetExecutionContext, key: dg.AssetKey, why: str) -> dict[str, str]:
    """Record that an asset is as it should be; return the same as metadata of its result."""
    context.log_event(dg.AssetObservation(asset_key=key, metadata={LEFT_ALONE: why}))
    return {LEFT_ALONE: why}
