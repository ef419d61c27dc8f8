"""``sdlab check`` on prices: what it finds in those that are stored, and in those that the source delivers now."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.lab import Lab, small_study, write_prices, write_study

from pipelines.steps.fetch import fetch_prices
from pipelines.steps.prepare import prepare_market

FINDING = "- BBB pays 0.4 per share on 2023-02-28 and 0.4 on 2023-02-27, though payments are weeks apart otherwise"


@pytest.fixture
def paid_twice(tmp_path: Path) -> Lab:
    folder = write_prices(tmp_path / "prices")
    dividends = folder / "BBB_dividends.csv"
    table = pd.read_csv(dividends)
    # The first payment is on 2023-02-27, a Monday.
    again = pd.concat([table, pd.DataFrame({"Date": ["2023-02-28"], "Dividends": [0.4]})]).sort_values("Date")
    again.to_csv(dividends, index=False)
    return Lab(write_study(tmp_path / "small.yaml", small_study(folder)), tmp_path / "home")


def test_check_finds_nothing_where_no_prices_are_stored(paid_twice: Lab) -> None:
    outcome = paid_twice.sdlab("check")
    assert outcome.code == 0, outcome.err
    assert "about the prices" not in outcome.out


def test_check_shows_the_findings_about_stored_prices(paid_twice: Lab) -> None:
    home = paid_twice.home
    fetch_prices(home.study, home.lake, None)
    prepare_market(home.study, home.lake, home.study_file)
    outcome = paid_twice.sdlab("check")
    assert outcome.code == 0, outcome.err
    assert "1 finding about the prices:\n" in outcome.out
    assert FINDING in outcome.out


def test_check_shows_the_findings_about_what_the_source_delivers(paid_twice: Lab) -> None:
    outcome = paid_twice.sdlab("check", "--fetch")
    assert outcome.code == 0, outcome.err
    assert FINDING in outcome.out
    assert not (paid_twice.home.lake.root / "market").exists()


def test_check_refuses_what_the_source_delivers_where_it_makes_no_market(tmp_path: Path) -> None:
    folder = write_prices(tmp_path / "prices")
    file = folder / "CCC.csv"
    pd.read_csv(file).iloc[::5].to_csv(file, index=False)
    lab = Lab(write_study(tmp_path / "small.yaml", small_study(folder)), tmp_path / "home")
    outcome = lab.sdlab("check", "--fetch")
    assert outcome.code == 2
    assert f"{lab.study_file}: study small: CCC: a bar every 7 days" in outcome.err


def test_check_refuses_a_calendar_that_does_not_reach_the_start(tmp_path: Path) -> None:
    study = small_study(write_prices(tmp_path / "prices")) | {"sessions": "AIXK", "start": "2005-01-03"}
    outcome = Lab(write_study(tmp_path / "small.yaml", study), tmp_path / "home").sdlab("check")
    assert outcome.code == 2
    assert "sessions: AIXK: expected a calendar known from 2005-01-03 to " in outcome.err


NEVER = "is never bought: no strategy gives it a weight"


@pytest.mark.parametrize(
    ("strategy", "keys", "is_said"),
    [
        ({}, {}, True),
        ({"allocation": {"weights": {"AAA": 1.0, "CCC": 0.0}}}, {}, True),
        ({"allocation": {"schedule": {"2023-01-01": {"AAA": 1.0}, "2023-06-01": {"CCC": 1.0}}}}, {}, False),
        ({"cash": {"high": 0.2, "candidates": ["CCC"]}}, {}, False),
        ({"band": {"CCC": [0.05, 0.2]}}, {}, False),
        ({"band": {"CCC": [0.0, 0.2]}}, {}, True),
        # It is in the universe to be compared with.
        ({}, {"benchmark": "CCC"}, False),
    ],
)
def test_check_names_an_asset_that_nothing_ever_buys(
    tmp_path: Path, strategy: dict[str, Any], keys: dict[str, Any], is_said: bool
) -> None:
    study = small_study(write_prices(tmp_path / "prices")) | keys
    study["universe"]["CCC"]["weight"] = 0
    study["strategies"] = {"buy_and_hold": {}, "tried": strategy}
    lab = Lab(write_study(tmp_path / "small.yaml", study), tmp_path / "home")
    outcome = lab.sdlab("check")
    assert outcome.code == 0, outcome.err
    assert ("1 finding about the study:" in outcome.out, f"CCC {NEVER}" in outcome.out) == (is_said, is_said)
    assert "AAA is never" not in outcome.out
    assert ("the benchmark, all assets in equal parts, holds it" in outcome.out) == is_said


def test_check_finds_nothing_about_a_study_that_buys_all_its_assets(fresh_lab: Lab) -> None:
    assert "about the study" not in fresh_lab.sdlab("check").out


def test_check_and_run_refuse_a_broken_file_of_factors_before_anything_else(tmp_path: Path) -> None:
    file = tmp_path / "ff.csv"
    asked = {"factors": {"file": "ff.csv", "unit": "percent"}}
    lab = Lab(write_study(tmp_path / "small.yaml", small_study(write_prices(tmp_path / "prices"))), tmp_path / "home")
    file.write_text(",Mkt-RF,SMB,RF\n20230103,0.5,0.1,0.01\n20230104,-0.2,0.2,0.01\n")
    write_study(lab.study_file, small_study(tmp_path / "prices") | asked)
    outcome = lab.sdlab("check")
    assert outcome.code == 0, outcome.err
    assert "factors: Mkt-RF, SMB, daily from 2023-01-03 to 2023-01-04\n" in outcome.out
    file.write_text(",Mkt-RF,SMB,RF\n20230103,0.5,high,0.01\n")
    for command in (["check"], ["run"], ["run", "--fresh"]):
        outcome = lab.sdlab(*command)
        assert outcome.code == 2
        assert "ff.csv: line 2: SMB: 'high': expected a finite number" in outcome.err
    # Nothing was simulated, nor even fetched, for an answer that cannot come.
    assert not (lab.home.lake.root / "raw_prices").exists()


def test_check_counts_the_hours_that_the_source_delivers(tmp_path: Path) -> None:
    folder = write_prices(tmp_path / "prices")
    (folder / "hourly").mkdir()
    (folder / "hourly" / "AAA.csv").write_text("Time,Close\n2023-01-03T14:30:00Z,10\n2023-01-03T15:30:00Z,11\n")
    lab = Lab(write_study(tmp_path / "small.yaml", small_study(folder) | {"hourly": True}), tmp_path / "home")
    outcome = lab.sdlab("check", "--fetch")
    assert outcome.code == 0, outcome.err
    assert "AAA: 2 hours\n" in outcome.out
    assert "BBB: 0 hours\n" in outcome.out
    assert not (lab.home.lake.root / "hourly_bars").exists()
