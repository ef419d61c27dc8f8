"""How the scenarios shown fared under stress, and what capital came to that was deployed in the worst of years."""

from collections.abc import Sequence
from typing import Any

import duckdb

from pipelines.report.choice import CHOSEN, Choice
from pipelines.report.numbers import NOTHING, date, decimal, percent
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
    return _returns_of_mixes(rows) + _risks_of_mixes(rows) if rows else ""


def _returns_of_mixes(rows: Sequence[dict[str, Any]]) -> str:
    """Return a row per mix and a column per stress, below what the benchmark and the study's weights do in each."""
    stresses = {row["stress"]: row["assumed"] for row in rows if row["kind"] in ("replay", "benchmark", "draws")}
    by_place = {(row["mix"], row["stress"]): row for row in rows}
    mixes = dict.fromkeys(row["mix"] for row in rows)
    # The worst draws are others for each mix, so that there is no one number of these two beside them.
    alike = {
        name: {row["stress"]: row[name] for row in rows if row["kind"] != "draws" and row[name] is not None}
        for name in ("benchmark_return", "universe_return")
    }
    cells = [
        [Cell(words, is_number=False), *(Cell(percent(found.get(stress)), found.get(stress)) for stress in stresses)]
        for words, found in (
            ("the benchmark", alike["benchmark_return"]),
            ("the study's weights", alike["universe_return"]),
        )
    ]
    cells += [
        [Cell(mix, is_number=False), *(_return(by_place.get((mix, stress))) for stress in stresses)] for mix in mixes
    ]
    return table(("mix", *stresses.values()), cells, name="Mixes under stress")


def _return(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell(percent(None))
    return (
        Cell(row["missing"], is_number=False) if row["missing"] else Cell(percent(row["mix_return"]), row["mix_return"])
    )


def _risks_of_mixes(rows: Sequence[dict[str, Any]]) -> str:
    """Return how far each mix moves where correlations rise, and where its largest holding falls."""
    higher = {row["mix"]: row for row in rows if row["kind"] == "correlation"}
    largest = {row["mix"]: row for row in rows if row["kind"] == "largest"}
    cells = [
        [
            Cell(mix, is_number=False),
            *(Cell(percent(higher.get(mix, {}).get(name))) for name in ("volatility", "stressed_volatility")),
            Cell(largest[mix]["assumed"] if mix in largest else NOTHING, is_number=False),
            _return(largest.get(mix)),
            *(Cell(percent(largest.get(mix, {}).get(f"mix_return_{end}"))) for end in ("low", "high")),
        ]
        for mix in dict.fromkeys([*higher, *largest])
    ]
    header = (
        "mix", "volatility", "with every correlation half-way to 1", "largest holding", "return of the mix",
        "5th percentile", "95th percentile",
    )  # fmt: skip
    return table(header, cells, name="Volatility of mixes, and their largest holdings") if cells else ""


def _recovered(sessions: int | None) -> str:
    return "not yet" if sessions is None else decimal(sessions)


def _year(year: int | None) -> str:
    return decimal(None) if year is None else str(year)
