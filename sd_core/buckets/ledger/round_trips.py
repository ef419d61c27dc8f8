"""The positions of satellites from entry to exit, followed through lots and what used them, from one mark to the next.

A position begins with a purchase where there is none, and ends where its last share is sold. What counts as a win or a
loss is in ``sd_core.buckets.rules``; how positions are stored is in ``marked``.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sd_core.buckets import rules
from sd_core.buckets.ledger.quanta import Unit
from sd_core.buckets.ledger.state import State
from sd_core.schemas.kinds import ExitReason
from sd_core.simulation.amounts import TOUCH

Place = tuple[str, str]


@dataclass
class Trip:
    """A position of a satellite; money in quanta of the instrument's currency, dates in ISO.

    Attributes:
        trade: its number in the satellite's order of entries, from 1.
        opened, closed: dates of the first purchase and of the last sale; None: open.
        held, quantity: shares now, and shares bought, in quanta.
        cost, proceeds, dividends: with fees; less fees; as received.
        entry_price: of the purchases of the first day.
        exit_price: of the last sale.
        stop, highest, is_armed, reinvest: as the last close left them.
        exit_reason: why it was sold, or is to be sold at the next open; None: for no reason of its strategy.
        outcome, trade_return: of a round trip.
        conviction, factor, premium, regime: what it was bought on; None where no signal asked for it.
        is_test, ex_date: whether it is the test of a breaker; the dividend that it was bought for.
        is_on_strategy: whether a signal asked for it.
        paid: dividends since the last mark.
        is_counted: whether its end is one that the rules count.
    """

    trade: int
    unit: str
    opened: str
    held: int = 0
    quantity: int = 0
    cost: int = 0
    proceeds: int = 0
    dividends: int = 0
    entry_price: float = 0.0
    exit_price: float | None = None
    stop: float = 0.0
    highest: float = 0.0
    is_armed: bool = False
    is_test: bool = False
    exit_reason: str | None = None
    ex_date: str | None = None
    reinvest: float = 0.0
    closed: str | None = None
    outcome: int | None = None
    trade_return: float | None = None
    conviction: float | None = None
    factor: float | None = None
    premium: float | None = None
    regime: str | None = None
    is_on_strategy: bool = False
    paid: int = 0
    is_counted: bool = False
    # Money and shares of the first day's purchases, while they come in, and the highest close before them.
    bought: tuple[int, int] = (0, 0)
    peak: float | None = None

    def end(self, effective: str, *, is_sold: bool) -> None:
        """End it: by a sale, which makes it a round trip, or because its shares went elsewhere."""
        self.closed = effective
        self.is_counted = is_sold
        if is_sold:
            self.judge()

    def judge(self) -> None:
        """Work out what it returned."""
        self.trade_return = rules.round_trip_return(float(self.proceeds), float(self.dividends), float(self.cost))
        self.outcome = int(rules.outcome_of(self.trade_return))

    def scale(self, old: tuple[int, int], new: tuple[int, int]) -> None:
        """Follow a corporate action that turned shares and cost of all lots into others; prices follow the lots."""
        (shares, cost), (new_shares, new_cost) = old, new
        factor = shares / new_shares * (new_cost / cost if cost else 1.0)
        self.quantity = self.quantity * new_shares // shares
        self.held += new_shares - shares
        self.cost += new_cost - cost
        self.entry_price, self.stop, self.highest = (
            price * factor for price in (self.entry_price, self.stop, self.highest)
        )


@dataclass
class _Entry:
    """What one entry did to lots, by bucket and instrument: shares and cost."""

    number: int
    kind: str
    effective: str
    reverses: int | None
    details: Mapping[str, Any]
    bought: dict[Place, list[tuple[int, int, str]]] = field(default_factory=lambda: defaultdict(list))
    sold: dict[Place, tuple[int, int]] = field(default_factory=dict)
    gone: dict[Place, tuple[int, int]] = field(default_factory=dict)
    come: dict[Place, tuple[int, int]] = field(default_factory=dict)
    since: dict[Place, str] = field(default_factory=dict)


class Trips:
    """The positions of a book's satellites, followed on from what was stored at the last mark.

    Attributes:
        open: positions by bucket and instrument.
        done: positions that ended, or changed after their end, since the last mark, with their bucket, in order.
        paid_late: those of ``done`` that were counted before and got a dividend since, with what each counted as.
    """

    def __init__(
        self,
        state: State,
        is_satellite: Callable[[str], bool],
        open_then: Mapping[Place, Trip],
        counts: Mapping[str, int],
        latest: Callable[[str, str, str | None], Trip | None],
    ) -> None:
        self._state = state
        self._is_satellite = is_satellite
        self._latest = latest
        self.open = dict(open_then)
        self.counts = defaultdict(int, counts)
        self.done: list[tuple[str, Trip]] = []
        self.paid_late: list[tuple[str, int, Trip]] = []

    def follow(self, since: int) -> None:
        """Follow every entry after one."""
        for entry in self._entries(since):
            if entry.kind == "dividend":
                self._pay(entry)
            self._sell(entry)
            self._move(entry)
            self._buy(entry)

    # What an entry does

    def _buy(self, entry: _Entry) -> None:
        for (bucket, unit), lots in entry.bought.items():
            trip = self.open.get((bucket, unit)) or self._begin(bucket, unit, entry.effective, entry.details)
            for shares, cost, _ in lots:
                trip.held += shares
                trip.quantity += shares
                trip.cost += cost
            if trip.opened == entry.effective and not trip.highest:
                money = self._traded(entry.number, "purchase", unit)
                trip.bought = (trip.bought[0] + money, trip.bought[1] + sum(one[0] for one in lots))
                trip.entry_price = entry.details.get("price") or self._price(unit, *trip.bought)
                trip.premium = trip.entry_price / trip.peak - 1.0 if trip.peak else trip.premium

    def _begin(self, bucket: str, unit: str, opened: str, details: Mapping[str, Any]) -> Trip:
        self.counts[bucket] += 1
        trip = self.open[bucket, unit] = Trip(self.counts[bucket], unit, opened)
        if "conviction" in (decision := self._decision(details)):
            trip.is_on_strategy = True
            trip.conviction, trip.factor = float(decision["conviction"]), float(decision["factor"])
            trip.premium, trip.regime, trip.peak = (decision.get(name) for name in ("premium", "regime", "peak"))
            trip.is_test, trip.ex_date = bool(decision.get("is_test")), decision.get("ex_date")
        return trip

    def _sell(self, entry: _Entry) -> None:
        for (bucket, unit), (shares, proceeds) in entry.sold.items():
            trip = self.open[bucket, unit]
            trip.held -= shares
            trip.proceeds += proceeds
            sold_at = self._price(unit, self._traded(entry.number, "sale", unit), shares)
            trip.exit_price = entry.details.get("price") or sold_at
            if (reason := self._reason(entry.details, trip.exit_price)) is not None:
                trip.exit_reason = reason
            if trip.held == 0:
                trip.end(entry.effective, is_sold=True)
                self.done.append((bucket, self.open.pop((bucket, unit))))

    def _pay(self, entry: _Entry) -> None:
        query = """
            select t.owner, p.quanta from posting p join account t on t.account = p.target
            where p.entry = :number and p.cause = 'dividend'
        """
        unit = str(entry.details.get("unit"))
        for row in self._state.rows(query, number=entry.number):
            trip = self._entitled(row.owner, unit, entry.details.get("ex_date"))
            if trip is None:
                continue
            was = trip.outcome
            trip.dividends += int(row.quanta)
            trip.paid += int(row.quanta)
            if trip.closed is None:
                continue
            if not any(one is trip for _, one in self.done):
                # It was counted at an earlier mark.
                self.done.append((row.owner, trip))
                trip.is_counted = False
                if was is not None:
                    self.paid_late.append((row.owner, was, trip))
            if was is not None:
                trip.judge()

    def _entitled(self, bucket: str, unit: str, ex_date: str | None) -> Trip | None:
        """Return the position that a dividend was paid on: the last one that was opened before its ex-date."""
        trip = self.open.get((bucket, unit))
        if trip is None or (ex_date is not None and trip.opened >= ex_date):
            return self._reopened(bucket, unit, ex_date) or trip
        return trip

    def _move(self, entry: _Entry) -> None:
        """Follow shares that were neither bought nor sold: splits, exchanges, spin-offs, reassignments, busts."""
        come = dict(entry.come)
        for place, gone in entry.gone.items():
            if place in come:
                self.open[place].scale(gone, come.pop(place))
                continue
            heirs = [one for one in come if one[0] == place[0] and one not in entry.gone]
            if heirs and entry.kind != "reassignment":
                self._inherit(place, heirs[0], gone, come.pop(heirs[0]))
            else:
                self._lose(entry, place, gone)
        for place, (shares, cost) in come.items():
            self._receive(entry, place, shares, cost)

    def _inherit(self, place: Place, heir: Place, gone: tuple[int, int], come: tuple[int, int]) -> None:
        trip = self.open.pop(place)
        trip.scale(gone, come)
        trip.unit = heir[1]
        if (other := self.open.get(heir)) is None:
            self.open[heir] = trip
            return
        for name in ("held", "quantity", "cost", "proceeds", "dividends", "paid"):
            setattr(other, name, getattr(other, name) + getattr(trip, name))

    def _lose(self, entry: _Entry, place: Place, gone: tuple[int, int]) -> None:
        """Take shares away: a purchase was taken back, or another bucket has them now."""
        trip = self.open[place]
        shares, cost = gone
        trip.held -= shares
        if entry.reverses is not None:
            trip.quantity -= shares
            trip.cost -= cost
        if trip.held == 0:
            trip.end(entry.effective, is_sold=False)
            self.done.append((place[0], self.open.pop(place)))

    def _receive(self, entry: _Entry, place: Place, shares: int, cost: int) -> None:
        """Add shares: a sale was taken back, another bucket had them, or another instrument gave them."""
        bucket, unit = place
        if entry.reverses is not None and (proceeds := self._proceeds(entry.reverses, place)) is not None:
            trip = self.open.get(place) or self._reopened(bucket, unit)
            if trip is not None:
                self.done = [one for one in self.done if one[1] is not trip]
                self.open[place] = trip
                trip.held += shares
                trip.proceeds -= proceeds
                trip.closed = trip.outcome = trip.trade_return = trip.exit_price = None
                return
        trip = self.open.get(place) or self._begin(bucket, unit, entry.since[place], {})
        if not trip.held:
            trip.entry_price = self._price(unit, cost, shares)
        trip.held += shares
        trip.quantity += shares
        trip.cost += cost

    def _reopened(self, bucket: str, unit: str, before: str | None = None) -> Trip | None:
        """Return the latest position of a bucket in an instrument that has ended, if need be of those opened before."""
        for owner, trip in reversed(self.done):
            if (owner, trip.unit) == (bucket, unit) and (before is None or trip.opened < before):
                return trip
        return self._latest(bucket, unit, before)

    # What is read

    def _entries(self, since: int) -> Iterable[_Entry]:
        state = self._state
        query = """
            select e.number, e.kind, e.effective, e.reverses, a.raw from entry e
            left join activity a on a.book = e.book and a.ref = e.activity
            where e.book = :book and e.number > :since order by e.number
        """
        entries = {
            row.number: _Entry(
                row.number, row.kind, row.effective, row.reverses, json.loads(row.raw)["details"] if row.raw else {}
            )
            for row in state.rows(query, since=since)
        }
        query = """
            select entry, bucket, unit, opened, quanta, cost, parent from lot
            where book = :book and entry > :since order by lot
        """
        for lot in state.rows(query, since=since):
            place = (lot.bucket, lot.unit)
            if not self._is_satellite(lot.bucket):
                continue
            if lot.parent is None:
                entries[lot.entry].bought[place].append((lot.quanta, lot.cost, lot.opened))
            else:
                _add(entries[lot.entry].come, place, lot.quanta, lot.cost)
                entries[lot.entry].since.setdefault(place, lot.opened)
        query = """
            select u.entry, l.bucket, l.unit, u.quanta, u.cost, u.proceeds from lot_use u join lot l on l.lot = u.lot
            where l.book = :book and u.entry > :since order by u.entry, u.lot
        """
        for use in state.rows(query, since=since):
            if self._is_satellite(use.bucket):
                entry, place = entries[use.entry], (use.bucket, use.unit)
                if use.proceeds is None:
                    _add(entry.gone, place, use.quanta, use.cost)
                else:
                    _add(entry.sold, place, use.quanta, use.proceeds)
        return entries.values()

    def _traded(self, number: int, cause: str, unit: str) -> int:
        """Return the money of a trade, without fees."""
        query = "select sum(quanta) as quanta from posting where entry = :number and cause = :cause and unit <> :unit"
        return int(next(iter(self._state.rows(query, number=number, cause=cause, unit=unit))).quanta or 0)

    def _proceeds(self, number: int, place: Place) -> int | None:
        """Return what an entry got for the shares that it sold; None where it sold none."""
        query = """
            select sum(u.proceeds) as proceeds from lot_use u join lot l on l.lot = u.lot
            where u.entry = :number and l.bucket = :bucket and l.unit = :unit and u.proceeds is not null
        """
        row = next(iter(self._state.rows(query, number=number, bucket=place[0], unit=place[1])))
        return None if row.proceeds is None else int(row.proceeds)

    def _decision(self, details: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the rules said of a fill: stated with it, or put on record with its order."""
        if (order := details.get("order")) is None:
            return dict(details.get("decision", {}))
        found = self._state.order(order)
        return {} if found is None else {"reason": found.reason} | self._state.decision(order)

    def _reason(self, details: Mapping[str, Any], price: float) -> str | None:
        """Return why a fill sold: of an order that rests at two prices, by which of them it was filled."""
        order = self._state.order(details.get("order", ""))
        if order is not None and order.type == "oco" and price >= float(order.limit_price) * (1.0 - TOUCH):
            return ExitReason.TAKE.name.lower()
        reason: str | None = self._decision(details).get("reason")
        return reason

    def _price(self, unit: str, money: int, shares: int) -> float:
        of: Unit = self._state.units[unit]
        quoted = self._state.units[str(of.quote_currency)]
        return float(quoted.decimal(money) / of.decimal(shares)) if shares else 0.0


def _add(amounts: dict[Place, tuple[int, int]], place: Place, shares: int, money: int) -> None:
    before = amounts.get(place, (0, 0))
    amounts[place] = (before[0] + int(shares), before[1] + int(money))
