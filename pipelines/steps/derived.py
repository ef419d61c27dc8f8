"""Datasets that are computed from the market and the study, and kept while they are current.

Which ones there are belongs in ``datasets``. Importing this is quick, so that a run finds out soon what it has to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.lab.current import VERSION_OF_SATELLITES, current_market
from pipelines.lab.fingerprints import fingerprint
from pipelines.steps.progress import Progress, unheard
from sd_core.errors import MovedError
from sd_core.lake import Lake, Version, until_unmoved
from sd_core.study.model import Study

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    Tables = Mapping[str, pa.Table]

# Tables that the study itself leaves, to which a dataset may add rows.
STUDY_TABLES = ("study_bucket",)


def _in_one_part(study: Study, _: Lake) -> Mapping[str, Study]:
    return {"": study}


def _nothing(_: Study, __: Lake) -> Mapping[str, Any]:
    return {}


def _as_it_is(study: Study, *_: object) -> Study:
    return study


@dataclass(frozen=True)
class Derived:
    """A dataset of the lake that answers the study on the present prices, or is made again, whole or part by part.

    Attributes:
        name: of the dataset.
        description: one sentence.
        version: raised whenever the same inputs give other rows than before.
        inputs: tables of the lake that it is computed from.
        tables: what it leaves, each declared among the tables of the lake.
        settings: returns everything in a study that its rows depend on, prices apart, as JSON can hold it.
        compute: makes the tables from a study and its lake, with the stored market; meanwhile the lake is not pruned.
        refreshed: whether a whole run makes it; what is not is made on request, and is not missed before.
        parts: returns, by key in the lake, what of a study a part answers; by default all of it, in one part.
        outside: returns, as JSON can hold it, what it depends on that is neither in the study nor in the lake.
        compute_parts: makes the tables of several parts, by their keys, and yields each when it is done, where that is
            quicker than one after the other, or some need what others leave; by default each by itself.
        informed: returns the study that knows what other datasets of the lake say of it, on a market; by default none.
    """

    name: str
    description: str
    version: str
    inputs: tuple[str, ...]
    tables: tuple[str, ...]
    settings: Callable[[Study], Mapping[str, Any]]
    compute: Callable[[Study, Lake, Version, Progress], Tables]
    refreshed: bool = True
    parts: Callable[[Study, Lake], Mapping[str, Study]] = _in_one_part
    outside: Callable[[Study, Lake], Mapping[str, Any]] = _nothing
    informed: Callable[[Study, Lake, Version], Study] = _as_it_is
    compute_parts: Callable[[Mapping[str, Study], Lake, Version, Progress], Iterator[tuple[str, Tables]]] | None = None

    @property
    def reads_scenarios(self) -> bool:
        """Whether it is computed from what was simulated, and so after it."""
        return "simulation_daily" in self.inputs

    def facts(self, part: Study, lake: Lake, market: Version) -> dict[str, Any]:
        """Return what a stored version must have noted to be the answer to a part of a study on a market."""
        versions = [VERSION_OF_SATELLITES] if "satellite_prices" in self.inputs else []
        return {
            **{name: market.facts[name] for name in ("prices_version", *versions)},
            "study_hash": fingerprint(self.settings(part)),
            "version": self.version,
            **self.outside(part, lake),
        }

    def current(self, study: Study, lake: Lake, market: Version) -> dict[str, Version]:
        """Return, by key, what the lake holds that answers what the study asks now on the prices of now."""
        parts = self.parts(self.informed(study, lake, market), lake)
        stored = {key: (part, lake.current(self.name, key)) for key, part in parts.items()}
        return {
            key: version
            for key, (part, version) in stored.items()
            if version is not None and version.facts == self.facts(part, lake, market)
        }

    def outdated(self, study: Study, lake: Lake, market: Version) -> list[str]:
        """Return the keys of the parts that are missing or answer something else."""
        return self.without(self.current(study, lake, market), study, lake)

    def without(self, current: Collection[str], study: Study, lake: Lake) -> list[str]:
        """Return the keys of the parts that are not among those that are current."""
        return [key for key in self.parts(study, lake) if key not in current]

    def to_make(self, study: Study, lake: Lake, *, fresh: bool) -> list[str]:
        """Return the keys of the parts that a run makes: the outdated ones, or all where it computes everything.

        Raises:
            NotReadyError: the lake has no market for the study.
        """
        if fresh:
            return list(self.parts(study, lake))
        return self.outdated(study, lake, current_market(study, lake))

    def make(
        self, study: Study, lake: Lake, progress: Progress = unheard, keys: Collection[str] | None = None
    ) -> dict[str, Version]:
        """Compute the tables of some parts, None being all, and store them; return each part's version by key.

        Raises:
            NotReadyError: the lake has no market for the study.
        """
        made: dict[str, Version] = {}
        wanted = [key for key in self.parts(study, lake) if keys is None or key in keys]
        for some in [wanted] if self.compute_parts is not None and wanted else [[key] for key in wanted]:
            with lake.shared():
                made |= until_unmoved(partial(self._made, study, lake, some, progress))
        return made

    def _made(self, study: Study, lake: Lake, keys: Sequence[str], progress: Progress) -> dict[str, Version]:
        """Compute some parts from one state of the lake, and store each unless another process has stored it meanwhile.

        Raises:
            MovedError: what another process has stored meanwhile is no answer.
        """
        seen = lake.snapshot()
        market = current_market(study, seen)
        known = self.parts(self.informed(study, seen, market), seen)
        parts = {key: known[key] for key in keys}
        # Noted as they were before: what moves meanwhile makes the tables outdated.
        facts = {key: self.facts(part, seen, market) for key, part in parts.items()}
        before = {key: seen.current(self.name, key) for key in keys}
        made = {}
        for key, tables in self._computed(parts, seen, market, progress):
            try:
                made[key] = lake.write(self.name, key, tables, facts[key], instead_of=before[key])
            except MovedError:
                answers = self.current(study, lake, current_market(study, lake))
                if key not in answers:
                    raise
                made[key] = answers[key]
        return made

    def _computed(
        self, parts: Mapping[str, Study], lake: Lake, market: Version, progress: Progress
    ) -> Iterator[tuple[str, Tables]]:
        if self.compute_parts is not None:
            yield from self.compute_parts(parts, lake, market, progress)
            return
        for key, part in parts.items():
            yield key, self.compute(part, lake, market, progress)

    def is_missed(self, current: Collection[str], study: Study, lake: Lake) -> bool:
        """Return whether tables lack some of it: it is outdated, or a whole run should have made it."""
        outdated = self.without(current, study, lake)
        return any(self.refreshed or lake.current(self.name, key) is not None for key in outdated)


def make_all(
    derived: Sequence[tuple[Derived, Collection[str]]], study: Study, lake: Lake, progress: Progress = unheard
) -> Iterator[tuple[Derived, Mapping[str, Version]]]:
    """Make parts of datasets, by their keys, as many datasets at once as there are cores; yield each when it is stored.

    What one of several has to say about its progress is not heard.

    Raises:
        NotReadyError: the lake has no market for the study.
    """
    if len(derived) == 1:
        # In the thread of the caller, so that Ctrl-C ends it at once.
        one, keys = derived[0]
        yield one, one.make(study, lake, progress, keys)
        return
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        making = {pool.submit(one.make, study, lake, keys=keys): one for one, keys in derived}
        for made in as_completed(making):
            yield making[made], made.result()
    finally:
        # Who is interrupted does not wait for the others, which leave nothing half done.
        pool.shutdown(wait=False, cancel_futures=True)


def register_all(connection: duckdb.DuckDBPyConnection, current: Mapping[Derived, Mapping[str, Version]]) -> None:
    """Show the tables of datasets to SQL models, of each the parts that answer what the study asks now.

    Several datasets may leave rows of one table, and some add to a table of the study itself.

    Raises:
        DamagedError: a file is not the one that was written.
    """
    from pipelines.warehouse.lake_views import add_files, register_files, register_table
    from sd_core.schemas.lake import LAKE_TABLES

    files: dict[str, list[Path]] = {}
    for one, stored in current.items():
        for version in stored.values():
            version.verify()
        for name in one.tables:
            files.setdefault(name, []).extend(version.file(name) for version in stored.values())
    for name, of_table in files.items():
        if name in STUDY_TABLES:
            add_files(connection, name, of_table)
        elif of_table:
            register_files(connection, name, of_table)
        else:
            register_table(connection, name, LAKE_TABLES[name].arrow_schema.empty_table())


def lake_keys(derived: Iterable[Derived], study: Study, lake: Lake) -> list[tuple[str, str]]:
    """Return name and key of every part of datasets."""
    return [(one.name, key) for one in derived for key in one.parts(study, lake)]
