"""``sdlab run``: what is outdated of the study, or a part of it, with progress and the headline.

What is outdated belongs in ``pipelines.steps.plan``, how it is run in ``pipelines.orchestration``. The latter is
imported only where something is: a run that has nothing to do ends at once.
"""

import sys
from collections.abc import Sequence

from rich.console import Console

from pipelines.cli.console import open_console
from pipelines.cli.exit_code import ExitCode
from pipelines.cli.headline import print_headline
from pipelines.lab.home import IS_CHECKOUT, StudyHome
from pipelines.steps.plan import Plan, plan_run
from pipelines.warehouse.query import open_warehouse


def run(home: StudyHome, select: str | None, *, fresh: bool) -> ExitCode:
    """Bring a study up to date, print the headline, and return the exit code.

    Args:
        home: the study.
        select: a part of it, which is computed whether it is outdated or not; None for the whole study.
        fresh: whether all of the study is computed, outdated or not.

    Raises:
        InputError: ``select`` names nothing that can be run.
        KeyboardInterrupt: the run was interrupted.
    """
    console = open_console()
    if select is not None or fresh:
        return _execute(home, console, select)
    plan = plan_run(home)
    console.print(f"{home.study.name}: {_described(home, plan)}", soft_wrap=True)
    if plan.is_empty:
        _print_published(console, home)
        return ExitCode.DONE
    return _execute(home, console, None, plan)


def _execute(home: StudyHome, console: Console, select: str | None, plan: Plan | None = None) -> ExitCode:
    from pipelines.orchestration.execution import execute
    from pipelines.orchestration.selection import select_all, select_named, select_outdated

    if plan is not None:
        selection = select_outdated(home.study, plan)
    else:
        selection = select_all(home.study) if select is None else select_named(home, select)
        console.print(f"{home.study.name}: {selection.description}")
    failures = execute(home, selection)
    for failure in failures:
        print(("refused:\n" if failure.refused else "failed:\n") + failure.message, file=sys.stderr)
    if not failures and selection.publishes:
        _print_published(console, home)
    codes = (ExitCode.REFUSED if failure.refused else ExitCode.FAILED for failure in failures)
    return max(codes, default=ExitCode.DONE)


def _described(home: StudyHome, plan: Plan) -> str:
    """Say what is outdated, and what is left alone."""
    study = home.study
    if plan.is_empty:
        return "prices, scenarios and tables are up to date, so nothing was run (--fresh runs everything)"
    scenarios = len(study.scenarios)
    to_do = [
        *([f"prices of {_counted(plan.tickers, 'ticker')}"] if plan.tickers else []),
        *(["the market"] if plan.prepares or plan.tickers else []),
        *([f"{len(plan.scenarios)} of {scenarios} scenarios"] if plan.scenarios else []),
        *plan.derived,
        "the warehouse",
    ]
    done = len(study.fetched_tickers) - len(plan.tickers)
    left = [
        *([f"prices of {done} tickers"] if done else []),
        *([f"{scenarios - len(plan.scenarios)} scenarios"] if len(plan.scenarios) < scenarios else []),
    ]
    return f"{', '.join(to_do)}" + (f"; left alone, as they are up to date: {', '.join(left)}" if left else "")


def _counted(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''}"


def _print_published(console: Console, home: StudyHome) -> None:
    with open_warehouse(home) as connection:
        print_headline(console, connection)
    command = ".venv/bin/sdlab" if IS_CHECKOUT else "sdlab"
    option = f" --study {home.study_file}" if home.study.name != "demo" else ""
    for line in (
        f"\nreport:    {home.published.report}",
        f"warehouse: {home.published.warehouse}",
        f'query it:  {command} query{option} "select strategy, reserve, cagr, sharpe from report_strategy"',
        f"intervals for the reserve (a minute or two):  {command} run{option} --select reserve_bootstrap",
        f"web page:  {command} ui{option}",
    ):
        console.print(line, soft_wrap=True)
