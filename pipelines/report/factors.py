"""What factors explain of the scenarios shown: alpha with its interval, and the beta of each factor."""

import duckdb

from pipelines.report.choice import CHOSEN, Choice
from pipelines.report.numbers import NOTHING, decimal, percent, ratio
from pipelines.report.page import Cell, table
from pipelines.warehouse.records import records

_FITS = f"""
with {CHOSEN}
select chosen.place, fit.*
from report_factor as fit
inner join chosen using (strategy, reserve)
order by chosen.place
"""

_BETAS = f"""
with {CHOSEN}
select chosen.place, exposure.factor, exposure.beta, exposure.beta_t, exposure.contribution
from factor_exposure as exposure
inner join chosen using (strategy, reserve)
order by chosen.place
"""


def factor_tables(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return alpha and what is left, and the betas of every factor; empty in a study without factors."""
    rows = records(connection, _FITS, choice.columns())
    if not rows:
        return ""
    header = ("scenario", "excess return a year", "alpha", "from", "to", "t", "verdict", "R²", "left over", "returns")
    cells = [
        [
            Cell(choice.shown[row["place"]].label, is_number=False),
            *(
                Cell(percent(row[name], 2), row[name])
                for name in ("mean_excess_return", "alpha", "alpha_low", "alpha_high")
            ),
            Cell(ratio(row["alpha_t"]), row["alpha_t"]),
            Cell(row["verdict"] or row["missing"] or NOTHING, is_number=False),
            Cell(ratio(row["r_squared"]), row["r_squared"]),
            Cell(percent(row["residual_volatility"]), row["residual_volatility"]),
            Cell(decimal(row["observations"]), row["observations"]),
        ]
        for row in rows
    ]
    explained = table(header, cells, name="Alpha beside the factors", sortable=True)
    betas = [
        [
            Cell(choice.shown[row["place"]].label, is_number=False),
            Cell(row["factor"], is_number=False),
            Cell(ratio(row["beta"]), row["beta"]),
            Cell(ratio(row["beta_t"]), row["beta_t"]),
            Cell(percent(row["contribution"], 2), row["contribution"]),
        ]
        for row in records(connection, _BETAS, choice.columns())
    ]
    header_of_betas = ("scenario", "factor", "beta", "t", "contribution a year")
    return explained + table(header_of_betas, betas, name="Exposure to the factors", sortable=True)
