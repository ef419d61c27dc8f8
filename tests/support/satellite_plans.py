"""Plans of satellites for tests of the engines of histories, drawn from a seed.

They are meant to be awkward: crashes that put satellites to sleep and rallies that wake them, gaps over stops, no bar
on the day of an order, dividends out of the blue, fees that eat a sale, budgets that cannot hold what they should. What
the engines should make of them belongs in the tests.

Sessions are often a week apart, so that a few hundred of them hold the years that rules by the calendar take.
"""

from dataclasses import dataclass, field, fields, replace

import numpy as np

from sd_core.buckets.history.contract import Plan, Satellite, SatellitePanel, Signals
from sd_core.buckets.presets import Parameters, Settings, Sliders, Toggles
from sd_core.market.arrays import Dates, Floats
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Dividends, Regime, Signal

PRESETS = {
    Signal.BREAKOUT: "custom",
    Signal.DIP: "custom",
    Signal.STEADY: "steady_eddy",
    Signal.EX_DIVIDEND: "dividend_catcher",
}


@dataclass
class FakeCore:
    """A core that earns what was drawn, pays out what was drawn, and takes what comes."""

    value: float
    returns: Floats
    withdrawals: Floats
    withdrawn: float = 0.0
    flows: list[float] = field(default_factory=list)

    @property
    def bank(self) -> float:
        return self.value / 10

    def advance(self, session: int, flow: float) -> float:
        assert session == len(self.flows)
        self.flows.append(flow)
        worth = (self.value + flow) * (1 + self.returns[session])
        self.withdrawn = min(worth, float(self.withdrawals[session]))
        self.value = worth - self.withdrawn
        return flow


@dataclass(frozen=True)
class PlanCase:
    """A drawn plan with all that it is simulated on."""

    plan: Plan
    panel: Panel
    signals: Signals
    deposits: Floats
    core_returns: Floats
    core_withdrawals: Floats

    def core(self) -> FakeCore:
        """Return the plan's core, as it is before the first session."""
        return FakeCore(self.plan.core_capital, self.core_returns, self.core_withdrawals)

    def until(self, length: int) -> "PlanCase":
        """Return the same plan on the first so many sessions."""
        sides = ("sessions", "open", "high", "low", "close", "dividends", "rates")
        return replace(
            self,
            panel=replace(self.panel, **{side: getattr(self.panel, side)[:length] for side in sides}),
            signals=Signals(*(getattr(self.signals, one.name)[:length] for one in fields(Signals))),
            deposits=self.deposits[:length],
        )


def random_plan(seed: int) -> PlanCase:
    """Return the plan of a seed: 1 to 4 satellites of 1 to 6 tickers, 120 to 330 sessions."""
    rng = np.random.default_rng(seed)
    sessions = _draw_sessions(rng)
    # Large positions, bought whenever possible and well funded: satellites that rise far and fall far.
    is_bold = rng.random() < 0.55
    counts = rng.integers(3 if is_bold else 1, 7, size=rng.choice([1, 2, 3, 4], p=[0.1, 0.2, 0.3, 0.4]))
    parameters = [_draw_parameters(rng, is_bold=is_bold) for _ in counts]
    capital = float(rng.choice([2_000.0, 100_000.0]))
    plan = _draw_plan(rng, counts, parameters, capital, is_bold=is_bold)
    # From a stream of its own: a seed keeps all else that it had, whatever is added here.
    (apart,) = rng.spawn(1)
    plan = replace(plan, minor=float(apart.choice([100.0, 1.0], p=[0.7, 0.3])))
    panel = _draw_panel(rng, sessions, int(counts.sum()), is_bold=is_bold, is_ruinous=plan.fee_fixed > 1)
    signals = _draw_signals(rng, plan, panel, is_bold=is_bold)
    length = len(sessions)
    core_growth = rng.choice([-0.004, 0.0] if is_bold else [-0.003, 0.004, 0.008])
    case = PlanCase(
        plan=plan,
        panel=panel,
        signals=signals,
        deposits=_draw_deposits(rng, capital, sessions, is_needed=not plan.starts_at_target),
        core_returns=rng.normal(core_growth, 0.01, length),
        core_withdrawals=np.where(rng.random(length) < 0.05, 0.002 * capital, 0.0),
    )
    return _mixed(case, np.random.default_rng((seed, 1)).permutation(len(plan.lot_sizes))) if seed % 3 == 2 else case


def _mixed(case: PlanCase, order: np.ndarray) -> PlanCase:
    """Return the same case with its tickers in another order, so that those of a satellite lie between others."""
    plan, panel, place = case.plan, case.panel, np.argsort(order)
    of_tickers = ("open", "high", "low", "close", "dividends")
    signals = {one.name: getattr(case.signals, one.name) for one in fields(Signals)}
    return replace(
        case,
        plan=replace(
            plan,
            satellites=tuple(
                replace(one, tickers=tuple(sorted(place[list(one.tickers)].tolist()))) for one in plan.satellites
            ),
            lot_sizes=tuple(plan.lot_sizes[ticker] for ticker in order),
        ),
        panel=replace(panel, **{side: np.ascontiguousarray(getattr(panel, side)[:, order]) for side in of_tickers}),
        signals=Signals(**{name: each[:, order] if each.ndim == 2 else each for name, each in signals.items()}),
    )


def _draw_sessions(rng: np.random.Generator) -> Dates:
    step = rng.choice([1, 4, 5], p=[0.2, 0.3, 0.5])
    # Windows of an evaluation are 252 sessions long.
    length = rng.integers(270, 331) if rng.random() < 0.1 else rng.integers(120, 211)
    gaps = np.maximum(1, rng.integers(step - 1, step + 2, size=length))
    if rng.random() < 0.2:
        gaps[rng.integers(len(gaps))] = rng.integers(30, 200)
    # Weekdays alone: a market of seven days has more sessions to the year.
    return np.busday_offset("2019-01-02", rng.integers(0, 60) + np.cumsum(gaps))


def _draw_parameters(rng: np.random.Generator, *, is_bold: bool) -> Parameters:
    signal = Signal(int(rng.choice(4, p=[0.3, 0.2, 0.2, 0.3])))
    at = dict(zip(("risk", "hold", "entry", "spread", "profit"), rng.random(5).round(2), strict=True))
    if signal in (Signal.BREAKOUT, Signal.DIP):
        at["entry"] = (at["entry"] + (signal is Signal.BREAKOUT)) / 2
    if rng.random() < 0.6:
        at["hold"] *= 0.2
    if rng.random() < 0.5:
        at["spread"] *= 0.2
    if is_bold:
        at |= {"risk": 1.0, "spread": 0.0, "profit": at["profit"] * 0.3, "hold": 0.1 + 0.3 * at["hold"]}
    toggles = rng.random(4) < (0.4, 0.1 if is_bold else 0.4, 0.5, 0.3)
    settings = Settings(
        PRESETS[signal],
        Sliders(**{name: float(value) for name, value in at.items()}),
        Toggles(*(bool(one) for one in toggles)),
        Dividends(int(rng.choice(3))),
    )
    assert settings.signal is signal or at["entry"] == 0.5
    return settings.parameters


def _draw_plan(
    rng: np.random.Generator, counts: np.ndarray, parameters: list[Parameters], capital: float, *, is_bold: bool
) -> Plan:
    ends = np.cumsum(counts)
    targets = rng.uniform(0.02, 0.15, size=len(counts)).round(3)
    is_tight, is_high = rng.random(2) < ((0.1, 0.0) if is_bold else (0.3, 0.9))
    least = targets if is_tight else 0.9 * targets if is_high else np.minimum(targets, 0.02)
    # A study refuses a budget below the sum of its targets; with one, not every target can be kept at its least.
    budget = targets.sum() - 0.3 * targets.min() if is_tight else targets.sum() * rng.choice([1.0, 1.3])
    lines = [None if rng.random() < 0.5 else float(target * rng.choice([0.5, 1.2])) for target in targets]
    fees = [(0.0, 0.0), (0.0, 0.0005), (1.0, 0.001), (0.001 * capital, 0.0)]
    fee_fixed, fee_rate = fees[rng.choice(4, p=[0.2, 0.3, 0.15, 0.35] if is_bold else [0.25, 0.4, 0.15, 0.2])]
    return Plan(
        name="drawn",
        capital=capital,
        budget=float(budget),
        satellites=tuple(
            Satellite(
                name=f"s{number}",
                tickers=tuple(range(int(ends[number] - counts[number]), int(ends[number]))),
                target=float(targets[number]),
                parameters=parameters[number],
                min_pct=float(least[number]),
                harvest_line=lines[number],
            )
            for number in range(len(counts))
        ),
        starts_at_target=is_bold or bool(rng.random() < 0.6),
        lot_sizes=tuple(float(lot) for lot in rng.choice([0.0, 0.0, 0.01, 1.0], size=ends[-1])),
        fee_fixed=fee_fixed,
        fee_rate=fee_rate,
        max_pct=0.15,
    )


def _draw_panel(rng: np.random.Generator, sessions: Dates, tickers: int, *, is_bold: bool, is_ruinous: bool) -> Panel:
    """Return prices that drift for a while, crash, or rally; some opens lie far from the close before."""
    shape = (len(sessions), tickers)
    phases = np.repeat(
        rng.choice([0.0, 0.0, 0.012, -0.012, -0.04, 0.04], size=(len(sessions) // 20 + 1, tickers)), 20, 0
    )
    drift = np.where(rng.random(tickers) < 0.5, phases[: len(sessions)], phases[: len(sessions), :1])
    jumps = _draw_jumps(rng, len(sessions), is_bold=is_bold, is_ruinous=is_ruinous)
    volatility = rng.choice([0.0005, 0.01, 0.03], size=tickers, p=[0.2, 0.4, 0.4])
    gaps = np.where(rng.random(shape) < 0.02, rng.normal(0, 0.15, shape), 0)
    overnight = rng.normal(0, volatility / 2, shape) + gaps + jumps[:, None]
    within = rng.normal(drift, volatility, shape)
    closes = np.exp(np.cumsum(overnight + within, axis=0)) * rng.choice([2.0, 20.0, 100.0], size=tickers)
    opens = closes * np.exp(-within)
    highs = np.maximum(opens, closes) * np.exp(rng.exponential(volatility / 2, shape))
    lows = np.minimum(opens, closes) * np.exp(-rng.exponential(volatility / 2, shape))
    # What opens far away may come back in the same session, and beyond.
    is_wide = rng.random(shape) < np.where(jumps[:, None] == 0, 0.03, 0.5)
    highs *= np.where(is_wide, rng.uniform(1.0, 1.4, shape), 1.0)
    lows *= np.where(is_wide, rng.uniform(0.3, 1.0, shape), 1.0)
    if rng.random() < 0.15:  # whole prices, so that many meet a limit exactly
        opens, highs, lows, closes = (np.ceil(side) for side in (opens, highs, lows, closes))
    paying = rng.random(shape) < rng.choice([0.0, 0.02, 0.1], size=tickers, p=[0.2, 0.4, 0.4])
    dividends = np.where(paying, lows * rng.uniform(0.001, 0.03, shape), 0.0)
    missing = rng.random(shape) < rng.choice([0.0, 0.03, 0.2])
    listed = np.where(rng.random(tickers) < 0.2, rng.integers(1, len(sessions) // 2, size=tickers), 0)
    is_unlisted = np.arange(len(sessions))[:, None] < listed
    missing |= is_unlisted
    dividends[is_unlisted] = 0.0
    for side in (opens, highs, lows, closes):
        side[missing] = np.nan
    return SatellitePanel(
        tickers=tuple(f"T{number}" for number in range(tickers)),
        sessions=sessions,
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        dividends=dividends,
        rates=np.full(len(sessions), rng.choice([0.0, 0.02, -0.005])),
    )


def _draw_jumps(rng: np.random.Generator, length: int, *, is_bold: bool, is_ruinous: bool) -> Floats:
    """Return by how much everything opens away from its last close, as logarithms: on most days not at all."""
    jumps = np.where(rng.random(length) < 0.03, rng.choice([-0.7, -0.5, 0.5, 0.8], size=length), 0.0)
    if is_bold:
        late = np.arange(length) > rng.uniform(0.2, 0.7) * length
        jumps = np.where(
            rng.random(length) < 0.05, np.where(late, rng.choice([-0.9, -0.7, 0.4], size=length), 0.4), 0.0
        )
    if is_ruinous:
        jumps[rng.integers(length // 3, length, size=4)] = -6.0
    return jumps


def _draw_signals(rng: np.random.Generator, plan: Plan, panel: Panel, *, is_bold: bool) -> Signals:
    shape = panel.close.shape
    signal_of = np.array([one.parameters.signal for one in plan.satellites for _ in one.tickers])
    has_bar = np.isfinite(panel.close)
    often = np.repeat(
        [rng.choice([0.05, 0.3, 0.8]) for _ in plan.satellites], [len(one.tickers) for one in plan.satellites]
    )
    days = panel.sessions.astype("datetime64[D]").astype(np.int64)[:, None]
    expected = np.where(rng.random(shape) < 0.7, days + rng.integers(3, 11, shape), -1)
    regimes = np.repeat(rng.choice([int(one) for one in Regime], size=shape[0] // 15 + 1), 15)[: shape[0]]
    odds = [0.0, 0.0, 0.0, 0.1, 0.9] if is_bold else [0.1, 0.1, 0.2, 0.3, 0.3]
    order = rng.choice([-0.5, 0.0, 0.1, 0.2, np.nan], size=shape)
    return Signals(
        is_entry=has_bar & (rng.random(shape) < often) & ((expected >= 0) | (signal_of != Signal.EX_DIVIDEND)),
        conviction=rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], size=shape, p=odds),
        order=order,
        is_exit=has_bar & (signal_of == Signal.STEADY) & (rng.random(shape) < 0.03),
        next_ex_date=np.where(signal_of == Signal.EX_DIVIDEND, expected, -1),
        regime=regimes.astype(np.int8),
    )


def _draw_deposits(rng: np.random.Generator, capital: float, sessions: Dates, *, is_needed: bool) -> Floats:
    if not is_needed and rng.random() < 0.4:
        return np.zeros(len(sessions))
    often = rng.choice([0.05, 0.3])
    amounts = capital * rng.uniform(0.002, 0.1, len(sessions))
    amounts[0] = 0.0
    return np.where(rng.random(len(sessions)) < often, amounts, 0.0)
