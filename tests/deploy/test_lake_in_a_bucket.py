"""A run whose lake lies in an S3 bucket publishes what a local one does, whatever other heads and the store do."""

import shutil
import subprocess
import time
from pathlib import Path

import obstore
import pytest
from support.lab import Lab, small_study, write_prices, write_study
from support.s3_server import S3

from pipelines.lab.current import SIMULATIONS
from sd_core.market.sources.states import RAW_PRICES
from sd_core.schemas.sweeps import SWEEPS

# 25 combinations at two reserves that keep metrics alone, and a study's scenarios beside them.
SWEEP = {
    "rule": {"sd_n": [4, 6, 8, 12, 16], "profit_share": [0.2, 0.3, 0.5, 0.7, 0.9]},
    "keep": "metrics",
}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a finished run of a study with a sweep, on a lake of this disk."""
    folder = tmp_path_factory.mktemp("local")
    study = small_study(write_prices(folder / "prices"))
    study["strategies"]["swept"] = SWEEP
    lab = Lab(write_study(folder / "small.yaml", study), folder / "home")
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    return lab


@pytest.fixture
def address(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of new lakes, which processes started from here use."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    address = f"{s3.bucket()}/labs"
    monkeypatch.setenv("SD_LAKE", address)
    return address


def head(local: Lab, home: Path) -> Lab:
    """Return a machine that works on the study: a home of its own."""
    return Lab(local.study_file, home)


def test_whole_run_on_a_bucket_publishes_what_a_local_run_does(
    local: Lab, address: str, tmp_path: Path, s3: S3
) -> None:
    lab = head(local, tmp_path / "home")
    outcome = lab.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert lab.rows() == local.rows()
    lake = lab.home.lake
    assert lake.files.place() == f"{address}/small"
    assert len(lake.keys(SIMULATIONS)) == 6
    assert len(lake.segments(SWEEPS)) == 1
    # Nothing of the lake lies in the home but copies and what concerns this machine.
    assert {path.name for path in lake.root.iterdir() if path.is_dir()} == {"publication"}
    assert "up to date, so nothing was run" in " ".join(lab.sdlab("run").out.split())
    shutil.rmtree(lake.files.root)
    assert lab.sdlab("run", "--select", "report_strategy").code == 0
    assert lab.rows() == local.rows()
    assert_nowhere(s3.environment["AWS_SECRET_ACCESS_KEY"].encode(), lab)


def assert_nowhere(secret: bytes, lab: Lab) -> None:
    """Check that no file of a home and none of its lake holds a secret."""
    stored = [path.read_bytes() for path in lab.root.rglob("*") if path.is_file()]
    files = lab.home.lake.files
    stored += [bytes(obstore.get(files._store, one["path"]).bytes()) for one in files._listed("")]
    assert len(stored) > 50
    assert not any(secret in content for content in stored)


def test_demo_on_a_bucket_publishes_what_a_local_run_does(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Path(__file__).resolve().parents[2] / "studies" / "demo.yaml"
    on_bucket, local = Lab(study, tmp_path / "bucket"), Lab(study, tmp_path / "local")
    assert on_bucket.sdlab("run").code == 0
    monkeypatch.delenv("SD_LAKE")
    assert local.sdlab("run").code == 0
    assert on_bucket.rows() == local.rows()


def test_heads_at_once_on_one_bucket_publish_the_same(local: Lab, address: str, tmp_path: Path) -> None:
    heads = [head(local, tmp_path / name) for name in ("one", "two")]
    assert ended([one.start("run") for one in heads]) == [0, 0]
    for one in heads:
        assert one.rows() == local.rows()
    # Each asked the files of prices; neither lost what the other had stored.
    assert len(heads[0].home.lake.keys(RAW_PRICES)) == 3


def ended(processes: list[subprocess.Popen[str]]) -> list[int]:
    for process in processes:
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    return [process.returncode for process in processes]


def test_store_that_stops_for_ten_seconds_costs_a_run_no_more(local: Lab, address: str, tmp_path: Path, s3: S3) -> None:
    lab = head(local, tmp_path / "home")
    process = lab.start("run")
    while process.poll() is None and not lab.home.lake.keys(RAW_PRICES):
        time.sleep(0.1)
    with s3.stopped():
        time.sleep(10)
    assert ended([process]) == [0]
    assert lab.rows() == local.rows()


def test_head_that_is_killed_leaves_a_lake_that_another_goes_on_from(local: Lab, address: str, tmp_path: Path) -> None:
    killed, other = (head(local, tmp_path / name) for name in ("killed", "other"))
    process = killed.start("run")
    while process.poll() is None and not killed.home.lake.keys(SIMULATIONS):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    outcome = other.sdlab("run")
    assert outcome.code == 0, outcome.err
    assert other.rows() == local.rows()
