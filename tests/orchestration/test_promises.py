"""What the tables of a run must have, whatever other runs store meanwhile: what the run itself has to do with."""

from typing import Any

import dagster as dg
import pytest
from support.lab import Lab

from pipelines.orchestration.execution import tags_of
from pipelines.orchestration.jobs import RESERVE_QUESTION
from pipelines.orchestration.keys import DERIVED_KEYS, TABLE_KEYS
from pipelines.orchestration.names import REFRESH
from pipelines.orchestration.partitions import range_tags
from pipelines.orchestration.selection import Selection, select_all, select_named, select_outdated
from pipelines.orchestration.warehouse_assets import promised
from pipelines.steps.plan import Plan
from pipelines.steps.stored import NOTHING, WHOLE, Promised

MODELS = Promised(derived=WHOLE.derived)
OF_A_SENSOR = "__ASSET_JOB"
TABLE, FIT = TABLE_KEYS["report_strategy"], DERIVED_KEYS["correlations"]


def by_command(lab: Lab, selection: Selection) -> Promised:
    run = dg.DagsterRun(selection.job, tags=tags_of(selection), asset_selection=frozenset(selection.assets))
    return promised(run, lab.home.study)


def on_the_page(lab: Lab, job: str, *assets: dg.AssetKey, **tags: Any) -> Promised:
    run = dg.DagsterRun(job, tags=tags, asset_selection=frozenset(assets) or None)
    return promised(run, lab.home.study)


def test_whole_run_promises_everything_whatever_was_outdated(finished: Lab) -> None:
    assert by_command(finished, select_all(finished.home.study)) == WHOLE
    for scenarios, derived in ((finished.home.study.scenarios, ["selection"]), ((), [])):
        plan = Plan((), False, scenarios, derived, True)
        assert by_command(finished, select_outdated(finished.home, plan)) == WHOLE
    grid = range_tags(finished.home.study.scenarios)
    assert promised(dg.DagsterRun(REFRESH, tags=grid), finished.home.study) == WHOLE


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("sd8", MODELS),
        ("r0|sd8", MODELS),
        ("reserve_bootstrap", MODELS),
        ("report_strategy", NOTHING),
        ("selection", Promised(derived=frozenset({"selection"}))),
    ],
)
def test_run_of_a_part_promises_the_models_that_it_makes(finished: Lab, named: str, expected: Promised) -> None:
    assert by_command(finished, select_named(finished.home, named)) == expected


def test_run_from_the_page_promises_what_was_chosen(finished: Lab) -> None:
    study = finished.home.study
    assert on_the_page(finished, OF_A_SENSOR, TABLE, FIT) == Promised(derived=frozenset({"correlations"}))
    assert on_the_page(finished, REFRESH, TABLE) == NOTHING
    assert on_the_page(finished, REFRESH, **{"dagster/partition": "r0|sd8"}) == NOTHING
    assert on_the_page(finished, REFRESH, **range_tags(study.scenarios[:1])) == NOTHING
    assert on_the_page(finished, RESERVE_QUESTION, FIT) == Promised(derived=frozenset({"correlations"}))
