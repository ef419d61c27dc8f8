"""The panel: prices of all assets on common sessions, as the arrays that a simulation reads.

How bars become a panel belongs in ``sessions``; what is wrong with them in ``quality``.
"""

from dataclasses import dataclass

import numpy as np

from sd_core.market.arrays import Dates, Floats, days_between, weekdays

DAYS_PER_YEAR = 365
# Days between daily bars: a weekend is three, a long one four. Weekly bars are seven apart.
DAILY_SPACING = 4
# Fewer gaps may be holidays, or trades that did not come to be.
FEWEST_GAPS = 4
YEAR_IN_DAYS = 365.25
MONTH_IN_DAYS = YEAR_IN_DAYS / 12


@dataclass(frozen=True, eq=False)
class Panel:
    """Prices by session (rows) and asset (columns), split-adjusted and not dividend-adjusted.

    Attributes:
        tickers: the assets, in the study's order.
        sessions: dates, strictly ascending, datetime64[D]; every asset has a bar on the first.
        open, high, low, close: prices, shape (sessions, assets); all four NaN where an asset has no bar.
        dividends: per share by ex-date, same shape; 0 where there is none.
        rates: risk-free yearly rate known at each session's close, a fraction, shape (sessions,).
        price_index: consumer prices known at each session's close, of any base, shape (sessions,); None is a constant.
    """

    tickers: tuple[str, ...]
    sessions: Dates
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    dividends: Floats
    rates: Floats
    price_index: Floats | None = None

    def __post_init__(self) -> None:
        self.check_shapes()
        if not np.isfinite(self.close[:1]).all():
            raise ValueError("expected every asset to have a bar on the first session")

    def check_shapes(self) -> None:
        """Raise a ValueError where an array has another shape than the sessions and tickers ask for."""
        shape = (len(self.sessions), len(self.tickers))
        for name in ("open", "high", "low", "close", "dividends"):
            if (found := getattr(self, name).shape) != shape:
                raise ValueError(f"{name}: expected shape {shape}, was {found}")
        if self.rates.shape != shape[:1]:
            raise ValueError(f"rates: expected shape {shape[:1]}, was {self.rates.shape}")
        if self.price_index is not None and self.price_index.shape != shape[:1]:
            raise ValueError(f"price_index: expected shape {shape[:1]}, was {self.price_index.shape}")

    @property
    def periods_per_year(self) -> float:
        """Sessions that a year has, see :func:`periods_per_year`."""
        return periods_per_year(self.sessions)


def usual_spacing(dates: Dates) -> float:
    """Return the median of the days between dates; 0 where there are too few to have one."""
    gaps = np.diff(dates.astype("datetime64[D]")).astype(np.int64)
    return float(np.median(gaps)) if len(gaps) >= FEWEST_GAPS else 0.0


def periods_per_year(sessions: Dates) -> float:
    """Return how many sessions make a year: those of :func:`daily_periods_per_year`, where they are daily.

    Sessions that are more than four days apart in the median are counted by what lies between them: 52.18 of a week,
    12 of a month.
    """
    spacing = usual_spacing(sessions)
    if spacing > DAILY_SPACING:
        months = round(spacing / MONTH_IN_DAYS)
        return 12 / months if months else YEAR_IN_DAYS / spacing
    return daily_periods_per_year(sessions)


def daily_periods_per_year(sessions: Dates) -> float:
    """Return how many daily sessions make a year: 365 where weekends are days like any other, else 252.

    They are where Saturdays and Sundays are each at least half as frequent as Wednesdays. A lone special Saturday makes
    no seven-day market, nor do the Sundays of one that rests on Friday and Saturday.
    """
    weekday = weekdays(sessions)
    wednesdays, saturdays, sundays = (np.count_nonzero(weekday == day) for day in (2, 5, 6))
    return 365.0 if min(saturdays, sundays) > 0 and 2 * min(saturdays, sundays) >= wednesdays else 252.0


def risk_free_returns(sessions: Dates, rates: Floats) -> Floats:
    """Return what cash earned since the session before, 0 on the first: the rate known then, 365 days to the year."""
    return np.append(0.0, rates[:-1] * days_between(sessions) / DAYS_PER_YEAR)
