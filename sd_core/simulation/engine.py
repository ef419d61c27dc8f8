"""The engine: many scenarios of one panel, each on its own thread, results in the order asked for.

A scenario's rows depend on its rules and the panel alone, so serial and parallel runs agree to the last bit, and so do
runs in pieces and in one. What happens within a session belongs in ``kernel``.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from sd_core.market.panel import Dates, Floats, Panel, last_known
from sd_core.simulation.kernel import book
from sd_core.simulation.kernel.lanes import LANES
from sd_core.simulation.kernel.lookback import GAP_SESSIONS
from sd_core.simulation.kernel.sessions import run
from sd_core.simulation.results import DAILY, LEDGER, LOTS, Rows, SimulationResult, State
from sd_core.simulation.rules import Coordination, Every, Rules

# Raised whenever the same inputs would give other rows; stored beside every partition.
ENGINE_VERSION = "4"

DAYS_PER_YEAR = 365.0

_TERMS_OF = attrgetter(*(book.TERMS.names or ()))


def simulate(
    panel: Panel,
    rules: Sequence[Rules],
    workers: int | None = None,
    *,
    states: Sequence[State] | None = None,
    stop: int | None = None,
    ledger: bool = True,
) -> Iterator[SimulationResult]:
    """Simulate scenarios over one panel.

    Args:
        panel: prices by session and asset.
        rules: one entry per scenario, their arrays in the panel's order of assets.
        workers: threads; None means one per core. The kernel holds no interpreter lock.
        states: where each scenario goes on from, on the panel it comes from or one with more sessions at its end; the
            results then hold the sessions after that. None starts with the first session.
        stop: how many sessions of the panel are simulated; None means all.
        ledger: whether rows of the ledger and of lots are kept; the days and the state are the same without.

    Yields:
        One result per scenario, in order. At most two per worker wait to be taken, so memory stays bounded.

    Raises:
        ValueError: a state that is not one of these rules on this panel, or a stop outside the panel.
    """
    end = len(panel.sessions) if stop is None else stop
    if not 0 < end <= len(panel.sessions):
        raise ValueError(f"stop: expected 1 to {len(panel.sessions)} sessions, was {end}")
    if states is None:
        starts: list[State | None] = [None] * len(rules)
    else:
        _check_states(panel, rules, states, end)
        starts = [*states]
    market = _market(panel)
    per_thread = threading.local()

    def run_one(scenario: Rules, start: State | None) -> SimulationResult:
        if not hasattr(per_thread, "buffers"):
            per_thread.buffers = _Buffers(ledger)
        return _simulate(market, scenario, start, end, per_thread.buffers)

    threads = workers or os.cpu_count() or 1
    if threads == 1 or len(rules) == 1:
        yield from map(run_one, rules, starts)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[SimulationResult]] = deque()
        for scenario, start in zip(rules, starts, strict=True):
            waiting.append(pool.submit(run_one, scenario, start))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _check_states(panel: Panel, rules: Sequence[Rules], states: Sequence[State], end: int) -> None:
    if len(states) != len(rules):
        raise ValueError(f"states: expected one per scenario, {len(rules)}, was {len(states)}")
    for number, (scenario, state) in enumerate(zip(rules, states, strict=True)):
        if len(state.positions) != len(panel.tickers):
            raise ValueError(f"states[{number}]: expected {len(panel.tickers)} assets, was {len(state.positions)}")
        if not state.sessions <= end:
            raise ValueError(f"states[{number}]: expected at most {end} sessions behind it, was {state.sessions}")
        returns, gaps = _windows(scenario)
        if (len(state.returns), len(state.gaps)) != (returns, gaps):
            raise ValueError(
                f"states[{number}]: expected windows of {returns} returns and {gaps} gaps, "
                f"was {len(state.returns)} and {len(state.gaps)}"
            )


def _market(panel: Panel) -> book.Market:
    """Lay out once per panel what every scenario reads: prices, NAVs, the return of cash and the calendar."""
    last = last_known(panel.close)
    prices = np.zeros((len(panel.sessions), book.PRICES, _lanes(len(panel.tickers))))
    for row, values in (
        (book.HIGH, panel.high),
        (book.LOW, panel.low),
        (book.OPEN_PRICE, panel.open),
        (book.LAST, last),
        (book.PEAK, np.maximum.accumulate(last)),
    ):
        prices[:, row, : len(panel.tickers)] = values
    days = np.diff(panel.sessions).astype("timedelta64[D]").astype(np.float64)
    dates = np.zeros(len(panel.sessions), dtype=book.DATE)
    dates["years"][1:] = days / DAYS_PER_YEAR
    dates["interest"][1:] = panel.rates[:-1] * dates["years"][1:]
    dates["prices"] = 1.0 if panel.price_index is None else panel.price_index / panel.price_index[0]
    dates["period"] = _periods(panel.sessions)
    dates["pays"] = (panel.dividends != 0.0).any(axis=1)
    return book.Market(
        prices=prices,
        closes=np.ascontiguousarray(panel.close),
        dividends=np.ascontiguousarray(panel.dividends),
        dates=dates,
        periods_per_year=panel.periods_per_year,
    )


def _lanes(assets: int) -> int:
    """Return how long an array by asset is, filled up to whole lanes."""
    return assets + -assets % LANES


def _in_lanes(values: Floats) -> Floats:
    filled = np.zeros(_lanes(len(values)))
    filled[: len(values)] = values
    return filled


def _periods(sessions: Dates) -> npt.NDArray[np.int64]:
    """Tell which period each session begins, the longest where several do, as a number of ``Every``."""
    months = sessions.astype("datetime64[M]").astype(np.int64)
    period = np.full(len(sessions), Every.NEVER, dtype=np.int64)
    for every, length in ((Every.MONTH, 1), (Every.QUARTER, 3), (Every.YEAR, 12)):  # the longer overwrite the shorter
        period[1:][np.diff(months // length) != 0] = every
    return period


def _terms(rules: Rules) -> np.void:
    terms: np.void = np.array([_TERMS_OF(rules)], dtype=book.TERMS)[0]
    return terms


def _has_policy(rules: Rules) -> bool:
    """Tell whether a scenario has more than the plain rule."""
    return (
        rules.withdrawal_every != Every.NEVER
        or rules.coordination in (Coordination.TARGET, Coordination.HYBRID, Coordination.HOLD)
        or rules.cash_low > 0.0
        or min(rules.cash_high, rules.drift, rules.premium_spread, rules.portfolio_stop) < np.inf
        or rules.adaptive_bracket
    )


def _windows(rules: Rules) -> tuple[int, int]:
    """Return how many sessions of returns and of gaps a scenario remembers."""
    return rules.volatility_window if rules.volatility < np.inf else 0, GAP_SESSIONS if rules.adaptive_bracket else 0


@dataclass
class _Buffers:
    """What a thread writes rows to, one scenario after the other; pages that were written once are there."""

    keeps_rows: bool
    rows: int = 4096
    ledger: Rows = field(init=False)
    sold: Rows = field(init=False)
    lots: Rows = field(init=False)

    def __post_init__(self) -> None:
        kept = self.rows if self.keeps_rows else 0
        self.ledger, self.sold = np.empty(kept, dtype=LEDGER), np.empty(kept, dtype=LOTS)
        self.lots = np.empty(self.rows, dtype=book.LOT)

    def grow(self) -> None:
        self.rows *= 4
        self.__post_init__()


def _simulate(market: book.Market, rules: Rules, start: State | None, end: int, buffers: _Buffers) -> SimulationResult:
    state = start or _first_state(rules)
    while True:
        totals = state.totals.copy()
        found = _book(state, totals, rules, buffers, end - state.sessions)
        policy = None
        if _has_policy(rules):
            policy = book.Policy(np.array(rules.candidates, dtype=np.int64), state.returns.copy(), state.gaps.copy())
        if run(market, _terms(rules), found, policy, state.sessions, end):
            return _result(found, totals, policy, end)
        buffers.grow()


def _first_state(rules: Rules) -> State:
    """Return where a scenario stands before the first session."""
    assets = len(rules.weights)
    totals = np.zeros(1, dtype=book.STATE)
    totals["bank"] = totals["value"] = rules.capital
    totals["index"] = totals["peak"] = totals["trough"] = totals["eagerness"] = 1.0
    returns, gaps = _windows(rules)
    positions = np.zeros(assets, dtype=book.POSITION)
    positions["bracket"] = rules.brackets
    return State(
        sessions=0,
        totals=totals,
        positions=positions,
        holdings=np.zeros(assets),
        needs=np.zeros(assets),
        lots=np.empty(0, dtype=book.LOT),
        returns=np.zeros(returns),
        gaps=np.zeros((gaps, assets), dtype=np.int8),
    )


def _book(state: State, totals: Rows, rules: Rules, buffers: _Buffers, sessions: int) -> book.Book:
    """Open the books of a scenario where a state stands."""
    assets = len(rules.weights)
    positions = state.positions.copy()
    positions["weight"], positions["share"], positions["lot_size"] = rules.weights, rules.profit_shares, rules.lot_sizes
    if not rules.adaptive_bracket:
        positions["bracket"] = rules.brackets
    positions["newest_lot"] = positions["oldest_lot"] = -1
    while len(buffers.lots) < len(state.lots):
        buffers.grow()
    buffers.lots[: len(state.lots)] = state.lots
    totals["slots"] = len(state.lots)
    holdings = _in_lanes(state.holdings)
    return book.Book(
        state=totals[0],
        positions=positions,
        holdings=holdings,
        needs=_in_lanes(state.needs),
        sell_at=np.full(len(holdings), np.inf),
        buy_at=np.full(len(holdings), -np.inf),
        lots=buffers.lots,
        ledger=buffers.ledger,
        sold=buffers.sold,
        daily=np.empty(sessions, dtype=DAILY),
        paths=np.zeros(assets, dtype=book.PATH),
        turns=np.zeros(assets, dtype=book.TURN),
    )


def _result(found: book.Book, totals: Rows, policy: book.Policy | None, end: int) -> SimulationResult:
    """Copy a scenario's rows and state out of the buffers."""
    lots = found.lots[: totals["slots"][0]]
    still_open = _whole(lots)[lots["quantity"] > 0.0].view(lots.dtype)
    still_open["older"] = still_open["newer"] = -1
    rows, sold = totals["rows"][0], totals["sold"][0]
    totals["rows"] = totals["sold"] = totals["slots"] = 0
    found.positions["newest_lot"] = found.positions["oldest_lot"] = -1  # places in buffers that others will use
    assets = len(found.positions)
    return SimulationResult(
        ledger=_copy(found.ledger[:rows]),
        daily=found.daily,
        lots=_copy(found.sold[:sold]),
        state=State(
            sessions=end,
            totals=totals,
            positions=found.positions,
            holdings=found.holdings[:assets].copy(),
            needs=found.needs[:assets].copy(),
            lots=still_open,
            returns=policy.returns if policy else np.zeros(0),
            gaps=policy.gaps if policy else np.zeros((0, assets), dtype=np.int8),
        ),
    )


def _copy(rows: Rows) -> Rows:
    """Copy rows whole: numpy copies records field by field, which takes twenty times as long."""
    return _whole(rows).copy().view(rows.dtype)


def _whole(rows: Rows) -> Rows:
    """Return a view of rows as pieces of memory without fields."""
    return rows.view(np.dtype((np.void, rows.dtype.itemsize)))
