"""One process of ``benchmarks.machines``: it sweeps a study twice, and prints as JSON how long each time took.

python -m benchmarks.machines_point STUDY
"""

import json
import shutil
import sys
import time

from pipelines.lab.home import open_home
from pipelines.lab.sweeps import swept
from pipelines.steps.sweep import sweep_into_lake
from sd_core.schemas.sweeps import SWEEPS

if __name__ == "__main__":
    home, seconds = open_home(sys.argv[1]), []
    for _ in ("cold", "warm"):
        shutil.rmtree(home.lake.root / SWEEPS, ignore_errors=True)
        began = time.perf_counter()
        done, failures = sweep_into_lake(home.study, home.lake, swept(home.study))
        seconds.append(time.perf_counter() - began)
        assert not failures
        assert done == len(swept(home.study))
    print(json.dumps(seconds))
