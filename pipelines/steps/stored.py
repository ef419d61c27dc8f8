"""What the lake holds for a warehouse, each part of it read once; and again what others have changed meanwhile.

Several processes may run on one lake: two machines, or a run beside Dagster's page. While one of them goes on from
simulations to tables, another may store prices, scenarios or datasets of a different state. So what a run has made is
looked at once more before tables are made of it, all in one snapshot of the lake: what does not answer the study any
more is made again. How tables are made belongs in ``rebuild``.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pipelines.lab.current import current_market, current_scenarios, partitions_of, stored_scenarios
from pipelines.lab.publication import inputs_of
from pipelines.lab.sweeps import COMPARED, Sweeps, held_sweeps, swept
from pipelines.steps.datasets import DERIVED, REFRESHED, decided
from pipelines.steps.derived import Derived, lake_keys
from pipelines.steps.paper import freeze
from pipelines.steps.plan import outdated_scenarios
from pipelines.warehouse.reduction import UnsoundError, metrics_version
from sd_core.errors import MovedError
from sd_core.lake import Lake, Snapshot, Version, until_unmoved
from sd_core.schemas.sweeps import SEGMENT
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario
from sd_core.wording import counted

# As often is made again what others have changed.
MOST_TURNS = 5
# What is read of the segments of sweeps: all but the sums, which the selection has read.
SEGMENT_COLUMNS = tuple(name for name in SEGMENT.names if name not in (*COMPARED, "sums"))


@dataclass(frozen=True)
class Promised:
    """What of a study the run that publishes has made, or found to be current.

    Attributes:
        scenarios: whether that is every scenario.
        derived: names of datasets.
    """

    scenarios: bool = False
    derived: frozenset[str] = frozenset()


NOTHING = Promised()
WHOLE = Promised(scenarios=True, derived=frozenset(one.name for one in REFRESHED))


@dataclass(frozen=True)
class Stored:
    """What the lake holds for a study.

    Attributes:
        lake: of which all of it is read.
        study: that knows what its mixes have decided.
        market: the prices.
        inputs: hash of all of it.
        scenarios: those that are partitions, with what is stored of them.
        current: those of them that answer what the study asks now.
        sweeps: those that are rows of segments.
        derived: by dataset and key, the parts that answer what the study asks now.
    """

    lake: Snapshot
    study: Study
    market: Version
    inputs: str
    scenarios: Mapping[Scenario, Version]
    current: frozenset[Scenario]
    sweeps: Sweeps
    derived: Mapping[Derived, Mapping[str, Version]]

    @property
    def missing(self) -> list[Scenario]:
        """The scenarios of the study that the lake does not hold."""
        return [*(one for one in partitions_of(self.study) if one not in self.scenarios), *self.sweeps.missing]

    @property
    def outdated(self) -> list[Scenario]:
        """The scenarios of other prices or settings than the present ones."""
        return [*(one for one in self.scenarios if one not in self.current), *self.sweeps.outdated]

    @property
    def missed(self) -> list[str]:
        """The names of the datasets that tables lack, in whole or in part."""
        return [one.name for one, current in self.derived.items() if one.is_missed(current, self.study, self.lake)]


def read_stored(
    study: Study, lake: Lake, derived: Sequence[Derived], promised: Promised
) -> tuple[Stored, Sequence[str]]:
    """Return what the lake holds for a study, and what of the promised was made again, in words; with the lock held.

    Raises:
        NotReadyError: the lake has no market for the study.
        StoreError: others change the lake as often as it is read.
    """
    again: list[str] = []
    return until_unmoved(partial(_read, study, lake, derived, promised, again), MOST_TURNS), again


def _read(study: Study, lake: Lake, derived: Sequence[Derived], promised: Promised, again: list[str]) -> Stored:
    seen = lake.snapshot()
    market = current_market(study, seen)
    freeze(study, seen, market)
    knowing = decided(study, seen, market)
    scenarios = stored_scenarios(knowing, seen, metrics_version)
    stored = Stored(
        seen,
        knowing,
        market,
        inputs_of(study, seen, lake_keys(derived, study, seen)),
        scenarios,
        current_scenarios(knowing, scenarios, market),
        held_sweeps(knowing, seen, market, SEGMENT_COLUMNS),
        {one: one.current(study, seen, market) for one in derived},
    )
    if _answers(stored, promised):
        return stored
    again += _made_again(study, lake, promised)
    raise MovedError("read again")


def _answers(stored: Stored, promised: Promised) -> bool:
    """Return whether what is promised is there, and answers what the study asks now."""
    if promised.scenarios and (stored.missing or stored.outdated):
        return False
    return not any(
        one.name in promised.derived and one.without(current, stored.study, stored.lake)
        for one, current in stored.derived.items()
    )


def _made_again(study: Study, lake: Lake, promised: Promised) -> Iterator[str]:
    """Make what is outdated of the promised, in the order of a run; yield what, in words."""
    of = [one for one in DERIVED if one.name in promised.derived]
    yield from _derived_again(study, lake, [one for one in of if not one.reads_scenarios])
    if promised.scenarios and (lost := outdated_scenarios(study, lake)):
        simulate_all(study, lake, lost)
        yield counted(len(lost), "scenario")
    yield from _derived_again(study, lake, [one for one in of if one.reads_scenarios])


def _derived_again(study: Study, lake: Lake, derived: Sequence[Derived]) -> Iterator[str]:
    # One after the other: signals come before the mixes that read them.
    for one in derived:
        if keys := one.to_make(study, lake, fresh=False):
            one.make(study, lake, keys=keys)
            yield one.name.replace("_", " ")


def simulate_all(study: Study, lake: Lake, scenarios: Collection[Scenario]) -> None:
    """Simulate scenarios, and store what each keeps.

    Raises:
        Exception: that of the first one that cannot be simulated or stored.
    """
    # Imported here, since numba takes long, and most runs find nothing to simulate again.
    from pipelines.steps.simulate import simulate_into_lake
    from pipelines.steps.sweep import sweep_into_lake

    partitions = [one for one in partitions_of(study) if one in scenarios]
    for _, outcome in simulate_into_lake(study, lake, partitions) if partitions else ():
        if isinstance(outcome, Exception):
            raise outcome
    sweeps = [one for one in swept(study) if one in scenarios]
    _, failures = sweep_into_lake(study, lake, sweeps) if sweeps else (0, {})
    if failures:
        raise UnsoundError("\n".join(f"{partition}: {reason}" for partition, reason in failures.items()))
