"""What signals have predicted: their quality by horizon, and what each likes best now."""

from typing import Any

import duckdb

from pipelines.report.numbers import decimal, percent
from pipelines.report.page import Cell, table
from pipelines.warehouse.records import records
from sd_core.wording import counted

PREDICTS = "predicts"
# The horizon whose numbers are shown beside the t statistics of all: a month.
SHOWN = 21
# Assets that are named of each signal.
BEST = 3

_QUALITY = """
select report_signal.*
from report_signal
left join study_signal using (signal)
order by study_signal.position nulls last, report_signal.signal, report_signal.horizon
"""
_LATEST = """
select signal.signal, signal.ticker
from signal
left join study_signal using (signal)
where signal.session = (select max(session) from signal where percentile is not null) and signal.percentile is not null
qualify row_number() over (partition by signal.signal order by signal.percentile desc, signal.ticker) <= $1
order by study_signal.position nulls last, signal.signal, signal.percentile desc, signal.ticker
"""


def quality_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of ``report_signal`` by signal, in the study's order, horizons ascending."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in records(connection, _QUALITY):
        found.setdefault(row["signal"], []).append(row)
    return found


def quality_sentence(quality: dict[str, list[dict[str, Any]]]) -> str:
    """Return in a sentence how many signals predict over some horizon."""
    able = [signal for signal, rows in quality.items() if any(row["verdict"] == PREDICTS for row in rows)]
    if not able:
        return f"Of {counted(len(quality), 'signal')} none predicts over any horizon, as far as these prices can say."
    return f"Of {counted(len(quality), 'signal')} {len(able)} predicted over some horizon: {', '.join(able)}."


def quality_table(quality: dict[str, list[dict[str, Any]]]) -> str:
    """Return a row per signal: t by horizon, and what it came to over a month."""
    rows = [(signal, of, next(row for row in of if row["horizon"] == SHOWN)) for signal, of in quality.items()]
    horizons = [row["horizon"] for row in rows[0][1]]
    header = (
        "signal", "kind", "months", *(f"t, {counted(horizon, 'session')}" for horizon in horizons), "verdict",
        f"coefficient, {SHOWN} sessions", "above 0", "spread of thirds", "change of place a month", "half-life, months",
    )  # fmt: skip
    cells = [
        [
            Cell(signal, is_number=False),
            Cell(row["kind"], is_number=False),
            Cell(decimal(row["decisions"]), row["decisions"]),
            *(Cell(decimal(one["t_statistic"], 1), one["t_statistic"]) for one in of),
            Cell(_verdict(of), is_number=False),
            Cell(decimal(row["mean_coefficient"], 3), row["mean_coefficient"]),
            Cell(percent(row["hit_rate"], 0), row["hit_rate"]),
            Cell(percent(row["mean_spread"]), row["mean_spread"]),
            Cell(percent(row["rank_turnover"], 0), row["rank_turnover"]),
            Cell(decimal(row["half_life"], 1), row["half_life"]),
        ]
        for signal, of, row in rows
    ]
    return table(header, cells, name="What signals have predicted", sortable=True)


def latest_table(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the assets that each signal puts highest at its last decision; empty where none has a place."""
    best: dict[str, list[str]] = {}
    for row in records(connection, _LATEST, [BEST]):
        best.setdefault(row["signal"], []).append(row["ticker"])
    cells = [[Cell(name, is_number=False) for name in (signal, ", ".join(tickers))] for signal, tickers in best.items()]
    return table(("signal", "highest at the last decision"), cells, name="What signals say now") if cells else ""


def _verdict(rows: list[dict[str, Any]]) -> str:
    horizons = [str(row["horizon"]) for row in rows if row["verdict"] == PREDICTS]
    return f"{PREDICTS} over {', '.join(horizons)}" if horizons else rows[0]["verdict"]
