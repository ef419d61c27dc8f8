"""The headline of a published warehouse, on a terminal.

What it says belongs in ``pipelines.report.verdicts``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

from pipelines.report.verdicts import NAMED, Chosen, Headline, percent_of, read_headline, withdrawn

WIDEST = 1_000


def print_headline(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    """Print the headline of the published warehouse."""
    headline = read_headline(connection)
    for notice in ("", headline.title, *headline.notices):
        _say(console, notice, style="bold")
    table = _table(headline.chosen)
    console.print(_Whole(table), soft_wrap=True)
    for sentence in (*headline.notes, *headline.sentences):
        _say(console, sentence)
    _print_reserves(console, headline)
    _print_findings(console, headline.findings)


@dataclass(frozen=True)
class _Whole:
    """A table whose rows are never cut: a terminal that is narrower wraps them."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        natural = Measurement.get(console, options.update(max_width=WIDEST), self.table).maximum
        yield from console.render(self.table, options.update(max_width=max(options.max_width, natural)))


def _table(chosen: Sequence[Chosen]) -> Table:
    withdrawing = any(line.row["withdrawals_scheduled"] for line in chosen)
    table = Table(box=None, header_style="bold", pad_edge=False)
    # The names of a sweep's strategies end with what distinguishes them.
    table.add_column("strategy", no_wrap=True)
    table.add_column("", no_wrap=True)
    names = (
        "reserve",
        "value",
        "TWR",
        "Sharpe",
        "drawdown",
        "cash",
        "income/year",
        "skipped buys",
        "TWR - buy-and-hold",
    )
    for name in (*names[:2], "withdrawn", *names[2:]) if withdrawing else names:
        table.add_column(name, justify="right", no_wrap=True)
    for line in chosen:
        row = line.row
        table.add_row(
            row["strategy"] + ("" if row["is_current"] else " (outdated)"),
            line.label,
            percent_of(row["reserve"], digits=None),
            f"{row['final_value']:,.0f}",
            *([withdrawn(row)] if withdrawing else []),
            percent_of(row["twr"]),
            "-" if row["sharpe"] is None else f"{row['sharpe']:.2f}",
            percent_of(row["max_drawdown"]),
            percent_of(row["mean_cash_share"]),
            "-" if row["income_per_year"] is None else f"{row['income_per_year']:,.0f}",
            f"{row['skipped_buys']:,}",
            percent_of(row["excess_over_buy_and_hold"]),
        )
    return table


def _print_reserves(console: Console, headline: Headline) -> None:
    """Print which reserve is the best, where bootstrap samples were simulated."""
    verdicts = len(headline.reserves) + headline.undecided
    if not verdicts:
        return
    counts = f"{verdicts} verdicts, {headline.undecided} undecided"
    _say(console, f"\nWhich reserve is the best? (table report_reserve_verdict): {counts}")
    for verdict in headline.reserves:
        _say(console, f"  {verdict}")


def _print_findings(console: Console, findings: Sequence[str]) -> None:
    if not findings:
        return
    _say(console, f"\nFindings about the prices of single tickers (table report_data_quality): {len(findings)}")
    for finding in findings[:NAMED]:
        _say(console, f"  {finding}")
    if len(findings) > NAMED:
        _say(console, f"  and {len(findings) - NAMED} more")


def _say(console: Console, text: str, style: str | None = None) -> None:
    """Print a line as it is: names in it are no markup, and the terminal wraps it."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
