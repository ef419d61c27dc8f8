"""What a declaration of a table consists of. The kinds of column belong in ``columns``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as arrow

from sd_core.schemas.columns import Check, Column

if TYPE_CHECKING:
    import pandera.pandas as pa
    from pandera.dtypes import DataType

_ARROW = {
    "BIGINT": arrow.int64(),
    "BOOLEAN": arrow.bool_(),
    "DATE": arrow.date32(),
    "DOUBLE": arrow.float64(),
    "VARCHAR": arrow.string(),
    "VARCHAR[]": arrow.list_(arrow.string()),
}
# Narrower types of the lake, by the name that a column gives: Arrow's, and DuckDB's.
_STORED = {
    "int8": (arrow.int8(), "TINYINT"),
    "int16": (arrow.int16(), "SMALLINT"),
    "int32": (arrow.int32(), "INTEGER"),
    "dictionary": (arrow.dictionary(arrow.int16(), arrow.string()), "VARCHAR"),
}
# How pandera sees rows that DuckDB hands over through Arrow, without and with NULL among the values. Whole numbers with
# a NULL among them arrive as floating-point ones and truth values as objects: coercion makes them what they were. Of
# text pandera would ask value by value of which kind each is, and list those that are none; a column says it at once.
_PANDERA: Mapping[str, tuple[tuple[str | None, bool], tuple[str | None, bool]]] = {
    "BIGINT": (("int64", False), ("Int64", True)),
    "BOOLEAN": (("bool", False), ("boolean", True)),
    "DATE": (("datetime64[ms]", False), ("datetime64[ms]", False)),
    "DOUBLE": (("float64", False), ("float64", False)),
    "VARCHAR": ((None, False), (None, False)),
}
_TEXT = Check("text", lambda values: values.dtype == "str")

Layer = Literal["staging", "analytics", "signals", "reports"]


@dataclass(frozen=True)
class Table:
    """One published table.

    Attributes:
        name: of the table, and of the SQL file that fills it.
        layer: the folder of that file.
        description: one sentence.
        key: the columns of which no two rows have the same values; NULL counts as a value.
        columns: by name, in order.
        stored: False for a view, which is computed when it is read.
        copied: whether it is the lake's table of the same name as it is, so that it needs no SQL file.
    """

    name: str
    layer: Layer
    description: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    stored: bool = True
    copied: bool = False

    @property
    def types(self) -> dict[str, str]:
        """The DuckDB type of every column, in order."""
        return {name: column.type for name, column in self.columns.items()}

    @property
    def arrow_schema(self) -> arrow.Schema:
        """The columns as an Arrow table has them."""
        return arrow.schema([(name, _ARROW[kind]) for name, kind in self.types.items()])

    @property
    def comments(self) -> dict[str, str]:
        """What every column means, with its unit in brackets where it has one, in order."""
        return {name: _comment(column) for name, column in self.columns.items()}

    @cached_property
    def schema(self) -> pa.DataFrameSchema:
        """The judge of rows that DuckDB hands over through Arrow, whole or in batches: these columns, in this order."""
        import pandera.pandas as pa

        return pa.DataFrameSchema(
            {name: _judge(column) for name, column in self.columns.items()}, strict=True, ordered=True
        )


@dataclass(frozen=True)
class LakeTable:
    """One table of the lake, as the Parquet files of a dataset have it.

    Attributes:
        name: under which SQL models read it.
        description: one sentence.
        key: the columns of which no two rows have the same values.
        columns: by name, in order.
        hidden: columns that the published table of the same name leaves out; other models read them from the lake.
    """

    name: str
    description: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    hidden: tuple[str, ...] = ()

    @property
    def arrow_schema(self) -> arrow.Schema:
        """The columns as they are stored."""
        return arrow.schema([(name, _stored(column)) for name, column in self.columns.items()])

    @property
    def ddl(self) -> str:
        """The statement that creates it in a database ``lake``."""
        columns = ", ".join(f'"{name}" {_ddl(column)}' for name, column in self.columns.items())
        return f"create table lake.{self.name} ({columns})"

    def row_dtype(self, *, without: tuple[str, ...]) -> np.dtype:
        """Return the record of one row as the engine writes it: dates, tickers and kinds as positions.

        Args:
            without: columns that belong to the scenario, or follow from the place of the row.
        """
        fields = [(name, column) for name, column in self.columns.items() if name not in without]
        return np.dtype([_field(name, column) for name, column in fields])

    def published(self) -> Table:
        """Return the declaration of the published table that is this one as it is, hidden columns apart."""
        columns = {name: column for name, column in self.columns.items() if name not in self.hidden}
        return Table(self.name, "staging", self.description, self.key, columns, copied=True)


def _comment(column: Column) -> str:
    return f"{column.description} [{column.unit}]" if column.unit else column.description


def _judge(column: Column) -> pa.Column:
    import pandera.pandas as pa

    kind, coerce = _PANDERA[column.type][column.nullable]
    asked = (_TEXT, *column.checks) if kind is None else column.checks
    checks = [pa.Check(check.holds, error=check.words) for check in asked]
    judged = None if kind is None else _engine_type(kind)
    return pa.Column(judged, checks, nullable=column.nullable, coerce=coerce)


@cache
def _engine_type(name: str) -> DataType:
    """Return what pandera makes of the name of a type; it would look for optional libraries with every column."""
    from pandera.engines import pandas_engine

    return pandas_engine.Engine.dtype(name)


def _stored(column: Column) -> arrow.DataType:
    return _STORED[column.stored][0] if column.stored else _ARROW[column.type]


def _ddl(column: Column) -> str:
    return _STORED[column.stored][1] if column.stored else column.type


def _field(name: str, column: Column) -> tuple[str, type]:
    """Return the field of a record: tickers are positions in the panel, dates in its sessions, kinds numbers."""
    if name == "ticker":
        return "asset", np.int16
    if column.type == "VARCHAR":
        return name, np.int8
    if column.type == "DATE":
        return name, np.int32
    if column.type == "BIGINT":
        return name, np.dtype(column.stored or "int64").type
    return name, np.dtype({"DOUBLE": "float64", "BOOLEAN": "bool"}[column.type]).type
