"""Sample prices that are installed with the program: twenty large US stocks, to start without network access.

What the prices mean for a portfolio belongs in ``simulation``; your own files belong in ``csv_files``.
"""

import datetime as dt
import importlib.metadata
from functools import cached_property

import pandas as pd

from sd_core.errors import InputError
from sd_core.market.sources.bars import between, flat_bars, no_events, no_hours
from sd_core.market.sources.base import PriceHistory

# Where the package keeps the prices that come with it.
DATASET = "skfolio/datasets/data/sp500_dataset.csv.gz"


class SampleSource:
    """The S&P 500 sample of skfolio: 20 stocks, daily from 1990-01-02 to 2022-12-28, in US dollars.

    The sample has closes only, so open, high, low and close of a bar are the same number and no price is known within
    a day. The closes are adjusted for dividends as well as splits: what a stock paid is in its price already, and there
    are no dividends beside it. Its authors give it for tests and examples, not for investment.
    """

    def prices(self, ticker: str, start: dt.date, end: dt.date | None, since: dt.date | None = None) -> PriceHistory:
        """Return a stock's bars from start to end, both included (end None: to the sample's last).

        Raises:
            InputError: the sample does not have this ticker, or not in that time.
        """
        if ticker not in self._closes:
            raise InputError(f"{ticker}: not in the sample: expected one of {', '.join(map(str, self._closes))}")
        bars = flat_bars(self._closes[ticker])
        return PriceHistory(
            ticker=ticker,
            bars=between(bars, start, end, f"{ticker} of the sample"),
            dividends=no_events(),
            splits=no_events(),
            source="sample of 20 S&P 500 stocks (skfolio), adjusted closes",
            whole=True,
            fetched_at=dt.datetime.now(dt.UTC),
            currency="USD",
        )

    def hourly(self, ticker: str, since: dt.datetime | None) -> pd.Series:
        """Return nothing: the sample has daily closes alone."""
        return no_hours()

    def rates(self, ticker: str, start: dt.date, end: dt.date | None, since: dt.date | None = None) -> PriceHistory:
        """Refuse: the sample has no rates.

        Raises:
            InputError: always.
        """
        raise InputError(f"{ticker}: the sample has no rates: expected risk_free to be a number, such as 0.03")

    @cached_property
    def _closes(self) -> pd.DataFrame:
        # Not by skfolio's own function: importing all of its optimisers takes longer than everything else about prices.
        file = importlib.metadata.distribution("skfolio").locate_file(DATASET)
        closes = pd.read_csv(str(file), index_col=0)
        dates = pd.to_datetime(closes.index, format="%Y-%m-%d")
        return closes.set_index(pd.DatetimeIndex(dates, name="date").as_unit("us")).astype(float)
