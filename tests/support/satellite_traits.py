"""How often a history of a drawn plan shows what the tests of the engines must have seen."""

from collections import Counter

import numpy as np

from sd_core.buckets.history.contract import History
from sd_core.buckets.presets import Dividends, Signal
from sd_core.schemas.kinds import BucketEvent, ExitReason, Kind, Probation, Reason, Regime, Sleep, Transfer
from support.satellite_plans import PlanCase

AT_THE_OPEN = 0

# What happens in at least one session in a few plans; each is to be seen a hundred times in two hundred.
TRAITS = {
    "activated": BucketEvent.ACTIVATED,
    "woken": BucketEvent.WOKEN,
    "locked": BucketEvent.LOCKED,
    "unlocked": BucketEvent.UNLOCKED,
    "cooled down": BucketEvent.COOLED_DOWN,
    "rebased": BucketEvent.REBASED,
    "probation passed": BucketEvent.PROBATION_PASSED,
    "probation extended": BucketEvent.PROBATION_EXTENDED,
}


def traits(case: PlanCase, history: History) -> Counter[str]:
    """Return how often each trait occurs; one that does not is 0 or missing."""
    return (
        _of_events(history)
        + _of_trades(case, history)
        + _of_days(history)
        + _of_money(case, history)
        + _of_orders(case, history)
    )


def _of_events(history: History) -> Counter[str]:
    events = history.events
    counts = Counter({name: int((events["event"] == event).sum()) for name, event in TRAITS.items()})
    for cause in (Sleep.DRAWDOWN, Sleep.SHARE, Sleep.PROBATION):
        slept = (events["event"] == BucketEvent.HIBERNATED) & (events["cause"] == cause)
        counts[f"asleep by {cause.name.lower()}"] = int(slept.sum())
    return counts


def _of_trades(case: PlanCase, history: History) -> Counter[str]:
    trades, ledger = history.trades, history.ledger
    counts = Counter({f"exit: {one.name.lower()}": int((trades["exit_reason"] == one).sum()) for one in ExitReason})
    counts |= Counter({f"entry in {one.name.lower()}": int((trades["regime"] == one).sum()) for one in Regime})
    tests = trades[trades["is_test"]]
    counts["test position"] = len(tests)
    counts["test not won"] = int(((tests["outcome"] <= 0) & (tests["closed"] >= 0)).sum())
    counts["neutral round trip"] = int(((trades["outcome"] == 0) & (trades["closed"] >= 0)).sum())
    counts["sold on the day of the entry"] = int((trades["closed"] == trades["opened"]).sum())

    # Bucket, asset and session are enough to find a sale: a ticker is sold once in a session.
    sales = {(row["bucket"], row["asset"], row["session"]): row["leg"] for row in ledger[ledger["kind"] == Kind.SELL]}
    for trade in trades[trades["closed"] >= 0]:
        if sales[trade["bucket"], trade["asset"], trade["closed"]] == AT_THE_OPEN:
            reason = ExitReason(trade["exit_reason"])
            counts["open beyond the stop"] += reason in (ExitReason.STOP, ExitReason.TRAILING)
            counts["open beyond the take-profit"] += reason is ExitReason.TAKE
            stop = trade["entry_price"] * (1 - case.plan.satellites[trade["bucket"]].parameters.stop)
            low = case.panel.low[trade["closed"], trade["asset"]]
            counts["open beyond the take-profit, low below the stop"] += reason is ExitReason.TAKE and low < stop
    return counts


def _of_days(history: History) -> Counter[str]:
    daily = history.daily
    counts = Counter({f"{one.name.lower()} restrains": int((daily["reasons"] & one > 0).sum()) for one in Reason})
    for name in ("halt", "block", "boost"):  # a person's, so none on history
        del counts[f"{name} restrains"]
    for bucket in np.unique(daily["bucket"]):
        stage = daily["stage"][daily["bucket"] == bucket]
        for reached in (1, 2, 3):
            counts[f"stage {reached} reached"] += int(((stage[1:] == reached) & (stage[:-1] < reached)).sum())
        counts["stage lost"] += int(((stage[1:] == 0) & (stage[:-1] > 0)).sum())
    return counts


def _of_money(case: PlanCase, history: History) -> Counter[str]:
    ledger, evaluations = history.ledger, history.evaluations
    counts: Counter[str] = Counter()
    for kind in (Kind.DEPOSIT, Kind.DIVIDEND_BUY, Transfer.OPENING, Transfer.HARVEST, Transfer.REALLOCATION):
        counts[kind.name.lower()] = int((ledger["kind"] == kind).sum())
    for bucket, satellite in enumerate(case.plan.satellites):
        dividends = (ledger["bucket"] == bucket) & (ledger["kind"] == Kind.DIVIDEND)
        counts[f"dividend: {Dividends(satellite.parameters.dividends).name.lower()}"] += int(dividends.sum())
        bought = (ledger["bucket"] == bucket) & (ledger["kind"] == Kind.BUY)
        counts[f"entry: {Signal(satellite.parameters.signal).name.lower()}"] += int(bought.sum())
    moved = evaluations["session"][evaluations["moved"] != 0]
    counts["evaluation with moves"] = len(np.unique(moved))
    counts["move between satellites"] = int((evaluations["moved"] > 0).sum())
    counts["member"] = int(evaluations["is_member"].sum())
    counts["more sessions than a window"] = int((evaluations["session"] > 252).sum())
    counts["failed probation"] = int((evaluations["probation"] == Probation.FAILED).sum())
    counts["budget too small"] = int(evaluations["is_budget_too_small"].sum())
    counts["Sharpe ratios are distinguished"] = int((evaluations["is_told_apart"] == 1).sum())
    counts["Sharpe ratios are not distinguished"] = int((evaluations["is_told_apart"] == 0).sum())
    return counts


def _of_orders(case: PlanCase, history: History) -> Counter[str]:
    """Count entries that may not have been made for want of a bar, and exits that waited for one."""
    counts: Counter[str] = Counter()
    has_bar = np.isfinite(case.panel.close)
    factor = history.daily["factor"].reshape(-1, len(case.plan.satellites))
    for bucket, satellite in enumerate(case.plan.satellites):
        for asset in satellite.tickers:
            ordered = case.signals.is_entry[:-1, asset] & (factor[:-1, bucket] > 0)
            counts["no bar on the day of an entry"] += int((ordered & ~has_bar[1:, asset]).sum())
    at_the_close = (ExitReason.HELD, ExitReason.TREND)
    for trade in history.trades[np.isin(history.trades["exit_reason"], at_the_close)]:
        counts["no bar on the day of an exit"] += not has_bar[trade["closed"] - 1, trade["asset"]]
    return counts
