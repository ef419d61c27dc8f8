"""A run from the command line: the whole study, or a part of it, in this process, with progress and the headline.

What is materialised is Dagster's to know; this module chooses, waits and reports.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
from rich.console import Console

from pipelines.cli.exit_code import QUERY_INTERRUPTED, ExitCode
from pipelines.cli.headline import print_headline
from pipelines.definitions import build_definitions
from pipelines.lab.home import StudyHome
from pipelines.orchestration.failures import REFUSED
from pipelines.orchestration.instance import PROCESS_TAG, open_instance, prune_history
from pipelines.orchestration.jobs import BOOTSTRAP_KEY, REFRESH, RESERVE_QUESTION
from pipelines.orchestration.keys import DERIVED_KEYS, LAKE_KEYS, REPORT_HTML_KEY, SIMULATIONS_KEY, TABLE_KEYS
from pipelines.orchestration.partitions import partition_key, range_tags
from pipelines.orchestration.progress import ProgressHandler, progress_logger
from pipelines.orchestration.warehouse_assets import REPORT_KEY
from pipelines.steps.datasets import REFRESHED
from pipelines.warehouse.query import open_warehouse
from sd_core.errors import InputError
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# What a part of the run keeps up to date besides: each returns at once where nothing changed.
MODEL_KEYS = tuple(DERIVED_KEYS[one.name] for one in REFRESHED)

# Wide enough for the headline where no terminal states its width.
PLAIN_WIDTH = 132


def run(home: StudyHome, select: str | None) -> ExitCode:
    """Materialise a study, or what ``select`` names of it, print the headline, and return the exit code."""
    definitions = build_definitions(home)
    job, assets, scenarios = _selection(home.study, definitions, select)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    what = f"{len(scenarios)} scenarios" if SIMULATIONS_KEY in assets else str(select)
    console.print(f"{home.study.name}: {what}", markup=False, highlight=False)
    code = _execute(home, definitions, job, assets, scenarios, whole=select is None)
    if code == ExitCode.DONE and REPORT_KEY in assets:
        with open_warehouse(home) as connection:
            print_headline(console, connection)
        _print_next_steps(console, home)
    return code


def _selection(
    study: Study, definitions: dg.Definitions, select: str | None
) -> tuple[str, Sequence[dg.AssetKey], Sequence[Scenario]]:
    """Return the job to run, the assets to materialise and the scenarios to simulate."""
    tables = [*TABLE_KEYS.values(), REPORT_HTML_KEY]
    keys = [*LAKE_KEYS, *tables]
    if select is None:
        return REFRESH, [key for key in keys if key != BOOTSTRAP_KEY], study.scenarios
    if select == BOOTSTRAP_KEY.path[-1]:
        return RESERVE_QUESTION, [BOOTSTRAP_KEY, *MODEL_KEYS, *tables], study.scenarios
    # One kind only, as a strategy may be called what a reserve's key is.
    kinds: Sequence[Callable[[Scenario], str]] = (
        lambda scenario: str(partition_key(scenario)),
        lambda scenario: scenario.strategy,
        lambda scenario: scenario.reserve_key,
    )
    named_scenarios = ([scenario for scenario in study.scenarios if name(scenario) == select] for name in kinds)
    if scenarios := next(filter(None, named_scenarios), []):
        return REFRESH, [SIMULATIONS_KEY, *MODEL_KEYS, *tables], scenarios
    # The lake's asset where a table bears the same name: the tables come with it only in a whole run.
    named = next((key for key in keys if key.path[-1] == select), None)
    if named is None:
        raise InputError(
            f"--select {select}: expected a partition such as {partition_key(study.scenarios[0])}, one of the "
            f"strategies {', '.join(study.strategies)}, a reserve such as {study.scenarios[-1].reserve_key}, or one of "
            f"the assets "
            f"{', '.join(sorted({key.path[-1] for key in keys}))}"
        )
    # A step that makes several assets makes all of them.
    step = next(step for step in definitions.resolve_asset_graph().assets_defs if named in step.keys)
    return REFRESH, sorted(step.keys), study.scenarios


def _execute(
    home: StudyHome,
    definitions: dg.Definitions,
    job: str,
    assets: Sequence[dg.AssetKey],
    scenarios: Sequence[Scenario],
    *,
    whole: bool,
) -> ExitCode:
    """Run a job, or a part of it, in this process and return the exit code."""
    handler = ProgressHandler()
    with_progress = dg.Definitions.merge(definitions, dg.Definitions(loggers={"progress": progress_logger(handler)}))
    try:
        with open_instance(home) as instance:
            result = with_progress.resolve_job_def(job).execute_in_process(
                instance=instance,
                asset_selection=list(assets),
                run_config={"loggers": {"progress": {}}},
                tags={**(range_tags(scenarios) if SIMULATIONS_KEY in assets else {}), PROCESS_TAG: str(os.getpid())},
                raise_on_error=False,
            )
            if result.success and whole:
                prune_history(instance)
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    finally:
        handler.close()
    if result.success:
        return ExitCode.DONE
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    # A run that failed in no step was interrupted between two.
    if not failures or any(_is_interrupt(failure) for failure in failures):
        raise KeyboardInterrupt
    return max(_report(failure) for failure in failures)


def _is_interrupt(failure: Any) -> bool:
    """Tell whether a step failed because the person waiting pressed Ctrl-C: Dagster and DuckDB make errors of it."""
    error = failure.error
    while error is not None:
        if error.cls_name in (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__):
            return True
        if error.cls_name == RuntimeError.__name__ and QUERY_INTERRUPTED in error.message:
            return True
        error = error.cause
    return False


def _report(failure: Any) -> ExitCode:
    """Print why a step failed and return the exit code: that of a refusal, or of any other failure."""
    known = failure.user_failure_data
    if known is not None and known.description:
        code = ExitCode.REFUSED if REFUSED in known.metadata else ExitCode.FAILED
        print(("refused:\n" if code == ExitCode.REFUSED else "failed:\n") + known.description, file=sys.stderr)
        return code
    cause = failure.error.cause
    if cause is not None and cause.cls_name == InputError.__name__:
        print(f"refused:\n{cause.message.partition(': ')[2].strip()}", file=sys.stderr)
        return ExitCode.REFUSED
    print(f"failed:\n{failure.error.to_string()}", file=sys.stderr)
    return ExitCode.FAILED


def _print_next_steps(console: Console, home: StudyHome) -> None:
    option = f" --study {home.study_file}" if home.study.name != "demo" else ""
    for line in (
        f"\nreport:    {home.published.report}",
        f"warehouse: {home.published.warehouse}",
        f'query it:  .venv/bin/sdlab query{option} "select strategy, reserve, cagr, sharpe from report_strategy"',
        f"how much cash, luck apart (a minute or two):  .venv/bin/sdlab run{option} --select reserve_bootstrap",
        f"look:      .venv/bin/sdlab ui{option}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
