"""What a second core is worth: numpy, the engine without its ledger, and with it, on one thread and on two.

Rounds of everything follow each other, each in the other direction, so that what else the machine does, and what ran
just before, disturbs all alike; the best of each counts.
New pages of memory say why a second core may be worth less.

    python -m benchmarks.cores [--json FILE]
"""

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import report
from benchmarks.market import ASSETS, SCENARIOS, SESSIONS, make_panel, make_rules
from sd_core.market.panel import Panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Rules

THREADS = (1, 2)
ROUNDS = 100
# numpy adds prices up so often that it takes as long as the scenarios.
SUMS = 400

COLUMNS = ("work", "1 thread, ms", "2 threads, ms", "gain", "CPU of 2 threads over 1", "new pages of 2 threads")


@dataclass(frozen=True)
class Spent:
    """What a piece of work took: seconds, seconds of CPU, and pages of memory that the system handed out for it."""

    seconds: float
    computed: float
    pages: int


@dataclass(frozen=True)
class Gain:
    """A kind of work, and the best of its rounds on one thread and on two; pages are the median's."""

    work: str
    one: Spent
    two: Spent

    @property
    def gain(self) -> float:
        """How many times as much two threads do."""
        return self.one.seconds / self.two.seconds


def measure(
    assets: int = ASSETS, sessions: int = SESSIONS, scenarios: int = SCENARIOS, rounds: int = ROUNDS, sums: int = SUMS
) -> list[Gain]:
    """Measure every kind of work on one market, after one round that is not counted."""
    panel, rules = make_panel(assets, sessions), make_rules(assets, scenarios)
    works: Mapping[str, Callable[[int], None]] = {
        "numpy: sum of the prices": lambda threads: _add_up(panel, threads, sums),
        "SD Lab without ledger": lambda threads: _simulate(panel, rules, threads, ledger=False),
        "SD Lab": lambda threads: _simulate(panel, rules, threads, ledger=True),
    }
    cases = [(name, threads) for name in works for threads in THREADS]
    found = [
        {(name, threads): _spent(works[name], threads) for name, threads in cases[:: -1 if place % 2 else 1]}
        for place in range(rounds + 1)
    ][1:]
    return [Gain(name, *(_best([one[name, threads] for one in found]) for threads in THREADS)) for name in works]


def _add_up(panel: Panel, threads: int, times: int) -> None:
    arrays = (panel.open, panel.high, panel.low, panel.close)

    def add(_: int) -> None:
        for array in arrays:
            array.sum()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(add, range(times)))


def _simulate(panel: Panel, rules: Sequence[Rules], threads: int, *, ledger: bool) -> None:
    for _ in simulate(panel, rules, threads, ledger=ledger):
        pass


def _spent(work: Callable[[int], None], threads: int) -> Spent:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work(threads)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(seconds, computed, after.ru_minflt - before.ru_minflt)


def _best(spent: Sequence[Spent]) -> Spent:
    pages = sorted(one.pages for one in spent)
    return Spent(min(one.seconds for one in spent), min(one.computed for one in spent), pages[len(pages) // 2])


def show(gains: Sequence[Gain]) -> None:
    """Print the table."""
    rows = [
        [
            one.work,
            *(f"{spent.seconds * 1e3:.1f}" for spent in (one.one, one.two)),
            f"{one.gain:.2f}",
            f"{one.two.computed / one.one.computed:.2f}",
            str(one.two.pages),
        ]
        for one in gains
    ]
    report.print_table(COLUMNS, rows)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    gains = measure()
    show(gains)
    return {"cores": [asdict(one) | {"gain": one.gain} for one in gains]}


if __name__ == "__main__":
    report.run("Compare one thread with two.", main)
