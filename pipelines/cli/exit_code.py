"""How a command ends: the exit codes of ``sdlab``."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    INTERRUPTED = 130
