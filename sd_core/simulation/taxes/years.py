"""What a scenario owes for each calendar year, compiled: gains and income of the year, settled and taxed.

Which shares a sale sold belongs in ``lots``; what the rules are and where they come from is stated in
``docs/taxes.md``. The formulas are those of ``sql/analytics/simulation_taxes.sql``, once more.
"""

import numpy as np

from sd_core.market.arrays import Floats, Integers
from sd_core.schemas.kinds import Kind
from sd_core.simulation.amounts import number
from sd_core.simulation.results import Rows
from sd_core.simulation.rules import TaxRates
from sd_core.simulation.taxes.matching import compiled

DIVIDEND, INTEREST = number(Kind.DIVIDEND), number(Kind.INTEREST)
# A record by calendar year: the numbers of ``simulation_taxes``, money. NaN is NULL.
TAX_YEARS = np.dtype(
    [
        (name, np.float64)
        for name in (
            "net_short_term",
            "net_long_term",
            "taxable_short_term",
            "taxable_long_term",
            "carried_short_term",
            "carried_long_term",
            "dividends",
            "interest",
            "tax",
            "liquidation_tax",
        )
    ]
)


def no_years(years: Integers) -> Rows:
    """Return a record of zeros for every calendar year from that of the first session to that of the last."""
    return np.zeros(int(years[-1] - years[0]) + 1, TAX_YEARS)


@compiled  # type: ignore[untyped-decorator]
def sum_up(lots: Rows, ledger: Rows, years: Integers, rates: TaxRates, owed: Rows) -> None:
    """Add up the gains of each term that count, dividends and interest received, and the tax on these two.

    Args:
        lots: tax lots; what is open does not count.
        ledger: of the scenario.
        years: calendar year of each session.
        rates: of tax.
        owed: receives them, a record by year.
    """
    for lot in lots:
        gain = lot.gain + lot.wash_sale_disallowed
        if 0 <= lot.sold < len(years) and not np.isnan(gain):
            year = owed[years[lot.sold] - years[0]]
            if lot.long_term:
                year.net_long_term += gain
            else:
                year.net_short_term += gain
    for row in ledger:
        if row.kind == DIVIDEND and not np.isnan(row.amount):
            year = owed[years[row.session] - years[0]]
            year.dividends += row.amount
            year.tax += rates.dividends * row.amount
        elif row.kind == INTEREST and row.amount > 0.0:  # what was paid on credit is no negative income
            year = owed[years[row.session] - years[0]]
            year.interest += row.amount
            year.tax += rates.interest * row.amount


@compiled  # type: ignore[untyped-decorator]
def settle(rates: TaxRates, owed: Rows) -> None:
    """Carry losses from year to year, tax what is left of gains, and leave the liquidation tax NaN.

    Losses that were carried in are taken off the gains of their own term, then one term offsets the other; what is left
    of a gain is taxed, and what is left of a loss is carried on with its term.
    """
    carried_short, carried_long = 0.0, 0.0
    for place in range(len(owed)):
        year = owed[place]
        short, long = year.net_short_term + carried_short, year.net_long_term + carried_long
        year.taxable_short_term = max(short + min(long, 0.0), 0.0)
        year.taxable_long_term = max(long + min(short, 0.0), 0.0)
        carried_short, carried_long = min(short + max(long, 0.0), 0.0), min(long + max(short, 0.0), 0.0)
        year.carried_short_term, year.carried_long_term = carried_short, carried_long
        year.tax += rates.short_term * year.taxable_short_term
        year.tax += rates.long_term * year.taxable_long_term
        year.liquidation_tax = np.nan


@compiled  # type: ignore[untyped-decorator]
def liquidate(lots: Rows, closes: Floats, rates: TaxRates, owed: Rows) -> None:
    """Fill in what the last year would owe besides, had all that is open been sold at the last closes.

    Args:
        lots: tax lots.
        closes: last close of each asset.
        rates: of tax.
        owed: the years, settled.
    """
    last = owed[len(owed) - 1]
    short, long = last.net_short_term, last.net_long_term
    if len(owed) > 1:
        short += owed[len(owed) - 2].carried_short_term
        long += owed[len(owed) - 2].carried_long_term
    for lot in lots:
        if lot.sold < 0 and 0 <= lot.asset < len(closes):
            gain = lot.quantity * closes[lot.asset] - lot.basis
            if not np.isnan(gain):
                if lot.long_term:
                    long += gain
                else:
                    short += gain
    taxable_short = max(short + min(long, 0.0), 0.0)
    taxable_long = max(long + min(short, 0.0), 0.0)
    last.liquidation_tax = (taxable_short - last.taxable_short_term) * rates.short_term + (
        taxable_long - last.taxable_long_term
    ) * rates.long_term
