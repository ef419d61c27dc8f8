"""Tax lots of a scenario: a finished ledger handed to the matching, and its lots as a table of the lake.

Works on a finished ledger, so a simulation does not depend on it. What the rules are and where they come from is stated
in ``docs/taxes.md``.
"""

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.market.arrays import Dates, day_numbers
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.schemas.lake import SIMULATION_TAX_LOTS
from sd_core.simulation.amounts import number
from sd_core.simulation.results import LEDGER, Rows
from sd_core.simulation.rules import LotOrder
from sd_core.simulation.taxes.matching import (
    BUYBACK,
    CORE,
    FIFO,
    OPEN_SALE,
    OPEN_SOLD,
    TAX_LOT_NUMBERS,
    Numbers,
    Trades,
    match_some,
    match_trades,
    no_shares,
)
from sd_core.study.scenario import Scenario

BUY = number(Kind.BUY)
# Room for as many trades to begin with; a scenario of the rule makes some hundred a year.
FEWEST_TRADES = 1024
TRADE_COLUMNS = ("seq", "session", "asset", "chain", "quantity", "amount")


class Terms(NamedTuple):
    """By session, in days from 1970: its own day, and the last one since which shares were held for over a year."""

    day: Numbers
    year_before: Numbers

    @classmethod
    def of(cls, sessions: Dates) -> Self:
        """Return those of some sessions."""
        return cls(day_numbers(sessions), _year_before(sessions))


def tax_lots(ledger: Rows, sessions: Dates, lot_order: LotOrder, assets: int) -> Rows:
    """Match a scenario's sales with its purchases.

    A sale takes first from the open lots of ``BUY``, then from those of other purchases, both in the order of lots. A
    loss is disallowed as far as other purchases of the asset within 30 days replace the shares, and added to their
    basis.

    Args:
        ledger: rows of a simulation, in the order booked.
        sessions: dates of the panel's sessions.
        lot_order: newest or oldest lots first.
        assets: number of assets.

    Returns:
        Rows of ``TAX_LOTS``: the parts that were sold in the order of sale, then what is open in the order of purchase.
        Money in the study's currency. basis = cost + losses that the shares took over; gain = proceeds - basis, of
        which ``wash_sale_disallowed`` does not count. An open part has the term that a sale in the last session would
        have.
    """
    return match_lots(ledger, Terms.of(sessions), lot_order, assets)


def match_lots(ledger: Rows, terms: Terms, lot_order: LotOrder, assets: int) -> Rows:
    """Do what :func:`tax_lots` does, where the terms of the panel's sessions are at hand."""
    trades = Trades(**_columns(ledger, 0), **terms._asdict(), fifo=lot_order == FIFO)
    # More than trades on real prices give.
    size = 2 * len(trades.seq) + 1024
    while True:
        shares = no_shares(len(trades.seq), assets, size)
        if match_trades(trades, shares):
            return shares.out[: shares.rows[0]].copy()
        size *= 4


def _columns(ledger: Rows, before: int) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of a ledger's trades, of rows that follow so many others."""
    places = np.flatnonzero(~np.isnan(ledger["quantity"]))
    return {
        "seq": places + (before + 1),
        "session": ledger["session"][places].astype(np.int64),
        "asset": ledger["asset"][places].astype(np.int64),
        "chain": np.where(ledger["kind"][places] == BUY, BUYBACK, CORE),
        "quantity": ledger["quantity"][places],
        "amount": ledger["amount"][places],
    }


class Matching:
    """Sales matched with purchases as :func:`tax_lots` does it, of a ledger that grows: each row is looked at once.

    Args:
        terms: of the panel's sessions.
        lot_order: newest or oldest lots first.
        assets: number of assets.
    """

    def __init__(self, terms: Terms, lot_order: LotOrder, assets: int) -> None:
        self._assets = assets
        self._rows = self._count = 0
        self._trades = Trades(**_columns(np.zeros(0, LEDGER), 0), **terms._asdict(), fifo=lot_order == FIFO)
        self._begin(FEWEST_TRADES, 2 * FEWEST_TRADES)

    def _begin(self, trades: int, size: int) -> None:
        """Make room for so many trades, parts and rows, and match those that there are from the first on."""
        columns: dict[str, Any] = {name: np.resize(getattr(self._trades, name), trades) for name in TRADE_COLUMNS}
        self._trades = self._trades._replace(**columns)
        self._shares = no_shares(trades, self._assets, size)
        self._matched = 0

    def sold(self, ledger: Rows) -> Rows:
        """Return the parts that were sold up to the end of a ledger, in the order of sale; read them before the next.

        Args:
            ledger: rows of a simulation, in the order booked: those that came before, and some more.
        """
        added = _columns(ledger[self._rows :], self._rows)
        count = self._count + len(added["seq"])
        if count > len(self._trades.seq):
            self._begin(2 * count, max(4 * count, len(self._shares.out)))
        for name, values in added.items():
            getattr(self._trades, name)[self._count : count] = values
        self._rows, self._count = len(ledger), count
        while not match_some(self._trades, self._shares, self._matched, count):
            self._begin(len(self._trades.seq), 4 * len(self._shares.out))
        self._matched = count
        return self._shares.out[: self._shares.rows[0]]


def _year_before(sessions: Dates) -> Numbers:
    """Return the last day since which shares sold in a session were held for more than a year, in days from 1970.

    That is the day before the same day of the last year. On 29 February it is that of 28 February: the year of what was
    bought on the last of a month begins on the first of the next, and is over with the last of the same month, Revenue
    Ruling 66-7.
    """
    months = sessions.astype("datetime64[M]")
    day_of_month = sessions.astype("datetime64[D]") - months.astype("datetime64[D]")
    same_month = (months - 12).astype("datetime64[D]")
    last_of_month = (months - 11).astype("datetime64[D]") - np.timedelta64(1, "D")
    same_day = np.minimum(same_month + day_of_month, last_of_month)
    numbers: npt.NDArray[np.int64] = same_day.astype(np.int64) - 1
    return numbers


def harvested(ledger: Rows, lots: Rows) -> dict[str, float]:
    """Return what was realised of losses for their taxes.

    Args:
        ledger: rows of a simulation, in the order booked.
        lots: its rows of ``TAX_LOTS``.

    Returns:
        The number of such sales, the losses that count, and the fees of these sales and of what was bought for them;
        money in the study's currency.
    """
    sales = np.flatnonzero(ledger["kind"] == Kind.HARVEST_SELL) + 1
    parts = lots[np.isin(lots["sale"], sales)]
    return {
        "harvests": len(sales),
        "harvested_loss": -float((parts["gain"] + parts["wash_sale_disallowed"]).sum()),
        "harvest_fees": float(ledger["fee"][np.isin(ledger["kind"], [Kind.HARVEST_SELL, Kind.HARVEST_BUY])].sum()),
    }


def tax_lot_table(lots: Rows, scenario: Scenario, panel: Panel) -> pa.Table:
    """Return a scenario's tax lots as the lake's table; what is open is valued at the last closes."""
    is_open = lots["sale"] == OPEN_SALE
    last_closes = np.array([closes[~np.isnan(closes)][-1] for closes in panel.close.T])
    columns = {
        "strategy": pa.repeat(pa.scalar(scenario.strategy), len(lots)),
        "reserve": pa.repeat(pa.scalar(scenario.reserve), len(lots)),
        "part": np.arange(1, len(lots) + 1, dtype=np.int32),
        "purchase_seq": lots["purchase"],
        "sale_seq": pa.array(lots["sale"], mask=is_open),
        "ticker": pa.array(panel.tickers, pa.string()).take(pa.array(lots["asset"])),
        "acquired": panel.sessions[lots["acquired"]],
        "held_since": lots["held_since"].astype("datetime64[D]"),
        "sold": pa.array(panel.sessions[lots["sold"]], mask=lots["sold"] == OPEN_SOLD),
        "long_term": lots["long_term"],
        **{name: pa.array(np.ascontiguousarray(lots[name]), from_pandas=True) for name in TAX_LOT_NUMBERS},
        "market_value": pa.array(lots["quantity"] * last_closes[lots["asset"]], mask=~is_open),
    }
    return pa.table(columns, schema=SIMULATION_TAX_LOTS.arrow_schema)
