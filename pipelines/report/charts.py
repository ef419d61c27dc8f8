"""Charts for the pages of single tables, as Markdown: the report's own figures, some of them smaller."""

from collections.abc import Iterator

import duckdb

from pipelines.report import market
from pipelines.report.attribution import attribution_figures
from pipelines.report.choice import choose
from pipelines.report.performance import Days, read_days
from pipelines.report.svg import picture
from pipelines.report.verdicts import read_headline

# Beside tables and checks a chart is looked at in passing; a coarser line costs a page less.
POINTS = 240
MOST_ASSETS = 20


def table_charts(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str]]:
    """Draw what there is to draw of a published warehouse.

    Yields:
        A table's name, what its chart shows, and the chart as a Markdown image.
    """
    headline = read_headline(connection)
    choice = choose(headline)
    days = Days(choice, read_days(connection, choice, POINTS))
    if not days.empty:
        yield "report_strategy", "growth_and_drawdown", picture([days.growth(), days.drawdown()])
    if profits := attribution_figures(connection, choice, str(headline.study["currency"])):
        yield "report_attribution", "profit_by_asset", picture(profits[:2])
    if heat_map := market.correlation_heat_map(connection, MOST_ASSETS):
        yield "correlation_pair", "heat_map", picture([heat_map])
    if regimes := market.regime_strip(connection):
        yield "market_regime", "regimes", picture([regimes])
