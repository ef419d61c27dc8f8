"""Living from it: what scenarios pay of withdrawals in bootstrap samples, and the highest rates that they pay.

How a sample is asked belongs in ``sd_core.resampling``; what the samples say together in ``sql``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.lab.current import read_panel
from pipelines.steps.progress import Progress
from pipelines.steps.resample import REPORTED_EVERY, draw_from
from pipelines.workers import workers
from sd_core.lake import Version
from sd_core.market.arrays import Floats
from sd_core.market.panel import Panel
from sd_core.resampling.outcomes import in_samples
from sd_core.resampling.withdrawals import HighestRate, Paid, falls_due, highest_rates, paid, year_numbers
from sd_core.schemas.lake import WITHDRAWAL_LIMIT, WITHDRAWAL_OUTCOME
from sd_core.simulation.rules import PERIODS_PER_YEAR, Every, Rules, TaxRates, resolve, with_withdrawals
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

# The samples in which highest rates are searched however high they are.
PILOTS = 100
# In the other samples, rates above this quantile of the pilots' are not searched: what pays them is in no tail that a
# safe rate depends on, with four standard errors between.
ENOUGH = 0.25


class Case(NamedTuple):
    """Withdrawals of one scenario, and what the tables call them."""

    scenario: Scenario
    of: str
    rate: float
    is_own: bool
    rules: Rules


class Answer(NamedTuple):
    """What one sample says: an outcome per case, and per scenario the highest rate, None where nothing falls due."""

    paid: Sequence[Paid]
    highest: Sequence[HighestRate | None]


def simulate_withdrawals(study: Study, market: Version, progress: Progress) -> Mapping[str, pa.Table]:
    """Return what every scenario pays of its withdrawals in each bootstrap sample, and the highest rates.

    The tables are empty where the study neither withdraws nor names rates to try.
    """
    cases = [case for scenario in study.resampled for case in _cases(study, scenario)]
    if not cases:
        return _tables(study, cases, [], 1)
    panel = read_panel(study, market)
    if study.price_index is None:
        panel = replace(panel, price_index=None)  # nothing is known of prices that are 1 throughout
    rules = [resolve(study, scenario) for scenario in study.resampled]
    units = [
        with_withdrawals(one, study.withdrawals_at(scenario.strategy, 1.0))
        for scenario, one in zip(study.resampled, rules, strict=True)
    ]
    relatives, drawn, _ = draw_from(study, panel)
    taxes = None if study.taxes is None else TaxRates.of(study.taxes)
    asked, spread = _Asked(study, cases, units, taxes), workers().map

    def answers() -> Iterator[Answer]:
        nothing = np.full(len(units), np.inf)
        pilots = list(in_samples(relatives, islice(drawn, PILOTS), spread, partial(_ask, asked, nothing)))
        yield from pilots
        yield from in_samples(relatives, drawn, spread, partial(_ask, asked, _enough(pilots)))

    found = []
    for done, answer in enumerate(answers(), start=1):
        found.append(answer)
        if done % REPORTED_EVERY == 0 or done == study.bootstrap.histories:
            progress("withdrawals simulated in bootstrap samples", done, study.bootstrap.histories)
    return _tables(study, cases, found, int(year_numbers(relatives.sessions)[-1]))


class _Asked(NamedTuple):
    """What is asked of every sample: which cases pay, and which rates of unit withdrawals, one per scenario, do."""

    study: Study
    cases: Sequence[Case]
    units: Sequence[Rules]
    taxes: TaxRates | None


def _ask(asked: _Asked, enough: Floats, history: Panel) -> Answer:
    outcomes = paid(history, [case.rules for case in asked.cases], asked.taxes)
    brackets = _brackets(asked.study, asked.cases, outcomes)
    return Answer(outcomes, _highest(history, asked.units, brackets, enough, asked.taxes))


def _cases(study: Study, scenario: Scenario) -> Iterator[Case]:
    """Yield what a scenario withdraws by itself, if anything, then the other rates to try."""
    # A lump sum has its date in the history that happened, and no share in a rate.
    rules = replace(resolve(study, scenario), withdrawals_on=())
    own = study.withdrawals_of(scenario.strategy)
    own_rate = None
    if own is not None and own.is_periodic:
        of = "value" if own.is_of_value else "capital"
        own_rate = own.rate or (own.amount or 0.0) * PERIODS_PER_YEAR[Every[own.every.upper()]] / study.capital
        yield Case(scenario, of, own_rate, True, rules)
    for rate in study.bootstrap.withdrawal_rates:
        if own is None or own.is_of_value or rate != own_rate:
            other = with_withdrawals(rules, study.withdrawals_at(scenario.strategy, rate))
            yield Case(scenario, "capital", rate, False, other)


def _brackets(study: Study, cases: Sequence[Case], outcomes: Sequence[Paid]) -> tuple[Floats, Floats]:
    """Return per scenario the highest rate of the capital that was paid, and the lowest above it that was not."""
    places = {scenario: place for place, scenario in enumerate(study.resampled)}
    low, high = np.zeros(len(places)), np.full(len(places), np.inf)
    known = [
        (places[case.scenario], case.rate, outcome.first_unpaid_year)
        for case, outcome in zip(cases, outcomes, strict=True)
        if case.of == "capital"
    ]
    for place, rate, first_unpaid_year in known:
        if np.isnan(first_unpaid_year):
            low[place] = max(low[place], rate)
    for place, rate, first_unpaid_year in known:
        if not np.isnan(first_unpaid_year) and rate > low[place]:
            high[place] = min(high[place], rate)
    return low, high


def _highest(
    history: Panel,
    units: Sequence[Rules],
    brackets: tuple[Floats, Floats],
    enough: Floats,
    taxes: TaxRates | None,
) -> list[HighestRate | None]:
    """Return the highest rates of the scenarios on which something falls due."""
    due = [place for place, unit in enumerate(units) if falls_due(history, unit)]
    low, high = brackets
    found = highest_rates(history, [units[place] for place in due], low[due], high[due], enough[due], taxes)
    by_place = dict(zip(due, found, strict=True))
    return [by_place.get(place) for place in range(len(units))]


def _enough(pilots: Sequence[Answer]) -> Floats:
    """Return per scenario the rate above which no other sample is searched."""
    rates = np.array([[np.inf if one is None else one.rate for one in pilot.highest] for pilot in pilots])
    return np.asarray(np.quantile(rates, ENOUGH, axis=0, method="higher"))


def _tables(study: Study, cases: Sequence[Case], answers: Sequence[Answer], years: int) -> dict[str, pa.Table]:
    """Return one row per case, or per scenario, and bootstrap sample, in the study's order; NaN becomes null."""
    histories = range(1, len(answers) + 1)
    outcomes: dict[str, list[Any]] = {name: [] for name in WITHDRAWAL_OUTCOME.columns}
    for place, case in enumerate(cases):
        found = [answer.paid[place] for answer in answers]
        outcomes["strategy"] += [case.scenario.strategy] * len(found)
        outcomes["reserve"] += [case.scenario.reserve] * len(found)
        outcomes["withdrawal_of"] += [case.of] * len(found)
        outcomes["withdrawal_rate"] += [case.rate] * len(found)
        outcomes["is_own"] += [case.is_own] * len(found)
        outcomes["history"] += histories
        for name in Paid._fields:
            outcomes[name] += [getattr(one, name) for one in found]
    outcomes["years"] = [years] * len(outcomes["history"])
    limits = [
        {
            **scenario._asdict(),
            "history": number,
            "highest_rate": None if one is None else one.rate,
            "is_beyond": one is not None and one.is_beyond,
            "years": years,
        }
        for place, scenario in enumerate(study.resampled)
        for number, one in zip(histories, (answer.highest[place] for answer in answers), strict=True)
    ]
    schema = WITHDRAWAL_OUTCOME.arrow_schema
    columns = [pa.array(outcomes[field.name], from_pandas=True).cast(field.type) for field in schema]
    return {
        "withdrawal_outcome": pa.table(columns, schema=schema),
        "withdrawal_limit": pa.Table.from_pylist(limits, WITHDRAWAL_LIMIT.arrow_schema),
    }
