"""The errors that a user can act on: of input, of price sources, and of the order of steps.

Errors of our own code are not here: they stay the ordinary exceptions that they are.
"""


class InputError(Exception):
    """Input that is refused: a study, a price file or a command that cannot be taken.

    The message names the file, the field, the value found and what was expected; one line per finding.
    """


class DamagedError(InputError):
    """A stored file that is not what was written: a disk, a program or a person changed it.

    The message names the partition and the file. What was computed can be computed again.
    """


class FetchError(Exception):
    """A price source that did not deliver: unreachable, limiting our rate, or without data for a ticker."""


class StoreError(Exception):
    """A store of the lake's files that could not be reached, or answered what it should not."""


class MovedError(Exception):
    """What is stored is not what was read before: another process has put something in its place."""


class NotReadyError(Exception):
    """A question that what is stored for a study cannot answer yet; the message says what to run first."""
