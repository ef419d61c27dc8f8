"""A plan of a core and satellites: the compiled engine, and the plain one of the tests beside it.

Prices are those of ``market`` with dividends; signals are random numbers, as often true as real ones. What SQL takes to
find signals is not part of it.

    python -m benchmarks.buckets [--json FILE]
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.engines import OURS, best_seconds
from benchmarks.environments import PROJECT
from benchmarks.market import ASSETS, SESSIONS, make_panel, make_rules
from sd_core.buckets.history.contract import History, Plan, Satellite, Signals
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.presets import PRESETS, settings
from sd_core.market.arrays import Floats, day_numbers
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Regime
from sd_core.simulation.walk import Walk

CAPITAL, BUDGET, DEPOSIT = 1_000_000.0, 0.25, 1_000.0
SESSIONS_PER_MONTH, SESSIONS_PER_QUARTER = 21, 63
ENTRIES, EXITS = 0.02, 0.005
CONFIRMATIONS = 4
# Values agree when they differ by no more than this share.
AGREE = 1e-9

COLUMNS = ("engine", "outcome", "satellites", "tickers of each", "sessions", "seconds", "million ticker-sessions/s")


@dataclass(frozen=True)
class Size:
    """How many satellites, tickers of each, and sessions."""

    satellites: int
    tickers: int
    sessions: int

    @property
    def ticker_sessions(self) -> int:
        """How many ticker-sessions all satellites have together."""
        return self.satellites * self.tickers * self.sessions


SIZE, SLOW_SIZE = Size(5, 20, SESSIONS), Size(5, 20, 500)


@dataclass(frozen=True)
class Figure:
    """What one engine took.

    Attributes:
        engine: who.
        size: what was simulated.
        outcome: whether the values of all buckets are those of the compiled engine.
        seconds: the fastest of several runs of the compiled engine, the only one of the plain one.
    """

    engine: str
    size: Size
    outcome: str
    seconds: float


@dataclass(frozen=True)
class Task:
    """A plan with all that it is simulated on."""

    plan: Plan
    panel: Panel
    signals: Signals
    deposits: Floats
    core: Panel

    def walk(self) -> Walk:
        """Return the core before its first session."""
        rules = make_rules(len(self.core.tickers), 1, capital=self.plan.core_capital)
        return Walk(self.core, rules[0])


def make_task(size: Size) -> Task:
    """Return a plan whose satellites have the presets in turn, with equal targets from the start."""
    random = np.random.default_rng(1)
    tickers = size.satellites * size.tickers
    panel = make_panel(tickers, size.sessions)
    panel.dividends[SESSIONS_PER_QUARTER::SESSIONS_PER_QUARTER] = 0.5
    shape = panel.close.shape
    presets = list(PRESETS)
    satellites = tuple(
        Satellite(
            name=f"satellite_{place}",
            tickers=tuple(range(place * size.tickers, (place + 1) * size.tickers)),
            target=BUDGET / size.satellites,
            parameters=settings(presets[place % len(presets)]).parameters,
        )
        for place in range(size.satellites)
    )
    signals = Signals(
        is_entry=random.random(shape) < ENTRIES,
        conviction=random.integers(0, CONFIRMATIONS + 1, shape) / CONFIRMATIONS,
        order=random.random(shape),
        is_exit=random.random(shape) < EXITS,
        next_ex_date=day_numbers(panel.sessions)[:, None] + random.integers(3, 11, shape),
        regime=random.integers(0, len(Regime), size.sessions).astype(np.int8),
    )
    deposits = np.zeros(size.sessions)
    deposits[SESSIONS_PER_MONTH::SESSIONS_PER_MONTH] = DEPOSIT
    plan = Plan("plan", CAPITAL, BUDGET, satellites, starts_at_target=True, lot_sizes=(0.0,) * tickers, fee_rate=0.0005)
    core = replace(make_panel(ASSETS, size.sessions, seed=2), tickers=tuple(f"C{place}" for place in range(ASSETS)))
    return Task(plan, panel, signals, deposits, core)


def measure(size: Size = SIZE, slow: Size = SLOW_SIZE) -> list[Figure]:
    """Measure both engines, the plain one on fewer sessions."""
    task = make_task(size)
    seconds = best_seconds(lambda: _compiled(task))
    return [Figure(OURS, size, "", seconds), _plain(slow)]


def _compiled(task: Task) -> History:
    return simulate(task.plan, task.panel, task.signals, task.deposits, task.walk())


def _plain(size: Size) -> Figure:
    """Measure the engine that the tests compare SD Lab's with."""
    sys.path.insert(0, str(PROJECT / "tests"))
    from plain_engine import satellites

    task = make_task(size)
    expected = _compiled(task)
    began = time.perf_counter()
    found = satellites.simulate(task.plan, task.panel, task.signals, task.deposits, task.walk())
    seconds = time.perf_counter() - began
    same = len(found.ledger) == len(expected.ledger) and np.allclose(
        found.daily["value"], expected.daily["value"], rtol=AGREE, atol=AGREE
    )
    return Figure("plain engine of the tests", size, "agrees" if same else "differs", seconds)


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    rows = [
        [
            figure.engine,
            figure.outcome,
            *(f"{number:,}".replace(",", " ") for number in asdict(figure.size).values()),
            f"{figure.seconds:.2f}",
            f"{figure.size.ticker_sessions / figure.seconds / 1e6:.2g}",
        ]
        for figure in figures
    ]
    report.print_table(COLUMNS, rows, texts=2)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"buckets": [asdict(figure) for figure in figures]}


if __name__ == "__main__":
    report.run("Simulate a core with satellites.", main)
