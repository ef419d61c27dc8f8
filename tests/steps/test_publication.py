"""Rebuild, audit, publish: an unsound warehouse is named and stays out; a sound one says all of itself."""

from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from support.lab import Lab
from support.steps import prepare, publish, rebuilt, refresh

from pipelines.orchestration import warehouse_assets
from pipelines.report import file
from pipelines.report.charts import CHARTS, table_charts
from pipelines.report.content import report
from pipelines.steps import rebuild
from pipelines.warehouse.audit import Identity, read_identities
from sd_core.schemas import TABLES

BROKEN = Identity("no_study_is_small", "study", "No study is small.", "select name from study where name = 'small'")


@pytest.fixture
def failing_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a law to the audit that the study breaks."""
    monkeypatch.setattr(warehouse_assets, "read_identities", lambda folder: [*read_identities(folder), BROKEN])


@pytest.mark.usefixtures("failing_audit")
def test_failing_check_is_named_and_the_published_file_stays(lab: Lab) -> None:
    digest = lab.digest()
    outcome = lab.sdlab("run", "--select", "report_strategy")
    assert outcome.code == 1
    assert "failed:\n" in outcome.err
    assert "study: no_study_is_small: 1 rows" in outcome.err
    assert "Traceback" not in outcome.err
    assert "buy-and-hold" not in outcome.out
    assert lab.digest() == digest
    assert not list((lab.root / "warehouse").rglob("*draft*"))


@pytest.mark.usefixtures("failing_audit")
def test_failing_check_at_the_first_run_publishes_nothing(fresh_lab: Lab) -> None:
    assert fresh_lab.sdlab("run").code == 1
    assert not fresh_lab.published.exists()


def test_run_after_a_failing_audit_publishes(lab: Lab) -> None:
    digest = lab.digest()
    assert not rebuilt(lab.home, BROKEN).sound
    assert lab.digest() == digest
    inode = lab.published.stat().st_ino
    publish(lab.home)
    assert lab.published.stat().st_ino != inode


def test_published_file_holds_every_declared_table_described_as_declared(finished: Lab) -> None:
    with duckdb.connect(str(finished.published), read_only=True) as connection:
        tables = connection.sql(
            "select table_name as name, comment from duckdb_tables() union all "
            "select view_name, comment from duckdb_views() where not internal"
        ).fetchall()
        columns = connection.sql(
            "select table_name, column_name, data_type, comment from duckdb_columns() where not internal"
        ).fetchall()
    assert dict(tables) == {name: table.description for name, table in TABLES.items()}
    assert {(table, column, kind, comment) for table, column, kind, comment in columns} == {
        (name, column, kind, table.comments[column])
        for name, table in TABLES.items()
        for column, kind in table.types.items()
    }


def test_published_file_includes_its_macros(finished: Lab) -> None:
    with duckdb.connect(str(finished.published), read_only=True) as connection:
        # A fall from 100 to 50 is a drawdown of one half.
        assert connection.execute("select drawdown(50, 100)").fetchall() == [(-0.5,)]


def test_published_file_names_no_folder_of_this_machine(finished: Lab) -> None:
    content = finished.published.read_bytes()
    for folder in (finished.root, finished.study_file.parent, Path(warehouse_assets.__file__).parents[2]):
        assert str(folder).encode() not in content


def test_published_file_can_be_moved_and_read_elsewhere(finished: Lab, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.duckdb"
    elsewhere.write_bytes(finished.published.read_bytes())
    with duckdb.connect(str(elsewhere), read_only=True) as connection:
        held, days = connection.execute("select count(*), count(distinct session) from simulation_holdings").fetchall()[
            0
        ]
    assert days == len(finished.table("sessions"))
    assert held == days * len(finished.home.study.tickers) * len(finished.home.study.scenarios)


def test_every_publication_includes_its_report(lab: Lab) -> None:
    lab.home.published.report.unlink()
    outcome = lab.sdlab("run", "--select", "r10")
    assert outcome.code == 0
    assert str(lab.home.published.report) in outcome.out
    with duckdb.connect(str(lab.published), read_only=True) as connection:
        assert lab.home.published.report.read_text(encoding="utf-8") == report(connection)
    assert not list((lab.root / "warehouse").rglob("*draft*"))


def test_failing_check_leaves_the_report_of_the_published_warehouse(lab: Lab) -> None:
    before = lab.home.published.report.stat()
    assert not rebuilt(lab.home, BROKEN).sound
    after = lab.home.published.report.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_report_that_cannot_be_drawn_stops_the_publication(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: duckdb.DuckDBPyConnection) -> str:
        raise RuntimeError("no ink")

    digest, report_before = lab.digest(), lab.home.published.report.read_bytes()
    monkeypatch.setattr(file, "report", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        publish(lab.home)
    assert (lab.digest(), lab.home.published.report.read_bytes()) == (digest, report_before)


def test_sums_of_the_report_are_added_up_on_one_thread(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def listen(connection: duckdb.DuckDBPyConnection) -> str:
        threads.extend(connection.execute("select current_setting('threads')").fetchall())
        return report(connection)

    monkeypatch.setattr(file, "report", listen)
    publish(lab.home)
    assert threads == [(1,)]


def test_pages_of_tables_have_small_pictures(finished: Lab) -> None:
    with duckdb.connect(str(finished.published), read_only=True) as connection:
        pictures = dict(table_charts(connection))
    assert {"report_strategy", "report_attribution"} <= pictures.keys() <= CHARTS.keys() <= TABLES.keys()
    for picture in pictures.values():
        assert len(picture) < 45_000
        drawing = ElementTree.fromstring(picture)
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"


def test_source_that_goes_back_and_forth_is_one_finding_with_its_times(lab_with_prices: Lab) -> None:
    file = lab_with_prices.study_file.parent / "prices" / "BBB_dividends.csv"
    paid = file.read_text(encoding="utf-8")
    header, first, *others = paid.splitlines()
    for content in ("\n".join([header, *others]), paid) * 2:
        file.write_text(content, encoding="utf-8")
        prepare(lab_with_prices.home, fresh=True)
    refresh(lab_with_prices.home)
    findings = lab_with_prices.table("report_data_quality").query("rule == 'history_changed'")
    assert len(findings) == 2
    assert all(f"first: {first[:10]} amount" in detail for detail in findings["detail"])
    assert all("It did so 2 times." in detail for detail in findings["detail"])


def test_report_of_an_earlier_publication_is_said_and_replaced_by_the_next_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(lab.home)
    assert "report:" not in lab.sdlab("check").out
    put = rebuild.put_in_place

    def killed_between(draft: Path, place: Path) -> None:
        if place == lab.home.published.report:
            raise KeyboardInterrupt
        put(draft, place)

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "put_in_place", killed_between)
        with pytest.raises(KeyboardInterrupt):
            publish(lab.home)
    assert "of an earlier publication than the warehouse" in lab.sdlab("check").out
    publish(lab.home)
    assert "report:" not in lab.sdlab("check").out
