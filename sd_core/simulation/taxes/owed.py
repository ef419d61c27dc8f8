"""A scenario that pays what it owes.

Which shares a sale sold belongs in ``lots``, what is owed for a year in ``years``; what the rules are and where they
come from is stated in ``docs/taxes.md``.
"""

from typing import NamedTuple, Self

import numpy as np

from sd_core.market.arrays import Dates, Floats, Integers
from sd_core.market.panel import Panel
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import LotOrder, Rules, TaxRates
from sd_core.simulation.taxes.lots import Matching, Terms
from sd_core.simulation.taxes.years import no_years, settle, sum_up
from sd_core.simulation.walk import Walk

# Day and month on which the tax of the year before is due: Publication 509, Tax Calendars.
DUE_DAY, DUE_MONTH = 15, 4


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

    Args:
        lots: its tax lots; what is open does not count.
        ledger: its ledger.
        years: calendar year of each session.
        rates: of tax.
    """
    owed = no_years(years)
    sum_up(lots, ledger, years, rates, owed)
    settle(rates, owed)
    return np.ascontiguousarray(owed["tax"])


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
