"""Tax lots in plain Python, made to be read: what is held is a list of objects, and every question searches all of it.

``tests/simulation/test_taxes.py`` holds the compiled ones against it.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sd_core.market.arrays import Dates
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import Rows
from sd_core.simulation.rules import LotOrder

WINDOW = dt.timedelta(days=30)
SAME = 1e-9
NO_LOSS = 1e-12


@dataclass
class Held:
    """Shares of one purchase that are alike; ``fresh`` ones have replaced nothing yet."""

    purchase: int
    asset: int
    is_buyback: bool
    bought: dt.date
    counts_from: dt.date
    shares: float
    cost: float  # per share
    basis: float  # per share
    fresh: bool = True


@dataclass
class Sold:
    """Shares of one purchase that one sale sold."""

    sale: int
    day: dt.date
    held: Held
    proceeds: float
    disallowed: float = 0.0
    unreplaced: float = field(init=False)

    def __post_init__(self) -> None:
        self.unreplaced = self.held.shares

    @property
    def gain(self) -> float:
        return self.proceeds - self.held.shares * self.held.basis

    @property
    def is_loss(self) -> bool:
        return self.gain < -NO_LOSS * self.held.shares * self.held.basis

    @property
    def is_long(self) -> bool:
        return is_long(self.held.counts_from, self.day)


def is_long(since: dt.date, until: dt.date) -> bool:
    """Return whether shares were held for more than a year, which begins with the day after they were bought."""
    begin = since + dt.timedelta(days=1)
    if (begin.month, begin.day) == (2, 29):
        return until >= dt.date(begin.year + 1, 3, 1)
    return until >= begin.replace(year=begin.year + 1)


@dataclass
class TaxReturn:
    """The state while the ledger is read, and at its end the result."""

    lot_order: LotOrder
    held: list[Held] = field(default_factory=list)
    sold: list[Sold] = field(default_factory=list)

    def buy(self, seq: int, asset: int, is_buyback: bool, day: dt.date, shares: float, paid: float) -> None:
        per_share = paid / shares
        self.held.append(Held(seq, asset, is_buyback, day, day, shares, per_share, per_share))
        # Of thousands of sales most are long ago, or replaced whole.
        recent = [sale for sale in self.sold if sale.unreplaced and day - sale.day <= WINDOW]
        for sale in recent:
            if sale.is_loss and sale.held.asset == asset:
                self.let_replace(sale, [part for part in self.held if part.purchase == seq])

    def sell(self, seq: int, asset: int, day: dt.date, shares: float, received: float) -> None:
        taken: list[Held] = []
        wanted = shares
        for part in self.in_order_of_sale(asset):
            if wanted == 0.0:
                break
            if part.shares < wanted or abs(part.shares - wanted) <= SAME * shares:
                self.held = [other for other in self.held if other is not part]
                taken.append(part)
                wanted = 0.0 if abs(part.shares - wanted) <= SAME * shares else wanted - part.shares
            else:
                taken.append(replace(part, shares=wanted))
                part.shares -= wanted
                wanted = 0.0
        rows = [Sold(seq, day, part, received * part.shares / shares) for part in taken]
        rows[-1].proceeds = received - sum(row.proceeds for row in rows[:-1])
        self.sold += rows
        for row in rows:
            if row.is_loss:
                recent = [part for part in self.held if day - part.bought <= WINDOW]
                self.let_replace(row, [part for part in recent if part.purchase != row.held.purchase])

    def in_order_of_sale(self, asset: int) -> list[Held]:
        sign = -1 if self.lot_order is LotOrder.LIFO else 1
        mine = [part for part in self.held if part.asset == asset]
        return sorted(mine, key=lambda part: (not part.is_buyback, sign * part.purchase))

    def let_replace(self, sale: Sold, candidates: Iterable[Held]) -> None:
        """Give the loss of a sale to shares that replace those sold, the first bought first."""
        loss_per_share = -sale.gain / sale.held.shares
        for part in candidates:
            if part.asset != sale.held.asset or not part.fresh or sale.unreplaced == 0.0:
                continue
            same = abs(part.shares - sale.unreplaced) <= SAME * sale.unreplaced
            replaced = sale.unreplaced if same else min(part.shares, sale.unreplaced)
            if not same and replaced < part.shares:
                rest = replace(part, shares=part.shares - replaced)
                self.held.insert([other is part for other in self.held].index(True) + 1, rest)
                part.shares = replaced
            part.fresh = False
            part.basis += loss_per_share * replaced / part.shares
            part.counts_from -= sale.day - sale.held.counts_from
            sale.disallowed += loss_per_share * replaced
            sale.unreplaced = 0.0 if same else sale.unreplaced - replaced


def tax_return(ledger: Rows, sessions: Dates, lot_order: LotOrder) -> TaxReturn:
    """Return what a ledger sold, in order, and what it holds at the end."""
    days = [day.item() for day in sessions.astype("datetime64[D]")]
    books = TaxReturn(lot_order)
    for seq, row in enumerate(ledger, start=1):
        asset, day, shares, amount = (
            int(row["asset"]),
            days[row["session"]],
            float(row["quantity"]),
            float(row["amount"]),
        )
        if shares > 0:
            books.buy(seq, asset, row["kind"] == Kind.BUY, day, shares, -amount)
        elif shares < 0:
            books.sell(seq, asset, day, -shares, amount)
    return books
