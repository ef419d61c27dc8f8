"""Where one study lives on disk: its file, its lake, its warehouse and its Dagster home.

Everything generated lies below one folder: the one that ``SD_HOME`` names, else the checkout, else the current folder
where the packages were installed from a wheel.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sd_core.errors import InputError
from sd_core.files.bucket import Bucket
from sd_core.lake import Lake
from sd_core.study.loading import load_study
from sd_core.study.model import Study
from sd_core.wording import printable, unsteered

# The folder of the packages: the checkout, or where a wheel was unpacked.
CODE = Path(__file__).resolve().parents[2]
IS_CHECKOUT = (CODE / "pyproject.toml").is_file()
# What the packages contain beside Python: links in a checkout, which a wheel holds as what they lead to.
FILES = CODE / "pipelines" / "files"
SQL = (FILES / "sql").resolve()
STUDIES = (FILES / "studies").resolve()
WORKSPACE = (FILES / "workspace.yaml").resolve()
DEFAULT_STUDY = "demo"
# Dagster looks for its settings by a pattern and for its databases by an address; where these fail, it silently
# works with settings of its own, telemetry among them.
NOT_IN_PATHS = frozenset("*?[]%\\")

# Bytes of the path of a database that SQLite opens: 512, less those of what it writes beside it.
LONGEST_DATABASE = 504
# The longest below a Dagster home; a run has an id of 36 letters.
RUN_DATABASE = f"history/runs/{'0' * 36}.db"


@dataclass(frozen=True)
class Published:
    """The files that a rebuild publishes: the warehouse, and the report beside it."""

    warehouse: Path
    report: Path

    @property
    def draft(self) -> Path:
        """Where the next warehouse is built: beside its place, so that it is renamed within one file system."""
        return self.warehouse.with_name(f".{self.warehouse.stem}.draft.duckdb")

    @property
    def draft_report(self) -> Path:
        """Where the report beside it is written."""
        return self.report.with_name("draft.html")

    @property
    def log(self) -> Path:
        """The log that a tool leaves beside the warehouse if it opened it to write and was killed."""
        return self.warehouse.with_name(self.warehouse.name + ".wal")


@dataclass(frozen=True)
class StudyHome:
    """One study and the places that bear its name."""

    study_file: Path
    study: Study
    root: Path

    @property
    def lake(self) -> Lake:
        """The study's lake."""
        return lake_in(self.root / "warehouse" / self.study.name)

    @property
    def ledgers(self) -> Path:
        """The folder of the home's ledgers and their backups."""
        return ledgers_beside(self.lake)

    @property
    def published(self) -> Published:
        """The published warehouse and its report."""
        return Published(self.root / "warehouse" / f"{self.study.name}.duckdb", self.lake.root / "report.html")

    @property
    def dagster_home(self) -> Path:
        """The folder of Dagster's runs and settings for this study."""
        return self.root / ".dagster" / self.study.name


def lake_in(folder: Path) -> Lake:
    """Return the lake of the study that a folder of ``warehouse/`` is of: in that folder, or where ``SD_LAKE`` says.

    Raises:
        InputError: ``SD_LAKE`` is no address of a bucket.
    """
    address = os.environ.get("SD_LAKE")
    if not address:
        return Lake(folder)
    try:
        files = Bucket(f"{address.rstrip('/')}/{folder.name}", folder.parents[1] / ".cache" / folder.name)
    except InputError as error:
        raise InputError(f"SD_LAKE: {error}") from None
    return Lake(folder, files)


def ledgers_beside(lake: Lake) -> Path:
    """Return the folder of the ledgers of the home that a study's lake lies in."""
    return lake.root.parents[1] / "ledgers"


def asked_study(study: str | None) -> str:
    """Return the study that is named, or that ``SD_STUDY`` names, or the demo: a file, or a name of one."""
    return study or os.environ.get("SD_STUDY") or DEFAULT_STUDY


def open_home(study: str | None = None, *, needs_lake: bool = True) -> StudyHome:
    """Load the study that is named, or that ``SD_STUDY`` names, or the demo, with its places.

    Args:
        study: a study file, or the name of one in ``studies/``.
        needs_lake: whether a bucket that its lake lies in must be there.

    Raises:
        StoreError: the bucket cannot be reached.
        InputError: there is no such study, or it is refused, or the folder of what is generated, or a newer release
            wrote what is in it, or its path is too long.
    """
    name = asked_study(study)
    file = Path(name)
    if not file.suffix and not file.is_file():
        file = STUDIES / f"{name}.yaml"
        if not file.exists():
            known = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
            raise InputError(f"{name}: expected a study file or the name of a study in {file.parent}: {known}")
    root = Path(os.environ.get("SD_HOME") or (CODE if IS_CHECKOUT else Path.cwd())).resolve()
    home = StudyHome(file.resolve(), load_study(file), root)
    _require_path(home)
    if needs_lake or not os.environ.get("SD_LAKE"):
        home.lake.layout  # noqa: B018 - refuses that of a newer release
    return home


def _require_path(home: StudyHome) -> None:
    """Refuse a home whose path one of the programs that work in it does not take."""
    path = str(home.root)
    if set(path) & NOT_IN_PATHS or unsteered(path) != path:
        raise InputError(
            f"{unsteered(path)}: expected a folder whose path has none of {' '.join(sorted(NOT_IN_PATHS))}, which "
            "Dagster and DuckDB do not read as letters, and no control characters: name another one with SD_HOME"
        )
    if (excess := len(os.fsencode(home.dagster_home / RUN_DATABASE)) - LONGEST_DATABASE) > 0:
        most = len(os.fsencode(path)) - excess
        raise InputError(
            f"{printable(path)}: a path of {most + excess} bytes: expected at most {most}, since SQLite opens no "
            "longer ones: name a folder of a shorter path with SD_HOME"
        )
