"""A market drawn from a seed for what concerns signals, in a lake made by hand, and signals asked of it.

Assets miss bars now and then, one seldom moves, and one pays no dividends. What numbers should come of it belongs in
the tests.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from sd_core.analytics.spillover import spillover_pairs
from sd_core.schemas.signals import SPILLOVER_PAIR
from support.lake_tables import STUDY, build_only, connect, insert

CLASSES = ("growth", "value", "growth")
KINDS = (
    "momentum", "sector", "trend", "reversal", "mean_reversion", "relative_strength", "low_volatility", "discount",
    "ex_dividend", "spillover", "file",
)  # fmt: skip
PARTS = {
    "both": {"momentum": 0.5, "trend": -0.25},
    "learnt": {"momentum": None, "low_volatility": None, "reversal": None},
}


@dataclass(frozen=True, eq=False)
class Market:
    """Prices by session and asset, NaN for no bar; dividends; what cash returned; values of the file by month."""

    sessions: pd.DatetimeIndex
    tickers: tuple[str, ...]
    close: np.ndarray
    dividend: np.ndarray
    cash: np.ndarray
    said: np.ndarray

    def until(self, count: int) -> "Market":
        """Return its first sessions."""
        return replace(
            self,
            **{name: getattr(self, name)[:count] for name in ("sessions", "close", "dividend", "cash", "said")},
        )

    def with_noise_after(self, count: int, seed: int) -> "Market":
        """Return the same with other prices, dividends and values after its first sessions."""
        draws = np.random.default_rng(seed)
        close, dividend, said = self.close.copy(), self.dividend.copy(), self.said.copy()
        close[count:] *= np.exp(draws.normal(0.0, 0.2, close[count:].shape))
        dividend[count:] = np.where(draws.random(dividend[count:].shape) < 0.02, 1.0, 0.0)
        said[count:] = draws.normal(size=said[count:].shape)
        return replace(self, close=close, dividend=dividend, said=said)


def draw_market(sessions: int, assets: int, seed: int = 3) -> Market:
    """Return a market whose first asset leads the second by a week."""
    draws = np.random.default_rng(seed)
    moves = draws.normal(0.0003, 0.015, (sessions, assets))
    moves[5:, 1] = 0.3 * moves[5:, 1] + 0.5 * moves[:-5, 0]
    moves[:, 2] = np.where(draws.random(sessions) < 0.3, moves[:, 2], 0.0)
    close = np.round(50 * np.exp(np.cumsum(moves, axis=0)), 3)
    missing = draws.random(close.shape) < 0.02
    missing[0] = False
    missing[300:380, 3] = True
    paid = np.zeros_like(close)
    for asset in range(1, assets):
        paid[20 + asset :: 61 + asset, asset] = 0.3
    days = pd.bdate_range("2001-01-01", periods=sessions)
    return Market(
        sessions=days,
        tickers=tuple(f"T{asset:02d}" for asset in range(assets)),
        close=np.where(missing, np.nan, close),
        dividend=paid,
        cash=np.concatenate([[0.0], np.full(sessions - 1, 0.0001)]),
        said=draws.normal(size=close.shape),
    )


def asked_signals() -> list[dict[str, Any]]:
    """Return rows of ``study_signal``: one of every kind, and two blends."""
    kinds = {**dict.fromkeys(KINDS), **dict.fromkeys(PARTS, "blend")}
    return [
        {"position": position, "signal": name, "kind": kind or name, "keys": "{}"}
        for position, (name, kind) in enumerate(kinds.items(), start=1)
    ]


@contextlib.contextmanager
def signals_of(
    market: Market,
    *names: str,
    benchmark: str = "universe",
    signals: list[dict[str, Any]] | None = None,
    extra: Mapping[str, pa.Table] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a warehouse in which models of signals are built on a market.

    Args:
        market: of the lake.
        names: of the models.
        benchmark: of the study.
        signals: rows of ``study_signal``; None: one of every kind.
        extra: rows of tables of the lake besides.
    """
    with connect() as con:
        insert(con, "study", {**STUDY, "benchmark": benchmark})
        for position, ticker in enumerate(market.tickers, start=1):
            row = {"position": position, "ticker": ticker, "asset_class": CLASSES[position % 3], "weight": 1.0}
            insert(con, "study_asset", {**row, "target_share": 1 / len(market.tickers), "lot_size": 0.0})
        insert(con, "study_signal", *(asked_signals() if signals is None else signals))
        if signals is None:
            for name, parts in PARTS.items():
                for position, (part, weight) in enumerate(parts.items(), start=1):
                    insert(
                        con,
                        "study_signal_part",
                        {"signal": name, "position": position, "part": part, "weight": weight},
                    )
        _add(con, "sessions", pd.DataFrame({"session": market.sessions}))
        rates = {"session": market.sessions, "rate": 0.025, "risk_free_return": market.cash, "price_index": 1.0}
        _add(con, "rates", pd.DataFrame(rates))
        _add(con, "prices", _long(market))
        if signals is None:
            _add(con, "signal_file", _file(market))
            leads = _leads(con, market)
            _add(con, SPILLOVER_PAIR.name, leads)
        for name, table in (extra or {}).items():
            _add(con, name, table)
        build_only(con, *names)
        yield con


def _leads(con: duckdb.DuckDBPyConnection, market: Market) -> pa.Table:
    frame = pd.DataFrame(market.close).ffill().to_numpy()
    growth = np.log((frame[1:] + market.dividend[1:]) / frame[:-1])
    levels = np.vstack([np.zeros(frame.shape[1]), np.cumsum(growth, axis=0)])
    return spillover_pairs(
        market.sessions.to_numpy().astype("datetime64[D]"), market.tickers, levels, month_ends(market)
    )


def month_ends(market: Market) -> list[int]:
    """Return the positions of the last sessions of months, the last session of all left out."""
    months = market.sessions.month.to_numpy()
    return np.flatnonzero(months[1:] != months[:-1]).tolist()


def _long(market: Market) -> pd.DataFrame:
    frames = []
    for asset, ticker in enumerate(market.tickers):
        close = market.close[:, asset]
        frame = pd.DataFrame({"session": market.sessions, "ticker": ticker})
        for column in ("open", "high", "low", "close"):
            frame[column] = close
        frame["dividend"] = market.dividend[:, asset]
        frames.append(frame[~np.isnan(close) | (market.dividend[:, asset] > 0)])
    return pd.concat(frames)


def _file(market: Market) -> pd.DataFrame:
    """Return a value of every asset on every tenth session."""
    rows = [
        {"signal": "file", "date": market.sessions[place], "ticker": ticker, "value": market.said[place, asset]}
        for place in range(0, len(market.sessions), 10)
        for asset, ticker in enumerate(market.tickers)
    ]
    return pd.DataFrame(rows)


def _add(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table | pd.DataFrame) -> None:
    con.register("arriving", table)
    con.execute(f"insert into lake.{name} by name from arriving")
    con.unregister("arriving")
