"""How the scenarios shown did in each regime of the market. The regimes themselves are drawn in ``market``."""

import duckdb

from pipelines.report.choice import CHOSEN, Choice
from pipelines.report.numbers import decimal, percent, ratio
from pipelines.report.page import Cell, table
from pipelines.warehouse.records import records

_REGIMES = f"""
with
{CHOSEN}
select chosen.place, regimes.*
from chosen
inner join report_regime as regimes using (strategy, reserve)
order by chosen.place, regimes.sessions desc, regimes.regime
"""


def regime_table(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return a row per scenario shown and regime; empty where no regime is known."""
    rows = records(connection, _REGIMES, choice.columns())
    if not rows:
        return ""
    columns = (
        ("of all sessions", "session_share", percent),
        ("mean return per year", "mean_return", percent),
        ("volatility", "volatility", percent),
        ("Sharpe", "sharpe", ratio),
        ("days with a gain", "win_rate", percent),
        ("trades", "trades", decimal),
    )
    cells = [
        [
            Cell(choice.shown[row["place"]].label, is_number=False),
            Cell(row["regime"].replace("_", " "), is_number=False),
            *(Cell(write(row[column]), row[column]) for _, column, write in columns),
        ]
        for row in rows
    ]
    header = ("scenario", "after a day of", *(name for name, *_ in columns))
    return table(header, cells, name="Performance by regime", sortable=True)
