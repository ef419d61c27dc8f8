"""Withdrawals in bootstrap samples: what a scenario pays, and the highest rate that it pays to the end.

What is due, and how it is met, belongs in ``sd_core.simulation``; what the samples say together in ``sql``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Dates, Floats, Integers, month_numbers
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.engine import simulate
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import PERIODS_PER_YEAR, Rules, TaxRates
from sd_core.simulation.taxes.owed import Taxed, TaxYears, simulate_taxed

# What is missing of less than this share of what was due is missing by rounding.
ROUNDING = 1e-9
# How far the highest rate that was found may lie below the highest there is: 0.02 percentage points.
RATE_TOLERANCE = 2e-4
# The rate that is tried first where none is known not to be paid; then twice as much, until one is not.
FIRST_RATE = 0.1
NAN = float("nan")


class Paid(NamedTuple):
    """What a scenario paid over one history; NaN where a number does not apply.

    Attributes:
        paid_share: withdrawals paid over those that fell due, a fraction; NaN where none fell due.
        first_unpaid_year: number of the year, from 1, of the first withdrawal, or tax, that was not paid in full; NaN
            where all were. The first year ends with the first anniversary of the first session.
        final_value: bank and holdings at the last close less the taxes still owed, money.
        real_value: the same in the money of the first session; NaN without a price index.
    """

    paid_share: float
    first_unpaid_year: float
    final_value: float
    real_value: float


class HighestRate(NamedTuple):
    """The highest withdrawals that a scenario pays in full over one history.

    Attributes:
        rate: a fraction of the capital per year: it was paid, and less than :data:`RATE_TOLERANCE` more was not.
        is_beyond: whether it only is known that the highest rate is this or more.
    """

    rate: float
    is_beyond: bool


def year_numbers(sessions: Dates) -> Integers:
    """Return the number of the year that each session belongs to, from 1; a year ends with the anniversary itself."""
    months = month_numbers(sessions) - month_numbers(sessions[:1])
    day = (sessions - sessions.astype("datetime64[M]")).astype(np.int64)
    return np.asarray(np.maximum((months - 1 + (day > day[0])) // 12 + 1, 1))


def paid(history: Panel, rules: Sequence[Rules], taxes: TaxRates | None = None) -> list[Paid]:
    """Return what each of some scenarios paid over a history, and its taxes besides where there are rates of tax."""
    if taxes is not None:
        tax_years = TaxYears.of(history.sessions)
        return [_paid_beside_taxes(history, simulate_taxed(history, one, taxes, tax_years)) for one in rules]
    results = list(simulate(history, rules, workers=1, ledger=False))
    short = [place for place, result in enumerate(results) if unpaid(result)]
    years = year_numbers(history.sessions)
    # Only a ledger knows when something was missing, and few scenarios have need of it.
    booked = simulate(history, [rules[place] for place in short], workers=1)
    first = {place: float(years[_first_unpaid(result.ledger)]) for place, result in zip(short, booked, strict=True)}
    inflation = _inflation(history)
    found = []
    for place, result in enumerate(results):
        scheduled, value = result.withdrawals_scheduled, float(result.daily["value"][-1])
        share = 1 - unpaid(result) / scheduled if scheduled > 0 else NAN
        found.append(Paid(share, first.get(place, NAN), value, float(value / inflation)))
    return found


def _inflation(history: Panel) -> float:
    index = history.price_index
    return NAN if index is None else float(index[-1] / index[0])


def _paid_beside_taxes(history: Panel, taxed: Taxed) -> Paid:
    """Return what was paid; where money was short, taxes were paid first."""
    rows = _due(taxed.result.ledger)
    missing = np.nan_to_num(rows["skipped_quantity"])
    # Where tax alone is due, what remains is rounding.
    withdrawals = np.maximum(missing - rows["amount"] - taxed.bills[rows["session"]], 0.0)
    scheduled = withdrawals.sum()
    share = 1.0 - np.minimum(missing, withdrawals).sum() / scheduled if scheduled > ROUNDING else NAN
    is_short = missing > ROUNDING * (missing - rows["amount"])
    years = year_numbers(history.sessions)
    short_of = years[rows["session"][is_short]].tolist() + ([int(years[-1])] if _owes_more(taxed) else [])
    value = float(taxed.result.daily["value"][-1]) - taxed.owed
    return Paid(float(share), float(short_of[0]) if short_of else NAN, value, value / _inflation(history))


def _owes_more(taxed: Taxed) -> bool:
    """Return whether taxes are owed at the end that are more than what is left."""
    return taxed.owed > 0.0 and float(taxed.result.daily["value"][-1]) < taxed.owed * (1.0 - ROUNDING)


def unpaid(result: SimulationResult) -> float:
    """Return the money that fell due and was not paid; 0 for what is missing by rounding."""
    scheduled = result.withdrawals_scheduled
    missing = scheduled - float(result.daily["withdrawals"].sum())
    return missing if missing > ROUNDING * scheduled else 0.0


def _first_unpaid(ledger: Rows) -> int:
    """Return the session of the first withdrawal that was not paid in full."""
    due = _due(ledger)
    missing = due["skipped_quantity"]  # NaN compares false
    return int(due["session"][missing > ROUNDING * (missing - due["amount"])][0])


def _due(ledger: Rows) -> Rows:
    return ledger[np.isin(ledger["kind"], (Kind.WITHDRAWAL, Kind.SKIP_WITHDRAWAL))]


def falls_due(history: Panel, rules: Rules) -> bool:
    """Return whether any withdrawal falls due on a history: whether one of their periods begins on it."""
    periods = month_numbers(history.sessions[[0, -1]]) * PERIODS_PER_YEAR[rules.withdrawal_every] // 12
    return bool(periods[1] > periods[0])


def at_rate(unit: Rules, rate: float) -> Rules:
    """Return rules with withdrawals of a yearly rate of the capital, from those with a rate of 1."""
    return replace(unit, withdrawal=unit.withdrawal * rate)


def _try_some(try_rates: Callable[[Floats, Floats], Floats], some: npt.NDArray[np.bool_], rates: Floats) -> None:
    places = np.flatnonzero(some)
    if len(places):
        try_rates(rates[places], places.astype(np.float64))


def _worths(
    history: Panel, rules: Sequence[Rules], taxes: TaxRates | None, tax_years: TaxYears | None
) -> Iterator[float]:
    """Yield what each scenario has at the end, above 0, or the negative of what was not paid."""
    if taxes is None:
        for result in simulate(history, rules, workers=1, ledger=False):
            missing = unpaid(result)
            yield -missing if missing else max(float(result.daily["value"][-1]), ROUNDING)
        return
    for one in rules:
        taxed = simulate_taxed(history, one, taxes, tax_years)
        left = float(taxed.result.daily["value"][-1]) - taxed.owed
        missing = unpaid(taxed.result)
        yield min(left, 0.0) - missing if missing or _owes_more(taxed) else max(left, ROUNDING)


def highest_rates(
    history: Panel,
    units: Sequence[Rules],
    low: Floats,
    high: Floats,
    enough: Floats,
    taxes: TaxRates | None = None,
) -> list[HighestRate]:
    """Return the highest rate of withdrawals that each of some scenarios pays in full over a history.

    Higher rates are taken to be harder to pay. The bracket between a rate that was paid and one that was not is
    narrowed after Chandrupatla (1997), by the money that is left, or missing, at the end. With rates of tax, taxes are
    paid too, and those still owed at the end must be left.

    Args:
        history: on which some withdrawal falls due.
        units: rules with withdrawals of the whole capital per year.
        low: a rate that each is known to pay; 0 for none.
        high: a higher one that it is known not to pay; infinity for none.
        enough: of each, a rate of which it is enough to know that it is paid; infinity for none.
        taxes: rates of the taxes that are paid besides; None for none.
    """
    low, high = low.copy(), high.copy()
    tax_years = None if taxes is None else TaxYears.of(history.sessions)

    def try_rates(rates: Floats, places: Floats) -> Floats:
        """Return what each scenario has at the end, or the negative of what it owed, and narrow its bracket."""
        which = places.astype(np.intp)
        tried = [at_rate(units[place], rate) for place, rate in zip(which, rates.tolist(), strict=True)]
        worths = np.fromiter(_worths(history, tried, taxes, tax_years), float, len(tried))
        was_paid = worths > 0
        np.maximum.at(low, which[was_paid], rates[was_paid])
        np.minimum.at(high, which[~was_paid], rates[~was_paid])
        return worths

    _try_some(try_rates, (low < enough) & (enough < high), enough)
    while (unlimited := np.isinf(high) & (low < enough)).any():
        _try_some(try_rates, unlimited, np.maximum(2 * low, FIRST_RATE))
    searched = np.flatnonzero(low < enough)
    if len(searched):
        # Takes a fifth of a second to import, and only this has need of it.
        from scipy.optimize import elementwise

        bracket = (low[searched], high[searched])
        elementwise.find_root(try_rates, bracket, args=(searched,), tolerances={"xatol": RATE_TOLERANCE, "xrtol": 0.0})
    return [HighestRate(float(rate), bool(rate >= most)) for rate, most in zip(low, enough, strict=True)]
