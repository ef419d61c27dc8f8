"""A sweep: scenarios by the thousand of which the metrics alone are kept, in segments of the lake.

:func:`work` is what a process or a thread does, wherever it runs; who hands out the work, what a sweep is compared with
and which rows count belongs in ``pipelines``. It knows no Dagster and no SQL, since a fresh process should begin soon.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sd_core import versions
from sd_core.lake import Lake
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.market.stored import StoredPanel
from sd_core.metrics.measures import METRICS
from sd_core.metrics.money_weighted import MoneyWeighted
from sd_core.metrics.returns import session_returns
from sd_core.schemas.sweeps import METRICS_SCHEMA, SEGMENT, SWEEPS
from sd_core.selection.differences import packed_sums
from sd_core.simulation.engine import simulate
from sd_core.simulation.judge import BrokenError, Digest, Judge
from sd_core.simulation.path_band import path_outcome
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.rules import Every, Path, Rules, TaxRates, resolve_all
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# Scenarios that are simulated before their sums are taken, so that memory stays bounded.
TOGETHER = 256

Beside = Callable[[Panel, Scenario, Rules, SimulationResult], Mapping[str, Any]]


@dataclass(frozen=True)
class Compared:
    """Buy-and-hold, with which scenarios are compared.

    Attributes:
        returns, cash: its returns and those of cash by session.
        against: hash of what it was simulated on and by.
        firsts: places of the sessions from which some scenario is compared.
    """

    returns: Floats
    cash: Floats
    against: str
    firsts: tuple[int, ...]


@dataclass(frozen=True)
class Shared:
    """What all chunks of a sweep share; the panel is read by each process for itself.

    Attributes:
        lake: that receives the segments.
        job: of the names of segments: the time, and a random part.
        study: that knows what its mixes have decided.
        prices: of the study.
        scenarios: of the sweep, in order.
        study_hashes: by strategy.
        metrics_version: of the formulas.
        compared: None where there is no buy-and-hold.
        beside: returns rows of other tables, by name, that are simulated beside a scenario; None for none.
    """

    lake: Lake
    job: str
    study: Study
    prices: StoredPanel
    scenarios: Sequence[Scenario]
    study_hashes: Mapping[str, str]
    metrics_version: str
    compared: Compared | None
    beside: Beside | None = None

    @property
    def panel(self) -> Panel:
        """Prices of the study."""
        return self.prices.panel

    @property
    def prices_version(self) -> str:
        """The version of the prices."""
        return str(self.prices.market.facts["prices_version"])


Failures = dict[Scenario, str]


def work(shared: Shared, rows: range) -> tuple[int, Failures]:
    """Simulate a chunk of a sweep, digest it, and append one segment.

    Args:
        shared: the sweep.
        rows: places of the chunk's scenarios.

    Returns:
        How many scenarios the segment has, and why others are not in it. The same chunk leaves the same segment.
    """
    failures: Failures = {}
    judge = judge_of(shared.study, shared.panel)
    parts = [
        _digested(shared, judge, shared.scenarios[first : min(first + TOGETHER, rows.stop)], failures)
        for first in range(rows.start, rows.stop, TOGETHER)
    ]
    table = pa.concat_tables(parts)
    if table.num_rows:
        shared.lake.append(SWEEPS, f"{shared.job}-{rows.start:06d}", table)
    return table.num_rows, failures


def judge_of(study: Study, panel: Panel) -> Judge:
    """Return what digests the scenarios of a study."""
    rates = None if study.taxes is None else TaxRates.of(study.taxes)
    return Judge(panel, study.capital, rates)


def digests(
    study: Study, panel: Panel, judge: Judge, scenarios: Sequence[Scenario], failures: Failures
) -> Iterator[tuple[Scenario, Rules, SimulationResult, Digest]]:
    """Yield each scenario that keeps every law, with its rules, its result and its digest."""
    rules = [*resolve_all(study, scenarios)]
    for scenario, one, result in zip(scenarios, rules, each_result(panel, rules), strict=True):
        try:
            if isinstance(result, Exception):
                raise result
            digested = judge.digest(one, result)
        except BrokenError as error:
            failures[scenario] = str(error)
        except Exception as error:  # of this scenario alone
            failures[scenario] = f"{type(error).__name__}: {error}"
        else:
            yield scenario, one, result, digested


def each_result(
    panel: Panel, rules: Sequence[Rules], *, ledger: bool = True, workers: int | None = 1
) -> Iterator[SimulationResult | Exception]:
    """Yield every scenario's result in order, or the error that it meets also by itself."""
    results = simulate(panel, rules, workers, ledger=ledger)
    for place in range(len(rules)):
        try:
            yield next(results)
        except Exception:  # of this scenario, or of one that ran beside it
            yield _result_alone(panel, rules[place], ledger)
            results = simulate(panel, rules[place + 1 :], workers, ledger=ledger)


def _result_alone(panel: Panel, rules: Rules, ledger: bool) -> SimulationResult | Exception:
    try:
        (result,) = simulate(panel, [rules], ledger=ledger)
    except Exception as error:
        return error
    return result


def _digested(shared: Shared, judge: Judge, scenarios: Sequence[Scenario], failures: Failures) -> pa.Table:
    """Return the rows of some scenarios, as a segment has them."""
    kept: list[Scenario] = []
    metrics: list[Floats] = []
    unsolved: list[MoneyWeighted | None] = []
    returns: list[Floats] = []
    beside: list[str | None] = []
    for scenario, rules, result, digested in digests(shared.study, shared.panel, judge, scenarios, failures):
        try:
            noted = _beside(shared, judge, scenario, rules, result, digested)
        except Exception as error:  # of this scenario alone
            failures[scenario] = f"{type(error).__name__}: {error}"
            continue
        kept.append(scenario)
        metrics.append(digested.metrics)
        unsolved.append(digested.unsolved)
        returns.append(session_returns(result.daily, shared.study.capital))
        beside.append(noted)
    numbers_of = dict(zip(METRICS, np.array(metrics).reshape(len(kept), len(METRICS)).T, strict=True))
    return segment(
        {
            "strategy": [one.strategy for one in kept],
            "reserve": [one.reserve for one in kept],
            **_as_columns(numbers_of),
            **_periods(shared.panel, judge.record.calendar.days, len(kept)),
            "xirr_missing": [one and one.missing for one in unsolved],
            "capital": np.full(len(kept), shared.study.capital),
            "prices_version": [shared.prices_version] * len(kept),
            "study_hash": [shared.study_hashes[one.strategy] for one in kept],
            "engine_version": [versions.ENGINE] * len(kept),
            "metrics_version": [shared.metrics_version] * len(kept),
            **sums_columns(shared.compared, returns),
            "beside": beside,
        },
        len(kept),
    )


def segment(columns: Mapping[str, Any], rows: int) -> pa.Table:
    """Return rows with the columns of a segment; those that are left out are NULL."""
    arrays = [
        pa.nulls(rows, field.type)
        if field.name not in columns
        else pa.array(columns[field.name], field.type, from_pandas=isinstance(columns[field.name], np.ndarray))
        for field in SEGMENT
    ]
    return pa.table(arrays, schema=SEGMENT)


def sums_columns(compared: Compared | None, returns: Sequence[Floats]) -> dict[str, Any]:
    """Return the columns of a segment that say what scenarios have more than buy-and-hold, from their returns."""
    if compared is None or not compared.firsts or not returns:
        return {}
    stacked = np.array(returns)
    packed = np.stack(
        [packed_sums(stacked[:, first:], compared.returns[first:], compared.cash[first:]) for first in compared.firsts],
        axis=1,
    )
    offsets = pa.array(np.arange(0, packed.size + 1, packed[0].size, dtype=np.int32))
    return {
        "against": [compared.against] * len(returns),
        "compared_from": [list(compared.firsts)] * len(returns),
        "sums": pa.ListArray.from_arrays(offsets, pa.array(packed.ravel())),
    }


def _as_columns(numbers: Mapping[str, Floats]) -> dict[str, Any]:
    """Return metrics as the table has them: counts as whole numbers."""
    return {
        name: values.astype(np.int64) if pa.types.is_integer(METRICS_SCHEMA.field(name).type) else values
        for name, values in numbers.items()
    }


def _periods(panel: Panel, days: float, rows: int) -> dict[str, Any]:
    """Return the columns that say which period metrics are of."""
    first, last = panel.sessions[[0, -1]].tolist()
    return {
        "first_session": [first] * rows,
        "last_session": [last] * rows,
        "is_of_a_year": [days >= 360] * rows,
    }


def _beside(
    shared: Shared, judge: Judge, scenario: Scenario, rules: Rules, result: SimulationResult, digested: Digest
) -> str | None:
    """Return what is simulated beside a scenario, in JSON; None where that is nothing."""
    found: dict[str, Any] = {}
    if shared.beside is not None:
        found |= shared.beside(shared.panel, scenario, rules, result)
    if digested.tax_lots is not None and rules.harvest_every is not Every.NEVER:
        found["harvest_twin"] = [judge.harvest_twin(rules, result, digested.tax_lots)]
    if shared.study.path_band:
        found["path_band"] = list(path_rows(shared.panel, rules, result))
    return json.dumps(found) if found else None


def path_rows(panel: Panel, rules: Rules, result: SimulationResult) -> Iterable[dict[str, Any]]:
    """Yield a row of ``simulation_path_band`` for each path, the chosen one's from its result."""
    others = [path for path in Path if path != rules.path]
    found = each_result(panel, [replace(rules, path=path) for path in others], ledger=False)
    results = {rules.path: result, **dict(zip(others, found, strict=True))}
    for path in Path:
        yield {**path_outcome(path, results[path], rules.capital), "is_chosen": path not in others}
