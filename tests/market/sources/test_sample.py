import datetime as dt

import pytest
from skfolio.datasets import load_sp500_dataset

from sd_core.errors import InputError
from sd_core.market.sources.sample import SampleSource

# First and last closes as printed in skfolio's documentation of load_sp500_dataset (first rows) and in the file it
# ships (last row).
FIRST_AAPL, LAST_XOM = 0.264, 106.627


@pytest.fixture(scope="module")
def sample() -> SampleSource:
    return SampleSource()


def test_bars_are_flat_at_the_adjusted_close(sample: SampleSource) -> None:
    history = sample.prices("AAPL", dt.date(1990, 1, 1), None)
    assert list(history.bars.columns) == ["open", "high", "low", "close"]
    assert history.bars.iloc[0].tolist() == [FIRST_AAPL] * 4
    assert history.bars.nunique(axis=1).eq(1).all()
    assert history.bars.index.name == "date"
    assert history.bars.index.tz is None
    assert history.bars.index.is_monotonic_increasing
    assert history.bars.index.is_unique


def test_sample_covers_8313_days_to_the_end_of_2022(sample: SampleSource) -> None:
    # Counts and dates from skfolio's documentation of the dataset.
    bars = sample.prices("XOM", dt.date(1990, 1, 1), None).bars
    assert len(bars) == 8313
    assert (bars.index[0].date(), bars.index[-1].date()) == (dt.date(1990, 1, 2), dt.date(2022, 12, 28))
    assert bars["close"].iloc[-1] == LAST_XOM


def test_dividends_and_splits_are_in_the_closes_already(sample: SampleSource) -> None:
    history = sample.prices("KO", dt.date(2000, 1, 1), None)
    assert history.dividends.empty
    assert history.splits.empty
    assert history.currency == "USD"


def test_start_and_end_are_included(sample: SampleSource) -> None:
    bars = sample.prices("MSFT", dt.date(1990, 1, 3), dt.date(1990, 1, 5)).bars
    assert [day.day for day in bars.index] == [3, 4, 5]


def test_unknown_ticker_is_refused_with_the_twenty_known(sample: SampleSource) -> None:
    with pytest.raises(InputError, match=r"^NVDA: not in the sample: expected one of AAPL, AMD, BAC,") as refused:
        sample.prices("NVDA", dt.date(2000, 1, 1), None)
    assert str(refused.value).count(",") == 19


def test_time_after_the_sample_is_refused_with_its_range(sample: SampleSource) -> None:
    with pytest.raises(InputError, match=r"no row from 2023-01-01: .* 1990-01-02 to 2022-12-28"):
        sample.prices("AAPL", dt.date(2023, 1, 1), None)


def test_rates_are_refused_since_there_are_none(sample: SampleSource) -> None:
    with pytest.raises(InputError, match=r"\^IRX: the sample has no rates: expected risk_free to be a number"):
        sample.rates("^IRX", dt.date(2000, 1, 1), None)


def test_sample_is_what_skfolio_itself_reads(sample: SampleSource) -> None:
    expected = load_sp500_dataset()
    for ticker in expected.columns:
        bars = sample.prices(ticker, dt.date(1990, 1, 1), None).bars
        assert bars["close"].tolist() == expected[ticker].tolist()
        assert [day.date() for day in bars.index] == [day.date() for day in expected.index]
