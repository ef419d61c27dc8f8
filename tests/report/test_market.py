"""Regimes and correlations in the report, on tables filled by hand."""

from collections.abc import Callable

import duckdb
from reading import Element, parse

Report = Callable[..., str]


def figures(html: str, section: str) -> dict[str, Element]:
    return {one.one("figcaption").text: one for one in parse(html).one("section", id=section).all("figure")}


def parts(html: str) -> set[str]:
    return {one.attributes["id"] for one in parse(html).all("section")}


def test_regimes_of_a_short_study_are_unknown_and_left_out(small_report: Report) -> None:
    assert "regimes" not in parts(small_report())


def test_strip_counts_the_sessions_of_each_regime(small_report: Report) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("update market_regime set regime = 'bull'")
        connection.execute("update market_regime set regime = 'bear' where session = '2024-01-04'")

    [strip] = figures(small_report(change_tables=fill), "regimes").values()
    assert [[cell.text for cell in row] for row in strip.one("table").rows()[1:]] == [
        ["bull", "2", "66.7\u202f%"],
        ["sideways", "0", "0.0\u202f%"],
        ["bear", "1", "33.3\u202f%"],
        ["high volatility", "0", "0.0\u202f%"],
    ]
    # One month, which has the colour of its more frequent regime.
    [stretch] = strip.all("rect")[4:]
    assert stretch.text == "bull from 2024-01-01 to 2024-01-04"


def test_correlations_of_a_short_study_are_unknown_and_left_out(small_report: Report) -> None:
    assert "correlation" not in parts(small_report())


def test_heat_map_shows_the_latest_correlation_of_every_pair_both_ways(small_report: Report) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("delete from correlation_pair")
        for session, correlation in (("2024-01-03", 0.5), ("2024-01-04", -0.25)):
            connection.execute(
                "insert into correlation_pair values (?, 'daily', 'pearson', 252, 'AAA', 'BBB', ?, 252)",
                [session, correlation],
            )

    heat_map = figures(small_report(change_tables=fill), "correlation")["Correlation of every two assets"]
    [_, row] = heat_map.one("table").rows()
    assert [cell.text for cell in row] == ["AAA", "BBB", "−0.25"]
    titles = [one.text for one in heat_map.all("title")]
    assert titles == ["AAA and AAA: 1.00", "AAA and BBB: −0.25", "BBB and AAA: −0.25", "BBB and BBB: 1.00"]
