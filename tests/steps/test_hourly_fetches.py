"""Hourly bars in a whole run: fetched beside the daily ones, kept, correlated, and left alone where nothing is new."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.steps import refresh

from pipelines.lab.home import SQL
from pipelines.steps.damage import discard_damaged
from pipelines.steps.fetch import fetch_prices
from pipelines.steps.plan import plan_run
from pipelines.warehouse.audit import read_identities
from sd_core.errors import FetchError, InputError
from sd_core.lake import Lake
from sd_core.market import hourly, raw
from sd_core.market.sources.csv_files import CsvSource

CLASSES = {"AAA": "stocks", "BBB": "stocks", "CCC": "crypto"}
HOURS = pd.date_range("2023-06-05", "2023-07-29", freq="h", tz="UTC")


def asked(folder: Path, **keys: Any) -> dict[str, Any]:
    study = small_study(folder / "prices") | {"hourly": True, **keys}
    for ticker, asset_class in CLASSES.items():
        study["universe"][ticker]["asset_class"] = asset_class
    return study


def write_hours(folder: Path, ticker: str, first: int = 0) -> None:
    """Write hourly closes, those of BBB following those of AAA, from a place in ``HOURS`` on; stocks rest at night."""
    rng = np.random.default_rng(5)
    steps = rng.normal(0, 0.004, (len(HOURS), 3))
    steps[:, 1] = 0.8 * steps[:, 0] + 0.6 * steps[:, 1]
    prices = pd.Series(
        100 * np.exp(np.cumsum(steps, axis=0))[:, list(CLASSES).index(ticker)], index=HOURS, name="Close"
    )
    if ticker != "CCC":
        prices = prices[(HOURS.hour >= 14) & (HOURS.hour < 21) & (HOURS.dayofweek < 5)]
    folder.mkdir(exist_ok=True)
    prices[prices.index >= HOURS[first]].rename_axis("Time").to_csv(folder / f"{ticker}.csv")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the lab of a study with hourly files of two of its three assets, after its run."""
    folder = tmp_path_factory.mktemp("hours")
    write_prices(folder / "prices")
    for ticker in ("AAA", "CCC"):
        write_hours(folder / "prices" / "hourly", ticker)
    lab = Lab(write_study(folder / "small.yaml", asked(folder)), folder / "home")
    refresh(lab.home)
    return lab


def test_hours_are_kept_and_correlated_where_there_are_some(lab: Lab, tmp_path: Path) -> None:
    assert plan_run(lab.home).is_empty
    pairs = lab.table("correlation_frequency").set_index("frequency")
    assert set(pairs["ticker_a"] + pairs["ticker_b"]) == {"AAACCC"}
    assert pairs["observations"].to_dict() == {"1h": 40 * 6, "4h": 40 * 2 - 1, "1d": 38, "1w": 6}
    assert pairs["missing"].dropna().to_dict() == {"1w": "fewer than 30 returns"}
    assert abs(pairs.loc["1h", "correlation"]) < 0.2
    classes = lab.table("correlation_class").set_index("frequency")
    assert (classes.loc["1h", "class_a"], classes.loc["1h", "class_b"]) == ("crypto", "stocks")
    assert classes.loc["1h", "average_correlation"] == pairs.loc["1h", "correlation"]
    assert (classes.loc["1w", "pairs"], classes.loc["1h", "pairs"]) == (0, 1)


def test_file_that_comes_later_and_one_that_loses_its_past_only_add_to_the_store(lab: Lab, tmp_path: Path) -> None:
    prices = write_prices(tmp_path / "prices")
    for ticker, first in (("AAA", 700), ("BBB", 0), ("CCC", 0)):
        write_hours(prices / "hourly", ticker, first)
    one = Lab(write_study(tmp_path / "small.yaml", asked(tmp_path)), lab.copy_to(tmp_path / "home").root)
    before = hourly.load(one.home.lake, "AAA")
    refresh(one.home)
    for old, new in zip(before, hourly.load(one.home.lake, "AAA"), strict=True):
        assert np.array_equal(old, new)
    pairs = one.table("correlation_frequency").set_index(["frequency", "ticker_a", "ticker_b"])
    assert len(pairs) == 4 * 3
    assert pairs.loc[("1h", "AAA", "BBB"), "correlation"] == pytest.approx(0.8, abs=0.1)
    within = one.table("correlation_class").query("frequency == '1d' and class_a == 'stocks'")
    assert within["average_correlation"].item() == pairs.loc[("1d", "AAA", "BBB"), "correlation"]
    part = one.home.published.report.read_text(encoding="utf-8").split('<section id="correlation">')[1]
    assert "stocks and stocks" in part.split("</section>")[0]
    assert plan_run(one.home).is_empty
    # A file with one more hour is asked for again.
    with (prices / "hourly" / "CCC.csv").open("a") as file:
        file.write("2023-07-29 01:00:00+00:00,100\n")
    assert list(plan_run(one.home).tickers) == ["CCC"]


def test_hours_change_no_scenario_and_a_study_without_them_has_none(lab: Lab, finished: Lab, tmp_path: Path) -> None:
    silent = asked(lab.study_file.parent, hourly=False)
    one = Lab(write_study(tmp_path / "small.yaml", silent), lab.copy_to(tmp_path / "home").root)
    plan = plan_run(one.home)
    assert (list(plan.scenarios), list(plan.tickers), list(plan.derived)) == ([], [], [])
    refresh(one.home)
    for silent_one in (one, finished):
        assert silent_one.table("correlation_frequency").empty
        assert silent_one.table("correlation_class").empty
    assert not (finished.home.lake.root / hourly.DATASET).exists()


def test_law_notices_a_correlation_outside_of_its_interval(lab: Lab, tmp_path: Path) -> None:
    [law] = [one.sql for one in read_identities(SQL / "audit") if one.table == "correlation_frequency"]
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(lab.published.read_bytes())
    with duckdb.connect(str(broken)) as connection:
        assert connection.sql(law).fetchall() == []
        for change in (
            "update correlation_frequency set correlation_low = 0.99 where frequency = '1h'",
            "update correlation_frequency set missing = null where frequency = '1w'",
            "delete from correlation_frequency where frequency = '4h'",
        ):
            connection.execute("begin")
            connection.execute(change)
            assert connection.sql(law).fetchall(), change
            connection.execute("rollback")


def test_hours_that_do_not_come_leave_what_is_stored_and_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = write_prices(tmp_path / "prices")
    for ticker in CLASSES:
        write_hours(prices / "hourly", ticker)
    home = Lab(write_study(tmp_path / "small.yaml", asked(tmp_path)), tmp_path / "home").home
    fetch_prices(home.study, home.lake, None)
    stored = hourly.load(home.lake, "AAA")
    for ticker in CLASSES:
        write_hours(prices / "hourly", ticker, 700)
    delivers = CsvSource.hourly

    def fails(source: CsvSource, ticker: str, since: Any) -> pd.Series:
        if ticker == "AAA":
            raise FetchError("AAA: Yahoo did not deliver in 5 attempts")
        return delivers(source, ticker, since)

    monkeypatch.setattr(CsvSource, "hourly", fails)
    found = fetch_prices(home.study, home.lake, None)
    assert found.failures == {"AAA": "AAA: Yahoo did not deliver in 5 attempts (hourly bars)"}
    assert [history.ticker for history in found.histories] == list(CLASSES)
    assert np.array_equal(hourly.load(home.lake, "AAA"), stored)
    assert raw.load(home.lake, "AAA") is not None
    assert list(plan_run(home).tickers) == ["AAA"]


def test_damaged_hours_are_named_and_never_discarded(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    version = hourly.store(lake, "AAA", pd.Series([1.0, 2.0], index=HOURS[:2]), "state")
    file = version.file("bars")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match=r"hourly_bars/AAA: damaged: .* are lost"):
        discard_damaged(lake)
    assert file.exists()
