"""Environments: what is interrupted, damaged or made twice at once is never trusted."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import installation
from benchmarks.installation import LOOK_THROUGH, NotInstalledError, extend, install


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the steps that are taken, none of which does anything."""
    taken: list[str] = []

    def run(*command: str) -> None:
        taken.append(next(step for step in ("venv", "pip", "-c") if step in command))
        if "venv" in command:
            Path(command[-1]).mkdir(exist_ok=True)

    monkeypatch.setattr(installation, "_run", run)
    return taken


def test_environment_is_made_once_and_again_when_its_pins_change(tmp_path: Path, calls: list[str]) -> None:
    pins, home = tmp_path / "pins.txt", tmp_path / "home"
    for text, steps in (("a==1", ["venv", "pip", "-c"]), ("a==1", []), ("a==2", ["venv", "pip", "-c"])):
        pins.write_text(text, encoding="utf-8")
        install(home, home / "stamp", [pins], "a")
        assert calls == steps
        calls.clear()


@pytest.mark.parametrize("failing", ["venv", "pip", "-c"])
def test_environment_that_was_not_finished_has_no_stamp_and_is_made_again(
    tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    pins, home = tmp_path / "pins.txt", tmp_path / "home"
    pins.write_text("a==1", encoding="utf-8")
    install(home, home / "stamp", [pins], "a")
    pins.write_text("a==2", encoding="utf-8")
    run = installation._run

    def fail(*command: str) -> None:
        if failing in command:
            raise KeyboardInterrupt
        run(*command)

    with monkeypatch.context() as patch:
        patch.setattr(installation, "_run", fail)
        with pytest.raises(KeyboardInterrupt):
            install(home, home / "stamp", [pins], "a")
    assert not (home / "stamp").exists()
    calls.clear()
    install(home, home / "stamp", [pins], "a")
    assert calls == ["venv", "pip", "-c"]


def test_missing_or_cut_file_of_a_package_is_found(tmp_path: Path) -> None:
    package = tmp_path / "thing-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1\n", encoding="utf-8")
    (package / "RECORD").write_text("thing.py,,5\nthing-1.dist-info/METADATA,,\n", encoding="utf-8")
    module = tmp_path / "thing.py"
    for text, code in (("a = 1", 0), ("a =", 1), (None, 1), ("a = 1", 0)):
        module.unlink(missing_ok=True)
        if text is not None:
            module.write_text(text, encoding="utf-8")
        looked = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                f"import sys; sys.path = [{str(tmp_path)!r}, *sys.path]\n{LOOK_THROUGH}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert looked.returncode == code, looked.stderr
        if code:
            assert looked.stderr == f"thing 1: {module}: expected the file that was installed\n"


def test_reason_is_the_last_line_that_was_said() -> None:
    with pytest.raises(NotInstalledError, match=r"^no such package$"):
        installation._run(sys.executable, "-c", "import sys; sys.exit('first\\nno such package')")


@pytest.mark.parametrize("failing", [None, "pip", "-c"])
def test_environment_that_gets_more_is_trusted_by_neither_stamp_until_it_has_it(
    tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch, failing: str | None
) -> None:
    pins, home = tmp_path / "pins.txt", tmp_path / "home"
    pins.write_text("a==1", encoding="utf-8")
    install(home, home / "stamp", [pins], "a")
    calls.clear()
    run = installation._run

    def watch(*command: str) -> None:
        assert not (home / "stamp").exists()
        assert not (home / "more").exists()
        if failing in command:
            raise KeyboardInterrupt
        run(*command)

    monkeypatch.setattr(installation, "_run", watch)
    if failing:
        with pytest.raises(KeyboardInterrupt):
            extend(home, home / "stamp", home / "more", [pins], "b")
        assert not (home / "stamp").exists()
        return
    extend(home, home / "stamp", home / "more", [pins], "b")
    extend(home, home / "stamp", home / "more", [pins], "b")
    assert calls == ["pip", "-c"]
    assert (home / "stamp").read_text(encoding="utf-8") == (home / "more").read_text(encoding="utf-8")
