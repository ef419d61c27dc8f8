"""What the published warehouse was made from, and whether making it again would give the same."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from pipelines.lab.current import MARKET, PAPER, SIMULATIONS, lake_key, partitions_of
from pipelines.lab.fingerprints import fingerprint
from pipelines.lab.home import CODE, SQL, Published
from sd_core.lake import Lake, Version
from sd_core.schemas.sweeps import SWEEPS
from sd_core.study.model import Study

PUBLICATION = "publication"
# The code that tables, their checks and the report come from, beside the SQL.
ROOMS = ("sd_core/schemas", "pipelines/lab", "pipelines/warehouse", "pipelines/report", "pipelines/steps")
CODE_FILES = ("*.sql", "*.py", "*.css", "*.js")


def inputs_of(study: Study, lake: Lake, datasets: Iterable[tuple[str, str]]) -> str:
    """Return a hash of all that the warehouse and its report are made from: what is stored, the study and the code.

    ``datasets`` are names and keys of what is stored beside the market and the scenarios.
    """
    names = {f"{name}/{key}": _name(lake.current(name, key)) for name, key in [(MARKET, ""), *datasets]}
    scenarios = {key: _name(lake.current(SIMULATIONS, key)) for key in map(lake_key, partitions_of(study))}
    return fingerprint(
        {
            # Written once each, so that their names say all.
            "paper": lake.keys(PAPER),
            "datasets": names,
            "scenarios": scenarios,
            "sweeps": lake.segments(SWEEPS),
            "study": study.model_dump(mode="json"),
            "code": _code_version(),
        }
    )


def note(lake: Lake, published: Published, inputs: str, digest: str, fingerprints: Mapping[str, str]) -> None:
    """Note what has just been published, of which SHA-256, what from, and the fingerprint of each table and check."""
    noted = {"inputs": inputs, "files": _files(published), "digest": digest, "fingerprints": dict(fingerprints)}
    lake.here.write(PUBLICATION, "", {}, noted)


def noted_fingerprints(lake: Lake, published: Published) -> tuple[Mapping[str, str], str]:
    """Return the fingerprint of each published table and check, and the SHA-256 of the published warehouse.

    There are none where that file is not the one that was published, or a log would change it.
    """
    noted = lake.here.current(PUBLICATION)
    if noted is None or published.log.exists() or noted.facts["files"][0] != _files(published)[0]:
        return {}, ""
    return noted.facts.get("fingerprints", {}), noted.facts.get("digest", "")


def current_publication(lake: Lake) -> str | None:
    """Return the name of the last publication, another one each time, or None before the first."""
    return _name(lake.here.current(PUBLICATION))


def is_published(lake: Lake, published: Published, inputs: str) -> bool:
    """Return whether the published files are those that were made from these inputs, and no log would change them."""
    noted = lake.here.current(PUBLICATION)
    return (
        not published.log.exists()
        and noted is not None
        and (noted.facts["inputs"], noted.facts["files"]) == (inputs, _files(published))
    )


def of_one_publication(lake: Lake, published: Published) -> bool:
    """Return whether the published report is that of the published warehouse.

    It is not where a run was killed after it had renamed the one and before the other; the next run publishes both.
    """
    noted = lake.here.current(PUBLICATION)
    if noted is None:
        return published.warehouse.exists() == published.report.exists()
    (warehouse, report), (found, shown) = noted.facts["files"], _files(published)
    return not (found != warehouse and shown == report)


def _name(version: Version | None) -> str | None:
    return version.version if version else None


def _files(published: Published) -> list[Any]:
    """Return size and time of each file, by which one that was replaced or damaged is known."""
    files = (published.warehouse, published.report)
    return [[file.stat().st_size, file.stat().st_mtime_ns] if file.exists() else None for file in files]


def code_of_tables() -> str:
    """Return a hash of all code that every table and check depends on: that of the rooms, macros and DuckDB."""
    digest = hashlib.sha256((SQL / "macros.sql").read_bytes() + duckdb.__version__.encode())
    _add(digest, [CODE / room for room in ROOMS])
    return digest.hexdigest()[:16]


def _code_version() -> str:
    digest = hashlib.sha256()
    _add(digest, [SQL, *(CODE / room for room in ROOMS)])
    return digest.hexdigest()[:16]


def _add(digest: "hashlib._Hash", folders: Iterable[Path]) -> None:
    for folder in folders:
        for file in sorted(file for pattern in CODE_FILES for file in folder.rglob(pattern)):
            digest.update(file.read_bytes())
