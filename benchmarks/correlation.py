"""Correlation of every pair of assets over 63 sessions: SD Lab beside pandas and Polars, on the same drawn prices.

    .venv/bin/python benchmarks/correlation.py

Polars is installed into a temporary environment and removed with it. Each figure is the best of three, the first call
apart. Polars and pandas have no way to compute some sessions only; both give every session, of which month ends are
taken.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

WINDOW = 63
SESSIONS_PER_MONTH = 21
REPEATS = 3
POLARS = "polars==1.35.2"
# Assets, sessions, and whether every session is wanted or month ends only.
CASES = ((20, 8300, True), (500, 2500, False))
# Beyond this many pairs, a tool that computes every session runs out of the memory of a small machine.
MOST_PAIRS_OF_EVERY_SESSION = 10_000


def prices(assets: int, sessions: int) -> np.ndarray:
    """Return closes that share a common factor, a row per session."""
    draws = np.random.default_rng(1)
    moves = draws.normal(0, 0.01, (sessions, 1)) + draws.normal(0, 0.01, (sessions, assets))
    return np.asarray(100 * np.exp(np.cumsum(moves, axis=0)))


def best(measured: Callable[[], object]) -> float:
    """Return the shortest of some runs in seconds, after one that does not count."""
    measured()
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        measured()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def sd_lab(closes: np.ndarray, rows: np.ndarray) -> float:
    """Time SD Lab's own."""
    from sd_core.analytics.correlation import rolling

    return best(lambda: rolling(closes, rows, WINDOW))


def pandas(closes: np.ndarray) -> float:
    """Time pandas' rolling correlation of a data frame with itself."""
    import pandas as pd

    returns = pd.DataFrame(np.log(closes)).diff()
    return best(lambda: returns.rolling(WINDOW).corr())


def polars(closes: np.ndarray) -> float:
    """Time Polars' rolling correlation, one expression per pair."""
    import polars as pl

    returns = pl.DataFrame(np.diff(np.log(closes), axis=0), schema=[str(asset) for asset in range(closes.shape[1])])
    pairs = [
        pl.rolling_corr(pl.col(str(one)), pl.col(str(other)), window_size=WINDOW).alias(f"{one}-{other}")
        for one in range(closes.shape[1])
        for other in range(one + 1, closes.shape[1])
    ]
    return best(lambda: returns.select(pairs))


def polars_elsewhere(assets: int, sessions: int) -> float:
    """Time Polars in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder, "bin", "python"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", "numpy", POLARS], check=True)
        command = [python, __file__, "polars", str(assets), str(sessions)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the figures of every case."""
    print(f"{os.cpu_count()} cores; seconds, window of {WINDOW} sessions")
    for assets, sessions, every_session in CASES:
        closes = prices(assets, sessions)
        rows = np.arange(WINDOW, sessions, 1 if every_session else SESSIONS_PER_MONTH)
        where = "every session" if every_session else "month ends"
        figures = {"SD Lab": sd_lab(closes, rows)}
        if assets * (assets - 1) // 2 <= MOST_PAIRS_OF_EVERY_SESSION:
            figures |= {"pandas": pandas(closes), "Polars": polars_elsewhere(assets, sessions)}
        told = ", ".join(f"{tool} {seconds:.2f}" for tool, seconds in figures.items())
        print(f"{assets} assets x {sessions} sessions, {where}: {told}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["polars", assets, sessions]:
            print(polars(prices(int(assets), int(sessions))))
        case _:
            main()
