"""How the scenarios shown fared under stress, and what capital came to that was deployed in the worst of years."""

import duckdb

from pipelines.report.choice import CHOSEN, Choice
from pipelines.report.numbers import date, decimal, percent
from pipelines.report.page import Cell, table
from pipelines.warehouse.records import records

_EPISODES = f"""
with {CHOSEN}
select chosen.place, stress.*, episode.position
from report_stress as stress
inner join stress_episode as episode using (episode)
inner join chosen using (strategy, reserve)
order by episode.kind, episode.position, chosen.place
"""

# Of each horizon the start with the lowest return.
_STARTS = f"""
with {CHOSEN}
select
    chosen.place,
    min(twr_1y) as worst_1y,
    arg_min(year, twr_1y) as year_1y,
    min(twr_3y) as worst_3y,
    arg_min(year, twr_3y) as year_3y,
    min(twr_5y) as worst_5y,
    arg_min(year, twr_5y) as year_5y,
    count(twr_1y) as starts
from stress_start
inner join chosen using (strategy, reserve)
group by chosen.place
having count(twr_1y) > 0
order by chosen.place
"""


_MIXES = """
select stress.*
from stress_mix as stress
inner join study_mix as mixes using (mix)
left join stress_episode as episode on stress.stress = episode.episode
where stress.kind <> 'correlation' or stress.volatility is not null
order by mixes.position, episode.kind nulls last, episode.position, stress.kind
"""


def stress_table(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return a row per episode of stress and scenario shown; empty where nothing fell and no window is named."""
    rows = records(connection, _EPISODES, choice.columns())
    if not rows:
        return ""
    header = (
        "episode",
        "from",
        "to",
        "scenario",
        "return",
        "above buy-and-hold",
        "benchmark",
        "worst drawdown",
        "sessions to recover",
        "lowest share of cash",
        "purchases refused",
    )
    cells = [
        [
            Cell(row["episode"].replace("_", " "), is_number=False),
            Cell(date(row["first_session"])),
            Cell(date(row["last_session"])),
            Cell(choice.shown[row["place"]].label, is_number=False),
            *(
                Cell(percent(row[name]), row[name])
                for name in ("twr", "over_buy_and_hold", "benchmark_return", "max_drawdown")
            ),
            Cell(_recovered(row["sessions_to_recover"]), row["sessions_to_recover"]),
            Cell(percent(row["lowest_cash_share"]), row["lowest_cash_share"]),
            Cell(decimal(row["skipped_buys"]), row["skipped_buys"]),
        ]
        for row in rows
    ]
    return table(header, cells, name="Episodes of stress", sortable=True)


def deployed_table(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """Return the worst years to deploy the capital in; empty in a study without other start dates."""
    rows = records(connection, _STARTS, choice.columns())
    if not rows:
        return ""
    header = ["scenario", "starts"]
    for years in ("a year", "3 years", "5 years"):
        header += [f"worst after {years}", "started in"]
    cells = [
        [
            Cell(choice.shown[row["place"]].label, is_number=False),
            Cell(decimal(row["starts"])),
            *(
                cell
                for years in ("1y", "3y", "5y")
                for cell in (Cell(percent(row[f"worst_{years}"])), Cell(_year(row[f"year_{years}"])))
            ),
        ]
        for row in rows
    ]
    return table(header, cells, name="Capital deployed at the start of a year")


def mix_stress_table(connection: duckdb.DuckDBPyConnection) -> str:
    """Return what the last targets of every mix would do; empty in a study without mixes."""
    rows = records(connection, _MIXES)
    if not rows:
        return ""
    header = ("mix", "what happens", "return", "from", "to", "the study's weights", "benchmark", "worst drawdown")
    cells = [
        [
            Cell(row["mix"], is_number=False),
            Cell(row["assumed"] if row["missing"] is None else f"{row['assumed']}: {row['missing']}", is_number=False),
            *(
                Cell(percent(row[name]), row[name])
                for name in (
                    "mix_return",
                    "mix_return_low",
                    "mix_return_high",
                    "universe_return",
                    "benchmark_return",
                    "max_drawdown",
                )
            ),
        ]
        for row in rows
        if row["kind"] != "correlation"  # which has no return: it is below
    ]
    calmer = [
        [
            Cell(row["mix"], is_number=False),
            *(Cell(percent(row[name])) for name in ("volatility", "stressed_volatility")),
        ]
        for row in rows
        if row["volatility"] is not None
    ]
    volatility = table(
        ("mix", "volatility", "with every correlation half-way to 1"), calmer, name="Volatility of mixes under stress"
    )
    return table(header, cells, name="Mixes under stress", sortable=True) + (volatility if calmer else "")


def _recovered(sessions: int | None) -> str:
    return "not yet" if sessions is None else decimal(sessions)


def _year(year: int | None) -> str:
    return decimal(None) if year is None else str(year)
