"""How often a verdict claims a difference where there is none: between reserves, and beside the same cash.

Data sets are drawn on which two reserves truly tie by a measure: independent returns, and a drift at which either is
better in half of all histories. Each goes the way of the product, from prices through simulations and bootstrap
samples to the table ``report_reserve_verdict``. There a best reserve by the measure of the tie is a false claim. No
difference is too small to matter here. What is merely mechanical gets no verdict, whatever the data. Where assets are
held and wealth is compared, the conclusion follows from few sums, so many more data sets are judged by these.

In the same way the rule is compared with its cash path without the rule, on prices that are as likely to gain as to
lose, an arithmetic mean of 0 above cash: nothing that trades them gains on average. There ``better`` and ``worse`` in
``report_equal_cash`` are false claims.

    python -m benchmarks.null_cases [--json FILE]
"""

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta

from benchmarks import report
from benchmarks.homes import SD8, make_home, make_study
from benchmarks.market import DAILY_VOLATILITY, make_panel, with_drift
from pipelines.lab.current import current_market, current_scenarios, stored_scenarios
from pipelines.lab.home import SQL, StudyHome
from pipelines.lab.sweeps import held_sweeps
from pipelines.steps.datasets import RESERVE_BOOTSTRAP
from pipelines.steps.derived import register_all
from pipelines.steps.rebuild import register_scenarios
from pipelines.steps.simulate import simulate_into_lake
from pipelines.steps.stored import SEGMENT_COLUMNS
from pipelines.warehouse.lake_views import register_market
from pipelines.warehouse.models import build, needed_for, own_models, read_macros
from pipelines.warehouse.reduction import metrics_version
from sd_core.market.panel import Panel
from sd_core.metrics.outcome import Calendar, outcome
from sd_core.resampling.histories import block_length, draw_sessions
from sd_core.simulation.engine import simulate
from sd_core.simulation.rules import resolve
from sd_core.study.model import Study

DATA_SETS = 400
HELD_DATA_SETS = 4_000
SESSIONS = 756
SAMPLES = 199
# Histories that a tie is found from, apart from those that are judged.
SEARCHED = 1_000
FIRST_SEED = 1_000_000
SURE = 0.95
# As the macro is_significant has it.
SIGNIFICANT = 0.04

RESERVES, EQUAL_CASH, CASH_PATH = "report_reserve_verdict", "report_equal_cash", "cash_path"
COLUMNS = ("strategy", "measure", "assets", "tie between", "drift, % a year", "data sets", "claims", "share", "at most")
EVERY_DIFFERENCE = {"wealth": 0.0, "sharpe": 0.0, "max_drawdown": 0.0}


@dataclass(frozen=True)
class Case:
    """A tie.

    Attributes:
        strategy: its name.
        parts: what it is made of.
        measure: by which it ties.
        reserves: two or more levels that tie; or one, which ties with its own cash path without the rule.
        assets: with equal weights.
    """

    strategy: str
    parts: Mapping[str, Any]
    measure: str
    reserves: tuple[float, ...]
    assets: int = 1

    @property
    def is_beside_cash(self) -> bool:
        """Whether the rule ties with its cash path, and not reserves with each other."""
        return len(self.reserves) == 1

    @property
    def is_of_sums(self) -> bool:
        """Whether the conclusion is known without a simulation."""
        return self.strategy == "held" and self.measure == "wealth"

    @property
    def between(self) -> str:
        """What ties, in words."""
        levels = ", ".join(f"{reserve:.0%}" for reserve in self.reserves)
        return f"{levels}, {CASH_PATH}" if self.is_beside_cash else levels

    def study(self, panel: Panel) -> Study:
        """Return the study of a data set."""
        bootstrap = {"histories": SAMPLES, "smallest_difference": EVERY_DIFFERENCE}
        keys = {"judge_by": self.measure} if self.is_beside_cash else {}
        return make_study(panel, self.reserves, {self.strategy: self.parts}, bootstrap=bootstrap, **keys)


LEVELS = (0.0, 0.1, 0.2, 0.3)
CASES = (
    Case("held", {}, "wealth", LEVELS),
    Case("held", {}, "wealth", LEVELS, assets=5),
    Case("held", {}, "sharpe", LEVELS),
    Case("rebalanced", {"rebalance": {"every": "month"}}, "wealth", (0.3, 0.7)),
    Case("sd8", SD8, "wealth", (0.0, 0.3)),
    Case("sd8", SD8, "sharpe", (0.0, 0.3)),
    Case("sd8", SD8, "cagr", (0.0,)),
    Case("sd8", SD8, "cagr", (0.0,), assets=5),
    Case("sd8", SD8, "sharpe", (0.0,)),
)


@dataclass(frozen=True)
class Found:
    """How often a tie was claimed to be a difference.

    Attributes:
        case: the tie.
        drift: log return per session at which it is one.
        data_sets: how many were judged.
        claims: how many of them had a false claim.
    """

    case: Case
    drift: float
    data_sets: int
    claims: int

    @property
    def most(self) -> float:
        """Upper end of what the share may be, with 95 % confidence: Clopper and Pearson 1934, one-sided."""
        return (
            float(beta.ppf(SURE, self.claims + 1, self.data_sets - self.claims))
            if self.claims < self.data_sets
            else 1.0
        )


def tie(case: Case, sessions: int = SESSIONS, searched: int = SEARCHED) -> float:
    """Return the drift, a log return per session, at which the lowest and the highest reserve are as often the better.

    Cash earns nothing, so what is held ties where its log growth has the median 0, which for one asset is no drift. So
    it is for what is rebalanced to one share of cash and to the other share: with growths that are as likely as their
    inverse, the two swap places. Other ties are found by simulation. Beside its cash path the rule ties where prices
    gain nothing above cash on average, whatever is held of them.
    """
    if case.is_beside_cash:
        return -(DAILY_VOLATILITY**2) / 2
    if case.assets == 1 and case.strategy != "sd8":
        return 0.0
    panels = [make_panel(case.assets, sessions, seed) for seed in range(searched)]

    def lead(drift: float) -> float:
        return float(np.median([_difference(case, with_drift(panel, drift)) for panel in panels]))

    # An arithmetic mean from a loss to a gain of a tenth a year.
    low, high = ((yearly / 252) - DAILY_VOLATILITY**2 / 2 for yearly in (-0.1, 0.1))
    return float(brentq(lead, low, high, xtol=1e-7))


def _difference(case: Case, panel: Panel) -> float:
    """Return how much better the lowest reserve did than the highest."""
    study = case.study(panel)
    scenarios = (study.scenarios[0], study.scenarios[-1])
    rules = [resolve(study, scenario) for scenario in scenarios]
    calendar = Calendar.of(panel)
    one, other = (
        outcome(result.daily, result.ledger, calendar, study.capital) for result in simulate(panel, rules, workers=1)
    )
    column = {"wealth": "final_value"}.get(case.measure, case.measure)
    return float(getattr(one, column) - getattr(other, column))


def measure(
    cases: Sequence[Case] = CASES,
    data_sets: int = DATA_SETS,
    searched: int = SEARCHED,
    held_data_sets: int = HELD_DATA_SETS,
) -> list[Found]:
    """Judge data sets of every tie."""
    found = []
    for case in cases:
        drift = tie(case, searched=searched)
        judge, count = (held_conclusion, held_data_sets) if case.is_of_sums else (conclusion, data_sets)
        claims = sum(
            judge(case, with_drift(make_panel(case.assets, SESSIONS, FIRST_SEED + number), drift))
            in ("better", "worse")
            for number in range(count)
        )
        found.append(Found(case, drift, count, claims))
    return found


def held_conclusion(case: Case, panel: Panel) -> str:
    """Return what the product concludes about the wealth of assets that are held, without simulating them.

    A reserve r ends with r + (1 - r) growth, where growth is the mean of the assets'. So each level leads each other
    one by the sign of growth - 1 alone, and all of their p-values are the same.
    """
    bootstrap = case.study(panel).bootstrap
    returns = np.diff(np.log(panel.close), axis=0)
    block = block_length(panel, np.full(case.assets, 1 / case.assets))
    drawn = draw_sessions(len(panel.sessions), block, bootstrap.histories, bootstrap.seed)
    growths = np.array([np.exp(returns[sessions - 1].sum(axis=0)).mean() for sessions in drawn])
    rarer = min(np.count_nonzero(growths <= 1.0), np.count_nonzero(growths >= 1.0))
    return "better" if 2 * (rarer + 1) / (len(growths) + 1) <= SIGNIFICANT else "undecided"


def conclusion(case: Case, panel: Panel) -> str:
    """Return what the product concludes from a data set about the measure of a tie."""
    study = case.study(panel)
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder), study, panel)
        for scenario, stored in simulate_into_lake(study, home.lake, study.scenarios):
            if isinstance(stored, Exception):
                raise RuntimeError(f"{scenario} was not stored") from stored
        if case.is_beside_cash:
            return _verdicts(home, EQUAL_CASH, "comparison, verdict")[CASH_PATH]
        RESERVE_BOOTSTRAP.make(study, home.lake)
        return _verdicts(home, RESERVES, "measure, conclusion")[case.measure]


@cache
def _models(table: str) -> tuple[list[Any], str]:
    return needed_for(own_models(), [table]), read_macros(SQL)


def _verdicts(home: StudyHome, table: str, columns: str) -> dict[str, str]:
    """Build the verdicts, and what they are made from, of a lake; return two columns of theirs."""
    market = current_market(home.study, home.lake)
    stored = stored_scenarios(home.study, home.lake, metrics_version)
    with contextlib.closing(duckdb.connect()) as connection:
        register_market(connection, home.study, market)
        sweeps = held_sweeps(home.study, home.lake, market, SEGMENT_COLUMNS)
        register_scenarios(connection, stored, current_scenarios(home.study, stored, market), sweeps)
        register_all(connection, {RESERVE_BOOTSTRAP: RESERVE_BOOTSTRAP.current(home.study, home.lake, market)})
        models, macros = _models(table)
        build(connection, models, macros)
        return dict(connection.execute(f"select {columns} from {table}").fetchall())


def show(figures: Sequence[Found]) -> None:
    """Print the table."""
    rows = [
        [
            one.case.strategy,
            one.case.measure,
            f"{one.case.assets}",
            one.case.between,
            f"{one.drift * 252:.1%}".removesuffix("%"),
            f"{one.data_sets}",
            f"{one.claims}",
            f"{one.claims / one.data_sets:.1%}",
            f"{one.most:.1%}",
        ]
        for one in figures
    ]
    report.print_table(COLUMNS, rows, texts=2)
    print()


def main() -> dict[str, Any]:
    """Measure, print, and return the figures for JSON."""
    figures = measure()
    show(figures)
    return {"null_cases": [asdict(one) | {"most": one.most} for one in figures]}


if __name__ == "__main__":
    report.run("Judge reserves that tie.", main)
