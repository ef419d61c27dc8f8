"""The market and the rules of every benchmark: seeded random prices of any size, and sd8 at many reserves.

What is measured on them belongs in the other modules.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path as File
from typing import Any

import numpy as np

from sd_core.market.panel import Panel
from sd_core.simulation.rules import Rules, Width
from sd_core.simulation.targets import Targets

ASSETS = 20
SESSIONS = 5_000
SCENARIOS = 100
SEED = 20

FIRST_SESSION = "2000-01-03"
FIRST_PRICE = 100.0
DAILY_VOLATILITY = 0.015
OVERNIGHT_SHARE = 1 / 3
INTRADAY_STEPS = 4

CAPITAL = 1_000_000.0
HIGHEST_RESERVE = 0.30
SD_N = 8
PROFIT_SHARE = 0.5

# Half of each weight around it.
BANDS: dict[str, Any] = {"band": 0.5, "band_width": Width.RELATIVE}


def make_panel(assets: int = ASSETS, sessions: int = SESSIONS, seed: int = SEED) -> Panel:
    """Return independent geometric random walks without drift, dividends or interest.

    A session's log return has the standard deviation ``DAILY_VOLATILITY``. The share ``OVERNIGHT_SHARE`` of its
    variance lies between the close before and the open, the rest in equal intraday steps. High and low are the extremes
    of the open and the steps, the close is the last step. Sessions are weekdays.

    Args:
        assets: number of assets.
        sessions: number of sessions.
        seed: of the random numbers; the same sizes and seed give the same prices.
    """
    random = np.random.default_rng(seed)
    overnight = DAILY_VOLATILITY * np.sqrt(OVERNIGHT_SHARE)
    step = DAILY_VOLATILITY * np.sqrt((1 - OVERNIGHT_SHARE) / INTRADAY_STEPS)
    jumps = random.normal(0.0, overnight, (sessions, assets))
    steps = np.cumsum(random.normal(0.0, step, (INTRADAY_STEPS, sessions, assets)), axis=0)
    closes = np.cumsum(jumps + steps[-1], axis=0)
    opens = closes - steps[-1]
    visited = np.concatenate([opens[None], opens + steps[:-1], closes[None]])
    return Panel(
        tickers=tuple(f"A{number:03}" for number in range(1, assets + 1)),
        sessions=np.busday_offset(FIRST_SESSION, np.arange(sessions), roll="forward"),
        open=_prices(opens),
        high=_prices(visited.max(axis=0)),
        low=_prices(visited.min(axis=0)),
        close=_prices(closes),
        dividends=np.zeros((sessions, assets)),
        rates=np.zeros(sessions),
    )


def with_drift(panel: Panel, drift: float) -> Panel:
    """Return the same walks with a drift, a log return per session; bars keep their shape."""
    growth = np.exp(drift * np.arange(len(panel.sessions)))[:, None]
    return replace(panel, **{name: getattr(panel, name) * growth for name in ("open", "high", "low", "close")})


def _prices(logarithms: np.ndarray) -> np.ndarray:
    return FIRST_PRICE * np.exp(logarithms)


def make_rules(
    assets: int = ASSETS,
    scenarios: int = SCENARIOS,
    *,
    capital: float = CAPITAL,
    lot_size: float = 0.0,
    **others: Any,
) -> list[Rules]:
    """Return sd8 with half of the gains traded, equal weights and no costs, one scenario per reserve.

    Args:
        assets: number of assets.
        scenarios: number of reserves, spread evenly from 0 to ``HIGHEST_RESERVE``.
        capital: money at the start.
        lot_size: smallest tradable quantity of every asset; 0 is fractional.
        others: fields of :class:`Rules`, such as the path.
    """
    return [
        Rules(
            capital=capital,
            reserve=float(reserve),
            targets=Targets.constant(np.full(assets, 1 / assets)),
            brackets=np.full(assets, 2 ** (1 / SD_N) - 1),
            profit_shares=np.full(assets, PROFIT_SHARE),
            lot_sizes=np.full(assets, lot_size),
            **others,
        )
        for reserve in np.linspace(0.0, HIGHEST_RESERVE, scenarios)
    ]


def write_panel(file: File, panel: Panel) -> None:
    """Write a panel for another process to read."""
    columns = {field.name: getattr(panel, field.name) for field in fields(panel)}
    np.savez(file, **{name: values for name, values in columns.items() if values is not None})


def read_panel(file: File) -> Panel:
    """Read what :func:`write_panel` wrote."""
    with np.load(file) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    return Panel(**{**columns, "tickers": tuple(columns["tickers"].tolist())})


def write_case(file: File, panel: Panel, rules: Sequence[Rules], *, capital: float) -> None:
    """Write prices and rules for the alternatives, which know nothing of this package; see ``alternatives/case.py``.

    ``capital`` is that of all assets together, also where the rules run each of them apart.
    """
    np.savez(
        file,
        open=panel.open,
        high=panel.high,
        low=panel.low,
        close=panel.close,
        sessions=panel.sessions,
        reserves=[scenario.reserve for scenario in rules],
        capital=capital,
        bracket=rules[0].brackets[0],
        profit_share=rules[0].profit_shares[0],
    )
