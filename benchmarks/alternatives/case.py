"""What every alternative reads and prints. It runs in an environment of its own, so nothing here is of SD Lab.

The prices and rules come from the ``.npz`` file that the command line names. A line is printed when the first result is
there, and at the end one line of JSON: seconds of the fastest of several runs, and what came out of it, to be compared.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TypeVar

import numpy as np

# At least so many runs, and for so long; the best one counts.
REPEATS, SECONDS = 3, 2.0
# Money that the bank may lack by rounding, and the share by which a price may miss a limit; see docs/simulation.md.
DUST = 1e-9
TOUCH = 1e-12

Simulated = TypeVar("Simulated")


@dataclass(frozen=True)
class Case:
    """Prices of shape (sessions, assets), the dates, and the rules of the scenarios, one per reserve."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    sessions: np.ndarray
    reserves: np.ndarray
    capital: float
    bracket: float
    profit_share: float


@dataclass(frozen=True)
class Outcome:
    """One scenario: trades of the rule, the money they moved, and the portfolio's value at the end."""

    fills: int
    turnover: float
    final_value: float


def read_case() -> Case:
    """Read the case that the command line names."""
    with np.load(sys.argv[1]) as file:
        arrays = {name: file[name] for name in Case.__dataclass_fields__}
    return Case(**{name: value if value.ndim else float(value) for name, value in arrays.items()})


def measure(
    package: str,
    case: Case,
    simulate: Callable[[Case], Simulated],
    read: Callable[[Simulated], list[Outcome]],
) -> None:
    """Print how long the simulation takes and what came of it; reading the outcomes is not timed."""
    simulate(replace(case, reserves=case.reserves[:1]))
    print("first result", flush=True)
    seconds: list[float] = []
    while len(seconds) < REPEATS or sum(seconds) < SECONDS:
        began = time.perf_counter()
        simulated = simulate(case)
        seconds.append(time.perf_counter() - began)
    outcomes = [vars(outcome) for outcome in read(simulated)]
    print(json.dumps({"version": version(package), "seconds": min(seconds), "outcomes": outcomes}), flush=True)
