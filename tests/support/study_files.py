"""Study files for tests: one good study, and the same study with some of it changed."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

GOOD: dict[str, Any] = {
    "name": "small",
    "source": {"kind": "sample"},
    "start": "2015-01-02",
    "end": "2020-12-31",
    "capital": 10_000,
    "universe": {"VOO": {"weight": 0.75}, "NVDA": {"weight": 0.25}},
    "reserves": [0, 0.1],
    "strategies": {"hold": {}, "sd8": {"rule": {"sd_n": 8}}},
}


def changed(*changes: tuple[Sequence[str], Any]) -> dict[str, Any]:
    """Return the good study with values put at places; the parts on the way are made where they are missing."""
    document = copy.deepcopy(GOOD)
    for (*parents, key), value in changes:
        part = document
        for parent in parents:
            part = part.setdefault(parent, {})
        part[key] = value
    return document


def without(key: str) -> dict[str, Any]:
    """Return the good study without one of its keys."""
    return {name: value for name, value in GOOD.items() if name != key}


def written(folder: Path, document: object) -> Path:
    """Write a document, or text as it is, as a study file."""
    file = folder / "small.yaml"
    if isinstance(document, bytes):
        file.write_bytes(document)
    elif isinstance(document, str):
        file.write_text(document, encoding="utf-8")
    else:
        yaml = YAML(typ="safe", pure=True)
        yaml.representer.sort_base_mapping_type_on_output = False  # the order of a study's keys counts
        with file.open("w", encoding="utf-8") as handle:
            yaml.dump(document, handle)
    return file
