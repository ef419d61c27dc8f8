"""What the report says of signals, beside the tables that it comes from."""

from collections.abc import Iterator

import duckdb
import pytest
from reading import Element, parse
from support.signal_market import asked_signals, draw_market, signals_of

from pipelines.report.signals import latest_table, quality_rows, quality_sentence, quality_table


def texts(html: str) -> list[list[str]]:
    """Return the rows of the only table, header first."""

    def text(cell: Element) -> str:
        return cell.text.strip()

    return [[text(cell) for cell in row] for row in parse(html).one("table").rows()]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with signals_of(draw_market(900, 7), "report_signal", "signal", "study_signal") as connection:
        yield connection


def test_every_signal_has_a_row_with_its_t_by_horizon(con):
    header, *rows = texts(quality_table(quality_rows(con)))
    assert [row[0] for row in rows] == [row["signal"] for row in asked_signals()]
    assert header[3:8] == [f"t, {n} session{'s' * (n > 1)}" for n in (1, 5, 21, 63, 126)]
    momentum = next(row for row in rows if row[0] == "momentum")
    shown = con.execute(
        "select round(t_statistic, 1), decisions from report_signal where signal = 'momentum' and horizon = 21"
    ).fetchone()
    assert float(momentum[5].replace("−", "-")) == shown[0]
    assert int(momentum[2]) == shown[1]


def test_verdict_names_the_horizons_over_which_a_signal_predicts(con):
    quality = quality_rows(con)
    for rows in quality.values():
        for row in rows:
            row["verdict"] = "cannot tell"
    assert (
        quality_sentence(quality)
        == f"Of {len(quality)} signals none predicts over any horizon, as far as these prices can say."
    )
    for row in quality["trend"][2:4]:
        row["verdict"] = "predicts"
    assert quality_sentence(quality) == f"Of {len(quality)} signals 1 predicted over some horizon: trend."
    _, *rows = texts(quality_table(quality))
    verdicts = {row[0]: row[8] for row in rows}
    assert verdicts["trend"] == "predicts over 21, 63"
    assert verdicts["momentum"] == "cannot tell"


def test_assets_named_are_those_with_the_highest_values(con):
    _, *rows = texts(latest_table(con))
    named = dict(rows)
    best = con.execute(
        "select ticker from signal where signal = 'momentum' and percentile is not null "
        "order by session desc, value desc limit 3"
    ).fetchall()
    assert named["momentum"] == ", ".join(ticker for (ticker,) in best)


def test_study_without_signals_has_no_such_part(small_report):
    assert "signals" not in {one.attributes["id"] for one in parse(small_report()).all("section")}
