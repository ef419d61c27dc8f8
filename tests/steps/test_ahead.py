"""Derived datasets that a second process makes while the first one simulates: the same, and made again if it dies."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from support.lab import Lab

from pipelines.orchestration import derived_assets
from pipelines.steps import ahead as making
from pipelines.steps.ahead import Ahead, making_ahead
from pipelines.steps.datasets import SIDE_BY_SIDE
from sd_core.errors import NotReadyError
from sd_core.lake import Lake


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a second process for any study, on any machine."""
    monkeypatch.setattr(making, "WORTH_A_PROCESS", dt.timedelta())
    monkeypatch.setattr(making.os, "cpu_count", lambda: 2)


def stored(lab: Lab) -> dict[str, list[bytes]]:
    """Return the bytes of the files of each dataset that is made side by side."""
    root = lab.home.lake.root
    return {
        one.name: [file.read_bytes() for file in sorted(root.glob(f"{one.name}/**/*.parquet"))] for one in SIDE_BY_SIDE
    }


@pytest.mark.usefixtures("always")
def test_whole_run_leaves_the_same_whichever_process_fits(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, files = lab.rows(), stored(lab)

    make_all = derived_assets.make_all

    def here(wanted, *arguments):  # type: ignore[no-untyped-def]
        assert not {one for one, _ in wanted} & {*SIDE_BY_SIDE}, "the second process was to make these"
        return make_all(wanted, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(derived_assets, "make_all", here)
        outcome = lab.sdlab("run", "--fresh")
    assert outcome.code == 0, outcome.err
    order = [line.partition(":")[0].strip() for line in outcome.err.splitlines() if ": done in" in line]
    assert order.index("simulations") < order.index("derived datasets")
    assert lab.rows() == rows
    # Those of before may not have been pruned yet.
    assert all(set(stored(lab)[name]) == set(of_one) for name, of_one in files.items())


@pytest.mark.usefixtures("always")
def test_what_a_killed_process_was_to_make_is_made_by_the_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = lab.rows()
    begin = Ahead.begin

    def killed(ahead: Ahead, *arguments, **keys) -> None:  # type: ignore[no-untyped-def]
        begin(ahead, *arguments, **keys)
        ahead.end()

    monkeypatch.setattr(Ahead, "begin", killed)
    outcome = lab.sdlab("run", "--fresh")
    assert outcome.code == 0, outcome.err
    assert lab.rows() == rows


@pytest.mark.usefixtures("always")
def test_what_fails_there_is_raised_here_and_what_is_current_is_left(lab: Lab, tmp_path: Path) -> None:
    study = lab.home.study
    with making_ahead(study) as ahead:
        assert ahead is not None
        assert ahead.made() == {}
        ahead.begin(study, lab.home.lake, fresh=False)
        assert ahead.made() == {}
    with making_ahead(study) as ahead:
        assert ahead is not None
        ahead.begin(study, Lake(tmp_path / "empty"), fresh=False)
        with pytest.raises(NotReadyError, match="no prices in the lake"):
            ahead.made()
    assert not ahead._process.is_alive()
    # Asked for too late.
    ahead.begin(study, lab.home.lake, fresh=True)
    assert ahead.made() == {}


def test_short_study_has_no_second_process(lab: Lab) -> None:
    with making_ahead(lab.home.study) as ahead:
        assert ahead is None


@pytest.mark.usefixtures("always")
def test_study_that_only_sweeps_has_no_second_process(changed_study: Callable[..., Lab]) -> None:
    swept = {"buy_and_hold": {"keep": "metrics"}, "sd8": {"rule": {"sd_n": 8}, "keep": "metrics"}}
    with making_ahead(changed_study(strategies=swept).home.study) as ahead:
        assert ahead is None
