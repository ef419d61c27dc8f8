"""Prices of satellites' tickers are fetched, prepared and published, and leave everything else what it was."""

import pandas as pd
import pytest
from support.lab import Lab, small_study, write_study
from support.steps import prepare, refresh

from pipelines.steps.plan import plan_run
from sd_core.errors import InputError

OTHER_RUN = ("publication", "fetches", "market", "raw_prices")


def with_satellites(lab: Lab, **tickers: dict[str, float]) -> Lab:
    """Return the study with tickers of satellites, on the same folder of prices and what was made before."""
    folder = lab.study_file.parent / "prices"
    document = small_study(folder) | {"satellite_universe": tickers}
    return Lab(write_study(lab.study_file, document), lab.root)


def write_ticker(lab: Lab, ticker: str, last: float) -> None:
    """Write a price file of a ticker that begins later than the others."""
    folder = lab.study_file.parent / "prices"
    bars = pd.read_csv(folder / "AAA.csv", index_col="Date").iloc[100:].copy()
    bars.iloc[-1] = last
    bars.to_csv(folder / f"{ticker}.csv")


def moved(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return what has another version than before, apart from what each run writes."""
    return {name for name in before if after[name] != before[name] and not name.startswith(OTHER_RUN)}


def rows(table: pd.DataFrame) -> list[str]:
    """Return the rows of a table in an order that is theirs alone."""
    return sorted(map(repr, table.itertuples(index=False)))


def test_tickers_of_satellites_are_fetched_and_leave_scenarios_and_tables_alone(lab_with_prices: Lab) -> None:
    refresh(lab_with_prices.home)  # its price files are copies, which counts as a change
    before, tables = lab_with_prices.pointers(), lab_with_prices.tables()
    write_ticker(lab_with_prices, "DDD", 100.0)
    lab = with_satellites(lab_with_prices, DDD={})
    asked = plan_run(lab.home)
    assert (list(asked.tickers), asked.prepares) == (["DDD"], True)

    refresh(lab.home)
    assert lab.pointers()["raw_prices/DDD"]
    assert moved(before, lab.pointers()) == set()
    published = lab.tables()
    assert len(published["satellite_prices"]) == 160
    for name, table in tables.items():
        if name not in ("satellite_prices", "report_data_quality"):
            assert rows(published[name]) == rows(table), name
    assert plan_run(lab.home).is_empty

    # Other prices of it: the market is prepared again, and no scenario simulated.
    write_ticker(lab, "DDD", 101.0)
    assert list(plan_run(lab.home).tickers) == ["DDD"]
    refresh(lab.home)
    assert moved(before, lab.pointers()) == set()
    assert lab.table("satellite_prices")["close"].iloc[-1] == 101.0


def test_missing_file_of_a_ticker_of_satellites_is_refused_by_its_name(lab_with_prices: Lab) -> None:
    with pytest.raises(InputError, match="EEE"):
        prepare(with_satellites(lab_with_prices, EEE={}).home)
    assert lab_with_prices.sdlab("check").code == 0
