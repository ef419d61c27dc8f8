"""One size of ``scale``, simulated in a process of its own, so that its peak memory is its own.

Takes a file of prices and a number of scenarios; prints one line of JSON.
"""

import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.market import make_panel, make_rules, read_panel
from sd_core.simulation.engine import simulate

# A short run is repeated for so long, and its best time counts.
SECONDS = 1.0


def peak_mb() -> float:
    """Return the most memory that this process ever had, in megabytes."""
    if sys.platform == "linux":
        # getrusage counts what the process had that started this one.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(prices: Path, scenarios: int) -> dict[str, float]:
    """Simulate on all cores, taking results one by one; return seconds and memory beyond that of an idle engine."""
    for _ in simulate(make_panel(2, 50), make_rules(2, 2)):
        pass
    idle = peak_mb()
    panel = read_panel(prices)
    rules = make_rules(len(panel.tickers), scenarios)
    best, total = float("inf"), 0.0
    while total < SECONDS:
        began = time.perf_counter()
        for _ in simulate(panel, rules):
            pass
        seconds = time.perf_counter() - began
        best, total = min(best, seconds), total + seconds
    return {"seconds": best, "peak_mb": peak_mb() - idle}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
