"""What a rebuild would make again just as it is published: it is taken over, and not computed or checked again.

Nothing is declared for this. A fingerprint covers all that a table comes from: its query, and the fingerprints of what
that reads, down to the files and rows of the lake. Whether the published file can be trusted belongs in
``pipelines.lab.publication``.
"""

import hashlib
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

import duckdb

from pipelines.warehouse.models import Built, Model
from pipelines.warehouse.side_by_side import Task


def fingerprints(
    con: duckdb.DuckDBPyConnection, root: Path, models: Iterable[Model], checks: Iterable[Task], code: str
) -> dict[str, str]:
    """Return, by the name of each model and check, a hash of all that its result depends on.

    Args:
        con: with the database ``lake``.
        root: the folder of the lake's files, or of their copies.
        models: in order.
        checks: of the tables of these models.
        code: a hash of the code, macros included, that builds and judges tables.
    """
    lake = _of_lake(con, root)
    found: dict[str, str] = {}
    for model in models:
        read = [*(found[name] for name in model.depends_on), *(lake.get(name, "") for name in model.lake_tables)]
        found[model.name] = _hash(code, model.name, model.sql, *read)
    for check in checks:
        read = [found.get(name, "") for name in sorted(check.needs)]
        found[check.name] = _hash(code, check.name, check.text, *read)
    return found


def _of_lake(con: duckdb.DuckDBPyConnection, root: Path) -> dict[str, str]:
    """Return what each table of the lake holds: of a view on files their names, which no two versions share."""
    views = con.execute("select view_name, sql from duckdb_views() where database_name = 'lake'").fetchall()
    tables = con.execute("select table_name from duckdb_tables() where database_name = 'lake'").fetchall()
    held = {
        name: str(con.execute(f"select count(*), sum(hash(one)) from lake.{name} as one").fetchall())
        for (name,) in tables
    }
    return {name: sql.replace(str(root), "") for name, sql in views} | held


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def keep_only(con: duckdb.DuckDBPyConnection, kept: Collection[str]) -> None:
    """Drop what a copy of the published file holds beside some tables, and let its room be used again."""
    of_draft = "where database_name = current_database() and not internal"
    views = con.execute(f"select view_name from duckdb_views() {of_draft}").fetchall()
    tables = con.execute(f"select table_name from duckdb_tables() {of_draft}").fetchall()
    con.begin()
    for (name,) in views:
        con.execute(f"drop view {name}")
    for (name,) in tables:
        if name not in kept:
            con.execute(f"drop table {name}")
    con.commit()
    con.execute("checkpoint")


def copied(published: Path, digest: str, draft: Path) -> bool:
    """Copy the published file; return whether the copy has the bytes of a SHA-256."""
    shutil.copyfile(published, draft)
    with draft.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest() == digest


def kept_table(con: duckdb.DuckDBPyConnection, model: Model) -> Built:
    """Return the rows of a table that was taken over, which took no time."""
    return Built(con.execute(f"select count(*) from {model.name}").fetchall()[0][0], 0.0)
