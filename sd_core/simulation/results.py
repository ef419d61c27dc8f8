"""What a simulation returns: the rows of its ledger, its days and its lots, as structured arrays and as Arrow tables.

The meaning of every column is stated once, in ``schemas``; how rows come about belongs in ``kernel``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.study.scenario import Scenario


class Kind(IntEnum):
    """What moved cash, or would have."""

    INITIAL_BUY = 0
    BUY = 1
    SELL = 2
    SKIP_BUY = 3
    DIVIDEND = 4
    INTEREST = 5
    DEPOSIT = 6
    WITHDRAWAL = 7
    SKIP_WITHDRAWAL = 8
    FUNDING_SELL = 9
    SKIP_SELL = 10
    REBALANCE_BUY = 11
    REBALANCE_SELL = 12
    DEPLOY_BUY = 13
    PROFIT_SELL = 14


# Money that is no more than rounding leaves, in the study's currency: nothing earns a return on it.
NO_MONEY = 1e-6

# Legs of a session besides 0 to 3, the four legs of the bar's path.
LEG_ARRIVAL = -1
LEG_CLOSE = 4

# ``session`` and ``asset`` are positions in the panel; asset -1 is the portfolio. NaN stands for "does not apply".
LEDGER_NUMBERS = (
    "quantity",
    "skipped_quantity",
    "price",
    "fee",
    "amount",
    "bank_after",
    "premium",
    "buyback_gain",
    # Of a refused purchase: the limit of the sale that would have followed it.
    "sale_limit",
)
LEDGER = np.dtype(
    [
        ("session", np.int32),
        ("leg", np.int8),
        ("kind", np.int8),
        ("asset", np.int16),
        *((name, np.float64) for name in LEDGER_NUMBERS),
    ]
)
DAILY_NUMBERS = (
    "bank",
    "invested",
    "value",
    "nav_value",
    "income",
    "sells",
    "buys",
    "withdrawals",
    "deposits",
)
DAILY = np.dtype(
    [
        *((name, np.float64) for name in DAILY_NUMBERS),
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
class State:
    """Where a scenario stands after a session: all that the sessions after it need to know of those before.

    Attributes:
        sessions: how many sessions of the panel are behind it.
        totals: the portfolio, one record.
        positions: a record by asset.
        holdings: shares by asset.
        needs: by asset, 0 or what a purchase needs whose refusal is booked.
        lots: the open lots, oldest first.
        returns: time-weighted returns of the last sessions, as many as a volatility trigger asks for.
        gaps: whether each asset gapped over a rung in the last sessions, as many as an adaptive bracket asks for.
    """

    sessions: int
    totals: Rows
    positions: Rows
    holdings: Floats
    needs: Floats
    lots: Rows
    returns: Floats
    gaps: npt.NDArray[np.int8]


@dataclass(frozen=True)
class SimulationResult:
    """One scenario's rows: the ledger as booked, a day per session, lots in the order they closed, open ones last.

    ``state`` is where the scenario stands after the last of these sessions, None from an engine that cannot go on.
    """

    ledger: Rows
    daily: Rows
    lots: Rows
    state: State | None = None


def to_tables(result: SimulationResult, scenario: Scenario, panel: Panel) -> dict[str, pa.Table]:
    """Return a scenario's rows as Arrow tables ``ledger``, ``daily`` and ``lots`` with the columns of the lake."""
    ledger, daily, lots = result.ledger, result.daily, result.lots
    sessions = panel.sessions
    tickers = pa.array([*panel.tickers, None], pa.string())  # the portfolio's own rows have asset -1
    kinds = pa.array([kind.name for kind in Kind])
    closed = lots["closed"]
    columns: dict[str, dict[str, pa.Array]] = {
        "ledger": {
            "seq": pa.array(np.arange(1, len(ledger) + 1, dtype=np.int32)),
            "session": pa.array(sessions[ledger["session"]]),
            "leg": pa.array(ledger["leg"]),
            "ticker": tickers.take(pa.array(ledger["asset"] % len(tickers))),
            "kind": kinds.take(pa.array(ledger["kind"])),
            **_numbers(ledger, LEDGER_NUMBERS),
        },
        "daily": {
            "session": pa.array(sessions),
            **_numbers(daily, DAILY_NUMBERS),
            "skipped_buys": pa.array(daily["skipped_buys"]),
            "passed_rungs": pa.array(daily["passed_rungs"]),
        },
        "lots": {
            "lot": pa.array(lots["lot"]),
            "ticker": tickers.take(pa.array(lots["asset"])),
            "opened": pa.array(sessions[lots["opened"]]),
            "closed": pa.array(sessions[closed], mask=closed < 0),
            **_numbers(lots, ("quantity", "price", "sale_price", "premium")),
        },
    }
    return {name: _labelled(scenario, table) for name, table in columns.items()}


def _numbers(rows: Rows, names: Sequence[str]) -> dict[str, pa.Array]:
    """Copy fields into columns; NaN, which stands for "does not apply", becomes null."""
    return {name: pa.array(np.ascontiguousarray(rows[name]), from_pandas=True) for name in names}


def _labelled(scenario: Scenario, columns: Mapping[str, pa.Array]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    label = {
        "strategy": pa.repeat(pa.scalar(scenario.strategy), rows),
        "reserve": pa.repeat(pa.scalar(scenario.reserve), rows),
    }
    return pa.table({**label, **columns})
