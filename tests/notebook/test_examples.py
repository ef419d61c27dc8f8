"""The Python of the pages and of the notebook runs, on a demo with other prices: what is tested are the calls."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.lab import PROJECT, Lab, small_study, write_prices, write_study
from support.steps import refresh

NOTEBOOK = PROJECT / "docs" / "python.ipynb"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a finished run of the demo's strategies on small prices; its study also lies there as ``mine.yaml``."""
    folder = tmp_path_factory.mktemp("studies")
    strategies = YAML(typ="safe").load(PROJECT / "studies" / "demo.yaml")["strategies"]
    study = small_study(write_prices(folder / "prices")) | {"name": "demo", "strategies": strategies}
    write_study(folder / "mine.yaml", study)
    lab = Lab(write_study(folder / "demo.yaml", study), folder / "home")
    refresh(lab.home)
    return lab


@pytest.fixture(autouse=True)
def at_home(demo: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where the demo has run."""
    monkeypatch.setattr("pipelines.lab.home.STUDIES", demo.study_file.parent)
    monkeypatch.setenv("SD_HOME", str(demo.root))
    monkeypatch.chdir(demo.study_file.parent)


def run(pieces: list[str]) -> None:
    """Run pieces of code one after the other, as a notebook does."""
    names: dict[str, object] = {}
    for number, piece in enumerate(pieces, start=1):
        exec(compile(piece, f"<piece {number}>", "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", ["docs/python.md", "README.md"])
def test_examples_of_a_page_run(page: str) -> None:
    blocks = [
        block
        for block in BLOCK.findall((PROJECT / page).read_text(encoding="utf-8"))
        if "sd_core" in block or "lab." in block
    ]
    assert blocks
    run(blocks)


def test_the_notebook_runs_from_top_to_bottom() -> None:
    run(["".join(cell["source"]) for cell in _cells("code")])


def test_the_notebook_is_kept_without_output() -> None:
    assert [cell for cell in _cells("code") if cell["outputs"] or cell["execution_count"]] == []


def test_links_of_the_notebook_lead_somewhere() -> None:
    text = "".join(line for cell in _cells("markdown") for line in cell["source"])
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert links
    assert [link for link in links if not Path(NOTEBOOK.parent, link).is_file()] == []


def _cells(kind: str) -> list[dict]:
    return [one for one in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if one["cell_type"] == kind]
