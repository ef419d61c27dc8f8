"""Fixtures for every room's tests: real prices, and a finished run of a small study with labs that go on from it."""

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.bucket_lab import bucket_lab_in, new_bucket_lab
from support.lab import Lab, Outcome, small_study, write_prices, write_study
from support.postgresql import server
from support.s3_server import S3, s3_server
from support.shared_by_workers import compile_one_at_a_time, filled_once
from support.steps import refresh

from sd_core.processes import collect_seldom


def pytest_configure() -> None:
    """Look for garbage as seldom as the program itself does, compile once for all workers, and wait for no disk."""
    collect_seldom()
    compile_one_at_a_time()
    write_into_memory()


MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, on Linux
# Folders of tests that pass are removed as they end, so that all workers together need a fraction of it.
ROOM = 2 << 30


def write_into_memory() -> None:
    """Let temporary folders lie in memory that has room: every entry of a ledger waits until a disk has it."""
    if MEMORY.is_dir():
        found = os.statvfs(MEMORY)
        if found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


# Each takes half a minute: where one of them came last, the other cores would wait for it.
LONGEST = ("test_random_cases_cover_every_rule_and_kind", "test_demo_run_whole_publishes_the_same_tables")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests come first, whatever the order of the others."""
    items.sort(key=lambda item: item.name not in LONGEST)


@pytest.fixture(scope="session")
def shared_market() -> Path:
    """Return the folder of real market data beside the repository; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "market"
    if not folder.is_dir():
        pytest.skip("no market data beside the repository (shared/data/market)")
    return folder


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Outcome]:
    """Return a finished run of the small study, which tests leave as it is, and how it ended."""

    def fill(folder: Path) -> None:
        write_study(folder / "small.yaml", small_study(write_prices(folder / "prices")))
        outcome = Lab(folder / "small.yaml", folder / "home").sdlab("run")
        (folder / "outcome.json").write_text(json.dumps(dataclasses.asdict(outcome)), encoding="utf-8")

    folder = filled_once(tmp_path_factory, "small", fill)
    outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    return Lab(folder / "small.yaml", folder / "home"), Outcome(**outcome)


@pytest.fixture(scope="session")
def finished(ran: tuple[Lab, Outcome]) -> Lab:
    """Return the lab of the finished run, which tests leave as it is."""
    lab, outcome = ran
    assert outcome.code == 0, outcome.err
    return lab


@pytest.fixture(scope="session")
def bucket_lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the lab of a finished run of a study with plans of buckets, which tests leave as it is."""

    def fill(folder: Path) -> None:
        refresh(new_bucket_lab(folder).home)

    return bucket_lab_in(filled_once(tmp_path_factory, "buckets", fill))


@pytest.fixture
def lab(finished: Lab, tmp_path: Path) -> Lab:
    """Return a lab that goes on where the finished run ended, to be changed at will; its price files are shared."""
    return finished.copy_to(tmp_path / "home")


@pytest.fixture
def lab_with_prices(finished: Lab, tmp_path: Path) -> Lab:
    """Return a lab with the published warehouse of the finished run and price files of its own, to be broken."""
    prices = shutil.copytree(finished.study_file.parent / "prices", tmp_path / "prices")
    root = finished.copy_to(tmp_path / "home").root
    return Lab(write_study(tmp_path / "small.yaml", small_study(prices)), root)


@pytest.fixture
def fresh_lab(finished: Lab, tmp_path: Path) -> Lab:
    """Return a lab in which nothing was ever run."""
    return Lab(finished.study_file, tmp_path / "home")


@pytest.fixture
def changed_study(finished: Lab, tmp_path: Path) -> Callable[..., Lab]:
    """Return a function that gives a lab as ``lab``, with some keys of the study changed."""

    def change(**keys: Any) -> Lab:
        study = small_study(finished.study_file.parent / "prices") | keys
        root = finished.copy_to(tmp_path / "home").root
        return Lab(write_study(tmp_path / "changed" / "small.yaml", study), root)

    return change


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the address of a PostgreSQL server that ends with the tests."""
    with server() as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """Return a server of buckets that ends with the tests."""
    with s3_server() as started:
        yield started


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Return a list of processes that do not outlive the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed of the order, and what tests want people to read at the end; see the property ``summary``."""
    if (seed := terminalreporter.config.getoption("randomly_seed", None)) is not None:
        terminalreporter.write_line(f"the order of this run again: pytest --randomly-seed={seed}")
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(str(text))
