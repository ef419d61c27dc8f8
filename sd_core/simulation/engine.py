"""The engine: many scenarios of one panel, each on its own thread, results in the order asked for.

A scenario's rows depend on its rules and the panel alone, so serial and parallel runs agree to the last bit. What
happens within a session belongs in ``kernel``.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from sd_core.market.panel import Dates, Panel, last_known
from sd_core.simulation import kernel
from sd_core.simulation.results import DAILY, LEDGER, LOTS, SimulationResult
from sd_core.simulation.rules import Every, Rules

# Raised whenever the same inputs would give other rows; stored beside every partition.
ENGINE_VERSION = "3"

DAYS_PER_YEAR = 365.0


def simulate(panel: Panel, rules: Sequence[Rules], workers: int | None = None) -> Iterator[SimulationResult]:
    """Simulate scenarios over one panel.

    Args:
        panel: prices by session and asset.
        rules: one entry per scenario, their arrays in the panel's order of assets.
        workers: threads; None means one per core. The kernel holds no interpreter lock.

    Yields:
        One result per scenario, in order. At most two per worker wait to be taken, so memory stays bounded.
    """
    market = _market(panel)
    threads = workers or os.cpu_count() or 1
    if threads == 1 or len(rules) == 1:
        yield from (_simulate(market, scenario) for scenario in rules)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[SimulationResult]] = deque()
        for scenario in rules:
            waiting.append(pool.submit(_simulate, market, scenario))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _market(panel: Panel) -> kernel.Market:
    """Derive once per panel what every scenario needs: marks, NAVs, the return of cash and the calendar."""
    mark = last_known(panel.close)
    days = np.diff(panel.sessions).astype("timedelta64[D]").astype(np.float64)
    years = np.concatenate([[0.0], days / DAYS_PER_YEAR])
    known_rates = np.concatenate([[0.0], panel.rates[:-1]])
    return kernel.Market(
        open=np.ascontiguousarray(panel.open),
        high=np.ascontiguousarray(panel.high),
        low=np.ascontiguousarray(panel.low),
        close=np.ascontiguousarray(panel.close),
        mark=mark,
        nav=np.maximum.accumulate(mark, axis=0),
        dividends=np.ascontiguousarray(panel.dividends),
        pays=(panel.dividends != 0.0).any(axis=1),
        interest=known_rates * years,
        years=years,
        period=_periods(panel.sessions),
    )


def _periods(sessions: Dates) -> npt.NDArray[np.int64]:
    """Tell which period each session begins, the longest where several do, as a number of ``Every``."""
    months = sessions.astype("datetime64[M]").astype(np.int64)
    period = np.full(len(sessions), Every.NEVER, dtype=np.int64)
    for every, length in ((Every.MONTH, 1), (Every.QUARTER, 3), (Every.YEAR, 12)):  # the longer overwrite the shorter
        period[1:][np.diff(months // length) != 0] = every
    return period


def _simulate(market: kernel.Market, rules: Rules) -> SimulationResult:
    terms = kernel.Terms(
        capital=float(rules.capital),
        budgets=rules.capital * (1.0 - rules.reserve) * rules.weights,
        targets=rules.weights * (1.0 - rules.reserve),
        brackets=np.asarray(rules.brackets, dtype=np.float64),
        shares=np.asarray(rules.profit_shares, dtype=np.float64),
        lot_sizes=np.asarray(rules.lot_sizes, dtype=np.float64),
        fee_fixed=float(rules.fee_fixed),
        fee_rate=float(rules.fee_rate),
        variant=int(rules.variant),
        sizing=int(rules.sizing),
        coordination=int(rules.coordination),
        path=int(rules.path),
        anchor=int(rules.anchor),
        max_rungs=int(rules.max_rungs),
        lot_order=int(rules.lot_order),
        margin_limit=float(rules.margin_limit),
        margin_rate=float(rules.margin_rate),
        deposit=float(rules.deposit),
        deposit_every=int(rules.deposit_every),
        withdrawal=float(rules.withdrawal),
        withdrawal_share=float(rules.withdrawal_share),
        withdrawal_every=int(rules.withdrawal_every),
        coverage_min=float(rules.coverage_min),
        coverage_of=int(rules.coverage_of),
        shortfall=int(rules.shortfall),
    )
    sessions, assets = market.close.shape
    # Interest and a third of a trade per asset and session: more than real prices give. Unwritten pages cost nothing.
    rows, lots = sessions * (2 + assets // 3) + assets + 1024, sessions * (1 + assets // 4) + 1024
    while True:
        book = _new_book(sessions, assets, rows, lots)
        if kernel.run(market, terms, book):
            return SimulationResult(
                ledger=book.ledger[: book.rows[0]].copy(),
                daily=book.daily,
                lots=book.lots[: book.lot_rows[0]].copy(),
            )
        rows, lots = 4 * rows, 4 * lots


def _new_book(sessions: int, assets: int, rows: int, lots: int) -> kernel.Book:
    return kernel.Book(
        bank=np.zeros(1),
        holdings=np.zeros(assets),
        anchor=np.zeros(assets),
        sell_at=np.zeros(assets),
        buy_at=np.zeros(assets),
        refused=np.zeros(assets, dtype=np.int64),
        newest_lot=np.full(assets, -1, dtype=np.int64),
        oldest_lot=np.full(assets, -1, dtype=np.int64),
        older=np.empty(lots, dtype=np.int64),
        newer=np.empty(lots, dtype=np.int64),
        lot_asset=np.empty(lots, dtype=np.int64),
        lot_session=np.empty(lots, dtype=np.int64),
        lot_quantity=np.empty(lots),
        lot_price=np.empty(lots),
        lot_premium=np.empty(lots),
        active=np.zeros(assets + 1, dtype=np.int64),
        queue=np.zeros(assets, dtype=np.int64),
        urgency=np.zeros(assets),
        points=np.zeros((assets, kernel.LEGS + 1)),
        rows=np.zeros(1, dtype=np.int64),
        lot_rows=np.zeros(1, dtype=np.int64),
        lots_bought=np.zeros(1, dtype=np.int64),
        refusals=np.zeros(1, dtype=np.int64),
        proceeds=np.zeros(1),
        scheduled=np.zeros(1),
        ledger=np.empty(rows, dtype=LEDGER),
        daily=np.zeros(sessions, dtype=DAILY),
        lots=np.empty(2 * lots, dtype=LOTS),
    )
