"""Datasets that are computed whole from the market and the study, and kept while they are current.

Which ones there are belongs in ``datasets``. Importing this is quick, so that a run finds out soon what it has to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.lab.current import current_market
from pipelines.lab.fingerprints import fingerprint
from pipelines.steps.progress import Progress, unheard
from sd_core.lake import Lake, Version
from sd_core.study.model import Study

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Derived:
    """A dataset of the lake that answers the study on the present prices, or is made again.

    Attributes:
        name: of the dataset.
        description: one sentence.
        version: raised whenever the same inputs give other rows than before.
        inputs: tables of the lake that it is computed from.
        tables: what it leaves, each declared among the tables of the lake.
        settings: returns everything in a study that its rows depend on, prices apart, as JSON can hold it.
        compute: makes the tables from a study and its stored market; it is called while the lake is not pruned.
        refreshed: whether a whole run makes it; what is not is made on request, and is not missed before.
    """

    name: str
    description: str
    version: str
    inputs: tuple[str, ...]
    tables: tuple[str, ...]
    settings: Callable[[Study], Mapping[str, Any]]
    compute: Callable[[Study, Version, Progress], Tables]
    refreshed: bool = True

    def facts(self, study: Study, market: Version) -> dict[str, str]:
        """Return what a stored version must have noted to be the answer to a study on a market."""
        return {
            "prices_version": market.facts["prices_version"],
            "study_hash": fingerprint(self.settings(study)),
            "version": self.version,
        }

    def current(self, study: Study, lake: Lake, market: Version) -> Version | None:
        """Return what the lake holds, if it answers what the study asks now on the prices of now."""
        stored = lake.current(self.name)
        return stored if stored is not None and stored.facts == self.facts(study, market) else None

    def make(self, study: Study, lake: Lake, progress: Progress = unheard) -> Version:
        """Compute the tables and store them.

        Raises:
            NotReadyError: the lake has no market for the study.
        """
        with lake.shared():
            market = current_market(study, lake)
            tables = self.compute(study, market, progress)
        return lake.write(self.name, "", tables, self.facts(study, market))

    def is_missed(self, study: Study, lake: Lake, market: Version) -> bool:
        """Return whether tables lack it: it is outdated, or a whole run should have made it."""
        return self.current(study, lake, market) is None and (self.refreshed or lake.current(self.name) is not None)

    def register(self, connection: duckdb.DuckDBPyConnection, study: Study, lake: Lake, market: Version) -> None:
        """Show the tables to SQL models; empty where they answer something else than the study asks now."""
        from pipelines.warehouse.lake_views import register_files, register_table
        from sd_core.schemas.lake import LAKE_TABLES

        stored = self.current(study, lake, market)
        for name in self.tables:
            if stored is None:
                register_table(connection, name, LAKE_TABLES[name].arrow_schema.empty_table())
            else:
                register_files(connection, name, [stored.file(name)])


def make_all(
    derived: Sequence[Derived], study: Study, lake: Lake, progress: Progress = unheard
) -> Iterator[tuple[Derived, Version]]:
    """Make datasets, as many at once as there are cores, and yield each when it is stored.

    What one of several has to say about its progress is not heard.

    Raises:
        NotReadyError: the lake has no market for the study.
    """
    if len(derived) == 1:
        # In the thread of the caller, so that Ctrl-C ends it at once.
        yield derived[0], derived[0].make(study, lake, progress)
        return
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        making = {pool.submit(one.make, study, lake): one for one in derived}
        for made in as_completed(making):
            yield making[made], made.result()
    finally:
        # Who is interrupted does not wait for the others, which leave nothing half done.
        pool.shutdown(wait=False, cancel_futures=True)


def missed(derived: Iterable[Derived], study: Study, lake: Lake, market: Version) -> list[str]:
    """Return the names of the datasets that the tables lack."""
    return [one.name for one in derived if one.is_missed(study, lake, market)]
