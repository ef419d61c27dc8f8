"""What a run has to do: everything whose inputs have changed since it was computed, and nothing else.

Importing this is quick, so that a run with nothing to do ends at once. What is found outdated here is done by the other
steps; each of them looks again when its turn comes, since the one before may have changed nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.lab.current import (
    MARKET,
    current_market,
    is_prepared,
    outdated_tickers,
    partitions_of,
    up_to_date_scenarios,
)
from pipelines.lab.home import StudyHome
from pipelines.lab.publication import inputs_of, is_published
from pipelines.lab.sweeps import held_sweeps
from pipelines.steps.datasets import DERIVED, REFRESHED, decided
from pipelines.steps.derived import lake_keys
from sd_core.lake import Lake, until_unmoved
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario


@dataclass(frozen=True)
class Plan:
    """What is outdated; what comes of an outdated step may prove the steps after it outdated, too.

    Attributes:
        tickers: of which the source may have other prices.
        prepares: whether the market is prepared again, prices apart.
        scenarios: that are missing, or computed on other prices, rules or code.
        derived: names of datasets that are.
        publishes: whether the warehouse is rebuilt.
    """

    tickers: Sequence[str]
    prepares: bool
    scenarios: Sequence[Scenario]
    derived: Sequence[str]
    publishes: bool

    @property
    def is_empty(self) -> bool:
        """Whether everything answers the study."""
        return not (self.tickers or self.prepares or self.scenarios or self.derived or self.publishes)


def plan_run(home: StudyHome) -> Plan:
    """Return what a run of the whole study has to do."""
    return until_unmoved(lambda: _plan(home))


def _plan(home: StudyHome) -> Plan:
    study = home.study
    with home.lake.shared():
        lake = home.lake.snapshot()
        tickers, prepares = outdated_tickers(study, lake), not is_prepared(study, lake)
        market = lake.current(MARKET)
        if market is None or prepares:
            # Whether anything is still of use shows when there are prices.
            return Plan(tickers, True, study.scenarios, [one.name for one in REFRESHED if one.parts(study, lake)], True)
        scenarios = outdated_scenarios(study, lake)
        derived = [
            one.name
            for one in REFRESHED
            if one.outdated(study, lake, market) or (scenarios and one.reads_scenarios and one.parts(study, lake))
        ]
        return Plan(tickers, prepares, scenarios, derived, not _is_published(home, lake))


def is_warehouse_current(home: StudyHome) -> bool:
    """Return whether publishing again would give what is published."""
    return _is_published(home, home.lake)


def _is_published(home: StudyHome, lake: Lake) -> bool:
    inputs = inputs_of(home.study, lake, lake_keys(DERIVED, home.study, lake))
    return is_published(lake, home.published, inputs)


def outdated_scenarios(study: Study, lake: Lake) -> list[Scenario]:
    """Return the scenarios that are missing, or computed on other prices, rules or code, in the study's order.

    Raises:
        NotReadyError: the lake has no market for the study.
    """
    market = current_market(study, lake)
    knowing = decided(study, lake, market)
    held = up_to_date_scenarios(knowing, lake, market, version_of_metrics)
    to_do = {*(one for one in partitions_of(study) if one not in held)}
    to_do |= {*held_sweeps(knowing, lake, market).to_do}
    return [scenario for scenario in study.scenarios if scenario in to_do]


def version_of_metrics() -> str:
    """Return the version of the SQL that metrics are computed by."""
    # It is parsed for this, which only a study that keeps metrics alone has need of.
    from pipelines.warehouse.reduction import metrics_version

    return metrics_version()
