"""Measuring in processes of their own: when the first line came, and what the last one said."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.environments import PROJECT


class FailedError(Exception):
    """A measured process failed; the message is the last line of what it said."""


@dataclass(frozen=True)
class Lines:
    """What a process printed.

    Attributes:
        first_after: seconds from its start to its first line.
        last: its last line.
    """

    first_after: float
    last: str


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Lines:
    """Run a command in the project's folder and wait for its end.

    Raises:
        FailedError: it failed, or printed nothing.
    """
    # A file, since a pipe that is not read yet could fill.
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        with subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | dict(environment or {}),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            first_after = time.perf_counter() - began
            rest = process.stdout.read()
        if process.returncode or not first:
            errors.seek(0)
            said = errors.read().strip().splitlines()
            raise FailedError(said[-1] if said else f"{command[0]}: exit code {process.returncode}")
    return Lines(first_after, (first + rest).splitlines()[-1])
