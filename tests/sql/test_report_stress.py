"""Episodes of stress, and how scenarios fared in them: worked by hand on ten sessions.

The benchmark falls from 100 to 80 and is back on the fifth session; it falls from 110 to 99 and is back on the ninth.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import chain

import duckdb
import pytest
from support import lake_tables
from support.lake_tables import STUDY, asset, bar, build_only, insert, strategy

from pipelines.lab.home import SQL
from pipelines.warehouse.audit import read_identities
from pipelines.warehouse.records import records

DAYS = [f"2024-01-{day:02}" for day in (2, 3, 4, 5, 8, 9, 10, 11, 12, 16)]
CLOSES = [100.0, 90.0, 80.0, 95.0, 100.0, 110.0, 99.0, 104.5, 110.0, 121.0]
# Half in cash; on the second session a withdrawal of 50, which is no loss, and two purchases refused.
VALUES = [1000.0, 900.0, 855.0, 900.0, 945.0, 1000.0, 960.0, 990.0, 999.0, 1100.0]
WITHDRAWN = [0.0, 50.0, *[0.0] * 8]
BANK = [500.0, 450.0, 171.0, *[500.0] * 7]
SKIPPED = [4, 2, 0, 0, 0, 0, 1, 0, 0, 0]


def scenario(
    con: duckdb.DuckDBPyConnection, name: str, reserve: float, *, is_current: bool = True, **days: list
) -> None:
    facts = {"keep": "daily", "capital": 1000.0, "prices_version": "p1", "is_current": is_current}
    insert(con, "simulation_partition", {"strategy": name, "reserve": reserve, **facts})
    for place, session in enumerate(DAYS):
        row = dict.fromkeys(("income", "sells", "buys", "deposits"), 0.0)
        row |= {key: numbers[place] for key, numbers in days.items()}
        row |= {"invested": row["value"] - row["bank"], "nav_value": row["value"], "passed_rungs": 0}
        insert(con, "simulation_daily", {"strategy": name, "reserve": reserve, "session": session, **row})


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with lake_tables.connect() as con:
        insert(con, "study", STUDY)
        insert(con, "study_asset", asset(1, "AAA") | {"target_share": 1.0})
        insert(con, "study_strategy", strategy(1, "sd8"), strategy(2, "buy_and_hold", None))
        for session, close in zip(DAYS, CLOSES, strict=True):
            insert(con, "sessions", {"session": session})
            insert(con, "rates", {"session": session, "rate": 0.0, "risk_free_return": 0.0, "price_index": 1.0})
            insert(con, "prices", bar(session, "AAA", close))
        nothing = {"withdrawals": [0.0] * 10, "skipped_buys": [0] * 10, "bank": [0.0] * 10}
        scenario(con, "buy_and_hold", 0.0, value=[10 * close for close in CLOSES], **nothing)
        scenario(con, "sd8", 0.5, value=VALUES, withdrawals=WITHDRAWN, bank=BANK, skipped_buys=SKIPPED)
        yield con


def window(con: duckdb.DuckDBPyConnection, name: str, first: str, last: str) -> None:
    insert(con, "study_stress_window", {"position": 1, "episode": name, "from_date": first, "to_date": last})


def one(con: duckdb.DuckDBPyConnection, query: str, *keys: object) -> dict[str, object]:
    [row] = records(con, query, keys)
    return dict(row)


def fared(con: duckdb.DuckDBPyConnection, strategy: str, episode: str) -> dict[str, object]:
    return one(con, "from report_stress where strategy = ? and episode = ?", strategy, episode)


def on(place: int) -> dt.date:
    """Return the date of a session by its number from 1."""
    return dt.date.fromisoformat(DAYS[place - 1])


def test_episodes_are_the_deepest_drawdowns_from_peak_to_trough(lake):
    build_only(lake, "stress_episode")
    rows = lake.sql("""
        select episode, position, first_session, last_session, sessions, recovery_session, is_whole
        from stress_episode
    """).fetchall()
    assert rows == [
        ("drawdown_1", 1, on(1), on(3), 2, on(5), True),
        ("drawdown_2", 2, on(6), on(7), 1, on(9), True),
    ]
    falls = lake.sql("select benchmark_return, benchmark_drawdown from stress_episode").fetchall()
    assert list(chain(*falls)) == pytest.approx([-0.2, -0.2, -0.1, -0.1])


def test_no_more_than_five_drawdowns_are_episodes(lake):
    lake.execute("delete from lake.prices")
    for session, close in zip(DAYS, [100, 99, 100, 98, 100, 97, 100, 95, 100, 100], strict=True):
        insert(lake, "prices", bar(session, "AAA", float(close)))
    build_only(lake, "stress_episode")
    assert lake.sql("select last_session from stress_episode").fetchall() == [(on(8),), (on(6),), (on(4),), (on(2),)]


def test_benchmark_that_never_falls_has_no_drawdowns(lake):
    lake.execute("update lake.prices set close = 100")
    build_only(lake, "report_stress")
    assert lake.sql("from stress_episode").fetchall() == []
    assert lake.sql("from report_stress").fetchall() == []


@pytest.mark.parametrize(
    ("dates", "sessions", "is_whole", "grew"),
    [
        # The 6th and the 7th are a weekend: it begins with the close of Friday.
        (("2024-01-06", "2024-01-10"), (4, 7), True, 99 / 95 - 1),
        (("2024-01-05", "2024-01-13"), (4, 9), True, 110 / 95 - 1),
        (("2023-06-01", "2024-01-03"), (1, 2), False, -0.1),
        (("2024-01-12", "2024-03-01"), (9, 10), False, 0.1),
    ],
)
def test_window_runs_from_the_last_close_up_to_its_first_date(lake, dates, sessions, is_whole, grew):
    window(lake, "march", *dates)
    build_only(lake, "stress_episode")
    row = one(lake, "from stress_episode where kind = 'window'")
    assert (row["first_session"], row["last_session"]) == tuple(map(on, sessions))
    assert (row["is_whole"], row["sessions"], row["missing"]) == (is_whole, sessions[1] - sessions[0], None)
    assert row["benchmark_return"] == pytest.approx(grew)


@pytest.mark.parametrize("dates", [("2024-01-06", "2024-01-07"), ("2024-02-01", "2024-03-01")])
def test_window_without_a_session_says_so_and_has_no_rows(lake, dates):
    window(lake, "empty", *dates)
    build_only(lake, "report_stress")
    row = one(lake, "from stress_episode where kind = 'window'")
    assert row["missing"] == "no session of the study lies in it"
    assert {row[name] for name in ("first_session", "last_session", "sessions", "is_whole", "benchmark_return")} == {
        None
    }
    assert lake.sql("from report_stress where kind = 'window'").fetchall() == []


def test_scenario_in_a_drawdown_of_the_benchmark(lake):
    build_only(lake, "report_stress")
    row = fared(lake, "sd8", "drawdown_1")
    # (900 + 50) / 1000 on the second session, 855 / 900 on the third: the withdrawal is no loss.
    assert row["twr"] == pytest.approx(0.95 * 0.95 - 1)
    assert row["max_drawdown"] == pytest.approx(0.95 * 0.95 - 1)
    assert row["over_buy_and_hold"] == pytest.approx(0.95 * 0.95 - 0.8)
    assert row["benchmark_return"] == pytest.approx(-0.2)
    # 0.9025 x 900 / 855 = 0.95, then x 945 / 900 = 0.9975, then x 1000 / 945: above 1 on the sixth session.
    assert (row["recovery_session"], row["sessions_to_recover"]) == (on(6), 3)
    # Of the bank at each close, the first included; of what was refused after it.
    assert (row["lowest_cash_share"], row["skipped_buys"]) == (pytest.approx(0.2), 2)


def test_buy_and_hold_is_compared_with_nothing_and_recovers_with_the_benchmark(lake):
    build_only(lake, "report_stress")
    row = fared(lake, "buy_and_hold", "drawdown_1")
    assert row["over_buy_and_hold"] is None
    assert (row["twr"], row["recovery_session"], row["sessions_to_recover"]) == (pytest.approx(-0.2), on(5), 2)


def test_what_is_not_recovered_by_the_last_session_is_unknown(lake):
    lake.execute("update lake.simulation_daily set value = 990 where strategy = 'sd8' and session >= '2024-01-11'")
    build_only(lake, "report_stress")
    row = fared(lake, "sd8", "drawdown_2")
    assert row["twr"] == pytest.approx(-0.04)
    assert (row["recovery_session"], row["sessions_to_recover"]) == (None, None)


def test_drawdown_within_an_episode_counts_from_its_own_highest(lake):
    window(lake, "up_and_down", "2024-01-05", "2024-01-11")
    build_only(lake, "report_stress")
    row = fared(lake, "sd8", "up_and_down")
    assert row["twr"] == pytest.approx(990 / 900 - 1)
    assert row["max_drawdown"] == pytest.approx(960 / 1000 - 1)
    # Nothing was lost, so there is nothing to recover.
    assert (row["recovery_session"], row["sessions_to_recover"]) == (on(8), 0)


def test_outdated_scenarios_are_in_no_row(lake):
    lake.execute("update lake.simulation_partition set is_current = false where strategy = 'sd8'")
    build_only(lake, "report_stress")
    assert lake.sql("select distinct strategy from report_stress").fetchall() == [("buy_and_hold",)]


def test_scenario_with_nothing_left_at_the_beginning_has_no_return(lake):
    lake.execute("update lake.simulation_daily set value = 0, bank = 0, withdrawals = 0 where strategy = 'sd8'")
    build_only(lake, "report_stress")
    row = fared(lake, "sd8", "drawdown_2")
    assert {row[name] for name in ("twr", "max_drawdown", "recovery_session", "lowest_cash_share")} == {None}


@pytest.mark.parametrize(
    ("law", "breach"),
    [
        ("stress_returns_follow_sessions", "update report_stress set twr = twr + 1e-6 where reserve = 0.5"),
        ("stress_drawdowns_run_to_the_trough", "update stress_episode set benchmark_return = -0.1 where position = 1"),
        ("stress_drawdowns_run_to_the_trough", "update stress_episode set position = 3 - position"),
    ],
)
def test_what_breaks_a_law_of_stress_is_found(lake, law, breach):
    build_only(lake, "report_stress")
    [sql] = [one.sql for one in read_identities(SQL / "audit") if one.name == law]
    assert lake.sql(sql).fetchall() == []
    lake.execute(breach)
    assert lake.sql(sql).fetchall()


def test_capital_deployed_with_starts_each_month_is_that_of_the_first_of_the_year(lake):
    for session, grew in (("2020-01-02", 0.1), ("2020-02-03", 0.2), ("2021-03-01", 0.3)):
        named = {"strategy": "sd8", "reserve": 0.5, "start_session": session, "last_session": "2024-01-16"}
        insert(lake, "start_date_outcome", named | {"twr_1y": grew})
    build_only(lake, "stress_start")
    assert lake.sql("select year, start_session, twr_1y, twr_3y from stress_start").fetchall() == [
        (2020, dt.date(2020, 1, 2), 0.1, None),
        (2021, dt.date(2021, 3, 1), 0.3, None),
    ]
