"""Plans of a core with satellites are simulated into the lake, each by itself, and published."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from support.bucket_lab import PLANS, planned_study
from support.lab import Lab, write_study
from support.steps import prepare, refresh

from pipelines.orchestration.assembly import build_definitions
from pipelines.orchestration.instance import open_instance
from pipelines.orchestration.keys import DERIVED_KEYS
from pipelines.steps.datasets import BUCKETS
from pipelines.steps.plan import plan_run

TABLES = ("bucket_ledger", "bucket_daily", "bucket_trade", "bucket_event", "bucket_evaluation", "bucket_signal")


def with_plans(bucket_lab: Lab, folder: Path, **plans: Any) -> Lab:
    """Return a lab that goes on where the finished run ended, with other plans."""
    file = write_study(folder / "small.yaml", planned_study(bucket_lab.study_file.parent / "prices", plans))
    return Lab(file, bucket_lab.copy_to(folder / "home").root)


def rows_of(lab: Lab, table: str, book: str) -> pd.DataFrame:
    found = lab.table(table)
    return found[found["plan" if table == "bucket_signal" else "book"] == book].reset_index(drop=True)


def test_plan_without_satellites_and_deposits_has_the_ledger_of_its_scenario(bucket_lab: Lab) -> None:
    ledger = bucket_lab.table("simulation_ledger")
    scenario = ledger[(ledger["strategy"] == "sd8") & (ledger["reserve"] == 0.1)].reset_index(drop=True)
    book = rows_of(bucket_lab, "bucket_ledger", "alone")
    assert len(book) > 20
    assert set(book["bucket"]) == {"core"}
    for column in ("session", "leg", "ticker", "kind", "quantity", "price", "fee", "amount"):
        pd.testing.assert_series_equal(book[column], scenario[column])
    pd.testing.assert_series_equal(book["cash_after"], scenario["bank_after"], check_names=False)


def test_buckets_of_a_plan_trade_and_make_the_whole(bucket_lab: Lab) -> None:
    daily = rows_of(bucket_lab, "bucket_daily", "dips")
    assert set(daily["bucket"]) == {"core", "d"}
    assert daily.groupby("session")["share"].sum().to_numpy() == pytest.approx(1.0, abs=1e-12)
    first = daily[daily["session"] == daily["session"].min()].set_index("bucket")["value"]
    # 10 000, of which the satellite starts with its tenth; the core has paid the costs of its first purchases.
    assert first["d"] == 1_000.0
    assert 8_990 < first["core"] < 9_000
    ledger = rows_of(bucket_lab, "bucket_ledger", "dips")
    last_cash = ledger.groupby("bucket")["amount"].sum()
    ends = daily[daily["session"] == daily["session"].max()].set_index("bucket")["cash"]
    assert ends["d"] == pytest.approx(last_cash["d"])
    assert ends["core"] == pytest.approx(9_000 + last_cash["core"])
    deposits = ledger[ledger["kind"] == "DEPOSIT"].groupby("session")["amount"].sum()
    assert deposits.to_numpy() == pytest.approx(100.0)
    assert len(deposits) == 11
    assert len(rows_of(bucket_lab, "bucket_trade", "dips")) > 0


def test_every_entry_is_one_that_the_signals_of_the_session_before_ask_for(bucket_lab: Lab) -> None:
    signals = rows_of(bucket_lab, "bucket_signal", "dips")
    asked = signals[signals["is_entry"]].set_index(["session", "ticker"])["conviction"]
    sessions = np.sort(bucket_lab.table("sessions")["session"].unique())
    for trade in rows_of(bucket_lab, "bucket_trade", "dips").itertuples():
        before = sessions[np.searchsorted(sessions, np.datetime64(trade.opened)) - 1]
        assert asked.loc[(before, trade.ticker)] == trade.conviction


def stored_rows(lab: Lab, plan: str) -> dict[str, pd.DataFrame]:
    """Return the rows of a plan of a study of which nothing else is made."""
    prepare(lab.home)
    (made,) = BUCKETS.make(lab.home.study, lab.home.lake, keys=[plan]).values()
    return {name: made.read(name).to_pandas() for name in BUCKETS.tables}


def test_sessions_that_are_cut_off_change_no_row_before_them(bucket_lab: Lab, tmp_path: Path) -> None:
    study = planned_study(bucket_lab.study_file.parent / "prices", PLANS)
    whole = stored_rows(Lab(write_study(tmp_path / "whole.yaml", study), tmp_path / "whole"), "dips")
    cut_at = sorted(whole["bucket_daily"]["session"].unique())[-60]
    shorter = study | {"end": str(cut_at)}
    cut = stored_rows(Lab(write_study(tmp_path / "cut.yaml", shorter), tmp_path / "cut"), "dips")
    assert cut["bucket_daily"]["session"].max() == cut_at
    for name in ("bucket_ledger", "bucket_daily", "bucket_event", "bucket_evaluation"):
        before = whole[name][whole[name]["session"] <= cut_at].reset_index(drop=True)
        pd.testing.assert_frame_equal(cut[name], before, check_exact=True, obj=name)
    # What was still open then is closed later.
    closed = whole["bucket_trade"][whole["bucket_trade"]["closed"] <= cut_at].set_index(["bucket", "trade"])
    assert len(closed) > 0
    trades = cut["bucket_trade"].set_index(["bucket", "trade"])
    pd.testing.assert_frame_equal(trades.loc[closed.index], closed, check_exact=True, check_dtype=False)


def test_change_to_a_plan_simulates_that_plan_alone(bucket_lab: Lab, tmp_path: Path) -> None:
    wider = PLANS["dips"] | {"budget": 0.25}
    lab = with_plans(bucket_lab, tmp_path, alone=PLANS["alone"], dips=wider, new=PLANS["dips"])
    before = lab.pointers()
    asked = plan_run(lab.home)
    assert (list(asked.tickers), asked.prepares, list(asked.scenarios), list(asked.derived)) == (
        [],
        False,
        [],
        ["buckets"],
    )
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    after = lab.pointers()
    assert after["buckets/alone"] == before["buckets/alone"]
    assert after["buckets/dips"] != before["buckets/dips"]
    assert {name for name in after if name not in before} == {"buckets/new"}
    assert set(lab.table("bucket_daily")["book"]) == {"alone", "dips", "new"}
    assert plan_run(lab.home).is_empty


def test_plan_that_is_no_longer_asked_for_leaves_the_tables(bucket_lab: Lab, tmp_path: Path) -> None:
    lab = with_plans(bucket_lab, tmp_path, dips=PLANS["dips"])
    assert list(plan_run(lab.home).derived) == []
    refresh(lab.home)
    assert set(lab.table("bucket_daily")["book"]) == {"dips"}
    assert set(lab.table("study_bucket")["plan"]) == {"dips"}


def test_step_simulates_the_plans_that_it_is_asked_for(bucket_lab: Lab, tmp_path: Path) -> None:
    lab = with_plans(bucket_lab, tmp_path, **PLANS)
    key, step = DERIVED_KEYS["buckets"], "buckets"
    definitions = build_definitions(lab.home)
    with open_instance(lab.home) as instance:
        before = lab.pointers()

        def materialise(*plans: str) -> dg.ExecuteInProcessResult:
            return dg.materialize(
                [*definitions.resolve_asset_graph().assets_defs],
                instance=instance,
                selection=[key],
                run_config={"ops": {step: {"config": {"plans": list(plans)}}}},
                raise_on_error=False,
            )

        assert materialise("dips").success
        after = lab.pointers()
        assert {name for name in after if after[name] != before[name]} == {"buckets/dips"}
        refused = materialise("dip")
    assert not refused.success
    assert "plans: dip: expected some of alone, dips" in str(refused.get_step_failure_events()[0])


def test_study_without_plans_has_the_tables_without_rows(finished: Lab) -> None:
    for name in TABLES:
        assert len(finished.table(name)) == 0, name
