"""How often the best of many scenarios is distinguished from luck: where all are worth nothing, and where one is not.

Prices are random walks that are as likely to gain as to lose, an arithmetic mean of 0 above cash, so that nothing that
trades them gains on average. On them run the rule with several rungs and reserves, and portfolios that hold other
assets each month, chosen at random. Then one more portfolio is planted that knows a little of the month to come: what
it chooses by has a correlation with the returns. All go the way of the product, from simulations to the verdict.

    python -m benchmarks.luck [--json FILE]
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.market import DAILY_VOLATILITY, make_panel, make_rules, with_drift
from sd_core.market.panel import Panel
from sd_core.metrics.returns import session_returns
from sd_core.resampling.histories import block_of
from sd_core.selection.differences import MEASURES, NUMBERS, differences
from sd_core.selection.judgement import Judgement, Tried, gather, judge, samples_of
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import Rules, Variant
from sd_core.simulation.targets import Targets

DATA_SETS = 50
ASSETS, SESSIONS, MONTH = 10, 2_520, 21
RUNGS, RESERVES, AT_RANDOM = (4, 8, 16), 4, 12
HELD = 3
FIRST_SEED = 3_000_000
# Correlation of what the planted portfolio chooses by with the returns of the month to come; 0 is none planted.
KNOWN = (0.0, 0.15, 0.3)
COLUMNS = ("planted", "measure", "scenarios", "data sets", "distinguished", "SPA", "deflated", "PBO")


@dataclass(frozen=True)
class Found:
    """How many data sets passed the tests by a measure: all of them, and each by itself."""

    planted: float
    measure: str
    scenarios: int
    data_sets: int
    distinguished: int
    superior: int
    deflated: int
    not_overfit: int


def measure() -> list[Found]:
    """Judge every data set, without a planted portfolio and with one that knows more and more."""
    return [found for planted in KNOWN for found in _counted(planted)]


def judgements(seed: int, planted: float) -> dict[str, Judgement]:
    """Return what is made of one data set, by measure; the planted portfolio is the last scenario."""
    panel = with_drift(make_panel(ASSETS, SESSIONS, seed), -(DAILY_VOLATILITY**2) / 2)
    (held, *rules) = _rules(panel, np.random.default_rng(seed), planted)
    capital = held.capital
    holding, *others = (
        session_returns(result.daily, capital) for result in simulate(panel, [held, *rules], ledger=False)
    )
    known = [differences(returns, holding, np.zeros(SESSIONS)) for returns in others]
    block = block_of(holding[1:])
    everyone = range(len(known))
    unknown = np.full((len(known), len(MEASURES), NUMBERS), np.nan)
    evidence = gather(enumerate(known), unknown, [frozenset(everyone)], samples_of(SESSIONS, block, 1), block)
    found = {name: judge(of, 0, everyone, Tried(len(known))) for name, of in evidence.items()}
    return {name: one for name, one in found.items() if one is not None}


def _counted(planted: float) -> Iterator[Found]:
    judged = [judgements(FIRST_SEED + number, planted) for number in range(DATA_SETS)]
    for name in MEASURES:
        of = [one[name] for one in judged]
        yield Found(
            planted,
            name,
            len(of[0].places),
            DATA_SETS,
            sum(bool(one.is_distinguished) for one in of),
            sum(one.superiority is not None and one.superiority.consistent <= 0.05 for one in of),
            sum(one.deflated >= 0.95 for one in of),
            sum(one.overfitting is not None and one.overfitting.probability < 0.5 for one in of),
        )


def _rules(panel: Panel, draws: np.random.Generator, planted: float) -> Iterator[Rules]:
    """Yield buy-and-hold, then the scenarios, the planted one last."""
    at_reserves = make_rules(ASSETS, RESERVES)
    held = replace(at_reserves[0], variant=Variant.NO_RULE)
    yield held
    for rungs in RUNGS:
        yield from (replace(one, brackets=np.full(ASSETS, 2 ** (1 / rungs) - 1)) for one in at_reserves)
    months = np.arange(0, SESSIONS, MONTH)
    for _ in range(AT_RANDOM):
        yield _rotating(held, panel, months, draws.normal(size=(len(months), ASSETS)))
    if planted:
        # The close after a month's targets are in force, up to that of the next month's.
        ends = np.minimum(months + MONTH, SESSIONS - 1)
        to_come = np.log(panel.close[ends] / panel.close[months])
        scores = (to_come - to_come.mean(axis=0)) / to_come.std(axis=0)
        noise = draws.normal(size=(len(months), ASSETS))
        yield _rotating(held, panel, months, planted * scores + np.sqrt(1 - planted**2) * noise)


def _rotating(held: Rules, panel: Panel, months: np.ndarray, scores: np.ndarray) -> Rules:
    """Return the rules that hold, from the first close of each month on, the assets with the highest scores alike."""
    chosen = np.argsort(np.argsort(-scores, axis=1), axis=1) < HELD
    return replace(held, targets=Targets(panel.sessions[months], chosen / HELD), rebalance_on_change=True)


def show(figures: Sequence[Found]) -> None:
    """Print the table."""
    rows = [
        [
            f"{one.planted:.0%}" if one.planted else "none",
            one.measure,
            *map(str, (one.scenarios, one.data_sets, one.distinguished, one.superior, one.deflated, one.not_overfit)),
        ]
        for one in figures
    ]
    report.print_table(COLUMNS, rows, texts=2)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"luck": [asdict(one) for one in figures]}


if __name__ == "__main__":
    report.run("Judge the best of many scenarios on prices that are noise.", main)
