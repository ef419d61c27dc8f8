"""What the lake holds for a study, and whether it answers what the study asks now.

How any of it is computed belongs in ``steps``; the hashes that tell are made in ``fingerprints``.
"""

from collections.abc import Mapping

from pipelines.lab.fingerprints import market_fingerprint, scenario_fingerprint
from sd_core.errors import NotReadyError
from sd_core.lake import Lake, Version
from sd_core.market.build import to_panel
from sd_core.market.panel import Panel
from sd_core.simulation.engine import ENGINE_VERSION
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

MARKET = "market"
SIMULATIONS = "simulations"

WHOLE_RUN_FIRST = "first run the whole study, with `sdlab run` or the job refresh in Dagster"
OTHER_SETTINGS = (
    "the prices in the lake were prepared for other settings of this study (source, dates, sessions, tickers, "
    "currency, risk-free rate or price index)"
)


def answers(market: Version, study: Study) -> bool:
    """Return whether a market of the lake was prepared for the present settings of a study."""
    return bool(market.facts["market_hash"] == market_fingerprint(study))


def current_market(study: Study, lake: Lake) -> Version:
    """Return the market in the lake.

    Raises:
        NotReadyError: there is none, or one for other settings of the study.
    """
    market = lake.current(MARKET)
    if market is None:
        raise NotReadyError(f"no prices in the lake yet: {WHOLE_RUN_FIRST}")
    if not answers(market, study):
        raise NotReadyError(f"{OTHER_SETTINGS}: {WHOLE_RUN_FIRST}")
    return market


def read_panel(study: Study, market: Version) -> Panel:
    """Return the panel of a stored market; the caller holds the lake's shared lock."""
    return to_panel(study, *(market.read(name) for name in ("sessions", "prices", "rates")))


def lake_key(scenario: Scenario) -> str:
    """Return a scenario's partition of the lake's dataset of simulations."""
    return f"{scenario.strategy}/{scenario.reserve_key}"


def stored_scenarios(study: Study, lake: Lake, metrics_version: str) -> dict[Scenario, Version]:
    """Return the study's scenarios that the lake holds; others in the lake belong to no table.

    One whose metrics another ``metrics_version`` of the SQL computed, and whose rows are gone, counts as not held.
    """
    found = {scenario: lake.current(SIMULATIONS, lake_key(scenario)) for scenario in study.scenarios}
    return {
        scenario: version
        for scenario, version in found.items()
        if version is not None and version.facts.get("metrics_version", metrics_version) == metrics_version
    }


def current_scenarios(study: Study, stored: Mapping[Scenario, Version], market: Version) -> frozenset[Scenario]:
    """Return the scenarios that answer what the study asks now, on the prices that the lake holds now."""
    return frozenset(
        scenario
        for scenario, version in stored.items()
        if version.facts["prices_version"] == market.facts["prices_version"]
        and version.facts["study_hash"] == scenario_fingerprint(study, scenario)
        and version.facts["engine_version"] == ENGINE_VERSION
    )
