"""How long signals take, and, apart from ``make bench``, how often noise is said to predict.

CPU seconds of this process; those of signals also in passes of numpy, as in ``mixes``.

    python -m benchmarks.signals
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.homes import make_home, make_study
from benchmarks.market import make_panel
from benchmarks.mixes import seconds_of_a_pass
from benchmarks.report import print_table
from pipelines.lab.current import current_market
from pipelines.lab.home import StudyHome
from pipelines.steps.progress import unheard
from pipelines.steps.signal_inputs import boost, evaluated_signals, read_inputs
from pipelines.warehouse.models import own_models
from sd_core.schemas.signals import HORIZONS, SIGNAL_FILE

KINDS = (
    "momentum", "sector", "trend", "reversal", "mean_reversion", "relative_strength", "low_volatility", "discount",
    "ex_dividend", "spillover",
)  # fmt: skip
SIZES = (20, 100)
COLUMNS = ("assets", "sessions", "signals", "passes of numpy", "quality", "leads", "boosted trees")
SESSIONS = 8_300
# Of noise: signals of each kind, assets and sessions, 15 years, and how much of a value is left a month later.
NOISE, NOISE_ASSETS, NOISE_SESSIONS, KEPT = 180, 20, 4_000, (0.0, 0.9)


def home_of(root: Path, assets: int, sessions: int, signals: Mapping[str, object]) -> StudyHome:
    """Return the home of a study with signals on drawn prices."""
    panel = make_panel(assets, sessions)
    return make_home(root, make_study(panel, [0.0], {"buy_and_hold": {}}, signals=signals), panel)


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def times(assets: int, sessions: int = SESSIONS) -> dict[str, float]:
    """Return by column what signals, their quality, leads between assets and boosted trees take for so many assets."""
    asked = {kind: {"kind": kind} for kind in KINDS} | {"both": {"kind": "blend", "of": {"momentum": 1, "trend": 1}}}
    with tempfile.TemporaryDirectory() as folder:
        home = home_of(Path(folder), assets, sessions, asked)
        market = current_market(home.study, home.lake)
        own_models()

        def built(*names: str) -> float:
            def build() -> None:
                with evaluated_signals(home.study, market, inputs, *names):
                    pass

            return seconds(build)

        inputs = read_inputs(home.study, market, unheard)
        # Returns and the benchmark are built in any case.
        base = built("asset_returns", "benchmark_daily", "rates")
        signals, quality = built("signal", "rates"), built("signal", "report_signal", "rates")
        levels = built("asset_level", "signal_session")
        leads = seconds(lambda: read_inputs(home.study, market, unheard)) - levels
        trees = seconds(lambda: boost(home.study, market, inputs, "", None)) - signals
        own = signals - base
        figures = (assets, sessions, own, own / seconds_of_a_pass(), quality - signals, leads, trees)
        return dict(zip(COLUMNS, figures, strict=True))


def noise(kept: float) -> list[Sequence[str]]:
    """Return a row per horizon: how many signals of noise predict."""
    asked: dict[str, object] = {f"s{number}": {"kind": "file", "file": "drawn"} for number in range(NOISE)}
    draws = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        home = home_of(Path(folder), NOISE_ASSETS, NOISE_SESSIONS, asked)
        market = current_market(home.study, home.lake)
        sessions = market.read("sessions")["session"].to_numpy().astype("datetime64[D]")
        days = sessions[np.flatnonzero(np.diff(sessions.astype("datetime64[M]").astype(int)))]
        values = draws.normal(size=(NOISE, len(days), NOISE_ASSETS))
        for now in range(1, len(days)):
            values[:, now] = kept * values[:, now - 1] + np.sqrt(1 - kept**2) * values[:, now]
        signal, month, asset = (places.ravel() for places in np.indices(values.shape))
        rows = {
            "signal": np.char.add("s", signal.astype(str)),
            "date": days[month],
            "ticker": np.array(home.study.tickers)[asset],
            "value": values.ravel(),
        }
        inputs = {SIGNAL_FILE.name: pa.table(rows).cast(SIGNAL_FILE.arrow_schema)}
        with evaluated_signals(home.study, market, inputs, "report_signal") as connection:
            found = dict(connection.execute(_CLAIMS).fetchall())
    return [[f"{kept:g}", str(horizon), str(NOISE), str(found[horizon])] for horizon in HORIZONS]


_CLAIMS = "select horizon, count(signal) filter (where verdict = 'predicts') from report_signal group by horizon"


def main() -> dict[str, Any]:
    """Measure how long signals take, print, and return the figures for JSON."""
    figures = [times(assets) for assets in SIZES]
    rows = [[f"{one[name]:.0f}" if name in COLUMNS[:2] else f"{one[name]:.1f}" for name in COLUMNS] for one in figures]
    print_table(COLUMNS, rows, texts=0)
    print()
    return {"signals": figures}


if __name__ == "__main__":
    main()
    print_table(
        ("kept a month later", "horizon", "signals of noise", "predict"), [row for kept in KEPT for row in noise(kept)]
    )
