"""Charts for the pages of single tables: the report's own figures, some of them smaller."""

from collections.abc import Iterator

import duckdb

from pipelines.report import market
from pipelines.report.attribution import attribution_figures
from pipelines.report.choice import choose
from pipelines.report.performance import Days, read_days
from pipelines.report.svg import drawing
from pipelines.report.verdicts import read_headline

# Beside tables and checks a chart is looked at in passing; a coarser line costs a page less.
POINTS = 240
MOST_ASSETS = 20
# Of a chart in pixels: the room that Dagster has for it beside its menu on a screen 1440 wide.
WIDTH = 640

# Tables that have a chart, with its name.
CHARTS = {
    "report_strategy": "growth_and_drawdown",
    "report_attribution": "profit_by_asset",
    "correlation_pair": "heat_map",
    "market_regime": "regimes",
}
# Where the server behind `sdlab ui` has the report and the charts.
REPORT_PATH = "/report"
CHARTS_PATH = "/charts"


def chart_image(publication: str, table: str) -> str:
    """Return the chart of a published table as Markdown, short enough for Dagster to show it at once."""
    return f"![{CHARTS[table].replace('_', ' ')}]({CHARTS_PATH}/{publication}/{table}.svg)"


def table_charts(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """Draw what there is to draw of a published warehouse.

    Yields:
        A table's name, one of ``CHARTS``, and its chart as an SVG.
    """
    headline = read_headline(connection)
    choice = choose(headline)
    days = Days(choice, read_days(connection, choice, POINTS))
    if not days.empty:
        yield "report_strategy", drawing([days.growth(), days.drawdown()], WIDTH)
    if profits := attribution_figures(connection, choice, str(headline.study["currency"])):
        yield "report_attribution", drawing(profits[:2], WIDTH)
    if heat_map := market.correlation_heat_map(connection, MOST_ASSETS):
        yield "correlation_pair", drawing([heat_map], WIDTH)
    if regimes := market.regime_strip(connection):
        yield "market_regime", drawing([regimes], WIDTH)
