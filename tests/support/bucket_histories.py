"""Plans of a core and satellites with prices and signals, by random numbers, for what must hold of any of them."""

from dataclasses import dataclass, replace

import numpy as np

from sd_core.buckets.history.contract import History, Plan, Satellite, SatellitePanel, Signals
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.presets import PRESETS, settings
from sd_core.market.arrays import Floats, day_numbers

TOGGLES = ("trailing", "regime", "harvest", "high_volatility")
SLIDERS = ("risk", "hold", "entry", "spread", "profit")
DIVIDENDS = ("accumulate_cash", "reinvest_same", "send_to_core")
# How often random prices turn from rising to falling, by session.
TURNS = 1 / 80


class SteppedCore:
    """A core that grows by given rates, holds a tenth in cash and pays given withdrawals."""

    def __init__(self, capital: float, growth: Floats, withdrawals: Floats) -> None:
        self.value, self.bank, self.withdrawn = capital, 0.1 * capital, 0.0
        self.growth, self.withdrawals = growth, withdrawals

    def advance(self, session: int, flow: float) -> float:
        """Take in the flow, grow, pay."""
        self.withdrawn = float(self.withdrawals[session])
        self.value = (self.value + flow) * (1.0 + float(self.growth[session])) - self.withdrawn
        self.bank = 0.1 * self.value
        return flow


@dataclass(frozen=True)
class Case:
    """A plan, and what it is simulated on."""

    plan: Plan
    panel: SatellitePanel
    signals: Signals
    deposits: Floats
    growth: Floats
    withdrawals: Floats

    @property
    def core(self) -> SteppedCore:
        """A core before its first session."""
        return SteppedCore(self.plan.core_capital, self.growth, self.withdrawals)

    def simulate(self) -> History:
        """Run the compiled engine."""
        return simulate(self.plan, self.panel, self.signals, self.deposits, self.core)

    def first(self, sessions: int) -> "Case":
        """Return the case without all that comes after so many sessions."""
        panel, signals = self.panel, self.signals
        kept = {
            name: getattr(panel, name)[:sessions] for name in ("open", "high", "low", "close", "dividends", "rates")
        }
        return Case(
            self.plan,
            replace(panel, sessions=panel.sessions[:sessions], **kept),
            Signals(*(getattr(signals, name)[:sessions] for name in Signals.__dataclass_fields__)),
            *(each[:sessions] for each in (self.deposits, self.growth, self.withdrawals)),
        )


def random_case(seed: int) -> Case:
    """Return a case by random numbers: one to four satellites of any settings over one to four years."""
    rng = np.random.default_rng(seed)
    sessions, count = int(rng.integers(260, 1000)), int(rng.integers(1, 5))
    sizes = rng.integers(1, 7, count)
    tickers = int(sizes.sum())
    panel = _panel(rng, sessions, tickers)
    # Tickers of one satellite lie between those of others: its places ascend, and are no range.
    owners = rng.permutation(np.repeat(np.arange(count), sizes))
    budget = float(rng.choice([0.10, 0.20, 0.30]))
    satellites = tuple(
        _satellite(rng, f"satellite_{place}", np.flatnonzero(owners == place), budget / count) for place in range(count)
    )
    plan = Plan(
        name="plan",
        capital=100_000.0,
        budget=budget,
        satellites=satellites,
        starts_at_target=bool(rng.random() < 0.8),
        lot_sizes=tuple(rng.choice([0.0, 0.0, 0.1, 1.0], tickers)),
        fee_fixed=float(rng.choice([0.0, 0.0, 1.0])),
        fee_rate=float(rng.choice([0.0, 0.0005, 0.002])),
    )
    deposits = np.zeros(sessions)
    if rng.random() < 0.7:
        deposits[21::21] = float(rng.choice([500.0, 1000.0, 3333.33]))
    withdrawals = np.zeros(sessions)
    if rng.random() < 0.3:
        withdrawals[30::21] = 300.0
    growth = rng.normal(0.0003, 0.008, sessions)
    growth[0] = 0.0
    return Case(plan, panel, _signals(rng, panel, sessions, tickers), deposits, growth, withdrawals)


def _satellite(rng: np.random.Generator, name: str, tickers: np.ndarray, target: float) -> Satellite:
    sliders = {slider: float(rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])) for slider in SLIDERS}
    toggles = {toggle: bool(rng.random() < 0.4) for toggle in TOGGLES}
    preset = str(rng.choice(list(PRESETS)))
    parameters = settings(preset, sliders, toggles, str(rng.choice(DIVIDENDS))).parameters
    target = min(target, 0.15)
    line = float(target * 1.1) if rng.random() < 0.2 else None
    return Satellite(name, tuple(tickers.tolist()), target, parameters, min(0.02, target), line)


def _panel(rng: np.random.Generator, sessions: int, tickers: int) -> SatellitePanel:
    """Return prices that rise and fall for months, with holes, late first bars, gaps and dividends."""
    shape = (sessions, tickers)
    days = np.busday_offset("2015-01-01", np.arange(sessions), roll="forward")
    # In some cases all tickers turn at once, and far enough that whole satellites fall asleep.
    turns = rng.random((sessions, 1)) if rng.random() < 0.5 else rng.random(shape)
    drift = (np.cumsum(turns < TURNS, axis=0) % 2 * -2.0 + 1.0) * rng.choice([0.004, 0.015])
    close = 50.0 * np.exp(np.cumsum(drift + rng.normal(0.0, rng.choice([0.01, 0.03]), shape), axis=0))
    at_open = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0.0, 0.01, shape))
    at_open[rng.random(shape) < 0.01] *= 0.8
    high = np.maximum(at_open, close) * np.exp(np.abs(rng.normal(0.0, 0.01, shape)))
    low = np.minimum(at_open, close) * np.exp(-np.abs(rng.normal(0.0, 0.01, shape)))
    missing = rng.random(shape) < 0.02
    late = rng.integers(0, 60, tickers) * (rng.random(tickers) < 0.3)
    missing |= np.arange(sessions)[:, None] < late
    for prices in (at_open, high, low, close):
        prices[missing] = np.nan
    dividends = np.zeros(shape)
    for ticker in range(tickers):
        if rng.random() < 0.7:
            dividends[int(rng.integers(1, 63)) :: 63, ticker] = float(rng.choice([0.2, 1.0]))
    rates = np.full(sessions, float(rng.choice([-0.01, 0.0, 0.03])))
    return SatellitePanel(
        tuple(f"T{each}" for each in range(tickers)), days, at_open, high, low, close, dividends, rates
    )


def _signals(rng: np.random.Generator, panel: SatellitePanel, sessions: int, tickers: int) -> Signals:
    shape = (sessions, tickers)
    order = rng.normal(size=shape).round(1)
    order[rng.random(shape) < 0.1] = np.nan
    projected = day_numbers(panel.sessions)[:, None] + rng.integers(-20, 20, shape)
    return Signals(
        is_entry=(rng.random(shape) < rng.choice([0.02, 0.1, 0.3])) & np.isfinite(panel.close),
        conviction=rng.integers(0, 5, shape) / 4.0,
        order=order,
        is_exit=rng.random(shape) < 0.005,
        next_ex_date=np.where(rng.random(shape) < 0.5, projected, -1),
        regime=np.repeat(rng.integers(0, 5, sessions // 40 + 1), 40)[:sessions].astype(np.int8),
    )
