"""Charts of where profit came from, asset by asset."""

from collections import defaultdict
from typing import Any

import duckdb

from pipelines.report import svg
from pipelines.report.choice import CHOSEN, Choice
from pipelines.report.numbers import decimal, percent
from pipelines.report.scales import linear
from pipelines.report.svg import BLUE, GREEN, VERMILLION, Figure, Key, Part
from pipelines.warehouse.records import records

# More bars than this are too many for a chart; the assets with the largest profits and losses remain.
MOST_ASSETS = 24
# Of the longest bar.
VISIBLE = 0.005

_PROFITS = f"""
with
{CHOSEN}
select chosen.place, assets.*
from chosen
inner join report_attribution as assets using (strategy, reserve)
order by chosen.place, abs(assets.profit) desc, assets.ticker
"""


def attribution_figures(connection: duckdb.DuckDBPyConnection, choice: Choice, currency: str) -> list[Figure]:
    """Draw the profit of each asset, and of the bank, in each scenario shown, the largest first."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in records(connection, _PROFITS, choice.columns()):
        found[row["place"]].append(row)
    return [_figure(choice.shown[place].label, rows[:MOST_ASSETS], currency) for place, rows in found.items()]


def _figure(label: str, rows: list[dict[str, Any]], currency: str) -> Figure:
    parts = [
        Part("price gain", [row["price_gain"] for row in rows], BLUE),
        Part("dividends and interest", [row["income"] for row in rows], GREEN),
        Part("costs", [-row["costs"] for row in rows], VERMILLION),
    ]
    ends = [
        sum(part.values[place] for part in parts if (part.values[place] > 0) == above)
        for place in range(len(rows))
        for above in (True, False)
    ]
    # Costs too small to be seen need no room on the axis.
    ends = [end for end in ends if abs(end) >= VISIBLE * max(map(abs, ends))]
    names = [row["ticker"] for row in rows]
    return Figure(
        label,
        svg.bars(
            names, parts, linear(ends, f"profit, {currency}"), label=f"Profit by asset of {label}, in {currency}."
        ),
        tuple(Key(part.label, part.colour) for part in parts),
        ("asset", "price gain", "income", "costs", f"profit, {currency}", "part of the return"),
        tuple(
            (
                row["ticker"],
                *(decimal(row[column]) for column in ("price_gain", "income", "costs", "profit")),
                percent(row["contribution"]),
            )
            for row in rows
        ),
    )
