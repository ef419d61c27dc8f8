"""Small cases beside the repository, each with a README that says what is right; without the folder they are skipped.

Their kinds are tested everywhere else in this suite, with inputs that are written there.
"""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from support.fake_yahoo import FakeYahoo, chart
from support.lab import PROJECT, Lab, write_study
from support.steps import refresh

from sd_core.market.build import Market, build_market
from sd_core.market.sources.csv_files import CsvSource
from sd_core.market.sources.yahoo import YahooSource
from sd_core.schemas.kinds import Kind
from sd_core.simulation.results import LEDGER
from sd_core.simulation.rules import LotOrder
from sd_core.simulation.taxes.lots import tax_lots
from sd_core.study.loading import load_study
from sd_core.study.model import Study

Published = duckdb.DuckDBPyConnection


def case(number: str) -> Path:
    """Return the folder of a case, by the number that its name begins with."""
    found = sorted((PROJECT.parent / "shared" / "cases").glob(f"{number}-*"))
    if not found:
        pytest.skip(f"no case {number} beside the repository (shared/cases)")
    return found[0]


def in_parts(strategy: dict[str, Any]) -> dict[str, Any]:
    """Return a strategy of the cases' earlier form in today's."""
    return {} if strategy.pop("variant", None) == "buy_and_hold" else {"rule": strategy}


def study_file(number: str, tmp_path: Path) -> Path:
    """Write the study of a case in today's form, and return the file."""
    folder = case(number)
    document = YAML(typ="safe", pure=True).load((folder / "study.yaml").read_text(encoding="utf-8"))
    document["source"]["folder"] = str(folder / "prices")
    document["strategies"] = {name: in_parts(one) for name, one in document["strategies"].items()}
    return write_study(tmp_path / "study.yaml", document)


def market(number: str, tmp_path: Path) -> Market:
    """Return the market of a case."""
    study = load_study(study_file(number, tmp_path))
    source = CsvSource(study.source.folder)
    return build_market(study, {one: source.prices(one, study.start, study.end) for one in study.market_tickers}, None)


def findings(found: Market) -> dict[str, str]:
    """Return what was found, by rule, but for what is true of every file of closes."""
    rows = {row["rule"]: row["detail"] for row in found.price_findings.to_pylist()}
    return {rule: detail for rule, detail in rows.items() if rule != "no_intraday_range"}


@pytest.mark.parametrize(
    ("number", "rule", "said"),
    [
        ("02", "session_without_bar", "2023-09-01, 2023-09-08"),
        ("05", "repeated_bar", "2024-07-04"),
        ("12", "split_missed", "as a split of 2 for 1"),
        ("17", "dividend_size", "1,353 times"),
        ("19", "dividend_twice", "0.805 per share on 2023-08-31"),
    ],
)
def test_case_has_the_finding_that_its_readme_asks_for(tmp_path: Path, number: str, rule: str, said: str) -> None:
    found = findings(market(number, tmp_path))
    assert list(found) == [rule]
    assert said in found[rule]


@pytest.mark.parametrize("number", ["03", "33"])
def test_case_is_taken_without_a_finding(tmp_path: Path, number: str) -> None:
    found = market(number, tmp_path)
    assert not findings(found)
    # From 2 to 12 January 2024 there are nine weekdays; Athens rests on the 1st and the 6th, a Saturday.
    assert len(found.sessions) == 9


def of_40_years(con: Published) -> None:
    """8 % a year of 365 days."""
    [(money_weighted,)] = con.sql("select xirr from report_strategy").fetchall()
    assert money_weighted == pytest.approx(0.08, rel=1e-12)


def of_one_day(con: Published) -> None:
    """3 % in a day, compounded 365 times."""
    [(money_weighted,)] = con.sql("select xirr from report_strategy").fetchall()
    assert money_weighted == pytest.approx(1.03**365 - 1, rel=1e-9)


def of_weeks(con: Published) -> None:
    """Weekly returns count 52.18 times a year."""
    closes = con.sql("select close from prices order by session").df()["close"]
    returns = np.append(0.0, closes.pct_change().dropna())
    [(volatility,)] = con.sql("select volatility from report_strategy").fetchall()
    assert volatility == pytest.approx(returns.std(ddof=1) * (365.25 / 7) ** 0.5)
    assert volatility == pytest.approx(0.1092, rel=2e-3)
    assert "rare_sessions" in con.sql("select rule from report_data_quality").df()["rule"].tolist()


def of_days(con: Published) -> None:
    """Nothing to be put on a year is in the headline; the test of headlines says how it is marked."""
    [(total,)] = con.sql("select twr from report_strategy").fetchall()
    assert total == pytest.approx(0.0875)


def beside_an_early_benchmark(con: Published) -> None:
    """The same price is compared over the sessions that both have."""
    [row] = con.sql("select sessions, excess_over_benchmark, beta, tracking_error from report_benchmark").fetchall()
    assert row == (251, pytest.approx(0.0, abs=1e-12), pytest.approx(1.0), pytest.approx(0.0, abs=1e-12))


def below_nothing(con: Published) -> None:
    """A change of debt is no return, and none is above 0 while money is lost."""
    rows = con.sql("from simulation_returns where strategy = 'credit' order by session").df()
    beyond = rows["opening_value"] <= 0
    assert beyond.sum() == 6
    assert rows.loc[beyond, "simple_return"].isna().all()
    assert not (rows["simple_return"] > 0).any()
    assert rows["drawdown"].min() == -1.0


def over_a_pause(con: Published) -> None:
    """Each month falls due, at the next session where it has none."""
    rows = con.sql("select session::varchar, amount from simulation_ledger where kind = 'WITHDRAWAL' order by session")
    assert rows.fetchall() == [
        ("2024-02-01", -100.0),
        ("2024-04-10", -200.0),
        ("2024-05-01", -100.0),
        ("2024-06-03", -100.0),
    ]
    assert con.sql("select withdrawals_scheduled from report_strategy").fetchall() == [(500.0,)]


def of_a_share_too_dear(con: Published) -> None:
    """It is listed with its budget, for each strategy."""
    rows = con.sql("select strategy, ticker, budget, lowest_cost from report_unbought order by strategy").fetchall()
    assert rows == [("buy_and_hold", "DEAR", 50_000.0, 620_000.0), ("sd8", "DEAR", 50_000.0, 620_000.0)]


def at_a_rate_known_before(con: Published) -> None:
    """Half of 10 000 earns 5 % a year for a day."""
    [(first,)] = con.sql(
        "select amount from simulation_ledger where kind = 'INTEREST' order by session limit 1"
    ).fetchall()
    assert first == pytest.approx(5000 * 0.05 / 365, rel=1e-12)
    rates = con.sql("select rate from rates where session < date '2024-02-29'").df()["rate"]
    assert (rates == 0.05).all()


def after_a_closed_day(con: Published) -> None:
    """The rule buys at the open after the gap."""
    rows = con.sql("select session::varchar, price from simulation_ledger where strategy = 'sd8' and kind = 'BUY'")
    assert rows.fetchall() == [("2024-07-05", 90.0)]


@pytest.mark.parametrize(
    ("number", "is_right"),
    [
        ("05", after_a_closed_day),
        ("43", of_40_years),
        ("44", of_one_day),
        ("49", of_weeks),
        ("51", of_days),
        ("52", beside_an_early_benchmark),
        ("54", below_nothing),
        ("60", over_a_pause),
        ("64", of_a_share_too_dear),
        ("82", at_a_rate_known_before),
    ],
)
def test_case_gives_what_its_readme_calls_right(
    tmp_path: Path, number: str, is_right: Callable[[Published], None]
) -> None:
    lab = Lab(study_file(number, tmp_path), tmp_path / "home")
    refresh(lab.home)
    outcome = lab.sdlab("run")  # which has nothing left to do but the headline
    assert outcome.code == 0, outcome.err
    with duckdb.connect(str(lab.published), read_only=True) as con:
        is_right(con)
    assert ("less than a year" in outcome.out) == (number not in {"43", "49", "52"})


def test_case_of_a_last_day_of_february_is_held_for_a_year_by_months(tmp_path: Path) -> None:
    trades = pd.read_csv(case("80") / "trades.csv", parse_dates=["date"])
    days = trades["date"].to_numpy("datetime64[D]")
    rows = np.zeros(len(trades), dtype=LEDGER)
    rows["session"] = np.arange(len(trades))
    rows["kind"] = np.where(trades["shares"] > 0, Kind.REBALANCE_BUY, Kind.REBALANCE_SELL)
    rows["quantity"] = trades["shares"]
    rows["amount"] = -np.sign(trades["shares"]) * trades["money"]
    lots = tax_lots(rows, days, LotOrder.FIFO, 1)
    assert [(str(days[one["sold"]]), bool(one["long_term"])) for one in lots] == [
        ("2024-02-29", False),
        ("2024-03-01", True),
    ]


@pytest.mark.parametrize(
    ("number", "rule", "said"),
    [
        ("10", "split_unapplied", "divide them by 10"),
        ("20", "dividend_currency", "5 EUR and its prices in USD"),
        ("27", "left_out", "2024-06-07"),
        ("32", "hundredths", "divided by 100"),
    ],
)
def test_case_of_yahoo_has_the_finding_that_its_readme_asks_for(number: str, rule: str, said: str) -> None:
    stated = json.loads((case(number) / "yahoo.json").read_text(encoding="utf-8"))
    symbol, start = stated["symbol"], dt.date.fromisoformat(stated["start"])
    answer = chart(
        symbol,
        {dt.date.fromisoformat(day): tuple(bar[:4]) for day, *bar in stated["rows"]},
        dividends={dt.date.fromisoformat(day): amount for day, amount in stated.get("dividends", {}).items()},
        splits={dt.date.fromisoformat(day): tuple(ratio) for day, ratio in stated.get("splits", {}).items()},
        zone=ZoneInfo(stated.get("zone", "America/New_York")),
        opens=dt.time.fromisoformat(stated.get("opens", "09:30")),
        currency=stated.get("currency", "USD"),
        dividend_currency=stated.get("dividend_currency"),
    )
    server = FakeYahoo()
    server.charts[symbol] = answer
    asked_at = dt.datetime.fromisoformat(stated["asked_at"])
    try:
        delivered = YahooSource(server.session(), sleep=lambda _: None, clock=lambda: asked_at).prices(
            symbol, start, None
        )
    finally:
        server.stop()
    study = Study.model_validate(
        {
            "name": "small",
            "source": {"kind": "yahoo"},
            "start": start,
            "currency": stated.get("study_currency", "USD"),
            "sessions": stated.get("sessions", "XNYS"),
            "capital": 10_000.0,
            "universe": {symbol: {"weight": 1.0}},
            "reserves": [0.0],
            "strategies": {"hold": {}},
        }
    )
    found = findings(build_market(study, {symbol: delivered}, None))
    assert list(found) == ["hindsight", rule]
    assert said in found[rule]
