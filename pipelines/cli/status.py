"""``sdlab status``: whether a study is as it should be, and what to do where it is not.

What is found belongs in ``steps.status`` and ``orchestration.last_run``.
"""

import datetime as dt
import json
import os
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from pipelines.cli.commands import command_line
from pipelines.cli.console import WIDTH
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from pipelines.orchestration.last_run import FAILED, KILLED, LastRun, is_served, last_run, schedules
from pipelines.steps.status import LedgerState, Published, Status, published_studies, status_of

LABEL = 11


@dataclass(frozen=True)
class _Found:
    """All that there is to say of a study."""

    home: StudyHome
    status: Status
    last: LastRun | None
    served: bool
    schedules: dict[str, bool]

    @property
    def attention(self) -> list[str]:
        """What needs attention, in single words."""
        ledger = self.status.ledger
        found = {
            "unpublished": self.status.published is None,
            "outdated": bool(self.status.outdated),
            "overdue": bool(self.status.overdue),
            "failed": self.last is not None and self.last.status in (FAILED, KILLED),
            "ledger": ledger is not None and bool(ledger.locks or ledger.problem),
        }
        return [name for name, is_so in found.items() if is_so]

    @property
    def next_command(self) -> str:
        """The command that does what is to be done next."""
        if {"unpublished", "outdated", "failed"} & set(self.attention):
            return command_line(self.home, "run")
        if "overdue" in self.attention:
            return f"{command_line(self.home, 'run')} --select raw_prices"
        if "ledger" in self.attention:
            return f"{command_line(self.home, 'bucket')} list"
        if any(self.schedules.values()) and not self.served:
            return command_line(self.home, "ui")
        return f'{command_line(self.home, "query")} "from report_strategy"'


def status(home: StudyHome, *, named: bool, as_json: bool) -> ExitCode:
    """Print the studies of a home and the state of one of them.

    Args:
        home: the study.
        named: whether someone named it. One that no one named and that was never published is left out where others
            were.
        as_json: whether to print JSON.

    Returns:
        DONE, or FAILED where something of the study needs attention.

    Raises:
        DamagedError: a pointer of its lake is damaged.
    """
    studies = published_studies(home.root)
    if not named and not as_json and studies and home.study.name not in {one.study for one in studies}:
        print("\n".join([*_list(studies), f"{'more':{LABEL}}{command_line(home, 'status')} --study FILE"]))
        return ExitCode.DONE
    found = _Found(home, status_of(home), last_run(home), is_served(home), schedules(home))
    if as_json:
        print(json.dumps(_as_json(found, studies), indent=1, default=_plain))
    else:
        print("\n".join([*_list(studies), *_details(found)]))
    return ExitCode.FAILED if found.attention else ExitCode.DONE


def _list(studies: Sequence[Published]) -> Iterator[str]:
    if not studies:
        return
    width = max(len("study"), *(len(one.study) for one in studies))
    yield f"{'study':{width}}  {'published (UTC)':16}  prices to"
    for one in studies:
        yield f"{one.study:{width}}  {one.at:%Y-%m-%d %H:%M}  {one.through or 'none stored'}"
    yield ""


def _details(found: _Found) -> Iterator[str]:
    status, last = found.status, found.last
    yield f"{found.home.study.name}: {found.home.study_file}"
    published = status.published
    yield from _labelled(
        "published",
        [f"{_shown(published.at)}, prices to {published.through}" if published else "not yet"],
    )
    yield from _labelled("outdated", status.outdated or ["nothing"])
    yield from _labelled("overdue", status.overdue)
    yield from _labelled("last run", [_of_run(last) if last else "none is recorded"])
    yield from _labelled("schedules", [_of_schedules(found)])
    if status.ledger is not None:
        yield from _labelled("ledger", list(_of_ledger(status.ledger)))
    yield from _labelled("disk", [", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in status.disk.items())])
    yield ""
    yield f"{'next':{LABEL}}{found.next_command}"


def _of_run(last: LastRun) -> str:
    moment = last.ended or last.began
    when = f" {_shown(moment)}" if moment else ""
    return f"{last.job} {last.status}{when}" + (f": {last.reason}" if last.reason else "")


def _of_schedules(found: _Found) -> str:
    on = [name for name, is_on in found.schedules.items() if is_on]
    if not on:
        return "none is on" + ("; the page is served" if found.served else "")
    served = "the page is served" if found.served else "nothing runs them, since `sdlab ui` does not"
    return f"{', '.join(on)} on; {served}"


def _of_ledger(ledger: LedgerState) -> Iterator[str]:
    if ledger.problem is not None:
        yield f"{ledger.name}: cannot be read: {ledger.problem}"
        return
    yield f"{ledger.name}: entry {ledger.entries}, " + (
        f"marked {ledger.marked}" if ledger.marked else "not marked yet"
    )
    for cause, until in ledger.locks.items():
        yield f"nothing is opened: {cause}" + (f", until {until}" if until else "")


def _labelled(label: str, entries: Sequence[str]) -> Iterator[str]:
    """Yield entries beside their label, in lines of a page's width."""
    for place, entry in enumerate(entries):
        yield from textwrap.wrap(
            entry,
            WIDTH,
            initial_indent=f"{label if place == 0 else '':{LABEL}}",
            subsequent_indent=" " * LABEL,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _as_json(found: _Found, studies: Sequence[Published]) -> dict[str, object]:
    return {
        "study": found.home.study.name,
        "file": os.fspath(found.home.study_file),
        "attention": found.attention,
        **asdict(found.status),
        "last_run": None if found.last is None else asdict(found.last),
        "schedules": found.schedules,
        "served": found.served,
        "next": found.next_command,
        "studies": [asdict(one) for one in studies],
    }


def _plain(value: object) -> str:
    assert isinstance(value, dt.date | dt.datetime)
    return value.isoformat()


def _shown(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
