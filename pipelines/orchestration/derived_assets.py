"""The derived datasets as assets: each is made, or found to be current and left alone.

What they are belongs in ``steps``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg

from pipelines.lab.current import current_market
from pipelines.lab.home import StudyHome
from pipelines.orchestration.failures import as_failures
from pipelines.orchestration.jobs import WHEN_LAKE_MOVED
from pipelines.orchestration.keys import DERIVED_KEYS, LAKE_TABLE_OWNERS
from pipelines.orchestration.lake_assets import OWNERS
from pipelines.orchestration.leaving import ALL, FRESH_TAG, leave_alone
from pipelines.orchestration.names import EVALUATE_ACCOUNT, MODELS_GROUP, PROPOSE_ORDERS, REFRESH, RESERVE_QUESTION
from pipelines.orchestration.progress import report_progress
from pipelines.steps.ahead import Ahead
from pipelines.steps.books import LEDGER_CHECKS, VERIFIES
from pipelines.steps.datasets import BUCKETS, LEDGER, MIXES, REFRESHED, RESERVE_BOOTSTRAP, SIDE_BY_SIDE
from pipelines.steps.derived import Derived, make_all
from pipelines.steps.signal_tables import BOOSTED_TREES, SIGNALS
from sd_core.errors import InputError
from sd_core.lake import Version

# Of steps that may begin Dagster takes those of a higher priority first; 0 is that of all others.
PRIORITY_TAG = "dagster/priority"


class PlansConfig(dg.Config):
    """Which plans of buckets to simulate; None: those that are outdated."""

    plans: list[str] | None = None


def derived_assets(home: StudyHome, ahead: Ahead | None = None) -> list[dg.AssetsDefinition]:
    """Return the assets of all derived datasets for one study: those of a refresh are made together, side by side.

    Args:
        home: the study.
        ahead: the process that makes them while this one simulates, where there is one.
    """
    return [
        *(_step(home, one.name, [one]) for one in (SIGNALS, BOOSTED_TREES, MIXES)),
        _step(home, "derived_datasets", SIDE_BY_SIDE, ahead),
        _buckets(home),
        _ledger(home),
        *(_step(home, one.name, [one]) for one in REFRESHED if one.reads_scenarios),
        _step(home, RESERVE_BOOTSTRAP.name, [RESERVE_BOOTSTRAP]),
    ]


def _step(home: StudyHome, name: str, datasets: Sequence[Derived], ahead: Ahead | None = None) -> dg.AssetsDefinition:
    # What is made ahead is waited for after the simulations.
    tags = {PRIORITY_TAG: "-1"} if ahead else {}

    @dg.multi_asset(name=name, specs=[_spec(one) for one in datasets], can_subset=True, op_tags=tags)
    def step(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        chosen = [one for one in datasets if DERIVED_KEYS[one.name] in context.selected_asset_keys]
        with as_failures():
            yield from _made_or_left(context, home, chosen, ahead)

    return step


def _buckets(home: StudyHome) -> dg.AssetsDefinition:
    @dg.multi_asset(name=BUCKETS.name, specs=[_spec(BUCKETS)])
    def buckets(context: dg.AssetExecutionContext, config: PlansConfig):  # type: ignore[no-untyped-def]
        with as_failures():
            if config.plans is None:
                yield from _made_or_left(context, home, [BUCKETS])
                return
            if unknown := [name for name in config.plans if name not in home.study.buckets]:
                raise InputError(f"plans: {', '.join(unknown)}: expected some of {', '.join(home.study.buckets)}")
            made = BUCKETS.make(home.study, home.lake, partial(report_progress, context), config.plans)
            yield dg.MaterializeResult(DERIVED_KEYS[BUCKETS.name], metadata=_noted(made))

    return buckets


def _ledger(home: StudyHome) -> dg.AssetsDefinition:
    key = DERIVED_KEYS[LEDGER.name]

    @dg.multi_asset(
        name=LEDGER.name,
        specs=[_spec(LEDGER)],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, description=description, blocking=True)
            for name, description in LEDGER_CHECKS.items()
        ],
    )
    def ledger(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
        found = _examined(home)
        for name, findings in found.items():
            # What a person has to settle about the account stops what follows for it, and no research.
            blocks = name == VERIFIES or context.run.job_name in (EVALUATE_ACCOUNT, PROPOSE_ORDERS)
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=not findings,
                severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
                metadata={"findings": dg.MetadataValue.text("\n".join(findings) or "none")},
            )
        if found[VERIFIES]:
            raise dg.Failure("\n".join([f"ledger {home.study.ledger} does not verify:", *found[VERIFIES]]))
        with as_failures():
            yield from _made_or_left(context, home, [LEDGER])

    return ledger


def _examined(home: StudyHome) -> Mapping[str, Sequence[str]]:
    """Return what speaks against the ledger by check; where there is none, without waiting for its libraries."""
    if not LEDGER.parts(home.study, home.lake):
        return {name: [] for name in LEDGER_CHECKS}
    from pipelines.steps.account import examine

    return examine(home, dt.datetime.now(dt.UTC))


def _made_or_left(
    context: dg.AssetExecutionContext, home: StudyHome, chosen: Sequence[Derived], ahead: Ahead | None = None
) -> Iterator[dg.MaterializeResult[None]]:
    made_ahead = ahead.made() if ahead else {}
    market = current_market(home.study, home.lake)
    outdated = []
    for one in chosen:
        if one.name in made_ahead:
            yield dg.MaterializeResult(DERIVED_KEYS[one.name], metadata=_noted(made_ahead[one.name]))
            continue
        current = one.current(home.study, home.lake, market)
        to_make = one.without(current, home.study, home.lake)
        why = _why_left(context, one, to_make)
        parts = list(one.parts(home.study, home.lake))
        if not parts:
            why = "the study has none"
        if why:
            key = DERIVED_KEYS[one.name]
            yield dg.MaterializeResult(key, metadata=_noted(current) | leave_alone(context, key, why))
        else:
            fresh = context.run.tags.get(FRESH_TAG) == ALL or not one.refreshed
            outdated.append((one, parts if fresh else to_make))
    for one, made in make_all(outdated, home.study, home.lake, partial(report_progress, context)):
        yield dg.MaterializeResult(DERIVED_KEYS[one.name], metadata=_noted(made))


def _why_left(context: dg.AssetExecutionContext, one: Derived, outdated: Sequence[str]) -> str | None:
    """Return why a run leaves a dataset as it is, or None where it makes some of it."""
    if not one.refreshed:
        # The refresh covers it, so that its page does not warn of an input that was never made, and takes no time.
        return f"made by the job {RESERVE_QUESTION} alone" if context.run.job_name == REFRESH else None
    current = not outdated and context.run.tags.get(FRESH_TAG) != ALL
    return "of the same prices, settings and code" if current else None


def _noted(versions: Mapping[str, Version]) -> dict[str, Any]:
    """Return what is noted of the parts of a dataset: all their rows by table, and the facts that they share."""
    parts = list(versions.values())
    rows = {name: sum(part.rows[name] for part in parts) for part in parts for name in part.rows}
    shared = set.intersection(*(set(part.facts.items()) for part in parts)) if parts else set()
    return rows | dict(sorted(shared))


def _spec(derived: Derived) -> dg.AssetSpec:
    return dg.AssetSpec(
        DERIVED_KEYS[derived.name],
        deps=[key for name in derived.inputs for key in LAKE_TABLE_OWNERS[name]],
        group_name=MODELS_GROUP if derived.refreshed else "simulation",
        kinds={"python", "parquet"},
        owners=OWNERS,
        code_version=derived.version,
        automation_condition=WHEN_LAKE_MOVED if derived.refreshed else None,
        description=derived.description,
    )
