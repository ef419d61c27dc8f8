"""Commands and paths to be copied: they work in the folder in which the reader is."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from pipelines.lab.home import DEFAULT_STUDY, STUDIES, StudyHome

PROGRAM = "sdlab"


def command_line(home: StudyHome, command: str) -> str:
    """Return a command on a study as the reader can type it here: the program, the study and the home."""
    variables = [f"{name}={shlex.quote(os.environ[name])}" for name in ("SD_HOME",) if os.environ.get(name)]
    study = [] if home.study_file == STUDIES / f"{DEFAULT_STUDY}.yaml" else ["--study", shlex.quote(_study(home))]
    if not study and os.environ.get("SD_STUDY"):
        study = ["--study", DEFAULT_STUDY]
    return " ".join([*variables, shlex.quote(_program()), command, *study])


def shown_path(path: Path) -> str:
    """Return a path from the current folder where it lies below, else whole."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _program() -> str:
    installed = Path(sys.executable).parent / PROGRAM
    on_path = shutil.which(PROGRAM)
    found = on_path is not None and installed.exists() and installed.samefile(on_path)
    return PROGRAM if found else shown_path(installed)


def _study(home: StudyHome) -> str:
    shipped = home.study_file.parent == STUDIES and home.study_file.suffix == ".yaml"
    return home.study_file.stem if shipped else shown_path(home.study_file)
