"""What a declaration of a table consists of. The kinds of column belong in ``columns``."""

from dataclasses import dataclass
from typing import Literal

import pandera.pandas as pa
import pyarrow as arrow

_ARROW = {
    "BIGINT": arrow.int64(),
    "BOOLEAN": arrow.bool_(),
    "DATE": arrow.date32(),
    "DOUBLE": arrow.float64(),
    "VARCHAR": arrow.string(),
}

Layer = Literal["staging", "analytics", "reports"]


@dataclass(frozen=True)
class Table:
    """One published table.

    Attributes:
        name: of the table, and of the SQL file that fills it.
        layer: the folder of that file.
        description: one sentence.
        key: the columns of which no two rows have the same values; NULL counts as a value.
        schema: the columns in order. It judges data frames as DuckDB hands them over, whole or in batches.
        stored: False for a view, which is computed when it is read.
    """

    name: str
    layer: Layer
    description: str
    key: tuple[str, ...]
    schema: pa.DataFrameSchema
    stored: bool = True

    @property
    def types(self) -> dict[str, str]:
        """The DuckDB type of every column, in order."""
        return {name: column.metadata["type"] for name, column in self.schema.columns.items()}

    @property
    def arrow_schema(self) -> arrow.Schema:
        """The columns as an Arrow table has them."""
        return arrow.schema([(name, _ARROW[kind]) for name, kind in self.types.items()])

    @property
    def comments(self) -> dict[str, str]:
        """What every column means, with its unit in brackets where it has one, in order."""
        return {name: _comment(column) for name, column in self.schema.columns.items()}


def ordered(columns: dict[str, pa.Column]) -> pa.DataFrameSchema:
    """Return the schema that wants exactly these columns, in this order."""
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def _comment(column: pa.Column) -> str:
    unit = column.metadata["unit"]
    return f"{column.description} [{unit}]" if unit else column.description
