"""What a run found, for the person who waited for it: simply holding first, then every strategy, then what to doubt.

Reads the published warehouse only. How numbers come about belongs in ``sql``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

_ROWS = """
select
    report_strategy.*,
    study_strategy.position,
    study_strategy.variant
from report_strategy
inner join study_strategy using (strategy)
order by position, reserve
"""

HARVEST_NOTE = (
    "Income is dividends, interest and net harvest, per year. Harvest is money taken out of the holdings, not a yield."
)
NAMED = 8


@dataclass(frozen=True)
class _Chosen:
    """One line of the table: a row of report_strategy and why it is shown."""

    label: str
    row: dict[str, Any]


def print_headline(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    """Print the headline of the published warehouse."""
    study = _records(connection, "from study")[0]
    rows = _records(connection, _ROWS)
    holding = next((row for row in rows if row["variant"] == "buy_and_hold" and row["reserve"] == 0), None)
    first, last = min(row["first_session"] for row in rows), max(row["last_session"] for row in rows)
    console.print(
        f"\n[bold]{study['name']}[/bold]: {study['capital']:,.0f} {study['currency']} "
        f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}, benchmark {study['benchmark']}"
    )
    for notice in _notices(connection):
        console.print(f"[bold]{notice}[/bold]", highlight=False)
    console.print(_table(_chosen(rows, holding)))
    console.print(HARVEST_NOTE, style="dim")
    for sentence in _sentences(rows, holding):
        console.print(sentence, highlight=False)
    _print_findings(console, connection)


def _records(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _notices(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return what must be known before the first number is read: findings about the study as a whole."""
    return [
        row["detail"] for row in _records(connection, "from report_data_quality where ticker is null order by rule")
    ]


def _chosen(rows: Sequence[dict[str, Any]], holding: dict[str, Any] | None) -> list[_Chosen]:
    chosen = [_Chosen("simply holding", holding)] if holding else []
    for strategy in dict.fromkeys(row["strategy"] for row in rows):
        levels = [row for row in rows if row["strategy"] == strategy and row["twr"] is not None]
        if not levels:
            continue
        best = max(levels, key=lambda row: row["twr"])
        worst = min(levels, key=lambda row: row["twr"])
        if best is not holding:
            chosen.append(_Chosen("best reserve" if best is not worst else "only reserve", best))
        if worst is not best:
            chosen.append(_Chosen("worst reserve", worst))
    return chosen


def _table(chosen: Sequence[_Chosen]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("strategy")
    table.add_column("")
    for name in ("reserve", "value", "TWR", "Sharpe", "drawdown", "income/year", "skipped buys", "TWR - holding"):
        table.add_column(name, justify="right")
    for line in chosen:
        row = line.row
        table.add_row(
            row["strategy"] + ("" if row["is_current"] else " (outdated)"),
            line.label,
            _percent(row["reserve"], digits=None),
            f"{row['final_value']:,.0f}",
            _percent(row["twr"]),
            "-" if row["sharpe"] is None else f"{row['sharpe']:.2f}",
            _percent(row["max_drawdown"]),
            "-" if row["income_per_year"] is None else f"{row['income_per_year']:,.0f}",
            f"{row['skipped_buys']:,}",
            _percent(row["excess_over_buy_and_hold"]),
        )
    return table


def _percent(fraction: float | None, digits: int | None = 1) -> str:
    if fraction is None:
        return "-"
    return f"{fraction * 100:.4g} %" if digits is None else f"{fraction * 100:,.{digits}f} %"


def _sentences(rows: Sequence[dict[str, Any]], holding: dict[str, Any] | None) -> list[str]:
    """Say in words where holding wins, and what cannot be compared."""
    outdated = [f"{row['strategy']} at {_percent(row['reserve'], None)}" for row in rows if not row["is_current"]]
    sentences = []
    if outdated:
        named = ", ".join(outdated[:NAMED]) + (" and more" if len(outdated) > NAMED else "")
        sentences.append(
            f"Computed on older prices or settings, so not compared: {named}. A whole run brings them up to date."
        )
    if holding is None:
        return [
            *sentences,
            "The study has no strategy of the variant buy_and_hold at a reserve of 0, so nothing here says what simply "
            "holding would have brought.",
        ]
    rivals = [row for row in rows if row["variant"] != "buy_and_hold" and row["excess_over_buy_and_hold"] is not None]
    if not rivals:
        return sentences
    beaten = [row for row in rivals if row["excess_over_buy_and_hold"] < 0]
    calmer = [row for row in beaten if _more(row["sharpe"], holding["sharpe"])]
    best = max(rivals, key=lambda row: row["twr"])
    if len(beaten) == len(rivals):
        sentences.append(
            f"Simply holding wins: it returned {_percent(holding['twr'])}, more than every one of the {len(rivals)} "
            f"scenarios that trade. The nearest, {_place(best)}, returned {_percent(best['twr'])}."
        )
    elif beaten:
        sentences.append(
            f"Simply holding returned more than {len(beaten)} of the {len(rivals)} scenarios that trade; the best of "
            f"them, {_place(best)}, returned {_percent(best['twr'])} against {_percent(holding['twr'])}."
        )
    else:
        sentences.append(
            f"Every one of the {len(rivals)} scenarios that trade returned more than simply holding, "
            f"{_percent(holding['twr'])}; the best is {_place(best)} with {_percent(best['twr'])}."
        )
    if calmer:
        sentences.append(
            f"Of those that holding beat, {len(calmer)} had the higher Sharpe ratio: they returned less, and swung "
            "less still."
        )
    return sentences


def _place(row: dict[str, Any]) -> str:
    return f"{row['strategy']} at a reserve of {_percent(row['reserve'], None)}"


def _more(mine: float | None, other: float | None) -> bool:
    return mine is not None and other is not None and mine > other


def _print_findings(console: Console, connection: duckdb.DuckDBPyConnection) -> None:
    findings = _records(connection, "from report_data_quality where ticker is not null order by ticker, first_session")
    if not findings:
        return
    console.print(f"\n{len(findings)} findings about the prices (table report_data_quality):", highlight=False)
    for finding in findings[:NAMED]:
        console.print(f"  {finding['detail']}", highlight=False)
    if len(findings) > NAMED:
        console.print(f"  and {len(findings) - NAMED} more", highlight=False)
