"""The wheel: what it holds, and that it works away from the checkout."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.lab import PROJECT

OLDEST_SETUPTOOLS = 77
# Where the wheel holds what lies beside the packages in a checkout.
FILES = "pipelines/files"
PACKAGED = {"sd_core": {".py"}, "pipelines": {".py", ".css", ".js"}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout, built from a copy: building leaves files beside the source."""
    try:
        found = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("setuptools, which builds the wheel, is not installed")
    if int(found.partition(".")[0]) < OLDEST_SETUPTOOLS:
        pytest.skip(f"setuptools {found} cannot build the wheel: expected {OLDEST_SETUPTOOLS} or newer")
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for folder in ("sd_core", "pipelines", "sql", "studies"):
        shutil.copytree(PROJECT / folder, source / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "workspace.yaml"):
        shutil.copy(PROJECT / file, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", built, source], check=True)
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's packages."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def start(unpacked: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the wheel's packages before all others and no folder named for what it leaves."""
    ours = {"SD_HOME", "SD_STUDY", "DAGSTER_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_the_code_the_sql_the_studies_and_the_licence_and_nothing_else(wheel: Path) -> None:
    expected = {
        file.relative_to(PROJECT).as_posix()
        for package, suffixes in PACKAGED.items()
        for file in (PROJECT / package).rglob("*")
        if file.suffix in suffixes
    }
    expected |= {f"{FILES}/{file.relative_to(PROJECT).as_posix()}" for file in (PROJECT / "sql").rglob("*.sql")}
    expected |= {f"{FILES}/{file.relative_to(PROJECT).as_posix()}" for file in (PROJECT / "studies").glob("*.yaml")}
    expected.add(f"{FILES}/workspace.yaml")
    held = set(zipfile.ZipFile(wheel).namelist())
    described = {name for name in held if ".dist-info/" in name}
    assert held - described == expected
    assert any(name.endswith("/licenses/LICENSE") for name in described)


def test_a_command_finds_the_demo_and_keeps_what_it_makes_in_the_current_folder(unpacked: Path, tmp_path: Path) -> None:
    found = start(unpacked, tmp_path, "-m", "pipelines.cli", "check")
    assert found.returncode == 0, found.stderr
    assert str(unpacked / FILES / "studies" / "demo.yaml") in found.stdout

    refused = start(unpacked, tmp_path, "-m", "pipelines.cli", "query", "select 1")
    assert refused.returncode == 2
    assert str(tmp_path / "warehouse" / "demo.duckdb") in refused.stderr

    unknown = start(unpacked, tmp_path, "-m", "pipelines.cli", "check", "--study", "nowhere")
    assert unknown.returncode == 2
    assert str(unpacked / FILES / "studies") in unknown.stderr


def test_dagster_loads_every_asset_from_it(unpacked: Path, tmp_path: Path) -> None:
    program = """\
from pipelines.definitions import defs
from pipelines.lab.home import SQL, WORKSPACE
from pipelines.report.page import HERE
from pipelines.warehouse.models import own_models

assert WORKSPACE.is_file() and (HERE / "report.css").is_file() and (HERE / "report.js").is_file()
print(SQL, len(own_models()))
assert len(list(defs().resolve_asset_graph().get_all_asset_keys())) > len(own_models())
"""
    loaded = start(unpacked, tmp_path, "-c", program)
    assert loaded.returncode == 0, loaded.stderr
    folder, models = loaded.stdout.split()
    assert Path(folder) == unpacked / FILES / "sql"
    files = [file for layer in ("staging", "analytics", "reports") for file in (PROJECT / "sql" / layer).iterdir()]
    assert int(models) >= len(files)
