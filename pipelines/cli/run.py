"""A run from the command line: the whole study, or a part of it, with progress and the headline.

What is materialised is Dagster's to know; this module chooses, waits and reports.
"""

import sys

from rich.console import Console

from pipelines.cli.console import open_console
from pipelines.cli.exit_code import ExitCode
from pipelines.cli.headline import print_headline
from pipelines.lab.home import StudyHome
from pipelines.orchestration.execution import execute
from pipelines.orchestration.selection import select_assets
from pipelines.warehouse.query import open_warehouse


def run(home: StudyHome, select: str | None) -> ExitCode:
    """Materialise a study, or what ``select`` names of it, print the headline, and return the exit code.

    Raises:
        InputError: ``select`` names nothing that can be run.
        KeyboardInterrupt: the run was interrupted.
    """
    selection = select_assets(home, select)
    console = open_console()
    console.print(f"{home.study.name}: {selection.description}")
    failures = execute(home, selection)
    for failure in failures:
        print(("refused:\n" if failure.refused else "failed:\n") + failure.message, file=sys.stderr)
    if not failures and selection.publishes:
        with open_warehouse(home) as connection:
            print_headline(console, connection)
        _print_next_steps(console, home)
    return max(
        (ExitCode.REFUSED if failure.refused else ExitCode.FAILED for failure in failures), default=ExitCode.DONE
    )


def _print_next_steps(console: Console, home: StudyHome) -> None:
    option = f" --study {home.study_file}" if home.study.name != "demo" else ""
    for line in (
        f"\nreport:    {home.published.report}",
        f"warehouse: {home.published.warehouse}",
        f'query it:  .venv/bin/sdlab query{option} "select strategy, reserve, cagr, sharpe from report_strategy"',
        f"how much cash, luck apart (a minute or two):  .venv/bin/sdlab run{option} --select reserve_bootstrap",
        f"look:      .venv/bin/sdlab ui{option}",
    ):
        console.print(line, soft_wrap=True)
