"""Simulate every scenario from other start dates, where a study asks for it.

Which starts there are, and how one is simulated, belongs in ``sd_core.resampling``; what they say together in ``sql``.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipelines.lab.current import read_panel
from pipelines.steps.progress import Progress
from sd_core.lake import Version
from sd_core.resampling.starts import start_outcomes, start_places
from sd_core.schemas.lake import START_DATE_OUTCOME
from sd_core.simulation.rules import resolve_all
from sd_core.study.model import Study


def simulate_starts(study: Study, market: Version, progress: Progress) -> Mapping[str, pa.Table]:
    """Return the outcome of every scenario from each start; empty where the study asks for none."""
    schema = START_DATE_OUTCOME.arrow_schema
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    if study.start_dates is not None:
        panel = read_panel(study, market)
        rules = [*resolve_all(study, study.scenarios)]
        places = start_places(panel, study.start_dates)
        sessions = panel.sessions.tolist()
        found = start_outcomes(panel, rules, places)
        for done, (place, outcomes) in enumerate(zip(places, found, strict=True), start=1):
            columns["strategy"] += [scenario.strategy for scenario in study.scenarios]
            columns["reserve"] += [scenario.reserve for scenario in study.scenarios]
            columns["start_session"] += [sessions[place]] * len(outcomes)
            columns["last_session"] += [sessions[-1]] * len(outcomes)
            for one in outcomes:
                for name, value in {**one._asdict(), **one.after}.items():
                    if name != "after":
                        columns[name].append(value)
            progress("start dates simulated", done, len(places))
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    return {"start_date_outcome": pa.table(arrays, schema=schema)}
