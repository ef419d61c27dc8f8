"""Progress of a run for the person who waits: a bar on a terminal, plain lines anywhere else.

Dagster passes a run's events to its loggers; this logger shows the few that matter. What a run found belongs in
``headline``.
"""

import contextlib
import logging
import re
import sys
import time
from typing import Self

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN_LINES = 2.0

_COUNTED = re.compile(r"(?P<what>.+): (?P<done>\d+) of (?P<total>\d+)")


def report_progress(context: dg.AssetExecutionContext, what: str, done: int, total: int) -> None:
    """Report how far a step is, at most some ten times."""
    if done == total or done % max(1, total // 10) == 0:
        context.log.info(f"{what}: {done} of {total}")


class ProgressHandler(logging.Handler):
    """Turns a run's log records into a bar or into lines on standard error, while it is a context.

    Closing the handler leaves the bar on the screen: where Dagster configures logging, Python closes every handler that
    there is, which then still receives the records of its loggers.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None
        self._started: dict[str, float] = {}
        self._next_line = 0.0
        self._task = self._bar.add_task("starting", total=None) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a step's start and end, counted progress, and what a step says; failures are reported at the end."""
        event = getattr(record, "dagster_event", None)
        step = (event.step_key if event else None) or ""
        kind = event.event_type_value if event else None
        if kind == "STEP_START":
            self._started[step] = time.monotonic()
            self._show(_readable(step), None, None)
        elif kind == "STEP_SUCCESS":
            self._say(f"  {_readable(step)}: done in {time.monotonic() - self._started[step]:.1f} s")
        elif kind is None and record.levelno == logging.INFO:
            message = record.dagster_meta["orig_message"]  # type: ignore[attr-defined]
            counted = _COUNTED.fullmatch(message)
            if counted:
                self._show(counted["what"], int(counted["done"]), int(counted["total"]))
            else:
                self._say(f"  {message}")

    def _show(self, what: str, done: int | None, total: int | None) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=what, completed=done or 0, total=total)
        elif done is not None and (done == total or time.monotonic() >= self._next_line):
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            self._say(f"  {what}: {done} of {total}")

    def _say(self, line: str) -> None:
        if self._bar:
            self._bar.console.print(line, highlight=False, markup=False)
        else:
            with contextlib.suppress(OSError):  # progress that cannot be shown is no reason to end
                print(line, file=sys.stderr, flush=True)


def _readable(step: str) -> str:
    return step.removeprefix("lake__").replace("_", " ")


def progress_logger(handler: ProgressHandler) -> dg.LoggerDefinition:
    """Return the Dagster logger that feeds a handler."""

    @dg.logger(config_schema={}, description="Progress for the person at the command line.")
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("sdlab.progress", logging.DEBUG)
        logger.addHandler(handler)
        return logger

    return progress
