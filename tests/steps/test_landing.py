"""The books of a ledger are landed beside plans: rows that follow from what was booked; none without a ledger."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from support.account_lab import (
    FIRST,
    FOURTH,
    LAST,
    SECOND,
    THIRD,
    Clock,
    book_account,
    close_of,
    open_account,
    trade_idea,
)
from support.lab import Lab

from pipelines.steps.datasets import LEDGER
from pipelines.steps.plan import plan_run
from sd_core.schemas.buckets import BUCKET_TABLES, LEDGER_TABLES


@pytest.fixture(scope="module")
def account(bucket_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the lab of the study with plans, run again beside an account."""
    lab = bucket_lab.copy_to(tmp_path_factory.mktemp("account") / "home")
    ledger = book_account(lab)
    trade_idea(lab, ledger)
    ledger.store.close()
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    return lab


def of_book(lab: Lab, table: str, book: str = "live") -> pd.DataFrame:
    rows = lab.table(table)
    return rows[rows["plan" if table == "study_bucket" else "book"] == book].reset_index(drop=True)


def test_without_a_ledger_nothing_is_made_and_nothing_said(bucket_lab: Lab) -> None:
    home = bucket_lab.home
    assert plan_run(home).is_empty
    assert home.lake.current(LEDGER.name) is None
    assert not (bucket_lab.root / "ledgers").exists()
    assert set(bucket_lab.table("bucket_daily")["book"]) == {"alone", "dips"}
    assert len(bucket_lab.table("bucket_balance")) == 0


def test_values_flows_and_index_of_marks(account: Lab) -> None:
    """By hand: 1 000 to dipper, 10 DDD for a fee of 1, a dividend of 5, 4 sold; the core has the rest."""
    bought, third, sold, last = (float(close_of(account, "DDD", day)) for day in (SECOND, THIRD, FOURTH, LAST))
    daily = of_book(account, "bucket_daily")
    found = daily[daily["bucket"] == "dipper"].set_index("session")
    assert [day.date() for day in found.index] == [FIRST, SECOND, THIRD, FOURTH, LAST]
    # Of the deposit, what dipper lacks of a tenth of 9 999 + 500; that is less than the fifth for satellites, 100.
    share = 50.90
    assert found["open_flows"].to_numpy() == pytest.approx([1_000, 0, share, 0, 0])
    cash = [1_000, 999 - 10 * bought]
    cash += [cash[1] + 5 + share, cash[1] + 5 + share + 4 * sold, cash[1] + 5 + share + 4 * sold]
    values = [1_000, 999, cash[2] + 10 * third, cash[3] + 6 * sold, cash[4] + 6 * last]
    assert found["cash"].to_numpy() == pytest.approx(cash, abs=1e-9)
    assert found["value"].to_numpy() == pytest.approx(values, abs=1e-9)
    growth = [1.0, 0.999]
    growth.append(growth[-1] * values[2] / (values[1] + share))
    growth.append(growth[-1] * values[3] / values[2])
    growth.append(growth[-1] * values[4] / values[3])
    assert found["twr_index"].to_numpy() == pytest.approx(growth, rel=1e-12)
    assert list(found["positions"]) == [0, 1, 1, 1, 1]
    assert list(found["status"]) == ["active"] * 5
    core = daily[daily["bucket"] == "core"].set_index("session")
    assert core["value"].to_numpy() == pytest.approx([9_000, 9_000, 9_500 - share, 9_500 - share, 9_300 - share])
    assert core["close_flows"].to_numpy() == pytest.approx([0, 0, 0, 0, -200])
    assert core["twr_index"].to_numpy() == pytest.approx([1.0] * 5)
    assert core["target"].to_numpy() == pytest.approx([0.9] * 5)


def test_what_was_booked_is_a_row_each_with_its_fee_and_price(account: Lab) -> None:
    ledger = of_book(account, "bucket_ledger")
    bought = float(close_of(account, "DDD", SECOND))
    kinds = list(ledger["kind"])
    assert kinds[:3] == ["DEPOSIT", "TRANSFER", "TRANSFER"]
    assert {"BUY", "SELL", "DIVIDEND", "WITHDRAWAL"} < set(kinds)
    buy = ledger[ledger["kind"] == "BUY"].iloc[0]
    assert (buy["bucket"], buy["ticker"], buy["quantity"], buy["fee"]) == ("dipper", "DDD", 10.0, 1.0)
    assert (buy["price"], buy["amount"]) == pytest.approx((bought, -10 * bought - 1))
    assert buy["session"].date() == buy["effective"].date() == SECOND
    last = ledger.groupby("bucket")["cash_after"].last()
    ends = of_book(account, "bucket_daily").groupby("bucket")["cash"].last()
    assert last[["core", "dipper"]].to_numpy() == pytest.approx(ends[["core", "dipper"]].to_numpy())


def test_positions_have_what_signals_and_prices_said_before_them(account: Lab) -> None:
    bought = float(close_of(account, "DDD", SECOND))
    [trade] = of_book(account, "bucket_trade").to_dict("records")
    assert (trade["quantity"], trade["cost"], trade["dividends"]) == pytest.approx((10.0, 10 * bought + 1, 5.0))
    assert pd.isna(trade["closed"])
    # What the signal said the evening before, as the table of signals has it of the account's satellite.
    signals = account.table("bucket_signal")
    before = signals[(signals["plan"] == "live") & (signals["session"] == pd.Timestamp(FIRST))].iloc[0]
    assert trade["conviction"] == before["conviction"]
    prices = account.table("satellite_prices")
    earlier = prices[(prices["ticker"] == "DDD") & (prices["session"] <= pd.Timestamp(FIRST))]["close"].max()
    assert trade["premium"] == pytest.approx(bought / earlier - 1)
    # No order of ours asked for it.
    assert (pd.isna(trade["factor"]), trade["is_on_strategy"]) == (True, False)


def test_paper_books_settings_and_balances_are_there(account: Lab) -> None:
    buckets = of_book(account, "study_bucket")
    assert list(buckets["bucket"]) == ["core", "dipper"]
    assert list(buckets["budget"]) == [0.2, 0.2]
    assert (buckets["preset"].iloc[1], buckets["tickers"].iloc[1]) == ("dip_buyer", "DDD")
    paper = of_book(account, "study_bucket", "paper:idea")
    assert (list(paper["bucket"]), list(paper["target"])) == (["idea"], [0.05])
    balance = account.table("bucket_balance").set_index(["book", "unit", "bucket"])["quanta"]
    assert balance["live", "DDD", "dipper"] == 6 * 10**9
    assert balance["live", "DDD", "outside"] == -6 * 10**9
    # Of five hundredths of 10 000, in quanta of 10^-4, there is what it has not spent.
    spent = of_book(account, "bucket_trade", "paper:idea")["cost"].sum()
    assert balance["paper:idea", "USD", "idea"] == pytest.approx((500 - spent) * 10**4, abs=1)


def test_reports_have_the_account_beside_plans(account: Lab) -> None:
    books = account.table("report_book").set_index("book")
    assert set(books.index) == {"alone", "dips", "live", "paper:idea", "twin:dipper"}
    # Those of one satellite say nothing of a share of satellites.
    assert list(books.index[books["satellite_share"].isna()]) == ["paper:idea", "twin:dipper"]
    found = of_book(account, "report_bucket").set_index("bucket").loc["dipper"]
    assert (found["trades"], found["open_positions"]) == (0, 1)
    daily = of_book(account, "bucket_daily").set_index(["bucket", "session"])["value"]
    assert found["profit"] == pytest.approx(daily["dipper"].iloc[-1] - found["net_flows"])
    traded = of_book(account, "report_bucket_attribution").iloc[0]
    assert traded["profit"] == pytest.approx(found["profit"], abs=1e-6)


def test_headline_and_page_have_the_account_beside_plans(account: Lab) -> None:
    said = " ".join(account.sdlab("run").out.split())
    value = of_book(account, "report_book")["final_value"].iloc[0]
    assert "The account (report_book, report_bucket, report_bucket_twin):" in said
    assert f"- live: {value:,.0f} USD on 2023-06-09; since 2023-06-05" in said
    assert "- dipper has returned -0.6 % since 2023-06-05, its twin, which keeps to the rules alone," in said
    assert "- paper:idea: " in said
    assert "- twin:" not in said
    assert "alone: " in said
    assert "None" not in said
    page = account.home.published.report.read_text(encoding="utf-8")
    assert "The account beside its twins" in page
    assert ">live<" in page


def test_satellite_on_paper_has_days_and_positions_of_its_own(account: Lab) -> None:
    """Its share is that of an account in which its 500 are five hundredths: of 500 + 9 500 at first."""
    daily = of_book(account, "bucket_daily", "paper:idea")
    assert [day.date() for day in daily["session"]] == [FIRST, SECOND, THIRD, FOURTH, LAST]
    assert list(daily["positions"]) == [0, 1, 1, 1, 1]
    assert daily["share"].to_numpy() == pytest.approx((daily["value"] / (daily["value"] + 9_500)).to_numpy(), rel=1e-9)
    [trade] = of_book(account, "bucket_trade", "paper:idea").to_dict("records")
    assert (trade["entry_price"], trade["is_on_strategy"]) == (float(close_of(account, "EEE", SECOND)), True)


def test_satellite_in_research_shows_how_it_does_on_paper(account: Lab) -> None:
    shown = json.loads(account.sdlab("bucket", "show", "idea", "--json").out)
    daily = of_book(account, "bucket_daily", "paper:idea")
    assert (shown["value"], shown["on_paper"]["sessions"], shown["on_paper"]["session"]) == ("0.00", 5, str(LAST))
    assert float(shown["on_paper"]["value"]) == pytest.approx(daily["value"].iloc[-1], abs=0.01)
    assert list(shown["on_paper"]["positions"]) == ["EEE"]
    assert shown["on_paper"]["index"] == daily["twr_index"].iloc[-1]
    assert json.loads(account.sdlab("bucket", "show", "dipper", "--json").out)["on_paper"] == {}


def test_twin_has_days_and_rows_in_the_tables_of_the_account(account: Lab) -> None:
    """5 marks, and the rest of the account beside it: its core."""
    twin, live = (of_book(account, "bucket_daily", book) for book in ("twin:dipper", "live"))
    core = live[live["bucket"] == "core"].set_index("session")["value"]
    assert [day.date() for day in twin["session"]] == [FIRST, SECOND, THIRD, FOURTH, LAST]
    assert twin["open_flows"].to_numpy() == pytest.approx([1_000, 0, 50.90, 0, 0])
    rest = core.loc[twin["session"]].to_numpy()
    assert twin["share"].to_numpy() == pytest.approx((twin["value"] / (twin["value"] + rest)).to_numpy(), rel=1e-12)
    ledger = of_book(account, "bucket_ledger", "twin:dipper")
    assert list(ledger["kind"])[:1] == ["OPENING"]
    assert "DEPOSIT" in set(ledger["kind"])
    [settings] = of_book(account, "study_bucket", "twin:dipper").to_dict("records")
    assert (settings["bucket"], settings["preset"], settings["tickers"]) == ("dipper", "dip_buyer", "DDD")
    reported = account.table("report_bucket_twin").set_index("bucket").loc["dipper"]
    assert (reported["twin_value"], reported["twin_twr_index"]) == (twin["value"].iloc[-1], twin["twr_index"].iloc[-1])
    # What signals say of a satellite is there once.
    assert "twin:dipper" not in set(account.table("bucket_signal")["plan"])


def test_account_is_beside_its_twin_from_the_first_mark_on(account: Lab) -> None:
    rows = account.table("report_bucket_twin").set_index("bucket")
    found = rows.loc["dipper"]
    daily = of_book(account, "bucket_daily")
    own = daily[daily["bucket"] == "dipper"].set_index("session")
    assert (found["since"].date(), found["last_session"].date(), found["sessions"]) == (FIRST, LAST, 5)
    assert (found["value"], found["twr_index"]) == pytest.approx((own["value"].iloc[-1], own["twr_index"].iloc[-1]))
    assert found["value_difference"] == pytest.approx(found["value"] - found["twin_value"])
    assert found["twr_difference"] == pytest.approx(found["twr"] - found["twin_twr"])
    assert found["max_drawdown"] == pytest.approx((own["twr_index"] / own["twr_index"].cummax()).min() - 1)
    assert pd.isna(found["missing"])
    # 1 000 and 50.90 came to both; the twin holds at most a position in DDD.
    assert found["twin_value"] == pytest.approx(1_050.90, rel=0.05)
    core = rows.loc["core"]
    assert pd.isna(core["twin_value"])
    assert core["missing"] == "the core follows no settings of the ledger"


def test_dataset_is_outdated_by_the_next_entry_alone(account: Lab, tmp_path: Path) -> None:
    lab = account.copy_to(tmp_path / "home")
    assert plan_run(lab.home).is_empty
    ledger = open_account(lab.root, Clock(LAST))
    ledger.note("dipper", "more of it")
    asked = plan_run(lab.home)
    assert (list(asked.derived), list(asked.scenarios)) == (["ledger"], [])
    before = (lab.root / "ledgers" / "main.db").read_bytes()
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert (lab.root / "ledgers" / "main.db").read_bytes() == before
    ledger.store.close()
    noted = lab.home.lake.current(LEDGER.name)
    assert noted is not None
    with ledger.state() as state:
        assert (noted.facts["entry"], noted.facts["digest"]) == (state.last_entry, state.last_digest)
    shutil.rmtree(lab.root / "ledgers")
    assert lab.sdlab("run").code == 0
    assert set(lab.table("bucket_daily")["book"]) == {"alone", "dips"}


def test_ledger_in_another_currency_is_left_out(account: Lab, tmp_path: Path) -> None:
    lab = account.copy_to(tmp_path / "home")
    shutil.rmtree(lab.root / "ledgers")
    ledger = open_account(lab.root, Clock())
    object.__setattr__(ledger, "base_currency", "EUR")
    ledger.deposit(Decimal(10), "EUR")
    ledger.store.close()
    (made,) = LEDGER.make(lab.home.study, lab.home.lake).values()
    assert set(made.rows) == {"study_bucket", *(table.name for table in (*BUCKET_TABLES, *LEDGER_TABLES))}
    assert set(made.rows.values()) == {0}
