"""The data dictionary: what the published tables hold, as a page for people."""

from collections.abc import Iterable, Iterator

from sd_core.schemas.columns import FINITE, Column
from sd_core.schemas.table import Table

LAYERS = {
    "staging": "The study, its market and its simulations, as the lake has them.",
    "analytics": "What is derived from staging, by session and by scenario.",
    "signals": "What is asked of past prices about each asset, and what followed; empty without signals.",
    "reports": "The results, ready to read.",
}

INTRODUCTION = """\
# Data dictionary

The tables of a published warehouse. This page is generated:
`python -m sd_core.schemas > docs/data-dictionary.md` rewrites it.

Fractions are fractions: 0.1 is ten percent. Money and prices are in the study's currency. A session is a date without a
time zone. Numbers are finite; one that cannot be computed is NULL, never NaN. The same descriptions are in the
warehouse as comments."""


def data_dictionary(tables: Iterable[Table]) -> str:
    """Return the page in Markdown: the layers in order, and in each its tables in the order given."""
    tables = list(tables)
    sections = [INTRODUCTION]
    for layer, description in LAYERS.items():
        sections.append(f"## {layer.capitalize()}\n\n{description}")
        sections.extend(_section(table) for table in tables if table.layer == layer)
    return "\n\n".join(sections) + "\n"


def _section(table: Table) -> str:
    kind = "Table" if table.stored else "View"
    return "\n".join(
        [
            f"### {table.name}",
            "",
            table.description,
            "",
            f"{kind}, one row per {', '.join(table.key)}.",
            "",
            "| column | type | unit | values | meaning |",
            "|---|---|---|---|---|",
            *(_row(name, column) for name, column in table.columns.items()),
        ]
    )


def _row(name: str, column: Column) -> str:
    values = "; ".join(_values(column))
    return f"| {name} | {column.type} | {column.unit or ''} | {values} | {column.description} |"


def _values(column: Column) -> Iterator[str]:
    """Say which values are allowed; that numbers are finite is said once for all."""
    for check in column.checks:
        if check is not FINITE:
            yield check.words
    if column.nullable:
        yield "NULL"
