"""Every query in docs/queries.md runs as it is written on a published warehouse."""

import re
from collections.abc import Iterator

import duckdb
import pytest
from support.bucket_plan import add_account, add_plan
from support.lab import PROJECT, Lab
from support.lake_tables import build_only, connect, fill_small_study

PAGE = (PROJECT / "docs" / "queries.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"\*\*(.+?)\*\*.*?```sql\n(.*?)```", PAGE, flags=re.DOTALL))

# What asks about plans of buckets, of which the finished run has none.
_OF_BUCKETS = PAGE.split("## Buckets")[1].split("\n## ")[0]
OF_BUCKETS = [question for question in QUERIES if f"**{question}**" in _OF_BUCKETS]

# The finished run drew no histories, has no 60/40, no taxes, other start dates, price index, mixes, signals, factors or
# hourly bars and no strategy on paper, it is of 2023, and a year is too short for a whole one and for regimes of market
# and correlation; all assets are bought in fractions.
EMPTY = {
    "What was too dear to be bought?",
    "Which were the worst and the best year?",
    "What of other start years?",
    "What happened in 2022?",
    "How does it compare with 60/40?",
    "What is the portfolio worth after inflation?",
    "What was the worst of any twelve months in a row, and how often was it a loss?",
    "What tax is owed for each year?",
    "Which is best after taxes?",
    "How much cash should I hold?",
    "What is the chance of running out within 30 years?",
    "How much can I take each year?",
    "In which markets does it work, and does it beat buy-and-hold there?",
    "Which losses did the wash-sale rule put off?",
    "Did the assets move together, and since when?",
    "Did deciding on weights pay?",
    "Which rules were given up?",
    "Do signals predict returns?",
    "What does each signal say now, the best assets first?",
    "Did harvesting losses pay?",
    "How far were expected returns from what came?",
    "What would today's targets of a mix do in the next fall?",
    "Which were the worst years to deploy the capital in?",
    "Is it more than known premiums?",
    "Which factors did a scenario live from?",
    "Do the classes move together within the day, too?",
    "Since when is it out of sample, and what did it return since?",
}


def test_every_query_of_the_page_answers_a_question():
    assert len(QUERIES) == PAGE.count("```sql") > 20


@pytest.mark.parametrize("question", QUERIES)
def test_query_runs_as_written_and_answers(finished: Lab, question: str) -> None:
    with duckdb.connect(str(finished.published), read_only=True) as connection:
        rows = connection.execute(QUERIES[question]).fetchall()
    assert bool(rows) == (question not in EMPTY and question not in OF_BUCKETS)


@pytest.fixture(scope="module")
def with_a_plan() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables about buckets of a plan and an account, of five sessions: too few for regimes of the market."""
    with connect() as con:
        fill_small_study(con)
        add_plan(con)
        add_account(con)
        build_only(
            con,
            *("report_book", "report_bucket", "report_bucket_attribution", "bucket_regime", "bucket_ledger"),
            *("report_bucket_twin", "bucket_balance"),
        )
        yield con


@pytest.mark.parametrize("question", OF_BUCKETS)
def test_query_about_buckets_answers_where_there_is_a_plan(
    with_a_plan: duckdb.DuckDBPyConnection, question: str
) -> None:
    rows = with_a_plan.execute(QUERIES[question]).fetchall()
    assert bool(rows) == (question != "In which regime does a satellite do well?")


def test_page_asks_about_buckets() -> None:
    assert len(OF_BUCKETS) > 4
