"""The comparison of strategies that return the portfolio to its targets, by what makes them do so."""

from typing import Any

import duckdb

from pipelines.headline import Headline, records
from pipelines.report.numbers import decimal, level, percent
from pipelines.report.page import Cell, table

_STRATEGIES = """
with
rules as (
    select
        strategy,
        position,
        variant = 'buy_and_hold' as is_holding,
        coordination,
        rebalance_every,
        deviation,
        deviation_kind,
        volatility as trigger_volatility,
        volatility_window,
        band,
        band_kind
    from study_strategy
    where coordination in ('target', 'hybrid', 'hold') or variant = 'buy_and_hold'
),
best as (
    select
        strategy,
        arg_max(reserve, twr) as reserve
    from report_strategy
    where is_current
    group by strategy
),
traded as (
    select
        strategy,
        reserve,
        sum(abs(ledger.quantity * ledger.price)) filter (where ledger.kind <> 'INITIAL_BUY') as traded
    from best
    inner join simulation_ledger as ledger using (strategy, reserve)
    group by strategy, reserve
),
worth as (
    select
        strategy,
        reserve,
        avg(daily.value) as mean_value
    from best
    inner join simulation_daily as daily using (strategy, reserve)
    group by strategy, reserve
)
select
    report_strategy.*,
    rules.* exclude (strategy),
    case
        when traded.strategy is not null
            then turnover(coalesce(traded.traded, 0), worth.mean_value, last_session - first_session)
    end as turnover
from rules
inner join best using (strategy)
inner join report_strategy using (strategy, reserve)
left join worth using (strategy, reserve)
-- A scenario that kept no ledger has a turnover that nobody knows, not none.
left join traded using (strategy, reserve)
order by rules.position
"""


def rebalancing_table(connection: duckdb.DuckDBPyConnection, headline: Headline) -> str:
    """Return the strategies that rebalance, beside simply holding; empty where the study has none."""
    rows = records(connection, _STRATEGIES)
    if not any(_rule(row) for row in rows):
        return ""
    currency = headline.study["currency"]
    columns = (
        ("reserve", "reserve", level),
        ("TWR", "twr", percent),
        ("per year (CAGR)", "cagr", percent),
        ("volatility", "volatility", percent),
        ("Sharpe", "sharpe", lambda value: decimal(value, 2)),
        ("worst drawdown", "max_drawdown", percent),
        ("turnover per year", "turnover", percent),
        ("trades", "trades", decimal),
        (f"fees, {currency}", "fees", decimal),
    )
    cells = [
        [
            Cell(row["strategy"], is_number=False),
            Cell(_rule(row) or "never", is_number=False),
            *(Cell(write(row[column]), row[column]) for _, column, write in columns),
        ]
        for row in rows
    ]
    marked = [number for number, row in enumerate(rows) if row["is_holding"] and not _rule(row)]
    header = ("strategy", "rebalances", *(name for name, *_ in columns))
    return table(header, cells, name="Strategies that rebalance", marked=marked, sortable=True)


def _rule(row: dict[str, Any]) -> str:
    """Say what makes a strategy return to its targets; empty for one that never does."""
    triggers = []
    if row["rebalance_every"]:
        triggers.append(f"every {row['rebalance_every']}")
    if row["deviation"] is not None:
        triggers.append(f"{level(row['deviation'])} off target ({row['deviation_kind']})")
    if row["trigger_volatility"] is not None:
        triggers.append(f"volatility of {row['volatility_window']} sessions above {level(row['trigger_volatility'])}")
    if row["band"] is not None:
        triggers.append(f"at the edges of a band of ±{level(row['band'])} ({row['band_kind']})")
    return ", or ".join(triggers)
