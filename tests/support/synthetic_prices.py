"""Price files for the tickers of `vision`: the same to the last digit on every machine, and nothing like the market.

They are drawn by Python's own generator, whose numbers no version changes, by arithmetic alone, and rounded: functions
such as the exponential differ in their last bit between processors. Bitcoin trades on every day of the week. The others
trade on weekdays with holes of their own, one begins late, two pay dividends, one of these also on a Saturday, and all
gap over rungs of the rule now and then.
"""

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

FIRST, LAST = dt.date(2015, 1, 2), dt.date(2018, 12, 31)
# By ticker: growth and swing of a day; every how many sessions one is missing; the sessions of its late start.
STOCKS = {
    "NVDA": (0.0012, 0.040, 97, 0),
    "VOO": (0.0004, 0.016, 0, 0),
    "GOOG": (0.0005, 0.025, 53, 21),
    "MSFT": (0.0006, 0.022, 0, 0),
}
BITCOIN, RATE, PRICE_INDEX = "BTC-USD", "^IRX", "consumer_prices.csv"
PAYERS = {"VOO": 0.9, "MSFT": 0.35}
SATURDAY = dt.date(2016, 3, 19)
GAP_EVERY = 61


def write_vision_prices(folder: Path) -> Path:
    """Write the price, dividend and rate files of `vision`, with consumer prices, and return their folder."""
    folder.mkdir(parents=True)
    every_day = [FIRST + dt.timedelta(days) for days in range((LAST - FIRST).days + 1)]
    weekdays = [day for day in every_day if day.weekday() < 5]
    for seed, (ticker, (growth, swing, hole, late)) in enumerate(STOCKS.items()):
        traded = [day for place, day in enumerate(weekdays, 1) if place > late and not (hole and place % hole == 0)]
        _write(folder / f"{ticker}.csv", "Date,Open,High,Low,Close", _bars(seed, traded, growth, swing))
    _write(folder / f"{BITCOIN}.csv", "Date,Open,High,Low,Close", _bars(len(STOCKS), every_day, 0.0015, 0.07))
    for ticker, amount in PAYERS.items():
        days = sorted({*weekdays[50::63], *([SATURDAY] if ticker == "VOO" else [])})
        paid = (f"{day},{amount * (1 + place / 50):.4f}" for place, day in enumerate(days))
        _write(folder / f"{ticker}_dividends.csv", "Date,Dividends", paid)
    rates = (f"{day},{0.02 + place * 0.0023:.4f}" for place, day in enumerate(weekdays[5:]))
    _write(folder / f"{RATE}.csv", "Date,Close", rates)
    levels = (f"{day},{100 + place * 0.17:.2f}" for place, day in enumerate(every_day[::30]))
    _write(folder / PRICE_INDEX, "Date,Value", levels)
    return folder


def _bars(seed: int, days: Sequence[dt.date], growth: float, swing: float) -> Iterator[str]:
    draw = random.Random(seed).random
    close = 100.0
    for place, day in enumerate(days, 1):
        gap = (0.18 if draw() < 0.5 else -0.14) if place % GAP_EVERY == 0 else 0.004 * (2 * draw() - 1)
        opening = close * (1 + gap)
        close = opening * (1 + growth + swing * (2 * draw() - 1))
        high = max(opening, close) * (1 + swing / 4 * draw())
        low = min(opening, close) * (1 - swing / 4 * draw())
        yield f"{day},{opening:.4f},{high:.4f},{low:.4f},{close:.4f}"


def _write(file: Path, header: str, lines: Iterator[str]) -> None:
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
