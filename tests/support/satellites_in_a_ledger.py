"""Drawn plans in whole numbers, which a ledger can hold to the last digit, and their rows beside those of a ledger."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pytest

from sd_core.buckets.history.contract import History
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.history.tables import to_tables
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.presets import Settings, Sliders, Toggles
from sd_core.schemas.kinds import Dividends, Signal
from sd_core.simulation.results import LEDGER
from support.satellite_plans import PlanCase, random_plan

PRESETS = {
    Signal.BREAKOUT: "custom",
    Signal.DIP: "custom",
    Signal.STEADY: "steady_eddy",
    Signal.EX_DIVIDEND: "dividend_catcher",
}
# The first sessions of the drawn plans, which hold starts, sleeps, locks and cooldowns.
SESSIONS = 110


@dataclass(frozen=True)
class Drawn:
    """A plan in whole numbers, its settings as a ledger takes them, and what it came to."""

    case: PlanCase
    settings: tuple[Settings, ...]
    history: History


def drawn(seed: int, *, is_whole: bool = True) -> Drawn:
    """Return the plan of a seed with at most three satellites, in whole prices and lots or not, and its history."""
    case = random_plan(seed).until(SESSIONS)
    rng = np.random.default_rng((seed, 7))
    satellites, settings = [], []
    for one in case.plan.satellites[:3]:
        chosen = _in_steps(one.parameters, rng)
        settings.append(chosen)
        satellites.append(
            replace(one, target=float(rng.choice([0.05, 0.08, 0.1])), min_pct=0.02, parameters=chosen.parameters)
        )
    panel, tickers = case.panel, len(case.plan.lot_sizes)
    whole = {side: np.maximum(np.round(getattr(panel, side)), 1.0) for side in ("open", "high", "low", "close")}
    if not is_whole:
        whole = {}
    dividends = np.round(panel.dividends, 2 if is_whole else 9)
    case = replace(
        case,
        plan=replace(
            case.plan,
            capital=100_000.0,
            budget=0.3,
            satellites=tuple(satellites),
            fee_fixed=1.0,
            fee_rate=0.0 if is_whole else 0.0005,
            lot_sizes=(1.0 if is_whole else 0.0,) * tickers,
            minor=100.0,
        ),
        panel=replace(panel, **whole, dividends=dividends, rates=np.zeros_like(panel.rates)),
        deposits=np.round(case.deposits, 2),
        core_returns=np.zeros(len(panel.sessions)),
        core_withdrawals=np.zeros(len(panel.sessions)),
    )
    return Drawn(case, tuple(settings), simulate(case.plan, case.panel, case.signals, case.deposits, case.core()))


def _in_steps(parameters, rng: np.random.Generator) -> Settings:
    """Return settings of the same signal whose stops and take-profits are whole percents."""
    signal = Signal(parameters.signal)
    entry = {Signal.BREAKOUT: 0.8, Signal.DIP: 0.2}.get(signal, 0.5)
    risk, hold, spread, profit = rng.choice([0.0, 0.2, 0.4], size=4)
    toggles = Toggles(
        *(bool(getattr(parameters, name)) for name in ("trailing", "regime", "harvest", "high_volatility"))
    )
    return Settings(
        PRESETS[signal],
        Sliders(float(risk), float(hold), entry, float(spread), float(profit)),
        toggles,
        Dividends(parameters.dividends),
    )


def money(amount: float) -> Decimal:
    return Decimal(repr(round(float(amount), 4)))


def rows_of(ledger: Ledger, of: Callable, book: str) -> list[dict]:
    with ledger.store.reading() as connection:
        return of(connection, book).to_pylist()


def assert_rows_agree(found: list[dict], expected: list[dict], without: set[str]) -> None:
    assert len(found) == len(expected)
    for mine, its in zip(found, expected, strict=True):
        for name, value in its.items():
            if name in without:
                continue
            place = f"{its.get('session', its.get('opened'))} {its['bucket']} {name}: {mine}"
            if isinstance(value, float):
                assert mine[name] == pytest.approx(value, rel=1e-9, abs=1e-9), place
            else:
                assert mine[name] == value, place


def tables_of(drawn: Drawn) -> dict[str, list[dict]]:
    """Return a history's rows of satellites as tables; a ledger of the core is not needed for them."""
    case, count = drawn.case, len(drawn.case.plan.lot_sizes)

    class NoCore:
        ledger = np.zeros(0, dtype=LEDGER)

    tickers = tuple(f"T{place}" for place in range(count))
    tables = to_tables(case.plan, tickers, case.panel.sessions, case.deposits, drawn.history, (), NoCore())
    return {name: table.to_pylist() for name, table in tables.items()}


def satellite_of(drawn: Drawn, place: int) -> Satellite:
    """Return a satellite of a drawn plan as a ledger creates it."""
    one, settings = drawn.case.plan.satellites[place], drawn.settings[place]
    return Satellite(
        one.name,
        settings.preset,
        [f"T{ticker}" for ticker in one.tickers],
        Decimal(str(one.target)),
        Decimal(str(one.min_pct)),
        sliders=vars(settings.sliders),
        toggles=vars(settings.toggles),
        dividends=settings.dividends.name.lower(),
    )
