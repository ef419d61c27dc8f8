"""What a run from the command line materialises: the whole study, or a part of it by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from pipelines.lab.home import StudyHome
from pipelines.lab.sweeps import swept
from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.jobs import BOOTSTRAP_KEY
from pipelines.orchestration.keys import (
    DERIVED_KEYS,
    LAKE_KEYS,
    MARKET_KEYS,
    RAW_PRICES_KEY,
    REPORT_HTML_KEY,
    SIMULATIONS_KEY,
    SWEEPS_KEY,
    TABLE_KEYS,
)
from pipelines.orchestration.names import REFRESH, RESERVE_QUESTION
from pipelines.orchestration.partitions import partition_key
from pipelines.steps.datasets import REFRESHED
from pipelines.steps.plan import Plan
from sd_core.errors import InputError
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario
from sd_core.wording import counted, did_you_mean

# What a part of the run keeps up to date besides: each returns at once where nothing changed.
_TABLES = (*TABLE_KEYS.values(), REPORT_HTML_KEY)
MODEL_KEYS = tuple(DERIVED_KEYS[one.name] for one in REFRESHED)


@dataclass(frozen=True)
class Selection:
    """What a run is to materialise.

    Attributes:
        job: that it is a part of.
        assets: their keys.
        scenarios: those of the simulations, where these are among the assets.
        fresh: whether everything is computed, outdated or not.
        named: what the person asked for; None for the whole study.
        sweeps: those of the study's scenarios that keep metrics alone.
    """

    job: str
    assets: Sequence[dg.AssetKey]
    scenarios: Sequence[Scenario]
    fresh: bool = True
    named: str | None = None
    sweeps: frozenset[Scenario] = frozenset()

    @property
    def simulates(self) -> bool:
        """Whether scenarios are simulated that are partitions."""
        return SIMULATIONS_KEY in self.assets

    @property
    def partitions(self) -> list[Scenario]:
        """The scenarios among them that are partitions of the simulations."""
        return [one for one in self.scenarios if one not in self.sweeps] if self.simulates else []

    @property
    def run_config(self) -> dict[str, Any]:
        """What the step that sweeps is asked for, where that is a part."""
        if SWEEPS_KEY not in self.assets or self.named is None or self.named == SWEEPS_KEY.path[-1]:
            return {}
        asked = [one for one in self.scenarios if one in self.sweeps]
        config = {
            "strategies": list(dict.fromkeys(one.strategy for one in asked)),
            "reserves": list(dict.fromkeys(one.reserve for one in asked)),
        }
        return {"ops": {SWEEPS_KEY.to_python_identifier(): {"config": config}}}

    @property
    def publishes(self) -> bool:
        """Whether the warehouse is rebuilt."""
        return REPORT_HTML_KEY in self.assets

    @property
    def resamples(self) -> bool:
        """Whether the reserve question is asked of bootstrap samples."""
        return BOOTSTRAP_KEY in self.assets

    @property
    def description(self) -> str:
        """What is run, for the person who waits."""
        simulates = self.simulates or SWEEPS_KEY in self.assets
        return counted(len(self.scenarios), "scenario") if simulates else str(self.named)


def select_all(study: Study) -> Selection:
    """Return the selection of a whole study, all of it computed."""
    left_out = {BOOTSTRAP_KEY, *({SIMULATIONS_KEY, SWEEPS_KEY} - {*_simulating(study, study.scenarios)})}
    assets = [*(key for key in LAKE_KEYS if key not in left_out), *_TABLES]
    return Selection(REFRESH, assets, study.scenarios, sweeps=frozenset(swept(study)))


def _simulating(study: Study, scenarios: Sequence[Scenario]) -> list[dg.AssetKey]:
    """Return the keys of the assets that simulate scenarios: partitions, sweeps, or both."""
    keeps = {study.strategies[one.strategy].keep == "metrics" for one in scenarios}
    return [key for key, sweeps in ((SIMULATIONS_KEY, False), (SWEEPS_KEY, True)) if sweeps in keeps]


def select_outdated(home: StudyHome, plan: Plan) -> Selection:
    """Return the selection of what is outdated, and of what might be once that is done."""
    study = home.study
    moves = bool(plan.tickers) or plan.prepares
    assets = [
        *([RAW_PRICES_KEY] if plan.tickers else []),
        *(MARKET_KEYS.values() if moves else []),
        *_simulating(study, study.scenarios if moves else plan.scenarios),
        *(
            DERIVED_KEYS[one.name]
            for one in REFRESHED
            if one.name in plan.derived or (moves and one.parts(study, home.lake))
        ),
        *_TABLES,
    ]
    return Selection(REFRESH, assets, study.scenarios, fresh=False, sweeps=frozenset(swept(study)))


def select_named(home: StudyHome, named: str) -> Selection:
    """Return what a name selects of a study: scenarios, or the step that makes an asset.

    Raises:
        InputError: nothing has this name.
    """
    study = home.study
    tables = _TABLES
    if named == BOOTSTRAP_KEY.path[-1]:
        return Selection(RESERVE_QUESTION, [BOOTSTRAP_KEY, *MODEL_KEYS, *tables], study.scenarios, named=named)
    if scenarios := _named_scenarios(study, named):
        assets = [*_simulating(study, scenarios), *MODEL_KEYS, *tables]
        return Selection(REFRESH, assets, scenarios, named=named, sweeps=frozenset(swept(study)))
    # The lake's asset where a table bears the same name: the tables come with it only in a whole run.
    asset = next((key for key in (*LAKE_KEYS, *tables) if key.path[-1] == named), None)
    if asset is None:
        raise _unknown(study, named)
    step = next(step for step in build_definitions(home).resolve_asset_graph().assets_defs if asset in step.keys)
    # Most steps that make several assets make all of them.
    keys = [asset] if step.can_subset else sorted(step.keys)
    return Selection(REFRESH, keys, study.scenarios, named=named, sweeps=frozenset(swept(study)))


def _named_scenarios(study: Study, named: str) -> list[Scenario]:
    """Return the scenarios that a partition, a strategy or a reserve names: of one kind, since names may coincide."""
    kinds: Sequence[Callable[[Scenario], str]] = (
        lambda scenario: str(partition_key(scenario)),
        lambda scenario: scenario.strategy,
        lambda scenario: scenario.reserve_key,
    )
    found = ([scenario for scenario in study.scenarios if name(scenario) == named] for name in kinds)
    return next(filter(None, found), [])


def _unknown(study: Study, named: str) -> InputError:
    assets = sorted({key.path[-1] for key in (*LAKE_KEYS, *TABLE_KEYS.values(), REPORT_HTML_KEY)})
    partitions = [str(partition_key(scenario)) for scenario in study.scenarios]
    reserves = [scenario.reserve_key for scenario in study.scenarios]
    suggestion = did_you_mean(named, [*assets, *partitions, *reserves, *study.strategies])
    return InputError(
        f"--select {named}{suggestion}: expected a partition such as {partitions[0]}, one of the strategies "
        f"{', '.join(study.strategies)}, a reserve such as {study.scenarios[-1].reserve_key}, or one of the assets "
        f"{', '.join(assets)}"
    )
