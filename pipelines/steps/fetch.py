"""Fetch raw prices from the study's source into the lake, one version per ticker.

What a source delivers and how a changed past is kept belong in ``sd_core.market``.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipelines.lab.current import FETCHES
from pipelines.steps.progress import Progress, unheard
from sd_core.errors import FetchError, InputError
from sd_core.lake import Lake, until_unmoved
from sd_core.market import hourly, raw
from sd_core.market.findings import Finding, to_table
from sd_core.market.quality import fetch_failed, history_changed
from sd_core.market.sources.base import PriceHistory, PriceSource
from sd_core.market.sources.registry import fetch, open_source
from sd_core.market.sources.states import hourly_state, source_state
from sd_core.study.model import Study

FINDINGS = "findings"


@dataclass(frozen=True)
class Fetched:
    """The result of a fetch.

    Attributes:
        histories: of the tickers that could be fetched.
        failures: by ticker, why it did not come; its earlier prices stay.
        changes: a sentence per ticker whose past differs from the one that was stored.
        restated: a sentence per ticker whose newest part differed, so that its whole past was asked for.
    """

    histories: Sequence[PriceHistory]
    failures: Mapping[str, str]
    changes: Sequence[str]
    restated: Sequence[str]


def fetch_prices(
    study: Study,
    lake: Lake,
    tickers: Sequence[str] | None,
    progress: Progress = unheard,
    *,
    whole: bool = False,
    now: dt.datetime | None = None,
) -> Fetched:
    """Fetch tickers and store them; None fetches all that the study asks for.

    A source that grows is asked for what is new, and for some weeks before: where these differ from what is stored, for
    the whole past, as it is where ``whole``. ``now`` is the time, UTC, of this moment by default.

    Raises:
        InputError: a ticker that the study does not have, or files that are refused, with the findings of all of them;
            nothing is stored then.
        FetchError: a ticker could not be fetched, and the lake has nothing of it.
    """
    wanted = _wanted(study, tickers)
    # Before it is asked: what changes while it answers is fetched again.
    now = now or dt.datetime.now(dt.UTC)
    states = {ticker: source_state(study, ticker, now) for ticker in wanted}
    hourly_states = {ticker: hourly_state(study, ticker, now) for ticker in wanted if ticker in study.hourly_tickers}
    source = open_source(study)
    known = {} if whole else {ticker: raw.known_until(lake, ticker, states[ticker], now) for ticker in wanted}
    asking = _Asking(study, source, lake, known)
    histories, failures = _ask(asking, wanted, progress)
    hours = _ask_hours(source, lake, list(hourly_states), failures)
    stored = [raw.store(lake, history, states[history.ticker]) for history in histories]
    for ticker, closes in hours.items():
        hourly.store(lake, ticker, closes, hourly_states[ticker])
    changes = [change for change in stored if change.count]
    if missing := [ticker for ticker in failures if lake.current(raw.DATASET, ticker) is None]:
        raise FetchError("\n".join(failures[ticker] for ticker in missing))
    if wanted:
        until_unmoved(lambda: _note_failures(lake, wanted, failures))
    return Fetched(histories, failures, [history_changed(change).detail for change in changes], asking.restated)


def _wanted(study: Study, asked: Sequence[str] | None) -> Sequence[str]:
    known = study.fetched_tickers
    if unknown := [ticker for ticker in asked or [] if ticker not in known]:
        raise InputError(f"tickers: {', '.join(unknown)}: expected some of {', '.join(known)}")
    return known if asked is None else asked


def _ask_hours(
    source: PriceSource, lake: Lake, tickers: Sequence[str], failures: dict[str, str]
) -> dict[str, pd.Series]:
    """Return the hourly closes that came, by ticker, and add to ``failures`` why others did not.

    A ticker whose daily prices did not come is not asked for again.
    """
    found: dict[str, pd.Series] = {}
    refused: list[str] = []
    for ticker in tickers:
        if ticker in failures:
            continue
        try:
            found[ticker] = source.hourly(ticker, hourly.newest(lake, ticker))
        except FetchError as error:
            failures[ticker] = f"{error} (hourly bars)"
        except InputError as error:
            refused.append(str(error))
    if refused:
        raise InputError("\n".join(refused))
    return found


@dataclass
class _Asking:
    """Asks a source for tickers.

    Attributes:
        known: the newest stored date of each ticker; None or none for one that is asked for whole.
        restated: what was said of tickers that were asked for whole though they were known.
    """

    study: Study
    source: PriceSource
    lake: Lake
    known: Mapping[str, dt.date | None]
    restated: list[str] = field(default_factory=list)

    def __call__(self, ticker: str) -> PriceHistory:
        history = fetch(self.source, self.study, ticker, self.known.get(ticker))
        if not history.partial:
            return history
        change = raw.restated(self.lake, history)
        if not change.count:
            return history
        self.restated.append(f"{ticker}: asked for its whole past, since its newest part differs ({change.example})")
        return fetch(self.source, self.study, ticker)


def _ask(ask: _Asking, tickers: Sequence[str], progress: Progress) -> tuple[list[PriceHistory], dict[str, str]]:
    """Return the histories that came and, by ticker, why the others did not."""
    histories: list[PriceHistory] = []
    failures: dict[str, str] = {}
    refused: list[str] = []
    for done, ticker in enumerate(tickers, start=1):
        try:
            histories.append(ask(ticker))
        except FetchError as error:
            failures[ticker] = str(error)
        except InputError as error:
            refused.append(str(error))
        progress("prices fetched", done, len(tickers))
    if refused:
        raise InputError("\n".join(refused))
    return histories, failures


def _note_failures(lake: Lake, asked: Sequence[str], failures: Mapping[str, str]) -> None:
    """Store what the fetches met: this one's failures, and those that others met with tickers not asked for now."""
    earlier = lake.current(FETCHES)
    others = (
        [] if earlier is None else [row for row in earlier.read(FINDINGS).to_pylist() if row["ticker"] not in asked]
    )
    findings = [
        fetch_failed(stored, reason)
        for ticker, reason in failures.items()
        if (stored := raw.load(lake, ticker)) is not None
    ]
    found = to_table([*(Finding(**row) for row in others), *findings])
    lake.write(FETCHES, "", {FINDINGS: found}, {}, instead_of=earlier)
