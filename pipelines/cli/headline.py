"""The headline of a published warehouse, on a terminal of 80 columns.

What it says belongs in ``pipelines.report.verdicts``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from pipelines.report.living import living_note, living_sentences, paying
from pipelines.report.verdicts import NAMED, Headline, demerit, money_of, percent_of, ratio_of, read_headline, withdrawn
from sd_core.wording import counted


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: at its head.
        write: returns its text in a row.
        meaning: what the name means, in a line.
    """

    name: str
    write: Callable[[dict[str, Any]], str]
    meaning: str


def print_headline(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    """Print the headline of the published warehouse."""
    headline = read_headline(connection)
    for notice in ("", headline.title, *headline.notices):
        console.print(notice, style="bold")
    columns = list(_columns(headline))
    console.print()
    console.print(_table(headline, columns))
    console.print()
    console.print(_order(headline), style="dim")
    console.print(_meanings(columns))
    console.print()
    for sentence in (*headline.notes, *headline.sentences):
        console.print(sentence)
    _print_reserves(console, headline)
    _print_living(console, living_sentences(paying(connection)), living_note(connection))
    _print_plans(console, headline.plans)
    _print_accounts(console, headline.accounts)
    _print_findings(console, headline.findings)


def _columns(headline: Headline) -> Iterator[Column]:
    rows = [line.row for line in headline.chosen]
    yield Column(
        "reserve", lambda row: percent_of(row["reserve"], digits=None), "share of the capital left in cash at the start"
    )
    yield Column("value", lambda row: money_of(row["final_value"]), "what the portfolio is worth at the last close")
    if any(row["withdrawals_scheduled"] for row in rows):
        yield Column("paid", withdrawn, "withdrawals paid to you, per year (share of what was due, where not all)")
    if all(row["is_of_a_year"] for row in rows):
        yield Column("CAGR", lambda row: percent_of(row["cagr"]), "growth per year, compounded; money added is none")
    else:
        yield Column("return", lambda row: percent_of(row["twr"]), "growth over the whole time, less than a year")
    yield Column(
        "Sharpe", lambda row: ratio_of(row["sharpe"]), "return above cash for the ups and downs taken; higher is better"
    )
    yield Column("drawdown", lambda row: percent_of(row["max_drawdown"]), "the deepest fall below an earlier high")
    yield Column("cash", lambda row: percent_of(row["mean_cash_share"], 0), "share of the value in cash, on average")
    yield Column(
        "earned", lambda row: money_of(row["dividends_and_interest_per_year"]), "dividends and interest, per year"
    )
    yield Column(
        "sales", lambda row: money_of(row["harvest_net_per_year"]), "sales of the rule less its purchases, per year"
    )


def _table(headline: Headline, columns: Sequence[Column]) -> Table:
    # A single space between columns: with two, eleven columns do not fit a page of 80.
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    # On a narrow terminal and in a sweep names take several lines; nothing is cut off.
    table.add_column("strategy", overflow="fold")
    for column in columns:
        table.add_column(column.name, justify="right", overflow="fold", no_wrap=False)
    for row in sorted((line.row for line in headline.chosen), key=demerit):
        # What everything is compared with, and what is not.
        style = "bold" if row is headline.holding else "dim" if not row["is_current"] else None
        name = row["strategy"] + ("" if row["is_current"] else " (outdated)")
        table.add_row(name, *(column.write(row) for column in columns), style=style)
    return table


def _order(headline: Headline) -> str:
    order = "Every strategy at its best and its worst reserve, the best first."
    return order if headline.holding is None else f"{order} Buy-and-hold is {headline.holding['strategy']}."


def _meanings(columns: Sequence[Column]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), style="dim")
    table.add_column(no_wrap=True)
    table.add_column()
    for column in columns:
        table.add_row(column.name, column.meaning)
    return table


def _print_reserves(console: Console, headline: Headline) -> None:
    """Print which reserve is the best, where bootstrap samples were simulated."""
    verdicts = len(headline.reserves) + headline.undecided
    if not verdicts:
        return
    console.print()
    counts = f"{counted(verdicts, 'verdict')}, {headline.undecided} undecided"
    console.print(f"Which reserve is the best? (report_reserve_verdict): {counts}")
    for verdict in headline.reserves:
        console.print(f"- {verdict}")


def _print_living(console: Console, sentences: Sequence[str], note: str) -> None:
    """Print what strategies pay of withdrawals, each at its best reserve, where bootstrap samples were simulated."""
    if sentences:
        console.print()
        console.print("What does it pay? At the reserve with the highest safe rate (report_safe_withdrawal):")
        for sentence in sentences[:NAMED]:
            console.print(f"- {sentence}")
        console.print(note)


def _print_plans(console: Console, plans: Sequence[str]) -> None:
    """Print what plans of a core and satellites came to, where the study has any."""
    if plans:
        console.print()
        console.print("A core with satellites (report_book, report_bucket):")
        for plan in plans:
            console.print(f"- {plan}")


def _print_accounts(console: Console, accounts: Sequence[str]) -> None:
    """Print what the account's books came to, where the study's ledger is there."""
    if accounts:
        console.print()
        console.print("The account (report_book, report_bucket, report_bucket_twin):")
        for said in accounts:
            console.print(f"- {said}")


def _print_findings(console: Console, findings: Sequence[str]) -> None:
    if not findings:
        return
    console.print()
    console.print(f"{counted(len(findings), 'finding')} about the prices of single tickers (report_data_quality):")
    for finding in findings[:NAMED]:
        console.print(f"- {finding}")
    if len(findings) > NAMED:
        console.print(f"and {len(findings) - NAMED} more")
