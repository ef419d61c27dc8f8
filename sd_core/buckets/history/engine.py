"""The engine of histories: a plan's satellites, session by session, beside a core that goes on in step with them.

There is no randomness and no clock: rows follow from the plan, its signals and prices alone. What happens in a session
belongs in ``kernel``, what moves between buckets before it in ``arrivals``.
"""

import numpy as np

from sd_core.buckets.history.arrivals import Arrivals
from sd_core.buckets.history.contract import (
    DAILY,
    EVALUATIONS,
    EVENTS,
    LEDGER,
    NOT_YET,
    TRADES,
    Core,
    History,
    Plan,
    Rows,
    Signals,
)
from sd_core.buckets.history.kernel.book import POSITION, SATELLITE, Books, Market
from sd_core.buckets.history.kernel.sessions import arrive, go_on
from sd_core.buckets.rules import COOLDOWN_DAYS
from sd_core.market.arrays import Dates, Floats, day_numbers, last_known, month_numbers
from sd_core.market.panel import Panel, daily_periods_per_year, risk_free_returns
from sd_core.schemas.kinds import Dividends, Status

# How many rows of the ledger, of trades and of events there is room for at first.
ROOM = 4096
MONTHS_OF_A_QUARTER = 3


def simulate(plan: Plan, panel: Panel, signals: Signals, deposits: Floats, core: Core) -> History:
    """Simulate a plan over a panel.

    Args:
        plan: a core and its satellites.
        panel: prices of the satellites' tickers; its sessions are the core's.
        signals: of the same sessions and tickers.
        deposits: money that comes in from outside, by session; none on the first.
        core: before its first session, with the plan's ``core_capital``.

    Returns:
        The rows of the satellites, and what the core was worth.
    """
    market, sessions = lay_out(plan, panel, signals), len(panel.sessions)
    books = open_books(plan, sessions)
    arrivals = Arrivals(plan, market, daily_periods_per_year(panel.sessions))
    arrivals.open(books)
    months, quarters = (_begins(panel.sessions, length) for length in (1, MONTHS_OF_A_QUARTER))
    sends = market.pays & any(one.parameters.dividends == Dividends.SEND_TO_CORE for one in plan.satellites)
    values, cash, withdrawals, flows = np.zeros((4, sessions))
    most = most_rows(books)
    for session in range(sessions):
        books = with_room(books, most)
        flow = 0.0
        if months[session] or deposits[session] > 0.0:
            total = float(values[session - 1] + books.satellites["value"].sum())
            if quarters[session]:
                flow += arrivals.evaluate(books, session, total)
            if months[session]:
                flow += arrivals.harvest(books, session, total)
            if deposits[session] > 0.0:
                flow += arrivals.deposit(books, session, float(deposits[session]), total)
        # Satellites that send nothing on need not wait for the core, and one call takes less time than two.
        if sends[session]:
            flow += arrive(market, books, session)
        core.advance(session, flow)
        values[session], cash[session], withdrawals[session] = core.value, core.bank, core.withdrawn
        flows[session] = flow
        go_on(market, books, session, values[session], not sends[session])
    return History(
        ledger=books.ledger[: books.counts[0]].copy(),
        daily=books.daily.reshape(-1),
        trades=_by_bucket(books.trades[: books.counts[1]]),
        events=books.events[: books.counts[2]].copy(),
        evaluations=np.concatenate([np.zeros(0, dtype=EVALUATIONS), *arrivals.evaluations]),
        core_values=values,
        core_cash=cash,
        core_withdrawals=withdrawals,
        core_flows=flows,
    )


def lay_out(plan: Plan, panel: Panel, signals: Signals) -> Market:
    """Lay out what the satellites read."""
    last = last_known(panel.close)
    days = day_numbers(panel.sessions)
    return Market(
        open=np.ascontiguousarray(panel.open),
        high=np.ascontiguousarray(panel.high),
        low=np.ascontiguousarray(panel.low),
        close=np.ascontiguousarray(panel.close),
        last=last,
        peak=np.fmax.accumulate(last),
        dividends=np.ascontiguousarray(panel.dividends),
        is_entry=np.ascontiguousarray(signals.is_entry),
        conviction=np.ascontiguousarray(signals.conviction),
        order=np.ascontiguousarray(signals.order),
        is_exit=np.ascontiguousarray(signals.is_exit),
        next_ex_date=np.ascontiguousarray(signals.next_ex_date),
        regime=signals.regime.astype(np.int64),
        days=days,
        month_ago=np.searchsorted(days, days - COOLDOWN_DAYS, side="right") - 1,
        interest=risk_free_returns(panel.sessions, panel.rates),
        pays=(panel.dividends != 0.0).any(axis=1),
        tickers=np.array([ticker for one in plan.satellites for ticker in one.tickers], dtype=np.int64),
        fee_fixed=plan.fee_fixed,
        fee_rate=plan.fee_rate,
    )


def open_books(plan: Plan, sessions: int) -> Books:
    """Open the books of satellites that have nothing yet."""
    count, tickers = len(plan.satellites), len(plan.lot_sizes)
    satellites = np.zeros(count, dtype=SATELLITE)
    first = 0
    for satellite, one in zip(satellites, plan.satellites, strict=True):
        for name, value in one.parameters._asdict().items():
            if name in (SATELLITE.names or ()):
                satellite[name] = value
        satellite["target"], satellite["min_pct"] = one.target, one.min_pct
        satellite["first"], satellite["last"] = first, first + len(one.tickers)
        first += len(one.tickers)
    satellites["status"] = Status.ACCUMULATING
    satellites["index"] = satellites["peak"] = 1.0
    for name in (
        "lock_ends",
        "boost_ends",
        "cooldown_ends",
        "awake_since",
        "failed_on",
        "quiet_since",
        "activated_on",
        "active_since",
    ):
        satellites[name] = NOT_YET
    positions = np.zeros(tickers, dtype=POSITION)
    positions["lot_size"] = plan.lot_sizes
    positions["closed"] = positions["exit"] = NOT_YET
    return Books(
        satellites=satellites,
        positions=positions,
        ledger=np.zeros(ROOM, dtype=LEDGER),
        trades=np.zeros(ROOM, dtype=TRADES),
        events=np.zeros(ROOM, dtype=EVENTS),
        counts=np.zeros(3, dtype=np.int64),
        daily=np.zeros((sessions, count), dtype=DAILY),
        turns=np.zeros(tickers, dtype=np.int64),
        closed=np.zeros((count, tickers), dtype=np.int64),
    )


def most_rows(books: Books) -> tuple[int, int, int]:
    """Return how many rows of the ledger, of trades and of events one session may add."""
    count, tickers = books.closed.shape
    # Of a ticker: a dividend that is sent on, an exit or a purchase for it, an entry, and a resting order. Of a
    # satellite: moves to and from every other and the core, a harvest, a part of a deposit, interest.
    return 6 * tickers + count * (2 * count + 4), tickers, tickers + 6 * count


def with_room(books: Books, most: tuple[int, int, int]) -> Books:
    """Return the books with room for one more session."""
    rows = [books.ledger, books.trades, books.events]
    counts = books.counts.tolist()
    if all(counts[place] + most[place] <= len(rows[place]) for place in range(len(rows))):
        return books
    longer = [
        np.concatenate([each, np.zeros(len(each) + more, dtype=each.dtype)])
        for each, more in zip(rows, most, strict=True)
    ]
    return books._replace(ledger=longer[0], trades=longer[1], events=longer[2])


def _begins(sessions: Dates, months: int) -> np.ndarray:
    """Return whether each session is the first of a new period of so many months; the first of all is none."""
    return np.diff(month_numbers(sessions) // months, prepend=month_numbers(sessions[:1]) // months) > 0


def _by_bucket(trades: Rows) -> Rows:
    """Return trades by satellite, each in the order of its entries."""
    return trades[np.argsort(trades["bucket"], kind="stable")]
