"""``sdlab run``: what is outdated of the study, or a part of it, with progress and the headline.

What is outdated belongs in ``pipelines.steps.plan``, how it is run in ``pipelines.orchestration``. The latter is
imported only where something is: a run that has nothing to do ends at once.
"""

import contextlib
import time
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.cli.commands import command_line, shown_path
from pipelines.cli.console import open_console
from pipelines.cli.endings import say
from pipelines.cli.exit_code import ExitCode
from pipelines.cli.headline import print_headline
from pipelines.lab.home import StudyHome
from pipelines.steps.damage import discard_damaged
from pipelines.steps.datasets import FACTORS
from pipelines.steps.plan import Plan, plan_run
from pipelines.steps.upgrade import upgrade
from pipelines.warehouse.query import open_warehouse
from sd_core.errors import DamagedError
from sd_core.study.model import Study
from sd_core.wording import counted

if TYPE_CHECKING:
    from pipelines.orchestration.selection import Selection


def run(home: StudyHome, select: str | None, reasons: list[str], *, fresh: bool) -> ExitCode:
    """Bring a study up to date, print the headline, and return the exit code.

    Args:
        home: the study.
        select: a part of it, which is computed whether it is outdated or not; None for the whole study.
        reasons: takes why steps of the run failed.
        fresh: whether all of the study is computed, outdated or not.

    What is found damaged of the lake is computed again.

    Raises:
        InputError: ``select`` names nothing that can be run, the file of factors is broken, or prices are damaged,
            which cannot be computed.
        KeyboardInterrupt: the run was interrupted.
    """
    started = time.monotonic()
    console = open_console()
    try:
        if upgrade(home.lake):
            say("an earlier release wrote this lake: prices are kept, the rest is computed again")
        code = _update(home, console, select, reasons, fresh=fresh)
    except DamagedError:
        discarded = discard_damaged(home.lake)
        if not discarded:
            raise
        say(f"damaged, so computed again: {', '.join(discarded)}")
        if select is not None:
            # What was discarded may be outside the selection.
            _update(home, console, None, reasons, fresh=False)
        code = _update(home, console, select, reasons, fresh=fresh)
    # The last word about a run that failed is why.
    if code is ExitCode.DONE:
        say(f"took {_duration(time.monotonic() - started)}")
    return code


def _update(home: StudyHome, console: Console, select: str | None, reasons: list[str], *, fresh: bool) -> ExitCode:
    if select is not None or fresh:
        return _execute(home, console, select, reasons)
    plan = plan_run(home)
    console.print(f"{home.study.name}: {_described(home, plan)}")
    if plan.is_empty:
        _print_published(console, home)
        return ExitCode.DONE
    return _execute(home, console, None, reasons, plan)


def _execute(
    home: StudyHome, console: Console, select: str | None, reasons: list[str], plan: Plan | None = None
) -> ExitCode:
    if select is None:
        _refuse_broken_factors(home.study, plan)
    from pipelines.steps.ahead import making_ahead

    moved = select is None and (plan is None or plan.prepares or bool(plan.tickers))
    with making_ahead(home.study) if moved else contextlib.nullcontext() as ahead:
        # Imported while the second process begins, where there is one.
        from pipelines.orchestration.execution import execute
        from pipelines.orchestration.selection import select_all, select_named, select_outdated

        if plan is not None:
            selection = select_outdated(home, plan)
        else:
            selection = select_all(home.study) if select is None else select_named(home, select)
            console.print(f"{home.study.name}: {selection.description}")
        failures = execute(home, selection, ahead)
    for failure in dict.fromkeys(failures):  # what several steps met is said once
        if failure.damaged:
            raise DamagedError(failure.message)
        reasons.append(failure.message)
        say(("refused:\n" if failure.refused else "failed:\n") + failure.message)
    if not failures and selection.publishes:
        _print_published(console, home, selection)
    codes = (ExitCode.REFUSED if failure.refused else ExitCode.FAILED for failure in failures)
    return max(codes, default=ExitCode.DONE)


def _refuse_broken_factors(study: Study, plan: Plan | None) -> None:
    """Refuse a broken file of factors now, where it is read: its turn would come after the simulations."""
    if study.factors is not None and (plan is None or FACTORS.name in plan.derived):
        from sd_core.market.factors import read_factors

        read_factors(study.factors)


def _described(home: StudyHome, plan: Plan) -> str:
    """Say what is outdated, and what is left alone."""
    study = home.study
    if plan.is_empty:
        return "prices, scenarios and tables are up to date, so nothing was run (--fresh runs everything)"
    scenarios = len(study.scenarios)
    to_do = [
        *([f"prices of {counted(len(plan.tickers), 'ticker')}"] if plan.tickers else []),
        *(["the market"] if plan.prepares or plan.tickers else []),
        *([f"{len(plan.scenarios)} of {counted(scenarios, 'scenario')}"] if plan.scenarios else []),
        *(name.replace("_", " ") for name in plan.derived),
        "the warehouse",
    ]
    done = len(study.fetched_tickers) - len(plan.tickers)
    left = [
        *([f"prices of {counted(done, 'ticker')}"] if done else []),
        *([counted(scenarios - len(plan.scenarios), "scenario")] if len(plan.scenarios) < scenarios else []),
    ]
    return f"{', '.join(to_do)}" + (f"; left alone, as they are up to date: {', '.join(left)}" if left else "")


def _duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> _duration(3.21), _duration(75.0)
    ('3.2 s', '1 min 15 s')
    """
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _print_published(console: Console, home: StudyHome, selection: "Selection | None" = None) -> None:
    resampled = selection is not None and selection.resamples
    with open_warehouse(home) as connection:
        print_headline(console, connection)
        has_orders = connection.execute("from report_next_order").fetchone() is not None
    query = '"select strategy, reserve, cagr from report_strategy"'
    asked = (
        ('"select strategy, measure, verdict from report_reserve_verdict"', "these answers again")
        if resampled
        else ("--select reserve_bootstrap", "how sure the best reserve is, and what it pays (some minutes)")
    )
    console.print()
    # Paths and commands stay in one line, to be copied.
    for line in (
        f"report:    {shown_path(home.published.report)}",
        f"warehouse: {shown_path(home.published.warehouse)}",
        "",
        "query it:",
        f"  {command_line(home, 'query')} {query}",
        f"{asked[1]}:",
        f"  {command_line(home, 'query' if resampled else 'run')} {asked[0]}",
        *(("where the rule trades next:", f"  {command_line(home, 'orders')}") if has_orders else ()),
        "web page:",
        f"  {command_line(home, 'ui')}",
    ):
        console.print(line, soft_wrap=True)
