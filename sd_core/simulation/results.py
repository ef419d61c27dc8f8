"""What a simulation returns: the rows of its ledger, its days and its lots, as structured arrays and as Arrow tables.

The meaning of every column is told once, in ``schemas``; how rows come about belongs in ``kernel``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.market.panel import Dates
from sd_core.study import Scenario


class Kind(IntEnum):
    """What moved cash, or would have."""

    INITIAL_BUY = 0
    BUY = 1
    SELL = 2
    SKIP_BUY = 3
    DIVIDEND = 4
    INTEREST = 5


# Legs of a session besides 0 to 3, the four legs of the bar's path.
LEG_ARRIVAL = -1
LEG_CLOSE = 4

# ``session`` and ``asset`` are positions in the panel; asset -1 is the portfolio. NaN stands for "does not apply".
LEDGER = np.dtype(
    [
        ("session", np.int32),
        ("leg", np.int8),
        ("kind", np.int8),
        ("asset", np.int16),
        ("quantity", np.float64),
        ("skipped_quantity", np.float64),
        ("price", np.float64),
        ("fee", np.float64),
        ("amount", np.float64),
        ("bank_after", np.float64),
        ("premium", np.float64),
        ("buyback_gain", np.float64),
    ]
)
DAILY = np.dtype(
    [
        ("bank", np.float64),
        ("invested", np.float64),
        ("value", np.float64),
        ("nav_value", np.float64),
        ("income", np.float64),
        ("sells", np.float64),
        ("buys", np.float64),
        ("skipped_buys", np.int32),
        ("passed_rungs", np.int32),
    ]
)
# ``closed`` is -1 and ``sale_price`` NaN while a lot is open; a lot sold in parts has a row per part.
LOTS = np.dtype(
    [
        ("lot", np.int32),
        ("asset", np.int16),
        ("opened", np.int32),
        ("closed", np.int32),
        ("quantity", np.float64),
        ("price", np.float64),
        ("sale_price", np.float64),
        ("premium", np.float64),
    ]
)

Rows = npt.NDArray[np.void]


@dataclass(frozen=True)
class SimulationResult:
    """One scenario's rows: the ledger in booking order, a day per session, lots in the order they closed, open ones last."""

    ledger: Rows
    daily: Rows
    lots: Rows
