"""Charts of what scenarios did: growth, drawdown, cash, income, and how all that depends on the reserve."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from pipelines.report import svg
from pipelines.report.choice import CHOSEN, Choice, Shown
from pipelines.report.numbers import NOTHING, decimal, level, percent, ratio
from pipelines.report.scales import Scale, compact_percent, dates, linear, logarithmic
from pipelines.report.svg import BLUE, GREEN, VERMILLION, Figure, Key, Line, Part
from pipelines.report.verdicts import Headline
from pipelines.warehouse.records import records

# As many points as a line on a wide screen can resolve.
POINTS = 600

# Stretches of sessions, within a year each: what is at the end of each, and the deepest drawdown within.
_DAYS = f"""
with
{CHOSEN},
numbered as (
    select
        session,
        (row_number() over (order by session) - 1) * least(1, $4 / count(*) over ()) as stretch
    from sessions
),
days as (
    select
        chosen.place,
        days.session,
        -- The first session is a stretch of its own.
        ceil(numbered.stretch) as stretch,
        days.twr_index,
        days.drawdown,
        share_of_value(daily.bank, daily.value) as cash_share
    from chosen
    inner join simulation_returns as days using (strategy, reserve)
    inner join simulation_daily as daily using (strategy, reserve, session)
    inner join numbered using (session)
)
select
    place,
    max(session) as session,
    arg_max(twr_index, session) as growth,
    min(drawdown) as drawdown,
    arg_max(drawdown, session) as last_drawdown,
    -- The argument of a maximum skips NULL, which here means a portfolio without value.
    max_by(struct_pack(share := cash_share), session).share as cash_share
from days
group by place, year(session), stretch
order by place, session
"""

_INCOME = f"""
with
{CHOSEN}
select
    chosen.place,
    date_trunc($4, income.month)::date as period,
    sum(income.dividends) as dividends,
    sum(income.interest) as interest,
    sum(income.harvest_net) as harvest_net
from chosen
inner join simulation_income as income using (strategy, reserve)
group by chosen.place, period
order by chosen.place, period
"""

_LEVELS = """
select
    levels.*,
    report_strategy.cagr
from report_reserve as levels
inner join report_strategy using (strategy, reserve)
inner join study_strategy using (strategy)
where report_strategy.is_current
order by study_strategy.position, levels.reserve
"""

# Columns are shown by year where there are this many years, else by month.
YEARS = 3
# Of the scale.
VISIBLE = 0.005


def read_days(
    connection: duckdb.DuckDBPyConnection, choice: Choice, points: int = POINTS
) -> dict[int, list[dict[str, Any]]]:
    """Return the days of the scenarios shown, at a few hundred sessions, by their place in the choice."""
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in records(connection, _DAYS, [*choice.columns(), points]):
        rows[row["place"]].append(row)
    return dict(rows)


class Days:
    """Growth, drawdown and cash of the scenarios shown, as :func:`read_days` returns them."""

    def __init__(self, choice: Choice, rows: Mapping[int, Sequence[dict[str, Any]]]) -> None:
        self.choice = choice
        self._rows = rows

    @property
    def empty(self) -> bool:
        """Whether no scenario shown has kept its days."""
        return not self._rows

    def growth(self) -> Figure:
        """Draw the time-weighted growth of 1, on a logarithmic axis."""
        known = [value for value in self._values("growth") if value > 0]
        return self._figure(
            "Growth of 1, time-weighted",
            "growth",
            logarithmic(known or [1.0], "growth of 1, logarithmic"),
            kind="ratio",
            height=340,
            write=lambda value: decimal(value, 3),
        )

    def drawdown(self) -> Figure:
        """Draw the drawdown; each point is the deepest since the one before."""
        scale = linear(self._values("drawdown"), "fall below the highest growth so far, %", compact_percent)
        return self._figure("Drawdown", "drawdown", scale, kind="percent", height=200, write=percent)

    def cash(self) -> Figure:
        """Draw the share of the value that is cash."""
        scale = linear(self._values("cash_share"), "cash over value, %", compact_percent)
        return self._figure("Share of cash", "cash_share", scale, kind="percent", height=200, write=percent)

    def _values(self, column: str) -> list[float]:
        return [row[column] for rows in self._rows.values() for row in rows if row[column] is not None]

    def _figure(
        self, title: str, column: str, y: Scale, *, kind: str, height: int, write: Callable[[float], str]
    ) -> Figure:
        shown = [(one, self._rows[place]) for place, one in enumerate(self.choice.shown) if place in self._rows]
        sessions = [row["session"] for _, rows in shown for row in rows]
        x = dates(min(sessions), max(sessions))
        series = [
            Line(
                one.label,
                [row["session"].toordinal() for row in rows],
                [None if column == "growth" and row[column] <= 0 else row[column] for row in rows],
                one.stroke,
            )
            for one, rows in shown
        ]
        label = f"{title} of {_and([one.label for one, _ in shown])}, {min(sessions)} to {max(sessions)}."
        return Figure(
            title,
            svg.lines(series, x, y, label=label, height=height, kind=kind),
            tuple(one.key for one, _ in shown),
            ("date", *(one.label for one, _ in shown)),
            # The chart's drawdown is the deepest of a stretch, the table's that of a day.
            _by_year(
                [
                    {row["session"]: row["last_drawdown" if column == "drawdown" else column] for row in rows}
                    for _, rows in shown
                ],
                write,
            ),
        )


def _by_year(
    series: Sequence[dict[dt.date, float | None]], write: Callable[[float], str]
) -> tuple[tuple[str, ...], ...]:
    """Return the last values of each year as rows of a table."""
    last = {session.year: session for session in sorted({session for one in series for session in one})}
    return tuple(
        (f"{session:%Y-%m-%d}", *(_written(one.get(session), write) for one in series)) for session in last.values()
    )


def _written(value: float | None, write: Callable[[float], str]) -> str:
    return decimal(None) if value is None else write(value)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def income_figures(
    connection: duckdb.DuckDBPyConnection, choice: Choice, currency: str
) -> tuple[list[Figure], list[str]]:
    """Draw income by year, or by month where years are few, of each scenario shown that had any to speak of.

    Returns:
        The figures, all on one scale, and the labels of scenarios whose columns could not be seen on it.
    """
    span = records(connection, "select year(max(session)) - year(min(session)) + 1 as years from sessions")[0]["years"]
    period, form = ("year", "%Y") if span >= YEARS else ("month", "%Y-%m")
    rows = records(connection, _INCOME, [*choice.columns(), period])
    by_place = defaultdict(list)
    for row in rows:
        by_place[row["place"]].append(row)
    kinds = (("dividends", GREEN), ("interest", BLUE), ("harvest_net", VERMILLION))
    extremes = [
        sum(row[kind] for kind, _ in kinds if (row[kind] > 0) == above) for row in rows for above in (True, False)
    ]
    y = linear(extremes or [0.0], f"{currency} per {period}")
    figures, without = [], []
    for place, one in enumerate(choice.shown):
        periods = by_place[place]
        parts = [Part(_words(kind), [row[kind] for row in periods], colour) for kind, colour in kinds]
        if all(abs(value) < VISIBLE * max(y.high, -y.low) for part in parts for value in part.values):
            without.append(one.label)
            continue
        names = [format(row["period"], form) for row in periods]
        label = f"Income per {period} of {one.label} in {currency}: dividends, interest and net harvest."
        table = tuple((name, *(decimal(part.values[number]) for part in parts)) for number, name in enumerate(names))
        figures.append(
            Figure(
                one.label,
                svg.columns(names, parts, y, label=label, unit=period),
                tuple(Key(part.label, part.colour) for part in parts),
                (period, *(f"{part.label}, {currency}" for part in parts)),
                table,
            )
        )
    return figures, without


def _words(kind: str) -> str:
    return {"harvest_net": "net harvest"}.get(kind, kind)


def reserve_figures(connection: duckdb.DuckDBPyConnection, headline: Headline, choice: Choice) -> list[Figure]:
    """Draw measures against the reserve, a line for each strategy shown, with intervals from the bootstrap samples."""
    rows = records(connection, _LEVELS)
    shown = {one.row["strategy"]: one for one in choice.shown}
    levels = {name: [row for row in rows if row["strategy"] == name] for name in shown}
    if max(map(len, levels.values()), default=0) < 2:
        return []
    currency = headline.study["currency"]
    return [
        _reserve_figure(title, column, unit, write, axis, shown, levels)
        for title, column, unit, write, axis in (
            ("Growth per year (CAGR)", "cagr", "% per year", percent, compact_percent),
            ("Sharpe ratio", "sharpe", "ratio", ratio, None),
            ("Worst drawdown", "max_drawdown", "%", percent, compact_percent),
            ("Dividends, interest and net harvest per year", "income_per_year", f"{currency} per year", decimal, None),
        )
    ]


def _reserve_figure(
    title: str,
    column: str,
    unit: str,
    write: Callable[[float], str],
    axis: Callable[[float], str] | None,
    shown: dict[str, Shown],
    levels: dict[str, list[dict[str, Any]]],
) -> Figure:
    series, bands, table = [], [], []
    for name, one in shown.items():
        x = [row["reserve"] for row in levels[name]]
        series.append(Line(name, x, [row[column] for row in levels[name]], one.stroke))
        ends = [[row.get(f"{column}_{end}") for row in levels[name]] for end in ("low", "high")]
        low, high = ([value for value in end if value is not None] for end in ends)
        if len(low) == len(high) == len(x):
            bands.append(svg.Band(x, low, high, one.stroke.colour))
        for row, lowest, highest in zip(levels[name], *ends, strict=True):
            interval = NOTHING if lowest is None or highest is None else f"{write(lowest)} to {write(highest)}"
            table.append((name, level(row["reserve"]), _written(row[column], write), interval))
    values = [y for line in series for y in line.y if y is not None]
    values += [y for band in bands for y in (*band.low, *band.high)]
    y_scale = linear(values or [0.0], unit, *([axis] if axis else []), zero=False)
    x_scale = linear([x for line in series for x in line.x], "cash reserve, % of the capital", compact_percent)
    label = f"{title} against the cash reserve, of {_and(list(shown))}."
    return Figure(
        title,
        svg.lines(series, x_scale, y_scale, label=label, height=210, dots=True, bands=bands),
        tuple(Key(name, one.stroke) for name, one in shown.items()),
        ("strategy", "reserve", f"{title}, {unit}", "5th to 95th percentile"),
        tuple(table),
    )
