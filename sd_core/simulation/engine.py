"""The engine: many scenarios of one panel, some side by side and on every core, results in the order asked for.

A scenario's rows depend on its rules and the panel alone, so serial and parallel runs agree to the last bit, and so do
runs in pieces and in one. What happens within a session belongs in ``kernel``.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import Empty, SimpleQueue

from sd_core.market.arrays import Dates
from sd_core.market.panel import Panel
from sd_core.simulation.kernel import book
from sd_core.simulation.kernel.sessions import run
from sd_core.simulation.layout import (
    Batch,
    Buffers,
    has_policy,
    market_of,
    open_books,
    policy_of,
    results_of,
    sessions_behind,
    terms_of,
    windows,
)
from sd_core.simulation.results import SimulationResult, State
from sd_core.simulation.rules import Rules

# How many scenarios of the plain rule run side by side, and how many assets they have together: what they hold while
# they run must stay small.
SIDE_BY_SIDE = 8
ASSETS_SIDE_BY_SIDE = 1000

RunBatch = Callable[[Batch], list[SimulationResult]]
# A batch, and where its results are put.
Task = tuple[Batch, Future[list[SimulationResult]]]


def simulate(
    panel: Panel,
    rules: Sequence[Rules],
    workers: int | None = None,
    *,
    states: Sequence[State] | None = None,
    stop: int | None = None,
    ledger: bool = True,
) -> Iterator[SimulationResult]:
    """Simulate scenarios over one panel.

    Args:
        panel: prices by session and asset.
        rules: one entry per scenario, their arrays in the panel's order of assets.
        workers: threads; None means one per core. The kernel holds no interpreter lock.
        states: where each scenario goes on from, on the panel it comes from or one with more sessions at its end; the
            results then hold the sessions after that. None starts with the first session.
        stop: how many sessions of the panel are simulated; None means all.
        ledger: whether rows of the ledger and of lots are kept; the days and the state are the same without.

    Yields:
        One result per scenario, in order. They come in batches, of which two per worker wait at most, so memory stays
        bounded.

    Raises:
        ValueError: a state that is not one of these rules on this panel, or a stop outside the panel.
    """
    end = len(panel.sessions) if stop is None else stop
    if not 0 < end <= len(panel.sessions):
        raise ValueError(f"stop: expected 1 to {len(panel.sessions)} sessions, was {end}")
    if states is None:
        starts: list[State | None] = [None] * len(rules)
    else:
        _check_states(panel, rules, states, end)
        starts = [*states]
    market = market_of(panel)
    threads = max(1, min(workers or os.cpu_count() or 1, len(rules)))
    side_by_side = max(1, min(SIDE_BY_SIDE, ASSETS_SIDE_BY_SIDE // len(panel.tickers), -(-len(rules) // threads)))
    per_thread = threading.local()

    def run_batch(batch: Batch) -> list[SimulationResult]:
        if not hasattr(per_thread, "buffers"):
            per_thread.buffers = Buffers(ledger, side_by_side)
        return _simulate(market, batch, end, per_thread.buffers, panel.sessions)

    batches = _batches(rules, starts, side_by_side, threads)
    if threads == 1:
        for batch in batches:
            yield from run_batch(batch)
    else:
        yield from _shared_out(run_batch, batches, threads)


def _shared_out(run_batch: RunBatch, batches: Iterator[Batch], threads: int) -> Iterator[SimulationResult]:
    """Yield the results of batches in order, of which two per thread are under way or wait.

    The thread that asks for results works too while the next one is not there. If it slept, a thread more than there
    are cores would wake for each batch, and disturb one that computes.
    """
    todo: SimpleQueue[Task | None] = SimpleQueue()

    def work() -> None:
        for task in iter(todo.get, None):
            _run(run_batch, *task)

    with ThreadPoolExecutor(threads - 1) as pool:
        for _ in range(threads - 1):
            pool.submit(work)
        waiting: deque[Future[list[SimulationResult]]] = deque()
        try:
            while True:
                for batch in islice(batches, 2 * threads - len(waiting)):
                    waiting.append(Future())
                    todo.put((batch, waiting[-1]))
                if not waiting:
                    return
                while not waiting[0].done() and (task := _next(todo)):
                    _run(run_batch, *task)
                yield from waiting.popleft().result()
        finally:
            for _ in range(threads - 1):
                todo.put(None)


def _run(run_batch: RunBatch, batch: Batch, results: Future[list[SimulationResult]]) -> None:
    try:
        results.set_result(run_batch(batch))
    except BaseException as error:  # it is raised where the results are asked for
        results.set_exception(error)


def _next(todo: SimpleQueue[Task | None]) -> Task | None:
    """Return a task that no thread has begun, None where there is none."""
    try:
        return todo.get_nowait()
    except Empty:
        return None


def _batches(rules: Sequence[Rules], starts: Sequence[State | None], most: int, threads: int) -> Iterator[Batch]:
    """Yield scenarios in order, as many together as may run side by side: those of the plain rule.

    Towards the end it is a thread's share of the rest, so that none waits for the last one.
    """
    first, alone = 0, bool(rules) and has_policy(rules[0])
    full = min(most, -(-len(rules) // threads))
    for place in range(1, len(rules) + 1):
        next_alone = place < len(rules) and has_policy(rules[place])
        if (
            alone
            or next_alone
            or place == first + full
            or sessions_behind(starts[first]) != sessions_behind(starts[place])
        ):
            yield Batch(rules[first:place], starts[first:place])
            first, alone = place, next_alone
            full = min(most, -(-(len(rules) - first) // threads))


def _check_states(panel: Panel, rules: Sequence[Rules], states: Sequence[State], end: int) -> None:
    if len(states) != len(rules):
        raise ValueError(f"states: expected one per scenario, {len(rules)}, was {len(states)}")
    for number, (scenario, state) in enumerate(zip(rules, states, strict=True)):
        if len(state.positions) != len(panel.tickers):
            raise ValueError(f"states[{number}]: expected {len(panel.tickers)} assets, was {len(state.positions)}")
        if not state.sessions <= end:
            raise ValueError(f"states[{number}]: expected at most {end} sessions behind it, was {state.sessions}")
        returns, gaps = windows(scenario)
        if (len(state.returns), len(state.gaps)) != (returns, gaps):
            raise ValueError(
                f"states[{number}]: expected windows of {returns} returns and {gaps} gaps, "
                f"was {len(state.returns)} and {len(state.gaps)}"
            )


def _simulate(market: book.Market, batch: Batch, end: int, buffers: Buffers, sessions: Dates) -> list[SimulationResult]:
    """Simulate scenarios side by side, so that prices that were read once serve all of them."""
    terms = terms_of(batch.rules)
    while True:
        books = open_books(batch, buffers, end, sessions)
        policy = policy_of(batch, sessions)
        if run(market, terms, books, policy, batch.first, end, True, True):
            return results_of(books, policy, end)
        buffers.grow()
