"""What mixes held and what they risked by it, whether deciding was worth it, and how the frontier turned out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import duckdb

from pipelines.report import svg
from pipelines.report.numbers import NOTHING, date, decimal, level, percent, ratio
from pipelines.report.page import Cell, table
from pipelines.report.scales import Scale, compact_percent, linear
from pipelines.report.svg import BLACK, COLOURS, VERMILLION, Figure, Key, Line, Part, Stroke
from pipelines.report.verdicts import Headline, demerit
from pipelines.warehouse.records import records

# More mixes, and more assets in a column, than this are not looked at; their numbers are in the tables.
MOST_MIXES = 4
MOST_ASSETS = 7
OTHERS = "others"
# With grey as many as those distinguish who do not see all colours (Okabe and Ito 2008).
ASSET_COLOURS = (*COLOURS, "#56B4E9", "#E69F00", "#F0E442", BLACK)
RIVALS = {"equal": "equal weights", "buy_and_hold": "bought and held"}

_COMPARED = """
select report_mix.*
from report_mix
inner join study_strategy as parts using (strategy)
order by parts.position, reserve, comparison desc
"""
# The last decision of every year, of mixes that strategies trade.
_WEIGHTS = """
with
traded as (
    select mix, study_mix.position
    from study_mix
    where
        mix in (select allocation_mix from study_strategy)
        and method <> 'equal'
),
last as (
    select mix, year(decided_session) as year, max(decided_session) as decided_session
    from mix_fit
    where status <> 'no_window'
    group by all
)
select
    mix,
    last.year,
    mix_weight.ticker,
    mix_weight.weight,
    mix_weight.risk_contribution / nullif(mix_fit.expected_volatility, 0) as risk
from traded
inner join last using (mix)
inner join mix_fit using (mix, decided_session)
inner join mix_weight using (mix, decided_session)
inner join study_asset as assets using (ticker)
order by traded.position, last.year, assets.position
"""
_FRONTIER = """
select *
from mix_frontier
where decided_session = (select max(decided_session) from mix_frontier where realised_session is not null)
order by point
"""
_MISSED = """
select
    count(distinct decided_session) as years,
    corr(expected_return, realised_return) as correlation,
    avg(realised_volatility / nullif(expected_volatility, 0)) as volatility
from mix_frontier
where realised_session is not null
"""


def compared_rows(connection: duckdb.DuckDBPyConnection, headline: Headline) -> list[dict[str, Any]]:
    """Return the rows of ``report_mix`` of each strategy at its best reserve, in the study's order."""
    best: dict[str, float] = {}
    for row in sorted(headline.rows, key=demerit):
        if row["is_current"]:
            best.setdefault(row["strategy"], row["reserve"])
    return [row for row in records(connection, _COMPARED) if best.get(row["strategy"]) == row["reserve"]]


def compared_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a row per strategy with a mix and what it is compared with; empty where there is none."""
    if not rows:
        return ""
    header = (
        "strategy", "reserve", "mix", "beside", "Sharpe", "its Sharpe", "difference", "95 % interval", "corrected p",
        "verdict", "turnover a year",
    )  # fmt: skip
    cells = [
        [
            Cell(row["strategy"], is_number=False),
            Cell(level(row["reserve"]), row["reserve"]),
            Cell(row["mix"], is_number=False),
            Cell(RIVALS[row["comparison"]], is_number=False),
            *(Cell(decimal(row[name], 3), row[name]) for name in ("sharpe", "comparison_sharpe", "sharpe_difference")),
            Cell(_interval(row, "sharpe", 1, 3), is_number=False),
            Cell(decimal(row["p_value_holm"], 3), row["p_value_holm"]),
            Cell(row["verdict"] or row["verdict_missing"] or NOTHING, is_number=False),
            Cell(percent(row["mix_turnover"], 0), row["mix_turnover"]),
        ]
        for row in rows
    ]
    return table(header, cells, name="Strategies with a mix beside the same without deciding")


def _interval(row: dict[str, Any], measure: str, factor: float, digits: int) -> str:
    ends = [row[f"{measure}_difference_{end}"] for end in ("low", "high")]
    return NOTHING if None in ends else " to ".join(decimal(end * factor, digits) for end in ends)


def difference_figure(rows: Sequence[dict[str, Any]], comparison: str) -> Figure | None:
    """Draw the differences in Sharpe ratio to one rival with their intervals; None where there is no interval."""
    shown = [row for row in rows if row["comparison"] == comparison and row["sharpe_difference_low"] is not None]
    if not shown:
        return None
    names = [f"{row['strategy']}, {level(row['reserve'])}" for row in shown]
    ends = [(row["sharpe_difference_low"], row["sharpe_difference"], row["sharpe_difference_high"]) for row in shown]
    places = range(len(shown), 0, -1)
    x = linear([value for one in ends for value in one], "difference in Sharpe ratio")
    y = Scale(0.5, len(shown) + 0.5, tuple(map(float, places)), _named(names), "strategy and reserve")
    series = [
        Line(name, one, [float(place)] * 3, Stroke(COLOURS[at % len(COLOURS)], width=2.0))
        for at, (name, one, place) in enumerate(zip(names, ends, places, strict=True))
    ]
    rival = RIVALS[comparison]
    label = f"Difference in Sharpe ratio to {rival}, with its 95 % interval, of {len(shown)} strategies with a mix."
    plot = svg.lines(series, x, y, label=label, height=24 * len(shown) + 40, dots=True)
    left = round(max(map(len, names)) * svg.LETTER_WIDTH * 1.15) + 16
    return Figure(
        f"Difference in Sharpe ratio to {rival}",
        replace(plot, left=left),
        header=("strategy", "2.5th percentile", "difference", "97.5th percentile"),
        rows=tuple((name, *(decimal(value, 3) for value in one)) for name, one in zip(names, ends, strict=True)),
    )


def _named(names: Sequence[str]) -> Callable[[float], str]:
    return lambda tick: names[len(names) - round(tick)]


def holding_figures(connection: duckdb.DuckDBPyConnection) -> list[Figure]:
    """Draw the weights of mixes at the ends of years and, where a covariance is known, their shares of risk."""
    rows = records(connection, _WEIGHTS)
    figures = []
    for mix in list(dict.fromkeys(row["mix"] for row in rows))[:MOST_MIXES]:
        of_mix = [row for row in rows if row["mix"] == mix]
        figures.append(_stacked(of_mix, "weight", f"{mix}: weights at the ends of years"))
        if any(row["risk"] is not None for row in of_mix):
            figures.append(_stacked(of_mix, "risk", f"{mix}: shares of the expected volatility"))
    return figures


def _stacked(rows: Sequence[dict[str, Any]], measure: str, title: str) -> Figure:
    years = sorted({row["year"] for row in rows})
    sums: dict[str, float] = {}
    for row in rows:
        sums[row["ticker"]] = sums.get(row["ticker"], 0.0) + row["weight"]
    tickers = [ticker for ticker, held in sums.items() if held > 0]
    largest = sorted(tickers, key=lambda ticker: -sums[ticker])
    shown = largest[:MOST_ASSETS] if len(largest) > MOST_ASSETS + 1 else largest
    values = {(row["ticker"], row["year"]): row[measure] or 0.0 for row in rows}
    parts = [
        Part(ticker, [values[ticker, year] for year in years], ASSET_COLOURS[at]) for at, ticker in enumerate(shown)
    ]
    if rest := [ticker for ticker in tickers if ticker not in shown]:
        parts.append(Part(OTHERS, [sum(values[ticker, year] for ticker in rest) for year in years], "#DDDDDD"))
    names = [str(year) for year in years]
    y = linear([0.0, 1.0], "percent", compact_percent)
    what = "Weights" if measure == "weight" else "Shares of the expected volatility"
    return Figure(
        title,
        svg.columns(names, parts, y, label=f"{what} of the mix at its last decision of every year.", unit="year"),
        tuple(Key(part.label, part.colour) for part in parts),
        ("year", *(part.label for part in parts)),
        tuple((name, *(percent(part.values[at]) for part in parts)) for at, name in enumerate(names)),
    )


def frontier_figure(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    """Draw the last frontier of which a year has passed, as it was expected and as it turned out; None without one."""
    rows = records(connection, _FRONTIER)
    if not rows:
        return None
    kinds = (("expected", Stroke(BLACK, width=2.0)), ("realised", Stroke(VERMILLION, "6 3", 2.0)))
    x = linear(
        [row[f"{kind}_volatility"] for row in rows for kind, _ in kinds], "volatility, % a year", compact_percent
    )
    y = linear([row[f"{kind}_return"] for row in rows for kind, _ in kinds], "return, % a year", compact_percent)
    series = [
        Line(kind, [row[f"{kind}_volatility"] for row in rows], [row[f"{kind}_return"] for row in rows], stroke)
        for kind, stroke in kinds
    ]
    drawn, after = date(rows[0]["decided_session"]), date(rows[0]["realised_session"])
    label = (
        f"Efficient frontier of {drawn}: expected return by volatility, and what its portfolios returned to {after}."
    )
    return Figure(
        f"Efficient frontier of {drawn}, and how it turned out by {after}",
        svg.lines(series, x, y, label=label, dots=True),
        tuple(Key(kind, stroke) for kind, stroke in kinds),
        ("portfolio", "expected return", "expected volatility", "realised return", "realised volatility", "assets"),
        tuple(
            (
                str(row["point"]),
                *(percent(row[f"{kind}_{name}"]) for kind, _ in kinds for name in ("return", "volatility")),
                str(row["assets"]),
            )
            for row in rows
        ),
    )


def frontier_sentence(connection: duckdb.DuckDBPyConnection) -> str:
    """Say how far frontiers of all years were from the year after; empty where none has a year behind it."""
    (found,) = records(connection, _MISSED)
    if not found["years"]:
        return ""
    returns = (
        ""
        if found["correlation"] is None
        else f"expected and realised returns of portfolios have a correlation of {ratio(found['correlation'])}, and "
    )
    return (
        f"Over all {found['years']} frontiers with a year behind them {returns}realised volatility is "
        f"{ratio(found['volatility'])} times what was expected."
    )
