"""Simulate one scenario in a process of its own: the wait for a first result after Python has started.

``engines`` starts this with a file of prices, an order and perhaps ``banded``, and takes the time until it prints.
"""

import sys
from pathlib import Path

from benchmarks.market import BANDS, make_rules, read_panel
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Order

if __name__ == "__main__":
    panel = read_panel(Path(sys.argv[1]))
    bands = BANDS if "banded" in sys.argv[3:] else {}
    next(simulate(panel, make_rules(len(panel.tickers), 1, order=Order[sys.argv[2]], **bands)))
    print("first result", flush=True)
