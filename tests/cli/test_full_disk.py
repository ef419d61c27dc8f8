"""Disks that take nothing more, and folders that may not be written: one line, no draft, the published files whole."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.lab import PROJECT, Lab

LINUX = sys.platform == "linux"
REBUILD = [sys.executable, "-m", "pipelines.cli", "run", "--select", "report_strategy"]
UNSHARE = shutil.which("unshare")
# In a file system of its own, which ends with the command: a copy of a home, and that little room beside it.
IN_LITTLE_ROOM = """
mount -t tmpfs -o size=$3 tmpfs "$1" && cp -a "$2/." "$1" && dd if=/dev/zero of="$1/rest" bs=1k 2>/dev/null
truncate -s -$4 "$1/rest"
cd "$5" && shift 5 && "$@"
code=$?
cd "$SD_HOME" && sha256sum < warehouse/small.duckdb && find . -name 'draft*' -o -name '.*.json.*'
exit $code
"""


def may_mount() -> bool:
    return (
        UNSHARE is not None and not subprocess.run([UNSHARE, "-m", "true"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not may_mount(), reason="expected to be allowed to mount a file system (unshare -m)")
@pytest.mark.parametrize("room", ["700K", "6M"])
def test_full_disk_is_said_in_a_line_and_leaves_what_was_published(finished: Lab, tmp_path: Path, room: str) -> None:
    lab = Lab(finished.study_file, tmp_path)
    given = [str(tmp_path), str(finished.root), "80M", room, str(PROJECT)]
    outcome = subprocess.run(
        [str(UNSHARE), "-m", "sh", "-c", IN_LITTLE_ROOM, "sh", *given, *REBUILD],
        env=os.environ | lab.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert outcome.returncode == 1
    *_, last, why = outcome.stderr.splitlines()
    assert last == "failed:"
    assert why.startswith(str(tmp_path))
    assert why.endswith((": No space left on device", ": the disk is full or damaged"))
    assert "Traceback" not in outcome.stderr
    assert "Exception while" not in outcome.stderr
    # What was published is whole, and no draft lies anywhere.
    assert outcome.stdout.splitlines()[-1] == f"{finished.digest()}  -"


@pytest.fixture
def as_written() -> Iterator[list[Path]]:
    """Return a list of folders that may be written again after the test."""
    folders: list[Path] = []
    yield folders
    for folder in folders:
        folder.chmod(0o755)


def obey_modes() -> None:
    """Take from root what lets it write anywhere; others have no such rights."""
    drop_from_bounding_set, override, search = 24, 1, 2
    for right in (override, search):
        ctypes.CDLL(None).prctl(drop_from_bounding_set, right, 0, 0, 0)


def obeying_modes(lab: Lab, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=os.environ | lab.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=obey_modes,
    )


@pytest.mark.skipif(not LINUX, reason="expected Linux, whose root can give up rights")
@pytest.mark.parametrize(
    ("folder", "named"),
    [
        pytest.param("warehouse", "warehouse/.small.draft.duckdb", id="the folder of warehouses"),
        pytest.param("warehouse/small", "warehouse/small/draft.html", id="the lake"),
        pytest.param(".dagster/small", ".dagster/small/dagster.yaml", id="Dagster's folder"),
        pytest.param(".dagster/small/history/runs", ".dagster/small", id="Dagster's runs"),
    ],
)
def test_folder_that_may_not_be_written_is_named_in_a_line(
    lab: Lab, as_written: list[Path], folder: str, named: str
) -> None:
    digest = lab.digest()
    as_written.append(lab.root / folder)
    as_written[0].chmod(0o555)
    outcome = obeying_modes(lab, REBUILD)
    assert outcome.returncode == 1
    assert outcome.stderr.endswith(f"failed:\n{lab.root / named}: Permission denied\n")
    assert "Traceback" not in outcome.stderr
    assert lab.digest() == digest
    assert not list((lab.root / "warehouse").rglob("*draft*"))


@pytest.mark.skipif(not LINUX, reason="expected Linux, whose root can give up rights")
@pytest.mark.parametrize("command", ["check", "status"])
def test_lake_that_may_not_be_written_can_still_be_read(lab: Lab, as_written: list[Path], command: str) -> None:
    for place in (lab.home.lake.root / ".lock", lab.home.lake.root):
        as_written.insert(0, place)
        place.chmod(0o555)
    outcome = obeying_modes(lab, [sys.executable, "-m", "pipelines.cli", command])
    assert (outcome.returncode, outcome.stderr) == (0, "")
