"""A study that runs whole in two seconds, with commands on it and a folder of its own for what they generate.

Prices are drawn from a seed: three assets on the weekdays of one year, one of them paying dividends.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipelines.cli import main as cli
from pipelines.lab.home import StudyHome
from pipelines.orchestration.instance import open_instance
from sd_core.lake import POINTER
from sd_core.study.loading import load_study
from support.table_hashes import column_hashes

PROJECT = Path(cli.__file__).resolve().parents[2]

STRATEGIES = ("buy_and_hold", "sd8", "ath_only")
RESERVES = (0.0, 0.1)
# Of a run of everything, whatever its size: two events per table, one per check, and some per step.
MOST_EVENTS = 600


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code, and what it wrote to standard output and to standard error."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Lab:
    """One study file, and the folder that takes what its commands generate."""

    study_file: Path
    root: Path

    @property
    def home(self) -> StudyHome:
        """The study with its places, read again from the file."""
        return StudyHome(self.study_file, load_study(self.study_file), self.root)

    @property
    def published(self) -> Path:
        """The published warehouse."""
        return self.home.published.warehouse

    @property
    def environment(self) -> dict[str, str]:
        """What a command must find in its environment."""
        return {"SD_HOME": str(self.root), "SD_STUDY": str(self.study_file)}

    def sdlab(self, *arguments: str) -> Outcome:
        """Run a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = cli.main(arguments)
        return Outcome(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own, which takes Ctrl-C whatever this one does with it."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=PROJECT,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def table(self, name: str) -> pd.DataFrame:
        """Read a published table."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.sql(f"from {name}").df()

    def tables(self) -> dict[str, pd.DataFrame]:
        """Read every published table and view."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            names = [name for (name,) in connection.execute("show tables").fetchall()]
            return {name: connection.sql(f"from {name}").df() for name in names}

    def rows(self) -> dict[str, str]:
        """Return the hashes of each published table's columns, to the last bit, its rows in the order of storing."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            connection.execute("set threads = 1")
            names = [name for (name,) in connection.execute("show tables").fetchall()]
            tables = ((name, connection.sql(f"from {name}").to_arrow_table()) for name in names)
            return {name: str(column_hashes(table, table.column_names)) for name, table in tables}

    def digest(self) -> str:
        """Return a hash of the published file's bytes."""
        return hashlib.sha256(self.published.read_bytes()).hexdigest()

    def pointers(self) -> dict[str, str]:
        """Return the current version of every dataset and partition in the lake."""
        root = self.home.lake.root
        return {
            str(file.parent.relative_to(root)): json.loads(file.read_text(encoding="utf-8"))["version"]
            for file in sorted(root.rglob(POINTER))
        }

    def recorded_events(self) -> int:
        """Return how many events Dagster has in the log of the newest run."""
        with open_instance(self.home) as instance:
            return len(instance.all_logs(instance.get_runs(limit=1)[0].run_id))

    def copy_to(self, root: Path) -> "Lab":
        """Return the same study with what it has generated so far in another folder."""
        shutil.copytree(self.root, root)
        return Lab(self.study_file, root)


def write_prices(folder: Path, sessions: int = 260) -> Path:
    """Write the price files of the assets AAA, BBB and CCC, of which BBB pays dividends, and return their folder."""
    folder.mkdir(parents=True)
    dates = pd.bdate_range("2023-01-02", periods=sessions, name="Date")
    for seed, ticker in enumerate(("AAA", "BBB", "CCC")):
        draws = np.random.default_rng(seed)
        closes = 100 * np.exp(np.cumsum(draws.normal(0.0, 0.025, sessions)))
        opens = closes * np.exp(draws.normal(0.0, 0.005, sessions))
        bars = pd.DataFrame({"Open": opens, "High": opens, "Low": opens, "Close": closes}, index=dates)
        bars["High"], bars["Low"] = bars.max(axis=1) * 1.01, bars.min(axis=1) * 0.99
        bars.to_csv(folder / f"{ticker}.csv")
    pd.Series(0.4, index=dates[40::65], name="Dividends").to_csv(folder / "BBB_dividends.csv")
    return folder


def small_study(prices: Path) -> dict[str, Any]:
    """Return the study of three strategies at two reserves on a folder of price files."""
    return {
        "name": "small",
        "source": {"kind": "csv", "folder": str(prices)},
        "start": "2023-01-01",
        "sessions": "intersection",
        "capital": 10_000,
        "risk_free": 0.03,
        "universe": {"AAA": {"weight": 0.5}, "BBB": {"weight": 0.3}, "CCC": {"weight": 0.2}},
        "reserves": list(RESERVES),
        "costs": {"bps": 5},
        "strategies": {"buy_and_hold": {}, "sd8": {"rule": {}}, "ath_only": {"rule": {"variant": "ath_only"}}},
    }


def write_study(file: Path, study: dict[str, Any]) -> Path:
    """Write a study file and return its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as handle:
        YAML().dump(study, handle)
    return file
