"""From prices to tables: scenarios simulated, written to the lake, loaded into the warehouse, audited, published.

It is the way that ``sdlab run`` goes, without fetching and without Dagster, in a temporary folder.

    python -m benchmarks.warehouse [--json FILE]
"""

import datetime as dt
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import report
from benchmarks.market import ASSETS, CAPITAL, HIGHEST_RESERVE, SCENARIOS, SESSIONS, make_panel
from pipelines.lab.current import MARKET
from pipelines.lab.fingerprints import market_fingerprint
from pipelines.lab.home import SQL, StudyHome
from pipelines.steps.datasets import DERIVED
from pipelines.steps.rebuild import rebuild
from pipelines.steps.simulate import simulate_into_lake
from pipelines.warehouse.audit import read_identities
from pipelines.warehouse.models import COPIED_LAYER, read_models
from sd_core.market.build import Market, build_market, version
from sd_core.market.panel import Panel
from sd_core.market.sources.bars import no_events
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory
from sd_core.study.model import Study

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
    result = rebuild(home.study, home.lake, home.published, models, identities, DERIVED)
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
    study = Study.model_validate(
        {
            "name": "benchmark",
            "source": {"kind": "sample"},
            "start": panel.sessions[0].astype(dt.date),
            "sessions": "intersection",
            "capital": CAPITAL,
            "universe": {ticker: {"weight": 1.0} for ticker in panel.tickers},
            "reserves": [round(float(step * place), 4) for place in range(scenarios)],
            "strategies": {"sd8": {"rule": {"sd_n": 8, "profit_share": 0.5}}},
        }
    )
    home = StudyHome(root / "benchmark.yaml", study, root)
    market = _market(study, panel)
    facts = {"prices_version": version(market), "market_hash": market_fingerprint(study)}
    home.lake.write(MARKET, "", vars(market), facts)
    return home


def _market(study: Study, panel: Panel) -> Market:
    """Return the panel as the tables that the lake holds."""
    dates = pd.DatetimeIndex(panel.sessions.astype("datetime64[us]"), name="date")
    fetched = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    histories = {
        ticker: PriceHistory(
            ticker=ticker,
            bars=pd.DataFrame({name: getattr(panel, name)[:, place] for name in BAR_COLUMNS}, index=dates),
            dividends=no_events(),
            splits=no_events(),
            source="benchmarks",
            fetched_at=fetched,
        )
        for place, ticker in enumerate(panel.tickers)
    }
    return build_market(study, histories, None)


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
