"""Tax lots of a scenario: a finished ledger handed to the matching, and its lots as a table of the lake.

Works on a finished ledger, so a simulation does not depend on it. What the rules are and where they come from is stated
in ``docs/taxes.md``.
"""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sd_core.market.arrays import Dates, day_numbers
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.schemas.lake import SIMULATION_TAX_LOTS
from sd_core.simulation.results import Rows
from sd_core.simulation.rules import LotOrder
from sd_core.simulation.taxes.matching import (
    BUYBACK,
    CORE,
    FIFO,
    OPEN_SALE,
    TAX_LOT_NUMBERS,
    Numbers,
    Trades,
    match_trades,
    no_shares,
)
from sd_core.study.scenario import Scenario


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
    return matched(ledger, Terms.of(sessions), lot_order, assets)


def matched(ledger: Rows, terms: Terms, lot_order: LotOrder, assets: int) -> Rows:
    """Return :func:`tax_lots`, as the first rows of a longer ledger too, with terms of its sessions."""
    is_trade = ~np.isnan(ledger["quantity"])
    traded = ledger[is_trade]
    trades = Trades(
        seq=np.flatnonzero(is_trade) + 1,
        session=traded["session"].astype(np.int64),
        asset=traded["asset"].astype(np.int64),
        chain=np.where(traded["kind"] == Kind.BUY, BUYBACK, CORE),
        quantity=np.ascontiguousarray(traded["quantity"]),
        amount=np.ascontiguousarray(traded["amount"]),
        day=terms.day,
        year_before=terms.year_before,
        fifo=lot_order == FIFO,
    )
    # More than trades on real prices give.
    size = 2 * len(traded) + 1024
    while True:
        shares = no_shares(len(traded), assets, size)
        if match_trades(trades, shares):
            return shares.out[: shares.rows[0]].copy()
        size *= 4


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
    sold = lots["sale"] != OPEN_SALE
    last_closes = np.array([closes[~np.isnan(closes)][-1] for closes in panel.close.T])
    columns = {
        "strategy": pa.repeat(pa.scalar(scenario.strategy), len(lots)),
        "reserve": pa.repeat(pa.scalar(scenario.reserve), len(lots)),
        "part": np.arange(1, len(lots) + 1, dtype=np.int32),
        "purchase_seq": lots["purchase"],
        "sale_seq": pa.array(lots["sale"], mask=~sold),
        "ticker": pa.array(panel.tickers, pa.string()).take(pa.array(lots["asset"])),
        "acquired": panel.sessions[lots["acquired"]],
        "held_since": lots["held_since"].astype("datetime64[D]"),
        "sold": pa.array(panel.sessions[lots["sold"]], mask=~sold),
        "long_term": lots["long_term"],
        **{name: pa.array(np.ascontiguousarray(lots[name]), from_pandas=True) for name in TAX_LOT_NUMBERS},
        "market_value": pa.array(lots["quantity"] * last_closes[lots["asset"]], mask=sold),
    }
    return pa.table(columns, schema=SIMULATION_TAX_LOTS.arrow_schema)
