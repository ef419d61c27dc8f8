"""Decide on several mixes at once, in as many processes as there are cores.

Solvers hold Python's lock for most of their time, so that threads gain nothing.
"""

import multiprocessing as mp
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import pyarrow as pa
from threadpoolctl import threadpool_limits

from sd_core.construction.asked import Asked
from sd_core.construction.decisions import Decision, begins_as_known, decide
from sd_core.construction.history import History
from sd_core.construction.tables import to_tables
from sd_core.processes import work_for_parent
from sd_core.schemas.kinds import Trigger
from sd_core.study.mixes import Mix

# Fits from which on more processes than this one are worth the seconds in which each imports the solvers.
MANY_FITS = 120
# What takes longer than minimum variance: clusters of clusters, growth, and risks of which every return is a term.
EFFORTS = {"nco": 20.0, "kelly": 2.5}
EFFORT_OF_OTHER_RISKS = 2.0


class Task(NamedTuple):
    """A mix to decide on, and what is known of earlier decisions."""

    history: History
    asked: Asked
    known: Mapping[str, Decision]


def decide_all(
    tasks: Sequence[Task], heard: Callable[[str, int, int], None]
) -> Iterator[tuple[str, dict[str, pa.Table]]]:
    """Yield name and tables of each mix as it is done, in any order.

    Args:
        tasks: mixes that combine no others.
        heard: called with what is done, how much of it, and how much there is.
    """
    fits = [_fits(task) for task in tasks]
    processes = min(os.cpu_count() or 1, len(tasks)) if sum(fits) >= MANY_FITS else 1
    if processes == 1:
        for task in tasks:
            yield task.asked.name, decide_one(task, heard)
        return
    # A process of its own beginning: a copy of this one would hold the locks of threads that it does not have.
    pool = ProcessPoolExecutor(processes, mp.get_context("spawn"), initializer=work_for_parent)
    try:
        made = {pool.submit(decide_one, task): task.asked.name for task in longest_first(tasks, fits)}
        for done, future in enumerate(as_completed(made), start=1):
            yield made[future], future.result()
            heard("mixes", done, len(tasks))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def decide_one(task: Task, heard: Callable[[str, int, int], None] | None = None) -> dict[str, pa.Table]:
    """Return the tables of what a mix decides."""
    history, asked, known = task
    wanted, done = len(history.decision_places(asked.mix.every)), 0
    decisions = []
    # The last digits of sums of many products depend on how many threads share them.
    with threadpool_limits(1, user_api="blas"):
        for decision in decide(history, asked, known):
            decisions.append(decision)
            # How many switches there are shows in the end only.
            if heard is not None and decision.trigger == Trigger.PERIOD:
                done += 1
                heard(f"decisions of {asked.name}", done, wanted)
    return to_tables(history, asked.name, decisions)


def _fits(task: Task) -> int:
    """Return how many fits a mix needs at most: none where the first is known, as all but the last ones are then."""
    history, asked, known = task
    if not asked.mix.is_solved:
        return 0
    fits = [place for place in history.decision_places(asked.mix.every) if place >= asked.mix.window_or_default]
    return 0 if known and begins_as_known(history, asked, known) else len(fits)


def longest_first(tasks: Sequence[Task], fits: Sequence[int]) -> list[Task]:
    """Return tasks in the order in which processes take them: so none that takes long is left over in the end.

    Args:
        tasks: mixes to decide on.
        fits: how many of each are to be made.
    """
    efforts = [count * _effort(task.asked.mix) for task, count in zip(tasks, fits, strict=True)]
    return [tasks[at] for at in sorted(range(len(tasks)), key=lambda at: -efforts[at])]


def _effort(mix: Mix) -> float:
    """Return about how long a fit takes, in those of minimum variance, as ``benchmarks.mixes`` measures them."""
    return EFFORTS.get(mix.method, 1.0 if mix.risk_or_default == "variance" else EFFORT_OF_OTHER_RISKS)
