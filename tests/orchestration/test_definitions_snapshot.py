"""All that Dagster is given of the demo, and of a Yahoo study where that differs, against a stored file.

The file was copied from the code's own output on purpose. It proves nothing about correctness: it shows a change of the
asset graph to a reviewer, and that a move was only one. ``SD_SNAPSHOT=write`` before the command that runs this
test rewrites it; the commit that does so must say why.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support import golden_files

from pipelines.lab.home import open_home
from pipelines.orchestration.assembly import build_definitions


def test_definitions_are_those_that_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SD_HOME", str(tmp_path))
    demo, vision = (described(build_definitions(open_home(name))) for name in ("demo", "vision"))
    found = {"demo": demo, "vision, where it differs from demo": changes(demo, vision)}
    difference = golden_files.difference("definitions", found)
    assert not difference, difference


def described(definitions: dg.Definitions) -> dict[str, Any]:
    """Return definitions in plain words and numbers, by name."""
    graph, repository = definitions.resolve_asset_graph(), definitions.get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    return {
        "assets": {name(key): asset(graph, key) for key in sorted(graph.get_all_asset_keys())},
        "jobs": {
            job.name: {"tags": dict(sorted(job.tags.items())), "assets": names(job.asset_layer.selected_asset_keys)}
            for job in sorted(jobs, key=lambda job: job.name)
        },
        "schedules": {one.name: schedule(one) for one in sorted(repository.schedule_defs, key=lambda one: one.name)},
        "sensors": {one.name: sensor(graph, one) for one in sorted(repository.sensor_defs, key=lambda one: one.name)},
        "executor": definitions.executor.name if definitions.executor else None,
    }


def asset(graph: Any, key: dg.AssetKey) -> dict[str, Any]:
    node = graph.get(key)
    checks = [graph.get_check_spec(check) for check in sorted(node.check_keys, key=lambda check: check.name)]
    return {
        "group": node.group_name,
        "step": node.assets_def.op.name,
        "deps": names(node.parent_keys),
        "kinds": sorted(node.kinds),
        "owners": sorted(node.owners),
        "description": first_line(node.description),
        "partitions": partitions(node.partitions_def),
        "has code version": node.code_version is not None,
        "automation": condition(node.automation_condition),
        "backfill": node.backfill_policy.policy_type.value if node.backfill_policy else None,
        "has columns": "dagster/column_schema" in node.metadata,
        "checks": {
            check.name: f"{'blocks' if check.blocking else 'warns'}: {first_line(check.description)}"
            for check in checks
        },
    }


def schedule(one: Any) -> dict[str, Any]:
    return {
        "job": one.job_name,
        "cron": one.cron_schedule,
        "zone": one.execution_timezone,
        "default": one.default_status.value,
    }


def sensor(graph: Any, one: Any) -> dict[str, Any]:
    # What watches runs starts none.
    job = one.job_name if one.targets else None
    return {
        "kind": one.sensor_type.name,
        "target": names(one.asset_selection.resolve(graph)) if one.asset_selection else job,
        "seconds": one.minimum_interval_seconds,
        "default": one.default_status.value,
    }


def name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def names(keys: Iterable[dg.AssetKey]) -> list[str]:
    return sorted(map(name, keys))


def first_line(text: str | None) -> str | None:
    return text.partition("\n")[0] if text else None


def partitions(definition: Any) -> dict[str, int] | None:
    """Return the number of partitions by dimension, of which a plain definition has one without a name."""
    if definition is None:
        return None
    if not isinstance(definition, dg.MultiPartitionsDefinition):
        return {"": len(definition.get_partition_keys())}
    dimensions = definition.partition_dimension_names
    return {one: len(definition.get_partitions_def_for_dimension(one).get_partition_keys()) for one in dimensions}


def condition(automation: Any) -> str | None:
    """Return an automation condition in words: its label, or the labels of its parts."""
    if automation is None or automation.get_label():
        return automation and automation.get_label()
    if parts := getattr(automation, "operands", None):
        return " & ".join(str(condition(part)) for part in parts)
    part = getattr(automation, "operand", None)
    return f"not {condition(part)}" if part else type(automation).__name__


def changes(before: Any, after: Any) -> Any:
    """Return what is not the same after, by name; None marks what is gone."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: changes(before.get(key), after.get(key)) for key in changed}
