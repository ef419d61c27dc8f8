"""Simulate one scenario in a process of its own: what somebody waits for who has just started Python.

``engines`` starts this with a file of prices and a coordination, and takes the time until the line below is printed.
"""

import sys
from pathlib import Path

from benchmarks.market import make_rules, read_panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Coordination

if __name__ == "__main__":
    panel = read_panel(Path(sys.argv[1]))
    next(simulate(panel, make_rules(len(panel.tickers), 1, coordination=Coordination[sys.argv[2]])))
    print("first result", flush=True)
