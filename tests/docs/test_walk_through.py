"""The walk-through of docs/ledger.md prints what it says."""

import re
import shlex
from pathlib import Path

import pytest
from support.lab import PROJECT, Lab, small_study, write_study

PAGE = PROJECT / "docs" / "ledger.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def steps() -> list[tuple[list[str], str]]:
    """Return each command of the page, without the program, and what it prints."""
    text = "".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    blocks = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [(shlex.split(command)[1:], printed) for command, _, printed in (one.partition("\n") for one in blocks)]


def test_each_step_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SD_LEDGER", raising=False)
    (tmp_path / "prices").mkdir()
    lab = Lab(write_study(tmp_path / "mine.yaml", small_study(tmp_path / "prices")), tmp_path / "home")
    assert len(steps()) >= 10
    for words, printed in steps():
        outcome = lab.sdlab(*words)
        # rich pads the cells of a table to its width.
        said = "".join(f"{line.rstrip()}\n" for line in (outcome.out + outcome.err).splitlines())
        assert said == printed, words
