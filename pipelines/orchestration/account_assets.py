"""The account's evenings: what writes to its ledger, when, and what looks whether it has moved.

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
from pipelines.orchestration.names import ACCOUNT_GROUP, LAND_ACCOUNT, MARK_ACCOUNT, RECONCILE_ACCOUNT
from pipelines.orchestration.private import UnresolvedAssetJobDefinition
from pipelines.steps.books import last_entry
from pipelines.steps.datasets import LEDGER

MARKS_KEY = dg.AssetKey(["account", "marks"])
RECONCILIATION_KEY = dg.AssetKey(["account", "reconciliation"])
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
    ]


def account_schedules(home: StudyHome) -> list[dg.ScheduleDefinition]:
    """Return the schedules of the account's evening, off by default; none makes a ledger."""
    return [
        _evening(home, MARK_ACCOUNT, "15 21 * * 1-5", is_trading_day),
        _evening(home, RECONCILE_ACCOUNT, "30 21 * * 1-5", is_trading_day),
    ]


def _evening(home: StudyHome, job: str, cron: str, is_due: Callable[[dt.date], bool]) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"nightly_{job}",
        job_name=job,
        cron_schedule=cron,
        execution_timezone=str(NEW_YORK),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"The job {job} in New York's evening, where the study's ledger is there.",
    )
    def nightly(context: dg.ScheduleEvaluationContext):  # type: ignore[no-untyped-def]
        day = context.scheduled_execution_time.astimezone(NEW_YORK).date()
        if last_entry(home.study, home.lake) is None:
            return dg.SkipReason(f"there is no ledger {home.study.ledger}")
        if not is_due(day):
            return dg.SkipReason(f"{day} is not due")
        return dg.RunRequest(run_key=f"{job}-{day.isoformat()}")

    return nightly


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
