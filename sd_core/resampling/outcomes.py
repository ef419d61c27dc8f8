"""The outcomes of scenarios in bootstrap samples of a panel.

How a scenario is counted belongs in ``sd_core.metrics``, how the market is resampled in ``histories``.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from sd_core.metrics.outcome import Calendar, Outcome, outcome
from sd_core.resampling.histories import Drawn, Relatives
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Rules


def outcomes(
    relatives: Relatives, rules: Sequence[Rules], drawn: Iterable[Drawn], workers: int
) -> Iterator[list[Outcome]]:
    """Simulate scenarios in bootstrap samples of a panel.

    Args:
        relatives: the market as it was, without its levels.
        rules: one entry per scenario.
        drawn: one entry per sample, as :func:`sd_core.resampling.drift.draw_samples` yields.
        workers: threads, each with a history of its own.

    Yields:
        One list per sample, in order, with an outcome per scenario. Only the samples at work are held in memory.
    """

    def one_history(sample: Drawn) -> list[Outcome]:
        history = relatives.history(sample)
        calendar = Calendar.of(history)
        results = simulate(history, rules, workers=1)
        return [
            outcome(result.daily, result.ledger, calendar, history.sessions, one.capital)
            for result, one in zip(results, rules, strict=True)
        ]

    remaining = iter(drawn)
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(remaining, 4 * workers)):
            yield from pool.map(one_history, batch)
