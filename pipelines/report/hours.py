"""How asset classes move together by the length of a return, from hourly bars. Daily ones are drawn in ``market``."""

import duckdb

from pipelines.report.numbers import decimal, ratio
from pipelines.report.page import Cell, table
from pipelines.warehouse.records import records


def class_correlations(connection: duckdb.DuckDBPyConnection) -> str:
    """Return how asset classes move together by the length of a return; empty without hourly bars."""
    rows = records(connection, _CLASSES)
    if not rows:
        return ""
    header = ("classes", "1 hour", "4 hours", "a day", "a week", "pairs", "minutes apart")
    cells = [
        [
            Cell(f"{row['class_a']} and {row['class_b']}", is_number=False),
            *(Cell(ratio(row[name])) for name in ("hour", "hours", "day", "week")),
            Cell(decimal(row["pairs"])),
            Cell(decimal(row["minutes_apart"])),
        ]
        for row in rows
    ]
    return table(header, cells, name="Average correlation by the length of a return")


_CLASSES = """
select
    class_a,
    class_b,
    any_value(average_correlation) filter (where frequency = '1h') as hour,
    any_value(average_correlation) filter (where frequency = '4h') as hours,
    any_value(average_correlation) filter (where frequency = '1d') as day,
    any_value(average_correlation) filter (where frequency = '1w') as week,
    max(pairs) as pairs,
    max(minutes_apart) as minutes_apart
from correlation_class
group by class_a, class_b
order by class_a, class_b
"""
