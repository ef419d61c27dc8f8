"""A small account beside the study with satellites: a core, a satellite that traded, and one in research.

Everything is booked by the ledger's own operations, on sessions and at closes of the study's price files, so that what
is landed of it can be checked by hand.
"""

import datetime as dt
import itertools
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pandas as pd

from sd_core.buckets.ledger.facts import Activity
from sd_core.buckets.ledger.ledger import Ledger
from sd_core.buckets.ledger.satellites import Satellite
from sd_core.buckets.ledger.store import Store
from sd_core.buckets.trading.openings import Asked
from sd_core.buckets.trading.paper import Bar, PaperDay, trade_on_paper
from support.lab import Lab

D = Decimal
FIRST, SECOND, THIRD, FOURTH, LAST = (dt.date(2023, 6, day) for day in (5, 6, 7, 8, 9))


@dataclass
class Clock:
    """A clock that says noon of a day."""

    day: dt.date = FIRST

    def __call__(self) -> dt.datetime:
        """Return the moment."""
        return dt.datetime.combine(self.day, dt.time(12), dt.UTC)


def close_of(lab: Lab, ticker: str, day: dt.date) -> Decimal:
    """Return a close of the study's price files, in whole cents."""
    closes = pd.read_csv(lab.study_file.parent / "prices" / f"{ticker}.csv", index_col=0)["Close"]
    return D(str(round(float(closes[day.isoformat()]), 2)))


def open_account(root: Path, clock: Clock, url: str | None = None) -> Ledger:
    """Return the ledger of a home that the study names by default, in a file or in PostgreSQL."""
    return Ledger(Store("main", root / "ledgers", url), clock=clock)


def book_account(lab: Lab, url: str | None = None) -> Ledger:
    """Book the account, and return its ledger.

    On the first day 10 000 come, 1 000 of them go to ``dipper``, which has ten hundredths of the account as its target;
    it buys 10 DDD on the second day for a fee of 1, gets a dividend of 5 on the third, sells 4 on the fourth and is
    marked with the rest on the last. 500 come on the third day, before the dividend, and 200 go out on the last.
    """
    clock = Clock()
    ledger = open_account(lab.root, clock, url)
    ledger.deposit(D(10_000))
    ledger.set("live", {"budget": "0.2"})
    ledger.create(Satellite("dipper", "dip_buyer", ["DDD"], D("0.10")))
    ledger.create(Satellite("idea", "custom", ["EEE"], D("0.05")))
    ledger.start("dipper", early="a test")
    ledger.transfer("core", "dipper", D(1_000))
    ledger.mark(FIRST, {})
    trade(lab, ledger, clock, SECOND, "10", fee="1")
    mark(lab, ledger, clock, SECOND)
    clock.day = THIRD
    ledger.deposit(D(500))
    ledger.record(Activity("dividend-1", "dividend", THIRD, {"USD": D(5)}, details={"unit": "DDD"}))
    mark(lab, ledger, clock, THIRD)
    trade(lab, ledger, clock, FOURTH, "-4")
    mark(lab, ledger, clock, FOURTH)
    clock.day = LAST
    ledger.withdrawn(ledger.withdraw(D(200)).numbers["request"])
    mark(lab, ledger, clock, LAST)
    return ledger


def trade(lab: Lab, ledger: Ledger, clock: Clock, day: dt.date, quantity: str, fee: str = "0") -> None:
    """Book a fill of DDD at a day's close."""
    clock.day = day
    money = -(D(quantity) * close_of(lab, "DDD", day)) - D(fee)
    legs = {"DDD": D(quantity), "USD": money}
    ledger.record(Activity(f"fill-{day}", "fill", day, legs, details={"fee": fee} if D(fee) else {}))


def trade_idea(lab: Lab, ledger: Ledger) -> None:
    """Let ``idea`` buy on paper on the second day, at a signal of the first one's close, and mark it each day."""
    for before, day in itertools.pairwise([FIRST, FIRST, SECOND, THIRD, FOURTH, LAST]):
        close, known = (float(close_of(lab, "EEE", one)) for one in (day, before))
        asked = {"EEE": Asked(close=known, peak=known, is_entry=day == SECOND, conviction=1.0)}
        bar = Bar(close, close * 1.01, close * 0.99, close)
        trade_on_paper(ledger, "idea", PaperDay(day, {"EEE": bar}, {"EEE": close}, asked))


def mark(lab: Lab, ledger: Ledger, clock: Clock, day: dt.date) -> None:
    """Mark the account at a day's closes."""
    clock.day = day
    ledger.mark(day, {"DDD": close_of(lab, "DDD", day)})
