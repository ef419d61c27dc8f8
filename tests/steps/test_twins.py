"""A satellite's twin does what the same satellite does in a plan, given the same money, and says why there is none."""

import numpy as np
import pandas as pd
import pytest
from support.lab import Lab

from pipelines.lab.current import current_market
from pipelines.steps.signals import judged, satellite_panel, signals_of
from pipelines.steps.twins import simulate_twins
from sd_core.buckets import presets
from sd_core.buckets.history.plans import plan_of
from sd_core.buckets.history.twin import Recorded, simulate_twin
from sd_core.buckets.ledger.books import Living


def days_of(lab: Lab, book: str) -> pd.DataFrame:
    rows = lab.table("bucket_daily")
    rows = rows[rows["book"] == book].copy()
    rows["session"] = [day.date() for day in rows["session"]]
    return rows


def test_twin_of_a_plans_satellite_is_that_satellite(bucket_lab: Lab) -> None:
    """The plan was simulated by the engine of histories, which decided its money itself."""
    study, market = bucket_lab.home.study, current_market(bucket_lab.home.study, bucket_lab.home.lake)
    daily = days_of(bucket_lab, "dips")
    own = daily[daily["bucket"] == "d"].sort_values("session")
    rest = daily[daily["bucket"] == "core"].sort_values("session")["value"].to_numpy()
    plan = plan_of(study, "dips")
    panel = satellite_panel(market, ("DDD", "EEE"))
    with judged(study, market) as connection:
        signals = signals_of(connection, "dips", panel)
    events = bucket_lab.table("bucket_event")
    failed = own["session"].isin(events[events["cause"] == "probation"]["session"].dt.date).to_numpy()
    assert failed.sum() == 1
    recorded = Recorded(own["open_flows"].to_numpy(), rest, own["target"].to_numpy(), failed)
    twin = simulate_twin(plan, panel, signals, recorded)
    for column in ("cash", "value", "twr_index", "drawdown", "factor", "share"):
        np.testing.assert_allclose(twin.daily[column], own[column], rtol=1e-12, atol=1e-12, err_msg=column)
    trades = bucket_lab.table("bucket_trade")
    trades = trades[trades["book"] == "dips"].sort_values("trade")
    assert len(trades) == 5
    np.testing.assert_allclose(twin.trades["cost"], trades["cost"], rtol=1e-12)
    np.testing.assert_allclose(twin.trades["proceeds"], trades["proceeds"].fillna(0.0), rtol=1e-12)


def living(lab: Lab, since: str | None, tickers: tuple[str, ...] = ("DDD", "EEE")) -> Living:
    satellite = lab.home.study.buckets["dips"].satellites["d"]
    return Living("d", presets.settings_of(satellite), satellite.min_pct, tickers, "2023-01-02", since)


def twin_of(lab: Lab, one: Living) -> tuple[dict[str, object], dict[str, pd.DataFrame]]:
    """Return the twin of a satellite whose account was marked as the plan's days are: its row, and its book."""
    study, market = lab.home.study, current_market(lab.home.study, lab.home.lake)
    days = days_of(lab, "dips").to_dict("records")
    events = lab.table("bucket_event").to_dict("records")
    events = [event | {"session": event["session"].date()} for event in events if event["book"] == "dips"]
    with judged(study, market) as connection:
        # What was judged for the plan, as if it were for the account.
        connection.execute("update bucket_signal set plan = 'live' where plan = 'dips'")
        twins = simulate_twins(study, market, connection, [one], days, events)
    [row] = twins.rows
    return row, {name: table.to_pandas() for name, (table,) in twins.tables.items()}


def test_twin_from_the_first_mark_on_ends_as_the_plan_did(bucket_lab: Lab) -> None:
    daily = days_of(bucket_lab, "dips")
    own = daily[daily["bucket"] == "d"].sort_values("session")
    found, book = twin_of(bucket_lab, living(bucket_lab, str(own["session"].iloc[0])))
    assert (found["since"], found["last_session"]) == (own["session"].iloc[0], own["session"].iloc[-1])
    plan = bucket_lab.home.lake.current("buckets", "dips")
    assert plan is not None
    # Day by day, position by position and event by event, but for the score, which is the account's.
    for name in ("bucket_daily", "bucket_trade", "bucket_event"):
        theirs = plan.read(name).to_pandas()
        theirs = theirs[theirs["bucket"] == "d"]
        if name == "bucket_event":
            # A twin is not evaluated; what the account's evaluation found of it is taken over where it fails.
            theirs = theirs[~theirs["event"].str.startswith("probation")]
        left_out = ["book", "seq", "value"] if name == "bucket_event" else ["book"]
        twin = book[name].drop(columns=left_out, errors="ignore").reset_index(drop=True)
        assert len(twin) > 0
        pd.testing.assert_frame_equal(
            twin,
            theirs[twin.columns].reset_index(drop=True),
            check_dtype=False,
            rtol=1e-12,
            obj=name,
        )
    assert set(book["bucket_daily"]["book"]) == {"twin:d"}


def test_twins_cash_and_positions_are_those_of_its_rows(bucket_lab: Lab) -> None:
    daily = days_of(bucket_lab, "dips")
    own = daily[daily["bucket"] == "d"].sort_values("session")
    _, book = twin_of(bucket_lab, living(bucket_lab, str(own["session"].iloc[0])))
    ledger = book["bucket_ledger"]
    assert {"OPENING", "DEPOSIT", "BUY", "SELL"} < set(ledger["kind"])
    assert set(ledger["counterparty"]) == {"outside"}
    moved = ledger.groupby("session")["amount"].sum().reindex(book["bucket_daily"]["session"], fill_value=0.0)
    np.testing.assert_allclose(moved.cumsum(), book["bucket_daily"]["cash"], rtol=1e-12, atol=1e-9)


def test_twin_that_starts_later_begins_with_the_value_of_then_as_cash(bucket_lab: Lab) -> None:
    daily = days_of(bucket_lab, "dips")
    own = daily[daily["bucket"] == "d"].sort_values("session")
    start = own["session"].iloc[-2]
    found, book = twin_of(bucket_lab, living(bucket_lab, str(start)))
    # One session later it has its money still, with a day's interest at 3 %; it may have bought at that open.
    money = own["value"].iloc[-2] + own["open_flows"].iloc[-1]
    values = book["bucket_daily"]["value"]
    assert (len(values), values.iloc[0]) == (2, pytest.approx(own["value"].iloc[-2]))
    assert values.iloc[-1] == pytest.approx(money, rel=0.02)
    assert found["since"] == start


@pytest.mark.parametrize(
    ("since", "tickers", "said"),
    [
        (None, ("DDD",), "no mark since its settings of 2023-01-02"),
        ("2023-03-01", ("DDD", "ZZZ"), "without prices in the study: ZZZ"),
        ("2031-03-01", ("DDD",), "marked from 2031-03-01 on, and the study's prices are of "),
    ],
)
def test_satellite_without_a_twin_says_why(
    bucket_lab: Lab, since: str | None, tickers: tuple[str, ...], said: str
) -> None:
    found, book = twin_of(bucket_lab, living(bucket_lab, since, tickers))
    assert str(found["missing"]).startswith(said)
    assert found.keys() == {"book", "bucket", "changed", "missing"}
    assert book == {}
