"""The state of a study: what is published, what is outdated and why, and the ledger of its account, if it has one.

Nothing is computed, written or fetched. What Dagster's records say belongs in ``orchestration.last_run``.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.lab.current import MARKET, overdue_tickers
from pipelines.lab.home import StudyHome, lake_in
from pipelines.lab.publication import PUBLICATION
from pipelines.steps.books import last_entry
from pipelines.steps.plan import Plan, plan_run
from sd_core.errors import InputError, NotReadyError
from sd_core.lake import LAYOUT, Lake
from sd_core.wording import counted

ALL_OF_IT = "nothing was computed for this study yet"


@dataclass(frozen=True)
class Published:
    """A study of a home that was published.

    Attributes:
        study: its name.
        at: when it was published last, UTC.
        through: the last session of its prices; None where the lake has none any more.
    """

    study: str
    at: dt.datetime
    through: dt.date | None


@dataclass(frozen=True)
class LedgerState:
    """The ledger of a study's account.

    Attributes:
        name: the ledger's.
        entries: how many it has.
        marked: the session of its last mark.
        locks: what keeps satellites from opening, with the date until which it does, or None until it is lifted.
        problem: why it cannot be read.
    """

    name: str
    entries: int
    marked: str | None
    locks: dict[str, str | None]
    problem: str | None


@dataclass(frozen=True)
class Status:
    """What is there of a study.

    Attributes:
        published: what was published last; None where nothing was.
        outdated: a sentence for each thing that a run would do; none where all answers the study.
        overdue: a sentence for each ticker whose last sessions are missing.
        ledger: that of its account; None without one.
        disk: bytes on disk, by what they are of.
    """

    published: Published | None
    outdated: Sequence[str]
    overdue: Sequence[str]
    ledger: LedgerState | None
    disk: dict[str, int]


def published_studies(root: Path) -> list[Published]:
    """Return the studies of a home that were published, in the order of their names."""
    folders = sorted((root / "warehouse").glob(f"*/{PUBLICATION}"))
    return [
        found for folder in folders if (found := _published(folder.parent.name, lake_in(folder.parent))) is not None
    ]


def status_of(home: StudyHome) -> Status:
    """Return what is there of a study."""
    return Status(
        _published(home.study.name, home.lake),
        list(_outdated(home)),
        [one.detail for one in overdue_tickers(home.study, home.lake)],
        _ledger(home),
        {
            "lake": _size(home.lake.root),
            "warehouse": _size(home.published.warehouse),
            "records": _size(home.dagster_home),
            "ledgers": _size(home.ledgers),
        },
    )


def _published(study: str, lake: Lake) -> Published | None:
    """Return what was published last of a study; None where nothing was, or a pointer is damaged."""
    if not (lake.root / PUBLICATION).is_dir():
        return None  # asking would make its folder
    with contextlib.suppress(InputError), lake.shared():
        noted, market = lake.here.current(PUBLICATION), lake.current(MARKET)
        if noted is not None:
            # A version is named by the time it was written, in nanoseconds.
            at = dt.datetime.fromtimestamp(int(noted.version.partition("-")[0]) / 1e9, dt.UTC)
            return Published(study, at, None if market is None else _last_session(market.file("sessions")))
    return None


def _last_session(file: Path) -> dt.date:
    """Return the last session of a market; reading the table by itself would import pandas."""
    last: dt.date = pq.ParquetFile(file).read(["session"])["session"][-1].as_py()
    return last


def _outdated(home: StudyHome) -> Iterator[str]:
    if home.lake.layout not in (None, LAYOUT):
        yield "the lake: an earlier release wrote it; a run keeps its prices and computes the rest again"
        return
    if home.lake.current(MARKET) is None:
        yield ALL_OF_IT
        return
    plan = plan_run(home)
    yield from _of_prices(home, plan)
    if plan.prepares:
        yield "the market: other fetches, settings, price index or code than it was prepared for"
    if plan.scenarios:
        scenarios = counted(len(home.study.scenarios), "scenario")
        yield f"{len(plan.scenarios)} of {scenarios}: missing, or of other prices, rules or code"
    if plan.derived:
        yield f"{', '.join(name.replace('_', ' ') for name in plan.derived)}: of other prices, settings or code"
    if plan.publishes:
        yield "the warehouse: something that it is made from is newer, or its file was changed"


def _of_prices(home: StudyHome, plan: Plan) -> Iterator[str]:
    if not plan.tickers:
        return
    why = {
        "csv": "their files are new or changed",
        "sample": "their package has another version",
        "yahoo": "an evening has passed since they were fetched, or they never were",
    }[home.study.source.kind]
    yield f"prices of {counted(len(plan.tickers), 'ticker')}: {why}, or the study asks for other dates"


def _ledger(home: StudyHome) -> LedgerState | None:
    last = last_entry(home.study, home.lake)
    if last is None:
        return None
    from pipelines.steps.operate import open_ledger  # with its database's library, which few studies need

    name = home.study.ledger
    try:
        ledger = open_ledger(home)
        with contextlib.closing(ledger.store), ledger.state() as state:
            locks = state.locks("live", ledger.today.isoformat())
            return LedgerState(name, last.entry, state.last_mark, locks, None)
    except (InputError, NotReadyError) as error:
        return LedgerState(name, last.entry, None, {}, str(error))


def _size(place: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 where there is none."""
    if not place.is_dir():
        return place.stat().st_size if place.exists() else 0
    with os.scandir(place) as entries:
        return sum(
            _size(Path(entry)) if entry.is_dir(follow_symlinks=False) else entry.stat(follow_symlinks=False).st_size
            for entry in entries
        )
