"""The spread of premiums over the universe, by hand."""

import pytest
from support.lake_tables import SESSIONS, build_only


def test_spread_is_between_the_assets_furthest_from_their_own_highest_earlier_close(small):
    build_only(small, "premium_spread")
    # AAA closes at 100, 110, 90; BBB at 20, not at all, 25. On the second session AAA alone has a bar.
    rows = small.execute("from premium_spread").fetchall()
    assert [str(row[0]) for row in rows] == list(SESSIONS[1:])
    assert rows[0][1:] == ("AAA", pytest.approx(0.1), "AAA", pytest.approx(0.1), 0.0, False)
    # AAA: 90 over the earlier 110; BBB: 25 over 20.
    assert rows[1][1:3] == ("BBB", pytest.approx(0.25))
    assert rows[1][3:5] == ("AAA", pytest.approx(90 / 110 - 1))
    assert rows[1][5:] == (pytest.approx(0.25 - (90 / 110 - 1)), True)


def test_first_of_the_universe_is_named_where_assets_are_equal(small):
    small.execute("update lake.prices set open = 50, high = 50, low = 50, close = 50")
    build_only(small, "premium_spread")
    assert small.execute(
        "select distinct highest_ticker, lowest_ticker, spread, is_opportunity from premium_spread"
    ).fetchall() == [("AAA", "AAA", 0.0, False)]
