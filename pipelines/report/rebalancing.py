"""The comparison of strategies that rebalance, by their triggers."""

from collections.abc import Sequence
from typing import Any

import duckdb

from pipelines.report.numbers import decimal, level, percent, ratio
from pipelines.report.page import Cell, table
from pipelines.report.verdicts import Headline
from pipelines.warehouse.records import records

_STRATEGIES = """
select report_rebalancing.*
from report_rebalancing
inner join study_strategy using (strategy)
inner join report_strategy using (strategy, reserve)
qualify row_number() over (partition by strategy order by report_strategy.rank, reserve) = 1
order by study_strategy.position
"""


def rebalancing_table(connection: duckdb.DuckDBPyConnection, headline: Headline) -> str:
    """Return the strategies that rebalance, with what they returned above buy-and-hold; empty where there are none."""
    rows = records(connection, _STRATEGIES)
    if not rows:
        return ""
    currency = headline.study["currency"]
    held = {} if headline.holding is None else _by_reserve(headline.rows, headline.holding["strategy"])
    for row in rows:
        beside = held.get(row["reserve"])
        both = beside and None not in (row["cagr"], beside["cagr"])
        row["cagr_above"] = row["cagr"] - beside["cagr"] if beside and both else None
    columns = (
        ("reserve", "reserve", level),
        *(
            (("per year (CAGR)", "cagr", percent), ("CAGR above buy-and-hold", "cagr_above", percent))
            if all(row["is_of_a_year"] for row in headline.rows)
            else (("TWR", "twr", percent), ("TWR above buy-and-hold", "excess_over_same_reserve", percent))
        ),
        ("volatility", "volatility", percent),
        ("Sharpe", "sharpe", ratio),
        ("worst drawdown", "max_drawdown", percent),
        ("turnover per year", "turnover", percent),
        ("trades", "trades", decimal),
        (f"fees, {currency}", "fees", decimal),
    )
    cells = [
        [
            Cell(row["strategy"], is_number=False),
            Cell(triggers(row), is_number=False),
            *(Cell(write(row[column]), row[column]) for _, column, write in columns),
        ]
        for row in rows
    ]
    header = ("strategy", "rebalances", *(name for name, *_ in columns))
    return table(header, cells, name="Strategies that rebalance", sortable=True)


def _by_reserve(rows: Sequence[dict[str, Any]], strategy: str) -> dict[float, dict[str, Any]]:
    return {row["reserve"]: row for row in rows if row["strategy"] == strategy and row["is_current"]}


def triggers(row: dict[str, Any]) -> str:
    """Say what makes a strategy rebalance; empty for one that never does."""
    found = _triggers_to_targets(row)
    if row["band_width"] is not None:
        found.append(f"at the edges of a band of ±{level(row['band_width'])} ({row['band_kind']})")
    if row["band_edges"] is not None:
        found.append("at the edges of bands of single assets")
    if row["drift"] is not None:
        found.append(f"{level(row['drift'])} above target (profit taken)")
    if row["premium_spread"] is not None:
        found.append(f"premiums over {level(row['premium_spread'])} apart")
    if row["cash_high"] is not None:
        found.append(f"cash above {level(row['cash_high'])} (deployed)")
    return ", or ".join(found)


def _triggers_to_targets(row: dict[str, Any]) -> list[str]:
    """Say what returns a strategy to its targets, and behind it how long that waits."""
    found = []
    if row["rebalance_every"]:
        found.append(f"every {row['rebalance_every']}")
    if row["rebalance_deviation_width"] is not None:
        width, kind = row["rebalance_deviation_width"], row["rebalance_deviation_kind"]
        found.append(f"{level(width)} off target ({kind})")
    if row["rebalance_volatility_level"] is not None:
        window, most = row["rebalance_volatility_window"], row["rebalance_volatility_level"]
        found.append(f"volatility of {window} sessions above {level(most)}")
    if row["rebalance_on_change"]:
        found.append("when targets change")
    if found and row["rebalance_patience_sessions"] is not None:
        longest, mean = row["rebalance_patience_sessions"], row["rebalance_patience_mean"]
        found[-1] += f" (waits up to {longest} sessions for the mean of {mean} closes)"
    return found
