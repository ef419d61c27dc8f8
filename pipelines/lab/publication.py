"""What the published warehouse was made from, and whether making it again would give the same."""

import hashlib
from collections.abc import Iterable
from typing import Any

from pipelines.lab.current import MARKET, SIMULATIONS, lake_key
from pipelines.lab.fingerprints import fingerprint
from pipelines.lab.home import CODE, SQL, Published
from sd_core.lake import Lake, Version
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
    scenarios = {key: _name(lake.current(SIMULATIONS, key)) for key in map(lake_key, study.scenarios)}
    return fingerprint(
        {"datasets": names, "scenarios": scenarios, "study": study.model_dump(mode="json"), "code": _code_version()}
    )


def note(lake: Lake, published: Published, inputs: str) -> None:
    """Note what has just been published, and what it was made from."""
    lake.write(PUBLICATION, "", {}, {"inputs": inputs, "files": _files(published)})


def current_publication(lake: Lake) -> str | None:
    """Return the name of the last publication, another one each time, or None before the first."""
    return _name(lake.current(PUBLICATION))


def is_published(lake: Lake, published: Published, inputs: str) -> bool:
    """Return whether the published files are those that were made from these inputs, and no log would change them."""
    noted = lake.current(PUBLICATION)
    return (
        not published.log.exists()
        and noted is not None
        and noted.facts == {"inputs": inputs, "files": _files(published)}
    )


def _name(version: Version | None) -> str | None:
    return version.version if version else None


def _files(published: Published) -> list[Any]:
    """Return size and time of each file, by which one that was replaced or damaged is known."""
    files = (published.warehouse, published.report)
    return [[file.stat().st_size, file.stat().st_mtime_ns] if file.exists() else None for file in files]


def _code_version() -> str:
    digest = hashlib.sha256()
    for folder in (SQL, *(CODE / room for room in ROOMS)):
        for file in sorted(file for pattern in CODE_FILES for file in folder.rglob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
