"""The check that a table is as declared: one for columns, types, values and key, which names what is broken."""

import duckdb
import pytest

from pipelines.warehouse.audit import DECLARED, Verdict, audit
from sd_core.schemas import Table
from sd_core.schemas.columns import number, text

COLUMNS = {"name": text("A name."), "amount": number("What it is worth.", "currency")}
GOODS = Table("goods", "staging", "Goods.", ("name",), COLUMNS, stored=True)


def judged(rows: str) -> Verdict:
    """Return the verdict on a table of rows, written in SQL."""
    with duckdb.connect() as connection:
        connection.execute(f"create table goods as {rows}")
        (verdict,) = audit(connection, [], [GOODS])
    assert (verdict.check, verdict.table) == (DECLARED, "goods")
    return verdict


@pytest.mark.parametrize(
    ("rows", "failures", "named"),
    [
        ("select 'tea' as name, 2.5::double as amount", 0, []),
        ("select 'tea' as name, 2.5::double as amount where false", 0, []),
        ("select 'tea' as name, 2.5::float as amount", 1, ["columns_and_types", "FLOAT"]),
        ("select 'tea' as name", 1, ["columns_and_types"]),
        ("select 'tea' as name, null::double as amount", 1, ["amount", "not_nullable"]),
        # Two of three keys occur more than once.
        ("select unnest(['tea', 'tea', 'tea', 'salt', 'salt', 'rye']) as name, 2.5 ::double as amount", 2, ["tea, 3"]),
        (
            "select unnest(['tea', 'tea']) as name, unnest([null, 2.5])::double as amount",
            2,
            ["key_is_unique", "tea, 2", "not_nullable"],
        ),
    ],
    ids=["sound", "empty", "type", "column", "value", "keys", "key_and_value"],
)
def test_table_that_is_not_as_declared_is_found_and_named(rows: str, failures: int, named: list[str]) -> None:
    verdict = judged(rows)
    assert verdict.failures == failures
    assert verdict.passed == (not failures)
    for words in named:
        assert words in verdict.examples
