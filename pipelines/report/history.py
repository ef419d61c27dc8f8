"""Tables of what holding a scenario was like: years, drawdowns, months in a row, taxes, and the orders of tomorrow."""

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from pipelines.report.choice import CHOSEN, Choice, Shown
from pipelines.report.numbers import NOTHING, date, decimal, percent
from pipelines.report.page import Cell, details, table
from pipelines.warehouse.records import records

# Of the deepest drawdowns; the longest is shown besides.
MOST_DRAWDOWNS = 5

_YEARS = f"""
with {CHOSEN}
select chosen.place, years.*
from report_calendar_year as years
inner join chosen using (strategy, reserve)
order by years.year, chosen.place
"""

_ROLLING = f"""
with {CHOSEN}
select
    chosen.place,
    rolling.months,
    min(rolling.twr) as worst,
    arg_min(rolling.last_session, rolling.twr) as worst_until,
    median(rolling.twr) as middle,
    max(rolling.twr) as best,
    arg_max(rolling.last_session, rolling.twr) as best_until,
    avg(case when rolling.twr < 0 then 1 when rolling.twr >= 0 then 0 end) as losses
from report_rolling_return as rolling
inner join chosen using (strategy, reserve)
group by chosen.place, rolling.months
order by rolling.months, chosen.place
"""

_DRAWDOWNS = f"""
with {CHOSEN}
select chosen.place, falls.*
from report_drawdown as falls
inner join chosen using (strategy, reserve)
where falls.depth_rank <= $4 or falls.length_rank = 1
order by chosen.place, falls.depth_rank
"""

_TAXES = f"""
with {CHOSEN}
select chosen.place, taxes.year, taxes.tax
from simulation_taxes as taxes
inner join chosen using (strategy, reserve)
order by taxes.year, chosen.place
"""

_ORDERS = f"""
with {CHOSEN}
select chosen.place, orders.*
from report_next_order as orders
inner join chosen using (strategy, reserve)
order by chosen.place, orders.ticker, orders.side
"""

Write = Callable[[Any], str]


def year_tables(connection: duckdb.DuckDBPyConnection, choice: Choice, currency: str) -> str:
    """Return the return of every calendar year, and on demand what was paid and left; empty where no days are kept."""
    rows = records(connection, _YEARS, choice.columns())
    if not rows:
        return ""
    partly = {row["year"] for row in rows if not row["is_whole"]}
    names = {row["year"]: f"{row['year']}, in part" if row["year"] in partly else str(row["year"]) for row in rows}
    columns: list[tuple[str, str, Write]] = [
        ("TWR", "twr", percent),
        ("worst drawdown", "max_drawdown", percent),
        (f"deposits, {currency}", "deposits", decimal),
        (f"withdrawals, {currency}", "withdrawals", decimal),
        (f"value at the end, {currency}", "end_value", decimal),
    ]
    if any(row["real_end_value"] is not None for row in rows):
        columns += [
            ("TWR after inflation", "real_twr", percent),
            (f"withdrawals in first prices, {currency}", "real_withdrawals", decimal),
            (f"value in first prices, {currency}", "real_end_value", decimal),
        ]
    money = [
        [Cell(_label(choice, row), is_number=False), Cell(names[row["year"]]), *_cells(row, columns)]
        for row in sorted(rows, key=lambda row: (row["place"], row["year"]))
    ]
    header = ("scenario", "year", *(name for name, *_ in columns))
    by_year = _side_by_side(rows, choice, names, "twr", percent, "Return of every calendar year")
    return by_year + details("Money by year", table(header, money, name="Money by year"))


def rolling_table(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return the worst and the best of all months in a row; empty where there are not so many."""
    columns: list[tuple[str, str, Write]] = [
        ("worst", "worst", percent),
        ("until", "worst_until", date),
        ("median", "middle", percent),
        ("best", "best", percent),
        ("until", "best_until", date),
        ("share with a loss", "losses", percent),
    ]
    cells = [
        [Cell(_label(choice, row), is_number=False), Cell(str(row["months"])), *_cells(row, columns)]
        for row in records(connection, _ROLLING, choice.columns())
    ]
    header = ("scenario", "months", *(name for name, *_ in columns))
    return table(header, cells, name="Returns over months in a row") if cells else ""


def drawdown_table(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return the deepest drawdowns of each scenario, and its longest; empty where nothing fell."""
    columns: list[tuple[str, str, Write]] = [
        ("depth", "depth", percent),
        ("peak", "peak_session", date),
        ("trough", "trough_session", date),
        ("recovery", "recovery_session", lambda day: "not yet" if day is None else date(day)),
        ("days under water", "days", decimal),
    ]
    rows = records(connection, _DRAWDOWNS, [*choice.columns(), MOST_DRAWDOWNS])
    cells = [
        [
            Cell(_label(choice, row), is_number=False),
            Cell(f"{row['depth_rank']}" + (", the longest" if row["length_rank"] == 1 else "")),
            *_cells(row, columns),
        ]
        for row in rows
    ]
    header = ("scenario", "place", *(name for name, *_ in columns))
    return table(header, cells, name="Worst drawdowns") if cells else ""


def tax_table(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return what is owed for every year; empty where the study has no taxes."""
    rows = records(connection, _TAXES, choice.columns())
    names = {row["year"]: str(row["year"]) for row in rows}
    return _side_by_side(rows, choice, names, "tax", decimal, "Tax of every year") if rows else ""


def order_tables(connection: duckdb.DuckDBPyConnection, choice: Choice, currency: str) -> str:
    """Return the orders after the last session, on demand for each scenario; empty where none of them has a rule."""
    columns: list[tuple[str, str, Write]] = [
        (f"limit, {currency}", "limit_price", lambda price: decimal(price, 2)),
        ("shares", "quantity", lambda shares: decimal(shares, 4)),
        (f"cash, {currency}", "amount", lambda amount: decimal(amount, 2)),
        ("from the last close", "distance", percent),
    ]
    header = ("asset", "side", *(name for name, *_ in columns), "prevented by")
    rows = records(connection, _ORDERS, choice.columns())
    parts = []
    for place, shown in enumerate(choice.shown):
        cells = [
            [
                Cell(row["ticker"], is_number=False),
                Cell(row["side"], is_number=False),
                *_cells(row, columns),
                Cell(row["restraint"] or NOTHING, is_number=False),
            ]
            for row in rows
            if row["place"] == place
        ]
        if cells:
            parts.append(details(shown.label, table(header, cells, name=f"Orders of {shown.label}")))
    return "".join(parts)


def _label(choice: Choice, row: dict[str, Any]) -> str:
    shown: Shown = choice.shown[row["place"]]
    return shown.label


def _cells(row: dict[str, Any], columns: Sequence[tuple[str, str, Write]]) -> list[Cell]:
    return [Cell(write(row[column])) for _, column, write in columns]


def _side_by_side(
    rows: Sequence[dict[str, Any]], choice: Choice, names: dict[int, str], column: str, write: Write, title: str
) -> str:
    """Return a table with a row for each year and a column for each scenario that has rows."""
    places = sorted({row["place"] for row in rows})
    found = {(row["year"], row["place"]): row[column] for row in rows}
    cells = [
        [Cell(name, is_number=False), *(Cell(write(found.get((year, place)))) for place in places)]
        for year, name in names.items()
    ]
    return table(("year", *(choice.shown[place].label for place in places)), cells, name=title)
