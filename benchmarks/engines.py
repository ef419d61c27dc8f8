"""Engines side by side: the same prices and the same rule in one run, wherever another engine can express it.

Each alternative runs in an environment of its own (``environments``), and SD Lab runs the same task beside it
(``tasks``). How time and memory grow belongs in ``scale``, the way into the warehouse in ``warehouse``.

    python -m benchmarks.engines [--json FILE]
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.environments import PROJECT, ROOM, NotInstalledError, python_of
from benchmarks.market import ASSETS, SCENARIOS, SESSIONS, make_panel, write_case, write_panel
from benchmarks.processes import FailedError, Lines, run
from benchmarks.tasks import Outcome, Task, closes, closes_apart, closes_one_rung, difference, four_legs, in_bands, read
from sd_core.market.panel import Panel
from sd_core.simulation.rules import Order

# Runs are repeated for so long; the best one is the least disturbed by what else the machine does.
SECONDS = 2.0
# Slower by orders of magnitude, so they run fewer scenarios.
VECTORBT_SCENARIOS = 10
SLOW_SCENARIOS = 2

OURS = "SD Lab"

COLUMNS = (
    "engine",
    "rule",
    "outcome",
    "cores",
    "scenarios",
    "million asset-sessions/s",
    "SD Lab is faster",
    "fills/1 000",
    "first result, s",
    "uncached, s",
)


@dataclass(frozen=True)
class Figure:
    """What one engine made of one task.

    Attributes:
        engine, rule: who, and what.
        outcome: whether its trades and values agree with SD Lab's, or why it has none.
        cores: threads at work.
        scenarios: portfolios simulated.
        rate: asset-sessions per second, warm, the best of several runs; None where nothing could be measured.
        fills: trades of the rule per 1 000 asset-sessions.
        first_result: seconds from the start of a new process to its first scenario, with compiled code in the cache.
        first_result_uncached: the same with an empty cache; None for an engine that compiles nothing.
    """

    engine: str
    rule: str
    outcome: str = ""
    cores: int = 1
    scenarios: int | None = None
    rate: float | None = None
    fills: float | None = None
    first_result: float | None = None
    first_result_uncached: float | None = None


@dataclass(frozen=True)
class Alternative:
    """Another engine: name, package, script, what of it is used, and whether it compiles before it runs."""

    name: str
    package: str
    script: str
    usage: str = ""
    compiles: bool = False

    def label(self, version: str = "") -> str:
        """Return its name in the table."""
        return " ".join(part for part in (self.name, version, self.usage) if part)


VECTORBT = Alternative("vectorbt", "vectorbt", "run_vectorbt.py", "(flexible order function)", compiles=True)
VECTORBT_SIMPLE = Alternative("vectorbt", "vectorbt", "run_vectorbt_simple.py", "(order function)", compiles=True)
BT = Alternative("bt", "bt", "run_bt.py")
BACKTESTING = Alternative("backtesting.py", "backtesting", "run_backtesting.py")


def measure(assets: int = ASSETS, sessions: int = SESSIONS, scenarios: int = SCENARIOS) -> list[Figure]:
    """Measure every engine on one market, one after the other.

    Args:
        assets, sessions: size of the market.
        scenarios: number of reserves that SD Lab simulates.
    """
    panel = make_panel(assets, sessions)
    whole, one_rung = four_legs(panel, scenarios), closes_one_rung(panel, scenarios)
    on_closes, apart = closes(panel, scenarios), closes_apart(panel, scenarios)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        return [
            Figure("numpy: sum of the prices", "", rate=rate_of_sums(panel)),
            *with_first_result(own_figures(whole), panel, [Order.UNIVERSE.name], scratch),
            *own_figures(four_legs(panel, scenarios, Order.NAV_OPPORTUNISTIC)),
            *with_first_result(
                own_figures(in_bands(panel, scenarios)), panel, [Order.UNIVERSE.name, "banded"], scratch
            ),
            plain_figure(whole.first(SLOW_SCENARIOS)),
            alternative_figure(VECTORBT, whole.first(VECTORBT_SCENARIOS), panel, scratch),
            *own_figures(one_rung)[:1],
            alternative_figure(VECTORBT_SIMPLE, one_rung.first(VECTORBT_SCENARIOS), panel, scratch),
            *own_figures(on_closes)[:1],
            alternative_figure(BT, on_closes.first(SLOW_SCENARIOS), panel, scratch),
            *own_figures(apart)[:1],
            alternative_figure(BACKTESTING, apart.first(SLOW_SCENARIOS), panel, scratch),
        ]


def best_seconds(work: Callable[[], object]) -> float:
    """Return the shortest time of as many runs as fit into ``SECONDS``, after one that is not counted."""
    work()
    seconds: list[float] = []
    while sum(seconds) < SECONDS:
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def rate_of_sums(panel: Panel) -> float:
    """Return how many asset-sessions a second numpy sums up in four arrays: about as fast as prices can be read."""
    arrays = (panel.open, panel.high, panel.low, panel.close)
    return panel.close.size / best_seconds(lambda: [array.sum() for array in arrays])


def own_figures(task: Task) -> list[Figure]:
    """Measure SD Lab on one core and on all of them, where results must be the same to the last bit."""
    cores = os.cpu_count() or 1
    for serial, parallel in zip(task.results(1), task.results(cores), strict=True):
        for name in ("ledger", "daily", "lots"):
            same = getattr(serial, name).tobytes() == getattr(parallel, name).tobytes()
            assert same, f"{task.rule}: {name} depends on the cores"
    fills = fills_per_1000(task, task.outcomes())
    return [
        Figure(
            OURS,
            task.rule,
            cores=workers,
            scenarios=len(task.rules),
            rate=task.asset_sessions / best_seconds(partial(_drop_results, task, workers)),
            fills=fills,
        )
        for workers in sorted({1, cores})
    ]


def _drop_results(task: Task, workers: int) -> None:
    for _ in task.results(workers):
        pass


def with_first_result(figures: Sequence[Figure], panel: Panel, settings: Sequence[str], scratch: Path) -> list[Figure]:
    """Add to the first figure how long a new process takes to its first scenario, with the settings of its rules."""
    prices = scratch / "panel.npz"
    write_panel(prices, panel)
    command = [sys.executable, "-m", "benchmarks.first_result", str(prices), *settings]
    uncached, cached = run_twice(command, scratch / "_".join(["compiled", *settings]))
    first = replace(figures[0], first_result=cached.first_after, first_result_uncached=uncached.first_after)
    return [first, *figures[1:]]


def run_twice(command: Sequence[str], cache: Path) -> tuple[Lines, Lines]:
    """Run a command with an empty cache of compiled code, and once more with what that run left in it."""
    environment = {"NUMBA_CACHE_DIR": str(cache)}
    return run(command, environment), run(command, environment)


def plain_figure(task: Task) -> Figure:
    """Measure the engine that the tests compare SD Lab's with."""
    sys.path.insert(0, str(PROJECT / "tests"))
    import plain_engine

    (panel,) = task.panels
    began = time.perf_counter()
    results = [plain_engine.simulate(panel, rules) for rules in task.rules]
    seconds = time.perf_counter() - began
    return compared("plain engine of the tests", task, seconds, [read(result) for result in results])


def alternative_figure(alternative: Alternative, task: Task, panel: Panel, scratch: Path) -> Figure:
    """Measure an alternative in its environment, or say why that was not possible."""
    case = (scratch / alternative.script).with_suffix(".npz")
    write_case(case, panel, task.rules, capital=task.rules[0].capital * len(task.panels))
    try:
        command = [str(python_of(alternative.package)), str(ROOM / "alternatives" / alternative.script), str(case)]
        uncached, lines = run_twice(command, case.with_suffix("")) if alternative.compiles else (None, run(command))
    except (NotInstalledError, FailedError) as error:
        return Figure(alternative.label(), task.rule, f"not measured: {error}")
    said = json.loads(lines.last)
    found = [Outcome(**outcome) for outcome in said["outcomes"]]
    return replace(
        compared(alternative.label(said["version"]), task, said["seconds"], found),
        first_result=lines.first_after,
        first_result_uncached=uncached.first_after if uncached else None,
    )


def compared(engine: str, task: Task, seconds: float, found: Sequence[Outcome]) -> Figure:
    """Return the figure of an engine that did a task, compared with SD Lab."""
    return Figure(
        engine,
        task.rule,
        difference(task.outcomes(), found) or "agrees",
        scenarios=len(task.rules),
        rate=task.asset_sessions / seconds,
        fills=fills_per_1000(task, found),
    )


def fills_per_1000(task: Task, outcomes: Iterable[Outcome]) -> float:
    """Return the trades of the rule per 1 000 asset-sessions."""
    return 1000 * sum(outcome.fills for outcome in outcomes) / task.asset_sessions


def show(figures: Sequence[Figure]) -> None:
    """Print the table, and what share of the rate of numpy's sums SD Lab reaches."""
    own = {figure.rule: figure.rate for figure in figures if figure.engine == OURS and figure.cores == 1}
    report.print_table(COLUMNS, [_cells(figure, own.get(figure.rule)) for figure in figures], texts=3)
    sums, whole = figures[0].rate, figures[1].rate
    if sums and whole:
        print(f"\nOne core, with the whole ledger, reaches {whole / sums:.0%} of the rate of numpy's sums.\n")


def _cells(figure: Figure, own_rate: float | None) -> list[str]:
    slower = own_rate / figure.rate if own_rate and figure.rate and figure.engine != OURS else None
    millions = figure.rate / 1e6 if figure.rate else None
    return [
        figure.engine,
        figure.rule,
        figure.outcome,
        str(figure.cores),
        "" if figure.scenarios is None else str(figure.scenarios),
        "" if millions is None else f"{millions:.0f}" if millions >= 10 else f"{millions:.2g}",
        "" if slower is None else f"{slower:,.0f} times".replace(",", " "),
        "" if figure.fills is None else f"{figure.fills:.1f}",
        "" if figure.first_result is None else f"{figure.first_result:.1f}",
        "" if figure.first_result_uncached is None else f"{figure.first_result_uncached:.1f}",
    ]


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"engines": [asdict(figure) for figure in figures]}


if __name__ == "__main__":
    report.run("Compare engines on the same prices and rules.", main)
