"""Reading the folder of SQL models, and building it."""

from pathlib import Path

import duckdb
import pytest
from support.lake_tables import SQL, build_only, connect, fill_small_study

from pipelines.warehouse.models import Model, build, read_macros, read_models
from sd_core.schemas import Table
from sd_core.schemas.columns import number, text


def table(name: str, layer: str = "staging", stored: bool = True) -> Table:
    columns = {"name": text("A name."), "amount": number("What it's worth.", "currency")}
    return Table(name, layer, f"Table {name}.", ("name",), columns, stored)


def folder(root: Path, **files: str) -> Path:
    """Write models: the keys are ``layer__table``, the values queries without their header."""
    for key, query in files.items():
        layer, name = key.split("__")
        (root / layer).mkdir(exist_ok=True)
        (root / layer / f"{name}.sql").write_text(f"-- Table {name}.\n{query}\n", encoding="utf-8")
    return root


def read(root: Path, *tables: Table) -> list[Model]:
    return read_models(root, {one.name: one for one in tables})


QUERY = "select name, amount from lake.goods"


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse")
        connection.execute("attach ':memory:' as lake")
        connection.execute("use warehouse")
        connection.execute("create table lake.goods as select 'tea' as name, 2.5::double as amount")
        yield connection


def test_dependencies_are_the_tables_read_and_not_the_common_table_expressions(tmp_path):
    query = """
        with lent as (select name from other), goods as (select name, amount from lake.goods)
        select goods.name, goods.amount from goods
        inner join lent using (name)
        where goods.name in (select name from third) and exists (select 1 from lake.stock)
    """
    root = folder(tmp_path, staging__first=query, staging__other=QUERY, staging__third=QUERY)
    model = read(root, table("first"), table("other"), table("third"))[-1]
    assert (model.name, model.layer, model.description) == ("first", "staging", "Table first.")
    assert model.depends_on == ("other", "third")
    assert model.lake_tables == ("goods", "stock")


def test_common_table_expression_may_bear_the_name_of_a_table_that_it_reads(tmp_path):
    query = "with goods as (select name, amount from lake.goods) select name, amount from goods"
    [model] = read(folder(tmp_path, staging__goods=query), table("goods"))
    assert model.depends_on == ()
    assert model.lake_tables == ("goods",)


def test_recursive_expression_reads_itself_and_lists_are_no_tables(tmp_path):
    query = """
        with recursive counted as (
            select name, amount from other union all select name, amount - 1 from counted where amount > 0
        )
        select name, amount from counted, (select unnest([1, 2])) as twice, unnest([1, 2]) as more
    """
    model = read(folder(tmp_path, staging__a=query, staging__other=QUERY), table("a"), table("other"))[-1]
    assert (model.name, model.depends_on, model.lake_tables) == ("a", ("other",), ())


def test_models_come_after_those_they_read_whatever_their_names(tmp_path):
    root = folder(
        tmp_path,
        staging__z=QUERY,
        analytics__m="select name, amount from z",
        reports__a="select m.name, z.amount from m inner join z using (name)",
    )
    models = read(root, table("a", "reports"), table("m", "analytics"), table("z"))
    assert [model.name for model in models] == ["z", "m", "a"]


def test_order_is_the_same_on_every_call():
    assert read_models(SQL) == read_models(SQL)


def test_circle_is_refused_with_its_members(tmp_path):
    root = folder(tmp_path, staging__a="select name, amount from b", staging__b="select name, amount from a")
    with pytest.raises(ValueError, match=r"in a circle: (a <- b <- a|b <- a <- b)"):
        read(root, table("a"), table("b"))


@pytest.mark.parametrize("source", ["nowhere", "other.goods", "'goods.csv'", "read_csv('goods.csv')"])
def test_source_that_is_no_table_of_ours_is_refused(tmp_path, source):
    root = folder(tmp_path, staging__a=f"select name, amount from {source}")
    with pytest.raises(ValueError, match=r"a\.sql: reads .*(nowhere|goods|read_csv).*: expected declared tables"):
        read(root, table("a"))


def test_file_without_a_declaration_is_refused(tmp_path):
    root = folder(tmp_path, staging__a=QUERY, staging__b=QUERY)
    with pytest.raises(ValueError, match=r"b\.sql: expected a declaration of b"):
        read(root, table("a"))


def test_declaration_without_a_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is none for b, c"):
        read(folder(tmp_path, staging__a=QUERY), table("a"), table("b"), table("c"))


def test_file_in_another_layer_than_declared_is_refused(tmp_path):
    root = folder(tmp_path, staging__a=QUERY, reports__b=QUERY)
    with pytest.raises(ValueError, match=r"b\.sql: expected in the folder of its layer, staging"):
        read(root, table("a"), table("b"), table("c", "reports"))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"{QUERY}; {QUERY}", "expected one statement, was 2"),
        ("", "expected a SELECT"),
        ("create table a as select 1", "expected a SELECT"),
        ("select from where", "expected DuckDB's SQL"),
    ],
)
def test_file_that_is_not_one_query_is_refused(tmp_path, query, message):
    with pytest.raises(ValueError, match=rf"a\.sql: {message}"):
        read(folder(tmp_path, staging__a=query), table("a"))


def test_file_without_a_header_is_refused(tmp_path):
    root = folder(tmp_path, staging__a=QUERY)
    (root / "staging" / "a.sql").write_text(QUERY, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.sql: expected a comment on the first line"):
        read(root, table("a"))


def test_build_counts_tables_and_leaves_views_to_their_readers(tmp_path, con):
    root = folder(tmp_path, staging__a=QUERY, analytics__v="select name, twice(amount) as amount from a")
    models = read(root, table("a"), table("v", "analytics", stored=False))
    built = build(con, models, "create macro twice(amount) as amount * 2")
    assert {name: one.rows for name, one in built.items()} == {"a": 1, "v": None}
    assert all(one.seconds > 0 for one in built.values())
    assert con.execute("from v").fetchall() == [("tea", 5.0)]
    con.execute("insert into a values ('rice', 1)")
    assert con.execute("select amount from v where name = 'rice'").fetchall() == [(2.0,)]


def test_comments_with_quotes_arrive_whole(tmp_path, con):
    build(con, read(folder(tmp_path, staging__a=QUERY), table("a")), "")
    comments = con.execute("select comment from duckdb_columns() where table_name = 'a'").fetchall()
    assert comments == [("A name.",), ("What it's worth. [currency]",)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "select name, amount::float as amount from lake.goods",
            "expected the columns amount DOUBLE, was amount FLOAT",
        ),
        (
            "select amount, name from lake.goods",
            "expected the columns name VARCHAR, amount DOUBLE, was amount DOUBLE, ",
        ),
        ("select name from lake.goods", "expected the columns amount DOUBLE, was "),
        ("select name, amount, 1 as more from lake.goods", "was more INTEGER"),
    ],
)
def test_query_that_gives_other_columns_than_declared_is_refused(tmp_path, con, query, message):
    models = read(folder(tmp_path, staging__a=query), table("a"))
    with pytest.raises(ValueError, match=f"^a: .*{message}"):
        build(con, models, "")


def test_settings_are_as_before_even_after_a_failure(tmp_path, con):
    con.execute("set threads = 3; set disabled_optimizers = 'top_n'")
    models = read(folder(tmp_path, staging__a="select name, amount from lake.nothing"), table("a"))
    with pytest.raises(duckdb.CatalogException):
        build(con, models, "")
    before = con.execute("select current_setting('threads'), current_setting('disabled_optimizers')").fetchall()
    assert before == [(3, "top_n")]


def test_failure_of_one_model_interrupts_those_beside_it(tmp_path, con):
    con.execute("set threads = 2")
    con.execute("create table lake.many as select i from range(1000000) as numbers(i)")
    # Adds up for hours, unless it is stopped: it is what this test would take.
    slow = "select 'sum' as name, sum(sin(a.i) * sin(b.i)) as amount from lake.many as a, lake.many as b"
    broken = "select name, error('not today')::double as amount from lake.goods"
    root = folder(tmp_path, analytics__slow=slow, analytics__broken=broken)
    models = read(root, table("slow", "analytics"), table("broken", "analytics"))
    with pytest.raises(duckdb.InvalidInputException, match="not today"):
        build(con, models, "")
    assert con.execute("select current_setting('threads')").fetchall() == [(2,)]
    assert con.execute("select count(*) from lake.goods").fetchall() == [(1,)]


def test_published_file_works_opened_directly_and_attached_under_another_name(tmp_path):
    file = tmp_path / "small.duckdb"
    with connect(file) as con:
        fill_small_study(con)
        models = read_models(SQL)
        build(con, models, read_macros(SQL))
    questions = [
        "select count(*) from {0}simulation_holdings",
        "select {0}sharpe(excess_return, 252) from {0}simulation_returns where strategy = 'sd8'",
        "select twr from {0}report_strategy where strategy = 'sd8'",
    ]
    with duckdb.connect(file, read_only=True) as direct:
        answers = [direct.execute(question.format("")).fetchall() for question in questions]
        assert {name for (name,) in direct.execute("show tables").fetchall()} == {model.name for model in models}
    with duckdb.connect() as beside:
        beside.execute(f"attach '{file}' as elsewhere (read_only)")
        assert [beside.execute(question.format("elsewhere.")).fetchall() for question in questions] == answers
    assert answers[0] == [(18,)]


def test_same_lake_gives_the_same_tables_on_any_number_of_threads():
    found = []
    for threads in (1, 4):
        with connect() as con:
            con.execute(f"set threads = {threads}")
            fill_small_study(con)
            con.execute("""
                insert into lake.simulation_partition
                select 's' || i, 0, 'ledger', 1000, null, null, 'p1', false, true from range(40) as strategy(i);
                insert into lake.simulation_daily
                select 's' || i, 0, date '1990-01-01' + d::integer, 1, 1, 1000 + hash(i, d) % 1000 / 7, 1,
                    0, 0, 0, 0, 0, 0, 0
                from range(40) as strategy(i), range(10000) as session(d)
            """)
            build_only(con, "report_strategy")
            found.append(con.execute("from report_strategy").fetchall())
    assert len(found[0]) == 43
    assert found[0] == found[1]
