"""The outcomes of scenarios in bootstrap samples of a panel.

How a scenario is counted belongs in ``sd_core.metrics``, how the market is resampled in ``histories``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from sd_core.market.panel import Panel
from sd_core.metrics.outcome import Calendar, Outcome, outcome
from sd_core.resampling.histories import Drawn, Relatives
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Rules

Answer = TypeVar("Answer")


def in_samples(
    relatives: Relatives, drawn: Iterable[Drawn], workers: int, ask: Callable[[Panel], Answer]
) -> Iterator[Answer]:
    """Ask the same of every bootstrap sample of a panel.

    Args:
        relatives: the market as it was, without its levels.
        drawn: one entry per sample, as :func:`sd_core.resampling.drift.draw_samples` yields.
        workers: threads, each with a sample of its own.
        ask: what is asked of a sample.

    Yields:
        One answer per sample, in order. Only the samples at work are held in memory.
    """
    remaining = iter(drawn)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(remaining, 4 * workers)):
            yield from pool.map(lambda sample: ask(relatives.history(sample)), batch)


def outcomes(
    relatives: Relatives, rules: Sequence[Rules], drawn: Iterable[Drawn], workers: int
) -> Iterator[list[Outcome]]:
    """Simulate scenarios :func:`in_samples` of a panel, and yield a list per sample with an outcome per scenario."""

    def one_history(history: Panel) -> list[Outcome]:
        calendar = Calendar.of(history)
        results = simulate(history, rules, workers=1)
        return [
            outcome(result.daily, result.ledger, calendar, history.sessions, one.capital)
            for result, one in zip(results, rules, strict=True)
        ]

    return in_samples(relatives, drawn, workers, one_history)
