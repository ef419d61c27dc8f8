"""From prices to tables: scenarios simulated, written to the lake, loaded into the warehouse, audited, published.

It is the way that ``sdlab run`` goes, without fetching and without Dagster, in a temporary folder.

    python -m benchmarks.warehouse [--json FILE]
"""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.homes import SD8, make_home, make_study
from benchmarks.market import ASSETS, HIGHEST_RESERVE, SCENARIOS, SESSIONS, make_panel
from pipelines.lab.home import SQL, StudyHome
from pipelines.steps.datasets import DERIVED
from pipelines.steps.rebuild import rebuild
from pipelines.steps.simulate import simulate_into_lake
from pipelines.warehouse.audit import read_identities
from pipelines.warehouse.models import COPIED_LAYER, read_models
from sd_core.market.panel import Panel

# The first run compiles, and fills the caches of the system; the last one counts.
RUNS = 3


@dataclass(frozen=True)
class Seconds:
    """Where the time goes, in seconds.

    Attributes:
        stored: simulating and writing the lake.
        loaded: copying the lake into the warehouse's staging tables.
        derived: the tables that SQL computes from those, and every check on every row beside them.
        published: opening, registering, renaming, pruning.
    """

    stored: float
    loaded: float
    derived: float
    published: float

    @property
    def into_tables(self) -> float:
        """From prices to rows in the warehouse, before anything is derived or checked."""
        return self.stored + self.loaded + self.published

    @property
    def total(self) -> float:
        """All of it."""
        return self.into_tables + self.derived


def measure(assets: int = ASSETS, sessions: int = SESSIONS, scenarios: int = SCENARIOS) -> tuple[Seconds, int]:
    """Return the seconds of a warm run, and the rows that the warehouse holds then."""
    with tempfile.TemporaryDirectory() as folder:
        home = _home(Path(folder), make_panel(assets, sessions), scenarios)
        for _ in range(RUNS):
            seconds, rows = _run(home)
    return seconds, rows


def _run(home: StudyHome) -> tuple[Seconds, int]:
    models, identities = read_models(SQL), read_identities(SQL / "audit")
    began = time.perf_counter()
    for scenario, outcome in simulate_into_lake(home.study, home.lake, home.study.scenarios):
        if isinstance(outcome, Exception):
            raise RuntimeError(f"{scenario} was not stored") from outcome
    stored = time.perf_counter()
    result = rebuild(home.study, home.lake, home.published, models, identities, DERIVED, whole=True)
    rebuilt = time.perf_counter() - stored
    assert result.sound, "the rebuilt warehouse breaks a law"
    loaded = sum(result.built[model.name].seconds for model in models if model.layer == COPIED_LAYER)
    derived = result.seconds - loaded
    rows = sum(built.rows or 0 for built in result.built.values())
    return Seconds(stored - began, loaded, derived, rebuilt - result.seconds), rows


def _home(root: Path, panel: Panel, scenarios: int) -> StudyHome:
    """Return a study on the panel, whose market lies in its lake."""
    # Reserves have two decimals of a percent, so they step a little more finely than ``make_rules`` has them.
    step = np.floor(HIGHEST_RESERVE / scenarios * 1e4) / 1e4
    reserves = [round(float(step * place), 4) for place in range(scenarios)]
    return make_home(root, make_study(panel, reserves, {"sd8": SD8}), panel)


def show(seconds: Seconds, rows: int) -> None:
    """Print the table."""
    names: Mapping[str, float] = {
        "simulate and write the lake": seconds.stored,
        "load the staging tables": seconds.loaded,
        "open, register, publish, prune": seconds.published,
        "**from prices to tables**": seconds.into_tables,
        "derive the other tables, audit": seconds.derived,
        "**all of it**": seconds.total,
    }
    report.print_table(("part", "seconds"), [[name, f"{value:.2f}"] for name, value in names.items()])
    print(f"\n{rows:,} rows in the warehouse.\n".replace(",", " "))


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    seconds, rows = measure()
    show(seconds, rows)
    return {"warehouse": asdict(seconds) | {"into_tables": seconds.into_tables, "total": seconds.total, "rows": rows}}


if __name__ == "__main__":
    report.run("Time the way from prices to published tables.", main)
