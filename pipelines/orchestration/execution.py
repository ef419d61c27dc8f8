"""A selection run by Dagster in this process, and why steps of it failed.

What is selected belongs in ``selection``; what is printed about it in ``pipelines.cli``.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import dagster as dg

from pipelines.lab.home import StudyHome
from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.failures import StepFailure, step_failure
from pipelines.orchestration.instance import open_instance, prune_history
from pipelines.orchestration.leaving import ALL, FRESH_TAG, NAMED
from pipelines.orchestration.names import PROCESS_TAG
from pipelines.orchestration.partitions import range_tags
from pipelines.orchestration.progress import ProgressHandler, progress_logger
from pipelines.orchestration.selection import Selection
from pipelines.steps.ahead import Ahead
from pipelines.warehouse.interruption import QUERY_INTERRUPTED


def execute(home: StudyHome, selection: Selection, ahead: Ahead | None = None) -> Sequence[StepFailure]:
    """Run a selection with progress on standard error; return the steps that failed, none where all is done.

    Args:
        home: the study.
        selection: what of it is run.
        ahead: the process that makes derived datasets while this one simulates, where there is one.

    Raises:
        KeyboardInterrupt: the run was interrupted.
    """
    try:
        with ProgressHandler() as handler, open_instance(home) as instance, without_asides():
            loggers = dg.Definitions(loggers={"progress": progress_logger(handler)})
            job = dg.Definitions.merge(build_definitions(home, ahead), loggers).resolve_job_def(selection.job)
            result = job.execute_in_process(
                instance=instance,
                asset_selection=list(selection.assets),
                run_config={"loggers": {"progress": {}}, **selection.run_config},
                tags=tags_of(selection),
                raise_on_error=False,
            )
            prune_history(instance, whole=result.success and selection.named is None)
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    if result.success:
        return []
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    # A run that failed in no step was interrupted between two.
    if not failures or any(_is_interrupt(failure) for failure in failures):
        raise KeyboardInterrupt
    return [step_failure(failure) for failure in failures]


def tags_of(selection: Selection) -> dict[str, str]:
    """Return the tags of a selection's run: of which process it is, which partitions it has, and what it computes."""
    return {
        PROCESS_TAG: str(os.getpid()),
        **range_tags(selection.partitions),
        **({FRESH_TAG: ALL if selection.named is None else NAMED} if selection.fresh else {}),
    }


# How Dagster begins what it writes to standard error, past every logger, when its records take no event.
ASIDES = (
    "Exception while writing logger call to event log",
    "Exception while storing event batch",
    "Falling back to storing multiple single-event storage requests",
)


class _WithoutAsides:
    """Standard error, but for what Dagster says of its records: the command's own last words say it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text that is no such aside."""
        return len(text) if text.startswith(ASIDES) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Return whatever else standard error has."""
        return getattr(self._stream, name)


@contextlib.contextmanager
def without_asides() -> Iterator[None]:
    """Keep what Dagster says of events that it cannot store from the terminal; the error itself ends the run."""
    with contextlib.redirect_stderr(_WithoutAsides(sys.stderr)):
        yield


def _is_interrupt(failure: Any) -> bool:
    """Return whether a step failed because the person waiting pressed Ctrl-C: Dagster and DuckDB make errors of it."""
    error = failure.error
    while error is not None:
        if error.cls_name in (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__):
            return True
        if error.cls_name == RuntimeError.__name__ and QUERY_INTERRUPTED in error.message:
            return True
        error = error.cause
    return False
