"""A few cases of damaged input of each kind, so that whole trials can be run on any day.

Kills and crowds have shorter tests of their own in ``tests/steps/test_concurrency.py``.
"""

from pathlib import Path

import pytest
from support.lab import Lab

from stress.fuzz import KINDS, fuzz

SEED = 0
CASES = {"study": 40, "csv": 4, "engine": 10, "lake": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_is_refused_in_words_and_harms_nothing(kind: str, finished: Lab, tmp_path: Path) -> None:
    found = fuzz(kind, finished, tmp_path, SEED, range(CASES[kind]))
    assert not found.faults, str(found)
    assert found.counts.total() == CASES[kind]
