"""A scenario in one compiled pass: its metrics, and whether its rows keep the laws of the audit.

For scenarios of which nothing else is kept, so that thousands take no longer than SQL takes for one. The laws are those
of ``sql``, as the formulas in ``metrics.measures`` are: the tests hold both to the same numbers and to the same
findings, and each sweep has some of its own scenarios audited by SQL before it begins. Tax lots, which are matched once
a scenario is known to be sound, are judged in ``tax_digest``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sd_core import versions
from sd_core.market.arrays import Floats, last_known
from sd_core.market.panel import Panel
from sd_core.metrics.measures import (
    DEPOSITS,
    DIVIDEND_INCOME,
    FEES,
    FINAL_VALUE,
    HARVEST_GROSS,
    HARVEST_NET,
    INCOME,
    INTEREST_INCOME,
    MAX_DRAWDOWN,
    TAXES,
    TOTAL_RETURN,
    TWR,
    VOLATILITY,
    WITHDRAWALS,
    WITHDRAWALS_SCHEDULED,
    Calendar,
    measure,
    solve,
)
from sd_core.metrics.money_weighted import MoneyWeighted
from sd_core.schemas.kinds import LEG_ARRIVAL, LEG_CLOSE, Kind
from sd_core.simulation.results import SimulationResult
from sd_core.simulation.taxes.matching import WINDOW_DAYS

# Of what is computed and judged here; a change of either is another version.
VERSION = versions.DIGEST

EVERY_SCENARIO_HAS = (
    *(FINAL_VALUE, TOTAL_RETURN, TWR, MAX_DRAWDOWN, FEES, DEPOSITS, WITHDRAWALS, WITHDRAWALS_SCHEDULED),
    *(DIVIDEND_INCOME, INTEREST_INCOME, HARVEST_GROSS, HARVEST_NET, INCOME),
)
NOT_NEGATIVE = (VOLATILITY, HARVEST_GROSS, FEES, DEPOSITS, WITHDRAWALS, WITHDRAWALS_SCHEDULED, TAXES)
# Names of the identities of ``sql/audit`` about a scenario's own rows, and the check of each value by itself.
LAWS = (
    "amounts_add_up",
    "bank_follows_flows",
    "bank_follows_ledger",
    "fills_inside_bar",
    "harvested_losses_are_not_replaced",
    "holdings_not_negative",
    "ledger_counts_from_one",
    "lots_within_holdings",
    "no_rule_trade_on_purchase_day",
    "scenarios_are_complete",
    "tax_lot_gains_add_up",
    "tax_lots_follow_ledger",
    "tax_years_settle_gains",
    "taxes_cover_tax_lots",
    "value_is_bank_plus_holdings",
    "wash_sales_only_defer",
    "as_declared",
)
(
    _AMOUNTS,
    _FLOWS,
    _BANK,
    _FILLS,
    HARVESTS,
    _HOLDINGS,
    _ORDER,
    _LOTS,
    _FIRST_DAY,
    _COMPLETE,
    TAX_LOT_GAINS,
    TAX_LOTS_OF_LEDGER,
    TAX_YEARS,
    TAXES_OF_LOTS,
    _VALUE,
    WASH_SALES,
    DECLARED,
) = range(len(LAWS))

# Of the larger one of two amounts, or of the money that they come from: rounding.
SAME_MONEY = 1e-9
INITIAL_BUY, BUY, SKIP_BUY = (kind.value for kind in (Kind.INITIAL_BUY, Kind.BUY, Kind.SKIP_BUY))
SKIP_WITHDRAWAL, SKIP_SELL = Kind.SKIP_WITHDRAWAL.value, Kind.SKIP_SELL.value
HARVEST_SELL, KINDS = Kind.HARVEST_SELL.value, len(Kind)
NEVER = np.iinfo(np.int64).min // 2

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class Record(NamedTuple):
    """What digests need of a panel.

    Attributes:
        low, high: of each bar, NaN where there is none, shape (sessions, assets).
        last: the last close known, same shape.
        calendar: of its sessions.
    """

    low: Floats
    high: Floats
    last: Floats
    calendar: Calendar

    @classmethod
    def of(cls, panel: Panel) -> "Record":
        """Return the record of a panel."""
        return cls(
            low=np.ascontiguousarray(panel.low),
            high=np.ascontiguousarray(panel.high),
            last=last_known(panel.close),
            calendar=Calendar.of(panel),
        )


def digest(
    result: SimulationResult, record: Record, capital: float, metrics: Numbers, broken: Counts
) -> MoneyWeighted | None:
    """Compute a scenario's metrics and judge its rows.

    Args:
        result: the scenario with its ledger.
        record: of the panel that it was simulated on.
        capital: money at the start.
        metrics: receives the :data:`METRICS`, shape (metrics,); those after taxes are NaN.
        broken: receives how many rows break each of the :data:`LAWS`, shape (laws,); of those of taxes, none.

    Returns:
        The money-weighted return where it takes more than one pass: where flows change their direction more than
        once, or there is none. None elsewhere, and where a law is broken.
    """
    is_solved = _digest(result.ledger, result.daily, result.lots, record, capital, metrics, broken)
    return None if is_solved or broken.any() else solve(result.daily, record.calendar, capital, metrics)


@njit(cache=True, nogil=True, error_model="numpy")
def _digest(ledger, daily, lots, record, capital, metrics, broken):  # type: ignore[no-untyped-def]
    """Fill in metrics and laws; return whether the money-weighted return is among the metrics."""
    broken[:] = 0
    broken[_COMPLETE] = len(daily) != len(record.low)
    _judge_ledger(ledger, record, broken)
    _judge_days(daily, capital, broken)
    _judge_balances(ledger, daily, record, capital, broken)
    _judge_lots(ledger, lots, record, broken)
    is_solved = measure(ledger, daily, record.calendar, capital, metrics)
    judge_metrics(metrics, broken)
    return is_solved


@njit(cache=True, nogil=True, error_model="numpy")
def same_money(one, other, money):  # type: ignore[no-untyped-def]
    """Return whether two amounts are the same but for rounding; not where one is NaN."""
    return abs(one - other) <= SAME_MONEY * max(abs(one), abs(other), money)


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_ledger(ledger, record, broken):  # type: ignore[no-untyped-def]
    """Judge the ledger row by row, in the order of its numbers."""
    sessions, assets = record.low.shape
    held, bought = np.zeros(assets + 1), np.zeros(assets + 1)
    harvested = np.full(assets, NEVER)
    for number in range(len(ledger)):
        row = ledger[number]
        if not _row_is_declared(row, sessions, assets):
            broken[DECLARED] += 1
        is_skipped = row.kind == SKIP_BUY or row.kind == SKIP_SELL or row.kind == SKIP_WITHDRAWAL
        has_quantity = not np.isnan(row.quantity)
        if (not np.isnan(row.amount) and (row.amount == 0.0) != is_skipped) or (
            has_quantity
            and not same_money(row.amount, -row.quantity * row.price - row.fee, abs(row.quantity) * row.price)
        ):
            broken[_AMOUNTS] += 1
        if (row.kind == INITIAL_BUY) != (row.session == 0):
            broken[_FIRST_DAY] += 1
        if number > 0:
            before = ledger[number - 1]
            if row.session < before.session or (row.session == before.session and row.leg < before.leg):
                broken[_ORDER] += 1
        if has_quantity:
            if not _is_inside_bar(row, record):
                broken[_FILLS] += 1
            held[row.asset] += row.quantity
            bought[row.asset] += max(row.quantity, 0.0)
            if held[row.asset] < -SAME_MONEY * bought[row.asset]:
                broken[_HOLDINGS] += 1
        broken[HARVESTS] += _buys_what_was_harvested(row, record, harvested)


@njit(cache=True, nogil=True, error_model="numpy")
def _buys_what_was_harvested(row, record, harvested):  # type: ignore[no-untyped-def]
    """Return whether a row buys what a row before sold for its loss within the days; ``harvested`` has the last day."""
    sessions, assets = record.low.shape
    if not (0 <= row.session < sessions and 0 <= row.asset < assets):
        return False
    day = record.calendar.day[row.session]
    is_too_soon = row.quantity > 0.0 and day <= harvested[row.asset] + WINDOW_DAYS
    if row.kind == HARVEST_SELL:
        harvested[row.asset] = max(harvested[row.asset], day)
    return is_too_soon


@njit(cache=True, nogil=True, error_model="numpy")
def _is_inside_bar(row, record):  # type: ignore[no-untyped-def]
    sessions, assets = record.low.shape
    if not (0 <= row.session < sessions and 0 <= row.asset < assets):
        return False
    low, high = record.low[row.session, row.asset], record.high[row.session, row.asset]
    return not (np.isnan(low) or row.price < low * (1.0 - SAME_MONEY) or row.price > high * (1.0 + SAME_MONEY))


@njit(cache=True, nogil=True, error_model="numpy")
def _row_is_declared(row, sessions, assets):  # type: ignore[no-untyped-def]
    """Return whether each value of a row of the ledger is what the table's declaration says."""
    return (
        0 <= row.session < sessions
        and -1 <= row.asset < assets
        and LEG_ARRIVAL <= row.leg <= LEG_CLOSE
        and 0 <= row.kind < KINDS
        and not np.isinf(row.quantity)
        and is_null_or_above(row.skipped_quantity, 0.0)
        and is_null_or_above(row.price, 0.0)
        and 0.0 <= row.fee < np.inf
        and np.isfinite(row.amount)
        and np.isfinite(row.bank_after)
        and (np.isnan(row.premium) or -1.0 <= row.premium < np.inf)
        and not np.isinf(row.buyback_gain)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def is_null_or_above(value, least):  # type: ignore[no-untyped-def]
    """Return whether a value is NaN, or finite and above another."""
    return np.isnan(value) or least < value < np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_days(daily, capital, broken):  # type: ignore[no-untyped-def]
    """Judge the days by themselves: each value, and the bank from close to close."""
    previous = capital
    for session in range(len(daily)):
        day = daily[session]
        if not (
            np.isfinite(day.bank)
            and 0.0 <= day.invested < np.inf
            and np.isfinite(day.value)
            and 0.0 <= day.nav_value < np.inf
            and np.isfinite(day.income + day.sells + day.buys)
            and 0.0 <= day.withdrawals < np.inf
            and 0.0 <= day.deposits < np.inf
            and day.skipped_buys >= 0
            and day.passed_rungs >= 0
        ):
            broken[DECLARED] += 1
        expected = previous + day.income + day.sells - day.buys - day.withdrawals + day.deposits
        if not same_money(day.bank, expected, capital + day.sells + day.buys + day.withdrawals + day.deposits):
            broken[_FLOWS] += 1
        previous = day.bank


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_balances(ledger, daily, record, capital, broken):  # type: ignore[no-untyped-def]
    """Judge bank and value of each close by all that was booked up to it."""
    sessions, assets = record.last.shape
    order = np.arange(len(ledger))
    if broken[_ORDER] > 0:
        order = np.argsort(ledger["session"], kind="mergesort")
    held = np.zeros(assets)
    booked, moved, following = capital, capital, 0
    for session in range(min(sessions, len(daily))):
        while following < len(ledger) and ledger[order[following]].session <= session:
            row = ledger[order[following]]
            following += 1
            if row.session < 0:
                continue
            if not np.isnan(row.amount):
                booked += row.amount
                moved += abs(row.amount)
            if not np.isnan(row.quantity) and 0 <= row.asset < assets:
                held[row.asset] += row.quantity
        day = daily[session]
        if not same_money(day.bank, booked, moved):
            broken[_BANK] += 1
        holdings = 0.0
        for asset in range(assets):
            holdings += held[asset] * record.last[session, asset]
        if not same_money(day.value, day.bank + holdings, max(capital, holdings)):
            broken[_VALUE] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_lots(ledger, lots, record, broken):  # type: ignore[no-untyped-def]
    """Judge buyback lots, each by itself and those of an asset beside what is held of it and was bought for them."""
    sessions, assets = record.last.shape
    held, bought, traded = np.zeros(assets), np.zeros(assets), np.zeros(assets, dtype=np.bool_)
    for number in range(len(ledger)):
        row = ledger[number]
        if not np.isnan(row.quantity) and 0 <= row.asset < assets:
            traded[row.asset] = True
            held[row.asset] += row.quantity
            if row.kind == BUY:
                bought[row.asset] += row.quantity
    open_lots, all_lots, smallest = np.zeros(assets), np.zeros(assets), np.full(assets, np.inf)
    for number in range(len(lots)):
        lot = lots[number]
        if not (
            lot.lot >= 1
            and 0 <= lot.asset < assets
            and 0 <= lot.opened < sessions
            and lot.closed < sessions
            and 0.0 <= lot.quantity < np.inf
            and 0.0 < lot.price < np.inf
            and is_null_or_above(lot.sale_price, 0.0)
            and -1.0 <= lot.premium < np.inf
        ):
            broken[DECLARED] += 1
        if 0 <= lot.asset < assets and not np.isnan(lot.quantity):
            all_lots[lot.asset] += lot.quantity
            smallest[lot.asset] = min(smallest[lot.asset], lot.quantity)
            if lot.closed < 0:
                open_lots[lot.asset] += lot.quantity
    for asset in range(assets):
        if (
            traded[asset]
            and smallest[asset] < np.inf
            and (
                smallest[asset] <= 0.0
                or open_lots[asset] > held[asset] * (1.0 + SAME_MONEY)
                or abs(all_lots[asset] - bought[asset]) > 1e-6 * bought[asset]
            )
        ):
            broken[_LOTS] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def judge_metrics(metrics, broken):  # type: ignore[no-untyped-def]
    """Judge each metric by itself: none is infinite, and those that every scenario has are there."""
    for number in range(len(metrics)):
        if np.isinf(metrics[number]):
            broken[DECLARED] += 1
    for number in EVERY_SCENARIO_HAS:
        if np.isnan(metrics[number]):
            broken[DECLARED] += 1
    for number in NOT_NEGATIVE:
        if metrics[number] < 0.0:
            broken[DECLARED] += 1
