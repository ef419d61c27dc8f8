"""Broken input at the command line: refused with exit code 2 and a readable word, and nothing published is touched.

What exactly each word says is tested where it is written, in the studies' and the prices' own tests.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.lab import Lab, Outcome, small_study, write_study

HEADER = "Date,Open,High,Low,Close"
ROW = "2023-01-03,10,12,9,11"


@pytest.fixture(scope="module")
def published(finished: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a lab with something published that no test of this file may change."""
    return finished.copy_to(tmp_path_factory.mktemp("refusals") / "home")


@pytest.fixture
def refuse(published: Lab) -> Callable[[Path], Outcome]:
    """Return a function that runs a study file and has it refused."""
    before = published.digest(), published.pointers()

    def run(study_file: Path) -> Outcome:
        outcome = Lab(study_file, published.root).sdlab("run", "--study", str(study_file))
        assert outcome.code == 2, outcome.err
        assert outcome.err.count("refused:\n") == 1
        assert "Traceback" not in outcome.err
        assert "warehouse:" not in outcome.out
        assert (published.digest(), published.pointers()) == before
        return outcome

    return run


@pytest.fixture
def prices(finished: Lab, tmp_path: Path) -> Path:
    """Return a folder of price files to be broken."""
    return Path(shutil.copytree(finished.study_file.parent / "prices", tmp_path / "prices"))


# Price files


def replace_with(content: str | bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(content.encode() if isinstance(content, str) else content) and None


def replace_line(number: int, line: str) -> Callable[[Path], None]:
    """Return what replaces one line, of which the first is number 1, and leaves the rest of the file."""

    def damage(file: Path) -> None:
        lines = file.read_text(encoding="utf-8").splitlines()
        lines[number - 1] = line
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return damage


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def make_circular_link(file: Path) -> None:
    # No permission bit stops every user that runs tests; this file no user can read.
    file.unlink()
    file.symlink_to(file.name)


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        pytest.param(replace_with(f"Date,Open,High,Low\n{ROW}\n"), "line 1", id="missing column"),
        pytest.param(replace_with(f"{HEADER},Close\n{ROW},11\n"), "line 1", id="duplicate column"),
        pytest.param(replace_with(""), "empty", id="empty"),
        pytest.param(replace_with(f"{HEADER}\n"), "rows below the header", id="header only"),
        pytest.param(replace_line(3, "3.1.2023,10,12,9,11"), "line 3: Date", id="unparsable date"),
        pytest.param(replace_line(3, "2023-01-02,10,12,9,11"), "line 3: Date", id="repeated date"),
        pytest.param(replace_line(9, "2023-01-03,10,12,9,11"), "line 9: Date", id="repeated and unsorted date"),
        pytest.param(replace_line(2, "2023-01-09,10,12,9,11"), "line 3: Date", id="unsorted date"),
        pytest.param(replace_line(3, "2023-01-03,10,12,9,eleven"), "line 3: Close", id="text in a price"),
        pytest.param(replace_line(3, "2023-01-03,10,12,9,NaN"), "line 3: Close", id="NaN"),
        pytest.param(replace_line(3, "2023-01-03,10,12,9,"), "line 3: Close", id="blank"),
        pytest.param(replace_line(3, "2023-01-03,10,12,0,11"), "line 3: Low", id="zero"),
        pytest.param(replace_line(3, "2023-01-03,10,12,-9,11"), "line 3: Low", id="negative"),
        pytest.param(replace_line(3, "2023-01-03,10,9,12,11"), "line 3: High", id="high below low"),
        pytest.param(replace_line(3, "2023-01-03,10,12,9,13"), "line 3: Close", id="close outside the bar"),
        pytest.param(replace_with(f"{HEADER},Börse\n{ROW},x\n".encode("latin-1")), "UTF-8", id="wrong encoding"),
        pytest.param(replace_with(f"{HEADER}\n{ROW}\n".encode("utf-16")), "UTF-8", id="UTF-16"),
        pytest.param(replace_with(bytes(range(256))), "UTF-8", id="binary"),
        pytest.param(make_circular_link, "readable file", id="unreadable"),
        pytest.param(make_folder, "folder", id="folder in its place"),
        pytest.param(Path.unlink, "no file", id="missing file"),
    ],
)
def test_broken_price_file_is_refused(
    refuse: Callable[[Path], Outcome], prices: Path, tmp_path: Path, damage: Callable[[Path], None], place: str
) -> None:
    damage(prices / "BBB.csv")
    outcome = refuse(write_study(tmp_path / "small.yaml", small_study(prices)))
    refusal = outcome.err.partition("refused:\n")[2]
    assert str(prices) in refusal
    assert "BBB.csv" in refusal
    assert place in refusal
    # Every line is a finding about this file, in a sentence and not in a dump.
    assert all("BBB.csv" in line for line in refusal.splitlines())
    assert len(refusal.splitlines()) <= 6


def test_broken_dividends_file_is_refused(refuse: Callable[[Path], Outcome], prices: Path, tmp_path: Path) -> None:
    replace_line(2, "2023-02-27,-0.4")(prices / "BBB_dividends.csv")
    outcome = refuse(write_study(tmp_path / "small.yaml", small_study(prices)))
    assert "BBB_dividends.csv: line 2: Dividends" in outcome.err


def test_findings_in_several_files_are_reported_at_once(
    refuse: Callable[[Path], Outcome], prices: Path, tmp_path: Path
) -> None:
    replace_with("")(prices / "AAA.csv")
    replace_line(3, "2023-01-03,10,12,9,x")(prices / "CCC.csv")
    outcome = refuse(write_study(tmp_path / "small.yaml", small_study(prices)))
    assert "AAA.csv" in outcome.err
    assert "CCC.csv: line 3" in outcome.err


def test_files_without_a_common_session_are_refused(prices: Path, tmp_path: Path) -> None:
    bars = [f"{day}," + "10,12,9,11" for day in ("2024-02-01", "2024-02-02", "2024-02-05")]
    (prices / "BBB.csv").write_text("\n".join([HEADER, *bars, ""]), encoding="utf-8")
    study_file = write_study(tmp_path / "small.yaml", small_study(prices))
    # In a place of its own: the files are sound and stored, only together they make no study.
    outcome = Lab(study_file, tmp_path / "home").sdlab("run")
    assert outcome.code == 2, outcome.err
    assert str(study_file) in outcome.err
    assert "BBB 2024-02-01 to 2024-02-05" in outcome.err
    assert "Traceback" not in outcome.err


# Studies


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"strategies": {"sd8": {"sdn": 8}}}, "strategies.sd8.sdn", id="unknown key"),
        pytest.param({"capital": -1}, "capital", id="negative capital"),
        pytest.param({"capital": "much"}, "capital", id="text for a number"),
        pytest.param({"universe": {}}, "universe", id="no asset"),
        pytest.param({"reserves": [0.1, 1.5]}, "reserves", id="reserve above all there is"),
        pytest.param({"risk_free": "AAA"}, "risk_free", id="rate that is an asset"),
        pytest.param({"source": {"kind": "csv", "folder": "nowhere"}}, "source.folder", id="no such folder"),
        pytest.param({"start": "2023-02-30"}, "start", id="no such date"),
    ],
)
def test_broken_study_is_refused(
    refuse: Callable[[Path], Outcome], prices: Path, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    file = write_study(tmp_path / "small.yaml", small_study(prices) | changes)
    outcome = refuse(file)
    assert f"{file}: {field}" in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a: [1", id="no YAML"),
        pytest.param("- a\n- b\n", id="list"),
        pytest.param("name: small\nname: small\n", id="repeated key"),
    ],
)
def test_file_that_is_no_study_is_refused(refuse: Callable[[Path], Outcome], tmp_path: Path, text: str) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(text, encoding="utf-8")
    assert str(file) in refuse(file).err


def test_study_that_is_not_there_is_refused(refuse: Callable[[Path], Outcome], tmp_path: Path) -> None:
    assert "none.yaml" in refuse(tmp_path / "none.yaml").err


def test_unknown_name_of_a_study_is_refused_with_the_names_there_are(refuse: Callable[[Path], Outcome]) -> None:
    assert "demo, mixes, sweep, vision" in refuse(Path("no_such_study")).err


# The process


def test_process_ends_with_2_and_the_refusal_as_its_last_word(lab_with_prices: Lab, processes) -> None:
    folder = Path(lab_with_prices.home.study.source.folder or "")
    replace_line(3, "2023-01-03,10,12,9,x")(folder / "AAA.csv")
    process = lab_with_prices.start("run")
    processes.append(process)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    _, _, refusal = err.partition("refused:\n")
    assert [line.partition(": ")[0] for line in refusal.splitlines()] == [str(folder / "AAA.csv")]


def test_nothing_but_progress_comes_before_the_refusal(
    refuse: Callable[[Path], Outcome], prices: Path, tmp_path: Path
) -> None:
    replace_with("")(prices / "AAA.csv")
    outcome = refuse(write_study(tmp_path / "small.yaml", small_study(prices)))
    progress = outcome.err.partition("refused:\n")[0].splitlines()
    assert [line for line in progress if not line.startswith("  prices fetched: ")] == []


# Places


@pytest.mark.parametrize("letter", ["[x]", "*", "?", "%", "\\"])
def test_home_that_would_be_read_as_a_pattern_is_refused(fresh_lab: Lab, tmp_path: Path, letter: str) -> None:
    home = tmp_path / f"home{letter}"
    outcome = Lab(fresh_lab.study_file, home).sdlab("check")
    assert outcome.code == 2
    assert f"{home}: expected a folder whose path has none of % * ? [ \\ ]" in outcome.err
    assert not home.exists()


@pytest.mark.parametrize("letter", ["\n", "\t", "\x1b[31m", "\u202e", "\udcff"])
def test_home_with_control_characters_is_refused_without_printing_them(
    fresh_lab: Lab, tmp_path: Path, letter: str
) -> None:
    home = tmp_path / f"home{letter}x"
    outcome = Lab(fresh_lab.study_file, home).sdlab("status")
    assert outcome.code == 2
    assert "and no control characters: name another one with SD_HOME" in outcome.err
    assert letter not in outcome.err.splitlines()[1]
    assert not home.exists()


def test_home_is_refused_where_its_path_is_longer_than_its_databases_may_have(fresh_lab: Lab, tmp_path: Path) -> None:
    # SQLite takes 512 bytes, of which it keeps 8 for `-journal`.
    most = 512 - 8 - len(f"/.dagster/small/history/runs/{'0' * 36}.db")
    folder = tmp_path / ("é" * 100)
    home = folder / ("x" * (most - len(os.fsencode(folder)) - 1))
    assert Lab(fresh_lab.study_file, home).sdlab("check").code == 0
    outcome = Lab(fresh_lab.study_file, home.with_name(home.name + "x")).sdlab("check")
    assert outcome.code == 2
    assert f"a path of {most + 1} bytes: expected at most {most}, since SQLite opens no longer ones" in outcome.err


def test_refusal_names_a_file_without_what_would_steer_the_terminal(fresh_lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "red\x1b[31m.yaml"
    file.write_text("name: [", encoding="utf-8")
    outcome = fresh_lab.sdlab("check", "--study", str(file))
    assert outcome.code == 2
    assert outcome.err.startswith(f"refused:\n{tmp_path}/red?[31m.yaml: ")


def test_current_folder_that_was_deleted_is_refused(
    published: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    outcome = published.sdlab("run", "--fresh")
    assert (outcome.code, outcome.err) == (
        2,
        "refused:\nthe current folder was deleted: expected one that is there: change to it with cd\n",
    )


def test_folder_in_the_warehouses_place_is_refused(published: Lab, tmp_path: Path) -> None:
    lab = published.copy_to(tmp_path / "home")
    lab.published.unlink()
    lab.published.mkdir()
    outcome = lab.sdlab("run")
    assert outcome.code == 2
    assert f"{lab.published}: a folder: expected the published file, or none: move the folder away" in outcome.err
    assert "Traceback" not in outcome.err
