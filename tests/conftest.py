"""Fixtures for every room's tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_market() -> Path:
    """Return the folder of real market data beside the repository; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "market"
    if not folder.is_dir():
        pytest.skip("no market data beside the repository (shared/data/market)")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests want people to read at the end; see the property ``summary``."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(str(text))
