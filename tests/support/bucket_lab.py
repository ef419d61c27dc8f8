"""The small study with satellites: two tickers that move a lot, and two plans of a core with or without a satellite."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from support.lab import Lab, small_study, write_prices, write_study

CORE = {"strategy": "sd8", "reserve": 0.1}
DIPPER = {"preset": "dip_buyer", "tickers": ["DDD", "EEE"], "target": 0.10}
PLANS = {
    "alone": {"core": CORE, "budget": 0},
    "dips": {
        "core": CORE,
        "budget": 0.2,
        "initial": "target",
        "deposits": {"amount": 100},
        "satellites": {"d": DIPPER},
    },
}


def write_tickers(folder: Path) -> None:
    """Write the price files of the satellites' tickers beside the others; one of the two pays dividends."""
    dates = pd.read_csv(folder / "AAA.csv")["Date"]
    for seed, ticker in enumerate(("DDD", "EEE"), start=7):
        steps = np.random.default_rng(seed).normal(0.0, 0.035, len(dates))
        closes = 50 * np.exp(np.cumsum(steps))
        bars = pd.DataFrame({"Open": closes, "High": closes * 1.01, "Low": closes * 0.99, "Close": closes}, index=dates)
        bars.to_csv(folder / f"{ticker}.csv")
    pd.Series(0.4, index=dates[10::63], name="Dividends").to_csv(folder / "EEE_dividends.csv")


def planned_study(prices: Path, plans: Mapping[str, Any]) -> dict[str, Any]:
    """Return the small study with plans."""
    return small_study(prices) | {"satellite_universe": {"DDD": {}, "EEE": {"lot_size": 1}}, "buckets": dict(plans)}


def new_bucket_lab(folder: Path) -> Lab:
    """Return a lab of the study with both plans, in which nothing was run yet."""
    prices = write_prices(folder / "prices")
    write_tickers(prices)
    write_study(folder / "small.yaml", planned_study(prices, PLANS))
    return bucket_lab_in(folder)


def bucket_lab_in(folder: Path) -> Lab:
    """Return the lab that :func:`new_bucket_lab` made in a folder."""
    return Lab(folder / "small.yaml", folder / "home")
