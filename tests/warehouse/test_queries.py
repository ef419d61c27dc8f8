"""Every query in docs/queries.md runs as it is written on a published warehouse."""

import re

import duckdb
import pytest
from support.lab import PROJECT, Lab

PAGE = (PROJECT / "docs" / "queries.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"\*\*(.+?)\*\*.*?```sql\n(.*?)```", PAGE, flags=re.DOTALL))

# The finished run drew no histories and has no taxes, and a year is too short for regimes of market and correlation.
EMPTY = {
    "How much cash should I hold?",
    "In which markets does it work, and does it beat buy-and-hold there?",
    "Which losses did the wash-sale rule put off?",
    "Did the assets move together, and since when?",
}


def test_page_has_the_queries_that_its_title_promises():
    assert PAGE.startswith("# Sixteen questions")
    assert len(QUERIES) == PAGE.count("```sql") == 16


@pytest.mark.parametrize("question", QUERIES)
def test_query_runs_as_written_and_answers(finished: Lab, question: str) -> None:
    with duckdb.connect(str(finished.published), read_only=True) as connection:
        rows = connection.execute(QUERIES[question]).fetchall()
    assert bool(rows) == (question not in EMPTY)
