"""What the kernel runs on: a panel laid out once, rules as records, the books of scenarios, and what came of them.

What happens within a session belongs in ``kernel``; which scenarios run, and how far, in ``engine`` and ``walk``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import attrgetter
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from sd_core.market.arrays import Dates, Floats, day_numbers, days_between, last_known
from sd_core.market.panel import DAYS_PER_YEAR, Panel, risk_free_returns
from sd_core.simulation.flows import lump_sums_by_session, periods_begun
from sd_core.simulation.kernel import book
from sd_core.simulation.kernel.lanes import LANES
from sd_core.simulation.kernel.lookback import GAP_SESSIONS
from sd_core.simulation.memory import lend_rows
from sd_core.simulation.results import DAILY, LEDGER, LOTS, Rows, SimulationResult, State
from sd_core.simulation.rules import Every, Rules

# What panels look like to the kernel, as long as they are in use: laying one out takes longer than a scenario on it.
_MARKETS: "WeakKeyDictionary[Panel, book.Market]" = WeakKeyDictionary()

_TERMS_OF = attrgetter(*(book.TERMS.names or ()))


class Batch(NamedTuple):
    """Scenarios that run side by side from the same session, each on from its state where it has one."""

    rules: Sequence[Rules]
    starts: Sequence[State | None]

    @property
    def first(self) -> int:
        """The first session they simulate."""
        return sessions_behind(self.starts[0])


def sessions_behind(start: State | None) -> int:
    """Return how many sessions are behind a scenario."""
    return start.sessions if start else 0


def market_of(panel: Panel) -> book.Market:
    """Return what every scenario reads of a panel, laid out once."""
    return _MARKETS.get(panel) or _MARKETS.setdefault(panel, _market(panel))


def lay_out_part(part: Panel, whole: Panel, members: npt.NDArray[np.intp]) -> None:
    """Lay out a panel of some assets of another from what is laid out of that, which takes half the time.

    Args:
        part: the panel of these assets, which has the sessions, rates and price index of the other.
        whole: the panel with all assets.
        members: the places of the assets in it.
    """
    market = market_of(whole)
    prices = np.zeros((*market.prices.shape[:2], _lanes(len(members))))
    prices[:, :, : len(members)] = market.prices.take(members, axis=2)
    dates = _copy(market.dates)
    dates["pays"] = _pays(part)
    _MARKETS[part] = market._replace(
        prices=prices,
        closes=np.ascontiguousarray(part.close),
        dividends=np.ascontiguousarray(part.dividends),
        dates=dates,
    )


def terms_of(rules: Sequence[Rules]) -> Rows:
    """Return the rules of scenarios that are single numbers, a record each."""
    return np.array([_TERMS_OF(one) for one in rules], dtype=book.TERMS)


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
    dates = np.zeros(len(panel.sessions), dtype=book.DATE)
    dates["years"][1:] = days_between(panel.sessions) / DAYS_PER_YEAR
    dates["interest"] = risk_free_returns(panel.sessions, panel.rates)
    dates["prices"] = 1.0 if panel.price_index is None else panel.price_index / panel.price_index[0]
    dates["begun"] = periods_begun(panel.sessions)
    dates["day"] = day_numbers(panel.sessions)
    dates["pays"] = _pays(panel)
    return book.Market(
        prices=prices,
        closes=np.ascontiguousarray(panel.close),
        dividends=np.ascontiguousarray(panel.dividends),
        dates=dates,
        periods_per_year=panel.periods_per_year,
    )


def _pays(panel: Panel) -> npt.NDArray[np.bool_]:
    """Return whether any asset pays a dividend, by session."""
    return np.asarray((panel.dividends != 0.0).any(axis=1))


def _lanes(assets: int) -> int:
    """Return how long an array by asset is, filled up to whole lanes."""
    return assets + -assets % LANES


def has_policy(rules: Rules) -> bool:
    """Return whether a scenario has more than the plain rule."""
    return (
        rules.withdrawal_every != Every.NEVER
        or bool(rules.deposits_on or rules.withdrawals_on)
        or rules.banded
        or rules.rebalance_every != Every.NEVER
        or len(rules.targets.sessions) > 1
        or rules.cash_low > 0.0
        or min(rules.deviation, rules.volatility, rules.cash_high, rules.drift) < np.inf
        or min(rules.premium_spread, rules.stop) < np.inf
        or rules.harvest_every != Every.NEVER
        or rules.adaptive_bracket
    )


def windows(rules: Rules) -> tuple[int, int]:
    """Return how many sessions of returns and of gaps a scenario remembers."""
    return rules.volatility_window if rules.volatility < np.inf else 0, GAP_SESSIONS if rules.adaptive_bracket else 0


@dataclass
class Buffers:
    """What a thread has for batches, one after the other: room for lots, and so many rows for results to lie in."""

    keeps_rows: bool
    scenarios: int
    rows: int = 4096
    lots: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.lots = np.empty((self.scenarios, self.rows), dtype=book.LOT)

    def lend(self, sessions: int) -> list[Rows]:
        """Return room for the ledger, for lots that are sold, and for the days of a batch."""
        kept = self.rows if self.keeps_rows else 0
        shapes = ((kept, LEDGER), (kept, LOTS), (sessions, DAILY))
        return lend_rows(*(((self.scenarios, rows), dtype) for rows, dtype in shapes))

    def grow(self) -> None:
        """Offer four times as many rows, all of them empty."""
        self.rows *= 4
        self.__post_init__()


def open_books(batch: Batch, buffers: Buffers, end: int, sessions: Dates) -> book.Books:
    """Open the books of scenarios, each with its state, or with its capital."""
    scenarios, assets = len(batch.rules), len(batch.rules[0].brackets)
    state = np.zeros(scenarios, dtype=book.STATE)
    state["bank"] = state["value"] = [rules.capital for rules in batch.rules]
    state["index"] = state["peak"] = state["trough"] = state["eagerness"] = 1.0
    positions = np.zeros((scenarios, assets), dtype=book.POSITION)
    brackets = [rules.brackets for rules in batch.rules]
    holdings, needs = np.zeros((2, scenarios, _lanes(assets)))
    # Before any lot is put into them: buffers that grow begin empty.
    while buffers.rows < max((len(start.lots) for start in batch.starts if start), default=0):
        buffers.grow()
    for place, start in enumerate(batch.starts):
        if start is None:
            continue
        state[place] = start.totals[0]
        state[place]["slots"] = len(start.lots)
        positions[place] = start.positions
        if batch.rules[place].adaptive_bracket:
            brackets[place] = start.positions["bracket"]
        holdings[place, :assets], needs[place, :assets] = start.holdings, start.needs
        buffers.lots[place, : len(start.lots)] = start.lots
    positions["bracket"] = brackets
    last_session = sessions[max(batch.first - 1, 0)]
    positions["weight"] = [
        rules.targets.in_force(last_session)[start.harvests["role"] if start else slice(None)]
        for rules, start in zip(batch.rules, batch.starts, strict=True)
    ]
    positions["share"] = [rules.profit_shares for rules in batch.rules]
    positions["lot_size"] = [rules.lot_sizes for rules in batch.rules]
    ledger, sold, daily = buffers.lend(end - batch.first)
    return book.Books(
        state=state,
        positions=positions,
        holdings=holdings,
        needs=needs,
        sell_at=np.full_like(holdings, np.inf),
        buy_at=np.full_like(holdings, -np.inf),
        lots=buffers.lots,
        ledger=ledger,
        sold=sold,
        daily=daily,
        paths=np.zeros(assets, dtype=book.PATH),
        turns=np.zeros(assets, dtype=book.TURN),
    )


def harvests_of(rules: Rules, start: State | None) -> Rows:
    """Return what harvesting knows of each asset, of its own role and with nothing blocked before the first session."""
    if start is not None:
        return start.harvests.copy()
    assets = len(rules.brackets)
    harvests = np.zeros(assets, dtype=book.HARVEST)
    harvests["role"] = np.arange(assets)
    harvests["substitute"] = rules.substitutes or book.NO_ASSET
    harvests["blocked_until"] = np.iinfo(np.int64).min
    return harvests


def policy_of(batch: Batch, sessions: Dates, transfers: Floats | None = None) -> book.Policy | None:
    """Return what a scenario has beyond the plain rule; one that has anything is alone in its batch.

    ``transfers`` is money that comes in, or goes out where it is below 0, by session; None where nothing ever does.
    """
    rules, start = batch.rules[0], batch.starts[0]
    if transfers is None and not has_policy(rules):
        return None
    returns, gaps = windows(rules)
    assets = len(rules.brackets)
    rows = rules.targets.rows_by_session(sessions)
    return book.Policy(
        candidates=np.array(rules.candidates, dtype=np.int64),
        targets=np.ascontiguousarray(rules.targets.weights),
        row_from=np.where(np.diff(rows, prepend=rows[0]) > 0, rows, -1),
        deposits=lump_sums_by_session(rules.deposits_on, sessions),
        withdrawals=lump_sums_by_session(rules.withdrawals_on, sessions),
        transfers=np.zeros(len(sessions)) if transfers is None else transfers,
        edges=np.full((assets, 2), np.nan) if rules.band_edges is None else np.ascontiguousarray(rules.band_edges),
        returns=np.zeros(returns) if start is None else start.returns.copy(),
        deadlines=np.zeros(assets, dtype=np.int64) if start is None else start.deadlines.copy(),
        harvests=harvests_of(rules, start),
        gaps=np.zeros((gaps, assets), dtype=np.int8) if start is None else start.gaps.copy(),
        closes=np.zeros(assets),
    )


def results_of(books: book.Books, policy: book.Policy | None, end: int) -> list[SimulationResult]:
    """Return every scenario's rows, and its state; they lie where the books wrote them, but for open lots."""
    scenarios, assets = books.positions.shape
    rows, sold, open_lots = (books.state[name].tolist() for name in ("rows", "sold", "slots"))
    for name in ("rows", "sold", "slots"):
        books.state[name] = 0
    if policy is None:
        returns, deadlines, gaps = np.zeros(0), np.zeros(assets, dtype=np.int64), np.zeros((0, assets), dtype=np.int8)
        harvests = np.zeros(assets, dtype=book.HARVEST)
        harvests["role"] = np.arange(assets)
    else:
        returns, deadlines, gaps, harvests = policy.returns, policy.deadlines, policy.gaps, policy.harvests
    # Arrays hand out their rows faster than they are asked for them one by one.
    states = map(
        State,
        repeat(end, scenarios),
        books.state[:, None],
        books.positions,
        books.holdings[:, :assets],
        books.needs[:, :assets],
        _first_rows(_copy(books.lots[:scenarios, : max(open_lots)]), open_lots),
        repeat(returns),
        repeat(deadlines),
        repeat(harvests),
        repeat(gaps),
    )
    return list(
        map(SimulationResult, _first_rows(books.ledger, rows), books.daily, _first_rows(books.sold, sold), states)
    )


def _first_rows(arrays: Rows, counts: Sequence[int]) -> Iterator[Rows]:
    """Yield as many rows of each array as are counted; there may be more arrays than counts."""
    return (rows[:count] for count, rows in zip(counts, arrays, strict=False))


def _copy(rows: Rows) -> Rows:
    """Copy rows whole: numpy copies records field by field, which takes twenty times as long."""
    return rows.view(np.dtype((np.void, rows.dtype.itemsize))).copy().view(rows.dtype)
