"""What each strategy came to from other start dates, in a row.

Which starts there are belongs in ``sd_core.resampling``, how they compare with buy-and-hold in ``sql``.
"""

import duckdb

from pipelines.report.numbers import decimal, level, percent
from pipelines.report.page import Cell, table
from pipelines.warehouse.records import records

_STRATEGIES = """
select
    starts.strategy,
    starts.reserve,
    min(starts.cagr) as worst,
    year(arg_min(starts.start_session, starts.cagr)) as worst_year,
    median(starts.cagr) as middle,
    max(starts.cagr) as best,
    year(arg_max(starts.start_session, starts.cagr)) as best_year,
    count_if(starts.did_better) as better,
    count(starts.did_better) as compared,
    count_if(not starts.paid_in_full) as unpaid,
    count(*) as starts
from report_start_date as starts
inner join report_strategy as whole using (strategy, reserve)
inner join study_strategy as strategies using (strategy)
where whole.rank is not null
group by starts.strategy, starts.reserve, whole.rank, strategies.position
qualify row_number() over (partition by starts.strategy order by whole.rank, starts.reserve) = 1
order by strategies.position
"""


def starts_table(connection: duckdb.DuckDBPyConnection) -> str:
    """Return each strategy at its best reserve with its worst, middle and best start; empty without other starts."""
    rows = records(connection, _STRATEGIES)
    if not rows:
        return ""
    header = (
        "strategy",
        "reserve",
        "worst per year",
        "started in",
        "median per year",
        "best per year",
        "started in",
        "better than buy-and-hold",
        "not all withdrawals paid",
        "starts",
    )
    cells = [
        [
            Cell(row["strategy"], is_number=False),
            Cell(level(row["reserve"]), row["reserve"]),
            Cell(percent(row["worst"], 2), row["worst"]),
            Cell(str(row["worst_year"]), row["worst_year"]),
            Cell(percent(row["middle"], 2), row["middle"]),
            Cell(percent(row["best"], 2), row["best"]),
            Cell(str(row["best_year"]), row["best_year"]),
            Cell(decimal(row["better"] if row["compared"] else None), row["better"]),
            Cell(decimal(row["unpaid"]), row["unpaid"]),
            Cell(decimal(row["starts"]), row["starts"]),
        ]
        for row in rows
    ]
    return table(header, cells, name="Other start dates by strategy", sortable=True)
