"""What the engines are given to do, and what of it is compared.

A task is a rule that some engine can express, on the same prices as every other task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.market import BANDS, CAPITAL, make_rules
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Order, Path, Rules

# Turnover and final values agree when they differ by less than this share.
AGREE = 1e-6


@dataclass(frozen=True)
class Outcome:
    """One scenario: trades of the rule, the money they moved, and the value at the end."""

    fills: int
    turnover: float
    final_value: float


@dataclass(frozen=True)
class Task:
    """A rule by its name, and the panels that each run every scenario of it; one panel, unless assets run apart."""

    rule: str
    panels: Sequence[Panel]
    rules: Sequence[Rules]

    @property
    def asset_sessions(self) -> int:
        """How many asset-sessions all scenarios have together."""
        return len(self.rules) * sum(panel.close.size for panel in self.panels)

    def results(self, workers: int = 1) -> Iterator[SimulationResult]:
        """Yield SD Lab's results, one panel after the other."""
        for panel in self.panels:
            yield from simulate(panel, self.rules, workers)

    def outcomes(self) -> list[Outcome]:
        """Return what comes out of SD Lab by scenario, summed over the panels."""
        each = np.array([tuple(vars(read(result)).values()) for result in self.results()])
        sums = each.reshape(len(self.panels), len(self.rules), -1).sum(axis=0)
        return [Outcome(int(fills), turnover, value) for fills, turnover, value in sums.tolist()]

    def first(self, scenarios: int) -> "Task":
        """Return the same with that many scenarios at most, from the lowest reserve to the highest."""
        chosen = np.unique(np.linspace(0, len(self.rules) - 1, scenarios).astype(int))
        return replace(self, rules=[self.rules[place] for place in chosen])


def four_legs(panel: Panel, scenarios: int, order: Order = Order.UNIVERSE) -> Task:
    """Return the whole rule: the path of a bar in four legs, every rung that it crosses."""
    name = "four legs" if order is Order.UNIVERSE else f"four legs, {order.name.lower()}"
    return Task(name, [panel], make_rules(len(panel.tickers), scenarios, order=order))


def in_bands(panel: Panel, scenarios: int) -> Task:
    """Return the whole rule inside bands of half the weights around them: what portfolio rules add to it in time."""
    rules = make_rules(len(panel.tickers), scenarios, **BANDS)
    return Task("four legs, bands around the weights", [panel], rules)


def closes(panel: Panel, scenarios: int) -> Task:
    """Return the rule on closes alone, every rung that a close reaches."""
    return Task("closes", [panel], make_rules(len(panel.tickers), scenarios, path=Path.CLOSE_ONLY))


def closes_one_rung(panel: Panel, scenarios: int) -> Task:
    """Return the rule on closes alone, at most one rung a session and asset."""
    return Task(
        "closes, one rung", [panel], make_rules(len(panel.tickers), scenarios, path=Path.CLOSE_ONLY, max_rungs=1)
    )


def closes_apart(panel: Panel, scenarios: int) -> Task:
    """Return the rule on closes alone in whole shares, every asset with its part of the capital by itself."""
    assets = len(panel.tickers)
    return Task(
        "closes, assets apart, whole shares",
        [_single(panel, asset) for asset in range(assets)],
        make_rules(1, scenarios, path=Path.CLOSE_ONLY, capital=CAPITAL / assets, lot_size=1.0),
    )


def _single(panel: Panel, asset: int) -> Panel:
    names = ("open", "high", "low", "close", "dividends")
    columns = {name: np.ascontiguousarray(getattr(panel, name)[:, [asset]]) for name in names}
    return replace(panel, tickers=panel.tickers[asset : asset + 1], **columns)


def read(result: SimulationResult) -> Outcome:
    """Return what is compared of a result."""
    trades = result.ledger[np.isin(result.ledger["kind"], (Kind.BUY, Kind.SELL))]
    turnover = np.abs(trades["quantity"]) * trades["price"]
    return Outcome(len(trades), float(turnover.sum()), float(result.daily["value"][-1]))


def difference(expected: Sequence[Outcome], found: Sequence[Outcome]) -> str:
    """Return the largest difference between two engines' outcomes in words, or nothing where they agree."""
    fills, wanted = (sum(outcome.fills for outcome in outcomes) for outcomes in (found, expected))
    if fills != wanted:
        return f"{fills} fills for {wanted}"
    for name in ("turnover", "final_value"):
        pairs = [(getattr(mine, name), getattr(other, name)) for mine, other in zip(expected, found, strict=True)]
        worst = max(abs(other - mine) / max(abs(mine), 1.0) for mine, other in pairs)
        if worst > AGREE:
            return f"{name} off by {worst:.1g}"
    return ""
