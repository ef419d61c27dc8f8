"""One simulated scenario: its rows as frames, its metrics, and its charts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from pipelines.report.choice import Choice, Shown, look
from pipelines.report.numbers import level
from pipelines.report.performance import Days, read_days
from pipelines.report.svg import drawing
from pipelines.steps.simulate import simulated_alone
from pipelines.warehouse.reduction import METRICS
from sd_core.study.findings import show

if TYPE_CHECKING:
    import pandas as pd

    from sd_core.lake import Lake
    from sd_core.study.model import Study
    from sd_core.study.scenario import Scenario


@dataclass(frozen=True)
class Drawing:
    """Charts as one SVG, which a notebook shows as an image."""

    name: str
    svg: str

    def _repr_html_(self) -> str:
        # As an image, so that the style of the drawing stays its own.
        data = base64.b64encode(self.svg.encode()).decode()
        return f'<img alt="{escape(self.name)}" src="data:image/svg+xml;base64,{data}">'


@dataclass(frozen=True, eq=False)
class Run:
    """What a scenario did.

    Attributes:
        name: the strategy, what of it was changed, and the reserve.
        ledger: a row per movement of cash and per refusal, as in the table ``simulation_ledger``.
        daily: a row per session, as in the table ``simulation_daily``.
    """

    name: str
    ledger: pd.DataFrame = field(repr=False)
    daily: pd.DataFrame = field(repr=False)
    _metrics: pd.Series[Any] = field(repr=False)
    _days: list[dict[str, Any]] = field(repr=False)

    def metrics(self) -> pd.Series[Any]:
        """Return the metrics of the whole period by name: the scenario's row of the table ``simulation_metrics``."""
        return self._metrics.copy()

    def plot(self, *others: Run) -> Drawing:
        """Draw growth, drawdown and share of cash as the report draws them, beside those of other runs."""
        runs = (self, *others)
        shown = tuple(Shown({}, run.name, look(place)) for place, run in enumerate(runs))
        days = Days(Choice(shown, ""), {place: run._days for place, run in enumerate(runs)})  # noqa: SLF001
        return Drawing(" and ".join(run.name for run in runs), drawing([days.growth(), days.drawdown(), days.cash()]))


def run_alone(study: Study, lake: Lake, scenario: Scenario, changes: Mapping[str, Any]) -> Run:
    """Simulate a scenario of a study, which has its changes already, on the prices in the lake.

    Raises:
        NotReadyError: the lake has no market for the study.
    """
    altered = "".join(f", {key} {show(value)}" for key, value in changes.items())
    name = f"{scenario.strategy}{altered}, reserve {level(scenario.reserve)}"
    choice = Choice((Shown(scenario._asdict(), name, look(0)),), "")
    with simulated_alone(study, lake, scenario) as connection:
        return Run(
            name,
            connection.sql("from simulation_ledger order by seq").df(),
            connection.sql("from simulation_daily order by session").df(),
            connection.sql(f"from {METRICS.name}").df().iloc[0].rename(name),
            read_days(connection, choice)[0],
        )
