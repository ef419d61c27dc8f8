"""Which source a study asks for its prices: the only module that knows every source and the study."""

import datetime as dt

from sd_core.market.sources.base import PriceHistory, PriceSource
from sd_core.study.model import Study


def open_source(study: Study) -> PriceSource:
    """Return the source that a study names. Each is imported when it is used, since some are slow to import."""
    match study.source.kind:
        case "csv":
            from sd_core.market.sources.csv_files import CsvSource

            assert study.source.folder is not None  # the study's own validation
            return CsvSource(study.source.folder)
        case "sample":
            from sd_core.market.sources.sample import SampleSource

            return SampleSource()
        case "yahoo":
            from sd_core.market.sources.yahoo import YahooSource

            return YahooSource()


def fetch(source: PriceSource, study: Study, ticker: str, since: dt.date | None = None) -> PriceHistory:
    """Return what a source has of a study's ticker, a rate or an asset; raises as :class:`PriceSource` does.

    ``since`` is the newest date that is known, where what is long before need not come.
    """
    ask = source.rates if ticker == study.rate_ticker else source.prices
    return ask(ticker, study.start, study.end, since)
