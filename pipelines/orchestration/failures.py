"""Our errors as Dagster's failures: the one place in which they are converted."""

import contextlib
from collections.abc import Iterator

import dagster as dg

from sd_core.errors import DamagedError, FetchError, InputError, NotReadyError

# In a failure's metadata: whether the input was refused, which the command line reports by its exit code.
REFUSED = "refused"
# Whether a file of the lake was damaged.
DAMAGED = "damaged"


@contextlib.contextmanager
def as_failures() -> Iterator[None]:
    """Raise ``dg.Failure`` with the message alone, where a step meets an error that its user can fix."""
    try:
        yield
    except InputError as error:
        metadata = {REFUSED: True, **({DAMAGED: True} if isinstance(error, DamagedError) else {})}
        raise dg.Failure(str(error), metadata=metadata, allow_retries=False) from None
    except (FetchError, NotReadyError) as error:
        raise dg.Failure(str(error)) from None
    except OSError as error:
        if error.filename is None:
            raise
        # The disk is full, or a folder may not be written: the same again would not help.
        raise dg.Failure(f"{error.filename2 or error.filename}: {error.strerror}", allow_retries=False) from None
