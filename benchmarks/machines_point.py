"""One process of ``benchmarks.machines``: it sweeps a study some times, and prints as JSON how long each time took.

python -m benchmarks.machines_point STUDY TIMES
"""

import json
import shutil
import sys
import time
from itertools import pairwise

from pipelines.lab.home import StudyHome, open_home
from pipelines.lab.sweeps import swept
from pipelines.steps.sweep import sweep_into_lake
from sd_core.schemas.sweeps import SWEEPS


def sweep(home: StudyHome) -> tuple[float, float]:
    """Sweep a study whole; return the seconds it took, and the longest time between two segments, its ends counted."""
    segments, scenarios = home.lake.root / SWEEPS, swept(home.study)
    shutil.rmtree(segments, ignore_errors=True)
    began = time.time()
    done, failures = sweep_into_lake(home.study, home.lake, scenarios)
    ended = time.time()
    assert not failures
    assert done == len(scenarios)
    moments = sorted(file.stat().st_mtime for file in segments.glob("*.parquet"))
    return ended - began, max(later - earlier for earlier, later in pairwise([began, *moments, ended]))


if __name__ == "__main__":
    asked, lab = int(sys.argv[2]), open_home(sys.argv[1])
    print(json.dumps([sweep(lab) for _ in range(asked)]))
