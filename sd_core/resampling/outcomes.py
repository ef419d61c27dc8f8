"""The outcomes of scenarios in bootstrap samples of a panel.

How a scenario is counted belongs in ``sd_core.metrics``, how the market is resampled in ``histories``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from sd_core.market.panel import Panel
from sd_core.metrics.measures import Calendar
from sd_core.metrics.outcome import Outcome, outcome
from sd_core.resampling.histories import Drawn, Relatives
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Rules

Answer = TypeVar("Answer")
# What hands chunks to those who work on them: a function, what all chunks share, and the chunks, to answers in order.
Spread = Callable[[Callable[[Any, Any], Any], Any, Iterable[Any]], Iterator[Any]]

# Samples that are handed over together; one takes milliseconds.
TOGETHER = 4


def in_samples(
    relatives: Relatives, drawn: Iterable[Drawn], spread: Spread, ask: Callable[[Panel], Answer]
) -> Iterator[Answer]:
    """Ask the same of every bootstrap sample of a panel.

    Args:
        relatives: the market as it was, without its levels.
        drawn: one entry per sample, as :func:`sd_core.resampling.drift.draw_samples` yields.
        spread: who asks, as ``map`` of threads or of other machines; for those the question can be pickled.
        ask: what is asked of a sample.

    Yields:
        One answer per sample, in order. Only the samples at work are held in memory.
    """
    remaining = iter(drawn)
    groups = iter(lambda: list(islice(remaining, TOGETHER)), [])
    for answers in spread(_ask_each, (relatives, ask), groups):
        yield from answers


def _ask_each(asked: tuple[Relatives, Callable[[Panel], Answer]], samples: Sequence[Drawn]) -> list[Answer]:
    relatives, ask = asked
    return [ask(relatives.history(sample)) for sample in samples]


def outcomes(
    relatives: Relatives, rules: Sequence[Rules], drawn: Iterable[Drawn], spread: Spread
) -> Iterator[list[Outcome]]:
    """Simulate scenarios :func:`in_samples` of a panel, and yield a list per sample with an outcome per scenario."""
    return in_samples(relatives, drawn, spread, partial(_outcomes, rules))


def _outcomes(rules: Sequence[Rules], history: Panel) -> list[Outcome]:
    calendar = Calendar.of(history)
    results = simulate(history, rules, workers=1)
    return [
        outcome(result.daily, result.ledger, calendar, one.capital) for result, one in zip(results, rules, strict=True)
    ]
