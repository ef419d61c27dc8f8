"""What the rows of a simulation say: what was held when, the state before a row, what a ledger alone adds up to.

Nothing here knows a rule but the order in which lots are sold.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import Every, LotOrder

SAME_QUANTITY = 1e-9

# Purchases for what arrived in the session.
ARRIVED = [Kind.DIVIDEND_BUY, Kind.DEPOSIT_BUY]


def are(kinds: np.ndarray, *some: Kind) -> np.ndarray:
    """Return which kinds are among some: ``np.isin``, which takes ten times as long on the few rows of a case."""
    chosen = np.zeros(len(Kind), dtype=bool)
    chosen[list(some)] = True
    return chosen[kinds]


def held_by_session(panel: Panel, ledger: Rows) -> np.ndarray:
    """Return the shares held after each session by the ledger alone, shape (sessions, assets)."""
    moves = np.zeros(panel.close.shape)
    traded = ledger[~np.isnan(ledger["quantity"])]
    np.add.at(moves, (traded["session"], traded["asset"]), traded["quantity"])
    return moves.cumsum(axis=0)


def lots_by_session(panel: Panel, lots: Rows) -> np.ndarray:
    """Return the shares in open lots after each session, shape (sessions, assets)."""
    moves = np.zeros(panel.close.shape)
    np.add.at(moves, (lots["opened"], lots["asset"]), lots["quantity"])
    sold = lots[lots["closed"] >= 0]
    np.add.at(moves, (sold["closed"], sold["asset"]), -sold["quantity"])
    return moves.cumsum(axis=0)


def last_closes(panel: Panel) -> np.ndarray:
    """Return the closes with every gap filled from before."""
    seen = np.where(np.isnan(panel.close), 0, np.arange(len(panel.close))[:, None])
    return np.take_along_axis(panel.close, np.maximum.accumulate(seen, axis=0), axis=0)


def begins(panel: Panel, period: Every) -> np.ndarray:
    """Return which sessions are the first of a new month, quarter or year."""
    return periods_begun(panel, period) > 0


def periods_begun(panel: Panel, period: Every) -> np.ndarray:
    """Return how many months, quarters or years have begun since the session before, by pandas' calendar."""
    if period is Every.NEVER:
        return np.zeros(len(panel.sessions), dtype=int)
    return np.append(0, np.diff(_periods(panel.sessions.tobytes(), str(panel.sessions.dtype), period.name[0])))


# Laws ask for those of one panel several times, and pandas takes as long for them as the engine for the case.
@lru_cache(maxsize=8)
def _periods(sessions: bytes, dtype: str, frequency: str) -> np.ndarray:
    return pd.DatetimeIndex(np.frombuffer(sessions, dtype)).to_period(frequency).asi8


def returns(capital: float, daily: Rows) -> Floats:
    """Return the time-weighted return of every session: 0 where there was nothing to begin with."""
    before = np.append(capital, daily["value"][:-1]) + daily["deposits"]
    there = before > 0
    return np.where(there, (daily["value"] + daily["withdrawals"]) / np.where(there, before, 1.0) - 1, 0.0)


@dataclass(frozen=True)
class States:
    """The state before each row of a ledger, from the rows before it.

    ``held`` has shape (rows, assets); ``value``, with the closes of the row's session, is meant for rows at the close.
    """

    bank: Floats
    held: Floats
    value: Floats


def states(panel: Panel, ledger: Rows) -> States:
    moves = np.zeros((len(ledger), len(panel.tickers)))
    traded = np.flatnonzero(~np.isnan(ledger["quantity"]))
    moves[traded, ledger["asset"][traded]] = ledger["quantity"][traded]
    held = moves.cumsum(axis=0) - moves
    bank = ledger["bank_after"] - ledger["amount"]
    return States(bank=bank, held=held, value=bank + (held * last_closes(panel)[ledger["session"]]).sum(axis=1))


def after_the_path(panel: Panel, capital: float, result: SimulationResult) -> tuple[Floats, Floats]:
    """Return value and shares of every session once its path is over and what arrived in it is invested.

    Their shapes are (sessions,) and (sessions, assets).
    """
    ledger = result.ledger
    is_path = (ledger["leg"] < 4) | are(ledger["kind"], *ARRIVED) | bought_back(ledger)
    path = ledger[is_path]
    held = held_by_session(panel, path) + shifted(held_by_session(panel, ledger[~is_path]), 0.0)
    came = np.bincount(path["session"], weights=path["amount"], minlength=len(panel.sessions))
    bank = np.append(capital, result.daily["bank"][:-1]) + came
    return bank + (held * last_closes(panel)).sum(axis=1), held


def bought_back(ledger: Rows) -> np.ndarray:
    """Return which rows buy what was harvested: a substitute is bought right after the sale, what waited before any."""
    kinds, sessions = ledger["kind"], ledger["session"]
    after_a_sale = np.append(False, (kinds[:-1] == Kind.HARVEST_SELL) & (sessions[:-1] == sessions[1:]))[: len(ledger)]
    return (kinds == Kind.HARVEST_BUY) & ~after_a_sale


def shifted(values: Floats, first: float) -> Floats:
    """Return the state a session earlier."""
    return np.concatenate([np.full_like(values[:1], first), values[:-1]])


@dataclass(frozen=True)
class Closes:
    """The state at each close: money of shape (sessions,), shares of shape (sessions, assets)."""

    bank: Floats
    held: Floats
    in_lots: Floats
    value: Floats


def replay(panel: Panel, capital: float, lot_order: LotOrder, ledger: Rows) -> Closes:
    """Return what a ledger leaves of a capital, session by session."""
    sessions, assets = panel.close.shape
    bank, held, lots = capital, [0.0] * assets, [list[float]() for _ in range(assets)]
    closes = Closes(np.empty(sessions), np.empty((sessions, assets)), np.empty((sessions, assets)), np.empty(sessions))
    last_close = [np.nan] * assets
    rows = iter(ledger[["session", "kind", "asset", "quantity", "amount"]].tolist())
    row = next(rows, None)
    for session, prices in enumerate(panel.close.tolist()):
        while row is not None and row[0] == session:
            _, kind, asset, quantity, amount = row
            bank += amount
            if quantity == quantity:  # NaN where nothing was traded
                held[asset] += quantity
            if kind == Kind.BUY:
                lots[asset].append(quantity)
            elif quantity < 0:
                _take(lots[asset], -quantity, lot_order)
            row = next(rows, None)
        last_close = [old if new != new else new for old, new in zip(last_close, prices, strict=True)]
        closes.bank[session] = bank
        closes.held[session] = held
        closes.in_lots[session] = [sum(open_lots) for open_lots in lots]
        closes.value[session] = bank + sum(shares * price for shares, price in zip(held, last_close, strict=True))
    return closes


def _take(lots: list[float], sold: float, order: LotOrder) -> None:
    """Take a sale from the lots; a lot that equals what is left of it but for rounding goes whole."""
    end = 0 if order is LotOrder.FIFO else -1
    wanted = sold
    while lots and wanted > 0:
        lot = lots[end]
        if abs(wanted - lot) <= SAME_QUANTITY * sold:
            wanted = lot
        if wanted >= lot:
            lots.pop(end)
        else:
            lots[end] = lot - wanted
        wanted -= min(wanted, lot)
