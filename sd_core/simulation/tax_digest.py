"""The taxes of a scenario in one compiled pass: its metrics after taxes, and whether its tax lots keep the laws.

The counterpart of ``digest`` for studies with taxes, to which the same holds: laws and formulas are those of ``sql``.
What is judged before there are tax lots belongs there.
"""

from typing import NamedTuple, Self

import numpy as np
from numba import njit

from sd_core.market.panel import Panel
from sd_core.metrics.after_taxes import measure_after_taxes
from sd_core.simulation.digest import (
    DECLARED,
    HARVEST_SELL,
    HARVESTS,
    SAME_MONEY,
    TAX_LOT_GAINS,
    TAX_LOTS_OF_LEDGER,
    TAX_YEARS,
    TAXES_OF_LOTS,
    WASH_SALES,
    Counts,
    Numbers,
    Record,
    is_null_or_above,
    judge_metrics,
    same_money,
)
from sd_core.simulation.results import Rows, SimulationResult
from sd_core.simulation.rules import LotOrder, TaxRates
from sd_core.simulation.taxes.lots import match_lots
from sd_core.simulation.taxes.matching import OPEN_SALE
from sd_core.simulation.taxes.owed import TaxYears
from sd_core.simulation.taxes.years import liquidate, no_years, settle, sum_up

# Of the shares of a trade: rounding of what its tax lots have of them.
SAME_SHARES = 1e-6


class Taxation(NamedTuple):
    """What digests need to know of taxes.

    Attributes:
        rates: of the study.
        sessions: what those of the panel are to taxes.
    """

    rates: TaxRates
    sessions: TaxYears

    @classmethod
    def of(cls, rates: TaxRates, panel: Panel) -> Self:
        """Return that of a panel."""
        return cls(rates, TaxYears.of(panel.sessions))


def digest_taxes(
    result: SimulationResult, lot_order: LotOrder, record: Record, taxation: Taxation, metrics: Numbers, broken: Counts
) -> Rows:
    """Match the sales of a scenario, compute its metrics after taxes, and judge its tax lots and years.

    Args:
        result: the scenario with its ledger, which ``digest`` found to keep every law.
        lot_order: of its sales.
        record: of the panel that it was simulated on.
        taxation: of the same panel.
        metrics: has the metrics before taxes and receives those after, shape (metrics,).
        broken: receives how many rows break each law besides, shape (laws,).

    Returns:
        The tax lots.
    """
    lots = match_lots(result.ledger, taxation.sessions.terms, lot_order, len(record.last[0]))
    owed = owed_for_years(lots, result.ledger, record, taxation)
    judge_taxes(result.ledger, lots, owed, record, broken)
    measure_after_taxes(owed, result.daily, taxation.sessions.years, record.calendar.days, metrics)
    judge_metrics(metrics, broken)
    return lots


def owed_for_years(lots: Rows, ledger: Rows, record: Record, taxation: Taxation) -> Rows:
    """Return what is owed for every calendar year, rows of ``TAX_YEARS``."""
    owed = no_years(taxation.sessions.years)
    sum_up(lots, ledger, taxation.sessions.years, taxation.rates, owed)
    settle(taxation.rates, owed)
    liquidate(lots, record.last[-1], taxation.rates, owed)
    return owed


@njit(cache=True, nogil=True, error_model="numpy")
def judge_taxes(ledger, lots, owed, record, broken):  # type: ignore[no-untyped-def]
    """Judge tax lots beside the ledger, and what is owed beside the tax lots; ``broken`` receives what breaks a law."""
    closes = record.last[len(record.last) - 1]
    for number in range(len(lots)):
        lot = lots[number]
        if not _lot_is_declared(lot, record.last.shape, closes):
            broken[DECLARED] += 1
        if not _gain_adds_up(lot, record.calendar.day):
            broken[TAX_LOT_GAINS] += 1
        if _is_replaced_harvest(lot, ledger):
            broken[HARVESTS] += 1
    _judge_trades(ledger, lots, broken)
    _judge_wash_sales(lots, len(closes), broken)
    _judge_years(owed, broken)
    if len(lots) > 0 and not _years_cover_lots(owed, lots):
        broken[TAXES_OF_LOTS] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _lot_is_declared(lot, shape, closes):  # type: ignore[no-untyped-def]
    """Return whether each value of a tax lot is what the table's declaration says."""
    return (
        lot.purchase >= 1
        and lot.sale >= OPEN_SALE
        and 0 <= lot.asset < shape[1]
        and 0 <= lot.acquired < shape[0]
        and lot.sold < shape[0]
        and 0.0 < lot.quantity < np.inf
        and 0.0 < lot.cost < np.inf
        and 0.0 < lot.basis < np.inf
        and not np.isinf(lot.proceeds)
        and not np.isinf(lot.gain)
        and (np.isnan(lot.wash_sale_disallowed) or 0.0 <= lot.wash_sale_disallowed < np.inf)
        and (lot.sale != OPEN_SALE or is_null_or_above(lot.quantity * closes[lot.asset], 0.0))
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _gain_adds_up(lot, day):  # type: ignore[no-untyped-def]
    """Return whether a gain is proceeds less basis, no more than a loss is disallowed, and the days are in order."""
    is_sold = lot.sold >= 0
    if not 0 <= lot.acquired < len(day) or lot.held_since > day[lot.acquired] or is_sold != (lot.sale != OPEN_SALE):
        return False
    return not is_sold or (
        lot.acquired <= lot.sold
        and same_money(lot.gain, lot.proceeds - lot.basis, lot.basis)
        and lot.wash_sale_disallowed <= max(-lot.gain, 0.0) * (1.0 + SAME_MONEY)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _is_replaced_harvest(lot, ledger):  # type: ignore[no-untyped-def]
    """Return whether a wash sale disallows some of a loss that was harvested."""
    if not 1 <= lot.sale <= len(ledger) or ledger[lot.sale - 1].kind != HARVEST_SELL:
        return False
    return lot.wash_sale_disallowed != 0.0 and not np.isnan(lot.wash_sale_disallowed)


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_trades(ledger, lots, broken):  # type: ignore[no-untyped-def]
    """Judge whether each trade is in tax lots with all its shares and all its money, and nothing else is."""
    shares, money = np.zeros(len(ledger)), np.zeros(len(ledger))
    for number in range(len(lots)):
        lot = lots[number]
        if _is_of_trade(ledger, lot.purchase, lot.asset, lot.acquired):
            shares[lot.purchase - 1] += _or_zero(lot.quantity)
            money[lot.purchase - 1] -= _or_zero(lot.cost)
        else:
            broken[TAX_LOTS_OF_LEDGER] += 1
        if lot.sale == OPEN_SALE:
            continue
        if _is_of_trade(ledger, lot.sale, lot.asset, lot.sold):
            shares[lot.sale - 1] -= _or_zero(lot.quantity)
            money[lot.sale - 1] += _or_zero(lot.proceeds)
        else:
            broken[TAX_LOTS_OF_LEDGER] += 1
    for number in range(len(ledger)):
        row = ledger[number]
        if not np.isnan(row.quantity) and not (
            abs(row.quantity - shares[number]) <= SAME_SHARES * abs(row.quantity)
            and same_money(money[number], row.amount, 0.0)
        ):
            broken[TAX_LOTS_OF_LEDGER] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _is_of_trade(ledger, seq, asset, session):  # type: ignore[no-untyped-def]
    """Return whether a row of the ledger, by its number from 1, is a trade of an asset in a session."""
    if not 1 <= seq <= len(ledger):
        return False
    row = ledger[seq - 1]
    return row.asset == asset and row.session == session and not np.isnan(row.quantity)


@njit(cache=True, nogil=True, error_model="numpy")
def _or_zero(value):  # type: ignore[no-untyped-def]
    return 0.0 if np.isnan(value) else value


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_wash_sales(lots, assets, broken):  # type: ignore[no-untyped-def]
    """Judge, by asset, whether what wash sales disallow is added to the basis of other shares, once and whole."""
    taken_over, disallowed, basis = np.zeros(assets), np.zeros(assets), np.zeros(assets)
    known, missing, is_below_cost = np.zeros((3, assets), dtype=np.bool_)
    for number in range(len(lots)):
        lot = lots[number]
        if not 0 <= lot.asset < assets:
            continue
        disallowed[lot.asset] += _or_zero(lot.wash_sale_disallowed)
        basis[lot.asset] += _or_zero(lot.basis)
        if np.isnan(lot.basis - lot.cost):
            missing[lot.asset] = True
        else:
            known[lot.asset] = True
            taken_over[lot.asset] += lot.basis - lot.cost
            is_below_cost[lot.asset] |= lot.basis - lot.cost * (1.0 - SAME_MONEY) < 0.0
    for asset in range(assets):
        if is_below_cost[asset] or not (
            same_money(taken_over[asset], disallowed[asset], basis[asset]) and (known[asset] or not missing[asset])
        ):
            broken[WASH_SALES] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_years(owed, broken):  # type: ignore[no-untyped-def]
    """Judge each year by itself and beside the one before: gains and losses are taxed, offset, or carried on."""
    carried = 0.0
    for number in range(len(owed)):
        year = owed[number]
        if not _year_is_declared(year):
            broken[DECLARED] += 1
        taxed = year.taxable_short_term + year.taxable_long_term
        settled = taxed + year.carried_short_term + year.carried_long_term
        largest = max(
            -_or_zero(year.carried_short_term),
            -_or_zero(year.carried_long_term),
            abs(_or_zero(year.net_short_term)),
            abs(_or_zero(year.net_long_term)),
        )
        is_taxed = year.taxable_short_term > 0.0 or year.taxable_long_term > 0.0
        is_carried = year.carried_short_term < 0.0 or year.carried_long_term < 0.0
        if (is_taxed and is_carried) or not same_money(
            settled, year.net_short_term + year.net_long_term + carried, largest
        ):
            broken[TAX_YEARS] += 1
        carried = year.carried_short_term + year.carried_long_term


@njit(cache=True, nogil=True, error_model="numpy")
def _year_is_declared(year):  # type: ignore[no-untyped-def]
    """Return whether each value of a year is what the table's declaration says."""
    return (
        np.isfinite(year.net_short_term + year.net_long_term)
        and 0.0 <= year.taxable_short_term < np.inf
        and 0.0 <= year.taxable_long_term < np.inf
        and -np.inf < year.carried_short_term <= 0.0
        and -np.inf < year.carried_long_term <= 0.0
        and 0.0 <= year.dividends < np.inf
        and 0.0 <= year.interest < np.inf
        and 0.0 <= year.tax < np.inf
        and not np.isinf(year.liquidation_tax)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _years_cover_lots(owed, lots):  # type: ignore[no-untyped-def]
    """Return whether all years together hold every gain of the tax lots, and one has the tax on what is open."""
    gains, basis = 0.0, 0.0
    for number in range(len(lots)):
        gains += _or_zero(lots[number].gain + lots[number].wash_sale_disallowed)
        basis += _or_zero(lots[number].basis)
    of_years, last_years = 0.0, 0
    for number in range(len(owed)):
        of_years += _or_zero(owed[number].net_short_term + owed[number].net_long_term)
        last_years += not np.isnan(owed[number].liquidation_tax)
    return last_years == 1 and same_money(of_years, gains, basis)
