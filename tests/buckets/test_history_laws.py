"""What must hold of the history of any plan, asserted on random ones; the laws are those of docs/buckets.md."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from support.bucket_histories import Case, random_case

from sd_core.buckets.history.contract import CORE, OUTSIDE, History
from sd_core.market.arrays import last_known
from sd_core.schemas.kinds import BucketEvent, ExitReason, Kind, Outcome, Reason, Sleep, Transfer

CASES = 120
LAST_YEAR = 252
OPEN_FLOWS = [Transfer.OPENING, Transfer.HARVEST, Transfer.REALLOCATION, Kind.DEPOSIT]


@cache
def simulated(seed: int) -> tuple[Case, History]:
    """Return a random case with its history."""
    case = random_case(seed)
    return case, case.simulate()


def by_bucket(case: Case, history: History, column: str) -> np.ndarray:
    """Return a column of the days as (sessions, satellites)."""
    return history.daily[column].reshape(len(case.panel.sessions), len(case.plan.satellites))


def summed(case: Case, history: History, chosen: np.ndarray) -> np.ndarray:
    """Return the amounts of some rows of the ledger, added up by session and satellite."""
    total = np.zeros((len(case.panel.sessions), len(case.plan.satellites)))
    rows = history.ledger[chosen]
    np.add.at(total, (rows["session"], rows["bucket"]), rows["amount"])
    return total


def buckets_make_the_total(case: Case, history: History) -> None:
    values = by_bucket(case, history, "value")
    total = history.core_values + values.sum(axis=1)
    np.testing.assert_allclose(by_bucket(case, history, "share"), values / total[:, None], rtol=1e-12)
    # What comes in reaches satellites or the core, and what satellites hand over is what the core gets.
    ledger = history.ledger
    deposited = summed(case, history, ledger["kind"] == Kind.DEPOSIT).sum(axis=1)
    handed = -summed(case, history, ledger["counterparty"] == CORE).sum(axis=1)
    np.testing.assert_allclose(history.core_flows, case.deposits - deposited + handed, atol=1e-7)
    assert (history.core_flows >= 0.0).all()
    inside = (ledger["counterparty"] != CORE) & (ledger["counterparty"] != OUTSIDE)
    np.testing.assert_allclose(summed(case, history, inside).sum(axis=1), 0.0, atol=1e-9)
    assert (ledger["kind"][inside] == Transfer.REALLOCATION).all()


def cash_value_and_index_follow_the_rows(case: Case, history: History) -> None:
    ledger, panel = history.ledger, case.panel
    cash = summed(case, history, np.ones(len(ledger), bool)).cumsum(axis=0)
    np.testing.assert_allclose(by_bucket(case, history, "cash"), cash, atol=1e-6)
    moved = np.zeros(panel.close.shape)
    trades = ledger[~np.isnan(ledger["quantity"])]
    np.add.at(moved, (trades["session"], trades["asset"]), trades["quantity"])
    worth = np.nan_to_num(moved.cumsum(axis=0) * last_known(panel.close))
    invested = np.stack([worth[:, list(one.tickers)].sum(axis=1) for one in case.plan.satellites], axis=1)
    values = by_bucket(case, history, "value")
    np.testing.assert_allclose(values, cash + invested, rtol=1e-9, atol=1e-6)
    before = np.vstack([np.zeros_like(values[:1]), values[:-1]])
    came = before + summed(case, history, np.isin(ledger["kind"], OPEN_FLOWS))
    stayed = values - summed(case, history, ledger["kind"] == Transfer.DIVIDEND_SENT)
    returns = np.where(came > 1e-6, stayed / np.where(came > 1e-6, came, 1.0) - 1.0, 0.0)
    np.testing.assert_allclose(by_bucket(case, history, "twr_index"), np.cumprod(1.0 + returns, axis=0), rtol=1e-7)


def each_ticker_has_one_bucket(case: Case, history: History) -> None:
    owner = {ticker: place for place, one in enumerate(case.plan.satellites) for ticker in one.tickers}
    traded = history.ledger[history.ledger["asset"] >= 0]
    assert [owner[asset] for asset in traded["asset"].tolist()] == traded["bucket"].tolist()


def nothing_is_opened_at_factor_zero(case: Case, history: History) -> None:
    bought = history.ledger[np.isin(history.ledger["kind"], [Kind.BUY, Kind.DIVIDEND_BUY])]
    factor = by_bucket(case, history, "factor")[bought["session"] - 1, bought["bucket"]]
    assert (factor > 0.0).all()
    hindering = Reason.STATUS | Reason.OVERDRAWN | Reason.LOCK | Reason.HIGH_VOLATILITY
    hindered = (history.daily["reasons"] & hindering) != 0
    assert (history.daily["factor"][hindered] == 0.0).all()


def fills_lie_inside_their_bars(case: Case, history: History) -> None:
    fills = history.ledger[~np.isnan(history.ledger["quantity"])]
    at = (fills["session"], fills["asset"])
    assert (fills["price"] >= case.panel.low[at] * (1 - 1e-11)).all()
    assert (fills["price"] <= case.panel.high[at] * (1 + 1e-11)).all()
    at_open = fills["leg"] == 0
    np.testing.assert_array_equal(fills["price"][at_open], case.panel.open[at][at_open])


def trades_are_the_rows_of_the_ledger(case: Case, history: History) -> None:
    trades, ledger = history.trades, history.ledger
    closed = trades["closed"] >= 0
    sold, bought = ledger["kind"] == Kind.SELL, np.isin(ledger["kind"], [Kind.BUY, Kind.DIVIDEND_BUY])
    assert len(trades) == (ledger["kind"] == Kind.BUY).sum()
    assert closed.sum() == sold.sum()
    for mine, rows, sign in (
        ("cost", bought, -1),
        ("proceeds", sold, 1),
        ("dividends", ledger["kind"] == Kind.DIVIDEND, 1),
    ):
        np.testing.assert_allclose(np.nansum(trades[mine]), sign * ledger["amount"][rows].sum(), rtol=1e-9, atol=1e-6)
    returns = (trades["proceeds"] + trades["dividends"]) / trades["cost"] - 1.0
    np.testing.assert_allclose(trades["trade_return"], returns)
    outcome = np.select([returns < -0.01 - 1e-12, returns > 1e-12], [Outcome.LOSS, Outcome.WIN], Outcome.NEUTRAL)
    assert (trades["outcome"][closed] == outcome[closed]).all()


def limits_of_the_settings_hold(case: Case, history: History) -> None:
    positions = by_bucket(case, history, "positions")
    values = by_bucket(case, history, "value")
    for place, one in enumerate(case.plan.satellites):
        assert positions[:, place].max() <= one.parameters.positions
        mine = history.trades[history.trades["bucket"] == place]
        first_cost = history.ledger[(history.ledger["kind"] == Kind.BUY) & (history.ledger["bucket"] == place)]
        largest = values[first_cost["session"] - 1, place] * mine["factor"] * one.parameters.size
        assert (-first_cost["amount"] <= largest * (1 + 1e-9)).all()
        assert (mine["factor"][mine["is_test"]] <= 0.25).all()


LAWS = (
    buckets_make_the_total,
    cash_value_and_index_follow_the_rows,
    each_ticker_has_one_bucket,
    nothing_is_opened_at_factor_zero,
    fills_lie_inside_their_bars,
    trades_are_the_rows_of_the_ledger,
    limits_of_the_settings_hold,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds_of_random_histories(law: Callable[[Case, History], None]) -> None:
    for seed in range(CASES):
        law(*simulated(seed))


def test_levels_follow_from_share_and_drawdown() -> None:
    """The two tables of levels, written out once more."""
    for seed in range(CASES):
        case, history = simulated(seed)
        share, target = by_bucket(case, history, "share"), by_bucket(case, history, "target")
        least = np.array([one.min_pct for one in case.plan.satellites])
        part = share / target + 1e-11
        levels = np.select(
            [share + 1e-12 < np.maximum(0.4 * target, least), part >= 1, part >= 0.8, part >= 0.6],
            [0, 1, 0.8, 0.6],
            0.4,
        )
        np.testing.assert_array_equal(by_bucket(case, history, "share_level"), levels)
        fallen = history.daily["drawdown"] + 1e-12
        levels = np.select([fallen >= 0.35, fallen >= 0.25, fallen >= 0.15], [0, 0.3, 0.7], 1)
        np.testing.assert_array_equal(history.daily["drawdown_level"], levels)


def test_last_year_cut_off_changes_no_earlier_row() -> None:
    for seed in range(40):
        case, history = simulated(seed)
        kept = len(case.panel.sessions) - LAST_YEAR
        if kept < 2:
            continue
        earlier = case.first(kept).simulate()
        count = len(case.plan.satellites)
        assert earlier.daily.tobytes() == history.daily[: kept * count].tobytes()
        for found, whole in ((earlier.ledger, history.ledger), (earlier.events, history.events)):
            assert found.tobytes() == whole[whole["session"] < kept].tobytes()
        assert earlier.evaluations.tobytes() == history.evaluations[history.evaluations["session"] < kept].tobytes()
        opened = history.trades[history.trades["opened"] < kept]
        assert earlier.trades["entry_price"].tobytes() == opened["entry_price"].tobytes()


def test_every_rule_takes_hold_somewhere() -> None:
    """No law would notice a rule that never applies."""
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        _, history = simulated(seed)
        seen.update(BucketEvent(event).name for event in history.events["event"])
        seen.update(f"ASLEEP_BY_{Sleep(cause).name}" for cause in history.events["cause"])
        seen.update(f"CLOSED_{ExitReason(reason).name}" for reason in history.trades["exit_reason"] if reason >= 0)
        for reason in Reason:
            seen[f"BECAUSE_{reason.name}"] += int(((history.daily["reasons"] & reason) != 0).sum())
        seen["TEST"] += int(history.trades["is_test"].sum())
        seen["STAGE_3"] += int((history.daily["stage"] == 3).any())
        seen["MEMBERS"] += int(history.evaluations["is_member"].sum())
        seen["MOVED"] += int((history.evaluations["moved"] != 0).sum())
        seen["APART"] += int((history.evaluations["is_told_apart"] == 1).sum())
        seen.update((Kind | Transfer)(kind).name if False else str(kind) for kind in history.ledger["kind"])
    expected = {
        *(event.name for event in BucketEvent),
        *(f"ASLEEP_BY_{cause.name}" for cause in Sleep),
        *(f"CLOSED_{reason.name}" for reason in ExitReason),
        *(f"BECAUSE_{reason.name}" for reason in Reason if reason not in {Reason.HALT, Reason.BLOCK, Reason.BOOST}),
        *("TEST", "STAGE_3", "MEMBERS", "MOVED", "APART"),
    }
    assert {name for name in expected if seen[name] == 0} == set(), seen
