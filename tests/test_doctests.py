"""The examples in docstrings."""

import doctest
import importlib

import pytest
from support.lab import PROJECT

# Found by their text: collecting them must import nothing, as some modules take long and `__main__` runs something.
WITH_EXAMPLES = [
    ".".join(file.relative_to(PROJECT).with_suffix("").parts)
    for package in ("sd_core", "pipelines")
    for file in sorted((PROJECT / package).rglob("*.py"))
    if ">>> " in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_in_docstrings_hold(module: str) -> None:
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0, "examples that are in no docstring"
    assert results.failed == 0, "see what was printed"


def test_there_are_examples() -> None:
    assert WITH_EXAMPLES
