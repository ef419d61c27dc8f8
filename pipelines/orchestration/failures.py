"""Our errors as Dagster's failures, and back: the one place in which they are converted."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from sd_core.errors import DamagedError, FetchError, InputError, NotReadyError, StoreError

# In a failure's metadata: whether the input was refused, which the command line reports by its exit code.
REFUSED = "refused"
# Whether a file of the lake was damaged.
DAMAGED = "damaged"


@dataclass(frozen=True)
class StepFailure:
    """Why a step failed: in the words of an error of ours, or as a trace; and whether its input was refused.

    ``damaged`` is whether a file of the lake was not the one that was written.
    """

    message: str
    refused: bool
    damaged: bool = False


@contextlib.contextmanager
def as_failures() -> Iterator[None]:
    """Raise ``dg.Failure`` with the message alone, where a step meets an error that its user can fix."""
    try:
        yield
    except InputError as error:
        metadata = {REFUSED: True, **({DAMAGED: True} if isinstance(error, DamagedError) else {})}
        raise dg.Failure(str(error), metadata=metadata, allow_retries=False) from None
    except (FetchError, NotReadyError, StoreError) as error:
        raise dg.Failure(str(error)) from None
    except OSError as error:
        if error.filename is None:
            raise
        # The disk is full, or a folder may not be written: the same again would not help.
        raise dg.Failure(f"{error.filename2 or error.filename}: {error.strerror}", allow_retries=False) from None


def step_failure(failure: Any) -> StepFailure:
    """Return why a step failed: an error of ours in its own words, anything else with its trace."""
    known = failure.user_failure_data
    if known is not None and known.description:
        return StepFailure(known.description, refused=REFUSED in known.metadata, damaged=DAMAGED in known.metadata)
    cause = failure.error.cause
    if cause is not None and cause.cls_name in (InputError.__name__, DamagedError.__name__):
        damaged = cause.cls_name == DamagedError.__name__
        return StepFailure(cause.message.partition(": ")[2].strip(), refused=True, damaged=damaged)
    return StepFailure(failure.error.to_string(), refused=False)
