"""What was paid to the owner beside the income that the portfolio had, year by year."""

import duckdb

from pipelines.report import page
from pipelines.report.choice import CHOSEN, Choice
from pipelines.report.numbers import decimal, percent
from pipelines.report.page import Cell
from pipelines.warehouse.records import records

_YEARS = f"""
with
{CHOSEN},
paid as (
    select
        chosen.place,
        year(ledger.session) as year,
        -sum(ledger.amount) as withdrawn
    from chosen
    inner join simulation_ledger as ledger using (strategy, reserve)
    where ledger.kind = 'WITHDRAWAL'
    group by chosen.place, year(ledger.session)
),
income as (
    select
        chosen.place,
        year(months.month) as year,
        sum(months.dividends + months.interest) as received,
        sum(months.harvest_net) as harvest_net
    from chosen
    inner join simulation_income as months using (strategy, reserve)
    group by chosen.place, year(months.month)
)
select
    income.place,
    income.year,
    coalesce(paid.withdrawn, 0) as withdrawn,
    income.received,
    income.harvest_net
from income
left join paid using (place, year)
order by income.place, income.year
"""


def paid_tables(connection: duckdb.DuckDBPyConnection, choice: Choice, currency: str) -> str:
    """Return withdrawals against income of each scenario shown that paid any, in total and by year; else nothing."""
    by_place: dict[int, list[dict[str, float]]] = {}
    for row in records(connection, _YEARS, choice.columns()):
        by_place.setdefault(row["place"], []).append(row)
    paying = {place: years for place, years in by_place.items() if any(row["withdrawn"] for row in years)}
    if not paying:
        return ""
    header = (f"withdrawn, {currency}", f"dividends and interest, {currency}", f"net harvest, {currency}", "covered")
    totals = [
        [Cell(choice.shown[place].label, is_number=False), *_cells(_total(years))] for place, years in paying.items()
    ]
    yearly = "".join(
        page.details(
            f"{choice.shown[place].label}, by year",
            page.table(
                ("year", *header),
                [[Cell(f"{row['year']}", is_number=False), *_cells(row)] for row in years],
                name=f"Withdrawals and income by year of {choice.shown[place].label}",
            ),
        )
        for place, years in paying.items()
    )
    return page.table(("scenario", *header), totals, name="Withdrawals and income", sortable=True) + yearly


def _total(years: list[dict[str, float]]) -> dict[str, float]:
    return {kind: sum(row[kind] for row in years) for kind in ("withdrawn", "received", "harvest_net")}


def _cells(row: dict[str, float]) -> list[Cell]:
    covered = (row["received"] + row["harvest_net"]) / row["withdrawn"] if row["withdrawn"] else None
    amounts = [Cell(decimal(row[kind]), row[kind]) for kind in ("withdrawn", "received", "harvest_net")]
    return [*amounts, Cell(percent(covered, 0), covered)]
