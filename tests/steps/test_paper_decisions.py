"""Decisions on paper: frozen once, before the next session or marked as late, and compared with what is decided now."""

import datetime as dt
import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import duckdb
import pytest
from support.lab import PROJECT, Lab, small_study, write_study
from support.steps import publish, refresh

from pipelines.lab.current import PAPER, current_market
from pipelines.lab.home import SQL
from pipelines.steps.damage import discard_damaged
from pipelines.steps.paper import freeze
from pipelines.warehouse.audit import read_identities
from sd_core.errors import InputError
from sd_core.lake import POINTER
from sd_core.study.scenario import Scenario

LAWS = {law.name: law.sql for law in read_identities(SQL / "audit") if "paper" in law.name}
MONTHLY = {"rebalance": {"every": "month"}}
# The last session is 29 December 2023, the next 2 January 2024: New York opens at 14:30 UTC.
STRATEGIES = ("held", "mixed", "sd8")
KEYS = [f"{name}/r0/2023-12-29" for name in STRATEGIES]
BEFORE, AFTER = dt.datetime(2024, 1, 2, 14, 29, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, 14, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def traded(finished: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab with two strategies on paper, after its run; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("paper")
    study = small_study(finished.study_file.parent / "prices") | {
        "sessions": "XNYS",
        "end": "2023-12-31",
        "reserves": [0.0],
        "mixes": {"calm": {"method": "inverse_volatility", "window": 60}},
        "strategies": {"held": MONTHLY, "mixed": {"allocation": {"mix": "calm"}}, "sd8": {"rule": {}}},
        "paper": [*STRATEGIES],
    }
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture
def lab(traded: Lab, tmp_path: Path) -> Lab:
    return traded.copy_to(tmp_path / "home")


def frozen_again(lab: Lab, now: dt.datetime) -> list[Scenario]:
    """Freeze what is not yet, at a time."""
    home = lab.home
    with home.lake.shared():
        return freeze(home.study, home.lake, current_market(home.study, home.lake), now)


def test_run_freezes_what_each_strategy_on_paper_decided(traded: Lab) -> None:
    assert traded.home.lake.keys(PAPER) == KEYS
    decisions = traded.table("paper_decision")
    assert set(decisions["next_session"].dt.date) == {dt.date(2024, 1, 2)}
    of_held = decisions[decisions["strategy"] == "held"].set_index("ticker")
    assert of_held["weight"].to_dict() == pytest.approx({"AAA": 0.5, "BBB": 0.3, "CCC": 0.2})
    # The machine's time is long after the session that they are for.
    assert not decisions["in_time"].any()


def test_orders_are_those_of_the_next_close_and_the_limits_of_the_rule(traded: Lab) -> None:
    orders, decisions = traded.table("paper_order"), traded.table("paper_decision").set_index(["strategy", "ticker"])
    prices = traded.table("prices").set_index(["session", "ticker"])["close"]
    closes = {ticker: prices.xs(ticker, level="ticker").dropna().iloc[-1] for ticker in ("AAA", "BBB", "CCC")}
    # 2 January begins a month: what is above its target is sold down to it.
    sales = orders[(orders["strategy"] == "held") & (orders["quantity"] < 0)]
    assert len(sales) > 0
    for row in sales.itertuples():
        decided = decisions.loc["held", row.ticker]
        assert (row.kind, row.trades_at) == ("REBALANCE_SELL", "close")
        excess = decided["worth"] - decided["weight"] * decided["value"]
        assert row.quantity == pytest.approx(-excess / closes[row.ticker])
    limits = traded.table("report_next_order").set_index(["ticker", "side"])["limit_price"]
    found = orders[orders["strategy"] == "sd8"]
    assert len(found) == len(limits) > 3
    for row in found.itertuples():
        assert row.trades_at == "limit"
        assert row.price == limits[row.ticker, "sell" if row.quantity < 0 else "buy"]


def test_what_a_mix_decided_last_is_frozen_before_its_session(traded: Lab) -> None:
    fits = traded.table("mix_fit").set_index("decided_session")
    assert fits["effective_session"].isna().tolist() == [False] * (len(fits) - 1) + [True]
    weights = traded.table("mix_weight").set_index(["decided_session", "ticker"])["weight"][fits.index[-1]]
    decisions = traded.table("paper_decision")
    found = decisions[decisions["strategy"] == "mixed"].set_index("ticker")
    assert found["weight"].to_dict() == weights.to_dict()
    # Weights that change trade at the next close, whatever its month.
    orders = traded.table("paper_order")
    orders = orders[orders["strategy"] == "mixed"]
    assert set(orders["kind"]) == {"REBALANCE_SELL", "REBALANCE_BUY"}
    after = found["worth"].add((orders["quantity"] * orders["price"]).groupby(orders["ticker"]).sum(), fill_value=0)
    value = found["value"].iloc[0]
    # Fees of five basis points of what is bought are missing.
    assert (after / value).to_dict() == pytest.approx(weights.to_dict(), abs=1e-3)


@pytest.mark.parametrize(("now", "in_time"), [(BEFORE, True), (AFTER, False)])
def test_decision_counts_where_it_is_frozen_before_the_next_session_opens(
    lab: Lab, now: dt.datetime, in_time: bool
) -> None:
    shutil.rmtree(lab.home.lake.root / PAPER)
    assert len(frozen_again(lab, now)) == 3
    publish(lab.home)
    report = lab.table("report_paper")
    assert report["decisions"].tolist() == [1, 1, 1]
    assert report["in_time"].tolist() == [in_time] * 3
    assert report["out_of_sample_from"].notna().tolist() == [in_time] * 3
    assert report["changed"].tolist() == [0, 0, 0]
    # The session has not come yet.
    assert report["sessions"].tolist() == [0, 0, 0]


def test_nothing_that_is_frozen_is_written_again(lab: Lab) -> None:
    files = paper_of(lab)
    assert frozen_again(lab, BEFORE) == []
    refresh(lab.home, fresh=True)
    lab.home.lake.prune()
    assert paper_of(lab) == files


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
from sd_core.files import folder
from support.lab import Lab
from support.steps import publish

put, seen = folder.put_whole, []

def put_or_die(file, text):
    if file.parts[-5:-4] == ("paper",):
        seen.append(file)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return put(file, text)

folder.put_whole = put_or_die
publish(Lab(Path(sys.argv[1]), Path(sys.argv[2])).home)
"""


def paper_of(lab: Lab) -> dict[Path, bytes]:
    """Return all files of decisions on paper with their bytes."""
    return {file: file.read_bytes() for file in (lab.home.lake.root / PAPER).rglob("*") if file.is_file()}


def test_killed_run_leaves_whole_decisions_that_the_next_one_adds_to(lab: Lab) -> None:
    shutil.rmtree(lab.home.lake.root / PAPER)
    published = lab.published.read_bytes()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(lab.study_file), str(lab.root)],
        cwd=PROJECT,
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    # The files of the second one are there, but no pointer to them.
    assert lab.home.lake.keys(PAPER) == KEYS[:1]
    assert lab.published.read_bytes() == published
    whole = {file: found for file, found in paper_of(lab).items() if KEYS[0] in file.as_posix()}
    publish(lab.home)
    assert lab.home.lake.keys(PAPER) == KEYS
    assert {file: paper_of(lab)[file] for file in whole} == whole
    assert lab.table("report_paper")["decisions"].tolist() == [1, 1, 1]
    pointers = [json.loads((lab.home.lake.root / PAPER / key / POINTER).read_text()) for key in KEYS]
    left = {file.parent.name for file in paper_of(lab) if file.name != POINTER}
    assert left == {one["version"] for one in pointers}


def test_runs_at_the_same_time_freeze_each_decision_once(lab: Lab) -> None:
    shutil.rmtree(lab.home.lake.root / PAPER)
    begin = Barrier(3)

    def run(_: int) -> None:
        begin.wait()
        publish(lab.home)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert lab.home.lake.keys(PAPER) == KEYS
    written = [file for file in paper_of(lab) if file.name == "paper_decision.parquet"]
    assert len(written) == len(KEYS)
    assert lab.table("report_paper")["decisions"].tolist() == [1, 1, 1]


def test_decision_that_would_be_another_one_now_is_reported_and_stays(lab: Lab) -> None:
    text = lab.study_file.read_text(encoding="utf-8").replace("weight: 0.5", "weight: 0.9")
    other = Lab(lab.root.parent / "small.yaml", lab.root)
    other.study_file.write_text(text, encoding="utf-8")
    refresh(other.home)
    assert other.table("report_paper").set_index("strategy")["changed"][["held", "sd8"]].tolist() == [1, 1]
    changes = other.table("paper_change")
    row = changes[(changes["strategy"] == "held") & (changes["ticker"] == "AAA")].iloc[0]
    assert (row["weight"], row["weight_now"]) == pytest.approx((0.5, 0.9 / 1.4))
    assert other.home.lake.keys(PAPER) == KEYS
    assert "1 would be another one now" in other.home.published.report.read_text(encoding="utf-8")


def test_damaged_decision_is_named_and_kept(lab: Lab) -> None:
    [file, *_] = sorted((lab.home.lake.root / PAPER).rglob("paper_decision.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="held/r0/2023-12-29: damaged: a decision that was frozen"):
        discard_damaged(lab.home.lake)
    assert file.exists()


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("paper_decisions_precede_sessions", "update paper_decision set next_session = decided_session"),
        ("paper_decisions_precede_sessions", "update paper_decision set weight = 0.6"),
        ("paper_orders_belong_to_decisions", "delete from paper_decision where strategy = 'sd8'"),
    ],
)
def test_broken_law_of_paper_is_found(traded: Lab, tmp_path: Path, law: str, change: str) -> None:
    with duckdb.connect(str(shutil.copy(traded.published, tmp_path / "small.duckdb"))) as connection:
        assert connection.execute(LAWS[law]).fetchall() == []
        assert connection.execute(change).fetchone() != (0,)
        assert len(connection.execute(LAWS[law]).fetchall()) > 0
