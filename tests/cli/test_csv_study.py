"""Studies on files of real prices, with an asset that trades on weekends and with years of missing bars."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.lab import Lab, Outcome, small_study, write_prices, write_study
from support.steps import refresh

RunStudy = Callable[..., tuple[Lab, Outcome]]


@pytest.fixture(scope="module")
def run_study(shared_market: Path, tmp_path_factory: pytest.TempPathFactory) -> RunStudy:
    def run(tickers: list[str], **keys: Any) -> tuple[Lab, Outcome]:
        folder = tmp_path_factory.mktemp("study")
        universe = {ticker: {"weight": 1} for ticker in tickers}
        study = small_study(shared_market) | {"universe": universe, "sessions": "XNYS"} | keys
        lab = Lab(write_study(folder / "real.yaml", study), folder / "home")
        refresh(lab.home)
        return lab, lab.sdlab("run")  # which has nothing left to do but the headline

    return run


@pytest.fixture(scope="module")
def with_bitcoin(run_study: RunStudy) -> tuple[Lab, Outcome]:
    return run_study(
        ["NVDA", "VOO", "GOOG", "QQQ", "BTC-USD"],
        start="2021-01-01",
        end="2024-12-31",
        risk_free="^IRX",
        benchmark="VOO",
    )


def test_study_of_stocks_funds_and_bitcoin_is_complete(with_bitcoin: tuple[Lab, Outcome]) -> None:
    lab, outcome = with_bitcoin
    assert outcome.code == 0, outcome.err
    report = lab.table("report_strategy")
    assert set(zip(report["strategy"], report["reserve"], strict=True)) == {
        (strategy, reserve) for strategy in lab.home.study.strategies for reserve in lab.home.study.reserves
    }
    assert report["sharpe"].notna().all()
    # The first and the last session of those years, and how many: 252, 251, 250 and 252 (New York Stock Exchange).
    sessions = lab.table("sessions")["session"]
    assert (str(sessions.iloc[0].date()), str(sessions.iloc[-1].date())) == ("2021-01-04", "2024-12-31")
    assert len(sessions) == 252 + 251 + 250 + 252
    prices = lab.table("prices")
    assert prices.groupby("ticker").size().to_dict() == dict.fromkeys(lab.home.study.tickers, len(sessions))


def test_study_of_stocks_funds_and_bitcoin_has_no_hole(with_bitcoin: tuple[Lab, Outcome]) -> None:
    lab, _ = with_bitcoin
    assert "hole" not in set(lab.table("report_data_quality")["rule"])


def test_bars_between_two_sessions_are_merged_into_the_later(
    with_bitcoin: tuple[Lab, Outcome], shared_market: Path
) -> None:
    lab, _ = with_bitcoin
    stored = lab.table("prices").query("ticker == 'BTC-USD'").set_index("session")
    bars = pd.read_csv(shared_market / "BTC-USD.csv", parse_dates=["Date"]).set_index("Date")
    bars = bars.loc["2021-01-05":"2024-12-31"]
    session = stored.index[np.searchsorted(stored.index, bars.index)]
    expected = bars.groupby(session).agg({"Open": "first", "High": "max", "Low": "min", "Close": "last"})
    merged = stored.loc["2021-01-05":, ["open", "high", "low", "close"]]
    assert (bars.groupby(session).size() > 1).sum() > 200
    np.testing.assert_allclose(merged, expected, rtol=1e-6)


def test_rate_of_each_session_is_the_treasury_bill_of_that_day(
    with_bitcoin: tuple[Lab, Outcome], shared_market: Path
) -> None:
    lab, _ = with_bitcoin
    rates = lab.table("rates").set_index("session")["rate"]
    quotes = pd.read_csv(shared_market / "^IRX.csv", parse_dates=["Date"]).set_index("Date")["Close"]
    both = rates.index.intersection(quotes.index)
    assert len(both) > 900
    np.testing.assert_allclose(rates[both], quotes[both] / 100)


def test_years_without_bars_are_published_as_holes(run_study: RunStudy) -> None:
    lab, outcome = run_study(["SPY", "VOO"], start="2015-01-01", reserves=[0.0], strategies={"sd8": {}})
    assert outcome.code == 0, outcome.err
    holes = lab.table("report_data_quality").query("rule == 'hole'")
    found = {(row.ticker, str(row.first_session.date()), str(row.last_session.date())) for row in holes.itertuples()}
    # Read off the dates in the files: between these lie the only gaps of more than a week.
    assert found == {
        ("SPY", "2016-01-04", "2019-12-31"),
        ("SPY", "2020-02-06", "2020-11-10"),
        ("VOO", "2020-01-02", "2020-11-10"),
    }
    for hole in found:
        assert f"{hole[0]} has no bar from {hole[1]} to {hole[2]}" in outcome.out


def test_ticker_with_an_ampersand_is_fetched_stored_and_drawn(tmp_path: Path) -> None:
    prices = write_prices(tmp_path / "prices")
    (prices / "BBB.csv").rename(prices / "M&M.NS.csv")
    (prices / "BBB_dividends.csv").rename(prices / "M&M.NS_dividends.csv")
    study = small_study(prices) | {"universe": {"M&M.NS": {"weight": 0.5}, "CCC": {"weight": 0.5}}}
    lab = Lab(write_study(tmp_path / "ampersand.yaml", study), tmp_path / "home")
    refresh(lab.home)
    assert set(lab.table("prices")["ticker"]) == {"M&M.NS", "CCC"}
    page = lab.home.published.report.read_text(encoding="utf-8")
    assert "M&amp;M.NS" in page
    assert "M&M" not in page


def test_portfolio_on_credit_that_owes_more_than_it_holds_has_no_return_from_then_on(tmp_path: Path) -> None:
    # Bought on credit on the way down, then a fall by 90 %, a further one by a half, and a rise by a tenth.
    closes = [*(100 * 0.95 ** np.arange(15)), *(100 * 0.95**14 * np.array([0.1, 0.05, 0.055]))]
    dates = pd.bdate_range("2024-01-02", periods=len(closes))
    folder = tmp_path / "prices"
    folder.mkdir()
    bars = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), closes), index=dates)
    bars.to_csv(folder / "CRS.csv", index_label="Date")
    rule = {"profit_share": 1, "margin": {"limit": 1, "rate": 0.08}}
    keys = {"universe": {"CRS": {"weight": 1}}, "reserves": [0.0], "strategies": {"credit": {"rule": rule}}}
    lab = Lab(write_study(tmp_path / "credit.yaml", small_study(folder) | {"start": "2024-01-01"} | keys), tmp_path)
    refresh(lab.home)

    days = lab.table("simulation_returns").merge(lab.table("simulation_daily"), on=["strategy", "reserve", "session"])
    before = days["value"].shift()
    assert (days["value"].iloc[-3:] < 0).all()
    assert days["simple_return"].isna().tolist() == (before < 0).tolist()
    # What is lost whole does not grow again, and no more than all is lost.
    assert (days["twr_index"].iloc[-3:] == 0).all()
    [row] = lab.table("report_strategy").to_dict("records")
    assert (row["twr"], row["cagr"], row["max_drawdown"]) == (-1.0, -1.0, -1.0)
    assert row["xirr_missing"] == "all money goes the same way"
