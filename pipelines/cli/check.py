"""``sdlab check``: a study, and what the lake and the warehouse hold for it, without running anything.

Judging prices belongs in ``sd_core.market``.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pipelines.cli.console import open_console
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.current import MARKET, OTHER_SETTINGS, WHOLE_RUN_FIRST, answers, current_scenarios, stored_scenarios
from pipelines.lab.home import StudyHome
from pipelines.lab.publication import of_one_publication
from pipelines.lab.sweeps import held_sweeps
from pipelines.steps.datasets import decided
from pipelines.steps.plan import version_of_metrics
from sd_core.errors import FetchError, InputError
from sd_core.lake import Version
from sd_core.market.sources.states import RAW_PRICES
from sd_core.study.model import Study
from sd_core.wording import counted

if TYPE_CHECKING:
    from sd_core.market.sources.base import PriceHistory


def check(home: StudyHome, *, ask_source: bool) -> ExitCode:
    """Print what a study asks for, what is there for it, and the findings about its prices.

    With ``ask_source``, ask the source for the prices, judge those instead of the stored ones, and store nothing.

    Returns:
        DONE, or FAILED where the source does not deliver a ticker.

    Raises:
        InputError: the file of factors is broken, the source refuses its files, or what it delivers makes no market.
    """
    study = home.study
    console = open_console()
    console.print(
        f"{home.study_file}: a valid study of {counted(len(study.universe), 'asset')}, "
        f"{counted(len(study.strategies), 'strategy', 'strategies')} and {counted(len(study.reserves), 'reserve')}: "
        f"{counted(len(study.scenarios), 'scenario')}",
        soft_wrap=True,
    )
    _print_findings(console, list(_about(study)), "study")
    _print_factors(console, study)
    console.print(_prices(home))
    _print_scenarios(console, home)
    console.print(
        f"warehouse: {home.published.warehouse if home.published.warehouse.exists() else 'not published yet'}",
        soft_wrap=True,
    )
    if not of_one_publication(home.lake, home.published):
        console.print(
            f"report: {home.published.report}: of an earlier publication than the warehouse, as a run was ended "
            "between the two: `sdlab run` publishes both",
            soft_wrap=True,
        )
    if ask_source:
        return _ask_source(console, home)
    _print_findings(console, _stored_findings(home), "prices")
    return ExitCode.DONE


def _about(study: Study) -> Iterator[str]:
    """Say which assets of a valid study may surprise its author."""
    for ticker in study.never_bought:
        counts = "sessions and correlations"
        if study.benchmark == "universe":
            counts += ", and the benchmark, all assets in equal parts, holds it"
        if ticker != study.benchmark:
            yield (
                f"{ticker} is never bought: no strategy gives it a weight, a lower edge of a band or a place among "
                f"candidates or substitutes. Its prices count in {counts}."
            )


def _print_factors(console: Console, study: Study) -> None:
    """Print what the file of a study's factors has; refuse one that is broken before a run comes to it."""
    if study.factors is None:
        return
    from sd_core.market.factors import read_factors

    found = read_factors(study.factors)
    console.print(
        f"factors: {', '.join(found.names)}, {found.frequency} from {found.dates[0]} to {found.dates[-1]}",
        soft_wrap=True,
        markup=False,
    )


def _prices(home: StudyHome) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("ticker", "bars", "from", "to", "fetched [UTC]", "source"):
        table.add_column(name, justify="right" if name == "bars" else "left")
    for ticker in home.study.fetched_tickers:
        stored = home.lake.current(RAW_PRICES, ticker)
        table.add_row(ticker, *(_stored(stored) if stored else ("none stored yet", "", "", "", "")))
    return table


def _stored(version: Version) -> tuple[str, ...]:
    facts = version.facts
    return f"{facts['bars']:,}", facts["first"], facts["last"], facts["fetched_at"][:16], facts["source"]


def _print_scenarios(console: Console, home: StudyHome) -> None:
    stored = stored_scenarios(home.study, home.lake, version_of_metrics)
    market = home.lake.current(MARKET)
    prepared = market is not None and answers(market, home.study)
    held, current = len(stored), 0
    if market is not None:
        knowing = decided(home.study, home.lake, market)
        sweeps = held_sweeps(knowing, home.lake, market)
        held += sweeps.rows.num_rows
        if prepared:
            current = len(current_scenarios(knowing, stored, market)) + int(sweeps.is_current.sum())
    console.print(
        f"scenarios: {current} up to date, {held - current} outdated, "
        f"{len(home.study.scenarios) - held} not simulated yet"
    )
    if market is not None and not prepared:
        console.print(f"{OTHER_SETTINGS}, and so all scenarios are outdated: {WHOLE_RUN_FIRST}", soft_wrap=True)


def _stored_findings(home: StudyHome) -> Sequence[str]:
    """Return what was found about the stored prices, as sentences; none where they answer other settings."""
    market = home.lake.current(MARKET)
    if market is None or not answers(market, home.study):
        return ()
    with home.lake.shared():
        sentences: list[str] = market.read("price_findings")["detail"].to_pylist()
    return sentences


def _print_findings(console: Console, sentences: Sequence[str], of: str) -> None:
    if sentences:
        console.print(f"{counted(len(sentences), 'finding')} about the {of}:")
    for sentence in sentences:
        console.print(f"- {sentence}", soft_wrap=True, markup=False, highlight=False)


def _ask_source(console: Console, home: StudyHome) -> ExitCode:
    from pipelines.steps.prepare import build  # with all that reads prices
    from sd_core.market.sources.registry import fetch, open_source

    source = open_source(home.study)
    histories: dict[str, PriceHistory] = {}
    refused = []
    for ticker in home.study.fetched_tickers:
        try:
            histories[ticker] = fetch(source, home.study, ticker)
            console.print(f"{ticker}: {_answer(histories[ticker])}", soft_wrap=True)
            if ticker in home.study.hourly_tickers:
                console.print(f"{ticker}: {counted(len(source.hourly(ticker, None)), 'hour')}", soft_wrap=True)
        except FetchError as error:
            console.print(str(error), soft_wrap=True)
        except InputError as error:
            refused.append(str(error))
    if refused:
        raise InputError("\n".join(refused))
    if len(histories) < len(home.study.fetched_tickers):
        return ExitCode.FAILED
    found = build(home.study, histories, home.study_file).price_findings["detail"].to_pylist()
    _print_findings(console, found, "prices")
    return ExitCode.DONE


def _answer(history: "PriceHistory") -> str:
    first, last = history.bars.index[0], history.bars.index[-1]
    return f"{counted(len(history.bars), 'bar')} from {first:%Y-%m-%d} to {last:%Y-%m-%d}, {history.source}"
