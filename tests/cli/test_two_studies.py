"""The comparison of two studies, as ``docs/queries.md`` has it."""

import re
import runpy
import shutil
from pathlib import Path

import pytest
from support.lab import PROJECT, Lab


def test_documented_comparison_has_the_scenarios_of_both_studies(
    finished: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (PROJECT / "docs/queries.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text.partition("## Two studies side by side")[2], re.DOTALL)
    (tmp_path / "warehouse").mkdir()
    for name in ("demo", "mine"):
        shutil.copy(finished.published, tmp_path / "warehouse" / f"{name}.duckdb")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compare.py").write_text(block, encoding="utf-8")
    compared = runpy.run_path("compare.py")["compared"]
    rows = len(finished.table("report_strategy"))
    assert list(compared["study"]) == ["demo"] * rows + ["mine"] * rows
    assert list(compared["rank"])[:rows] == sorted(finished.table("report_strategy")["rank"])
