"""Simulate a study's plans of a core with satellites on the prices in the lake.

What happens within a session belongs in ``sd_core.buckets``, the signals and the market's regime in ``sql``.
"""

import pyarrow as pa

from pipelines.lab.current import read_panel
from pipelines.steps.progress import Progress
from pipelines.steps.signals import judged, satellite_panel, signals_of
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.history.plans import core_rules, plan_deposits, plan_of, tickers_of
from sd_core.buckets.history.tables import to_tables
from sd_core.lake import Version
from sd_core.simulation.walk import Walk
from sd_core.study.model import Study


def simulate_plan(study: Study, market: Version, _: Progress) -> dict[str, pa.Table]:
    """Return the rows of the one plan that a study has."""
    (name,) = study.buckets
    panel = read_panel(study, market)
    tickers = tickers_of(study, name)
    satellites = satellite_panel(market, tickers)
    with judged(study, market) as connection:
        signals = signals_of(connection, name, satellites)
    plan, deposits = plan_of(study, name), plan_deposits(study, name, panel.sessions)
    core = Walk(panel, core_rules(study, name))
    history = simulate(plan, satellites, signals, deposits, core)
    return to_tables(plan, tickers, panel.sessions, deposits, history, panel.tickers, core.result())
