"""The account's days: what writes to its ledger, when, and what looks whether it has moved.

Landing its books belongs in ``derived_assets``. No run of the whole study takes what is here, as it writes to a ledger
that studies share.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dagster as dg

from pipelines.lab.home import StudyHome
from pipelines.orchestration.failures import as_failures
from pipelines.orchestration.jobs import NEW_YORK, is_trading_day
from pipelines.orchestration.keys import DERIVED_KEYS, MARKET_KEYS, REPORT_HTML_KEY, TABLE_KEYS
from pipelines.orchestration.lake_assets import OWNERS
from pipelines.orchestration.names import (
    ACCOUNT_GROUP,
    EVALUATE_ACCOUNT,
    LAND_ACCOUNT,
    MARK_ACCOUNT,
    PROPOSE_ORDERS,
    RECONCILE_ACCOUNT,
    SEND_EXITS,
)
from pipelines.orchestration.private import UnresolvedAssetJobDefinition
from pipelines.steps.books import last_entry
from pipelines.steps.datasets import LEDGER

MARKS_KEY = dg.AssetKey(["account", "marks"])
RECONCILIATION_KEY = dg.AssetKey(["account", "reconciliation"])
EVALUATION_KEY = dg.AssetKey(["account", "evaluation"])
PROPOSALS_KEY = dg.AssetKey(["account", "proposals"])
EXITS_KEY = dg.AssetKey(["account", "exits"])
LEDGER_MOVED = "ledger_moved"


def account_assets(home: StudyHome) -> list[dg.AssetsDefinition]:
    """Return what is written to the ledger of a study each evening."""
    return [
        _step(
            MARKS_KEY,
            "The account and its satellites on paper, valued in the ledger at the closes of the last session.",
            [MARKET_KEYS["prices"], MARKET_KEYS["satellite_prices"]],
            partial(_mark, home),
        ),
        _step(
            RECONCILIATION_KEY,
            "What the account's broker states, booked in the ledger, and compared with what it has.",
            [],
            partial(_reconcile, home),
        ),
        _step(
            EVALUATION_KEY,
            "The evaluation of the account's satellites on the first session of a quarter.",
            [DERIVED_KEYS[LEDGER.name]],
            partial(_evaluate, home),
        ),
        _step(
            PROPOSALS_KEY,
            "What satellites would buy at the next open, for a person to approve.",
            [DERIVED_KEYS[LEDGER.name]],
            partial(_propose, home),
        ),
        _step(EXITS_KEY, "What satellites sell, sent to the broker, and their stops.", [], partial(_send_exits, home)),
    ]


def _step(
    key: dg.AssetKey, description: str, deps: Sequence[dg.AssetKey], work: Callable[[], dict[str, Any]]
) -> dg.AssetsDefinition:
    spec = dg.AssetSpec(
        key, deps=deps, group_name=ACCOUNT_GROUP, kinds={"python"}, owners=OWNERS, description=description
    )

    @dg.multi_asset(name="_".join(key.path), specs=[spec])
    def step():  # type: ignore[no-untyped-def]
        with as_failures():
            metadata = work()
        yield dg.MaterializeResult(key, metadata=metadata)

    return step


def _mark(home: StudyHome) -> dict[str, Any]:
    from pipelines.steps.account import last_evening, mark_account
    from pipelines.steps.operate import open_ledger
    from pipelines.steps.trade import read_broker

    ledger = open_ledger(home)
    with contextlib.closing(ledger.store):
        read_broker(ledger)
    receipts = mark_account(home, last_evening(dt.datetime.now(dt.UTC)))
    return {"entries": [one.entry for one in receipts], "said": [one.text for one in receipts]}


def _reconcile(home: StudyHome) -> dict[str, Any]:
    from pipelines.steps.operate import open_ledger
    from pipelines.steps.trade import reconcile_with_broker

    ledger = open_ledger(home)
    with contextlib.closing(ledger.store):
        fed = reconcile_with_broker(ledger)
    return {
        "entry": fed.receipt.entry,
        "said": fed.receipt.text,
        "booked": len(fed.booked),
        "held": list(fed.held),
        "refused": list(fed.refused),
    }


def _evaluate(home: StudyHome) -> dict[str, Any]:
    from pipelines.steps.account import evaluate_account, last_evening

    receipt = evaluate_account(home, last_evening(dt.datetime.now(dt.UTC)))
    return {"entry": receipt.entry, "said": receipt.text}


def _propose(home: StudyHome) -> dict[str, Any]:
    from pipelines.steps.operate import open_ledger
    from pipelines.steps.trade import propose_orders

    ledger = open_ledger(home)
    with contextlib.closing(ledger.store):
        proposed = propose_orders(home, ledger)
    return {"said": [one.text for one in proposed.receipts], "unpriced": list(proposed.unpriced)}


def _send_exits(home: StudyHome) -> dict[str, Any]:
    from pipelines.steps.operate import open_ledger
    from pipelines.steps.trade import send_exits

    ledger = open_ledger(home)
    with contextlib.closing(ledger.store):
        sent = send_exits(home, ledger)
    return {"sent": {one.client_id: one.says or one.status for one in sent}}


def account_jobs() -> list[UnresolvedAssetJobDefinition]:
    """Return the jobs that write to the ledger, and the one that lands its books."""
    landed = [DERIVED_KEYS[LEDGER.name], *TABLE_KEYS.values(), REPORT_HTML_KEY]
    return [
        dg.define_asset_job(
            LAND_ACCOUNT,
            dg.AssetSelection.assets(*landed),
            description="Lands the account's books and rebuilds the warehouse; it reads the ledger.",
        ),
        dg.define_asset_job(MARK_ACCOUNT, dg.AssetSelection.assets(MARKS_KEY), description="Marks the account."),
        dg.define_asset_job(
            RECONCILE_ACCOUNT,
            dg.AssetSelection.assets(RECONCILIATION_KEY),
            description="Books what the broker states, and compares the account with the ledger.",
        ),
        dg.define_asset_job(
            EVALUATE_ACCOUNT,
            dg.AssetSelection.assets(DERIVED_KEYS[LEDGER.name], EVALUATION_KEY),
            description="Lands the account's books and, where all their checks pass, evaluates its satellites.",
        ),
        dg.define_asset_job(
            PROPOSE_ORDERS,
            dg.AssetSelection.assets(DERIVED_KEYS[LEDGER.name], PROPOSALS_KEY),
            description="Lands the account's books and, where all their checks pass, proposes what satellites buy.",
        ),
        dg.define_asset_job(
            SEND_EXITS,
            dg.AssetSelection.assets(EXITS_KEY),
            description="Sends what satellites sell and lets their stops rest, whatever is blocked.",
        ),
    ]


def account_schedules(home: StudyHome) -> list[dg.ScheduleDefinition]:
    """Return the schedules of the account's evening, off by default; none makes a ledger."""
    return [
        _due(home, MARK_ACCOUNT, "15 21 * * 1-5", is_trading_day),
        _due(home, RECONCILE_ACCOUNT, "30 21 * * 1-5", is_trading_day),
        _due(home, EVALUATE_ACCOUNT, "45 21 * * 1-5", _begins_quarter),
        _due(home, PROPOSE_ORDERS, "50 21 * * 1-5", is_trading_day),
        _due(home, SEND_EXITS, "0 9,10 * * 1-5", is_trading_day),
    ]


def _begins_quarter(day: dt.date) -> bool:
    from pipelines.steps.account import begins_quarter

    return begins_quarter(day)


def _due(home: StudyHome, job: str, cron: str, is_due: Callable[[dt.date], bool]) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job}_daily",
        job_name=job,
        cron_schedule=cron,
        execution_timezone=str(NEW_YORK),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"The job {job} by New York's clock, where the study has a ledger.",
    )
    def due(context: dg.ScheduleEvaluationContext):  # type: ignore[no-untyped-def]
        day = context.scheduled_execution_time.astimezone(NEW_YORK).date()
        if last_entry(home.study, home.lake) is None:
            return dg.SkipReason(f"there is no ledger {home.study.ledger}")
        if not is_due(day):
            return dg.SkipReason(f"{day} is not due")
        return dg.RunRequest(run_key=f"{job}-{context.scheduled_execution_time:%Y-%m-%dT%H}")

    return due


def ledger_sensor(home: StudyHome) -> dg.SensorDefinition:
    """Return the sensor that lands the books and rebuilds the warehouse once for each state of the ledger."""

    @dg.sensor(
        name=LEDGER_MOVED,
        job_name=LAND_ACCOUNT,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Lands the account's books and rebuilds the warehouse when the ledger has new entries.",
    )
    def ledger_moved():  # type: ignore[no-untyped-def]
        last = last_entry(home.study, home.lake)
        if last is None:
            return dg.SkipReason(f"there is no ledger {home.study.ledger}")
        landed = home.lake.current(LEDGER.name)
        if landed is not None and landed.facts.get("digest") == last.digest:
            return dg.SkipReason(f"entry {last.entry} is landed")
        return dg.RunRequest(run_key=last.digest, tags={"sdlab/entry": str(last.entry)})

    return ledger_moved
