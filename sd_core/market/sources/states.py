"""The state of a source, as far as it is known without fetching: a text that changes once a fetch may give new data.

Only what is quick to import is used here; the sources themselves belong in the modules beside this.
"""

import datetime as dt
import hashlib
import importlib.metadata
from pathlib import Path
from zoneinfo import ZoneInfo

from sd_core import versions
from sd_core.study.model import Study

# The datasets of the lake that hold what was fetched.
RAW_PRICES = "raw_prices"
HOURLY_BARS = "hourly_bars"

# The folder of hourly files, in that of the daily ones.
HOURLY = "hourly"

NEW_YORK = ZoneInfo("America/New_York")
# After the close and the evening's corrections; a day's bar is final by then.
FINAL = dt.time(21)


def source_state(study: Study, ticker: str, now: dt.datetime) -> str:
    """Return what a fetch of a ticker depends on.

    Args:
        study: its source, and the dates that it asks for.
        ticker: an asset, the benchmark or a rate.
        now: with a time zone.

    Returns:
        For files a hash of their bytes, for the sample the version of the package that it comes with, for Yahoo the
        last evening in New York on which a day's bars became final: its prices are good until the next.
    """
    asked = f"{versions.FETCH} {study.source.kind} {study.start} {study.end or ''}"
    match study.source.kind:
        case "csv":
            folder = Path(study.source.folder or "")
            return f"{asked} {folder} {_files(folder / f'{ticker}.csv', folder / f'{ticker}_dividends.csv')}"
        case "sample":
            return f"{asked} {importlib.metadata.version('skfolio')}"
        case "yahoo":
            return f"{asked} {last_final(now)}"


def same_question(earlier: str, state: str) -> bool:
    """Return whether two states of a source that grows differ by the evening alone."""
    return earlier.rpartition(" ")[0] == state.rpartition(" ")[0]


def hourly_state(study: Study, ticker: str, now: dt.datetime) -> str:
    """Return what a fetch of a ticker's hourly bars depends on, as :func:`source_state` does of its daily ones."""
    if study.source.kind == "csv":
        return f"{versions.FETCH} csv {file_state(Path(study.source.folder or '') / HOURLY / f'{ticker}.csv')}"
    return f"{versions.FETCH} {study.source.kind} {last_final(now)}"


def file_state(path: Path) -> str:
    """Return a hash of a file's bytes, or "none" where there is no such file to read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
    except OSError:
        return "none"


def _files(*paths: Path) -> str:
    return " ".join(file_state(path) for path in paths)


def last_final(now: dt.datetime) -> dt.date:
    """Return the last day whose bars were final at a moment."""
    there = now.astimezone(NEW_YORK)
    return there.date() if there.time() >= FINAL else there.date() - dt.timedelta(days=1)
