"""A lake, or all warehouses, on another disk than the rest of the home: nothing is renamed from one to the other."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.lab import Lab
from support.steps import publish, refresh


@pytest.fixture
def other_disk(lab: Lab) -> Iterator[Path]:
    """Return a folder of another file system, which goes after the test."""
    places = [Path("/dev/shm"), Path(tempfile.gettempdir())]  # noqa: S108 - two file systems, which is the point
    disks = [place for place in places if place.is_dir() and place.stat().st_dev != lab.root.stat().st_dev]
    if not disks:
        pytest.skip("expected /dev/shm, a file system of its own")
    with tempfile.TemporaryDirectory(prefix="sdlab-", dir=disks[0]) as folder:
        yield Path(folder)


@pytest.mark.parametrize("moved", ["warehouse/small", "warehouse"])
def test_lake_behind_a_link_to_another_disk_is_written_and_published(lab: Lab, other_disk: Path, moved: str) -> None:
    place = lab.root / moved
    shutil.move(place, other_disk / "moved")
    place.symlink_to(other_disk / "moved")
    before, rows = lab.pointers(), lab.rows()
    refresh(lab.home, fresh=True)
    after = lab.pointers()
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in ("market", "simulations/sd8/r10", "publication"))
    assert lab.rows() == rows
    publish(lab.home)
    assert lab.home.published.report.resolve().is_relative_to(other_disk)
    assert lab.published.resolve().is_relative_to(other_disk) == (moved == "warehouse")
    assert place.is_symlink()
    assert not list((lab.root / "warehouse").rglob("*draft*"))
