"""What portfolios pay of withdrawals in the bootstrap samples, in a sentence and in a row for each strategy.

How a sample is asked belongs in ``sd_core.resampling``, what the samples say together in ``sql``.
"""

from collections.abc import Sequence
from typing import Any

import duckdb

from pipelines.report.numbers import decimal, level, percent, typeset
from pipelines.report.page import Cell, table
from pipelines.report.verdicts import percent_of
from pipelines.warehouse.records import records

# One row per strategy: the reserve with the highest safe rate, the lower one of two.
_STRATEGIES = """
select
    paying.strategy,
    paying.reserve,
    paying.withdrawal_rate,
    paying.withdrawal_of,
    paying.paid_all,
    paying.paid_all_low,
    paying.paid_all_high,
    paying.final_value_median,
    paying.real_value_median,
    paying.years,
    paying.histories,
    safe.safe_rate,
    safe.safe_rate_low,
    safe.safe_rate_high
from report_withdrawal as paying
inner join report_safe_withdrawal as safe using (strategy, reserve)
inner join study_strategy using (strategy)
where safe.certainty = 0.95 and paying.paid_all is not null
qualify row_number() over (
    partition by paying.strategy
    order by safe.safe_rate desc nulls last, paying.reserve, paying.is_own desc, paying.withdrawal_rate
) = 1
order by study_strategy.position
"""

_LEFT_OUT = """
select
    count(study_strategy.withdrawals_on) as lump_sums,
    count(study.tax_short_term) > 0 as has_taxes
from study_strategy
cross join study
"""


def paying(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return each strategy at the reserve with its highest safe rate; none without bootstrap samples."""
    return records(connection, _STRATEGIES)


def living_note(connection: duckdb.DuckDBPyConnection) -> str:
    """Return what the rates leave out."""
    [found] = records(connection, _LEFT_OUT)
    if found["has_taxes"]:
        return (
            "Taxes are paid from the portfolio too, those of a year in April of the next; the tax on selling what is "
            "left is not counted." + (" Lump sums that go out are left out." if found["lump_sums"] else "")
        )
    lump_sums = " and without the lump sums that go out" if found["lump_sums"] else ""
    return f"All of this is before taxes{lump_sums}."


def living_sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say of each strategy how likely its withdrawals are paid to the end, and how much is safe."""
    return [
        (
            f"{row['strategy']} at a reserve of {percent_of(row['reserve'], None)} pays "
            f"{percent_of(row['withdrawal_rate'], None)} of the {row['withdrawal_of']} a year for {row['years']} years "
            f"in {percent_of(row['paid_all'])} of the samples ({percent_of(row['paid_all_low'])} to "
            f"{percent_of(row['paid_all_high'])}). {_safe(row)}"
        )
        for row in rows
    ]


def _safe(row: dict[str, Any]) -> str:
    if row["safe_rate"] is None:
        return "No safe rate was found."
    return f"Safe at 95 %: {percent_of(row['safe_rate'], 2)} of the capital a year ({_ends(row)})."


def _ends(row: dict[str, Any]) -> str:
    """Return the interval of a safe rate; samples may be too few for its lower end."""
    if row["safe_rate_low"] is None and row["safe_rate_high"] is not None:
        return f"up to {percent_of(row['safe_rate_high'], 2)}, too few samples for a lower end"
    return f"{percent_of(row['safe_rate_low'], 2)} to {percent_of(row['safe_rate_high'], 2)}"


def living_table(rows: Sequence[dict[str, Any]], currency: str) -> str:
    """Return the strategies with what they pay; empty where nothing was simulated."""
    if not rows:
        return ""
    is_real = any(row["real_value_median"] is not None for row in rows)
    left = "real_value_median" if is_real else "final_value_median"
    header = (
        "strategy",
        "reserve",
        "withdrawn per year",
        "paid to the end",
        "its 95 % interval",
        f"median left, {'real ' if is_real else ''}{currency}",
        "safe at 95 %",
        "its interval",
    )
    cells = [
        [
            Cell(row["strategy"], is_number=False),
            Cell(level(row["reserve"]), row["reserve"]),
            Cell(f"{level(row['withdrawal_rate'])} of {row['withdrawal_of']}", row["withdrawal_rate"]),
            Cell(percent(row["paid_all"]), row["paid_all"]),
            Cell(f"{percent(row['paid_all_low'])} to {percent(row['paid_all_high'])}", row["paid_all_low"]),
            Cell(decimal(row[left]), row[left]),
            Cell(percent(row["safe_rate"], 2), row["safe_rate"]),
            Cell(typeset(_ends(row)), row["safe_rate_low"]),
        ]
        for row in rows
    ]
    return table(header, cells, name="Withdrawals by strategy", sortable=True)
