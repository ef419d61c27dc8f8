"""Questions from the command line: what may be asked, and that nothing asked changes, reads or leaves a file."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import duckdb
import psutil
import pytest
from support.lab import Lab

from pipelines.cli import query
from pipelines.warehouse.query import open_warehouse
from sd_core.schemas import TABLES

# `copy` writes a new file and renames it, unless asked to overwrite the old one; DuckDB allows what it has attached.
OVERWRITE = "copy (select 1 as a) to '{published}' (format csv, use_tmp_file false)"
REFUSED = {
    "copy over the published file": "copy (select 1 as a) to '{published}'",
    "copy into the published file": OVERWRITE,
    "copy in a plan that is carried out": f"explain analyze {OVERWRITE}",
    "copy in a with": f"with a as ({OVERWRITE}) from a",
    "copy in a query that is put together": "from query('with a as (copy study to ''{published}'') from a')",
    "copy of a pivot": "copy (pivot study on name) to '{published}' (format csv, use_tmp_file false)",
    "copy to the write-ahead log": "copy (select 1 as a) to '{published}.wal' (format csv, use_tmp_file false)",
    "copy to a new file": "copy report_strategy to '{folder}/rows.csv'",
    "copy to a new database": "copy from database small to other",
    "attach to write": "attach '{published}' as mine (read_write)",
    "attach a new file": "attach '{folder}/new.duckdb'",
    "attach memory": "attach ':memory:' as mine",
    "detach": "detach small",
    "use": "use memory",
    "let go of it and attach it to write": "use memory; detach small; attach '{published}' (read_write)",
    "two queries": "select 1; select 2",
    "query and copy": f"select 1; {OVERWRITE}",
    "install": "install httpfs",
    "load": "load httpfs",
    "load a file": "load '{folder}/mine.duckdb_extension'",
    "set": "set threads = 1",
    "set external access": "set enable_external_access = true",
    "set file systems": "set disabled_filesystems = ''",
    "reset": "reset lock_configuration",
    "set a variable": "set variable a = 1",
    "pragma": "pragma threads = 1",
    "pragma that reads": "pragma database_list",
    "call": "call force_checkpoint()",
    "checkpoint": "checkpoint",
    "export": "export database '{folder}/all'",
    "import": "import database '{folder}/all'",
    "read CSV": "from read_csv('/etc/passwd')",
    "read a text": "from read_text('/etc/passwd')",
    "read a file by its name": "from '/etc/passwd'",
    "read the published file by its name": "from read_blob('{published}')",
    "list files": "from glob('/etc/*')",
    "create a temporary table": "create temp table mine as select 1",
    "create in memory": "create table memory.main.mine as select 1",
    "create a secret": "create persistent secret mine (type s3)",
    "insert in a with": "with a as (insert into study select * from study returning name) from a",
    "prepare": "prepare mine as select 1",
    "transaction": "begin",
}


def files_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", REFUSED)
def test_statement_that_does_more_than_read_is_refused_and_changes_no_file(
    finished: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    sql = REFUSED[name].format(published=finished.published, folder=tmp_path)
    digest, files = finished.digest(), files_below(finished.root)
    outcome = finished.sdlab("query", sql)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("refused:\nSQL: ")
    assert "Traceback" not in outcome.err
    # The session withstands by itself, whatever kind of statement it is taken for.
    with open_warehouse(finished.home) as connection, contextlib.suppress(duckdb.Error):
        connection.execute(sql).fetchall()
    assert finished.digest() == digest
    assert files_below(finished.root) == files
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["copy into the published file", "copy in a with", "set", "read CSV", "two queries"])
def test_refusal_says_in_a_line_what_is_allowed_and_how_to_save_rows(finished: Lab, name: str) -> None:
    outcome = finished.sdlab("query", REFUSED[name].format(published=finished.published, folder="."))
    _, line = outcome.err.splitlines()
    assert "expected one query that reads the published tables" in line
    assert "sdlab query … --out rows.csv" in line


@pytest.mark.parametrize(
    "sql",
    [
        "from report_strategy",
        "with best as (from report_strategy order by twr desc limit 1) select strategy from best",
        "show tables",
        "describe report_strategy",
        "summarize report_strategy",
        "explain from report_strategy",
        "pivot report_strategy on reserve using max(twr) group by strategy",
        "values (1)",
        "select now() at time zone 'America/New_York'",
        "select * from small.report_strategy;",
    ],
)
def test_query_that_reads_gives_rows(finished: Lab, sql: str) -> None:
    outcome = finished.sdlab("query", sql)
    assert (outcome.code, outcome.err) == (0, "")
    assert len(outcome.out.splitlines()) >= 2


def test_rows_go_to_a_file_once_all_are_there(finished: Lab, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    sql = "select strategy, reserve, twr from report_strategy order by all"
    outcome = finished.sdlab("query", sql, "--out", str(file))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert file.read_text(encoding="utf-8") == finished.sdlab("query", sql).out
    # A query that fails leaves what was there, and nothing beside it.
    assert finished.sdlab("query", "select 1 / strategy from report_strategy", "--out", str(file)).code == 2
    assert file.read_text(encoding="utf-8").startswith("strategy,reserve,twr\n")
    assert os.listdir(tmp_path) == ["rows.csv"]


def test_rows_go_to_no_file_of_the_warehouse_and_to_no_folder(finished: Lab, tmp_path: Path) -> None:
    digest = finished.digest()
    outcome = finished.sdlab("query", "select 1", "--out", str(finished.published))
    assert (outcome.code, outcome.out) == (2, "")
    assert "--out: " in outcome.err
    assert "expected a file outside of" in outcome.err
    assert finished.digest() == digest
    outcome = finished.sdlab("query", "select 1", "--out", str(tmp_path / "none" / "rows.csv"))
    assert (outcome.code, outcome.out) == (2, "")
    assert "expected a file that can be written" in outcome.err


def test_comments_and_macros_of_the_published_file_are_there_by_their_own_names(finished: Lab) -> None:
    with duckdb.connect(str(finished.published), read_only=True) as file, open_warehouse(finished.home) as session:
        macros = "select function_name from duckdb_functions() where not internal order by all"
        comments = "select table_name, column_name, comment from duckdb_columns() where not internal order by all"
        for sql in (macros, comments):
            assert session.execute(sql).fetchall() == file.execute(sql).fetchall() != []
        tables = {name for (name,) in session.execute("show tables").fetchall()}
        assert tables == set(TABLES)
        for name in tables:
            session.execute(f"from {name}").fetchmany()


def test_warehouse_opened_again_is_the_one_published_since(lab: Lab) -> None:
    with open_warehouse(lab.home) as before:
        rows = before.execute("select count(*) from report_strategy").fetchone()
        draft = lab.root / "draft.duckdb"
        with duckdb.connect(str(draft)) as connection:
            connection.execute("create table report_strategy as select 1 as a")
        draft.replace(lab.published)
        with open_warehouse(lab.home) as after:
            assert after.execute("select count(*) from report_strategy").fetchone() == (1,)
        assert before.execute("select count(*) from report_strategy").fetchone() == rows


@pytest.mark.parametrize("name", ["main", "memory", "system", "temp", "select", "information_schema"])
def test_study_may_bear_a_name_that_duckdb_keeps_for_itself(finished: Lab, tmp_path: Path, name: str) -> None:
    study = finished.home.study.model_copy(update={"name": name})
    home = query.StudyHome(finished.study_file, study, tmp_path)
    home.published.warehouse.parent.mkdir()
    home.published.warehouse.write_bytes(finished.published.read_bytes())
    with open_warehouse(home) as connection:
        assert connection.execute("from report_strategy").fetchall()


def test_query_too_large_for_memory_is_refused_with_what_takes_it_and_leaves_no_file(
    finished: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_below(finished.root)
    monkeypatch.chdir(tmp_path)
    asked = "select md5(i::varchar) as a from range(3000000) rows(i) order by a"
    outcome = finished.sdlab("query", asked, "--memory", "0.04")
    assert outcome.code == 2
    assert "expected a query that fits in 0.04 GB of memory; for more: --memory GB" in outcome.err
    assert f"duckdb -readonly {finished.published}" in outcome.err
    assert not os.listdir(tmp_path)
    assert files_below(finished.root) == files


def test_damaged_file_is_refused_in_words(lab: Lab) -> None:
    lab.published.write_bytes(b"no database" * 1_000)
    outcome = lab.sdlab("query", "from report_strategy")
    assert outcome.code == 2
    assert f"{lab.published}: expected what a run published; run again" in outcome.err


# It counts for hours, and listens to nothing.
ENDLESS = "select count(*) from range(1000000000000)"


def test_query_that_takes_longer_than_it_may_is_refused_and_leaves_no_file(finished: Lab, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    began = time.monotonic()
    outcome = finished.sdlab(
        "query",
        "with recursive t(n) as (select 1 union all select n + 1 from t) from t",
        "--seconds",
        "0.3",
        "--out",
        str(out),
    )
    assert (outcome.code, outcome.out) == (2, "")
    assert "expected an answer within 0.3 seconds; for a longer time: --seconds N" in outcome.err
    assert time.monotonic() - began < 30
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much", "1e300"])
@pytest.mark.parametrize("option", ["--seconds", "--memory"])
def test_bound_that_is_none_is_refused(finished: Lab, option: str, text: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        finished.sdlab("query", "select 1", option, text)


@pytest.mark.parametrize(("given", "code"), [([], 130), (["--seconds", "0.5"], 2)], ids=["Ctrl-C", "time"])
def test_query_that_listens_to_nothing_ends_with_its_process(
    finished: Lab, processes: list[subprocess.Popen[str]], given: list[str], code: int
) -> None:
    process = finished.start("query", ENDLESS, *given)
    processes.append(process)
    if not given:
        # It asks once DuckDB has opened the published file.
        while str(finished.published) not in {one.path for one in psutil.Process(process.pid).open_files()}:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err


def test_text_on_a_terminal_is_cut_before_it_is_laid_out(finished: Lab) -> None:
    with open_warehouse(finished.home) as connection:
        [(text, number)] = query._rounded(
            connection.sql("select repeat('x', 5000) as a, 0.123456789::double as b")
        ).fetchall()
    assert (text, number) == ("x" * 1000, 0.1235)
