"""What a simulation returns: the rows of its ledger, its days and its lots, as structured arrays and as Arrow tables.

The meaning of every column is stated once, in ``schemas``; how rows come about belongs in ``kernel``.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.schemas import lake
from sd_core.schemas.kinds import Kind
from sd_core.schemas.table import LakeTable
from sd_core.study.scenario import Scenario

# Records of the rows. ``session`` and dates are positions in the panel's sessions, ``asset`` is one among its assets,
# -1 the portfolio. NaN means "does not apply"; ``closed`` is -1 while a lot is open.
LEDGER = lake.SIMULATION_LEDGER.row_dtype(without=("strategy", "reserve", "seq"))
DAILY = lake.SIMULATION_DAILY.row_dtype(without=("strategy", "reserve", "session"))
LOTS = lake.SIMULATION_LOTS.row_dtype(without=("strategy", "reserve"))

Rows = npt.NDArray[np.void]


class State(NamedTuple):
    """The state of a scenario after a session: all that the sessions after it need to know of those before.

    Attributes:
        sessions: how many sessions of the panel are behind it.
        totals: the portfolio, one record.
        positions: a record by asset.
        holdings: shares by asset.
        needs: by asset, 0 or what a purchase needs whose refusal is booked.
        lots: the open lots, oldest first.
        returns: time-weighted returns of the last sessions, as many as a volatility trigger asks for.
        deadlines: by asset, the session until which it waits to be sold, below 0 to be bought; 0 where it does not.
        harvests: by asset, a record of what harvesting losses knows of it.
        gaps: whether each asset gapped over a rung in the last sessions, as many as an adaptive bracket asks for.
    """

    sessions: int
    totals: Rows
    positions: Rows
    holdings: Floats
    needs: Floats
    lots: Rows
    returns: Floats
    deadlines: npt.NDArray[np.int64]
    harvests: Rows
    gaps: npt.NDArray[np.int8]


class SimulationResult(NamedTuple):
    """One scenario's rows: the ledger as booked, a day per session, lots in the order they closed, open ones last.

    ``state`` is that of the scenario after the last of these sessions, None from an engine that cannot go on.
    """

    ledger: Rows
    daily: Rows
    lots: Rows
    state: State | None = None

    @property
    def withdrawals_scheduled(self) -> float:
        """Money that fell due of withdrawals; of a simulation without a ledger, too."""
        assert self.state is not None  # of the compiled engine
        return float(self.state.totals["scheduled"][0])


def to_tables(result: SimulationResult, scenario: Scenario, panel: Panel) -> dict[str, pa.Table]:
    """Return a scenario's rows as Arrow tables ``ledger``, ``daily`` and ``lots`` with the columns of the lake."""
    ledger, daily, lots = result.ledger, result.daily, result.lots
    sessions = panel.sessions
    tickers = pa.array([*panel.tickers, None], pa.string())  # the portfolio's own rows have asset -1
    kinds = pa.array([kind.name for kind in Kind])
    return {
        "ledger": _table(
            lake.SIMULATION_LEDGER,
            scenario,
            ledger,
            {
                "seq": pa.array(np.arange(1, len(ledger) + 1, dtype=np.int32)),
                "session": pa.array(sessions[ledger["session"]]),
                "ticker": tickers.take(pa.array(ledger["asset"] % len(tickers))),
                "kind": kinds.take(pa.array(ledger["kind"])),
            },
        ),
        "daily": _table(lake.SIMULATION_DAILY, scenario, daily, {"session": pa.array(sessions)}),
        "lots": _table(
            lake.SIMULATION_LOTS,
            scenario,
            lots,
            {
                "ticker": tickers.take(pa.array(lots["asset"])),
                "opened": pa.array(sessions[lots["opened"]]),
                "closed": pa.array(sessions[lots["closed"]], mask=lots["closed"] < 0),
            },
        ),
    }


def _table(declared: LakeTable, scenario: Scenario, rows: Rows, named: Mapping[str, pa.Array]) -> pa.Table:
    """Return rows with the columns of a table of the lake: those given, the scenario, and the numbers of the record.

    NaN, which means "does not apply", becomes null.
    """
    label = {"strategy": scenario.strategy, "reserve": scenario.reserve}
    columns = {
        name: named[name]
        if name in named
        else pa.repeat(pa.scalar(label[name]), len(rows))
        if name in label
        else pa.array(np.ascontiguousarray(rows[name]), from_pandas=True)
        for name in declared.columns
    }
    return pa.table(columns, schema=declared.arrow_schema)
