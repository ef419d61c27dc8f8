"""What is owed for each calendar year of a scenario, and a scenario that pays it.

Which shares a sale sold belongs in ``lots``; what the rules are and where they come from is stated in
``docs/taxes.md``. The taxes that are published are computed in ``sql/analytics/simulation_taxes.sql``.
"""

from typing import NamedTuple, Self

import numpy as np

from sd_core.market.arrays import Dates, Floats, Integers
from sd_core.market.panel import Panel
from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import number
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import LotOrder, Rules
from sd_core.simulation.taxes.lots import Matching, Terms
from sd_core.simulation.taxes.matching import OPEN_SALE, compiled
from sd_core.simulation.walk import Walk

DIVIDEND, INTEREST = number(Kind.DIVIDEND), number(Kind.INTEREST)
# Day and month on which the tax of the year before is due: Publication 509, Tax Calendars.
DUE_DAY, DUE_MONTH = 15, 4


class TaxRates(NamedTuple):
    """Rates of tax, fractions, of gains by their term and of income."""

    short_term: float
    long_term: float
    dividends: float
    interest: float


class Taxed(NamedTuple):
    """A scenario that paid its taxes.

    Attributes:
        result: its rows. Taxes are withdrawals there, one with those that fall due on the same session.
        bills: taxes that fell due, by session.
        owed: taxes that fall due after the last session.
    """

    result: SimulationResult
    bills: Floats
    owed: float


def owed_by_year(lots: Rows, ledger: Rows, years: Integers, rates: TaxRates) -> Floats:
    """Return the tax of every calendar year, from that of the first session to that of the last.

    Losses that were carried in are taken off the gains of their own term, then one term offsets the other; what is left
    of a gain is taxed, and what is left of a loss is carried on with its term. Dividends and interest received are
    taxed whole.

    Args:
        lots: its tax lots; what is open does not count.
        ledger: its ledger.
        years: calendar year of each session.
        rates: of tax.
    """
    owed, short_term, long_term = np.zeros((3, int(years[-1] - years[0]) + 1))
    sum_up(lots, ledger, years, rates, owed, short_term, long_term)
    carry(rates, owed, short_term, long_term)
    return owed


@compiled  # type: ignore[untyped-decorator]
def carry(rates: TaxRates, owed: Floats, short_term: Floats, long_term: Floats) -> None:
    """Add what is owed for gains, by year, and carry losses on."""
    carried_short = carried_long = 0.0
    for year in range(len(owed)):
        short, long = short_term[year] + carried_short, long_term[year] + carried_long
        owed[year] += rates.short_term * max(short + min(long, 0.0), 0.0)
        owed[year] += rates.long_term * max(long + min(short, 0.0), 0.0)
        carried_short, carried_long = min(short + max(long, 0.0), 0.0), min(long + max(short, 0.0), 0.0)


@compiled  # type: ignore[untyped-decorator]
def sum_up(
    lots: Rows, ledger: Rows, years: Integers, rates: TaxRates, owed: Floats, short_term: Floats, long_term: Floats
) -> None:
    """Add up, by year, what is owed for dividends and interest, and the gains of each term that count."""
    for lot in lots:
        if lot.sale != OPEN_SALE:
            gains = long_term if lot.long_term else short_term
            gains[years[lot.sold] - years[0]] += lot.gain + lot.wash_sale_disallowed
    for row in ledger:
        if row.kind == DIVIDEND:
            owed[years[row.session] - years[0]] += rates.dividends * row.amount
        elif row.kind == INTEREST and row.amount > 0.0:
            owed[years[row.session] - years[0]] += rates.interest * row.amount


class TaxYears(NamedTuple):
    """What sessions are to taxes, the same for all scenarios over them.

    Attributes:
        years: calendar year of each session, from 1970.
        due: the session on which the tax of each year falls due, by year; one behind the last where it is later.
        terms: which day each session is.
    """

    years: Integers
    due: Integers
    terms: Terms

    @classmethod
    def of(cls, sessions: Dates) -> Self:
        """Return those of some sessions."""
        years = sessions.astype("datetime64[Y]").astype(np.int64)
        return cls(years, _due(sessions, years), Terms.of(sessions))


def simulate_taxed(panel: Panel, rules: Rules, rates: TaxRates, tax_years: TaxYears | None = None) -> Taxed:
    """Simulate a scenario that pays the tax of each year on the first session from 15 April of the next year on.

    A bill is met as a withdrawal of that session is: from the bank, and by the sales that the rules make for
    withdrawals.

    Args:
        panel: prices by session and asset.
        rules: of the scenario.
        rates: of tax.
        tax_years: those of the panel's sessions, where they are at hand.
    """
    walk = Walk(panel, rules)
    years, due, terms = tax_years or TaxYears.of(panel.sessions)
    matching = Matching(terms, LotOrder(rules.lot_order), len(panel.tickers))

    def owed_of(ledger: Rows, sessions: int) -> Floats:
        return owed_by_year(matching.sold(ledger), ledger, years[:sessions], rates)

    bills = np.zeros(len(panel.sessions))
    for session in np.unique(due[due < len(years)]).tolist():
        if walk.session < session - 1:
            walk.advance(session - 1)
        owed = owed_of(walk.ledger, session)
        bills[session] = owed[due[: len(owed)] == session].sum()
        walk.advance(session, due=bills[session])
    if walk.session < len(years) - 1:
        walk.advance(len(years) - 1)
    result = walk.result()
    owed = owed_of(result.ledger, len(years))
    return Taxed(result, bills, float(owed[due >= len(years)].sum()))


def _due(sessions: Dates, years: Integers) -> Integers:
    """Return the session on which the tax of each year falls due, by year; one behind the last where it is later."""
    april = np.arange(years[0] + 1, years[-1] + 2).astype("datetime64[Y]").astype("datetime64[M]") + (DUE_MONTH - 1)
    return np.searchsorted(sessions, april.astype("datetime64[D]") + (DUE_DAY - 1))
