"""A session of a satellite in research: the fills that the engine of histories makes, booked in its book on paper.

Exits, reinvested dividends, entries by the signals of the close before, stops and take-profits are the kernel's own
text, called on plain objects. What the close makes of them follows from the mark.
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from sd_core.buckets.history.contract import NOT_YET
from sd_core.buckets.history.kernel.positions import trade
from sd_core.buckets.history.kernel.receipts import receive
from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger, Receipt
from sd_core.buckets.ledger.marked import AtMark, MarketDay, at_last_mark, date_of, day_of_date, parameters_of
from sd_core.buckets.ledger.state import State
from sd_core.buckets.presets import Parameters
from sd_core.buckets.rules import NEVER
from sd_core.buckets.trading.openings import Asked, Costs
from sd_core.errors import InputError
from sd_core.schemas.kinds import ExitReason, Kind, Regime

# The session before, and the one that is traded; rows that a ticker adds to the kernel's ledger at most.
BEFORE, NOW = 0, 1
ROWS = 6
QUANTUM = Decimal("1e-9")
# A close that is stated otherwise by no more than this was corrected, and not split; prices are rounded by less.
SAME, ROUNDED = 0.01, 1e-3
# What is taken for a split that no one recorded: so large, and of no more than so many old shares for new ones.
LEAST_STEP, MOST_OLD = 1.5, 4
# Recorded ratios are exact to such a part.
LARGEST_PART = 10_000


@dataclass(frozen=True)
class Bar:
    """A ticker in a session: prices, NaN where it did not trade, and the dividend per share that goes ex."""

    open: float
    high: float
    low: float
    close: float
    dividend: float = 0.0


@dataclass(frozen=True)
class PaperDay:
    """A session as a satellite on paper sees it.

    Attributes:
        session: its date.
        bars: of the satellite's tickers, in the study's order.
        last: the last known closes, this session's where there are any.
        asked: what the signal said at the close before, by ticker.
        market: what is known of the session besides.
        costs: of a trade.
        lot_sizes: smallest quantities that trade; what has none is fractional.
        splits: new shares per old one, of tickers that were split since the last mark; all prices are of new shares.
    """

    session: dt.date
    bars: Mapping[str, Bar]
    last: Mapping[str, float]
    asked: Mapping[str, Asked] = field(default_factory=dict)
    market: MarketDay = field(default_factory=MarketDay)
    costs: Costs = field(default_factory=Costs)
    lot_sizes: Mapping[str, float] = field(default_factory=dict)
    splits: Mapping[str, Fraction] = field(default_factory=dict)


def split_since(marked: float, now: float, recorded: Sequence[float]) -> Fraction | None:
    """Return by what a ticker was split since a mark, or None.

    Prices are split-adjusted, so a split shows in the close of the marked session: it is another one now. That is taken
    for a split where recorded ones explain it, or where it changes the price by a third or more, at a simple ratio.

    Args:
        marked: the close that was marked.
        now: the close of the same session as it is stated now.
        recorded: new shares per old one of the ticker's splits, in order.
    """
    step = marked / now
    if abs(step - 1.0) <= SAME:
        return None
    ratio = 1.0
    for one in reversed(recorded):
        ratio *= one
        if abs(ratio / step - 1.0) <= SAME:
            return Fraction(ratio).limit_denominator(LARGEST_PART)
    simple = (
        Fraction(step).limit_denominator(MOST_OLD) if step > 1.0 else 1 / Fraction(1 / step).limit_denominator(MOST_OLD)
    )
    is_large = max(step, 1.0 / step) >= LEAST_STEP
    return simple if is_large and abs(float(simple) / step - 1.0) <= ROUNDED else None


def trade_on_paper(ledger: Ledger, bucket: str, day: PaperDay, *, dry_run: bool = False) -> list[Receipt]:
    """Book what a satellite in research trades in a session, and mark it: all of it, or nothing.

    Before the first mark it trades nothing, as no close has said what it may open. Again for the same session it
    returns the mark that there is.

    Raises:
        InputError: the satellite is not in research, the session is before the last one marked or still to come, or a
            ticker that it holds has no close; each is named.
    """
    paper = ledger.paper(bucket)
    with ledger.state() as state:
        found = state.satellite(bucket, "paper")
        if found.status != "research":
            raise InputError(f"paper: {bucket}: {found.status}: expected a satellite in research")
    session = day.session.isoformat()

    def activities(state: State) -> list[Activity]:
        last = at_last_mark(state, bucket)
        return [] if last is None else _Session(state, bucket, last, day).activities()

    prices = {ticker: Decimal(repr(float(price))) for ticker, price in day.last.items() if not math.isnan(price)}
    key = f"{paper.book}:mark:{session}"
    return paper.book_session(activities, day.session, prices, day.market, key, dry_run=dry_run)


class _Session:
    """One satellite in one session, as the kernel knows it."""

    def __init__(self, state: State, bucket: str, last: AtMark, day: PaperDay) -> None:
        self._day = day
        self._base = state.base
        # What it holds it sells, also where it may no longer buy it.
        self.tickers = list(dict.fromkeys([*day.bars, *last.positions]))
        self._held = {unit: state.units[unit].decimal(held) for unit, held in state.positions(bucket).items()}
        self._splits = [self._split(ticker, ratio) for ticker, ratio in day.splits.items() if ticker in self._held]
        self.satellite = _satellite(parameters_of(state, bucket), last, len(self.tickers))
        self.satellite.cash = float(state.base.decimal(state.balance(bucket, state.base.unit)))
        self.satellite.cash_before = self.satellite.cash
        self.positions = [_position(last, ticker, day, number) for number, ticker in enumerate(self.tickers)]
        self.market = _market(day, self.tickers, last.regime)
        count = len(self.tickers)
        self.books = SimpleNamespace(
            satellites=[self.satellite],
            positions=self.positions,
            ledger=[SimpleNamespace() for _ in range(ROWS * count + 1)],
            # A row for each ticker's position now, and for one that it opens.
            trades=[SimpleNamespace(quantity=0.0, cost=0.0, dividends=0.0) for _ in range(2 * count)],
            counts=[0, count, 0],
            turns=[0] * count,
            closed={},
        )

    def activities(self) -> list[Activity]:
        """Return what happens in the session: splits, dividends and interest, then the fills, as they are made."""
        receive(self.market, self.books, NOW)  # type: ignore[no-untyped-call]
        trade(self.market, self.books, 0, NOW)  # type: ignore[no-untyped-call]
        rows = self.books.ledger[: self.books.counts[0]]
        facts = [self._fact(number, row) for number, row in enumerate(rows, start=1)]
        return [*self._splits, *(one for one in facts if one is not None)]

    def _split(self, ticker: str, ratio: Fraction) -> Activity:
        """Turn the shares of a ticker into new ones, and return that as a fact; parts of a quantum are cut."""
        before = self._held[ticker]
        after = (before * ratio.numerator / ratio.denominator).quantize(QUANTUM, ROUND_DOWN)
        self._held[ticker] = after
        legs, details = {ticker: after - before}, {"ratio": str(ratio)}
        return Activity(f"{self._day.session}:split:{ticker}", "split", self._day.session, legs, details=details)

    def _fact(self, number: int, row: Any) -> Activity | None:
        """Return a row of the kernel as a fact; money is cut to what a ledger keeps."""
        day, kind = self._day.session, int(row.kind)
        ref, money = f"{day}:{number}", _cut(row.amount, self._base.scale)
        ticker = self.tickers[row.asset] if row.asset >= 0 else None
        if kind == Kind.INTEREST and money:
            return Activity(ref, "interest", day, {self._base.unit: money})
        if kind == Kind.DIVIDEND and money:
            return Activity(ref, "dividend", day, {self._base.unit: money}, details={"unit": ticker})
        if kind in {Kind.BUY, Kind.DIVIDEND_BUY, Kind.SELL} and ticker is not None:
            return self._fill(ref, ticker, row, kind, money)
        return None

    def _fill(self, ref: str, ticker: str, row: Any, kind: int, money: Decimal) -> Activity:
        if kind == Kind.SELL:
            shares = -self._held.pop(ticker)
        else:
            shares = _cut(row.quantity, 9)
            self._held[ticker] = self._held.get(ticker, Decimal(0)) + shares
        details = {"fee": str(_cut(row.fee, self._base.scale)), "price": float(row.price)}
        if (decision := self._decision(row.asset, kind)) is not None:
            details["decision"] = decision
        return Activity(ref, "fill", self._day.session, {ticker: shares, self._base.unit: money}, details=details)

    def _decision(self, asset: int, kind: int) -> dict[str, Any] | None:
        position = self.positions[asset]
        made = self.books.trades[position.trade]
        if kind == Kind.SELL:
            return {"reason": ExitReason(int(made.exit_reason)).name.lower()}
        if kind == Kind.DIVIDEND_BUY:
            return None
        return {
            **{name: float(getattr(made, name)) for name in ("conviction", "factor", "premium")},
            "regime": Regime(int(made.regime)).name.lower(),
            "is_test": bool(made.is_test),
            "ex_date": date_of(int(position.ex_date)),
        }


def _satellite(parameters: Parameters, last: AtMark, tickers: int) -> SimpleNamespace:
    """Return a satellite after the last mark."""
    return SimpleNamespace(
        **parameters._asdict(),
        value=last.value,
        level=last.level,
        factor=last.factor,
        is_test=int(last.is_test),
        tests=sum(one.is_test for one in last.positions.values()),
        held=len(last.positions),
        trades=last.memory.trades,
        closed=0,
        close_flows=0.0,
        first=0,
        last=tickers,
    )


def _position(last: AtMark, ticker: str, day: PaperDay, number: int) -> SimpleNamespace:
    """Return what a satellite holds of a ticker after the last mark, in shares of today, or an empty position."""
    held = last.positions.get(ticker)
    ratio = float(day.splits.get(ticker, 1))
    return SimpleNamespace(
        lot_size=day.lot_sizes.get(ticker, 0.0),
        quantity=held.quantity * ratio if held else 0.0,
        entry=held.entry_price / ratio if held else 0.0,
        stop=held.stop / ratio if held else 0.0,
        highest=held.highest / ratio if held else 0.0,
        dividend=0.0,
        reinvest=held.reinvest if held else 0.0,
        trade=number,
        opened=BEFORE,
        closed=NOT_YET,
        exit=held.exit if held else NOT_YET,
        is_armed=int(held.is_armed) if held else 0,
        is_test=int(held.is_test) if held else 0,
        ex_date=held.ex_date if held else NEVER,
    )


def _market(day: PaperDay, tickers: Sequence[str], regime: Regime) -> SimpleNamespace:
    """Return what the kernel reads of the session and of the close before, by session and place."""
    nothing = Bar(math.nan, math.nan, math.nan, math.nan)
    bars = [day.bars.get(ticker, nothing) for ticker in tickers]
    asked = [day.asked.get(ticker) for ticker in tickers]

    def now(name: str) -> dict[tuple[int, int], float]:
        return {(NOW, place): getattr(bar, name) for place, bar in enumerate(bars)}

    def before(name: str) -> dict[tuple[int, int], float]:
        return {(BEFORE, place): getattr(one, name) if one else math.nan for place, one in enumerate(asked)}

    return SimpleNamespace(
        open=now("open"),
        high=now("high"),
        low=now("low"),
        dividends=now("dividend"),
        pays={NOW: any(bar.dividend for bar in bars)},
        is_entry={(BEFORE, place): one is not None and one.is_entry for place, one in enumerate(asked)},
        conviction=before("conviction"),
        order=before("order"),
        peak=before("peak"),
        next_ex_date={
            (BEFORE, place): NEVER if one is None or one.next_ex_date is None else day_of_date(one.next_ex_date)
            for place, one in enumerate(asked)
        },
        regime={BEFORE: regime.value},
        interest={NOW: day.market.cash_return},
        tickers=range(len(tickers)),
        fee_fixed=day.costs.fee_fixed,
        fee_rate=day.costs.fee_rate,
    )


def _cut(amount: float, digits: int) -> Decimal:
    """Return an amount with so many decimal digits, cut towards 0 after what doubles miss it by."""
    nearest = Decimal(repr(round(float(amount), digits + 2)))
    return nearest.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)
