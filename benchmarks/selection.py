"""How long scenarios that trade mixes take, and the tests of selection: of scenarios with days, and of sums alone.

CPU seconds of one process, also in passes of numpy as in ``mixes``, and its largest memory so far.

    python -m benchmarks.selection [--json FILE]
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.market import make_panel, make_rules
from benchmarks.mixes import seconds_of_a_pass
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.selection.differences import BLOCKS, MEASURES, NUMBERS, Differences, sums_of
from sd_core.selection.judgement import Tried, gather, judge, samples_of
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Rules, Variant
from sd_core.simulation.targets import Targets

ASSETS, SESSIONS, SCENARIOS = 20, 7_807, 147
WITHOUT_DAYS = 10_000
MONTH = 21
BLOCK = 20.0
COLUMNS = ("what", "scenarios", "sessions", "CPU seconds", "passes of numpy", "largest memory, MB")


@dataclass(frozen=True)
class Figure:
    """What some work on scenarios took: CPU seconds, the passes of numpy that take as many, and megabytes in all."""

    what: str
    scenarios: int
    sessions: int
    cpu_seconds: float
    passes: float
    megabytes: float


def measure(scenarios: int = SCENARIOS, sessions: int = SESSIONS, without_days: int = WITHOUT_DAYS) -> list[Figure]:
    """Simulate scenarios on weights that change each month, judge as many by days, and many more by sums alone."""
    panel = make_panel(ASSETS, sessions)
    rules = trading_mixes(panel, scenarios)
    drawn = drawn_differences(scenarios, sessions)
    simulated = _figure("simulated on mixes", scenarios, sessions, lambda: [None for _ in simulate(panel, rules)])
    unknown = np.full((scenarios, len(MEASURES), NUMBERS), np.nan)
    by_days = _figure("judged by days", scenarios, sessions, lambda: judged(drawn, unknown, sessions))
    draws = np.random.default_rng(4)
    sums = np.tile(sums_of(drawn[0].growth), (without_days, len(MEASURES), 1))
    # Other totals of blocks, as of other scenarios.
    sums[:, :, :BLOCKS] += draws.normal(0.0, 0.01, (without_days, 1, BLOCKS))
    by_sums = _figure("judged by sums alone", without_days, sessions, lambda: judged([], sums, sessions))
    return [simulated, by_days, by_sums]


def trading_mixes(panel: Panel, count: int) -> list[Rules]:
    """Return rules with and without the Synthetic Dividend that trade drawn weights, other ones each month."""
    draws = np.random.default_rng(12)
    months = panel.sessions[::MONTH]
    found = []
    for place in range(count):
        (base,) = make_rules(ASSETS, 1)
        weights = draws.dirichlet(np.ones(ASSETS), len(months)).round(4)
        weights /= np.maximum(1.0, weights.sum(axis=1, keepdims=True))
        variant = Variant.NO_RULE if place % 2 else base.variant
        found.append(replace(base, targets=Targets(months, weights), variant=variant, rebalance_on_change=True))
    return found


def drawn_differences(count: int, sessions: int) -> list[Differences]:
    """Return differences to buy-and-hold that move together, as those of scenarios of one study do."""
    draws = np.random.default_rng(3)
    common = draws.normal(0.0, 0.004, sessions)
    return [
        Differences(*(common + draws.normal(draws.normal(0.0, 1e-5), 0.002, sessions) for _ in range(2)))
        for _ in range(count)
    ]


def judged(drawn: Sequence[Differences], sums: Floats, sessions: int) -> None:
    """Judge all scenarios as one family, by both measures: those with days, or those of which sums are known."""
    everyone = range(len(sums))
    samples = samples_of(sessions, BLOCK, 1)
    for evidence in gather(enumerate(drawn), sums, [frozenset(everyone)], samples, BLOCK).values():
        judge(evidence, 0, everyone, Tried(len(sums)))


def _figure(what: str, scenarios: int, sessions: int, work: Callable[[], object]) -> Figure:
    began = time.process_time()
    work()
    cpu = time.process_time() - began
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1_048_576 if sys.platform == "darwin" else 1_024)
    return Figure(what, scenarios, sessions, cpu, cpu / seconds_of_a_pass(), largest)


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    rows = [
        [
            one.what,
            *(f"{number:,}".replace(",", " ") for number in (one.scenarios, one.sessions)),
            f"{one.cpu_seconds:.1f}",
            f"{one.passes:.1f}",
            f"{one.megabytes:.0f}",
        ]
        for one in figures
    ]
    report.print_table(COLUMNS, rows)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    # What is compiled, and imported, is no part of it.
    measure(2, 100, 2)
    figures = measure()
    show(figures)
    return {"selection": [asdict(figure) for figure in figures]}


if __name__ == "__main__":
    report.run("Simulate scenarios on mixes, and test whether the best of many is luck.", main)
